//! Reads the file of users again when it changed, so that nobody restarts `up` for a new user.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::iam::Iam;
use proto::iam::IamError;
use proto::renewal::Renewable;
use proto::renewal::Renewals;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Watches a file of users until `stop`, and has `iam` read it when it is another. `show` receives their name in
/// sentences each time, and whether it was read.
///
/// # Errors
///
/// When the file cannot be used now.
pub(super) fn watch(
    iam: Arc<Iam>,
    file: PathBuf,
    show: impl Fn(&'static str, bool) + Send + 'static,
    stop: CancellationToken,
) -> Result<AbortOnDropHandle<()>, IamError> {
    let users = Renewable::new("users", vec![file], move || iam.reload())?;
    let mut renewals = Renewals::default();
    renewals.add(Arc::new(users));
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            renewals.renew_changed(&show);
        }
    })))
}

/// How often the file is looked at. What it has at two looks in a row is used.
const EVERY: Duration = Duration::from_millis(500);
