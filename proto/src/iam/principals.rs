//! Users and roles, and the file that they are written in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sha2::Digest as _;
use sha2::Sha256;

use crate::iam::name::check_role_name;
use crate::iam::name::check_user_name;
use crate::iam::name::checked_path;
use crate::identity::AccountId;
use crate::identity::PrincipalArn;
use crate::identity::Secret;
use crate::mfa::MfaDevice;
use crate::policy::Policy;
use crate::policy::PolicyKind;

/// A user of IAM, or the root user of an account.
#[derive(Clone, Debug)]
pub struct User {
    /// Name, which no other user of the account has.
    pub name: String,
    /// Its ARN, `arn:aws:iam::111122223333:user/ana`, or that of the account's root user.
    pub arn: PrincipalArn,
    /// The access key id that it signs with.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// Its identity policies; none leaves it every right that its account has.
    pub policies: Option<Arc<[Policy]>>,
    /// Its MFA devices.
    pub mfa: Vec<MfaDevice>,
    /// Its tags, the values of `aws:PrincipalTag/NAME`.
    pub tags: BTreeMap<String, String>,
}

impl User {
    /// A user with every right of its account, by its access key.
    #[must_use]
    pub fn new(arn: PrincipalArn, access_key_id: &str, secret_access_key: Secret) -> Self {
        Self {
            name: arn.name().to_owned(),
            arn,
            access_key_id: access_key_id.to_owned(),
            secret_access_key,
            policies: None,
            mfa: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    /// The device of that serial number, if it is one of the user's.
    #[must_use]
    pub fn device(&self, serial: &str) -> Option<&MfaDevice> {
        self.mfa.iter().find(|device| device.serial() == serial)
    }

    /// The unique id, the value of `aws:userid`: of the root user, the account.
    #[must_use]
    pub fn unique_id(&self) -> String {
        if self.arn.is_root() {
            return self.arn.account().to_string();
        }
        unique_id("AIDA", &self.arn)
    }
}

/// A role, which users take for a session.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its ARN, `arn:aws:iam::111122223333:role/reader`.
    pub arn: PrincipalArn,
    /// Who may take it.
    pub trust_policy: Policy,
    /// What its sessions may do; without any, nothing that no other policy allows.
    pub policies: Arc<[Policy]>,
    /// How long a session may last.
    pub max_session: Duration,
    /// Its tags, the values of `aws:PrincipalTag/NAME` in its sessions.
    pub tags: BTreeMap<String, String>,
}

impl Role {
    /// The unique id, the first part of the `aws:userid` of its sessions.
    #[must_use]
    pub fn unique_id(&self) -> String {
        unique_id("AROA", &self.arn)
    }
}

/// The users and roles of a credentials file, which is TOML:
///
/// ```toml
/// [[user]]
/// name = "ana"
/// access_key_id = "SEALEXAMPLE"
/// secret_access_key = "..."
/// account = "111122223333"
/// # All of these may be left out.
/// path = "/team/"            # or principal_arn = "arn:aws:iam::111122223333:user/team/ana"
/// root = false               # true: it is the account's root user
/// policies = [{ Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }] }]
/// tags = { team = "blue" }
///
/// [[user.mfa]]
/// serial = "arn:aws:iam::111122223333:mfa/ana"
/// secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
///
/// [[role]]
/// name = "reader"
/// account = "111122223333"
/// trust_policy = '''{ "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
///                     "Principal": { "AWS": "111122223333" } }] }'''
/// policies = []              # JSON in a text, or tables, as for users
/// max_session_seconds = 3600
/// ```
///
/// A user without `policies` may do everything that its account may. One with `policies` may do what they or
/// a resource's policy allow, as at AWS. A role without `policies` may do nothing by itself.
#[derive(Clone, Debug, Default)]
pub struct Principals {
    users: Vec<Arc<User>>,
    roles: Vec<Arc<Role>>,
}

impl Principals {
    /// These users, and no roles.
    #[must_use]
    pub fn of_users(users: impl IntoIterator<Item = User>) -> Self {
        Self {
            users: users.into_iter().map(Arc::new).collect(),
            roles: Vec::new(),
        }
    }

    /// Reads a credentials file.
    ///
    /// # Errors
    ///
    /// [`PrincipalsError`], which names the user or role and the field.
    pub fn parse(text: &str) -> Result<Self, PrincipalsError> {
        let fields: FileFields = toml::from_str(text).map_err(|error| {
            // Without the line itself, which may have a secret.
            let line = error.span().map(|span| line_of(text, span.start));
            PrincipalsError::new(line.unwrap_or_default(), error.message())
        })?;
        let users = fields.user.into_iter().map(UserFields::into_user);
        let roles = fields.role.into_iter().map(RoleFields::into_role);
        let principals = Self {
            users: users
                .map(|user| user.map(Arc::new))
                .collect::<Result<_, _>>()?,
            roles: roles
                .map(|role| role.map(Arc::new))
                .collect::<Result<_, _>>()?,
        };
        principals.check()?;
        Ok(principals)
    }

    /// These and other users, which have access keys of their own.
    #[must_use]
    pub fn with_users(mut self, users: impl IntoIterator<Item = User>) -> Self {
        self.users.extend(users.into_iter().map(Arc::new));
        self
    }

    /// Every user, in the order of the file.
    #[must_use]
    pub fn users(&self) -> &[Arc<User>] {
        &self.users
    }

    /// Every role, in the order of the file.
    #[must_use]
    pub fn roles(&self) -> &[Arc<Role>] {
        &self.roles
    }

    /// The user of an ARN.
    #[must_use]
    pub fn user(&self, arn: &PrincipalArn) -> Option<&Arc<User>> {
        self.users.iter().find(|user| user.arn == *arn)
    }

    /// The user of an access key.
    #[must_use]
    pub fn user_of_key(&self, access_key_id: &str) -> Option<&Arc<User>> {
        let mut users = self.users.iter();
        users.find(|user| user.access_key_id == access_key_id)
    }

    /// The role of an ARN.
    #[must_use]
    pub fn role(&self, arn: &PrincipalArn) -> Option<&Arc<Role>> {
        self.roles.iter().find(|role| role.arn == *arn)
    }

    fn check(&self) -> Result<(), PrincipalsError> {
        for (at, user) in self.users.iter().enumerate() {
            let earlier = self.users.get(..at).unwrap_or_default();
            let refuse =
                |what: &str| Err(PrincipalsError::new(format!("user `{}`", user.name), what));
            if earlier.iter().any(|other| other.arn == user.arn) {
                return refuse("another user has this name and account, or this `principal_arn`");
            }
            if earlier
                .iter()
                .any(|other| other.access_key_id == user.access_key_id)
            {
                return refuse("`access_key_id`: another user has it");
            }
            let devices = || earlier.iter().flat_map(|other| &other.mfa);
            if user
                .mfa
                .iter()
                .any(|device| devices().any(|other| other.serial() == device.serial()))
            {
                return refuse("`mfa`: another user has a device of this serial number");
            }
        }
        for (at, role) in self.roles.iter().enumerate() {
            let earlier = self.roles.get(..at).unwrap_or_default();
            // Sessions are named by account, role and session, without the role's path.
            let same = |other: &Arc<Role>| {
                other.arn.name() == role.arn.name() && other.arn.account() == role.arn.account()
            };
            if earlier.iter().any(same) {
                let role = format!("role `{}`", role.arn.name());
                return Err(PrincipalsError::new(
                    role,
                    "another role has this name and account",
                ));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFields {
    #[serde(default)]
    user: Vec<UserFields>,
    #[serde(default)]
    role: Vec<RoleFields>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFields {
    name: String,
    access_key_id: String,
    secret_access_key: Secret,
    account: AccountId,
    principal_arn: Option<PrincipalArn>,
    path: Option<String>,
    #[serde(default)]
    root: bool,
    policies: Option<Vec<Document>>,
    #[serde(default)]
    mfa: Vec<MfaDevice>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFields {
    name: String,
    account: AccountId,
    path: Option<String>,
    trust_policy: Document,
    #[serde(default)]
    policies: Vec<Document>,
    max_session_seconds: Option<u64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// A policy: JSON in a text, or a table of the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Text(String),
    Table(serde_json::Value),
}

impl Document {
    fn parse(&self, kind: PolicyKind) -> Result<Policy, String> {
        let policy = match self {
            Self::Text(text) => Policy::parse(text, kind),
            Self::Table(table) => Policy::parse(&table.to_string(), kind),
        };
        policy.map_err(|error| error.to_string())
    }

    fn parse_all(documents: &[Self]) -> Result<Arc<[Policy]>, String> {
        let policies = documents.iter().enumerate().map(|(at, document)| {
            let located = |error| format!("`policies`, number {}: {error}", at + 1);
            document.parse(PolicyKind::Identity).map_err(located)
        });
        policies.collect()
    }
}

impl UserFields {
    fn into_user(self) -> Result<User, PrincipalsError> {
        let refuse = {
            let place = format!("user `{}`", self.name);
            move |what: String| PrincipalsError::new(place.clone(), &what)
        };
        if self.access_key_id.is_empty() || self.secret_access_key.expose().is_empty() {
            return Err(refuse(
                "`access_key_id` and `secret_access_key` have a value".into(),
            ));
        }
        let arn = self.arn().map_err(&refuse)?;
        let policies = match &self.policies {
            Some(_) if arn.is_root() => {
                let what = "`policies`: no identity policy limits a root user".to_owned();
                return Err(refuse(what));
            }
            Some(documents) => Some(Document::parse_all(documents).map_err(&refuse)?),
            None => None,
        };
        Ok(User {
            name: self.name,
            arn,
            access_key_id: self.access_key_id,
            secret_access_key: self.secret_access_key,
            policies,
            mfa: self.mfa,
            tags: self.tags,
        })
    }

    fn arn(&self) -> Result<PrincipalArn, String> {
        let named = [self.principal_arn.is_some(), self.path.is_some(), self.root];
        if named.iter().filter(|named| **named).count() > 1 {
            return Err(
                "only one of `principal_arn`, `path` and `root = true` names it".to_owned(),
            );
        }
        if self.root {
            return Ok(PrincipalArn::account_root(PARTITION, &self.account));
        }
        let Some(arn) = &self.principal_arn else {
            let path = checked_path(self.path.as_deref())?;
            let name = self.arn_name()?;
            return Ok(PrincipalArn::user(PARTITION, &self.account, path, name));
        };
        let kind = arn.kind();
        let is_user = matches!(kind, crate::identity::PrincipalKind::User) || arn.is_root();
        if !is_user || arn.account() != self.account {
            return Err("`principal_arn` is that of a user or root of its `account`".to_owned());
        }
        Ok(arn.clone())
    }
}

impl UserFields {
    /// The name in the ARN. Earlier versions took any name and had none of these fields: a user of theirs
    /// whose name IAM would not take goes by its access key id, so that the file can still be read.
    fn arn_name(&self) -> Result<&str, String> {
        let is_former = self.path.is_none()
            && self.policies.is_none()
            && self.mfa.is_empty()
            && self.tags.is_empty();
        match check_user_name(&self.name) {
            Err(_) if is_former => {
                check_user_name(&self.access_key_id).map(|()| self.access_key_id.as_str())
            }
            checked => checked.map(|()| self.name.as_str()),
        }
    }
}

impl RoleFields {
    fn into_role(self) -> Result<Role, PrincipalsError> {
        let refuse = |what: String| PrincipalsError::new(format!("role `{}`", self.name), &what);
        check_role_name(&self.name).map_err(refuse)?;
        let path = checked_path(self.path.as_deref()).map_err(refuse)?;
        let trust_policy = self.trust_policy.parse(PolicyKind::Trust);
        let seconds = self.max_session_seconds.unwrap_or(SESSION_SECONDS_MIN);
        if !(SESSION_SECONDS_MIN..=SESSION_SECONDS_MAX).contains(&seconds) {
            return Err(refuse(
                "`max_session_seconds` is from 3600 to 43200".to_owned(),
            ));
        }
        Ok(Role {
            arn: PrincipalArn::role(PARTITION, &self.account, path, &self.name),
            trust_policy: trust_policy
                .map_err(|error| refuse(format!("`trust_policy`: {error}")))?,
            policies: Document::parse_all(&self.policies).map_err(refuse)?,
            max_session: Duration::from_secs(seconds),
            tags: self.tags,
        })
    }
}

/// An id that stays the same as long as the ARN does. AWS's are random.
fn unique_id(prefix: &str, arn: &PrincipalArn) -> String {
    let hash = Sha256::digest(arn.as_str().as_bytes());
    let letters = hash.iter().take(UNIQUE_ID_LETTERS);
    let letters = letters.map(|byte| char::from(b'A' + byte % 26));
    format!("{prefix}{}", letters.collect::<String>())
}

fn line_of(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    format!("line {}", before.matches('\n').count() + 1)
}

/// A credentials file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalsError {
    place: String,
    what: String,
}

impl PrincipalsError {
    fn new(place: String, what: &str) -> Self {
        Self {
            place,
            what: what.to_owned(),
        }
    }
}

impl fmt::Display for PrincipalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for PrincipalsError {}

/// The partition of users and roles: the other ones have IAMs of their own.
const PARTITION: &str = "aws";
const UNIQUE_ID_LETTERS: usize = 17;
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
const SESSION_SECONDS_MIN: u64 = 3_600;
const SESSION_SECONDS_MAX: u64 = 43_200;

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "[[user]]\nname = 'ana'\naccess_key_id = 'A'\nsecret_access_key = 'canary'\n\
                        account = '111122223333'\n";
    const ROLE: &str = "[[role]]\nname = 'reader'\naccount = '111122223333'\n\
        trust_policy = { Statement = { Effect = 'Allow', Action = 'sts:AssumeRole', Principal = '*' } }\n";

    fn user(more: &str) -> Result<Arc<User>, String> {
        let principals = Principals::parse(&format!("{USER}{more}"));
        let principals = principals.map_err(|error| error.to_string())?;
        Ok(Arc::clone(&principals.users()[0]))
    }

    #[test]
    fn a_user_of_name_keys_and_account_alone_has_every_right_of_its_account() {
        let user = user("").unwrap();
        assert_eq!(user.arn, "arn:aws:iam::111122223333:user/ana");
        assert!(user.policies.is_none() && user.mfa.is_empty());
        assert!(user.unique_id().starts_with("AIDA") && user.unique_id().len() == 21);
    }

    #[test]
    fn a_name_of_an_earlier_version_that_iam_would_not_take_is_read_and_the_key_id_names_the_user()
    {
        let text = USER.replace("'ana'", "'Ana of the tests'");
        let earlier = Principals::parse(&text).unwrap();
        let user = &earlier.users()[0];
        assert_eq!(user.arn, "arn:aws:iam::111122223333:user/A");
        assert_eq!(user.name, "Ana of the tests");
        for field in ["path = '/x/'", "policies = []", "tags = { a = 'b' }"] {
            let error = Principals::parse(&format!("{text}{field}")).unwrap_err();
            assert!(error.to_string().contains("`name` has 1 to 64"), "{error}");
        }
    }

    #[test]
    fn a_user_may_have_a_path_an_arn_or_be_root() {
        let path = user("path = '/team/'").unwrap();
        assert_eq!(path.arn, "arn:aws:iam::111122223333:user/team/ana");
        let arn = user("principal_arn = 'arn:aws:iam::111122223333:user/x/y'").unwrap();
        assert_eq!(arn.arn.name(), "y");
        let root = user("root = true").unwrap();
        assert!(root.arn.is_root());
        assert_eq!(root.unique_id(), "111122223333");
    }

    #[test]
    fn policies_are_texts_or_tables_and_devices_follow() {
        let user = user(
            "policies = ['{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}', \
             { Statement = [{ Effect = 'Allow', Action = 's3:*', Resource = '*' }] }]\n\
             [[user.mfa]]\nserial = 'arn:aws:iam::111122223333:mfa/ana'\n\
             secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'\n",
        )
        .unwrap();
        assert_eq!(user.policies.as_ref().unwrap().len(), 2);
        assert!(user.device("arn:aws:iam::111122223333:mfa/ana").is_some());
        assert!(user.device("arn:aws:iam::111122223333:mfa/bob").is_none());
    }

    #[test]
    fn a_role_has_a_trust_policy_and_lasts_an_hour() {
        let principals = Principals::parse(ROLE).unwrap();
        let arn: PrincipalArn = "arn:aws:iam::111122223333:role/reader".parse().unwrap();
        let role = principals.role(&arn).unwrap();
        assert_eq!(role.max_session, Duration::from_secs(3_600));
        assert!(role.policies.is_empty() && role.unique_id().starts_with("AROA"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_user_or_role_and_no_secret_is_shown() {
        for (text, expected) in [
            (format!("{USER}admin = true"), "unknown field `admin`"),
            (format!("{USER}account = 1"), "duplicate key"),
            (
                format!("{USER}root = true\npath = '/'"),
                "user `ana`: only one of",
            ),
            (
                format!("{USER}root = true\npolicies = []"),
                "user `ana`: `policies`",
            ),
            (format!("{USER}path = 'team'"), "user `ana`: `path`"),
            (
                format!("{USER}policies = ['{{']"),
                "user `ana`: `policies`, number 1",
            ),
            (
                format!("{USER}principal_arn = 'arn:aws:iam::444455556666:user/ana'"),
                "user `ana`: `principal_arn`",
            ),
            (format!("{USER}{USER}"), "user `ana`: another user"),
            (
                format!("{USER}{}", USER.replace("'ana'", "'bob'")),
                "user `bob`: `access_key_id`",
            ),
            (
                format!("{}tags = {{ a = 'b' }}", USER.replace("'ana'", "'a b'")),
                "user `a b`: `name`",
            ),
            (
                format!("{ROLE}max_session_seconds = 1"),
                "role `reader`: `max_session_seconds`",
            ),
            (format!("{ROLE}{ROLE}"), "role `reader`: another role"),
            (
                ROLE.replace("'sts:AssumeRole'", "'sts'"),
                "role `reader`: `trust_policy`",
            ),
            (
                format!("{USER}[[user.mfa]]\nserial = 'x'\nsecret = 'y'"),
                "line 6",
            ),
        ] {
            let refusal = Principals::parse(&text).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{refusal}");
            assert!(!refusal.contains("canary"), "{refusal}");
        }
    }
}
