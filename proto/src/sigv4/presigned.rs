//! A request signed in its query: a presigned URL.
//!
//! Source of the texts and of their order:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html> and S3's answers.

use std::time::Duration;

use crate::sigv4::ALGORITHM;
use crate::sigv4::Credential;
use crate::sigv4::CredentialError;
use crate::sigv4::CredentialScope;
use crate::sigv4::EXPIRES_MAX;
use crate::sigv4::Expected;
use crate::sigv4::SKEW_MAX;
use crate::sigv4::SignedHeaders;
use crate::time::Timestamp;

/// The query of a presigned request, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    /// Whose key signed.
    pub access_key_id: String,
    /// What the signing key was derived for.
    pub scope: CredentialScope,
    /// When the URL was signed.
    pub date: Timestamp,
    /// How long it is valid from then on.
    pub expires: Duration,
    /// The headers the signature covers.
    pub signed_headers: SignedHeaders,
    /// The signature as sent.
    pub signature: String,
    /// The session token, where temporary credentials signed.
    pub security_token: Option<String>,
}

impl Presigned {
    /// Reads the decoded pairs of a query that [`is_presigned`].
    ///
    /// The checks are in S3's order: algorithm, the six parameters, date, expiry as a number, not yet
    /// valid, expired, credential, its date. A repeated parameter is refused first.
    ///
    /// # Errors
    ///
    /// [`PresignedError`], whose text is S3's.
    pub fn parse(
        pairs: &[(String, String)],
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Self, PresignedError> {
        match single(pairs, "X-Amz-Algorithm")? {
            Some(ALGORITHM) => {}
            Some("AWS4-ECDSA-P256-SHA256") => return Err(PresignedError::Asymmetric),
            Some(_) => return Err(PresignedError::Algorithm),
            None => return Err(PresignedError::MissingParameters),
        }
        let required = |name| single(pairs, name)?.ok_or(PresignedError::MissingParameters);
        let credential = required("X-Amz-Credential")?;
        let signature = required("X-Amz-Signature")?;
        let date_text = required("X-Amz-Date")?;
        let signed_headers = required("X-Amz-SignedHeaders")?;
        let expires_text = required("X-Amz-Expires")?;
        let security_token = single(pairs, "X-Amz-Security-Token")?;

        let date = Timestamp::parse_basic(date_text).map_err(|_| PresignedError::Date)?;
        let expires = parse_expires(expires_text)?;
        check_time(date, expires, now)?;

        let Credential {
            access_key_id,
            scope,
        } = Credential::parse(credential, expected)?;
        if scope.date != date.date8() {
            let (credential, request) = (scope.date, date.date8());
            return Err(PresignedError::CredentialDate {
                credential,
                request,
            });
        }
        Ok(Self {
            access_key_id,
            scope,
            date,
            expires,
            signed_headers: SignedHeaders::parse(signed_headers)
                .ok_or(PresignedError::SignedHeaders)?,
            signature: signature.to_owned(),
            security_token: security_token.map(str::to_owned),
        })
    }

    /// The pairs the signature covers: all except `X-Amz-Signature`.
    #[must_use]
    pub fn signed_query(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
        pairs
            .iter()
            .filter(|(name, _)| name != "X-Amz-Signature")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// The last instant at which the URL is valid.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.date.plus(self.expires)
    }
}

/// Whether the query claims to be signed: it names one of the parameters that only a presigned URL
/// has, in any case.
///
/// S3 treats a query without `X-Amz-Algorithm` as unsigned, whatever else it contains. Here it is
/// presigned and refused for the missing parameter, so that half a signature is never anonymous.
#[must_use]
pub fn is_presigned(pairs: &[(String, String)]) -> bool {
    pairs
        .iter()
        .any(|(name, _)| CLAIMS.iter().any(|claim| name.eq_ignore_ascii_case(claim)))
}

/// The value of the parameter `name`, if it is there once.
fn single<'a>(
    pairs: &'a [(String, String)],
    name: &'static str,
) -> Result<Option<&'a str>, PresignedError> {
    let mut values = pairs.iter().filter(|(other, _)| other == name);
    let value = values.next().map(|(_, value)| value.as_str());
    if values.next().is_some() {
        return Err(PresignedError::Repeated { name });
    }
    Ok(value)
}

/// Reads a count of seconds as S3 does: decimal digits after at most one sign, at most a week.
fn parse_expires(text: &str) -> Result<Duration, PresignedError> {
    let seconds: i64 = text.parse().map_err(|_| PresignedError::ExpiresNumber)?;
    let seconds = u64::try_from(seconds).map_err(|_| PresignedError::ExpiresNegative)?;
    let expires = Duration::from_secs(seconds);
    if expires > EXPIRES_MAX {
        Err(PresignedError::ExpiresTooLarge)
    } else {
        Ok(expires)
    }
}

fn check_time(date: Timestamp, expires: Duration, now: Timestamp) -> Result<(), PresignedError> {
    let expires_at = date.plus(expires);
    if date.since(now) > SKEW_MAX {
        return Err(PresignedError::NotYetValid {
            date,
            expires_at,
            now,
        });
    }
    if now > expires_at {
        return Err(PresignedError::Expired {
            expires_seconds: expires.as_secs(),
            expires_at,
            now,
        });
    }
    Ok(())
}

/// Why a presigned request is refused. The texts are S3's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresignedError {
    /// A parameter of the signature is repeated.
    #[error("Query-string authentication allows the {name} parameter only once.")]
    Repeated {
        /// The parameter.
        name: &'static str,
    },
    /// Not `AWS4-HMAC-SHA256`.
    #[error("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"")]
    Algorithm,
    /// SigV4a, which is not supported.
    #[error(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )]
    Asymmetric,
    /// One of the six parameters is missing.
    #[error(
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
    )]
    MissingParameters,
    /// `X-Amz-Date` is no time.
    #[error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")]
    Date,
    /// `X-Amz-Expires` is no number.
    #[error("X-Amz-Expires should be a number")]
    ExpiresNumber,
    /// `X-Amz-Expires` is below zero.
    #[error("X-Amz-Expires must be non-negative")]
    ExpiresNegative,
    /// `X-Amz-Expires` is above a week, which is still allowed.
    #[error(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
    )]
    ExpiresTooLarge,
    /// Signed more than 15 minutes ahead of the server's time. 403 `AccessDenied` with elements
    /// `X-Amz-Date` (milliseconds), `Expires` and `ServerTime`.
    #[error("Request is not yet valid")]
    NotYetValid {
        /// When it was signed, by its own date.
        date: Timestamp,
        /// When it expires.
        expires_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// Past its expiry. 403 `AccessDenied` with elements `X-Amz-Expires`, `Expires` and `ServerTime`.
    #[error("Request has expired")]
    Expired {
        /// How long it was valid, in seconds.
        expires_seconds: u64,
        /// When it expires.
        expires_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// The credential is wrong.
    #[error("Error parsing the X-Amz-Credential parameter; {0}")]
    Credential(#[from] CredentialError),
    /// The scope is of another day than `X-Amz-Date`.
    #[error(
        "Invalid credential date \"{credential}\". This date is not the same as X-Amz-Date: \"{request}\"."
    )]
    CredentialDate {
        /// The day of the scope.
        credential: String,
        /// The day of `X-Amz-Date`.
        request: String,
    },
    /// The list of signed headers is empty or no list.
    #[error("X-Amz-SignedHeaders is malformed.")]
    SignedHeaders,
}

impl PresignedError {
    /// The S3 error code of this refusal and its status.
    #[must_use]
    pub const fn s3_code(&self) -> (&'static str, u16) {
        match self {
            Self::NotYetValid { .. } | Self::Expired { .. } => ("AccessDenied", 403),
            Self::Asymmetric => ("InvalidRequest", 400),
            _ => ("AuthorizationQueryParametersError", 400),
        }
    }
}

/// The parameters that only a presigned URL has.
const CLAIMS: [&str; 5] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
];

#[cfg(test)]
mod tests;
