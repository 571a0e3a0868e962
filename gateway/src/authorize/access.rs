//! What a caller may do in one bucket.
//!
//! Within the account that a bucket belongs to, the bucket's policy or the caller's own allows an action; a
//! user without policies of its own may do everything that the bucket's does not deny. Callers of another
//! account need both. The anonymous caller has the bucket's alone.
//!
//! A request through an access point is judged twice: on the bucket and on the access point, each with its own
//! policy. Both must allow.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html>

use std::sync::Arc;
use std::sync::OnceLock;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use proto::arn;
use proto::iam::Delegation;
use proto::iam::Identity;
use proto::iam::Rights;
use proto::identity::AccountId;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Prepared;
use proto::policy::Principal;
use proto::policy::Verdict;

use crate::authorize::acl::AclAccess;
use crate::authorize::through::AccessPointLayer;
use crate::bucket::acl::BucketAcl;
use crate::bucket::document::policy::EXISTING_TAG;
use crate::bucket::policy::BucketPolicy;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Caller;
use crate::request::RequestId;
use crate::route::Action;
use crate::route::Needed;

/// Everything that decides what one request may do in one bucket.
#[derive(Debug)]
pub(super) struct BucketAccess {
    pub(super) request_id: RequestId,
    pub(super) caller: Caller,
    pub(super) partition: &'static str,
    pub(super) bucket: String,
    /// The account that the bucket belongs to.
    pub(super) owner: Arc<str>,
    /// Whether that is not the caller's.
    pub(super) foreign: bool,
    pub(super) policy: Option<Arc<BucketPolicy>>,
    pub(super) context: Context,
    /// The policies made ready for the context, once the first action is checked.
    pub(super) prepared: OnceLock<PreparedPolicies>,
    /// Whether what a policy allows to other accounts does not count for this bucket.
    pub(super) restricted: bool,
    /// Whether a version that a request names may be the current object: on a backend that has no
    /// versions.
    pub(super) version_is_current: bool,
    /// The access point that the request goes through: it must allow as well.
    pub(super) through: Option<AccessPointLayer>,
    /// What of the bucket decides about access control lists.
    pub(super) bucket_acl: Arc<BucketAcl>,
    /// Its lists, where they count.
    // In a box: few buckets have lists that count.
    pub(super) acl: Option<Box<AclAccess>>,
}

/// The policies that decide about one request.
#[derive(Debug)]
pub(super) struct PreparedPolicies {
    /// The bucket's.
    bucket: Option<Prepared>,
    /// The access point's.
    access_point: Option<Prepared>,
    /// The caller's own and its session's; the anonymous caller has none.
    caller: Option<Rights>,
}

/// Why an action is not allowed.
#[derive(Debug)]
pub(super) struct Refusal {
    action: &'static str,
    resource: String,
    decision: Decision,
    /// The kind of policy that refuses, in AWS's words.
    kind: &'static str,
    /// The statement that decided.
    statement: Option<String>,
}

/// An object of a bucket, or the bucket itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The key; the bucket if absent.
    pub(super) key: Option<&'a str>,
    /// The version of the object; the current one if absent.
    pub(super) version: Option<&'a str>,
}

impl BucketAccess {
    /// Refuses a request that expects the bucket to be somebody else's, or nobody's.
    pub(super) fn check_owner(
        &self,
        headers: &HeaderMap,
        expected: &HeaderName,
    ) -> Result<(), S3Error> {
        match headers.get(expected).map(HeaderValue::as_bytes) {
            Some(owner) if !is_account(owner) => {
                let owner = String::from_utf8_lossy(owner);
                let message = format!("{NO_ACCOUNT}... [{owner}]");
                Err(S3Error::with_message(S3Code::InvalidBucketOwner, message))
            }
            Some(owner) if owner != self.owner.as_bytes() => Err(S3Error::access_denied()),
            _ => Ok(()),
        }
    }

    /// Whether the caller may do everything: it is of the owner's account, and no policy says otherwise, nor can the
    /// owner of an object.
    pub(super) fn is_full(&self) -> bool {
        let is_full_there = |through: &AccessPointLayer| {
            through.access_point.policy.is_none()
                && self.caller.is_of(&through.access_point.account)
        };
        self.policy.is_none()
            && self.acl.is_none()
            && !self.foreign
            && self.caller.is_unlimited()
            && self.through.as_ref().is_none_or(is_full_there)
    }

    /// Whether an access control list permitted what no policy does.
    pub(super) fn used_acl(&self) -> bool {
        self.acl.as_ref().is_some_and(|acl| acl.has_permitted())
    }

    /// Whether any policy decides, so that there must be a context.
    pub(super) fn has_policies(&self) -> bool {
        self.policy.is_some()
            || self.through_policy().is_some()
            || self.caller.identity().is_some_and(|it| !it.is_unlimited())
    }

    /// Whether a policy looks at the tags that objects have.
    pub(super) fn looks_at_tags(&self) -> bool {
        let identity = self.caller.identity();
        let mut policies = self
            .policy
            .as_deref()
            .into_iter()
            .chain(self.through_policy());
        policies.any(BucketPolicy::looks_at_tags)
            || identity.is_some_and(|identity| identity.looks_at(EXISTING_TAG))
    }

    /// The policy of the access point.
    fn through_policy(&self) -> Option<&BucketPolicy> {
        self.through.as_ref()?.access_point.policy.as_ref()
    }

    /// The context, to add to.
    pub(super) fn context_mut(&mut self) -> &mut Context {
        self.prepared = OnceLock::new();
        &mut self.context
    }

    /// Refuses an action on a subject, unless it is allowed.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub(super) fn check(&self, action: &Action, subject: Subject<'_>) -> Result<(), Refusal> {
        let of_version = action.name(subject.version.is_some());
        let of_new_object = action.needed == Needed::Acl;
        self.check_name(of_version, subject.key, of_new_object)?;
        if self.version_is_current && subject.version.is_some() && of_version != action.name {
            self.check_name(action.name, subject.key, of_new_object)?;
        }
        Ok(())
    }

    fn check_name(
        &self,
        action: &'static str,
        key: Option<&str>,
        of_new_object: bool,
    ) -> Result<(), Refusal> {
        if self.is_full() {
            return Ok(());
        }
        let resource = match key {
            Some(key) => arn::object(self.partition, &self.bucket, key),
            None => arn::bucket(self.partition, &self.bucket),
        };
        let prepared = self.prepared.get_or_init(|| self.prepare());
        let mut verdict = match &prepared.bucket {
            Some(policy) => policy.decide(action, &resource),
            None => Verdict::NONE,
        };
        if self.restricted && verdict.decision == Decision::Allow {
            verdict = Verdict::NONE;
        }
        let mut owner = &*self.owner;
        // Of a public policy that is restricted nothing is left to other accounts, not by lists either.
        if let (Some(acl), false) = (&self.acl, self.restricted) {
            let own = self.caller.account().map(AccountId::as_str);
            (verdict, owner) = acl.judge(verdict, action, of_new_object, (owner, own));
        }
        let layer = Layer {
            verdict,
            owner,
            is_behind_access_point: self.through.is_some(),
        };
        layer.check(prepared.caller.as_ref(), self.foreign, action, resource)?;
        let Some(through) = &self.through else {
            return Ok(());
        };
        let resource = through.resource(key);
        let mut verdict = match &prepared.access_point {
            Some(policy) => policy.decide(action, &resource),
            None => Verdict::NONE,
        };
        if through.restricted && verdict.decision == Decision::Allow {
            verdict = Verdict::NONE;
        }
        let layer = Layer {
            verdict,
            owner: &through.access_point.account,
            is_behind_access_point: false,
        };
        let foreign = !self.caller.is_of(&through.access_point.account);
        layer.check(prepared.caller.as_ref(), foreign, action, resource)
    }

    /// Makes the policies ready.
    fn prepare(&self) -> PreparedPolicies {
        let identity = self.caller.identity();
        let principal = identity.map_or(Principal::Anonymous, Identity::principal);
        let policy = self.policy.as_ref();
        PreparedPolicies {
            bucket: policy.map(|policy| policy.policy().for_request(&principal, &self.context)),
            access_point: self
                .through_policy()
                .map(|policy| policy.policy().for_request(&principal, &self.context)),
            caller: identity.map(|identity| identity.for_request(&self.context)),
        }
    }

    /// AWS's answer to a refusal.
    pub(super) fn denial(&self, refusal: &Refusal) -> S3Error {
        if self.caller.is_anonymous() {
            return S3Error::access_denied();
        }
        let (action, resource) = (refusal.action, &refusal.resource);
        let kind = refusal.kind;
        let because = match (refusal.decision, kind) {
            (Decision::Deny, "identity-based") => {
                "with an explicit deny in an identity-based policy".to_owned()
            }
            (Decision::Deny, kind) => format!("with an explicit deny in a {kind} policy"),
            _ => format!("because no {kind} policy allows the {action} action"),
        };
        let message = format!(
            "User: {} is not authorized to perform: {action} on resource: \"{resource}\" {because}",
            self.caller.principal()
        );
        S3Error::with_message(S3Code::AccessDenied, message)
    }

    /// Logs which statement refused a request.
    pub(super) fn log(&self, refusal: &Refusal) {
        tracing::info!(
            request_id = %self.request_id,
            principal = self.caller.principal(),
            action = refusal.action,
            resource = ?refusal.resource,
            decision = ?refusal.decision,
            statement = refusal.statement.as_deref().unwrap_or("-"),
            restricted = self.restricted,
            "policies do not permit the request",
        );
    }
}

/// The policies of one resource, a bucket or an access point, and the caller's.
struct Layer<'a> {
    verdict: Verdict<'a>,
    /// The account that the resource belongs to.
    owner: &'a str,
    /// Whether it is a bucket that the request names by an access point. The caller's own policies must allow the
    /// action on that then; what the bucket's policy allows, they can only deny.
    is_behind_access_point: bool,
}

impl Layer<'_> {
    /// Refuses an action, unless it is allowed.
    fn check(
        &self,
        rights: Option<&Rights>,
        foreign: bool,
        action: &'static str,
        resource: String,
    ) -> Result<(), Refusal> {
        let verdict = &self.verdict;
        let is_allowed_behind = self.is_behind_access_point && verdict.decision == Decision::Allow;
        let decision = match rights {
            Some(rights) if is_allowed_behind => rights.deny(verdict.decision, action, &resource),
            Some(rights) => {
                rights.decide_with(verdict, self.owner, Delegation::Always, action, &resource)
            }
            None => verdict.decision,
        };
        if decision == Decision::Allow {
            return Ok(());
        }
        let by_resource = match decision {
            Decision::Deny => verdict.decision == Decision::Deny,
            _ => foreign && verdict.decision == Decision::NoMatch,
        };
        let rights = rights.filter(|_| !by_resource);
        let kind = rights.map_or("resource-based", |rights| match is_allowed_behind {
            true => rights.limiting_kind(action, &resource),
            false => rights.refusing_kind(verdict, self.owner, action, &resource),
        });
        Err(Refusal {
            action,
            resource,
            decision,
            kind,
            statement: verdict.statement.map(ToString::to_string),
        })
    }
}

/// Whether a header has the form of an account's number.
fn is_account(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|value| value.parse::<AccountId>().is_ok())
}

/// The beginning of AWS's message for an owner that cannot be.
const NO_ACCOUNT: &str =
    "The value of the expected bucket owner parameter must be an AWS Account ID";
