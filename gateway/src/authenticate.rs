//! Who sent a request, and that what arrives is what they signed.
//!
//! A request is checked once, before it is routed: AWS Signature Version 4, and Version 2 where it is
//! accepted, in the `Authorization` header or in the query (a presigned URL). Whatever looks like a
//! signature and is none of these is refused; only a request without any trace of one is anonymous. A
//! browser's form is signed inside its body, and anonymous until [`Authenticator::form`] has read it.
//!
//! [`Authenticator::check`] judges the head of the request. It returns the [`Coverage`] of the body,
//! which [`crate::payload`] checks as the body is read.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Uri;
use http::header;
use proto::iam::Iam;
use proto::iam::IamError;
use proto::identity::AccountId;
use proto::sigv2;
use proto::sigv4;
use proto::sigv4::Authorization;
use proto::sigv4::CanonicalRequest;
use proto::sigv4::CredentialScope;
use proto::sigv4::Expected;
use proto::sigv4::Mechanism;
use proto::sigv4::PathEncoding;
use proto::sigv4::PayloadHash;
use proto::sigv4::Presigned;
use proto::sigv4::SignedHeaders;
use proto::sigv4::SigningKey;
use proto::time::Clock;
use proto::time::Timestamp;

use crate::authenticate::refusal::CONTENT_SHA256;
use crate::authenticate::session::ClaimedCredentials;
use crate::authenticate::session::Sessions;
use crate::authenticate::users::Users;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::waiting::InputUrl;
use crate::object_lambda::waiting::WaitingRequests;
use crate::payload::ChunkSigning;
use crate::payload::Coverage;
use crate::protocol::single_header::single_text;
use crate::request::AuthType;
use crate::request::Caller;
use crate::request::Query;
use crate::request::Regions;
use crate::request::SignatureVersion;
use crate::route::BaseDomains;

mod date;
mod form;
mod head;
mod hoisted;
mod mfa;
mod refusal;
mod session;
mod users;
mod version_2;

#[cfg(any(test, feature = "fuzzing"))]
pub use form::fuzzing::form_policy;

pub use head::check_head;
pub use mfa::MfaToken;
pub(crate) use session::SECURITY_TOKEN;
pub use users::User;

/// Checks signatures for one Region's S3.
pub struct Authenticator {
    users: ArcSwap<Users>,
    sessions: Sessions,
    regions: Regions,
    clock: Arc<dyn Clock>,
    config: Config,
    functions: Option<Arc<WaitingRequests>>,
}

/// Which signatures are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether Signature Version 2 is accepted as well as Version 4.
    pub sigv2: bool,
}

/// What the head of a request proved.
pub struct Verified {
    /// Who signed.
    pub caller: Caller,
    /// Where the signature stood.
    pub auth: AuthType,
    /// The Region that was signed for, where the signature names one.
    pub region: Option<String>,
    /// Whether it was signed for Object Lambda and not for S3.
    pub is_for_object_lambda: bool,
    /// Whether it is a presigned URL that the gateway gave to a function.
    pub is_of_function: bool,
    /// How the body is to be checked.
    pub coverage: Coverage,
    /// Headers to be treated as if they had come: those that a presigned URL carries in its query,
    /// and the payload's hash where no header has it.
    pub hoisted: Vec<(HeaderName, HeaderValue)>,
    /// The query without the parameters of the signature; `None` where no operation would read those.
    pub query: Option<Query>,
}

/// The head of a request, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The raw path and query.
    pub uri: &'a Uri,
    /// The query, decoded.
    pub query: &'a Query,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The host names under which the host names the bucket.
    pub bases: &'a BaseDomains,
}

/// What a signature claims, wherever it stood.
struct Claim {
    access_key_id: String,
    scope: CredentialScope,
    timestamp: Timestamp,
    signed_headers: SignedHeaders,
    signature: String,
    /// The last line of the canonical request.
    payload_hash: String,
}

impl Authenticator {
    /// An authenticator for these users, and for the users and the sessions of `iam`.
    pub fn new(
        users: &[User],
        iam: Option<Arc<Iam>>,
        regions: Regions,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Self {
        let principals = iam.as_ref().map(|iam| iam.principals());
        Self {
            users: ArcSwap::from_pointee(Users::new(users.into(), principals)),
            sessions: Sessions(iam),
            regions,
            clock,
            config,
            functions: None,
        }
    }

    /// The same, which accepts the presigned URLs of the functions of these requests.
    #[must_use]
    pub fn with_functions(mut self, waiting: Arc<WaitingRequests>) -> Self {
        self.functions = Some(waiting);
        self
    }

    /// The time that signatures are compared with.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes other users from the next request on, beside those of the credentials file. Requests that were
    /// checked go on. That file is read again.
    ///
    /// # Errors
    ///
    /// [`UsersError`]; then everybody stays who they were.
    pub fn replace_users(&self, users: &[User]) -> Result<(), UsersError> {
        let iam = self.sessions.0.as_ref();
        iam.map(|iam| iam.reload()).transpose()?;
        accounts(users, iam.map(|iam| &**iam))?;
        let principals = iam.map(|iam| iam.principals());
        self.users
            .store(Arc::new(Users::new(users.into(), principals)));
        Ok(())
    }

    /// Takes the users of the credentials file if that was read again; whether it was.
    pub fn refresh(&self) -> bool {
        let Some(iam) = &self.sessions.0 else {
            return false;
        };
        let (users, principals) = (self.users.load(), iam.principals());
        if users.are_of(&principals) {
            return false;
        }
        self.users.store(Arc::new(users.with(principals)));
        true
    }

    /// The accounts of all users, those of the credentials file first.
    pub fn accounts(&self) -> Vec<AccountId> {
        let users = self.users.load();
        accounts(users.configured(), self.sessions.0.as_deref()).unwrap_or_default()
    }

    /// Judges the head of a request.
    ///
    /// # Errors
    ///
    /// S3's error for the first fault, in S3's order.
    pub fn check(&self, head: Head<'_>) -> Result<Verified, S3Error> {
        let in_header = head.headers.get(header::AUTHORIZATION);
        let pairs = head.query.pairs();
        match (
            in_header,
            sigv4::is_presigned(pairs),
            sigv2::is_presigned(pairs),
        ) {
            (Some(value), false, false) => self.check_header(head, value),
            (None, true, false) => self.check_query(head),
            (None, false, true) => self.check_query_version_2(head),
            (None, false, false) => anonymous(head),
            _ => Err(several_mechanisms()),
        }
    }

    /// A request signed in its `Authorization` header.
    fn check_header(&self, head: Head<'_>, value: &HeaderValue) -> Result<Verified, S3Error> {
        let value = value.to_str().unwrap_or_default();
        let refuse = |error| refusal::authorization(&error, value);
        if sigv4::mechanism(value).map_err(refuse)? == Mechanism::V2 {
            return self.check_header_version_2(head, value);
        }

        let Some(hash_text) = single_text(head.headers, &CONTENT_SHA256)? else {
            let message = "Missing required header for this request: x-amz-content-sha256";
            return Err(S3Error::invalid_request(message));
        };
        let hash = parse_hash(hash_text)?;
        let (caller, key, claim) =
            self.check_signed(head, value, self.expected(value), hash_text)?;
        let region = Some(claim.scope.region.clone());
        let is_for_object_lambda = claim.scope.service == OBJECT_LAMBDA;
        let coverage = coverage(hash, key, claim)?;
        Ok(Verified {
            caller,
            auth: AuthType::Header(SignatureVersion::V4),
            region,
            is_for_object_lambda,
            is_of_function: false,
            coverage,
            hoisted: Vec::new(),
            query: None,
        })
    }

    /// Judges the head of a request to another service than S3, signed in its `Authorization` header; who
    /// signed, and for which Region. The body has the hash `payload_hash`, or is checked against it later.
    ///
    /// # Errors
    ///
    /// As [`Authenticator::check`].
    pub fn check_service(
        &self,
        head: Head<'_>,
        service: &'static str,
        payload_hash: &str,
    ) -> Result<(Caller, String), S3Error> {
        let value = single_text(head.headers, &header::AUTHORIZATION)?.unwrap_or_default();
        let expected = Expected {
            service,
            ..self.expected("")
        };
        let (caller, _, claim) = self.check_signed(head, value, expected, payload_hash)?;
        Ok((caller, claim.scope.region))
    }

    /// Checks a signature of Version 4 in the `Authorization` header; who signed what with which key.
    fn check_signed(
        &self,
        head: Head<'_>,
        value: &str,
        expected: Expected<'_>,
        payload_hash: &str,
    ) -> Result<(Caller, Arc<SigningKey>, Claim), S3Error> {
        let refuse = |error| refusal::authorization(&error, value);
        let timestamp = date::signed_at(head.headers)?;
        let now = self.clock.now();
        if timestamp.distance(now) > sigv4::SKEW_MAX {
            return Err(refusal::skewed(timestamp.basic(), now));
        }

        let authorization = Authorization::parse(value, &expected).map_err(refuse)?;
        authorization.check_date(timestamp).map_err(refuse)?;
        let claim = Claim {
            access_key_id: authorization.access_key_id,
            scope: authorization.scope,
            timestamp,
            signed_headers: authorization.signed_headers,
            signature: authorization.signature,
            payload_hash: payload_hash.to_owned(),
        };
        let query: Vec<(&str, &str)> = head.query.iter().collect();
        let token = session::in_headers(head.headers)?;
        let (caller, key) = self.check_claim(head, &query, &claim, token)?;
        Ok((caller, key, claim))
    }

    /// A presigned URL.
    fn check_query(&self, head: Head<'_>) -> Result<Verified, S3Error> {
        let pairs = head.query.pairs();
        let credential = head.query.get("X-Amz-Credential").unwrap_or_default();
        let presigned = Presigned::parse(pairs, &self.expected(credential), self.clock.now())
            .map_err(|error| refusal::presigned(&error))?;

        let header_hash = single_text(head.headers, &CONTENT_SHA256)?;
        let query_hash = head.query.get("X-Amz-Content-Sha256");
        let is_signed = presigned.signed_headers.contains(CONTENT_SHA256.as_str());
        let canonical_hash = match (query_hash, header_hash) {
            (Some(value), _) => value,
            (None, Some(value)) if is_signed => value,
            (None, _) => UNSIGNED_PAYLOAD,
        };

        let claim = Claim {
            access_key_id: presigned.access_key_id,
            scope: presigned.scope,
            timestamp: presigned.date,
            signed_headers: presigned.signed_headers,
            signature: presigned.signature,
            payload_hash: canonical_hash.to_owned(),
        };
        let query = Presigned::signed_query(pairs);
        let token = session::of_presigned(head.query, head.headers)?;
        let (caller, key) = self.check_claim(head, &query, &claim, token)?;
        let hash = presigned_hash(query_hash, header_hash)?;
        let mut hoisted = hoisted::headers(head.query, head.headers)?;
        // No operation would take them as parameters.
        let has_conditions = head
            .query
            .iter()
            .any(|(name, _)| hoisted::is_condition(name));
        let effective_hash = HeaderValue::from_str(&claim.payload_hash).ok();
        hoisted.extend(effective_hash.map(|hash| (CONTENT_SHA256, hash)));
        let auth = AuthType::Presigned {
            version: SignatureVersion::V4,
            signed_at: Some(claim.timestamp),
        };
        Ok(Verified {
            caller,
            auth,
            region: Some(claim.scope.region.clone()),
            is_for_object_lambda: claim.scope.service == OBJECT_LAMBDA,
            is_of_function: self.function(&claim.access_key_id).is_some(),
            coverage: coverage(hash, key, claim)?,
            hoisted,
            query: has_conditions.then(|| head.query.only(|name| !hoisted::is_condition(name))),
        })
    }

    /// Checks that everything is signed that must be, and the signature itself.
    ///
    /// An access key that nobody has costs the same work as a user's: only the answer shows the
    /// difference, as S3's does.
    fn check_claim(
        &self,
        head: Head<'_>,
        query: &[(&str, &str)],
        claim: &Claim,
        token: Option<&str>,
    ) -> Result<(Caller, Arc<SigningKey>), S3Error> {
        let names = head.headers.keys().map(HeaderName::as_str);
        let unsigned = sigv4::headers_not_signed(names.chain(["host"]), &claim.signed_headers);
        if !unsigned.is_empty() {
            return Err(refusal::not_signed(&unsigned));
        }
        head::check_connection(head.headers, &claim.signed_headers)?;

        let headers: Vec<(&str, &[u8])> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let canonical = CanonicalRequest {
            method: head.method.as_str(),
            path: head.uri.path(),
            path_encoding: match claim.scope.service.as_str() {
                SERVICE | OBJECT_LAMBDA => PathEncoding::Once,
                _ => PathEncoding::Twice,
            },
            query,
            headers: &headers,
            signed_headers: &claim.signed_headers,
            payload_hash: &claim.payload_hash,
        }
        .to_bytes();
        let canonical_hash = sigv4::sha256_hex(&canonical);
        let string_to_sign = sigv4::string_to_sign(claim.timestamp, &claim.scope, &canonical_hash);

        let (access_key_id, signature) = (claim.access_key_id.as_str(), &claim.signature);
        let mismatch = || refusal::mismatch(access_key_id, signature, &string_to_sign, &canonical);
        let credentials = ClaimedCredentials {
            access_key_id,
            token,
        };
        self.signer(
            credentials,
            &claim.scope,
            (&string_to_sign, signature),
            mismatch,
        )
    }

    /// Who signed a text, and with which key; `mismatch` if it was somebody else.
    fn signer(
        &self,
        credentials: ClaimedCredentials<'_>,
        scope: &CredentialScope,
        (text, signature): (&str, &str),
        mismatch: impl FnOnce() -> S3Error,
    ) -> Result<(Caller, Arc<SigningKey>), S3Error> {
        let access_key_id = credentials.access_key_id;
        if let Some(token) = credentials.token {
            let (caller, secret) = self.sessions.open(token, access_key_id, self.clock.now())?;
            let key = SigningKey::derive(secret.expose(), scope);
            return match key.verify(text, signature) {
                true => Ok((caller, Arc::new(key))),
                false => Err(mismatch()),
            };
        }
        if let Some(input) = self.function(access_key_id) {
            let key = SigningKey::derive(input.secret.expose(), scope);
            return match key.verify(text, signature) {
                true => Ok((input.caller.clone(), Arc::new(key))),
                false => Err(mismatch()),
            };
        }
        let users = self.users.load();
        let (signer, exists) = users.find(access_key_id);
        let key = signer.key(scope);
        match (key.verify(text, signature), exists) {
            (true, true) => Ok((signer.caller.clone(), key)),
            (false, true) => Err(mismatch()),
            (_, false) => Err(refusal::unknown_access_key(access_key_id)),
        }
    }

    /// What a presigned URL with this access key id was made for, if a function has it.
    fn function(&self, access_key_id: &str) -> Option<Arc<InputUrl>> {
        self.functions.as_ref()?.reader(access_key_id)
    }

    /// What the scope in this text must name: Object Lambda, if that is what it claims.
    fn expected(&self, text: &str) -> Expected<'_> {
        Expected {
            region: Some(self.regions.own()),
            others: self.regions.others(),
            service: match text.contains("/s3-object-lambda/aws4_request") {
                true => OBJECT_LAMBDA,
                false => SERVICE,
            },
        }
    }
}

/// The accounts of all users, those of the credentials file first.
///
/// # Errors
///
/// [`UsersError::Nobody`].
pub fn accounts(users: &[User], iam: Option<&Iam>) -> Result<Vec<AccountId>, UsersError> {
    let principals = iam.map(Iam::principals);
    let of_file = principals.iter().flat_map(|it| it.users());
    let of_file = of_file.map(|user| user.arn.account());
    let configured = users.iter().map(|user| user.account.clone());
    let accounts: Vec<_> = of_file.chain(configured).collect();
    match accounts.is_empty() {
        true => Err(UsersError::Nobody),
        false => Ok(accounts),
    }
}

/// Why users cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// There is none.
    #[error("users is empty, so nobody could do anything")]
    Nobody,
    /// The credentials file cannot be used.
    #[error("credentials_file: {0}")]
    File(#[from] IamError),
}

/// How `hash` covers the body of a request signed by `claim`.
fn coverage(hash: PayloadHash, key: Arc<SigningKey>, claim: Claim) -> Result<Coverage, S3Error> {
    let signing = ChunkSigning {
        key,
        timestamp: claim.timestamp,
        scope: claim.scope,
        previous: claim.signature,
    };
    Coverage::signed(hash, signing).ok_or_else(|| {
        let error = sigv4::AuthorizationError::Asymmetric;
        refusal::authorization(&error, "")
    })
}

/// A request without any trace of a signature.
fn anonymous(head: Head<'_>) -> Result<Verified, S3Error> {
    let hash = match single_text(head.headers, &CONTENT_SHA256)? {
        Some(text) => parse_hash(text)?,
        None => PayloadHash::Unsigned,
    };
    let coverage = Coverage::unsigned(hash).ok_or_else(S3Error::access_denied)?;
    Ok(Verified {
        caller: Caller::Anonymous,
        auth: AuthType::Anonymous,
        region: None,
        is_for_object_lambda: false,
        is_of_function: false,
        coverage,
        hoisted: unsigned_payload(head.headers),
        query: None,
    })
}

/// The payload's hash of a request that names none: policies see what Version 4 would have named.
fn unsigned_payload(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    match headers.contains_key(&CONTENT_SHA256) {
        true => Vec::new(),
        false => vec![(CONTENT_SHA256, HeaderValue::from_static(UNSIGNED_PAYLOAD))],
    }
}

/// What is checked of the body of a presigned request: the hash that its URL or its headers name.
fn presigned_hash(in_query: Option<&str>, in_header: Option<&str>) -> Result<PayloadHash, S3Error> {
    let mut chosen = PayloadHash::Unsigned;
    for text in [in_query, in_header].into_iter().flatten() {
        let hash = parse_hash(text)?;
        if hash.is_chunked() {
            let reason = "A presigned request cannot have a chunked, signed payload.";
            return Err(S3Error::not_implemented(reason));
        }
        match (&chosen, &hash) {
            (PayloadHash::Sha256(a), PayloadHash::Sha256(b)) if a != b => {
                return Err(S3Code::XAmzContentSha256Mismatch.into());
            }
            (PayloadHash::Sha256(_), _) => {}
            _ => chosen = hash,
        }
    }
    Ok(chosen)
}

/// Reads a value of `x-amz-content-sha256`.
fn parse_hash(text: &str) -> Result<PayloadHash, S3Error> {
    PayloadHash::parse(text).map_err(|error| refusal::payload_hash(error, text))
}

/// The error for a request signed in two places.
fn several_mechanisms() -> S3Error {
    S3Error::invalid_argument(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        "Authorization",
        "null",
    )
}

/// The payload hash of a presigned URL that does not name one.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// S3, in the scope of signatures.
const SERVICE: &str = "s3";

/// The service of requests through Object Lambda access points.
const OBJECT_LAMBDA: &str = "s3-object-lambda";

#[cfg(test)]
mod tests;
