//! One client's connection: HTTP/1.1, plain or within TLS.
//!
//! S3's clients speak HTTP/1.1; HTTP/2 is not offered, and with it none of its ways to wear a server
//! out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use proto::connection;
use proto::connection::UnreadBody;
use proto::connection::stream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::request::TlsParameters;
use crate::respond::Responder;
use crate::server::timed::Phase;
use crate::server::timed::Timed;
use crate::server::tls;
use crate::server::tls::Certificates;

/// What all connections share.
pub(super) struct Shared {
    pub(super) responder: Responder,
    pub(super) limits: Limits,
    pub(super) certificates: Option<Arc<Certificates>>,
    /// No further requests are taken on idle connections.
    pub(super) draining: CancellationToken,
}

/// Serves a connection of the plain HTTP listener.
pub(super) async fn serve_plain(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    serve(shared, stream, peer, None).await;
}

/// Serves a connection of the HTTPS listener.
pub(super) async fn serve_tls(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    let Some(certificates) = &shared.certificates else {
        return;
    };
    let acceptor = TlsAcceptor::from(certificates.current());
    let timeout = Duration::from_millis(shared.limits.handshake_timeout_ms);
    let handshake = tokio::time::timeout(timeout, tls::accept(&acceptor, stream));
    let stream = match shared.draining.run_until_cancelled(handshake).await {
        Some(Ok(Ok(Some(stream)))) => stream,
        Some(Ok(Ok(None))) => return tracing::debug!(%peer, "plain HTTP on the port of HTTPS"),
        Some(Ok(Err(cause))) => return tracing::debug!(%peer, %cause, "TLS handshake failed"),
        Some(Err(_)) => return tracing::debug!(%peer, "TLS handshake took too long"),
        None => return,
    };
    let parameters = tls::parameters(stream.get_ref().1);
    serve(shared, stream, peer, Some(parameters)).await;
}

/// Serves HTTP/1.1 until the client or the drain ends it.
async fn serve<T>(shared: Arc<Shared>, stream: T, peer: SocketAddr, tls: Option<TlsParameters>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unread = UnreadBody::default();
    let (stream, returned) = stream::returning(stream);
    let outcome = converse(&shared, stream, peer, tls, &unread).await;
    // The answer to a head that is none is an early one, too.
    let is_early = unread.is_set() || outcome.as_ref().is_err_and(hyper::Error::is_parse);
    if let Err(cause) = outcome {
        tracing::debug!(%peer, %cause, "connection ended");
    }
    if is_early && let Some(stream) = returned.take() {
        stream::linger(stream, shared.draining.cancelled()).await;
    }
}

/// Answers the requests of a connection. `unread` is set where one was answered before its body was read.
async fn converse<T>(
    shared: &Shared,
    stream: T,
    peer: SocketAddr,
    tls: Option<TlsParameters>,
    unread: &UnreadBody,
) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &shared.limits;
    let phase = Phase::default();
    let head_timeout = Duration::from_millis(limits.head_timeout_ms);
    let write_timeout = Duration::from_millis(limits.write_stall_timeout_ms);
    let stream = Timed::new(stream, phase.clone(), head_timeout, write_timeout);

    let service = service_fn(|request: Request<Incoming>| {
        let busy = phase.begin();
        async move {
            let respond = |request| shared.responder.respond(request, peer, tls);
            let response = connection::answer(request, unread, respond).await;
            Ok::<_, Infallible>(response.map(|answer| answer.holding(busy)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Starts when the connection begins to wait for a request.
        .header_read_timeout(Duration::from_millis(limits.idle_timeout_ms))
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);

    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shared.draining.cancelled() => {
            // hyper would wait for the first request of a connection; there is nothing to finish.
            if phase.is_unused() {
                return Ok(());
            }
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    }
}

/// Most header lines of a request: what fits into the 8 KiB that S3 takes of a PUT's header ("Object key and
/// metadata" in the S3 User Guide), where each line is as short as metadata of a two-letter name is, 18 bytes.
/// hyper clears a table of as many at each request, so that more would cost every small one.
const HEADERS_MAX: usize = 455;

/// The most a connection buffers of what it reads; bounds the head, too.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
