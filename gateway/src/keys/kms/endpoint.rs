//! Where the KMS is, and how the way to it is secured.
//!
//! `grpcs://` is gRPC over TLS 1.2 or 1.3 and HTTP/2; the KMS's certificate is always verified.
//! `grpc://` is without TLS: the shared secret and the data keys cross it in clear.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use hyper_util::rt::TokioIo;
use proto::renewal::Renew;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tower::service_fn;

use crate::backend::resolver::Resolver;
use crate::backend::resolver::without_root;
use crate::backend::tls::ClientFiles;
use crate::backend::tls::ClientTls;
use crate::backend::tls::Names;

/// The address of a KMS that speaks gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcEndpoint {
    /// Host and port.
    authority: String,
    host: String,
    port: u16,
    is_secured: bool,
}

/// Files for TLS to the KMS, all PEM.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsFiles<'a> {
    /// Authorities that may vouch for the KMS; the public ones if there is none.
    pub ca: Option<&'a Path>,
    /// The certificate that the gateway shows the KMS, followed by those that signed it.
    pub client_certificate: Option<&'a Path>,
    /// The private key of that certificate.
    pub client_key: Option<&'a Path>,
}

/// The channel to a KMS. Calls that began on another one end there.
pub(crate) struct Channels {
    endpoint: Endpoint,
    /// Host and port.
    address: (String, u16),
    /// How TLS is spoken, and to whom; none without TLS.
    tls: Option<(Arc<ClientTls>, ServerName<'static>)>,
    made: Mutex<Made>,
}

/// The channel in use, and how TLS is spoken on it.
struct Made {
    channel: Channel,
    secured: Option<Arc<ClientConfig>>,
}

impl Channels {
    fn new(
        endpoint: Endpoint,
        address: (String, u16),
        tls: Option<(Arc<ClientTls>, ServerName<'static>)>,
    ) -> Self {
        let made = match &tls {
            None => Made::plain(&endpoint, &address),
            Some((tls, name)) => Made::secured(&endpoint, &address, tls.current(), name),
        };
        Self {
            endpoint,
            address,
            tls,
            made: Mutex::new(made),
        }
    }

    /// What is read again.
    pub(crate) fn renewed(&self) -> Vec<Arc<dyn Renew>> {
        let tls = self.tls.as_ref();
        tls.map_or_else(Vec::new, |(tls, _)| tls.renewed())
    }

    /// The channel for a call: another one when what secures it is another.
    pub(crate) fn current(&self) -> Channel {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((tls, name)), Some(secured)) = (&self.tls, &made.secured)
            && !tls.is_current(secured)
        {
            *made = Made::secured(&self.endpoint, &self.address, tls.current(), name);
        }
        made.channel.clone()
    }
}

impl Made {
    /// A channel without TLS.
    fn plain(endpoint: &Endpoint, address: &(String, u16)) -> Self {
        let (resolver, address) = (Resolver::system(), address.clone());
        let connect = move |_| {
            let (resolver, address) = (resolver.clone(), address.clone());
            async move { Ok::<_, std::io::Error>(TokioIo::new(open(&resolver, &address).await?)) }
        };
        Self {
            channel: endpoint.connect_with_connector_lazy(service_fn(connect)),
            secured: None,
        }
    }

    /// A channel over TLS.
    fn secured(
        endpoint: &Endpoint,
        address: &(String, u16),
        client: Arc<ClientConfig>,
        name: &ServerName<'static>,
    ) -> Self {
        let connector = TlsConnector::from(Arc::clone(&client));
        let (resolver, address, name) = (Resolver::system(), address.clone(), name.clone());
        let connect = move |_| {
            let (connector, name) = (connector.clone(), name.clone());
            let (resolver, address) = (resolver.clone(), address.clone());
            async move {
                let stream = open(&resolver, &address).await?;
                let stream = connector.connect(name, stream).await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        };
        Self {
            channel: endpoint.connect_with_connector_lazy(service_fn(connect)),
            secured: Some(client),
        }
    }
}

impl GrpcEndpoint {
    /// Reads `grpc://host:port` or `grpcs://host:port`.
    ///
    /// # Errors
    ///
    /// [`SetupError`] for any other text.
    pub fn parse(url: &str) -> Result<Self, SetupError> {
        let refuse =
            || SetupError::new(format!("{url:?} is neither grpc:// nor grpcs://host:port"));
        let (is_secured, authority) = match url.split_once("://") {
            Some(("grpc", authority)) => (false, authority),
            Some(("grpcs", authority)) => (true, authority),
            _ => return Err(refuse()),
        };
        let authority = authority.trim_end_matches('/').to_owned();
        let parsed: http::uri::Authority = authority.parse().map_err(|_| refuse())?;
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
        let port = parsed.port_u16().ok_or_else(refuse)?;
        Ok(Self {
            host: host.to_owned(),
            port,
            is_secured,
            authority,
        })
    }

    /// Whether nobody outside the machine can read what crosses it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.is_secured
            || self.host == "localhost"
            || address.is_ok_and(|address| address.is_loopback())
    }

    /// A channel that connects when it is first used, set up by `prepare`; another one when `files` changed.
    pub(crate) fn channels(
        &self,
        files: TlsFiles<'_>,
        prepare: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Result<Channels, SetupError> {
        let address = (self.host.clone(), self.port);
        let endpoint = Endpoint::from_shared(format!("http://{}", self.authority));
        let endpoint = prepare(endpoint.map_err(|error| SetupError::new(error.to_string()))?);
        if !self.is_secured {
            return Ok(Channels::new(endpoint, address, None));
        }
        let origin = format!("https://{}", self.authority).parse();
        let origin = origin.map_err(|_| SetupError::new(format!("{self:?} is no address")))?;
        let name = ServerName::try_from(without_root(&self.host).to_owned())
            .map_err(|error| SetupError::new(format!("{}: {error}", self.host)))?;
        let files = ClientFiles {
            authorities: files.ca,
            certificate: files.client_certificate,
            key: files.client_key,
        };
        let tls = ClientTls::new(files, KMS, b"h2");
        let tls = tls.map_err(|error| SetupError::new(error.to_string()))?;
        let endpoint = endpoint.origin(origin);
        Ok(Channels::new(endpoint, address, Some((tls, name))))
    }
}

/// A connection to a host and port.
async fn open(resolver: &Resolver, (host, port): &(String, u16)) -> std::io::Result<TcpStream> {
    let stream = resolver.connect(host, *port).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Why a KMS that speaks gRPC cannot be called.
#[derive(Debug, thiserror::Error)]
#[error("the KMS endpoint cannot be used: {0}")]
pub struct SetupError(String);

impl SetupError {
    pub(crate) const fn new(why: String) -> Self {
        Self(why)
    }
}

/// What secures the way to the KMS.
const KMS: Names = Names {
    authorities: "the authorities of the KMS",
    certificate: "the gateway's certificate at the KMS",
};

#[cfg(test)]
mod tests {
    use super::GrpcEndpoint;

    #[test]
    fn only_tls_and_loopback_keep_data_keys_from_the_network() {
        for (url, private) in [
            ("grpc://127.0.0.1:9080", true),
            ("grpc://[::1]:9080", true),
            ("grpc://localhost:9080", true),
            ("grpcs://kms.internal:9080", true),
            ("grpc://kms.internal:9080", false),
            ("grpc://10.0.0.1:9080", false),
            ("grpc://localhost.evil.example:9080", false),
            ("grpc://127.0.0.1.evil.example:9080", false),
        ] {
            let endpoint = GrpcEndpoint::parse(url).unwrap();
            assert_eq!(endpoint.is_private(), private, "{url}");
        }
    }

    #[test]
    fn an_address_of_another_scheme_or_without_a_port_is_refused() {
        for url in [
            "http://a:1",
            "grpc://a",
            "grpcs://",
            "a:1",
            "grpc://a:x",
            "grpc://a:1/b",
        ] {
            assert!(GrpcEndpoint::parse(url).is_err(), "{url}");
        }
    }
}
