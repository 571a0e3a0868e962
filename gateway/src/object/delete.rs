//! DeleteObject and DeleteObjects: the backend deletes; conditions are translated on the way.
//!
//! A condition names the ETag or size that the client knows, which the backend does not. It is judged
//! here, and then put to the backend in the backend's own terms, so that an object written in
//! between is not deleted for another.
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

use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::chunks::layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::document;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::data_key::ObjectName;

impl Objects {
    /// Answers DeleteObject.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` for a condition that does not hold; the backend's S3 error.
    pub async fn delete(&self, request: &S3Request) -> Result<Response<Body>, S3Error> {
        let name = self.name(&request.target)?;
        let version = request.target.query.get("versionId");
        let mut onward = BackendRequest::object(Method::DELETE, &name.bucket, &name.key)
            .query_if("versionId", version);
        copy_listed(&request.headers, &mut onward.headers);
        let condition = Condition {
            etag: request.header("if-match"),
            bytes: request.header("x-amz-if-match-size"),
            modified: None,
        };
        if let Some(found) = self.translate(&name, version, &condition).await? {
            if let Some(etag) = found.etag {
                onward = onward.header(header::IF_MATCH, etag);
            }
            if let Some(bytes) = found.bytes {
                onward = onward.header(IF_MATCH_SIZE, bytes.into());
            }
        }
        self.backend.forward_request(onward).await
    }

    /// Answers DeleteObjects; `may` says which objects, by key and version, the caller may delete.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a digest of the body, `BadDigest` for a wrong one; `MalformedXML`
    /// for a document that is not a list of 1 to 1000 keys; the backend's S3 error.
    pub async fn delete_all(
        &self,
        request: &mut S3Request,
        may: &(dyn Fn(&str, Option<&str>) -> bool + Sync),
    ) -> Result<Response<Body>, S3Error> {
        document::require_digest(request)?;
        let bytes = document::read(request).await?;
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let wanted = parse(&bytes)?;
        let mut errors = Vec::new();
        let mut deletion = Element::root("Delete");
        for object in wanted.all("Object") {
            let (key, version) = named(object);
            if !may(key, version) {
                errors.push(refusal(object, &S3Error::access_denied()));
                continue;
            }
            match self.translate_entry(&bucket, object).await {
                Ok(entry) => deletion.children_mut().push(entry),
                Err(error) => errors.push(refusal(object, &error)),
            }
        }
        let quiet = wanted.text_of("Quiet").map(str::trim) == Some("true");
        let mut result = Element::root("DeleteResult");
        if !deletion.children().is_empty() {
            if quiet {
                deletion
                    .children_mut()
                    .push(Element::with_text("Quiet", "true"));
            }
            let answered = self.send_deletion(request, &bucket, &deletion).await?;
            let known = |child: &&Element| matches!(child.name(), "Deleted" | "Error");
            result
                .children_mut()
                .extend(answered.children().iter().filter(known).cloned());
        }
        result.children_mut().extend(errors);

        let mut response = Response::new(full_body(result.to_document()));
        let xml = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
        Ok(response)
    }

    async fn send_deletion(
        &self,
        request: &S3Request,
        bucket: &str,
        deletion: &Element,
    ) -> Result<Element, S3Error> {
        let bytes = deletion.to_document();
        let md5 = STANDARD.encode(document::md5(&bytes)?);
        let md5 = HeaderValue::from_str(&md5).map_err(|_| S3Error::internal())?;
        let mut onward = BackendRequest::bucket(Method::POST, bucket)
            .query("delete", "")
            .header(HeaderName::from_static("content-md5"), md5)
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/xml"),
            )
            .body(BackendBody::Bytes(bytes));
        copy_listed(&request.headers, &mut onward.headers);
        let answer = self.backend.fetch(onward).await?;
        let root = Element::parse(answer.body(), Limits::ANSWER).ok();
        root.filter(|root| root.name() == "DeleteResult")
            .ok_or_else(|| {
                tracing::error!("backend answered DeleteObjects with another document");
                S3Error::new(S3Code::ServiceUnavailable)
            })
    }

    /// One entry of DeleteObjects as the backend gets it.
    async fn translate_entry(&self, bucket: &str, object: &Element) -> Result<Element, S3Error> {
        let (key, version) = named(object);
        let mut entry = Element::new("Object").with(Element::with_text("Key", key));
        if let Some(version) = version {
            entry = entry.with(Element::with_text("VersionId", version));
        }
        let condition = Condition {
            etag: object.text_of("ETag"),
            bytes: object.text_of("Size"),
            modified: object.text_of("LastModifiedTime"),
        };
        let name = ObjectName::new(self.partition, bucket, key);
        let found = self.translate(&name, version, &condition).await?;
        if let Some(found) = found {
            if let Some(etag) = found.etag.as_ref().and_then(|etag| etag.to_str().ok()) {
                entry = entry.with(Element::with_text("ETag", etag));
            }
            if let Some(bytes) = found.bytes {
                entry = entry.with(Element::with_text("Size", bytes.to_string()));
            }
        }
        if let Some(modified) = condition.modified {
            entry = entry.with(Element::with_text("LastModifiedTime", modified));
        }
        Ok(entry)
    }

    /// A condition in the backend's terms, after it was found to hold; none where it asks nothing
    /// that has to be translated.
    async fn translate(
        &self,
        name: &ObjectName,
        version: Option<&str>,
        condition: &Condition<'_>,
    ) -> Result<Option<Translated>, S3Error> {
        if condition.etag.is_none() && condition.bytes.is_none() {
            return Ok(None);
        }
        if condition.etag == Some("*") && condition.bytes.is_none() {
            let etag = Some(HeaderValue::from_static("*"));
            return Ok(Some(Translated { etag, bytes: None }));
        }
        let Some((facts, backend_etag)) = self.facts(name, version).await? else {
            return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", &*name.key));
        };
        let bare = |etag: &str| etag.trim().trim_matches('"').to_owned();
        let shown = facts.etag.to_str().map(bare).unwrap_or_default();
        let failed = |condition: &str| {
            S3Error::new(S3Code::PreconditionFailed).detail("Condition", condition)
        };
        if condition
            .etag
            .is_some_and(|etag| etag.trim() != "*" && bare(etag) != shown)
        {
            return Err(failed("If-Match"));
        }
        let mut translated = Translated {
            etag: None,
            bytes: None,
        };
        if condition.etag.is_some() {
            translated.etag = Some(backend_etag);
        }
        if let Some(bytes) = condition.bytes {
            if bytes.trim().parse() != Ok(facts.bytes) {
                return Err(failed("x-amz-if-match-size"));
            }
            translated.bytes = layout::stored_bytes(facts.bytes).ok();
        }
        Ok(Some(translated))
    }
}

/// What a deletion asks of the object.
struct Condition<'a> {
    etag: Option<&'a str>,
    bytes: Option<&'a str>,
    /// The backend's own terms already.
    modified: Option<&'a str>,
}

/// The same for the backend.
struct Translated {
    etag: Option<HeaderValue>,
    bytes: Option<u64>,
}

/// Key and version of an entry.
fn named(object: &Element) -> (&str, Option<&str>) {
    let version = object.text_of("VersionId");
    let key = object.text_of("Key").unwrap_or_default();
    (key, version)
}

fn parse(document: &[u8]) -> Result<Element, S3Error> {
    let malformed = || S3Error::new(S3Code::MalformedXml);
    let root = Element::parse(document, Limits::REQUEST).map_err(|_| malformed())?;
    let objects = root.all("Object").count();
    let keyless = |object: &Element| object.text_of("Key").is_none_or(str::is_empty);
    let known = |child: &Element| matches!(child.name(), "Object" | "Quiet");
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
        || !root.children().iter().all(known)
    {
        return Err(malformed());
    }
    Ok(root)
}

/// The entry of the result for an object that was not even asked to be deleted.
fn refusal(object: &Element, error: &S3Error) -> Element {
    let mut entry = Element::new("Error");
    for name in ["Key", "VersionId"] {
        if let Some(text) = object.text_of(name) {
            entry = entry.with(Element::with_text(name, text));
        }
    }
    entry
        .with(Element::with_text("Code", error.code_text()))
        .with(Element::with_text("Message", error.message()))
}

fn copy_listed(from: &HeaderMap, to: &mut HeaderMap) {
    for name in HEADERS {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
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
