//! Multipart uploads, as S3 does them: parts are compared by ETag, and all except the last have 5 MiB.

use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest;
use md5::Md5;

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
use crate::backend::listing;
use crate::backend::store::Store;
use crate::backend::store::Stored;
use crate::backend::store::Upload;

/// Answers a request about one upload.
pub(crate) fn answer(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    if request.get("uploads").is_some() {
        return create(store, request);
    }
    let id = request.get("uploadId").unwrap_or_default().to_owned();
    let known = store
        .uploads
        .get(&id)
        .is_some_and(|upload| (&upload.bucket, &upload.key) == (&request.bucket, &request.key));
    if !known {
        return error(404, "NoSuchUpload");
    }
    match request.seen.method {
        Method::PUT => part(store, request, &id),
        Method::GET => parts(store, request, &id),
        Method::POST => complete(store, request, &id),
        Method::DELETE => {
            store.uploads.remove(&id);
            empty(204)
        }
        _ => error(405, "MethodNotAllowed"),
    }
}

fn create(store: &mut Store, request: &ParsedRequest) -> Response<Bytes> {
    let initiated = store.now();
    let id = format!("upload-{initiated}");
    let upload = Upload {
        initiated,
        bucket: request.bucket.clone(),
        key: request.key.clone(),
        headers: stored_headers(&request.seen.headers),
        ..Upload::default()
    };
    store.uploads.insert(id.clone(), upload);
    let (bucket, key) = (
        listing::escape(&request.bucket),
        listing::escape(&request.key),
    );
    xml(format!(
        "<InitiateMultipartUploadResult xmlns=\"{}\"><Bucket>{bucket}</Bucket><Key>{key}</Key>\
         <UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
        listing::NAMESPACE
    ))
}

fn part(store: &mut Store, request: &ParsedRequest, id: &str) -> Response<Bytes> {
    let number = request.get("partNumber").and_then(|text| text.parse().ok());
    let Some(number @ 1..=10_000) = number else {
        return error(400, "InvalidArgument");
    };
    let copied = request.seen.headers.contains_key("x-amz-copy-source");
    let has_digest =
        ["content-md5", "x-amz-trailer"].map(|it| request.seen.headers.contains_key(it));
    let headers = &store.uploads[id].headers;
    let locked = headers
        .iter()
        .any(|(name, _)| name.starts_with("x-amz-object-lock-"));
    if locked && !copied && has_digest == [false, false] {
        return error(400, "InvalidRequest");
    }
    let body = if copied {
        match copied_range(store, request) {
            Ok(body) => body,
            Err(refused) => return *refused,
        }
    } else {
        request.body.clone()
    };
    let mut part = Stored::new(body, Vec::new());
    part.modified = store.now();
    let etag = format!("\"{}\"", part.etag);
    store
        .uploads
        .get_mut(id)
        .unwrap()
        .parts
        .insert(number, part);
    if copied {
        let etag = listing::escape(&etag);
        return xml(format!(
            "<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>"
        ));
    }
    with(empty(200), &[("etag", &etag)])
}

/// The bytes that a part is copied from.
fn copied_range(store: &Store, request: &ParsedRequest) -> Result<Bytes, Box<Response<Bytes>>> {
    let object = source(store, request)?;
    let range = request.seen.header("x-amz-copy-source-range");
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|it| it.split_once('-'))
    else {
        return Ok(object.body);
    };
    let bounds = first.parse::<usize>().ok().zip(last.parse::<usize>().ok());
    match bounds {
        Some((first, last)) if first <= last && last < object.body.len() => {
            Ok(object.body.slice(first..=last))
        }
        _ => Err(Box::new(error(416, "InvalidRange"))),
    }
}

fn parts(store: &Store, request: &ParsedRequest, id: &str) -> Response<Bytes> {
    let marker = request.get("part-number-marker");
    let marker: u32 = marker.and_then(|text| text.parse().ok()).unwrap_or(0);
    let upload = &store.uploads[id];
    let mut after = upload.parts.range(marker + 1..);
    let mut listed = String::new();
    let mut next = marker;
    for (number, part) in after.by_ref().take(1_000) {
        next = *number;
        listed.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><LastModified>{}</LastModified>\
             <ETag>&quot;{}&quot;</ETag><Size>{}</Size></Part>",
            listing::iso(part.modified),
            part.etag,
            part.body.len()
        ));
    }
    let truncated = after.next().is_some();
    xml(format!(
        "<ListPartsResult><NextPartNumberMarker>{next}</NextPartNumberMarker>\
         <IsTruncated>{truncated}</IsTruncated>{listed}<StorageClass>STANDARD</StorageClass>\
         </ListPartsResult>"
    ))
}

fn complete(store: &mut Store, request: &ParsedRequest, id: &str) -> Response<Bytes> {
    let upload = store.uploads[id].clone();
    let document = String::from_utf8_lossy(&request.body).into_owned();
    let mut body = Vec::new();
    let mut digests = Vec::new();
    let mut previous = 0;
    let mut short = false;
    for listed in document.split("<Part>").skip(1) {
        let number = between(listed, "<PartNumber>", "</PartNumber>").unwrap_or_default();
        let number: u32 = number.parse().unwrap_or(0);
        let etag = between(listed, "<ETag>", "</ETag>").unwrap_or_default();
        let etag = listing::unescape(etag);
        if number <= previous {
            return error(400, "InvalidPartOrder");
        }
        previous = number;
        let Some(part) = upload.parts.get(&number) else {
            return error(400, "InvalidPart");
        };
        if etag.trim_matches('"') != part.etag {
            return error(400, "InvalidPart");
        }
        if short {
            return error(400, "EntityTooSmall");
        }
        short = part.body.len() < 5 << 20;
        digests.extend(hex::decode(&part.etag).unwrap());
        body.extend_from_slice(&part.body);
    }
    if previous == 0 {
        return error(400, "MalformedXML");
    }
    if let Some(refused) = write_condition(store, request) {
        return refused;
    }
    let mut object = Stored::new(body, upload.headers);
    object.etag = format!(
        "{}-{}",
        hex::encode(Md5::digest(&digests)),
        digests.len() / 16
    );
    let stored = store.put(&request.bucket, &request.key, object);
    store.uploads.remove(id);
    let body = format!(
        "<CompleteMultipartUploadResult><Location>http://backend-host-canary/</Location>\
         <ETag>&quot;{}&quot;</ETag></CompleteMultipartUploadResult>",
        stored.etag
    );
    let date = date(&stored);
    let headers = [
        ("date", date.as_str()),
        ("x-amz-version-id", version(&stored)),
    ];
    with(xml(body), &headers)
}

/// Answers a list of a bucket's uploads, in the order of their ids: a page begins after `upload-id-marker`.
pub(crate) fn uploads(store: &Store, request: &ParsedRequest) -> Response<Bytes> {
    let prefix = request.get("prefix").unwrap_or_default();
    let of_bucket = store
        .uploads
        .iter()
        .filter(|(_, upload)| upload.bucket == request.bucket && upload.key.starts_with(prefix));
    let marker = request.get("upload-id-marker").unwrap_or_default();
    let most = request.get("max-uploads").and_then(|it| it.parse().ok());
    let mut after = of_bucket.filter(|(id, _)| id.as_str() > marker);
    let page: Vec<_> = after.by_ref().take(most.unwrap_or(UPLOADS_MAX)).collect();
    let truncated = after.next().is_some();
    let listed = page.iter().map(|(id, upload)| {
        let key = listing::escape(&upload.key);
        let initiated = listing::iso(upload.initiated);
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId>\
             <Initiated>{initiated}</Initiated></Upload>"
        )
    });
    let listed: String = listed.collect();
    let next = page.last().filter(|_| truncated).map(|(id, upload)| {
        let key = listing::escape(&upload.key);
        format!("<NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>")
    });
    let next = next.unwrap_or_default();
    let bucket = listing::escape(&request.bucket);
    xml(format!(
        "<ListMultipartUploadsResult><Bucket>{bucket}</Bucket>{listed}{next}\
         <IsTruncated>{truncated}</IsTruncated></ListMultipartUploadsResult>"
    ))
}

/// Uploads of one page.
const UPLOADS_MAX: usize = 1_000;
