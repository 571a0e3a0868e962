//! Who makes a request, and whom a policy means.

use std::borrow::Cow;

use crate::arn::Arn;
use crate::identity::AccountId;
use crate::policy::fault::PolicyFault;
use crate::policy::json::Json;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody who signed.
    Anonymous,
    /// A principal of an account: a user, a role's session, the account's root.
    Aws {
        /// Its ARN: `arn:aws:iam::111122223333:user/alice`,
        /// `arn:aws:sts::111122223333:assumed-role/role/session`.
        arn: String,
        /// Its account, twelve digits.
        account: String,
        /// The ARN of the role whose session this is, with the role's path. Without it, the role is
        /// taken to have none.
        role_arn: Option<String>,
        /// The canonical user id of its account, for requests to S3.
        canonical_user: Option<String>,
    },
    /// An AWS service acting for itself: `logging.s3.amazonaws.com`.
    Service(String),
    /// Somebody another identity provider vouches for, by the provider's name.
    Federated(String),
}

impl Principal {
    /// The principal of an account whose ARN is `arn`.
    #[must_use]
    pub fn aws(arn: &str, account: &AccountId) -> Self {
        Self::Aws {
            arn: arn.to_owned(),
            account: account.to_string(),
            role_arn: None,
            canonical_user: None,
        }
    }

    /// All that the principal acts as: its account, the role of a session, itself.
    pub(crate) fn identities(&self) -> Identities<'_> {
        let is_root = matches!(self, Self::Aws { arn, .. } if is_root(arn));
        let all = match self {
            Self::Anonymous => vec![Identity::Anonymous],
            Self::Service(name) => vec![Identity::Service(name)],
            Self::Federated(name) => vec![Identity::Federated(name)],
            Self::Aws {
                arn,
                account,
                canonical_user,
                ..
            } => {
                let canonical_user = canonical_user.as_deref();
                let mut all = vec![Identity::Account {
                    account,
                    canonical_user,
                }];
                if !is_root {
                    all.push(Identity::Aws(Cow::Borrowed(arn)));
                }
                all.extend(self.role_arn().map(|role| Identity::Aws(Cow::Owned(role))));
                all
            }
        };
        Identities { is_root, all }
    }

    /// The ARN of the role whose session this is.
    fn role_arn(&self) -> Option<String> {
        let Self::Aws { arn, role_arn, .. } = self else {
            return None;
        };
        if role_arn.is_some() {
            return role_arn.clone();
        }
        let session = Arn::parse(arn).ok().filter(|arn| arn.service == "sts")?;
        let (role, _) = session
            .resource
            .strip_prefix("assumed-role/")?
            .split_once('/')?;
        Some(format!(
            "arn:{}:iam::{}:role/{role}",
            session.partition, session.account
        ))
    }
}

/// All that a principal acts as, read once for a request.
#[derive(Debug)]
pub(crate) struct Identities<'a> {
    /// Whether the principal is its account itself.
    is_root: bool,
    all: Vec<Identity<'a>>,
}

/// One of the identities a principal acts as.
#[derive(Clone, Debug)]
enum Identity<'a> {
    Anonymous,
    Account {
        account: &'a str,
        canonical_user: Option<&'a str>,
    },
    Aws(Cow<'a, str>),
    Service(&'a str),
    Federated(&'a str),
}

/// How a statement names the principal it matches, from the least direct to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalMatch {
    /// By its account, which leaves the decision to the account's own policies.
    Account,
    /// As anyone, by `*` or by what `NotPrincipal` leaves over; or not at all, in a policy of an
    /// identity.
    Anyone,
    /// By itself, or as a session of a role.
    Named,
}

/// The element `Principal` or `NotPrincipal` of a statement.
#[derive(Clone, Debug)]
pub(crate) enum PrincipalElement {
    /// Those named.
    Only(Vec<PrincipalEntry>),
    /// All but those named. A principal is exempt only when it and all it acts as are named: a user
    /// and its account; a session, its role and their account.
    Except(Vec<PrincipalEntry>),
}

/// One entry of the element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalEntry {
    Anyone,
    Account(String),
    /// The ARN of a user, a role or a session, or a unique id.
    Aws(String),
    Service(String),
    Federated(String),
    CanonicalUser(String),
}

impl PrincipalElement {
    /// Reads the value of `Principal`, or of `NotPrincipal` if `except`.
    pub(crate) fn parse(value: &Json, except: bool) -> Result<Self, PolicyFault> {
        let named = match value {
            Json::Text(text) if text == "*" => vec![PrincipalEntry::Anyone],
            Json::Object(members) if !members.is_empty() => {
                let mut named = Vec::new();
                for (kind, value) in members {
                    for text in texts(value).ok_or_else(|| invalid(kind))? {
                        named.push(PrincipalEntry::parse(kind, text)?);
                    }
                }
                named
            }
            Json::Text(text) => return Err(invalid(text)),
            _ => return Err(invalid("")),
        };
        Ok(if except {
            Self::Except(named)
        } else {
            Self::Only(named)
        })
    }

    /// Whether the element names principals that no account and no service vouches for: everybody, all
    /// but a few, or whoever an identity provider lets in.
    pub(crate) fn is_wildcard(&self) -> bool {
        match self {
            Self::Only(named) => named.iter().any(|named| {
                matches!(named, PrincipalEntry::Anyone | PrincipalEntry::Federated(_))
            }),
            Self::Except(_) => true,
        }
    }

    /// How the element names a principal, if it does.
    pub(crate) fn matches(&self, identities: &Identities<'_>) -> Option<PrincipalMatch> {
        match self {
            Self::Only(named) => named
                .iter()
                .filter_map(|named| named.matches(identities))
                .max(),
            Self::Except(named) => {
                let excepted = |identity: &Identity<'_>| named.iter().any(|n| n.is(identity));
                let all_excepted = identities.all.iter().all(excepted);
                (!all_excepted).then_some(PrincipalMatch::Anyone)
            }
        }
    }
}

impl PrincipalEntry {
    fn parse(kind: &str, text: &str) -> Result<Self, PolicyFault> {
        if text.is_empty() {
            return Err(invalid(text));
        }
        let wild = text.contains(['*', '?']);
        match kind {
            "AWS" if text == "*" => Ok(Self::Anyone),
            _ if wild => Err(invalid(text)),
            "AWS" => Self::parse_aws(text),
            "Service" => Ok(Self::Service(text.to_owned())),
            "Federated" => Ok(Self::Federated(text.to_owned())),
            "CanonicalUser" => Ok(Self::CanonicalUser(text.to_owned())),
            _ => Err(invalid(kind)),
        }
    }

    fn parse_aws(text: &str) -> Result<Self, PolicyFault> {
        if is_account(text) {
            return Ok(Self::Account(text.to_owned()));
        }
        // What a deleted user or role leaves behind. It is nobody any more.
        let unique = text.len() >= 16 && text.starts_with('A');
        if unique
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        {
            return Ok(Self::Aws(text.to_owned()));
        }
        let arn = Arn::parse(text).map_err(|_| invalid(text))?;
        if !arn.region.is_empty() || !is_account(&arn.account) {
            return Err(invalid(text));
        }
        let kind = arn
            .resource
            .split_once('/')
            .map(|(kind, name)| (kind, !name.is_empty()));
        match (arn.service.as_str(), kind) {
            ("iam", None) if arn.resource == "root" => Ok(Self::Account(arn.account)),
            ("iam", Some(("user" | "role", true)))
            | ("sts", Some(("assumed-role" | "federated-user", true))) => {
                Ok(Self::Aws(text.to_owned()))
            }
            _ => Err(invalid(text)),
        }
    }

    /// How this entry names a principal, if it does.
    fn matches(&self, identities: &Identities<'_>) -> Option<PrincipalMatch> {
        if !identities.all.iter().any(|identity| self.is(identity)) {
            return None;
        }
        Some(match self {
            Self::Anyone => PrincipalMatch::Anyone,
            Self::Account(_) | Self::CanonicalUser(_) if !identities.is_root => {
                PrincipalMatch::Account
            }
            _ => PrincipalMatch::Named,
        })
    }

    /// Whether this entry names `identity`.
    fn is(&self, identity: &Identity<'_>) -> bool {
        match (self, identity) {
            (Self::Anyone, _) => true,
            (Self::Account(wanted), Identity::Account { account, .. }) => wanted == account,
            (Self::CanonicalUser(wanted), Identity::Account { canonical_user, .. }) => {
                *canonical_user == Some(wanted.as_str())
            }
            (Self::Aws(wanted), Identity::Aws(arn)) => wanted == arn,
            (Self::Service(wanted), Identity::Service(name))
            | (Self::Federated(wanted), Identity::Federated(name)) => wanted == name,
            _ => false,
        }
    }
}

/// The texts of a value that is one text or a list of at least one.
pub(crate) fn texts(value: &Json) -> Option<Vec<&str>> {
    let text = |value: &'_ Json| matches!(value, Json::Text(_));
    match value {
        Json::Text(one) => Some(vec![one]),
        Json::List(many) if !many.is_empty() && many.iter().all(text) => Some(
            many.iter()
                .filter_map(|value| match value {
                    Json::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
        ),
        _ => None,
    }
}

/// Whether `arn` is that of an account's root.
fn is_root(arn: &str) -> bool {
    Arn::parse(arn).is_ok_and(|arn| arn.service == "iam" && arn.resource == "root")
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn invalid(principal: &str) -> PolicyFault {
    PolicyFault::Principal {
        principal: principal.to_owned(),
    }
}
