//! CopyObject: one object under another name, key or mode.
//!
//! The target's encryption is what the request asks for, or its bucket's default; nothing is inherited
//! from the source. Where that allows it, the backend copies the sealed bytes and only the data key is
//! wrapped anew ([`crate::object::rewrap`]). Otherwise the source's bytes stream through: its tags are
//! checked before its last piece is sealed, so a source that does not open leaves no target behind.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use proto::time::Timestamp;

use crate::backend::Backend;
use crate::backend::ReplyBody;
use crate::chunks::open::Opener;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::opened::OpenedBody;
use crate::object::plain::PlainBody;
use crate::object::put::customer_key_md5;
use crate::object::rewrap::Rewrapped;
use crate::object::store::NewObject;
use crate::object::store::Written;
use crate::object::stored::ATTEMPTS;
use crate::object::stored::Found;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::object::stored::judge;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::conditions::Names;
use crate::protocol::copy_source::CopySource;
use crate::protocol::headers;
use crate::protocol::xml;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::DefaultAlgorithm;
use crate::sse::choice::Encryption;
use crate::sse::choice::Transport;
use crate::sse::customer_key;
use crate::sse::data_key::ObjectName;
use crate::sse::data_key::refuse_tampered;
use crate::sse::kms::Requester;

/// How copies are made, where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Making {
    /// The backend copies the sealed bytes, and their data key is wrapped anew: takes no longer for a
    /// large object than for a small one. Who could open the source could forge the copy at the
    /// backend.
    #[default]
    Rewrap,
    /// Objects are opened and sealed under a data key of their own.
    Reencrypt,
}

/// The source of a copy, its first piece opened.
pub(crate) struct Source {
    /// Headers of the backend's answer.
    pub(crate) headers: HeaderMap,
    pub(crate) plaintext_bytes: u64,
    pub(crate) body: Payload,
    pub(crate) algorithm: Option<Algorithm>,
}

/// A copy as it was asked for.
struct Asked {
    name: ObjectName,
    reader: Reader,
    encryption: Encryption,
    /// The checksum's algorithm, where the request names one.
    algorithm: Option<Algorithm>,
    replace_metadata: bool,
    replace_tags: bool,
    /// The headers of the request.
    headers: HeaderMap,
}

impl Objects {
    /// Copies an object, or a version of one.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request, its source or its target; nothing was
    /// stored then.
    pub async fn copy(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let asked = self.asked_copy(request).await?;
        if let Some((written, source)) = self.copy_rewrapped(&asked).await? {
            return answer(&written, &source, customer_key_md5(&asked.encryption));
        }
        let source = self.source(&asked.reader, &asked.headers).await?;
        let headers = self.target_headers(&asked, &source.headers).await?;
        let requester = &asked.reader.requester;
        let key = self
            .new_key(&asked.encryption, &asked.name, requester)
            .await?;
        let object = NewObject {
            name: asked.name,
            headers,
            key,
            expected: Expected::nothing(asked.algorithm.or(source.algorithm)),
            plaintext_bytes: source.plaintext_bytes,
        };
        let written = self.store(object, source.body).await?;
        answer(
            &written,
            &source.headers,
            customer_key_md5(&asked.encryption),
        )
    }

    /// What a request asks to copy.
    async fn asked_copy(&self, request: S3Request) -> Result<Asked, S3Error> {
        let name = self.name(&request.target)?;
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let source_name = CopySource::read(&request.headers)?;
        let replace_metadata = replaces(&request.headers, "x-amz-metadata-directive", METADATA)?;
        let replace_tags = replaces(&request.headers, "x-amz-tagging-directive", TAGGING)?;
        let default = self.defaults.of(&name.bucket).await?;
        let encryption = choice::for_write(&request.headers, &default, transport)?;
        let on_itself = source_name.version.is_none()
            && (&source_name.bucket, &source_name.key) == (&name.bucket, &name.key);
        let changes = replace_metadata
            || choice::named(&request.headers)
            || default.algorithm != DefaultAlgorithm::SseS3
            || CHANGES
                .iter()
                .any(|name| request.headers.contains_key(*name));
        // Where unsealed objects are, a copy onto itself is how one is sealed.
        if on_itself && !changes && !self.adopts(&name.bucket) {
            return Err(S3Error::invalid_request(ON_ITSELF));
        }

        let customer_key = choice::for_copy_source(&request.headers, transport)?;
        let algorithm = request.header("x-amz-checksum-algorithm");
        let algorithm = algorithm.map(Algorithm::from_name).transpose()?;
        let reader = Reader {
            name: self.named(&source_name.bucket, &source_name.key)?,
            version: source_name.version,
            customer_key,
            requester: Requester::of(&request),
            transport,
        };
        Ok(Asked {
            name,
            reader,
            encryption,
            algorithm,
            replace_metadata,
            replace_tags,
            headers: request.headers,
        })
    }

    /// Copies by a new envelope alone; none where the bytes must be sealed anew. The headers are those
    /// of the source.
    async fn copy_rewrapped(&self, asked: &Asked) -> Result<Option<(Written, HeaderMap)>, S3Error> {
        let allowed = self.config.copy == Making::Rewrap
            && asked.algorithm.is_none()
            && !matches!(asked.encryption, Encryption::Dsse(_));
        if !allowed || !self.copies.are_faithful().await {
            return Ok(None);
        }
        for _ in 0..ATTEMPTS {
            match self.copy_rewrapped_once(asked).await {
                Ok(outcome) => return Ok(outcome),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    async fn copy_rewrapped_once(
        &self,
        asked: &Asked,
    ) -> Result<Option<(Written, HeaderMap)>, ReadError> {
        let reader = &asked.reader;
        let source = self
            .rewrappable(reader, &asked.headers, &asked.encryption)
            .await?;
        let Some(source) = source else {
            return Ok(None);
        };
        if source.stored.segment.plaintext_bytes > SOURCE_BYTES_MAX {
            return Err(S3Error::invalid_request(TOO_LARGE).into());
        }
        let mut headers = self.target_headers(asked, &source.stored.headers).await?;
        let from_request = asked.replace_tags || headers.contains_key(TAGS);
        let directive = if from_request { "REPLACE" } else { "COPY" };
        headers.insert(TAGGING_DIRECTIVE, HeaderValue::from_static(directive));
        let target = Rewrapped {
            name: &asked.name,
            headers,
            encryption: &asked.encryption,
            requester: &reader.requester,
        };
        let written = self.rewrap(reader, &source, target).await?;
        Ok(Some((written, source.stored.headers)))
    }

    /// The target's headers for the backend, after its conditions were found to hold.
    async fn target_headers(
        &self,
        asked: &Asked,
        source: &HeaderMap,
    ) -> Result<HeaderMap, S3Error> {
        let mut headers = if asked.replace_metadata {
            headers::of_write(&asked.headers)?
        } else {
            let mut headers = headers::of_copied(source);
            headers.extend(headers::of_placement(&asked.headers));
            headers
        };
        if !asked.replace_tags {
            headers.remove(TAGS);
            self.copy_tags(&asked.reader, source, &mut headers).await?;
        }
        self.write_conditions(&asked.headers, &asked.name, &mut headers)
            .await?;
        Ok(headers)
    }

    /// Opens the source of a copy.
    async fn source(&self, reader: &Reader, conditions: &HeaderMap) -> Result<Source, S3Error> {
        for _ in 0..ATTEMPTS {
            match self.source_once(reader, conditions).await {
                Ok(source) => return Ok(source),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    async fn source_once(
        &self,
        reader: &Reader,
        conditions: &HeaderMap,
    ) -> Result<Source, ReadError> {
        let answer = self.backend.send(reader.request(Method::GET)).await?;
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Err(S3Error::invalid_request(DELETE_MARKER).into());
        }
        if answer.status() != StatusCode::OK {
            return Err(Backend::refusal(&Method::GET, answer).await.into());
        }
        let (parts, body) = answer.into_parts();
        let bucket = &reader.name.bucket;
        let stored = match self.recognise(bucket, parts.status, parts.headers)? {
            Found::Sealed(stored) => stored,
            Found::Parts(stored) => {
                return self
                    .parts_source(reader, conditions, *stored, body, SOURCE_BYTES_MAX)
                    .await;
            }
            Found::Plain(headers) => {
                return self.plain_source(reader, conditions, headers, body).await;
            }
        };
        if stored.segment.plaintext_bytes > SOURCE_BYTES_MAX {
            return Err(S3Error::invalid_request(TOO_LARGE).into());
        }
        let needs = Needs {
            key: true,
            checksum: true,
        };
        let names = Names::of_copy_sources();
        let unlocked = self
            .unlock(reader, &stored, needs, (conditions, &names))
            .await?;
        let keys = unlocked.keys.as_ref().ok_or_else(S3Error::internal)?;
        let opener = Opener::object(keys.keys(), &stored.segment)?;
        let body = OpenedBody::new(body, opener, 0, stored.stored_bytes);
        let checksum = unlocked
            .record
            .as_ref()
            .and_then(|record| record.checksum.as_ref());
        let plaintext_bytes = stored.segment.plaintext_bytes;
        Ok(Source {
            algorithm: checksum.map(|checksum| checksum.algorithm),
            body: Payload::from_stream(body.open_first().await?, Some(plaintext_bytes)),
            headers: stored.headers,
            plaintext_bytes,
        })
    }

    /// An unsealed source, in a bucket that was adopted.
    async fn plain_source(
        &self,
        reader: &Reader,
        conditions: &HeaderMap,
        headers: HeaderMap,
        body: ReplyBody,
    ) -> Result<Source, ReadError> {
        if reader.customer_key.is_some() {
            return Err(customer_key::not_applicable().into());
        }
        let etag = self.begins_unsealed(reader).await?;
        if headers.get(header::ETAG) != etag.as_ref() {
            return Err(ReadError::Changed);
        }
        let etag = etag.ok_or_else(S3Error::internal)?;
        judge((conditions, &Names::of_copy_sources()), &etag, &headers)?;
        let plaintext_bytes = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .ok_or_else(S3Error::internal)?;
        if plaintext_bytes > SOURCE_BYTES_MAX {
            return Err(S3Error::invalid_request(TOO_LARGE).into());
        }
        Ok(Source {
            algorithm: None,
            body: Payload::from_stream(PlainBody(body), Some(plaintext_bytes)),
            headers,
            plaintext_bytes,
        })
    }

    /// Takes over the source's tags, where the backend says that it has some.
    pub(crate) async fn copy_tags(
        &self,
        reader: &Reader,
        source: &HeaderMap,
        headers: &mut HeaderMap,
    ) -> Result<(), S3Error> {
        let count = source.get("x-amz-tagging-count");
        if count.is_none_or(|count| count == "0") {
            return Ok(());
        }
        let request = reader.request(Method::GET).query("tagging", "");
        let answer = self.backend.fetch(request).await?;
        let document = Element::parse(answer.body(), Limits::ANSWER)
            .map_err(|_| refuse_tampered(&"its tags are no XML"))?;
        let encoded = xml::tag_query(&document);
        let value = HeaderValue::from_str(&encoded).map_err(|_| S3Error::internal())?;
        headers.insert(TAGS, value);
        Ok(())
    }
}

/// Whether a directive says REPLACE; COPY is the default.
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
fn answer(
    written: &Written,
    source: &HeaderMap,
    customer_key_md5: Option<&str>,
) -> Result<Response<Body>, S3Error> {
    let etag = written.etag.to_str().map_err(|_| S3Error::internal())?;
    let mut result = Element::root("CopyObjectResult")
        .with(Element::with_text(
            "LastModified",
            modified(&written.headers),
        ))
        .with(Element::with_text("ETag", etag));
    if let Some(checksum) = &written.record.checksum {
        for element in checksum.elements(1) {
            result = result.with(element);
        }
    }

    let mut headers = headers::of_write_answer(&written.headers);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    if let Some(version) = source.get("x-amz-version-id") {
        let name = HeaderName::from_static("x-amz-copy-source-version-id");
        headers.insert(name, version.clone());
    }
    answer::of_write(&mut headers, &written.protection, customer_key_md5);
    let mut response = Response::new(full_body(result.to_document()));
    *response.headers_mut() = headers;
    Ok(response)
}

/// When the backend wrote the target, by its own clock.
pub(crate) fn modified(headers: &HeaderMap) -> String {
    let date = headers
        .get(header::DATE)
        .and_then(|date| date.to_str().ok());
    let time = date.and_then(|date| Timestamp::parse_http_date(date).ok());
    time.unwrap_or(Timestamp::UNIX_EPOCH).iso8601_millis()
}

const TAGS: HeaderName = HeaderName::from_static("x-amz-tagging");
const TAGGING_DIRECTIVE: HeaderName = HeaderName::from_static("x-amz-tagging-directive");

/// Largest object that one copy takes, in bytes: 5 GiB.
const SOURCE_BYTES_MAX: u64 = 5 << 30;

/// Headers that make a copy of an object onto itself a change.
const CHANGES: [&str; 2] = ["x-amz-storage-class", "x-amz-website-redirect-location"];

const METADATA: &str = "Unknown metadata directive.";
const TAGGING: &str = "Unknown tagging directive.";
const ON_ITSELF: &str = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
pub(crate) const DELETE_MARKER: &str =
    "The source of a copy request may not specifically refer to a delete marker by version id.";
const TOO_LARGE: &str = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
