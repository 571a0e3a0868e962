//! Operations that the backend does by itself: the rows of the table that pass.

use futures_util::FutureExt as _;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Limited;

use crate::authorize::Permitted;
use crate::bucket::Buckets;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::protocol::xml::S3_NAMESPACE;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::request::full_body;
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
    let mut answer = buckets.forward(*request).await?;
    if answer.status() == StatusCode::OK && operation.row().method == "GET" {
        answer = in_namespace(answer).await?;
    }
    if answer.status() == StatusCode::OK && WITHOUT_CONTENT.contains(&operation) {
        *answer.status_mut() = StatusCode::NO_CONTENT;
        *answer.body_mut() = empty_body();
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer.headers_mut().remove(header::CONTENT_TYPE);
    }
    Ok(answer)
}

/// An answer whose document is in S3's namespace, as all of AWS's are: not every backend writes that, and SDKs that
/// heed it find nothing in a document without.
async fn in_namespace(answer: Response<Body>) -> Result<Response<Body>, S3Error> {
    let (mut head, body) = answer.into_parts();
    let body = Limited::new(body, Limits::ANSWER.bytes).collect();
    let body = body.boxed().await.map_err(|cause| {
        tracing::error!(cause, "the backend's document broke off");
        S3Error::new(S3Code::ServiceUnavailable)
    })?;
    let mut document = body.to_bytes();
    let root = Element::parse(&document, Limits::ANSWER).ok();
    if let Some(root) = root.filter(|root| root.attribute("xmlns").is_none()) {
        let root = root.with_attribute("xmlns", S3_NAMESPACE);
        document = root.to_document();
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, full_body(document)))
}

/// Operations that AWS answers with 204 (recorded), and many backends with 200.
const WITHOUT_CONTENT: [Operation; 5] = [
    Operation::PutBucketAnalyticsConfiguration,
    Operation::PutBucketIntelligentTieringConfiguration,
    Operation::PutBucketInventoryConfiguration,
    Operation::PutBucketMetricsConfiguration,
    Operation::PutBucketTagging,
];
