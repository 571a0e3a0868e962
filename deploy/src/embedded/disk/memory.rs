//! Memory as the disk, for a store that ends with the process.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::embedded::disk::BodyFile;
use crate::embedded::disk::Disk;
use crate::embedded::disk::FileId;
use crate::embedded::disk::IndexFile;

/// A disk in memory. It is never full, and what it has is gone with it.
#[derive(Debug, Default)]
pub struct Memory {
    index: File,
    bodies: Mutex<BTreeMap<FileId, File>>,
}

/// The bytes of a file, which lasts until its last name and its last reader are gone.
#[derive(Clone, Debug, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bodies(&self) -> MutexGuard<'_, BTreeMap<FileId, File>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for Memory {
    fn open_index(&self) -> io::Result<Box<dyn IndexFile>> {
        Ok(Box::new(self.index.clone()))
    }

    fn create(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        let mut bodies = self.bodies();
        if bodies.contains_key(&id) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = File::default();
        bodies.insert(id, file.clone());
        Ok(Box::new(file))
    }

    fn open(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        let file = self.bodies().get(&id).cloned();
        Ok(Box::new(file.ok_or(io::ErrorKind::NotFound)?))
    }

    fn link(&self, from: FileId, to: FileId) -> io::Result<()> {
        let mut bodies = self.bodies();
        let file = bodies.get(&from).cloned().ok_or(io::ErrorKind::NotFound)?;
        bodies.insert(to, file);
        Ok(())
    }

    fn remove(&self, id: FileId) -> io::Result<()> {
        self.bodies().remove(&id);
        Ok(())
    }

    fn sync_folder(&self, _folder: u32) -> io::Result<()> {
        Ok(())
    }

    fn folders(&self) -> io::Result<Vec<u32>> {
        let mut folders: Vec<u32> = self.bodies().keys().map(|id| id.folder).collect();
        folders.dedup();
        Ok(folders)
    }

    fn files(&self, folder: u32) -> io::Result<Vec<FileId>> {
        let bodies = self.bodies();
        let files = bodies.keys().filter(|id| id.folder == folder);
        Ok(files.copied().collect())
    }

    // A folder is there as long as it has files.
    fn remove_folder(&self, folder: u32) -> io::Result<()> {
        match self.bodies().keys().any(|id| id.folder == folder) {
            true => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            false => Ok(()),
        }
    }
}

impl File {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the `length` bytes from `offset` on.
    fn with<T>(&self, offset: u64, length: usize, with: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let bytes = self.bytes();
        let from = usize::try_from(offset).ok();
        let found = from.and_then(|from| bytes.get(from..from.checked_add(length)?));
        Ok(with(found.ok_or(io::ErrorKind::UnexpectedEof)?))
    }
}

impl BodyFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.with(offset, length, <[u8]>::to_vec)
    }
}

impl IndexFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let length = buffer.len();
        self.with(offset, length, |bytes| buffer.copy_from_slice(bytes))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = usize::try_from(offset).ok();
        let range = end.and_then(|from| Some(from..from.checked_add(bytes.len())?));
        let range = range.ok_or(io::ErrorKind::OutOfMemory)?;
        let mut file = self.bytes();
        if file.len() < range.end {
            file.resize(range.end, 0);
        }
        let place = file.get_mut(range).ok_or(io::ErrorKind::OutOfMemory)?;
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.bytes().resize(length, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: FileId = FileId { folder: 1, file: 7 };
    const SECOND: FileId = FileId { folder: 2, file: 8 };

    #[test]
    fn a_second_name_of_a_body_is_there_when_the_first_is_removed() {
        let memory = Memory::default();
        memory.create(FIRST).unwrap().append(b"body").unwrap();
        memory.link(FIRST, SECOND).unwrap();
        memory.remove(FIRST).unwrap();
        assert!(memory.open(FIRST).is_err());
        let body = memory.open(SECOND).unwrap();
        assert_eq!(body.read(1, 3).unwrap(), b"ody");
        assert!(body.read(2, 3).is_err(), "it is shorter");
        assert_eq!(memory.folders().unwrap(), [2]);
        assert!(memory.remove_folder(2).is_err());
    }

    #[test]
    fn a_body_is_not_created_twice_and_the_index_is_zero_where_nothing_was_written() {
        let memory = Memory::default();
        memory.create(FIRST).unwrap();
        let again = memory.create(FIRST).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        memory.open_index().unwrap().write_at(b"x", 2).unwrap();
        let index = memory.open_index().unwrap();
        let mut read = [9; 3];
        index.read_at(&mut read, 0).unwrap();
        assert_eq!((&read, index.length().unwrap()), (b"\0\0x", 3));
    }
}
