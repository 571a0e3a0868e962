//! CompleteMultipartUpload: the parts that the client lists become one object.
//!
//! What the client lists is compared with what was recorded and with what the backend holds. Then the
//! footer is sent, and the backend puts the parts together: that is the moment the object is there.
//! Until then the upload stays as it was, so whatever fails can be tried again; after it, completing
//! again finds the object made from this very upload and answers the same.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::header;
use proto::sigv4;

use crate::authorize::Permitted;
use crate::authorize::ReplacedObject;
use crate::chunks::Keys;
use crate::chunks::footer::Part;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::chunks::segment::Kind;
use crate::envelope::Protection;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::kms::Requester;
use crate::operation::answer;
use crate::operation::store::ObjectStore;
use crate::operation::upload::footer_placement::place_footer;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::current;
use crate::operation::write_conditions;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::TYPE;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::digests::Digester;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::checksum::parts;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::records::uploads::PartRecord;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::ServedObjects;
use crate::sealed::assembly;
use crate::sealed::cache::Facts;
use crate::sealed::cache::Revision;
use crate::sealed::etag;
use crate::sealed::footer;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sse::repeated::for_completion;
use crate::sse::response;

/// A part as the client lists it.
struct RequestedPart {
    number: u32,
    etag: Option<ETag>,
    checksums: Vec<(Algorithm, String)>,
}

/// An object that was put together.
struct CompletedObject {
    table: Table,
    etag: ETag,
    /// Headers of the backend's answer.
    headers: HeaderMap,
}

/// Makes an object of the parts that the request lists.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request or its parts; the upload is as it was then.
pub async fn complete_multipart_upload(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, terms) = permitted.spend();
    let replaced = terms.replaced();
    let transport = store.transport(&request);
    let upload = Upload::find(store, &request.target).await?;
    let customer_key = for_completion(&request.headers, transport, upload.protection())?;
    let requested = requested_parts(&document(&mut request).await?)?;
    check_kind(&request.headers, upload.head.checksum)?;
    let stored_key = upload.head.footer_key.as_ref();
    let unlocked = match stored_key.filter(|_| customer_key.is_none()) {
        // Under SSE-C, completing need not bring the customer's key.
        Some(_) => None,
        None => {
            let requester = Requester::of(&request);
            let customer_key = customer_key.as_ref();
            let keys = upload
                .unlock(store, customer_key, &requester, transport)
                .await?;
            Some((keys.data.for_footer(), keys))
        }
    };
    let keys = match (&unlocked, stored_key) {
        (Some((data, keys)), _) => Keys {
            data,
            ..keys.keys()
        },
        (None, Some(stored_key)) => Keys::from(stored_key),
        (None, None) => return Err(S3Error::internal()),
    };

    // Two requests to complete one upload must not send two footers at a time, and no part may be
    // replaced between its comparison and the backend's Complete.
    let turn = upload.turn(store);
    let _turn = turn.write().await;
    let mut completed = match complete(store, &request, replaced, &upload, keys, &requested).await {
        Ok(completed) => completed,
        // The upload is gone, or the answer of the backend was lost after it was done.
        Err(CompleteError::MayBeDone(error)) => {
            match completed_before(store, &request, &upload, keys, &requested).await {
                Ok(Some(completed)) => completed,
                // Whether it is complete was not found out: the client must try again.
                Err(ReadError::Refused(cause))
                    if error.code() == S3Code::NoSuchUpload
                        && cause.status() != StatusCode::NOT_FOUND =>
                {
                    return Err(cause);
                }
                Ok(None) | Err(_) => return Err(error),
            }
        }
        Err(CompleteError::Refused(error)) => return Err(error),
    };
    // Whoever completed it may have died before it could.
    store.uploads.clear(&upload.head).await;
    answer::settle_version(&store.backend, &upload.name.bucket, &mut completed.headers).await;
    Ok(completed.answer(&request, &upload))
}

/// Why an upload was not completed.
enum CompleteError {
    /// It may be complete already: another gateway may have completed it while this one compared the parts,
    /// and removed their records.
    MayBeDone(S3Error),
    /// The object is there, and is not what it must be.
    Refused(S3Error),
}

impl<E: Into<S3Error>> From<E> for CompleteError {
    fn from(error: E) -> Self {
        Self::MayBeDone(error.into())
    }
}

/// Compares the parts with what is there, sends the footer, and has the backend make the object.
async fn complete(
    store: &ObjectStore,
    request: &S3Request,
    replaced: &ReplacedObject,
    upload: &Upload,
    keys: Keys<'_>,
    requested: &[RequestedPart],
) -> Result<CompletedObject, CompleteError> {
    let held = upload.backend_parts(store).await?;
    let records = current(store.uploads.parts(&upload.head).await?, &held.parts);
    let chosen = choose(upload, requested, &records)?;
    let table = table(upload, &chosen);
    check_object(&request.headers, upload.head.checksum, &table)?;
    let mut headers = HeaderMap::new();
    let (sealed, name) = (&store.sealed, &upload.name);
    write_conditions::check(sealed, &request.headers, name, replaced, &mut headers).await?;
    check_unchanged(upload, &headers)?;
    let footer = place_footer(store, upload, keys, &table, &chosen, &records).await?;
    let mut onward = assembly::request(name, &upload.id, &footer.parts);
    onward.headers.extend(headers);
    let headers = assembly::headers(store.backend.fetch(onward).await?)?;
    let found = footer.expect_in(store, upload, &headers).await;
    found.map_err(CompleteError::Refused)?;
    Ok(remember(store, upload, headers, table).await?)
}

/// Refuses a conditional Complete of a key that was written or deleted since the upload was created, though
/// the condition holds now. `conditions` are those for the backend, with its ETag.
fn check_unchanged(upload: &Upload, conditions: &HeaderMap) -> Result<(), S3Error> {
    let matching = conditions.get(header::IF_MATCH);
    let (condition, current) = match matching.and_then(|value| ETag::parse(value.to_str().ok()?)) {
        Some(etag) => ("If-Match", etag.bare().to_owned()),
        None if conditions.contains_key(header::IF_NONE_MATCH) => ("If-None-Match", String::new()),
        None => return Ok(()),
    };
    let replaces = upload.head.replaces.as_ref();
    if replaces.is_none_or(|replaces| *replaces == current) {
        return Ok(());
    }
    let conflict = S3Error::with_message(S3Code::ConditionalRequestConflict, CONFLICT);
    Err(conflict
        .detail("Condition", condition)
        .detail("Key", &upload.name.key))
}

/// Remembers what is known of an object that was made.
async fn remember(
    store: &ObjectStore,
    upload: &Upload,
    headers: HeaderMap,
    table: Table,
) -> Result<CompletedObject, S3Error> {
    let name = &upload.name;
    let backend_etag = ETag::from_headers(&headers).ok_or_else(S3Error::internal)?;
    store
        .sealed
        .unmark_listing_of_parts(&name.bucket, &backend_etag)
        .await?;
    let count = Some(table.parts.len());
    let etag = etag::for_client(upload.protection(), Some(&table), count, &backend_etag)?;
    let facts = Facts {
        etag: etag.clone(),
        bytes: table.plaintext_bytes(),
        checksum: table
            .checksum
            .as_ref()
            .map(|checksum| (checksum.algorithm, checksum.kind)),
    };
    store
        .sealed
        .facts
        .insert(name, Revision::from_write(&headers), facts);
    Ok(CompletedObject {
        table,
        etag,
        headers,
    })
}

/// The object, if it was made from this upload and from these parts, and is what the request claims.
async fn completed_before(
    store: &ObjectStore,
    request: &S3Request,
    upload: &Upload,
    footer_keys: Keys<'_>,
    requested: &[RequestedPart],
) -> Result<Option<CompletedObject>, ReadError> {
    let reader = Reader::internal(&upload.name, None);
    let head = store.sealed.head(&reader).await?;
    let envelope = head.headers.get(ENVELOPE).map(http::HeaderValue::as_bytes);
    if envelope != Some(upload.head.envelope_header().as_bytes()) {
        return Ok(None);
    }
    let footer = footer::fetch(&store.sealed, &reader, &head).await?;
    let table = footer.tail.open(footer_keys, &footer.bytes)?;
    let is_claimed = check_object(&request.headers, upload.head.checksum, &table).is_ok();
    let is_same =
        table.parts.len() == requested.len() && table.parts.iter().zip(requested).all(is_requested);
    if !is_claimed || !is_same {
        return Ok(None);
    }
    let count = Some(table.parts.len());
    let etag = etag::for_client(upload.protection(), Some(&table), count, &head.etag)?;
    Ok(Some(CompletedObject {
        table,
        etag,
        headers: head.headers,
    }))
}

/// Whether a part of an object is the one that a client lists, as far as the object shows it: clients see
/// the backend's ETag of a part where it is no MD5, and nothing has that any more.
fn is_requested((part, requested): (&Part, &RequestedPart)) -> bool {
    let is_etag = |md5: &[u8; 16]| {
        let etag = ETag::from_md5(md5);
        let requested = requested.etag.as_ref();
        requested.is_some_and(|it| it.bare().eq_ignore_ascii_case(etag.bare()))
    };
    part.segment.kind == Kind::Part(requested.number) && part.md5.as_ref().is_none_or(is_etag)
}

impl CompletedObject {
    fn answer(&self, request: &S3Request, upload: &Upload) -> Response<Body> {
        let name = &upload.name;
        let path = sigv4::encode_path(name.key.as_bytes());
        let path = path.trim_start_matches('/');
        let bucket = request.target.shown_bucket();
        let location = answer::location(request, bucket, path);
        let mut result = Element::root("CompleteMultipartUploadResult")
            .field("Location", location)
            .field("Bucket", bucket)
            .field("Key", &name.key)
            .field("ETag", self.etag.as_str());
        // One that the client did not choose is shown of SSE-S3 only (recorded from AWS).
        let is_chosen = upload.head.checksum.is_some_and(|checksum| checksum.chosen);
        let is_shown = is_chosen || matches!(upload.protection(), Protection::SseS3 { .. });
        if let (Some(checksum), true) = (&self.table.checksum, is_shown) {
            result = result.with_all(checksum.elements(Some(self.table.parts.len())));
        }
        let mut response = answer::document(&result);
        let headers = response.headers_mut();
        headers.extend(headers::of_write_answer(&self.headers));
        if !matches!(upload.protection(), Protection::SseC { .. }) {
            response::of_read(headers, upload.protection(), None);
        }
        let objects = ServedObjects {
            object_bytes: Some(self.table.plaintext_bytes()),
            ..ServedObjects::default()
        };
        objects.attach(&mut response);
        response
    }
}

/// The request's document, after its `Content-MD5` was found right. Its checksum headers are about
/// the object.
async fn document(request: &mut S3Request) -> Result<Element, S3Error> {
    let mut about_document = HeaderMap::new();
    if let Some(md5) = request.headers.get("content-md5") {
        about_document.insert("content-md5", md5.clone());
    }
    let expected = Expected::read(&about_document, &[])?;
    let document = request.body.collect(DOCUMENT_BYTES_MAX).await?;
    if document.is_empty() {
        return Err(S3Error::invalid_request(NO_PARTS));
    }
    let mut digests = Digester::new(expected, false);
    digests.update(&document);
    digests.finish(&HeaderMap::new())?;
    let limits = Limits {
        bytes: DOCUMENT_BYTES_MAX,
        elements: DOCUMENT_ELEMENTS_MAX,
    };
    Element::parse(&document, limits).map_err(|_| S3Error::new(S3Code::MalformedXml))
}

/// The parts that a document lists, in ascending order.
fn requested_parts(document: &Element) -> Result<Vec<RequestedPart>, S3Error> {
    let malformed = || S3Error::new(S3Code::MalformedXml);
    if document.name() != "CompleteMultipartUpload" {
        return Err(malformed());
    }
    let mut requested: Vec<RequestedPart> = Vec::new();
    for part in document.all("Part") {
        let number = part.text_of("PartNumber").ok_or_else(malformed)?.trim();
        let number: i64 = number.parse().map_err(|_| malformed())?;
        let number = u32::try_from(number)
            .ok()
            .filter(|number| (1..=layout::PARTS_MAX).contains(number))
            .ok_or_else(|| {
                S3Error::invalid_argument(BAD_NUMBER, "partNumber", number.to_string())
            })?;
        if requested.last().is_some_and(|last| last.number >= number) {
            return Err(S3Error::new(S3Code::InvalidPartOrder));
        }
        requested.push(RequestedPart {
            number,
            etag: ETag::parse(part.text_of("ETag").ok_or_else(malformed)?),
            checksums: parts::in_part(part)
                .map(|(algorithm, text)| (algorithm, text.to_owned()))
                .collect(),
        });
    }
    if requested.is_empty() {
        return Err(malformed());
    }
    Ok(requested)
}

/// The records of the parts that are listed, each compared with what the client claims of it.
fn choose(
    upload: &Upload,
    requested: &[RequestedPart],
    records: &BTreeMap<u32, PartRecord>,
) -> Result<Vec<PartRecord>, S3Error> {
    let mut chosen = Vec::with_capacity(requested.len());
    for part in requested {
        let invalid = || {
            S3Error::new(S3Code::InvalidPart)
                .detail("UploadId", &upload.id)
                .detail("PartNumber", part.number.to_string())
                .detail("ETag", part.etag.as_ref().map_or("", ETag::bare))
        };
        let record = records.get(&part.number).ok_or_else(invalid)?;
        let etag = upload.part_etag(record);
        let is_same = |it: &ETag| it.bare().eq_ignore_ascii_case(etag.bare());
        if !part.etag.as_ref().is_some_and(is_same) {
            return Err(invalid());
        }
        check_part(upload.head.checksum, part, record)?.ok_or_else(invalid)?;
        chosen.push(record.clone());
    }
    let Some((_, before)) = chosen.split_last() else {
        return Err(S3Error::new(S3Code::MalformedXml));
    };
    match before
        .iter()
        .find(|part| part.segment.plaintext_bytes < PART_BYTES_MIN)
    {
        None => Ok(chosen),
        Some(part) => Err(S3Error::new(S3Code::EntityTooSmall)
            .detail("ProposedSize", part.segment.plaintext_bytes.to_string())
            .detail("MinSizeAllowed", PART_BYTES_MIN.to_string())
            .detail("PartNumber", part.number.to_string())
            .detail("ETag", upload.part_etag(part).bare())),
    }
}

/// Compares what the client claims of a part's checksum; none if that does not hold, or if the upload was
/// created without a checksum (recorded from AWS).
fn check_part(
    upload: Option<UploadChecksum>,
    part: &RequestedPart,
    record: &PartRecord,
) -> Result<Option<()>, S3Error> {
    let Some(upload) = upload.filter(|upload| upload.chosen) else {
        return Ok(part.checksums.is_empty().then_some(()));
    };
    let is_other = |claim: &&(Algorithm, String)| claim.0 != upload.algorithm;
    if let Some((algorithm, _)) = part.checksums.iter().find(is_other) {
        return Err(S3Error::with_message(
            S3Code::BadDigest,
            format!(
                "The {} you specified for part {} did not match what we received.",
                algorithm.name().to_ascii_lowercase(),
                part.number
            ),
        ));
    }
    let claim = part.checksums.first();
    if claim.is_none() && upload.kind == ChecksumKind::Composite {
        let name = upload.algorithm.name().to_ascii_lowercase();
        return Err(S3Error::invalid_request(format!(
            "The upload was created using a {name} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
            part.number
        )));
    }
    let value = record.checksum.as_ref().map(|value| STANDARD.encode(value));
    let holds = claim.is_none_or(|(_, claimed)| value.as_ref() == Some(claimed));
    Ok(holds.then_some(()))
}

fn table(upload: &Upload, chosen: &[PartRecord]) -> Table {
    let checksum = upload.head.checksum.map(|checksum| {
        let values = chosen.iter().map(|part| {
            let value = part.checksum.as_deref().unwrap_or_default();
            (value, part.segment.plaintext_bytes)
        });
        parts::of_parts(checksum, values)
    });
    let part = |record: &PartRecord| Part {
        segment: record.segment.clone(),
        md5: record.md5,
        checksum: record.checksum.clone(),
    };
    Table {
        parts: chosen.iter().map(part).collect(),
        checksum,
    }
}

/// Compares what the headers claim of the whole object.
fn check_object(
    headers: &HeaderMap,
    upload: Option<UploadChecksum>,
    table: &Table,
) -> Result<(), S3Error> {
    let text = |name| headers::text(headers, name);
    if let Some(size) = text("x-amz-mp-object-size") {
        let actual = table.plaintext_bytes();
        if size.parse() != Ok(actual) {
            return Err(S3Error::invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {size} does not match what was computed: {actual}"
            )));
        }
    }
    let Some((algorithm, claimed)) = parts::claimed_of_object(headers)? else {
        return Ok(());
    };
    let Some(actual) = &table.checksum else {
        return Ok(());
    };
    let chosen = upload.filter(|upload| upload.chosen);
    if chosen.is_none() && algorithm != actual.algorithm {
        // Recorded from AWS: an upload that was created without a checksum takes any of another algorithm.
        return Ok(());
    }
    // Recorded from AWS: without the header the claim is taken for a composite checksum, which this is not. There
    // is no composite CRC-64.
    let is_untyped = text(TYPE).is_none()
        && actual.kind == ChecksumKind::FullObject
        && actual.algorithm != Algorithm::Crc64Nvme;
    let shown = actual.text(Some(table.parts.len()));
    // Without the number of parts it is the same claim.
    let is_same = shown == claimed || shown.split('-').next() == Some(claimed);
    if algorithm == actual.algorithm && is_same && !is_untyped {
        return Ok(());
    }
    let name = actual.algorithm.name().to_ascii_lowercase();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    Err(S3Error::with_message(S3Code::BadDigest, message))
}

/// Refuses a kind of checksum that the upload was not created with.
fn check_kind(headers: &HeaderMap, upload: Option<UploadChecksum>) -> Result<(), S3Error> {
    let chosen = upload.filter(|upload| upload.chosen);
    let actual = chosen.map_or("null", |upload| upload.kind.name());
    match headers::text(headers, TYPE) {
        Some(kind) if kind != actual => Err(S3Error::invalid_request(format!(
            "The upload was created using the {actual} checksum mode. The complete request must use the same checksum mode."
        ))),
        _ => Ok(()),
    }
}

/// Smallest part before the last one, in bytes of the client's.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART_BYTES_MIN: u64 = 5 << 20;

const NO_PARTS: &str = "You must specify at least one part";

/// Longest document taken: 10,000 parts with ETag and checksum.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// Most elements in a document.
const DOCUMENT_ELEMENTS_MAX: usize = 100_000;

const CONFLICT: &str =
    "The conditional request cannot succeed due to a conflicting operation against this resource.";
const BAD_NUMBER: &str = "PartNumber must be >= 1 and <= 10000";
