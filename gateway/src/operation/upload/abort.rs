//! AbortMultipartUpload.
//!
//! The backend may have an upload that has no head: a gateway that was killed when it began one leaves such a one. It
//! is listed, so it can be aborted.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use http::Method;
use http::Response;
use http::StatusCode;

use crate::authorize::Permitted;
use crate::backend::BackendRequest;
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
    let id = request.target.query.get("uploadId").unwrap_or_default();
    if id.trim().is_empty() {
        // To a backend, a deletion of no upload may be one of the object.
        return Err(no_such_upload(id));
    }
    let upload = match Upload::find(store, &request.target).await {
        Ok(upload) => Some(upload),
        Err(error) if error.code() == S3Code::NoSuchUpload => None,
        Err(error) => return Err(error),
    };
    let name = store.name(&request.target)?;
    let onward = BackendRequest::object(Method::DELETE, &name.bucket, &name.key);
    let is_gone = match store.backend.fetch(onward.query("uploadId", id)).await {
        Ok(_) => false,
        Err(error) if error.is_refused_with(S3Code::NoSuchUpload) => true,
        Err(error) => return Err(error.into()),
    };
    if let Some(upload) = upload {
        store.uploads.end(upload.state_name(), &upload.head).await?;
    }
    if is_gone {
        return Err(no_such_upload(id));
    }
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
