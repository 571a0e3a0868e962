//! A store whose rows are sealed under the root key, each bound to its table and name.
//!
//! What is in the clear: the names of rows (ARNs and alias names), their number and lengths. A row
//! that was changed or moved is found when the store is opened.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::crypto::random_array;
use crate::crypto::root_key::RootKey;
use crate::crypto::root_key::RowKey;
use crate::keys::store::Change;
use crate::keys::store::Row;
use crate::keys::store::Store;
use crate::keys::store::StoreError;
use crate::keys::store::Table;

/// A store under its root key.
pub struct KeySealer {
    store: Box<dyn Store>,
    key: Arc<RowKey>,
}

/// A row, opened.
pub struct OpenRow {
    /// The table it is in.
    pub table: Table,
    /// Its name within the table.
    pub name: String,
    /// Its bytes.
    pub value: Zeroizing<Vec<u8>>,
}

/// A change before it is sealed.
pub struct OpenChange {
    /// The table it is in.
    pub table: Table,
    /// Its name within the table.
    pub name: String,
    /// Its new bytes; none deletes the row.
    pub value: Option<Zeroizing<Vec<u8>>>,
}

impl KeySealer {
    /// Opens a store and all its rows; an empty one is put under the root key.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: the store is not readable, is of another version, is under another root key,
    /// or was changed by someone else.
    pub fn open(
        store: Box<dyn Store>,
        root_key: &RootKey,
    ) -> Result<(Self, Vec<OpenRow>), OpenError> {
        let rows = store.rows()?;
        let meta = |name: &str| {
            rows.iter()
                .find(|row| row.table == Table::Meta && row.name == name)
                .map(|row| &row.value)
        };
        let Some(schema) = meta(SCHEMA) else {
            if !rows.is_empty() {
                return Err(OpenError::UnknownSchema {
                    found: "none".to_owned(),
                });
            }
            return Self::begin(store, root_key);
        };
        if schema != SCHEMA_VERSION.as_bytes() {
            let found = String::from_utf8_lossy(schema).into_owned();
            return Err(OpenError::UnknownSchema { found });
        }

        let damaged = |row: &str| OpenError::Damaged {
            row: row.to_owned(),
        };
        let salt = meta(SALT).ok_or_else(|| damaged(SALT))?;
        let proof = meta(PROOF).ok_or_else(|| damaged(PROOF))?;
        let key = root_key.row_key(salt);
        key.open(Table::Meta.name(), PROOF, proof)
            .map_err(|_| OpenError::WrongRootKey)?;
        let open = rows
            .iter()
            .filter(|row| row.table != Table::Meta)
            .map(|row| open_row(&key, row))
            .collect::<Result<_, _>>()?;
        let key = Arc::new(key);
        Ok((Self { store, key }, open))
    }

    fn begin(store: Box<dyn Store>, root_key: &RootKey) -> Result<(Self, Vec<OpenRow>), OpenError> {
        let salt = random_array::<32>();
        let key = root_key.row_key(&salt);
        let meta = |name: &str, value: Vec<u8>| Change {
            table: Table::Meta,
            name: name.to_owned(),
            value: Some(value),
        };
        store.commit(vec![
            meta(SCHEMA, SCHEMA_VERSION.as_bytes().to_vec()),
            meta(SALT, salt.to_vec()),
            meta(PROOF, key.seal(Table::Meta.name(), PROOF, b"")),
        ])?;
        let key = Arc::new(key);
        Ok((Self { store, key }, Vec::new()))
    }

    /// Another store under the same key, so that tokens given out open there as well.
    pub(crate) fn with_store(&self, store: Box<dyn Store>) -> Self {
        let key = Arc::clone(&self.key);
        Self { store, key }
    }

    /// Whether the store is durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.store.is_durable()
    }

    /// A text sealed for that kind of token, in base64.
    #[must_use]
    pub fn seal_token(&self, kind: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.seal(TOKENS, kind, text.as_bytes()))
    }

    /// The text of a token of that kind; none if it was not sealed here.
    #[must_use]
    pub fn open_token(&self, kind: &str, token: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = self.key.open(TOKENS, kind, &sealed).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// Seals and does all changes or none; they are durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when they could not be made durable.
    pub fn commit(&self, changes: Vec<OpenChange>) -> Result<(), StoreError> {
        if !self.is_durable() {
            return Ok(());
        }
        let sealed = changes
            .into_iter()
            .map(|OpenChange { table, name, value }| {
                let value = value.map(|value| self.key.seal(table.name(), &name, &value));
                Change { table, name, value }
            })
            .collect();
        self.store.commit(sealed)
    }
}

fn open_row(key: &RowKey, row: &Row) -> Result<OpenRow, OpenError> {
    let value = key
        .open(row.table.name(), &row.name, &row.value)
        .map_err(|_| OpenError::Damaged {
            row: format!("{}/{}", row.table.name(), row.name),
        })?;
    Ok(OpenRow {
        table: row.table,
        name: row.name.clone(),
        value,
    })
}

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The storage itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Every row would fail: the root key is not the one the store was made with.
    #[error("the root key is not the one this key store was made with")]
    WrongRootKey,
    /// Made by another version of this program.
    #[error("the key store has schema version {found}, this program reads {SCHEMA_VERSION}")]
    UnknownSchema {
        /// The version it has.
        found: String,
    },
    /// A row was changed, moved, or lost.
    #[error("the key store is damaged: row {row} cannot be read")]
    Damaged {
        /// Table and name of the row.
        row: String,
    },
}

/// Takes the place of a row's table.
const TOKENS: &str = "tokens";
const SCHEMA: &str = "schema";
const SCHEMA_VERSION: &str = "1";
const SALT: &str = "salt";
const PROOF: &str = "proof";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::store::MemoryStore;
    fn root_key() -> RootKey {
        RootKey::from_bytes([1; 32])
    }

    fn filled() -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::default());
        let (sealer, rows) = KeySealer::open(Box::new(Arc::clone(&store)), &root_key()).unwrap();
        assert!(rows.is_empty());
        let value = Some(Zeroizing::new(b"canary".to_vec()));
        sealer
            .commit(vec![OpenChange {
                table: Table::Keys,
                name: "a".to_owned(),
                value,
            }])
            .unwrap();
        store
    }

    fn reopen(store: &Arc<MemoryStore>, root_key: &RootKey) -> Result<Vec<OpenRow>, OpenError> {
        KeySealer::open(Box::new(Arc::clone(store)), root_key).map(|(_, rows)| rows)
    }

    #[test]
    fn rows_open_again_under_the_same_root_key() {
        let rows = reopen(&filled(), &root_key()).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(*rows[0].value, b"canary");
    }

    #[test]
    fn the_store_never_sees_what_is_in_a_row() {
        let rows = filled().rows().unwrap();
        assert!(
            rows.iter()
                .all(|row| !row.value.windows(6).any(|bytes| bytes == b"canary"))
        );
    }

    #[test]
    fn another_root_key_is_refused() {
        let error = reopen(&filled(), &RootKey::from_bytes([2; 32]))
            .err()
            .unwrap();
        assert!(matches!(error, OpenError::WrongRootKey), "{error}");
    }

    #[test]
    fn an_unknown_schema_is_refused() {
        let store = filled();
        let change = Change {
            table: Table::Meta,
            name: SCHEMA.to_owned(),
            value: Some(b"2".to_vec()),
        };
        store.commit(vec![change]).unwrap();
        let error = reopen(&store, &root_key()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "the key store has schema version 2, this program reads 1"
        );
    }

    #[test]
    fn a_changed_row_is_found_and_named() {
        let store = filled();
        let mut row = store
            .rows()
            .unwrap()
            .into_iter()
            .find(|row| row.name == "a")
            .unwrap();
        row.value[30] ^= 1;
        let change = Change {
            table: row.table,
            name: row.name,
            value: Some(row.value),
        };
        store.commit(vec![change]).unwrap();
        let error = reopen(&store, &root_key()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "the key store is damaged: row keys/a cannot be read"
        );
    }
}
