//! What the access log needs of a request, taken as the request passes.

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use tokio::time::Instant;

use crate::access_log::log::AccessLog;
use crate::protocol::headers;
use crate::protocol::range::ContentRange;
use crate::request::AclRequired;
use crate::request::S3Request;
use crate::request::ServedObjects;
use crate::respond::answer::LoggedRequest;
use crate::respond::last_byte::LastByte;
use crate::route::Operation;

impl LoggedRequest {
    /// A request whose head came.
    pub(super) fn new(log: &Arc<AccessLog>, host_id: &HeaderValue, last_byte: LastByte) -> Self {
        Self {
            log: Arc::clone(log),
            host_id: host_id.clone(),
            before: None,
            is_judged: false,
            is_by_state_before: false,
            last_byte,
            first_byte: None,
            payload_bytes: None,
            object_bytes: None,
            acl_required: false,
            objects: ServedObjects::default(),
        }
    }

    /// Notes what the request is, before the operation takes it.
    pub(super) fn begin(&mut self, operation: Operation, request: &S3Request) {
        self.is_judged = true;
        // A request that switches logging on, or after which there is no bucket, is logged as it was before.
        if matches!(
            operation,
            Operation::DeleteBucket | Operation::PutBucketLogging
        ) {
            let bucket = request.target.bucket.as_deref().unwrap_or_default();
            let record = self.log.cached(bucket);
            self.before = record.and_then(|record| self.log.logged_in(bucket, &record, true));
            self.is_by_state_before = true;
        }
        match operation {
            Operation::PutObject | Operation::PostObject | Operation::UploadPart => {
                self.payload_bytes = request.body.length();
            }
            _ => {}
        }
        self.acl_required = sets_acl(&request.headers);
    }

    /// Notes what the head of the answer shows.
    pub(super) fn answer(&mut self, head: &mut http::response::Parts, method: &Method) {
        self.first_byte = Some(Instant::now());
        if !head.status.is_success() {
            return;
        }
        self.object_bytes = self.payload_bytes;
        if head.extensions.remove::<AclRequired>().is_some() {
            self.acl_required = true;
        }
        if (*method == Method::GET || *method == Method::HEAD) && is_object(&head.headers) {
            self.object_bytes = object_bytes(head);
        }
        if let Some(objects) = head.extensions.remove::<ServedObjects>() {
            self.objects = objects;
        }
    }
}

/// Whether an answer is about the bytes of an object: only then it states whether ranges of them can be read.
fn is_object(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ACCEPT_RANGES)
}

/// Length of the whole object that an answer shows, in bytes.
fn object_bytes(head: &http::response::Parts) -> Option<u64> {
    match head.status {
        StatusCode::PARTIAL_CONTENT => {
            let range = headers::text(&head.headers, header::CONTENT_RANGE)?;
            Some(ContentRange::parse(range)?.total)
        }
        _ => headers::text(&head.headers, header::CONTENT_LENGTH)?
            .parse()
            .ok(),
    }
}

/// Whether a request sets an access control list, other than the one that gives the bucket's owner everything.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
fn sets_acl(headers: &HeaderMap) -> bool {
    headers
        .get(ACL)
        .is_some_and(|acl| acl != "bucket-owner-full-control")
        || headers
            .keys()
            .any(|name| name.as_str().starts_with("x-amz-grant-"))
}

const ACL: HeaderName = HeaderName::from_static("x-amz-acl");
