//! Connections that are used again, as many as there may be, and what their answers mean.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::StatusCode;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::retry::AttemptOutcome;

/// Connections to one service, used by one thread.
pub(super) struct Connections {
    /// Host and port.
    authority: String,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    permits: Semaphore,
}

/// An answer.
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Bytes,
}

impl Connections {
    /// No connections yet, and at most that many.
    #[must_use]
    pub(super) fn new(authority: &str, most: u32) -> Self {
        Self {
            authority: authority.to_owned(),
            idle: RefCell::default(),
            permits: Semaphore::new(usize::try_from(most).unwrap_or(1)),
        }
    }

    /// Sends a request on a connection that is free, or on a new one.
    ///
    /// # Errors
    ///
    /// When the connection fails or the answer takes longer than a minute.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let _permit = self.permits.acquire().await?;
        let exchange = tokio::time::timeout(ANSWER_WITHIN, self.exchange(request));
        exchange.await.context("no answer within a minute")?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let idle = self.idle.borrow_mut().pop();
        let usable = match idle {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let mut sender = match usable {
            Some(sender) => sender,
            None => connect(&self.authority).await?,
        };
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.idle.borrow_mut().push(sender);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

async fn connect(authority: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its sender; an error is the sender's, too.
    tokio::spawn(async move { drop(connection.await) });
    sender.ready().await?;
    Ok(sender)
}

impl Answer {
    /// What the answer means, and its error code if there is one.
    #[must_use]
    pub(super) fn outcome(&self) -> (AttemptOutcome, Option<String>) {
        if self.status.is_success() {
            return (AttemptOutcome::Served, None);
        }
        let code = self.error_code();
        let outcome = match code.as_str() {
            // What S3 answers when KMS throttles, as well as when S3 itself does.
            "ThrottlingException" | "SlowDown" => AttemptOutcome::Throttled {
                retry_after: self.retry_after(),
            },
            _ if self.status.is_server_error() => AttemptOutcome::Transient,
            _ => AttemptOutcome::Refused,
        };
        (outcome, Some(code))
    }

    /// The same; an answer that serves has that many bytes, if they are known.
    #[must_use]
    pub(super) fn outcome_of(&self, bytes: Option<u64>) -> (AttemptOutcome, Option<String>) {
        let (outcome, code) = self.outcome();
        let is_whole = bytes.is_none_or(|bytes| bytes == self.body.len() as u64);
        if outcome == AttemptOutcome::Served && !is_whole {
            return (AttemptOutcome::Refused, Some(WRONG_LENGTH.to_owned()));
        }
        (outcome, code)
    }

    fn error_code(&self) -> String {
        if self.body.starts_with(b"<") {
            let text = String::from_utf8_lossy(&self.body);
            let code = text.split_once("<Code>");
            let code = code.and_then(|(_, rest)| rest.split_once("</Code>"));
            if let Some((code, _)) = code {
                return code.to_owned();
            }
        }
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = value.get("__type").and_then(Value::as_str);
        let code = code.and_then(|code| code.rsplit('#').next());
        code.map_or_else(|| format!("HTTP{}", self.status.as_u16()), str::to_owned)
    }

    /// What an error says, for people.
    #[must_use]
    pub(super) fn message(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let of_xml = text.split_once("<Message>");
        let of_xml = of_xml.and_then(|(_, rest)| rest.split_once("</Message>"));
        if let Some((message, _)) = of_xml {
            return message.to_owned();
        }
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut of_json = ["message", "Message"].iter();
        let of_json = of_json.find_map(|name| value.get(name)?.as_str());
        of_json.map_or_else(|| text.chars().take(200).collect(), str::to_owned)
    }

    /// `x-amz-retry-after`, in milliseconds.
    fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get("x-amz-retry-after")?.to_str().ok()?;
        value.parse().ok().map(Duration::from_millis)
    }
}

/// The code of an answer that has not the bytes of the object.
const WRONG_LENGTH: &str = "WrongLength";

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: &'static str) -> (AttemptOutcome, Option<String>) {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
        };
        answer.outcome()
    }

    #[test]
    fn the_message_of_an_error_is_read_in_both_protocols() {
        let message = |body: &'static str| {
            let answer = Answer {
                status: StatusCode::BAD_REQUEST,
                headers: HeaderMap::new(),
                body: body.into(),
            };
            answer.message()
        };
        let s3 = "<Error><Code>InvalidRequest</Code><Message>over TLS</Message></Error>";
        assert_eq!(message(s3), "over TLS");
        assert_eq!(
            message("{\"__type\": \"X\", \"message\": \"no key\"}"),
            "no key"
        );
        assert_eq!(message("gone"), "gone");
    }

    #[test]
    fn throttling_is_known_by_its_code_in_both_protocols() {
        let throttled = AttemptOutcome::Throttled { retry_after: None };
        let s3 = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>m</Message></Error>";
        let kms = "{\"__type\": \"ThrottlingException\"}";
        assert_eq!(outcome(503, s3), (throttled, Some("SlowDown".to_owned())));
        assert_eq!(outcome(400, kms).0, throttled);
        assert_eq!(outcome(503, "").0, AttemptOutcome::Transient);
        let denied = outcome(403, "<Error><Code>AccessDenied</Code></Error>");
        let expected = (AttemptOutcome::Refused, Some("AccessDenied".to_owned()));
        assert_eq!(denied, expected);
    }
}
