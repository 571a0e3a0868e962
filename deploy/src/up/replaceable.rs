//! The gateway of `up`, which a reset ends and starts again.
//!
//! `POST /admin/reset` on the KMS's admin port empties the KMS. What the gateway has at the embedded backend,
//! root keys and records of buckets among it, goes with the objects: so no gateway runs while the store is
//! emptied, and a new one, which remembers nothing, takes the ports of the old.

use std::sync::Arc;

use anyhow::Context as _;
use gateway::backend::LocalBackend;
use gateway::config::Config;
use gateway::measured::Metrics;
use gateway::request_counts::RequestCounts;
use gateway::server::Certificate;
use gateway::server::Listeners;
use gateway::server::Parts;
use gateway::server::Running;
use proto::audit::Audit;
use proto::iam::Iam;
use proto::identity::Secret;
use proto::pages::Pages;
use proto::time::Clock;
use proto::time::SystemClock;
use tokio::sync::Mutex;

use crate::certificate;
use crate::certificate::LocalAuthority;
use crate::console::Console;
use crate::embedded::store::Store;
use crate::up::ports;

/// What a gateway is started with.
pub(super) struct GatewayParts {
    pub(super) config: Config,
    pub(super) authority: LocalAuthority,
    /// Names of the certificate besides those of loopback.
    pub(super) hosts: Vec<String>,
    /// The secret for the KMS; none if the configuration names its file.
    pub(super) secret: Option<Secret>,
    pub(super) local: Option<Arc<dyn LocalBackend>>,
    /// What the embedded backend stores.
    pub(super) store: Option<Store>,
    /// What metrics are counted in, on through a reset.
    pub(super) metrics: Arc<Metrics>,
    /// Pages, which show whichever gateway runs.
    pub(super) console: Arc<Console>,
    /// The users and sessions, which the KMS has too.
    pub(super) iam: Arc<Iam>,
    /// The KMS's clock, which can be moved: vaults go by it, too.
    pub(super) movable_clock: Arc<dyn Clock>,
}

/// A gateway, and how to start it again.
pub(super) struct ReplaceableGateway {
    parts: GatewayParts,
    /// The KMS's trail, which is the gateway's, too.
    audit: Arc<Audit>,
    /// Counts go on through a reset.
    counts: Arc<RequestCounts>,
    /// The ports, open until the end: between two gateways nobody else can take them.
    listeners: Mutex<Option<Listeners>>,
    running: Mutex<Option<Running>>,
}

impl ReplaceableGateway {
    /// Starts a gateway, which a reset of `kms` replaces. Its ports stay the same.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub(super) async fn start(
        mut parts: GatewayParts,
        kms: &kms::server::Running,
    ) -> anyhow::Result<Arc<Self>> {
        let audit = Arc::clone(&kms.audit);
        let counts = Arc::default();
        let listeners = Listeners::open(&parts.config.listen);
        let listeners = listeners.map_err(ports::explain_gateway)?;
        let running = parts.start(&audit, &counts, &listeners).await?;
        let listen = &mut parts.config.listen;
        listen.http = running.s3_addr;
        listen.https = running.tls_addr;
        listen.admin = running.admin_addr;
        let running = Mutex::new(Some(running));
        let gateway = Arc::new(Self {
            parts,
            audit,
            counts,
            listeners: Mutex::new(Some(listeners)),
            running,
        });
        let replaced = Arc::clone(&gateway);
        kms.reset_beside(Box::new(move || {
            let replaced = Arc::clone(&replaced);
            Box::pin(async move { replaced.reset().await })
        }));
        Ok(gateway)
    }

    /// The configuration, with the ports that were taken.
    pub(super) fn config(&self) -> &Config {
        &self.parts.config
    }

    /// What its metrics are counted in.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    /// What its requests are counted in.
    pub(super) fn counts(&self) -> &Arc<RequestCounts> {
        &self.counts
    }

    /// Whether it should be sent requests.
    ///
    /// # Errors
    ///
    /// Why not, in a sentence.
    pub(super) async fn readiness(&self) -> Result<(), String> {
        match &*self.running.lock().await {
            Some(gateway) => gateway.readiness().await,
            None => Err("the gateway was stopped".to_owned()),
        }
    }

    /// Ends it; `removes_state` removes its state bucket, too.
    pub(super) async fn stop(&self, removes_state: bool) {
        // Else clients would wait at a port that nobody serves.
        self.listeners.lock().await.take();
        let Some(gateway) = self.running.lock().await.take() else {
            return;
        };
        if !removes_state {
            gateway.stop().await;
        } else if let Err(error) = gateway.stop_and_remove_state().await {
            tracing::warn!(%error, "the state bucket could not be removed");
        }
        if let Some(store) = &self.parts.store {
            store.settle().await;
        }
    }

    /// Empties the embedded backend and starts a new gateway; what became of the backend, in a sentence.
    ///
    /// # Errors
    ///
    /// Why the backend has what it had, or no gateway runs.
    pub(super) async fn reset(&self) -> Result<String, String> {
        let Some(store) = &self.parts.store else {
            return Ok(KEPT.to_owned());
        };
        let mut running = self.running.lock().await;
        let listeners = self.listeners.lock().await;
        let listeners = listeners.as_ref().ok_or("it is about to end")?;
        if let Some(gateway) = running.take() {
            gateway.stop().await;
        }
        let cleared = store.clear().await;
        let started = self.parts.start(&self.audit, &self.counts, listeners).await;
        *running = Some(started.map_err(|error| format!("no gateway runs any more: {error:#}"))?);
        cleared.map_err(|fault| format!("the backend was not emptied: {fault:?}"))?;
        Ok(EMPTIED.to_owned())
    }
}

impl GatewayParts {
    async fn start(
        &self,
        audit: &Arc<Audit>,
        counts: &Arc<RequestCounts>,
        listeners: &Listeners,
    ) -> anyhow::Result<Running> {
        let names = certificate::names(&self.hosts);
        let issued = self.authority.issue(&names, SystemClock.now());
        let issued = issued.context("the certificate")?;
        let parts = Parts {
            certificate: Some(Certificate {
                chain: issued.chain,
                key: issued.key,
            }),
            kms_secret: self.secret.clone(),
            backend: self.local.clone(),
            metrics: Some(Arc::clone(&self.metrics)),
            counts: Some(Arc::clone(counts)),
            pages: Some(Arc::clone(&self.console) as Arc<dyn Pages>),
            listeners: Some(listeners.try_clone().context("the ports")?),
            iam: Some(Arc::clone(&self.iam)),
            audit: Some(Arc::clone(audit)),
            vault_clock: Some(Arc::clone(&self.movable_clock)),
            ..Parts::default()
        };
        let started = gateway::server::start(self.config.clone(), parts).await;
        let running = started.map_err(ports::explain_gateway)?;
        self.console.show_gateway(running.view());
        Ok(running)
    }
}

const EMPTIED: &str = "emptied: there are no buckets, objects and uploads";
const KEPT: &str = "kept: what another backend stores is not deleted here";
