//! The API on a port of loopback, for credentials of this one run.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use anyhow::Context as _;
use http::Request;
use http::Response;
use http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proto::connection;
use proto::connection::UnreadBody;
use proto::connection::body::RequestBody;
use proto::connection::stream;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::S3Service;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::credentials;
use crate::embedded::protocol;
use crate::embedded::service::Service;

/// An open port. It closes with the token that it was opened with.
pub struct Port {
    /// Where it listens.
    pub address: SocketAddr,
    /// The access key it accepts.
    pub access_key_id: String,
    /// That key's secret.
    pub secret_access_key: String,
}

/// Opens a port for `service` until `stop`.
///
/// # Errors
///
/// When no port is free.
pub async fn open(service: Service, stop: CancellationToken) -> anyhow::Result<Port> {
    let access_key_id = credentials::access_key_id()?;
    let secret_access_key = credentials::secret_access_key()?;
    let mut builder = service.into_protocol();
    builder.set_auth(SimpleAuth::from_single(
        access_key_id.clone(),
        secret_access_key.clone(),
    ));
    let listener = proto::listen::bind((Ipv4Addr::LOCALHOST, 0).into()).context("no free port")?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, builder.build(), stop));
    Ok(Port {
        address,
        access_key_id,
        secret_access_key,
    })
}

async fn accept(listener: TcpListener, service: S3Service, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the embedded backend could not accept a connection");
                continue;
            }
        };
        let (service, stop) = (service.clone(), stop.clone());
        tokio::spawn(async move {
            stop.run_until_cancelled(serve(stream, &service, &stop))
                .await;
        });
    }
}

/// Serves a connection until its client ends it. Where an answer came before its request's body was read, the
/// connection is read on for a while, so that the answer arrives.
async fn serve(stream: TcpStream, service: &S3Service, stop: &CancellationToken) {
    let unread = UnreadBody::default();
    let (stream, returned) = stream::returning(stream);
    let answering = service_fn(|request: Request<Incoming>| {
        let answer = async |request: Request<RequestBody<Incoming>>| {
            let answered = protocol::answer(service, request.map(Body::http_body)).await;
            answered.unwrap_or_else(|error| {
                tracing::warn!(?error, "the embedded backend could not answer");
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                answer
            })
        };
        let unread = &unread;
        async move { Ok::<_, Infallible>(connection::answer(request, unread, answer).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answering);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the embedded backend broke");
    }
    if unread.is_set()
        && let Some(stream) = returned.take()
    {
        stream::linger(stream, stop.cancelled()).await;
    }
}
