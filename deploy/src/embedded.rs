//! The backend that comes with `sealgate up`: a folder, served as S3 on loopback.
//!
//! For trying Sealgate and for fixtures. It listens on an ephemeral loopback port and accepts only
//! credentials of this one run, which only the gateway has.

mod folder;

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3Service;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::credentials;
use crate::embedded::folder::Folder;
use crate::files;

/// A running embedded backend. It stops with the token that it was started with.
pub struct Embedded {
    /// Where it listens.
    pub address: SocketAddr,
    /// The access key it accepts.
    pub access_key_id: String,
    /// That key's secret.
    pub secret_access_key: String,
}

/// Serves `folder` until `stop`.
///
/// # Errors
///
/// When the folder cannot be created or no port is free.
pub async fn start(folder: &Path, stop: CancellationToken) -> anyhow::Result<Embedded> {
    files::private_directory(folder)?;
    let files = s3s_fs::FileSystem::new(folder)
        .map_err(|error| anyhow::anyhow!("opening {}: {error:?}", folder.display()))?;
    let access_key_id = credentials::access_key_id()?;
    let secret_access_key = credentials::secret_access_key()?;
    let mut builder = S3ServiceBuilder::new(Folder(files, folder.to_owned()));
    builder.set_auth(SimpleAuth::from_single(
        access_key_id.clone(),
        secret_access_key.clone(),
    ));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("no free port")?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, builder.build(), stop));
    Ok(Embedded {
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
