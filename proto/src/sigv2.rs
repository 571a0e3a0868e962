//! AWS Signature Version 2 of Amazon S3: to check a request.
//!
//! It signs the method, four headers, every `x-amz-*` header, the path as it was sent, and those
//! parameters of the query that [`is_signed_parameter`] lists; no body and no other header. What selects
//! an operation or changes its result must be signed, so a request with any other parameter is refused
//! here, where AWS takes it unsigned.
//!
//! To check a request signed in its header: [`Authorization::parse`], then [`Request::string_to_sign`]
//! and [`SigningKey::verify`]. One signed in its query: [`is_presigned`], [`Presigned::parse`] and the
//! same from there on. The signature of a browser's form is that of the text of its policy. The
//! refusals carry S3's own texts.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>

mod authorization;
mod presigned;
mod request;
mod signing;

pub use authorization::Authorization;
pub use authorization::AuthorizationError;
pub use presigned::Presigned;
pub use presigned::PresignedError;
pub use presigned::is_presigned;
pub use presigned::is_signing_parameter;
pub use request::Place;
pub use request::QueryError;
pub use request::Request;
pub use request::is_signed_parameter;
pub use signing::SigningKey;

#[cfg(test)]
mod tests;
