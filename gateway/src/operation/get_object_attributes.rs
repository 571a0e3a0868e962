//! GetObjectAttributes: what HeadObject answers, as a document, and only what was requested.
//!
//! Calls the KMS only where the checksum, or the parts, are requested.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use http::HeaderMap;
use http::Response;
use http::header;

use crate::authorize::Permitted;
use crate::chunks::footer::Table;
use crate::error::S3Error;
use crate::operation::answer;
use crate::operation::parts_page::PartsPage;
use crate::operation::store::ObjectStore;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::parts::part_element;
use crate::protocol::conditions::Conditions;
use crate::protocol::headers;
use crate::protocol::headers::VERSION_ID;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::S3Request;
use crate::sealed::head::ObjectHead;
use crate::sealed::read::Description;
use crate::sealed::read::Needs;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;
use crate::sealed::unsealed;
use crate::sse::request::for_read;

/// Answers with the attributes of an object that were requested.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request; `InternalError` for an object that is not
/// as it was written.
pub async fn get_object_attributes(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let transport = store.transport(&request);
    let customer_key = for_read(&request.headers, transport)?;
    let requested = requested(&request.headers)?;
    let header = |name| (name, headers::text(&request.headers, name));
    let (marker, max) = ("x-amz-part-number-marker", "x-amz-max-parts");
    let page = PartsPage::read(header(marker), header(max))?;
    let name = store.name(&request.target)?;
    let mut reader = Reader::from_request(&request, name, customer_key, transport);
    reader.hides_absence = terms.hides_absence();
    reader.judged = terms.judged().cloned();
    settled(|| attributes(store, &reader, &requested, page)).await
}

async fn attributes(
    store: &ObjectStore,
    reader: &Reader,
    requested: &[Attribute],
    page: PartsPage,
) -> Result<Response<Body>, ReadError> {
    // A read of one byte, because errors of HEAD have no document.
    let fetched = store.sealed.fetch_range(reader, Some("bytes=0-0")).await?;
    let head = fetched.head;
    drop(fetched.stored);
    let object = if head.envelope.is_none() {
        if unsealed::check(&store.sealed, reader).await? != head.etag {
            return Err(ReadError::Changed);
        }
        Description::of_unsealed(&head)
    } else {
        let needs = Needs {
            key: false,
            checksum: requested.contains(&Attribute::Checksum),
            parts: requested.contains(&Attribute::Checksum)
                || requested.contains(&Attribute::ObjectParts),
        };
        let conditions = Conditions::none();
        store
            .sealed
            .unlock(reader, &head, needs, conditions)
            .await?
    };
    Ok(answer(requested, page, &head, &object))
}

/// The document of the answer.
fn answer(
    requested: &[Attribute],
    page: PartsPage,
    head: &ObjectHead,
    object: &Description,
) -> Response<Body> {
    let mut document = Element::root("GetObjectAttributesResponse");
    let is_requested = |attribute| requested.contains(&attribute);
    if is_requested(Attribute::ETag) {
        document = document.field("ETag", object.etag.bare());
    }
    if let Some(checksum) = object
        .checksum()
        .filter(|_| is_requested(Attribute::Checksum))
    {
        let elements = checksum.elements(None);
        document = document.with(Element::new("Checksum").with_all(elements));
    }
    let parts = object.table.as_ref().filter(|_| object.footer.is_some());
    if let Some(table) = parts.filter(|_| is_requested(Attribute::ObjectParts)) {
        document = document.with(object_parts(table, page));
    }
    if is_requested(Attribute::StorageClass) {
        let class = headers::text(&head.headers, "x-amz-storage-class");
        document = document.field("StorageClass", class.unwrap_or("STANDARD"));
    }
    if is_requested(Attribute::ObjectSize) {
        let size = object.plaintext_bytes.to_string();
        document = document.field("ObjectSize", size);
    }
    let mut response = answer::document(&document);
    let passed = headers::selected(&head.headers, &[header::LAST_MODIFIED, VERSION_ID]);
    response.headers_mut().extend(passed);
    response
}

/// One of the attributes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    ETag,
    Checksum,
    ObjectParts,
    StorageClass,
    ObjectSize,
}

/// The attributes that a request names.
fn requested(headers: &HeaderMap) -> Result<Vec<Attribute>, S3Error> {
    let mut requested = Vec::new();
    for value in headers.get_all(HEADER) {
        let text = value.to_str().unwrap_or_default();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            requested.push(match name {
                "ETag" => Attribute::ETag,
                "Checksum" => Attribute::Checksum,
                "ObjectParts" => Attribute::ObjectParts,
                "StorageClass" => Attribute::StorageClass,
                "ObjectSize" => Attribute::ObjectSize,
                _ => return Err(S3Error::invalid_argument(UNKNOWN, HEADER, name)),
            });
        }
    }
    if requested.is_empty() {
        return Err(S3Error::invalid_request(MISSING));
    }
    Ok(requested)
}

/// The parts of the page; each one only where the checksum is composed of theirs.
fn object_parts(table: &Table, page: PartsPage) -> Element {
    let parts = Element::new("ObjectParts").field("PartsCount", table.parts.len().to_string());
    let composite = |checksum: &&Checksum| checksum.kind == ChecksumKind::Composite;
    let Some(checksum) = table.checksum.as_ref().filter(composite) else {
        return parts;
    };
    page.write(parts, (1..).zip(&table.parts), |place, part| {
        let size = part.segment.plaintext_bytes.to_string();
        let element = Element::new("Part")
            .field("PartNumber", place.to_string())
            .field("Size", size);
        let value = part.checksum.as_ref();
        element.with_all(value.map(|value| part_element(checksum.algorithm, value)))
    })
}

const HEADER: &str = "x-amz-object-attributes";
const UNKNOWN: &str = "Invalid attribute name specified.";
const MISSING: &str = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
