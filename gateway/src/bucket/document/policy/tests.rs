//! Which statements are taken, of a bucket, an access point and an Object Lambda access point.

use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::policy::subject::Subject;

const BUCKET: Subject<'_> = Subject::Bucket("arn:aws:s3:::b");
const POINT_ARN: &str = "arn:aws:s3:us-east-1:111122223333:accesspoint/p";
const LAMBDA_ARN: &str = "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/l";

const TAKEN: &str = "";
const ACTION: &str = "Policy has invalid action";
const RESOURCE: &str = "Policy has invalid resource";
const NO_FIT: &str = "Action does not apply to any resource(s) in statement";
const KEY: &str = "Policy has an invalid condition key";
const NO_KEY: &str = "Conditions do not apply to combination of actions and resources in statement";

/// What is wrong with a statement of these elements; nothing, if it is taken.
fn fault(subject: Subject<'_>, elements: &str) -> String {
    let text = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Principal": "*", {elements}}}}}"#
    );
    let policy = BucketPolicy::parse_for(text.as_bytes(), subject);
    policy.map_or_else(|error| error.message().to_owned(), |_| TAKEN.to_owned())
}

fn of(action: &str, resource: &str) -> String {
    format!(r#""Action": {action}, "Resource": {resource}"#)
}

#[test]
fn a_resource_must_be_able_to_mean_the_bucket() {
    for (pattern, expected) in [
        ("arn:aws:s3:::b", TAKEN),
        ("arn:aws:s3:::b/*", TAKEN),
        ("arn:aws:s3:::b/logs/x", TAKEN),
        ("arn:aws:s3:::b/${aws:username}/*", TAKEN),
        ("arn:aws:s3:::*", TAKEN),
        ("arn:aws:s3:::b*", TAKEN),
        ("*", TAKEN),
        ("arn:aws:s3:::bb/*", RESOURCE),
        ("arn:aws:s3:::a", RESOURCE),
        ("arn:aws:s3:::", RESOURCE),
    ] {
        let elements = of(r#""s3:*""#, &format!("\"{pattern}\""));
        assert_eq!(fault(BUCKET, &elements), expected, "{pattern}");
    }
}

#[test]
fn an_action_is_one_of_s3_or_a_pattern_of_some() {
    for (action, expected) in [
        (r#""*""#, TAKEN),
        (r#""s3:*""#, TAKEN),
        (r#""S3:getobject""#, TAKEN),
        (r#""s3:Get*""#, TAKEN),
        (r#""s3:*Object""#, TAKEN),
        (r#""s3:GetObjec?""#, TAKEN),
        (r#"["s3:GetObject", "s3:PutObjectVersionAcl"]"#, TAKEN),
        (r#""s3:HeadObject""#, ACTION),
        (r#""s3:GetObjects""#, ACTION),
        (r#""s3:Gett*""#, ACTION),
        (r#"["s3:GetObject", "s3:Frobnicate"]"#, ACTION),
        (r#""kms:Decrypt""#, ACTION),
        (r#""s3-object-lambda:GetObject""#, ACTION),
        (r#""s*:GetObject""#, ACTION),
    ] {
        let elements = of(action, r#"["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#);
        assert_eq!(fault(BUCKET, &elements), expected, "{action}");
    }
}

#[test]
fn each_action_has_a_resource_that_it_is_done_on() {
    for (action, resource, expected) in [
        (r#""s3:GetObject""#, r#""arn:aws:s3:::b/*""#, TAKEN),
        (r#""s3:GetObject""#, r#""arn:aws:s3:::b*""#, TAKEN),
        (r#""s3:GetObject""#, r#""*""#, TAKEN),
        (r#""s3:GetObject""#, r#""arn:aws:s3:::b""#, NO_FIT),
        (r#""s3:ListBucket""#, r#""arn:aws:s3:::b""#, TAKEN),
        (r#""s3:ListBucket""#, r#""arn:aws:s3:::b*""#, TAKEN),
        (r#""s3:ListBucket""#, r#""arn:aws:s3:::b/*""#, NO_FIT),
        (r#""s3:*""#, r#""arn:aws:s3:::b""#, TAKEN),
        (r#""s3:*""#, r#""arn:aws:s3:::b/*""#, TAKEN),
        (r#""s3:List*""#, r#""arn:aws:s3:::b/*""#, TAKEN),
        (r#""s3:ListBucket*""#, r#""arn:aws:s3:::b/*""#, NO_FIT),
        (r#""s3:ListAllMyBuckets""#, r#""*""#, NO_FIT),
        (r#""s3:CreateAccessPoint""#, r#""*""#, NO_FIT),
        (
            r#"["s3:GetObject", "s3:ListBucket"]"#,
            r#"["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#,
            TAKEN,
        ),
        (
            r#"["s3:GetObject", "s3:ListBucket"]"#,
            r#""arn:aws:s3:::b/*""#,
            NO_FIT,
        ),
        (
            r#""s3:GetObject""#,
            r#"["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#,
            TAKEN,
        ),
    ] {
        let elements = of(action, resource);
        assert_eq!(fault(BUCKET, &elements), expected, "{elements}");
    }
}

#[test]
fn a_condition_key_is_one_of_an_action_that_applies() {
    let both = r#"["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#;
    for (action, resource, key, expected) in [
        (r#""s3:ListBucket""#, both, "s3:prefix", TAKEN),
        (r#""s3:GetObject""#, both, "s3:prefix", NO_KEY),
        (
            r#"["s3:GetObject", "s3:ListBucket"]"#,
            both,
            "s3:prefix",
            TAKEN,
        ),
        (r#""s3:*""#, both, "s3:prefix", TAKEN),
        (r#""s3:*""#, r#""arn:aws:s3:::b/*""#, "s3:prefix", NO_KEY),
        (r#""s3:PutObject""#, both, "s3:X-Amz-ACL", TAKEN),
        (r#""s3:GetObject""#, both, "s3:x-amz-acl", NO_KEY),
        (r#""s3:GetObject""#, both, "s3:ExistingObjectTag/a", TAKEN),
        (
            r#""s3:DeleteObject""#,
            both,
            "s3:ExistingObjectTag/a",
            NO_KEY,
        ),
        (r#""s3:PutObject""#, both, "s3:RequestObjectTag/a", TAKEN),
        (r#""s3:GetObject""#, both, "s3:DataAccessPointArn", TAKEN),
        (r#""s3:GetObject""#, both, "s3:TlsVersion", TAKEN),
        (r#""s3:GetObject""#, both, "aws:UserAgent", TAKEN),
        (r#""s3:*""#, both, "s3:Colour", KEY),
        (r#""s3:*""#, both, "s3:ExistingObjectTags/a", KEY),
    ] {
        let condition = format!(r#", "Condition": {{"StringEquals": {{"{key}": "x"}}}}"#);
        let elements = of(action, resource) + &condition;
        assert_eq!(fault(BUCKET, &elements), expected, "{elements}");
    }
}

#[test]
fn what_a_statement_leaves_out_is_not_checked() {
    let prefix = r#""Condition": {"StringEquals": {"s3:prefix": "x"}}"#;
    for elements in [
        r#""NotAction": "s3:Frobnicate", "Resource": "arn:aws:s3:::b/*""#.to_owned(),
        r#""Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b""#.to_owned(),
        r#""Action": "s3:ListBucket", "NotResource": "arn:aws:s3:::other/*""#.to_owned(),
        format!(r#""NotAction": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", {prefix}"#),
    ] {
        assert_eq!(fault(BUCKET, &elements), TAKEN, "{elements}");
    }
}

#[test]
fn an_access_point_has_its_bucket_s_actions_and_those_on_itself() {
    let objects = format!("\"{POINT_ARN}/object/*\"");
    let itself = format!("\"{POINT_ARN}\"");
    for (action, resource, expected) in [
        ("s3:GetObject", &objects, TAKEN),
        ("s3:ListBucket", &itself, TAKEN),
        ("s3:GetAccessPointPolicy", &itself, TAKEN),
        ("s3:GetObject", &itself, NO_FIT),
        ("s3:ListBucket", &objects, NO_FIT),
        ("s3:GetObject", &format!("\"{POINT_ARN}/*\""), TAKEN),
        ("s3:GetObject", &"\"arn:aws:s3:::b/*\"".to_owned(), RESOURCE),
        ("s3:ListJobs", &itself, NO_FIT),
    ] {
        let elements = of(&format!("\"{action}\""), resource);
        let found = fault(Subject::AccessPoint(POINT_ARN), &elements);
        assert_eq!(found, expected, "{elements}");
    }
}

#[test]
fn an_object_lambda_access_point_has_actions_of_its_own_service() {
    for (action, resource, expected) in [
        ("s3-object-lambda:GetObject", LAMBDA_ARN, TAKEN),
        ("s3-object-lambda:*", LAMBDA_ARN, TAKEN),
        ("s3-object-lambda:Frobnicate", LAMBDA_ARN, ACTION),
        ("s3:GetObject", LAMBDA_ARN, ACTION),
        (
            "s3-object-lambda:GetObject",
            "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/lx",
            RESOURCE,
        ),
    ] {
        let elements = of(&format!("\"{action}\""), &format!("\"{resource}\""));
        let found = fault(Subject::ObjectLambda(LAMBDA_ARN), &elements);
        assert_eq!(found, expected, "{elements}");
    }
}

/// Statements that AWS's documentation and tools write: actions, resources in the bucket, and a condition key.
const OF_TOOLS: &[(&[&str], &[&str], &str)] = &[
    // CloudTrail, AWS Config and access logs.
    (&["s3:GetBucketAcl"], &[""], "aws:SourceArn"),
    (
        &["s3:PutObject"],
        &["/AWSLogs/111122223333/*"],
        "s3:x-amz-acl",
    ),
    // Replication into the bucket.
    (
        &["s3:ReplicateDelete", "s3:ReplicateObject"],
        &["/*"],
        "aws:SourceIp",
    ),
    (
        &["s3:List*", "s3:GetBucketVersioning"],
        &[""],
        "aws:SourceIp",
    ),
    // Home folders.
    (&["s3:ListBucket"], &[""], "s3:delimiter"),
    (
        &["s3:GetBucketLocation", "s3:ListBucket"],
        &[""],
        "s3:prefix",
    ),
    (&["s3:*"], &["/home/${aws:username}/*"], "aws:username"),
    // Uploads that give the owner of the bucket full control, or have tags.
    (
        &["s3:PutObject", "s3:PutObjectAcl"],
        &["/*"],
        "s3:x-amz-acl",
    ),
    (&["s3:PutObjectTagging"], &["/*"], "s3:RequestObjectTagKeys"),
    // AWS CDK: grantRead, grantWrite and autoDeleteObjects.
    (
        &["s3:GetObject*", "s3:GetBucket*", "s3:List*"],
        &["", "/*"],
        "aws:SourceIp",
    ),
    (
        &["s3:DeleteObject*", "s3:PutObject", "s3:Abort*"],
        &["", "/*"],
        "aws:SourceIp",
    ),
    (
        &["s3:PutBucketPolicy", "s3:GetBucket*", "s3:DeleteObject*"],
        &["", "/*"],
        "aws:SourceIp",
    ),
    // Access points alone.
    (&["*"], &["", "/*"], "s3:DataAccessPointAccount"),
    // TLS alone.
    (&["s3:*"], &["", "/*"], "s3:TlsVersion"),
];

#[test]
fn statements_of_documentation_and_tools_are_taken() {
    for (actions, resources, key) in OF_TOOLS {
        let resources = resources.iter().map(|it| format!("\"arn:aws:s3:::b{it}\""));
        let resources = resources.collect::<Vec<_>>().join(", ");
        let (operator, value) = match *key {
            "aws:SourceIp" => ("NotIpAddress", "192.0.2.0/24"),
            _ => ("StringEquals", "x"),
        };
        let condition = format!(r#", "Condition": {{"{operator}": {{"{key}": "{value}"}}}}"#);
        let elements = of(&format!("{actions:?}"), &format!("[{resources}]")) + &condition;
        assert_eq!(fault(BUCKET, &elements), TAKEN, "{elements}");
    }
}
