//! The principals that grants may name: accounts, users, roles and their sessions, federated users, and services.

use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::identity::PrincipalKind;

use crate::error::Code;
use crate::error::KmsError;

/// Refuses what is no principal of that partition. Whether there is such a user or role is not looked at.
///
/// `member` is the member of the request that names it.
///
/// # Errors
///
/// `InvalidArnException`, in AWS's words.
pub(crate) fn check(named: &str, member: &str, partition: &str) -> Result<(), KmsError> {
    if is_account(named) || is_service(named) {
        return Ok(());
    }
    if !named.starts_with("arn:") {
        let text = format!("{member} does not refer to a valid principal.");
        return Err(KmsError::new(Code::InvalidArnException, text));
    }
    let arn = named.parse::<PrincipalArn>().ok().filter(is_well_formed);
    let Some(arn) = arn else {
        return Err(invalid_arn(named));
    };
    if arn.partition() == partition {
        return Ok(());
    }
    let text = format!("ARN does not refer to a valid principal: {named}");
    Err(KmsError::new(Code::InvalidArnException, text))
}

/// The account of a principal.
///
/// # Errors
///
/// `InvalidArnException` for what is neither an account nor the ARN of a principal.
pub(crate) fn account(named: &str) -> Result<AccountId, KmsError> {
    let of_arn = || named.parse::<PrincipalArn>().map(|arn| arn.account());
    named
        .parse()
        .or_else(|_| of_arn())
        .map_err(|_| invalid_arn(named))
}

/// Whether the name is that of a service, such as `rds.us-east-1.amazonaws.com`.
pub(crate) fn is_service(named: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    named.split('.').count() >= 3 && named.split('.').all(is_label)
}

fn is_account(named: &str) -> bool {
    named.parse::<AccountId>().is_ok()
}

/// The ARN of a role's session has the role's name and its own, and no path.
fn is_well_formed(arn: &PrincipalArn) -> bool {
    let parts = arn.as_str().split('/').count();
    arn.kind() != PrincipalKind::AssumedRole || parts == 3
}

fn invalid_arn(named: &str) -> KmsError {
    KmsError::new(
        Code::InvalidArnException,
        format!("ARN is not valid: {named}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_names_principals_of_its_keys_partition_only() {
        let answer = |named: &str| {
            let checked = check(named, "GranteePrincipal", "aws");
            checked.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
        };
        for named in [
            "111122223333",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/team/ana",
            "arn:aws:iam::111122223333:role/reader",
            "arn:aws:sts::111122223333:assumed-role/reader/monday",
            "arn:aws:sts::111122223333:federated-user/bob",
            "rds.us-east-1.amazonaws.com",
            "rds.amazonaws.com",
        ] {
            assert_eq!(answer(named), "ok", "{named}");
        }
        for named in [
            "arn:aws:s3:::bucket",
            "arn:aws:iam::111122223333:group/readers",
            "arn:aws:iam::1111:root",
            "arn:aws:sts::111122223333:assumed-role/team/reader/monday",
            "arn:aws:sts::111122223333:assumed-role/reader",
            "arn:",
        ] {
            let expected = format!("InvalidArnException: ARN is not valid: {named}");
            assert_eq!(answer(named), expected);
        }
        let china = "arn:aws-cn:iam::111122223333:root";
        let expected =
            format!("InvalidArnException: ARN does not refer to a valid principal: {china}");
        assert_eq!(answer(china), expected);
        for named in ["bob", "*", "1111", "amazonaws.com", "AIDAEXAMPLE"] {
            let expected =
                "InvalidArnException: GranteePrincipal does not refer to a valid principal.";
            assert_eq!(answer(named), expected, "{named}");
        }
    }
}
