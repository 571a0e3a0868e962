//! Bodies on the wire: their timeouts, and the forms in which clients send content.
//!
//! | module | its one job |
//! |---|---|
//! | `wire` | the bytes as they come from the connection, and how slowly they may come |
//! | `coverage` | how the request's signature covers the body |
//! | `body` | the content, which checks itself as it is read |
//! | `chunked` | `aws-chunked` |
//! | `form` | `multipart/form-data` |
//!
//! A body is checked against the length, the hash, or the chunk signatures that the client promised.
//! Bytes are handed on as they come, before their chunk's signature was seen, so that a chunk of any
//! size takes no memory; the end of the body is what proves it (see [`crate::request::Payload`]).

mod body;
mod chunked;
mod coverage;
mod form;
mod wire;

#[cfg(any(test, feature = "fuzzing"))]
pub use chunked::fuzzing::aws_chunked;
#[cfg(any(test, feature = "fuzzing"))]
pub use form::fuzzing::ReadForm;
#[cfg(any(test, feature = "fuzzing"))]
pub use form::fuzzing::form;

pub use body::covered;
pub use coverage::ChunkSigning;
pub use coverage::Coverage;
pub(crate) use form::Form;
pub(crate) use form::fields::Fields;
pub(crate) use form::fields::repeated;
pub use wire::Wire;
pub use wire::WireBody;
pub use wire::WireLimits;
