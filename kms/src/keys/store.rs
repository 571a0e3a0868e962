//! Where keys are stored: the one seam between the working set and what survives a restart.
//!
//! A store holds rows of bytes that it cannot read. It promises that [`Store::commit`] does all of
//! its changes or none, and that they are durable when it returns.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

/// A part of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What the store is: schema version, salt, proof of the root key. Not sealed.
    Meta,
    /// One row for each key, without its material.
    Keys,
    /// One row for each key material.
    Materials,
    /// One row for each alias.
    Aliases,
    /// One row for each custom key store.
    KeyStores,
}

impl Table {
    /// All tables.
    pub const ALL: &[Self] = &[
        Self::Meta,
        Self::Keys,
        Self::Materials,
        Self::Aliases,
        Self::KeyStores,
    ];

    /// The table's name in the store; never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Keys => "keys",
            Self::Materials => "materials",
            Self::Aliases => "aliases",
            Self::KeyStores => "key_stores",
        }
    }
}

/// A row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The table it is in.
    pub table: Table,
    /// Its name within the table.
    pub name: String,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// A row to be written, or deleted if it has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table it is in.
    pub table: Table,
    /// Its name within the table.
    pub name: String,
    /// Its new bytes.
    pub value: Option<Vec<u8>>,
}

/// A place for rows.
pub trait Store: Send + Sync {
    /// All rows.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when they cannot be read.
    fn rows(&self) -> Result<Vec<Row>, StoreError>;

    /// Does all changes or none; they are durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when they could not be made durable; then none is done.
    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// Whether anything is stored at all; changes need not be handed to a store that stores nothing.
    fn is_durable(&self) -> bool {
        true
    }
}

/// A store that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the key store failed: {0}")]
pub struct StoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A store in memory, for fixtures and tests. Nothing survives it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<BTreeMap<(Table, String), Vec<u8>>>,
}

impl Store for MemoryStore {
    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rows
            .iter()
            .map(|((table, name), value)| Row {
                table: *table,
                name: name.clone(),
                value: value.clone(),
            })
            .collect())
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for Change { table, name, value } in changes {
            match value {
                Some(value) => rows.insert((table, name), value),
                None => rows.remove(&(table, name)),
            };
        }
        Ok(())
    }
}

/// A store of nothing, for a KMS whose keys live in its working set alone.
#[derive(Clone, Copy, Debug)]
pub struct NoStore;

impl Store for NoStore {
    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }

    fn commit(&self, _changes: Vec<Change>) -> Result<(), StoreError> {
        Ok(())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        (**self).rows()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        (**self).commit(changes)
    }

    fn is_durable(&self) -> bool {
        (**self).is_durable()
    }
}
