//! UpdateObjectEncryption: an object comes under another KMS key, its bytes as they are.
//!
//! The object is copied onto itself at the backend under a new envelope, one in parts part by part:
//! metadata, tags, storage class, checksum and the client's encryption context stay. S3 has no way to
//! change an object in place, so the backend's `Last-Modified` does not stay, and where versions are
//! stored there would be one more: that is refused.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::header;
use proto::arn::KeyArn;

use crate::authorize::Permitted;
use crate::bucket::record::Incarnation;
use crate::envelope::Mode;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::copy_source;
use crate::operation::store::ObjectStore;
use crate::protocol::conditions::Conditions;
use crate::protocol::document;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::request::Body;
use crate::request::Caller;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;
use crate::sealed::rewrap;
use crate::sealed::rewrap::RewrapTarget;
use crate::sse::context::EncryptionContext;
use crate::sse::request::Encryption;
use crate::sse::request::KmsChoice;

/// Puts an object under the KMS key that the request's document names.
///
/// # Errors
///
/// S3's answer to a document or an object that this cannot be done with; `NotImplemented` where
/// the backend cannot do it. The object is as it was then.
pub async fn update_object_encryption(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, terms) = permitted.spend();
    let name = store.name(&request.target)?;
    let transport = store.transport(&request);
    document::require_digest(&request)?;
    let document = document::read(&mut request).await?;
    let choice = parse(&document, &request.caller)?;
    transport.allow_kms()?;
    let reader = Reader::from_request(&request, name, None, transport);
    if !store.sealed.copies.are_faithful().await {
        return Err(S3Error::not_implemented(COPIES));
    }
    let incarnation = terms.incarnation_with_acls().map(Incarnation::as_str);
    let updated = settled(|| update(store, &reader, &choice, incarnation)).await;
    updated.map_err(copy_source::delete_marker)?;
    Ok(Response::new(empty_body()))
}

/// `incarnation` is that of the bucket, where its objects may have access control lists.
async fn update(
    store: &ObjectStore,
    reader: &Reader,
    choice: &KmsChoice,
    incarnation: Option<&str>,
) -> Result<(), ReadError> {
    let objects = &store.sealed;
    let head = rewrap::head(objects, reader).await?;
    let unencrypted = || S3Error::invalid_request(UNENCRYPTED);
    let head = head.ok_or_else(unencrypted)?;
    let protection = head.protection().ok_or_else(unencrypted)?;
    check_mode(protection.mode())?;
    check_unlocked(&head.headers)?;
    let encryption = Encryption::SseKms(KmsChoice {
        context: protection.context().iter().cloned().collect(),
        ..choice.clone()
    });
    let mut headers = same_headers(&head.headers);
    match head.segment() {
        Some(_) => {
            headers.insert(TAGGING, HeaderValue::from_static("COPY"));
            // The object that was read is replaced, and no other: not one that was put meanwhile.
            headers.insert(header::IF_MATCH, head.etag.to_header());
        }
        None => copy_source::copy_tags(objects, reader, &head, &mut headers).await?,
    }
    let acl = match incarnation {
        Some(incarnation) => {
            let envelope = head.headers.get(ENVELOPE);
            objects.acl_of(&reader.name, incarnation, envelope).await?
        }
        None => None,
    };
    let source = rewrap::unlock(objects, reader, head, Conditions::none()).await?;
    let target = RewrapTarget {
        name: &reader.name,
        headers,
        encryption: &encryption,
        requester: &reader.requester,
        acl,
    };
    rewrap::rewrap(objects, reader, &source, target).await?;
    Ok(())
}

/// The encryption that a document names.
fn parse(document: &[u8], caller: &Caller) -> Result<KmsChoice, S3Error> {
    let document = document::parse(document)?;
    if document.name() != "ObjectEncryption" {
        return Err(S3Error::new(S3Code::MalformedXml));
    }
    let choice = match document.children() {
        [choice] if choice.name() == "SSE-KMS" => choice,
        [other] if matches!(other.name(), "SSE-C" | "DSSE-KMS") => {
            return Err(S3Error::invalid_request(NOT_TO_THESE));
        }
        _ => return Err(S3Error::invalid_request(NOT_A_TYPE)),
    };
    let key = choice.text_of("KMSKeyArn").unwrap_or_default().trim();
    if key.is_empty() {
        return Err(S3Error::invalid_request(NO_ARN));
    }
    let arn: KeyArn = key
        .parse()
        .map_err(|_| S3Error::invalid_request(NOT_AN_ARN))?;
    if caller.account() != Some(&arn.account) {
        return Err(S3Error::with_message(S3Code::AccessDenied, OTHER_ACCOUNT));
    }
    let bucket_key = match choice.text_of("BucketKeyEnabled").map(str::trim) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(S3Error::invalid_request(NOT_A_SWITCH)),
    };
    Ok(KmsChoice {
        key: Some(key.to_owned()),
        context: EncryptionContext::default(),
        bucket_key,
    })
}

/// Refuses objects that AWS does not do this with.
fn check_mode(mode: Mode) -> Result<(), S3Error> {
    match mode {
        Mode::SseS3 | Mode::SseKms | Mode::BucketKey => Ok(()),
        Mode::Dsse | Mode::SseC => Err(S3Error::invalid_request(NOT_FROM_THESE)),
    }
}

/// Refuses objects that are not to change.
fn check_unlocked(backend: &HeaderMap) -> Result<(), S3Error> {
    let is = |name: &str, value: &str| {
        let found = backend.get(name).map(HeaderValue::as_bytes);
        found.is_some_and(|found| value.is_empty() || found == value.as_bytes())
    };
    if is("x-amz-object-lock-mode", "") || is("x-amz-object-lock-legal-hold", "ON") {
        return Err(S3Error::with_message(S3Code::AccessDenied, LOCKED));
    }
    if is("x-amz-version-id", "") && !is("x-amz-version-id", "null") {
        return Err(S3Error::not_implemented(VERSIONS));
    }
    Ok(())
}

/// The object's headers for the backend, as they were.
fn same_headers(backend: &HeaderMap) -> HeaderMap {
    let mut headers = headers::of_copied(backend);
    headers.extend(headers::selected(backend, &[STORAGE_CLASS, REDIRECT]));
    headers
}

const TAGGING: HeaderName = HeaderName::from_static("x-amz-tagging-directive");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");

const UNENCRYPTED: &str = "The UpdateObjectEncryption operation doesn't supported unencrypted source objects. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.";
const NOT_FROM_THESE: &str = "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.";
const NOT_TO_THESE: &str = "The UpdateObjectEncryption operation doesn't support updating the encryption type to DSSE-KMS or SSE-C. Modify the request to specify SSE-KMS for the updated encryption type, and then try again.";
const NOT_A_TYPE: &str = "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, and then try again.";
const NO_ARN: &str = "Requests that modify an object's encryption type to SSE-KMS require an Amazon Web Services KMS key Amazon Resource Name (ARN). Modify the request to specify a KMS key ARN, and then try again.";
const NOT_AN_ARN: &str = "Requests that modify an object's encryption type to SSE-KMS require a valid Amazon Web Services KMS key Amazon Resource Name (ARN). Confirm that you have a correctly formatted KMS key ARN in your request, and then try again.";
const NOT_A_SWITCH: &str = "The BucketKeyEnabled value isn't valid. Valid values are true or false. Modify the request to specify a valid value, and then try again.";
const OTHER_ACCOUNT: &str = "The Amazon Web Services KMS key in the request must be owned by the same account as the bucket. Modify the request to specify a KMS key from the same account, and then try again.";
const LOCKED: &str = "The encryption type for the specified object can\u{2019}t be updated because that object is protected by S3 Object Lock. If the object has a governance-mode retention period or a legal hold, you must first remove the Object Lock status on the object before you issue your UpdateObjectEncryption request. You can't use the UpdateObjectEncryption operation with objects that have an Object Lock compliance mode retention period applied to them.";
const VERSIONS: &str = "UpdateObjectEncryption is not implemented for buckets with versions: the backend cannot change a version; copy the object onto itself instead.";
const COPIES: &str = "UpdateObjectEncryption is not implemented: the backend does not copy objects under new metadata; copy the object onto itself instead.";
