//! Which operation a request asks for.
//!
//! [`Operation`] is the closed list of what this gateway knows; the classification follows.

/// An S3 operation, by its name in the S3 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `CopyObject`.
    CopyObject,
    /// `DeleteBucketEncryption`.
    DeleteBucketEncryption,
    /// `DeleteObject`.
    DeleteObject,
    /// `DeleteObjects`.
    DeleteObjects,
    /// `GetBucketEncryption`.
    GetBucketEncryption,
    /// `GetObject`.
    GetObject,
    /// `GetObjectAttributes`.
    GetObjectAttributes,
    /// `HeadObject`.
    HeadObject,
    /// `ListObjects`.
    ListObjects,
    /// `ListObjectsV2`.
    ListObjectsV2,
    /// `ListObjectVersions`.
    ListObjectVersions,
    /// `PutBucketEncryption`.
    PutBucketEncryption,
    /// `PutObject`.
    PutObject,
    /// Any operation that neither shows nor changes the bytes of an object; by its API name.
    PassThrough(&'static str),
}
