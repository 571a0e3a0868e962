//! A KMS of this process, and before objects are written a gateway with a backend in a temporary folder.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use gateway::backend::LocalBackend;
use gateway::measured::Metrics;
use gateway::server::Parts;
use proto::iam::Iam;
use proto::iam::User;
use proto::identity::PrincipalArn;
use proto::identity::Region;
use proto::identity::Secret;
use proto::mfa::VolatileMfa;
use proto::session::SessionKey;
use proto::time::SystemClock;

use crate::credentials;
use crate::credentials::Users;
use crate::embedded;
use crate::embedded::disk::Durability;
use crate::embedded::in_process::InProcessBackend;
use crate::embedded::service::Service;
use crate::files;
use crate::load::scenario::Scenario;
use crate::load::world::AccessKey;

/// Services of this process.
pub(super) struct Own {
    /// The KMS, with keys in memory.
    pub(super) kms: kms::server::Running,
    /// Users whose requests are counted.
    pub(super) requesters: Vec<AccessKey>,
    /// The user who prepares a run.
    pub(super) preparer: AccessKey,
    /// What the gateway counts.
    pub(super) metrics: Arc<Metrics>,
    /// None if no objects are written or read.
    gateway: Option<gateway::server::Running>,
    /// The backend's; removed after everything else has ended.
    _folder: Option<TemporaryFolder>,
}

impl Own {
    /// Starts what a scenario needs.
    ///
    /// # Errors
    ///
    /// When a service does not start, or the folder cannot be made.
    pub(super) async fn start(scenario: &Scenario) -> anyhow::Result<Self> {
        let users = Users::random(None)?;
        let main = users.main();
        let requester = |number: u32| -> anyhow::Result<User> {
            let arn = format!("arn:aws:iam::{}:user/load-{number}", main.arn.account());
            let (id, secret) = (
                credentials::access_key_id()?,
                credentials::secret_access_key()?,
            );
            Ok(User::new(
                arn.parse::<PrincipalArn>()?,
                &id,
                Secret::new(secret),
            ))
        };
        let requesters = (1..=scenario.requesters()).map(requester);
        let requesters = requesters.collect::<anyhow::Result<Vec<_>>>()?;
        let access_key = |user: &User| {
            let secret = user.secret_access_key.expose().to_owned();
            (user.access_key_id.clone(), secret)
        };
        let (key, memory) = (SessionKey::random()?, Arc::new(VolatileMfa::default()));
        let access_keys = requesters.iter().map(access_key).collect();
        let principals = users.principals().clone().with_users(requesters);
        let iam = Arc::new(Iam::in_memory(principals, key, memory));
        let secret = Secret::new(hex::encode(credentials::random::<32>()?));
        let region = &scenario.run.region;
        let kms = start_kms(&users, region, &secret, &iam).await?;
        let mut own = Self {
            kms,
            requesters: access_keys,
            preparer: access_key(main),
            metrics: Arc::default(),
            gateway: None,
            _folder: None,
        };
        if scenario.has_objects() {
            let folder = TemporaryFolder::create()?;
            own.gateway = Some(
                own.start_gateway(&users, region, secret, iam, &folder)
                    .await?,
            );
            own._folder = Some(folder);
        }
        Ok(own)
    }

    async fn start_gateway(
        &self,
        users: &Users,
        region: &Region,
        secret: Secret,
        iam: Arc<Iam>,
        folder: &TemporaryFolder,
    ) -> anyhow::Result<gateway::server::Running> {
        let clock = Arc::new(SystemClock);
        let store = embedded::open(&folder.0, Durability::None, clock)?;
        let service = Service::new(store, region.to_string());
        let backend: Arc<dyn LocalBackend> = Arc::new(InProcessBackend::new(service));
        let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mut config = gateway::config::Config::default();
        config.listen.http = free;
        config.listen.https = None;
        config.listen.admin = free;
        config.limits.drain_delay_ms = 0;
        // The generator does not use TLS, and nothing leaves this process.
        config.objects.allow_insecure_sse = true;
        config.region = region.clone();
        config.state.first_start = gateway::state::FirstStart::Any;
        config.kms.url = format!("grpc://{}", self.kms.address);
        config.kms.account = users.main().arn.account();
        config.check().context("the own gateway")?;
        let parts = Parts {
            kms_secret: Some(secret),
            backend: Some(backend),
            metrics: Some(Arc::clone(&self.metrics)),
            iam: Some(iam),
            ..Parts::default()
        };
        let started = gateway::server::start(config, parts).await;
        started.context("starting the own gateway")
    }

    /// Where the KMS is.
    pub(super) fn kms_authority(&self) -> String {
        self.kms.address.to_string()
    }

    /// Where the KMS's admin port is.
    pub(super) fn admin_authority(&self) -> String {
        self.kms.admin_address.to_string()
    }

    /// Where the gateway is.
    pub(super) fn s3_authority(&self) -> Option<String> {
        let address = self.gateway.as_ref()?.s3_addr?;
        Some(address.to_string())
    }

    /// Where the gateway's admin port is.
    pub(super) fn gateway_admin_authority(&self) -> Option<String> {
        let address = self.gateway.as_ref()?.admin_addr?;
        Some(address.to_string())
    }

    /// Ends the services: first the gateway, which needs the KMS.
    pub(super) async fn stop(self) {
        if let Some(gateway) = self.gateway {
            gateway.stop().await;
        }
        self.kms.stop().await;
    }
}

async fn start_kms(
    users: &Users,
    region: &Region,
    secret: &Secret,
    iam: &Arc<Iam>,
) -> anyhow::Result<kms::server::Running> {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = kms::config::Config::fixture();
    config.listen = free;
    config.admin.listen = free;
    config.authenticate.signatures = kms::config::Signatures::Checked;
    config.authenticate.account = users.main().arn.account();
    config.authenticate.region = region.clone();
    config.authenticate.service_secret = Some(secret.clone());
    let clock = Arc::new(SystemClock);
    Ok(kms::server::start_with(config, clock, Arc::clone(iam)).await?)
}

/// A folder of this run alone, which is removed with it.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn create() -> anyhow::Result<Self> {
        let name = hex::encode(credentials::random::<8>()?);
        let path = std::env::temp_dir().join(format!("sealgate-load-{name}"));
        files::private_directory(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "could not be removed");
        }
    }
}
