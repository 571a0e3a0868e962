//! The root key, under which every row of the store is sealed. It is never in the store.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::random_array;
use crate::crypto::xaes::MessageNonce;
use crate::crypto::xaes::NONCE_BYTES;
use crate::crypto::xaes::TAG_BYTES;
use crate::crypto::xaes::Xaes256Gcm;

/// The secret that everything stored depends on: 32 bytes.
///
/// Neither `Clone` nor `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootKey([u8; ROOT_KEY_BYTES]);

impl RootKey {
    /// A fresh random root key.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_array())
    }

    /// The root key of these 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; ROOT_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The root key of 64 hex digits, as a key file holds it; white space around them is fine.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = Self([0; ROOT_KEY_BYTES]);
        hex::decode_to_slice(text.trim(), &mut key.0).ok()?;
        Some(key)
    }

    /// 64 hex digits, to be written to a key file and nowhere else.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    /// The key that seals the rows of the store with that salt.
    #[must_use]
    pub fn row_key(&self, salt: &[u8]) -> RowKey {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand(ROW_KEY_LABEL, key.as_mut_slice())
            .expect("32 bytes are within HKDF's limit");
        RowKey(Xaes256Gcm::new(&key))
    }
}

/// Seals the rows of one store, each bound to its place there.
pub struct RowKey(Xaes256Gcm);

impl RowKey {
    /// Seals the value of the row `row` of `table`.
    #[must_use]
    pub fn seal(&self, table: &str, row: &str, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(NONCE_BYTES + value.len() + TAG_BYTES);
        let nonce = MessageNonce::fresh();
        self.0.seal(nonce, &place(table, row), value, &mut out);
        out
    }

    /// The value of the row `row` of `table`.
    ///
    /// # Errors
    ///
    /// [`Unauthentic`] under another root key, or when the row was changed or moved.
    pub fn open(
        &self,
        table: &str,
        row: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(Unauthentic)?;
        self.0.open(nonce, &place(table, row), sealed)
    }
}

fn place(table: &str, row: &str) -> Vec<u8> {
    [table.as_bytes(), b"\0", row.as_bytes()].concat()
}

/// Bytes of a root key.
pub const ROOT_KEY_BYTES: usize = 32;

const ROW_KEY_LABEL: &[u8] = b"sealgate kms store rows v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_opens_only_in_its_place() {
        let key = RootKey::from_bytes([1; 32]).row_key(b"salt");
        let sealed = key.seal("keys", "a", b"value");
        assert_eq!(*key.open("keys", "a", &sealed).unwrap(), b"value");
        assert!(key.open("keys", "b", &sealed).is_err());
        assert!(key.open("grants", "a", &sealed).is_err());
        assert!(key.open("keys", "a", &sealed[1..]).is_err());
        assert!(key.open("keys", "a", &[]).is_err());
    }

    #[test]
    fn another_root_key_or_salt_opens_nothing() {
        let sealed = RootKey::from_bytes([1; 32])
            .row_key(b"salt")
            .seal("keys", "a", b"value");
        let other_root = RootKey::from_bytes([2; 32]).row_key(b"salt");
        let other_salt = RootKey::from_bytes([1; 32]).row_key(b"pepper");
        assert!(other_root.open("keys", "a", &sealed).is_err());
        assert!(other_salt.open("keys", "a", &sealed).is_err());
    }

    #[test]
    fn a_key_file_may_end_in_a_newline() {
        let key = RootKey::generate();
        let text = format!("{}\n", key.to_hex().as_str());
        assert_eq!(RootKey::from_hex(&text).unwrap().to_hex(), key.to_hex());
        assert!(RootKey::from_hex("00").is_none());
    }
}
