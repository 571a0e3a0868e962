//! Why a server did not start.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use proto::audit;
use proto::iam::IamError;
use proto::service_secret;
use proto::session::SessionKeyError;

use crate::config::ConfigError;
use crate::faults::PlanError;
use crate::quota::ProfileError;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The audit file cannot be written.
    #[error("audit.file cannot be opened: {}: {error}", path.display())]
    Audit {
        /// The file; empty if there is none, and no thread could be started.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A port is taken or not ours to take.
    #[error("cannot listen on {address}: {error}{}", way_out(error))]
    Bind {
        /// The address wanted.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The fault plan means nothing.
    #[error(transparent)]
    Faults(#[from] PlanError),
    /// A file cannot be read or made.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The users and roles cannot be read.
    #[error(transparent)]
    Iam(#[from] IamError),
    /// A quota has no such class, rate or profile.
    #[error(transparent)]
    Quota(#[from] ProfileError),
    /// A root key that is not 64 hexadecimal digits, or of which there is none.
    #[error("{0} has no root key, which is 64 hexadecimal digits")]
    RootKey(String),
    /// The file with the secret of services cannot be used.
    #[error("authenticate.service_secret_file: {0}")]
    ServiceSecret(#[from] service_secret::FileError),
    /// No key of sessions can be made.
    #[error("the key of sessions: {0}")]
    SessionKey(SessionKeyError),
    /// The key store does not open.
    #[error(transparent)]
    Store(Box<dyn Error + Send + Sync>),
    /// A certificate or a key cannot be used.
    #[error("{} cannot be used for TLS: {error}", path.display())]
    Tls {
        /// The file it is in.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<dyn Error + Send + Sync>,
    },
}

/// How to take another port, if that is what helps.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; set `listen` or `admin.listen` of the KMS to another port",
        _ => "",
    }
}

impl StartError {
    /// The field of the configuration that it is about; empty if it is about none.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Audit { .. } => "audit.file",
            Self::Config(error) => error.field(),
            Self::Iam(_) => "authenticate.credentials_file",
            Self::RootKey(_) => "store.root_key_file",
            Self::ServiceSecret(_) => "authenticate.service_secret_file",
            Self::Store(_) => "store.file",
            Self::Tls { .. } => "tls",
            _ => "",
        }
    }

    /// A port that could not be taken.
    pub(crate) fn bind(address: SocketAddr, error: io::Error) -> Self {
        Self::Bind { address, error }
    }

    /// A certificate or a key that cannot be used.
    pub(crate) fn tls(path: &Path, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Tls {
            path: path.to_owned(),
            error: error.into(),
        }
    }

    /// A trail that could not be opened.
    pub(crate) fn audit(config: &audit::Config, error: io::Error) -> Self {
        Self::Audit {
            path: config.file.clone().unwrap_or_default(),
            error,
        }
    }

    /// A file that could not be read or made.
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            error,
        }
    }
}
