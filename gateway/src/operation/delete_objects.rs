//! DeleteObject and DeleteObjects: the backend deletes; conditions are translated on the way.
//!
//! A condition names the ETag that the client sees, which the backend does not. It is compared
//! here, and then sent to the backend in the backend's own terms, so that an object written in
//! between is not deleted for another. Conditions that S3 takes in directory buckets only are refused.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;
use md5::Digest as _;
use md5::Md5;

use crate::authorize::Permitted;
use crate::authorize::ReplacedObject;
use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::operation::acl;
use crate::operation::answer;
use crate::operation::store::ObjectStore;
use crate::operation::write_conditions;
use crate::protocol::conditions::not_implemented;
use crate::protocol::document;
use crate::protocol::headers;
use crate::protocol::single_header::single_text;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::DeletedObject;
use crate::request::S3Request;
use crate::request::ServedObjects;

/// Answers DeleteObject.
///
/// # Errors
///
/// As [`write_conditions::matching`] for a condition that does not hold, `InvalidArgument` for one that comes twice,
/// `NotImplemented` for one that S3 does not take; as [`Terms::check_second_factor`]; the backend's
/// S3 error.
///
/// [`Terms::check_second_factor`]: crate::authorize::Terms::check_second_factor
pub async fn delete_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let request = &request;
    let name = store.name(&request.target)?;
    let version = request.target.query.get("versionId");
    check_conditions(&request.headers, version)?;
    let mut onward = BackendRequest::object(Method::DELETE, &name.bucket, &name.key)
        .query_if("versionId", version);
    onward.headers = headers::selected(&request.headers, &HEADERS);
    if let Some(etag) = single_text(&request.headers, &header::IF_MATCH)? {
        let etag = translate(store, &name, version, terms.replaced(), etag).await?;
        onward = onward.header(header::IF_MATCH, etag);
    }
    // Last, since a code is good for one request.
    terms.check_second_factor(version.is_some()).await?;
    let Some(incarnation) = terms.incarnation_with_acls() else {
        return store.backend.forward_request(onward).await;
    };
    let list = acl::of_deleted(store, &name, version).await;
    let answer = store.backend.forward_request(onward).await?;
    if let Some(envelope) = list.filter(|_| !acl::stays(&answer, version)) {
        acl::remove(store, &name, incarnation.as_str(), &envelope).await;
    }
    Ok(answer)
}

/// Refuses conditions that S3 does not take on an object: those of directory buckets, and any on a version.
///
/// Source: probes of S3 in <https://github.com/localstack/localstack/issues/13894>, and recorded answers.
fn check_conditions(headers: &HeaderMap, version: Option<&str>) -> Result<(), S3Error> {
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if headers.contains_key(name) {
            return Err(not_implemented(name));
        }
    }
    match version {
        Some(_) if headers.contains_key(header::IF_MATCH) => Err(not_implemented("If-Match")),
        _ => Ok(()),
    }
}

/// Answers DeleteObjects.
///
/// # Errors
///
/// `InvalidRequest` without a digest of the body, `BadDigest` for a wrong one; `MalformedXML`
/// for a document that is not a list of 1 to 1000 keys; as [`Terms::check_second_factor`]; the backend's
/// S3 error.
///
/// [`Terms::check_second_factor`]: crate::authorize::Terms::check_second_factor
pub async fn delete_objects(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, mut terms) = permitted.spend();
    let request = &mut request;
    document::require_digest(request)?;
    let bytes = document::read(request).await?;
    let bucket = request.target.bucket.clone().unwrap_or_default();
    let requested = parse(&bytes)?;
    let mut objects = requested.all("Object");
    let names_version = objects.any(|object| key_and_version(object).1.is_some());
    // Once for all: S3 deletes none of them without it.
    terms.check_second_factor(names_version).await?;
    let mut errors = Vec::new();
    let mut deletion = Element::root("Delete");
    for object in requested.all("Object") {
        let (key, version) = key_and_version(object);
        let etag = object.text_of(ETAG);
        let entry = match terms.check_deletion(key, version, etag).await {
            Ok(replaced) => translate_entry(store, &bucket, object, &replaced).await,
            Err(refused) => Err(refused),
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
    let mut response = answer::document(&result);
    let objects = ServedObjects {
        deletions: deletions(&requested, &result),
        ..ServedObjects::default()
    };
    objects.attach(&mut response);
    Ok(response)
}

/// What became of each object that a request names.
fn deletions(requested: &Element, result: &Element) -> Vec<DeletedObject> {
    let errors: Vec<_> = result.all("Error").collect();
    let deletion = |object: &Element| {
        let (key, version) = key_and_version(object);
        let mut errors = errors.iter();
        let error = errors.find(|error| key_and_version(error) == (key, version));
        let code = error.and_then(|error| error.text_of("Code"));
        DeletedObject {
            key: key.to_owned(),
            version: version.map(str::to_owned),
            error: code.map(str::to_owned),
        }
    };
    requested.all("Object").map(deletion).collect()
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
    replaced: &ReplacedObject,
) -> Result<Element, S3Error> {
    let (key, version) = key_and_version(object);
    if let Some(promises) = &store.promises {
        promises.check_key(key).await?;
    }
    let mut entry = Element::new("Object").field("Key", key);
    if let Some(version) = version {
        entry = entry.field("VersionId", version);
    }
    if let Some(etag) = object.text_of(ETAG) {
        let name = ObjectName::new(store.sealed.settings.partition, bucket, key);
        let etag = translate(store, &name, version, replaced, etag).await?;
        let etag = etag.to_str().map_err(|_| S3Error::internal())?;
        entry = entry.field(ETAG, etag);
    }
    Ok(entry)
}

/// The ETag that a deletion demands, in the backend's terms, after it was found to be the object's.
async fn translate(
    store: &ObjectStore,
    name: &ObjectName,
    version: Option<&str>,
    replaced: &ReplacedObject,
    expected: &str,
) -> Result<HeaderValue, S3Error> {
    let object = write_conditions::matching(&store.sealed, name, version, replaced, expected);
    let object = object.await?;
    Ok(match write_conditions::is_any(expected) {
        // Whatever object is there when the backend deletes it.
        true => HeaderValue::from_static(write_conditions::ANY),
        false => object.backend_etag.to_header(),
    })
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
    let is_of_directories = |object: &Element| {
        let names = OF_DIRECTORY_BUCKETS.iter();
        names.into_iter().any(|name| object.child(name).is_some())
    };
    // Whoever reads another one of two would delete on another condition.
    let is_ambiguous = |object: &Element| {
        let names = ["Key", "VersionId", ETAG].into_iter();
        let mut counts = names.map(|name| object.all(name).count());
        counts.any(|count| count > 1)
    };
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
        || root.all("Object").any(is_of_directories)
        || root.all("Object").any(is_ambiguous)
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
const HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-amz-bypass-governance-retention"),
    HeaderName::from_static("x-amz-request-payer"),
];

/// The element of an entry that is its condition.
const ETAG: &str = "ETag";

/// Elements of an entry that S3 takes in directory buckets only.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ObjectIdentifier.html>
const OF_DIRECTORY_BUCKETS: [&str; 2] = ["LastModifiedTime", "Size"];

/// Most objects of one DeleteObjects.
const OBJECTS_MAX: usize = 1000;
