//! Glacier's error answers.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/api-error-responses.html>

use std::borrow::Cow;

use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::full_body;

/// An error code of Glacier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VaultCode {
    AccessDenied,
    BadRequest,
    ExpiredToken,
    InvalidParameterValue,
    InvalidSignature,
    LimitExceeded,
    MissingAuthenticationToken,
    MissingParameterValue,
    RequestTimeout,
    ResourceNotFound,
    Serialization,
    ServiceUnavailable,
    Throttling,
    UnrecognizedClient,
}

impl VaultCode {
    /// Its text and its HTTP status.
    const fn answer(self) -> (&'static str, StatusCode) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::AccessDenied => ("AccessDeniedException", StatusCode::FORBIDDEN),
            Self::BadRequest => ("BadRequest", BAD),
            Self::ExpiredToken => ("ExpiredTokenException", StatusCode::FORBIDDEN),
            Self::InvalidParameterValue => ("InvalidParameterValueException", BAD),
            Self::InvalidSignature => ("InvalidSignatureException", StatusCode::FORBIDDEN),
            Self::LimitExceeded => ("LimitExceededException", BAD),
            Self::MissingAuthenticationToken => ("MissingAuthenticationTokenException", BAD),
            Self::MissingParameterValue => ("MissingParameterValueException", BAD),
            Self::RequestTimeout => ("RequestTimeoutException", StatusCode::REQUEST_TIMEOUT),
            Self::ResourceNotFound => ("ResourceNotFoundException", StatusCode::NOT_FOUND),
            Self::Serialization => ("SerializationException", BAD),
            Self::ServiceUnavailable => (
                "ServiceUnavailableException",
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
            Self::Throttling => ("ThrottlingException", BAD),
            Self::UnrecognizedClient => ("UnrecognizedClientException", BAD),
        }
    }
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultError {
    pub(crate) code: VaultCode,
    pub(crate) message: Cow<'static, str>,
}

impl VaultError {
    /// This code, with a message for people.
    pub(crate) fn new(code: VaultCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    /// `InvalidParameterValueException`.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(VaultCode::InvalidParameterValue, message)
    }

    /// `MissingParameterValueException` for a header, or a member of a document.
    pub(crate) fn missing(name: &str) -> Self {
        let message = format!("Required parameter missing: {name}");
        Self::new(VaultCode::MissingParameterValue, message)
    }

    /// `ResourceNotFoundException`.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(VaultCode::ResourceNotFound, message)
    }

    /// `AccessDeniedException`.
    pub(crate) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(VaultCode::AccessDenied, message)
    }

    /// What cannot happen; the log has the cause.
    pub(crate) fn internal() -> Self {
        S3Error::internal().into()
    }

    /// The code as the document has it.
    pub(crate) fn code_text(&self) -> &'static str {
        self.code.answer().0
    }

    /// The whole HTTP answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let (code, status) = self.code.answer();
        let kind = match status.is_server_error() {
            true => "Server",
            false => "Client",
        };
        let document = serde_json::json!({
            "code": code,
            "message": self.message,
            "type": kind,
        });
        let mut response = Response::new(full_body(document.to_string()));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// What the parts that vaults share with S3 refuse: signatures, bodies, the backend, the KMS.
impl From<S3Error> for VaultError {
    fn from(error: S3Error) -> Self {
        let code = match error.code() {
            S3Code::AccessDenied => VaultCode::AccessDenied,
            S3Code::ExpiredToken => VaultCode::ExpiredToken,
            S3Code::InvalidAccessKeyId | S3Code::InvalidToken => {
                let message = "The security token included in the request is invalid.";
                return Self::new(VaultCode::UnrecognizedClient, message);
            }
            S3Code::SignatureDoesNotMatch => {
                return Self::new(VaultCode::InvalidSignature, MISMATCH);
            }
            S3Code::RequestTimeTooSkewed | S3Code::AuthorizationHeaderMalformed => {
                VaultCode::InvalidSignature
            }
            S3Code::BadDigest
            | S3Code::IncompleteBody
            | S3Code::InvalidArgument
            | S3Code::MaxMessageLengthExceeded
            | S3Code::XAmzContentSha256Mismatch => VaultCode::InvalidParameterValue,
            S3Code::RequestTimeout => VaultCode::RequestTimeout,
            S3Code::SlowDown => VaultCode::Throttling,
            S3Code::NotImplemented => VaultCode::BadRequest,
            _ if error.status().is_client_error() => VaultCode::BadRequest,
            _ => VaultCode::ServiceUnavailable,
        };
        Self::new(code, error.message().to_owned())
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your \
    AWS Secret Access Key and signing method. Consult the service documentation for details.";

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn an_error_is_a_document_with_names_in_lower_case() {
        let error = VaultError::not_found("The job ID was not found: j");
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "code": "ResourceNotFoundException",
            "message": "The job ID was not found: j",
            "type": "Client",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn what_shared_parts_refuse_has_a_code_of_glacier() {
        for (code, expected) in [
            (S3Code::AccessDenied, "AccessDeniedException"),
            (S3Code::ExpiredToken, "ExpiredTokenException"),
            (S3Code::InvalidAccessKeyId, "UnrecognizedClientException"),
            (S3Code::SignatureDoesNotMatch, "InvalidSignatureException"),
            (S3Code::RequestTimeTooSkewed, "InvalidSignatureException"),
            (
                S3Code::XAmzContentSha256Mismatch,
                "InvalidParameterValueException",
            ),
            (S3Code::RequestTimeout, "RequestTimeoutException"),
            (S3Code::MalformedXml, "BadRequest"),
            (S3Code::InternalError, "ServiceUnavailableException"),
            (S3Code::ServiceUnavailable, "ServiceUnavailableException"),
        ] {
            assert_eq!(VaultError::from(S3Error::new(code)).code_text(), expected);
        }
    }
}
