//! Who a request comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::iam::principals::Principals;
use crate::iam::principals::Role;
use crate::iam::principals::User;
use crate::iam::rights::Rights;
use crate::identity::AccountId;
use crate::identity::PrincipalArn;
use crate::identity::PrincipalKind;
use crate::policy::Context;
use crate::policy::Policy;
use crate::policy::PolicyKind;
use crate::policy::Principal;
use crate::session::Session;
use crate::session::SessionError;
use crate::time::Timestamp;

/// Who makes a request, as policies see it: a principal, its policies, and its session if it has one.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The principal: of a role's session, the session's ARN.
    pub arn: PrincipalArn,
    /// Whose policies hold: the principal, or the role of a session.
    pub source: PrincipalArn,
    /// The account.
    pub account: AccountId,
    /// The value of `aws:userid`.
    pub user_id: String,
    /// The access key of the user or of the session; none of a principal that no file describes.
    pub access_key_id: Option<Arc<str>>,
    /// The policies of the user or role; none leaves every right of the account.
    policies: Option<Arc<[Policy]>>,
    tags: BTreeMap<String, String>,
    session: Option<Arc<SessionRights>>,
}

/// A session and its policy.
#[derive(Debug)]
struct SessionRights {
    session: Session,
    policy: Option<Policy>,
}

impl Identity {
    /// A principal with every right of its account, that no file describes.
    #[must_use]
    pub fn unlimited(arn: PrincipalArn) -> Self {
        Self::of_user(&User::new(arn, "", crate::identity::Secret::new("")))
    }

    /// The user, by its own access key.
    #[must_use]
    pub fn of_user(user: &User) -> Self {
        Self {
            arn: user.arn.clone(),
            source: user.arn.clone(),
            account: user.arn.account(),
            user_id: user.unique_id(),
            access_key_id: Some(user.access_key_id.as_str().into())
                .filter(|id: &Arc<str>| !id.is_empty()),
            policies: user.policies.clone(),
            tags: user.tags.clone(),
            session: None,
        }
    }

    /// The principal of a session.
    ///
    /// # Errors
    ///
    /// [`SessionError::Invalid`] when there is no such user or role any more, so that removing one ends its
    /// sessions.
    pub fn of_session(session: Session, principals: &Principals) -> Result<Self, SessionError> {
        let user = || {
            principals
                .user(&session.source)
                .map(|user| Self::of_user(user))
        };
        let role = || {
            principals
                .role(&session.source)
                .map(|role| Self::of_role(role))
        };
        let source = user().or_else(role).ok_or(SessionError::Invalid)?;
        let policy = session.policy.as_deref();
        let policy = policy.map(|text| Policy::parse(text, PolicyKind::Identity));
        let policy = policy.transpose().map_err(|_| SessionError::Invalid)?;
        let mut tags = source.tags;
        tags.extend(session.tags.clone());
        Ok(Self {
            arn: session.principal.clone(),
            source: session.source.clone(),
            account: session.principal.account(),
            user_id: session.user_id.clone(),
            access_key_id: None,
            policies: source.policies,
            tags,
            session: Some(Arc::new(SessionRights { session, policy })),
        })
    }

    /// The same, with the access key of its session.
    #[must_use]
    pub fn with_access_key(self, access_key_id: &str) -> Self {
        Self {
            access_key_id: Some(access_key_id.into()),
            ..self
        }
    }

    /// What all sessions of a role have in common.
    fn of_role(role: &Role) -> Self {
        Self {
            arn: role.arn.clone(),
            source: role.arn.clone(),
            account: role.arn.account(),
            user_id: role.unique_id(),
            access_key_id: None,
            policies: Some(Arc::clone(&role.policies)),
            tags: role.tags.clone(),
            session: None,
        }
    }

    /// The session, if the request was made with temporary credentials.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref().map(|rights| &rights.session)
    }

    /// Whether it is the root user of its account, by its own keys or in a session.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.arn.is_root()
    }

    /// Whether no policy of its own or of its session limits it.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        let session = self.session.as_ref();
        self.policies.is_none() && session.is_none_or(|rights| rights.policy.is_none())
    }

    /// The name of the user, if it is one.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        (self.arn.kind() == PrincipalKind::User).then(|| self.arn.name())
    }

    /// The tags of the user or role, and of the session, which take precedence.
    #[must_use]
    pub const fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// Whether a condition of its policies, or of its session's, is about a key that begins so. `start` is in
    /// lower case.
    #[must_use]
    pub fn looks_at(&self, start: &str) -> bool {
        let session = self
            .session
            .iter()
            .filter_map(|rights| rights.policy.as_ref());
        let mut policies = self.policies.iter().flat_map(|it| it.iter()).chain(session);
        policies.any(|policy| {
            let mut statements = policy.statements().iter();
            statements.any(|it| it.condition_keys().any(|key| key.starts_with(start)))
        })
    }

    /// The principal that the policy of a resource may name.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal::Aws {
            arn: self.arn.to_string(),
            account: self.account.to_string(),
            role_arn: (self.source.kind() == PrincipalKind::Role).then(|| self.source.to_string()),
            canonical_user: None,
        }
    }

    /// Its policies and that of its session, made ready for a request with this context.
    #[must_use]
    pub fn for_request(&self, context: &Context) -> Rights {
        let session = self.session.as_ref();
        let session = session.and_then(|rights| rights.policy.as_ref());
        Rights::new(&self.account, self.policies.as_deref(), session, context)
    }

    /// Adds the condition keys that describe the principal and its session.
    ///
    /// Long-term keys have neither of the two MFA keys, and only a session that was opened with an MFA code
    /// has an age.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    pub fn write_conditions(&self, now: Timestamp, context: &mut Context) {
        let kind = match self.arn.kind() {
            PrincipalKind::Root => "Account",
            PrincipalKind::AssumedRole => "AssumedRole",
            PrincipalKind::FederatedUser => "FederatedUser",
            PrincipalKind::User | PrincipalKind::Role => "User",
        };
        // Of a role's session it is the role's ARN.
        let arn = match self.arn.kind() {
            PrincipalKind::AssumedRole => &self.source,
            _ => &self.arn,
        };
        context.insert("aws:PrincipalArn", arn.as_str());
        context.insert("aws:PrincipalAccount", self.account.as_str());
        context.insert("aws:PrincipalType", kind);
        context.insert("aws:userid", &*self.user_id);
        if let Some(name) = self.user_name() {
            context.insert("aws:username", name);
        }
        for (name, value) in &self.tags {
            context.insert(&format!("aws:PrincipalTag/{name}"), &**value);
        }
        if let Some(session) = self.session() {
            write_session(session, now, context);
        }
    }
}

fn write_session(session: &Session, now: Timestamp, context: &mut Context) {
    context.insert("aws:TokenIssueTime", session.issued.iso8601());
    context.insert("aws:MultiFactorAuthPresent", session.mfa.to_string());
    if session.mfa {
        let age = now.since(session.issued).as_secs();
        context.insert("aws:MultiFactorAuthAge", age.to_string());
    }
    if let Some(source) = &session.source_identity {
        context.insert("aws:SourceIdentity", &**source);
    }
}

/// Two are equal when they are the same principal in the same session.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.arn == other.arn && self.session() == other.session()
    }
}

impl Eq for Identity {}
