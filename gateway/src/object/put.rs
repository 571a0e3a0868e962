//! PutObject.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use http::HeaderMap;
use http::HeaderValue;
use http::Response;
use http::header;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::store::NewObject;
use crate::object::store::Written;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::conditions;
use crate::protocol::headers;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::Encryption;
use crate::sse::choice::Transport;
use crate::sse::data_key::ObjectName;
use crate::sse::kms::Requester;

impl Objects {
    /// Stores the request's body as one sealed object.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request or its body; nothing was stored then.
    pub async fn put(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let (written, encryption) = self.put_object(request).await?;
        let mut response = Response::new(empty_body());
        *response.headers_mut() = answer(&written, &encryption);
        Ok(response)
    }

    /// As [`Self::put`]: what was written, and what was asked for.
    pub(crate) async fn put_object(
        &self,
        request: S3Request,
    ) -> Result<(Written, Encryption), S3Error> {
        let name = self.name(&request.target)?;
        let plaintext_bytes = request
            .body
            .length()
            .ok_or_else(|| S3Error::new(S3Code::MissingContentLength))?;
        if plaintext_bytes > PUT_BYTES_MAX {
            return Err(S3Error::new(S3Code::EntityTooLarge)
                .detail("ProposedSize", plaintext_bytes.to_string())
                .detail("MaxSizeAllowed", PUT_BYTES_MAX.to_string()));
        }
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let default = self.defaults.of(&name.bucket).await?;
        let encryption = choice::for_write(&request.headers, &default, transport)?;
        let expected = Expected::read(&request.headers, request.body.announced_trailers())?;
        let mut headers = headers::of_write(&request.headers)?;
        let requester = Requester::of(&request);
        self.write_conditions(&request.headers, &name, &mut headers)
            .await?;

        let key = self.new_key(&encryption, &name, &requester).await?;
        let object = NewObject {
            name,
            headers,
            key,
            expected,
            plaintext_bytes,
        };
        let written = self.store(object, request.body).await?;
        Ok((written, encryption))
    }

    /// Judges the conditions of a write, and adds those that the backend has to judge again at the
    /// moment it commits.
    pub(crate) async fn write_conditions(
        &self,
        request: &HeaderMap,
        name: &ObjectName,
        headers: &mut HeaderMap,
    ) -> Result<(), S3Error> {
        let (matching, none) = (
            request.get(header::IF_MATCH),
            request.get(header::IF_NONE_MATCH),
        );
        match (matching, none) {
            (None, None) => Ok(()),
            (Some(_), Some(_)) => Err(not_implemented("If-Match,If-None-Match", SEVERAL)),
            (None, Some(none)) if none != "*" => Err(not_implemented("If-None-Match", NOT_A_STAR)),
            (None, Some(_)) => {
                if self.current_etags(name).await?.is_some() {
                    return Err(failed("If-None-Match"));
                }
                headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
                Ok(())
            }
            (Some(expected), None) => {
                let current = self.current_etags(name).await?;
                let Some((client, backend)) = current else {
                    return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", &name.key));
                };
                let expected = expected.to_str().unwrap_or_default();
                if !conditions::matches_any(expected, &client) {
                    return Err(failed("If-Match"));
                }
                let onward = conditions::in_form_of(expected, backend);
                headers.insert(header::IF_MATCH, onward);
                Ok(())
            }
        }
    }
}

/// 412, with the name of the condition.
pub(crate) fn failed(condition: &'static str) -> S3Error {
    S3Error::new(S3Code::PreconditionFailed).detail("Condition", condition)
}

fn not_implemented(header: &'static str, message: &'static str) -> S3Error {
    S3Error::with_message(S3Code::NotImplemented, NOT_IMPLEMENTED)
        .detail("Header", header)
        .detail("additionalMessage", message)
}

/// The headers that tell of an object that was written.
pub(crate) fn answer(written: &Written, encryption: &Encryption) -> HeaderMap {
    let mut headers = headers::of_write_answer(&written.headers);
    headers.insert(header::ETAG, written.etag.clone());
    if let Some(checksum) = &written.record.checksum {
        checksum.write_headers(&mut headers, 1);
    }
    answer::of_write(
        &mut headers,
        &written.protection,
        customer_key_md5(encryption),
    );
    headers
}

/// The digest that came with the customer's key, to be echoed.
pub(crate) fn customer_key_md5(encryption: &Encryption) -> Option<&str> {
    match encryption {
        Encryption::SseC(key) => Some(key.md5()),
        Encryption::SseS3 | Encryption::SseKms(_) | Encryption::Dsse(_) => None,
    }
}

/// Largest body of one write, in bytes: 5 GiB.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PUT_BYTES_MAX: u64 = 5 << 30;

const NOT_IMPLEMENTED: &str = "A header you provided implies functionality that is not implemented";
const SEVERAL: &str = "Multiple conditional request headers present in the request";
const NOT_A_STAR: &str = "We don't accept the provided value of If-None-Match header for this API";
