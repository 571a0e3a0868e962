//! What a request for vaults did, as CloudTrail records it: every operation makes a management event.
//!
//! As with S3, a request whose signature is wrong makes none. What is recorded is made of the address and of ids in the
//! answer, so no policy, no description and no content gets into it.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/audit-logging.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use proto::audit::Category;
use proto::audit::Event;
use proto::audit::EventId;
use proto::audit::Fields;
use proto::audit::Identity;
use proto::audit::Source;
use proto::audit::Tls;
use proto::audit::TlsSession;
use proto::time::Timestamp;

use crate::request::Caller;
use crate::request::Connection;
use crate::request::RequestId;
use crate::vault::error::VaultError;
use crate::vault::route::VaultAddress;

/// A request whose caller was found out.
pub(super) struct Answered<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) connection: &'a Connection,
    pub(super) request_id: RequestId,
    pub(super) address: &'a VaultAddress,
    pub(super) caller: &'a Caller,
    /// The Region that it was signed for.
    pub(super) region: &'a str,
    pub(super) time: Timestamp,
}

impl Answered<'_> {
    /// Its event, by the headers of its answer or by its error; none of a caller without an account.
    pub(super) fn event(&self, answer: Result<&HeaderMap, &VaultError>) -> Option<Event> {
        let identity = Identity::of_principal(self.caller.identity()?);
        let recipient_account = identity.account.clone()?;
        let read_only = self.method == Method::GET;
        let text = |name: HeaderName| {
            let value = self.headers.get(name).map(HeaderValue::as_bytes);
            String::from_utf8_lossy(value.unwrap_or_default())
        };
        Some(Event {
            time: self.time,
            service: SERVICE,
            name: self.address.operation.name(),
            category: Category::Management,
            read_only,
            region: self.region.parse().ok()?,
            recipient_account,
            identity,
            source: Source::Address(self.connection.client),
            user_agent: text(header::USER_AGENT).into(),
            request_parameters: self.parameters(),
            response_elements: match answer {
                Ok(headers) if !read_only => elements(headers),
                Ok(_) | Err(_) => Fields::default(),
            },
            additional: Fields::default(),
            request_id: self.request_id.as_str().into(),
            id: EventId::fresh(),
            resources: Vec::new(),
            error: answer
                .err()
                .map(|error| (error.code_text().into(), (&*error.message).into())),
            shared_id: None,
            tls: self.connection.tls.map(|tls| Tls {
                session: TlsSession {
                    version: tls.version,
                    cipher_suite: tls.cipher_suite,
                },
                host: (*text(header::HOST)).into(),
            }),
        })
    }

    /// The value of `requestParameters`.
    fn parameters(&self) -> Fields {
        let mut fields = Fields::default();
        fields.push("accountId", &self.address.account);
        if let Some(vault) = &self.address.vault {
            fields.push("vaultName", vault);
        }
        if let (Some(name), Some(id)) = (self.address.operation.id_parameter(), &self.address.id) {
            fields.push(name, id);
        }
        fields
    }
}

/// The value of `responseElements`.
fn elements(answer: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    for (header, name) in [
        ("location", "location"),
        ("x-amz-archive-id", "archiveId"),
        ("x-amz-job-id", "jobId"),
        ("x-amz-lock-id", "lockId"),
        ("x-amz-multipart-upload-id", "uploadId"),
    ] {
        if let Some(value) = answer.get(header) {
            fields.push(name, &String::from_utf8_lossy(value.as_bytes()));
        }
    }
    fields
}

/// The value of `eventSource`.
const SERVICE: &str = "glacier.amazonaws.com";
