//! Where the data key of an object comes from: the one way in, and the one way back.
//!
//! [`DataKeys::for_write`] turns a choice of encryption into a data key and the [`Protection`] that the
//! envelope records. [`DataKeys::open`] turns an envelope, and what the request brought, back into
//! the data key, and authenticates the envelope with it. Nothing else in the gateway unwraps keys.
//!
//! | mode | data key | calls to the KMS |
//! |---|---|---|
//! | SSE-S3 | random, under the gateway's root key | none |
//! | SSE-KMS | the KMS's; of a re-wrapped object, under one of the KMS's | one `GenerateDataKey` a write, one `Decrypt` a read |
//! | SSE-KMS with a bucket key | random, under the bucket key | one each for a requester and a span of time |
//! | DSSE-KMS | two of the KMS's | two `GenerateDataKey` a write, two `Decrypt` a read |
//! | SSE-C | random, under the customer's key | none |

use std::sync::Arc;

use proto::arn;
use zeroize::Zeroizing;

use crate::chunks::DataKey;
use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::SealError;
use crate::chunks::random::Random;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeError;
use crate::envelope::KmsBlob;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::envelope::WrappingKey;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::bucket_key::BucketKeys;
use crate::keys::kms::DATA_KEY_BYTES;
use crate::keys::kms::KeyService;
use crate::keys::kms::Requester;
use crate::keys::root_key::RootKeys;
use crate::sse::context::EncryptionContext;
use crate::sse::customer_key;
use crate::sse::customer_key::CustomerKey;
use crate::sse::request::Encryption;
use crate::sse::request::KmsChoice;
use crate::sse::request::Transport;

/// Which object a key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// `arn:aws:s3:::bucket/key`.
    pub arn: String,
    /// `arn:aws:s3:::bucket`.
    pub bucket_arn: String,
}

impl ObjectName {
    /// The object `key` in `bucket`, in a partition (`aws`, `aws-cn`, ...).
    #[must_use]
    pub fn new(partition: &str, bucket: &str, key: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            arn: arn::object(partition, bucket, key),
            bucket_arn: arn::bucket(partition, bucket),
        }
    }
}

/// The sources of data keys.
pub struct DataKeys {
    kms: Arc<dyn KeyService>,
    root_keys: Arc<RootKeys>,
    bucket_keys: BucketKeys,
    random: Arc<dyn Random>,
}

/// The keys that one object's bytes are sealed under.
pub struct ObjectKeys {
    /// The data key.
    pub data: DataKey,
    /// The outer layer's, under DSSE-KMS.
    outer: Option<DataKey>,
}

impl ObjectKeys {
    /// For sealing and opening.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys {
            data: &self.data,
            outer: self.outer.as_ref(),
        }
    }
}

impl From<DataKey> for ObjectKeys {
    fn from(data: DataKey) -> Self {
        Self { data, outer: None }
    }
}

/// A new object's keys, and what its envelope has about them.
pub struct NewKey {
    /// The keys.
    pub keys: ObjectKeys,
    /// How to find it again.
    pub protection: Protection,
}

/// An object's envelope and the customer key, found to fit each other by [`DataKeys::check`]: the
/// data key may be requested.
#[derive(Clone, Copy)]
pub struct Checked<'a> {
    sealed: &'a SealedEnvelope,
    customer_key: Option<&'a CustomerKey>,
    object: &'a ObjectName,
}

impl DataKeys {
    /// Data keys from these sources.
    #[must_use]
    pub fn new(
        kms: Arc<dyn KeyService>,
        root_keys: Arc<RootKeys>,
        bucket_keys: BucketKeys,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            kms,
            root_keys,
            bucket_keys,
            random,
        }
    }

    /// A data key for one new object.
    ///
    /// # Errors
    ///
    /// What the KMS refuses, as S3's error for it; `ServiceUnavailable` where a key source is not reached.
    pub async fn for_write(
        &self,
        encryption: &Encryption,
        object: &ObjectName,
        requester: &Requester,
    ) -> Result<NewKey, S3Error> {
        match encryption {
            Encryption::SseKms(choice) if !choice.bucket_key => {
                let context = choice.context.clone().with_arn(&object.arn);
                let (key, kms) = self.generate(requester, choice, &context).await?;
                Ok(NewKey {
                    keys: key.into(),
                    protection: Protection::SseKms { kms, wrapped: None },
                })
            }
            Encryption::Dsse(choice) => {
                let context = choice.context.clone().with_arn(&object.arn);
                let (data, kms) = self.generate(requester, choice, &context).await?;
                let (outer, second) = self.generate(requester, choice, &context).await?;
                if kms.key_arn != second.key_arn {
                    // The alias was moved in between: one envelope names one key.
                    return Err(S3Error::new(S3Code::ServiceUnavailable));
                }
                let outer_blob = second.blob;
                let protection = Protection::Dsse { kms, outer_blob };
                let keys = ObjectKeys {
                    data,
                    outer: Some(outer),
                };
                Ok(NewKey { keys, protection })
            }
            Encryption::SseS3 | Encryption::SseC(_) | Encryption::SseKms(_) => {
                let key = DataKey::generate(&*self.random);
                let protection = self.wrap(&key, encryption, object, requester).await?;
                Ok(NewKey {
                    keys: key.into(),
                    protection,
                })
            }
        }
    }

    /// Wraps a data key for `object`: a new one, or that of an object whose sealed bytes `object`
    /// shares. The KMS is called as for a new object, so the same permissions are needed.
    ///
    /// # Errors
    ///
    /// As [`Self::for_write`]; `InternalError` for DSSE-KMS, whose outer layer has a key of its own.
    pub async fn wrap(
        &self,
        key: &DataKey,
        encryption: &Encryption,
        object: &ObjectName,
        requester: &Requester,
    ) -> Result<Protection, S3Error> {
        let (arn, random) = (&object.arn, &*self.random);
        match encryption {
            Encryption::SseS3 => {
                let (generation, root_key) = self.root_keys.current().await?;
                Ok(Protection::sse_s3(&root_key, generation, key, arn, random))
            }
            Encryption::SseC(customer_key) => {
                let wrapping_key = wrapping_key(customer_key.bytes())?;
                Ok(Protection::sse_c(&wrapping_key, key, arn, random))
            }
            Encryption::SseKms(choice) if choice.bucket_key => {
                let context = choice.context.clone().with_arn(&object.bucket_arn);
                let (kms, bucket, key_id) = (&*self.kms, &object.bucket, key_id(choice));
                let bucket_key = self
                    .bucket_keys
                    .for_write(kms, requester, bucket, key_id, &context);
                // In a box, as in the reads below: requests in other modes carry no space for it.
                let bucket_key = Box::pin(bucket_key).await?;
                let kms = KmsBlob {
                    key_arn: bucket_key.key_arn.clone(),
                    blob: bucket_key.blob.clone(),
                    context: choice.context.to_pairs(),
                };
                Ok(Protection::bucket_key(
                    &bucket_key.key,
                    kms,
                    key,
                    arn,
                    random,
                ))
            }
            Encryption::SseKms(choice) => {
                let context = choice.context.clone().with_arn(arn);
                let (plaintext, kms) = self.generated(requester, choice, &context).await?;
                let wrapping_key = wrapping_key(plaintext.as_slice())?;
                Ok(Protection::sse_kms(&wrapping_key, kms, key, arn, random))
            }
            Encryption::Dsse(_) => Err(S3Error::internal()),
        }
    }

    /// One data key of the KMS's.
    async fn generate(
        &self,
        requester: &Requester,
        choice: &KmsChoice,
        context: &EncryptionContext,
    ) -> Result<(DataKey, KmsBlob), S3Error> {
        let (plaintext, kms) = self.generated(requester, choice, context).await?;
        Ok((data_key(plaintext.as_slice())?, kms))
    }

    /// What the KMS generates: a key, and what it takes to get it again.
    async fn generated(
        &self,
        requester: &Requester,
        choice: &KmsChoice,
        context: &EncryptionContext,
    ) -> Result<(Zeroizing<[u8; DATA_KEY_BYTES]>, KmsBlob), S3Error> {
        let generated = self
            .kms
            .generate_data_key(requester, key_id(choice), context);
        let generated = generated.await?;
        let kms = KmsBlob {
            key_arn: generated.key_arn,
            blob: generated.blob,
            context: choice.context.to_pairs(),
        };
        Ok((generated.plaintext, kms))
    }

    /// The data key of an object, and its envelope, authenticated.
    ///
    /// # Errors
    ///
    /// What the KMS refuses, as S3's error for it; `AccessDenied` for a wrong customer key; `InternalError`
    /// for an envelope that is not this object's own.
    pub async fn open<'a>(
        &self,
        checked: Checked<'a>,
        requester: &Requester,
    ) -> Result<(ObjectKeys, &'a Envelope), S3Error> {
        let Checked {
            sealed,
            customer_key,
            object,
        } = checked;
        let protection = &sealed.claims().protection;
        let mut outer = None;
        let data = match protection {
            Protection::SseS3 { generation, .. } => {
                let root_key = self.root_keys.key(*generation).await?;
                protection.unwrap_key(&root_key, &object.arn)?
            }
            Protection::SseC { .. } => {
                let customer_key = customer_key.ok_or_else(customer_key::key_needed)?;
                protection.unwrap_key(&wrapping_key(customer_key.bytes())?, &object.arn)?
            }
            Protection::SseKms { kms, wrapped } => {
                let key = self.decrypt(requester, kms, &kms.blob, &object.arn).await?;
                match wrapped {
                    Some(_) => protection.unwrap_key(&wrapping_key(&key)?, &object.arn)?,
                    None => data_key(&key)?,
                }
            }
            Protection::BucketKey { kms, .. } => {
                let context = context(kms, &object.bucket_arn);
                let (service, bucket) = (&*self.kms, &object.bucket);
                let blob = (kms.key_arn.as_str(), kms.blob.as_slice());
                let bucket_key = self
                    .bucket_keys
                    .for_read(service, requester, bucket, blob, &context);
                let bucket_key = Box::pin(bucket_key).await?;
                protection.unwrap_key(&bucket_key, &object.arn)?
            }
            Protection::Dsse { kms, outer_blob } => {
                let arn = &object.arn;
                let second = self.decrypt(requester, kms, outer_blob, arn).await?;
                outer = Some(data_key(&second)?);
                data_key(&self.decrypt(requester, kms, &kms.blob, arn).await?)?
            }
        };
        let envelope = sealed.open(&data, &object.arn)?;
        Ok((ObjectKeys { data, outer }, envelope))
    }

    /// A key of the object `arn`, decrypted by the KMS.
    async fn decrypt(
        &self,
        requester: &Requester,
        kms: &KmsBlob,
        blob: &[u8],
        arn: &str,
    ) -> Result<Zeroizing<Vec<u8>>, S3Error> {
        let context = context(kms, arn);
        let key = self.kms.decrypt(requester, &kms.key_arn, blob, &context);
        Ok(key.await?)
    }

    /// Whether a request may have this object's data key at all: the parts that cost no key.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a customer key that is missing or not applicable, `InvalidArgument` for
    /// SSE-KMS over a connection that S3 refuses, `InternalError` for another object's envelope.
    pub fn check<'a>(
        &self,
        sealed: &'a SealedEnvelope,
        customer_key: Option<&'a CustomerKey>,
        object: &'a ObjectName,
        transport: Transport,
    ) -> Result<Checked<'a>, S3Error> {
        match (&sealed.claims().protection, customer_key) {
            (Protection::SseC { .. }, None) => return Err(customer_key::key_needed()),
            (Protection::SseC { .. }, Some(_)) | (Protection::SseS3 { .. }, None) => {}
            (_, Some(_)) => return Err(customer_key::not_applicable()),
            (_, None) => transport.allow_kms()?,
        }
        if sealed.names(&object.arn) {
            Ok(Checked {
                sealed,
                customer_key,
                object,
            })
        } else {
            Err(EnvelopeError::OtherObject.into())
        }
    }
}

// What an object's bytes or envelope get wrong is our fault or the backend's, never the client's;
// all of it has one answer, so that a forger learns nothing. The exception is the customer's key.
impl From<EnvelopeError> for S3Error {
    fn from(error: EnvelopeError) -> Self {
        if error == EnvelopeError::CustomerKey {
            return customer_key::wrong_key();
        }
        refuse_tampered(&error)
    }
}

impl From<OpenError> for S3Error {
    fn from(error: OpenError) -> Self {
        refuse_tampered(&error)
    }
}

impl From<SealError> for S3Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge => Self::new(S3Code::EntityTooLarge),
            SealError::LengthExceeded | SealError::LengthShort => Self::new(S3Code::IncompleteBody),
            _ => Self::internal(),
        }
    }
}

/// The one answer for an object that is not as the gateway wrote it.
pub fn refuse_tampered(cause: &dyn std::fmt::Display) -> S3Error {
    tracing::error!(%cause, "a stored object is not as it was written");
    metrics::counter!("sealgate_objects_refused_total").increment(1);
    S3Error::internal()
}

fn wrapping_key(bytes: &[u8]) -> Result<WrappingKey, S3Error> {
    WrappingKey::from_slice(bytes).map_err(|_| S3Error::internal())
}

fn data_key(bytes: &[u8]) -> Result<DataKey, S3Error> {
    DataKey::from_slice(bytes).map_err(|_| S3Error::internal())
}

/// The key as the KMS gets it.
fn key_id(choice: &KmsChoice) -> &str {
    choice.key.as_deref().unwrap_or(AWS_MANAGED_KEY)
}

/// The context that a key of `arn`, an object or a bucket, is bound to.
fn context(kms: &KmsBlob, arn: &str) -> EncryptionContext {
    let callers: EncryptionContext = kms.context.iter().cloned().collect();
    callers.with_arn(arn)
}

/// The key of SSE-KMS where neither the request nor the bucket names one.
const AWS_MANAGED_KEY: &str = "alias/aws/s3";
