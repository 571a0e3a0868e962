//! The ways an object is encrypted, and the wrapping of data keys.
//!
//! A data key is wrapped with AES-256-GCM under a key and nonce that HKDF makes, for this one wrap,
//! from the wrapping key and a random salt; so a wrapping key may wrap any number of data keys. A
//! customer's key need not be a perfect one, and goes through HKDF's extraction before; the others
//! are random by their making. The additional data names the mode, the object and the wrapping key,
//! each with its length.

use crate::chunks::DataKey;
use crate::chunks::KEY_BYTES;
use crate::chunks::KeyLength;
use crate::chunks::Salt;
use crate::chunks::cipher;
use crate::chunks::cipher::DerivationKey;
use crate::chunks::cipher::SINGLE_USE_BYTES;
use crate::chunks::cipher::SingleUseKey;
use crate::chunks::layout::TAG_BYTES;
use crate::chunks::random::Random;
use crate::envelope::error::EnvelopeError;

/// How an object is encrypted, with what it takes to find its data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// SSE-S3: the data key is wrapped under a root key of the gateway.
    SseS3 {
        /// Which root key.
        generation: u64,
        /// The data key.
        wrapped: Wrapped,
    },
    /// SSE-KMS: the data key is the KMS's own; or, where an object that was there already came
    /// under a KMS key, it is wrapped under one of the KMS's own.
    SseKms {
        /// The data key, or the key that it is wrapped under.
        kms: KmsBlob,
        /// The data key, where it is older than the blob.
        wrapped: Option<Wrapped>,
    },
    /// SSE-KMS with an S3 Bucket Key: the data key is wrapped under a key of the bucket.
    BucketKey {
        /// The bucket key.
        kms: KmsBlob,
        /// The data key.
        wrapped: Wrapped,
    },
    /// DSSE-KMS: two data keys of the KMS.
    Dsse {
        /// The data key of the inner layer.
        kms: KmsBlob,
        /// The data key of the outer layer, encrypted by the KMS.
        outer_blob: Vec<u8>,
    },
    /// SSE-C: the data key is wrapped under the customer's key.
    SseC {
        /// Distinguishes a wrong customer key from a forged envelope.
        check: [u8; CHECK_BYTES],
        /// The data key.
        wrapped: Wrapped,
    },
}

/// A key that the KMS made, and what it takes to have the KMS decrypt it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsBlob {
    /// The KMS key, as an ARN.
    pub key_arn: String,
    /// The key, encrypted by the KMS.
    pub blob: Vec<u8>,
    /// The caller's encryption context, without what the gateway adds, in the caller's order.
    pub context: Vec<(String, String)>,
}

/// The modes of server-side encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keys of the gateway.
    SseS3,
    /// Keys of the KMS.
    SseKms,
    /// Keys of the KMS, one for a bucket and a span of time.
    BucketKey,
    /// Two layers, keys of the KMS.
    Dsse,
    /// Keys of the customer.
    SseC,
}

impl Mode {
    /// How the mode is stored.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::SseS3 => 1,
            Self::SseKms => 2,
            Self::BucketKey => 3,
            Self::Dsse => 4,
            Self::SseC => 5,
        }
    }
}

impl Protection {
    /// Wraps a data key under a root key of the gateway.
    pub fn sse_s3(
        root_key: &WrappingKey,
        generation: u64,
        key: &DataKey,
        object_arn: &str,
        random: &dyn Random,
    ) -> Self {
        let bound = Bound {
            generation,
            ..Bound::new(Mode::SseS3, object_arn, "")
        };
        let wrapped = root_key.wrap(key, &bound, random);
        Self::SseS3 {
            generation,
            wrapped,
        }
    }

    /// Wraps a data key under a bucket key, which the KMS gave as `kms`.
    pub fn bucket_key(
        bucket_key: &WrappingKey,
        kms: KmsBlob,
        key: &DataKey,
        object_arn: &str,
        random: &dyn Random,
    ) -> Self {
        let bound = Bound::new(Mode::BucketKey, object_arn, &kms.key_arn);
        let wrapped = bucket_key.wrap(key, &bound, random);
        Self::BucketKey { kms, wrapped }
    }

    /// Wraps the data key of an object that is there already under `wrapping_key`, which the KMS gave
    /// as `kms` for this object alone.
    pub fn sse_kms(
        wrapping_key: &WrappingKey,
        kms: KmsBlob,
        key: &DataKey,
        object_arn: &str,
        random: &dyn Random,
    ) -> Self {
        let bound = Bound::new(Mode::SseKms, object_arn, &kms.key_arn);
        let wrapped = Some(wrapping_key.wrap(key, &bound, random));
        Self::SseKms { kms, wrapped }
    }

    /// Wraps a data key under the customer's key.
    pub fn sse_c(
        customer_key: &WrappingKey,
        key: &DataKey,
        object_arn: &str,
        random: &dyn Random,
    ) -> Self {
        let bound = Bound::new(Mode::SseC, object_arn, "");
        let (wrapped, check) = customer_key.wrap_for_customer(key, &bound, random);
        Self::SseC { check, wrapped }
    }

    /// Which mode it is.
    pub fn mode(&self) -> Mode {
        match self {
            Self::SseS3 { .. } => Mode::SseS3,
            Self::SseKms { .. } => Mode::SseKms,
            Self::BucketKey { .. } => Mode::BucketKey,
            Self::Dsse { .. } => Mode::Dsse,
            Self::SseC { .. } => Mode::SseC,
        }
    }

    /// What the KMS decrypts, where it is used.
    fn kms(&self) -> Option<&KmsBlob> {
        match self {
            Self::SseKms { kms, .. } | Self::BucketKey { kms, .. } | Self::Dsse { kms, .. } => {
                Some(kms)
            }
            Self::SseS3 { .. } | Self::SseC { .. } => None,
        }
    }

    /// The ARN of the KMS key, where the KMS is used.
    pub fn key_arn(&self) -> Option<&str> {
        self.kms().map(|kms| kms.key_arn.as_str())
    }

    /// The caller's encryption context, without what the gateway adds.
    pub fn context(&self) -> &[(String, String)] {
        self.kms().map_or(&[], |kms| &kms.context)
    }

    /// The data key of the object with this ARN, unwrapped by the root key, the bucket key, the
    /// customer's key or the object's own key of the KMS.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::CustomerKey`] if the customer's key is a wrong one;
    /// [`EnvelopeError::Forged`] if the wrapped key was changed, is another object's, or the
    /// wrapping key is a wrong one; [`EnvelopeError::NotWrapped`] if the data key comes from the
    /// KMS.
    pub fn unwrap_key(
        &self,
        wrapping_key: &WrappingKey,
        object_arn: &str,
    ) -> Result<DataKey, EnvelopeError> {
        let key_arn = self.key_arn().unwrap_or_default();
        let bound = Bound::new(self.mode(), object_arn, key_arn);
        match self {
            Self::SseS3 {
                generation,
                wrapped,
            } => {
                let generation = *generation;
                wrapping_key.unwrap(
                    wrapped,
                    &Bound {
                        generation,
                        ..bound
                    },
                )
            }
            Self::SseC { check, wrapped } => {
                wrapping_key.unwrap_for_customer(wrapped, check, &bound)
            }
            Self::BucketKey { wrapped, .. }
            | Self::SseKms {
                wrapped: Some(wrapped),
                ..
            } => wrapping_key.unwrap(wrapped, &bound),
            Self::SseKms { wrapped: None, .. } | Self::Dsse { .. } => {
                Err(EnvelopeError::NotWrapped)
            }
        }
    }
}

/// A key that wraps data keys: a root key, a bucket key, a customer's key or one of the KMS's.
pub struct WrappingKey(DerivationKey);

impl WrappingKey {
    /// A new key from the random source.
    pub fn generate(random: &dyn Random) -> Self {
        Self(DerivationKey::generate(random))
    }

    /// The key that a customer sent or a key service handed out.
    ///
    /// # Errors
    ///
    /// [`KeyLength`] unless there are exactly [`KEY_BYTES`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLength> {
        DerivationKey::from_slice(bytes).map(Self).ok_or(KeyLength)
    }

    fn wrap(&self, key: &DataKey, bound: &Bound<'_>, random: &dyn Random) -> Wrapped {
        let salt = Salt::generate(random);
        let single_use = self.expand(&salt, bound.mode);
        seal(single_use, (salt, Derivation::Expanded), key, bound)
    }

    fn unwrap(&self, wrapped: &Wrapped, bound: &Bound<'_>) -> Result<DataKey, EnvelopeError> {
        let single_use = match wrapped.derivation {
            Derivation::Expanded => self.expand(&wrapped.salt, bound.mode),
            Derivation::Extracted => self.extract(&wrapped.salt, bound.mode).0,
        };
        open(single_use, wrapped, bound)
    }

    /// As [`wrap`](Self::wrap), with the value that shows whether a customer's key is the right one.
    fn wrap_for_customer(
        &self,
        key: &DataKey,
        bound: &Bound<'_>,
        random: &dyn Random,
    ) -> (Wrapped, [u8; CHECK_BYTES]) {
        let salt = Salt::generate(random);
        let (single_use, check) = self.extract(&salt, bound.mode);
        let derivation = Derivation::Extracted;
        (seal(single_use, (salt, derivation), key, bound), check)
    }

    fn unwrap_for_customer(
        &self,
        wrapped: &Wrapped,
        expected: &[u8; CHECK_BYTES],
        bound: &Bound<'_>,
    ) -> Result<DataKey, EnvelopeError> {
        let (single_use, check) = self.extract(&wrapped.salt, bound.mode);
        if !cipher::same(expected, &check) {
            return Err(EnvelopeError::CustomerKey);
        }
        open(single_use, wrapped, bound)
    }

    /// The key and nonce of one wrap, from a key that is uniformly random.
    fn expand(&self, salt: &Salt, mode: Mode) -> SingleUseKey {
        let info: [&[u8]; 3] = [LABEL, &[mode.code()], salt.as_bytes()];
        SingleUseKey::from_bytes(&self.0.expand::<SINGLE_USE_BYTES>(&info))
    }

    /// The key and nonce of one wrap and the check, from a key that a customer made somehow.
    fn extract(&self, salt: &Salt, mode: Mode) -> (SingleUseKey, [u8; CHECK_BYTES]) {
        let derived = cipher::extract_and_expand::<{ SINGLE_USE_BYTES + CHECK_BYTES }>(
            salt.as_bytes(),
            self.0.expose(),
            &[LABEL, &[mode.code()]],
        );
        let (single_use, check) = derived
            .split_first_chunk()
            .expect("key and nonce come first");
        let check = check.try_into().expect("the check is the rest");
        (SingleUseKey::from_bytes(single_use), check)
    }
}

/// Wraps a data key under the key of this one wrap.
fn seal(
    single_use: SingleUseKey,
    (salt, derivation): (Salt, Derivation),
    key: &DataKey,
    bound: &Bound<'_>,
) -> Wrapped {
    let mut sealed = [0; WRAPPED_BYTES];
    let (text, tag) = sealed.split_at_mut(KEY_BYTES);
    text.copy_from_slice(key.expose());
    tag.copy_from_slice(&single_use.seal(&bound.to_bytes(), text));
    Wrapped {
        salt,
        sealed,
        derivation,
    }
}

/// Unwraps a data key with the key of its wrap.
fn open(
    single_use: SingleUseKey,
    wrapped: &Wrapped,
    bound: &Bound<'_>,
) -> Result<DataKey, EnvelopeError> {
    let mut key = zeroize::Zeroizing::new(wrapped.sealed);
    let (text, tag) = key.split_at_mut(KEY_BYTES);
    single_use
        .open(&bound.to_bytes(), text, tag)
        .map_err(|_| EnvelopeError::Forged)?;
    DataKey::from_slice(text).map_err(|_| EnvelopeError::Forged)
}

/// A data key, wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    pub(crate) salt: Salt,
    pub(crate) sealed: [u8; WRAPPED_BYTES],
    pub(crate) derivation: Derivation,
}

/// How the key of a wrap is made from the wrapping key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derivation {
    /// HKDF's extraction, then expansion: a customer's key, and all keys in older objects.
    Extracted,
    /// Expansion alone: a key that is random by its making needs no more, and with a wrapping key
    /// that many objects share it is a quarter of the hashing.
    Expanded,
}

/// What a wrapped key is bound to.
struct Bound<'a> {
    mode: Mode,
    object_arn: &'a str,
    key_arn: &'a str,
    generation: u64,
}

impl<'a> Bound<'a> {
    /// Of no generation: only root keys have those.
    fn new(mode: Mode, object_arn: &'a str, key_arn: &'a str) -> Self {
        Self {
            mode,
            object_arn,
            key_arn,
            generation: 0,
        }
    }

    /// Each field with its length, so that no two sets of fields are the same bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let generation = self.generation.to_be_bytes();
        let mut bytes = Vec::new();
        for field in [
            &[self.mode.code()][..],
            self.object_arn.as_bytes(),
            self.key_arn.as_bytes(),
            &generation,
        ] {
            bytes.extend((field.len() as u64).to_be_bytes());
            bytes.extend(field);
        }
        bytes
    }
}

/// Length of a wrapped data key: the key and its tag.
pub(crate) const WRAPPED_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// Length of the value that shows a wrong customer key.
pub(crate) const CHECK_BYTES: usize = 32;

/// Names this use of a wrapping key; the zero byte ends the label.
const LABEL: &[u8] = b"sealgate/wrap@v1\0";
