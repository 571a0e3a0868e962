//! The disk under the embedded backend, and all that is ever done to it.
//!
//! There is one index file and there are bodies: files by number in numbered folders. Nothing that
//! a client sends is part of a path. The trait exists so that tests can fail, tear and reorder what
//! a disk does.

use std::fmt::Debug;
use std::io;

mod folder;
mod memory;

pub use folder::Durability;
pub use folder::Folder;
pub use memory::Memory;

/// The name of a body: its folder and its file.
///
/// Folders are filled one after the other, so that most commits have to sync one folder only. The
/// file's number is random.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct FileId {
    /// Number of the folder.
    pub folder: u32,
    /// Number of the file.
    pub file: u64,
}

/// A disk with one index and many bodies.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens the index file; creates it if it is not there.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn open_index(&self) -> io::Result<Box<dyn IndexFile>>;

    /// Notes that the index is made: from then on an absent or empty one is an error, as what it referred to would be
    /// taken for what nobody needs. A disk that cannot note it goes on without.
    fn note_index(&self) {}

    /// Creates a file, and its folder if that is not there. The file must not exist.
    ///
    /// # Errors
    ///
    /// When the disk fails or the file exists.
    fn create(&self, id: FileId) -> io::Result<Box<dyn BodyFile>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// When the disk fails or there is no such file.
    fn open(&self, id: FileId) -> io::Result<Box<dyn BodyFile>>;

    /// Gives a file a second name, so that each can be removed without the other.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn link(&self, from: FileId, to: FileId) -> io::Result<()>;

    /// Removes a file. A file that is not there is no error.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn remove(&self, id: FileId) -> io::Result<()>;

    /// Makes the names in a folder, and the folder's own, durable.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn sync_folder(&self, folder: u32) -> io::Result<()>;

    /// Numbers of the folders there are, in no order.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn folders(&self) -> io::Result<Vec<u32>>;

    /// The files in a folder, in no order.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn files(&self, folder: u32) -> io::Result<Vec<FileId>>;

    /// Removes a folder if it is empty.
    ///
    /// # Errors
    ///
    /// When it is not empty or the disk fails.
    fn remove_folder(&self, folder: u32) -> io::Result<()>;
}

/// One file with bytes of bodies.
pub trait BodyFile: Debug + Send + Sync {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the disk fails or is full.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was appended durable.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn sync(&mut self) -> io::Result<()>;

    /// The `length` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When the disk fails or the file is shorter.
    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
}

/// The file of the index. As `redb::StorageBackend`, of which it is what a disk must do.
pub trait IndexFile: Debug + Send + Sync {
    /// Number of its bytes.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When the disk fails or the file is shorter.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// When the disk fails or is full.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Sets the number of bytes; new ones are zero.
    ///
    /// # Errors
    ///
    /// When the disk fails or is full.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes all that was written durable.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    fn sync(&self) -> io::Result<()>;
}
