//! What a record is made of: the head of a request as it came, and how it was answered.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::Version;
use http::header;
use proto::time::Timestamp;

use crate::protocol::copy_source;
use crate::request::AuthType;
use crate::request::Caller;
use crate::request::Connection;
use crate::request::Query;
use crate::request::RequestId;
use crate::request::ServedObjects;
use crate::request::SignatureVersion;
use crate::request::Target;

/// What a record has of a request's head, as it came. Cheap to make: texts are shared.
#[derive(Clone, Debug)]
pub struct ReceivedHead {
    /// When it was received.
    pub received: Timestamp,
    /// The method.
    pub method: Method,
    /// The address in its first line.
    pub uri: Uri,
    /// The version of HTTP.
    pub version: Version,
    /// The header `Referer`.
    pub referer: Option<HeaderValue>,
    /// The header `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// The header `Host`.
    pub host: Option<HeaderValue>,
    /// The header that names what is to be copied.
    pub copy_source: Option<HeaderValue>,
    /// The ARN of the access point that names it.
    pub source_access_point: Option<String>,
    /// How it claims to be signed.
    pub authentication: Authentication,
}

/// How a request claims to be signed, whether the signature is right or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// `SigV2` or `SigV4`; none of an anonymous request.
    pub signature: Option<&'static str>,
    /// `AuthHeader` or `QueryString`; none of an anonymous request, and of a form.
    pub kind: Option<&'static str>,
}

/// A request that was answered, or given up.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredRequest<'a> {
    /// Its head.
    pub head: &'a ReceivedHead,
    /// What it is about, with all of its query.
    pub target: &'a Target,
    /// Who signed it; none where that was not found out.
    pub caller: Option<&'a Caller>,
    /// The connection that it came on.
    pub connection: &'a Connection,
    /// Its id, as in the answer.
    pub request_id: RequestId,
    /// The id of the host, as in the answer.
    pub host_id: &'a str,
    /// The status of the answer.
    pub status: StatusCode,
    /// The code of the error.
    pub error_code: Option<&'a str>,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: u64,
    /// Length of the object that was read or written, in bytes.
    pub object_bytes: Option<u64>,
    /// From the receipt of the request to the end of the answer.
    pub total: Duration,
    /// From the last byte of the request to the first one of the answer.
    pub turn_around: Option<Duration>,
    /// Whether it set an access control list, or one permitted it.
    pub acl_required: bool,
    /// What was done to objects.
    pub objects: &'a ServedObjects,
}

impl ReceivedHead {
    /// The head of a request with this query, received now.
    #[must_use]
    pub fn new(head: &http::request::Parts, query: Option<&Query>, received: Timestamp) -> Self {
        let header = |name: HeaderName| head.headers.get(name).cloned();
        Self {
            received,
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            referer: header(header::REFERER),
            user_agent: header(header::USER_AGENT),
            host: header(header::HOST),
            copy_source: header(copy_source::HEADER),
            source_access_point: None,
            authentication: Authentication::of_head(&head.headers, query),
        }
    }
}

impl Authentication {
    /// How a head claims to be signed.
    fn of_head(headers: &HeaderMap, query: Option<&Query>) -> Self {
        if let Some(authorization) = headers.get(header::AUTHORIZATION) {
            let signature = match authorization.as_bytes() {
                [b'A', b'W', b'S', b'4', ..] => Some(VERSION_4),
                [b'A', b'W', b'S', b' ', ..] => Some(VERSION_2),
                _ => None,
            };
            let kind = signature.map(|_| "AuthHeader");
            return Self { signature, kind };
        }
        let has = |name: &str| query.is_some_and(|query| query.has(name));
        let signature = match () {
            () if has("X-Amz-Signature") || has("X-Amz-Algorithm") => Some(VERSION_4),
            () if has("Signature") && has("AWSAccessKeyId") => Some(VERSION_2),
            () => None,
        };
        let kind = signature.map(|_| "QueryString");
        Self { signature, kind }
    }

    /// How a form was signed, which its head does not show.
    #[must_use]
    pub fn of_form(auth: AuthType) -> Self {
        let signature = auth.version().map(|version| match version {
            SignatureVersion::V2 => VERSION_2,
            SignatureVersion::V4 => VERSION_4,
        });
        Self {
            signature,
            kind: None,
        }
    }
}

const VERSION_2: &str = "SigV2";
const VERSION_4: &str = "SigV4";
