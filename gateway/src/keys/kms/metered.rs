//! A [`KeyService`] whose calls are measured.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
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
pub struct Metered(Arc<dyn KeyService>);

impl Metered {
    /// One that calls `service`.
    #[must_use]
    pub fn new(service: Arc<dyn KeyService>) -> Self {
        Self(service)
    }
}

impl KeyService for Metered {
    fn generate_data_key<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
        let call = self.0.generate_data_key(requester, key_id, context);
        measured("GenerateDataKey", call).boxed()
    }

    fn decrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_arn: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        let call = self.0.decrypt(requester, key_arn, blob, context);
        measured("Decrypt", call).boxed()
    }

    fn encrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
        let call = self.0.encrypt(requester, key_id, plaintext, context);
        measured("Encrypt", call).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), KeyServiceError>> {
        self.0.check()
    }
}

/// Waits for a call, and records how long it took and what came of it.
async fn measured<T>(
    operation: &'static str,
    call: BoxFuture<'_, Result<T, KeyServiceError>>,
) -> Result<T, KeyServiceError> {
    let began = Instant::now();
    let result = call.await;
    let outcome = result.as_ref().map_or_else(outcome, |_| "OK");
    metrics::histogram!(KMS_CALL_SECONDS, "operation" => operation, "outcome" => outcome)
        .record(began.elapsed());
    if outcome == THROTTLED {
        metrics::counter!(KMS_THROTTLED, "class" => SYMMETRIC).increment(1);
    }
    result
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
