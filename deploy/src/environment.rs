//! Secrets that the environment gives: in a variable, or in the file that the variable `NAME_FILE` names, as
//! containers and orchestrators mount them.

use std::path::PathBuf;

use anyhow::Context as _;
use gateway::config::BackendCredentials;
use proto::identity::Secret;

/// A variable of this process; none if it is not there, is empty or is not UTF-8.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variables of this process that set fields of a configuration, which have two underscores between the names of
/// tables: `SEALGATE_GATEWAY__BACKEND__URL`.
///
/// # Errors
///
/// When the value of one is not UTF-8.
pub fn fields() -> anyhow::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| is_field(name)) else {
            continue;
        };
        let value = value.into_string();
        let value = value.map_err(|_| anyhow::anyhow!("{name}: its value is not UTF-8"))?;
        fields.push((name.to_owned(), value));
    }
    Ok(fields)
}

fn is_field(variable: &str) -> bool {
    variable.starts_with("SEALGATE_") && variable.contains("__")
}

/// The secret `name` of an environment, without white space at its ends; none if neither `name` nor `name_FILE` is
/// set there.
///
/// # Errors
///
/// When both are set, or the file cannot be read or is empty.
pub fn secret(env: impl Fn(&str) -> Option<String>, name: &str) -> anyhow::Result<Option<Secret>> {
    match given(env, name)? {
        Some(Given::Text(text)) => Ok(Some(text)),
        Some(Given::File(file)) => {
            // No look at its rights: what an orchestrator mounts is often readable by every user there.
            let (text, file) = (std::fs::read_to_string(&file), file.display());
            let text = Secret::new(text.with_context(|| format!("{name}_FILE: reading {file}"))?);
            let text = text.expose().trim();
            anyhow::ensure!(!text.is_empty(), "{name}_FILE: {file} is empty");
            Ok(Some(Secret::new(text)))
        }
        None => Ok(None),
    }
}

/// The file with the secret `name`, which the variable `name_FILE` of an environment names; for a secret that is read
/// again when the file changes.
///
/// # Errors
///
/// When `name` is set, too.
pub fn secret_file(
    env: impl Fn(&str) -> Option<String>,
    name: &str,
) -> anyhow::Result<Option<PathBuf>> {
    Ok(match given(env, name)? {
        Some(Given::File(file)) => Some(file),
        _ => None,
    })
}

/// How an environment gives a text.
enum Given {
    /// In a variable, here without white space at its ends.
    Text(Secret),
    /// In a file.
    File(PathBuf),
}

/// How an environment gives the text `name`; none if neither `name` nor `name_FILE` is set there.
fn given(env: impl Fn(&str) -> Option<String>, name: &str) -> anyhow::Result<Option<Given>> {
    let in_file = format!("{name}_FILE");
    Ok(match (env(name), env(&in_file)) {
        (Some(_), Some(_)) => anyhow::bail!("{name} and {in_file} are both set: set one of them"),
        (Some(text), None) => Some(Given::Text(Secret::new(text.trim()))),
        (None, Some(file)) => Some(Given::File(PathBuf::from(file))),
        (None, None) => None,
    })
}

/// Sets what an environment gives of the backend's credentials. Of a part in a file the path is set: the gateway reads
/// it again when it changes.
///
/// # Errors
///
/// When a part is given twice.
pub fn set_backend_credentials(
    credentials: &mut BackendCredentials,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
    let (id, id_file) = (
        &mut credentials.access_key_id,
        &mut credentials.access_key_id_file,
    );
    match given(&env, BACKEND_ID)? {
        Some(Given::Text(text)) => (*id, *id_file) = (text.expose().to_owned(), None),
        Some(Given::File(file)) => (*id, *id_file) = (String::new(), Some(file)),
        None => {}
    }
    let (secret, secret_file) = (
        &mut credentials.secret_access_key,
        &mut credentials.secret_access_key_file,
    );
    match given(&env, BACKEND_SECRET)? {
        Some(Given::Text(text)) => (*secret, *secret_file) = (text, None),
        Some(Given::File(file)) => (*secret, *secret_file) = (Secret::new(""), Some(file)),
        None => {}
    }
    Ok(())
}

/// The authorities that this system trusts, PEM: of the file that the environment names in `SSL_CERT_FILE`, or of the
/// first one where systems have it. Empty if there is none, as in an image of one binary.
#[must_use]
pub fn system_authorities(env: impl Fn(&str) -> Option<String>) -> String {
    let named = env(AUTHORITIES);
    let files = named.as_deref().into_iter().chain(SYSTEM_AUTHORITIES);
    let mut texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
    texts.next().unwrap_or_default()
}

/// The file of the authorities that are trusted, PEM, as OpenSSL reads it.
pub const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Where Debian and Alpine, Fedora, SUSE, and BSD and macOS have them.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The access key of the main user of `up`.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: Secret,
}

impl AccessKey {
    /// That of `SEALGATE_ACCESS_KEY_ID` and `SEALGATE_SECRET_ACCESS_KEY`; none if neither is set.
    ///
    /// # Errors
    ///
    /// When one is missing, or is so short or has such characters that it is no access key.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        let (id, secret) = (env(ID), secret(&env, SECRET)?);
        let (id, secret) = match (id, secret) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => (id, secret),
            (Some(_), None) => anyhow::bail!("{ID} is set without {SECRET} or {SECRET}_FILE"),
            (None, Some(_)) => anyhow::bail!("{SECRET} is set without {ID}"),
        };
        // API_AccessKey of the IAM API Reference: 16 to 128 characters, letters, digits and underscores.
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        anyhow::ensure!(
            (16..=128).contains(&id.len()) && id.bytes().all(is_word),
            "{ID} is no access key id: 16 to 128 letters, digits and underscores"
        );
        let text = secret.expose();
        let is_printed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        anyhow::ensure!(
            (SECRET_BYTES_MIN..=128).contains(&text.len()) && text.bytes().all(is_printed),
            "{SECRET} is no secret access key: {SECRET_BYTES_MIN} to 128 letters, digits and signs, such as \
             `head -c 30 /dev/urandom | base64` prints; without it, one is made at the first start"
        );
        Ok(Some(Self { id, secret }))
    }

    /// How a shell gets at the secret, where this process has it from the environment `env`.
    #[must_use]
    pub fn secret_in_shell(env: impl Fn(&str) -> Option<String>) -> String {
        let in_file = format!("{SECRET}_FILE");
        match env(&in_file) {
            Some(_) => format!("\"$(cat \"${in_file}\")\""),
            None => format!("\"${SECRET}\""),
        }
    }
}

const ID: &str = "SEALGATE_ACCESS_KEY_ID";
const SECRET: &str = "SEALGATE_SECRET_ACCESS_KEY";
/// The shortest secret that nobody guesses, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;
/// The access key id at the backend, which may be in a file, too.
pub const BACKEND_ID: &str = "SEALGATE_BACKEND_ACCESS_KEY_ID";
/// Its secret.
pub const BACKEND_SECRET: &str = "SEALGATE_BACKEND_SECRET_ACCESS_KEY";
/// The secret that gateway and KMS share.
pub const SERVICE_SECRET: &str = "SEALGATE_SERVICE_SECRET";
/// The token of the admin ports.
pub const ADMIN_TOKEN: &str = "SEALGATE_ADMIN_TOKEN";

/// The token of the admin ports that an environment gives.
///
/// # Errors
///
/// As [`secret`], and when it is too short.
pub fn admin_token(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Secret>> {
    let token = secret(env, ADMIN_TOKEN)?;
    let is_short = |token: &Secret| token.expose().len() < SECRET_BYTES_MIN;
    anyhow::ensure!(
        !token.as_ref().is_some_and(is_short),
        "{ADMIN_TOKEN} is shorter than {SECRET_BYTES_MIN} characters"
    );
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        move |name| {
            let pair = pairs.iter().find(|(other, _)| other == name);
            pair.map(|(_, value)| value.clone())
        }
    }

    #[test]
    fn a_secret_is_in_a_variable_or_in_a_file_and_not_in_both() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "sixteen-letters!\n").unwrap();
        let path = file.to_str().unwrap();
        let read = |pairs: &[(&str, &str)]| secret(env(pairs), "S");
        let text = |pairs: &[(&str, &str)]| read(pairs).unwrap().map(|s| s.expose().to_owned());
        assert_eq!(text(&[]), None);
        assert_eq!(text(&[("S", "given")]).unwrap(), "given");
        assert_eq!(text(&[("S_FILE", path)]).unwrap(), "sixteen-letters!");
        let refusal = |pairs: &[(&str, &str)]| format!("{:#}", read(pairs).unwrap_err());
        assert!(refusal(&[("S", "given"), ("S_FILE", path)]).contains("both set"));
        let named =
            |pairs: &[(&str, &str)]| secret_file(env(pairs), "S").map_err(|e| e.to_string());
        assert_eq!(named(&[("S_FILE", path)]), Ok(Some(path.into())));
        assert_eq!(named(&[("S", "given")]), Ok(None));
        let both = named(&[("S", "given"), ("S_FILE", path)]);
        assert!(both.unwrap_err().contains("both set"));
        assert!(refusal(&[("S_FILE", "/nowhere")]).contains("S_FILE: reading /nowhere"));
        std::fs::write(&file, " \n").unwrap();
        assert!(refusal(&[("S_FILE", path)]).contains("is empty"));
        assert!(admin_token(env(&[("SEALGATE_ADMIN_TOKEN", "short")])).is_err());
    }

    #[test]
    fn credentials_of_the_backend_in_a_variable_or_a_file_replace_those_of_the_configuration() {
        let (id, id_file) = (BACKEND_ID, "SEALGATE_BACKEND_ACCESS_KEY_ID_FILE");
        let (secret, secret_file) = (BACKEND_SECRET, "SEALGATE_BACKEND_SECRET_ACCESS_KEY_FILE");
        let set = |before: &BackendCredentials, pairs: &[(&str, &str)]| {
            let mut credentials = before.clone();
            set_backend_credentials(&mut credentials, env(pairs)).map(|()| credentials)
        };
        let written = BackendCredentials::new("written", Secret::new("written"));
        let in_files = set(&written, &[(id_file, "/id"), (secret_file, "/secret")]).unwrap();
        assert_eq!(in_files.access_key_id, "");
        assert_eq!(in_files.access_key_id_file, Some("/id".into()));
        assert_eq!(in_files.secret_access_key.expose(), "");
        assert_eq!(in_files.secret_access_key_file, Some("/secret".into()));
        let in_variables = set(&in_files, &[(id, "given"), (secret, "given\n")]).unwrap();
        assert_eq!(in_variables.access_key_id, "given");
        assert_eq!(in_variables.access_key_id_file, None);
        assert_eq!(in_variables.secret_access_key.expose(), "given");
        assert_eq!(in_variables.secret_access_key_file, None);
        let left = set(&written, &[]).unwrap();
        assert_eq!(left.access_key_id, "written");
        for pairs in [
            [(id, "a"), (id_file, "b")],
            [(secret, "a"), (secret_file, "b")],
        ] {
            let refusal = set(&written, &pairs).unwrap_err().to_string();
            assert!(refusal.contains("both set"), "{refusal}");
        }
    }

    #[test]
    fn the_file_that_the_environment_names_comes_before_the_systems() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots.pem");
        std::fs::write(&file, "of the company").unwrap();
        let pair = [("SSL_CERT_FILE", file.to_str().unwrap())];
        assert_eq!(system_authorities(env(&pair)), "of the company");
    }

    #[test]
    fn an_access_key_that_could_be_guessed_or_is_half_is_refused() {
        let (id, secret) = ("CHOSENBYTHETEST0", "chosen/by+the=test0");
        let read = |id: &str, secret: &str| AccessKey::read(env(&[(ID, id), (SECRET, secret)]));
        assert_eq!(read(id, secret).unwrap().unwrap().id, id);
        assert!(AccessKey::read(env(&[])).unwrap().is_none());
        for (id, secret) in [
            ("test", "test"),
            (id, "test"),
            ("minioadmin", secret),
            (id, "with \"quotes\" in it"),
            (id, "two\nlines of a secret"),
            ("of-other-signs-0", secret),
        ] {
            let refusal = read(id, secret).unwrap_err().to_string();
            assert!(refusal.contains("is no"), "{refusal}");
            assert!(!refusal.contains(secret), "{refusal}");
        }
        for pair in [(ID, id), (SECRET, secret)] {
            let refusal = AccessKey::read(env(&[pair])).unwrap_err().to_string();
            assert!(refusal.contains("is set without"), "{refusal}");
        }
    }
}
