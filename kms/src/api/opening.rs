//! What is opened: a ciphertext as it was sent, and the plaintext in it.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::authorize::Cryptography;
use crate::authorize::Permitted;

/// What is to be opened.
pub(crate) struct Source<'a> {
    pub(crate) blob: Option<&'a [u8]>,
    /// The key that the request names, if it names one.
    pub(crate) key_id: Option<&'a str>,
    pub(crate) context: &'a BTreeMap<String, String>,
    pub(crate) algorithm: &'a str,
    pub(crate) action: &'static str,
    /// A dry run that looks at permissions alone.
    pub(crate) authorization_only: bool,
}

/// What was opened, and by which key.
pub(crate) struct Opened {
    pub(crate) permit: Permitted<Cryptography>,
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    /// Of symmetric keys only, as at AWS.
    pub(crate) material_id: Option<String>,
}
