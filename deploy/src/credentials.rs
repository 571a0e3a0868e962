//! The users of a local Sealgate: created on first start, stored in the data directory.
//!
//! There are no default credentials. `credentials.toml` is readable by its owner alone; edit it
//! to add users.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use proto::identity::AccountId;
use proto::identity::Secret;
use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;

use crate::files;

/// A user: the keys that a client signs with, and their account.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Name, for readers of the file.
    pub name: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    #[serde(serialize_with = "write_exposed")]
    pub secret_access_key: Secret,
    /// The account that the user belongs to.
    pub account: AccountId,
}

/// All users; the first one is printed at start.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    user: Vec<User>,
}

impl Users {
    /// Reads the users of `directory`, or creates `main` and `alt`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is readable by others, is not a file of users, or has fewer
    /// than two.
    pub fn open_or_create(directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join(FILE);
        if file.exists() {
            return Self::open(directory);
        }
        let users = Self::random()?;
        files::write_private(&file, toml::to_string(&users)?.as_bytes())?;
        Ok(users)
    }

    /// Reads the users of `directory`.
    ///
    /// # Errors
    ///
    /// As [`Self::open_or_create`], and when there is no file of users.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join(FILE);
        let text = files::read_secret(&file)?;
        let users: Self =
            toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        if users.user.len() < 2 {
            anyhow::bail!("{} needs at least two users, main and alt", file.display());
        }
        Ok(users)
    }

    /// `main` and `alt` with fresh keys, in two accounts.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn random() -> anyhow::Result<Self> {
        let user = |name: &str, account: &str| -> anyhow::Result<User> {
            Ok(User {
                name: name.to_owned(),
                access_key_id: access_key_id()?,
                secret_access_key: Secret::new(secret_access_key()?),
                account: account.parse()?,
            })
        };
        Ok(Self {
            user: vec![user("main", MAIN_ACCOUNT)?, user("alt", ALT_ACCOUNT)?],
        })
    }

    /// Every user.
    #[must_use]
    pub fn all(&self) -> &[User] {
        &self.user
    }

    /// The first user.
    #[must_use]
    pub fn main(&self) -> &User {
        self.user
            .first()
            .expect("at least two users, checked when read")
    }

    /// The second user.
    #[must_use]
    pub fn alt(&self) -> &User {
        self.user
            .get(1)
            .expect("at least two users, checked when read")
    }
}

/// Writes a secret into the users' file, the one place that stores it.
fn write_exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// `SEAL` and 16 letters or digits: the form of AWS's ids, with a prefix that AWS does not use.
///
/// # Errors
///
/// When the system has no randomness.
pub fn access_key_id() -> anyhow::Result<String> {
    let letters = random::<16>()?.map(|byte| {
        let index = usize::from(byte & 31);
        char::from(*BASE32.get(index).expect("5 bits index 32 letters"))
    });
    Ok(format!("SEAL{}", letters.iter().collect::<String>()))
}

/// 40 characters with 240 bits of randomness.
///
/// # Errors
///
/// When the system has no randomness.
pub fn secret_access_key() -> anyhow::Result<String> {
    Ok(base64::engine::general_purpose::STANDARD.encode(random::<30>()?))
}

/// The token of the KMS's admin port for what reads or destroys keys: made once and stored in
/// `directory`, readable by its owner alone.
///
/// # Errors
///
/// When its file cannot be read or written, or others can read it.
pub fn admin_token(directory: &Path) -> anyhow::Result<String> {
    let file = directory.join(ADMIN_TOKEN_FILE);
    if file.exists() {
        let token = files::read_secret(&file)?.trim().to_owned();
        anyhow::ensure!(token.len() >= 16, "{} is too short a token", file.display());
        return Ok(token);
    }
    let token = hex::encode(random::<32>()?);
    files::write_private(&file, token.as_bytes())?;
    Ok(token)
}

/// Random bytes of the operating system.
///
/// # Errors
///
/// When the system has no randomness.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

const FILE: &str = "credentials.toml";
/// Where [`admin_token`] is stored in the data directory.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The main user's account: the default of emulators.
pub const MAIN_ACCOUNT: &str = "123456789012";
/// The second user's account, for tests of access across accounts.
pub const ALT_ACCOUNT: &str = "210987654321";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_created_once_stored_privately_and_differ() {
        let directory = tempfile::tempdir().unwrap();
        let first = Users::open_or_create(directory.path()).unwrap();
        let again = Users::open_or_create(directory.path()).unwrap();
        assert_eq!(
            first.main().secret_access_key.expose(),
            again.main().secret_access_key.expose()
        );
        assert_ne!(first.main().access_key_id, first.alt().access_key_id);
        assert_eq!(first.main().access_key_id.len(), 20);
        assert_eq!(first.main().secret_access_key.expose().len(), 40);
        assert_eq!(files::mode(&directory.path().join(FILE)), 0o600);
    }

    #[test]
    fn the_admin_token_is_made_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let token = admin_token(directory.path()).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(admin_token(directory.path()).unwrap(), token);
        let file = directory.path().join(ADMIN_TOKEN_FILE);
        assert_eq!(files::mode(&file), 0o600);
        files::write_private(&file, b"short").unwrap();
        assert!(admin_token(directory.path()).is_err());
    }

    #[test]
    fn an_unknown_field_in_the_users_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let text = "[[user]]\nname='a'\naccess_key_id='b'\nsecret_access_key='c'\naccount='000000000000'\n\
                    admin=true\n";
        files::write_private(&directory.path().join(FILE), text.as_bytes()).unwrap();
        let refusal = Users::open_or_create(directory.path()).err().unwrap();
        assert!(format!("{refusal:#}").contains("unknown field `admin`"));
    }
}
