//! One request for vaults, from its head to its answer.
//!
//! The order is fixed: the address is read; the body is hashed where no header has its hash, as the signature
//! covers it; the signature is checked; only then is the vault looked at.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/amazon-glacier-signing-requests.html>

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use http::Method;
use http::Response;
use http::Uri;
use http::header;
use proto::audit::Event;
use proto::sigv4;
use proto::sigv4::PayloadHash;
use proto::time::Timestamp;

use crate::authenticate::Authenticator;
use crate::authenticate::Head;
use crate::error::S3Error;
use crate::payload;
use crate::payload::Coverage;
use crate::payload::Wire;
use crate::payload::WireBody;
use crate::protocol::single_header::single_text;
use crate::request::Body;
use crate::request::Caller;
use crate::request::Connection;
use crate::request::Payload;
use crate::request::Query;
use crate::request::RequestId;
use crate::route::BaseDomains;
use crate::vault::authorize;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::event::Answered;
use crate::vault::operation;
use crate::vault::request::DOCUMENT_BYTES_MAX;
use crate::vault::request::VaultRequest;
use crate::vault::route;
use crate::vault::route::BodyKind;
use crate::vault::route::VaultAddress;
use crate::vault::store::VaultStore;

/// Answers requests for the service `glacier`.
pub struct VaultService {
    store: Option<Arc<VaultStore>>,
}

/// A request as it came.
pub struct ReceivedRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its address.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The connection that it came on.
    pub connection: &'a Connection,
    /// Names it in answers and logs.
    pub request_id: RequestId,
}

/// What is logged of an answer.
#[derive(Debug, Default)]
pub struct VaultOutcome {
    /// The operation, where it was found.
    pub operation: Option<&'static str>,
    /// Who signed, where that was found out.
    pub caller: Option<Caller>,
    /// The code of the error.
    pub error_code: Option<&'static str>,
    /// What the trail records of it; nothing of a request whose caller was not found out.
    pub event: Option<Event>,
}

/// What is known of a request once its signature was checked.
struct Signed {
    address: VaultAddress,
    caller: Caller,
    region: String,
}

/// Whether a request is for vaults: its signature names the service, or it has no signature and the header
/// that every request of Glacier's clients has.
#[must_use]
pub fn is_addressed(headers: &HeaderMap) -> bool {
    match headers.get(header::AUTHORIZATION) {
        Some(value) => value.to_str().is_ok_and(|value| {
            sigv4::claimed_service(value).is_some_and(|service| service == SERVICE)
        }),
        None => headers.contains_key(&VERSION),
    }
}

/// The answer to a request that was refused before it came here.
pub fn refuse(error: S3Error) -> Response<Body> {
    VaultError::from(error).into_response()
}

impl VaultService {
    /// Answers for the vaults in `store`; without, there are none.
    #[must_use]
    pub fn new(store: Option<Arc<VaultStore>>) -> Self {
        Self { store }
    }

    /// Answers a request that was `received` then; also, what is logged of it.
    pub async fn respond<B: WireBody>(
        &self,
        request: ReceivedRequest<'_>,
        received: Timestamp,
        wire: Wire<B>,
        authenticator: &Authenticator,
    ) -> (Response<Body>, VaultOutcome) {
        let mut outcome = VaultOutcome::default();
        let mut signed = None;
        let answer = self.answer(&request, wire, authenticator, (&mut outcome, &mut signed));
        let answer = answer.await;
        let event = signed.as_ref().and_then(|signed| {
            let answered = Answered {
                method: request.method,
                headers: request.headers,
                connection: request.connection,
                request_id: request.request_id,
                address: &signed.address,
                caller: &signed.caller,
                region: &signed.region,
                time: received,
            };
            answered.event(answer.as_ref().map(Response::headers))
        });
        outcome.event = event;
        outcome.caller = signed.map(|signed| signed.caller);
        let response = answer.unwrap_or_else(|error| {
            outcome.error_code = Some(error.code_text());
            error.into_response()
        });
        (response, outcome)
    }

    async fn answer<B: WireBody>(
        &self,
        request: &ReceivedRequest<'_>,
        wire: Wire<B>,
        authenticator: &Authenticator,
        (outcome, signed): (&mut VaultOutcome, &mut Option<Signed>),
    ) -> Result<Response<Body>, VaultError> {
        if !request.headers.contains_key(header::AUTHORIZATION) {
            return Err(authorize::unauthenticated());
        }
        let query = query(request.uri)?;
        let address = route::address(request.method, request.uri.path(), &query)?;
        outcome.operation = Some(address.operation.name());
        let (body, payload_hash) = body(wire, request.headers, &address).await?;
        let head = Head {
            method: request.method,
            uri: request.uri,
            query: &query,
            headers: request.headers,
            bases: &BaseDomains::default(),
        };
        let (caller, region) = authenticator.check_service(head, SERVICE, &payload_hash)?;
        *signed = Some(Signed {
            address: address.clone(),
            caller: caller.clone(),
            region: region.clone(),
        });
        check_version(request.headers)?;
        let disabled = || VaultError::new(VaultCode::BadRequest, DISABLED);
        let store = self.store.as_ref().ok_or_else(disabled)?;
        let operation = address.operation;
        let request = VaultRequest {
            address,
            query,
            headers: request.headers.clone(),
            caller,
            region,
            connection: request.connection.clone(),
            request_id: request.request_id,
            body,
        };
        let permitted = Box::pin(authorize::permit(store, request)).await?;
        operation::run(store, operation, permitted).await
    }
}

/// The body of a request, and its hash as the signature covers it.
async fn body<B: WireBody>(
    wire: Wire<B>,
    headers: &HeaderMap,
    address: &VaultAddress,
) -> Result<(Payload, String), VaultError> {
    let covered = |hash| {
        let coverage = Coverage::unsigned(hash).ok_or_else(VaultError::internal)?;
        Ok::<_, VaultError>(payload::covered(wire, headers, coverage)?)
    };
    match (single_text(headers, &CONTENT_SHA256)?, address.body) {
        (Some(text), _) => {
            let hash = PayloadHash::parse(text).ok();
            let hash = hash.filter(|hash| matches!(hash, PayloadHash::Sha256(_)));
            let invalid = || VaultError::invalid(format!("Invalid {CONTENT_SHA256}: {text}"));
            Ok((covered(hash.ok_or_else(invalid)?)?, text.to_owned()))
        }
        (None, BodyKind::Archive) => Err(VaultError::missing(CONTENT_SHA256.as_str())),
        (None, BodyKind::Document) => {
            let mut body = covered(PayloadHash::Unsigned)?;
            let bytes = body.collect(DOCUMENT_BYTES_MAX).await?;
            let hash = sigv4::sha256_hex(&bytes);
            Ok((Payload::from_bytes(bytes), hash))
        }
    }
}

/// Decodes a query. A name that stands twice is refused: which one counts would depend on who reads.
fn query(uri: &Uri) -> Result<Query, VaultError> {
    let pairs = sigv4::decode_query(uri.query().unwrap_or_default());
    let pairs = pairs.map_err(|_| VaultError::invalid("The query is not percent-encoded."))?;
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs.iter().take(at).any(|(other, _)| other == name) {
            return Err(VaultError::invalid(format!("Repeated parameter: {name}")));
        }
    }
    Ok(Query::from_pairs(pairs))
}

/// Checks the version of the API.
fn check_version(headers: &HeaderMap) -> Result<(), VaultError> {
    match single_text(headers, &VERSION)? {
        Some("2012-06-01") => Ok(()),
        Some(other) => Err(VaultError::invalid(format!(
            "Invalid {VERSION}: {other}; it must be 2012-06-01"
        ))),
        None => Err(VaultError::missing(VERSION.as_str())),
    }
}

/// The service in the scope of signatures.
const SERVICE: &str = "glacier";

const VERSION: HeaderName = HeaderName::from_static("x-amz-glacier-version");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DISABLED: &str = "This gateway has no vaults: its configuration has vaults.enabled = false.";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_request_is_for_vaults_by_the_service_in_its_scope() {
        let of = |service: &str| {
            let scope = format!("AKID/20130524/us-east-1/{service}/aws4_request");
            let value =
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=ab");
            is_addressed(&headers(header::AUTHORIZATION, &value))
        };
        assert!(of("glacier"));
        assert!(!of("s3"));
        assert!(!of("glacier2"));
        assert!(!is_addressed(&headers(
            header::AUTHORIZATION,
            "AWS glacier:x"
        )));
        assert!(is_addressed(&headers(VERSION, "2012-06-01")));
        assert!(!is_addressed(&HeaderMap::new()));
    }
}
