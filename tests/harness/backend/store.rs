//! Buckets and object versions in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use md5::Digest;
use md5::Md5;

use crate::backend::access_keys::AccessKeys;

/// All buckets, by name.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    /// Uploads that are not complete, by id.
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// Whether the version that a request names does not count, as at a backend that has none.
    pub(crate) ignores_versions: bool,
    /// Whether conditions of writes are not compared.
    pub(crate) ignores_conditions: bool,
    /// Whether keys are taken as names of files.
    pub(crate) folds_keys: bool,
    /// Whether tags in a header of a write are ignored.
    pub(crate) drops_tags: bool,
    /// Who may do anything.
    pub(crate) access_keys: AccessKeys,
    ticks: u64,
}

/// A multipart upload.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Headers that the object will give back.
    pub headers: Vec<(String, String)>,
    /// Parts by number.
    pub parts: BTreeMap<u32, Stored>,
    /// When it was created, in seconds.
    pub initiated: u64,
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Versions per key, oldest first.
    pub versions: BTreeMap<String, Vec<Stored>>,
    /// Subresources (`tagging`, `acl`, `policy`, ...) as they were put.
    pub subresources: BTreeMap<String, Bytes>,
    /// Versioning status.
    pub versioning: Versioning,
}

/// A bucket's versioning status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// Never switched on.
    #[default]
    Off,
    /// On.
    Enabled,
    /// Was on.
    Suspended,
}

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Body as stored.
    pub body: Bytes,
    /// Headers that are given back: content type and the like, `x-amz-meta-*`.
    pub headers: Vec<(String, String)>,
    /// ETag without quotes.
    pub etag: String,
    /// Version id; `null` while versioning is off.
    pub version_id: String,
    /// Whether this is a delete marker.
    pub delete_marker: bool,
    /// Last change, seconds since the epoch.
    pub modified: u64,
    /// Tag set XML.
    pub tags: Option<Bytes>,
}

impl Stored {
    /// A version with the body's MD5 as its ETag.
    #[must_use]
    pub fn new(body: impl Into<Bytes>, headers: Vec<(String, String)>) -> Self {
        let body = body.into();
        let etag = hex::encode(Md5::digest(&body));
        Self {
            body,
            headers,
            etag,
            version_id: "null".into(),
            ..Self::default()
        }
    }

    /// A header given back with the object; empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Sets the body and the ETag that belongs to it.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        self.etag = hex::encode(Md5::digest(&self.body));
    }

    /// Sets or replaces a header.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

impl Store {
    /// A strictly rising count of seconds: no two writes share a moment.
    pub(crate) fn now(&mut self) -> u64 {
        self.ticks += 1;
        FIRST_MOMENT + self.ticks
    }

    /// The key that a request means; as a file system takes it where keys are folded: without empty
    /// segments and dots, with one kind of slash.
    pub(crate) fn key(&self, key: String) -> String {
        if !self.folds_keys {
            return key;
        }
        let mut folded = Vec::new();
        for segment in key.split(['/', '\\']) {
            match segment {
                "" | "." => {}
                ".." => drop(folded.pop()),
                segment => folded.push(segment),
            }
        }
        folded.join("/")
    }

    pub(crate) fn create_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default();
    }

    /// Puts under the bucket's versioning; gives the stored version back.
    pub(crate) fn put(&mut self, bucket: &str, key: &str, mut object: Stored) -> Stored {
        object.modified = self.now();
        let ticks = self.ticks;
        let bucket = self.buckets.get_mut(bucket).unwrap();
        if bucket.versioning == Versioning::Enabled {
            object.version_id = format!("v{ticks:016}");
        }
        bucket.put(key, object.clone());
        object
    }

    /// Deletes as S3 does; gives (version id, is it a delete marker) for the answer's headers.
    pub(crate) fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Option<(String, bool)> {
        let versioning = self.buckets.get(bucket)?.versioning;
        if let Some(version) = version {
            let versions = self.buckets.get_mut(bucket)?.versions.get_mut(key)?;
            let at = versions.iter().position(|v| v.version_id == version)?;
            let gone = versions.remove(at);
            if versions.is_empty() {
                self.buckets.get_mut(bucket)?.versions.remove(key);
            }
            return Some((gone.version_id, gone.delete_marker));
        }
        if versioning == Versioning::Off {
            self.buckets.get_mut(bucket)?.versions.remove(key);
            return None;
        }
        let marker = Stored {
            version_id: "null".into(),
            delete_marker: true,
            ..Stored::default()
        };
        let marker = self.put(bucket, key, marker);
        Some((marker.version_id, true))
    }
}

impl Bucket {
    /// Newest version, if it is no delete marker.
    #[must_use]
    pub fn current(&self, key: &str) -> Option<&Stored> {
        self.versions
            .get(key)?
            .last()
            .filter(|version| !version.delete_marker)
    }

    pub(crate) fn version(&self, key: &str, version: Option<&str>) -> Option<&Stored> {
        let Some(id) = version else {
            return self.versions.get(key)?.last();
        };
        self.versions
            .get(key)?
            .iter()
            .find(|version| version.version_id == id)
    }

    pub(crate) fn put(&mut self, key: &str, object: Stored) {
        let versions = self.versions.entry(key.to_owned()).or_default();
        if object.version_id == "null" {
            versions.retain(|version| version.version_id != "null");
        }
        versions.push(object);
    }
}

/// 2026-01-01T00:00:00Z.
const FIRST_MOMENT: u64 = 1_767_225_600;
