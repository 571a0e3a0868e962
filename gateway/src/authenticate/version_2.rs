//! Requests signed with Signature Version 2, where [`Config::sigv2`](super::Config::sigv2) accepts it.
//!
//! It covers neither the body nor the host. What selects an operation or changes its result is covered
//! as by Version 4, because a query with anything else is refused ([`sigv2::QueryError`]). What names
//! KMS keys needs Version 4 ([`crate::sse::request::Transport`]).
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>

use http::HeaderMap;
use http::header;
use proto::sigv2;
use proto::sigv2::Authorization;
use proto::sigv2::Place;
use proto::sigv2::Presigned;
use proto::sigv2::QueryError;
use proto::sigv4;
use proto::sigv4::PayloadHash;
use proto::sigv4::SignedHeaders;
use proto::time::Timestamp;

use crate::authenticate::Authenticator;
use crate::authenticate::Head;
use crate::authenticate::Verified;
use crate::authenticate::date::DATE;
use crate::authenticate::date::signed_at;
use crate::authenticate::head;
use crate::authenticate::hoisted;
use crate::authenticate::parse_hash;
use crate::authenticate::refusal;
use crate::authenticate::refusal::CONTENT_SHA256;
use crate::authenticate::session;
use crate::authenticate::session::ClaimedCredentials;
use crate::authenticate::unsigned_payload;
use crate::error::S3Error;
use crate::payload::Coverage;
use crate::protocol::single_header::single_text;
use crate::request::AuthType;
use crate::request::Caller;
use crate::request::Query;
use crate::request::SignatureVersion;

impl Authenticator {
    /// A request signed in its `Authorization` header.
    pub(super) fn check_header_version_2(
        &self,
        head: Head<'_>,
        value: &str,
    ) -> Result<Verified, S3Error> {
        self.require_version_2()?;
        let authorization = Authorization::parse(value);
        let authorization =
            authorization.map_err(|error| refusal::authorization_version_2(error, value))?;
        let time = signed_at(head.headers)?;
        if time < Timestamp::UNIX_EPOCH {
            return Err(refusal::no_date());
        }
        let now = self.clock.now();
        if time.distance(now) > sigv4::SKEW_MAX {
            return Err(refusal::skewed(time.http_date(), now));
        }
        let Authorization {
            access_key_id,
            signature,
        } = &authorization;
        let credentials = ClaimedCredentials {
            access_key_id,
            token: session::in_headers(head.headers)?,
        };
        Ok(Verified {
            caller: self.check_version_2(head, Place::Header, credentials, signature)?,
            auth: AuthType::Header(SignatureVersion::V2),
            region: None,
            is_for_object_lambda: false,
            is_of_function: false,
            coverage: coverage(head.headers)?,
            hoisted: unsigned_payload(head.headers),
            query: None,
        })
    }

    /// A presigned URL.
    pub(super) fn check_query_version_2(&self, head: Head<'_>) -> Result<Verified, S3Error> {
        self.require_version_2()?;
        let presigned = Presigned::parse(head.query.pairs(), self.clock.now())
            .map_err(|error| refusal::presigned_version_2(&error))?;
        check_parameters(head.query)?;
        let mut hoisted = hoisted::headers(head.query, head.headers)?;
        hoisted.extend(unsigned_payload(head.headers));
        let Presigned {
            access_key_id,
            expires,
            signature,
        } = &presigned;
        let place = Place::Query { expires };
        let credentials = ClaimedCredentials {
            access_key_id,
            token: session::of_presigned(head.query, head.headers)?,
        };
        let caller = self.check_version_2(head, place, credentials, signature)?;
        let auth = AuthType::Presigned {
            version: SignatureVersion::V2,
            signed_at: None,
        };
        let is_operations = |name: &str| !sigv2::is_signing_parameter(name);
        Ok(Verified {
            caller,
            auth,
            region: None,
            is_for_object_lambda: false,
            is_of_function: false,
            coverage: coverage(head.headers)?,
            hoisted,
            query: Some(head.query.only(is_operations)),
        })
    }

    /// Refuses what is signed with Version 2 where only Version 4 is accepted.
    pub(super) fn require_version_2(&self) -> Result<(), S3Error> {
        if self.config.sigv2 {
            return Ok(());
        }
        let error = sigv4::AuthorizationError::Version2;
        Err(refusal::authorization(&error, ""))
    }

    /// Who signed a text; `mismatch` if it was somebody else. An access key that nobody has costs the
    /// same work as a user's.
    pub(super) fn signer_version_2(
        &self,
        credentials: ClaimedCredentials<'_>,
        (text, signature): (&[u8], &str),
        mismatch: impl FnOnce() -> S3Error,
    ) -> Result<Caller, S3Error> {
        let access_key_id = credentials.access_key_id;
        if let Some(token) = credentials.token {
            let (caller, secret) = self.sessions.open(token, access_key_id, self.clock.now())?;
            let key = sigv2::SigningKey::new(secret.expose());
            return match key.verify(text, signature) {
                true => Ok(caller),
                false => Err(mismatch()),
            };
        }
        let users = self.users.load();
        let (signer, exists) = users.find(access_key_id);
        match (signer.version_2.verify(text, signature), exists) {
            (true, true) => Ok(signer.caller.clone()),
            (false, true) => Err(mismatch()),
            (_, false) => Err(refusal::unknown_access_key(access_key_id)),
        }
    }

    /// Checks that everything is signed that must be, and the signature itself.
    fn check_version_2(
        &self,
        head: Head<'_>,
        place: Place<'_>,
        credentials: ClaimedCredentials<'_>,
        signature: &str,
    ) -> Result<Caller, S3Error> {
        head::check_connection(head.headers, &SignedHeaders::from_names(SIGNED))?;
        let headers: Vec<(&str, &[u8])> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let host = single_text(head.headers, &header::HOST)?;
        let bucket_in_host = host.and_then(|host| head.bases.bucket(host));
        let request = sigv2::Request {
            method: head.method.as_str(),
            bucket_in_host: bucket_in_host.as_deref(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &headers,
            place,
        };
        let text = request
            .string_to_sign()
            .map_err(|error| refuse_query(&error, head.query))?;
        let access_key_id = credentials.access_key_id;
        let mismatch = || refusal::mismatch_version_2(access_key_id, signature, &text);
        self.signer_version_2(credentials, (&text, signature), mismatch)
    }
}

/// What is checked of the body: the hash that a header names.
fn coverage(headers: &HeaderMap) -> Result<Coverage, S3Error> {
    let hash = match single_text(headers, &CONTENT_SHA256)? {
        Some(text) => parse_hash(text)?,
        None => PayloadHash::Unsigned,
    };
    let chunked = || S3Error::invalid_request(CHUNKED);
    if hash.is_chunked() {
        return Err(chunked());
    }
    Coverage::unsigned(hash).ok_or_else(chunked)
}

/// Refuses parameters that Version 4 takes for parts of its signature: nothing here reads them.
fn check_parameters(query: &Query) -> Result<(), S3Error> {
    let is_version_4s = |name: &str| {
        let names = [DATE, CONTENT_SHA256];
        names
            .iter()
            .any(|it| name.eq_ignore_ascii_case(it.as_str()))
    };
    match query.iter().find(|(name, _)| is_version_4s(name)) {
        Some((name, value)) => {
            let message = "This parameter requires Signature Version 4.";
            Err(S3Error::invalid_argument(message, name, value))
        }
        None => Ok(()),
    }
}

/// The error for a query that the signature does not cover.
fn refuse_query(error: &QueryError, query: &Query) -> S3Error {
    let message = error.to_string();
    match error {
        QueryError::Unsigned { name } | QueryError::Ambiguous { name } => {
            S3Error::invalid_argument(message, name, query.get(name).unwrap_or_default())
        }
        _ => S3Error::invalid_request(message),
    }
}

/// The headers that are signed, beside those that begin with `x-amz-`.
const SIGNED: [&str; 3] = ["content-md5", "content-type", "date"];

const CHUNKED: &str = "A chunked payload requires Signature Version 4.";
