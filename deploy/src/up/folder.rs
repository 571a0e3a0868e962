//! The data folder of `up`: private, and used by one process at a time.

use std::fs::File;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::cli::Up;
use crate::credentials;
use crate::files;

/// The data folder; a temporary one is removed at the end.
pub(crate) struct DataFolder {
    pub(crate) path: PathBuf,
    is_temporary: bool,
    /// Locked while this lives, so that the folder is this process's alone.
    _lock: File,
}

impl DataFolder {
    /// Opens the folder that the flags name, or a temporary one.
    ///
    /// # Errors
    ///
    /// When it is not private, or another process uses it.
    pub(crate) fn open(flags: &Up) -> anyhow::Result<Self> {
        let path = match flags.folder() {
            Some(folder) => folder,
            None => {
                let name = hex::encode(credentials::random::<8>()?);
                std::env::temp_dir().join(format!("sealgate-{name}"))
            }
        };
        let prepared = files::private_directory(&path)
            .and_then(|()| files::private_entries(&path))
            .and_then(|()| lock(&path));
        let lock = prepared.map_err(|error| unwritable(error, &path, flags.ephemeral))?;
        Ok(Self {
            path,
            is_temporary: flags.ephemeral,
            _lock: lock,
        })
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.is_temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, folder = %self.path.display(), "could not be removed");
        }
    }
}

/// Adds the way out to an error of a folder that cannot be written.
fn unwritable(error: anyhow::Error, folder: &Path, is_temporary: bool) -> anyhow::Error {
    let io = error.downcast_ref::<std::io::Error>();
    let kind = io.map(std::io::Error::kind);
    if !matches!(
        kind,
        Some(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
    ) {
        return error;
    }
    let way = match is_temporary {
        true => "mount a tmpfs there, or name a folder that can be written in TMPDIR",
        false => {
            "mount a volume there, name another folder with --data, or store nothing with --ephemeral"
        }
    };
    // The folder above a temporary one, which does not exist.
    let folder = folder.parent().filter(|_| is_temporary).unwrap_or(folder);
    anyhow::anyhow!(
        "the folder {} cannot be written ({error:#}): {way}",
        folder.display()
    )
}

/// Locks the folder for this process, whose id the lock's file has. The system ends the lock with the
/// process, however that ends.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let file = folder.join(LOCK_FILE);
    let context = || format!("locking {}", file.display());
    let mut lock = files::open_private(&file)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = lock.read_to_string(&mut holder);
            let process = match (read, holder.trim()) {
                (Ok(_), id) if !id.is_empty() => format!(" (process {id})"),
                _ => String::new(),
            };
            anyhow::bail!(
                "another sealgate{process} uses {}: stop it, or name another folder with --data",
                folder.display()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(context),
    }
    lock.set_len(0).with_context(context)?;
    lock.rewind().with_context(context)?;
    write!(lock, "{}", std::process::id()).with_context(context)?;
    Ok(lock)
}

/// Held by the process that uses the folder.
const LOCK_FILE: &str = "sealgate.lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_by_one_process_at_a_time_and_the_other_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock(directory.path()).unwrap();
        let refusal = lock(directory.path()).err().unwrap().to_string();
        let this = format!("another sealgate (process {}) uses", std::process::id());
        assert!(refusal.starts_with(&this), "{refusal}");
        assert!(refusal.contains("--data"), "{refusal}");
        drop(first);
        lock(directory.path()).unwrap();
    }
}
