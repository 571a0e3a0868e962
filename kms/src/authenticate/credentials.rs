//! Access keys, the secrets behind them, and the signing keys derived from those.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use proto::iam;
use proto::iam::Identity;
use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::identity::Region;
use proto::identity::Secret;
use proto::sigv4::CredentialScope;
use proto::sigv4::SigningKey;
use serde::Deserialize;

use crate::caller::root_arn;

/// An access key that may sign requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The access key id, such as `AKIA…`.
    pub access_key_id: String,

    /// The secret access key.
    pub secret_access_key: Secret,

    /// Account of the principal.
    pub account: AccountId,

    /// ARN of the principal; the account's root user if left out.
    #[serde(default)]
    pub principal_arn: Option<PrincipalArn>,
}

impl Credential {
    /// The user as IAM has it, with every right of its account.
    pub(crate) fn user(&self) -> iam::User {
        let root = || PrincipalArn::account_root("aws", &self.account);
        let arn = self.principal_arn.clone().unwrap_or_else(root);
        iam::User::new(arn, &self.access_key_id, self.secret_access_key.clone())
    }
}

/// A principal whose access key is known: by itself, or by a session token.
pub(crate) struct User {
    pub(crate) access_key_id: Arc<str>,
    pub(crate) account: AccountId,
    /// None for the account's root user, whose ARN depends on the Region.
    identity: Option<Arc<Identity>>,
    secret: Secret,
    /// The signing keys that were used, latest last. A client uses few scopes, so a list is
    /// searched faster than a map, and needs no key of its own.
    signers: RwLock<Vec<Arc<Signer>>>,
}

/// A signing key and what every call signed by it has in common.
pub(crate) struct Signer {
    pub(crate) scope: CredentialScope,
    pub(crate) key: SigningKey,
    pub(crate) principal_arn: Arc<str>,
}

impl User {
    /// The principal of an access key of its own.
    pub(crate) fn of(user: &iam::User) -> Self {
        let identity = Identity::of_user(user);
        Self::of_identity(
            identity,
            &user.access_key_id,
            user.secret_access_key.clone(),
        )
    }

    /// The principal that signs with that access key.
    pub(crate) fn of_identity(identity: Identity, access_key_id: &str, secret: Secret) -> Self {
        let is_plain_root = identity.is_root() && identity.session().is_none();
        Self {
            access_key_id: access_key_id.into(),
            account: identity.account.clone(),
            identity: (!is_plain_root).then(|| Arc::new(identity)),
            secret,
            signers: RwLock::default(),
        }
    }

    /// Its policies and its session; none for the account's root user.
    pub(crate) const fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// The principal that calls in that Region: itself, or the account's root user.
    pub(crate) fn principal_arn(&self, region: &Region) -> Arc<str> {
        match &self.identity {
            Some(identity) => identity.arn.as_str().into(),
            None => root_arn(&self.account, region).as_str().into(),
        }
    }

    /// The secret access key.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The signing key for a scope in that Region: a cached one, or one derived now.
    pub(crate) fn signer(&self, scope: &CredentialScope, region: &Region) -> Arc<Signer> {
        let signers = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = signers.iter().find(|signer| signer.scope == *scope) {
            return Arc::clone(signer);
        }

        drop(signers);
        Arc::new(Signer {
            scope: scope.clone(),
            key: SigningKey::derive(self.secret.expose(), scope),
            principal_arn: self.principal_arn(region),
        })
    }

    /// Caches a signing key for the next request. Only ones that proved right come here, so that
    /// nobody without the secret can fill the list.
    pub(crate) fn cache(&self, signer: &Arc<Signer>) {
        let cached =
            |signers: &[Arc<Signer>]| signers.iter().any(|cached| cached.scope == signer.scope);
        if cached(&self.signers.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }

        let mut signers = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        if cached(&signers) {
            return;
        }

        if signers.len() >= SIGNERS_CACHED_MAX {
            signers.remove(0);
        }

        signers.push(Arc::clone(signer));
    }
}

/// Signing keys cached per access key: one for each day, Region and service in use.
const SIGNERS_CACHED_MAX: usize = 64;
