//! GetObjectAttributes: what HeadObject tells, as a document, and only what was asked for.
//!
//! Calls the KMS only where the checksum is asked for.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;

use crate::backend::Backend;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::multipart::attributes::Page;
use crate::object::stored::ATTEMPTS;
use crate::object::stored::Found;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::checksum::Checksum;
use crate::protocol::conditions::Names;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::choice;
use crate::sse::choice::Transport;
use crate::sse::customer_key;

impl Objects {
    /// Answers with the attributes of an object that were asked for.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request; `InternalError` for an object that is not
    /// as it was written.
    pub async fn attributes(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let customer_key = choice::for_read(&request.headers, transport)?;
        let asked = asked(&request.headers)?;
        let page = Page::read(&request.headers)?;
        let name = self.name(&request.target)?;
        let reader = Reader::of(&request, name, customer_key, transport);
        for _ in 0..ATTEMPTS {
            match self.attributes_once(&reader, &asked, page).await {
                Ok(answer) => return Ok(answer),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    async fn attributes_once(
        &self,
        reader: &Reader,
        asked: &[Attribute],
        page: Page,
    ) -> Result<Response<Body>, ReadError> {
        // A read of one byte, because errors of HEAD have no document.
        let range = HeaderValue::from_static("bytes=0-0");
        let request = reader.request(Method::GET).header(header::RANGE, range);
        let answer = self.backend.send(request).await?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.adopts(&reader.name.bucket)
        {
            // A sealed object is never without bytes.
            return self.plain_attributes(reader, asked).await;
        }
        if !matches!(
            answer.status(),
            StatusCode::OK | StatusCode::PARTIAL_CONTENT
        ) {
            return Err(Backend::refusal(&Method::GET, answer).await.into());
        }
        let (parts, _) = answer.into_parts();
        let bucket = &reader.name.bucket;
        let stored = match self.recognise(bucket, parts.status, parts.headers)? {
            Found::Sealed(stored) => stored,
            Found::Parts(stored) => {
                return self.attributes_of_parts(reader, asked, page, &stored).await;
            }
            Found::Plain(_) => return self.plain_attributes(reader, asked).await,
        };
        let needs = Needs {
            key: false,
            checksum: asked.contains(&Attribute::Checksum),
        };
        let nothing = HeaderMap::new();
        let conditions = (&nothing, &Names::of_reads());
        let unlocked = self.unlock(reader, &stored, needs, conditions).await?;
        let checksum = unlocked
            .record
            .as_ref()
            .and_then(|record| record.checksum.as_ref());
        let bytes = stored.segment.plaintext_bytes;
        Ok(answer_of(
            asked,
            &stored.headers,
            &unlocked.etag,
            bytes,
            checksum,
        )?)
    }

    /// Those of an unsealed object, in a bucket that was adopted.
    async fn plain_attributes(
        &self,
        reader: &Reader,
        asked: &[Attribute],
    ) -> Result<Response<Body>, ReadError> {
        if reader.customer_key.is_some() {
            return Err(customer_key::not_applicable().into());
        }
        let etag = self.begins_unsealed(reader).await?;
        let headers = self.head_backend(reader).await?;
        let etag = etag.filter(|etag| headers.get(header::ETAG) == Some(etag));
        let etag = etag.ok_or(ReadError::Changed)?;
        let bytes = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .ok_or_else(S3Error::internal)?;
        Ok(answer_of(asked, &headers, &etag, bytes, None)?)
    }
}

/// One of the attributes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    ETag,
    Checksum,
    ObjectParts,
    StorageClass,
    ObjectSize,
}

/// The attributes that a request asks for.
fn asked(headers: &HeaderMap) -> Result<Vec<Attribute>, S3Error> {
    let mut asked = Vec::new();
    for value in headers.get_all(HEADER) {
        let text = value.to_str().unwrap_or_default();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            asked.push(match name {
                "ETag" => Attribute::ETag,
                "Checksum" => Attribute::Checksum,
                "ObjectParts" => Attribute::ObjectParts,
                "StorageClass" => Attribute::StorageClass,
                "ObjectSize" => Attribute::ObjectSize,
                _ => return Err(S3Error::invalid_argument(UNKNOWN, HEADER, name)),
            });
        }
    }
    if asked.is_empty() {
        return Err(S3Error::invalid_request(MISSING));
    }
    Ok(asked)
}

fn answer_of(
    asked: &[Attribute],
    backend: &HeaderMap,
    etag: &HeaderValue,
    plaintext_bytes: u64,
    checksum: Option<&Checksum>,
) -> Result<Response<Body>, S3Error> {
    let mut document = Element::root("GetObjectAttributesResponse");
    if asked.contains(&Attribute::ETag) {
        let etag = etag.to_str().map_err(|_| S3Error::internal())?;
        document = document.with(Element::with_text("ETag", etag.trim_matches('"')));
    }
    if let Some(checksum) = checksum
        && asked.contains(&Attribute::Checksum)
    {
        let mut told = Element::new("Checksum");
        for element in checksum.elements(1) {
            told = told.with(element);
        }
        document = document.with(told);
    }
    if asked.contains(&Attribute::StorageClass) {
        document = document.with(storage_class(backend));
    }
    if asked.contains(&Attribute::ObjectSize) {
        let size = plaintext_bytes.to_string();
        document = document.with(Element::with_text("ObjectSize", size));
    }

    Ok(response(&document, backend))
}

/// The storage class that the backend tells.
pub(crate) fn storage_class(backend: &HeaderMap) -> Element {
    let class = backend.get("x-amz-storage-class");
    let class = class.and_then(|class| class.to_str().ok());
    Element::with_text("StorageClass", class.unwrap_or("STANDARD"))
}

/// The answer with this document.
pub(crate) fn response(document: &Element, backend: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(full_body(document.to_document()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    for name in [header::LAST_MODIFIED, VERSION_ID] {
        if let Some(value) = backend.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    response
}

const HEADER: &str = "x-amz-object-attributes";
const VERSION_ID: http::HeaderName = http::HeaderName::from_static("x-amz-version-id");
const UNKNOWN: &str = "Invalid attribute name specified.";
const MISSING: &str = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
