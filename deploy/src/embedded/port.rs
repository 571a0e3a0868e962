//! The API on a port of loopback, for credentials of this one run.

use std::net::Ipv4Addr;
use std::net::SocketAddr;

use anyhow::Context as _;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::credentials;
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
    let http = auto::Builder::new(TokioExecutor::new());
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
        let (http, service, stop) = (http.clone(), service.clone(), stop.clone());
        tokio::spawn(async move {
            let connection = http.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                served = connection => if let Err(error) = served {
                    tracing::debug!(%error, "a connection to the embedded backend broke");
                },
                () = stop.cancelled() => {}
            }
        });
    }
}
