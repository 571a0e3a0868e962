//! A [`KeyService`] by AWS JSON 1.1 over HTTPS: AWS KMS itself, or an emulation of it.
//!
//! `aws://host[:port]` is HTTPS, `aws+http://host[:port]` plain HTTP for an emulation on the same
//! machine. Requests are signed with the gateway's own credentials: AWS KMS decides by them, and
//! does not learn the requester.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/>

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Method;
use http::Request;
use http::StatusCode;
use http::Uri;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use proto::identity::Region;
use proto::sigv4;
use proto::sigv4::OutboundRequest;
use proto::time::Clock;
use proto::trace::Span;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::backend::connector::Connector;
use crate::backend::connector::connector;
use crate::backend::connector::host_header;
use crate::backend::credentials::CredentialsInUse;
use crate::keys::kms::EncryptedBlob;
use crate::keys::kms::GeneratedKey;
use crate::keys::kms::KeyService;
use crate::keys::kms::KeyServiceError;
use crate::keys::kms::Requester;
use crate::keys::kms::RetryPolicy;
use crate::keys::kms::messages;
use crate::sse::context::EncryptionContext;

/// A KMS that speaks AWS JSON.
pub struct AwsKeyService {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
    host: String,
    credentials: CredentialsInUse,
    region: Region,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
}

/// Why an [`AwsKeyService`] cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the KMS endpoint {0:?} is neither aws://host[:port] nor aws+http://host[:port]")]
pub struct SetupError(String);

impl AwsKeyService {
    /// A client of the KMS at `endpoint`, in `region`.
    ///
    /// # Errors
    ///
    /// [`SetupError`] for an endpoint that cannot be used.
    pub fn new(
        endpoint: &str,
        credentials: impl Into<CredentialsInUse>,
        region: Region,
        clock: Arc<dyn Clock>,
        retry: RetryPolicy,
    ) -> Result<Self, SetupError> {
        let refuse = || SetupError(endpoint.to_owned());
        let (scheme, host) = match (
            endpoint.strip_prefix("aws://"),
            endpoint.strip_prefix("aws+http://"),
        ) {
            (Some(host), _) => ("https", host),
            (_, Some(host)) => ("http", host),
            _ => return Err(refuse()),
        };
        let host = host.trim_end_matches('/');
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(host)
            .path_and_query("/")
            .build()
            .map_err(|_| refuse())?;
        let connector = connector(None).map_err(|_| refuse())?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            host: host_header(&uri),
            uri,
            credentials: credentials.into(),
            region,
            clock,
            retry,
        })
    }

    /// One operation: signed, sent, and its answer read.
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        operation: &'static str,
        message: &Q,
    ) -> Result<A, KeyServiceError> {
        let body = serde_json::to_vec(message)
            .map(Bytes::from)
            .map_err(|_| KeyServiceError::Unusable("a request is no JSON"))?;
        let attempt = || async {
            let request = self.request(operation, &body)?;
            let unreachable = |cause: String| KeyServiceError::Unreachable(cause);
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|cause| unreachable(cause.to_string()))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await;
            let body = body
                .map_err(|cause| unreachable(cause.to_string()))?
                .to_bytes();
            if status == StatusCode::OK {
                return serde_json::from_slice(&body)
                    .map_err(|_| KeyServiceError::Unusable("an answer is no JSON"));
            }
            Err(exception(status, &body))
        };
        self.retry.call(attempt).await
    }

    fn request(
        &self,
        operation: &'static str,
        body: &Bytes,
    ) -> Result<Request<Full<Bytes>>, KeyServiceError> {
        let target = format!("TrentService.{operation}");
        let headers: [(&str, &[u8]); 2] = [
            ("content-type", b"application/x-amz-json-1.1"),
            ("x-amz-target", target.as_bytes()),
        ];
        let hash = sigv4::sha256_hex(body);
        let outbound = OutboundRequest {
            method: "POST",
            host: &self.host,
            path: "/",
            query: &[],
            headers: &headers,
            payload_hash: &hash,
        };
        let signed = sigv4::sign_request(
            &outbound,
            &self.credentials.current(),
            self.region.as_str(),
            "kms",
            self.clock.now(),
        );
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header("host", &self.host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in signed {
            request = request.header(name, value);
        }
        if let Some(headers) = request.headers_mut() {
            // Not signed: whoever is in between may change it.
            Span::current().write(headers);
        }
        request
            .body(Full::new(body.clone()))
            .map_err(|_| KeyServiceError::Unusable("a request cannot be written"))
    }
}

impl KeyService for AwsKeyService {
    fn generate_data_key<'a>(
        &'a self,
        _: &'a Requester,
        key_id: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
        async move {
            let message = messages::generate(key_id, context);
            messages::generated(self.call("GenerateDataKey", &message).await?)
        }
        .boxed()
    }

    fn decrypt<'a>(
        &'a self,
        _: &'a Requester,
        key_arn: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        async move {
            let message = messages::decrypt(key_arn, blob, context);
            messages::decrypted(self.call("Decrypt", &message).await?)
        }
        .boxed()
    }

    fn encrypt<'a>(
        &'a self,
        _: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
        async move {
            let message = messages::encrypt(key_id, plaintext, context);
            messages::encrypted(self.call("Encrypt", &message).await?)
        }
        .boxed()
    }

    /// By DescribeKey: AWS has no call that counts against no quota. That the key is not there, or must
    /// not be described, is an answer, too.
    fn check(&self) -> BoxFuture<'_, Result<(), KeyServiceError>> {
        async move {
            let message = serde_json::json!({ "KeyId": "alias/aws/s3" });
            let answer: Result<serde_json::Value, _> = self.call("DescribeKey", &message).await;
            match answer {
                Ok(_) | Err(KeyServiceError::Throttled) => Ok(()),
                Err(KeyServiceError::Refused { code, .. })
                    if code == "AccessDeniedException" || code == "NotFoundException" =>
                {
                    Ok(())
                }
                Err(error) => Err(error),
            }
        }
        .boxed()
    }
}

// The credentials stay out.
impl fmt::Debug for AwsKeyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeyService")
            .field("host", &self.host)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The exception in an answer that is not a success.
fn exception(status: StatusCode, body: &[u8]) -> KeyServiceError {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    let message = text("message")
        .or_else(|| text("Message"))
        .unwrap_or_default();
    match text("__type") {
        // Some servers put a namespace before the name.
        Some(code) => KeyServiceError::refused(code.rsplit('#').next().unwrap_or(code), message),
        None if status == StatusCode::TOO_MANY_REQUESTS => KeyServiceError::Throttled,
        None => KeyServiceError::Unreachable(format!("it answered with status {status}")),
    }
}

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::exception;
    use crate::keys::kms::KeyServiceError;

    #[test]
    fn an_exception_is_read_from_the_answers_body() {
        let throttled = br#"{"__type":"ThrottlingException","message":"You have exceeded"}"#;
        assert_eq!(
            exception(StatusCode::BAD_REQUEST, throttled),
            KeyServiceError::Throttled
        );
        let disabled = br#"{"__type":"com.amazonaws.kms#DisabledException","Message":"k"}"#;
        assert_eq!(
            exception(StatusCode::BAD_REQUEST, disabled),
            KeyServiceError::refused("DisabledException", "k")
        );
    }

    #[test]
    fn an_answer_of_something_else_is_no_answer_of_a_kms() {
        for body in [&b"<html>"[..], b"", b"[]", b"{}"] {
            let error = exception(StatusCode::BAD_GATEWAY, body);
            assert!(matches!(error, KeyServiceError::Unreachable(_)));
        }
    }
}
