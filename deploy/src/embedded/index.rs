//! The index: what there is, in one redb file; read at any moment, changed by one thread.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use redb::Database;
use redb::DatabaseError;
use redb::ReadableDatabase as _;
use redb::StorageError;

use crate::embedded::bodies::Bodies;
use crate::embedded::disk::Disk;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::commit::Writer;
use crate::embedded::index::storage::Storage;
use crate::embedded::index::tables::Snapshot;
use crate::embedded::index::tables::Tables;

mod commit;
pub mod record;
mod storage;
pub mod tables;

/// What becomes of an index that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not opened.
    Refused,
    /// It is opened, if it can be. What is on its damaged pages looks as if it had never been.
    Accepted,
}

/// The index.
pub struct Index {
    file: Arc<Open>,
    writer: Writer,
}

impl Index {
    /// Opens the index of a disk; creates an empty one if there is none.
    ///
    /// # Errors
    ///
    /// When the disk fails, or the file is no index.
    pub fn open(disk: &dyn Disk, bodies: &Arc<Bodies>, damage: Damage) -> Outcome<Self> {
        let file = Arc::new(Open::new(Storage::new(disk.open_index()?)));
        file.open()?;
        match damage {
            Damage::Refused => file.check()?,
            Damage::Accepted => {}
        }
        disk.note_index();
        let writer = Writer::start(Arc::clone(&file), Arc::clone(bodies))?;
        Ok(Self { file, writer })
    }

    /// Reads the index at one moment. Takes no longer than reading does; whoever reads much calls it
    /// off the asynchronous threads.
    ///
    /// # Errors
    ///
    /// As `read`; when the storage failed and was not opened again yet.
    pub fn read<T>(&self, read: impl FnOnce(&Snapshot) -> Outcome<T>) -> Outcome<T> {
        self.file.read(read)
    }

    /// Changes the index. `change` looks and changes within one transaction, so nothing happens
    /// between the two; others' changes share it, so `change` must refuse before its first change.
    /// The outcome is durable once it is returned.
    ///
    /// # Errors
    ///
    /// As `change`; when the storage fails, in which case nothing of the transaction is kept.
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        self.writer.change(change).await
    }

    /// Leaves the index so that it opens quickly, and so that no damage is taken for a change that was not finished.
    pub async fn settle(&self) {
        self.writer.settle().await;
    }
}

/// The database, which is opened again after the disk failed.
struct Open {
    storage: Storage,
    /// None while it is not open: whoever panicked with the lock left nothing half done.
    database: RwLock<Option<Database>>,
}

impl Open {
    fn new(storage: Storage) -> Self {
        let database = RwLock::new(None);
        Self { storage, database }
    }

    /// Opens the database, again if it is open. Waits for whoever reads.
    fn open(&self) -> Outcome<()> {
        caught(DAMAGED, || self.open_or_panic())
    }

    fn open_or_panic(&self) -> Outcome<()> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // The two must not use the file at a time.
        drop(database.take());
        self.storage.rewrite_unsynced()?;
        let opened = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(self.storage.clone())
            .map_err(unopened)?;
        // Not where they are there: on a full disk that would fail, and nothing could be read.
        if !Tables::are_in(&opened.begin_read()?)? {
            let transaction = opened.begin_write()?;
            drop(Tables::open(&transaction)?);
            transaction.commit()?;
        }
        *database = Some(opened);
        Ok(())
    }

    /// Compares all pages with their checksums, where that takes no longer than a start does anyway. What is on a
    /// damaged page would look as if it had never been.
    fn check(&self) -> Outcome<()> {
        if self.storage.length()? > CHECKED_BYTES_MAX {
            return Ok(());
        }
        caught(DAMAGED, || {
            let database = self.database.write();
            let mut database = database.unwrap_or_else(PoisonError::into_inner);
            match database.as_mut().map(Database::check_integrity) {
                Some(Ok(false)) => {
                    tracing::warn!(
                        "the index of the embedded backend was damaged: its last change may be gone"
                    );
                    Ok(())
                }
                Some(Err(error)) => Err(unopened(error)),
                Some(Ok(true)) | None => Ok(()),
            }
        })
    }

    fn with<T>(&self, with: impl FnOnce(&Database) -> Outcome<T>) -> Outcome<T> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || Fault::Storage("it is being opened again after a failure".into());
        with(database.as_ref().ok_or_else(closed)?)
    }

    fn read<T>(&self, read: impl FnOnce(&Snapshot) -> Outcome<T>) -> Outcome<T> {
        caught(UNREADABLE, || {
            self.with(|database| read(&Snapshot::new(database.begin_read()?)))
        })
    }

    fn is_open(&self) -> bool {
        let database = self.database.read();
        database.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn close(&self) {
        let database = self.database.write();
        drop(database.unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Why the index is not opened.
fn unopened(error: DatabaseError) -> Fault {
    let text = match &error {
        DatabaseError::Storage(StorageError::Corrupted(_)) => format!("{DAMAGED}: {error}"),
        _ => format!("the index, index.redb, cannot be opened: {error}"),
    };
    Fault::Storage(text.into())
}

/// Runs what looks at pages of the index: redb panics at some that are damaged.
fn caught<T>(text: &str, run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let outcome = catch_unwind(AssertUnwindSafe(run));
    outcome.unwrap_or_else(|_| Err(Fault::Damaged(text.into())))
}

/// What is wrong when an operation panics.
const UNREADABLE: &str =
    "an operation on the index, index.redb, panicked: a page of it may be damaged";

/// What is wrong with an index whose pages are not as they were written. Some damage lets it be read all the same.
const DAMAGED: &str = "the index, index.redb, is damaged: put the folder back from a backup, or set \
                       embedded.accept_damage to read what can be read of it";

/// Longest index that is checked at each start, in bytes.
const CHECKED_BYTES_MAX: u64 = 64 << 20;

/// What redb may cache. The system caches the file, too.
const CACHE_BYTES: usize = 24 << 20;
