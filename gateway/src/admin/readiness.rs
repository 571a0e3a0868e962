//! Whether the gateway should be sent requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bucket::installation::Installation;
use crate::state::presence::Presence;

/// Ready means: not stopping, and the backend shows the identity of the state bucket.
///
/// No request is made to the KMS: a probe must not count against its quotas, and objects whose keys are
/// cached can be served without it.
pub(crate) struct Readiness {
    installation: Arc<Installation>,
    presence: Option<Arc<Presence>>,
    stopping: CancellationToken,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    pub(crate) fn new(
        installation: Arc<Installation>,
        presence: Option<Arc<Presence>>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            installation,
            presence,
            stopping,
            last: Mutex::new(None),
        }
    }

    /// Whether to send requests here, or why not. The backend receives a request at most every few
    /// seconds, however often this is called.
    pub(crate) async fn check(&self) -> Result<(), String> {
        if self.stopping.is_cancelled() {
            return Err("stopping".to_owned());
        }
        let mut presence = self.presence.iter();
        if presence.any(|presence| presence.is_superseded()) {
            return Err("another gateway serves the state bucket".to_owned());
        }
        let mut last = self.last.lock().await;
        if let Some((when, outcome)) = &*last
            && when.elapsed() < FRESH
        {
            return outcome.clone();
        }
        let probe = tokio::time::timeout(PROBE_TIMEOUT, self.installation.check());
        let outcome = match probe.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(refusal.to_string()),
            Err(_) => Err("the backend does not answer in time".to_owned()),
        };
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

/// How long an outcome counts.
const FRESH: Duration = Duration::from_secs(5);

/// How long the backend may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
