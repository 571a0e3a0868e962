//! A [`KeyService`] whose calls are measured, and are spans of the requests that need them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Uri;
use proto::trace::Span;
use zeroize::Zeroizing;

use crate::keys::kms::EncryptedBlob;
use crate::keys::kms::GeneratedKey;
use crate::keys::kms::KeyService;
use crate::keys::kms::KeyServiceError;
use crate::keys::kms::Requester;
use crate::measured::KMS_CALL_SECONDS;
use crate::measured::KMS_THROTTLED;
use crate::sse::context::EncryptionContext;

/// Measures the calls of another one.
pub struct Metered {
    service: Arc<dyn KeyService>,
    peer: Peer,
}

/// Who is called, as spans name it.
struct Peer {
    /// The protocol.
    system: &'static str,
    /// What stands before the operation in the name of its method.
    interface: &'static str,
    host: String,
    port: Option<u16>,
}

impl Metered {
    /// One that calls `service`, which is at `url`.
    #[must_use]
    pub fn new(service: Arc<dyn KeyService>, url: &str) -> Self {
        let peer = Peer::new(url);
        Self { service, peer }
    }

    /// Waits for a call, and records how long it took and what came of it.
    async fn measured<T>(
        &self,
        operation: &'static str,
        call: BoxFuture<'_, Result<T, KeyServiceError>>,
    ) -> Result<T, KeyServiceError> {
        let began = Instant::now();
        let span = self.peer.span(operation);
        let call = pin!(call);
        let result = span.within(call).await;
        let outcome = result.as_ref().map_or_else(outcome, |_| "OK");
        metrics::histogram!(KMS_CALL_SECONDS, "operation" => operation, "outcome" => outcome)
            .record(began.elapsed());
        if outcome == THROTTLED {
            metrics::counter!(KMS_THROTTLED, "class" => SYMMETRIC).increment(1);
        }
        if let Err(error) = &result {
            fail(&span, error, outcome);
        }
        span.end();
        result
    }
}

impl Peer {
    fn new(url: &str) -> Self {
        let uri: Uri = url.parse().unwrap_or_default();
        let (system, interface) = match url.starts_with("aws") {
            true => ("aws-api", "TrentService"),
            false => ("grpc", "sealgate.kms.v1.KeyManagement"),
        };
        Self {
            system,
            interface,
            host: uri.host().unwrap_or_default().to_owned(),
            port: uri.port_u16(),
        }
    }

    /// The span of a call, with its repetitions.
    fn span(&self, operation: &'static str) -> Span {
        let span = Span::client("KMS", operation);
        if span.is_recording() {
            span.text("rpc.system.name", self.system);
            span.text("rpc.method", &format!("{}/{operation}", self.interface));
            span.text("server.address", &self.host);
            if let Some(port) = self.port {
                span.number("server.port", port);
            }
        }
        span
    }
}

/// Marks the span of a call that failed, by the name of AWS's exception if it is one.
fn fail(span: &Span, error: &KeyServiceError, outcome: &'static str) {
    span.fail(match error {
        KeyServiceError::Refused { code, .. } | KeyServiceError::Failed(code) => code.as_str(),
        KeyServiceError::Throttled => "ThrottlingException",
        KeyServiceError::Unreachable(_) | KeyServiceError::Unusable(_) => outcome,
    });
    if *error == KeyServiceError::Throttled {
        span.flag("sealgate.throttled");
        span.event(THROTTLED, "sealgate.quota", SYMMETRIC);
    }
}

impl KeyService for Metered {
    fn generate_data_key<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
        let call = self.service.generate_data_key(requester, key_id, context);
        self.measured("GenerateDataKey", call).boxed()
    }

    fn decrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_arn: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        let call = self.service.decrypt(requester, key_arn, blob, context);
        self.measured("Decrypt", call).boxed()
    }

    fn encrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
        let call = self.service.encrypt(requester, key_id, plaintext, context);
        self.measured("Encrypt", call).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), KeyServiceError>> {
        self.service.check()
    }
}

/// What came of a call that failed.
const fn outcome(error: &KeyServiceError) -> &'static str {
    match error {
        KeyServiceError::Unreachable(_) => "unreachable",
        KeyServiceError::Refused { .. } => "refused",
        KeyServiceError::Failed(_) => "failed",
        KeyServiceError::Throttled => THROTTLED,
        KeyServiceError::Unusable(_) => "unusable",
    }
}

const THROTTLED: &str = "throttled";

/// The quota of every operation that the gateway calls, since all its keys are symmetric.
const SYMMETRIC: &str = "CryptographicOperationsSymmetric";
