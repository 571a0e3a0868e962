//! Whether a caller may do an operation on a vault.
//!
//! The caller's own policies, the vault's access policy and its lock policy decide together: a denial in any
//! of them outweighs all. The vault is read afresh for every request, so that no lock is missed. A check
//! leaves a [`Permitted`] behind, which operations take.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/access-control-overview.html>

use proto::iam::Delegation;
use proto::iam::Identity;
use proto::identity::AccountId;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Prepared;
use proto::policy::Verdict;
use serde::Deserialize;

use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::lock;
use crate::vault::place::VaultName;
use crate::vault::place::VaultOwner;
use crate::vault::place::VaultPlace;
use crate::vault::place::is_id;
use crate::vault::record::ArchiveRecord;
use crate::vault::record::VaultRecord;
use crate::vault::request::VaultRequest;
use crate::vault::route::VaultOperation;
use crate::vault::store::VaultStore;
use crate::vault::store::not_found;

/// A request that the caller was allowed to make, and what it was judged by.
///
/// Not `Clone`: a permit is spent by the operation that it was given for.
#[derive(Debug)]
pub(crate) struct Permitted {
    // In a box: it is handed on several times, and is large.
    request: Box<VaultRequest>,
    subject: Subject,
}

/// What a permitted request is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) owner: VaultOwner,
    /// The vault that the request names, whether there is one or not.
    pub(crate) place: Option<VaultPlace>,
    /// The vault as it was judged.
    pub(crate) vault: Option<VaultRecord>,
    /// The archive that the request names, where its age was judged.
    pub(crate) archive: Option<(String, ArchiveRecord)>,
}

/// A vault that a permitted request is about.
#[derive(Debug)]
pub(crate) struct OpenVault {
    pub(crate) place: VaultPlace,
    pub(crate) record: VaultRecord,
    pub(crate) archive: Option<(String, ArchiveRecord)>,
}

impl Permitted {
    /// Spends the permit. Called in [`crate::vault::operation`] only, which `tests/tidy` checks.
    pub(crate) fn spend(self) -> (VaultRequest, Subject) {
        (*self.request, self.subject)
    }

    /// The same for an operation on a vault that is there.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException`.
    pub(crate) fn spend_on_vault(self) -> Result<(VaultRequest, OpenVault), VaultError> {
        let Subject {
            place,
            vault,
            archive,
            ..
        } = self.subject;
        let place = place.ok_or_else(VaultError::internal)?;
        let record = vault.ok_or_else(|| not_found(&place))?;
        let vault = OpenVault {
            place,
            record,
            archive,
        };
        Ok((*self.request, vault))
    }
}

/// Permits a request, or refuses it.
///
/// # Errors
///
/// `AccessDeniedException` for what a policy denies and for what none allows;
/// `InvalidParameterValueException` for an account or a name that is none; `ServiceUnavailableException` when
/// the vault cannot be read.
pub(crate) async fn permit(
    store: &VaultStore,
    mut request: VaultRequest,
) -> Result<Permitted, VaultError> {
    let identity = request.caller.identity().cloned();
    let identity = identity.ok_or_else(unauthenticated)?;
    let owner = VaultOwner {
        account: account(&request.address.account, &identity)?,
        region: request.region.clone(),
    };
    let place = match &request.address.vault {
        Some(name) => Some(VaultPlace {
            owner: owner.clone(),
            name: VaultName::parse(name)?,
        }),
        None => None,
    };
    let vault = match &place {
        Some(place) => store.find(place).await?,
        None => None,
    };
    let archive = match &vault {
        Some(vault) => archive(store, &mut request, vault).await?,
        None => None,
    };
    let subject = Subject {
        owner,
        place,
        vault,
        archive,
    };
    check(store, &request, &identity, &subject)?;
    let request = Box::new(request);
    Ok(Permitted { request, subject })
}

/// The error for a request that nobody signed.
pub(crate) fn unauthenticated() -> VaultError {
    let message = "Request is missing Authentication Token";
    VaultError::new(VaultCode::MissingAuthenticationToken, message)
}

/// The account that an address names.
fn account(text: &str, identity: &Identity) -> Result<AccountId, VaultError> {
    match text {
        "-" => Ok(identity.account.clone()),
        number => number
            .parse()
            .map_err(|_| VaultError::invalid(format!("Invalid account ID: {number}"))),
    }
}

/// The archive whose age a policy may look at.
async fn archive(
    store: &VaultStore,
    request: &mut VaultRequest,
    vault: &VaultRecord,
) -> Result<Option<(String, ArchiveRecord)>, VaultError> {
    let id = match request.address.operation {
        VaultOperation::DeleteArchive => request.address.id.clone(),
        VaultOperation::InitiateJob => request.document::<NamedArchive>().await?.archive_id,
        _ => None,
    };
    let Some(id) = id.filter(|id| is_id(id)) else {
        return Ok(None);
    };
    let archive = store.read(&vault.contents().archive(&id)).await?;
    Ok(archive.map(|archive| (id, archive)))
}

/// The archive that a job is about.
#[derive(Deserialize)]
struct NamedArchive {
    #[serde(rename = "ArchiveId")]
    archive_id: Option<String>,
}

fn check(
    store: &VaultStore,
    request: &VaultRequest,
    identity: &Identity,
    subject: &Subject,
) -> Result<(), VaultError> {
    let now = store.clock.now();
    let action = format!("glacier:{}", request.address.operation.name());
    let resource = subject
        .place
        .as_ref()
        .map_or("*".to_owned(), VaultPlace::arn);
    let context = context(store, request, identity, subject);
    let principal = identity.principal();
    let vault = subject.vault.as_ref();
    let access = vault.and_then(|vault| vault.access_policy.as_ref());
    let lock = lock::in_force(vault.and_then(|vault| vault.lock.as_ref()), now);
    let lock = lock.map(|lock| &lock.policy);
    let prepared: Vec<Prepared> = [access, lock]
        .into_iter()
        .flatten()
        .map(|policy| policy.policy().for_request(&principal, &context))
        .collect();
    let verdicts = prepared.iter().map(|it| it.decide(&action, &resource));
    let verdict = verdicts.fold(Verdict::NONE, stronger);
    let rights = identity.for_request(&context);
    let (owner, always) = (subject.owner.account.as_str(), Delegation::Always);
    let decision = rights.decide_with(&verdict, owner, always, &action, &resource);
    if decision == Decision::Allow {
        return Ok(());
    }
    let is_foreign = identity.account != subject.owner.account;
    let by_vault = match decision {
        Decision::Deny => verdict.decision == Decision::Deny,
        _ => is_foreign && verdict.decision == Decision::NoMatch,
    };
    let kind = match by_vault {
        true => "resource-based",
        false => "identity-based",
    };
    tracing::info!(
        request_id = %request.request_id,
        principal = request.caller.principal(),
        action,
        resource,
        ?decision,
        statement = verdict.statement.map(ToString::to_string).as_deref().unwrap_or("-"),
        "policies do not permit the request",
    );
    let because = match decision {
        Decision::Deny => format!("with an explicit deny in a {kind} policy"),
        _ => format!("because no {kind} policy allows the {action} action"),
    };
    Err(VaultError::denied(format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} {because}",
        identity.arn
    )))
}

/// What two policies of a vault decide together.
fn stronger<'p>(one: Verdict<'p>, other: Verdict<'p>) -> Verdict<'p> {
    match (one.decision, other.decision) {
        (Decision::Deny, _) | (_, Decision::NoMatch) => one,
        (_, Decision::Deny) | (Decision::NoMatch, _) => other,
        // Of two that allow, the one that names the principal more directly counts.
        (Decision::Allow, Decision::Allow) if other.principal > one.principal => other,
        (Decision::Allow, Decision::Allow) => one,
    }
}

/// What the conditions of policies may look at.
fn context(
    store: &VaultStore,
    request: &VaultRequest,
    identity: &Identity,
    subject: &Subject,
) -> Context {
    let now = store.clock.now();
    let connection = &request.connection;
    let mut context = Context::new();
    context.insert("aws:PrincipalIsAWSService", "false");
    context.insert("aws:SecureTransport", connection.secure.to_string());
    context.insert("aws:SourceIp", connection.client.to_canonical().to_string());
    context.insert("aws:CurrentTime", now.iso8601());
    context.insert("aws:EpochTime", now.unix_seconds().to_string());
    for (header, key) in [("user-agent", "aws:UserAgent"), ("referer", "aws:Referer")] {
        let value = request.headers.get(header);
        if let Some(value) = value.and_then(|value| value.to_str().ok()) {
            context.insert(key, value);
        }
    }
    identity.write_conditions(now, &mut context);
    if let Some(vault) = &subject.vault {
        for (name, value) in &vault.tags {
            context.insert(&format!("glacier:ResourceTag/{name}"), &**value);
        }
    }
    if let Some((_, archive)) = &subject.archive {
        let days = now.since(archive.uploaded()).as_secs() / SECONDS_A_DAY;
        context.insert("glacier:ArchiveAgeInDays", days.to_string());
    }
    context
}

const SECONDS_A_DAY: u64 = 24 * 3_600;
