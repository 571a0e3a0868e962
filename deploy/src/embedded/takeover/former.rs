//! A folder that the earlier embedded backend wrote, `s3s-fs` 0.14.
//!
//! ```text
//! <folder>/BUCKET/KEY                              the bytes of an object
//! <folder>/.bucket-B.object-K.metadata.json        its headers; B and K are base64
//! <folder>/.bucket-B.object-K.internal.json        its ETag and checksums
//! <folder>/.bucket-B.object-K.upload-U.metadata.json, .upload-U.json, .upload_id-U.part-N
//!                                                  an upload that was not completed
//! <folder>/.tmp.N.internal.part                    a file that was being written
//! ```
//!
//! It took an upload only from the process in which it had begun, so what is left of those is not
//! taken over. Empty folders are no objects: it never listed or returned them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::Timestamp;
use s3s::dto::TimestampFormat;
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::embedded::index::record::Checksum;
use crate::embedded::takeover::remove_file;

/// The folder, and what was recorded of its objects.
pub(super) struct Former {
    root: PathBuf,
    /// By the path of an object: its key, as the newest record of it has it. Several keys led to one
    /// file, of which the last that was written counts.
    keys: HashMap<PathBuf, (String, SystemTime)>,
}

/// A bucket.
pub(super) struct FormerBucket {
    pub(super) name: String,
    /// In milliseconds since 1970.
    pub(super) created_ms: i64,
}

/// An object.
pub(super) struct FormerObject {
    pub(super) key: String,
    /// Where its bytes are.
    pub(super) path: PathBuf,
    /// In milliseconds since 1970.
    pub(super) modified_ms: i64,
    /// ETag, without quotes, if it was recorded.
    pub(super) etag: Option<String>,
    /// Names, in lower case, and values.
    pub(super) headers: Vec<(String, ByteBuf)>,
    pub(super) checksum: Option<Checksum>,
    /// What was recorded of it.
    records: [PathBuf; 2],
}

/// The headers of an object, as they were recorded.
#[derive(Debug, Default, Deserialize)]
struct Attributes {
    user_metadata: Option<HashMap<String, String>>,
    content_encoding: Option<String>,
    content_type: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    cache_control: Option<String>,
    expires: Option<String>,
    website_redirect_location: Option<String>,
}

impl Former {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let mut keys: HashMap<PathBuf, (String, SystemTime)> = HashMap::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name();
            let named = name.to_str().and_then(|name| {
                INFO_ENDINGS
                    .iter()
                    .find_map(|ending| recorded(name, ending))
            });
            let Some((bucket, key)) = named else {
                continue;
            };
            let Some(path) = path_of(root, &bucket, &key) else {
                continue;
            };
            let written = entry.metadata()?.modified()?;
            let is_newer = keys.get(&path).is_none_or(|(_, other)| written > *other);
            if is_newer {
                keys.insert(path, (key, written));
            }
        }
        let root = root.to_owned();
        Ok(Self { root, keys })
    }

    /// All buckets, in the order of their names.
    pub(super) fn buckets(&self) -> io::Result<Vec<FormerBucket>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let metadata = entry.metadata()?;
            let created = metadata.created().or_else(|_| metadata.modified())?;
            buckets.push(FormerBucket {
                name: text(entry.path().file_name(), &entry.path())?,
                created_ms: milliseconds(created),
            });
        }
        buckets.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(buckets)
    }

    /// The objects of a bucket.
    pub(super) fn objects<'a>(
        &'a self,
        bucket: &'a str,
    ) -> io::Result<impl Iterator<Item = io::Result<FormerObject>> + 'a> {
        let mut paths = Vec::new();
        collect_files(&self.root.join(bucket), &mut paths)?;
        paths.sort();
        Ok(paths.into_iter().map(move |path| self.object(bucket, path)))
    }

    fn object(&self, bucket: &str, path: PathBuf) -> io::Result<FormerObject> {
        let key = match self.keys.get(&path) {
            Some((key, _)) => key.clone(),
            None => {
                let root = self.root.join(bucket);
                let relative = path.strip_prefix(&root).map_err(io::Error::other)?;
                text(Some(relative.as_os_str()), &path)?
            }
        };
        let name = |ending: &str| {
            let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let name = format!(
                ".bucket-{}.object-{}{ending}",
                encoded(bucket),
                encoded(&key)
            );
            self.root.join(name)
        };
        let [metadata, info] = INFO_ENDINGS.map(name);
        let attributes = match read_record(&metadata)? {
            Some(bytes) => attributes(&bytes)?,
            None => Attributes::default(),
        };
        let recorded: HashMap<String, String> = match read_record(&info)? {
            Some(bytes) => serde_json::from_slice(&bytes)?,
            None => HashMap::new(),
        };
        let etag = recorded.get("e_tag").cloned();
        // Completing an upload did not replace the checksum of the object before.
        let is_whole = etag.as_ref().is_some_and(|etag| !etag.contains('-'));
        Ok(FormerObject {
            modified_ms: milliseconds(fs::metadata(&path)?.modified()?),
            key,
            path,
            headers: headers(attributes),
            checksum: checksum(&recorded).filter(|_| is_whole),
            etag,
            records: [metadata, info],
        })
    }

    /// Removes what is left: uploads, records without an object, and empty folders.
    pub(super) fn remove(self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                remove_folders(&entry.path())?;
            } else if name.to_str().is_some_and(is_record) {
                remove_file(&entry.path())?;
            }
        }
        // Where it has anything else, that stays: nobody here wrote it.
        if let Err(error) = fs::remove_dir(&self.root) {
            tracing::warn!(%error, folder = %self.root.display(), "a folder could not be removed");
        }
        Ok(())
    }
}

impl FormerObject {
    /// Removes its files. The bytes go first: what is recorded of an object without bytes is none.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove_file(&self.path)?;
        self.records.iter().try_for_each(|path| remove_file(path))
    }
}

/// Bucket and key in the name of a record.
fn recorded(name: &str, ending: &str) -> Option<(String, String)> {
    let names = name.strip_prefix(".bucket-")?.strip_suffix(ending)?;
    let (bucket, key) = names.split_once(".object-")?;
    let decoded = |text: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    Some((decoded(bucket)?, decoded(key)?))
}

/// Where the earlier backend wrote an object; none outside its bucket.
fn path_of(root: &Path, bucket: &str, key: &str) -> Option<PathBuf> {
    let mut segments = Vec::new();
    for component in Path::new(key).components() {
        match component {
            Component::Normal(segment) => segments.push(segment),
            Component::ParentDir => {
                segments.pop()?;
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    let mut path = root.join(bucket);
    path.extend(segments);
    Some(path)
}

fn collect_files(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => collect_files(&entry.path(), paths)?,
            kind if kind.is_file() => paths.push(entry.path()),
            _ => {
                let text = format!("{} is neither a file nor a folder", entry.path().display());
                return Err(io::Error::other(text));
            }
        }
    }
    Ok(())
}

fn remove_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_folders(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn is_record(name: &str) -> bool {
    [".bucket-", ".upload-", ".upload_id-", ".tmp."]
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

fn read_record(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The headers in a record; its oldest form has the metadata only.
fn attributes(bytes: &[u8]) -> io::Result<Attributes> {
    let value: serde_json::Value = serde_json::from_slice(bytes)?;
    let oldest: Result<HashMap<String, String>, _> = serde_json::from_value(value.clone());
    let is_named = |metadata: &HashMap<String, String>| {
        metadata.keys().any(|name| NAMES.contains(&name.as_str()))
    };
    match oldest {
        Ok(metadata) if !metadata.is_empty() && !is_named(&metadata) => Ok(Attributes {
            user_metadata: Some(metadata),
            ..Attributes::default()
        }),
        _ => Ok(serde_json::from_value(value)?),
    }
}

fn headers(attributes: Attributes) -> Vec<(String, ByteBuf)> {
    let expires = attributes.expires.and_then(|text| http_date(&text));
    let content_type = attributes.content_type;
    let named = [
        ("cache-control", attributes.cache_control),
        ("content-disposition", attributes.content_disposition),
        ("content-encoding", attributes.content_encoding),
        ("content-language", attributes.content_language),
        (
            "content-type",
            Some(content_type.unwrap_or_else(|| CONTENT_TYPE.to_owned())),
        ),
        ("expires", expires),
        (
            "x-amz-website-redirect-location",
            attributes.website_redirect_location,
        ),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), ByteBuf::from(value?))));
    let metadata = attributes.user_metadata.unwrap_or_default();
    let metadata = metadata
        .into_iter()
        .map(|(name, value)| (format!("x-amz-meta-{name}"), ByteBuf::from(value)));
    let mut headers: Vec<(String, ByteBuf)> = named.chain(metadata).collect();
    headers.sort();
    headers
}

fn checksum(recorded: &HashMap<String, String>) -> Option<Checksum> {
    let found = CHECKSUMS
        .iter()
        .find_map(|(name, algorithm)| Some((recorded.get(*name)?, algorithm)));
    found.map(|(value, algorithm)| Checksum {
        algorithm: (*algorithm).to_owned(),
        value: value.clone(),
        is_composite: false,
    })
}

fn http_date(text: &str) -> Option<String> {
    let time = Timestamp::parse(TimestampFormat::DateTime, text).ok()?;
    let mut date = Vec::new();
    time.format(TimestampFormat::HttpDate, &mut date).ok()?;
    String::from_utf8(date).ok()
}

fn text(name: Option<&std::ffi::OsStr>, path: &Path) -> io::Result<String> {
    let text = name.and_then(|name| name.to_str()).map(ToOwned::to_owned);
    text.ok_or_else(|| io::Error::other(format!("{} has no name in UTF-8", path.display())))
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// How the names of the records of an object end: its headers, and its ETag and checksums.
const INFO_ENDINGS: [&str; 2] = [".metadata.json", ".internal.json"];

/// The names in a record of headers.
const NAMES: [&str; 8] = [
    "user_metadata",
    "content_encoding",
    "content_type",
    "content_disposition",
    "content_language",
    "cache_control",
    "expires",
    "website_redirect_location",
];

/// The names of checksums in a record, and their algorithms.
const CHECKSUMS: [(&str, &str); 5] = [
    ("checksum_crc64nvme", "CRC64NVME"),
    ("checksum_crc32", "CRC32"),
    ("checksum_crc32c", "CRC32C"),
    ("checksum_sha1", "SHA1"),
    ("checksum_sha256", "SHA256"),
];

/// The content type of an object that came without one, as at AWS.
const CONTENT_TYPE: &str = "binary/octet-stream";
