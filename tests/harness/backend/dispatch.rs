//! S3's answers to one recorded request.

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Response;
use percent_encoding::percent_decode_str;

use crate::backend::Recorded;
use crate::backend::answer::ParsedRequest;
use crate::backend::answer::between;
use crate::backend::answer::date;
use crate::backend::answer::empty;
use crate::backend::answer::error;
use crate::backend::answer::source;
use crate::backend::answer::stored_headers;
use crate::backend::answer::version;
use crate::backend::answer::with;
use crate::backend::answer::write_condition;
use crate::backend::answer::xml;
use crate::backend::chunked;
use crate::backend::listing;
use crate::backend::multipart;
use crate::backend::store::Store;
use crate::backend::store::Stored;
use crate::backend::store::Versioning;

/// Answers `seen` from `store`.
pub(crate) fn answer(store: &mut Store, mut seen: Recorded) -> Response<Bytes> {
    if let Err(code) = store.access_keys.check(&seen) {
        return error(403, code);
    }
    let is_chunked = match seen.header("x-amz-content-sha256") {
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => true,
        hash if hash.starts_with("STREAMING-") => return error(501, "NotImplemented"),
        _ => false,
    };
    if is_chunked != seen.header("content-encoding").starts_with("aws-chunked") {
        return error(400, "InvalidRequest");
    }
    let has_digest = is_chunked || seen.headers.contains_key("content-md5");
    let locks = |name: &http::HeaderName| name.as_str().starts_with("x-amz-object-lock-");
    let is_copy = seen.headers.contains_key("x-amz-copy-source");
    let locked = seen.method == Method::PUT && seen.headers.keys().any(locks) && !is_copy;
    if locked && !has_digest {
        return error(400, "InvalidRequest");
    }
    if seen.method == Method::PUT && !seen.headers.contains_key("content-length") {
        return error(411, "MissingContentLength");
    }
    let path = seen.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let query = seen
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
    let counts = |(name, _): &(String, String)| !store.ignores_versions || name != "versionId";
    let query = query.filter(counts).collect();
    let (bucket, key) = (decode(bucket), store.key(decode(key)));
    let mut body = Bytes::from(std::mem::take(&mut seen.body));
    if is_chunked {
        match chunked::decode(&seen, &body) {
            Ok(decoded) => body = decoded,
            Err(code) => return error(400, code),
        }
        // It is about the transfer, not about the object.
        let coding = seen.header("content-encoding").to_owned();
        let own = coding.strip_prefix("aws-chunked,").map(str::to_owned);
        seen.headers.remove("content-encoding");
        if let Some(own) = own {
            seen.headers
                .insert("content-encoding", own.parse().unwrap());
        }
    }
    let request = ParsedRequest {
        seen,
        body,
        bucket,
        key,
        query,
    };
    if request.bucket.is_empty() {
        return xml(listing::buckets(store));
    }
    let known = store.buckets.contains_key(&request.bucket);
    let creates = request.seen.method == Method::PUT && request.key.is_empty();
    if !known && !creates {
        return error(404, "NoSuchBucket");
    }
    if request.key.is_empty() {
        bucket_answer(store, &request)
    } else {
        object_answer(store, &request)
    }
}

fn bucket_answer(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    let name = request.bucket.as_str();
    if let Some(subresource) = SUBRESOURCES.iter().find(|s| request.get(s).is_some()) {
        return subresource_answer(store, request, subresource);
    }
    match request.seen.method {
        Method::PUT if store.buckets.contains_key(name) => error(409, "BucketAlreadyOwnedByYou"),
        Method::PUT => {
            store.create_bucket(name);
            with(empty(200), &[("location", &format!("/{name}"))])
        }
        Method::HEAD => empty(200),
        Method::DELETE
            if store
                .buckets
                .get(name)
                .is_some_and(|b| !b.versions.is_empty()) =>
        {
            error(409, "BucketNotEmpty")
        }
        Method::DELETE => {
            store.buckets.remove(name);
            empty(204)
        }
        Method::POST if request.get("delete").is_some() => delete_many(store, request),
        Method::GET if request.get("location").is_some() => xml("<LocationConstraint/>".into()),
        Method::GET if request.get("uploads").is_some() => multipart::uploads(store, request),
        Method::GET if request.get("versions").is_some() => xml(listing::versions(store, request)),
        Method::GET => xml(listing::objects(store, request)),
        _ => error(405, "MethodNotAllowed"),
    }
}

fn subresource_answer(store: &mut Store, request: &ParsedRequest, kind: &str) -> Response<Bytes> {
    let bucket = store.buckets.get_mut(&request.bucket).unwrap();
    match request.seen.method {
        Method::PUT => {
            let body = request.body.clone();
            if kind == "versioning" {
                let enabled = request.body.windows(7).any(|w| w == b"Enabled");
                bucket.versioning = if enabled {
                    Versioning::Enabled
                } else {
                    Versioning::Suspended
                };
            }
            bucket.subresources.insert(kind.to_owned(), body);
            empty(200)
        }
        Method::DELETE => {
            bucket.subresources.remove(kind);
            empty(204)
        }
        _ => match bucket.subresources.get(kind) {
            Some(body) => xml(String::from_utf8_lossy(body).into_owned()),
            None if kind == "versioning" => xml("<VersioningConfiguration/>".into()),
            None if kind == "acl" => xml("<AccessControlPolicy/>".into()),
            None if kind == "object-lock" => xml(
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
                 </ObjectLockConfiguration>"
                    .into(),
            ),
            None => error(404, "NoSuchConfiguration"),
        },
    }
}

fn delete_many(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let mut result = String::new();
    for object in body.split("<Object>").skip(1) {
        let key = listing::unescape(between(object, "<Key>", "</Key>").unwrap_or_default());
        let version = between(object, "<VersionId>", "</VersionId>");
        store.delete(&request.bucket, &key, version);
        let version = version
            .map(|v| format!("<VersionId>{v}</VersionId>"))
            .unwrap_or_default();
        let key = listing::escape(&key);
        result.push_str(&format!("<Deleted><Key>{key}</Key>{version}</Deleted>"));
    }
    if body.contains("<Quiet>true</Quiet>") {
        result.clear();
    }
    xml(format!(
        "<DeleteResult xmlns=\"{}\">{result}</DeleteResult>",
        listing::NAMESPACE
    ))
}

/// Whether a bucket locks each new object, and so demands a digest of it.
fn locks_by_default(store: &Store, bucket: &str) -> bool {
    let configuration = store.buckets[bucket].subresources.get("object-lock");
    configuration.is_some_and(|it| String::from_utf8_lossy(it).contains("<DefaultRetention>"))
}

fn object_answer(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    let has_digest =
        ["content-md5", "x-amz-trailer"].map(|it| request.seen.headers.contains_key(it));
    let writes = request.seen.method == Method::PUT
        && !request.seen.headers.contains_key("x-amz-copy-source")
        && request.get("tagging").is_none();
    if writes && has_digest == [false, false] && locks_by_default(store, &request.bucket) {
        return error(400, "InvalidRequest");
    }
    for unsupported in ["attributes", "retention", "legal-hold", "torrent"] {
        if request.get(unsupported).is_some() {
            return error(501, "NotImplemented");
        }
    }
    match request.seen.method {
        _ if request.get("uploads").is_some() || request.get("uploadId").is_some() => {
            multipart::answer(store, request)
        }
        _ if request.get("tagging").is_some() => object_tags(store, request),
        _ if request.get("acl").is_some() => xml("<AccessControlPolicy/>".into()),
        Method::PUT => put(store, request),
        Method::GET | Method::HEAD => get(store, request),
        Method::DELETE => {
            let gone = store.delete(&request.bucket, &request.key, request.get("versionId"));
            let answer = empty(204);
            match gone {
                Some((id, true)) => with(
                    answer,
                    &[("x-amz-version-id", &id), ("x-amz-delete-marker", "true")],
                ),
                Some((id, false)) => with(answer, &[("x-amz-version-id", &id)]),
                None => answer,
            }
        }
        _ => error(405, "MethodNotAllowed"),
    }
}

fn object_tags(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    let bucket = store.buckets.get_mut(&request.bucket).unwrap();
    let object = bucket
        .versions
        .get_mut(&request.key)
        .and_then(|versions| versions.last_mut());
    let Some(object) = object.filter(|object| !object.delete_marker) else {
        return error(404, "NoSuchKey");
    };
    match request.seen.method {
        Method::PUT => {
            object.tags = Some(request.body.clone());
            empty(200)
        }
        Method::DELETE => {
            object.tags = None;
            empty(204)
        }
        _ => match &object.tags {
            Some(tags) => xml(String::from_utf8_lossy(tags).into_owned()),
            None => xml("<Tagging><TagSet></TagSet></Tagging>".into()),
        },
    }
}

fn put(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    if let Some(refused) = write_condition(store, request) {
        return refused;
    }
    if request.seen.headers.contains_key("x-amz-copy-source") {
        return copy(store, request);
    }
    let mut object = Stored::new(request.body.clone(), stored_headers(&request.seen.headers));
    if !store.drops_tags {
        object.tags = tag_set(request.seen.header("x-amz-tagging"));
    }
    let stored = store.put(&request.bucket, &request.key, object);
    with(
        empty(200),
        &[
            ("date", &date(&stored)),
            ("etag", &format!("\"{}\"", stored.etag)),
            ("x-amz-version-id", version(&stored)),
        ],
    )
}

fn copy(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    let mut object = match source(store, request) {
        Ok(object) => object,
        Err(refused) => return *refused,
    };
    if request.seen.header("x-amz-metadata-directive") == "REPLACE" {
        object.headers = stored_headers(&request.seen.headers);
    }
    if request.seen.header("x-amz-tagging-directive") == "REPLACE" {
        object.tags = tag_set(request.seen.header("x-amz-tagging"));
    }
    object.version_id = "null".into();
    let stored = store.put(&request.bucket, &request.key, object);
    let body = format!(
        "<CopyObjectResult><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag>\
         </CopyObjectResult>",
        listing::iso(stored.modified),
        stored.etag
    );
    with(
        xml(body),
        &[
            ("date", &date(&stored)),
            ("x-amz-version-id", version(&stored)),
        ],
    )
}

fn get(store: &Store, request: &ParsedRequest) -> Response<Bytes> {
    let bucket = store.buckets.get(&request.bucket).unwrap();
    let Some(object) = bucket.version(&request.key, request.get("versionId")) else {
        let code = if request.get("versionId").is_some() {
            "NoSuchVersion"
        } else {
            "NoSuchKey"
        };
        return error(404, code);
    };
    if object.delete_marker {
        let code = if request.get("versionId").is_some() {
            405
        } else {
            404
        };
        let answer = error(
            code,
            if code == 405 {
                "MethodNotAllowed"
            } else {
                "NoSuchKey"
            },
        );
        return with(
            answer,
            &[
                ("x-amz-delete-marker", "true"),
                ("x-amz-version-id", version(object)),
            ],
        );
    }
    if let Some(refused) = precondition(&request.seen.headers, object) {
        return refused;
    }
    let total = object.body.len();
    let (code, body, content_range) = match range(request.seen.header("range"), total) {
        Range::Whole => (200, object.body.clone(), None),
        Range::Unsatisfiable => return error(416, "InvalidRange"),
        Range::Part(first, last) => {
            let text = format!("bytes {first}-{last}/{total}");
            (206, object.body.slice(first..=last), Some(text))
        }
    };
    let mut answer = Response::builder()
        .status(code)
        .header("accept-ranges", "bytes")
        .header("content-length", body.len())
        .header("etag", format!("\"{}\"", object.etag))
        .header("last-modified", date(object));
    for (name, value) in &object.headers {
        answer = answer.header(name, value);
    }
    if let Some(text) = content_range {
        answer = answer.header("content-range", text);
    }
    if !version(object).is_empty() {
        answer = answer.header("x-amz-version-id", version(object));
    }
    if let Some(tags) = &object.tags {
        let count = String::from_utf8_lossy(tags).matches("<Tag>").count();
        answer = answer.header("x-amz-tagging-count", count);
    }
    answer.body(body).unwrap()
}

/// The tags of a query string as a document; none of an empty one.
fn tag_set(text: &str) -> Option<Bytes> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let tags: String = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| {
            let (key, value) = (
                listing::escape(&decode(key)),
                listing::escape(&decode(value)),
            );
            format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")
        })
        .collect();
    let document = format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    (!tags.is_empty()).then(|| document.into())
}

fn precondition(headers: &HeaderMap, object: &Stored) -> Option<Response<Bytes>> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let names = |list: &str| {
        list.split(',')
            .any(|etag| etag.trim().trim_matches('"') == object.etag || etag == "*")
    };
    if value("if-match").is_some_and(|list| !names(list)) {
        return Some(error(412, "PreconditionFailed"));
    }
    if value("if-none-match").is_some_and(names) {
        let etag = format!("\"{}\"", object.etag);
        return Some(with(empty(304), &[("etag", &etag)]));
    }
    None
}

enum Range {
    Whole,
    Part(usize, usize),
    Unsatisfiable,
}

/// RFC 9110, section 14: one range only, anything odd is ignored.
fn range(header: &str, total: usize) -> Range {
    let Some(spec) = header.strip_prefix("bytes=") else {
        return Range::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Range::Whole;
    };
    let last_byte = total.saturating_sub(1);
    match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), _) if first >= total => Range::Unsatisfiable,
        (Ok(first), Ok(last)) if last >= first => Range::Part(first, last.min(last_byte)),
        (Ok(first), Err(_)) if last.is_empty() => Range::Part(first, last_byte),
        (Err(_), Ok(0)) => Range::Unsatisfiable,
        (Err(_), Ok(_)) if total == 0 => Range::Unsatisfiable,
        (Err(_), Ok(count)) if first.is_empty() => {
            Range::Part(total.saturating_sub(count), last_byte)
        }
        _ => Range::Whole,
    }
}
const SUBRESOURCES: [&str; 16] = [
    "accelerate",
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "versioning",
    "website",
];
