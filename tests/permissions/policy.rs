//! The texts of policies.

/// A statement about a bucket and everything in it; `condition` is its operators.
pub fn statement(
    effect: &str,
    principal: &str,
    action: &str,
    bucket: &str,
    condition: &str,
) -> String {
    let condition = match condition {
        "" => String::new(),
        operators => format!(r#", "Condition": {operators}"#),
    };
    format!(
        r#"{{"Effect": "{effect}", "Principal": {principal}, "Action": "s3:{action}",
        "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]{condition}}}"#
    )
}

/// A policy of these statements.
pub fn document(statements: &[String]) -> String {
    let statements = statements.join(", ");
    format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)
}
