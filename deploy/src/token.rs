//! `sealgate token`: a bearer token by which a user calls the KMS over gRPC.
//!
//! The user is one of a configuration file, one of the users that `sealgate up` created, or the one whose
//! access key the environment has, as SDKs find it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use proto::iam::User;
use proto::identity::Secret;
use proto::session::is_temporary;
use proto::time::Clock as _;
use proto::time::SystemClock;
use proto::token::issue_token;
use serde::Deserialize;

use crate::announce;
use crate::cli::Token;
use crate::configuration::ConfigurationFile;
use crate::credentials::Users;

/// Prints a token.
///
/// # Errors
///
/// When there is no such user, or a file cannot be read.
pub fn run(flags: &Token) -> anyhow::Result<()> {
    let signer = match &flags.user {
        Some(name) => find(flags, name)?,
        None => from_environment(|name| std::env::var(name).ok())?,
    };
    let expires = SystemClock.now().plus(flags.expires);
    let (id, secret) = (&signer.access_key_id, &signer.secret_access_key);
    let token = issue_token(id, secret, expires, flags.region.as_ref())?;
    announce::print_line(token.expose());
    Ok(())
}

/// The token of a fixture's user, which lasts as long as the secret beside it in the fixture's line: the
/// clock of a fixture may be moved by years.
///
/// # Errors
///
/// When the user's access key id fits in no token.
pub fn for_fixture(user: &User) -> anyhow::Result<Secret> {
    let expires = SystemClock.now().plus(FIXTURE_LASTS);
    let (id, secret) = (&user.access_key_id, &user.secret_access_key);
    Ok(issue_token(id, secret, expires, None)?)
}

/// Whose secret signs.
struct Signer {
    name: Option<String>,
    access_key_id: String,
    secret_access_key: Secret,
}

impl Signer {
    fn is(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) || self.access_key_id == name
    }
}

/// The user of that name or access key id.
fn find(flags: &Token, name: &str) -> anyhow::Result<Signer> {
    let mut signers = Vec::new();
    if let Some(file) = &flags.config {
        signers.extend(of_configuration(file)?);
    }
    let folder = flags.folder();
    if flags.data.is_some() || flags.config.is_none() {
        let users = Users::open(&folder)?;
        signers.extend(users.all().iter().map(|user| of_user(user)));
    }
    let names: Vec<String> = signers
        .iter()
        .map(|signer| {
            signer
                .name
                .as_ref()
                .unwrap_or(&signer.access_key_id)
                .clone()
        })
        .collect();
    let found = signers.into_iter().find(|signer| signer.is(name));
    found.with_context(|| format!("there is no user `{name}`; there are: {}", names.join(", ")))
}

/// The part of a configuration that has users: of the KMS alone, or of `up`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct UsersOfFile {
    authenticate: UsersOfTable,
    kms: UsersOfUp,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UsersOfUp {
    authenticate: UsersOfTable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UsersOfTable {
    credentials: Vec<kms::config::Credential>,
}

/// The users of a configuration file. Their names are the last part of their ARNs.
fn of_configuration(file: &Path) -> anyhow::Result<Vec<Signer>> {
    let users: UsersOfFile = ConfigurationFile::read(file)?.parse()?;
    let alone = users.authenticate.credentials;
    let credentials = alone.into_iter().chain(users.kms.authenticate.credentials);
    Ok(credentials
        .map(|credential| Signer {
            name: credential.principal_arn.map(|arn| arn.name().to_owned()),
            access_key_id: credential.access_key_id,
            secret_access_key: credential.secret_access_key,
        })
        .collect())
}

fn of_user(user: &User) -> Signer {
    Signer {
        name: Some(user.name.clone()),
        access_key_id: user.access_key_id.clone(),
        secret_access_key: user.secret_access_key.clone(),
    }
}

/// The user of the variables that every SDK reads.
fn from_environment(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Signer> {
    let (id, secret) = (env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"));
    let (Some(access_key_id), Some(secret)) = (id, secret) else {
        anyhow::bail!(
            "whose token? Name a user by --user, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        );
    };
    // The secret of a session follows from its session token, for which a bearer token has no place.
    if env("AWS_SESSION_TOKEN").is_some() || is_temporary(&access_key_id) {
        anyhow::bail!(
            "a session has no bearer token: it calls the KMS by AWS JSON, signed by an SDK; for gRPC name a user by \
             --user"
        );
    }
    Ok(Signer {
        name: None,
        access_key_id,
        secret_access_key: Secret::new(secret),
    })
}

/// 100 years.
const FIXTURE_LASTS: Duration = Duration::from_secs(100 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(user: &str) -> Token {
        Token {
            user: Some(user.to_owned()),
            data: None,
            config: None,
            expires: Duration::from_secs(60),
            region: None,
        }
    }

    #[test]
    fn a_user_of_the_data_folder_is_found_by_name_or_access_key() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open_or_create(folder.path(), None).unwrap();
        let alt = users.alt();
        for name in ["alt", &alt.access_key_id] {
            let mut flags = flags(name);
            flags.data = Some(folder.path().to_owned());
            let signer = find(&flags, name).unwrap();
            assert_eq!(signer.access_key_id, alt.access_key_id);
        }
        let mut flags = flags("nobody");
        flags.data = Some(folder.path().to_owned());
        let refusal = find(&flags, "nobody").err().unwrap().to_string();
        assert_eq!(refusal, "there is no user `nobody`; there are: main, alt");
        flags.data = Some(folder.path().join("none"));
        assert!(find(&flags, "main").is_err(), "and none is created");
        assert!(!folder.path().join("none").exists());
    }

    #[test]
    fn a_user_of_a_configuration_is_found_by_the_name_in_the_arn_or_by_access_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kms.toml");
        for table in ["authenticate", "kms.authenticate"] {
            let text = format!(
                "[[{table}.credentials]]\naccess_key_id = 'AKIDANA'\nsecret_access_key = 's'\n\
                 account = '111122223333'\nprincipal_arn = 'arn:aws:iam::111122223333:user/ana'\n"
            );
            std::fs::write(&file, text).unwrap();
            for name in ["ana", "AKIDANA"] {
                let mut flags = flags(name);
                flags.config = Some(file.clone());
                assert_eq!(find(&flags, name).unwrap().access_key_id, "AKIDANA");
            }
        }
    }

    #[test]
    fn without_a_user_the_access_key_of_the_environment_signs() {
        let set = |name: &str| match name {
            "AWS_SESSION_TOKEN" => None,
            name => Some(format!("value of {name}")),
        };
        let signer = from_environment(set).unwrap();
        assert_eq!(signer.access_key_id, "value of AWS_ACCESS_KEY_ID");
        let refusal = from_environment(|_| None).err().unwrap().to_string();
        assert!(refusal.contains("--user"), "{refusal}");
    }

    #[test]
    fn a_session_of_the_environment_gets_no_token_but_the_way_out() {
        let with_token = |name: &str| Some(format!("value of {name}"));
        let by_its_key = |name: &str| match name {
            "AWS_SESSION_TOKEN" => None,
            _ => Some("ASIAEXAMPLE".to_owned()),
        };
        for refused in [from_environment(with_token), from_environment(by_its_key)] {
            let refusal = refused.err().unwrap().to_string();
            assert!(
                refusal.contains("AWS JSON") && refusal.contains("--user"),
                "{refusal}"
            );
        }
    }
}
