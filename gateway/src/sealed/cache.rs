//! What is remembered of objects, so that reading them again takes fewer requests.
//!
//! Everything is remembered by what never means other bytes: digests by the salt of their segment, footers by
//! envelope and ETag, sizes and ETags by bucket, key, version and the backend's own ETag.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header;
use proto::time::Timestamp;

use crate::chunks::footer::Tail;
use crate::keys::data_key::ObjectName;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::headers::VERSION_ID;
use crate::sealed::head::ObjectHead;

/// What clients see of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its ETag.
    pub(crate) etag: ETag,
    /// Its size, in bytes.
    pub(crate) bytes: u64,
    /// How its checksum was computed and what that covers, where it was read.
    pub(crate) checksum: Option<(Algorithm, ChecksumKind)>,
}

/// Which object at the backend something is remembered of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectIdentity {
    bucket: String,
    key: String,
    /// Empty where the backend names none.
    version: String,
    backend_etag: ETag,
}

impl ObjectIdentity {
    /// The object of this name and version, with this ETag at the backend.
    #[must_use]
    pub(crate) fn new(bucket: &str, key: &str, version: Option<&str>, backend_etag: ETag) -> Self {
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            // A listing without versions shows what an answer with a version was about.
            version: version
                .filter(|version| *version != "null")
                .unwrap_or_default()
                .to_owned(),
            backend_etag,
        }
    }
}

/// Which state of an object an answer of the backend was about.
pub(crate) struct Revision {
    etag: ETag,
    version: Option<String>,
    /// A moment at which it was so, by the backend's clock.
    since: Option<Timestamp>,
}

impl Revision {
    /// The one that an answer to a write made; none if the answer names no ETag.
    pub(crate) fn from_write(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers::text(headers, name);
        let date = text(header::LAST_MODIFIED).or_else(|| text(header::DATE));
        Some(Self {
            etag: ETag::from_headers(headers)?,
            version: text(VERSION_ID).map(str::to_owned),
            since: date.and_then(|date| Timestamp::parse_http_date(date).ok()),
        })
    }
}

impl From<&ObjectHead> for Revision {
    fn from(head: &ObjectHead) -> Self {
        Self {
            etag: head.etag.clone(),
            version: head.version.clone(),
            since: head.modified(),
        }
    }
}

/// What clients see of objects, remembered.
///
/// An object whose key was wrapped anew in place, perhaps by another gateway, has the same bytes and
/// so mostly the same ETag at the backend, but not always the same one for clients. So what is remembered
/// is compared with the time at which the object was last written.
#[derive(Clone, Debug)]
pub(crate) struct FactsCache(moka::sync::Cache<ObjectIdentity, CachedFacts>);

/// What is remembered of an object, and since when by the backend's clock.
#[derive(Clone, Debug)]
struct CachedFacts {
    facts: Arc<Facts>,
    since: Option<Timestamp>,
}

impl FactsCache {
    /// Empty, and never much larger than `bytes_max` bytes.
    #[must_use]
    pub(crate) fn new(bytes_max: u64) -> Self {
        let weigh = |identity: &ObjectIdentity, _: &CachedFacts| {
            let names = identity.bucket.len() + identity.key.len() + identity.version.len();
            u32::try_from(names)
                .unwrap_or(u32::MAX)
                .saturating_add(ENTRY_BYTES)
        };
        let cache = moka::sync::Cache::builder().weigher(weigh);
        Self(cache.max_capacity(bytes_max).build())
    }

    /// What is remembered of an object that was last written at `modified`.
    #[must_use]
    pub(crate) fn get(
        &self,
        identity: &ObjectIdentity,
        modified: Option<Timestamp>,
    ) -> Option<Arc<Facts>> {
        let cached = self.0.get(identity)?;
        let (Some(modified), Some(since)) = (modified, cached.since) else {
            return Some(cached.facts);
        };
        // Headers have whole seconds, listings fractions.
        (modified < since.plus(Duration::from_secs(1))).then_some(cached.facts)
    }

    /// Remembers what clients see of an object in this state.
    pub(crate) fn insert(&self, name: &ObjectName, revision: Option<Revision>, facts: Facts) {
        let Some(revision) = revision else {
            return;
        };
        let cached = CachedFacts {
            facts: Arc::new(facts),
            since: revision.since,
        };
        let version = revision.version.as_deref();
        let identity =
            |version| ObjectIdentity::new(&name.bucket, &name.key, version, revision.etag.clone());
        if version.is_some_and(|version| version != "null") {
            self.0.insert(identity(version), cached.clone());
        }
        self.0.insert(identity(None), cached);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }
}

/// The end of an object in parts, not opened yet.
pub(crate) struct Footer {
    pub(crate) tail: Tail,
    /// Padding, sealed table and tail.
    pub(crate) bytes: Box<[u8]>,
}

/// Footers, remembered by the envelope and the backend's ETag of their objects.
pub(crate) type FooterCache = moka::sync::Cache<String, Arc<Footer>>;

/// An empty cache of footers.
pub(crate) fn footers() -> FooterCache {
    let weigh = |_: &String, footer: &Arc<Footer>| {
        u32::try_from(footer.bytes.len()).map_or(u32::MAX, |bytes| bytes.saturating_add(1_024))
    };
    let cache = moka::sync::Cache::builder().weigher(weigh);
    cache.max_capacity(FOOTER_BYTES_MAX).build()
}

/// What one object costs besides its names, in bytes.
const ENTRY_BYTES: u32 = 320;

/// Footers that are remembered, in bytes; one has 120 bytes for each part.
const FOOTER_BYTES_MAX: u64 = 32 << 20;
