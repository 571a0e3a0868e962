//! The errors of STS, with AWS's texts.
//!
//! Sources: <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html> and the errors of each
//! operation there.

use proto::mfa::MfaError;
use proto::policy::PolicyError;
use proto::session::IssueError;

use crate::error::Code;
use crate::error::KmsError;
use crate::services::sts::xml;

/// A refusal, as the caller receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsError {
    /// The HTTP status.
    pub status: u16,
    /// AWS's name of the error.
    pub code: &'static str,
    /// AWS's text.
    pub message: String,
}

impl StsError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
        }
    }

    /// The caller may not do this.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    /// A parameter is not what it should be.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// There is no such operation.
    pub(crate) fn no_such_action(action: &str) -> Self {
        let action: String = action.chars().take(ACTION_CHARACTERS_MAX).collect();
        let message = format!("Could not find operation {action} for version 2011-06-15");
        Self::new(400, "InvalidAction", message)
    }

    /// The answer to an operation for the tokens of identity providers, of which there are none.
    pub(crate) fn no_identity_provider(action: &str) -> Option<Self> {
        let provider = match action {
            "AssumeRoleWithWebIdentity" => "OpenIDConnect",
            "AssumeRoleWithSAML" => "SAML",
            _ => return None,
        };
        let message = format!("No {provider} provider found in your account: Sealgate has none");
        Some(Self::new(400, "InvalidIdentityToken", message))
    }

    /// A session policy is no policy.
    pub(crate) fn malformed_policy(error: &PolicyError) -> Self {
        Self::new(400, "MalformedPolicyDocument", error.to_string())
    }

    /// The caller is no principal of IAM, so it can have no session.
    pub(crate) fn unknown_caller() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::new(403, "InvalidClientTokenId", message)
    }

    /// The parameters cannot be read.
    pub(crate) fn malformed_query() -> Self {
        let message = "The query string contains a syntax error.";
        Self::new(404, "MalformedQueryString", message)
    }

    /// The error as XML.
    #[must_use]
    pub fn to_xml(&self, request_id: &str) -> String {
        xml::error(self.status, self.code, &self.message, request_id)
    }
}

/// Refusals that come before an operation of STS: by authentication, or a body that cannot be read.
impl From<KmsError> for StsError {
    fn from(error: KmsError) -> Self {
        let (status, code) = match error.code() {
            Code::InvalidSignatureException => (403, "SignatureDoesNotMatch"),
            Code::UnrecognizedClientException => (403, "InvalidClientTokenId"),
            Code::ExpiredTokenException => (403, "ExpiredToken"),
            Code::MissingAuthenticationTokenException => (403, "MissingAuthenticationToken"),
            Code::IncompleteSignatureException => (400, "IncompleteSignature"),
            other if other.is_server_fault() => (503, "ServiceUnavailable"),
            other => (other.status(), other.name().trim_end_matches("Exception")),
        };
        Self::new(status, code, error.message())
    }
}

/// No refusal of a code discloses whether it was wrong, used, or one too many.
impl From<MfaError> for StsError {
    fn from(error: MfaError) -> Self {
        if let MfaError::Unavailable(cause) = error {
            tracing::error!(cause, "MFA codes cannot be checked");
            let message = "The request processing has failed because of an internal error.";
            return Self::new(500, "InternalFailure", message);
        }
        Self::denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    }
}

impl From<IssueError> for StsError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::TooLarge(too_large) => {
                let message = format!("Packed size of session exceeds the limit: {too_large}");
                Self::new(400, "PackedPolicyTooLarge", message)
            }
            IssueError::Key(cause) => {
                tracing::error!(%cause, "no session can be issued");
                let message = "The request processing has failed because of an internal error.";
                Self::new(500, "InternalFailure", message)
            }
        }
    }
}

/// What an error repeats of an unknown operation's name.
const ACTION_CHARACTERS_MAX: usize = 64;
