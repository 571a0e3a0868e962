//! Operations that the backend does by itself: the rows of the table that pass.

use http::Response;

use crate::authorize::Permitted;
use crate::bucket::Buckets;
use crate::error::S3Error;
use crate::protocol::document;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;

/// Forwards a request to the backend, after its document was found to be whole.
///
/// # Errors
///
/// Those of a document that is too long or does not have its digests; the backend's S3 error;
/// `ServiceUnavailable` when it gives no usable answer.
pub async fn pass_through(
    buckets: &Buckets,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    let document = document::read(&mut request).await?;
    request.body = Payload::from_bytes(document);
    buckets.forward(request).await
}
