//! The AWS SDKs for Rust, pointed at a world.

use aws_credential_types::Credentials;
use aws_smithy_http_client::tls;
use aws_smithy_http_client::tls::TlsContext;
use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use proto::session::SessionCredentials;

/// The user who signs, and the endpoint.
#[derive(Clone, Debug)]
pub struct Access {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Region in the credential scope.
    pub region: String,
    /// The token of temporary credentials, which SDKs send. Hand-made requests add it themselves.
    pub session_token: Option<String>,
}

impl Access {
    /// In us-east-1.
    #[must_use]
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            region: "us-east-1".to_owned(),
            session_token: None,
        }
    }

    /// Temporary credentials.
    #[must_use]
    pub fn of_session(credentials: &SessionCredentials) -> Self {
        let secret = credentials.secret_access_key.expose();
        Self {
            session_token: Some(credentials.token.expose().to_owned()),
            ..Self::new(&credentials.access_key_id, secret)
        }
    }

    /// The same user in another Region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self.clone()
        }
    }

    fn credentials(&self) -> Credentials {
        let token = self.session_token.clone();
        Credentials::from_keys(&self.access_key_id, &self.secret_access_key, token)
    }
}

/// An S3 client: path-style, one attempt, trusting only `ca_pem` (when given) over TLS.
#[must_use]
pub fn s3(endpoint: &str, access: &Access, ca_pem: Option<&str>) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .endpoint_url(endpoint)
        .region(aws_sdk_s3::config::Region::new(access.region.clone()))
        .credentials_provider(access.credentials())
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .force_path_style(true)
        .http_client(http_client(ca_pem));
    aws_sdk_s3::Client::from_conf(config.build())
}

/// A KMS client: one attempt.
#[must_use]
pub fn kms(endpoint: &str, access: &Access) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version_latest()
        .endpoint_url(endpoint)
        .region(aws_sdk_kms::config::Region::new(access.region.clone()))
        .credentials_provider(access.credentials())
        .retry_config(aws_sdk_kms::config::retry::RetryConfig::disabled())
        .http_client(http_client(None));
    aws_sdk_kms::Client::from_conf(config.build())
}

/// An STS client: one attempt.
#[must_use]
pub fn sts(endpoint: &str, access: &Access) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version_latest()
        .endpoint_url(endpoint)
        .region(aws_sdk_sts::config::Region::new(access.region.clone()))
        .credentials_provider(access.credentials())
        .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
        .http_client(http_client(None));
    aws_sdk_sts::Client::from_conf(config.build())
}

fn http_client(ca_pem: Option<&str>) -> SharedHttpClient {
    let trust = match ca_pem {
        Some(pem) => TrustStore::empty().with_pem_certificate(pem.as_bytes()),
        None => TrustStore::default(),
    };
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .unwrap();
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::AwsLc,
        ))
        .tls_context(context)
        .build_https()
}
