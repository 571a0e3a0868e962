//! The key service: whoever generates and unwraps data keys under KMS keys.
//!
//! [`KeyService`] is reached over the wire, always: by gRPC ([`grpc`]) or by AWS JSON ([`aws_json`]), chosen by
//! the scheme of its URL. Calls are made in the name of the S3 requester, through S3; so the key's
//! own policy decides. What a KMS refuses becomes S3's error for it here, in one place.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/throttling.html>

use std::net::IpAddr;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use proto::iam::Identity;
use proto::identity::AccountId;
use zeroize::Zeroizing;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Caller;
use crate::request::S3Request;
use crate::request::SessionToken;
use crate::sse::context::EncryptionContext;

pub(crate) mod authorization;
pub mod aws_json;
pub mod endpoint;
pub mod grpc;
mod messages;
pub mod metered;
mod retry;

pub use retry::RetryPolicy;

/// A KMS, as the gateway uses it.
///
/// Every call is one request to the KMS (repeated only when it was not reached), so that what S3
/// does to a KMS's quotas can be counted.
pub trait KeyService: Send + Sync {
    /// Makes a 256-bit data key under a KMS key.
    ///
    /// `key_id` is an id, an ARN or an alias.
    fn generate_data_key<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>>;

    /// Unwraps what [`Self::generate_data_key`] or [`Self::encrypt`] gave.
    ///
    /// `key_arn` is the key it must have been wrapped under.
    fn decrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_arn: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>>;

    /// Wraps up to 4,096 bytes under a KMS key.
    fn encrypt<'a>(
        &'a self,
        requester: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>>;

    /// Whether the KMS is there and accepts the gateway, without a call that counts where that can be had.
    fn check(&self) -> BoxFuture<'_, Result<(), KeyServiceError>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// In whose name a KMS is called, and so whose account is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    /// Who sent a request to S3, and from which address.
    Caller(Caller, Option<IpAddr>),
    /// The gateway itself, on behalf of no user, in an account if the call is about one.
    Gateway(Option<AccountId>),
}

impl Requester {
    /// The one who sent a request.
    #[must_use]
    pub fn of(request: &S3Request) -> Self {
        Self::Caller(request.caller.clone(), Some(request.connection.client))
    }

    /// The ARN of the principal. A service names itself by its service principal, as at AWS; the KMS
    /// believes it of callers with its secret.
    #[must_use]
    pub fn principal(&self) -> &str {
        match self {
            Self::Caller(caller, _) => caller.principal(),
            Self::Gateway(_) => "s3.amazonaws.com",
        }
    }

    /// What tells requesters apart whose rights may differ: of a session, everything about it.
    #[must_use]
    pub fn key(&self) -> String {
        let principal = self.principal();
        match self
            .caller()
            .and_then(Caller::identity)
            .and_then(Identity::session)
        {
            Some(session) => format!("{principal} {session:?}"),
            None => principal.to_owned(),
        }
    }

    /// The session token by which the caller signed, if it did.
    #[must_use]
    pub(crate) fn session_token(&self) -> Option<&SessionToken> {
        self.caller().and_then(Caller::session_token)
    }

    fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Caller(caller, _) => Some(caller),
            Self::Gateway(_) => None,
        }
    }

    /// The account that the call is charged to; empty for none.
    #[must_use]
    pub fn account(&self) -> &str {
        let account = match self {
            Self::Caller(caller, _) => caller.account(),
            Self::Gateway(account) => account.as_ref(),
        };
        account.map_or("", AccountId::as_str)
    }

    /// The address that the request was sent from; none for the gateway itself.
    #[must_use]
    pub fn source_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Caller(_, address) => *address,
            Self::Gateway(_) => None,
        }
    }
}

/// A data key fresh from a KMS.
pub struct GeneratedKey {
    /// The key itself.
    pub plaintext: Zeroizing<[u8; DATA_KEY_BYTES]>,
    /// The key wrapped under the KMS key.
    pub blob: Vec<u8>,
    /// Full ARN of the KMS key.
    pub key_arn: String,
}

/// What a KMS wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedBlob {
    /// The wrapped bytes.
    pub blob: Vec<u8>,
    /// Full ARN of the KMS key.
    pub key_arn: String,
}

/// Why a KMS did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyServiceError {
    /// It was not reached, or gave no answer in time.
    #[error("the KMS is not reachable: {0}")]
    Unreachable(String),

    /// It said no, by one of AWS's exceptions.
    #[error("the KMS refused: {code}: {message}")]
    Refused {
        /// Name of the exception, such as `DisabledException`.
        code: String,
        /// The KMS's own text, which S3 passes on.
        message: String,
    },

    /// It failed, by one of AWS's exceptions that are no answer to the request itself.
    #[error("the KMS failed: {0}")]
    Failed(String),

    /// Its quota is used up.
    #[error("the KMS throttles")]
    Throttled,

    /// What it answered cannot be used (a key of another length, a missing member).
    #[error("the KMS gave an answer that cannot be used: {0}")]
    Unusable(&'static str),
}

impl KeyServiceError {
    /// From an AWS exception's name and text.
    #[must_use]
    pub fn refused(code: &str, message: &str) -> Self {
        match code {
            "ThrottlingException" | "LimitExceededException" => Self::Throttled,
            "KMSInternalException" | "DependencyTimeoutException" | "KeyUnavailableException" => {
                Self::Failed(code.to_owned())
            }
            _ => Self::Refused {
                code: code.to_owned(),
                message: message.to_owned(),
            },
        }
    }
}

// What a KMS reports belongs to the caller only where the caller chose the key. A blob that does not
// unwrap is the gateway's or the backend's doing: one answer for everything that was tampered with.
impl From<KeyServiceError> for S3Error {
    fn from(error: KeyServiceError) -> Self {
        match error {
            KeyServiceError::Throttled => Self::with_message(S3Code::SlowDown, THROTTLED),
            KeyServiceError::Unreachable(cause) => {
                tracing::warn!(%cause, "the KMS is not reachable");
                Self::new(S3Code::ServiceUnavailable)
            }
            KeyServiceError::Failed(code) => {
                tracing::warn!(code, "the KMS failed");
                Self::new(S3Code::ServiceUnavailable)
            }
            KeyServiceError::Unusable(cause) => {
                tracing::error!(cause, "the KMS gave an answer that cannot be used");
                Self::internal()
            }
            KeyServiceError::Refused { code, message } => match code.as_str() {
                "AccessDeniedException" => Self::with_message(S3Code::AccessDenied, message),
                // The session that the call is for ended since the request came.
                "ExpiredTokenException" => Self::new(S3Code::ExpiredToken),
                "DisabledException" => Self::with_message(S3Code::KmsDisabled, message),
                "NotFoundException" => Self::with_message(S3Code::KmsNotFound, message),
                "KMSInvalidStateException" => Self::with_message(S3Code::KmsInvalidState, message),
                "InvalidKeyUsageException" => {
                    Self::with_message(S3Code::KmsInvalidKeyUsage, message)
                }
                "InvalidCiphertextException" | "IncorrectKeyException" => {
                    tracing::error!(code, "a wrapped data key does not unwrap");
                    Self::internal()
                }
                "ValidationException" | "InvalidArnException" => Self::foreign(
                    &format!("KMS.{code}"),
                    http::StatusCode::BAD_REQUEST,
                    message,
                ),
                _ => {
                    tracing::error!(code, "the KMS refused the gateway itself");
                    Self::internal()
                }
            },
        }
    }
}

/// Length of a data key: AES-256.
pub const DATA_KEY_BYTES: usize = 32;

/// S3's own text, which clients match on.
const THROTTLED: &str = "Please reduce your request rate for operations involving AWS KMS.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proto::iam::Principals;
    use proto::iam::User;
    use proto::identity::PrincipalArn;
    use proto::identity::Secret;
    use proto::session::Session;
    use proto::time::Timestamp;

    use super::*;

    fn ana() -> PrincipalArn {
        "arn:aws:iam::111122223333:user/ana".parse().unwrap()
    }

    fn session(policy: Option<&str>, mfa: bool) -> Requester {
        let session = Session {
            principal: ana(),
            source: ana(),
            user_id: "AIDAEXAMPLE".to_owned(),
            issued: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
            mfa,
            policy: policy.map(str::to_owned),
            source_identity: None,
            tags: BTreeMap::new(),
            transitive_tags: Vec::new(),
        };
        let principals = Principals::of_users([User::new(ana(), "AKID", Secret::new("secret"))]);
        let identity = Identity::of_session(session, &principals).unwrap();
        Requester::Caller(
            Caller::Session(Arc::new(identity), SessionToken::new("token-canary")),
            None,
        )
    }

    #[test]
    fn a_bucket_key_of_a_session_serves_no_other_session() {
        let policy = r#"{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#;
        let keys = [
            Requester::Caller(Caller::unlimited(ana()), None).key(),
            session(None, false).key(),
            session(None, true).key(),
            session(Some(policy), false).key(),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key}");
        }
        assert_eq!(session(None, true).key(), keys[2]);
    }

    #[test]
    fn a_session_token_is_not_printed() {
        assert!(!format!("{:?}", session(None, false)).contains("canary"));
    }

    #[test]
    fn what_a_kms_refuses_becomes_the_error_of_s3() {
        for (exception, code, status) in [
            ("NotFoundException", "KMS.NotFoundException", 400),
            ("DisabledException", "KMS.DisabledException", 400),
            (
                "KMSInvalidStateException",
                "KMS.KMSInvalidStateException",
                400,
            ),
            (
                "InvalidKeyUsageException",
                "KMS.InvalidKeyUsageException",
                400,
            ),
            ("ValidationException", "KMS.ValidationException", 400),
            ("AccessDeniedException", "AccessDenied", 403),
            ("ExpiredTokenException", "ExpiredToken", 400),
            ("ThrottlingException", "SlowDown", 503),
            ("KMSInternalException", "ServiceUnavailable", 503),
            ("InvalidCiphertextException", "InternalError", 500),
            ("IncorrectKeyException", "InternalError", 500),
            ("UnrecognizedClientException", "InternalError", 500),
        ] {
            let error = S3Error::from(KeyServiceError::refused(exception, "its text"));
            assert_eq!(error.code_text(), code, "{exception}");
            assert_eq!(error.status().as_u16(), status, "{exception}");
            let passed_on = code.starts_with("KMS.") || code == "AccessDenied";
            assert_eq!(error.message() == "its text", passed_on, "{exception}");
        }
    }

    #[test]
    fn throttling_has_the_words_that_clients_match_on() {
        assert_eq!(
            S3Error::from(KeyServiceError::Throttled).message(),
            "Please reduce your request rate for operations involving AWS KMS."
        );
    }
}
