//! The ARNs of principals, and what they are made of.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::identity::AccountId;
use crate::identity::IdentityError;

/// A principal: a user or role of IAM, an account's root user, or a session of STS.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrincipalArn(String);

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The root user of an account: `arn:aws:iam::111122223333:root`.
    Root,
    /// A user of IAM: `arn:aws:iam::111122223333:user/team/ana`.
    User,
    /// A role of IAM: `arn:aws:iam::111122223333:role/reader`. Only its sessions make requests.
    Role,
    /// A session of a role: `arn:aws:sts::111122223333:assumed-role/reader/session`.
    AssumedRole,
    /// A federated user: `arn:aws:sts::111122223333:federated-user/bob`.
    FederatedUser,
}

impl PrincipalArn {
    /// The root user of `account`: `arn:aws:iam::111122223333:root`.
    #[must_use]
    pub fn account_root(partition: &str, account: &AccountId) -> Self {
        Self(format!("arn:{partition}:iam::{account}:root"))
    }

    /// A user. `path` begins and ends with a slash, and is `/` by default.
    #[must_use]
    pub fn user(partition: &str, account: &AccountId, path: &str, name: &str) -> Self {
        Self(format!("arn:{partition}:iam::{account}:user{path}{name}"))
    }

    /// A role. `path` begins and ends with a slash, and is `/` by default.
    #[must_use]
    pub fn role(partition: &str, account: &AccountId, path: &str, name: &str) -> Self {
        Self(format!("arn:{partition}:iam::{account}:role{path}{name}"))
    }

    /// The session `session` of this role; its ARN has no path.
    #[must_use]
    pub fn assumed_role(&self, session: &str) -> Self {
        let (partition, account, role) = (self.partition(), self.account_text(), self.name());
        Self(format!(
            "arn:{partition}:sts::{account}:assumed-role/{role}/{session}"
        ))
    }

    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the principal is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        let resource = self.field(5);
        match resource.split_once('/').map_or(resource, |(kind, _)| kind) {
            "user" => PrincipalKind::User,
            "role" => PrincipalKind::Role,
            "assumed-role" => PrincipalKind::AssumedRole,
            "federated-user" => PrincipalKind::FederatedUser,
            _ => PrincipalKind::Root,
        }
    }

    /// The account that the principal belongs to.
    #[must_use]
    pub fn account(&self) -> AccountId {
        let account = self.account_text().parse();
        account.expect("the account of an ARN was checked when it was parsed")
    }

    /// `aws`, `aws-cn`, `aws-us-gov` and such.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.field(1)
    }

    /// The name without its path: of a user, a role, or a role's session; `root` for the root user.
    #[must_use]
    pub fn name(&self) -> &str {
        let resource = self.field(5);
        resource.rsplit_once('/').map_or(resource, |(_, name)| name)
    }

    /// Whether it is the root user of an account.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.kind() == PrincipalKind::Root
    }

    fn account_text(&self) -> &str {
        self.field(4)
    }

    fn field(&self, at: usize) -> &str {
        self.0.splitn(6, ':').nth(at).unwrap_or_default()
    }

    fn checked(text: &str) -> Option<Self> {
        is_principal(text).then(|| Self(text.to_owned()))
    }
}

checked_text!(
    PrincipalArn,
    "the ARN of a principal such as arn:aws:iam::111122223333:user/ana"
);

fn is_principal(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, "", account, resource] = fields.as_slice() else {
        return false;
    };
    let has_name = |kinds: &[&str]| {
        let named = resource.split_once('/');
        named.is_some_and(|(kind, name)| kinds.contains(&kind) && !name.is_empty())
    };
    let is_known = match *service {
        "iam" => *resource == "root" || has_name(&["user", "role"]),
        "sts" => has_name(&["assumed-role", "federated-user"]),
        _ => false,
    };
    is_known && !partition.is_empty() && AccountId::checked(account).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_principal_are_read_from_its_arn() {
        let account: AccountId = "111122223333".parse().unwrap();
        let user = PrincipalArn::user("aws", &account, "/team/", "ana");
        assert_eq!(user, "arn:aws:iam::111122223333:user/team/ana");
        assert_eq!((user.kind(), user.name()), (PrincipalKind::User, "ana"));
        assert_eq!(user.account(), account);
        let role = PrincipalArn::role("aws-cn", &account, "/team/", "reader");
        assert_eq!(role.kind(), PrincipalKind::Role);
        let session = role.assumed_role("monday");
        assert_eq!(
            session,
            "arn:aws-cn:sts::111122223333:assumed-role/reader/monday"
        );
        assert_eq!(session.kind(), PrincipalKind::AssumedRole);
        let root = PrincipalArn::account_root("aws", &account);
        assert!(root.is_root() && root.name() == "root");
        for arn in [&user, &role, &session, &root] {
            assert_eq!(arn.as_str().parse::<PrincipalArn>().as_ref(), Ok(arn));
        }
    }
}
