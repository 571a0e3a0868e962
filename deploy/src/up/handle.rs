//! What can be done with a running `up` besides ending it.

use std::sync::Arc;
use std::sync::Weak;

use gateway::backend::Backend;
use gateway::request_counts::RequestCounts;
use kms::admin::Controls;
use proto::time::SystemClock;

use crate::up::replaceable::ReplaceableGateway;

/// A running `up`, for this process. It does not keep it running.
#[derive(Clone)]
pub struct Handle {
    /// The controls of the KMS's admin port.
    pub controls: Controls,
    /// The counts of the gateway's admin port.
    pub requests: Arc<RequestCounts>,
    gateway: Weak<ReplaceableGateway>,
}

impl Handle {
    pub(super) fn new(controls: Controls, gateway: &Arc<ReplaceableGateway>) -> Self {
        Self {
            controls,
            requests: Arc::clone(gateway.counts()),
            gateway: Arc::downgrade(gateway),
        }
    }

    /// Whether the gateway should be sent requests.
    ///
    /// # Errors
    ///
    /// Why not, in a sentence.
    pub async fn readiness(&self) -> Result<(), String> {
        match self.gateway.upgrade() {
            Some(gateway) => gateway.readiness().await,
            None => Err("it was stopped".to_owned()),
        }
    }

    /// A client of the backend, which sends what the gateway sends: by its port, if the embedded one has one.
    ///
    /// # Errors
    ///
    /// When there is no gateway any more, or its backend's URL cannot be used.
    pub fn backend(&self) -> anyhow::Result<Backend> {
        let gateway = self.gateway.upgrade();
        let gateway = gateway.ok_or_else(|| anyhow::anyhow!("it was stopped"))?;
        let config = gateway.config();
        Ok(Backend::new(
            &config.backend,
            config.backend_credentials.read()?,
            Arc::new(SystemClock),
        )?)
    }
}
