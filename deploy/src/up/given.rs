//! What a start is given besides flags: what files and the environment say. Nothing after it reads either.

use std::path::Path;
use std::path::PathBuf;

use gateway::config::BackendCredentials;
use proto::identity::AccountId;
use proto::identity::Secret;
use proto::time::Timestamp;

use crate::cli::Up;
use crate::configuration::ConfigurationFile;
use crate::credentials;
use crate::environment;
use crate::environment::AccessKey;
use crate::files;
use crate::seed::Seed;
use crate::up::settings::Settings;

/// What a start is given besides flags.
pub struct Given {
    /// The configurations.
    pub(super) settings: Settings,
    /// Keys to create.
    pub(crate) seed: Seed,
    /// The main user's access key; one is made if there is none.
    access_key: Option<GivenKey>,
    /// The token of the admin ports.
    pub(super) admin_token: Option<Secret>,
    /// For the backend that the flags name.
    pub(crate) backend_credentials: Option<BackendCredentials>,
    /// The system's authorities, PEM, for clients that have one file of them.
    pub(super) system_authorities: String,
    /// Who vouches for the backend, unless the configuration names them; those that are compiled in if absent.
    pub(super) authorities_file: Option<PathBuf>,
    /// The main user's account, unless there is a file of users already.
    pub(crate) account: AccountId,
    /// Whether the embedded backend stores objects in memory, and not in a folder.
    pub(crate) is_in_memory: bool,
    /// Where the clock of the KMS stands still from the first moment on.
    pub(crate) clock: Option<Timestamp>,
}

/// An access key, and how a shell gets at its secret.
struct GivenKey {
    key: AccessKey,
    secret_in_shell: String,
}

impl Given {
    /// Reads the files that the flags name, and the environment of the process.
    ///
    /// # Errors
    ///
    /// When one of them is wrong, or cannot be read.
    pub fn read(flags: &Up) -> anyhow::Result<Self> {
        let settings = Settings::read_under_environment(flags.config.as_deref())?;
        let seed = flags.seed.as_deref().map(Seed::read).transpose()?;
        let key = AccessKey::read(environment::variable)?;
        let access_key = key.map(|key| GivenKey {
            key,
            secret_in_shell: AccessKey::secret_in_shell(environment::variable),
        });
        let backend_credentials = match &flags.backend {
            Some(_) => Some(credentials_of_backend(
                flags.backend_credentials.as_deref(),
            )?),
            None => None,
        };
        Ok(Self {
            seed: seed.unwrap_or_default(),
            access_key,
            admin_token: environment::admin_token(environment::variable)?,
            backend_credentials,
            system_authorities: environment::system_authorities(environment::variable),
            authorities_file: environment::variable(environment::AUTHORITIES).map(PathBuf::from),
            ..Self::of(settings)?
        })
    }

    /// The defaults, and what a configuration file says. The environment is not read.
    ///
    /// # Errors
    ///
    /// When the file is wrong, or cannot be read.
    pub fn without_environment(config: Option<&Path>) -> anyhow::Result<Self> {
        Self::of(Settings::read(config)?)
    }

    fn of(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self {
            settings,
            seed: Seed::default(),
            access_key: None,
            admin_token: None,
            backend_credentials: None,
            system_authorities: String::new(),
            authorities_file: None,
            account: credentials::MAIN_ACCOUNT.parse()?,
            is_in_memory: false,
            clock: None,
        })
    }

    /// The main user's access key, if one is given.
    pub(super) fn access_key(&self) -> Option<&AccessKey> {
        self.access_key.as_ref().map(|given| &given.key)
    }

    /// How a shell gets at the secret of [`Given::access_key`].
    pub(super) fn secret_in_shell(&self) -> Option<String> {
        let given = self.access_key.as_ref()?;
        Some(given.secret_in_shell.clone())
    }
}

/// The credentials of the backend that the flags name: in a file, or in the environment.
fn credentials_of_backend(file: Option<&Path>) -> anyhow::Result<BackendCredentials> {
    if let Some(file) = file {
        let written = ConfigurationFile::of(file, files::read_secret(file)?);
        return Ok(written.parse()?);
    }
    let mut credentials = BackendCredentials::default();
    environment::set_backend_credentials(&mut credentials, environment::variable)?;
    let missing = |name: &str| format!("--backend needs {name}, or --backend-credentials");
    let has_id = !credentials.access_key_id.is_empty() || credentials.access_key_id_file.is_some();
    anyhow::ensure!(has_id, missing(environment::BACKEND_ID));
    let has_secret = !credentials.secret_access_key.expose().is_empty()
        || credentials.secret_access_key_file.is_some();
    anyhow::ensure!(has_secret, missing(environment::BACKEND_SECRET));
    Ok(credentials)
}
