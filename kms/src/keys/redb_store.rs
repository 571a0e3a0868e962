//! A store in one file, by redb: ordered tables, transactions, durable commits.
//!
//! redb does not go on after the disk failed. So the database is opened again by whoever commits next, and
//! first of all gets back the rows that failed commits may have changed: they were refused.

mod note;
mod storage;

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use redb::Database;
use redb::ReadableDatabase;
use redb::ReadableTable;
use redb::StorageBackend;
use redb::TableDefinition;
use redb::WriteTransaction;
use redb::backends::FileBackend;

use crate::keys::redb_store::note::Note;
use crate::keys::redb_store::storage::Storage;
use crate::keys::store::Change;
use crate::keys::store::Row;
use crate::keys::store::Store;
use crate::keys::store::StoreError;
use crate::keys::store::Table;

/// A store in one file.
pub struct RedbStore {
    storage: Storage,
    state: Mutex<State>,
}

struct State {
    /// None after a failure, until the database is opened again.
    database: Option<Database>,
    /// The rows before the commits that failed, which the disk may hold all the same.
    before: Vec<Change>,
}

impl RedbStore {
    /// Whether `open` would make the store in that file.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file is missing or empty though it held a store before; when it cannot be looked at.
    pub fn is_new(path: &Path) -> Result<bool, StoreError> {
        Note::of(path).check(path)?;
        Ok(!path.exists())
    }

    /// Opens the store in that file; makes it, readable by its owner only, if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be opened, is in use by another process, or is no store; as
    /// [`is_new`](Self::is_new).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if Self::is_new(path)? {
            create(path)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = options.open(path).map_err(|error| of_file(path, &error))?;
        // As long as the file is open, so that nobody else comes in while the database is opened again.
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                StoreError(format!("another process uses {}", path.display()).into())
            }
            TryLockError::Error(error) => of_file(path, &error),
        })?;
        let store = Self::with_backend(FileBackend::new(file).map_err(failed)?)?;
        Note::of(path).write();
        Ok(store)
    }

    /// Opens the store on other storage than a file, such as one that fails on purpose.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the storage fails or holds no store.
    pub fn with_backend(storage: impl StorageBackend) -> Result<Self, StoreError> {
        let storage = Storage::new(storage);
        let state = Mutex::new(State {
            database: Some(open(&storage)?),
            before: Vec::new(),
        });
        Ok(Self { storage, state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the database, where need be after a failure.
fn open(storage: &Storage) -> Result<Database, StoreError> {
    storage.rewrite_unsynced().map_err(failed)?;
    let database = builder().create_with_backend(storage.clone());
    let database = database.map_err(failed)?;
    let transaction = database.begin_write().map_err(failed)?;
    for table in Table::ALL {
        transaction.open_table(definition(*table)).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(database)
}

/// Makes changes durable, after `first`. The rows before them are added to `before`.
fn commit(
    database: &Database,
    first: &[Change],
    changes: &[Change],
    before: &mut Vec<Change>,
) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(failed)?;
    for change in first {
        make(&transaction, change)?;
    }
    for change in changes {
        before.push(make(&transaction, change)?);
    }
    transaction.commit().map_err(failed)
}

/// Makes a change; the one that undoes it.
fn make(transaction: &WriteTransaction, change: &Change) -> Result<Change, StoreError> {
    let table = transaction.open_table(definition(change.table));
    let mut table = table.map_err(failed)?;
    let name = change.name.as_str();
    let before = match &change.value {
        Some(value) => table.insert(name, value.as_slice()),
        None => table.remove(name),
    };
    let before = before.map_err(failed)?;
    Ok(Change {
        table: change.table,
        name: change.name.clone(),
        value: before.map(|value| value.value().to_vec()),
    })
}

impl Store for RedbStore {
    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let state = self.lock();
        let database = state.database.as_ref().ok_or_else(closed)?;
        let transaction = database.begin_read().map_err(failed)?;
        let mut rows = Vec::new();
        for table in Table::ALL {
            let open = transaction.open_table(definition(*table)).map_err(failed)?;
            for entry in open.iter().map_err(failed)? {
                let (name, value) = entry.map_err(failed)?;
                rows.push(Row {
                    table: *table,
                    name: name.value().to_owned(),
                    value: value.value().to_vec(),
                });
            }
        }
        Ok(rows)
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        if state.database.is_none() {
            state.database = Some(open(&self.storage)?);
        }
        let database = state.database.as_ref().ok_or_else(closed)?;
        let mut before = Vec::new();
        match commit(database, &state.before, &changes, &mut before) {
            Ok(()) => {
                state.before.clear();
                Ok(())
            }
            Err(error) => {
                state.database = None;
                for row in before {
                    let is_row = |it: &Change| it.table == row.table && it.name == row.name;
                    // What a row was first is what it is to be again.
                    if !state.before.iter().any(is_row) {
                        state.before.push(row);
                    }
                }
                Err(error)
            }
        }
    }
}

/// Makes an empty store in that file. It has another name until it is whole, because what a power
/// failure leaves of half a store does not open.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A symbolic link of that name is removed, never followed.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(of_file(&unfinished, &error));
        }
        _ => {}
    }
    let open = options.open(&unfinished);
    let file = open.map_err(|error| of_file(&unfinished, &error))?;
    drop(RedbStore::with_backend(
        FileBackend::new(file).map_err(failed)?,
    )?);
    std::fs::rename(&unfinished, path).map_err(failed)?;
    // The name itself must be durable, too.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or_else(|| Path::new("."))).map_err(failed)?;
    folder.sync_all().map_err(failed)
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

const fn definition(table: Table) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(table.name())
}

fn closed() -> StoreError {
    StoreError("it is not open since the disk failed".into())
}

/// A file that cannot be opened or removed.
fn of_file(path: &Path, error: &io::Error) -> StoreError {
    StoreError(format!("{}: {error}", path.display()).into())
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError(Box::new(error))
}

/// The working set is ours, so redb's own cache need not hold it again.
const CACHE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, value: Option<&[u8]>) -> Change {
        Change {
            table: Table::Keys,
            name: name.to_owned(),
            value: value.map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn rows_survive_a_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kms.redb");
        let store = RedbStore::open(&path).unwrap();
        store
            .commit(vec![change("a", Some(b"1")), change("b", Some(b"2"))])
            .unwrap();
        store
            .commit(vec![change("a", None), change("b", Some(b"3"))])
            .unwrap();
        drop(store);
        let rows = RedbStore::open(&path).unwrap().rows().unwrap();
        let expected = Row {
            table: Table::Keys,
            name: "b".to_owned(),
            value: b"3".to_vec(),
        };
        assert_eq!(rows, [expected]);
    }

    #[test]
    fn a_store_that_was_lost_is_an_error_and_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kms.redb");
        drop(RedbStore::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let error = RedbStore::open(&path).err().unwrap().to_string();
        assert!(error.contains("the key store is missing"), "{error}");
        assert!(!path.exists());
        std::fs::remove_file(folder.path().join("kms.redb.used")).unwrap();
        RedbStore::open(&path).unwrap();
    }

    #[test]
    fn a_store_of_an_earlier_version_is_noted_when_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kms.redb");
        drop(RedbStore::open(&path).unwrap());
        std::fs::remove_file(folder.path().join("kms.redb.used")).unwrap();
        drop(RedbStore::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(RedbStore::open(&path).is_err());
    }

    #[test]
    fn half_a_store_that_was_left_behind_does_not_hinder_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kms.redb");
        std::fs::write(folder.path().join("kms.redb.new"), b"half").unwrap();
        drop(RedbStore::open(&path).unwrap());
        let names = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["kms.redb", "kms.redb.used"]);
    }

    #[test]
    fn a_store_is_open_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kms.redb");
        let _first = RedbStore::open(&path).unwrap();
        let second = RedbStore::open(&path).err().unwrap().to_string();
        assert!(second.contains("another process uses"), "{second}");
        assert!(second.contains("kms.redb"), "{second}");
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let path = Path::new("/nowhere/at/all/kms.redb");
        let error = RedbStore::open(path).err().unwrap().to_string();
        assert!(error.contains("/nowhere/at/all/kms.redb"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn a_symbolic_link_in_the_place_of_the_unfinished_store_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, b"precious").unwrap();
        let path = folder.path().join("kms.redb");
        std::os::unix::fs::symlink(&victim, folder.path().join("kms.redb.new")).unwrap();
        drop(RedbStore::open(&path).unwrap());
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    #[cfg(unix)]
    fn only_its_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kms.redb");
        drop(RedbStore::open(&path).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
