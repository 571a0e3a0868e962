//! The 27 fields of a record, in their order.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>

use std::time::Duration;

use http::StatusCode;
use http::Version;

use crate::access_log::line;
use crate::access_log::line::Line;
use crate::access_log::operation_name;
use crate::access_log::request::AnsweredRequest;
use crate::error::S3Code;
use crate::protocol::copy_source::CopySource;
use crate::request::Caller;
use crate::request::CopiedSource;
use crate::request::DeletedObject;

/// Writes the records of one request in the log of one bucket.
#[derive(Clone, Copy, Debug)]
pub struct RecordWriter<'a> {
    /// The request.
    pub request: &'a AnsweredRequest<'a>,
    /// The canonical user id of the bucket's owner.
    pub owner: &'a str,
    /// The bucket.
    pub bucket: &'a str,
    /// Whether there is a 27th field.
    pub source_region: bool,
}

/// What differs between the records of one request.
struct Subject<'a> {
    operation: &'a str,
    key: Option<&'a str>,
    version: Option<&'a str>,
    status: StatusCode,
    error_code: Option<&'a str>,
    sent_bytes: u64,
    object_bytes: Option<u64>,
    /// Whether it is one of a batch, which has no request line, no times and no client of its own.
    is_of_batch: bool,
    acl_required: bool,
    /// The ARN of the access point that it went through.
    access_point: Option<&'a str>,
}

impl RecordWriter<'_> {
    /// The record of the request itself.
    #[must_use]
    pub fn of_request(&self) -> String {
        let request = self.request;
        let is_copy = request.head.copy_source.is_some();
        let method = &request.head.method;
        let key = request.target.key.as_deref().map(line::twice_encoded);
        self.write(&Subject {
            operation: &operation_name::operation_name(method, request.target, is_copy),
            key: key.as_deref(),
            version: request.target.query.get("versionId"),
            status: request.status,
            error_code: request.error_code,
            sent_bytes: request.sent_bytes,
            object_bytes: request.object_bytes,
            is_of_batch: false,
            acl_required: request.acl_required,
            access_point: self.access_point(),
        })
    }

    /// The record of a copy's reading of its source.
    #[must_use]
    pub fn of_source(&self, source: &CopySource, copied: CopiedSource) -> String {
        self.write(&Subject {
            operation: operation_name::source_name(self.request.target),
            key: Some(&line::twice_encoded(&source.key)),
            version: source.version.as_deref(),
            status: self.request.status,
            error_code: None,
            sent_bytes: copied.copied_bytes,
            object_bytes: Some(copied.object_bytes),
            is_of_batch: false,
            acl_required: false,
            access_point: self.request.head.source_access_point.as_deref(),
        })
    }

    /// The record of one key of DeleteObjects.
    #[must_use]
    pub fn of_deletion(&self, deleted: &DeletedObject) -> String {
        let code = deleted.error.as_deref();
        let status = code.map(|code| {
            let code = S3Code::from_text(code);
            code.map_or(StatusCode::INTERNAL_SERVER_ERROR, S3Code::status)
        });
        self.write(&Subject {
            operation: operation_name::BATCH_DELETE,
            key: Some(&line::once_encoded(&deleted.key)),
            version: deleted.version.as_deref(),
            status: status.unwrap_or(StatusCode::NO_CONTENT),
            error_code: code,
            sent_bytes: 0,
            object_bytes: None,
            is_of_batch: true,
            acl_required: false,
            access_point: self.access_point(),
        })
    }

    /// The ARN of the access point that the request went through.
    fn access_point(&self) -> Option<&str> {
        let access_point = self.request.target.access_point.as_ref();
        access_point.map(|it| it.arn.as_str())
    }

    fn write(&self, subject: &Subject<'_>) -> String {
        let request = self.request;
        let head = request.head;
        let mut out = Line::new();
        out.plain(Some(self.owner));
        out.plain(Some(self.bucket));
        out.time(head.received);
        out.plain(Some(&request.connection.client.to_string()));
        out.plain(request.caller.and_then(requester).as_deref());
        out.plain(Some(request.request_id.as_str()));
        out.plain(Some(subject.operation));
        out.plain(subject.key);
        if subject.is_of_batch {
            out.plain(None);
        } else {
            out.quoted(Some(self.request_line().as_bytes()));
        }
        out.number(Some(u64::from(subject.status.as_u16())));
        out.plain(subject.error_code);
        out.number(Some(subject.sent_bytes).filter(|bytes| *bytes > 0));
        out.number(subject.object_bytes);
        self.write_client(&mut out, subject);
        out.plain(subject.version);
        out.plain(Some(request.host_id));
        out.plain(head.authentication.signature);
        let tls = request.connection.tls.as_ref();
        out.plain(tls.map(|tls| tls.cipher_suite));
        out.plain(head.authentication.kind);
        let host = head
            .host
            .as_ref()
            .map(|host| String::from_utf8_lossy(host.as_bytes()));
        out.plain(host.as_deref());
        out.plain(tls.map(|tls| tls.version));
        out.plain(subject.access_point);
        out.plain(subject.acl_required.then_some("Yes"));
        if self.source_region {
            // AWS names the Region that the caller is in; of one outside AWS nobody knows it.
            out.plain(None);
        }
        out.finish()
    }

    /// The times, and what the client states of itself.
    fn write_client(&self, out: &mut Line, subject: &Subject<'_>) {
        let (request, head) = (self.request, self.request.head);
        if subject.is_of_batch {
            for _ in 0..4 {
                out.plain(None);
            }
            return;
        }
        out.number(Some(millis(request.total)));
        out.number(request.turn_around.map(millis));
        out.quoted_without_blanks(head.referer.as_ref().map(http::HeaderValue::as_bytes));
        out.quoted(head.user_agent.as_ref().map(http::HeaderValue::as_bytes));
    }

    /// The first line of the request.
    fn request_line(&self) -> String {
        let head = self.request.head;
        let version = match head.version {
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        let address = line::redacted(&head.uri.to_string());
        format!("{} {address} {version}", head.method)
    }
}

/// Who sent a request: the canonical user id of an account's root user, the ARN of anyone else; nothing of an
/// anonymous caller.
fn requester(caller: &Caller) -> Option<String> {
    let identity = caller.identity()?;
    Some(match caller.is_root() {
        true => identity.account.canonical_user_id(),
        false => identity.arn.to_string(),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
