//! Who may sign, and with which secret.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::RwLock;

use proto::sigv4::CredentialScope;
use proto::sigv4::SigningKey;
use zeroize::Zeroizing;

use crate::request::Caller;

/// A user of the gateway.
///
/// Its secret is the gateway's own; it is never sent to the backend.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The access key id that the user signs with.
    pub access_key_id: String,
    /// The secret access key.
    #[serde(deserialize_with = "secret")]
    pub secret_access_key: Zeroizing<String>,
    /// The account that the user belongs to: 12 digits. It owns the buckets and is charged by the
    /// KMS.
    #[serde(default = "default_account")]
    pub account: String,
    /// ARN of the user: the principal that key policies see. Absent: the account's root user.
    #[serde(default)]
    pub principal_arn: Option<String>,
}

impl User {
    /// Whether it is the account's root user.
    fn is_root(&self) -> bool {
        let arn = self.principal_arn.as_deref();
        arn.is_none_or(|arn| arn.ends_with(":root"))
    }

    /// The user as a caller.
    fn caller(&self) -> Caller {
        let root_arn = || format!("arn:aws:iam::{}:root", self.account);
        let principal_arn = self.principal_arn.clone().unwrap_or_else(root_arn);
        Caller {
            access_key_id: self.access_key_id.as_str().into(),
            account: self.account.as_str().into(),
            principal_arn: principal_arn.into(),
            root: self.is_root(),
            anonymous: false,
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("access_key_id", &self.access_key_id)
            .field("account", &self.account)
            .field("principal_arn", &self.principal_arn)
            .finish_non_exhaustive()
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        let public = |user: &Self| {
            let arn = user.principal_arn.clone();
            (user.access_key_id.clone(), user.account.clone(), arn)
        };
        // Compares configurations, never what a client sent.
        public(self) == public(other) && *self.secret_access_key == *other.secret_access_key
    }
}

impl Eq for User {}

/// Reads a secret into memory that is wiped when it is dropped.
fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    <String as serde::Deserialize>::deserialize(from).map(Zeroizing::new)
}

/// The account of users that name none.
fn default_account() -> String {
    "000000000000".to_owned()
}

/// The users by access key id.
pub(super) struct Users {
    by_access_key: HashMap<String, Signer>,
    /// Stands in for unknown access keys, so that a wrong key takes as long as a wrong signature.
    nobody: Signer,
}

/// One user with its signing keys.
pub(super) struct Signer {
    pub(super) caller: Caller,
    secret: Zeroizing<String>,
    /// Signing keys by day, the newest last: the scope's other parts never differ.
    keys: RwLock<Vec<(String, Arc<SigningKey>)>>,
}

impl Users {
    /// Users of a configuration.
    pub(super) fn new(users: &[User]) -> Self {
        let signer = |user: &User| Signer::new(user.caller(), user.secret_access_key.clone());
        let by_access_key = users
            .iter()
            .map(|user| (user.access_key_id.clone(), signer(user)));
        Self {
            by_access_key: by_access_key.collect(),
            nobody: Signer::new(Caller::anonymous(), Zeroizing::new("-".repeat(40))),
        }
    }

    /// The user of an access key, and whether there is one. Where there is none, a signer comes
    /// back all the same, so that the caller does the same work.
    pub(super) fn find(&self, access_key_id: &str) -> (&Signer, bool) {
        match self.by_access_key.get(access_key_id) {
            Some(signer) => (signer, true),
            None => (&self.nobody, false),
        }
    }
}

impl Signer {
    fn new(caller: Caller, secret: Zeroizing<String>) -> Self {
        Self {
            caller,
            secret,
            keys: RwLock::new(Vec::new()),
        }
    }

    /// The signing key for a scope whose Region and service are this gateway's own.
    pub(super) fn key(&self, scope: &CredentialScope) -> Arc<SigningKey> {
        let of_the_day = |keys: &Vec<(String, Arc<SigningKey>)>| {
            let found = keys.iter().rev().find(|(date, _)| *date == scope.date);
            found.map(|(_, key)| Arc::clone(key))
        };
        let cached = self.keys.read().ok().and_then(|keys| of_the_day(&keys));
        if let Some(key) = cached {
            return key;
        }

        let key = Arc::new(SigningKey::derive(&self.secret, scope));
        if let Ok(mut keys) = self.keys.write() {
            if keys.len() >= DAYS_MAX {
                keys.remove(0);
            }
            keys.push((scope.date.clone(), Arc::clone(&key)));
        }
        key
    }
}

/// Days whose signing keys are kept: a presigned URL lives seven days, and today and tomorrow.
const DAYS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(arn: Option<&str>) -> User {
        User {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("the-secret".to_owned()),
            account: "111122223333".to_owned(),
            principal_arn: arn.map(str::to_owned),
        }
    }

    #[test]
    fn a_user_without_an_arn_is_its_accounts_root() {
        let caller = user(None).caller();
        assert_eq!(&*caller.principal_arn, "arn:aws:iam::111122223333:root");
        assert!(caller.root);
        let caller = user(Some("arn:aws:iam::111122223333:user/anna")).caller();
        assert!(!caller.root);
    }

    #[test]
    fn the_secret_of_a_user_is_not_shown() {
        assert!(!format!("{:?}", user(None)).contains("the-secret"));
    }

    #[test]
    fn the_signing_keys_of_many_days_stay_bounded() {
        let users = Users::new(&[user(None)]);
        let (signer, known) = users.find("AKIDEXAMPLE");
        assert!(known);
        for day in 10..30 {
            let scope = CredentialScope {
                date: format!("202501{day}"),
                region: "us-east-1".to_owned(),
                service: "s3".to_owned(),
            };
            signer.key(&scope);
            signer.key(&scope);
        }
        assert_eq!(signer.keys.read().unwrap().len(), DAYS_MAX);
    }
}
