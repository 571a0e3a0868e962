//! ListObjects, ListObjectsV2, ListObjectVersions: the backend's listing, with the sizes and ETags
//! that clients see.
//!
//! Sizes are computed. ETags are the backend's own but for SSE-S3 objects, so a bucket that never held
//! one is listed by one request, and one more for that knowledge ([`crate::bucket::etags`]). In other
//! buckets ETags come from memory, from the listing itself where the backend is MinIO, which tells
//! metadata in listings (`metadata=true`), or else from a bounded number of HEAD requests side by side
//! ([`Config::heads_max`]); never from the KMS. Everything else (owners,
//! storage classes, prefixes, tokens) passes as it is.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>,
//! `gateway/FORMAT.md` for sizes.

use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;
use proto::sigv4;
use proto::time::Timestamp;

use crate::backend::BackendRequest;
use crate::chunks::layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::facts::Facts;
use crate::object::facts::Identity;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::choice::Encryption;
use crate::sse::data_key::ObjectName;

/// How listings are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which ETags a listing shows.
    pub list_etag: ListEtag,
    /// Most HEAD requests that one listing has at the backend at a time.
    pub heads_max: usize,
    /// How much memory the sizes and ETags of objects may take that are remembered for listings, in
    /// bytes; an object takes about 400.
    pub known_max_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            list_etag: ListEtag::Exact,
            heads_max: 32,
            known_max_bytes: 16 << 20,
        }
    }
}

/// Which ETags a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListEtag {
    /// The same as HeadObject, at the price of a HEAD for each object not known yet.
    Exact,
    /// The backend's where the object is not known yet: one request a listing, but the ETag of an
    /// SSE-S3 object then differs from HeadObject's.
    Backend,
}

impl Objects {
    /// Answers a listing of a bucket's objects or versions.
    ///
    /// # Errors
    ///
    /// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
    pub async fn list(&self, request: &S3Request) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.as_deref().unwrap_or_default();
        let mut onward = onward(request, bucket);
        if request.target.query.get("list-type") == Some("2")
            && self.lists_metadata.load(Ordering::Relaxed)
        {
            onward = onward.query("metadata", "true");
        }
        let answer = self.backend.fetch(onward).await?;
        let server = answer.headers().get(header::SERVER);
        if server.is_some_and(|server| server.as_bytes().starts_with(b"MinIO")) {
            self.lists_metadata.store(true, Ordering::Relaxed);
        }
        let mut root = Element::parse(answer.body(), Limits::ANSWER).map_err(|cause| {
            tracing::error!(%cause, "backend's listing cannot be read");
            S3Error::new(S3Code::ServiceUnavailable)
        })?;
        if !matches!(root.name(), "ListBucketResult" | "ListVersionsResult") {
            tracing::error!("backend answered a listing with another document");
            return Err(S3Error::new(S3Code::ServiceUnavailable));
        }
        self.show(bucket, &mut root).await?;

        let mut response = Response::new(full_body(root.to_document()));
        let xml = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
        Ok(response)
    }

    /// Has listings of a bucket ask about its objects, before it gets one whose ETag the backend does
    /// not list.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when that cannot be noted; the object must not be written then.
    pub(crate) async fn spoil_listing(
        &self,
        bucket: &str,
        encryption: &Encryption,
    ) -> Result<(), S3Error> {
        match (&self.etags, encryption) {
            (Some(etags), Encryption::SseS3) => etags.spoil(bucket).await,
            _ => Ok(()),
        }
    }

    /// The same for an object in parts that the backend does not tell the number of.
    pub(crate) async fn spoil_listing_of_parts(
        &self,
        bucket: &str,
        backend_etag: &str,
    ) -> Result<(), S3Error> {
        match &self.etags {
            Some(etags) if !backend_etag.contains('-') => etags.spoil(bucket).await,
            _ => Ok(()),
        }
    }

    /// Puts what clients see in place of what the backend lists.
    async fn show(&self, bucket: &str, root: &mut Element) -> Result<(), S3Error> {
        let encoded = root.text_of("EncodingType") == Some("url");
        let adopted = self.adopts(bucket);
        let exact = self.config.listing.list_etag == ListEtag::Exact;
        let mut asked = Vec::new();
        for (at, entry) in root.children_mut().iter_mut().enumerate() {
            if !matches!(entry.name(), "Contents" | "Version") {
                continue;
            }
            // They are about the sealed bytes.
            entry.remove("ChecksumAlgorithm");
            entry.remove("ChecksumType");
            let told = take_headers(entry);
            let Some((key, identity)) = identify(bucket, entry, encoded) else {
                tracing::error!(bucket, "backend listed an object without key or ETag");
                return Err(S3Error::new(S3Code::ServiceUnavailable));
            };
            let modified = entry.text_of("LastModified").map(str::trim);
            let modified = modified.and_then(|text| Timestamp::parse_iso8601(text).ok());
            if let Some(facts) = self.known.get(&identity, modified) {
                rewrite(entry, &facts);
                continue;
            }
            let stored = entry
                .text_of("Size")
                .and_then(|text| text.trim().parse().ok());
            if let Some(bytes) = stored.and_then(|stored| plaintext_bytes(entry, stored)) {
                entry.set_text_of("Size", bytes.to_string());
            }
            if exact || adopted {
                let version = entry.text_of("VersionId").map(str::to_owned);
                let name = ObjectName::new(self.partition, bucket, &key);
                asked.push((at, name, version, told));
            }
        }

        if let Some(etags) = &self.etags
            && !asked.is_empty()
            && !adopted
            && etags.hold(bucket).await
        {
            return Ok(());
        }
        let heads = stream::iter(asked).map(|(at, name, version, told)| async move {
            let version = version.as_deref();
            let facts = match told {
                Some(headers) => self.facts_told(&name, version, headers).await,
                None => self.facts(&name, version).await,
            };
            (at, facts)
        });
        let mut heads = heads.buffer_unordered(self.config.listing.heads_max.max(1));
        while let Some((at, facts)) = heads.next().await {
            match facts {
                Ok(Some((facts, backend_etag))) => {
                    if let Some(entry) = root.children_mut().get_mut(at) {
                        rewrite_if_same(entry, &facts, &backend_etag);
                    }
                }
                // Deleted since it was listed.
                Ok(None) => {}
                Err(error) if error.status() == http::StatusCode::SERVICE_UNAVAILABLE => {
                    return Err(error);
                }
                // One object that cannot be read does not hide the others. Reading it tells.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Takes out of an entry what it tells of the object's metadata: the headers of a HEAD that matter here,
/// if the envelope is among it.
fn take_headers(entry: &mut Element) -> Option<HeaderMap> {
    let mut envelopes = Vec::new();
    if let Some(metadata) = entry.child("UserMetadata") {
        let is_envelope = |it: &&Element| it.name().eq_ignore_ascii_case(ENVELOPE.as_str());
        let found = metadata.children().iter().filter(is_envelope);
        envelopes.extend(found.map(|it| it.text().trim().to_owned()));
    }
    for name in ["UserMetadata", "UserTags", "Internal"] {
        entry.remove(name);
    }
    let [envelope] = &envelopes[..] else {
        return None;
    };
    let modified = entry.text_of("LastModified").map(str::trim);
    let modified = Timestamp::parse_iso8601(modified?).ok()?.http_date();
    let etag = entry.text_of("ETag")?.trim().trim_matches('"');
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (ENVELOPE, envelope.as_str()),
        (header::ETAG, &format!("\"{etag}\"")),
        (header::CONTENT_LENGTH, entry.text_of("Size")?.trim()),
        (header::LAST_MODIFIED, &modified),
    ] {
        headers.insert(name, HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

/// The size that clients see, of a sealed object that the backend lists with this one.
fn plaintext_bytes(entry: &Element, stored_bytes: u64) -> Option<u64> {
    let etag = entry.text_of("ETag").unwrap_or_default();
    match etag.trim().trim_matches('"').rsplit_once('-') {
        Some((_, parts)) => layout::plaintext_bytes_in_parts(stored_bytes, parts.parse().ok()?),
        None => layout::plaintext_bytes(stored_bytes),
    }
}

/// The request for the backend's listing.
fn onward(request: &S3Request, bucket: &str) -> BackendRequest {
    let mut onward = BackendRequest::bucket(Method::GET, bucket);
    onward.query = request
        .target
        .query
        .pairs()
        .iter()
        .filter(|(name, _)| LISTED.contains(&name.as_str()))
        // As good as none, which not every backend knows.
        .filter(|(name, value)| name != "delimiter" || !value.is_empty())
        .cloned()
        .collect();
    for name in HEADERS {
        if let Some(value) = request.headers.get(&name) {
            onward = onward.header(name, value.clone());
        }
    }
    onward
}

/// The key of a listed object, decoded, and which object it is.
fn identify(bucket: &str, entry: &Element, encoded: bool) -> Option<(String, Identity)> {
    let key = entry.text_of("Key")?;
    let key = match encoded {
        false => key.to_owned(),
        true => decode(key)?,
    };
    let etag = entry.text_of("ETag")?.trim();
    let identity = Identity::new(bucket, &key, entry.text_of("VersionId"), etag.as_bytes());
    Some((key, identity))
}

/// Undoes `encoding-type=url`, in which a space is a plus or an escape.
fn decode(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    String::from_utf8(sigv4::decode_path(&spaced).ok()?).ok()
}

fn rewrite(entry: &mut Element, facts: &Facts) {
    entry.set_text_of("Size", facts.bytes.to_string());
    if let Ok(etag) = facts.etag.to_str() {
        entry.set_text_of("ETag", etag);
    }
    if let Some(algorithm) = facts.algorithm {
        entry.set_text_of("ChecksumAlgorithm", algorithm.name());
    }
}

/// As [`rewrite`], unless the object was overwritten since it was listed.
fn rewrite_if_same(entry: &mut Element, facts: &Facts, backend_etag: &HeaderValue) {
    let listed = entry
        .text_of("ETag")
        .map(|etag| etag.trim().trim_matches('"').as_bytes());
    let asked = backend_etag.as_bytes();
    let asked = asked.strip_prefix(b"\"").unwrap_or(asked);
    let asked = asked.strip_suffix(b"\"").unwrap_or(asked);
    if listed == Some(asked) {
        rewrite(entry, facts);
    }
}

/// Query names of listings; what is not here does not reach the backend.
const LISTED: [&str; 13] = [
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "prefix",
    "start-after",
    "version-id-marker",
    "versions",
    "x-id",
];

/// Headers of listings.
const HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-amz-optional-object-attributes"),
    HeaderName::from_static("x-amz-request-payer"),
];
