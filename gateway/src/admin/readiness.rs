//! Whether the gateway should be sent requests.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::BackendRequest;
use crate::backend::failure;
use crate::bucket::installation::Installation;
use crate::keys::kms::KeyService;
use crate::state::State;
use crate::state::presence::Presence;

/// Ready means: not stopping, the backend accepts the gateway and has or takes its state bucket, which is the
/// right one, the KMS accepts the gateway, and no other gateway is in its way.
pub(crate) struct Readiness {
    state: State,
    installation: Arc<Installation>,
    kms: Arc<dyn KeyService>,
    presence: Option<Arc<Presence>>,
    stopping: CancellationToken,
    last: Mutex<Probes>,
}

/// The last outcomes.
#[derive(Default)]
struct Probes {
    backend: Option<Outcome>,
    kms: Option<Outcome>,
}

/// What a probe showed, and when.
#[derive(Clone)]
struct Outcome {
    when: Instant,
    result: Result<(), String>,
}

impl Readiness {
    pub(crate) fn new(
        state: State,
        installation: Arc<Installation>,
        kms: Arc<dyn KeyService>,
        presence: Option<Arc<Presence>>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            state,
            installation,
            presence,
            kms,
            stopping,
            last: Mutex::default(),
        }
    }

    /// Whether to send requests here, or why not, in a sentence. Backend and KMS receive a request at most
    /// every few seconds, however often this is called.
    pub(crate) async fn check(&self) -> Result<(), String> {
        if self.stopping.is_cancelled() {
            return Err("the gateway is stopping".to_owned());
        }
        let mut last = self.last.lock().await;
        let Probes { backend, kms } = &mut *last;
        let (backend, kms) = tokio::join!(
            fresh("the backend", backend, BACKEND_FRESH, self.backend()),
            fresh("the KMS", kms, KMS_FRESH, self.kms())
        );
        // The KMS first: without it the backend's part, which opens a sealed document, is late.
        kms.and(backend)?;
        let standing = self.presence.as_ref().map_or(Ok(()), |it| it.check());
        standing.map_err(|refusal| refusal.to_string())
    }

    async fn backend(&self) -> Result<(), String> {
        let status = list_state_bucket(&self.state).await?;
        self.state_bucket(status).await
    }

    /// Whether the state bucket is the right one; where there is none, whether it can be made.
    async fn state_bucket(&self, status: StatusCode) -> Result<(), String> {
        let checked = self.installation.check().await;
        checked.map_err(|refusal| refusal.to_string())?;
        if status == StatusCode::NOT_FOUND {
            let bucket = self.state.bucket();
            let made = self.state.make_bucket().await;
            return made.map_err(|error| {
                format!("the backend refuses to make the state bucket {bucket:?}: {error}")
            });
        }
        Ok(())
    }

    async fn kms(&self) -> Result<(), String> {
        self.kms.check().await.map_err(|error| error.to_string())
    }
}

/// Lists the state bucket: that needs the gateway's credentials, and no other permission than those that it must have.
/// Returns a success, or 404 where there is none.
///
/// # Errors
///
/// Why the backend cannot be used, in a sentence.
pub(crate) async fn list_state_bucket(state: &State) -> Result<StatusCode, String> {
    let bucket = state.bucket();
    let request = BackendRequest::bucket(Method::GET, bucket)
        .query("list-type", "2")
        .query("max-keys", "1");
    let answer = state.backend().send(request).await;
    let answer = answer.map_err(|error| format!("the backend cannot be used: {error}"))?;
    let status = answer.status();
    if status.is_success() || status == StatusCode::NOT_FOUND {
        return Ok(status);
    }
    let body = answer.into_body().collect(ERROR_BYTES_MAX).await;
    let code = failure::code(&body.unwrap_or_default()).unwrap_or_default();
    Err(format!(
        "the backend refuses the gateway's credentials or its state bucket {bucket:?}: {status} {code}"
    ))
}

/// The last outcome if it is fresh, or that of the probe.
async fn fresh(
    probed: &str,
    last: &mut Option<Outcome>,
    fresh: Duration,
    probe: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    if let Some(Outcome { when, result }) = last {
        // A repair is to be seen soon.
        let fresh = if result.is_ok() { fresh } else { FAILURE_FRESH };
        if when.elapsed() < fresh {
            return result.clone();
        }
    }
    let late = || Err(format!("{probed} does not answer in time"));
    let result = tokio::time::timeout(PROBE_TIMEOUT, probe).await;
    let result = result.unwrap_or_else(|_| late());
    *last = Some(Outcome {
        when: Instant::now(),
        result: result.clone(),
    });
    result
}

/// How long an answer of the backend counts.
const BACKEND_FRESH: Duration = Duration::from_secs(5);

/// How long an answer of the KMS counts.
const KMS_FRESH: Duration = Duration::from_secs(5);

/// How long a failure counts.
const FAILURE_FRESH: Duration = Duration::from_secs(1);

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest error document that is read, in bytes.
const ERROR_BYTES_MAX: usize = 64 << 10;
