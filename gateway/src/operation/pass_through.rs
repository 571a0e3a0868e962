//! Operations that the backend does by itself: the rows of the table that pass.

use http::Response;
use http::StatusCode;
use http::header;

use crate::authorize::Permitted;
use crate::bucket::Buckets;
use crate::error::S3Error;
use crate::protocol::document;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::route::Operation;

/// Forwards a request to the backend, after its document was found to be whole.
///
/// # Errors
///
/// Those of a document that is too long or does not have its digests; the backend's S3 error;
/// `ServiceUnavailable` when it gives no usable answer.
pub async fn pass_through(
    buckets: &Buckets,
    operation: Operation,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    let document = document::read(&mut request).await?;
    request.body = Payload::from_bytes(document);
    let mut answer = buckets.forward(request).await?;
    if answer.status() == StatusCode::OK && WITHOUT_CONTENT.contains(&operation) {
        *answer.status_mut() = StatusCode::NO_CONTENT;
        *answer.body_mut() = empty_body();
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer.headers_mut().remove(header::CONTENT_TYPE);
    }
    Ok(answer)
}

/// Operations that AWS answers with 204 (recorded), and many backends with 200.
const WITHOUT_CONTENT: [Operation; 5] = [
    Operation::PutBucketAnalyticsConfiguration,
    Operation::PutBucketIntelligentTieringConfiguration,
    Operation::PutBucketInventoryConfiguration,
    Operation::PutBucketMetricsConfiguration,
    Operation::PutBucketTagging,
];
