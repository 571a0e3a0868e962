//! STS GetCallerIdentity, because SDKs and test suites ask who they are.
//!
//! The query protocol: a form in, XML out. Nothing else of STS is here.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use hyper::body::Incoming;
use proto::sigv4::decode_query;

use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::transport::Core;
use crate::transport::json::read;

/// Answers a form.
pub(crate) async fn answer(
    core: &Core,
    connection: &Connection,
    request_id: &Arc<str>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    match identity(core, connection, request_id, request).await {
        Ok(caller) => xml(StatusCode::OK, told(&caller, request_id)),
        Err(error) => xml(StatusCode::FORBIDDEN, refused(&error, request_id)),
    }
}

/// Who sent the form, if the form asks that.
async fn identity(
    core: &Core,
    connection: &Connection,
    request_id: &Arc<str>,
    request: Request<Incoming>,
) -> Result<Caller, KmsError> {
    let (parts, body) = request.into_parts();
    let body = read(core, body).await?;
    let form = std::str::from_utf8(&body)
        .ok()
        .and_then(|text| decode_query(text).ok());
    let asks = form.is_some_and(|form| {
        form.iter()
            .any(|(name, value)| name == "Action" && value == "GetCallerIdentity")
    });
    if !asks {
        return Err(KmsError::new(
            Code::UnknownOperationException,
            "Only GetCallerIdentity is served here.",
        ));
    }

    core.authenticator
        .signed(&parts, &body, "sts", connection, Arc::clone(request_id))
}

/// The answer to GetCallerIdentity.
fn told(caller: &Caller, request_id: &str) -> String {
    let user_id = match &caller.access_key_id {
        Some(key) if !caller.principal_arn.ends_with(":root") => key,
        _ => &caller.account,
    };
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
         <Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>\n",
        escaped(&caller.principal_arn),
        escaped(user_id),
        escaped(&caller.account),
    )
}

/// An error in the query protocol's form; its codes have no `Exception` at the end.
fn refused(error: &KmsError, request_id: &str) -> String {
    let code = match error.code() {
        Code::InvalidSignatureException => "SignatureDoesNotMatch",
        Code::UnrecognizedClientException => "InvalidClientTokenId",
        Code::UnknownOperationException => "InvalidAction",
        other => other.name().trim_end_matches("Exception"),
    };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n",
        escaped(error.message()),
    )
}

/// Text that is safe between two tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An XML answer.
fn xml(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// STS's XML namespace.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
