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
use crate::operation::store::ObjectStore;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::parts::part_element;
use crate::protocol::conditions::Conditions;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::S3Request;
use crate::sealed::head::ObjectHead;
use crate::sealed::head::VERSION_ID;
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
    let (request, _) = permitted.spend();
    let transport = store.transport(&request);
    let customer_key = for_read(&request.headers, transport)?;
    let requested = requested(&request.headers)?;
    let page = Page::from_headers(&request.headers)?;
    let name = store.name(&request.target)?;
    let reader = Reader::from_request(&request, name, customer_key, transport);
    settled(|| attributes(store, &reader, &requested, page)).await
}

async fn attributes(
    store: &ObjectStore,
    reader: &Reader,
    requested: &[Attribute],
    page: Page,
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
    page: Page,
    head: &ObjectHead,
    object: &Description,
) -> Response<Body> {
    let mut document = Element::root("GetObjectAttributesResponse");
    let is_requested = |attribute| requested.contains(&attribute);
    if is_requested(Attribute::ETag) {
        document = document.with(Element::with_text("ETag", object.etag.bare()));
    }
    if let Some(checksum) = object
        .checksum()
        .filter(|_| is_requested(Attribute::Checksum))
    {
        let elements = checksum.elements(object.parts().unwrap_or(1)).into_iter();
        document = document.with(elements.fold(Element::new("Checksum"), Element::with));
    }
    let parts = object.table.as_ref().filter(|_| object.footer.is_some());
    if let Some(table) = parts.filter(|_| is_requested(Attribute::ObjectParts)) {
        document = document.with(object_parts(table, page));
    }
    if is_requested(Attribute::StorageClass) {
        let class = head.headers.get("x-amz-storage-class");
        let class = class.and_then(|class| class.to_str().ok());
        let class = Element::with_text("StorageClass", class.unwrap_or("STANDARD"));
        document = document.with(class);
    }
    if is_requested(Attribute::ObjectSize) {
        let size = object.plaintext_bytes.to_string();
        document = document.with(Element::with_text("ObjectSize", size));
    }
    let mut response = answer::document(&document);
    for name in [header::LAST_MODIFIED, VERSION_ID] {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
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

/// Which of an object's parts are requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    /// Those behind this number.
    marker: usize,
    /// As many as this.
    max: usize,
}

impl Page {
    /// The page of a request.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a number that is none.
    fn from_headers(headers: &HeaderMap) -> Result<Self, S3Error> {
        let number = |name: &'static str, default| match headers
            .get(name)
            .and_then(|value| value.to_str().ok())
        {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                let message = format!("Provided {name} not an integer or within integer range");
                S3Error::invalid_argument(message, name, text)
            }),
        };
        Ok(Self {
            marker: number("x-amz-part-number-marker", 0)?,
            max: number("x-amz-max-parts", PARTS_LISTED_MAX)?.min(PARTS_LISTED_MAX),
        })
    }
}

/// The parts of the page; each one only where the client chose a checksum.
fn object_parts(table: &Table, page: Page) -> Element {
    let count = Element::with_text("PartsCount", table.parts.len().to_string());
    let parts = Element::new("ObjectParts").with(count);
    let chosen = table.checksum.as_ref().filter(|checksum| {
        checksum.kind == ChecksumKind::Composite || checksum.algorithm != Algorithm::Crc64Nvme
    });
    let Some(checksum) = chosen else {
        return parts;
    };
    let mut places = (1_usize..).zip(&table.parts).skip(page.marker);
    let shown: Vec<_> = places.by_ref().take(page.max).collect();
    let next = shown.last().map_or(page.marker, |(place, _)| *place);
    let parts = parts
        .with(Element::with_text(
            "PartNumberMarker",
            page.marker.to_string(),
        ))
        .with(Element::with_text("NextPartNumberMarker", next.to_string()))
        .with(Element::with_text("MaxParts", page.max.to_string()))
        .with(Element::with_text(
            "IsTruncated",
            places.next().is_some().to_string(),
        ));
    shown.into_iter().fold(parts, |parts, (place, part)| {
        let size = part.segment.plaintext_bytes.to_string();
        let mut element = Element::new("Part")
            .with(Element::with_text("PartNumber", place.to_string()))
            .with(Element::with_text("Size", size));
        if let Some(value) = &part.checksum {
            element = element.with(part_element(checksum.algorithm, value));
        }
        parts.with(element)
    })
}

/// Most parts that one answer lists; S3's own limit.
const PARTS_LISTED_MAX: usize = 1_000;

const HEADER: &str = "x-amz-object-attributes";
const UNKNOWN: &str = "Invalid attribute name specified.";
const MISSING: &str = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
