//! A disk in memory that remembers all that was done to it, and fails when it is told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;

use crate::embedded::disk::BodyFile;
use crate::embedded::disk::Disk;
use crate::embedded::disk::FileId;
use crate::embedded::disk::IndexFile;

/// What was done to a disk.
#[derive(Clone, Debug)]
pub(super) enum Act {
    WriteIndex { at: usize, bytes: Vec<u8> },
    SetLength(usize),
    SyncIndex,
    Create(FileId),
    Append(FileId, Vec<u8>),
    SyncFile(FileId),
    Link(FileId, FileId),
    Remove(FileId),
    SyncFolder(u32),
}

/// What is on a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) index: Vec<u8>,
    pub(super) files: BTreeMap<FileId, Vec<u8>>,
}

impl Image {
    pub(super) fn apply(&mut self, act: &Act) {
        match act {
            Act::WriteIndex { at, bytes } => {
                let end = at + bytes.len();
                if self.index.len() < end {
                    self.index.resize(end, 0);
                }
                self.index[*at..end].copy_from_slice(bytes);
            }
            Act::SetLength(length) => self.index.resize(*length, 0),
            Act::Create(id) => {
                self.files.insert(*id, Vec::new());
            }
            Act::Append(id, bytes) => self.files.entry(*id).or_default().extend(bytes),
            Act::Link(from, to) => {
                let bytes = self.files.get(from).cloned().unwrap_or_default();
                self.files.insert(*to, bytes);
            }
            Act::Remove(id) => {
                self.files.remove(id);
            }
            Act::SyncIndex | Act::SyncFile(_) | Act::SyncFolder(_) => {}
        }
    }
}

/// How a disk fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// How many acts succeed before.
    pub(super) after: usize,
    /// How many fail then.
    pub(super) lasts: usize,
    /// The system's number of the error.
    pub(super) errno: i32,
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    acts: Vec<Act>,
    failure: Option<Failure>,
    failed: usize,
    opened: usize,
    is_full: bool,
}

impl State {
    /// Whether an act needs space that was not taken yet. The index has holes, as files have.
    fn needs_space(&self, act: &Act) -> bool {
        let blocks = |act: &Act| match act {
            Act::WriteIndex { at, bytes } => at / BLOCK..(at + bytes.len()).div_ceil(BLOCK),
            _ => 0..0,
        };
        let has = |block| self.acts.iter().any(|act| blocks(act).contains(&block));
        match act {
            Act::WriteIndex { .. } => !blocks(act).all(has),
            Act::Create(_) | Act::Append(..) | Act::Link(..) => true,
            _ => false,
        }
    }
}

/// What a disk has space for at a time.
const BLOCK: usize = 4096;

/// A disk in memory.
#[derive(Debug, Default)]
pub(super) struct TestDisk(Arc<Mutex<State>>);

impl TestDisk {
    /// A disk with this on it, all of it durable.
    pub(super) fn with(image: Image) -> Arc<Self> {
        let state = State {
            image,
            ..State::default()
        };
        Arc::new(Self(Arc::new(Mutex::new(state))))
    }

    pub(super) fn acts_done(&self) -> usize {
        self.0.lock().unwrap().acts.len()
    }

    pub(super) fn acts(&self) -> Vec<Act> {
        self.0.lock().unwrap().acts.clone()
    }

    pub(super) fn files(&self) -> usize {
        self.0.lock().unwrap().image.files.len()
    }

    /// How often a file with a body was opened.
    pub(super) fn opened(&self) -> usize {
        self.0.lock().unwrap().opened
    }

    /// Fails from now on as `failure` says; `None`: no more.
    pub(super) fn fail(&self, failure: Option<Failure>) {
        let mut state = self.0.lock().unwrap();
        state.failure = failure;
        state.failed = 0;
    }

    /// From now on there is no space, or there is again.
    pub(super) fn fill(&self, is_full: bool) {
        self.0.lock().unwrap().is_full = is_full;
    }

    /// How many acts failed since.
    pub(super) fn failed(&self) -> usize {
        self.0.lock().unwrap().failed
    }

    fn act(state: &Mutex<State>, act: Act) -> io::Result<()> {
        let mut state = state.lock().unwrap();
        if state.is_full && state.needs_space(&act) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(failure) = &mut state.failure {
            match (failure.after, failure.lasts) {
                (0, 0) => {}
                (0, _) => {
                    failure.lasts -= 1;
                    let errno = failure.errno;
                    state.failed += 1;
                    // Half of a write may have happened.
                    if let Act::WriteIndex { at, bytes } = act {
                        let bytes = bytes[..bytes.len() / 2].to_vec();
                        state.image.apply(&Act::WriteIndex { at, bytes });
                    }
                    return Err(io::Error::from_raw_os_error(errno));
                }
                _ => failure.after -= 1,
            }
        }
        state.image.apply(&act);
        state.acts.push(act);
        Ok(())
    }
}

impl Disk for TestDisk {
    fn open_index(&self) -> io::Result<Box<dyn IndexFile>> {
        Ok(Box::new(TestIndex(Arc::clone(&self.0))))
    }

    fn create(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        Self::act(&self.0, Act::Create(id))?;
        Ok(Box::new(TestFile(Arc::clone(&self.0), id)))
    }

    fn open(&self, id: FileId) -> io::Result<Box<dyn BodyFile>> {
        let mut state = self.0.lock().unwrap();
        state.opened += 1;
        match state.image.files.contains_key(&id) {
            true => Ok(Box::new(TestFile(Arc::clone(&self.0), id))),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn link(&self, from: FileId, to: FileId) -> io::Result<()> {
        Self::act(&self.0, Act::Link(from, to))
    }

    fn remove(&self, id: FileId) -> io::Result<()> {
        Self::act(&self.0, Act::Remove(id))
    }

    fn sync_folder(&self, folder: u32) -> io::Result<()> {
        Self::act(&self.0, Act::SyncFolder(folder))
    }

    fn folders(&self) -> io::Result<Vec<u32>> {
        let state = self.0.lock().unwrap();
        let mut folders: Vec<u32> = state.image.files.keys().map(|id| id.folder).collect();
        folders.dedup();
        Ok(folders)
    }

    fn files(&self, folder: u32) -> io::Result<Vec<FileId>> {
        let state = self.0.lock().unwrap();
        let files = state.image.files.keys().copied();
        Ok(files.filter(|id| id.folder == folder).collect())
    }

    fn remove_folder(&self, _folder: u32) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct TestFile(Arc<Mutex<State>>, FileId);

impl BodyFile for TestFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        TestDisk::act(&self.0, Act::Append(self.1, bytes.to_vec()))
    }

    fn sync(&mut self) -> io::Result<()> {
        TestDisk::act(&self.0, Act::SyncFile(self.1))
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let file = state.image.files.get(&self.1);
        let bytes = file.and_then(|bytes| bytes.get(at..at + length));
        Ok(bytes.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }
}

#[derive(Debug)]
struct TestIndex(Arc<Mutex<State>>);

impl IndexFile for TestIndex {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().image.index.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let bytes = state.image.index.get(at..at + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let bytes = bytes.to_vec();
        TestDisk::act(&self.0, Act::WriteIndex { at, bytes })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        TestDisk::act(&self.0, Act::SetLength(length))
    }

    fn sync(&self) -> io::Result<()> {
        TestDisk::act(&self.0, Act::SyncIndex)
    }
}
