//! The errors that KMS returns: AWS's exceptions with their HTTP status.
//!
//! Sources: <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html> and the error
//! lists of the operations' pages there.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// A refusal or failure, as the caller receives it.
///
/// Causes that do not concern the caller are logged where they arise and are not in the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsError {
    code: Code,
    message: Cow<'static, str>,
    throttle: Option<Throttle>,
}

/// What only the error of a throttled request contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Name of the quota that is used up.
    pub quota_class: &'static str,
    /// How long until the quota admits a request again.
    pub retry_after: Duration,
}

// What makes an error is cold: so what leads there stands apart from what every call runs through.
impl KmsError {
    /// An error of this code with AWS's text for the situation; some of AWS's texts are empty.
    #[cold]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            throttle: None,
        }
    }

    /// The request quota `quota_class` is used up.
    #[must_use]
    pub const fn throttled(quota_class: &'static str, retry_after: Duration) -> Self {
        Self {
            code: Code::ThrottlingException,
            message: Cow::Borrowed(THROTTLED),
            throttle: Some(Throttle {
                quota_class,
                retry_after,
            }),
        }
    }

    /// A parameter that breaks the service model or a documented rule.
    #[cold]
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::ValidationException, message)
    }

    /// A key, alias or grant that is not there.
    #[cold]
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFoundException, message)
    }

    /// A blob that does not open, for any reason: AWS's error does not show which.
    #[must_use]
    pub const fn invalid_ciphertext() -> Self {
        Self {
            code: Code::InvalidCiphertextException,
            message: Cow::Borrowed(""),
            throttle: None,
        }
    }

    /// The caller may not do this.
    #[cold]
    pub fn access_denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::AccessDeniedException, message)
    }

    /// A fault of ours. The cause belongs into the log, not into the answer.
    #[must_use]
    #[cold]
    pub const fn internal() -> Self {
        Self {
            code: Code::KmsInternalException,
            message: Cow::Borrowed("The request was rejected because an internal error occurred."),
            throttle: None,
        }
    }

    /// The kind of error.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// AWS's text; may be empty.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Which quota was used up, if that is the error.
    #[must_use]
    pub const fn throttle(&self) -> Option<Throttle> {
        self.throttle
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            f.write_str(self.code.name())
        } else {
            write!(f, "{}: {}", self.code.name(), self.message)
        }
    }
}

impl std::error::Error for KmsError {}

/// Makes the closed list of exceptions: Rust name, AWS's name, HTTP status.
macro_rules! codes {
    ($($code:ident $name:literal $status:literal,)+) => {
        /// AWS's name of an error, as it stands in `__type` over JSON.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each is documented by AWS under its name")]
        pub enum Code {
            $(#[serde(rename = $name)] $code,)+
        }

        impl Code {
            /// Every error that KMS may return.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// AWS's name of the error.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }

            /// The error of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$code),)+
                    _ => None,
                }
            }

            /// HTTP status of the answer over JSON.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status,)+
                }
            }
        }
    };
}

impl Code {
    /// Whether the fault is the server's, so that the same request may succeed later.
    #[must_use]
    pub const fn is_server_fault(self) -> bool {
        self.status() >= 500
    }
}

codes! {
    // Modelled by the service.
    AlreadyExistsException "AlreadyExistsException" 400,
    CloudHsmClusterInUseException "CloudHsmClusterInUseException" 400,
    CloudHsmClusterInvalidConfigurationException "CloudHsmClusterInvalidConfigurationException" 400,
    CloudHsmClusterNotActiveException "CloudHsmClusterNotActiveException" 400,
    CloudHsmClusterNotFoundException "CloudHsmClusterNotFoundException" 400,
    CloudHsmClusterNotRelatedException "CloudHsmClusterNotRelatedException" 400,
    ConflictException "ConflictException" 400,
    CustomKeyStoreHasCmksException "CustomKeyStoreHasCMKsException" 400,
    CustomKeyStoreInvalidStateException "CustomKeyStoreInvalidStateException" 400,
    CustomKeyStoreNameInUseException "CustomKeyStoreNameInUseException" 400,
    CustomKeyStoreNotFoundException "CustomKeyStoreNotFoundException" 400,
    DependencyTimeoutException "DependencyTimeoutException" 500,
    DisabledException "DisabledException" 400,
    DryRunOperationException "DryRunOperationException" 400,
    ExpiredImportTokenException "ExpiredImportTokenException" 400,
    IncorrectKeyException "IncorrectKeyException" 400,
    IncorrectKeyMaterialException "IncorrectKeyMaterialException" 400,
    IncorrectTrustAnchorException "IncorrectTrustAnchorException" 400,
    InvalidAliasNameException "InvalidAliasNameException" 400,
    InvalidArnException "InvalidArnException" 400,
    InvalidCiphertextException "InvalidCiphertextException" 400,
    InvalidGrantIdException "InvalidGrantIdException" 400,
    InvalidGrantTokenException "InvalidGrantTokenException" 400,
    InvalidImportTokenException "InvalidImportTokenException" 400,
    InvalidKeyUsageException "InvalidKeyUsageException" 400,
    InvalidMarkerException "InvalidMarkerException" 400,
    KeyUnavailableException "KeyUnavailableException" 500,
    KmsInternalException "KMSInternalException" 500,
    KmsInvalidMacException "KMSInvalidMacException" 400,
    KmsInvalidSignatureException "KMSInvalidSignatureException" 400,
    KmsInvalidStateException "KMSInvalidStateException" 400,
    LimitExceededException "LimitExceededException" 400,
    MalformedPolicyDocumentException "MalformedPolicyDocumentException" 400,
    NotAuthorizedException "NotAuthorizedException" 400,
    NotFoundException "NotFoundException" 400,
    TagException "TagException" 400,
    UnsupportedOperationException "UnsupportedOperationException" 400,
    XksKeyAlreadyInUseException "XksKeyAlreadyInUseException" 400,
    XksKeyInvalidConfigurationException "XksKeyInvalidConfigurationException" 400,
    XksKeyNotFoundException "XksKeyNotFoundException" 400,
    XksProxyIncorrectAuthenticationCredentialException
        "XksProxyIncorrectAuthenticationCredentialException" 400,
    XksProxyInvalidConfigurationException "XksProxyInvalidConfigurationException" 400,
    XksProxyInvalidResponseException "XksProxyInvalidResponseException" 400,
    XksProxyUriEndpointInUseException "XksProxyUriEndpointInUseException" 400,
    XksProxyUriInUseException "XksProxyUriInUseException" 400,
    XksProxyUriUnreachableException "XksProxyUriUnreachableException" 400,
    XksProxyVpcEndpointServiceInUseException "XksProxyVpcEndpointServiceInUseException" 400,
    XksProxyVpcEndpointServiceInvalidConfigurationException
        "XksProxyVpcEndpointServiceInvalidConfigurationException" 400,
    XksProxyVpcEndpointServiceNotFoundException
        "XksProxyVpcEndpointServiceNotFoundException" 400,

    // Common to AWS's JSON services.
    AccessDeniedException "AccessDeniedException" 400,
    ExpiredTokenException "ExpiredTokenException" 400,
    IncompleteSignatureException "IncompleteSignatureException" 400,
    InternalFailure "InternalFailure" 500,
    InvalidSignatureException "InvalidSignatureException" 400,
    MissingAuthenticationTokenException "MissingAuthenticationTokenException" 400,
    RequestEntityTooLargeException "RequestEntityTooLargeException" 413,
    SerializationException "SerializationException" 400,
    ServiceUnavailableException "ServiceUnavailableException" 503,
    ThrottlingException "ThrottlingException" 400,
    UnknownOperationException "UnknownOperationException" 400,
    UnrecognizedClientException "UnrecognizedClientException" 400,
    ValidationException "ValidationException" 400,
}

/// AWS's text for every throttled request, whatever the quota.
const THROTTLED: &str = "You have exceeded the rate at which you may call KMS. Reduce the \
                         frequency of your calls.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
    }

    #[test]
    fn throttling_is_a_client_error_of_status_400() {
        let error = KmsError::throttled("CreateKey", Duration::from_millis(10));
        assert_eq!(error.code().status(), 400);
        assert!(!error.code().is_server_fault());
        assert_eq!(error.throttle().unwrap().quota_class, "CreateKey");
        assert_eq!(
            error.message(),
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your \
             calls."
        );
    }
}
