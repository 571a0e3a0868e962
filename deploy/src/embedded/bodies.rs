//! Files with the bytes of objects and parts.
//!
//! A file is written and synced under its final name, which nothing refers to until the index does:
//! a crash before that leaves an orphan, which is swept later. A file is removed after the index
//! has durably stopped to refer to it, and not while somebody reads it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::embedded::disk::BodyFile;
use crate::embedded::disk::Disk;
use crate::embedded::disk::FileId;

/// All files with bodies.
#[derive(Debug)]
pub struct Bodies {
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    /// Permits to read far ahead, which takes memory.
    large_reads: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    /// The folder that new files go to.
    folder: u32,
    /// How many went there.
    files: u32,
    /// Files to which the index does not refer yet.
    unowned: HashSet<FileId>,
    /// How many readers a file has.
    readers: HashMap<FileId, u32>,
    /// Files to be removed by their last reader.
    doomed: HashSet<FileId>,
}

impl Bodies {
    /// The bodies on a disk. New ones go to a new folder.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<Arc<Self>> {
        let last = disk.folders()?.into_iter().max();
        let state = State {
            folder: last.map_or(0, |last| last.wrapping_add(1)),
            ..State::default()
        };
        let state = Mutex::new(state);
        let large_reads = Arc::new(Semaphore::new(LARGE_READS));
        Ok(Arc::new(Self {
            disk,
            state,
            large_reads,
        }))
    }

    /// Creates a file.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn create(self: &Arc<Self>) -> io::Result<NewFile> {
        let mut new = self.name()?;
        new.file = Some(self.disk.create(new.id)?);
        Ok(new)
    }

    /// A file with the same bytes as another, which can be removed independently of it.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn link(self: &Arc<Self>, from: FileId) -> io::Result<NewFile> {
        let new = self.name()?;
        self.disk.link(from, new.id)?;
        Ok(new)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// When the disk fails or there is no such file.
    pub fn read(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        self.disk.open(id)
    }

    /// A permit to read far ahead while it is kept, where not too many do.
    pub fn read_far(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.large_reads).try_acquire_owned().ok()
    }

    /// Makes the names of new files durable.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync_names(&self, files: &[NewFile]) -> io::Result<()> {
        let folders: HashSet<u32> = files.iter().map(|file| file.id.folder).collect();
        folders
            .into_iter()
            .try_for_each(|folder| self.disk.sync_folder(folder))
    }

    /// Makes sure that files stay while they are read.
    pub fn pin(self: &Arc<Self>, ids: Vec<FileId>) -> Pins {
        let mut state = self.lock();
        for id in &ids {
            let readers = state.readers.entry(*id).or_default();
            *readers = readers.saturating_add(1);
        }
        Pins {
            bodies: Arc::clone(self),
            ids,
        }
    }

    /// Removes a file to which the index does not refer any more, now or after its last reader.
    pub fn remove(&self, id: FileId) {
        {
            let mut state = self.lock();
            if state.readers.contains_key(&id) {
                state.doomed.insert(id);
                return;
            }
        }
        if let Err(error) = self.disk.remove(id) {
            tracing::warn!(%error, ?id, "a body could not be removed; it is swept later");
        }
    }

    /// Removes all files of which `is_owned` says that the index does not refer to them, and folders
    /// that are empty then; the number of files removed.
    ///
    /// # Errors
    ///
    /// When the disk or `is_owned` fails.
    pub fn sweep<E: From<io::Error>>(
        &self,
        is_owned: impl Fn(FileId) -> Result<bool, E>,
    ) -> Result<u64, E> {
        let mut removed = 0;
        for folder in self.disk.folders()? {
            let files = self.disk.files(folder)?;
            let mut left = files.len();
            for id in files {
                // In this order: a file that is owned by now was not unowned after that.
                let is_new = self.lock().unowned.contains(&id);
                if is_new || is_owned(id)? {
                    continue;
                }
                self.remove(id);
                left = left.saturating_sub(1);
                removed += 1;
            }
            if left == 0 && folder != self.lock().folder {
                // Fails if a file came in meanwhile.
                let _ = self.disk.remove_folder(folder);
            }
        }
        Ok(removed)
    }

    fn name(self: &Arc<Self>) -> io::Result<NewFile> {
        let file = getrandom::u64().map_err(io::Error::other)?;
        let mut state = self.lock();
        if state.files >= FILES_MAX {
            state.files = 0;
            state.folder = state.folder.wrapping_add(1);
        }
        state.files += 1;
        let folder = state.folder;
        let id = FileId { folder, file };
        state.unowned.insert(id);
        Ok(NewFile {
            bodies: Arc::clone(self),
            id,
            file: None,
            is_owned: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file to which the index does not refer yet. Dropped before it does, it is removed.
#[derive(Debug)]
pub struct NewFile {
    bodies: Arc<Bodies>,
    id: FileId,
    file: Option<Box<dyn BodyFile>>,
    is_owned: bool,
}

impl NewFile {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// When the disk fails or is full.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.append(bytes),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Makes its bytes durable and closes it.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(mut file) => file.sync(),
            None => Ok(()),
        }
    }

    /// Leaves the file to the index, which durably refers to it.
    pub fn leave(mut self) {
        self.is_owned = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.file = None;
        if !self.is_owned {
            self.bodies.remove(self.id);
        }
        self.bodies.lock().unowned.remove(&self.id);
    }
}

/// Files that stay as long as this is there.
#[derive(Debug)]
pub struct Pins {
    bodies: Arc<Bodies>,
    ids: Vec<FileId>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut removable = Vec::new();
        let mut state = self.bodies.lock();
        for id in &self.ids {
            let readers = state.readers.get(id).copied().unwrap_or_default();
            if readers > 1 {
                state.readers.insert(*id, readers - 1);
                continue;
            }
            state.readers.remove(id);
            if state.doomed.remove(id) {
                removable.push(*id);
            }
        }
        drop(state);
        for id in removable {
            self.bodies.remove(id);
        }
    }
}

/// Most files in a folder.
const FILES_MAX: u32 = 4_096;

/// Streams that may read far ahead at a time: with the two pieces that each reads ahead, 8 MiB.
const LARGE_READS: usize = 4;
