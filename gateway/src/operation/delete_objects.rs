//! DeleteObject and DeleteObjects: the backend deletes; conditions are translated on the way.
//!
//! A condition names the ETag or size that the client sees, which the backend does not. It is compared
//! here, and then sent to the backend in the backend's own terms, so that an object written in
//! between is not deleted for another.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;
use md5::Digest as _;
use md5::Md5;

use crate::authorize::Permitted;
use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::chunks::layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::operation::answer;
use crate::operation::store::ObjectStore;
use crate::protocol::conditions::precondition_failed;
use crate::protocol::document;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::S3Request;
use crate::sealed::facts;

/// Answers DeleteObject.
///
/// # Errors
///
/// `PreconditionFailed` for a condition that does not hold; the backend's S3 error.
pub async fn delete_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let request = &request;
    let name = store.name(&request.target)?;
    let version = request.target.query.get("versionId");
    let mut onward = BackendRequest::object(Method::DELETE, &name.bucket, &name.key)
        .query_if("versionId", version);
    onward.headers = headers::selected(&request.headers, &HEADERS);
    let condition = Condition {
        etag: request.header("if-match"),
        bytes: request.header("x-amz-if-match-size"),
        modified: None,
    };
    let translated = translate(store, &name, version, &condition).await?;
    if let Some(etag) = translated.etag {
        onward = onward.header(header::IF_MATCH, etag);
    }
    if let Some(bytes) = translated.bytes {
        onward = onward.header(IF_MATCH_SIZE, bytes.into());
    }
    store.backend.forward_request(onward).await
}

/// Answers DeleteObjects
///
/// # Errors
///
/// `InvalidRequest` without a digest of the body, `BadDigest` for a wrong one; `MalformedXML`
/// for a document that is not a list of 1 to 1000 keys; the backend's S3 error.
pub async fn delete_objects(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, terms) = permitted.spend();
    let request = &mut request;
    let may = |key: &str, version: Option<&str>| terms.may_delete(key, version);
    document::require_digest(request)?;
    let bytes = document::read(request).await?;
    let bucket = request.target.bucket.clone().unwrap_or_default();
    let requested = parse(&bytes)?;
    let mut errors = Vec::new();
    let mut deletion = Element::root("Delete");
    for object in requested.all("Object") {
        let (key, version) = key_and_version(object);
        let entry = match may(key, version) {
            true => translate_entry(store, &bucket, object).await,
            false => Err(S3Error::access_denied()),
        };
        match entry {
            Ok(entry) => deletion.children_mut().push(entry),
            Err(error) => errors.push(refusal(object, &error)),
        }
    }
    let mut result = Element::root("DeleteResult");
    if !deletion.children().is_empty() {
        if requested.text_of("Quiet").map(str::trim) == Some("true") {
            let quiet = Element::with_text("Quiet", "true");
            deletion.children_mut().push(quiet);
        }
        let answered = send(store, request, &bucket, &deletion).await?;
        let is_entry = |child: &&Element| matches!(child.name(), "Deleted" | "Error");
        let entries = answered.children().iter().filter(is_entry).cloned();
        result.children_mut().extend(entries);
    }
    result.children_mut().extend(errors);
    Ok(answer::document(&result))
}

async fn send(
    store: &ObjectStore,
    request: &S3Request,
    bucket: &str,
    deletion: &Element,
) -> Result<Element, S3Error> {
    let bytes = deletion.to_document();
    let md5 = STANDARD.encode(Md5::digest(&bytes));
    let md5 = HeaderValue::from_str(&md5).map_err(|_| S3Error::internal())?;
    let mut onward = BackendRequest::bucket(Method::POST, bucket)
        .query("delete", "")
        .header(HeaderName::from_static("content-md5"), md5)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        )
        .body(BackendBody::Bytes(bytes));
    onward
        .headers
        .extend(headers::selected(&request.headers, &HEADERS));
    let answer = store.backend.fetch(onward).await?;
    document::parse_answer(answer.body(), &["DeleteResult"])
}

/// One entry of DeleteObjects as the backend gets it.
async fn translate_entry(
    store: &ObjectStore,
    bucket: &str,
    object: &Element,
) -> Result<Element, S3Error> {
    let (key, version) = key_and_version(object);
    if let Some(promises) = &store.promises {
        promises.check_key(key).await?;
    }
    let mut entry = Element::new("Object").field("Key", key);
    if let Some(version) = version {
        entry = entry.field("VersionId", version);
    }
    let condition = Condition {
        etag: object.text_of("ETag"),
        bytes: object.text_of("Size"),
        modified: object.text_of("LastModifiedTime"),
    };
    let name = ObjectName::new(store.sealed.settings.partition, bucket, key);
    let translated = translate(store, &name, version, &condition).await?;
    let etag = translated.etag.as_ref().and_then(|etag| etag.to_str().ok());
    if let Some(etag) = etag {
        entry = entry.field("ETag", etag);
    }
    if let Some(bytes) = translated.bytes {
        entry = entry.field("Size", bytes.to_string());
    }
    if let Some(modified) = condition.modified {
        entry = entry.field("LastModifiedTime", modified);
    }
    Ok(entry)
}

/// A condition in the backend's terms, after it was found to hold.
async fn translate(
    store: &ObjectStore,
    name: &ObjectName,
    version: Option<&str>,
    condition: &Condition<'_>,
) -> Result<Translated, S3Error> {
    let mut translated = Translated::default();
    if condition.etag.is_none() && condition.bytes.is_none() {
        return Ok(translated);
    }
    if condition.etag == Some("*") && condition.bytes.is_none() {
        translated.etag = Some(HeaderValue::from_static("*"));
        return Ok(translated);
    }
    let found = facts::look_up(&store.sealed, name, version).await?;
    let Some((facts, backend_etag)) = found else {
        return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", &*name.key));
    };
    if let Some(etag) = condition.etag {
        if etag.trim() != "*" && ETag::parse(etag).as_ref() != Some(&facts.etag) {
            return Err(precondition_failed("If-Match"));
        }
        translated.etag = Some(backend_etag.to_header());
    }
    if let Some(bytes) = condition.bytes {
        if bytes.trim().parse() != Ok(facts.bytes) {
            return Err(precondition_failed("x-amz-if-match-size"));
        }
        translated.bytes = layout::stored_bytes(facts.bytes).ok();
    }
    Ok(translated)
}

/// What a deletion demands of the object.
struct Condition<'a> {
    etag: Option<&'a str>,
    bytes: Option<&'a str>,
    /// The backend's own terms already.
    modified: Option<&'a str>,
}

/// The same for the backend.
#[derive(Default)]
struct Translated {
    etag: Option<HeaderValue>,
    bytes: Option<u64>,
}

/// Key and version of an entry.
fn key_and_version(object: &Element) -> (&str, Option<&str>) {
    let version = object.text_of("VersionId");
    let key = object.text_of("Key").unwrap_or_default();
    (key, version)
}

fn parse(document: &[u8]) -> Result<Element, S3Error> {
    let root = document::parse(document)?;
    let objects = root.all("Object").count();
    let keyless = |object: &Element| object.text_of("Key").is_none_or(str::is_empty);
    let is_known = |child: &Element| matches!(child.name(), "Object" | "Quiet");
    let is_blank = |version: &str| version.trim().is_empty();
    if let Some(version) = root
        .all("Object")
        .filter_map(|object| object.text_of("VersionId"))
        .find(|version| is_blank(version))
    {
        let message = "Version id cannot be the empty string";
        return Err(S3Error::invalid_argument(message, "versionId", version));
    }
    if root.name() != "Delete"
        || !(1..=OBJECTS_MAX).contains(&objects)
        || root.all("Object").any(keyless)
        || !root.children().iter().all(is_known)
    {
        return Err(S3Code::MalformedXml.into());
    }
    Ok(root)
}

/// The entry of the result for an object that the backend was not sent.
fn refusal(object: &Element, error: &S3Error) -> Element {
    let mut entry = Element::new("Error");
    for name in ["Key", "VersionId"] {
        if let Some(text) = object.text_of(name) {
            entry = entry.field(name, text);
        }
    }
    entry
        .field("Code", error.code_text())
        .field("Message", error.message())
}

/// Headers that go with a deletion.
const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-amz-bypass-governance-retention"),
    HeaderName::from_static("x-amz-if-match-last-modified-time"),
    HeaderName::from_static("x-amz-request-payer"),
];

const IF_MATCH_SIZE: HeaderName = HeaderName::from_static("x-amz-if-match-size");

/// Most objects of one DeleteObjects.
const OBJECTS_MAX: usize = 1000;
