//! Access control lists: who is granted what on a bucket or an object, and whether that permits a caller.
//!
//! Pure: which list counts, and for which actions, is in [`crate::authorize`].
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use proto::identity::AccountId;
use serde::Deserialize;
use serde::Serialize;

mod document;
mod requested;

pub use requested::Canned;
pub use requested::Level;
pub use requested::RequestedAcl;

/// An access control list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    /// The canonical user id of the owner of the bucket or the object.
    pub owner: String,
    /// What is granted, in the order in which it was written.
    pub grants: Vec<Grant>,
}

/// One permission for one grantee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who.
    pub grantee: Grantee,
    /// What.
    pub permission: Permission,
}

/// Who is granted something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// The account with this canonical user id.
    User(String),
    /// A predefined group.
    Group(Group),
}

/// A predefined group of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Everyone, with or without a signature.
    AllUsers,
    /// Everyone who signs, of any account.
    AuthenticatedUsers,
    /// S3's log service.
    LogDelivery,
}

/// A permission of access control lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Reading an object, or listing a bucket.
    Read,
    /// Writing objects into a bucket; nothing on an object.
    Write,
    /// Reading the list.
    ReadAcp,
    /// Writing the list.
    WriteAcp,
    /// All of these.
    FullControl,
}

/// A caller as access control lists identify it: the canonical user id of its account; none of the anonymous one.
pub type AclCaller<'a> = Option<&'a str>;

impl Acl {
    /// The list that grants everything to the owner and nothing to others.
    #[must_use]
    pub fn private(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            grants: vec![Grant::new(
                Grantee::User(owner.to_owned()),
                Permission::FullControl,
            )],
        }
    }

    /// Whether a grant permits this to a caller. With `ignores_public` grants to everyone count as not there,
    /// as `IgnorePublicAcls` demands.
    #[must_use]
    pub fn permits(
        &self,
        caller: AclCaller<'_>,
        permission: Permission,
        ignores_public: bool,
    ) -> bool {
        self.grants.iter().any(|grant| {
            grant.permission.covers(permission)
                && !(ignores_public && grant.grantee.is_public())
                && grant.grantee.includes(caller)
        })
    }

    /// Whether the log service is granted this.
    #[must_use]
    pub fn permits_log_delivery(&self, permission: Permission) -> bool {
        self.grants.iter().any(|grant| {
            grant.grantee == Grantee::Group(Group::LogDelivery)
                && grant.permission.covers(permission)
        })
    }

    /// Whether something is granted to everyone, or to everyone who signs.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_public())
    }

    /// Whether something is granted to anyone other than the owner.
    #[must_use]
    pub fn grants_to_others(&self) -> bool {
        let is_owner =
            |grantee: &Grantee| matches!(grantee, Grantee::User(id) if *id == self.owner);
        self.grants.iter().any(|grant| !is_owner(&grant.grantee))
    }
}

impl Grant {
    /// A grant of `permission` to `grantee`.
    #[must_use]
    pub const fn new(grantee: Grantee, permission: Permission) -> Self {
        Self {
            grantee,
            permission,
        }
    }
}

impl Grantee {
    /// Whether this is everyone, or everyone who signs. Whoever sends nothing signed is one user to access control
    /// lists ([`ANONYMOUS`]), so a grant to that one is public, too.
    #[must_use]
    pub fn is_public(&self) -> bool {
        match self {
            Self::User(id) => id == ANONYMOUS,
            Self::Group(group) => matches!(group, Group::AllUsers | Group::AuthenticatedUsers),
        }
    }

    fn includes(&self, caller: AclCaller<'_>) -> bool {
        match self {
            Self::User(id) => id == caller.unwrap_or(ANONYMOUS),
            Self::Group(Group::AllUsers) => true,
            Self::Group(Group::AuthenticatedUsers) => caller.is_some(),
            Self::Group(Group::LogDelivery) => false,
        }
    }
}

impl Group {
    const ALL: [Self; 3] = [Self::AllUsers, Self::AuthenticatedUsers, Self::LogDelivery];

    /// The URI of the group.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::AllUsers => "http://acs.amazonaws.com/groups/global/AllUsers",
            Self::AuthenticatedUsers => "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
            Self::LogDelivery => "http://acs.amazonaws.com/groups/s3/LogDelivery",
        }
    }

    fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.uri() == uri)
    }
}

impl Permission {
    const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::ReadAcp,
        Self::WriteAcp,
        Self::FullControl,
    ];

    /// The name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
            Self::FullControl => "FULL_CONTROL",
        }
    }

    /// The header that grants it.
    const fn header(self) -> &'static str {
        match self {
            Self::Read => "x-amz-grant-read",
            Self::Write => "x-amz-grant-write",
            Self::ReadAcp => "x-amz-grant-read-acp",
            Self::WriteAcp => "x-amz-grant-write-acp",
            Self::FullControl => "x-amz-grant-full-control",
        }
    }

    fn covers(self, other: Self) -> bool {
        self == Self::FullControl || self == other
    }
}

/// The canonical user id of an account by its digits; empty for what is no account.
#[must_use]
pub fn canonical_user_id(account: &str) -> String {
    let account = account.parse::<AccountId>();
    account.map_or_else(|_| String::new(), |account| account.canonical_user_id())
}

/// The canonical user id of whoever sends a request without a signature: the owner of the objects it writes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/finding-canonical-user-id.html>
pub const ANONYMOUS: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

#[cfg(test)]
mod tests {
    use super::Permission::FullControl;
    use super::Permission::Read;
    use super::Permission::ReadAcp;
    use super::Permission::Write;
    use super::*;

    fn acl(grantee: Grantee, permission: Permission) -> Acl {
        Acl {
            owner: "owner".into(),
            grants: vec![Grant::new(grantee, permission)],
        }
    }

    #[test]
    fn a_grant_permits_its_own_permission_to_its_own_grantee() {
        let (a, b) = (Some("a"), Some("b"));
        let user = || Grantee::User("a".into());
        let group = Grantee::Group;
        for (grantee, granted, caller, requested, permitted) in [
            (user(), Read, a, Read, true),
            (user(), Read, a, ReadAcp, false),
            (user(), Read, b, Read, false),
            (user(), Read, None, Read, false),
            (user(), FullControl, a, Write, true),
            (group(Group::AllUsers), Read, None, Read, true),
            (group(Group::AllUsers), Read, a, Read, true),
            (group(Group::AllUsers), Read, None, Write, false),
            (group(Group::AuthenticatedUsers), Write, a, Write, true),
            (group(Group::AuthenticatedUsers), Write, None, Write, false),
            (group(Group::LogDelivery), Write, a, Write, false),
            (Grantee::User(ANONYMOUS.into()), Read, None, Read, true),
            (Grantee::User(String::new()), Read, None, Read, false),
        ] {
            let list = acl(grantee, granted);
            assert_eq!(
                list.permits(caller, requested, false),
                permitted,
                "{list:?} {caller:?} {requested:?}"
            );
        }
    }

    #[test]
    fn a_public_grant_is_ignored_and_others_are_not() {
        for (grantee, permitted) in [
            (Grantee::Group(Group::AllUsers), false),
            (Grantee::Group(Group::AuthenticatedUsers), false),
            (Grantee::User("a".into()), true),
        ] {
            assert_eq!(acl(grantee, Read).permits(Some("a"), Read, true), permitted);
        }
        let anonymous = acl(Grantee::User(ANONYMOUS.into()), FullControl);
        assert!(anonymous.is_public() && !anonymous.permits(None, Read, true));
    }

    #[test]
    fn the_owners_grant_is_no_grant_to_others() {
        assert!(!Acl::private("owner").grants_to_others());
        assert!(acl(Grantee::User("a".into()), Read).grants_to_others());
        assert!(acl(Grantee::Group(Group::LogDelivery), Write).grants_to_others());
    }
}
