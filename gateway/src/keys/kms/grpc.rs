//! A [`KeyService`] by gRPC: `grpcs://host:port`, or `grpc://host:port` on the same machine.
//!
//! One channel, connected when it is first needed and again whenever it broke; another one when the files that secure
//! it changed. The gateway proves itself by a shared secret, at each call by the one that was read last; who the call is made for, and through which service,
//! stands in the metadata.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use proto::identity::Region;
use proto::identity::Secret;
use proto::kms::v1::key_management_client::KeyManagementClient;
use proto::renewal::Renew;
use proto::trace::Span;
use tonic::Code;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::metadata::Ascii;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;
use zeroize::Zeroizing;

use crate::keys::kms::EncryptedBlob;
use crate::keys::kms::GeneratedKey;
use crate::keys::kms::KeyService;
use crate::keys::kms::KeyServiceError;
use crate::keys::kms::Requester;
use crate::keys::kms::RetryPolicy;
use crate::keys::kms::authorization::Authorization;
use crate::keys::kms::endpoint::Channels;
use crate::keys::kms::endpoint::GrpcEndpoint;
use crate::keys::kms::endpoint::SetupError;
use crate::keys::kms::endpoint::TlsFiles;
use crate::keys::kms::messages;
use crate::sse::context::EncryptionContext;

type Client = KeyManagementClient<Channel>;

/// A KMS that speaks `sealgate.kms.v1`.
pub struct GrpcKeyService {
    channels: Channels,
    authorization: Authorization,
    region: MetadataValue<Ascii>,
    via_service: MetadataValue<Ascii>,
    retry: RetryPolicy,
}

impl GrpcKeyService {
    /// A client of the KMS at `endpoint`, which is connected to when it is first called; by TLS with
    /// `files` if it is `grpcs://`.
    ///
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`SetupError`] for an endpoint, a secret or a Region that cannot be used.
    pub fn new(
        endpoint: &GrpcEndpoint,
        files: TlsFiles<'_>,
        shared_secret: &Secret,
        region: &Region,
        retry: RetryPolicy,
    ) -> Result<Self, SetupError> {
        let authorization = Authorization::by(shared_secret);
        let authorization = authorization.map_err(|error| SetupError::new(error.to_string()))?;
        Self::proven_by(authorization, endpoint, files, region, retry)
    }

    /// The same, with what the gateway proves itself by.
    pub(crate) fn proven_by(
        authorization: Authorization,
        endpoint: &GrpcEndpoint,
        files: TlsFiles<'_>,
        region: &Region,
        retry: RetryPolicy,
    ) -> Result<Self, SetupError> {
        let channels = endpoint.channels(files, move |endpoint| {
            endpoint
                .connect_timeout(retry.call)
                .http2_keep_alive_interval(Duration::from_secs(30))
                .keep_alive_while_idle(true)
        })?;
        let bad_region = || SetupError::new("the Region is not visible ASCII".to_owned());
        Ok(Self {
            channels,
            authorization,
            region: ascii(region.as_str()).ok_or_else(bad_region)?,
            via_service: ascii(&format!("s3.{region}.amazonaws.com")).ok_or_else(bad_region)?,
            retry,
        })
    }

    /// What is read again: what secures the way to the KMS, and the secret.
    pub(crate) fn renewed(&self) -> Vec<Arc<dyn Renew>> {
        let mut renewed = self.channels.renewed();
        renewed.push(self.authorization.renewed());
        renewed
    }

    /// The channel that calls go over now.
    fn channel(&self) -> Channel {
        self.channels.current()
    }

    /// One call, repeated while the KMS is not reached.
    async fn call<Q: Clone, A, F>(
        &self,
        requester: &Requester,
        message: &Q,
        send: impl Fn(Client, Request<Q>) -> F,
    ) -> Result<A, KeyServiceError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let attempt = || async {
            let request = self.request(requester, message.clone())?;
            let answer = send(Client::new(self.channel()), request).await;
            answer.map_err(|status| from_status(&status))
        };
        Ok(self.retry.call(attempt).await?.into_inner())
    }

    /// `message` with who calls, for whom, and through which service.
    fn request<T>(&self, requester: &Requester, message: T) -> Result<Request<T>, KeyServiceError> {
        let unusable = || KeyServiceError::Unusable("the requester cannot be named in metadata");
        let (Some(principal), Some(account)) =
            (ascii(requester.principal()), ascii(requester.account()))
        else {
            return Err(unusable());
        };
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.authorization.current());
        metadata.insert("sealgate-principal", principal);
        metadata.insert("sealgate-account", account);
        metadata.insert("sealgate-region", self.region.clone());
        metadata.insert("sealgate-via-service", self.via_service.clone());
        if let Some(token) = requester.session_token() {
            // The KMS judges by the policies of the session, too.
            let mut token = ascii(token.expose()).ok_or_else(unusable)?;
            token.set_sensitive(true);
            metadata.insert("sealgate-session", token);
        }
        if let Some(address) = requester
            .source_ip()
            .and_then(|address| ascii(&address.to_string()))
        {
            metadata.insert("sealgate-source-ip", address);
        }
        Span::current().write(metadata.as_mut());
        Ok(request)
    }
}

impl KeyService for GrpcKeyService {
    fn generate_data_key<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
        async move {
            let message = messages::generate(key_id, context);
            let call = |mut client: Client, request| async move {
                client.generate_data_key(request).await
            };
            messages::generated(self.call(requester, &message, call).await?)
        }
        .boxed()
    }

    fn decrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_arn: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        async move {
            let message = messages::decrypt(key_arn, blob, context);
            let call = |mut client: Client, request| async move { client.decrypt(request).await };
            messages::decrypted(self.call(requester, &message, call).await?)
        }
        .boxed()
    }

    fn encrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
        async move {
            let message = messages::encrypt(key_id, plaintext, context);
            let call = |mut client: Client, request| async move { client.encrypt(request).await };
            messages::encrypted(self.call(requester, &message, call).await?)
        }
        .boxed()
    }

    /// By a health check with the secret, which the KMS checks: no operation, no quota, no audit event.
    fn check(&self) -> BoxFuture<'_, Result<(), KeyServiceError>> {
        async move {
            let message = HealthCheckRequest::default();
            let request = self.request(&Requester::Gateway(NO_ACCOUNT.parse().ok()), message)?;
            let answer = HealthClient::new(self.channel()).check(request).await;
            answer.map(drop).map_err(|status| from_status(&status))
        }
        .boxed()
    }
}

// The secret stays out.
impl fmt::Debug for GrpcKeyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcKeyService")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The account of a health check, which is about no account.
const NO_ACCOUNT: &str = "000000000000";

/// A gRPC status as the KMS meant it: the exception's name is the reason in `ErrorInfo`.
fn from_status(status: &Status) -> KeyServiceError {
    if let Some(info) = status.get_details_error_info() {
        return KeyServiceError::refused(&info.reason, status.message());
    }
    match status.code() {
        Code::ResourceExhausted => KeyServiceError::Throttled,
        Code::PermissionDenied => {
            KeyServiceError::refused("AccessDeniedException", status.message())
        }
        Code::NotFound => KeyServiceError::refused("NotFoundException", status.message()),
        Code::Unauthenticated | Code::InvalidArgument | Code::Unimplemented => {
            KeyServiceError::refused(status.code().description(), status.message())
        }
        _ => KeyServiceError::Unreachable(cause(status)),
    }
}

/// Why a call ended: what the operating system or TLS reported, which is the last cause, or else what the KMS sent.
fn cause(status: &Status) -> String {
    let mut last = status.source();
    while let Some(next) = last.and_then(Error::source) {
        last = Some(next);
    }
    last.map_or_else(|| status.message().to_owned(), ToString::to_string)
}

fn ascii(text: &str) -> Option<MetadataValue<Ascii>> {
    MetadataValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use proto::identity::Secret;

    use tonic::Code;
    use tonic::Status;
    use tonic_types::ErrorDetails;
    use tonic_types::StatusExt as _;

    use super::GrpcEndpoint;
    use super::GrpcKeyService;
    use super::KeyServiceError;
    use super::RetryPolicy;
    use super::TlsFiles;
    use super::from_status;

    #[test]
    fn the_exception_is_read_from_the_details() {
        let details = ErrorDetails::with_error_info(
            "DisabledException",
            "kms.amazonaws.com",
            std::collections::HashMap::new(),
        );
        let status =
            Status::with_error_details(Code::FailedPrecondition, "key is disabled.", details);
        assert_eq!(
            from_status(&status),
            KeyServiceError::refused("DisabledException", "key is disabled.")
        );
    }

    #[test]
    fn a_status_without_details_is_never_taken_for_consent() {
        assert_eq!(
            from_status(&Status::new(Code::ResourceExhausted, "")),
            KeyServiceError::Throttled
        );
        for code in [
            Code::Unavailable,
            Code::Unknown,
            Code::Internal,
            Code::Cancelled,
        ] {
            let error = from_status(&Status::new(code, "gone"));
            assert!(matches!(error, KeyServiceError::Unreachable(_)), "{code:?}");
        }
    }

    #[tokio::test]
    async fn the_secret_is_not_shown() {
        let service = GrpcKeyService::new(
            &GrpcEndpoint::parse("grpc://127.0.0.1:1").unwrap(),
            TlsFiles::default(),
            &Secret::new("s3cr3t"),
            &"us-east-1".parse().unwrap(),
            RetryPolicy::default(),
        )
        .unwrap();
        assert!(!format!("{service:?}").contains("s3cr3t"));
    }
}
