//! An S3 backend in memory that records every byte it received, and can misbehave.
//!
//! It has all that a provider has: each request's line, headers and body bytes are recorded as they
//! arrive, also of requests that never end. Faults are injected with [`Backend::inject`].
//! It serves HTTP/1.1 on an ephemeral loopback port, path-style, and refuses requests that are
//! not signed with its own credentials' access key, or with one of [`Backend::accept`]'s.

mod access_keys;
mod answer;
mod chunked;
mod dispatch;
mod fault;
mod listing;
mod multipart;
mod store;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use hyper_util::rt::TokioIo;

use crate::backend::access_keys::AccessKeys;
pub use crate::backend::fault::Action;
pub use crate::backend::fault::Fault;
pub use crate::backend::fault::Gate;
pub use crate::backend::store::Bucket;
pub use crate::backend::store::Stored;
pub use crate::backend::store::Upload;
pub use crate::backend::store::Versioning;

/// The access key that the backend accepts.
pub const ACCESS_KEY_ID: &str = "BACKENDACCESSKEYEXMP";
/// Its secret, a canary: no client may ever receive it.
pub const SECRET_ACCESS_KEY: &str = "backend-secret-canary-3f1d8a0c5b7e";

/// One request as it reached the backend.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Method.
    pub method: Method,
    /// Path as sent: still percent-encoded.
    pub path: String,
    /// Query as sent, without the question mark.
    pub query: String,
    /// Headers as sent.
    pub headers: HeaderMap,
    /// Body bytes that arrived, transfer coding removed.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: HeaderMap,
    /// Whether the body ended as announced. It stays `false` for a request that the gateway gave up.
    pub whole: bool,
}

impl Recorded {
    /// A header's value as text; empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// The backend. Stops serving when dropped.
pub struct Backend {
    shared: Arc<Shared>,
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
pub(crate) struct Shared {
    /// By order of arrival.
    recorded: Mutex<BTreeMap<u64, Recorded>>,
    arrived: AtomicU64,
    /// Whether answered requests are removed from the record.
    forgetful: bool,
    faults: Mutex<Vec<Fault>>,
    store: Mutex<store::Store>,
}

impl Backend {
    /// Starts on an ephemeral loopback port.
    pub async fn start() -> Self {
        Self::start_with(Shared::default()).await
    }

    /// As [`Self::start`], without a record of answered requests: for benches.
    pub async fn start_forgetful() -> Self {
        Self::start_with(Shared {
            forgetful: true,
            ..Shared::default()
        })
        .await
    }

    async fn start_with(shared: Shared) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(shared);
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            shared,
            address,
            task,
        }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening and cuts no running request: what a dead backend looks like to new ones.
    pub fn kill(&self) {
        self.task.abort();
    }

    /// Adds a fault. Faults are tried in the order they were injected; the first that matches acts.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push(fault);
    }

    /// Removes the fault that was injected last.
    pub fn take_fault(&self) {
        self.shared.faults.lock().unwrap().pop();
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// Everything received since the start or the last [`Self::forget`].
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared
            .recorded
            .lock()
            .unwrap()
            .values()
            // Each gateway writes every few seconds that it runs, and tries what the backend can do.
            .filter(|request| {
                let is_about = |what| request.path.contains(what);
                !is_about("/gateways/")
                    && !is_about("/trials/")
                    && !request.query.contains("trials")
            })
            .cloned()
            .collect()
    }

    /// Requests about a bucket and what is in it; not those about the gateway's own bucket.
    #[must_use]
    pub fn requests_in(&self, bucket: &str) -> Vec<Recorded> {
        let all = self.requests();
        let named = |path: &str| path.split('/').nth(1) == Some(bucket);
        all.into_iter().filter(|r| named(&r.path)).collect()
    }

    /// Requests on one object's path: `bucket`, `key` unencoded.
    #[must_use]
    pub fn requests_on(&self, method: &Method, bucket: &str, key: &str) -> Vec<Recorded> {
        let path = format!("/{bucket}/{key}");
        let decoded = |seen: &str| {
            percent_encoding::percent_decode_str(seen)
                .decode_utf8_lossy()
                .into_owned()
        };
        let all = self.requests();
        all.into_iter()
            .filter(|r| r.method == *method && decoded(&r.path) == path)
            .collect()
    }

    /// Forgets what it recorded; the objects stay.
    pub fn forget(&self) {
        self.shared.recorded.lock().unwrap().clear();
    }

    /// Creates a bucket without the gateway.
    pub fn create_bucket(&self, bucket: &str) {
        self.shared.store.lock().unwrap().create_bucket(bucket);
    }

    /// Removes an object without the gateway.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.shared.store.lock().unwrap().delete(bucket, key, None);
    }

    /// Removes a bucket and all that is in it, without the gateway.
    pub fn remove_bucket(&self, bucket: &str) {
        self.shared.store.lock().unwrap().buckets.remove(bucket);
    }

    /// Switches a bucket's versioning without the gateway.
    pub fn set_versioning(&self, bucket: &str, versioning: Versioning) {
        let mut store = self.shared.store.lock().unwrap();
        store.buckets.get_mut(bucket).unwrap().versioning = versioning;
    }

    /// The current version of an object, as stored.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Stored> {
        self.shared
            .store
            .lock()
            .unwrap()
            .buckets
            .get(bucket)?
            .current(key)
            .cloned()
    }

    /// All versions of an object, oldest first.
    #[must_use]
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<Stored> {
        let store = self.shared.store.lock().unwrap();
        store
            .buckets
            .get(bucket)
            .and_then(|b| b.versions.get(key))
            .cloned()
            .unwrap_or_default()
    }

    /// Keys with a current version, in order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let store = self.shared.store.lock().unwrap();
        let Some(bucket) = store.buckets.get(bucket) else {
            return Vec::new();
        };
        bucket
            .versions
            .keys()
            .filter(|key| bucket.current(key).is_some())
            .cloned()
            .collect()
    }

    /// All buckets' names.
    #[must_use]
    pub fn buckets(&self) -> Vec<String> {
        self.shared
            .store
            .lock()
            .unwrap()
            .buckets
            .keys()
            .cloned()
            .collect()
    }

    /// Sets a bucket's subresource behind the gateway's back.
    pub fn set_subresource(&self, bucket: &str, kind: &str, body: &str) {
        let mut store = self.shared.store.lock().unwrap();
        let bucket = store.buckets.get_mut(bucket).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        bucket.subresources.insert(kind.to_owned(), body);
    }

    /// Takes every version that a request names for the current one, as a backend without versions.
    pub fn ignore_versions(&self) {
        self.shared.store.lock().unwrap().ignores_versions = true;
    }

    /// Takes writes whatever their conditions, as a backend that does not know them.
    pub fn ignore_conditions(&self) {
        self.shared.store.lock().unwrap().ignores_conditions = true;
    }

    /// Takes keys as names of files, as a backend on a file system may.
    pub fn fold_keys(&self) {
        self.shared.store.lock().unwrap().folds_keys = true;
    }

    /// Ignores tags in a header of a write.
    pub fn drop_tags(&self) {
        self.shared.store.lock().unwrap().drops_tags = true;
    }

    /// The uploads that are not complete, by id.
    #[must_use]
    pub fn uploads(&self) -> BTreeMap<String, Upload> {
        self.shared.store.lock().unwrap().uploads.clone()
    }

    /// Ends an upload without the gateway, as a lifecycle does.
    pub fn end_upload(&self, id: &str) {
        self.shared.store.lock().unwrap().uploads.remove(id);
    }

    /// From now on accepts these access keys, an id and its secret each, and no others, and checks signatures.
    pub fn accept(&self, pairs: &[(&str, &str)]) {
        self.shared.store.lock().unwrap().access_keys = AccessKeys::checked(pairs);
    }

    /// Changes an upload without the gateway.
    pub fn tamper_upload(&self, id: &str, change: impl FnOnce(&mut Upload)) {
        change(
            self.shared
                .store
                .lock()
                .unwrap()
                .uploads
                .get_mut(id)
                .unwrap(),
        );
    }

    /// Stores an object without the gateway: a copy, a rollback, a swap.
    pub fn plant(&self, bucket: &str, key: &str, object: Stored) {
        let mut store = self.shared.store.lock().unwrap();
        store.create_bucket(bucket);
        store.buckets.get_mut(bucket).unwrap().put(key, object);
    }

    /// Changes the current version in place, ETag included when the body changed.
    pub fn tamper(&self, bucket: &str, key: &str, change: impl FnOnce(&mut Stored)) {
        let mut store = self.shared.store.lock().unwrap();
        let versions = store
            .buckets
            .get_mut(bucket)
            .unwrap()
            .versions
            .get_mut(key)
            .unwrap();
        change(versions.last_mut().unwrap());
    }
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { serve(&shared, request).await.ok_or("dropped by a fault") }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.max_headers(600);
            http.preserve_header_case(true);
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Records and answers one request; `None` drops the connection.
async fn serve(shared: &Shared, request: Request<Incoming>) -> Option<Response<Reply>> {
    let (head, body) = request.into_parts();
    let index = shared.arrived.fetch_add(1, Ordering::SeqCst);
    let record = Recorded {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        ..Recorded::default()
    };
    shared.recorded.lock().unwrap().insert(index, record);
    let action = fault::matching(shared, index);
    match &action {
        Some(Action::Refuse(status, code)) => return Some(whole(answer::error(*status, code))),
        Some(Action::Drop) => return None,
        Some(Action::Stall(time)) => tokio::time::sleep(*time).await,
        _ => {}
    }
    receive(shared, index, body, action.as_ref()).await?;
    if let Some(Action::HoldBefore(gate)) = &action {
        gate.reach();
        // Until its sender is gone.
        return std::future::pending().await;
    }
    if let Some(Action::PauseBefore(gate, go_on)) = &action {
        gate.reach();
        go_on.reached().await;
    }
    let seen = if shared.forgetful {
        shared.recorded.lock().unwrap().remove(&index)?
    } else {
        shared.recorded.lock().unwrap().get(&index).cloned()?
    };
    if let Some(Action::RefuseAfterBody(status, code)) = &action {
        return Some(whole(answer::error(*status, code)));
    }
    let response = dispatch::answer(&mut shared.store.lock().unwrap(), seen);
    if matches!(action, Some(Action::DropAfterCommit)) {
        return None;
    }
    if let Some(Action::PauseAfter(gate, go_on)) = &action {
        gate.reach();
        go_on.reached().await;
    }
    if let Some(Action::HoldAfter(gate)) = &action {
        gate.reach();
        return std::future::pending().await;
    }
    Some(match action {
        Some(action) => fault::bend(action, response),
        None => whole(response),
    })
}

/// Reads the body into the record; `None` when it broke off or a fault breaks it off.
async fn receive(
    shared: &Shared,
    index: u64,
    mut body: Incoming,
    action: Option<&Action>,
) -> Option<()> {
    let length = body
        .size_hint()
        .exact()
        .and_then(|length| usize::try_from(length).ok());
    if let (Some(length), true) = (length, shared.forgetful) {
        let mut recorded = shared.recorded.lock().unwrap();
        recorded.get_mut(&index)?.body.reserve_exact(length);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.ok()?;
        let mut recorded = shared.recorded.lock().unwrap();
        // `forget` may have run meanwhile; then nothing reads this record any more.
        let record = recorded.get_mut(&index)?;
        match frame.into_data() {
            Ok(data) => record.body.extend_from_slice(&data),
            Err(frame) => record
                .trailers
                .extend(frame.into_trailers().unwrap_or_default()),
        }
        match action {
            Some(Action::DropAfterRequestBytes(limit)) if record.body.len() >= *limit => {
                return None;
            }
            Some(Action::TellAfterRequestBytes(limit, gate)) if record.body.len() >= *limit => {
                gate.reach();
            }
            _ => {}
        }
    }
    shared.recorded.lock().unwrap().get_mut(&index)?.whole = true;
    Some(())
}

/// A response body that can break off or stall.
pub(crate) struct Reply {
    data: VecDeque<Bytes>,
    /// The value of the length header; `None` = the data's length.
    length: u64,
    end: End,
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

/// What comes after the data.
pub(crate) enum End {
    Clean,
    Break,
    Stall(Duration),
}

impl Reply {
    pub(crate) fn new(data: Bytes, length: u64, end: End) -> Self {
        Self {
            data: [data].into(),
            length,
            end,
            pause: None,
        }
    }
}

/// The wire form of a whole answer.
pub(crate) fn whole(response: Response<Bytes>) -> Response<Reply> {
    let (head, data) = response.into_parts();
    let length = data.len() as u64;
    Response::from_parts(head, Reply::new(data, length, End::Clean))
}

impl Body for Reply {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = self.get_mut();
        while let Some(data) = this.data.pop_front() {
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        // Without a pause hyper would throw away what it has not flushed, the head included.
        let time = match this.end {
            End::Clean => return Poll::Ready(None),
            End::Break => Duration::from_millis(20),
            End::Stall(time) => time,
        };
        let pause = this
            .pause
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        let broken = || Some(Err(std::io::Error::other("broken off by a fault")));
        pause.as_mut().poll(context).map(|()| broken())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
