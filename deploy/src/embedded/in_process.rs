//! The API as the gateway of the same process calls it: without a port, and without a signature.

use std::pin::Pin;

use bytes::Bytes;
use gateway::backend::LocalBackend;
use gateway::backend::LocalBody;
use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use s3s::Body;
use s3s::service::S3Service;

use crate::embedded::literal;
use crate::embedded::protocol;
use crate::embedded::service::InProcess;
use crate::embedded::service::Service;

/// The API of a store, without a port.
pub struct InProcessBackend(S3Service);

impl InProcessBackend {
    /// The API of a service.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self(service.into_protocol().build())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl LocalBackend for InProcessBackend {
    fn call(
        &self,
        request: Request<LocalBody>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<LocalBody>, Failure>> + Send + '_>> {
        Box::pin(async move {
            let mut request = request.map(Body::http_body);
            request.extensions_mut().insert(InProcess);
            literal::take_out(&mut request);
            let answer = protocol::answer(&self.0, request).await?;
            Ok(answer.map(|body| match body.bytes() {
                Some(bytes) => in_memory(bytes),
                None => LocalBody::new(body),
            }))
        })
    }
}

fn in_memory(bytes: Bytes) -> LocalBody {
    LocalBody::new(http_body_util::Full::new(bytes).map_err(|never| match never {}))
}
