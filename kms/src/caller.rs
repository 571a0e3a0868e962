//! Who calls, from where, and on whose behalf.

use std::net::IpAddr;
use std::sync::Arc;

use proto::audit;
use proto::audit::SessionContext;
use proto::audit::Source;
use proto::audit::Tls;
use proto::iam::Identity;
use proto::iam::Rights;
use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::identity::Region;
use proto::policy::Context;
use proto::policy::Principal;
use proto::time::Timestamp;

/// An authenticated caller and the circumstances of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The caller's account.
    pub account: AccountId,
    /// The Region the call was made to.
    pub region: Region,
    /// ARN of the principal that calls.
    pub principal_arn: Arc<str>,
    /// The principal's policies and its session. None: no policy of its own limits it.
    pub identity: Option<Arc<Identity>>,
    /// Access key the call was signed with; none over gRPC.
    pub access_key_id: Option<Arc<str>>,
    /// The AWS service that calls on the principal's behalf, such as `s3.us-east-1.amazonaws.com`.
    ///
    /// Only set for callers that proved to be such a service, never because a client claims it.
    pub via_service: Option<Arc<str>>,
    /// Whether that service calls in its own name, on behalf of no user.
    pub in_own_name: bool,
    /// Where the call came from.
    pub source_ip: Option<IpAddr>,
    /// How the call's connection was secured; none on plain HTTP.
    pub tls: Option<Tls>,
    /// The client's software, as it names itself.
    pub user_agent: Option<Arc<str>>,
    /// Names this one call in the answer, the log and the audit trail.
    pub request_id: Arc<str>,
}

impl Caller {
    /// The account's root user in a Region, calling directly.
    #[must_use]
    pub fn root(account: &AccountId, region: &Region) -> Self {
        Self {
            account: account.clone(),
            region: region.clone(),
            principal_arn: root_arn(account, region).as_str().into(),
            identity: None,
            access_key_id: None,
            via_service: None,
            in_own_name: false,
            source_ip: None,
            tls: None,
            user_agent: None,
            request_id: "00000000-0000-0000-0000-000000000000".into(),
        }
    }

    /// The caller's account and the Region called, which together find keys.
    #[must_use]
    pub const fn place(&self) -> (&AccountId, &Region) {
        (&self.account, &self.region)
    }

    /// The same caller, as it would call another Region.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Self {
        Self {
            region: region.clone(),
            ..self.clone()
        }
    }

    /// [`Caller::root`] for tests, which name accounts and Regions by texts.
    #[cfg(test)]
    pub(crate) fn fixture(account: &str, region: &str) -> Self {
        Self::root(&account.parse().unwrap(), &region.parse().unwrap())
    }

    /// The principal, as the policy of a key may name it.
    #[must_use]
    pub fn principal(&self) -> Principal {
        match &self.identity {
            Some(identity) => identity.principal(),
            None => Principal::aws(&self.principal_arn, &self.account),
        }
    }

    /// Adds the condition keys that describe the principal and its session.
    pub fn write_conditions(&self, now: Timestamp, context: &mut Context) {
        if let Some(identity) = &self.identity {
            identity.write_conditions(now, context);
            return;
        }
        let is_root = self.principal_arn.ends_with(":root");
        let kind = if is_root { "Account" } else { "User" };
        context.insert("aws:PrincipalArn", &*self.principal_arn);
        context.insert("aws:PrincipalAccount", self.account.as_str());
        context.insert("aws:PrincipalType", kind);
        if is_root {
            context.insert("aws:userid", self.account.as_str());
        }
    }

    /// Its policies and its session's, made ready for one request; none where nothing limits it.
    #[must_use]
    pub fn rights(&self, context: &Context) -> Option<Rights> {
        let identity = self.identity.as_ref().filter(|_| self.is_limited())?;
        Some(identity.for_request(context))
    }

    /// Whether policies of its own or of its session limit it.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        let identity = self.identity.as_ref();
        identity.is_some_and(|identity| !identity.is_unlimited())
    }

    /// Whether the call came by TLS: directly, or through a service of AWS.
    ///
    /// AWS's services call each other by TLS only, and Amazon S3 takes no request for a KMS key over
    /// plain HTTP. So it counts for a service here, too, whose calls stay within one machine.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport>
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.tls.is_some() || self.via_service.is_some()
    }

    /// What its events have as the program that called. A service that acts for the caller is named there, too, as
    /// the place that the call came from.
    #[must_use]
    pub fn event_user_agent(&self) -> Arc<str> {
        let agent = self.via_service.as_ref().or(self.user_agent.as_ref());
        agent.cloned().unwrap_or_else(|| Arc::from(""))
    }

    /// Whether Amazon S3 (our gateway) calls in its own name, on behalf of no user.
    #[must_use]
    pub fn is_s3_itself(&self) -> bool {
        let service = self.via_service.as_deref();
        self.in_own_name && service.is_some_and(|service| service.starts_with("s3."))
    }
}

impl From<&Caller> for audit::Identity {
    fn from(caller: &Caller) -> Self {
        let arn = &*caller.principal_arn;
        let identity = caller.identity.as_deref();
        let (kind, user_name) = if caller.in_own_name {
            ("AWSService", None)
        } else if arn.ends_with(":root") {
            ("Root", None)
        } else if let Some((_, path)) = arn.split_once(":user/") {
            ("IAMUser", path.rsplit('/').next().map(Arc::from))
        } else if arn.contains(":assumed-role/") {
            ("AssumedRole", None)
        } else if arn.contains(":federated-user/") {
            ("FederatedUser", None)
        } else {
            ("AWSAccount", None)
        };
        Self {
            kind,
            arn: Arc::clone(&caller.principal_arn),
            account: Some(caller.account.clone()),
            principal_id: identity.map(|it| it.user_id.as_str().into()),
            session: identity.and_then(SessionContext::of).map(Box::new),
            access_key_id: caller.access_key_id.clone(),
            user_name,
            invoked_by: caller.via_service.clone(),
        }
    }
}

impl From<&Caller> for Source {
    fn from(caller: &Caller) -> Self {
        match (&caller.via_service, caller.source_ip) {
            (Some(service), _) => Self::Service(Arc::clone(service)),
            (None, Some(address)) => Self::Address(address),
            (None, None) => Self::Internal,
        }
    }
}

/// The principal that a service is in policies: `s3.amazonaws.com` of `s3.us-east-1.amazonaws.com`.
#[must_use]
pub fn service_principal(service: &str) -> String {
    let name = service.split_once('.').map_or(service, |(name, _)| name);
    format!("{name}.amazonaws.com")
}

/// The root user of an account, in the partition of a Region.
#[must_use]
pub fn root_arn(account: &AccountId, region: &Region) -> PrincipalArn {
    PrincipalArn::account_root(region.partition(), account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_s3_in_its_own_name_is_s3_itself() {
        let mut caller = Caller::fixture("111122223333", "us-east-1");
        assert!(!caller.is_s3_itself());
        caller.via_service = Some("s3.us-east-1.amazonaws.com".into());
        assert!(
            !caller.is_s3_itself(),
            "on behalf of the account's root user"
        );
        caller.in_own_name = true;
        assert!(caller.is_s3_itself());
        caller.via_service = Some("s3evil.us-east-1.amazonaws.com".into());
        assert!(!caller.is_s3_itself());
    }
}
