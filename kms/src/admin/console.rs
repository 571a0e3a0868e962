//! The controls as functions, for the pages of the console.

use std::sync::Arc;
use std::sync::Weak;

use serde_json::Value;

use crate::admin;
use crate::admin::Control;
use crate::admin::Tokens;
use crate::quota::Quotas;

/// The controls of a KMS, for a caller that checks on its own who uses them.
///
/// They last as long as the KMS: what holds them does not hold the KMS.
#[derive(Clone)]
pub struct Controls(Weak<Control>);

impl Controls {
    /// The controls of that KMS.
    pub(crate) fn new(control: &Arc<Control>) -> Self {
        Self(Arc::downgrade(control))
    }

    /// Does what a request with this method, path, query and body does on the admin port, without looking at a
    /// token.
    ///
    /// # Errors
    ///
    /// Why it was refused, in a sentence.
    pub async fn perform(
        &self,
        (method, path): (&str, &str),
        query: &str,
        body: &[u8],
    ) -> Result<Value, String> {
        let control = self.0.upgrade().ok_or("the KMS has stopped")?;
        let done = admin::control_of(&control, (method, path), query, body).await;
        done.map_err(|refusal| refusal.message)
    }

    /// The tokens that the admin port demands; none of a KMS that has stopped.
    #[must_use]
    pub fn tokens(&self) -> Option<Tokens> {
        Some(self.0.upgrade()?.tokens.clone())
    }

    /// Whether a control of that path reads or destroys keys that are stored: it demands a token always.
    #[must_use]
    pub fn needs_token(&self, path: &str) -> bool {
        let is_durable = |control: Arc<Control>| control.kms.is_durable();
        admin::uses_keys(path) && self.0.upgrade().is_none_or(is_durable)
    }

    /// Whether a control of that path reads or destroys keys.
    #[must_use]
    pub fn uses_keys(path: &str) -> bool {
        admin::uses_keys(path)
    }

    /// The quotas.
    #[must_use]
    pub fn quotas(&self) -> Option<Arc<Quotas>> {
        Some(Arc::clone(&self.0.upgrade()?.quotas))
    }

    /// How many calls there were since the start, and how many of them failed.
    #[must_use]
    pub fn calls(&self) -> Option<(u64, u64)> {
        let counts = self.0.upgrade()?.kms.counts().since(None).ok()?;
        let failed = counts.iter().filter(|(kind, _)| kind.error.is_some());
        let failed = failed.map(|(_, count)| count).sum();
        Some((counts.values().sum(), failed))
    }
}
