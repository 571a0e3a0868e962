//! gRPC: the contract of `proto/kms/v1/kms.proto`, with health and reflection.
//!
//! A call is authenticated by its head, before a byte of its body is read. A method takes its caller
//! from there and has none otherwise, so that no spelling of a path reaches an operation around the
//! check.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapErr;
use proto::kms::FILE_DESCRIPTOR_SET;
use proto::kms::v1;
use proto::kms::v1::key_management_server::KeyManagement;
use proto::kms::v1::key_management_server::KeyManagementServer;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService as _;
use tonic_types::ErrorDetails;
use tonic_types::StatusExt as _;
use tower::Service as _;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::api::Answer;
use crate::api::Operation;
use crate::api::operations;
use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::metrics::Protocol;
use crate::transport::Core;
use crate::transport::Incoming;
use crate::transport::body::BodyError;
use crate::transport::body::RequestBody;
use crate::transport::body::Sender;
use crate::transport::request_id;
use crate::transport::unauthenticated::UnauthenticatedRequest;

/// The gRPC services of the port.
pub(crate) struct Grpc {
    core: Arc<Core>,
    keys: KeyManagementServer<Methods>,
    health: Other,
    /// Made when it is first needed: its descriptors take more memory than a thousand keys.
    reflection: LazyLock<Reflection>,
}

/// Server reflection, in the two versions that clients use.
struct Reflection {
    v1: Other,
    v1alpha: Other,
}

/// A service that is called seldom enough to be boxed.
type Other = BoxCloneSyncService<Request<GrpcBody>, Response<Body>, Infallible>;

/// A request's body whose failures are gRPC's.
type GrpcBody = MapErr<RequestBody, fn(BodyError) -> Status>;

impl Grpc {
    /// The key management service, health and reflection.
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let methods = Methods {
            core: Arc::clone(&core),
        };
        let keys = KeyManagementServer::new(methods).max_decoding_message_size(core.body_bytes_max);
        let (_, health) = tonic_health::server::health_reporter();
        Self {
            core,
            keys,
            health: BoxCloneSyncService::new(health),
            reflection: LazyLock::new(reflection),
        }
    }

    /// The service of that name besides the key management service.
    fn other(&self, service: &str) -> Option<&Other> {
        match service {
            "grpc.health.v1.Health" => Some(&self.health),
            "grpc.reflection.v1.ServerReflection" => Some(&self.reflection.v1),
            "grpc.reflection.v1alpha.ServerReflection" => Some(&self.reflection.v1alpha),
            _ => None,
        }
    }

    /// Answers one gRPC request.
    pub(crate) async fn respond(
        &self,
        connection: Arc<Connection>,
        open: &mut UnauthenticatedRequest,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let path = request.uri().path();
        let service = path.strip_prefix('/').and_then(|rest| rest.split_once('/'));
        let service = service.map_or("", |(service, _)| service);
        if service == KeyManagementServer::<Methods>::NAME {
            let caller = match self.caller(&connection, &request) {
                Ok(caller) => caller,
                Err(error) => return refuse(&error),
            };
            open.authenticated();
            let mut request = self.limited(request, Sender::Authenticated);
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(connection);
            let result = self.keys.clone().call(request).await;
            return result.unwrap_or_else(|never| match never {});
        }

        if let Some(other) = self.other(service) {
            // Without a secret health may be checked, too; with one the caller learns whether it is right.
            if request.headers().contains_key(AUTHORIZATION) {
                match self.caller(&connection, &request) {
                    Ok(_) => open.authenticated(),
                    Err(error) => return refuse(&error),
                }
            }
            let request = self.limited(request, Sender::Unauthenticated);
            let result = other.clone().oneshot(request).await;
            return result.unwrap_or_else(|never| match never {});
        }

        Status::unimplemented("There is no such service.").into_http()
    }

    /// The caller that a request's head names and proves.
    fn caller(
        &self,
        connection: &Connection,
        request: &Request<Incoming>,
    ) -> Result<Caller, KmsError> {
        let headers = request.headers();
        let tls = connection.secured(request.uri(), headers);
        let authenticator = &self.core.authenticator;
        let caller = authenticator.service(headers, connection, tls, request_id());
        caller.inspect_err(|error| self.core.metrics.count_refused(error.code()))
    }

    /// The request with its body within the limits.
    fn limited(&self, request: Request<Incoming>, sender: Sender) -> Request<GrpcBody> {
        let bytes_max = self.core.body_bytes_max + PREFIX_BYTES;
        let to_status: fn(BodyError) -> Status = |error| status(&error.into());
        let bodies = &self.core.bodies;
        request.map(|body| bodies.limit(body, sender, bytes_max).map_err(to_status))
    }
}

/// Reads the descriptors of all services.
fn reflection() -> Reflection {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1().expect("our descriptors are sound");
    let v1alpha = builder()
        .build_v1alpha()
        .expect("our descriptors are sound");
    Reflection {
        v1: BoxCloneSyncService::new(v1),
        v1alpha: BoxCloneSyncService::new(v1alpha),
    }
}

/// The methods of the contract.
struct Methods {
    core: Arc<Core>,
}

impl Methods {
    /// Does one call for the caller that was authenticated.
    async fn call<T>(
        &self,
        request: tonic::Request<T>,
        operation: impl FnOnce(T) -> Operation,
    ) -> Result<Answer, Status> {
        let (_, mut extensions, message) = request.into_parts();
        let connection = extensions.remove::<Arc<Connection>>();
        let (Some(connection), Some(caller)) = (connection, extensions.remove::<Caller>()) else {
            return Err(status(&KmsError::internal()));
        };
        let result = self
            .core
            .call(Protocol::Grpc, &connection, caller, operation(message))
            .await;
        result.map_err(|error| status(&error))
    }
}

/// Makes a method of every operation in the table.
macro_rules! methods {
    ($($name:ident $method:ident ($request:ident) -> $answer:ident, $kind:ident;)+) => {
        #[tonic::async_trait]
        impl KeyManagement for Methods {
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<v1::$request>,
                ) -> Result<tonic::Response<v1::$answer>, Status> {
                    match self.call(request, Operation::$name).await? {
                        Answer::$name(answer) => Ok(tonic::Response::new(answer)),
                        #[allow(unreachable_patterns, reason = "a table of one row has no other")]
                        _ => Err(status(&KmsError::internal())),
                    }
                }
            )+
        }
    };
}

operations!(methods);

/// The answer that carries an error.
pub(crate) fn refuse(error: &KmsError) -> Response<Body> {
    status(error).into_http()
}

/// An error as gRPC writes it: the nearest code, AWS's name and text, and when to try again.
fn status(error: &KmsError) -> Status {
    let mut metadata = HashMap::new();
    let throttle = error.throttle();
    if let Some(throttle) = throttle {
        metadata.insert("quota_class".to_owned(), throttle.quota_class.to_owned());
    }

    let mut details = ErrorDetails::new();
    details.set_error_info(error.code().name(), ERROR_DOMAIN, metadata);
    if let Some(throttle) = throttle {
        details.set_retry_info(Some(throttle.retry_after.max(Duration::from_millis(1))));
    }

    let message = cut(error.message());
    Status::with_error_details(grpc_code(error.code()), message, details)
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

/// What stands before each message: whether it is compressed, and its length.
///
/// Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
const PREFIX_BYTES: usize = 5;

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
    }
}
