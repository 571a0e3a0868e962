//! The note that a store is in its file: without it, a file that is lost would be taken for one that never was,
//! and whoever needs a key of it would meet an empty store.

use std::fs::File;
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
    /// [`StoreError`] when the file is missing or empty, and held a store before.
    pub(super) fn check(&self, file: &Path) -> Result<(), StoreError> {
        let is_empty = std::fs::metadata(file).map_or(0, |it| it.len()) == 0;
        if is_empty && self.0.exists() {
            let (file, note) = (file.display(), self.0.display());
            return Err(StoreError(format!("{file}: {LOST} {note}").into()));
        }
        Ok(())
    }

    /// Notes that the store is there. A full disk keeps nobody from their keys: the next start notes it.
    pub(super) fn write(&self) {
        drop(self.written());
    }

    fn written(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        // A symbolic link of that name is not followed: it counts as the note.
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
}
