//! The key that seals sessions into tokens and opens them.

use std::fmt;

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::identity::Secret;
use crate::session::ACCESS_KEY_PREFIX;
use crate::session::OpenedSession;
use crate::session::SESSION_TOKEN_BYTES_MAX;
use crate::session::Session;
use crate::session::SessionCredentials;
use crate::session::SessionError;
use crate::session::SessionTooLarge;
use crate::time::Timestamp;

/// The key of all sessions, 32 random bytes that the services share.
#[derive(Clone)]
pub struct SessionKey(Zeroizing<[u8; KEY_BYTES]>);

impl SessionKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// [`SessionKeyError::NoRandomness`] when the system has none.
    pub fn random() -> Result<Self, SessionKeyError> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The key that is written as 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`SessionKeyError::Malformed`] for any other text.
    pub fn from_hex(text: &str) -> Result<Self, SessionKeyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(text, &mut key[..]).map_err(|_| SessionKeyError::Malformed)?;
        Ok(Self(key))
    }

    /// The key as 64 hexadecimal digits, for the file that stores it.
    #[must_use]
    pub fn to_hex(&self) -> Secret {
        Secret::new(hex::encode(&self.0[..]))
    }

    /// Makes the credentials of a session. Its times count in whole seconds.
    ///
    /// # Errors
    ///
    /// [`IssueError`] when policy and tags are too large, or the system has no randomness.
    pub fn issue(&self, session: &Session) -> Result<SessionCredentials, IssueError> {
        let too_large = || IssueError::TooLarge(SessionTooLarge(session.packed_percent()));
        if session.packed_percent() > 100 {
            return Err(too_large());
        }

        let salt = random::<SALT_BYTES>()?;
        let derived = self.derive(&salt);
        let mut sealed = serde_json::to_vec(session).expect("a session is texts and numbers");
        let tag = derived
            .aead
            .seal_in_place_separate_tag(derived.nonce, Aad::from(PREFIX), &mut sealed)
            .expect("a session is far shorter than GCM's limit");
        let body = [&salt, &sealed[..], tag.as_ref()].concat();
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(body));
        if token.len() > SESSION_TOKEN_BYTES_MAX {
            return Err(too_large());
        }

        Ok(SessionCredentials {
            access_key_id: derived.access_key_id,
            secret_access_key: derived.secret_access_key,
            token: Secret::new(token),
        })
    }

    /// Opens the token that came with a request of that access key.
    ///
    /// # Errors
    ///
    /// [`SessionError`]. That a session ended is reported for a token of this key only.
    pub fn open(
        &self,
        token: &str,
        access_key_id: &str,
        now: Timestamp,
    ) -> Result<OpenedSession, SessionError> {
        let (session, derived) = self.unseal(token).ok_or(SessionError::Invalid)?;
        // An access key id is no secret, so it may be compared in any time.
        if derived.access_key_id != access_key_id {
            return Err(SessionError::Invalid);
        }

        if now >= session.expires {
            return Err(SessionError::Expired(session.expires));
        }

        Ok(OpenedSession {
            session,
            secret_access_key: derived.secret_access_key,
        })
    }

    /// Opens the token of a request that a trusted service received, checked and acts for.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_forwarded(&self, token: &str, now: Timestamp) -> Result<Session, SessionError> {
        let (session, _) = self.unseal(token).ok_or(SessionError::Invalid)?;
        if now >= session.expires {
            return Err(SessionError::Expired(session.expires));
        }
        Ok(session)
    }

    fn unseal(&self, token: &str) -> Option<(Session, Identity)> {
        if token.len() > SESSION_TOKEN_BYTES_MAX {
            return None;
        }

        let body = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (salt, sealed) = body.split_first_chunk::<SALT_BYTES>()?;
        let derived = self.derive(salt);
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(PREFIX);
        let opened = derived.aead.open_in_place(derived.nonce, aad, &mut sealed);
        let session = serde_json::from_slice(opened.ok()?).ok()?;
        let identity = Identity {
            access_key_id: derived.access_key_id,
            secret_access_key: derived.secret_access_key,
        };
        Some((session, identity))
    }

    fn derive(&self, salt: &[u8; SALT_BYTES]) -> Derived {
        let hkdf = Hkdf::<Sha256>::new(Some(salt), &self.0[..]);
        let key = Zeroizing::new(expand::<KEY_BYTES>(&hkdf, "key"));
        let secret = Zeroizing::new(expand::<30>(&hkdf, "secret access key"));
        let letters = expand::<16>(&hkdf, "access key id").map(|byte| {
            let letter = BASE32.get(usize::from(byte % 32));
            char::from(*letter.expect("there are 32 letters"))
        });
        let unbound =
            UnboundKey::new(&AES_256_GCM, &key[..]).expect("AES-256's keys have 32 bytes");
        Derived {
            aead: LessSafeKey::new(unbound),
            nonce: Nonce::assume_unique_for_key(expand::<NONCE_LEN>(&hkdf, "nonce")),
            access_key_id: format!("{ACCESS_KEY_PREFIX}{}", letters.iter().collect::<String>()),
            secret_access_key: Secret::new(STANDARD.encode(&secret[..])),
        }
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// What a salt makes of the key.
struct Derived {
    aead: LessSafeKey,
    nonce: Nonce,
    access_key_id: String,
    secret_access_key: Secret,
}

/// Who signs the requests of a session.
struct Identity {
    access_key_id: String,
    secret_access_key: Secret,
}

/// Bytes for one purpose. The purposes' names are all that tells their bytes apart.
fn expand<const N: usize>(hkdf: &Hkdf<Sha256>, purpose: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hkdf.expand_multi_info(&[PREFIX.as_bytes(), purpose.as_bytes()], &mut bytes)
        .expect("a few bytes are far below HKDF's limit (RFC 5869, section 2.3)");
    bytes
}

fn random<const N: usize>() -> Result<[u8; N], SessionKeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SessionKeyError::NoRandomness)?;
    Ok(bytes)
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionKeyError {
    /// It has another form.
    #[error("a session key is 64 hexadecimal digits")]
    Malformed,
    /// The system has none to give.
    #[error("the system has no randomness")]
    NoRandomness,
}

/// Why no credentials are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The session fits in no token.
    #[error(transparent)]
    TooLarge(#[from] SessionTooLarge),
    /// No salt could be made.
    #[error(transparent)]
    Key(#[from] SessionKeyError),
}

/// What every token of this version begins with.
const PREFIX: &str = "sealgatesession1.";
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 32;
/// RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
