//! Who may use which key. A check that succeeds returns a [`Permitted`], which operations take.
//!
//! A key's policy and its grants decide, for callers of the key's account and of others alike. Where
//! the policy leaves the decision to the caller's account (as the default policy does), and for callers
//! of other accounts, the caller's own policies must allow as well; a caller without any has every right
//! of its account. A denial in any of them counts, and what the policy of a session does not allow stays
//! closed. Keys that AWS manages are used through the
//! service they are for; a key that AWS owns is used by that service in its own name only, never on
//! behalf of a user.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html>

mod context;
mod grants;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use arc_swap::Guard;
use proto::iam::Delegation;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Policy;
use proto::policy::Request;
use proto::policy::Verdict;
use proto::policy::evaluate;
use proto::time::Timestamp;
use serde::Deserialize;

pub use crate::authorize::context::Condition;
use crate::caller::Caller;
use crate::crypto::material::UsePermit;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::grant::Grant;
use crate::keys::grant::names;
use crate::keys::key::Key;
use crate::keys::key::Snapshot;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::Manager;

/// A key for which [`permit`] allowed the caller one action.
///
/// Not `Clone`, and made by [`permit`] alone. A permit for [`Management`] does not open the key's
/// material: only one for [`Cryptography`] is a [`UsePermit`].
pub struct Permitted<P> {
    key: Arc<Key>,
    snapshot: Guard<Arc<Snapshot>>,
    purpose: PhantomData<P>,
}

impl<P> Permitted<P> {
    /// The key that the action is allowed on.
    #[must_use]
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// The key as it was when the action was allowed, so that what is used is what was judged.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl UsePermit for Permitted<Cryptography> {}

/// What kind of action a permit is for.
pub trait Purpose {
    /// Whether the action uses the key's material.
    const USES_MATERIAL: bool;
}

/// Reading what is stored about a key, and changing it.
pub enum Management {}

impl Purpose for Management {
    const USES_MATERIAL: bool = false;
}

/// Using the key's material: encryption, signatures, authentication codes, key agreement.
pub enum Cryptography {}

impl Purpose for Cryptography {
    const USES_MATERIAL: bool = true;
}

/// How strictly key policies are followed. Except where a variant differs, keys of other
/// accounts need a permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enforcement {
    /// Callers of every account may do everything, as in LocalStack.
    Open,
    /// Only what a policy denies outright is refused, as in moto.
    DenialsOnly,
    /// Callers of the key's account may do everything.
    Off,
    /// As [`Enforcement::Off`], but what a policy would refuse is logged.
    Warn,
    /// Policies decide, as at AWS.
    #[default]
    Enforce,
}

/// What a caller is about to do.
pub struct Intent<'a, P> {
    /// Who.
    pub caller: &'a Caller,
    /// What: an action of IAM, such as `Encrypt` or `ReEncryptFrom`.
    pub action: &'a str,
    /// Whether keys of other accounts may let it do that. Most operations work within the key's account only.
    pub for_any_account: bool,
    /// Which kind of action it is.
    pub purpose: PhantomData<P>,
    /// The encryption context, for actions that have one.
    pub context: Option<&'a BTreeMap<String, String>>,
    /// The alias the key was named by, if it was.
    pub alias: Option<&'a str>,
    /// The grant that is to be made, for CreateGrant. A grant allows no other than those that it covers.
    pub new_grant: Option<&'a Grant>,
    /// What the conditions of a policy may look at in the request besides.
    pub conditions: &'a [Condition],
    /// When.
    pub now: Timestamp,
}

/// Lets the caller do what it intends with a key.
///
/// # Errors
///
/// `AccessDeniedException`, in AWS's words.
pub fn permit<P: Purpose>(
    intent: &Intent<'_, P>,
    key: Arc<Key>,
    keys: &Keys,
    enforcement: Enforcement,
) -> Result<Permitted<P>, KmsError> {
    let caller = intent.caller;
    let own = caller.account == *key.account();
    let snapshot = key.snapshot();
    let is_limited = caller
        .identity
        .as_ref()
        .is_some_and(|it| !it.is_unlimited());
    let Judgement {
        decision,
        refused_by,
    } = match snapshot.record.manager {
        Manager::Customer if !own && !intent.for_any_account => UNDECIDED,
        Manager::Customer if own && !is_limited && snapshot.is_open_to_its_account() => ALLOWED,
        Manager::Customer => decide(intent, &key, &snapshot, keys),
        Manager::Aws if own && (!P::USES_MATERIAL || is_service_of(caller, &key, keys)) => {
            decide_of_service_key(intent, &key, &snapshot, keys)
        }
        Manager::AwsOwned if own && P::USES_MATERIAL && caller.is_s3_itself() => ALLOWED,
        Manager::Aws | Manager::AwsOwned => {
            return Err(denied(intent, &key, false, RESOURCE_BASED));
        }
    };
    let permitted = |key| Permitted {
        key,
        snapshot,
        purpose: PhantomData,
    };
    if decision == Decision::Allow {
        return Ok(permitted(key));
    }
    let error = denied(intent, &key, decision == Decision::Deny, refused_by);
    match enforcement {
        Enforcement::Open => Ok(permitted(key)),
        Enforcement::DenialsOnly if decision != Decision::Deny => Ok(permitted(key)),
        Enforcement::Off if own => Ok(permitted(key)),
        Enforcement::Warn if own => {
            tracing::warn!(%error, "allowed, because key policies are not enforced");
            Ok(permitted(key))
        }
        _ => Err(error),
    }
}

/// Whether the policy would still let the caller change it; AWS refuses policies that do not.
#[must_use]
pub fn can_change_policy(caller: &Caller, policy: &Policy, key_arn: &str) -> bool {
    let principal = caller.principal();
    let mut context = Context::new();
    context.insert("kms:CallerAccount", caller.account.as_str());
    let request = Request {
        principal: &principal,
        action: "kms:PutKeyPolicy",
        resource: key_arn,
        context: &context,
    };
    evaluate(policy, &request).decision == Decision::Allow
}

fn decide<P: Purpose>(
    intent: &Intent<'_, P>,
    key: &Key,
    snapshot: &Snapshot,
    keys: &Keys,
) -> Judgement {
    let caller = intent.caller;
    let principal = caller.principal();
    // Making them is a third of a call's instructions, and the policy that AWS gives a key by default reads none.
    let reads_context = snapshot.policy().is_some_and(Policy::reads_context) || caller.is_limited();
    let context = match reads_context {
        true => conditions(intent, key, snapshot, keys),
        false => Context::new(),
    };
    let action = format!("kms:{}", intent.action);
    let request = Request {
        principal: &principal,
        action: &action,
        resource: key.arn(),
        context: &context,
    };
    let verdict = snapshot.policy().map_or(Verdict::NONE, |policy| {
        let verdict = evaluate(policy, &request);
        if let (Decision::Deny, Some(statement)) = (verdict.decision, verdict.statement) {
            let unresolved = verdict.unresolved;
            tracing::info!(action, key = %key.arn(), %statement, unresolved, "a key policy denies");
        }
        verdict
    });
    let what = grants::What {
        action: intent.action,
        context: intent.context,
        new_grant: intent.new_grant,
    };
    let grants = grants::allowing(caller, &what, &snapshot.record.grants);
    let by_key = match grants.is_empty() {
        true => verdict.decision,
        false => verdict.decision.or(Decision::Allow),
    };
    let Some(rights) = caller.rights(&context) else {
        return Judgement {
            decision: by_key,
            refused_by: RESOURCE_BASED,
        };
    };
    let granted = grants.iter().map(|grant| (*grant, &*grant.grantee));
    let (owner, by_resource) = (key.account().as_str(), Delegation::ByResource);
    let decided = rights.decide_with(&verdict, owner, by_resource, &action, key.arn());
    let granted = grants::leave(&rights, granted, caller, key, &action);
    let (decision, refused_by) = match granted {
        Some((by_grant, kind)) => (decided.or(by_grant), kind),
        None => (
            decided,
            rights.refusing_kind(&verdict, owner, &action, key.arn()),
        ),
    };
    Judgement {
        decision,
        // What the key allows, the caller's own policies refuse.
        refused_by: match by_key {
            Decision::Allow => refused_by,
            Decision::Deny | Decision::NoMatch => RESOURCE_BASED,
        },
    }
}

/// Lets the caller retire a grant of a key. The grant says who may, and the root user of the key's account may;
/// policies of users and sessions may deny it, and a key policy has no say.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grant-delete.html>
///
/// # Errors
///
/// `AccessDeniedException`, in AWS's words.
pub fn permit_retiring(
    intent: &Intent<'_, Management>,
    grant: &Grant,
    key: &Key,
    keys: &Keys,
    enforcement: Enforcement,
) -> Result<(), KmsError> {
    let caller = intent.caller;
    let own = caller.account == *key.account();
    let is_root = own && caller.principal_arn.ends_with(":root");
    let is_named = |named: &&str| grants::names_of(caller).any(|arn| names(named, arn));
    let named: Vec<_> = grant.retiring_principals().filter(is_named).collect();
    let context = conditions(intent, key, &key.snapshot(), keys);
    let action = format!("kms:{}", intent.action);
    let (decision, refused_by) = match caller.rights(&context) {
        _ if named.is_empty() && !is_root => (Decision::NoMatch, "identity-based"),
        None => (Decision::Allow, "identity-based"),
        Some(rights) => {
            let granted = named.into_iter().map(|named| (grant, named));
            let granted = grants::leave(&rights, granted, caller, key, &action);
            let decided = || {
                let kind = rights.refusing_kind(&Verdict::NONE, "", &action, key.arn());
                (rights.decide(&action, key.arn()), kind)
            };
            granted.unwrap_or_else(decided)
        }
    };
    let error = || denied(intent, key, decision == Decision::Deny, refused_by);
    match (decision, enforcement) {
        (Decision::Allow, _) | (_, Enforcement::Open) => Ok(()),
        _ => Err(error()),
    }
}

/// What was decided.
struct Judgement {
    /// By all policies and grants together.
    decision: Decision,
    /// The kind of policy that refuses, if one does, in AWS's words.
    refused_by: &'static str,
}

const ALLOWED: Judgement = Judgement {
    decision: Decision::Allow,
    refused_by: RESOURCE_BASED,
};

/// No policy has a say.
const UNDECIDED: Judgement = Judgement {
    decision: Decision::NoMatch,
    refused_by: RESOURCE_BASED,
};

/// The policy of a key.
const RESOURCE_BASED: &str = "resource-based";

/// Decides about a key that AWS manages. The policy that AWS gives it lets every principal of the account use and
/// describe it through its service, so that the caller's own policies may only deny that. What else is to be read
/// about it, and all that a caller asks for directly, the policy leaves to the account: the caller's own must allow it.
///
/// Source: the policy of `aws/ebs` that `GetKeyPolicy` returned at AWS, in the sample of
/// <https://docs.ansible.com/ansible/latest/collections/amazon/aws/kms_key_info_module.html>
fn decide_of_service_key<P: Purpose>(
    intent: &Intent<'_, P>,
    key: &Key,
    snapshot: &Snapshot,
    keys: &Keys,
) -> Judgement {
    let caller = intent.caller;
    if !caller.is_limited() {
        return ALLOWED;
    }
    let context = conditions(intent, key, snapshot, keys);
    let action = format!("kms:{}", intent.action);
    let Some(rights) = caller.rights(&context) else {
        return ALLOWED;
    };
    let is_open = P::USES_MATERIAL || OPEN_THROUGH_SERVICE.contains(&intent.action);
    if is_open && is_service_of(caller, key, keys) {
        return Judgement {
            decision: rights.limit(Decision::Allow, &action, key.arn()),
            refused_by: rights.limiting_kind(&action, key.arn()),
        };
    }
    Judgement {
        decision: rights.decide(&action, key.arn()),
        refused_by: rights.refusing_kind(&Verdict::NONE, "", &action, key.arn()),
    }
}

/// What the policy of a key that AWS manages allows through its service, beside the use of its material.
const OPEN_THROUGH_SERVICE: [&str; 2] = ["CreateGrant", "DescribeKey"];

/// Lets the caller do what is about no key: creating one, listing what the account has, naming a key.
///
/// # Errors
///
/// `AccessDeniedException`, in AWS's words.
pub fn permit_account(
    caller: &Caller,
    action: &str,
    resource: &str,
    conditions: &[Condition],
    now: Timestamp,
    enforcement: Enforcement,
) -> Result<(), KmsError> {
    let mut context = Context::new();
    if !caller.is_limited() {
        return Ok(());
    }
    context::of_request(caller, now, &mut context);
    for condition in conditions {
        condition.write(&mut context);
    }
    let action = format!("kms:{action}");
    let Some(rights) = caller.rights(&context) else {
        return Ok(());
    };
    let decision = rights.decide(&action, resource);
    match (decision, enforcement) {
        (Decision::Allow, _) | (_, Enforcement::Open | Enforcement::Off) => Ok(()),
        (Decision::NoMatch, Enforcement::DenialsOnly) => Ok(()),
        (decision, enforcement) => {
            let kind = rights.refusing_kind(&Verdict::NONE, "", &action, resource);
            let why = reason(&action, decision == Decision::Deny, kind);
            let error = not_authorized(caller, &action, resource, &why);
            if enforcement == Enforcement::Warn {
                tracing::warn!(%error, "allowed, because policies are not enforced");
                return Ok(());
            }
            Err(error)
        }
    }
}

/// What the conditions of a policy may look at.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>
fn conditions<P: Purpose>(
    intent: &Intent<'_, P>,
    key: &Key,
    snapshot: &Snapshot,
    keys: &Keys,
) -> Context {
    let caller = intent.caller;
    let record = &snapshot.record;
    let mut context = Context::new();
    context::of_request(caller, intent.now, &mut context);
    context::of_key(key, record, &mut context);
    if let Some(alias) = intent.alias {
        context.insert("kms:RequestAlias", alias);
    }
    for condition in intent.conditions {
        condition.write(&mut context);
    }
    if P::USES_MATERIAL && record.spec == KeySpec::SymmetricDefault {
        let name = "kms:EncryptionAlgorithm";
        if !intent
            .conditions
            .iter()
            .any(|condition| condition.is_of(name))
        {
            context.insert(name, record.spec.as_str());
        }
    }
    // Finding them takes a walk over all aliases, and few policies use them.
    if looks_at(RESOURCE_ALIASES, snapshot, caller) {
        context.insert_all(RESOURCE_ALIASES, keys.aliases_of(key));
    }
    for (name, value) in intent.context.into_iter().flatten() {
        context.insert(&format!("kms:EncryptionContext:{name}"), &**value);
        context.insert("kms:EncryptionContextKeys", &**name);
    }
    context
}

/// Whether a condition in the key's policy, or in one of the caller's own, is about that condition key, whose name is
/// in lower case.
fn looks_at(name: &str, snapshot: &Snapshot, caller: &Caller) -> bool {
    let identity = caller.identity.as_ref();
    let mut statements = snapshot.policy().into_iter().flat_map(Policy::statements);
    statements.any(|statement| statement.condition_keys().any(|key| key == name))
        || identity.is_some_and(|identity| identity.looks_at(name))
}

/// The aliases of the key that is used, whatever name it is used by.
const RESOURCE_ALIASES: &str = "kms:resourcealiases";

/// Whether the caller comes through the service that the AWS managed key is for.
fn is_service_of(caller: &Caller, key: &Key, keys: &Keys) -> bool {
    let Some(via) = caller.via_service.as_deref() else {
        return false;
    };
    let service = via.split_once('.').map_or(via, |(service, _)| service);
    keys.alias_target(key.account(), key.region(), &format!("alias/aws/{service}"))
        .is_some_and(|key_id| *key_id == **key.id())
}

/// The refusal of an action on a key by this kind of policy. Where a caller's own policies refuse another account's
/// key, AWS does not name it.
fn denied<P>(intent: &Intent<'_, P>, key: &Key, explicitly: bool, kind: &str) -> KmsError {
    let action = format!("kms:{}", intent.action);
    let why = reason(&action, explicitly, kind);
    let own = intent.caller.account == *key.account();
    match own || kind == RESOURCE_BASED {
        true => not_authorized(intent.caller, &action, key.arn(), &why),
        false => KmsError::access_denied(format!(
            "User: {} is not authorized to perform: {action} on this resource {why}",
            intent.caller.principal_arn
        )),
    }
}

fn reason(action: &str, explicitly: bool, kind: &str) -> String {
    match (explicitly, kind) {
        (true, "identity-based") => "with an explicit deny in an identity-based policy".to_owned(),
        (true, kind) => format!("with an explicit deny in a {kind} policy"),
        (false, kind) => format!("because no {kind} policy allows the {action} action"),
    }
}

fn not_authorized(caller: &Caller, action: &str, resource: &str, why: &str) -> KmsError {
    KmsError::access_denied(format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} {why}",
        caller.principal_arn
    ))
}
