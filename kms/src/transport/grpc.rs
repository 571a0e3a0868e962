//! gRPC: the contract of `proto/kms/v1/kms.proto`, with health and reflection.
//!
//! A call is authenticated by its head, before a byte of its body is read. A method takes its caller
//! from there and has none otherwise, so that no spelling of a path reaches an operation around the
//! check. Health needs no token, because probes have none; reflection needs one unless the configuration
//! opens it.

mod deadline;
mod ending;
pub(crate) mod protocol;
mod status;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapErr;
use proto::kms::FILE_DESCRIPTOR_SET;
use proto::kms::v1;
use proto::kms::v1::key_management_server::KeyManagement;
use proto::kms::v1::key_management_server::KeyManagementServer;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService as _;
use tower::Service as _;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::api::Answer;
use crate::api::Operation;
use crate::api::OperationName;
use crate::api::operations;
use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::error::KmsError;
use crate::metrics::Protocol;
use crate::transport::Core;
use crate::transport::Incoming;
use crate::transport::body::BodyError;
use crate::transport::body::RequestBody;
use crate::transport::body::Sender;
use crate::transport::grpc::status::status;
use crate::transport::grpc::status::with_details;
use crate::transport::request_id;
use crate::transport::unauthenticated::UnauthenticatedRequest;

/// The gRPC services of the port.
pub(crate) struct Grpc {
    core: Arc<Core>,
    keys: KeyManagementServer<Methods>,
    health: Other,
    /// Made when it is first needed: its descriptors take more memory than a thousand keys.
    reflection: LazyLock<Reflection>,
    /// Ends what would go on for ever.
    stop: CancellationToken,
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
    /// The key management service, health and reflection, until `stop`.
    pub(crate) fn new(core: Arc<Core>, stop: CancellationToken) -> Self {
        let methods = Methods {
            core: Arc::clone(&core),
        };
        // The largest message counts as it is without compression.
        let keys = KeyManagementServer::new(methods)
            .max_decoding_message_size(core.body_bytes_max)
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        Self {
            core,
            keys,
            health: health(),
            reflection: LazyLock::new(reflection),
            stop,
        }
    }

    /// Answers one gRPC request.
    pub(crate) async fn respond(
        &self,
        connection: Arc<Connection>,
        open: &mut UnauthenticatedRequest,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if let Some(answer) = protocol::refusal(&request) {
            return answer;
        }
        let path = request.uri().path();
        let service = path.strip_prefix('/').and_then(|rest| rest.split_once('/'));
        let reflection_is_open = self.core.authenticator.reflection_is_open();
        let (other, is_open): (fn(&Self) -> &Other, _) =
            match service.map_or("", |(service, _)| service) {
                KEY_MANAGEMENT => return self.operation(connection, open, request).await,
                "grpc.health.v1.Health" => (|grpc| &grpc.health, true),
                "grpc.reflection.v1.ServerReflection" => {
                    (|grpc| &grpc.reflection.v1, reflection_is_open)
                }
                "grpc.reflection.v1alpha.ServerReflection" => {
                    (|grpc| &grpc.reflection.v1alpha, reflection_is_open)
                }
                _ => return Status::unimplemented("There is no such service.").into_http(),
            };
        // From before the check: the secrets may be replaced meanwhile.
        let replaced = self.core.authenticator.services_replaced();
        let mut is_service = false;
        // With a token, the caller learns whether it is right.
        if !is_open || request.headers().contains_key(AUTHORIZATION) {
            match self.caller(&connection, &request, request_id()) {
                Ok(caller) => is_service = caller.via_service.is_some(),
                Err(error) => return refuse(&error),
            }
            open.authenticated();
        }

        let request = self.limited(request, Sender::Unauthenticated);
        let result = other(self).clone().oneshot(request).await;
        let answer = result.unwrap_or_else(|never| match never {});
        let answer = match is_service {
            true => ending::until(replaced, READ_AGAIN, answer),
            false => answer,
        };
        ending::until(self.stop.clone(), STOPS, answer)
    }

    /// Does one operation for the caller that the head proves, and answers with the request's id.
    async fn operation(
        &self,
        connection: Arc<Connection>,
        open: &mut UnauthenticatedRequest,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let id = request_id();
        let header = HeaderValue::from_str(&id);
        let headers = request.headers();
        let checked = self
            .caller(&connection, &request, id)
            .and_then(|caller| Ok((caller, deadline::timeout(headers)?)));
        let mut answer = match checked {
            Err(error) => refuse(&error),
            Ok((caller, timeout)) => {
                open.authenticated();
                let mut request = self.limited(request, Sender::Authenticated);
                request.extensions_mut().insert(caller);
                request.extensions_mut().insert(connection);
                self.answer_within(timeout, request).await
            }
        };
        if let Ok(header) = header {
            answer.headers_mut().insert("x-amzn-requestid", header);
        }

        answer
    }

    /// Does one operation for as long as its client waits: when it waits no longer or goes away, what has
    /// not begun is not begun.
    async fn answer_within(
        &self,
        timeout: Option<Duration>,
        request: Request<GrpcBody>,
    ) -> Response<Body> {
        let mut keys = self.keys.clone();
        let answer = keys.call(request);
        let answered = match timeout {
            None => Some(answer.await),
            Some(Duration::ZERO) => None,
            Some(timeout) => tokio::time::timeout(timeout, answer).await.ok(),
        };
        match answered {
            Some(Ok(answer)) => with_details(answer),
            Some(Err(never)) => match never {},
            None => Status::deadline_exceeded("The deadline has passed.").into_http(),
        }
    }

    /// The caller that a request's head names and proves.
    fn caller(
        &self,
        connection: &Connection,
        request: &Request<Incoming>,
        request_id: Arc<str>,
    ) -> Result<Caller, KmsError> {
        let headers = request.headers();
        let tls = connection.secured(request.uri(), headers);
        let authenticator = &self.core.authenticator;
        let caller = authenticator.bearer(headers, connection, tls, request_id);
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

/// The health of the server and of the key management service, which has the same.
fn health() -> Other {
    let (reporter, health) = tonic_health::server::health_reporter();
    // Nobody else has the reporter, so that there is nothing to wait for.
    let reported = reporter.set_serving::<KeyManagementServer<Methods>>();
    reported.now_or_never().unwrap_or_default();
    BoxCloneSyncService::new(health)
}

/// Reads the descriptors of all services.
fn reflection() -> Reflection {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of statuses, which tools print as text by it.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
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
    ($($name:ident $method:ident ($request:ident) -> $answer:ident, $kind:ident $keys:ident;)+) => {
        #[tonic::async_trait]
        impl KeyManagement for Methods {
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<v1::$request>,
                ) -> Result<tonic::Response<v1::$answer>, Status> {
                    match self.call(request, Operation::$name).await? {
                        Answer::$name(answer) => Ok(response(OperationName::$name, answer)),
                        #[allow(unreachable_patterns, reason = "a table of one row has no other")]
                        _ => Err(status(&KmsError::internal())),
                    }
                }
            )+
        }
    };
}

operations!(methods);

/// The answer of an operation. Compression is for what is public: the compressed length of a plaintext
/// would show something of it, and ciphertexts and keys do not become shorter.
fn response<T>(name: OperationName, answer: T) -> tonic::Response<T> {
    let mut response = tonic::Response::new(answer);
    if !name.is_compressible() {
        response.disable_compression();
    }

    response
}

/// The answer that carries an error.
pub(crate) fn refuse(error: &KmsError) -> Response<Body> {
    status(error).into_http()
}

/// The contract's service.
const KEY_MANAGEMENT: &str = KeyManagementServer::<Methods>::NAME;

/// Why a stream of a service ends: its secret may be no secret any more.
const READ_AGAIN: &str = "The secrets of services were read again.";

/// Why every stream ends.
const STOPS: &str = "The service stops.";

/// What stands before each message: whether it is compressed, and its length.
///
/// Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
const PREFIX_BYTES: usize = 5;
