//! The tables of the index, to read and to write.
//!
//! Keys sort as S3 sorts: by the bytes of the object's key, then from the newest version to the
//! oldest.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::ops::DerefMut;

use redb::Key;
use redb::ReadOnlyTable;
use redb::ReadTransaction;
use redb::ReadableTable;
use redb::Table;
use redb::TableDefinition;
use redb::TableHandle as _;
use redb::Value;
use redb::WriteTransaction;

use crate::embedded::bodies::NewFile;
use crate::embedded::disk::FileId;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Body;
use crate::embedded::index::record::Segment;

/// Bucket, key, and [`age_of`] the version.
pub type VersionKey = (u64, &'static [u8], u64);
/// Bucket, key, upload.
pub type UploadKey = (u64, &'static [u8], u128);
/// Upload and part.
pub type PartKey = (u128, u16);
/// Bucket, kind of configuration, its id where a bucket has several.
pub type ConfigurationKey = (u64, &'static str, &'static str);
/// A record.
pub type Record = &'static [u8];

const BUCKETS: TableDefinition<'_, &str, Record> = TableDefinition::new("buckets");
const VERSIONS: TableDefinition<'_, VersionKey, Record> = TableDefinition::new("versions");
const BODIES: TableDefinition<'_, u64, Record> = TableDefinition::new("bodies");
const FILES: TableDefinition<'_, (u32, u64), ()> = TableDefinition::new("files");
const UPLOADS: TableDefinition<'_, UploadKey, Record> = TableDefinition::new("uploads");
const PARTS: TableDefinition<'_, PartKey, Record> = TableDefinition::new("parts");
const CONFIGURATIONS: TableDefinition<'_, ConfigurationKey, Record> =
    TableDefinition::new("configurations");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// How a number sorts that is greater for what is newer: the newest first.
#[must_use]
pub const fn age_of(number: u64) -> u64 {
    u64::MAX - number
}

/// The index at one moment.
pub struct Snapshot(ReadTransaction);

impl Snapshot {
    /// What a transaction sees.
    #[must_use]
    pub fn new(transaction: ReadTransaction) -> Self {
        Self(transaction)
    }

    /// Buckets by name.
    ///
    /// # Errors
    ///
    /// When the storage fails, as of all tables.
    pub fn buckets(&self) -> Outcome<ReadOnlyTable<&'static str, Record>> {
        Ok(self.0.open_table(BUCKETS)?)
    }

    /// Versions of objects.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn versions(&self) -> Outcome<ReadOnlyTable<VersionKey, Record>> {
        Ok(self.0.open_table(VERSIONS)?)
    }

    /// Bodies in the index, by number.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn bodies(&self) -> Outcome<ReadOnlyTable<u64, Record>> {
        Ok(self.0.open_table(BODIES)?)
    }

    /// Files with bodies that something refers to.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn files(&self) -> Outcome<ReadOnlyTable<(u32, u64), ()>> {
        Ok(self.0.open_table(FILES)?)
    }

    /// Uploads in parts.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn uploads(&self) -> Outcome<ReadOnlyTable<UploadKey, Record>> {
        Ok(self.0.open_table(UPLOADS)?)
    }

    /// Parts of uploads.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn parts(&self) -> Outcome<ReadOnlyTable<PartKey, Record>> {
        Ok(self.0.open_table(PARTS)?)
    }

    /// Configurations of buckets.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn configurations(&self) -> Outcome<ReadOnlyTable<ConfigurationKey, Record>> {
        Ok(self.0.open_table(CONFIGURATIONS)?)
    }
}

/// A table that shows whether it was changed.
pub struct Watched<'txn, K: Key + 'static, V: Value + 'static> {
    table: Table<'txn, K, V>,
    is_changed: bool,
}

impl<'txn, K: Key + 'static, V: Value + 'static> Watched<'txn, K, V> {
    fn open(transaction: &'txn WriteTransaction, name: TableDefinition<'_, K, V>) -> Outcome<Self> {
        Ok(Self {
            table: transaction.open_table(name)?,
            is_changed: false,
        })
    }
}

impl<'txn, K: Key + 'static, V: Value + 'static> Deref for Watched<'txn, K, V> {
    type Target = Table<'txn, K, V>;

    fn deref(&self) -> &Self::Target {
        &self.table
    }
}

/// Only what changes a table needs it like this.
impl<K: Key + 'static, V: Value + 'static> DerefMut for Watched<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.is_changed = true;
        &mut self.table
    }
}

/// The index while changes are made to it.
pub struct Tables<'txn> {
    /// Buckets by name.
    pub buckets: Watched<'txn, &'static str, Record>,
    /// Versions of objects.
    pub versions: Watched<'txn, VersionKey, Record>,
    /// Uploads in parts.
    pub uploads: Watched<'txn, UploadKey, Record>,
    /// Parts of uploads.
    pub parts: Watched<'txn, PartKey, Record>,
    /// Configurations of buckets.
    pub configurations: Watched<'txn, ConfigurationKey, Record>,
    bodies: Watched<'txn, u64, Record>,
    files: Watched<'txn, (u32, u64), ()>,
    numbers: Watched<'txn, &'static str, u64>,
    released: Vec<FileId>,
    placed: Vec<NewFile>,
}

impl<'txn> Tables<'txn> {
    /// Whether an index has all of them.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn are_in(transaction: &ReadTransaction) -> Outcome<bool> {
        let found = transaction.list_tables()?;
        let found: BTreeSet<String> = found.map(|table| table.name().to_owned()).collect();
        let names = [
            BUCKETS.name(),
            VERSIONS.name(),
            BODIES.name(),
            FILES.name(),
            UPLOADS.name(),
            PARTS.name(),
            CONFIGURATIONS.name(),
            NUMBERS.name(),
        ];
        Ok(names.iter().all(|name| found.contains(*name)))
    }

    /// Opens all tables; creates those that are not there.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn open(transaction: &'txn WriteTransaction) -> Outcome<Self> {
        Ok(Self {
            buckets: Watched::open(transaction, BUCKETS)?,
            versions: Watched::open(transaction, VERSIONS)?,
            uploads: Watched::open(transaction, UPLOADS)?,
            parts: Watched::open(transaction, PARTS)?,
            configurations: Watched::open(transaction, CONFIGURATIONS)?,
            bodies: Watched::open(transaction, BODIES)?,
            files: Watched::open(transaction, FILES)?,
            numbers: Watched::open(transaction, NUMBERS)?,
            released: Vec::new(),
            placed: Vec::new(),
        })
    }

    /// A change begins.
    pub fn begin_change(&mut self) {
        self.buckets.is_changed = false;
        self.versions.is_changed = false;
        self.uploads.is_changed = false;
        self.parts.is_changed = false;
        self.configurations.is_changed = false;
        self.bodies.is_changed = false;
        self.files.is_changed = false;
        self.numbers.is_changed = false;
    }

    /// Whether anything may be other than when the change began.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.buckets.is_changed
            || self.versions.is_changed
            || self.uploads.is_changed
            || self.parts.is_changed
            || self.configurations.is_changed
            || self.bodies.is_changed
            || self.files.is_changed
            || self.numbers.is_changed
    }

    /// Makes a step of a change that may fail by itself; its outcome, and whether anything may be other than
    /// before it.
    pub fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let was_changed = self.is_changed();
        self.begin_change();
        let outcome = step(self);
        let is_changed = self.is_changed();
        self.numbers.is_changed |= was_changed;
        (outcome, is_changed)
    }

    /// A number that is greater than all before it.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn next_number(&mut self) -> Outcome<u64> {
        let last = self.numbers.get(LAST)?.map_or(0, |last| last.value());
        let next = last.saturating_add(1);
        self.numbers.insert(LAST, next)?;
        Ok(next)
    }

    /// Stores a small body.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn store_body(&mut self, bytes: &[u8]) -> Outcome<Body> {
        let number = self.next_number()?;
        self.bodies.insert(number, bytes)?;
        Ok(Body::Inline(number))
    }

    /// The bytes of a small body; none if it is not there.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn body(&self, number: u64) -> Outcome<Option<Vec<u8>>> {
        Ok(self.bodies.get(number)?.map(|bytes| bytes.value().to_vec()))
    }

    /// Records that something refers to a file.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn place_file(&mut self, file: NewFile) -> Outcome<Body> {
        let id = file.id();
        self.files.insert((id.folder, id.file), ())?;
        self.placed.push(file);
        Ok(Body::File(id))
    }

    /// Removes bodies to which nothing refers any more.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn release(&mut self, segments: &[Segment]) -> Outcome<()> {
        for segment in segments {
            match segment.body {
                Body::Inline(number) => {
                    self.bodies.remove(number)?;
                }
                Body::File(id) => {
                    if self.files.remove((id.folder, id.file))?.is_some() {
                        self.released.push(id);
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes everything. Numbers go on, so that no version gets the id of an earlier one.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn clear(&mut self) -> Outcome<()> {
        for entry in self.files.iter()? {
            let (folder, file) = entry?.0.value();
            self.released.push(FileId { folder, file });
        }
        self.files.retain(|_, ()| false)?;
        self.buckets.retain(|_, _| false)?;
        self.versions.retain(|_, _| false)?;
        self.uploads.retain(|_, _| false)?;
        self.parts.retain(|_, _| false)?;
        self.configurations.retain(|_, _| false)?;
        self.bodies.retain(|_, _| false)?;
        Ok(())
    }

    /// The files that something refers to since these changes; their names must be durable before the
    /// changes are.
    pub fn take_placed(&mut self) -> Vec<NewFile> {
        std::mem::take(&mut self.placed)
    }

    /// The files that were released, to be removed once the changes are durable.
    pub fn take_released(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.released)
    }
}

/// The name of the last number that was given out.
const LAST: &str = "last";
