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
///
/// A root key wrapped by another KMS key does not unwrap, whatever its file says. So a KMS key that
/// is to replace the configured one needs the root keys wrapped anew.
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
            // Under the configured key and no other: the file that names one lies at the backend,
            // and whoever may write there and use some KMS key could bring a root key of their own.
            self.kms
                .decrypt(&self.requester, &self.key_id, &wrapped.blob, &context)
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

#[cfg(test)]
mod tests {
    use super::KmsRootKeyWrap;
    use super::ROOT_KEY_ALIAS;
    use crate::sse::context::EncryptionContext;
    use crate::sse::kms::EncryptedBlob;
    use crate::sse::kms::GeneratedKey;
    use crate::sse::kms::KeyService;
    use crate::sse::kms::KeyServiceError;
    use crate::sse::kms::Requester;
    use crate::state::keyring::RootKeyWrap as _;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use std::sync::Arc;
    use zeroize::Zeroizing;

    /// A KMS whose blobs are the key's name and the plaintext; an alias is its key's name.
    struct NamedBlobs;

    impl KeyService for NamedBlobs {
        fn generate_data_key<'a>(
            &'a self,
            _: &'a Requester,
            _: &'a str,
            _: &'a EncryptionContext,
        ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
            async { Err(KeyServiceError::Unusable("not asked for")) }.boxed()
        }

        fn decrypt<'a>(
            &'a self,
            _: &'a Requester,
            key_arn: &'a str,
            blob: &'a [u8],
            _: &'a EncryptionContext,
        ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
            async move {
                blob.strip_prefix(key_arn.as_bytes())
                    .map(|plaintext| Zeroizing::new(plaintext.to_vec()))
                    .ok_or(KeyServiceError::Unusable("another key's"))
            }
            .boxed()
        }

        fn encrypt<'a>(
            &'a self,
            _: &'a Requester,
            key_id: &'a str,
            plaintext: &'a [u8],
            _: &'a EncryptionContext,
        ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
            let blob = [key_id.as_bytes(), plaintext].concat();
            let key_arn = key_id.to_owned();
            async move { Ok(EncryptedBlob { key_arn, blob }) }.boxed()
        }
    }

    #[test]
    fn a_root_key_that_someone_wrapped_under_a_kms_key_of_their_own_is_refused() {
        let ours = KmsRootKeyWrap::new(Arc::new(NamedBlobs), "1", ROOT_KEY_ALIAS);
        let theirs = KmsRootKeyWrap::new(Arc::new(NamedBlobs), "1", "alias/theirs");
        let now = |wrap: &KmsRootKeyWrap| wrap.wrap(&[7; 32], &[]).now_or_never().unwrap().unwrap();
        let (own, planted) = (now(&ours), now(&theirs));
        let unwrapped = ours.unwrap(&own, &[]).now_or_never().unwrap();
        assert_eq!(unwrapped.unwrap().as_slice(), [7; 32]);
        assert!(ours.unwrap(&planted, &[]).now_or_never().unwrap().is_err());
    }
}
