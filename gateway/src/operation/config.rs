//! How objects are read, written, copied and listed.

/// How objects are read and written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest body that is held in memory, in bytes; larger ones are streamed.
    ///
    /// What is held in memory has its digests in the envelope, so that a read takes one request to the
    /// backend. Counts for every write in flight.
    pub inline_body_max_bytes: usize,

    /// Whether SSE-C and SSE-KMS are allowed over plain HTTP, where anyone can read the keys and
    /// the objects. For fixtures only.
    pub allow_insecure_sse: bool,

    /// Buckets whose objects may lie unsealed at the backend, because they were there before the
    /// gateway. Their unsealed objects are handed out; everywhere else they are refused.
    pub adopted_buckets: Vec<String>,

    /// How many objects' digests are remembered, so that reading large objects again takes one
    /// request to the backend instead of two. About 200 bytes each.
    pub records_max: u64,

    /// How copies are made.
    pub copy: CopyMode,

    /// How listings are made.
    pub listing: Listing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inline_body_max_bytes: 256 << 10,
            allow_insecure_sse: false,
            adopted_buckets: Vec::new(),
            records_max: 100_000,
            copy: CopyMode::default(),
            listing: Listing::default(),
        }
    }
}

/// How copies are made, where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyMode {
    /// The backend copies the sealed bytes, and their data key is wrapped anew: takes no longer for a
    /// large object than for a small one. Who could open the source could forge the copy at the
    /// backend.
    #[default]
    Rewrap,
    /// Objects are opened and sealed under a data key of their own.
    Reencrypt,
}

/// How listings are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listing {
    /// Which ETags a listing shows.
    pub list_etag: ListETag,
    /// Most HEAD requests that one listing has at the backend at a time.
    pub heads_max: usize,
    /// How much memory the sizes and ETags of objects may take that are remembered for listings, in
    /// bytes; an object takes about 400.
    pub known_max_bytes: u64,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            list_etag: ListETag::Exact,
            heads_max: 32,
            known_max_bytes: 16 << 20,
        }
    }
}

/// Which ETags a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListETag {
    /// The same as HeadObject, at the price of a HEAD for each object that is not remembered yet.
    Exact,
    /// The backend's where the object is not remembered yet: one request a listing, but the ETag of an
    /// SSE-S3 object then differs from HeadObject's.
    Backend,
}
