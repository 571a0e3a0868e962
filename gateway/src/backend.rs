//! The way to the S3 backend: addressed, signed, sent, and its answer believed only where it can be.
//!
//! [`Backend::send`] takes a request built from an allow-list by its caller, signs it with the
//! gateway's own credentials and streams it over a pooled connection. What the backend's operator,
//! or somebody in between, could do with an answer is limited here: no redirect is followed, no
//! answer of doubtful framing is used, and "stored" before the whole body left is no answer.
//!
//! A request is sent twice only when a pooled connection turned out to be closed, or to be taken for
//! that by the backend, nothing of an answer had come, the operation can be repeated and its body can
//! be sent from the beginning.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::header;
use proto::renewal::Renew;
use proto::time::Clock;
use proto::trace::Span;
use tokio::time::Instant;

use crate::backend::address::Address;
use crate::backend::body::Outgoing;
use crate::backend::body::Upload;
use crate::backend::credentials::CredentialsInUse;
use crate::backend::failure::Wording;
use crate::backend::pool::Lent;
use crate::backend::pool::Pool;
use crate::backend::pool::Target;
use crate::backend::reply::Lease;
use crate::backend::signing::Line;
use crate::request_counts::BackendKind;
use crate::request_counts::RequestCounts;
use crate::request_counts::Resource;

mod address;
mod body;
pub mod capabilities;
pub mod connector;
mod copy;
pub mod credentials;
mod digest;
pub(crate) mod failure;
mod forward;
mod header_filter;
mod local;
mod pool;
mod reply;
mod request;
pub(crate) mod resolver;
mod signing;
pub(crate) mod tls;
mod traced;

pub use copy::BackendCopy;
pub use failure::BackendError;
pub use failure::ERROR_ELEMENTS;
pub use local::ListedEntries;
pub use local::LocalBackend;
pub use local::LocalBody;
pub use local::TakesEntries;
pub use reply::BackendResponse;
pub use reply::ReplyBody;
pub use request::BackendBody;
pub use request::BackendRequest;
pub use request::Digest;
pub use signing::Credentials;

/// How the backend is reached.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// URL of the backend, `http://host[:port]` or `https://…`; a base path is allowed.
    pub url: String,
    /// Region that requests to the backend are signed for.
    pub region: String,
    /// PEM file of the certificate authorities that may vouch for the backend.
    ///
    /// None: the public ones (Mozilla's list). Verification itself cannot be switched off.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate that the gateway shows a backend that demands one, followed by those that signed it.
    pub client_cert_file: Option<PathBuf>,
    /// PEM file of the private key of that certificate.
    pub client_key_file: Option<PathBuf>,
    /// How long a TCP connection may take to be made, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long the backend may do nothing, in milliseconds: before an answer's first byte, and
    /// between any two steps of a body. Ten times as long before the answer to a copy that it makes
    /// by itself, or to the completion of an upload: it sends nothing meanwhile.
    pub stall_timeout_ms: u64,
    /// How long an unused connection stays in the pool, in milliseconds.
    ///
    /// Shorter than the backend keeps it, else requests run into closed connections. Counted from
    /// when its last request began, so that one that was used for longer is closed at once.
    pub idle_timeout_ms: u64,
    /// Most unused connections in the pool.
    pub idle_connections_max: usize,
    /// Of which bodies the backend receives a digest.
    pub digests: Digests,
}

/// Of which bodies the backend receives a digest, beside those that S3 demands one of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Digests {
    /// Of objects and parts under a lock, by their requests or by their buckets' default.
    #[default]
    Locked,
    /// Of all objects and parts. For backends that are reached over a way that is not trusted to keep bytes.
    Always,
}

impl Digests {
    fn want(self, digest: Digest) -> bool {
        digest == Digest::Demanded || (digest == Digest::Useful && self == Self::Always)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:9000".to_owned(),
            region: "us-east-1".to_owned(),
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            connect_timeout_ms: 1_000,
            stall_timeout_ms: 30_000,
            idle_timeout_ms: 15_000,
            idle_connections_max: 256,
            digests: Digests::default(),
        }
    }
}

/// Why a [`Backend`] cannot be made of its configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL is no endpoint.
    #[error("backend url {url:?} cannot be used: {why}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of certificates, or of a private key, holds none, or cannot be read.
    #[error("{file}: {why}")]
    TlsFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
}

/// One S3 backend.
pub struct Backend {
    address: Address,
    pool: Arc<Pool>,
    signer: signing::Signer,
    clock: Arc<dyn Clock>,
    stall: Duration,
    digests: Digests,
    /// What requests are counted in, if at all.
    counts: Option<Arc<RequestCounts>>,
    /// Called instead of connected to.
    local: Option<Arc<dyn LocalBackend>>,
}

impl Backend {
    /// A backend that was not called yet.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when the configuration cannot be used. That the backend answers is not tried.
    pub fn new(
        config: &Config,
        credentials: impl Into<CredentialsInUse>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let address = Address::parse(&config.url)?;
        let target = Target::new(&address, config)?;
        let pool = Pool::new(
            target,
            config.idle_connections_max,
            Duration::from_millis(config.idle_timeout_ms),
            Duration::from_millis(config.connect_timeout_ms),
        );
        let signer = signing::Signer::new(credentials.into(), config.region.clone());
        let stall = Duration::from_millis(config.stall_timeout_ms);
        Ok(Self {
            address,
            pool,
            signer,
            clock,
            stall,
            digests: config.digests,
            counts: None,
            local: None,
        })
    }

    /// Checks that this is the URL of a backend.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_url(url: &str) -> Result<(), &'static str> {
        match Address::parse(url) {
            Err(SetupError::Url { why, .. }) => Err(why),
            _ => Ok(()),
        }
    }

    /// The same with a backend in this process, which is called instead of connected to.
    #[must_use]
    pub fn in_process(mut self, local: Arc<dyn LocalBackend>) -> Self {
        self.local = Some(local);
        self
    }

    /// The same, whose requests are counted there, if at all.
    #[must_use]
    pub fn counted(mut self, counts: Option<Arc<RequestCounts>>) -> Self {
        self.counts = counts;
        self
    }

    /// What secures the way to it and is read again.
    pub(crate) fn renewed(&self) -> Vec<Arc<dyn Renew>> {
        self.pool.renewed()
    }

    /// What requests to it are signed with.
    pub(crate) fn credentials(&self) -> &CredentialsInUse {
        self.signer.credentials()
    }

    /// The Region that the backend's buckets are in.
    #[must_use]
    pub fn region(&self) -> &str {
        self.signer.region()
    }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`BackendError`], of any kind but [`BackendError::Refused`]. After one, nothing that the
    /// backend could commit was sent whole, or it is unknown (the answer did not arrive).
    pub async fn send(&self, request: BackendRequest) -> Result<BackendResponse, BackendError> {
        let counted = self.counts.as_ref().map(|counts| (counts, kind(&request)));
        let span = traced::start(&request, self.local.is_none().then_some(&self.address));
        let answer = Box::pin(self.exchange(request, &span)).await;
        traced::end(&span, &answer);
        if let Some((counts, mut kind)) = counted {
            kind.status = answer.as_ref().ok().map(http::Response::status);
            counts.sent(kind);
        }
        answer
    }

    async fn exchange(
        &self,
        request: BackendRequest,
        span: &Span,
    ) -> Result<BackendResponse, BackendError> {
        let BackendRequest {
            method,
            bucket,
            key,
            query,
            mut headers,
            body,
            digest,
            takes_entries,
        } = request;
        let wants_digest = self.local.is_none() && self.digests.want(digest);
        let body = digest::add(body, wants_digest, &mut headers)?;
        let upload = Upload::new(body);
        upload.end_if_empty().await.map_err(BackendError::Body)?;

        let path = self.address.path(bucket.as_deref(), key.as_deref());
        let uri = Address::target(&path, &query)
            .ok_or(BackendError::Request("The request's URI is too long."))?;
        headers.remove(header::CONTENT_LENGTH);
        let line = Line {
            method: &method,
            path: &path,
            query: &query,
        };
        let signed = || {
            let mut headers = headers.clone();
            headers.insert(header::HOST, self.address.host().clone());
            if self.local.is_none() {
                self.signer
                    .sign(line, &mut headers, upload.bytes(), self.clock.now())?;
                // Not before: whoever is in between may change what is about traces.
                span.write(&mut headers);
            }
            if upload.length() > 0 || method == Method::PUT || method == Method::POST {
                headers.insert(header::CONTENT_LENGTH, upload.length().into());
            }
            let mut request = Request::new(upload.outgoing());
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers;
            if takes_entries {
                request.extensions_mut().insert(TakesEntries);
            }
            Ok(request)
        };
        let stall = match works_by_itself(&method, &query, &headers) {
            true => self.stall.saturating_mul(OWN_WORK_STALLS),
            false => self.stall,
        };
        let answer = match &self.local {
            Some(local) => {
                Box::pin(self.call_local(local.as_ref(), signed()?, &upload, stall)).await?
            }
            None => {
                let can_repeat = is_repeatable(&method, &headers);
                let answer = self.connect(signed, &upload, stall, can_repeat).await?;
                reply::check_framing(&method, answer.status(), answer.headers())?;
                answer
            }
        };
        if answer.status().is_success() && !upload.is_finished() {
            return Err(BackendError::Protocol(
                "success before the whole request was sent",
            ));
        }
        Ok(answer)
    }

    /// Sends a request over a connection, over a second one if the first was closed.
    async fn connect(
        &self,
        signed: impl Fn() -> Result<Request<Outgoing>, BackendError>,
        upload: &Upload,
        stall: Duration,
        can_repeat: bool,
    ) -> Result<BackendResponse, BackendError> {
        let lent = self.pool.lend().await?;
        let reused = lent.reused;
        let answer = match self.attempt(lent, signed()?, upload, stall).await {
            Err(Attempt::Unsent) if reused => {
                let lent = Box::pin(self.pool.open()).await?;
                Box::pin(self.attempt(lent, signed()?, upload, stall)).await
            }
            Err(Attempt::Failed(BackendError::Disconnected(cause)))
                if reused && upload.can_begin() && can_repeat =>
            {
                tracing::debug!(cause, "pooled connection was closed; sending again");
                let lent = Box::pin(self.pool.open()).await?;
                Box::pin(self.attempt(lent, signed()?, upload, stall)).await
            }
            answer => answer,
        };
        answer.map_err(|attempt| match attempt {
            Attempt::Failed(error) => error,
            Attempt::Unsent => BackendError::Disconnected("before the request was sent".to_owned()),
        })
    }

    /// Sends a request and returns the answer if it is a success (2xx).
    ///
    /// # Errors
    ///
    /// As [`Backend::send`]; [`BackendError::Refused`] with the backend's S3 error otherwise,
    /// `304 Not Modified` included.
    pub async fn call(&self, request: BackendRequest) -> Result<BackendResponse, BackendError> {
        let method = request.method.clone();
        let answer = self.send(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(Self::refusal(&method, answer).await)
    }

    /// Sends a request and returns status, headers and whole body of a successful answer.
    ///
    /// # Errors
    ///
    /// As [`Backend::call`]; [`BackendError::Protocol`] for a body above 16 MiB.
    pub async fn fetch(
        &self,
        request: BackendRequest,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let (parts, body) = self.call(request).await?.into_parts();
        let body = body.collect(ANSWER_BYTES_MAX).await?;
        Ok(http::Response::from_parts(parts, body))
    }

    /// The S3 error in an answer that is not a success.
    ///
    /// Headers about the object (`x-amz-delete-marker`, `x-amz-version-id`, `ETag`,
    /// `Last-Modified`) come along.
    pub async fn refusal(method: &Method, answer: BackendResponse) -> BackendError {
        let (parts, body) = answer.into_parts();
        let wording = match body.is_in_process() {
            true => Wording::Ours,
            false => Wording::Theirs,
        };
        let document = match body.collect(ERROR_BYTES_MAX).await {
            Ok(document) => document,
            // The status came whole, so it still shows what happened.
            Err(_) => Bytes::new(),
        };
        let mut error = failure::read_error(method, parts.status, &document, wording);
        if wording == Wording::Ours {
            error = failure::with_elements(error, &parts.headers);
        }
        BackendError::Refused(header_filter::error_headers(&parts.headers, error))
    }

    /// Calls a backend in this process.
    async fn call_local(
        &self,
        local: &dyn LocalBackend,
        request: Request<Outgoing>,
        upload: &Upload,
        stall: Duration,
    ) -> Result<BackendResponse, BackendError> {
        let answer = local.call(request.map(LocalBody::new));
        let answer = until_stalled(answer, upload, Instant::now(), stall).await;
        if let Some(cause) = upload.take_failure() {
            return Err(BackendError::Body(cause));
        }
        let answer = answer.ok_or(BackendError::TimedOut)?;
        let mut answer = answer.map_err(|error| BackendError::Disconnected(error.to_string()))?;
        // As a server adds it: it shows clients when something was written.
        let date = HeaderValue::try_from(self.clock.now().http_date());
        if let (Ok(date), false) = (date, answer.headers().contains_key(header::DATE)) {
            answer.headers_mut().insert(header::DATE, date);
        }
        Ok(answer.map(|body| ReplyBody::in_process(body, self.stall)))
    }

    async fn attempt(
        &self,
        lent: Lent,
        request: Request<Outgoing>,
        upload: &Upload,
        stall: Duration,
    ) -> Result<BackendResponse, Attempt> {
        let Lent {
            mut sender,
            secured,
            ..
        } = lent;
        let began = Instant::now();
        let answer = until_stalled(sender.try_send_request(request), upload, began, stall);
        let answer = answer
            .await
            .ok_or(Attempt::Failed(BackendError::TimedOut))?;
        match answer {
            Ok(answer) if answer.status().as_u16() == CLIENT_GONE => {
                let cause = "the backend took it for closed".to_owned();
                Err(Attempt::Failed(BackendError::Disconnected(cause)))
            }
            Ok(answer) => {
                let lease = upload.is_finished().then(|| Lease {
                    pool: Arc::clone(&self.pool),
                    sender,
                    secured,
                    began,
                });
                Ok(answer.map(|body| ReplyBody::new(body, lease, self.stall)))
            }
            Err(mut error) => {
                if let Some(cause) = upload.take_failure() {
                    return Err(Attempt::Failed(BackendError::Body(cause)));
                }
                if error.take_message().is_some() {
                    return Err(Attempt::Unsent);
                }
                let error = error.into_error();
                Err(Attempt::Failed(if error.is_parse() {
                    BackendError::Protocol("an answer that is not HTTP")
                } else {
                    BackendError::Disconnected(error.to_string())
                }))
            }
        }
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Backend")
            .field("host", &self.address.host())
            .finish_non_exhaustive()
    }
}

/// Waits for an answer as long as the backend does something; none if it did nothing for too long.
async fn until_stalled<A>(
    answer: impl Future<Output = A>,
    upload: &Upload,
    began: Instant,
    stall: Duration,
) -> Option<A> {
    tokio::pin!(answer);
    loop {
        let since = upload
            .backend_waited_for_since(began)
            .unwrap_or_else(Instant::now);
        tokio::select! {
            answer = &mut answer => return Some(answer),
            () = tokio::time::sleep_until(since + stall) => {
                let waited = upload.backend_waited_for_since(began);
                if waited.is_some_and(|since| since.elapsed() >= stall) {
                    return None;
                }
            }
        }
    }
}

/// How one sending of a request failed.
enum Attempt {
    /// Not a byte of it was sent.
    Unsent,
    /// Otherwise.
    Failed(BackendError),
}

/// Whether sending a request twice does what sending it once does.
///
/// A condition is tested against the state before the write, which the first sending may have
/// changed already.
fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    let reading = *method == Method::GET || *method == Method::HEAD;
    let writing = *method == Method::PUT || *method == Method::DELETE;
    let conditional =
        headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH);
    reading || writing && !conditional
}

/// The status of a request whose client went away, by nginx's convention.
///
/// MinIO answers with it, and nothing else, on a connection that stayed open after it gave up reading
/// from it, which it does while a request waits for a lock for 30 seconds. Such a connection is as
/// good as closed: in the pool, it would fail every later request.
const CLIENT_GONE: u16 = 499;

/// What a request is counted by, before its answer.
fn kind(request: &BackendRequest) -> BackendKind {
    let resource = match (&request.bucket, &request.key) {
        (_, Some(_)) => Resource::Object,
        (Some(_), None) => Resource::Bucket,
        (None, None) => Resource::Service,
    };
    BackendKind {
        method: request.method.clone(),
        resource,
        bucket: request.bucket.as_deref().map(Arc::from),
        status: None,
    }
}

/// Whether the backend does work of its own before it answers, and sends nothing meanwhile: it
/// copies, or puts the parts of an upload together, which S3 says may take minutes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
fn works_by_itself(method: &Method, query: &[(String, String)], headers: &HeaderMap) -> bool {
    let completes = *method == Method::POST && query.iter().any(|(name, _)| name == "uploadId");
    completes || headers.contains_key(copy::SOURCE)
}

/// How many times as long as for anything else the answer to such a request is waited for.
const OWN_WORK_STALLS: u32 = 10;

/// Longest answer that [`Backend::fetch`] takes, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Longest error document that is read, in bytes.
const ERROR_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests;
