//! ListBuckets, ListObjects (both), ListObjectVersions.

use std::collections::BTreeSet;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::backend::answer::ParsedRequest;
use crate::backend::store::Store;
use crate::backend::store::Stored;

/// S3's XML namespace.
pub(crate) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(crate) fn buckets(store: &Store) -> String {
    let one = |name: &String| {
        format!(
            "<Bucket><Name>{name}</Name>\
             <CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
        )
    };
    let all: String = store.buckets.keys().map(one).collect();
    format!(
        "<ListAllMyBucketsResult xmlns=\"{NAMESPACE}\"><Owner><ID>backend-owner</ID></Owner>\
         <Buckets>{all}</Buckets></ListAllMyBucketsResult>"
    )
}

/// One page: entries that pass prefix, delimiter, start and count.
struct Page {
    keys: Vec<String>,
    prefixes: BTreeSet<String>,
    /// Last name of the page, when more remain.
    next: Option<String>,
}

fn page(keys: impl Iterator<Item = String>, request: &ParsedRequest, after: &str) -> Page {
    let prefix = request.get("prefix").unwrap_or_default();
    let delimiter = request.get("delimiter").unwrap_or_default();
    let limit = request
        .get("max-keys")
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000)
        .min(1000);
    let mut page = Page {
        keys: Vec::new(),
        prefixes: BTreeSet::new(),
        next: None,
    };
    let mut last = String::new();
    for key in keys.filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        let group = if delimiter.is_empty() {
            None
        } else {
            rest.find(delimiter)
        };
        let group = group.map(|at| format!("{prefix}{}", &rest[..at + delimiter.len()]));
        if group
            .as_ref()
            .is_some_and(|g| page.prefixes.contains(g) || g.as_str() <= after)
        {
            continue;
        }
        if page.keys.len() + page.prefixes.len() >= limit {
            page.next = Some(last).filter(|_| limit > 0);
            break;
        }
        match group {
            Some(group) => {
                last.clone_from(&group);
                page.prefixes.insert(group);
            }
            None => {
                last.clone_from(&key);
                page.keys.push(key);
            }
        }
    }
    page
}

pub(crate) fn objects(store: &Store, request: &ParsedRequest) -> String {
    let second = request.get("list-type") == Some("2");
    let bucket = store.buckets.get(&request.bucket).unwrap();
    let after = if second {
        request
            .get("continuation-token")
            .or(request.get("start-after"))
    } else {
        request.get("marker")
    };
    let keys = bucket
        .versions
        .keys()
        .filter(|key| bucket.current(key).is_some())
        .cloned();
    let page = page(keys, request, after.unwrap_or_default());
    let name = |text: &str| encoded(request, text);
    let mut body = head(request, &page);
    if second {
        body.push_str(&format!(
            "<KeyCount>{}</KeyCount>",
            page.keys.len() + page.prefixes.len()
        ));
        if let Some(next) = &page.next {
            let next = escape(next);
            body.push_str(&format!(
                "<NextContinuationToken>{next}</NextContinuationToken>"
            ));
        }
    } else if let Some(next) = &page.next {
        body.push_str(&format!("<NextMarker>{}</NextMarker>", name(next)));
    }
    for key in &page.keys {
        let object = bucket.current(key).unwrap();
        body.push_str(&format!(
            "<Contents><Key>{}</Key>{}{}</Contents>",
            name(key),
            facts(object),
            metadata(request, object)
        ));
    }
    close(body, &page, request, "ListBucketResult")
}

/// An object's metadata in a listing, as MinIO returns it with `metadata=true`.
fn metadata(request: &ParsedRequest, object: &Stored) -> String {
    if request.get("metadata") != Some("true") {
        return String::new();
    }
    let fields = object.headers.iter().map(|(name, value)| {
        let name = name.replace("x-amz-meta-sealgate", "X-Amz-Meta-Sealgate");
        format!("<{name}>{}</{name}>", escape(value))
    });
    format!(
        "<UserMetadata>{}</UserMetadata>",
        fields.collect::<String>()
    )
}

pub(crate) fn versions(store: &Store, request: &ParsedRequest) -> String {
    let bucket = store.buckets.get(&request.bucket).unwrap();
    let after = request.get("key-marker").unwrap_or_default();
    let page = page(bucket.versions.keys().cloned(), request, after);
    let mut body = head(request, &page);
    if let Some(next) = &page.next {
        body.push_str(&format!(
            "<NextKeyMarker>{}</NextKeyMarker>",
            encoded(request, next)
        ));
    }
    for key in &page.keys {
        let versions = bucket.versions.get(key).unwrap();
        for (index, version) in versions.iter().enumerate().rev() {
            let kind = if version.delete_marker {
                "DeleteMarker"
            } else {
                "Version"
            };
            let facts = if version.delete_marker {
                format!("<LastModified>{}</LastModified>", iso(version.modified))
            } else {
                facts(version)
            };
            body.push_str(&format!(
                "<{kind}><Key>{}</Key><VersionId>{}</VersionId>\
                 <IsLatest>{}</IsLatest>{facts}</{kind}>",
                encoded(request, key),
                version.version_id,
                index + 1 == versions.len()
            ));
        }
    }
    close(body, &page, request, "ListVersionsResult")
}

fn head(request: &ParsedRequest, page: &Page) -> String {
    let echo = |tag: &str, name: &str| {
        request.get(name).map_or(String::new(), |v| {
            format!("<{tag}>{}</{tag}>", encoded(request, v))
        })
    };
    let plain = |tag: &str, name: &str| {
        request
            .get(name)
            .map_or(String::new(), |v| format!("<{tag}>{}</{tag}>", escape(v)))
    };
    format!(
        "<Name>{}</Name><Prefix>{}</Prefix>{}{}{}{}{}<MaxKeys>{}</MaxKeys>\
         <IsTruncated>{}</IsTruncated>",
        request.bucket,
        encoded(request, request.get("prefix").unwrap_or_default()),
        echo("Delimiter", "delimiter"),
        echo("Marker", "marker"),
        echo("KeyMarker", "key-marker"),
        plain("StartAfter", "start-after"),
        plain("EncodingType", "encoding-type"),
        request.get("max-keys").unwrap_or("1000"),
        page.next.is_some()
    )
}

fn close(mut body: String, page: &Page, request: &ParsedRequest, root: &str) -> String {
    for prefix in &page.prefixes {
        let prefix = encoded(request, prefix);
        body.push_str(&format!(
            "<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"
        ));
    }
    format!("<{root} xmlns=\"{NAMESPACE}\">{body}</{root}>")
}

fn facts(object: &Stored) -> String {
    format!(
        "<LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>\
         <StorageClass>STANDARD</StorageClass>\
         <Owner><ID>backend-owner</ID><DisplayName>backend-owner</DisplayName></Owner>",
        iso(object.modified),
        object.etag,
        object.body.len()
    )
}

/// A key in a listing: percent-encoded with `encoding-type=url`.
fn encoded(request: &ParsedRequest, text: &str) -> String {
    if request.get("encoding-type") == Some("url") {
        return utf8_percent_encode(text, KEY).to_string();
    }
    escape(text)
}

pub(crate) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text)
        .replace('\r', "&#13;")
        .replace('\n', "&#10;")
}

pub(crate) fn unescape(text: &str) -> String {
    quick_xml::escape::unescape(text)
        .unwrap_or_default()
        .into_owned()
}

/// ISO 8601 with milliseconds.
pub(crate) fn iso(seconds: u64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap();
    moment.format(ISO).unwrap()
}

const ISO: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');
