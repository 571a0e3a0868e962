//! KMS, gateway and a recording backend in one process, on ephemeral ports.
//!
//! ```ignore
//! let world = World::start().await;
//! world.s3().put_object().bucket("b").key("k").body(body).send().await?;
//! expect_no_canary(&world.backend, secret);
//! ```

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway::measured::Metrics;
use gateway::server::Certificate;
use gateway::server::Parts;
use http::Response;
use proto::iam::Iam;
use proto::identity::AccountId;
use proto::identity::Secret;
use proto::time::Clock;
use proto::time::ManualClock;
use proto::time::SystemClock;
use proto::time::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sealgate::certificate::LOCAL_NAMES;
use sealgate::certificate::LocalAuthority;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;

use crate::backend::ACCESS_KEY_ID;
use crate::backend::Backend;
use crate::backend::SECRET_ACCESS_KEY;
use crate::clients;
use crate::clients::Access;
use crate::signed::Draft;
use crate::signed::Signed;
use crate::signed::Target;

/// Both services and their backend. Everything ends when it is dropped.
pub struct World {
    /// The backend.
    pub backend: Backend,
    /// The KMS.
    pub kms: kms::server::Running,
    /// The gateway.
    pub gateway: gateway::server::Running,
    /// A user of account [`MAIN_ACCOUNT`].
    pub main: Access,
    /// A user of account [`ALT_ACCOUNT`].
    pub alt: Access,
    /// The certificate authority that clients trust.
    pub ca_pem: String,
    /// What the gateway counts.
    pub metrics: Arc<Metrics>,
    /// The gateway's clock; real unless [`Setup::clock`] set it.
    pub clock: Arc<dyn Clock>,
    tls: Arc<rustls::ClientConfig>,
    config: gateway::config::Config,
    iam: Option<Arc<Iam>>,
    _folder: tempfile::TempDir,
}

/// A test's change of a configuration.
type Change<C> = Box<dyn FnOnce(&mut C) + Send>;

/// The settings of a world.
#[derive(Default)]
pub struct Setup {
    clock: Option<Arc<ManualClock>>,
    gateway: Option<Change<gateway::config::Config>>,
    kms: Option<Change<kms::config::Config>>,
    iam: Option<Arc<Iam>>,
    one_trail: bool,
}

impl Setup {
    /// A gateway whose clock is frozen. SDK clients sign with the real time: sign by hand.
    #[must_use]
    pub fn clock(mut self, clock: Arc<ManualClock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Changes the gateway's configuration.
    #[must_use]
    pub fn gateway(
        mut self,
        change: impl FnOnce(&mut gateway::config::Config) + Send + 'static,
    ) -> Self {
        self.gateway = Some(Box::new(change));
        self
    }

    /// Has the gateway record all its events in the trail of the KMS ([`kms::server::Running::audit`]).
    #[must_use]
    pub fn one_trail(mut self) -> Self {
        self.one_trail = true;
        self
    }

    /// Gives both services further users, roles and sessions.
    #[must_use]
    pub fn iam(mut self, iam: Arc<Iam>) -> Self {
        self.iam = Some(iam);
        self
    }

    /// Changes the KMS's configuration.
    #[must_use]
    pub fn kms(mut self, change: impl FnOnce(&mut kms::config::Config) + Send + 'static) -> Self {
        self.kms = Some(Box::new(change));
        self
    }

    /// Starts the world.
    pub async fn start(self) -> World {
        let backend = Backend::start().await;
        let folder = tempfile::tempdir().unwrap();
        let authority = LocalAuthority::open_or_create(folder.path(), SystemClock.now()).unwrap();
        let ca_pem = std::fs::read_to_string(authority.certificate_file()).unwrap();
        let main = Access::new("MAINEXAMPLEACCESSKEY", "main-secret-canary-5d0f1b92c4");
        let alt = Access::new("ALTEXAMPLEACCESSKEY1", "alt-secret-canary-aa83e07f6b");

        let mut config = kms_config(&main, &alt);
        if let Some(change) = self.kms {
            change(&mut config);
        }
        let clock = Arc::new(SystemClock);
        let kms = match &self.iam {
            Some(iam) => kms::server::start_with(config, clock, Arc::clone(iam)).await,
            None => kms::server::start(config, clock).await,
        };
        let kms = kms.unwrap();

        let mut config = gateway_config(&backend, &kms, &main, &alt);
        config.audit.data_events = self.one_trail;
        if let Some(change) = self.gateway {
            change(&mut config);
        }
        let clock: Arc<dyn Clock> = match self.clock {
            Some(clock) => clock,
            None => Arc::new(SystemClock),
        };
        let issued = authority.issue(&LOCAL_NAMES, SystemClock.now()).unwrap();
        // Unless it comes from files.
        let certificate = config.listen.certificate_file.is_none();
        let certificate = certificate.then_some(Certificate {
            chain: issued.chain,
            key: issued.key,
        });
        let metrics = Arc::new(Metrics::new());
        let parts = Parts {
            clock: Arc::clone(&clock),
            certificate,
            metrics: Some(Arc::clone(&metrics)),
            kms_secret: kms_secret(&config),
            iam: self.iam.clone(),
            audit: self.one_trail.then(|| Arc::clone(&kms.audit)),
            ..Parts::default()
        };
        let gateway = gateway::server::start(config.clone(), parts).await.unwrap();
        let tls = trusting(&ca_pem);
        World {
            backend,
            kms,
            gateway,
            main,
            alt,
            ca_pem,
            metrics,
            clock,
            tls,
            config,
            iam: self.iam,
            _folder: folder,
        }
    }
}

impl World {
    /// With the defaults.
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    /// The settings, to be changed before the start.
    #[must_use]
    pub fn setup() -> Setup {
        Setup::default()
    }

    /// Another gateway before the same backend, on plain HTTP, with empty caches.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn another_gateway(&self) -> gateway::server::Running {
        self.try_another_gateway().await.unwrap()
    }

    /// The same, if it starts.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub async fn try_another_gateway(
        &self,
    ) -> Result<gateway::server::Running, gateway::server::StartError> {
        let mut config = self.config.clone();
        config.listen.https = None;
        gateway::server::start(config, self.parts()).await
    }

    /// What another gateway of this world is given.
    fn parts(&self) -> Parts {
        Parts {
            clock: Arc::clone(&self.clock),
            kms_secret: kms_secret(&self.config),
            iam: self.iam.clone(),
            ..Parts::default()
        }
    }

    /// Begins the state bucket, before whatever the backend has.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn init(&self) {
        let config = self.config.clone();
        gateway::server::operate::init(config, self.parts())
            .await
            .unwrap();
    }

    /// Makes [`MAIN_ACCOUNT`] the owner of a bucket that was created at the backend.
    ///
    /// # Panics
    ///
    /// When it is not there, or another account's.
    pub async fn adopt(&self, bucket: &str) {
        let buckets = [bucket.to_owned()];
        gateway::server::operate::adopt(&self.config, self.parts(), MAIN_ACCOUNT, &buckets)
            .await
            .unwrap();
    }

    /// The main user's S3 client, over TLS.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.s3_as(&self.main)
    }

    /// Another user's S3 client, over TLS.
    #[must_use]
    pub fn s3_as(&self, access: &Access) -> aws_sdk_s3::Client {
        clients::s3(&self.s3_tls_endpoint(), access, Some(&self.ca_pem))
    }

    /// The main user's S3 client, over plain HTTP.
    #[must_use]
    pub fn s3_plain(&self) -> aws_sdk_s3::Client {
        clients::s3(&self.s3_endpoint(), &self.main, None)
    }

    /// The main user's KMS client.
    #[must_use]
    pub fn kms(&self) -> aws_sdk_kms::Client {
        clients::kms(&self.kms.endpoint, &self.main)
    }

    /// A user's STS client.
    #[must_use]
    pub fn sts_as(&self, access: &Access) -> aws_sdk_sts::Client {
        clients::sts(&self.kms.endpoint, access)
    }

    /// `http://127.0.0.1:PORT` of the gateway.
    #[must_use]
    pub fn s3_endpoint(&self) -> String {
        format!("http://{}", self.host())
    }

    /// `https://127.0.0.1:PORT` of the gateway.
    #[must_use]
    pub fn s3_tls_endpoint(&self) -> String {
        format!("https://{}", self.tls_target().address)
    }

    /// The `host` header for plain HTTP.
    #[must_use]
    pub fn host(&self) -> String {
        self.target().address.to_string()
    }

    /// The plain HTTP listener, for hand-made requests.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            address: self.gateway.s3_addr.unwrap(),
            tls: None,
        }
    }

    /// The HTTPS listener, for hand-made requests.
    #[must_use]
    pub fn tls_target(&self) -> Target {
        let address = self.gateway.tls_addr.unwrap();
        Target {
            address,
            tls: Some(Arc::clone(&self.tls)),
        }
    }

    /// The gateway's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Signs as the main user, now, for the plain HTTP listener.
    #[must_use]
    pub fn sign(&self, draft: Draft) -> Signed {
        draft.sign(&self.main, self.now(), &self.host())
    }

    /// Signs and sends over plain HTTP.
    ///
    /// # Panics
    ///
    /// When the connection breaks before the answer ended.
    pub async fn send(&self, draft: Draft) -> Response<Bytes> {
        self.sign(draft).send(&self.target()).await.unwrap()
    }

    /// Signs for the HTTPS listener, and sends there.
    ///
    /// # Panics
    ///
    /// When the connection breaks before the answer ended.
    pub async fn send_tls(&self, draft: Draft) -> Response<Bytes> {
        let target = self.tls_target();
        let host = target.address.to_string();
        draft
            .sign(&self.main, self.now(), &host)
            .send(&target)
            .await
            .unwrap()
    }

    /// Creates a bucket through the gateway.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub async fn create_bucket(&self, bucket: &str) {
        self.s3_plain()
            .create_bucket()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
    }

    /// Creates a KMS key with an alias; returns its ARN.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub async fn create_key(&self, alias: &str) -> String {
        let made = self
            .kms()
            .create_key()
            .send()
            .await
            .unwrap()
            .key_metadata
            .unwrap();
        let named = self
            .kms()
            .create_alias()
            .alias_name(alias)
            .target_key_id(&made.key_id);
        named.send().await.unwrap();
        made.arn.unwrap()
    }
}

fn kms_config(main: &Access, alt: &Access) -> kms::config::Config {
    let mut config = kms::config::Config::fixture();
    let credential = |access: &Access, account: &str| kms::config::Credential {
        access_key_id: access.access_key_id.clone(),
        secret_access_key: Secret::new(access.secret_access_key.clone()),
        account: account.parse().unwrap(),
        principal_arn: None,
    };
    config.authenticate.signatures = kms::config::Signatures::Checked;
    config.authenticate.credentials =
        vec![credential(main, MAIN_ACCOUNT), credential(alt, ALT_ACCOUNT)];
    config.authenticate.service_secret = Some(Secret::new(SERVICE_SECRET));
    config.authenticate.account = MAIN_ACCOUNT.parse().unwrap();
    config
}

fn gateway_config(
    backend: &Backend,
    kms: &kms::server::Running,
    main: &Access,
    alt: &Access,
) -> gateway::config::Config {
    let mut config = gateway::config::Config::default();
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.listen.http = free;
    config.listen.https = free;
    config.listen.admin = free;
    config.limits.drain_delay_ms = 0;
    config.authenticate.sigv2 = true;
    config.public_access_block.new_buckets = false;
    config.state.gateways = gateway::state::Gateways::Many;
    config.backend.url = backend.endpoint();
    config.backend_credentials.access_key_id = ACCESS_KEY_ID.to_owned();
    config.backend_credentials.secret_access_key = Secret::new(SECRET_ACCESS_KEY);
    config.kms.url = format!("grpc://{}", kms.address);
    config.kms.account = account(MAIN_ACCOUNT);
    let user = |access: &Access, id: &str| gateway::authenticate::User {
        access_key_id: access.access_key_id.clone(),
        secret_access_key: Secret::new(access.secret_access_key.as_str()),
        account: account(id),
        principal_arn: None,
    };
    config.users = vec![user(main, MAIN_ACCOUNT), user(alt, ALT_ACCOUNT)];
    config
}

/// The secret that gateway and KMS share, unless a test has it in a file.
fn kms_secret(config: &gateway::config::Config) -> Option<Secret> {
    let is_in_file = config.kms.secret_file.is_some();
    (!is_in_file).then(|| Secret::new(SERVICE_SECRET))
}

fn account(id: &str) -> AccountId {
    id.parse().expect("an account has 12 digits")
}

/// The TLS configuration of a client that trusts this authority.
///
/// # Panics
///
/// When it is not a certificate.
#[must_use]
pub fn trusting(ca_pem: &str) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// The secret that gateway and KMS share, a canary: no client may ever receive it.
pub const SERVICE_SECRET: &str = "service-secret-canary-91c27d04e8b3";
