//! Reads the file of users again when it changed, so that nobody restarts `up` for a new user.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use proto::iam::Iam;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Watches a file of users until `stop`, and has `iam` read it when it is another. Each time is counted by `count`,
/// with whether it was read.
pub(super) fn watch(
    iam: Arc<Iam>,
    file: PathBuf,
    count: impl Fn(bool) + Send + 'static,
    stop: CancellationToken,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut seen = version(&file);
        let mut ticks = tokio::time::interval(EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = version(&file);
            if now == seen {
                continue;
            }
            seen = now;
            let reloaded = iam.reload();
            count(reloaded.is_ok());
            match reloaded {
                Ok(()) => tracing::info!("users were read again"),
                Err(error) => tracing::error!(%error, "users are unchanged"),
            }
        }
    }))
}

/// What changes with the file; none if it is not there.
fn version(file: &PathBuf) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// How long a changed file may go unnoticed.
const EVERY: Duration = Duration::from_secs(1);
