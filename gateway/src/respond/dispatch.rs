//! Which room does which operation.

use std::sync::Arc;

use http::Response;

use crate::authorize::Permitted;
use crate::backend::Backend;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Operation;

/// The rooms that do operations.
pub struct Operations {
    /// The S3 backend.
    pub backend: Arc<Backend>,
    /// Name of the bucket that clients must not reach.
    pub state_bucket: String,
}

impl Operations {
    /// Refuses a target that no client may name.
    pub(super) fn check_target(&self, target: &Target) -> Result<(), S3Error> {
        if target.bucket.as_deref() == Some(self.state_bucket.as_str()) {
            return Err(S3Error::access_denied());
        }
        Ok(())
    }

    /// Does a permitted operation.
    pub(super) async fn run(
        &self,
        operation: Operation,
        request: Permitted<S3Request>,
    ) -> Result<Response<Body>, S3Error> {
        let request = request.into_inner();
        match operation {
            Operation::PassThrough(_) => self.backend.forward(request).await,
            _ => Err(S3Error::not_implemented("This operation is not there yet.")),
        }
    }
}
