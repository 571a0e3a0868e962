//! The names of events, and which events are management events.
//!
//! An event has the name of its operation, except for some of S3's older names. Operations on objects are data
//! events, and so are those on buckets that read or change what is in them.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html>; names in real
//! events.

use proto::audit::Category;

use crate::route::Level;
use crate::route::Operation;

/// The value of `eventName`.
#[must_use]
pub const fn event_name(operation: Operation) -> &'static str {
    match operation {
        Operation::ListObjectsV2 => "ListObjects",
        Operation::Preflight => "PreflightRequest",
        Operation::GetBucketAccelerateConfiguration => "GetAccelerateConfiguration",
        Operation::PutBucketAccelerateConfiguration => "PutAccelerateConfiguration",
        Operation::GetBucketLifecycleConfiguration => "GetBucketLifecycle",
        Operation::PutBucketLifecycleConfiguration => "PutBucketLifecycle",
        Operation::GetBucketNotificationConfiguration => "GetBucketNotification",
        Operation::PutBucketNotificationConfiguration => "PutBucketNotification",
        Operation::GetObjectLockConfiguration => "GetBucketObjectLockConfiguration",
        Operation::PutObjectLockConfiguration => "PutBucketObjectLockConfiguration",
        Operation::GetPublicAccessBlock => "GetBucketPublicAccessBlock",
        Operation::PutPublicAccessBlock => "PutBucketPublicAccessBlock",
        Operation::DeletePublicAccessBlock => "DeleteBucketPublicAccessBlock",
        other => other.name(),
    }
}

/// Whether it is a management or a data event.
#[must_use]
pub const fn category(operation: Operation) -> Category {
    match (operation.row().level, operation) {
        (Level::Object, _)
        | (
            _,
            Operation::DeleteObjects
            | Operation::HeadBucket
            | Operation::ListMultipartUploads
            | Operation::ListObjectVersions
            | Operation::ListObjects
            | Operation::ListObjectsV2
            | Operation::PostObject
            | Operation::Preflight,
        ) => Category::Data,
        _ => Category::Management,
    }
}

/// Whether it changes nothing.
#[must_use]
pub fn is_read_only(operation: Operation) -> bool {
    matches!(operation.row().method, "GET" | "HEAD" | "OPTIONS")
}

/// Whether it is about the objects whose keys begin with the query's prefix.
#[must_use]
pub const fn is_of_prefix(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::DeleteObjects
            | Operation::ListMultipartUploads
            | Operation::ListObjectVersions
            | Operation::ListObjects
            | Operation::ListObjectsV2
    )
}

/// Whether it writes an object, or begins to, so that its event has how that is encrypted.
#[must_use]
pub const fn encrypts(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::CopyObject
            | Operation::CreateMultipartUpload
            | Operation::PostObject
            | Operation::PutObject
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_buckets_makes_data_events_and_their_configurations_management_events() {
        for (name, event, category, read_only) in [
            ("ListBuckets", "ListBuckets", "Management", true),
            ("CreateBucket", "CreateBucket", "Management", false),
            ("DeleteBucket", "DeleteBucket", "Management", false),
            ("HeadBucket", "HeadBucket", "Data", true),
            ("GetBucketLocation", "GetBucketLocation", "Management", true),
            ("PutBucketPolicy", "PutBucketPolicy", "Management", false),
            (
                "PutBucketEncryption",
                "PutBucketEncryption",
                "Management",
                false,
            ),
            (
                "DeletePublicAccessBlock",
                "DeleteBucketPublicAccessBlock",
                "Management",
                false,
            ),
            (
                "GetObjectLockConfiguration",
                "GetBucketObjectLockConfiguration",
                "Management",
                true,
            ),
            ("ListObjectsV2", "ListObjects", "Data", true),
            ("ListObjectVersions", "ListObjectVersions", "Data", true),
            ("DeleteObjects", "DeleteObjects", "Data", false),
            ("PostObject", "PostObject", "Data", false),
            ("GetObject", "GetObject", "Data", true),
            ("PutObject", "PutObject", "Data", false),
            (
                "CreateMultipartUpload",
                "CreateMultipartUpload",
                "Data",
                false,
            ),
            ("UploadPartCopy", "UploadPartCopy", "Data", false),
            ("GetObjectAcl", "GetObjectAcl", "Data", true),
            ("Preflight", "PreflightRequest", "Data", true),
        ] {
            let mut operations = Operation::ALL.iter();
            let operation = *operations.find(|it| it.name() == name).unwrap();
            assert_eq!(event_name(operation), event);
            assert_eq!(super::category(operation).as_str(), category, "{name}");
            assert_eq!(is_read_only(operation), read_only, "{name}");
        }
    }
}
