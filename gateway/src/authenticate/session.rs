//! Temporary credentials: the session token of a request, and whose it is.
//!
//! A token is sealed by STS, and contains all that there is to know of its session; nothing is stored. It is
//! opened before the signature is checked, because the secret follows from it.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use proto::iam::Iam;
use proto::identity::Secret;
use proto::session::SessionError;
use proto::time::Timestamp;

use crate::authenticate::refusal;
use crate::error::S3Error;
use crate::protocol::single_header::single_text;
use crate::request::Caller;
use crate::request::Query;
use crate::request::SessionToken;

/// Opens session tokens, where the gateway has the key of sessions.
pub(super) struct Sessions(pub(super) Option<Arc<Iam>>);

/// The credentials that a request says it was signed with.
#[derive(Clone, Copy)]
pub(super) struct ClaimedCredentials<'a> {
    pub(super) access_key_id: &'a str,
    /// The token of temporary ones.
    pub(super) token: Option<&'a str>,
}

impl Sessions {
    /// Whose session a token is for, and the secret of its requests.
    ///
    /// # Errors
    ///
    /// `ExpiredToken`; `InvalidToken`, also for a token of another access key, and of a user or role that is
    /// gone.
    pub(super) fn open(
        &self,
        token: &str,
        access_key_id: &str,
        now: Timestamp,
    ) -> Result<(Caller, Secret), S3Error> {
        let iam = self
            .0
            .as_ref()
            .ok_or_else(refusal::token_without_sessions)?;
        match iam.open_session(token, access_key_id, now) {
            Ok((identity, secret)) => {
                let token = SessionToken::new(token);
                Ok((Caller::Session(Arc::new(identity), token), secret))
            }
            Err(SessionError::Expired(_)) => Err(refusal::expired_token()),
            Err(SessionError::Invalid) => Err(refusal::token()),
        }
    }
}

/// The token in the headers of a request.
///
/// # Errors
///
/// `InvalidArgument` for one that comes twice or is not ASCII.
pub(super) fn in_headers(headers: &HeaderMap) -> Result<Option<&str>, S3Error> {
    single_text(headers, &SECURITY_TOKEN)
}

/// The token in the query of a presigned URL, by its name in any case.
///
/// # Errors
///
/// `InvalidToken` for a second one.
pub(super) fn in_query(query: &Query) -> Result<Option<&str>, S3Error> {
    let is_token = |name: &str| name.eq_ignore_ascii_case(SECURITY_TOKEN.as_str());
    let mut tokens = query.iter().filter(|(name, _)| is_token(name));
    let token = tokens.next().map(|(_, value)| value);
    match tokens.next() {
        Some(_) => Err(refusal::token()),
        None => Ok(token),
    }
}

/// The token of a presigned URL, which is in its query. One in a header beside it is refused: a URL is
/// passed on without headers.
///
/// # Errors
///
/// `InvalidToken`.
pub(super) fn of_presigned<'a>(
    query: &'a Query,
    headers: &HeaderMap,
) -> Result<Option<&'a str>, S3Error> {
    match headers.contains_key(SECURITY_TOKEN) {
        true => Err(refusal::token()),
        false => in_query(query),
    }
}

/// The header, and in lower case the parameter and the field of a form.
pub(crate) const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
