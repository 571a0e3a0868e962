//! What clients see of an object at the backend: its size and its ETag.
//!
//! A listing shows neither: the backend lists sealed sizes and ETags of sealed bytes. Sizes follow
//! from the format. ETags of SSE-S3 objects are the MD5 of the plaintext, which only the object
//! itself holds, sealed; they are remembered by what never means other bytes: bucket, key, version and
//! the backend's own ETag.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use proto::time::Timestamp;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::store::etag_is_md5;
use crate::object::stored::ATTEMPTS;
use crate::object::stored::Found;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::checksum::Algorithm;
use crate::protocol::conditions::Names;
use crate::sse::choice::Transport;
use crate::sse::data_key::ObjectName;
use crate::sse::kms::Requester;

/// What clients see of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its ETag, quoted.
    pub etag: HeaderValue,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The algorithm of its checksum, where that is known.
    pub algorithm: Option<Algorithm>,
}

/// Which object at the backend something is known of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    bucket: String,
    key: String,
    /// Empty where versions are not told.
    version: String,
    backend_etag: Vec<u8>,
}

impl Identity {
    /// The object of this name and version; `backend_etag` with or without quotes.
    #[must_use]
    pub fn new(bucket: &str, key: &str, version: Option<&str>, backend_etag: &[u8]) -> Self {
        let bare = backend_etag.strip_prefix(b"\"").unwrap_or(backend_etag);
        let bare = bare.strip_suffix(b"\"").unwrap_or(bare);
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            // A listing without versions shows what a versioned answer told of.
            version: version
                .filter(|version| *version != "null")
                .unwrap_or_default()
                .to_owned(),
            backend_etag: bare.to_vec(),
        }
    }
}

/// What is remembered of objects.
///
/// An object whose key was wrapped anew in place, perhaps by another gateway, has the same bytes and
/// so mostly the same ETag at the backend, but not always the same one for clients. So what is known
/// is held against the time at which the object was last written.
#[derive(Clone, Debug)]
pub struct KnownFacts(moka::sync::Cache<Identity, Known>);

/// What is known of an object, and since when by the backend's clock.
#[derive(Clone, Debug)]
struct Known {
    facts: Arc<Facts>,
    since: Option<Timestamp>,
}

impl KnownFacts {
    /// Nothing yet, and never much more than `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        let weigh = |identity: &Identity, _: &Known| {
            let names = identity.bucket.len() + identity.key.len() + identity.version.len();
            u32::try_from(names)
                .unwrap_or(u32::MAX)
                .saturating_add(ENTRY_BYTES)
        };
        Self(
            moka::sync::Cache::builder()
                .weigher(weigh)
                .max_capacity(bytes_max)
                .build(),
        )
    }

    /// What is known of an object that was last written at `modified`.
    #[must_use]
    pub fn get(&self, identity: &Identity, modified: Option<Timestamp>) -> Option<Arc<Facts>> {
        let known = self.0.get(identity)?;
        let (Some(modified), Some(since)) = (modified, known.since) else {
            return Some(known.facts);
        };
        // Headers tell whole seconds, listings fractions.
        (modified < since.plus(Duration::from_secs(1))).then_some(known.facts)
    }

    /// Remembers what an answer of the backend, `headers`, and the object's own record said.
    pub fn learn(&self, name: &ObjectName, headers: &HeaderMap, facts: Facts) {
        let Some(backend_etag) = headers.get(header::ETAG) else {
            return;
        };
        let time = |name| {
            let text = headers.get(name).and_then(|value| value.to_str().ok())?;
            Timestamp::parse_http_date(text).ok()
        };
        let known = Known {
            facts: Arc::new(facts),
            since: time(header::LAST_MODIFIED).or_else(|| time(header::DATE)),
        };
        let version = headers
            .get("x-amz-version-id")
            .and_then(|value| value.to_str().ok());
        let identity =
            |version| Identity::new(&name.bucket, &name.key, version, backend_etag.as_bytes());
        if version.is_some_and(|version| version != "null") {
            self.0.insert(identity(version), known.clone());
        }
        self.0.insert(identity(None), known);
    }
}

impl Objects {
    /// Forgets what is known of objects, so that listings ask for it again.
    pub fn forget_facts(&self) {
        self.known.0.invalidate_all();
    }

    /// What clients see of an object, from memory or by asking the backend about it; none if there
    /// is no such object.
    ///
    /// Costs no call to the KMS.
    ///
    /// # Errors
    ///
    /// The backend's refusal; `InternalError` for an object that is not as it was written.
    pub(crate) async fn facts(
        &self,
        name: &ObjectName,
        version: Option<&str>,
    ) -> Result<Option<(Arc<Facts>, HeaderValue)>, S3Error> {
        let reader = onlooker(name, version);
        for _ in 0..ATTEMPTS {
            let headers = match self.head_backend(&reader).await {
                Err(error)
                    if error.is_refused_as(StatusCode::NOT_FOUND)
                        || error.is_refused_as(StatusCode::METHOD_NOT_ALLOWED) =>
                {
                    return Ok(None);
                }
                headers => headers?,
            };
            match self.facts_in(&reader, headers).await {
                Ok(facts) => return Ok(Some(facts)),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    /// As [`Objects::facts`], where `headers` are those that a HEAD would have told.
    pub(crate) async fn facts_told(
        &self,
        name: &ObjectName,
        version: Option<&str>,
        headers: HeaderMap,
    ) -> Result<Option<(Arc<Facts>, HeaderValue)>, S3Error> {
        match self.facts_in(&onlooker(name, version), headers).await {
            Ok(facts) => Ok(Some(facts)),
            Err(ReadError::Changed) => self.facts(name, version).await,
            Err(ReadError::Refused(error)) => Err(error),
        }
    }

    async fn facts_in(
        &self,
        reader: &Reader,
        headers: HeaderMap,
    ) -> Result<(Arc<Facts>, HeaderValue), ReadError> {
        let backend_etag = headers
            .get(header::ETAG)
            .cloned()
            .ok_or_else(S3Error::internal)?;
        let bytes = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok());
        let plain_bytes = bytes.and_then(|value| value.parse().ok());
        let found = self.recognise(&reader.name.bucket, StatusCode::OK, headers.clone())?;
        let facts = match found {
            Found::Plain(_) => Facts {
                etag: backend_etag.clone(),
                bytes: plain_bytes.ok_or_else(S3Error::internal)?,
                algorithm: None,
            },
            Found::Parts(stored) => self.facts_of_parts(reader, &stored).await?,
            Found::Sealed(stored) if !etag_is_md5(&stored.sealed.claims().protection) => Facts {
                etag: backend_etag.clone(),
                bytes: stored.segment.plaintext_bytes,
                algorithm: None,
            },
            Found::Sealed(stored) => {
                let needs = Needs {
                    key: false,
                    checksum: false,
                };
                let conditions = (&HeaderMap::new(), &Names::of_reads());
                let unlocked = self.unlock(reader, &stored, needs, conditions).await?;
                let checksum = unlocked.record.as_ref().and_then(|it| it.checksum.as_ref());
                Facts {
                    etag: unlocked.etag,
                    bytes: stored.segment.plaintext_bytes,
                    algorithm: checksum.map(|checksum| checksum.algorithm),
                }
            }
        };
        self.known.learn(&reader.name, &headers, facts.clone());
        Ok((Arc::new(facts), backend_etag))
    }
}

/// Who looks at an object without opening it.
fn onlooker(name: &ObjectName, version: Option<&str>) -> Reader {
    Reader {
        name: name.clone(),
        version: version.map(str::to_owned),
        customer_key: None,
        requester: Requester::gateway(""),
        transport: Transport {
            secure: true,
            signed: true,
        },
    }
}

/// What one remembered object costs besides its names, in bytes.
const ENTRY_BYTES: u32 = 320;
