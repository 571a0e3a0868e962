//! Grants: made, listed, retired by those they are for, revoked by their makers.

use proto::kms::v1;

use crate::api::call::Call;
use crate::api::conditions;
use crate::api::grant_principal;
use crate::api::grant_token;
use crate::api::metadata::seconds;
use crate::api::page;
use crate::api::page::LIMITS_OF_LONG_ITEMS;
use crate::api::reference::By;
use crate::api::violations;
use crate::authorize::Enforcement;
use crate::caller::root_arn;
use crate::compat::Compat;
use crate::crypto;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::grant::Grant;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::state::Group;

/// Gives a principal permissions on a key.
pub(crate) fn create(
    call: &mut Call<'_>,
    request: v1::CreateGrantRequest,
) -> Result<v1::CreateGrantResponse, KmsError> {
    call.record
        .parameter_text("granteePrincipal", request.grantee_principal.as_deref());
    call.record
        .parameter_text("retiringPrincipal", request.retiring_principal.as_deref());
    call.record.parameter("operations", &request.operations);
    let drafted = draft(call, &request);
    call.new_grant = Some(drafted.clone());
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.check_state(key, Group::CreateGrant)?;
    check(&drafted, key, call.kms.compat())?;
    call.end_dry_run(request.dry_run)?;
    let id = call.kms.keys.change(key, |record| {
        // Once more: it may have been scheduled for deletion meanwhile.
        call.check_state(key, Group::CreateGrant)?;
        let same = |grant: &&Grant| {
            grant.name.is_some()
                && Grant {
                    id: String::new(),
                    created_ms: 0,
                    ..(*grant).clone()
                } == drafted
        };
        if let Some(present) = record.grants.iter().find(same) {
            return Ok(present.id.clone());
        }
        if record.grants.len() >= GRANTS_MAX {
            let text = format!(
                "{} has reached the limit of {GRANTS_MAX} grants.",
                key.arn()
            );
            return Err(KmsError::new(Code::LimitExceededException, text));
        }
        let id = hex::encode(crypto::random_array::<32>());
        let created_ms = call.now.unix_millis();
        record.grants.push(Grant {
            id: id.clone(),
            created_ms,
            ..drafted
        });
        Ok(id)
    })?;
    call.record.respond("grantId", &*id);
    let token = grant_token::make(&call.kms.keys, key.arn(), &id);
    Ok(v1::CreateGrantResponse {
        grant_token: Some(token),
        grant_id: Some(id),
    })
}

/// Lists the grants of a key.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListGrantsRequest,
) -> Result<v1::ListGrantsResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let wanted = |grant: &&Grant| {
        let id = request.grant_id.as_ref().is_none_or(|id| *id == grant.id);
        let principal = request.grantee_principal.as_ref();
        let service = request.grantee_service_principal.as_ref();
        id && principal
            .or(service)
            .is_none_or(|grantee| *grantee == grant.grantee)
    };
    let grants = key
        .snapshot()
        .record
        .grants
        .iter()
        .filter(wanted)
        .cloned()
        .collect();
    let page = cut(grants, request.marker.as_deref(), request.limit)?;
    Ok(v1::ListGrantsResponse {
        grants: page
            .items
            .into_iter()
            .map(|grant| entry(key, grant))
            .collect(),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// Lists the grants in the Region called that a principal of the caller's account may retire, on the keys of any
/// account. Of a service, on those of the caller's account.
pub(crate) fn list_retirable(
    call: &mut Call<'_>,
    request: v1::ListRetirableGrantsRequest,
) -> Result<v1::ListRetirableGrantsResponse, KmsError> {
    call.record
        .parameter_text("retiringPrincipal", request.retiring_principal.as_deref());
    violations::check(&request)?;
    call.charge(None)?;
    let (account, region) = call.caller.place();
    let (keys, now) = (&call.kms.keys, call.now);
    let principal = request
        .retiring_principal
        .or(request.retiring_service_principal);
    let (principal, keys) = match principal {
        Some(service) if grant_principal::is_service(&service) => {
            (service, keys.list(account, region, now))
        }
        Some(principal) if call.kms.compat().takes_any_grant() => {
            (principal, keys.list(account, region, now))
        }
        Some(principal) => {
            let is_own = grant_principal::account(&principal)? == *account;
            if !is_own && call.kms.enforcement() != Enforcement::Open {
                return Err(not_of_caller(call, &principal));
            }
            (principal, keys.list_region(region, now))
        }
        None => return Err(KmsError::validation("RetiringPrincipal is required.")),
    };
    let mut grants = Vec::new();
    for key in keys {
        let snapshot = key.snapshot();
        let retirable = |grant: &&Grant| grant.retiring.as_ref() == Some(&principal);
        grants.extend(
            snapshot
                .record
                .grants
                .iter()
                .filter(retirable)
                .map(|grant| entry(&key, grant.clone())),
        );
    }
    grants.sort_by(|a, b| a.grant_id.cmp(&b.grant_id));
    let name = |entry: &v1::GrantListEntry| entry.grant_id.clone().unwrap_or_default();
    let named: Vec<_> = grants
        .into_iter()
        .map(|entry| (name(&entry), entry))
        .collect();
    let marker = request.marker.as_deref();
    let page = page::page(
        named,
        |(name, _)| name,
        marker,
        request.limit,
        LIMITS_OF_LONG_ITEMS,
    )?;
    Ok(v1::ListRetirableGrantsResponse {
        grants: page.items.into_iter().map(|(_, entry)| entry).collect(),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

fn not_of_caller(call: &Call<'_>, principal: &str) -> KmsError {
    KmsError::access_denied(format!(
        "User: {} is not authorized to perform: kms:ListRetirableGrants on resource: {principal} because no \
         resource-based policy allows the kms:ListRetirableGrants action",
        call.caller.principal_arn
    ))
}

/// Ends a grant, for its maker.
pub(crate) fn revoke(
    call: &mut Call<'_>,
    request: v1::RevokeGrantRequest,
) -> Result<v1::RevokeGrantResponse, KmsError> {
    call.record
        .parameter_text("grantId", request.grant_id.as_deref());
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let id = request.grant_id.as_deref().unwrap_or_default();
    find(key, id)?;
    call.end_dry_run(request.dry_run)?;
    remove(call, key, id)?;
    Ok(v1::RevokeGrantResponse {})
}

/// Ends a grant, for those it is for.
pub(crate) fn retire(
    call: &mut Call<'_>,
    request: v1::RetireGrantRequest,
) -> Result<v1::RetireGrantResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    call.record
        .parameter_text("grantId", request.grant_id.as_deref());
    violations::check(&request)?;
    call.charge(None)?;
    let (arn, id) = match (request.grant_token, request.key_id, request.grant_id) {
        (Some(token), None, None) => grant_token::read(&call.kms.keys, &token)?,
        (None, Some(key_id), Some(id)) => (key_id, id),
        _ => {
            return Err(KmsError::validation(
                "You must specify a grant token, or a key ID and a grant ID, but not both.",
            ));
        }
    };
    let key = call.resolve(&arn, By::Id)?;
    let grant = find(&key, &id)?;
    call.conditions = conditions::of_grant(&grant);
    call.permit_retiring(&key, &grant)?;
    call.end_dry_run(request.dry_run)?;
    remove(call, &key, &id)?;
    call.record.key(&key);
    Ok(v1::RetireGrantResponse {})
}

/// The requested grant, without id and time.
fn draft(call: &Call<'_>, request: &v1::CreateGrantRequest) -> Grant {
    let constraints = request.constraints.clone().unwrap_or_default();
    let either = |principal: &Option<String>, service: &Option<String>| {
        principal.clone().or_else(|| service.clone())
    };
    let grantee = either(
        &request.grantee_principal,
        &request.grantee_service_principal,
    );
    Grant {
        id: String::new(),
        name: request.name.clone(),
        created_ms: 0,
        issuing_account: root_arn(&call.caller.account, &call.caller.region).into(),
        grantee: grantee.unwrap_or_default(),
        retiring: either(
            &request.retiring_principal,
            &request.retiring_service_principal,
        ),
        operations: request.operations.clone(),
        context_subset: constraints.encryption_context_subset,
        context_equals: constraints.encryption_context_equals,
        source_arn: constraints.source_arn,
    }
}

/// Refuses a grant whose parts do not go together, or not with the key.
fn check(grant: &Grant, key: &Key, compat: Compat) -> Result<(), KmsError> {
    if grant.grantee.is_empty() {
        return Err(KmsError::validation(
            "1 validation error detected: Value null at 'granteePrincipal' failed to satisfy \
             constraint: Member must not be null",
        ));
    }
    if !compat.takes_any_grant() {
        let partition = key.region().partition();
        grant_principal::check(&grant.grantee, "GranteePrincipal", partition)?;
        if let Some(retiring) = &grant.retiring {
            grant_principal::check(retiring, "RetiringPrincipal", partition)?;
        }
    }
    let (spec, usage) = {
        let record = &key.snapshot().record;
        (record.spec, record.usage)
    };
    let mut operations = grant.operations.iter();
    if let Some(operation) = operations.find(|name| !is_of(name, spec, usage)) {
        return Err(KmsError::validation(format!(
            "Operation {operation} is not supported by a key with KeySpec {} and KeyUsage {}.",
            spec.as_str(),
            usage.as_str()
        )));
    }
    if grant.operations.iter().all(|name| name == "CreateGrant") {
        return Err(KmsError::validation(
            "Grants must not contain only the CreateGrant operation.",
        ));
    }
    let (has_subset, has_equals) = (
        !grant.context_subset.is_empty(),
        !grant.context_equals.is_empty(),
    );
    if has_subset && has_equals {
        return Err(KmsError::validation(
            "You cannot specify both EncryptionContextSubset and EncryptionContextEquals.",
        ));
    }
    if (has_subset || has_equals) && spec != KeySpec::SymmetricDefault {
        return Err(KmsError::validation(
            "Encryption context constraints are not valid for the operations of this grant.",
        ));
    }
    Ok(())
}

/// Whether a grant of such a key may have that operation.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-compare.html>
fn is_of(operation: &str, spec: KeySpec, usage: KeyUsage) -> bool {
    match operation {
        "CreateGrant" | "DescribeKey" | "RetireGrant" => true,
        "GetPublicKey" => !spec.is_symmetric(),
        "Encrypt" | "Decrypt" | "ReEncryptFrom" | "ReEncryptTo" => {
            usage == KeyUsage::EncryptDecrypt
        }
        "Sign" | "Verify" => usage == KeyUsage::SignVerify,
        "GenerateMac" | "VerifyMac" => usage == KeyUsage::GenerateVerifyMac,
        "DeriveSharedSecret" => usage == KeyUsage::KeyAgreement,
        "Encapsulate" | "Decapsulate" => usage == KeyUsage::EncapsulateDecapsulate,
        // What is sealed under a symmetric encryption key: data keys and pairs.
        _ => spec == KeySpec::SymmetricDefault,
    }
}

fn find(key: &Key, id: &str) -> Result<Grant, KmsError> {
    let snapshot = key.snapshot();
    let found = snapshot
        .record
        .grants
        .iter()
        .find(|grant| grant.id == id)
        .cloned();
    found.ok_or_else(|| KmsError::not_found(format!("Grant ID {id} not found")))
}

fn remove(call: &Call<'_>, key: &Key, id: &str) -> Result<(), KmsError> {
    call.kms.keys.change(key, |record| {
        record.grants.retain(|grant| grant.id != id);
        Ok(())
    })
}

fn cut(
    mut grants: Vec<Grant>,
    marker: Option<&str>,
    limit: Option<i32>,
) -> Result<page::Page<Grant>, KmsError> {
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    page::page(
        grants,
        |grant| &grant.id,
        marker,
        limit,
        LIMITS_OF_LONG_ITEMS,
    )
}

fn entry(key: &Key, grant: Grant) -> v1::GrantListEntry {
    let is_service = |name: &String| grant_principal::is_service(name);
    let constrained = !grant.context_subset.is_empty()
        || !grant.context_equals.is_empty()
        || grant.source_arn.is_some();
    let constraints = constrained.then_some(v1::GrantConstraints {
        encryption_context_subset: grant.context_subset,
        encryption_context_equals: grant.context_equals,
        source_arn: grant.source_arn,
    });
    let grantee = Some(grant.grantee);
    v1::GrantListEntry {
        key_id: Some(key.arn().to_string()),
        grant_id: Some(grant.id),
        name: Some(grant.name.unwrap_or_default()),
        creation_date: Some(seconds(grant.created_ms)),
        grantee_service_principal: grantee.clone().filter(is_service),
        grantee_principal: grantee,
        retiring_service_principal: grant.retiring.clone().filter(is_service),
        retiring_principal: grant.retiring,
        issuing_account: Some(grant.issuing_account),
        operations: grant.operations,
        constraints,
    }
}

/// Most grants of a key.
const GRANTS_MAX: usize = 50_000;
