//! The list of operations, and how method, target and headers choose one.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use http::HeaderMap;
use http::Method;
use http::header;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Query;
use crate::request::Target;

/// An S3 operation, by its name in the S3 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `AbortMultipartUpload`.
    AbortMultipartUpload,
    /// `CompleteMultipartUpload`.
    CompleteMultipartUpload,
    /// `CopyObject`.
    CopyObject,
    /// `CreateMultipartUpload`.
    CreateMultipartUpload,
    /// `DeleteBucketCors`.
    DeleteBucketCors,
    /// `DeleteBucketEncryption`.
    DeleteBucketEncryption,
    /// `DeleteBucketPolicy`.
    DeleteBucketPolicy,
    /// `DeleteObject`.
    DeleteObject,
    /// `DeleteObjects`.
    DeleteObjects,
    /// `GetBucketCors`.
    GetBucketCors,
    /// `GetBucketEncryption`.
    GetBucketEncryption,
    /// `GetBucketPolicy`.
    GetBucketPolicy,
    /// `GetBucketPolicyStatus`.
    GetBucketPolicyStatus,
    /// `GetObject`.
    GetObject,
    /// `GetObjectAttributes`.
    GetObjectAttributes,
    /// `HeadObject`.
    HeadObject,
    /// `ListBuckets`: passes through without the gateway's own bucket.
    ListBuckets,
    /// `ListMultipartUploads`.
    ListMultipartUploads,
    /// `ListObjects`.
    ListObjects,
    /// `ListObjectsV2`.
    ListObjectsV2,
    /// `ListObjectVersions`.
    ListObjectVersions,
    /// `ListParts`.
    ListParts,
    /// `PostObject`: a browser's form.
    PostObject,
    /// `PutBucketCors`.
    PutBucketCors,
    /// `PutBucketEncryption`.
    PutBucketEncryption,
    /// `PutBucketPolicy`.
    PutBucketPolicy,
    /// `PutObject`.
    PutObject,
    /// `UpdateObjectEncryption`.
    UpdateObjectEncryption,
    /// `UploadPart`.
    UploadPart,
    /// `UploadPartCopy`.
    UploadPartCopy,
    /// Any operation that neither shows nor changes the bytes of an object; by its API name.
    PassThrough(&'static str),
}

impl Operation {
    /// The name in the S3 API.
    pub fn name(self) -> &'static str {
        match self {
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::CopyObject => "CopyObject",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::DeleteBucketCors => "DeleteBucketCors",
            Self::DeleteBucketEncryption => "DeleteBucketEncryption",
            Self::DeleteBucketPolicy => "DeleteBucketPolicy",
            Self::DeleteObject => "DeleteObject",
            Self::DeleteObjects => "DeleteObjects",
            Self::GetBucketCors => "GetBucketCors",
            Self::GetBucketEncryption => "GetBucketEncryption",
            Self::GetBucketPolicy => "GetBucketPolicy",
            Self::GetBucketPolicyStatus => "GetBucketPolicyStatus",
            Self::GetObject => "GetObject",
            Self::GetObjectAttributes => "GetObjectAttributes",
            Self::HeadObject => "HeadObject",
            Self::ListBuckets => "ListBuckets",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::ListObjectVersions => "ListObjectVersions",
            Self::ListParts => "ListParts",
            Self::PostObject => "PostObject",
            Self::PutBucketCors => "PutBucketCors",
            Self::PutBucketEncryption => "PutBucketEncryption",
            Self::PutBucketPolicy => "PutBucketPolicy",
            Self::PutObject => "PutObject",
            Self::UpdateObjectEncryption => "UpdateObjectEncryption",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::PassThrough(name) => name,
        }
    }

    /// Whether its body may be `aws-chunked`; S3 takes that for the bytes of objects only.
    pub fn takes_chunked_body(self) -> bool {
        matches!(self, Self::PutObject | Self::UploadPart)
    }
}

/// The operation that a request asks for.
///
/// # Errors
///
/// `NotImplemented` with the reason for operations that would leak or bypass encryption and for
/// those that nobody knows; `MethodNotAllowed`; `InvalidArgument` for a query that does not fit.
pub fn operation(
    method: &Method,
    target: &Target,
    headers: &HeaderMap,
) -> Result<Operation, S3Error> {
    let (method, query) = (method.as_str(), &target.query);
    match (&target.bucket, &target.key) {
        (None, _) => on_service(method),
        (Some(_), None) => on_bucket(method, query, headers),
        (Some(_), Some(_)) => on_object(method, query, headers),
    }
}

/// Operations on the service itself.
fn on_service(method: &str) -> Result<Operation, S3Error> {
    match method {
        "GET" => Ok(Operation::ListBuckets),
        "POST" => Err(refused("WriteGetObjectResponse", OBJECT_LAMBDA)),
        _ => Err(method_not_allowed(method, "SERVICE")),
    }
}

/// Operations on a bucket: the first subresource in the query that has one decides.
fn on_bucket(method: &str, query: &Query, headers: &HeaderMap) -> Result<Operation, S3Error> {
    if method == "POST" && is_form(headers) {
        let more = query.iter().find(|(name, _)| !is_modifier(name));
        return match more {
            None => Ok(Operation::PostObject),
            Some((name, _)) => Err(refused("PostObject", FORM).detail("Query", name)),
        };
    }
    for (name, _) in query.iter() {
        if let Some(row) = BUCKET.iter().find(|row| row.0 == name && row.1 == method) {
            return choose(row.2);
        }
    }

    let unknown = query.iter().any(|(name, _)| !is_modifier(name));
    match method {
        "GET" => Ok(list_kind(query)),
        "HEAD" => Ok(Operation::PassThrough("HeadBucket")),
        // A subresource that we do not know is the backend's to serve or to refuse.
        "PUT" | "DELETE" if unknown => Ok(Operation::PassThrough("UnknownBucketOperation")),
        "PUT" => Ok(Operation::PassThrough("CreateBucket")),
        "DELETE" => Ok(Operation::PassThrough("DeleteBucket")),
        "POST" if unknown => Err(refused("This operation", UNKNOWN)),
        "POST" => Err(S3Error::with_message(
            S3Code::PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold",
        )
        .detail(
            "Condition",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        )),
        _ => Err(method_not_allowed(method, "BUCKET")),
    }
}

/// Which of the three lists of objects a `GET` of a bucket is.
fn list_kind(query: &Query) -> Operation {
    if query.get("list-type") == Some("2") {
        Operation::ListObjectsV2
    } else {
        Operation::ListObjects
    }
}

/// Operations on an object.
fn on_object(method: &str, query: &Query, headers: &HeaderMap) -> Result<Operation, S3Error> {
    for (name, _) in query.iter() {
        if let Some(row) = OBJECT.iter().find(|row| row.0 == name && row.1 == method) {
            return match choose(row.2)? {
                Operation::UploadPart if headers.contains_key("x-amz-copy-source") => {
                    Ok(Operation::UploadPartCopy)
                }
                operation => Ok(operation),
            };
        }
    }

    // A `GET` is answered by opening the object whatever else the query says; a write that asks
    // for something unknown must not become a plain write.
    let unknown = query.iter().find(|(name, _)| !is_modifier(name));
    if let Some((name, _)) = unknown
        && !matches!(method, "GET" | "HEAD")
    {
        return Err(refused("This operation", UNKNOWN).detail("Query", name));
    }
    match method {
        "GET" => Ok(Operation::GetObject),
        "HEAD" => Ok(Operation::HeadObject),
        "DELETE" => Ok(Operation::DeleteObject),
        "PUT" => on_put(query, headers),
        _ => Err(method_not_allowed(method, "OBJECT")),
    }
}

/// `PUT` of an object without a subresource.
fn on_put(query: &Query, headers: &HeaderMap) -> Result<Operation, S3Error> {
    if let Some(version) = query.get("versionId") {
        let message = "This operation does not accept a version-id.";
        return Err(S3Error::invalid_argument(message, "versionId", version));
    }
    if headers.contains_key("x-amz-write-offset-bytes") {
        return Err(refused("Appending to an object", APPEND));
    }
    if headers.contains_key("x-amz-copy-source") {
        return Ok(Operation::CopyObject);
    }
    Ok(Operation::PutObject)
}

/// Whether a body is a browser's form.
fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let text = content_type.and_then(|value| value.to_str().ok());
    text.is_some_and(|text| text.to_ascii_lowercase().starts_with("multipart/form-data"))
}

/// Whether a query name changes how an operation runs rather than which one it is.
fn is_modifier(name: &str) -> bool {
    matches!(name, "x-id" | "versionId") || name.to_ascii_lowercase().starts_with("x-amz-")
}

/// What a row of the tables stands for.
#[derive(Clone, Copy)]
enum Row {
    /// Done here.
    Own(Operation),
    /// Done by the backend, by its API name.
    Pass(&'static str),
    /// Not done: its API name and the reason.
    Refuse(&'static str, &'static str),
}

/// The outcome of a row.
fn choose(row: Row) -> Result<Operation, S3Error> {
    match row {
        Own(operation) => Ok(operation),
        Pass(name) => Ok(Operation::PassThrough(name)),
        Refuse(name, reason) => Err(refused(name, reason)),
    }
}

/// `NotImplemented` with the operation and the reason.
fn refused(name: &str, reason: &str) -> S3Error {
    S3Error::not_implemented(format!("{name} is not implemented: {reason}"))
}

/// `MethodNotAllowed` as AWS tells it.
fn method_not_allowed(method: &str, resource_type: &str) -> S3Error {
    S3Error::new(S3Code::MethodNotAllowed)
        .detail("Method", method)
        .detail("ResourceType", resource_type)
}

const APPEND: &str = "a sealed object has one length, fixed when it is written.";
const FORM: &str = "with a query: a form says everything itself.";
const OBJECT_LAMBDA: &str = "the gateway has no Object Lambda access points.";
const RENAME: &str = "an object is sealed under its own name; copy it instead.";
const REPLICATION: &str =
    "an object is sealed under its own bucket's name, so a replica could not be opened.";
const SELECT: &str = "the backend would search the sealed bytes.";
const SESSION: &str = "it belongs to directory buckets, whose requests sign with session keys.";
const TORRENT: &str = "the backend would share the sealed bytes.";
const UNKNOWN: &str = "the gateway does not know whether it would touch unsealed bytes.";

use Row::Own;
use Row::Pass;
use Row::Refuse;

/// Subresources of buckets: query name, method, operation.
#[rustfmt::skip]
const BUCKET: &[(&str, &str, Row)] = &[
    ("abac", "GET", Pass("GetBucketAbac")),
    ("abac", "PUT", Pass("PutBucketAbac")),
    ("accelerate", "GET", Pass("GetBucketAccelerateConfiguration")),
    ("accelerate", "PUT", Pass("PutBucketAccelerateConfiguration")),
    ("acl", "GET", Pass("GetBucketAcl")),
    ("acl", "PUT", Pass("PutBucketAcl")),
    ("analytics", "DELETE", Pass("DeleteBucketAnalyticsConfiguration")),
    ("analytics", "GET", Pass("GetBucketAnalyticsConfiguration")),
    ("analytics", "PUT", Pass("PutBucketAnalyticsConfiguration")),
    ("cors", "DELETE", Own(Operation::DeleteBucketCors)),
    ("cors", "GET", Own(Operation::GetBucketCors)),
    ("cors", "PUT", Own(Operation::PutBucketCors)),
    ("delete", "POST", Own(Operation::DeleteObjects)),
    ("encryption", "DELETE", Own(Operation::DeleteBucketEncryption)),
    ("encryption", "GET", Own(Operation::GetBucketEncryption)),
    ("encryption", "PUT", Own(Operation::PutBucketEncryption)),
    ("intelligent-tiering", "DELETE", Pass("DeleteBucketIntelligentTieringConfiguration")),
    ("intelligent-tiering", "GET", Pass("GetBucketIntelligentTieringConfiguration")),
    ("intelligent-tiering", "PUT", Pass("PutBucketIntelligentTieringConfiguration")),
    ("inventory", "DELETE", Pass("DeleteBucketInventoryConfiguration")),
    ("inventory", "GET", Pass("GetBucketInventoryConfiguration")),
    ("inventory", "PUT", Pass("PutBucketInventoryConfiguration")),
    ("lifecycle", "DELETE", Pass("DeleteBucketLifecycle")),
    ("lifecycle", "GET", Pass("GetBucketLifecycleConfiguration")),
    ("lifecycle", "PUT", Pass("PutBucketLifecycleConfiguration")),
    ("location", "GET", Pass("GetBucketLocation")),
    ("logging", "GET", Pass("GetBucketLogging")),
    ("logging", "PUT", Pass("PutBucketLogging")),
    ("metadataConfiguration", "DELETE", Pass("DeleteBucketMetadataConfiguration")),
    ("metadataConfiguration", "GET", Pass("GetBucketMetadataConfiguration")),
    ("metadataConfiguration", "POST", Pass("CreateBucketMetadataConfiguration")),
    ("metadataTable", "DELETE", Pass("DeleteBucketMetadataTableConfiguration")),
    ("metadataTable", "GET", Pass("GetBucketMetadataTableConfiguration")),
    ("metadataTable", "POST", Pass("CreateBucketMetadataTableConfiguration")),
    ("metrics", "DELETE", Pass("DeleteBucketMetricsConfiguration")),
    ("metrics", "GET", Pass("GetBucketMetricsConfiguration")),
    ("metrics", "PUT", Pass("PutBucketMetricsConfiguration")),
    ("notification", "GET", Pass("GetBucketNotificationConfiguration")),
    ("notification", "PUT", Pass("PutBucketNotificationConfiguration")),
    ("object-lock", "GET", Pass("GetObjectLockConfiguration")),
    ("object-lock", "PUT", Pass("PutObjectLockConfiguration")),
    ("ownershipControls", "DELETE", Pass("DeleteBucketOwnershipControls")),
    ("ownershipControls", "GET", Pass("GetBucketOwnershipControls")),
    ("ownershipControls", "PUT", Pass("PutBucketOwnershipControls")),
    ("policy", "DELETE", Own(Operation::DeleteBucketPolicy)),
    ("policy", "GET", Own(Operation::GetBucketPolicy)),
    ("policy", "PUT", Own(Operation::PutBucketPolicy)),
    ("policyStatus", "GET", Own(Operation::GetBucketPolicyStatus)),
    ("publicAccessBlock", "DELETE", Pass("DeletePublicAccessBlock")),
    ("publicAccessBlock", "GET", Pass("GetPublicAccessBlock")),
    ("publicAccessBlock", "PUT", Pass("PutPublicAccessBlock")),
    ("replication", "DELETE", Pass("DeleteBucketReplication")),
    ("replication", "GET", Pass("GetBucketReplication")),
    ("replication", "PUT", Refuse("PutBucketReplication", REPLICATION)),
    ("requestPayment", "GET", Pass("GetBucketRequestPayment")),
    ("requestPayment", "PUT", Pass("PutBucketRequestPayment")),
    ("session", "GET", Refuse("CreateSession", SESSION)),
    ("tagging", "DELETE", Pass("DeleteBucketTagging")),
    ("tagging", "GET", Pass("GetBucketTagging")),
    ("tagging", "PUT", Pass("PutBucketTagging")),
    ("uploads", "GET", Own(Operation::ListMultipartUploads)),
    ("versioning", "GET", Pass("GetBucketVersioning")),
    ("versioning", "PUT", Pass("PutBucketVersioning")),
    ("versions", "GET", Own(Operation::ListObjectVersions)),
    ("website", "DELETE", Pass("DeleteBucketWebsite")),
    ("website", "GET", Pass("GetBucketWebsite")),
    ("website", "PUT", Pass("PutBucketWebsite")),
];

/// Subresources of objects: query name, method, operation.
#[rustfmt::skip]
const OBJECT: &[(&str, &str, Row)] = &[
    ("acl", "GET", Pass("GetObjectAcl")),
    ("acl", "PUT", Pass("PutObjectAcl")),
    ("attributes", "GET", Own(Operation::GetObjectAttributes)),
    ("encryption", "PUT", Own(Operation::UpdateObjectEncryption)),
    ("legal-hold", "GET", Pass("GetObjectLegalHold")),
    ("legal-hold", "PUT", Pass("PutObjectLegalHold")),
    ("renameObject", "PUT", Refuse("RenameObject", RENAME)),
    ("restore", "POST", Pass("RestoreObject")),
    ("retention", "GET", Pass("GetObjectRetention")),
    ("retention", "PUT", Pass("PutObjectRetention")),
    ("select", "POST", Refuse("SelectObjectContent", SELECT)),
    ("tagging", "DELETE", Pass("DeleteObjectTagging")),
    ("tagging", "GET", Pass("GetObjectTagging")),
    ("tagging", "PUT", Pass("PutObjectTagging")),
    ("torrent", "GET", Refuse("GetObjectTorrent", TORRENT)),
    ("uploadId", "DELETE", Own(Operation::AbortMultipartUpload)),
    ("uploadId", "GET", Own(Operation::ListParts)),
    ("uploadId", "POST", Own(Operation::CompleteMultipartUpload)),
    ("uploadId", "PUT", Own(Operation::UploadPart)),
    ("uploads", "POST", Own(Operation::CreateMultipartUpload)),
];

#[cfg(test)]
mod tests;
