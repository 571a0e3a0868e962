//! Connections of HTTP clients that pool them themselves.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use http::Uri;
use hyper_rustls::ConfigBuilderExt as _;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tower::Service;

use crate::backend::resolver::Resolver;
use crate::backend::resolver::without_root;

/// Connections over TLS or without, by the URL, with names as [`Resolver`] finds them.
pub type Connector = HttpsConnector<HttpConnector<Names>>;

/// Connections of HTTP/1.1; servers are vouched for by `authorities`, the public ones if absent.
///
/// # Errors
///
/// Why TLS cannot be set up.
pub fn connector(authorities: Option<RootCertStore>) -> Result<Connector, rustls::Error> {
    let mut http = HttpConnector::new_with_resolver(Names(Resolver::system()));
    http.enforce_http(false); // which URLs are taken is the next connector's to say
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = match authorities {
        None => tls.with_webpki_roots(),
        Some(authorities) => tls.with_root_certificates(authorities),
    };
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth());
    let builder = builder.https_or_http();
    let builder = builder.with_server_name_resolver(server_name);
    Ok(builder.enable_http1().wrap_connector(http))
}

/// The name that the server's certificate must have.
fn server_name(uri: &Uri) -> Result<ServerName<'static>, Box<dyn std::error::Error + Send + Sync>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    Ok(ServerName::try_from(without_root(host).to_owned())?)
}

/// The value of the `Host` header for a URL with an authority.
#[must_use]
pub fn host_header(url: &Uri) -> String {
    let host = without_root(url.host().unwrap_or_default());
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Names as the HTTP client asks for them.
#[derive(Clone)]
pub struct Names(Resolver);

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move {
            let found = resolver.addresses(name.as_str()).await?;
            let found: Vec<SocketAddr> = found.into_iter().map(|ip| (ip, 0).into()).collect();
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dot_of_an_absolute_name_is_in_neither_host_header_nor_server_name() {
        for (url, header, name) in [
            ("https://kms.svc.:9443/", "kms.svc:9443", "kms.svc"),
            ("https://kms.svc./", "kms.svc", "kms.svc"),
            ("https://kms.svc/", "kms.svc", "kms.svc"),
            ("https://[::1]:9443/", "[::1]:9443", "::1"),
        ] {
            let url: Uri = url.parse().unwrap();
            assert_eq!(host_header(&url), header);
            let expected = ServerName::try_from(name.to_owned()).unwrap();
            assert_eq!(server_name(&url).unwrap(), expected);
        }
    }
}
