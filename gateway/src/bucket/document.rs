//! The documents that configure a bucket and that the gateway stores itself: read, checked, shown.
//!
//! The backend never receives them: it would apply them to the gateway, its only client.

use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::full_body;

pub mod cors;
pub mod encryption;
pub mod logging;
pub mod ownership;
pub mod policy;
pub mod public_access;
pub mod versioning;

/// A document that configures a bucket.
pub trait Document: Serialize + DeserializeOwned + Send + Sync + Sized + 'static {
    /// The error of a bucket that has none.
    const MISSING: S3Code;

    /// The status of the answer to a request that puts one.
    const STORED: StatusCode = StatusCode::OK;

    /// Reads what a client puts as the configuration of a bucket of this name.
    ///
    /// # Errors
    ///
    /// What AWS refuses about it.
    fn parse(document: &[u8], bucket: &str, partition: &str) -> Result<Self, S3Error>;

    /// The answer to a request that gets it.
    fn to_response(&self) -> Response<Body>;
}

/// An answer of status 200 with this document.
pub(crate) fn xml(root: &Element) -> Response<Body> {
    let mut response = Response::new(full_body(root.to_document()));
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}
