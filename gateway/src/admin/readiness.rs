//! Whether the gateway should be sent requests.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::backend::BackendRequest;

/// Ready means: not stopping, and the backend answers.
///
/// No request is made to the KMS: a probe must not count against its quotas, and objects whose keys are
/// cached can be served without it.
pub(crate) struct Readiness {
    backend: Arc<Backend>,
    stopping: CancellationToken,
    last: Mutex<Option<(Instant, Result<(), &'static str>)>>,
}

impl Readiness {
    pub(crate) fn new(backend: Arc<Backend>, stopping: CancellationToken) -> Self {
        Self {
            backend,
            stopping,
            last: Mutex::new(None),
        }
    }

    /// Whether to send requests here, or why not. The backend receives a request at most every few
    /// seconds, however often this is called.
    pub(crate) async fn check(&self) -> Result<(), &'static str> {
        if self.stopping.is_cancelled() {
            return Err("stopping");
        }
        let mut last = self.last.lock().await;
        if let Some((when, outcome)) = *last
            && when.elapsed() < FRESH
        {
            return outcome;
        }
        let probe = self.backend.send(BackendRequest::service(Method::GET));
        let outcome = match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("the backend does not answer"),
            Err(_) => Err("the backend does not answer in time"),
        };
        *last = Some((Instant::now(), outcome));
        outcome
    }
}

/// How long an outcome counts.
const FRESH: Duration = Duration::from_secs(5);

/// How long the backend may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
