//! GetObjectAttributes of objects in parts.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use http::HeaderMap;
use http::Response;

use crate::chunks::footer::Table;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::attributes;
use crate::object::attributes::Attribute;
use crate::object::multipart::footer::StoredParts;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::parts;
use crate::protocol::conditions::Names;
use crate::protocol::xml::Element;
use crate::request::Body;

/// Which of an object's parts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Those behind this number.
    pub(crate) marker: usize,
    /// As many as this.
    pub(crate) max: usize,
}

impl Page {
    /// The page that a request asks for.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a number that is none.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, S3Error> {
        let number = |name: &'static str, default| match super::text(headers, name) {
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

impl Objects {
    /// The attributes that were asked for.
    pub(crate) async fn attributes_of_parts(
        &self,
        reader: &Reader,
        asked: &[Attribute],
        page: Page,
        stored: &StoredParts,
    ) -> Result<Response<Body>, ReadError> {
        let in_table = [Attribute::Checksum, Attribute::ObjectParts];
        let needs = Needs {
            key: false,
            checksum: in_table.iter().any(|attribute| asked.contains(attribute)),
        };
        let nothing = HeaderMap::new();
        let conditions = (&nothing, &Names::of_reads());
        let unlocked = self.unlock_parts(reader, stored, needs, conditions).await?;
        let table = unlocked.table.as_ref();

        let mut document = Element::root("GetObjectAttributesResponse");
        if asked.contains(&Attribute::ETag) {
            let etag = unlocked.etag.to_str().map_err(|_| S3Error::internal())?;
            document = document.with(Element::with_text("ETag", etag.trim_matches('"')));
        }
        if let Some(table) = table.filter(|_| asked.contains(&Attribute::Checksum))
            && let Some(checksum) = &table.checksum
        {
            let told = checksum.elements(table.parts.len());
            let told = told
                .into_iter()
                .fold(Element::new("Checksum"), Element::with);
            document = document.with(told);
        }
        if let Some(table) = table.filter(|_| asked.contains(&Attribute::ObjectParts)) {
            document = document.with(object_parts(table, page));
        }
        if asked.contains(&Attribute::StorageClass) {
            document = document.with(attributes::storage_class(&stored.headers));
        }
        if asked.contains(&Attribute::ObjectSize) {
            let size = unlocked.footer.tail.plaintext_bytes().to_string();
            document = document.with(Element::with_text("ObjectSize", size));
        }
        Ok(attributes::response(&document, &stored.headers))
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
            element = element.with(parts::part_element(checksum.algorithm, value));
        }
        parts.with(element)
    })
}

/// Most parts that one answer lists; S3's own limit.
const PARTS_LISTED_MAX: usize = 1_000;
