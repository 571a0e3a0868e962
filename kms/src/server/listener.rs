//! Accepts connections on one port and serves HTTP/1.1 and HTTP/2 on each.

use std::convert::Infallible;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::server::graceful::Watcher;
use proto::connection as ending;
use proto::connection::UnreadBody;
use proto::connection::open::OpenConnection;
use proto::connection::open::OpenConnections;
use proto::connection::stream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::server::tls;
use crate::server::tls::Certificates;
use crate::transport::Connection;
use crate::transport::Incoming;
use crate::transport::Limits;

/// One port.
pub(crate) struct Listener {
    listener: TcpListener,
    tls: Option<Arc<Certificates>>,
    http: auto::Builder<TokioExecutor>,
    head_timeout: Duration,
    unauthenticated_max: usize,
    /// How many are open.
    open: OpenConnections,
    drain: Duration,
    connections: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Listener {
    /// Serves `listener` until `stop`. Its open connections are counted in `open`.
    pub(crate) fn new(
        listener: TcpListener,
        tls: Option<Arc<Certificates>>,
        limits: &Limits,
        open: OpenConnections,
        stop: CancellationToken,
    ) -> Self {
        let head_timeout = Duration::from_millis(limits.head_timeout_ms);
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .pipeline_flush(true);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_per_connection_max)
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        let connections = limits.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            listener,
            tls,
            http,
            head_timeout,
            unauthenticated_max: limits
                .unauthenticated_requests_per_connection_max
                .min(Semaphore::MAX_PERMITS),
            open,
            drain: Duration::from_millis(limits.drain_ms),
            connections: Arc::new(Semaphore::new(connections)),
            stop,
        }
    }

    /// Answers every request by `answer`, until it is stopped; then lets requests in flight end.
    pub(crate) async fn serve<A, F, B>(self, answer: A)
    where
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let graceful = GracefulShutdown::new();
        while let Some((stream, peer, permit)) = self.accept().await {
            let serving = Serving {
                http: self.http.clone(),
                tls: self
                    .tls
                    .as_ref()
                    .map(|tls| TlsAcceptor::from(tls.current())),
                head_timeout: self.head_timeout,
                unauthenticated_max: self.unauthenticated_max,
                watcher: graceful.watcher(),
                stop: self.stop.clone(),
                _open: self.open.open(),
                _permit: permit,
            };
            tokio::spawn(serving.connection(stream, peer, answer.clone()));
        }

        drop(self.listener);
        if tokio::time::timeout(self.drain, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("requests were still in flight when the time to stop was over");
        }
    }

    /// The next connection, or none once it is stopped.
    async fn accept(&self) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                accepted = self.accept_one() => accepted,
            };
            match accepted {
                Some((Ok((stream, peer)), permit)) => return Some((stream, peer, permit)),
                Some((Err(error), _)) => {
                    // Out of files, most likely: give connections time to close.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
                None => return None,
            }
        }
    }

    /// Waits until a connection may be accepted, then for one.
    async fn accept_one(
        &self,
    ) -> Option<(
        std::io::Result<(TcpStream, SocketAddr)>,
        OwnedSemaphorePermit,
    )> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        Some((self.listener.accept().await, permit))
    }
}

/// What one connection is served with.
struct Serving {
    http: auto::Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    head_timeout: Duration,
    unauthenticated_max: usize,
    watcher: Watcher,
    stop: CancellationToken,
    _open: OpenConnection,
    _permit: OwnedSemaphorePermit,
}

impl Serving {
    /// Serves one connection to its end.
    async fn connection<A, F, B>(self, stream: TcpStream, peer: SocketAddr, answer: A)
    where
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Answers are small and whole, so waiting to fill a packet only adds delay.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }

        let local = stream.local_addr().map_or(UNKNOWN, |address| address.ip());
        let unauthenticated_max = self.unauthenticated_max;
        let connection = |tls| {
            Arc::new(Connection {
                peer: peer.ip(),
                local,
                tls,
                cut: CancellationToken::new(),
                unauthenticated: Arc::new(Semaphore::new(unauthenticated_max)),
            })
        };
        let Some(acceptor) = self.tls.clone() else {
            return self.http(stream, connection(None), answer).await;
        };
        let secured = tokio::time::timeout(self.head_timeout, tls::accept(&acceptor, stream));
        match self.stop.run_until_cancelled(secured).await {
            Some(Ok(Ok(Some(stream)))) => {
                let session = tls::session(stream.get_ref().1);
                self.http(stream, connection(Some(session)), answer).await;
            }
            Some(Ok(Ok(None))) => tracing::debug!(%peer, "plain HTTP on a port of TLS"),
            Some(Ok(Err(error))) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Some(Err(_)) => tracing::debug!(%peer, "a TLS handshake took too long"),
            None => {}
        }
    }

    /// Serves HTTP over a connection, secured or not.
    async fn http<S, A, F, B>(self, stream: S, connection: Arc<Connection>, answer: A)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let cut = connection.cut.clone();
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let unread = UnreadBody::default();
        let (stream, returned) = stream::returning(stream);
        let service = {
            let unread = unread.clone();
            service_fn(move |request| {
                begins.store(true, Ordering::Relaxed);
                let (answer, unread) = (answer.clone(), unread.clone());
                let connection = Arc::clone(&connection);
                async move {
                    let answer = |request| async move {
                        let answer = answer(connection, request).await;
                        answer.unwrap_or_else(|never| match never {})
                    };
                    Ok::<_, Infallible>(ending::answer(request, &unread, answer).await)
                }
            })
        };
        // A connection without a request has nothing to finish: it must not delay the end.
        let stop = self.stop.clone();
        let unused_at_stop = async move {
            stop.cancelled().await;
            if begun.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let serving = self.http.serve_connection(TokioIo::new(stream), service);
        let is_early = tokio::select! {
            served = self.watcher.watch(serving.into_owned()) => match served {
                Ok(()) => unread.is_set(),
                Err(error) => {
                    tracing::debug!(%error, "a connection ended badly");
                    // The answer to a head that is none is an early one, too.
                    let error = error.downcast_ref::<hyper::Error>();
                    unread.is_set() || error.is_some_and(hyper::Error::is_parse)
                }
            },
            () = unused_at_stop => false,
            () = cut.cancelled() => {
                tracing::debug!("a connection was cut on purpose");
                false
            }
        };
        if is_early && let Some(stream) = returned.take() {
            stream::linger(stream, self.stop.cancelled()).await;
        }
    }
}

/// Stands for an address that the system does not report: no peer has it.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Largest head of an HTTP/1.1 request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Largest head of an HTTP/2 request, in bytes.
const HEADER_LIST_BYTES_MAX: u32 = 32 << 10;

/// How much a client may send on one HTTP/2 connection before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// How much a client may send for one request before it is read.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;

/// How long an HTTP/2 connection may be silent before a ping is sent, and how long it may take to
/// answer.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Pause after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
