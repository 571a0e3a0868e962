//! AbortMultipartUpload.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use http::Method;
use http::Response;
use http::StatusCode;

use crate::authorize::Permitted;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::no_such_upload;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;

/// Gives an upload up.
///
/// # Errors
///
/// `NoSuchUpload`; the backend's refusal.
pub async fn abort_multipart_upload(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let upload = Upload::find(store, &request.target).await?;
    let onward = upload.request(Method::DELETE).query("uploadId", &upload.id);
    let is_gone = match store.backend.fetch(onward).await {
        Ok(_) => false,
        Err(error) if error.is_refused_with(S3Code::NoSuchUpload) => true,
        Err(error) => return Err(error.into()),
    };
    store.uploads.end(upload.state_name(), &upload.head).await?;
    if is_gone {
        return Err(no_such_upload(&upload.id));
    }
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
