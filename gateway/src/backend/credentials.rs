//! The gateway's credentials at a server: as a configuration gives them, and as requests are signed with them.
//!
//! Each part may be in a file of its own, as orchestrators mount the keys of a secret. Both files are read together,
//! and again when they change: a request is signed with the pair that was read last when it is sent, and one that is
//! sent already goes on with its own.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use proto::identity::Secret;
use proto::renewal::Renew;
use proto::renewal::Renewable;
use proto::sigv4::Credentials;

/// The gateway's own credentials at a server.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendCredentials {
    /// Access key id.
    pub access_key_id: String,
    /// File with the access key id, instead of [`Self::access_key_id`].
    pub access_key_id_file: Option<PathBuf>,
    /// Secret access key.
    pub secret_access_key: Secret,
    /// File with the secret access key, instead of [`Self::secret_access_key`].
    pub secret_access_key_file: Option<PathBuf>,
}

impl Default for BackendCredentials {
    fn default() -> Self {
        Self::new("", Secret::new(""))
    }
}

impl BackendCredentials {
    /// Those of a configuration that names no file.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: Secret) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            access_key_id_file: None,
            secret_access_key,
            secret_access_key_file: None,
        }
    }

    /// Each part: the field of its file, what its own field has, and its file.
    pub(crate) fn parts(&self) -> [(&'static str, &str, Option<&Path>); 2] {
        [
            (
                ACCESS_KEY_ID_FILE,
                self.access_key_id.as_str(),
                self.access_key_id_file.as_deref(),
            ),
            (
                SECRET_ACCESS_KEY_FILE,
                self.secret_access_key.expose(),
                self.secret_access_key_file.as_deref(),
            ),
        ]
    }

    /// The files that there are.
    fn files(&self) -> [Option<&Path>; 2] {
        self.parts().map(|(_, _, file)| file)
    }

    /// What requests are signed with now.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] for a file that cannot be read, or is empty.
    pub fn read(&self) -> Result<Credentials, CredentialsError> {
        let access_key_id = match &self.access_key_id_file {
            Some(file) => {
                let is_in_id = |byte: u8| byte.is_ascii_graphic();
                let id = read(ACCESS_KEY_ID_FILE, file, is_in_id)?;
                id.expose().to_owned()
            }
            None => self.access_key_id.clone(),
        };
        let secret_access_key = match &self.secret_access_key_file {
            Some(file) => read(SECRET_ACCESS_KEY_FILE, file, |byte| {
                !byte.is_ascii_control()
            })?,
            None => self.secret_access_key.clone(),
        };
        Ok(Credentials {
            access_key_id,
            secret_access_key,
            session_token: None,
        })
    }
}

/// The text of a file, without white space at its ends, which has bytes that `is_in` takes alone.
fn read(
    field: &'static str,
    file: &Path,
    is_in: impl Fn(u8) -> bool,
) -> Result<Secret, CredentialsError> {
    let refuse = |why: &str| CredentialsError {
        field,
        why: format!("{}: {why}", file.display()),
    };
    // No look at its rights: what an orchestrator mounts is often readable by every user there.
    let text = std::fs::read_to_string(file);
    let text = Secret::new(text.map_err(|error| refuse(&error.to_string()))?);
    let text = text.expose().trim();
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    if !text.bytes().all(is_in) {
        return Err(refuse("it has more than one line or word"));
    }
    Ok(Secret::new(text))
}

/// Why the credentials of a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct CredentialsError {
    /// The field, without the name of its table.
    pub field: &'static str,
    /// The file, and what is wrong with it.
    pub why: String,
}

/// The credentials in use.
#[derive(Clone)]
pub struct CredentialsInUse {
    given: Arc<Mutex<BackendCredentials>>,
    current: Arc<Renewable<Credentials, CredentialsError>>,
}

impl CredentialsInUse {
    /// Those that a configuration gives, as `name` in sentences.
    ///
    /// # Errors
    ///
    /// As [`BackendCredentials::read`].
    pub fn new(name: &'static str, given: &BackendCredentials) -> Result<Self, CredentialsError> {
        let files = given.files().into_iter().flatten().map(Path::to_owned);
        let files = files.collect();
        let given = Arc::new(Mutex::new(given.clone()));
        let read = Arc::clone(&given);
        let read = move || read.lock().unwrap_or_else(PoisonError::into_inner).read();
        let current = Arc::new(Renewable::new(name, files, read)?);
        Ok(Self { given, current })
    }

    /// Those that are signed with from now on.
    #[must_use]
    pub fn current(&self) -> Arc<Credentials> {
        self.current.current()
    }

    /// What is renewed.
    pub(crate) fn renewed(&self) -> Arc<dyn Renew> {
        Arc::clone(&self.current) as Arc<dyn Renew>
    }

    /// Takes what another configuration has in its fields. Files are read again when the rest is renewed.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] when it names other files: what was in use stays so.
    pub fn replace(&self, other: &BackendCredentials) -> Result<(), CredentialsError> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = given.files().into_iter().zip(other.parts());
        for (before, (field, _, now)) in parts {
            if before != now {
                return Err(CredentialsError {
                    field,
                    why: "another file is read after a restart".to_owned(),
                });
            }
        }
        *given = other.clone();
        drop(given);
        if other.files() == [None, None] {
            self.current.replace(other.read()?);
        }
        Ok(())
    }
}

impl From<Credentials> for CredentialsInUse {
    fn from(credentials: Credentials) -> Self {
        let given = BackendCredentials::new(
            credentials.access_key_id.clone(),
            credentials.secret_access_key.clone(),
        );
        Self {
            given: Arc::new(Mutex::new(given)),
            current: Arc::new(Renewable::fixed("credentials", credentials)),
        }
    }
}

const ACCESS_KEY_ID_FILE: &str = "access_key_id_file";
const SECRET_ACCESS_KEY_FILE: &str = "secret_access_key_file";

#[cfg(test)]
mod tests {
    use super::*;

    /// Credentials in two files of a folder.
    fn in_files(folder: &tempfile::TempDir) -> BackendCredentials {
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            Some(file)
        };
        BackendCredentials {
            access_key_id_file: file("id", "FIRST\n"),
            secret_access_key_file: file("secret", " first-secret \n"),
            ..BackendCredentials::default()
        }
    }

    fn pair(credentials: &CredentialsInUse) -> (String, String) {
        let current = credentials.current();
        (
            current.access_key_id.clone(),
            current.secret_access_key.expose().to_owned(),
        )
    }

    fn owned((id, secret): (&str, &str)) -> (String, String) {
        (id.to_owned(), secret.to_owned())
    }

    #[test]
    fn white_space_around_credentials_in_files_is_none_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = CredentialsInUse::new("it", &in_files(&folder)).unwrap();
        assert_eq!(pair(&credentials), owned(("FIRST", "first-secret")));
    }

    #[test]
    fn a_new_id_waits_for_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = CredentialsInUse::new("it", &in_files(&folder)).unwrap();
        let renewed = credentials.renewed();
        std::fs::write(folder.path().join("id"), "SECOND").unwrap();
        assert_eq!(renewed.renew_if_changed(), None);
        std::fs::write(folder.path().join("secret"), "second-secret").unwrap();
        assert_eq!(renewed.renew_if_changed(), None);
        assert_eq!(pair(&credentials), owned(("FIRST", "first-secret")));
        assert_eq!(renewed.renew_if_changed(), Some(Ok(())));
        assert_eq!(pair(&credentials), owned(("SECOND", "second-secret")));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_and_its_text_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let given = in_files(&folder);
        let credentials = CredentialsInUse::new("it", &given).unwrap();
        for (file, text, why) in [
            ("secret", " \n", "it is empty"),
            (
                "secret",
                "two\ncanaries",
                "it has more than one line or word",
            ),
            (
                "id",
                "access_key_id = ID",
                "it has more than one line or word",
            ),
        ] {
            let before = std::fs::read(folder.path().join(file)).unwrap();
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            let refusal = credentials.renewed().renew().unwrap_err();
            assert!(
                refusal.ends_with(&format!("_file: {}: {why}", path.display())),
                "{refusal}"
            );
            std::fs::write(&path, before).unwrap();
        }
        let secret = folder.path().join("secret");
        std::fs::remove_file(&secret).unwrap();
        let refusal = CredentialsInUse::new("it", &given).err().unwrap();
        assert_eq!(refusal.field, "secret_access_key_file");
        assert_eq!(pair(&credentials), owned(("FIRST", "first-secret")));
    }

    #[test]
    fn fields_of_another_configuration_are_taken_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let fields = BackendCredentials::new("FIRST", Secret::new("first-secret"));
        let credentials = CredentialsInUse::new("it", &fields).unwrap();
        let other = BackendCredentials::new("SECOND", Secret::new("second-secret"));
        credentials.replace(&other).unwrap();
        assert_eq!(pair(&credentials), owned(("SECOND", "second-secret")));
        let refusal = credentials.replace(&in_files(&folder)).unwrap_err();
        assert_eq!(refusal.field, "access_key_id_file");
        assert_eq!(pair(&credentials), owned(("SECOND", "second-secret")));

        // An id in a field, and a secret in a file.
        let mut mixed = in_files(&folder);
        mixed.access_key_id_file = None;
        mixed.access_key_id = "THIRD".to_owned();
        let credentials = CredentialsInUse::new("it", &mixed).unwrap();
        mixed.access_key_id = "FOURTH".to_owned();
        std::fs::write(folder.path().join("secret"), "fourth-secret").unwrap();
        credentials.replace(&mixed).unwrap();
        credentials.renewed().renew().unwrap();
        assert_eq!(pair(&credentials), owned(("FOURTH", "fourth-secret")));
    }

    #[test]
    fn what_is_shown_of_credentials_has_no_secret() {
        let fields = BackendCredentials::new("ID", Secret::new("canary"));
        assert!(!format!("{fields:?}").contains("canary"));
    }
}
