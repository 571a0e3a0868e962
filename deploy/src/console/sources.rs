//! Where the console gets what it shows: the controls of the KMS, and the gateway as its operator sees it. Either
//! may be absent.

use std::sync::OnceLock;
use std::sync::RwLock;

use gateway::admin::view::View;
use kms::admin::Controls;
use kms::quota::Usage;
use serde_json::Value;

use crate::report::folder::Folder;

/// What the console looks at.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) kms: Option<Controls>,
    /// A reset puts another one in its place.
    gateway: RwLock<Option<View>>,
    pub(super) facts: OnceLock<Facts>,
    /// None where a service runs alone, without a data folder.
    pub(super) reports: OnceLock<Folder>,
}

/// What the overview says of the endpoints.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Endpoints: what each is, and its URL.
    pub endpoints: Vec<(&'static str, String)>,
    /// What to paste into a shell; without secrets.
    pub paste: String,
}

impl Sources {
    /// A KMS, and no gateway yet.
    pub(super) fn of_kms(controls: Controls) -> Self {
        Self {
            kms: Some(controls),
            ..Self::default()
        }
    }

    /// The gateway, if there is one.
    pub(super) fn gateway(&self) -> Option<View> {
        let gateway = self.gateway.read();
        gateway
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Looks at another gateway from now on.
    pub(super) fn set_gateway(&self, view: View) {
        let gateway = self.gateway.write();
        *gateway.unwrap_or_else(std::sync::PoisonError::into_inner) = Some(view);
    }

    /// Whether the gateway's counts and buckets may be shown: those of a gateway alone are not on its admin port.
    pub(super) fn shows_buckets(&self) -> bool {
        self.gateway().is_some_and(|view| view.counts().is_some())
    }

    /// Requests of S3 since the start, and how many of them failed; none if they are not counted.
    pub(super) fn requests(&self) -> Option<(u64, u64)> {
        let counted = self.gateway()?.counts()?.since(None).ok()?;
        let sum = |least: u16| {
            let rows = counted.requests.iter().filter(|row| row.status >= least);
            rows.map(|row| row.count).sum()
        };
        Some((sum(0), sum(400)))
    }

    /// Calls of the KMS since the start, and how many of them failed; none without a KMS.
    pub(super) fn calls(&self) -> Option<(u64, u64)> {
        self.kms.as_ref()?.calls()
    }

    /// The use of quotas.
    pub(super) fn usage(&self) -> Vec<Usage> {
        let quotas = self.kms.as_ref().and_then(Controls::quotas);
        quotas.map(|quotas| quotas.usage()).unwrap_or_default()
    }

    /// What a control of the KMS returns.
    ///
    /// # Errors
    ///
    /// Why it was refused, in a sentence.
    pub(super) async fn get(&self, path: &str, query: &str) -> Result<Value, String> {
        let kms = self.kms.as_ref().ok_or("there is no KMS here")?;
        kms.perform(("GET", path), query, b"").await
    }
}
