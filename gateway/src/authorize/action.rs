//! Which actions of the policy language an operation is.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use http::HeaderMap;

use crate::request::S3Request;

/// The actions that a request must be allowed on what it names, beside that on a copy's source;
/// `operation` is by its API name.
pub(super) fn of(operation: &str, request: &S3Request) -> Vec<String> {
    let versioned = request.target.query.get("versionId").is_some();
    let mut actions = vec![name(operation, versioned)];
    if operation == "GetObjectAttributes" {
        actions.push(name("GetObject", versioned));
    }
    if writes_object(operation) {
        let asks = |header: &str| request.headers.contains_key(header);
        let more = EXTRA.iter().filter(|(header, _)| asks(header));
        actions.extend(more.map(|(_, action)| format!("s3:{action}")));
        if grants(&request.headers) {
            actions.push("s3:PutObjectAcl".to_owned());
        }
    }
    actions
}

/// Whether policies may look at the tags that the object of an operation has.
pub(super) fn is_on_tagged(operation: &str) -> bool {
    TAGGED.contains(&operation)
}

/// The action on the source of a copy.
pub(super) fn on_source(versioned: bool) -> String {
    name("GetObject", versioned)
}

/// The action on one of several objects that are deleted.
pub(super) fn on_deleted(versioned: bool) -> String {
    name("DeleteObject", versioned)
}

/// Whether an operation makes an object that may come with tags, locks and grants.
fn writes_object(operation: &str) -> bool {
    matches!(
        operation,
        "PutObject" | "PostObject" | "CopyObject" | "CreateMultipartUpload"
    )
}

fn grants(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| name == "x-amz-acl" || name.as_str().starts_with("x-amz-grant-"))
}

fn name(operation: &str, versioned: bool) -> String {
    let mut rows = NAMES.iter();
    let action = rows
        .find(|(known, _)| *known == operation)
        .map_or(operation, |(_, action)| *action);
    let of_version = versioned && VERSIONED.contains(&action);
    match (of_version, action.split_once("Object")) {
        (true, Some((verb, rest))) => format!("s3:{verb}ObjectVersion{rest}"),
        _ => format!("s3:{action}"),
    }
}

/// Operations whose actions know `s3:ExistingObjectTag`.
const TAGGED: [&str; 9] = [
    "DeleteObjectTagging",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectTagging",
    "GetObjectTorrent",
    "HeadObject",
    "PutObjectAcl",
    "PutObjectTagging",
];

/// Operations whose action has another name than they have.
const NAMES: [(&str, &str); 44] = [
    ("CompleteMultipartUpload", "PutObject"),
    ("CopyObject", "PutObject"),
    ("CreateMultipartUpload", "PutObject"),
    (
        "DeleteBucketAnalyticsConfiguration",
        "PutAnalyticsConfiguration",
    ),
    ("DeleteBucketCors", "PutBucketCORS"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    (
        "DeleteBucketIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
    ),
    (
        "DeleteBucketInventoryConfiguration",
        "PutInventoryConfiguration",
    ),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    (
        "DeleteBucketMetricsConfiguration",
        "PutMetricsConfiguration",
    ),
    (
        "DeleteBucketOwnershipControls",
        "PutBucketOwnershipControls",
    ),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    (
        "GetBucketAccelerateConfiguration",
        "GetAccelerateConfiguration",
    ),
    (
        "GetBucketAnalyticsConfiguration",
        "GetAnalyticsConfiguration",
    ),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    (
        "GetBucketIntelligentTieringConfiguration",
        "GetIntelligentTieringConfiguration",
    ),
    (
        "GetBucketInventoryConfiguration",
        "GetInventoryConfiguration",
    ),
    (
        "GetBucketLifecycleConfiguration",
        "GetLifecycleConfiguration",
    ),
    ("GetBucketMetricsConfiguration", "GetMetricsConfiguration"),
    (
        "GetBucketNotificationConfiguration",
        "GetBucketNotification",
    ),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    (
        "GetObjectLockConfiguration",
        "GetBucketObjectLockConfiguration",
    ),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListParts", "ListMultipartUploadParts"),
    ("PostObject", "PutObject"),
    (
        "PutBucketAccelerateConfiguration",
        "PutAccelerateConfiguration",
    ),
    (
        "PutBucketAnalyticsConfiguration",
        "PutAnalyticsConfiguration",
    ),
    ("PutBucketCors", "PutBucketCORS"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    (
        "PutBucketLifecycleConfiguration",
        "PutLifecycleConfiguration",
    ),
    (
        "PutBucketNotificationConfiguration",
        "PutBucketNotification",
    ),
    (
        "PutObjectLockConfiguration",
        "PutBucketObjectLockConfiguration",
    ),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("UploadPart", "PutObject"),
    ("UploadPartCopy", "PutObject"),
];

/// Actions that have another name where a request names a version.
const VERSIONED: [&str; 8] = [
    "DeleteObject",
    "DeleteObjectTagging",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectTagging",
    "PutObjectAcl",
    "PutObjectTagging",
];

/// What headers of a write ask for beside the write.
const EXTRA: [(&str, &str); 3] = [
    ("x-amz-object-lock-legal-hold", "PutObjectLegalHold"),
    ("x-amz-object-lock-mode", "PutObjectRetention"),
    ("x-amz-tagging", "PutObjectTagging"),
];

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn an_operation_has_the_action_of_the_policy_language() {
        for (operation, versioned, action) in [
            ("GetObject", false, "s3:GetObject"),
            ("HeadObject", true, "s3:GetObjectVersion"),
            ("GetObjectTagging", true, "s3:GetObjectVersionTagging"),
            ("DeleteObject", true, "s3:DeleteObjectVersion"),
            ("UploadPart", false, "s3:PutObject"),
            ("ListObjectsV2", false, "s3:ListBucket"),
            ("PutBucketPolicy", false, "s3:PutBucketPolicy"),
            ("PutBucketVersioning", true, "s3:PutBucketVersioning"),
        ] {
            assert_eq!(name(operation, versioned), action, "{operation}");
        }
    }
}
