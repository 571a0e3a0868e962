//! Who may sign, and with which secret.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::RwLock;

use proto::iam;
use proto::iam::Identity;
use proto::iam::Principals;
use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::identity::Secret;
use proto::sigv2;
use proto::sigv4::CredentialScope;
use proto::sigv4::SigningKey;

use crate::request::Caller;

/// A user of the gateway, with every right of its account.
///
/// Its secret is the gateway's own; it is never sent to the backend. Users with policies, devices and sessions
/// are in the credentials file ([`Principals`]).
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The access key id that the user signs with.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The account that the user belongs to. It owns the buckets and is charged by the
    /// KMS.
    #[serde(default = "default_account")]
    pub account: AccountId,
    /// ARN of the user: the principal that key policies see. Absent: the account's root user.
    #[serde(default)]
    pub principal_arn: Option<PrincipalArn>,
}

impl User {
    /// The user as IAM has it.
    fn to_principal(&self) -> iam::User {
        let root = || PrincipalArn::account_root("aws", &self.account);
        let arn = self.principal_arn.clone().unwrap_or_else(root);
        iam::User::new(arn, &self.access_key_id, self.secret_access_key.clone())
    }
}

/// The account of users that name none.
fn default_account() -> AccountId {
    DEFAULT_ACCOUNT.parse().expect("it has 12 digits")
}

/// The users by access key id.
pub(super) struct Users {
    /// Those of the configuration.
    configured: Arc<[User]>,
    /// Those of the credentials file.
    principals: Option<Arc<Principals>>,
    by_access_key: HashMap<String, Signer>,
    /// Stands in for unknown access keys, so that a wrong key takes as long as a wrong signature.
    nobody: Signer,
}

/// One user with its signing keys.
pub(super) struct Signer {
    pub(super) caller: Caller,
    secret: Secret,
    /// Signing keys by their scopes, the newest last.
    keys: RwLock<Vec<(CredentialScope, Arc<SigningKey>)>>,
    /// The signing key of Version 2.
    pub(super) version_2: sigv2::SigningKey,
}

impl Users {
    /// Users of a configuration, and of a credentials file. Of two with one access key that of the file counts,
    /// which its policies may limit.
    pub(super) fn new(configured: Arc<[User]>, principals: Option<Arc<Principals>>) -> Self {
        let of_file = principals.iter().flat_map(|it| it.users());
        let of_file = of_file.map(|user| (user.access_key_id.clone(), Signer::of(user)));
        let of_configuration = configured.iter().map(|user| {
            let user = user.to_principal();
            (user.access_key_id.clone(), Signer::of(&user))
        });
        Self {
            by_access_key: of_configuration.chain(of_file).collect(),
            nobody: Signer::new(Caller::Anonymous, Secret::new("-".repeat(40))),
            configured,
            principals,
        }
    }

    /// The same with the users that the credentials file has now.
    pub(super) fn with(&self, principals: Arc<Principals>) -> Self {
        Self::new(Arc::clone(&self.configured), Some(principals))
    }

    /// Whether those of the credentials file are these.
    pub(super) fn are_of(&self, principals: &Arc<Principals>) -> bool {
        let own = self.principals.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, principals))
    }

    /// Those of the configuration.
    pub(super) fn configured(&self) -> &[User] {
        &self.configured
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
    fn of(user: &iam::User) -> Self {
        let caller = Caller::User(Arc::new(Identity::of_user(user)));
        Self::new(caller, user.secret_access_key.clone())
    }

    fn new(caller: Caller, secret: Secret) -> Self {
        Self {
            caller,
            version_2: sigv2::SigningKey::new(secret.expose()),
            secret,
            keys: RwLock::new(Vec::new()),
        }
    }

    /// The signing key for a scope of this gateway's service and one of its Regions.
    pub(super) fn key(&self, scope: &CredentialScope) -> Arc<SigningKey> {
        let of_scope = |keys: &Vec<(CredentialScope, Arc<SigningKey>)>| {
            let found = keys.iter().rev().find(|(cached, _)| cached == scope);
            found.map(|(_, key)| Arc::clone(key))
        };
        let cached = self.keys.read().ok().and_then(|keys| of_scope(&keys));
        if let Some(key) = cached {
            return key;
        }

        let key = Arc::new(SigningKey::derive(self.secret.expose(), scope));
        if let Ok(mut keys) = self.keys.write() {
            if keys.len() >= SCOPES_MAX {
                keys.remove(0);
            }
            keys.push((scope.clone(), Arc::clone(&key)));
        }
        key
    }
}

const DEFAULT_ACCOUNT: &str = "000000000000";

/// Scopes whose signing keys are cached: a presigned URL lives seven days, and today and tomorrow, in a few
/// Regions.
const SCOPES_MAX: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(arn: Option<&str>) -> User {
        User {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("the-secret"),
            account: "111122223333".parse().unwrap(),
            principal_arn: arn.map(|arn| arn.parse().unwrap()),
        }
    }

    fn users(arn: Option<&str>) -> Users {
        Users::new(Arc::new([user(arn)]), None)
    }

    #[test]
    fn a_user_without_an_arn_is_its_accounts_root() {
        for (arn, principal, is_root) in [
            (None, "arn:aws:iam::111122223333:root", true),
            (
                Some("arn:aws:iam::111122223333:user/anna"),
                "arn:aws:iam::111122223333:user/anna",
                false,
            ),
            // The end of a name makes no root.
            (
                Some("arn:aws:iam::111122223333:user/a:root"),
                "arn:aws:iam::111122223333:user/a:root",
                false,
            ),
        ] {
            let users = users(arn);
            let (signer, _) = users.find("AKIDEXAMPLE");
            assert_eq!(signer.caller.principal(), principal);
            assert_eq!(signer.caller.is_root(), is_root);
        }
    }

    #[test]
    fn of_two_users_with_one_access_key_that_of_the_credentials_file_counts() {
        let arn: PrincipalArn = "arn:aws:iam::111122223333:user/limited".parse().unwrap();
        let limited = iam::User::new(arn, "AKIDEXAMPLE", Secret::new("the-secret"));
        let principals = Arc::new(Principals::of_users([limited]));
        let users = Users::new(Arc::new([user(None)]), Some(principals));
        let (signer, _) = users.find("AKIDEXAMPLE");
        assert!(!signer.caller.is_root());
    }

    #[test]
    fn the_secret_of_a_user_is_not_shown() {
        assert!(!format!("{:?}", user(None)).contains("the-secret"));
    }

    #[test]
    fn the_signing_keys_of_many_days_stay_bounded() {
        let users = users(None);
        let (signer, exists) = users.find("AKIDEXAMPLE");
        assert!(exists);
        for (day, region) in (10..30).flat_map(|day| [(day, "us-east-1"), (day, "eu-west-1")]) {
            let scope = CredentialScope {
                date: format!("202501{day}"),
                region: region.to_owned(),
                service: "s3".to_owned(),
            };
            let signature = SigningKey::derive("the-secret", &scope)
                .sign("text")
                .to_string();
            assert!(signer.key(&scope).verify("text", &signature));
            assert!(signer.key(&scope).verify("text", &signature));
        }
        assert_eq!(signer.keys.read().unwrap().len(), SCOPES_MAX);
    }
}
