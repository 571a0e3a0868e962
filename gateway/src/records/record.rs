//! Sealed documents in the state bucket.
//!
//! A record is JSON, sealed as any SSE-S3 object is, under the name it is stored by: one that was
//! changed at the backend, or moved to another bucket's place, does not open. Whoever controls the
//! backend can restore an older version of it; the records of buckets have a revision for this
//! ([`crate::bucket::record`]).

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use proto::arn;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chunks::DataKey;
use crate::chunks::open::Opener;
use crate::chunks::random::Random;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;
use crate::chunks::trailer::Record as Digests;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::error::S3Error;
use crate::keys::root_key::RootKeys;
use crate::protocol::etag::ETag;
use crate::protocol::headers::ENVELOPE;
use crate::state::Expected;
use crate::state::Reading;
use crate::state::State;
use crate::state::StateDocument;
use crate::state::Swap;

/// The records of the gateway.
#[derive(Clone)]
pub struct Records {
    state: State,
    root_keys: Arc<RootKeys>,
    random: Arc<dyn Random>,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub enum RecordReading<T> {
    /// As it was when it had the known ETag.
    Unchanged,
    /// There is none.
    Absent,
    /// This, with this ETag.
    Value(T, Option<ETag>),
}

impl Records {
    /// The records in `state`, sealed under the keys of `root_keys`.
    #[must_use]
    pub fn new(state: State, root_keys: Arc<RootKeys>, random: Arc<dyn Random>) -> Self {
        Self {
            state,
            root_keys,
            random,
        }
    }

    /// Reads the record about `subject` of `bucket`, unless it still has the ETag `known`.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend or the KMS cannot be reached; `InternalError` when the
    /// record is not one that the gateway wrote there.
    pub async fn read<T: DeserializeOwned>(
        &self,
        bucket: &str,
        subject: &str,
        known: Option<&ETag>,
    ) -> Result<RecordReading<T>, S3Error> {
        self.read_document(&name(bucket, subject), known).await
    }

    /// Reads the record of this name, unless it still has the ETag `known`.
    ///
    /// # Errors
    ///
    /// As [`Records::read`].
    pub(crate) async fn read_document<T: DeserializeOwned>(
        &self,
        name: &str,
        known: Option<&ETag>,
    ) -> Result<RecordReading<T>, S3Error> {
        let stored = match self.state.read(name, known).await? {
            Reading::Unchanged => return Ok(RecordReading::Unchanged),
            Reading::Absent => return Ok(RecordReading::Absent),
            Reading::Found(stored) => stored,
        };
        let etag = ETag::from_headers(&stored.headers);
        let bytes = self.open(name, &stored).await?;
        let value = serde_json::from_slice(&bytes).map_err(|cause| refuse(name, &cause))?;
        Ok(RecordReading::Value(value, etag))
    }

    /// Writes the record about `subject` of `bucket`; its ETag.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend or the KMS cannot be reached.
    pub async fn write<T: Serialize + Sync>(
        &self,
        bucket: &str,
        subject: &str,
        value: &T,
    ) -> Result<Option<ETag>, S3Error> {
        self.write_document(&name(bucket, subject), value).await
    }

    /// Writes the record of this name, if what is stored there is in the expected state.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend or the KMS cannot be reached. It is unknown then whether
    /// the record was written.
    pub(crate) async fn swap<T: Serialize + Sync>(
        &self,
        name: &str,
        value: &T,
        expected: &Expected,
    ) -> Result<Swap, S3Error> {
        let (headers, body) = self.seal(name, value).await?;
        self.state.swap(name, &headers, body, expected).await
    }

    /// Writes the record of this name, whatever is stored there.
    ///
    /// # Errors
    ///
    /// As [`Records::swap`].
    pub(crate) async fn write_document<T: Serialize + Sync>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<Option<ETag>, S3Error> {
        let (headers, body) = self.seal(name, value).await?;
        self.state.write(name, &headers, body).await
    }

    /// The names of all records that begin so, in order.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached.
    pub(crate) async fn names(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        self.state.names(prefix).await
    }

    /// Removes the record about `subject` of `bucket`, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached.
    pub async fn remove(&self, bucket: &str, subject: &str) -> Result<(), S3Error> {
        self.state.remove(&name(bucket, subject)).await
    }

    /// The sealed form of a record: its headers and its bytes.
    async fn seal<T: Serialize + Sync>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(HeaderMap, Bytes), S3Error> {
        let bytes = serde_json::to_vec(value).map_err(|cause| refuse(name, &cause))?;
        let (generation, root_key) = self.root_keys.current().await?;
        let arn = self.arn(name);
        let key = DataKey::generate(&*self.random);
        let length = bytes.len() as u64;
        let broken = |cause: &dyn std::fmt::Display| refuse(name, cause);
        let mut sealer = Sealer::new(&key, Kind::Whole, length, &*self.random)
            .map_err(|cause| broken(&cause))?;
        sealer.push(&bytes).map_err(|cause| broken(&cause))?;
        let digests = Digests {
            plaintext_bytes: length,
            md5: None,
            checksum: None,
        };
        let record = sealer
            .seal_record(&digests)
            .map_err(|cause| broken(&cause))?;
        let envelope = Envelope {
            layout: Layout::Whole(sealer.segment().clone()),
            protection: Protection::sse_s3(&root_key, generation, &key, &arn, &*self.random),
            record: Some(record),
        };
        let mut body = sealer.take().map_or_else(Vec::new, |head| head.to_vec());
        body.extend_from_slice(&sealer.finish().map_err(|cause| broken(&cause))?);
        let mut headers = HeaderMap::new();
        let value =
            HeaderValue::from_str(&envelope.seal(&key, &arn)).map_err(|cause| broken(&cause))?;
        headers.insert(ENVELOPE, value);
        Ok((headers, Bytes::from(body)))
    }

    async fn open(&self, name: &str, stored: &StateDocument) -> Result<Vec<u8>, S3Error> {
        let broken = |cause: &dyn std::fmt::Display| refuse(name, cause);
        let arn = self.arn(name);
        let sealed = stored
            .headers
            .get(ENVELOPE)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| broken(&"it has no envelope"))?;
        let sealed = SealedEnvelope::parse(sealed).map_err(|cause| broken(&cause))?;
        let protection = &sealed.claims().protection;
        let Protection::SseS3 { generation, .. } = protection else {
            return Err(broken(&"it is not under a root key"));
        };
        let root_key = self.root_keys.key(*generation).await?;
        let key = protection
            .unwrap_key(&root_key, &arn)
            .map_err(|cause| broken(&cause))?;
        let envelope = sealed.open(&key, &arn).map_err(|cause| broken(&cause))?;
        let Layout::Whole(segment) = &envelope.layout else {
            return Err(broken(&"it is in parts"));
        };
        let mut opener = Opener::object(&key, segment).map_err(|cause| broken(&cause))?;
        opener.push(&stored.bytes).map_err(|cause| broken(&cause))?;
        let bytes = opener.take().map_or_else(Vec::new, |bytes| bytes.to_vec());
        opener.finish().map_err(|cause| broken(&cause))?;
        Ok(bytes)
    }

    fn arn(&self, name: &str) -> String {
        arn::object("aws", self.state.bucket(), name)
    }
}

fn name(bucket: &str, subject: &str) -> String {
    format!("buckets/{bucket}/{subject}")
}

fn refuse(name: &str, cause: &dyn std::fmt::Display) -> S3Error {
    tracing::error!(name, %cause, "a record of the state is not as it was written");
    S3Error::internal()
}
