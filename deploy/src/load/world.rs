//! The KMS that is called: one of this process, or one that runs already.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use kms::server::Running;
use proto::iam::Iam;
use proto::identity::Region;
use proto::mfa::VolatileMfa;
use proto::session::SessionKey;
use proto::sigv4::Credentials;
use proto::time::Clock as _;
use proto::time::SystemClock;
use serde_json::Value;

use crate::cli::load::LoadKms;
use crate::credentials::Users;
use crate::load::call::Call;
use crate::load::call::Signer;
use crate::load::connections::Connections;
use crate::load::endpoint;
use crate::retry::AttemptOutcome;
use crate::single;

/// A KMS, its admin port, and who calls it.
pub(super) struct World {
    /// Host and port of the KMS.
    pub(super) authority: String,
    admin_authority: String,
    admin_token: Option<String>,
    access_key: (String, String),
    region: Region,
    connections: Connections,
    admin: Connections,
    /// None if it runs elsewhere.
    own: Option<Running>,
}

impl World {
    /// Starts an own KMS, or takes that of the flags.
    ///
    /// # Errors
    ///
    /// When the endpoint is refused, credentials are missing, or the KMS does not start.
    pub(super) async fn open(flags: &LoadKms) -> anyhow::Result<Self> {
        match (&flags.endpoint, &flags.admin_endpoint) {
            (Some(url), Some(admin_url)) => Self::running_elsewhere(flags, url, admin_url),
            _ => Self::own(flags).await,
        }
    }

    fn running_elsewhere(flags: &LoadKms, url: &str, admin_url: &str) -> anyhow::Result<Self> {
        let authority = endpoint::authority(url, flags.allow_remote)?;
        let admin_authority = endpoint::authority(admin_url, flags.allow_remote)?;
        let variable = |name: &str| {
            std::env::var(name).with_context(|| format!("--endpoint needs {name} to sign with"))
        };
        let access_key = (
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
        );
        Ok(Self {
            connections: Connections::new(&authority, 1),
            admin: Connections::new(&admin_authority, 1),
            authority,
            admin_authority,
            admin_token: flags.admin_token.clone(),
            access_key,
            region: flags.region.clone(),
            own: None,
        })
    }

    async fn own(flags: &LoadKms) -> anyhow::Result<Self> {
        let users = Users::random(None)?;
        let (key, memory) = (SessionKey::random()?, Arc::new(VolatileMfa::default()));
        let iam = Iam::in_memory(users.principals().clone(), key, memory);
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = kms::config::Config::fixture();
        config.listen = free;
        config.admin.listen = free;
        config.authenticate.signatures = kms::config::Signatures::Checked;
        config.authenticate.account = users.main().arn.account();
        config.authenticate.region = flags.region.clone();
        let running = kms::server::start_with(config, Arc::new(SystemClock), Arc::new(iam)).await?;
        let (authority, admin_authority) = (
            running.address.to_string(),
            running.admin_address.to_string(),
        );
        let main = users.main();
        Ok(Self {
            connections: Connections::new(&authority, 1),
            admin: Connections::new(&admin_authority, 1),
            authority,
            admin_authority,
            admin_token: None,
            access_key: (
                main.access_key_id.clone(),
                main.secret_access_key.expose().to_owned(),
            ),
            region: flags.region.clone(),
            own: Some(running),
        })
    }

    /// Puts the quotas of the flags in force. Until then an own KMS has none, so that keys are created
    /// at once.
    ///
    /// # Errors
    ///
    /// When a rate is no rate.
    pub(super) fn enforce_quotas(&self, flags: &LoadKms) -> anyhow::Result<()> {
        let Some(running) = &self.own else {
            return Ok(());
        };
        let mut config = kms::quota::Config::default();
        single::set_quotas(&mut config, flags.quota_scale, &flags.quota);
        config.shape = flags.shape.unwrap_or(config.shape);
        running.quotas.configure(config)?;
        running.quotas.restart();
        Ok(())
    }

    /// Who signs the requests.
    #[must_use]
    pub(super) fn signer(&self) -> Signer {
        let (id, secret) = &self.access_key;
        Signer {
            host: self.authority.clone(),
            credentials: Credentials::new(id, secret),
            region: self.region.clone(),
        }
    }

    /// Calls an operation once; waits and tries again while it is throttled.
    ///
    /// # Errors
    ///
    /// When the call fails, or is throttled for a minute.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let call = Call::kms(operation, body);
        for _ in 0..THROTTLED_MAX {
            let request = call.request(&self.signer(), SystemClock.now())?;
            let answer = self.connections.send(request).await;
            let answer = answer.with_context(|| format!("calling {}", self.authority))?;
            match answer.outcome() {
                (AttemptOutcome::Served, _) => {
                    return Ok(serde_json::from_slice(&answer.body).unwrap_or_default());
                }
                (AttemptOutcome::Throttled { .. }, _) => tokio::time::sleep(SECOND).await,
                (_, code) => {
                    let code = code.unwrap_or_default();
                    let text = String::from_utf8_lossy(&answer.body);
                    anyhow::bail!("{operation} failed before the run: {code}: {text}");
                }
            }
        }
        anyhow::bail!("{operation} was throttled for a minute before the run")
    }

    /// Reads a page of the admin port.
    ///
    /// # Errors
    ///
    /// When there is no answer of status 200 in JSON.
    pub(super) async fn admin(&self, path: &str) -> anyhow::Result<Value> {
        let mut request = Request::builder()
            .uri(path)
            .header("host", &*self.admin_authority);
        if let Some(token) = &self.admin_token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = self
            .admin
            .send(request.body(Full::new(Bytes::new()))?)
            .await;
        let answer =
            answer.with_context(|| format!("reading {path} of {}", self.admin_authority))?;
        let status = answer.status.as_u16();
        anyhow::ensure!(
            status == 200,
            "{path} of the admin port answered with status {status}"
        );
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Whether the KMS is one of this process.
    #[must_use]
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Ends an own KMS.
    pub(super) async fn close(self) {
        if let Some(running) = self.own {
            running.stop().await;
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// How often a call before the run is tried while it is throttled.
const THROTTLED_MAX: u32 = 60;
