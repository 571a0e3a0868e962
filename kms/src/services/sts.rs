//! STS GetCallerIdentity, because SDKs and test suites look up who they are.
//!
//! The query protocol: a form in, XML out. Nothing else of STS is here.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use proto::sigv4::decode_query;

use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;

/// The XML answer to a form that an authenticated caller sent.
///
/// # Errors
///
/// `UnknownOperationException` for a form of any other action than GetCallerIdentity.
pub fn respond(caller: &Caller, form: &[u8]) -> Result<String, KmsError> {
    let form = std::str::from_utf8(form)
        .ok()
        .and_then(|text| decode_query(text).ok())
        .unwrap_or_default();
    let mut actions = form.iter().filter(|(name, _)| name == "Action");
    let action = actions.next().map(|(_, value)| value.as_str());
    if action != Some("GetCallerIdentity") || actions.next().is_some() {
        return Err(KmsError::new(
            Code::UnknownOperationException,
            "Only GetCallerIdentity is served here.",
        ));
    }
    Ok(identity(caller))
}

fn identity(caller: &Caller) -> String {
    let account = caller.account.as_str();
    let user_id = match caller.access_key_id.as_deref() {
        Some(key) if !caller.principal_arn.ends_with(":root") => key,
        _ => account,
    };
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
         <Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>\n",
        escaped(&caller.principal_arn),
        escaped(user_id),
        account,
        caller.request_id,
    )
}

/// An error in the query protocol's form; its codes have no `Exception` at the end.
#[must_use]
pub fn refusal(error: &KmsError, request_id: &str) -> String {
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

/// STS's XML namespace.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
