//! Users, roles, the key of sessions and the memory of MFA codes, as services hold them.

use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::iam::identity::Identity;
use crate::iam::principals::Principals;
use crate::iam::principals::PrincipalsError;
use crate::identity::Secret;
use crate::mfa::MfaFile;
use crate::mfa::MfaMemory;
use crate::session::SessionError;
use crate::session::SessionKey;
use crate::session::SessionKeyError;
use crate::time::Timestamp;

/// Users and roles that may change while services run, and what their sessions and MFA codes are checked
/// with. The services of one process share one.
pub struct Iam {
    /// None if the principals are in memory only.
    file: Option<PathBuf>,
    principals: ArcSwap<Principals>,
    sessions: SessionKey,
    mfa: Arc<dyn MfaMemory>,
}

impl Iam {
    /// Reads a credentials file. The key of sessions beside it is created if there is none.
    ///
    /// # Errors
    ///
    /// [`IamError`], which names the file.
    pub fn open(file: &Path) -> Result<Self, IamError> {
        let key = session_key(&file.with_file_name(SESSION_KEY_FILE))?;
        Ok(Self {
            file: Some(file.to_owned()),
            principals: ArcSwap::from_pointee(read(file)?),
            sessions: key,
            mfa: Arc::new(MfaFile::new(&file.with_file_name(MFA_FILE))),
        })
    }

    /// Principals in memory. `mfa` is shared with whoever else checks codes of their devices.
    #[must_use]
    pub fn in_memory(
        principals: Principals,
        sessions: SessionKey,
        mfa: Arc<dyn MfaMemory>,
    ) -> Self {
        Self {
            file: None,
            principals: ArcSwap::from_pointee(principals),
            sessions,
            mfa,
        }
    }

    /// Reads the credentials file again. Whoever was removed is refused from then on, sessions included.
    ///
    /// # Errors
    ///
    /// [`IamError`]; the principals are then what they were.
    pub fn reload(&self) -> Result<(), IamError> {
        if let Some(file) = &self.file {
            self.principals.store(Arc::new(read(file)?));
        }
        Ok(())
    }

    /// The users and roles that there are now.
    #[must_use]
    pub fn principals(&self) -> Arc<Principals> {
        self.principals.load_full()
    }

    /// The key of session tokens.
    #[must_use]
    pub const fn sessions(&self) -> &SessionKey {
        &self.sessions
    }

    /// The memory of used MFA codes.
    #[must_use]
    pub const fn mfa(&self) -> &Arc<dyn MfaMemory> {
        &self.mfa
    }

    /// Who a session token is for, and the secret that its requests are signed with.
    ///
    /// # Errors
    ///
    /// [`SessionError`] for a token that is not of this access key or ended, or whose user or role is gone.
    pub fn open_session(
        &self,
        token: &str,
        access_key_id: &str,
        now: Timestamp,
    ) -> Result<(Identity, Secret), SessionError> {
        let opened = self.sessions.open(token, access_key_id, now)?;
        let identity = Identity::of_session(opened.session, &self.principals.load())?;
        Ok((
            identity.with_access_key(access_key_id),
            opened.secret_access_key,
        ))
    }
}

fn read(file: &Path) -> Result<Principals, IamError> {
    let text = read_private(file).map_err(|cause| IamError::file(file, cause))?;
    Principals::parse(&text).map_err(|error| IamError::Principals(file.to_owned(), error))
}

/// The key of a file, which is created with a new one if there is none.
fn session_key(file: &Path) -> Result<SessionKey, IamError> {
    let failed = |cause| IamError::file(file, cause);
    if !file.exists() {
        let key = SessionKey::random().map_err(IamError::SessionKey)?;
        let mut options = OpenOptions::new();
        // Created and filled at another place first: a second service must not read half a key.
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let created = options.write(true).create_new(true).mode(0o600).open(&new);
        let written = created.and_then(|mut file| {
            file.write_all(key.to_hex().expose().as_bytes())?;
            file.sync_all()
        });
        // Of two services that start at once, the key of the first one stays.
        let linked = written.and_then(|()| std::fs::hard_link(&new, file));
        let removed = std::fs::remove_file(&new);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.and(removed).map_err(failed)?,
        }
    }
    let text = read_private(file).map_err(failed)?;
    SessionKey::from_hex(text.trim()).map_err(IamError::SessionKey)
}

/// Reads a file that nobody but its owner may read.
fn read_private(file: &Path) -> io::Result<String> {
    let mut opened = OpenOptions::new().read(true).open(file)?;
    if opened.metadata()?.permissions().mode() & 0o077 != 0 {
        let what = "it has secrets, and others can read it; run: chmod 600 on it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let mut text = String::new();
    opened.read_to_string(&mut text)?;
    Ok(text)
}

/// Why users and roles cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// A file cannot be read or written, or others can read it.
    #[error("{}: {cause}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The credentials file is not what it should be.
    #[error("in {}: {}", .0.display(), .1)]
    Principals(PathBuf, PrincipalsError),
    /// There is no usable key of sessions.
    #[error("the key of sessions: {0}")]
    SessionKey(SessionKeyError),
}

impl IamError {
    fn file(file: &Path, cause: io::Error) -> Self {
        Self::File {
            file: file.to_owned(),
            cause,
        }
    }
}

/// The key of session tokens, beside the credentials file.
const SESSION_KEY_FILE: &str = "session.key";
/// What is remembered of MFA devices, beside the credentials file.
const MFA_FILE: &str = "mfa.json";

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::time::Duration;

    use super::*;
    use crate::session::Session;

    const USER: &str = "[[user]]\nname = 'ana'\naccess_key_id = 'A'\nsecret_access_key = 's'\n\
                        account = '111122223333'\n";

    fn write(file: &Path, text: &str) {
        std::fs::write(file, text).unwrap();
        std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }

    fn session() -> Session {
        let ana = "arn:aws:iam::111122223333:user/ana";
        Session {
            principal: ana.parse().unwrap(),
            source: ana.parse().unwrap(),
            user_id: "AIDA".to_owned(),
            issued: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH.plus(Duration::from_secs(900)),
            mfa: false,
            policy: None,
            source_identity: None,
            tags: Default::default(),
            transitive_tags: Vec::new(),
        }
    }

    #[test]
    fn services_of_one_file_share_the_key_of_sessions_and_a_removed_user_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.toml");
        write(&file, USER);
        let (one, two) = (Iam::open(&file).unwrap(), Iam::open(&file).unwrap());
        let credentials = one.sessions().issue(&session()).unwrap();
        let (token, id) = (credentials.token.expose(), &credentials.access_key_id);
        let opened = two.open_session(token, id, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(opened.0.arn, "arn:aws:iam::111122223333:user/ana");
        assert_eq!(opened.1.expose(), credentials.secret_access_key.expose());
        let key = folder.path().join(SESSION_KEY_FILE);
        let mode = std::fs::metadata(key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        write(&file, &USER.replace("ana", "bob"));
        two.reload().unwrap();
        let refusal = two.open_session(token, id, Timestamp::UNIX_EPOCH).err();
        assert_eq!(refusal, Some(SessionError::Invalid));
    }

    #[test]
    fn a_file_that_is_wrong_or_that_others_can_read_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.toml");
        write(&file, USER);
        let iam = Iam::open(&file).unwrap();
        write(&file, "[[user]]\nname = 1");
        assert!(iam.reload().is_err());
        std::fs::write(&file, USER).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let refusal = iam.reload().unwrap_err().to_string();
        assert!(
            refusal.contains("credentials.toml") && refusal.contains("chmod 600"),
            "{refusal}"
        );
        assert_eq!(iam.principals().users().len(), 1);
    }
}
