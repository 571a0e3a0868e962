//! A request as the operations see it: who sent it, for what, and the bytes that come with it.
//!
//! These are values only. They are made once per request by the modules above: the target by
//! `route`, the caller and the verified body by `authenticate`; an operation trusts them.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::header::AsHeaderName;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use proto::iam::Identity;
use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::time::Timestamp;

mod access_point;
mod network;
mod payload;
mod regions;
mod served;
mod target;

pub use access_point::AccessPointAddress;
pub use access_point::ControlPath;
pub use network::Network;
pub use network::NetworkError;
pub use payload::Payload;
pub use payload::PayloadStream;
pub use regions::Regions;
pub use regions::region_of;
pub use served::AclRequired;
pub use served::CopiedSource;
pub use served::DeletedObject;
pub use served::ServedObjects;
pub use target::Addressing;
pub use target::Query;
pub use target::Target;

/// A request whose signature was checked, or an anonymous one.
#[derive(Debug)]
pub struct S3Request {
    /// The HTTP method.
    pub method: Method,
    /// Bucket, key and query, decoded once.
    pub target: Target,
    /// All headers as they came. With `STREAMING-...` payloads `content-encoding: aws-chunked`
    /// and `content-length` describe the wire, not the object: see [`Payload::length`].
    pub headers: HeaderMap,
    /// Who sent it.
    pub caller: Caller,
    /// How the caller proved it.
    pub auth: AuthType,
    /// The Region that the request was signed for; none where the signature names none.
    pub signed_region: Option<String>,
    /// The connection that the request came on.
    pub connection: Connection,
    /// Whether Object Lambda makes it for the caller: it goes through an Object Lambda access point, or a function
    /// reads by it.
    pub is_by_object_lambda: bool,
    /// When its head was received.
    pub received: Timestamp,
    /// Names the request in answers and logs.
    pub request_id: RequestId,
    /// The body, free of its transfer encodings.
    pub body: Payload,
}

impl S3Request {
    /// The value of a header as text; `None` when it is absent or not visible ASCII.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Who sent a request. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular: nothing was signed.
    Anonymous,
    /// A user, who signed with its own keys.
    User(Arc<Identity>),
    /// A session of a user or a role, by its token.
    Session(Arc<Identity>, SessionToken),
}

/// The token of a session, which only the KMS receives. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(Arc<str>);

impl SessionToken {
    /// A token that was opened.
    pub(crate) fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// The text, for the KMS.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

impl Caller {
    /// A principal with every right of its account.
    #[must_use]
    pub fn unlimited(principal_arn: PrincipalArn) -> Self {
        Self::User(Arc::new(Identity::unlimited(principal_arn)))
    }

    /// The principal, unless nothing was signed.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.shared_identity().map(|identity| &**identity)
    }

    /// The same, to be kept.
    pub(crate) const fn shared_identity(&self) -> Option<&Arc<Identity>> {
        match self {
            Self::Anonymous => None,
            Self::User(identity) | Self::Session(identity, _) => Some(identity),
        }
    }

    /// The account, if it is a user's.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        self.identity().map(|identity| &identity.account)
    }

    /// Whether it is of this account.
    #[must_use]
    pub fn is_of(&self, account: &str) -> bool {
        self.account().is_some_and(|own| own == account)
    }

    /// The ARN of the principal, or `*`: for logs and answers.
    #[must_use]
    pub fn principal(&self) -> &str {
        self.identity()
            .map_or("*", |identity| identity.arn.as_str())
    }

    /// Whether it is the account's root user.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.identity().is_some_and(Identity::is_root)
    }

    /// Whether it signed with temporary credentials.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Session(..))
    }

    /// The token of the temporary credentials that it signed with.
    pub(crate) const fn session_token(&self) -> Option<&SessionToken> {
        match self {
            Self::Session(_, token) => Some(token),
            Self::Anonymous | Self::User(_) => None,
        }
    }

    /// Whether it has every right of its account: no policy of its own or of its session limits it.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.identity().is_some_and(Identity::is_unlimited)
    }

    /// Whether nothing was signed.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.identity().is_none()
    }
}

/// How a caller proved who it is: the values of the policy key `s3:authType`, and none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// An `Authorization` header: `REST-HEADER`.
    Header(SignatureVersion),
    /// A presigned URL: `REST-QUERY-STRING`.
    Presigned {
        /// How it was signed.
        version: SignatureVersion,
        /// When it was signed; Version 2 does not contain it.
        signed_at: Option<Timestamp>,
    },
    /// A signed form: `POST`.
    Post(SignatureVersion),
    /// Not at all.
    Anonymous,
}

impl AuthType {
    /// How the caller signed; `None` for the anonymous one.
    #[must_use]
    pub fn version(self) -> Option<SignatureVersion> {
        match self {
            Self::Header(version) | Self::Presigned { version, .. } | Self::Post(version) => {
                Some(version)
            }
            Self::Anonymous => None,
        }
    }
}

/// A version of AWS's signatures: the values of the policy key `s3:signatureversion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureVersion {
    /// `AWS`.
    V2,
    /// `AWS4-HMAC-SHA256`.
    V4,
}

/// The connection that a request came on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Whether nobody between the client and the gateway can read or change the bytes:
    /// `aws:SecureTransport`.
    ///
    /// From the connection itself; from `X-Forwarded-Proto` only when a listed proxy sent it.
    pub secure: bool,
    /// Whether the client's URL is `https`. One over loopback that counts as secure is `http`.
    pub is_https: bool,
    /// The other end of the TCP connection.
    pub peer: SocketAddr,
    /// The client's address: the peer's, unless that is a listed proxy which named another.
    pub client: IpAddr,
    /// TLS version and cipher suite of our own listener, `None` on plain HTTP.
    pub tls: Option<TlsParameters>,
}

impl Connection {
    /// The scheme of the client's URL.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.is_https {
            true => "https",
            false => "http",
        }
    }
}

/// What a TLS handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsParameters {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite, by OpenSSL's name.
    pub cipher_suite: &'static str,
}

/// The name of one request: 16 characters, the `x-amz-request-id` of its answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// The name that stands for `number`; different numbers have different names.
    pub fn from_number(number: u64) -> Self {
        // Crockford's alphabet: as AWS's, upper case and digits, without look-alikes.
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut text = *b"S000000000000000";
        let mut rest = number;
        for place in text.iter_mut().skip(1).rev() {
            let digit = usize::try_from(rest & 31).unwrap_or_default();
            *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        Self(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a request id is ASCII")
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer. An error in it aborts the connection: the client sees a short answer,
/// never a clean end.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body without bytes.
pub fn empty_body() -> Body {
    http_body_util::Empty::new()
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body of these bytes.
pub fn full_body(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_of_different_numbers_differ() {
        let ids = [0, 1, 31, 32, u64::MAX].map(RequestId::from_number);
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(id.as_str().len(), 16);
            assert!(!ids[..at].contains(id), "{id}");
        }
    }
}
