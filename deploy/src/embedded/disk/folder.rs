//! A folder of the file system as the disk.
//!
//! ```text
//! <folder>/index.redb          the index
//! <folder>/lock                locked while a process uses the folder; not empty once an index was there
//! <folder>/bodies/0000002a/    a folder of bodies, by its number
//!     00c0ffee00c0ffee         a body, by its number
//! ```

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustix::buffer::spare_capacity;
use rustix::io::pread;
use rustix::io::retry_on_intr;

use crate::embedded::disk::BodyFile;
use crate::embedded::disk::Disk;
use crate::embedded::disk::FileId;
use crate::embedded::disk::IndexFile;

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A loss of power.
    Full,
    /// The end of the process, but not a loss of power: nothing is synced.
    None,
}

/// A folder of the file system.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    durability: Durability,
    /// The folder of bodies whose own name is durable; bodies go to one after the other.
    named: Mutex<Option<u32>>,
    /// Locked as long as it is open.
    lock: File,
}

impl Folder {
    /// Opens the folder, which must exist; nobody else can until this is dropped.
    ///
    /// # Errors
    ///
    /// When another process uses the folder, or it cannot be written.
    pub fn open(root: &Path, durability: Durability) -> io::Result<Self> {
        let lock = private().truncate(false).open(root.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("another sealgate uses the folder {}", root.display());
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        create_folder(&root.join(BODIES))?;
        Ok(Self {
            root: root.to_owned(),
            durability,
            named: Mutex::new(None),
            lock,
        })
    }

    /// Whether an index was here before, or files are that one referred to.
    fn was_used(&self) -> io::Result<bool> {
        if self.lock.metadata()?.len() > 0 {
            return Ok(true);
        }
        for folder in self.folders()? {
            if !self.files(folder)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that an index is here, so that its loss is not taken for a new folder.
    fn note_use(&self) -> io::Result<()> {
        if self.lock.metadata()?.len() == 0 {
            self.lock.write_all_at(USED, 0)?;
            if self.is_durable() {
                self.lock.sync_all()?;
            }
        }
        Ok(())
    }

    fn folder(&self, folder: u32) -> PathBuf {
        self.root.join(BODIES).join(format!("{folder:08x}"))
    }

    fn file(&self, id: FileId) -> PathBuf {
        self.folder(id.folder).join(format!("{:016x}", id.file))
    }

    fn is_durable(&self) -> bool {
        self.durability == Durability::Full
    }
}

impl Disk for Folder {
    fn open_index(&self) -> io::Result<Box<dyn IndexFile>> {
        let path = self.root.join(INDEX);
        let is_new = !path.exists();
        match std::fs::metadata(&path).map_or(0, |it| it.len()) {
            // An empty index would refer to none of the files here, and they would be swept.
            0 if self.was_used()? => return Err(io::Error::other(LOST)),
            _ => {}
        }
        let file = private().truncate(false).open(path)?;
        if is_new && self.is_durable() {
            File::open(&self.root)?.sync_all()?;
        }
        let is_durable = self.is_durable();
        Ok(Box::new(OnDisk { file, is_durable }))
    }

    fn note_index(&self) {
        // A full disk keeps nothing from being read: the next start notes it.
        drop(self.note_use());
    }

    fn create(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = match options.open(self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_folder(&self.folder(id.folder))?;
                options.open(self.file(id))?
            }
            opened => opened?,
        };
        let is_durable = self.is_durable();
        Ok(Box::new(OnDisk { file, is_durable }))
    }

    fn open(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        let file = File::open(self.file(id))?;
        let is_durable = self.is_durable();
        Ok(Box::new(OnDisk { file, is_durable }))
    }

    fn link(&self, from: FileId, to: FileId) -> io::Result<()> {
        create_folder(&self.folder(to.folder))?;
        std::fs::hard_link(self.file(from), self.file(to))
    }

    fn remove(&self, id: FileId) -> io::Result<()> {
        match std::fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_folder(&self, folder: u32) -> io::Result<()> {
        if !self.is_durable() {
            return Ok(());
        }
        File::open(self.folder(folder))?.sync_all()?;
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if *named != Some(folder) {
            File::open(self.root.join(BODIES))?.sync_all()?;
            *named = Some(folder);
        }
        Ok(())
    }

    fn folders(&self) -> io::Result<Vec<u32>> {
        let entries = std::fs::read_dir(self.root.join(BODIES))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names
            .filter_map(|name| u32::from_str_radix(&name, 16).ok())
            .collect())
    }

    fn files(&self, folder: u32) -> io::Result<Vec<FileId>> {
        let entries = std::fs::read_dir(self.folder(folder))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let numbers = names.filter_map(|name| u64::from_str_radix(&name, 16).ok());
        Ok(numbers.map(|file| FileId { folder, file }).collect())
    }

    fn remove_folder(&self, folder: u32) -> io::Result<()> {
        std::fs::remove_dir(self.folder(folder))
    }
}

/// A file of the file system.
#[derive(Debug)]
struct OnDisk {
    file: File,
    is_durable: bool,
}

impl BodyFile for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        IndexFile::sync(self)
    }

    /// Into memory that is not cleared before, as `std` would have to.
    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = offset.saturating_add(bytes.len() as u64);
            let read = retry_on_intr(|| pread(&self.file, spare_capacity(&mut bytes), at))?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        bytes.truncate(length); // there may be room for more than was asked for
        Ok(bytes)
    }
}

impl IndexFile for OnDisk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        match self.is_durable {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)
}

const BODIES: &str = "bodies";
const INDEX: &str = "index.redb";
const LOCK: &str = "lock";

/// What is written into the lock once an index was there.
const USED: &[u8] = b"used\n";

/// What is wrong with a folder whose index is gone.
const LOST: &str = "its index, index.redb, is missing or empty: put the folder back from a backup, or remove all of it \
                    to begin anew";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::open(folder.path(), Durability::Full).unwrap();
        let second = Folder::open(folder.path(), Durability::Full).unwrap_err();
        assert!(second.to_string().contains("another sealgate uses"));
        drop(first);
        Folder::open(folder.path(), Durability::Full).unwrap();
    }

    #[test]
    fn an_index_that_is_lost_is_an_error_and_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Folder::open(folder.path(), Durability::Full).unwrap();
        disk.open_index().unwrap();
        // Not made yet: a start that was killed is no loss.
        disk.open_index().unwrap().set_length(1).unwrap();
        disk.note_index();
        for damage in [
            |path: &Path| File::create(path).map(drop),
            |path: &Path| std::fs::remove_file(path),
        ] {
            damage(&folder.path().join(INDEX)).unwrap();
            let error = disk.open_index().unwrap_err();
            assert!(error.to_string().contains("index.redb"), "{error}");
        }
    }

    #[test]
    fn bodies_without_an_index_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Folder::open(folder.path(), Durability::Full).unwrap();
        disk.create(FileId { folder: 1, file: 2 }).unwrap();
        assert!(disk.open_index().is_err());
    }
}
