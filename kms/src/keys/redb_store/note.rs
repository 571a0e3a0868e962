//! The note that a store is in its file: without it, a file that is lost would be taken for one that never was,
//! and whoever needs a key of it would meet an empty store.

use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::keys::store::StoreError;

/// The note beside the file of a store.
pub(super) struct Note(PathBuf);

impl Note {
    /// That of the store in `file`.
    pub(super) fn of(file: &Path) -> Self {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".used");
        Self(file.with_file_name(name))
    }

    /// Lets a store be made in `file` only if there never was one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file is missing or empty, and held a store before; when that cannot be found out.
    pub(super) fn check(&self, file: &Path) -> Result<(), StoreError> {
        let bytes = length(file, std::fs::metadata(file))?.unwrap_or_default();
        // A symbolic link counts, wherever it leads.
        let was_made = length(&self.0, std::fs::symlink_metadata(&self.0))?.is_some();
        if bytes == 0 && was_made {
            let (file, note) = (file.display(), self.0.display());
            return Err(StoreError(format!("{file}: {LOST} {note}").into()));
        }
        Ok(())
    }

    /// Notes that the store is there. A full disk keeps nobody from their keys: the next start notes it.
    pub(super) fn write(&self) {
        match self.written() {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let file = self.0.display();
                tracing::warn!(%file, %error, "a loss of the key store would not be noticed");
            }
            _ => {}
        }
    }

    fn written(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.0)?.sync_all()?;
        let folder = self
            .0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

/// The length of a file, in bytes; none if there is no such file. One that cannot be looked at is no missing one.
fn length(path: &Path, found: io::Result<Metadata>) -> Result<Option<u64>, StoreError> {
    match found {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError(format!("{}: {error}", path.display()).into())),
    }
}

const LOST: &str = "the key store is missing or empty, and without its keys what they sealed is lost: put the file back \
                    from a backup, or, to begin without a key, remove";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_lost_or_empty_is_an_error_and_one_that_never_was_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kms.redb");
        let note = Note::of(&file);
        note.check(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        note.check(&file).unwrap();
        std::fs::write(&file, "store").unwrap();
        note.write();
        note.check(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        let error = note.check(&file).unwrap_err().to_string();
        assert!(
            error.contains("kms.redb: the key store is missing"),
            "{error}"
        );
        std::fs::remove_file(&file).unwrap();
        let error = note.check(&file).unwrap_err().to_string();
        assert!(error.ends_with("kms.redb.used"), "{error}");
    }
    #[test]
    #[cfg(unix)]
    fn a_link_that_leads_nowhere_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kms.redb");
        std::os::unix::fs::symlink("nowhere", folder.path().join("kms.redb.used")).unwrap();
        assert!(Note::of(&file).check(&file).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_looked_at_is_no_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let no_folder = folder.path().join("file");
        std::fs::write(&no_folder, "").unwrap();
        let file = no_folder.join("kms.redb");
        let error = Note::of(&file).check(&file).unwrap_err().to_string();
        assert!(
            error.contains("kms.redb: ") && !error.contains(LOST),
            "{error}"
        );
    }
}
