//! What answers are made of.

use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;

use crate::request::Body;
use crate::request::empty_body;
use crate::request::full_body;
use crate::vault::error::VaultError;

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    response
}

/// An answer with a document.
pub(super) fn document(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full_body(value.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Adds headers to an answer.
///
/// # Errors
///
/// Never with values of visible characters.
pub(super) fn with_headers(
    mut response: Response<Body>,
    headers: &[(&'static str, &str)],
) -> Result<Response<Body>, VaultError> {
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).map_err(|_| VaultError::internal())?;
        response.headers_mut().insert(*name, value);
    }
    Ok(response)
}
