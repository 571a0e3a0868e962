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
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;

use crate::backend::BackendBody;
use crate::chunks::Keys;
use crate::chunks::footer::Part;
use crate::chunks::footer::Table;
use crate::envelope::Protection;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::facts::Facts;
use crate::object::multipart::Upload;
use crate::object::multipart::bare;
use crate::object::multipart::current;
use crate::object::multipart::footer;
use crate::object::multipart::no_such_upload;
use crate::object::multipart::text;
use crate::object::stored::Found;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::digests::Digester;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::checksum::parts;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::Transport;
use crate::sse::kms::Requester;
use crate::state::uploads::PartRecord;

/// A part as the client lists it.
struct Listed {
    number: u32,
    etag: String,
    checksums: Vec<(Algorithm, String)>,
}

/// An object that was put together.
struct Completed {
    table: Table,
    etag: HeaderValue,
    /// Headers of the backend's answer.
    headers: HeaderMap,
}

impl Objects {
    /// Makes an object of the parts that the request lists.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request or its parts; the upload is as it was then.
    pub async fn complete_upload(&self, mut request: S3Request) -> Result<Response<Body>, S3Error> {
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let customer_key = choice::for_read(&request.headers, transport)?;
        let upload = self.upload(&request.target).await?;
        let listed = listed(&document(&mut request).await?)?;
        let requester = Requester::of(&request);
        let kept = match (upload.protection(), &customer_key) {
            (Protection::SseC { .. }, None) => upload.head.footer_key.as_ref(),
            _ => None,
        };
        let made = match kept {
            Some(_) => None,
            None => {
                let customer_key = customer_key.as_ref();
                let keys = self.unlock_upload(&upload, customer_key, &requester, transport);
                let keys = keys.await?;
                Some((keys.data.for_footer(), keys))
            }
        };
        let keys = match (kept, &made) {
            (Some(kept), _) => Keys::from(kept),
            (None, Some((data, keys))) => Keys {
                data,
                ..keys.keys()
            },
            (None, None) => return Err(S3Error::internal()),
        };

        // Two requests to complete one upload must not send two footers at a time.
        let turn = self
            .turns
            .get_with(upload.head.envelope.clone(), Default::default);
        let _turn = turn.lock().await;
        let held = match self.backend_parts(&upload).await {
            Ok(held) => held,
            Err(error) if error.refusal().is_some() => {
                let before = self.completed_before(&upload, keys, &listed).await?;
                let completed = before.ok_or_else(|| no_such_upload(&upload.id))?;
                // Whoever completed it may have died before it could.
                self.uploads.clear(&upload.head).await;
                return completed.answer(&request, &upload);
            }
            Err(error) => return Err(error.into()),
        };
        let records = self.uploads.parts(&upload.head).await?;
        let records = current(records, &held.parts);
        let chosen = choose(&upload, &listed, &records)?;
        let table = table(&upload, &chosen);
        check_object(&request.headers, upload.head.checksum, &table)?;
        let mut headers = HeaderMap::new();
        self.write_conditions(&request.headers, &upload.name, &mut headers)
            .await?;
        let parts = self
            .place_footer(&upload, keys, &table, &chosen, &records)
            .await?;
        let completed = match self.put_together(&upload, &parts, headers, table).await {
            Ok(completed) => completed,
            // Its answer may have been lost after it was done.
            Err(error) => match self.completed_before(&upload, keys, &listed).await {
                Ok(Some(completed)) => completed,
                _ => return Err(error),
            },
        };
        self.uploads.clear(&upload.head).await;
        completed.answer(&request, &upload)
    }

    /// Has the backend make the object.
    async fn put_together(
        &self,
        upload: &Upload,
        parts: &[(u32, String)],
        headers: HeaderMap,
        table: Table,
    ) -> Result<Completed, S3Error> {
        let mut onward = upload
            .request(Method::POST)
            .query("uploadId", &upload.id)
            .body(BackendBody::Bytes(document_of(parts)));
        onward.headers = headers;
        onward.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        let answer = self.backend.fetch(onward).await?;
        let (head, body) = answer.into_parts();
        let result = result(&body)?;
        let etag = result.text_of("ETag").map(bare).unwrap_or_default();
        self.spoil_listing_of_parts(&upload.name.bucket, etag)
            .await?;
        let backend_etag = HeaderValue::from_str(&format!("\"{etag}\""));
        let backend_etag = backend_etag.map_err(|_| S3Error::internal())?;
        let etag = footer::etag(
            upload.protection(),
            Some(&table),
            table.parts.len(),
            &backend_etag,
        )?;
        let mut headers = head.headers;
        headers.insert(header::ETAG, backend_etag);
        let facts = Facts {
            etag: etag.clone(),
            bytes: table.plaintext_bytes(),
            algorithm: table.checksum.as_ref().map(|checksum| checksum.algorithm),
        };
        self.known.learn(&upload.name, &headers, facts);
        Ok(Completed {
            table,
            etag,
            headers,
        })
    }

    /// The object, if it was made from this upload and from these parts.
    async fn completed_before(
        &self,
        upload: &Upload,
        footer_keys: Keys<'_>,
        listed: &[Listed],
    ) -> Result<Option<Completed>, S3Error> {
        let reader = Reader {
            name: upload.name.clone(),
            version: None,
            customer_key: None,
            requester: Requester::gateway(""),
            transport: Transport {
                secure: true,
                signed: true,
            },
        };
        let headers = match self.head_backend(&reader).await {
            Err(error) if error.is_refused_as(StatusCode::NOT_FOUND) => return Ok(None),
            headers => headers?,
        };
        if text(&headers, ENVELOPE.as_str()) != Some(upload.head.envelope.as_str()) {
            return Ok(None);
        }
        let bucket = &upload.name.bucket;
        let Found::Parts(stored) = self.recognise(bucket, StatusCode::OK, headers)? else {
            return Ok(None);
        };
        let footer = match self.footer(&reader, &stored).await {
            Ok(footer) => footer,
            Err(ReadError::Changed) => return Ok(None),
            Err(ReadError::Refused(error)) => return Err(error),
        };
        let table = footer.tail.open(footer_keys, &footer.bytes)?;
        let numbers = table.parts.iter().map(|part| part.segment.kind);
        let same = listed.len() == table.parts.len()
            && numbers
                .zip(listed)
                .all(|(kind, listed)| kind == crate::chunks::segment::Kind::Part(listed.number));
        if !same {
            return Ok(None);
        }
        let count = table.parts.len();
        let backend_etag = stored.etag().cloned().ok_or_else(S3Error::internal)?;
        let etag = footer::etag(upload.protection(), Some(&table), count, &backend_etag)?;
        Ok(Some(Completed {
            table,
            etag,
            headers: stored.headers,
        }))
    }
}

impl Completed {
    fn answer(&self, request: &S3Request, upload: &Upload) -> Result<Response<Body>, S3Error> {
        let name = &upload.name;
        let etag = self.etag.to_str().map_err(|_| S3Error::internal())?;
        let mut result = Element::root("CompleteMultipartUploadResult")
            .with(Element::with_text("Location", location(request, upload)))
            .with(Element::with_text("Bucket", &name.bucket))
            .with(Element::with_text("Key", &name.key))
            .with(Element::with_text("ETag", etag));
        if let Some(checksum) = &self.table.checksum {
            for element in checksum.elements(self.table.parts.len()) {
                result = result.with(element);
            }
        }
        let mut headers = headers::of_write_answer(&self.headers);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        if !matches!(upload.protection(), Protection::SseC { .. }) {
            answer::of_read(&mut headers, upload.protection(), None);
        }
        let mut response = Response::new(full_body(result.to_document()));
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// The document by which the backend puts parts together: their numbers and its ETags.
pub(crate) fn document_of(parts: &[(u32, String)]) -> Bytes {
    let whole = Element::root("CompleteMultipartUpload");
    let document = parts.iter().fold(whole, |document, (number, etag)| {
        document.with(
            Element::new("Part")
                .with(Element::with_text("PartNumber", number.to_string()))
                .with(Element::with_text("ETag", format!("\"{etag}\""))),
        )
    });
    document.to_document()
}

/// What the backend answers to that, unless it is an error under a status of success.
pub(crate) fn result(body: &[u8]) -> Result<Element, S3Error> {
    let result = Element::parse(body, Limits::ANSWER).map_err(|cause| {
        tracing::error!(%cause, "backend's answer to a completed upload cannot be read");
        S3Error::new(S3Code::ServiceUnavailable)
    })?;
    // The status was sent before the backend knew the outcome.
    if result.name() == "Error" {
        let code = result.text_of("Code").unwrap_or("InternalError").trim();
        tracing::warn!(code, "backend did not complete an upload");
        return Err(match S3Code::from_text(code) {
            Some(code) => S3Error::new(code),
            None => S3Error::internal(),
        });
    }
    Ok(result)
}

/// The object's URL, as the client addressed it.
fn location(request: &S3Request, upload: &Upload) -> String {
    let scheme = if request.connection.secure {
        "https"
    } else {
        "http"
    };
    let host = request.header("host").unwrap_or_default();
    let name = &upload.name;
    let path = proto::sigv4::encode_path(name.key.as_bytes());
    let path = path.trim_start_matches('/');
    if host.starts_with(&format!("{}.", name.bucket)) {
        format!("{scheme}://{host}/{path}")
    } else {
        format!("{scheme}://{host}/{}/{path}", name.bucket)
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
fn listed(document: &Element) -> Result<Vec<Listed>, S3Error> {
    let malformed = || S3Error::new(S3Code::MalformedXml);
    if document.name() != "CompleteMultipartUpload" {
        return Err(malformed());
    }
    let mut listed: Vec<Listed> = Vec::new();
    for part in document.all("Part") {
        let number = part.text_of("PartNumber").ok_or_else(malformed)?.trim();
        let number: i64 = number.parse().map_err(|_| malformed())?;
        let number = u32::try_from(number)
            .ok()
            .filter(|number| (1..=crate::chunks::layout::PARTS_MAX).contains(number))
            .ok_or_else(|| {
                S3Error::invalid_argument(BAD_NUMBER, "partNumber", number.to_string())
            })?;
        if listed.last().is_some_and(|last| last.number >= number) {
            return Err(S3Error::new(S3Code::InvalidPartOrder));
        }
        listed.push(Listed {
            number,
            etag: bare(part.text_of("ETag").ok_or_else(malformed)?).to_owned(),
            checksums: parts::in_part(part)
                .map(|(algorithm, text)| (algorithm, text.to_owned()))
                .collect(),
        });
    }
    if listed.is_empty() {
        return Err(malformed());
    }
    Ok(listed)
}

/// The records of the parts that are listed, each compared with what the client says of it.
fn choose(
    upload: &Upload,
    listed: &[Listed],
    records: &BTreeMap<u32, PartRecord>,
) -> Result<Vec<PartRecord>, S3Error> {
    let mut chosen = Vec::with_capacity(listed.len());
    for part in listed {
        let invalid = || {
            S3Error::new(S3Code::InvalidPart)
                .detail("UploadId", &upload.id)
                .detail("PartNumber", part.number.to_string())
                .detail("ETag", &part.etag)
        };
        let record = records.get(&part.number).ok_or_else(invalid)?;
        if !upload.part_etag(record).eq_ignore_ascii_case(&part.etag) {
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
            .detail("ETag", upload.part_etag(part))),
    }
}

/// Compares what the client says of a part's checksum; none if that does not hold.
fn check_part(
    upload: Option<UploadChecksum>,
    part: &Listed,
    record: &PartRecord,
) -> Result<Option<()>, S3Error> {
    let Some(upload) = upload else {
        return Ok(Some(()));
    };
    let claim = part
        .checksums
        .iter()
        .find(|(algorithm, _)| *algorithm == upload.algorithm);
    if claim.is_none() && upload.chosen && upload.kind == ChecksumKind::Composite {
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

/// Compares what the headers say of the whole object.
fn check_object(
    headers: &HeaderMap,
    upload: Option<UploadChecksum>,
    table: &Table,
) -> Result<(), S3Error> {
    if let Some(size) = text(headers, "x-amz-mp-object-size") {
        let actual = table.plaintext_bytes();
        if size.parse() != Ok(actual) {
            return Err(S3Error::invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {size} does not match what was computed: {actual}"
            )));
        }
    }
    if let (Some(kind), Some(upload)) = (text(headers, "x-amz-checksum-type"), upload) {
        let actual = upload.kind.name();
        if kind != actual {
            return Err(S3Error::invalid_request(format!(
                "The upload was created using the {actual} checksum mode. The complete request must use the same checksum mode."
            )));
        }
    }
    let Some((algorithm, claimed)) = parts::claimed_of_object(headers)? else {
        return Ok(());
    };
    let actual = table
        .checksum
        .as_ref()
        .filter(|checksum| checksum.algorithm == algorithm)
        .map(|checksum| checksum.text(table.parts.len()));
    match actual {
        Some(actual) if actual == claimed => Ok(()),
        // Without the number of parts it is the same claim.
        Some(actual) if actual.split('-').next() == Some(claimed) => Ok(()),
        _ => {
            let name = algorithm.name().to_ascii_lowercase();
            let message =
                format!("The {name} you specified did not match the calculated checksum.");
            Err(S3Error::with_message(S3Code::BadDigest, message))
        }
    }
}

/// Smallest part, but for the last, in bytes of the client's.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART_BYTES_MIN: u64 = 5 << 20;

/// Longest document taken: 10,000 parts with ETag and checksum.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// Most elements in a document.
const DOCUMENT_ELEMENTS_MAX: usize = 100_000;

const BAD_NUMBER: &str = "PartNumber must be >= 1 and <= 10000";
