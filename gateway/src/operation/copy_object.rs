//! CopyObject: one object under another name, key or mode.
//!
//! The target's encryption is what the request names, or its bucket's default; nothing is inherited
//! from the source. Where that allows it, the backend copies the sealed bytes and only the data key is
//! wrapped anew ([`crate::sealed::rewrap`]). Otherwise the source's bytes stream through: its tags are
//! checked before its last piece is sealed, so a source that does not open leaves no target behind.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use proto::time::Timestamp;

use crate::authorize::Permitted;
use crate::authorize::ReplacedObject;
use crate::envelope::Mode;
use crate::envelope::Protection;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::operation::answer;
use crate::operation::config::CopyMode;
use crate::operation::copy_source;
use crate::operation::copy_source::OpenSource;
use crate::operation::copy_source::TAGS;
use crate::operation::store::ObjectStore;
use crate::operation::write_conditions;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::conditions::Conditions;
use crate::protocol::copy_source::CopySource;
use crate::protocol::headers;
use crate::protocol::xml::Element;
use crate::records::object_acls::NewObjectAcl;
use crate::request::Body;
use crate::request::CopiedSource;
use crate::request::S3Request;
use crate::request::ServedObjects;
use crate::sealed::head::ObjectHead;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;
use crate::sealed::rewrap;
use crate::sealed::rewrap::RewrapTarget;
use crate::sealed::selection::Selection;
use crate::sealed::writer;
use crate::sealed::writer::NewObject;
use crate::sealed::writer::WrittenObject;
use crate::sse::request as sse_request;
use crate::sse::request::Encryption;
use crate::sse::response;

/// A copy, as the client requested it.
struct CopyRequest {
    name: ObjectName,
    reader: Reader,
    encryption: Encryption,
    /// The checksum's algorithm, where the request names one.
    algorithm: Option<Algorithm>,
    /// Whether nothing but the mode of its encryption can make the copy of an object onto itself a change.
    must_change_mode: bool,
    replaces_metadata: bool,
    replaces_tags: bool,
    /// When the request was received.
    received: Timestamp,
    /// The headers of the request.
    headers: HeaderMap,
    /// The access control list of the target; that of the source is not copied.
    acl: Option<NewObjectAcl>,
    /// What a condition may show of the target's object as it was.
    replaced: ReplacedObject,
}

/// Copies an object, or a version of one.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request, its source or its target; nothing was
/// stored then.
pub async fn copy_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let mut request = CopyRequest::from_request(store, *request).await?;
    request.reader.hides_absence = terms.hides_absence();
    request.reader.judged = terms.judged().cloned();
    request.acl = terms.of_new_object()?;
    request.replaced = terms.replaced().clone();
    let (mut written, source, object_bytes) = match rewrapped(store, &request).await? {
        Some(copied) => copied,
        None => resealed(store, &request).await?,
    };
    answer::settle_version(&store.backend, &request.name.bucket, &mut written.headers).await;
    let mut response = answer(&written, &source, &request);
    let objects = ServedObjects {
        object_bytes: Some(object_bytes),
        source: Some(CopiedSource {
            object_bytes,
            copied_bytes: object_bytes,
        }),
        ..ServedObjects::default()
    };
    objects.attach(&mut response);
    Ok(response)
}

impl CopyRequest {
    async fn from_request(store: &ObjectStore, request: S3Request) -> Result<Self, S3Error> {
        let name = store.name(&request.target)?;
        let transport = store.transport(&request);
        let source = CopySource::read(&request.headers)?;
        let headers = &request.headers;
        let replaces_metadata = replaces(headers, "x-amz-metadata-directive", METADATA)?;
        let replaces_tags = replaces(headers, "x-amz-tagging-directive", TAGGING)?;
        let default = store.defaults.default_of(&name.bucket).await?;
        let encryption = sse_request::for_write(headers, &default, transport)?;
        let on_itself =
            source.version.is_none() && (&source.bucket, &source.key) == (&name.bucket, &name.key);
        let changes = replaces_metadata
            || sse_request::names_encryption(headers)
            || default.is_configured
            || CHANGES.iter().any(|name| headers.contains_key(*name));

        let customer_key = sse_request::for_copy_source(headers, transport)?;
        let algorithm = request.header("x-amz-checksum-algorithm");
        let name_of_source = store.sealed.name(&source.bucket, &source.key)?;
        let reader = Reader {
            version: source.version,
            ..Reader::from_request(&request, name_of_source, customer_key, transport)
        };
        Ok(Self {
            name,
            reader,
            encryption,
            algorithm: algorithm.map(Algorithm::from_name).transpose()?,
            must_change_mode: on_itself && !changes,
            replaces_metadata,
            replaces_tags,
            received: request.received,
            headers: request.headers,
            acl: None,
            replaced: ReplacedObject::default(),
        })
    }

    /// The target's headers for the backend, after its conditions were found to hold.
    async fn target_headers(
        &self,
        store: &ObjectStore,
        source: &ObjectHead,
    ) -> Result<HeaderMap, S3Error> {
        // An unsealed object is sealed by a copy onto itself.
        let mode = source.protection().map(Protection::mode);
        if self.must_change_mode && mode == Some(Mode::SseS3) {
            return Err(S3Error::invalid_request(ON_ITSELF));
        }
        let mut headers = if self.replaces_metadata {
            headers::of_write(&self.headers)?
        } else {
            let mut headers = headers::of_copied(&source.headers);
            headers.extend(headers::of_placement(&self.headers));
            headers
        };
        if !self.replaces_tags {
            headers.remove(TAGS);
            copy_source::copy_tags(&store.sealed, &self.reader, source, &mut headers).await?;
        }
        let (sealed, replaced) = (&store.sealed, &self.replaced);
        write_conditions::check(sealed, &self.headers, &self.name, replaced, &mut headers).await?;
        Ok(headers)
    }
}

/// A copy, the head of its source, and the length of both in bytes.
type Copied = (WrittenObject, Box<ObjectHead>, u64);

/// Copies by a new envelope alone; none where the bytes must be sealed anew.
async fn rewrapped(store: &ObjectStore, request: &CopyRequest) -> Result<Option<Copied>, S3Error> {
    let allowed = store.config.copy == CopyMode::Rewrap
        && request.algorithm.is_none()
        && !matches!(request.encryption, Encryption::Dsse(_));
    if !allowed || !store.sealed.copies.are_faithful().await {
        return Ok(None);
    }
    let copied = settled(|| rewrap_once(store, request)).await;
    copied.map_err(copy_source::delete_marker)
}

async fn rewrap_once(
    store: &ObjectStore,
    request: &CopyRequest,
) -> Result<Option<Copied>, ReadError> {
    let (objects, reader) = (&store.sealed, &request.reader);
    let Some(head) = rewrap::head(objects, reader).await? else {
        return Ok(None);
    };
    let keeps_bytes = |mode| rewrap::keeps_bytes(mode, &request.encryption);
    let mode = head.protection().map(|protection| protection.mode());
    // A copy is an object of one part.
    if head.segment().is_none() || !mode.is_some_and(keeps_bytes) {
        return Ok(None);
    }
    let conditions = Conditions::of_copy_source(&request.headers, request.received);
    let source = rewrap::unlock(objects, reader, head, conditions).await?;
    copy_source::check_size(source.object.plaintext_bytes)?;
    let mut headers = request.target_headers(store, &source.head).await?;
    let from_request = request.replaces_tags || headers.contains_key(TAGS);
    let directive = if from_request { "REPLACE" } else { "COPY" };
    headers.insert(TAGGING_DIRECTIVE, HeaderValue::from_static(directive));
    let target = RewrapTarget {
        name: &request.name,
        headers,
        encryption: &request.encryption,
        requester: &reader.requester,
        acl: request.acl.clone(),
    };
    let written = rewrap::rewrap(objects, reader, &source, target).await?;
    let bytes = source.object.plaintext_bytes;
    Ok(Some((written, source.head, bytes)))
}

/// Copies by opening the source and sealing the target under a key of its own.
async fn resealed(store: &ObjectStore, request: &CopyRequest) -> Result<Copied, S3Error> {
    let objects = &store.sealed;
    let (reader, whole) = (&request.reader, Selection::Whole);
    let conditions = Conditions::of_copy_source(&request.headers, request.received);
    let OpenSource {
        head,
        plaintext_bytes,
        body,
        algorithm,
        ..
    } = copy_source::open_source(objects, reader, conditions, &whole).await?;
    let headers = request.target_headers(store, &head).await?;
    let name = &request.name;
    let digest = store.digest(&name.bucket, &headers).await?;
    let key = objects.new_key(&request.encryption, name, &reader.requester);
    let object = NewObject {
        name: name.clone(),
        headers,
        key: key.await?,
        expected: Expected::nothing(request.algorithm.or(algorithm)),
        plaintext_bytes,
        digest,
        acl: request.acl.clone().map(Box::new),
    };
    let written = writer::write(objects, object, body).await?;
    Ok((written, head, plaintext_bytes))
}

/// Whether a directive is REPLACE; COPY is the default.
fn replaces(
    headers: &HeaderMap,
    name: &'static str,
    message: &'static str,
) -> Result<bool, S3Error> {
    match headers.get(name).map(HeaderValue::as_bytes) {
        None | Some(b"COPY") => Ok(false),
        Some(b"REPLACE") => Ok(true),
        Some(other) => {
            let other = String::from_utf8_lossy(other).into_owned();
            Err(S3Error::invalid_argument(message, name, other))
        }
    }
}

/// The answer: `CopyObjectResult`, and headers about versions and encryption.
fn answer(written: &WrittenObject, source: &ObjectHead, request: &CopyRequest) -> Response<Body> {
    let modified = answer::written_at(&written.headers);
    let mut result = Element::root("CopyObjectResult")
        .field("LastModified", modified)
        .field("ETag", written.etag.as_str());
    if let Some(checksum) = &written.checksum {
        result = result.with_all(checksum.elements(None));
    }
    let mut response = answer::document(&result);
    let headers = response.headers_mut();
    headers.extend(headers::of_write_answer(&written.headers));
    let requested = request.reader.version.as_deref();
    answer::write_source_version(headers, source.version.as_deref(), requested);
    let md5 = answer::customer_key_md5(&request.encryption);
    response::of_write(headers, &written.protection, md5);
    response
}

const TAGGING_DIRECTIVE: HeaderName = HeaderName::from_static("x-amz-tagging-directive");

/// Headers that make a copy of an object onto itself a change.
const CHANGES: [&str; 2] = ["x-amz-storage-class", "x-amz-website-redirect-location"];

const METADATA: &str = "Unknown metadata directive.";
const TAGGING: &str = "Unknown tagging directive.";
const ON_ITSELF: &str = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
