//! Functions that are called by HTTP: the Invoke operation of a Lambda API, or any server that takes the event.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>. Which error of S3 follows from which answer
//! is inferred from their names.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use proto::sigv4;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::time::Clock;

use crate::backend::connector::Connector;
use crate::backend::connector::connector;
use crate::backend::connector::host_header;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::config::Lambda;
use crate::object_lambda::config::parse_url;
use crate::object_lambda::function::Returned;
use crate::object_lambda::waiting::FunctionAnswer;
use crate::request::BoxError;

/// A function that is called by HTTP.
pub struct HttpFunction {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
    signing: Option<Signing>,
    clock: Arc<dyn Clock>,
}

/// What calls of a Lambda API are signed with.
struct Signing {
    credentials: Credentials,
    region: String,
}

impl HttpFunction {
    /// A server that takes the event.
    ///
    /// # Errors
    ///
    /// Why it cannot be called.
    pub fn by_url(url: &str, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let uri = parse_url(url).ok_or_else(|| format!("{url:?} is no URL of HTTP"))?;
        let connector = connector(None).map_err(|error| error.to_string())?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            uri,
            signing: None,
            clock,
        })
    }

    /// The function `arn` of a Lambda API.
    ///
    /// # Errors
    ///
    /// Why it cannot be called.
    pub fn of_lambda(lambda: &Lambda, arn: &str, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let base = lambda.url.trim_end_matches('/');
        // The runtime interface emulator has one function, which no ARN names: its URL is given as a whole.
        let url = match base.ends_with("/invocations") {
            true => base.to_owned(),
            false => {
                let arn = sigv4::encode_component(arn);
                format!("{base}/2015-03-31/functions/{arn}/invocations")
            }
        };
        let signing = match (&lambda.access_key_id, &lambda.secret_access_key) {
            (Some(id), Some(secret)) => Some(Signing {
                credentials: Credentials::new(id, secret.expose()),
                region: arn.split(':').nth(3).unwrap_or_default().to_owned(),
            }),
            _ => None,
        };
        Ok(Self {
            signing,
            ..Self::by_url(&url, clock)?
        })
    }

    /// Calls it with an event; `expects` are the route and the token of a transformed object in its answer.
    ///
    /// # Errors
    ///
    /// `LambdaInvocationFailed`, `LambdaNotFound`, `LambdaPermissionError`, `SlowDown`; `LambdaRuntimeError` when
    /// the function failed; `LambdaInvalidResponse` for a result that is too long.
    pub async fn call(
        &self,
        event: Bytes,
        expects: Option<(&str, &str)>,
    ) -> Result<Returned, S3Error> {
        let request = self.request(event)?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|cause| {
            tracing::warn!(uri = %self.uri, %cause, "a function cannot be reached");
            S3Error::new(S3Code::LambdaInvocationFailed)
        })?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND => return Err(S3Code::LambdaNotFound.into()),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                return Err(S3Code::LambdaPermissionError.into());
            }
            StatusCode::TOO_MANY_REQUESTS => return Err(S3Code::SlowDown.into()),
            status => {
                tracing::warn!(uri = %self.uri, %status, "a function was not called");
                return Err(S3Code::LambdaInvocationFailed.into());
            }
        }
        if let Some((route, token)) = expects
            && is(answer.headers(), "x-amz-request-route", route)
            && is(answer.headers(), "x-amz-request-token", token)
        {
            return Ok(Returned::Answer(transformed(answer)));
        }
        let failed = answer.headers().contains_key("x-amz-function-error");
        let body = Limited::new(answer.into_body(), RESULT_BYTES_MAX);
        let result = body.collect().await;
        let result = result.map_err(|_| S3Error::new(S3Code::LambdaInvalidResponse))?;
        let result = result.to_bytes();
        match failed || is_failure(&result) {
            true => Err(S3Code::LambdaRuntimeError.into()),
            false => Ok(Returned::Result(result)),
        }
    }

    fn request(&self, event: Bytes) -> Result<Request<Full<Bytes>>, S3Error> {
        let host = host_header(&self.uri);
        let headers: [(&str, &[u8]); 2] = [
            ("content-type", b"application/json"),
            ("x-amz-invocation-type", b"RequestResponse"),
        ];
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(header::HOST, &host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(signing) = &self.signing {
            let hash = sigv4::sha256_hex(&event);
            let outbound = OutboundRequest {
                method: "POST",
                host: &host,
                path: self.uri.path(),
                query: &[],
                headers: &headers,
                payload_hash: &hash,
            };
            let now = self.clock.now();
            let signed = sigv4::sign_request(
                &outbound,
                &signing.credentials,
                &signing.region,
                "lambda",
                now,
            );
            for (name, value) in signed {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(event));
        request.map_err(|_| S3Code::LambdaInvocationFailed.into())
    }
}

/// The object in the answer of a server.
fn transformed(answer: Response<Incoming>) -> FunctionAnswer {
    let (head, body) = answer.into_parts();
    let length = http_body::Body::size_hint(&body).exact();
    FunctionAnswer {
        headers: head.headers,
        length,
        body: body.map_err(BoxError::from).boxed_unsync(),
    }
}

fn is(headers: &HeaderMap, name: &str, expected: &str) -> bool {
    let value = headers.get(name).map(http::HeaderValue::as_bytes);
    value == Some(expected.as_bytes())
}

/// Whether a result is how the runtime interface emulator reports that the function failed: not by a header.
fn is_failure(result: &[u8]) -> bool {
    let result = serde_json::from_slice::<serde_json::Value>(result);
    result.is_ok_and(|result| {
        result.get("errorMessage").is_some() && result.get("errorType").is_some()
    })
}

/// Longest result of a function, in bytes.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const RESULT_BYTES_MAX: usize = 6 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_by_their_form_where_no_header_does() {
        assert!(is_failure(
            br#"{"errorMessage":"x","errorType":"E","stackTrace":[]}"#
        ));
        for result in [
            &b""[..],
            b"null",
            br#"{"statusCode":200,"errorMessage":"x"}"#,
        ] {
            assert!(!is_failure(result));
        }
    }
}
