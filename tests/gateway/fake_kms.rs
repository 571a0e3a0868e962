//! A KMS that keeps its data keys in a table, checks contexts, counts calls and can refuse.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway::chunks::random::Random as _;
use gateway::chunks::random::SystemRandom;
use gateway::keys::kms::EncryptedBlob;
use gateway::keys::kms::GeneratedKey;
use gateway::keys::kms::KeyService;
use gateway::keys::kms::KeyServiceError;
use gateway::keys::kms::Requester;
use gateway::sse::context::EncryptionContext;
use zeroize::Zeroizing;

/// A KMS that keeps its data keys in a table.
#[derive(Default)]
pub struct FakeKms {
    keys: Mutex<HashMap<Vec<u8>, Wrapped>>,
    calls: Mutex<Vec<Call>>,
    refusal: Mutex<Option<KeyServiceError>>,
}

/// What a blob stands for: the data key, the ARN of its KMS key, the context.
type Wrapped = (Vec<u8>, String, EncryptionContext);

/// One call as the KMS got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub operation: &'static str,
    pub principal: String,
    pub key: String,
    pub context: Vec<(String, String)>,
}

impl FakeKms {
    /// Refuses every call from now on.
    pub fn refuse(&self, error: KeyServiceError) {
        *self.refusal.lock().unwrap() = Some(error);
    }

    /// The calls since the last time, taken away.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// The operations called since the last time.
    pub fn operations(&self) -> Vec<&'static str> {
        self.calls()
            .into_iter()
            .map(|call| call.operation)
            .collect()
    }

    fn record(
        &self,
        operation: &'static str,
        requester: &Requester,
        key: &str,
        context: &EncryptionContext,
    ) -> Result<(), KeyServiceError> {
        self.calls.lock().unwrap().push(Call {
            operation,
            principal: requester.principal().to_owned(),
            key: key.to_owned(),
            context: context
                .iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
        });
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn keep(&self, plaintext: &[u8], key_id: &str, context: &EncryptionContext) -> EncryptedBlob {
        let mut blob = vec![0; 180];
        SystemRandom.fill(&mut blob);
        let key_arn = arn(key_id);
        let entry = (plaintext.to_vec(), key_arn.clone(), context.clone());
        self.keys.lock().unwrap().insert(blob.clone(), entry);
        EncryptedBlob { blob, key_arn }
    }
}

/// The full ARN of a key.
pub fn arn(key_id: &str) -> String {
    if key_id.starts_with("arn:") {
        return key_id.to_owned();
    }
    let id = key_id.replace("alias/", "of-");
    format!(
        "arn:aws:kms:us-east-1:111122223333:key/{}",
        id.replace('/', "-")
    )
}

impl KeyService for FakeKms {
    fn generate_data_key<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
        async move {
            self.record("GenerateDataKey", requester, key_id, context)?;
            let mut plaintext = Zeroizing::new([0; 32]);
            SystemRandom.fill(&mut *plaintext);
            let kept = self.keep(&*plaintext, key_id, context);
            Ok(GeneratedKey {
                plaintext,
                blob: kept.blob,
                key_arn: kept.key_arn,
            })
        }
        .boxed()
    }

    fn decrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_arn: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        async move {
            self.record("Decrypt", requester, key_arn, context)?;
            let keys = self.keys.lock().unwrap();
            let (plaintext, key, bound) = keys
                .get(blob)
                .ok_or_else(|| KeyServiceError::refused("InvalidCiphertextException", ""))?;
            if bound != context {
                return Err(KeyServiceError::refused("InvalidCiphertextException", ""));
            }
            if key != key_arn {
                return Err(KeyServiceError::refused("IncorrectKeyException", ""));
            }
            Ok(Zeroizing::new(plaintext.clone()))
        }
        .boxed()
    }

    fn encrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
        async move {
            self.record("Encrypt", requester, key_id, context)?;
            Ok(self.keep(plaintext, key_id, context))
        }
        .boxed()
    }
}
