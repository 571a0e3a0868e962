//! How the gateway's own SSE-S3 root keys are wrapped: by a KMS key of its own.
//!
//! The key is AWS-owned in the emulated KMS: it is listed nowhere, counts against no quota, and
//! only the gateway may use it. With a real KMS it is a key of the operator's choice.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use crate::error::S3Error;
use crate::sse::context::EncryptionContext;
use crate::sse::kms::KeyService;
use crate::sse::kms::Requester;
use crate::state::keyring::RootKeyWrap;
use crate::state::keyring::WrappedRootKey;

/// Wraps root keys by a KMS, in the gateway's own name.
pub struct KmsRootKeyWrap {
    kms: Arc<dyn KeyService>,
    requester: Requester,
    key_id: String,
}

impl KmsRootKeyWrap {
    /// Root keys under the KMS key `key_id`, for the gateway as `account`.
    #[must_use]
    pub fn new(kms: Arc<dyn KeyService>, account: &str, key_id: impl Into<String>) -> Self {
        Self {
            kms,
            requester: Requester::gateway(account),
            key_id: key_id.into(),
        }
    }
}

impl RootKeyWrap for KmsRootKeyWrap {
    fn wrap<'a>(
        &'a self,
        key: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<WrappedRootKey, S3Error>> {
        async move {
            let context: EncryptionContext = context.iter().copied().collect();
            let wrapped = self
                .kms
                .encrypt(&self.requester, &self.key_id, key, &context)
                .await
                .map_err(own_failure)?;
            Ok(WrappedRootKey {
                key_arn: wrapped.key_arn,
                blob: wrapped.blob,
            })
        }
        .boxed()
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedRootKey,
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, S3Error>> {
        async move {
            let context: EncryptionContext = context.iter().copied().collect();
            self.kms
                .decrypt(&self.requester, &wrapped.key_arn, &wrapped.blob, &context)
                .await
                .map_err(own_failure)
        }
        .boxed()
    }
}

/// A client that asked for no KMS hears nothing of one: its object's keys are not at hand, that is all.
fn own_failure(error: crate::sse::kms::KeyServiceError) -> S3Error {
    tracing::error!(%error, "the root keys of SSE-S3 are not at hand");
    S3Error::new(crate::error::S3Code::ServiceUnavailable)
}

/// The KMS key of root keys in the emulated KMS.
pub const ROOT_KEY_ALIAS: &str = "alias/sealgate/sse-s3";
