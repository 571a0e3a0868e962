//! The index file under redb, which survives a failing disk.
//!
//! After a sync that failed, Linux takes what was written for clean: a later sync succeeds without
//! writing it. So what was written since the last good sync is remembered, and written once more
//! before the index is used again.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use redb::StorageBackend;

use crate::embedded::disk::IndexFile;

/// The index file, as redb takes it. Its clones are the same file.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    file: Arc<dyn IndexFile>,
    unsynced: Arc<Mutex<Vec<Extent>>>,
}

/// Some bytes of the file.
#[derive(Clone, Copy, Debug)]
struct Extent {
    offset: u64,
    length: usize,
}

impl Storage {
    /// The storage in a file.
    #[must_use]
    pub(super) fn new(file: Box<dyn IndexFile>) -> Self {
        Self {
            file: file.into(),
            unsynced: Arc::default(),
        }
    }

    /// Writes again what was written since the last sync that succeeded, and syncs it.
    ///
    /// # Errors
    ///
    /// When the disk still fails.
    pub(super) fn rewrite_unsynced(&self) -> io::Result<()> {
        let extents = self.lock().clone();
        for extent in extents {
            let mut bytes = vec![0; extent.length];
            match self.file.read_at(&mut bytes, extent.offset) {
                // It was cut off later.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                read => read?,
            }
            self.file.write_at(&bytes, extent.offset)?;
        }
        self.sync_data()
    }

    /// Its length, in bytes.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub(super) fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Extent>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        // One thread writes and syncs, so nothing comes in between.
        self.file.sync()?;
        self.lock().clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let written = self.file.write_at(data, offset);
        // What had no space is not written again: redb refers to nothing that it could not write, and without this a
        // full disk could not even be read.
        if !written.as_ref().is_err_and(is_out_of_space) {
            let length = data.len();
            self.lock().push(Extent { offset, length });
        }
        written
    }
}

fn is_out_of_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
