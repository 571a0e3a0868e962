//! The file under redb, which survives a failing disk.
//!
//! After a sync that failed, Linux takes what was written for clean: a later sync succeeds without
//! writing it. So what was written since the last good sync is remembered, and written once more
//! before the store is used again.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use redb::StorageBackend;

/// The file, as redb takes it. Its clones are the same file, which is locked by whoever opened it and not
/// by redb.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    file: Arc<dyn StorageBackend>,
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
    pub(super) fn new(file: impl StorageBackend) -> Self {
        Self {
            file: Arc::new(file),
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
        if extents.is_empty() {
            return Ok(());
        }
        for extent in extents {
            let mut bytes = vec![0; extent.length];
            match self.file.read(extent.offset, &mut bytes) {
                // It was cut off later.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                read => read?,
            }
            self.file.write(extent.offset, &bytes)?;
        }
        self.sync_data()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Extent>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        // Commits come one after the other, so nothing is written meanwhile.
        self.file.sync_data()?;
        self.lock().clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let length = data.len();
        self.lock().push(Extent { offset, length });
        self.file.write(offset, data)
    }
}
