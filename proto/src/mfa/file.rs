//! Histories of devices in a file, which the services of one machine share.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::mfa::MfaMemory;
use crate::mfa::device::MfaDevice;
use crate::mfa::history::DeviceHistory;
use crate::mfa::history::MfaError;
use crate::time::Timestamp;

/// Histories in a file, readable by its owner alone. Every check takes the lock of a file
/// beside it, so that several processes of one machine may use it.
#[derive(Clone, Debug)]
pub struct MfaFile(Arc<PathBuf>);

impl MfaFile {
    /// The histories of that file, which the first check creates.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(Arc::new(path.to_owned()))
    }

    fn judge(&self, device: &MfaDevice, code: &str, now: Timestamp) -> io::Result<Verdict> {
        // A file of its own, since the histories are replaced. The system ends the lock with its file.
        let lock = private(&self.0.with_extension("lock"))?;
        lock.lock()?;
        let mut histories: BTreeMap<String, DeviceHistory> = match std::fs::read(&*self.0) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let history = histories.entry(device.serial().to_owned()).or_default();
        let verdict = history.judge(device, code, now);
        self.replace(&serde_json::to_vec(&histories)?)?;
        Ok(verdict)
    }

    /// Replaces the histories at once and durably: a crash leaves the old or the new ones.
    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = private(&new)?;
        file.set_len(0)?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(new, &*self.0)?;
        // Else a power failure brings the old file back, and a code that was used counts again.
        let folder = self.0.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

type Verdict = Result<(), MfaError>;

#[async_trait]
impl MfaMemory for MfaFile {
    async fn accept(&self, device: &MfaDevice, code: &str, now: Timestamp) -> Result<(), MfaError> {
        let (memory, device, code) = (self.clone(), device.clone(), code.to_owned());
        // The lock and the disk may make it wait.
        let judged = tokio::task::spawn_blocking(move || memory.judge(&device, &code, now)).await;
        let unavailable = |cause: &dyn std::fmt::Display| {
            Err(MfaError::Unavailable(format!(
                "{}: {cause}",
                self.0.display()
            )))
        };
        match judged {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => unavailable(&error),
            Err(error) => unavailable(&error),
        }
    }
}

/// Opens a file for writing, created readable by its owner alone.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::mfa::device::tests::at;
    use crate::mfa::device::tests::device;

    #[tokio::test]
    async fn two_services_of_one_file_accept_a_code_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mfa.json");
        let (one, two) = (MfaFile::new(&file), MfaFile::new(&file));
        let now = at(1_000_000);
        let code = device().code(now);
        assert_eq!(one.accept(&device(), &code, now).await, Ok(()));
        for memory in [&two, &one] {
            let refusal = memory.accept(&device(), &code, now).await;
            assert_eq!(refusal, Err(MfaError::UsedCode));
        }
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn of_many_attempts_at_once_with_one_code_one_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mfa.json");
        let now = at(1_000_000);
        let code = device().code(now);
        let attempts: Vec<_> = (0..16)
            .map(|_| {
                let (memory, code) = (MfaFile::new(&file), code.clone());
                tokio::spawn(async move { memory.accept(&device(), &code, now).await })
            })
            .collect();
        let mut accepted = 0;
        for attempt in attempts {
            accepted += usize::from(attempt.await.unwrap().is_ok());
        }
        assert_eq!(accepted, 1);
    }

    #[tokio::test]
    async fn a_memory_that_cannot_be_read_accepts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mfa.json");
        std::fs::write(&file, "{").unwrap();
        let now = at(1_000_000);
        let (memory, code) = (MfaFile::new(&file), device().code(now));
        let refusal = memory.accept(&device(), &code, now).await.unwrap_err();
        assert!(matches!(refusal, MfaError::Unavailable(_)), "{refusal}");
    }
}
