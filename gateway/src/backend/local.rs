//! A backend in this process: called, not connected to.
//!
//! What is sent is what would be sent over a connection, but for the signature and a digest of the
//! body: nobody is in between.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::combinators::BoxBody;

use crate::protocol::xml::Element;
use crate::request::BoxError;

/// A body that never crosses a connection.
pub type LocalBody = BoxBody<Bytes, BoxError>;

/// A backend in this process.
pub trait LocalBackend: Send + Sync {
    /// Answers a request, whose target has no host. Dropped before it answered, the request may have
    /// been done or not, but not in part.
    ///
    /// # Errors
    ///
    /// Whatever makes an answer impossible.
    fn call(
        &self,
        request: Request<LocalBody>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<LocalBody>, BoxError>> + Send + '_>>;
}

/// Marks a request for a listing whose entries may come beside its document: a thousand of them would be
/// written as text, and read again at once.
#[derive(Clone, Copy, Debug)]
pub struct TakesEntries;

/// In the extensions of an answer to such a request: the entries that its document lacks.
#[derive(Clone, Debug)]
pub struct ListedEntries(pub Vec<Element>);
