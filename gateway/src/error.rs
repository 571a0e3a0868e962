//! What the gateway answers when it does not do what was requested.
//!
//! An [`S3Error`] is one of S3's own error codes with its HTTP status and a message; further
//! elements of the XML body (`ArgumentName`, `HeadersNotSigned`, ...) are details. Causes never
//! reach a client: they are logged where they arise, with the request id.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;

mod code;

pub use code::S3Code;

/// An answer that is an error: code, HTTP status, message and further elements.
// In a box: errors are seldom, and every result has their space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Error(Box<Elements>);

/// What an error consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Elements {
    code: S3Code,
    status: StatusCode,
    message: Cow<'static, str>,
    /// The code's text where the backend answered with one that is not in [`S3Code`].
    foreign_code: Option<Box<str>>,
    /// Elements of the XML body after `Message`, in order.
    details: Vec<(&'static str, String)>,
    /// Headers of the answer, in order (`retry-after`, `etag`, ...).
    headers: Vec<(http::HeaderName, HeaderValue)>,
}

/// The result of everything that can end in an S3 error.
pub type S3Result<T> = Result<T, S3Error>;

// What makes an error is cold: so what leads there stands apart from what every request runs through.
impl S3Error {
    /// `code` with AWS's status and message for it.
    #[cold]
    pub fn new(code: S3Code) -> Self {
        Self::with_message(code, code.message())
    }

    /// `code` with AWS's status for it and a message of its own.
    #[cold]
    pub fn with_message(code: S3Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Elements {
            code,
            status: code.status(),
            message: message.into(),
            foreign_code: None,
            details: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// An error read from the backend's answer; its code may be one that is not in [`S3Code`].
    ///
    /// The status is the backend's, because for an unknown code nothing else has it.
    #[cold]
    pub fn foreign(code: &str, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let ours = S3Code::from_text(code);
        Self(Box::new(Elements {
            code: ours.unwrap_or(S3Code::Foreign),
            status,
            message: message.into(),
            foreign_code: ours.is_none().then(|| code.into()),
            details: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// `InvalidArgument` with the name and the value of the argument that was wrong.
    ///
    /// AWS shows the value as it was sent, or `null` where it was absent.
    #[cold]
    pub fn invalid_argument(
        message: impl Into<Cow<'static, str>>,
        argument_name: impl Into<String>,
        argument_value: impl Into<String>,
    ) -> Self {
        Self::with_message(S3Code::InvalidArgument, message)
            .detail("ArgumentName", argument_name)
            .detail("ArgumentValue", argument_value)
    }

    /// `InvalidRequest` with a message of its own; AWS gives this code for many causes.
    #[cold]
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_message(S3Code::InvalidRequest, message)
    }

    /// `AccessDenied` with AWS's message.
    #[cold]
    pub fn access_denied() -> Self {
        Self::new(S3Code::AccessDenied)
    }

    /// `InternalError` with AWS's message. The cause belongs in the log, never in the answer.
    #[cold]
    pub fn internal() -> Self {
        Self::new(S3Code::InternalError)
    }

    /// `NotImplemented` with the reason why this gateway does not do it.
    #[cold]
    pub fn not_implemented(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with_message(S3Code::NotImplemented, reason)
    }

    /// The same error with one more element in its XML body.
    #[must_use]
    #[cold]
    pub fn detail(mut self, element: &'static str, value: impl Into<String>) -> Self {
        self.0.details.push((element, value.into()));
        self
    }

    /// The same error with one more header in its answer.
    #[must_use]
    #[cold]
    pub fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Which error it is.
    pub fn code(&self) -> S3Code {
        self.0.code
    }

    /// The code as it stands in the XML body.
    pub fn code_text(&self) -> &str {
        self.0
            .foreign_code
            .as_deref()
            .unwrap_or_else(|| self.0.code.text())
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the answer has this header.
    pub fn has_header(&self, name: &http::HeaderName) -> bool {
        self.0.headers.iter().any(|(present, _)| present == name)
    }

    /// Further elements of the XML body, in order.
    pub fn details(&self) -> &[(&'static str, String)] {
        &self.0.details
    }

    /// The whole HTTP answer.
    ///
    /// An answer to `HEAD` (`head`) has no body, nor has `304 Not Modified`; both keep the status, as
    /// S3 does.
    pub fn into_response(self, request_id: &str, host_id: &str, head: bool) -> Response<Bytes> {
        let bodiless = head || self.0.status == StatusCode::NOT_MODIFIED;
        let body = if bodiless {
            Bytes::new()
        } else {
            Bytes::from(self.to_xml(request_id, host_id))
        };

        let mut response = Response::new(body);
        *response.status_mut() = self.0.status;
        if self.0.status != StatusCode::NOT_MODIFIED {
            let xml = HeaderValue::from_static("application/xml");
            response.headers_mut().insert(header::CONTENT_TYPE, xml);
        }
        for (name, value) in self.0.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The whole HTTP answer of S3 Control.
    pub fn into_control_response(self, request_id: &str, host_id: &str) -> Response<Bytes> {
        let body = Bytes::from(self.to_control_xml(request_id, host_id));
        let mut response = self.into_response(request_id, host_id, true);
        *response.body_mut() = body;
        response
    }

    /// The XML body of the answer.
    ///
    /// AWS's documentation shows a `Resource`; no error that was recorded from AWS has one.
    pub fn to_xml(&self, request_id: &str, host_id: &str) -> String {
        let mut xml = String::with_capacity(512);
        xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        self.push_elements(&mut xml);
        push_element(&mut xml, "RequestId", request_id);
        push_element(&mut xml, "HostId", host_id);
        xml.push_str("</Error>");
        xml
    }

    /// The XML body of the answer as S3 Control writes it: the error is wrapped.
    pub fn to_control_xml(&self, request_id: &str, host_id: &str) -> String {
        let mut xml = String::with_capacity(512);
        xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse><Error>");
        self.push_elements(&mut xml);
        xml.push_str("</Error>");
        push_element(&mut xml, "RequestId", request_id);
        push_element(&mut xml, "HostId", host_id);
        xml.push_str("</ErrorResponse>");
        xml
    }

    fn push_elements(&self, xml: &mut String) {
        push_element(xml, "Code", self.code_text());
        push_element(xml, "Message", &self.0.message);
        for (element, value) in &self.0.details {
            push_element(xml, element, value);
        }
    }
}

impl std::fmt::Display for S3Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code_text(), self.0.message)
    }
}

impl std::error::Error for S3Error {}

impl From<S3Code> for S3Error {
    #[cold]
    fn from(code: S3Code) -> Self {
        Self::new(code)
    }
}

/// Appends `<name>text</name>`, with what XML 1.0 cannot hold replaced by U+FFFD.
fn push_element(xml: &mut String, name: &str, text: &str) {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let printable: Cow<'_, str> = if text.chars().all(allowed) {
        Cow::Borrowed(text)
    } else {
        let replace = |c| if allowed(c) { c } else { '\u{fffd}' };
        Cow::Owned(text.chars().map(replace).collect())
    };
    let text = quick_xml::escape::escape(printable.as_ref());
    write!(xml, "<{name}>{text}</{name}>").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_as_aws_writes_it() {
        let xml = S3Error::invalid_argument("No.", "partNumber", "a<b").to_xml("R", "H");
        assert_eq!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidArgument</Code>\
             <Message>No.</Message><ArgumentName>partNumber</ArgumentName>\
             <ArgumentValue>a&lt;b</ArgumentValue>\
             <RequestId>R</RequestId><HostId>H</HostId></Error>"
        );
    }

    #[test]
    fn an_answer_to_head_keeps_its_status_and_has_no_body() {
        let response = S3Error::new(S3Code::NoSuchKey).into_response("R", "H", true);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(response.body().is_empty());
    }

    #[test]
    fn a_code_of_the_backend_that_we_do_not_know_keeps_its_text_and_status() {
        let error = S3Error::foreign("QuotaExceeded", StatusCode::INSUFFICIENT_STORAGE, "full");
        assert_eq!(error.code(), S3Code::Foreign);
        assert_eq!(error.code_text(), "QuotaExceeded");
        assert_eq!(error.status(), StatusCode::INSUFFICIENT_STORAGE);
    }

    #[test]
    fn a_code_of_the_backend_that_we_know_is_recognised() {
        let error = S3Error::foreign("NoSuchKey", StatusCode::NOT_FOUND, "gone");
        assert_eq!(error.code(), S3Code::NoSuchKey);
    }

    #[test]
    fn characters_that_xml_cannot_hold_are_replaced() {
        let error = S3Error::new(S3Code::NoSuchKey).detail("Key", "\u{0}\u{1b}k");
        let xml = error.to_xml("R", "H");
        assert!(xml.contains("<Key>\u{fffd}\u{fffd}k</Key>"), "{xml}");
    }
}
