//! The services that are called: those of this process, or one that runs already.

mod own;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use http::Request;
use http_body_util::Full;
use proto::identity::Region;
use proto::sigv4::Credentials;
use proto::time::Clock as _;
use proto::time::SystemClock;
use serde_json::Value;

use crate::cli::load::Run;
use crate::load::call::Call;
use crate::load::call::Signer;
use crate::load::connections::Answer;
use crate::load::connections::Connections;
use crate::load::endpoint;
use crate::load::scenario::Scenario;
use crate::load::world::own::Own;
use crate::retry::AttemptOutcome;
use crate::single;

/// The services, their admin ports, and who calls them.
pub(super) struct World {
    /// Of a KMS that is called.
    kms: Option<Port>,
    /// Of a gateway that is called.
    s3: Option<Port>,
    admin: Port,
    gateway_admin: Option<Port>,
    admin_token: Option<String>,
    region: Region,
    /// Who calls, and in S3's case writes and reads; not empty.
    requesters: Vec<AccessKey>,
    /// Who prepares a run: another user where that is possible, so that no bucket key of a requester is made
    /// before the run.
    preparer: AccessKey,
    /// None if they run elsewhere.
    own: Option<Own>,
}

/// Where a service listens.
struct Port {
    authority: String,
    connections: Connections,
}

/// An access key id and its secret.
type AccessKey = (String, String);

impl Port {
    fn new(authority: String) -> Self {
        Self {
            connections: Connections::new(&authority, 1),
            authority,
        }
    }
}

impl World {
    /// Starts own services, or takes that of the flags.
    ///
    /// # Errors
    ///
    /// When the endpoint is refused, credentials are missing, or a service does not start.
    pub(super) async fn open(scenario: &Scenario) -> anyhow::Result<Self> {
        let run = &scenario.run;
        match (&run.endpoint, &run.admin_endpoint) {
            (Some(url), Some(admin_url)) => {
                Self::running_elsewhere(run, url, admin_url, scenario.has_objects())
            }
            _ => Self::own(scenario).await,
        }
    }

    fn running_elsewhere(
        run: &Run,
        url: &str,
        admin_url: &str,
        is_s3: bool,
    ) -> anyhow::Result<Self> {
        let port = |url: &str| endpoint::authority(url, run.allow_remote).map(Port::new);
        let variable = |name: &str| {
            let value = std::env::var(name).ok();
            value.with_context(|| {
                format!("--endpoint needs {name} to sign with: eval \"$(sealgate env)\" sets it")
            })
        };
        let access_key = (
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
        );
        let called = port(url)?;
        let (kms, s3) = match is_s3 {
            true => (None, Some(called)),
            false => (Some(called), None),
        };
        let gateway_admin = run.gateway_admin_endpoint.as_deref().map(port);
        Ok(Self {
            kms,
            s3,
            admin: port(admin_url)?,
            gateway_admin: gateway_admin.transpose()?,
            admin_token: run.admin_token.clone(),
            region: run.region.clone(),
            requesters: vec![access_key.clone()],
            preparer: access_key,
            own: None,
        })
    }

    async fn own(scenario: &Scenario) -> anyhow::Result<Self> {
        let own = Own::start(scenario).await?;
        Ok(Self {
            kms: Some(Port::new(own.kms_authority())),
            s3: own.s3_authority().map(Port::new),
            admin: Port::new(own.admin_authority()),
            gateway_admin: own.gateway_admin_authority().map(Port::new),
            admin_token: None,
            region: scenario.run.region.clone(),
            requesters: own.requesters.clone(),
            preparer: own.preparer.clone(),
            own: Some(own),
        })
    }

    /// Puts the quotas of the flags in force. Until then an own KMS has none, so that keys are created
    /// at once.
    ///
    /// # Errors
    ///
    /// When a rate is no rate.
    pub(super) fn enforce_quotas(&self, run: &Run) -> anyhow::Result<()> {
        let Some(own) = &self.own else {
            return Ok(());
        };
        let mut config = kms::quota::Config::default();
        single::set_quotas(&mut config, run.quota_scale, &run.quota);
        config.shape = run.shape.unwrap_or(config.shape);
        own.kms.quotas.configure(config)?;
        own.kms.quotas.restart();
        Ok(())
    }

    /// Who signs calls of the KMS.
    ///
    /// # Errors
    ///
    /// When no KMS is called.
    pub(super) fn kms_signer(&self) -> anyhow::Result<Arc<Signer>> {
        let kms = self.kms.as_ref().context("no KMS is called")?;
        Ok(self.signer(kms, "kms", &self.preparer))
    }

    /// Who signs requests of S3: the one who prepares, and the requesters.
    ///
    /// # Errors
    ///
    /// When no gateway is called.
    pub(super) fn s3_signers(&self) -> anyhow::Result<(Arc<Signer>, Vec<Arc<Signer>>)> {
        let s3 = self.s3.as_ref().context("no S3 is called")?;
        let requesters = self.requesters.iter();
        let requesters = requesters.map(|key| self.signer(s3, "s3", key));
        Ok((self.signer(s3, "s3", &self.preparer), requesters.collect()))
    }

    fn signer(&self, port: &Port, service: &'static str, (id, secret): &AccessKey) -> Arc<Signer> {
        Arc::new(Signer {
            host: port.authority.clone(),
            credentials: Credentials::new(id, secret),
            region: self.region.clone(),
            service,
        })
    }

    /// Calls an operation of the KMS once; waits and tries again while it is throttled.
    ///
    /// # Errors
    ///
    /// When the call fails, or is throttled for a minute.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let answer = self
            .send(&Call::kms(operation, body, self.kms_signer()?))
            .await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// Sends a request once; waits and tries again while it is throttled.
    ///
    /// # Errors
    ///
    /// When it fails, or is throttled for a minute.
    pub(super) async fn send(&self, call: &Call) -> anyhow::Result<Answer> {
        let host = &call.signer.host;
        let ports = [&self.kms, &self.s3].into_iter().flatten();
        let port = ports.into_iter().find(|port| port.authority == *host);
        let port = port.context("a request for another service")?;
        for _ in 0..THROTTLED_MAX {
            let request = call.request(SystemClock.now())?;
            let answer = port.connections.send(request).await;
            let answer = answer.with_context(|| format!("calling {host}"))?;
            match answer.outcome() {
                (AttemptOutcome::Served, _) => return Ok(answer),
                (AttemptOutcome::Throttled { .. }, _) => tokio::time::sleep(SECOND).await,
                (_, code) => {
                    let (code, text) = (code.unwrap_or_default(), answer.message());
                    let way = if text.contains(SECURE) { WAY } else { "" };
                    anyhow::bail!(
                        "{} failed beside the run: {code}: {text}{way}",
                        call.operation
                    );
                }
            }
        }
        anyhow::bail!(
            "{} was throttled for a minute beside the run",
            call.operation
        )
    }

    /// Reads a page of the KMS's admin port.
    ///
    /// # Errors
    ///
    /// When there is no answer of status 200 in JSON.
    pub(super) async fn admin(&self, path: &str) -> anyhow::Result<Value> {
        let body = self.admin_of(&self.admin, Method::GET, path).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// A mark in the KMS, to count calls from.
    ///
    /// # Errors
    ///
    /// When there is no answer of status 200 with a mark.
    pub(super) async fn mark(&self) -> anyhow::Result<u64> {
        let body = self
            .admin_of(&self.admin, Method::POST, "/admin/mark")
            .await?;
        let answer: Value = serde_json::from_slice(&body)?;
        answer
            .get("mark")
            .and_then(Value::as_u64)
            .context("the admin port's mark is no number")
    }

    /// The metrics of the gateway, as text; none if its admin port is not known.
    ///
    /// # Errors
    ///
    /// When there is no answer of status 200.
    pub(super) async fn gateway_metrics(&self) -> anyhow::Result<Option<String>> {
        let Some(port) = &self.gateway_admin else {
            return Ok(None);
        };
        if let Some(own) = &self.own {
            return Ok(Some(own.metrics.render()));
        }
        let body = self.admin_of(port, Method::GET, "/metrics").await?;
        Ok(Some(String::from_utf8_lossy(&body).into_owned()))
    }

    async fn admin_of(&self, port: &Port, method: Method, path: &str) -> anyhow::Result<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &*port.authority)
            .header("content-type", "application/json");
        if let Some(token) = &self.admin_token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = port
            .connections
            .send(request.body(Full::new(Bytes::new()))?)
            .await;
        let answer = answer.with_context(|| format!("reading {path} of {}", port.authority))?;
        let status = answer.status.as_u16();
        let way = match status {
            401 | 403 => ": give its token with --admin-token",
            404 => ": --admin-endpoint is the KMS's, and --gateway-admin-endpoint the gateway's",
            _ => "",
        };
        anyhow::ensure!(
            status == 200,
            "{path} of the admin port {} answered with status {status}{way}",
            port.authority
        );
        Ok(answer.body)
    }

    /// Whether the services are those of this process.
    #[must_use]
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Ends own services.
    pub(super) async fn close(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
    }
}

/// What a gateway answers to encryption with keys of KMS or the customer without TLS.
const SECURE: &str = "over a secure connection";

/// What to do then: the generator has no TLS.
const WAY: &str = " Start `up` with --allow-insecure-sse, or the gateway with listen.loopback_is_secure = true, \
                   or use --mode sse-s3";

const SECOND: Duration = Duration::from_secs(1);

/// How often a call beside the run is tried while it is throttled.
const THROTTLED_MAX: u32 = 60;
