//! Multipart uploads that are not complete: their heads, what is known of their parts, and the
//! small parts themselves.
//!
//! | name | what it is |
//! |---|---|
//! | `buckets/<bucket>/uploads/<slot>` | the head: envelope, checksum, keys ([`Head`]) |
//! | `uploads/<slot>/parts/<number>/...` | empty objects whose names say, sealed, what a part is ([`part_record`]) |
//! | `uploads/<slot>/stash/<salt>` | the stored bytes of a part that may have to be sent again |
//!
//! A slot is a digest of bucket, key and upload id. The upload id is the backend's own, so any
//! gateway continues an upload that another one began. A head is written before its upload id is
//! answered and stays after the upload is complete, so that completing it again can be answered; in the end
//! it is swept ([`crate::records::sweep`]).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::backend::ReplyBody;
use crate::chunks::DataKey;
use crate::chunks::Salt;
use crate::chunks::cipher;
use crate::chunks::random::Random;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::refuse_tampered;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::UploadChecksum;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::State;
use crate::state::is_absent;
use crate::state::unavailable;

pub mod part_record;

pub use crate::records::uploads::part_record::PartRecord;

/// The uploads of a gateway.
pub struct Uploads {
    state: State,
    records: Records,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    /// The last moment that was given to a part record.
    moment: AtomicU64,
    /// Heads do not change once they are written.
    heads: moka::sync::Cache<String, Arc<Head>>,
}

/// Which upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadName<'a> {
    /// Bucket of the object.
    pub bucket: &'a str,
    /// Key of the object.
    pub key: &'a str,
    /// The backend's upload id.
    pub upload_id: &'a str,
}

/// What is known of an upload since it was created.
pub struct Head {
    slot: String,
    /// The value of the envelope's header, as the backend has it for the object to be.
    envelope_header: String,
    envelope: SealedEnvelope,
    /// The object's checksum, where it will have one.
    pub checksum: Option<UploadChecksum>,
    /// The key of the part table under SSE-C, because completing need not bring the customer's.
    pub footer_key: Option<DataKey>,
    /// Whether the object will come with a lock.
    pub locked: bool,
    /// The backend's ETag of the object that was there when the upload was created, empty where there was
    /// none; `None` where nobody looked.
    pub replaces: Option<String>,
    record_key: DataKey,
}

impl Head {
    /// The envelope of the object to be.
    #[must_use]
    pub fn envelope(&self) -> &SealedEnvelope {
        &self.envelope
    }

    /// The value of the envelope's header, as the backend has it.
    #[must_use]
    pub fn envelope_header(&self) -> &str {
        &self.envelope_header
    }

    /// How the object will be encrypted.
    #[must_use]
    pub fn protection(&self) -> &Protection {
        &self.envelope.claims().protection
    }
}

/// A head before it is written.
pub struct NewHead {
    /// See [`Head::envelope_header`].
    pub envelope: String,
    /// See [`Head::checksum`].
    pub checksum: Option<UploadChecksum>,
    /// See [`Head::footer_key`].
    pub footer_key: Option<DataKey>,
    /// See [`Head::locked`].
    pub locked: bool,
    /// See [`Head::replaces`].
    pub replaces: String,
}

/// A head as it is stored, sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) key: String,
    pub(super) upload_id: String,
    envelope: String,
    algorithm: u8,
    kind: u8,
    chosen: bool,
    footer_key: Option<String>,
    record_key: String,
    created_millis: u64,
    /// Written only where it is so, which is how it began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    locked: bool,
    /// Earlier versions did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

impl Uploads {
    /// Where they are stored.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The uploads in `state`, their heads among `records`.
    #[must_use]
    pub fn new(
        state: State,
        records: Records,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            state,
            records,
            random,
            clock,
            moment: AtomicU64::new(0),
            heads: moka::sync::Cache::new(HEADS_MAX),
        }
    }

    /// Remembers a new upload.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend or the KMS cannot be reached.
    pub async fn begin(&self, name: UploadName<'_>, head: NewHead) -> Result<(), S3Error> {
        let encode = |key: &DataKey| STANDARD.encode(key.expose());
        let document = Document {
            key: name.key.to_owned(),
            upload_id: name.upload_id.to_owned(),
            envelope: head.envelope,
            algorithm: head.checksum.map_or(0, |sum| sum.algorithm.code()),
            kind: head.checksum.map_or(0, |sum| sum.kind.code()),
            chosen: head.checksum.is_some_and(|sum| sum.chosen),
            footer_key: head.footer_key.as_ref().map(encode),
            record_key: encode(&DataKey::generate(&*self.random)),
            created_millis: self.now_millis(),
            locked: head.locked,
            replaces: Some(head.replaces),
        };
        let subject = subject(&slot(name));
        self.records.write(name.bucket, &subject, &document).await?;
        Ok(())
    }

    /// The head of an upload.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload`; `ServiceUnavailable` when the backend or the KMS cannot be reached; `InternalError`
    /// for a head that is not as it was written.
    pub async fn find(&self, name: UploadName<'_>) -> Result<Arc<Head>, S3Error> {
        let slot = slot(name);
        if let Some(head) = self.heads.get(&slot) {
            return Ok(head);
        }
        let subject = subject(&slot);
        let reading = self.records.read::<Document>(name.bucket, &subject, None);
        let RecordReading::Value(document, _) = reading.await? else {
            let error = S3Error::new(S3Code::NoSuchUpload);
            return Err(error.detail("UploadId", name.upload_id));
        };
        if document.key != name.key || document.upload_id != name.upload_id {
            return Err(S3Error::internal());
        }
        let head = Arc::new(document.into_head(slot.clone())?);
        self.heads.insert(slot, Arc::clone(&head));
        Ok(head)
    }

    /// A number that grows with every call, so that of two records the later one can be recognised.
    pub fn next_moment(&self) -> u64 {
        let now = self.now_millis().saturating_mul(1_000);
        let step = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self
            .moment
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        let last = last.unwrap_or_else(|last| last);
        now.max(last.saturating_add(1))
    }

    /// Remembers a part that the backend has.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached.
    pub async fn add_part(&self, head: &Head, part: &PartRecord) -> Result<(), S3Error> {
        let names = part_record::names(part, &head.record_key)?;
        let nothing = HeaderMap::new();
        let writes = names.into_iter().map(|name| {
            let name = format!("{}{name}", parts_prefix(&head.slot));
            let nothing = &nothing;
            async move { self.state.write(&name, nothing, Bytes::new()).await }
        });
        let writes: Vec<_> = writes.collect();
        futures_util::future::try_join_all(writes).await?;
        Ok(())
    }

    /// What is known of an upload's parts, in the order of their numbers, then of their writing.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached; `InternalError` for a record that is
    /// not as it was written.
    pub async fn parts(&self, head: &Head) -> Result<Vec<PartRecord>, S3Error> {
        let prefix = parts_prefix(&head.slot);
        let names = self.state.names(&prefix).await?;
        let names = names.iter().filter_map(|name| name.strip_prefix(&prefix));
        part_record::read(names, &head.record_key)
    }

    /// Stashes the stored bytes of a part that may have to be sent again.
    ///
    /// # Errors
    ///
    /// What was wrong with the body; `ServiceUnavailable` when the backend cannot be reached.
    pub async fn stash(&self, head: &Head, salt: &Salt, body: BackendBody) -> Result<(), S3Error> {
        let request = BackendRequest::object(
            Method::PUT,
            self.state.bucket(),
            stash_name(&head.slot, salt),
        );
        self.state.backend().fetch(request.body(body)).await?;
        Ok(())
    }

    /// The stored bytes of a part, of which there must be so many.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached or refuses; `InternalError` where they are
    /// not as they were stashed.
    pub async fn stashed(
        &self,
        head: &Head,
        salt: &Salt,
        stored_bytes: u64,
    ) -> Result<ReplyBody, S3Error> {
        let name = stash_name(&head.slot, salt);
        let request = BackendRequest::object(Method::GET, self.state.bucket(), name.as_str());
        let answer = match self.state.backend().call(request).await {
            Err(error) if is_absent(&error) => {
                return Err(refuse_tampered(&"a part was not stashed"));
            }
            answer => answer.map_err(|error| unavailable(&name, &error))?,
        };
        let length = answer.headers().get(http::header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length != Some(stored_bytes) {
            return Err(refuse_tampered(&"a stashed part is of another size"));
        }
        Ok(answer.into_body())
    }

    /// Removes the records and the stashed bytes of an upload that was completed. The head stays, so
    /// that completing it again can be answered.
    ///
    /// What cannot be removed stays behind, is logged, and does no harm.
    pub async fn clear(&self, head: &Head) {
        if let Err(error) = self.state.remove_all(&pieces(&head.slot)).await {
            tracing::warn!(slot = head.slot, %error, "records of an upload stay behind");
        }
    }

    /// Forgets an upload that was aborted.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached or refuses.
    pub async fn end(&self, name: UploadName<'_>, head: &Head) -> Result<(), S3Error> {
        self.clear(head).await;
        self.heads.invalidate(&head.slot);
        self.records.remove(name.bucket, &subject(&head.slot)).await
    }

    fn now_millis(&self) -> u64 {
        u64::try_from(self.clock.now().unix_millis()).unwrap_or(0)
    }
}

impl Document {
    fn into_head(self, slot: String) -> Result<Head, S3Error> {
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text).map(Zeroizing::new).ok();
            bytes
                .and_then(|bytes| DataKey::from_slice(&bytes).ok())
                .ok_or_else(S3Error::internal)
        };
        let checksum = match (
            Algorithm::from_code(self.algorithm),
            ChecksumKind::from_code(self.kind),
        ) {
            (Some(algorithm), Some(kind)) => Some(UploadChecksum {
                algorithm,
                kind,
                chosen: self.chosen,
            }),
            (None, None) if self.algorithm == 0 && self.kind == 0 => None,
            _ => return Err(S3Error::internal()),
        };
        Ok(Head {
            slot,
            checksum,
            footer_key: self.footer_key.as_deref().map(decode).transpose()?,
            record_key: decode(&self.record_key)?,
            locked: self.locked,
            replaces: self.replaces,
            envelope: SealedEnvelope::parse(&self.envelope)?,
            envelope_header: self.envelope,
        })
    }
}

/// Whether an upload has a head.
///
/// # Errors
///
/// `ServiceUnavailable` when that cannot be found out; `InternalError` for a head that is not as it was written.
pub(super) async fn has_head(records: &Records, name: UploadName<'_>) -> Result<bool, S3Error> {
    let subject = subject(&slot(name));
    let reading = records.read::<Document>(name.bucket, &subject, None);
    Ok(!matches!(reading.await?, RecordReading::Absent))
}

/// The place of an upload: the start of a digest of its name, each piece after its length.
fn slot(name: UploadName<'_>) -> String {
    let length = |text: &str| (text.len() as u64).to_be_bytes();
    let digest = cipher::sha256(&[
        b"sealgate/upload@v1\0",
        &length(name.bucket),
        name.bucket.as_bytes(),
        &length(name.key),
        name.key.as_bytes(),
        name.upload_id.as_bytes(),
    ]);
    let (start, _) = digest.split_at(SLOT_BYTES);
    hex::encode(start)
}

pub(super) fn subject(slot: &str) -> String {
    format!("uploads/{slot}")
}

/// The start of the names of everything of an upload but its head.
pub(super) fn pieces(slot: &str) -> String {
    format!("uploads/{slot}/")
}

fn parts_prefix(slot: &str) -> String {
    format!("uploads/{slot}/parts/")
}

fn stash_name(slot: &str, salt: &Salt) -> String {
    format!("uploads/{slot}/stash/{}", hex::encode(salt.as_bytes()))
}

/// Length of a slot, before it is written in hex.
const SLOT_BYTES: usize = 16;

/// Heads that are remembered; about 1 KiB each.
const HEADS_MAX: u64 = 10_000;
