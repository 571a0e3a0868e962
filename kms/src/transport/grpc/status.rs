//! Errors as gRPC writes them: the nearest code, AWS's name and text, and when to try again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use http::HeaderValue;
use http::Response;
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::metadata::MetadataValue;
use tonic_types::ErrorDetails;
use tonic_types::StatusExt as _;

use crate::error::Code;
use crate::error::KmsError;
use crate::transport::body::BodyError;

/// An error as gRPC writes it: the nearest code, AWS's name and text, and when to try again.
///
/// `google.rpc.RetryInfo` is for programs that read details. The retry policies of gRPC itself follow the
/// trailer `grpc-retry-pushback-ms`: how long to wait, or less than 0 not to try again, which
/// LimitExceededException needs because its gRPC code is that of throttling.
///
/// Source: <https://github.com/grpc/proposal/blob/master/A6-client-retries.md>
pub(crate) fn status(error: &KmsError) -> Status {
    let mut metadata = HashMap::new();
    let throttle = error.throttle();
    if let Some(throttle) = throttle {
        metadata.insert("quota_class".to_owned(), throttle.quota_class.to_owned());
    }

    let mut details = ErrorDetails::new();
    details.set_error_info(error.code().name(), ERROR_DOMAIN, metadata);
    let mut trailers = MetadataMap::new();
    if let Some(throttle) = throttle {
        let delay_ms = throttle.retry_after.as_micros().div_ceil(1_000).max(1);
        let delay_ms = u32::try_from(delay_ms).unwrap_or(u32::MAX);
        details.set_retry_info(Some(Duration::from_millis(delay_ms.into())));
        trailers.insert(PUSHBACK, MetadataValue::from(delay_ms));
    } else if error.code() == Code::LimitExceededException {
        trailers.insert(PUSHBACK, MetadataValue::from(-1_i32));
    }

    let (code, message) = (grpc_code(error.code()), cut(error.message()));
    Status::with_error_details_and_metadata(code, message, details, trailers)
}

/// The answer, with details where tonic's own errors have none: messages that are too large, compressed
/// or not, and messages that cannot be read.
pub(crate) fn with_details(answer: Response<Body>) -> Response<Body> {
    let headers = answer.headers();
    let code = headers.get("grpc-status").map(HeaderValue::as_bytes);
    let error = match code {
        _ if headers.contains_key("grpc-status-details-bin") => return answer,
        // RESOURCE_EXHAUSTED and OUT_OF_RANGE: a policy must not repeat such a call.
        Some(b"8" | b"11") => KmsError::from(BodyError::TooLarge),
        // INTERNAL.
        Some(b"13") => KmsError::new(
            Code::SerializationException,
            "The request is no message of the operation.",
        ),
        _ => return answer,
    };
    status(&error).into_http()
}

/// The text of an error, or as much of it as clients take. Texts are long where they show a value
/// that breaks a constraint.
fn cut(message: &str) -> Cow<'_, str> {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.into();
    }
    let mut ends = (0..=MESSAGE_BYTES_MAX).rev();
    let whole = ends.find_map(|end| message.get(..end)).unwrap_or_default();
    format!("{whole}...").into()
}

/// The gRPC code nearest to an AWS exception.
fn grpc_code(code: Code) -> tonic::Code {
    match code {
        Code::ThrottlingException | Code::LimitExceededException => tonic::Code::ResourceExhausted,
        Code::NotFoundException | Code::CustomKeyStoreNotFoundException => tonic::Code::NotFound,
        Code::AlreadyExistsException | Code::CustomKeyStoreNameInUseException => {
            tonic::Code::AlreadyExists
        }
        Code::AccessDeniedException => tonic::Code::PermissionDenied,
        Code::MissingAuthenticationTokenException
        | Code::IncompleteSignatureException
        | Code::InvalidSignatureException
        | Code::UnrecognizedClientException
        | Code::ExpiredTokenException => tonic::Code::Unauthenticated,
        Code::DisabledException
        | Code::DryRunOperationException
        | Code::InvalidKeyUsageException
        | Code::KmsInvalidStateException
        | Code::CustomKeyStoreInvalidStateException
        | Code::UnsupportedOperationException => tonic::Code::FailedPrecondition,
        Code::ConflictException => tonic::Code::Aborted,
        Code::UnknownOperationException => tonic::Code::Unimplemented,
        Code::KeyUnavailableException
        | Code::DependencyTimeoutException
        | Code::ServiceUnavailableException => tonic::Code::Unavailable,
        Code::InternalFailure | Code::KmsInternalException => tonic::Code::Internal,
        _ => tonic::Code::InvalidArgument,
    }
}

/// Longest text of an error, in bytes. Clients refuse an answer whose headers have more than 8 KiB,
/// and a text stands in them twice: percent-encoded and in the details.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// The trailer that gRPC's own retry policies follow.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Whose names the reasons are.
const ERROR_DOMAIN: &str = "kms.amazonaws.com";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic_types::StatusExt as _;

    use super::status;
    use crate::error::Code;
    use crate::error::KmsError;

    #[test]
    fn a_throttled_call_names_its_quota_and_when_to_try_again() {
        let status = status(&KmsError::throttled(
            "CreateKey",
            Duration::from_millis(300),
        ));
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("ThrottlingException", "kms.amazonaws.com")
        );
        assert_eq!(info.metadata["quota_class"], "CreateKey");
        let delay = details.retry_info().unwrap().retry_delay;
        assert_eq!(delay, Some(Duration::from_millis(300)));
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            "300"
        );
    }

    #[test]
    fn a_wait_is_rounded_up_so_that_the_next_try_is_not_too_early() {
        let status = status(&KmsError::throttled("Sign", Duration::from_micros(4_001)));
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            "5"
        );
    }

    #[test]
    fn retry_policies_do_not_repeat_a_call_beyond_a_limit_that_no_time_lifts() {
        let limit = KmsError::new(Code::LimitExceededException, "too many");
        let status = status(&limit);
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            "-1"
        );
    }

    #[test]
    fn a_text_that_clients_could_not_take_is_cut() {
        let long = "ä".repeat(5_000);
        let status = status(&KmsError::validation(format!("Value '{long}'")));
        assert!(status.message().starts_with("Value 'ää"));
        assert!(status.message().ends_with("ä..."));
        let headers = status.into_http::<String>().headers().clone();
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        assert!(bytes < 8 << 10, "{bytes}");
    }

    #[test]
    fn only_throttling_reports_when_to_try_again() {
        let status = status(&KmsError::new(Code::DisabledException, "k is disabled."));
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert_eq!(status.message(), "k is disabled.");
        assert!(status.get_error_details().retry_info().is_none());
        assert!(!status.metadata().contains_key("grpc-retry-pushback-ms"));
    }
}
