//! Data keys, and the salts that make each segment's keys its own.

use zeroize::Zeroizing;

use crate::chunks::cipher;
use crate::chunks::cipher::DerivationKey;
use crate::chunks::layout::KEY_BYTES;
use crate::chunks::layout::SALT_BYTES;
use crate::chunks::random::Random;

/// The key of exactly one object.
///
/// Neither `Clone` nor `Debug`: it is derived from or wrapped, never shown. Every segment of the
/// object is sealed under keys derived from it and from a salt of the segment's own.
pub struct DataKey(DerivationKey);

impl DataKey {
    /// A new key from the random source.
    pub fn generate(random: &dyn Random) -> Self {
        Self(DerivationKey::generate(random))
    }

    /// The key a key service handed out.
    ///
    /// # Errors
    ///
    /// [`KeyLength`] unless there are exactly [`KEY_BYTES`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLength> {
        DerivationKey::from_slice(bytes).map(Self).ok_or(KeyLength)
    }

    /// The key that the object's part table is sealed under.
    ///
    /// It opens no part. Under SSE-C, whoever completes an upload need not send the customer's key
    /// again, so this key is all that the gateway stores while the upload lasts.
    #[must_use]
    pub fn for_footer(&self) -> Self {
        let derived = self.expand::<KEY_BYTES>(&[FOOTER_LABEL]);
        let key = DerivationKey::from_slice(derived.as_slice());
        Self(key.expect("it has the length of a key"))
    }

    /// The salt of the footer that seals this part table, where this is the footer key.
    pub(crate) fn footer_salt(&self, table: &[u8]) -> Salt {
        let digest = cipher::sha512(table);
        Salt(*self.expand(&[FOOTER_SALT_LABEL, &digest]))
    }

    /// `N` bytes derived from the key for one use, which `info` names: see [`DerivationKey::expand`].
    pub(crate) fn expand<const N: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        self.0.expand(info)
    }

    /// The key itself, for the modules that derive from it or wrap it.
    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose()
    }
}

/// The keys of an object: its data key, and under DSSE-KMS the outer layer's.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The data key.
    pub data: &'a DataKey,
    /// The data key of the outer layer.
    pub outer: Option<&'a DataKey>,
}

impl<'a> From<&'a DataKey> for Keys<'a> {
    fn from(data: &'a DataKey) -> Self {
        Self { data, outer: None }
    }
}

/// The value that makes the keys of one attempt to write a segment its own: random, except in front of a
/// footer.
///
/// Not a secret: it is stored in clear in front of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub(crate) [u8; SALT_BYTES]);

impl Salt {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        Self(salt)
    }

    /// The salt's bytes as they are stored.
    pub fn as_bytes(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }
}

/// A key of another length than AES-256 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a data key has {KEY_BYTES} bytes")]
pub struct KeyLength;

/// Names the use of a data key as the footer's; the zero byte ends the name.
const FOOTER_LABEL: &[u8] = b"sealgate/footer@v1\0";

/// Names the use of a footer key for a footer's salt; the zero byte ends the name.
const FOOTER_SALT_LABEL: &[u8] = b"sealgate/footer-salt@v1\0";
