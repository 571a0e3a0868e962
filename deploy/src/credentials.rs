//! The users of a local Sealgate: created on first start, stored in the data directory.
//!
//! There are no default credentials. `credentials.toml` is readable by its owner alone; `sealgate user`
//! and `sealgate mfa` edit it, or an editor does. Its form is at [`Principals`].

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use proto::iam::Principals;
use proto::iam::User;
use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::identity::Secret;

use crate::environment::AccessKey;
use crate::files;

/// The users and roles of a data directory; the first user is printed at start.
#[derive(Clone)]
pub struct Users(Principals);

impl Users {
    /// Reads the users of `directory`, or creates `main`, with that access key if there is one, and `alt`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is readable by others, is not a file of users, or has fewer
    /// than two.
    pub fn open_or_create(directory: &Path, key: Option<&AccessKey>) -> anyhow::Result<Self> {
        Self::open_or_create_in(&MAIN_ACCOUNT.parse()?, directory, key)
    }

    /// As [`Self::open_or_create`], with `main` in that account where they are created.
    ///
    /// # Errors
    ///
    /// As [`Self::open_or_create`] and [`Self::random_in`].
    pub fn open_or_create_in(
        account: &AccountId,
        directory: &Path,
        key: Option<&AccessKey>,
    ) -> anyhow::Result<Self> {
        let file = file(directory);
        if file.exists() {
            return Self::open(directory);
        }
        let users = Self::random_in(account, key)?;
        let text: String = users.all().iter().map(|user| entry(user)).collect();
        files::write_private(&file, text.as_bytes())?;
        Ok(users)
    }

    /// Reads the users of `directory`.
    ///
    /// # Errors
    ///
    /// As [`Self::open_or_create`], and when there is no file of users.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let file = file(directory);
        let text = files::read_secret(&file)?;
        Self::parse(&text).with_context(|| format!("in {}", file.display()))
    }

    /// Reads the text of a file of users.
    ///
    /// # Errors
    ///
    /// When it is none, or has fewer than two.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let principals = Principals::parse(text)?;
        if principals.users().len() < 2 {
            anyhow::bail!("there must be at least two users, main and alt");
        }
        Ok(Self(principals))
    }

    /// `main` and `alt` with fresh keys, or `main` with the given one: the root users of two accounts.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn random(key: Option<&AccessKey>) -> anyhow::Result<Self> {
        Self::random_in(&MAIN_ACCOUNT.parse()?, key)
    }

    /// As [`Self::random`], with `main` in that account.
    ///
    /// # Errors
    ///
    /// When the system has no randomness, or it is the account of `alt`.
    pub fn random_in(account: &AccountId, key: Option<&AccessKey>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            account.as_str() != ALT_ACCOUNT,
            "account {ALT_ACCOUNT} is that of the second user, who must be in another than the main user"
        );
        let user =
            |name: &str, account: &AccountId, key: Option<&AccessKey>| -> anyhow::Result<User> {
                let root = PrincipalArn::account_root("aws", account);
                let mut user = match key {
                    Some(key) => User::new(root, &key.id, key.secret.clone()),
                    None => User::new(root, &access_key_id()?, Secret::new(secret_access_key()?)),
                };
                name.clone_into(&mut user.name);
                Ok(user)
            };
        let main = user("main", account, key)?;
        let users = [main, user("alt", &ALT_ACCOUNT.parse()?, None)?];
        Ok(Self(Principals::of_users(users)))
    }

    /// Every user.
    #[must_use]
    pub fn all(&self) -> &[Arc<User>] {
        self.0.users()
    }

    /// Users and roles.
    #[must_use]
    pub const fn principals(&self) -> &Principals {
        &self.0
    }

    /// The first user.
    #[must_use]
    pub fn main(&self) -> &User {
        self.all()
            .first()
            .expect("at least two users, checked when read")
    }

    /// The second user.
    #[must_use]
    pub fn alt(&self) -> &User {
        self.all()
            .get(1)
            .expect("at least two users, checked when read")
    }
}

/// The file of users in a data directory.
#[must_use]
pub fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// A root user in the file, the one place that stores its secret. None of the texts needs escaping.
fn entry(user: &User) -> String {
    format!(
        "[[user]]\nname = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n\
         account = \"{}\"\nroot = true\n\n",
        user.name,
        user.access_key_id,
        user.secret_access_key.expose(),
        user.arn.account()
    )
}

/// `SEAL` and 16 letters or digits: the form of AWS's ids, with a prefix that AWS does not use.
///
/// # Errors
///
/// When the system has no randomness.
pub fn access_key_id() -> anyhow::Result<String> {
    let letters = random::<16>()?.map(base32_letter);
    Ok(format!("SEAL{}", letters.iter().collect::<String>()))
}

/// A letter of base32 (RFC 4648, section 6), for 5 bits of a random byte.
#[must_use]
pub fn base32_letter(byte: u8) -> char {
    let letter = BASE32.get(usize::from(byte & 31));
    char::from(*letter.expect("5 bits index 32 letters"))
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
        let first = Users::open_or_create(directory.path(), None).unwrap();
        let again = Users::open_or_create(directory.path(), None).unwrap();
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
    fn a_file_of_an_earlier_version_is_read_and_its_users_are_no_root() {
        let directory = tempfile::tempdir().unwrap();
        let user = |name: &str, id: &str| {
            format!(
                "[[user]]\nname='{name}'\naccess_key_id='{id}'\nsecret_access_key='c'\naccount='000000000000'\n"
            )
        };
        let text = user("main", "A") + &user("alt", "B");
        files::write_private(&file(directory.path()), text.as_bytes()).unwrap();
        let users = Users::open_or_create(directory.path(), None).unwrap();
        assert_eq!(users.main().arn, "arn:aws:iam::000000000000:user/main");
        assert!(Users::random(None).unwrap().main().arn.is_root());
    }

    #[test]
    fn an_unknown_field_in_the_users_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let text = "[[user]]\nname='a'\naccess_key_id='b'\nsecret_access_key='c'\naccount='000000000000'\n\
                    admin=true\n";
        files::write_private(&directory.path().join(FILE), text.as_bytes()).unwrap();
        let refusal = Users::open_or_create(directory.path(), None).err().unwrap();
        assert!(format!("{refusal:#}").contains("unknown field `admin`"));
    }
}
