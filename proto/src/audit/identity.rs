//! Who made a request, and where from, as CloudTrail records it.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;

use crate::iam;
use crate::identity::AccountId;
use crate::identity::PrincipalKind;

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `IAMUser`, `AssumedRole`, `FederatedUser`, `Root`, `AWSService` or `AWSAccount`.
    pub kind: &'static str,
    /// The principal's ARN; empty where it is not recorded.
    pub arn: Arc<str>,
    /// The principal's account; in the place of the principal's unique id, too, if it has none here. None of an
    /// anonymous caller.
    pub account: Option<AccountId>,
    /// The principal's unique id, if it is known.
    pub principal_id: Option<Arc<str>>,
    /// The session that the request was made in.
    pub session: Option<Box<SessionContext>>,
    /// The access key that signed, if one did.
    pub access_key_id: Option<Arc<str>>,
    /// Name of the user, if it is one.
    pub user_name: Option<Arc<str>>,
    /// The service that called on the principal's behalf, such as `s3.us-east-1.amazonaws.com`.
    pub invoked_by: Option<Arc<str>>,
}

impl Identity {
    /// A principal that a credentials file describes, and its session.
    #[must_use]
    pub fn of_principal(principal: &iam::Identity) -> Self {
        Self {
            kind: match principal.arn.kind() {
                PrincipalKind::Root => "Root",
                PrincipalKind::AssumedRole => "AssumedRole",
                PrincipalKind::FederatedUser => "FederatedUser",
                PrincipalKind::User | PrincipalKind::Role => "IAMUser",
            },
            arn: principal.arn.as_str().into(),
            account: Some(principal.account.clone()),
            principal_id: Some(principal.user_id.as_str().into()),
            session: SessionContext::of(principal).map(Box::new),
            access_key_id: principal.access_key_id.clone(),
            user_name: principal.user_name().map(Arc::from),
            invoked_by: None,
        }
    }

    /// Nobody in particular.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-request-identification.html>
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            kind: "AWSAccount",
            arn: "".into(),
            account: None,
            principal_id: None,
            session: None,
            access_key_id: None,
            user_name: None,
            invoked_by: None,
        }
    }

    /// What LookupEvents returns as the user's name: that of the user or of the role's session, or `root`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self.kind {
            "Root" => Some("root"),
            "AssumedRole" => self.arn.rsplit('/').next(),
            _ => self.user_name.as_deref(),
        }
    }

    /// The caller as the trail of another account shows it: its account, and no more.
    #[must_use]
    pub fn of_account(&self) -> Self {
        Self {
            kind: "AWSAccount",
            arn: "".into(),
            account: self.account.clone(),
            principal_id: None,
            session: None,
            access_key_id: None,
            user_name: None,
            invoked_by: self.invoked_by.clone(),
        }
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        let account = self.account.as_ref().map(AccountId::as_str);
        let id = self.principal_id.as_deref().or(account);
        map.serialize_entry("principalId", id.unwrap_or_default())?;
        if !self.arn.is_empty() {
            map.serialize_entry("arn", &*self.arn)?;
        }

        map.serialize_entry("accountId", account.unwrap_or("anonymous"))?;
        if let Some(access_key_id) = &self.access_key_id {
            map.serialize_entry("accessKeyId", &**access_key_id)?;
        }

        if let Some(user_name) = &self.user_name {
            map.serialize_entry("userName", &**user_name)?;
        }

        if let Some(session) = &self.session {
            map.serialize_entry("sessionContext", session)?;
        }

        if let Some(invoked_by) = &self.invoked_by {
            map.serialize_entry("invokedBy", &**invoked_by)?;
        }

        map.end()
    }
}

/// The session of a request, as CloudTrail records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// The role, for a session of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_issuer: Option<SessionIssuer>,
    attributes: SessionAttributes,
    /// Who took the role, as the caller stated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer {
    #[serde(rename = "type")]
    kind: &'static str,
    principal_id: String,
    arn: String,
    account_id: String,
    user_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes {
    creation_date: String,
    /// A text, `true` or `false`, in CloudTrail.
    mfa_authenticated: String,
}

impl SessionContext {
    /// Of a principal's session, if it is in one.
    #[must_use]
    pub fn of(identity: &iam::Identity) -> Option<Self> {
        let session = identity.session()?;
        let source = &identity.source;
        let id = identity.user_id.split(':').next().unwrap_or_default();
        let issuer = || SessionIssuer {
            kind: "Role",
            principal_id: id.to_owned(),
            arn: source.to_string(),
            account_id: source.account().to_string(),
            user_name: source.name().to_owned(),
        };
        Some(Self {
            session_issuer: (source.kind() == PrincipalKind::Role).then(issuer),
            attributes: SessionAttributes {
                creation_date: session.issued.iso8601(),
                mfa_authenticated: session.mfa.to_string(),
            },
            source_identity: session.source_identity.clone(),
        })
    }
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From an address.
    Address(IpAddr),
    /// From an AWS service that acts for the caller, such as `s3.us-east-1.amazonaws.com`.
    Service(Arc<str>),
    /// From within.
    Internal,
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Address(address) => address.serialize(serializer),
            Self::Service(service) => serializer.serialize_str(service),
            Self::Internal => serializer.serialize_str("AWS Internal"),
        }
    }
}
