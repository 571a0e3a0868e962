//! Signature Version 4 as AWS's JSON services check it, with their texts.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>
//! and <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::request::Parts;
use proto::iam::Identity;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::sigv4::ALGORITHM;
use proto::sigv4::Authorization;
use proto::sigv4::AuthorizationError;
use proto::sigv4::CanonicalRequest;
use proto::sigv4::CredentialError;
use proto::sigv4::Expected;
use proto::sigv4::PathEncoding;
use proto::sigv4::SignedHeaders;
use proto::sigv4::decode_query;
use proto::sigv4::sha256_hex;
use proto::sigv4::string_to_sign;
use proto::time::Timestamp;
use sha2::Digest as _;
use sha2::Sha256;

use crate::authenticate::Authenticator;
use crate::authenticate::SKEW_MAX;
use crate::authenticate::credentials::User;
use crate::authenticate::missing_token;
use crate::authenticate::session_refusal;
use crate::authenticate::unrecognized;
use crate::caller::root_arn;
use crate::error::Code;
use crate::error::KmsError;

/// Who signed, and for which Region.
pub struct Signed {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) principal_arn: Arc<str>,
    pub(crate) access_key_id: Option<Arc<str>>,
    pub(crate) identity: Option<Arc<Identity>>,
}

/// What a head claims: who signed it, when, and by which signature over which headers.
pub struct Claim {
    authorization: Authorization,
    region: Region,
    time: Timestamp,
    user: Arc<User>,
}

/// Reads the claim of a request's head, and checks all of it that needs no body.
pub(crate) fn claim(
    authenticator: &Authenticator,
    parts: &Parts,
    service: &str,
) -> Result<Claim, KmsError> {
    let header = text(&parts.headers, "authorization").ok_or_else(missing_token)?;
    let expected = Expected {
        region: None,
        others: &[],
        service,
    };
    let authorization =
        Authorization::parse(header, &expected).map_err(|error| refusal(&error, header))?;
    let region = authenticator.regions.find(&authorization.scope.region);
    let region = region.ok_or_else(|| invalid(NO_REGION))?;

    let (time, date_header) = request_time(&parts.headers, header)?;
    check_time(authenticator, &authorization, time)?;
    check_signed_headers(&parts.headers, &authorization.signed_headers, date_header)?;

    let user = user(authenticator, parts, &authorization.access_key_id)?;
    Ok(Claim {
        authorization,
        region: region.clone(),
        time,
        user,
    })
}

/// Whose access key it is: by the session token if the request has one, which goes with that key alone.
fn user(
    authenticator: &Authenticator,
    parts: &Parts,
    access_key_id: &str,
) -> Result<Arc<User>, KmsError> {
    let mut tokens = parts.headers.get_all(TOKEN_HEADER).iter();
    let (token, another) = (tokens.next(), tokens.next());
    let users = &authenticator.users;
    match (token, another) {
        (None, _) => users.find(access_key_id).ok_or_else(unrecognized),
        (Some(token), None) => {
            let token = token.to_str().map_err(|_| unrecognized())?;
            let now = authenticator.token_clock.now();
            let user = users.of_session(token, access_key_id, now);
            user.map_err(session_refusal)
        }
        // They would be read differently by what stands between client and server.
        (Some(_), Some(_)) => Err(unrecognized()),
    }
}

impl Claim {
    /// Checks the signature over head and body.
    pub(crate) fn verify(self, parts: &Parts, body: &[u8]) -> Result<Signed, KmsError> {
        let Self {
            authorization,
            region,
            time,
            user,
        } = self;
        let signer = user.signer(&authorization.scope, &region);
        let canonical = canonical_sha256(parts, body, &authorization.signed_headers)?;
        let to_sign = string_to_sign(time, &authorization.scope, &canonical);
        if !signer.key.verify(&to_sign, &authorization.signature) {
            return Err(invalid(MISMATCH));
        }

        user.cache(&signer);
        Ok(Signed {
            account: user.account.clone(),
            region,
            principal_arn: Arc::clone(&signer.principal_arn),
            access_key_id: Some(Arc::clone(&user.access_key_id)),
            identity: user.identity().cloned(),
        })
    }
}

/// Accepts the credential that the request names, or none, without a proof.
pub(crate) fn accept(authenticator: &Authenticator, parts: &Parts) -> Result<Signed, KmsError> {
    let header = text(&parts.headers, "authorization").unwrap_or_default();
    let credential = header
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest);
    let credential = credential.split([',', ' ']).next().unwrap_or_default();
    let mut fields = credential.split('/');
    let access_key_id = fields.next().filter(|id| !id.is_empty());
    let region = match fields.nth(1) {
        Some(name) => authenticator.regions.find(name),
        None => Some(&authenticator.region),
    };
    let region = region.ok_or_else(|| invalid(NO_REGION))?;
    let known = access_key_id.and_then(|id| authenticator.users.find(id));
    let session = access_key_id.and_then(|id| user(authenticator, parts, id).ok());
    let session = session.filter(|_| parts.headers.contains_key(TOKEN_HEADER));
    if let Some(session) = session {
        return Ok(Signed {
            account: session.account.clone(),
            principal_arn: session.principal_arn(region),
            region: region.clone(),
            access_key_id: access_key_id.map(Into::into),
            identity: session.identity().cloned(),
        });
    }
    let named = access_key_id.and_then(|id| id.parse().ok());
    let account = match (named, known, &authenticator.test_account) {
        (Some(account), _, _) => account,
        (None, Some(user), _) => user.account.clone(),
        (None, None, Some(account)) if access_key_id == Some("test") => account.clone(),
        _ => authenticator.account.clone(),
    };
    Ok(Signed {
        principal_arn: root_arn(&account, region).as_str().into(),
        account,
        region: region.clone(),
        access_key_id: access_key_id.map(Into::into),
        identity: None,
    })
}

/// The time the request was signed at, and the header that carries it.
fn request_time(headers: &HeaderMap, header: &str) -> Result<(Timestamp, &'static str), KmsError> {
    if let Some(date) = text(headers, "x-amz-date") {
        let time = Timestamp::parse_basic(date).map_err(|_| {
            incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{date}'. See \
                 http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })?;
        return Ok((time, "x-amz-date"));
    }

    let date = text(headers, "date").and_then(|date| Timestamp::parse_http_date(date).ok());
    date.map(|time| (time, "date")).ok_or_else(|| {
        incomplete(format!(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
             {}",
            hashed(header)
        ))
    })
}

/// Checks that the request was signed now, on the day of its scope.
fn check_time(
    authenticator: &Authenticator,
    authorization: &Authorization,
    time: Timestamp,
) -> Result<(), KmsError> {
    let now = authenticator.clock.now();
    if time.distance(now) > SKEW_MAX {
        let (signed, now_text) = (time.basic(), now.basic());
        return Err(invalid(if time < now {
            let earliest = now.minus(SKEW_MAX).basic();
            format!(
                "Signature expired: {signed} is now earlier than {earliest} ({now_text} - 15 min.)"
            )
        } else {
            let latest = now.plus(SKEW_MAX).basic();
            format!(
                "Signature not yet current: {signed} is still later than {latest} ({now_text} + \
                 15 min.)"
            )
        }));
    }

    let (day, signed) = (&authorization.scope.date, time.date8());
    if *day != signed {
        return Err(invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{day}' != '{signed}', from '{}'.",
            time.basic()
        )));
    }

    Ok(())
}

/// Checks that the signature covers what decides the request's meaning: the host, the date and
/// every `x-amz-*` header, the target operation among them.
fn check_signed_headers(
    headers: &HeaderMap,
    signed: &SignedHeaders,
    date_header: &str,
) -> Result<(), KmsError> {
    if !signed.contains("host") && !signed.contains(":authority") {
        return Err(invalid(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }

    let must_be_signed =
        |name: &&str| *name == date_header || (name.starts_with("x-amz-") && *name != HASH_HEADER);
    let unsigned = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(must_be_signed);
    match unsigned.filter(|name| !signed.contains(name)).min() {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        ))),
    }
}

/// SHA-256 of the canonical request, over the body as it came and not as a header claims it.
fn canonical_sha256(
    parts: &Parts,
    body: &[u8],
    signed: &SignedHeaders,
) -> Result<String, KmsError> {
    let mut headers: Vec<(&str, &[u8])> = Vec::with_capacity(parts.headers.len() + 1);
    headers.extend(
        parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes())),
    );
    if let Some(authority) = parts.uri.authority() {
        if !parts.headers.contains_key(http::header::HOST) {
            headers.push(("host", authority.as_str().as_bytes()));
        }

        headers.push((":authority", authority.as_str().as_bytes()));
    }

    let query = decode_query(parts.uri.query().unwrap_or_default())
        .map_err(|_| invalid("Illegal hex character in escape % pattern"))?;
    let query: Vec<(&str, &str)> = query
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let canonical = CanonicalRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        path_encoding: PathEncoding::Twice,
        query: &query,
        headers: &headers,
        signed_headers: signed,
        payload_hash: &sha256_hex(body),
    };
    Ok(canonical.sha256_hex())
}

/// AWS's answer to an Authorization header without usable content.
fn refusal(error: &AuthorizationError, header: &str) -> KmsError {
    match error {
        AuthorizationError::Credential(CredentialError::Malformed) => incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term. {}",
            hashed(header)
        )),
        AuthorizationError::Credential(CredentialError::EmptyRegion) => invalid(NO_REGION),
        AuthorizationError::Credential(CredentialError::WrongService { expected, .. }) => invalid(
            format!("Credential should be scoped to correct service: '{expected}'. "),
        ),
        AuthorizationError::Credential(error) => invalid(format!(
            "Credential should be scoped with valid values; {error}"
        )),
        AuthorizationError::NoSpace | AuthorizationError::UnsupportedType => {
            let algorithm = header.split(' ').next().unwrap_or_default();
            incomplete(format!(
                "Unsupported AWS 'algorithm': '{}' (only AWS4-HMAC-SHA256 for now). ",
                algorithm.get(..ALGORITHM.len() * 2).unwrap_or(algorithm)
            ))
        }
        _ => incomplete(missing_parameters(header)),
    }
}

/// Which parameters the header lacks, in AWS's words.
fn missing_parameters(header: &str) -> String {
    let mut message = String::new();
    for parameter in ["Credential", "Signature", "SignedHeaders"] {
        if !header.contains(&format!("{parameter}=")) {
            message.push_str(&format!(
                "Authorization header requires '{parameter}' parameter. "
            ));
        }
    }

    message.push_str(&hashed(header));
    message
}

/// The header as an error may show it: a hash, by which the sender can recognize the header and
/// which does not disclose it.
fn hashed(header: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(header.as_bytes()));
    format!("(Hashed with SHA-256 and encoded with Base64) Authorization={hash}")
}

/// One header as text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A signature that does not hold.
fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> KmsError {
    KmsError::new(Code::InvalidSignatureException, message)
}

/// A signature of which something is missing.
fn incomplete(message: String) -> KmsError {
    KmsError::new(Code::IncompleteSignatureException, message)
}

/// The header that may claim the body's hash; the body itself is what is checked.
const HASH_HEADER: &str = "x-amz-content-sha256";

/// The header that contains a session token.
const TOKEN_HEADER: &str = "x-amz-security-token";

/// AWS's text for a Region that it does not have.
const NO_REGION: &str = "Credential should be scoped to a valid region. ";

/// AWS's text for a signature that does not match.
const MISMATCH: &str = "The request signature we calculated does not match the signature you \
                        provided. Check your AWS Secret Access Key and signing method. Consult the \
                        service documentation for details.";
