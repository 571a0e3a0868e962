//! `sealgate user` and `sealgate mfa`: they edit the file of users and leave what else stands in it.
//!
//! The file is replaced as a whole, and only by one that `up` can read. A running `up` reads it a second
//! later.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use proto::iam::User;
use proto::iam::check_user_name;
use proto::identity::AccountId;
use proto::mfa::MfaDevice;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use toml_edit::Array;
use toml_edit::ArrayOfTables;
use toml_edit::DocumentMut;
use toml_edit::Item;
use toml_edit::Table;
use toml_edit::value;

use crate::announce::print_line;
use crate::cli::MfaTask;
use crate::cli::UserTask;
use crate::credentials;
use crate::credentials::Users;
use crate::environment::AccessKey;
use crate::files;

/// Adds, lists or removes users.
///
/// # Errors
///
/// When a file cannot be read or written, or the users would not be valid then.
pub fn user(task: &UserTask) -> anyhow::Result<()> {
    match task {
        UserTask::Add {
            name,
            account,
            root,
            policy,
            folder,
        } => {
            let mut file = UsersFile::open(&folder.path())?;
            let (id, secret) = (
                credentials::access_key_id()?,
                credentials::secret_access_key()?,
            );
            let account = match account {
                Some(account) => account.clone(),
                None => file.users.main().arn.account(),
            };
            let entry = new_user(name, &account, *root, policy, (&id, &secret))?;
            file.add(entry)?;
            file.save()?;
            print_line(&format!(
                "export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}"
            ));
        }
        UserTask::List { folder } => {
            let users = Users::open(&folder.path())?;
            users.all().iter().for_each(|user| print_line(&line(user)));
        }
        UserTask::Remove { user, folder } => {
            let mut file = UsersFile::open(&folder.path())?;
            file.remove(user)?;
            file.save()?;
        }
    }
    Ok(())
}

/// Enables or disables MFA devices.
///
/// # Errors
///
/// As [`user`], and when the user has a device already, or none.
pub fn mfa(task: &MfaTask) -> anyhow::Result<()> {
    match task {
        MfaTask::Enable { user, folder } => {
            let mut file = UsersFile::open(&folder.path())?;
            let device = Device::new(file.find(user)?.1)?;
            file.enable(user, &device)?;
            file.save()?;
            print_line(&device.text()?);
        }
        MfaTask::Disable { user, folder } => {
            let mut file = UsersFile::open(&folder.path())?;
            file.disable(user)?;
            file.save()?;
        }
    }
    Ok(())
}

/// Gives the first user of `folder` that access key, unless it has it.
///
/// # Errors
///
/// When the file cannot be read or written, or another user has that access key id.
pub fn give_main_key(folder: &Path, key: &AccessKey) -> anyhow::Result<()> {
    let mut file = UsersFile::open(folder)?;
    let main = file.users.main();
    let has_secret = main.secret_access_key.expose() == key.secret.expose();
    if has_secret && main.access_key_id == key.id {
        return Ok(());
    }
    let entry = file.entry(0)?;
    entry.insert("access_key_id", value(&key.id));
    entry.insert("secret_access_key", value(key.secret.expose()));
    file.save()?;
    tracing::info!("the first user has the access key of the environment");
    Ok(())
}

/// The file of users while it is edited.
struct UsersFile {
    path: PathBuf,
    document: DocumentMut,
    users: Users,
    /// Locked while this lives, so that of two commands none undoes what the other did.
    _lock: File,
}

impl UsersFile {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = credentials::file(folder);
        anyhow::ensure!(
            path.exists(),
            "{} is not there: start `sealgate up` once, or name its folder with --data",
            path.display()
        );
        let lock = files::open_private(&path.with_extension("lock"))?;
        lock.lock()?;
        let text = files::read_secret(&path)?;
        let context = || format!("in {}", path.display());
        let users = Users::parse(&text).with_context(context)?;
        let document: DocumentMut = text.parse().with_context(context)?;
        Ok(Self {
            document,
            users,
            _lock: lock,
            path,
        })
    }

    /// Replaces the file, unless `up` could not read the new one.
    fn save(&self) -> anyhow::Result<()> {
        let text = self.document.to_string();
        Users::parse(&text)?;
        files::write_private(&self.path, text.as_bytes())
    }

    /// The place and the user of a name or an access key id.
    fn find(&self, name: &str) -> anyhow::Result<(usize, &User)> {
        let users = self.users.all().iter().enumerate();
        let mut found = users.filter(|(_, user)| user.name == name || user.access_key_id == name);
        let (first, another) = (found.next(), found.next());
        let names = || self.users.all().iter().map(|user| user.name.clone());
        let (at, user) = first.with_context(|| {
            let names: Vec<String> = names().collect();
            format!("there is no user `{name}`; there are: {}", names.join(", "))
        })?;
        let message = "two accounts have a user `{name}`: name it by its access key id";
        anyhow::ensure!(another.is_none(), message.replace("{name}", name));
        Ok((at, user))
    }

    fn entries(&mut self) -> anyhow::Result<&mut ArrayOfTables> {
        let entries = self.document.get_mut("user");
        let entries = entries.and_then(Item::as_array_of_tables_mut);
        entries.context("the users are not written as [[user]]: edit the file by hand")
    }

    fn entry(&mut self, at: usize) -> anyhow::Result<&mut Table> {
        let entry = self.entries()?.get_mut(at);
        entry.context("the file has another number of users than it had")
    }

    fn add(&mut self, entry: Table) -> anyhow::Result<()> {
        self.entries()?.push(entry);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> anyhow::Result<()> {
        let (at, _) = self.find(name)?;
        self.entries()?.remove(at);
        Ok(())
    }

    fn enable(&mut self, name: &str, device: &Device) -> anyhow::Result<()> {
        let (at, user) = self.find(name)?;
        anyhow::ensure!(
            user.mfa.is_empty(),
            "{name} has a device: disable it before another is enabled"
        );
        let mut table = Table::new();
        table.insert("serial", value(&device.serial));
        table.insert("secret", value(&device.secret));
        let mut devices = ArrayOfTables::new();
        devices.push(table);
        self.entry(at)?.insert("mfa", Item::ArrayOfTables(devices));
        Ok(())
    }

    fn disable(&mut self, name: &str) -> anyhow::Result<()> {
        let (at, _) = self.find(name)?;
        let removed = self.entry(at)?.remove("mfa");
        removed
            .map(drop)
            .with_context(|| format!("{name} has no device"))
    }
}

fn new_user(
    name: &str,
    account: &AccountId,
    root: bool,
    policies: &[PathBuf],
    (id, secret): (&str, &str),
) -> anyhow::Result<Table> {
    // The file takes names of earlier versions that IAM would not.
    check_user_name(name).map_err(anyhow::Error::msg)?;
    let mut user = Table::new();
    user.insert("name", value(name));
    user.insert("access_key_id", value(id));
    user.insert("secret_access_key", value(secret));
    user.insert("account", value(account.as_str()));
    if root {
        user.insert("root", value(true));
    }
    let mut documents = Array::new();
    for file in policies {
        let text = std::fs::read_to_string(file);
        documents.push(text.with_context(|| format!("reading {}", file.display()))?);
    }
    if !documents.is_empty() {
        user.insert("policies", value(documents));
    }
    Ok(user)
}

/// A user in the list.
fn line(user: &User) -> String {
    let rights = match &user.policies {
        None => "every right of its account".to_owned(),
        Some(policies) => format!("policies: {}", policies.len()),
    };
    let mfa = if user.mfa.is_empty() { "" } else { "  MFA" };
    format!(
        "{}  {}  {}  {rights}{mfa}",
        user.name, user.access_key_id, user.arn
    )
}

/// A new virtual device.
struct Device {
    serial: String,
    /// In base32.
    secret: String,
    /// What an authenticator app reads.
    uri: String,
}

impl Device {
    fn new(user: &User) -> anyhow::Result<Self> {
        let account = user.arn.account();
        let name = if user.arn.is_root() {
            ROOT_DEVICE
        } else {
            &user.name
        };
        let serial = MfaDevice::serial_arn(user.arn.partition(), &account, name);
        let letters = credentials::random::<SECRET_LETTERS>()?;
        let secret: String = letters.map(credentials::base32_letter).iter().collect();
        let label = format!("{}@{account}", user.name);
        let label = utf8_percent_encode(&label, NON_ALPHANUMERIC);
        let uri = format!("otpauth://totp/Sealgate:{label}?secret={secret}&issuer=Sealgate");
        Ok(Self {
            serial,
            secret,
            uri,
        })
    }

    fn text(&self) -> anyhow::Result<String> {
        let (serial, secret, uri) = (&self.serial, &self.secret, &self.uri);
        let code = QrCode::new(uri)?.render::<Dense1x2>().build();
        Ok(format!(
            "{code}\n\nserial  {serial}\nsecret  {secret}\n{uri}\n\nScan the code with an authenticator app, \
             or give an app the secret. A code counts once."
        ))
    }
}

/// What the root user's device is called at AWS.
const ROOT_DEVICE: &str = "root-account-mfa-device";
/// 160 bits, which RFC 4226, section 4 recommends.
const SECRET_LETTERS: usize = 32;

#[cfg(test)]
mod tests {
    use proto::identity::Secret;

    use super::*;
    use crate::cli::UsersFolder;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        Users::open_or_create(directory.path(), None).unwrap();
        let path = directory.path().to_owned();
        (directory, path)
    }

    #[test]
    fn a_key_of_the_environment_becomes_the_first_users_and_nothing_else_changes() {
        let (_directory, folder) = folder();
        let before = Users::open(&folder).unwrap();
        let key = |id: &str| AccessKey {
            id: id.to_owned(),
            secret: Secret::new("chosen/by+the=test0"),
        };
        give_main_key(&folder, &key("CHOSENBYTHETEST0")).unwrap();
        let text = std::fs::read_to_string(credentials::file(&folder)).unwrap();
        give_main_key(&folder, &key("CHOSENBYTHETEST0")).unwrap();
        assert_eq!(
            std::fs::read_to_string(credentials::file(&folder)).unwrap(),
            text
        );
        let after = Users::open(&folder).unwrap();
        assert_eq!(after.main().access_key_id, "CHOSENBYTHETEST0");
        assert_eq!(
            after.main().secret_access_key.expose(),
            "chosen/by+the=test0"
        );
        assert_eq!(after.main().arn, before.main().arn);
        assert_eq!(after.alt().access_key_id, before.alt().access_key_id);
        let of_alt = key(&before.alt().access_key_id);
        assert!(give_main_key(&folder, &of_alt).is_err());
        assert_eq!(
            std::fs::read_to_string(credentials::file(&folder)).unwrap(),
            text
        );
    }

    fn add(folder: &Path, name: &str, root: bool) -> anyhow::Result<()> {
        user(&UserTask::Add {
            name: name.to_owned(),
            account: None,
            root,
            policy: Vec::new(),
            folder: data(folder),
        })
    }

    fn data(folder: &Path) -> UsersFolder {
        UsersFolder {
            data: Some(folder.to_owned()),
        }
    }

    #[test]
    fn a_user_is_added_and_removed_and_what_else_the_file_has_stays() {
        let (_directory, folder) = folder();
        let file = credentials::file(&folder);
        let before = std::fs::read_to_string(&file).unwrap();
        let commented = format!("# mine\n{before}# the end\n");
        files::write_private(&file, commented.as_bytes()).unwrap();
        add(&folder, "ana", false).unwrap();
        let users = Users::open(&folder).unwrap();
        let ana = &users.all()[2];
        assert_eq!(ana.arn, "arn:aws:iam::123456789012:user/ana");
        assert_eq!(files::mode(&file), 0o600);
        assert!(add(&folder, "ana", false).is_err(), "the name is taken");
        assert!(add(&folder, "ana/b", false).is_err(), "no name");
        user(&UserTask::Remove {
            user: "ana".to_owned(),
            folder: data(&folder),
        })
        .unwrap();
        let after = std::fs::read_to_string(&file).unwrap();
        assert!(
            after.starts_with("# mine\n") && after.contains("# the end"),
            "{after}"
        );
        assert_eq!(Users::open(&folder).unwrap().all().len(), 2);
        let last = user(&UserTask::Remove {
            user: "alt".to_owned(),
            folder: data(&folder),
        });
        assert!(last.is_err(), "up needs two users");
    }

    #[test]
    fn a_device_is_enabled_once_and_can_be_disabled() {
        let (_directory, folder) = folder();
        add(&folder, "ana", false).unwrap();
        let enable = |user: &str| {
            let user = user.to_owned();
            mfa(&MfaTask::Enable {
                user,
                folder: data(&folder),
            })
        };
        enable("ana").unwrap();
        enable("main").unwrap();
        assert!(enable("ana").is_err() && enable("nobody").is_err());
        let users = Users::open(&folder).unwrap();
        let serial = "arn:aws:iam::123456789012:mfa/ana";
        assert!(users.all()[2].device(serial).is_some());
        let root = "arn:aws:iam::123456789012:mfa/root-account-mfa-device";
        assert!(users.main().device(root).is_some());
        let disable = || {
            mfa(&MfaTask::Disable {
                user: "ana".to_owned(),
                folder: data(&folder),
            })
        };
        disable().unwrap();
        assert!(disable().is_err());
        assert!(Users::open(&folder).unwrap().all()[2].mfa.is_empty());
    }

    #[test]
    fn an_authenticator_app_reads_the_uri_and_its_code_is_the_device_s() {
        let users = Users::random(None).unwrap();
        let device = Device::new(users.main()).unwrap();
        let uri = format!(
            "otpauth://totp/Sealgate:main%40123456789012?secret={}&issuer=Sealgate",
            device.secret
        );
        assert_eq!(device.uri, uri);
        let secret = Secret::new(&*device.secret);
        assert!(MfaDevice::new(&device.serial, &secret).is_ok());
        assert!(device.text().unwrap().contains(&uri));
    }
}
