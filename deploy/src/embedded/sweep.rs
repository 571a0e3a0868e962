//! Removes bodies that nothing refers to: what a crash left between writing a body and recording it,
//! or between recording that it is gone and removing it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::embedded::disk::FileId;
use crate::embedded::fault::Outcome;
use crate::embedded::store::Store;

/// Sweeps now, and then every hour until `stop`.
pub async fn run(store: Store, stop: CancellationToken) {
    loop {
        let sweeping = store.clone();
        match tokio::task::spawn_blocking(move || sweep(&sweeping)).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "bodies that nothing refers to"),
            Ok(Err(fault)) => tracing::warn!(?fault, "bodies could not be swept"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Removes bodies that nothing refers to; how many.
///
/// # Errors
///
/// When the storage fails.
pub fn sweep(store: &Store) -> Outcome<u64> {
    let is_owned = |id: FileId| {
        store.index.read(|snapshot| {
            let files = snapshot.files()?;
            Ok(files.get((id.folder, id.file))?.is_some())
        })
    };
    store.bodies.sweep(is_owned)
}

/// Time between two sweeps.
const PERIOD: Duration = Duration::from_secs(3_600);
