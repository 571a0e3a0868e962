//! Which policies are public, by S3's definition.

use crate::policy::Policy;
use crate::policy::PolicyKind;

const EVERYBODY: &str = r#""*""#;

fn is_public(effect: &str, principal: &str, condition: &str) -> bool {
    let text = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "{effect}",
            "Principal": {principal}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
            "Condition": {{{condition}}}}}}}"#
    );
    let policy = Policy::parse(&text, PolicyKind::Resource);
    policy
        .unwrap_or_else(|error| panic!("{error}: {text}"))
        .is_public()
}

#[test]
fn a_statement_is_public_by_its_wildcard_principal() {
    for (principal, public) in [
        (EVERYBODY, true),
        (r#"{"AWS": "*"}"#, true),
        (r#"{"AWS": ["111122223333", "*"]}"#, true),
        (r#"{"Federated": "graph.facebook.com"}"#, true),
        (r#"{"AWS": "111122223333"}"#, false),
        (r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#, false),
        (r#"{"Service": "cloudtrail.amazonaws.com"}"#, false),
        (
            r#"{"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}"#,
            false,
        ),
    ] {
        assert_eq!(is_public("Allow", principal, ""), public, "{principal}");
        assert!(!is_public("Deny", principal, ""), "{principal}");
    }
}

#[test]
fn a_statement_for_everybody_is_confined_by_fixed_values_of_the_listed_keys() {
    for condition in [
        r#""StringEquals": {"aws:SourceVpc": "vpc-91237329"}"#,
        r#""StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}"#,
        r#""StringLike": {"aws:SourceVpc": "vpc-91237329"}"#,
        r#""StringEqualsIgnoreCase": {"AWS:SOURCEVPCE": "vpce-1"}"#,
        r#""ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:topic"}"#,
        r#""ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/app"}"#,
        r#""StringEquals": {"aws:SourceAccount": "111122223333"}"#,
        r#""StringEquals": {"aws:SourceOwner": "111122223333"}"#,
        r#""StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}"#,
        r#""StringEquals": {"aws:PrincipalAccount": "111122223333"}"#,
        r#""StringEquals": {"aws:userid": "AIDACKCEVSQ6C2EXAMPLE"}"#,
        r#""StringEquals": {"s3:DataAccessPointAccount": "111122223333"}"#,
        r#""ArnEquals": {"s3:DataAccessPointArn":
            "arn:aws:s3:us-west-2:111122223333:accesspoint/one"}"#,
        r#""ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:111122223333:accesspoint/*"}"#,
        r#""ForAnyValue:StringEquals": {"aws:SourceVpc": "vpc-91237329"}"#,
        r#""StringEquals": {"aws:SourceVpc": "vpc-1"}, "StringLike": {"aws:Referer": "*"}"#,
    ] {
        assert!(!is_public("Allow", EVERYBODY, condition), "{condition}");
        assert!(
            !is_public("Allow", r#"{"AWS": "*"}"#, condition),
            "{condition}"
        );
    }
}

#[test]
fn a_statement_is_not_confined_by_wildcards_variables_or_other_operators_and_keys() {
    for condition in [
        // A wildcard, a variable, or nothing in one of the values.
        r#""StringLike": {"aws:SourceVpc": "vpc-*"}"#,
        r#""StringLike": {"aws:SourceVpc": ["vpc-1", "vpc-?"]}"#,
        r#""StringEquals": {"aws:SourceVpc": "${aws:Referer}"}"#,
        r#""StringEquals": {"aws:SourceVpc": "${aws:Referer, 'vpc-1'}"}"#,
        r#""StringEquals": {"aws:SourceVpc": ""}"#,
        r#""ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:*:*"}"#,
        r#""ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}"#,
        // Operators that hold for requests without the key, or with any other value of it.
        r#""StringNotEquals": {"aws:SourceVpc": "vpc-1"}"#,
        r#""StringNotLike": {"aws:SourceVpc": "vpc-1"}"#,
        r#""StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}"#,
        r#""ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}"#,
        r#""Null": {"aws:SourceVpc": false}"#,
        r#""NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}"#,
        r#""IpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"}"#,
        // Keys that a caller chooses, or that confine nobody.
        r#""StringEquals": {"aws:Referer": "https://example.com/"}"#,
        r#""StringEquals": {"aws:UserAgent": "secret"}"#,
        r#""StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:a:1:key/1"}"#,
        r#""StringEquals": {"aws:PrincipalTag/team": "blue"}"#,
        r#""Bool": {"aws:SecureTransport": true}"#,
        r#""DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}"#,
        r#""StringEquals": {"aws:SourceIp": "203.0.113.7"}"#,
        r#""IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}"#,
        // A session of a role, whose name its caller chooses.
        r#""StringLike": {"aws:userid": "AROACKCEVSQ6C2EXAMPLE:*"}"#,
        r#""StringEquals": {"aws:userid": "AROACKCEVSQ6C2EXAMPLE:session"}"#,
        // Access points of more than one account.
        r#""ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:*:accesspoint/one"}"#,
        r#""StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:*:111122223333:accesspoint/*"}"#,
        r#""StringLike": {"s3:DataAccessPointArn": "*"}"#,
        r#""ArnLike": {"s3:DataAccessPointArn":
            "arn:aws:s3:us-west-2:111122223333:accesspoint/${aws:Referer}"}"#,
    ] {
        assert!(is_public("Allow", EVERYBODY, condition), "{condition}");
    }
}

#[test]
fn networks_confine_unless_they_are_broad_alone_or_together() {
    let eighths: Vec<String> = (0..=255).map(|byte| format!("{byte}.0.0.0/8")).collect();
    let eighths: Vec<&str> = eighths.iter().map(String::as_str).collect();
    let cases: [(&[&str], bool); 18] = [
        (&["203.0.113.7"], false),
        (&["203.0.113.0/24", "2001:db8::/32"], false),
        (&["17.0.0.0/8"], false),
        (&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], false),
        (&["10.0.0.0/8", "11.0.0.0/8"], false),
        (&["17.0.0.0/8", "17.1.0.0/16"], false),
        (&["17.0.0.0/8", "203.0.113.0/24"], false),
        (&["0.0.0.0/0"], true),
        (&["0.0.0.0/1"], true),
        (&["17.0.0.0/7"], true),
        (&["203.0.113.7", "0.0.0.0/0"], true),
        (&["0.0.0.0/1", "128.0.0.0/1"], true),
        (&["16.0.0.0/8", "17.0.0.0/8"], true),
        (&eighths, true),
        (&["::/0"], true),
        (&["2001:db8::/31"], true),
        (&["2001:db8::/32", "2001:db9::/32"], true),
        (&["::ffff:0.0.0.0/96"], true),
    ];
    for (networks, public) in cases {
        let networks = format!("{networks:?}");
        let condition = format!(r#""IpAddress": {{"aws:SourceIp": {networks}}}"#);
        assert_eq!(
            is_public("Allow", EVERYBODY, &condition),
            public,
            "{networks}"
        );
    }
}

#[test]
fn one_public_statement_makes_a_policy_public_whatever_others_deny() {
    let text = r#"{"Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}"#;
    assert!(
        Policy::parse(text, PolicyKind::Resource)
            .unwrap()
            .is_public()
    );
}

#[test]
fn a_variable_is_no_fixed_value_in_the_version_without_variables_either() {
    let text = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*",
        "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpc": "${aws:Referer}"}}}}"#;
    assert!(
        Policy::parse(text, PolicyKind::Resource)
            .unwrap()
            .is_public()
    );
}
