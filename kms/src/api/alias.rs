//! Aliases: names of keys that may move from key to key.

use std::sync::Arc;

use proto::kms::v1;

use crate::api::call::Call;
use crate::api::metadata::seconds;
use crate::api::page;
use crate::api::page::LIMITS_OF_LONG_ITEMS;
use crate::api::reference::By;
use crate::api::reference::no_such_alias;
use crate::api::reference::no_such_key;
use crate::api::service_key::SSE_S3_ALIAS;
use crate::api::violations;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Alias;
use crate::keys::key::Key;
use crate::keys::place::alias_arn;
use crate::keys::state::Group;

/// Gives a key a second name.
pub(crate) fn create(
    call: &mut Call<'_>,
    request: v1::CreateAliasRequest,
) -> Result<v1::CreateAliasResponse, KmsError> {
    call.record
        .parameter_text("aliasName", request.alias_name.as_deref());
    call.record
        .parameter_text("targetKeyId", request.target_key_id.as_deref());
    violations::check(&request)?;
    let name = request.alias_name.as_deref().unwrap_or_default();
    check_name(name)?;
    check_target(call, request.target_key_id.as_deref())?;
    let permit = call.key(request.target_key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let check = |present: Option<&Alias>| {
        check_limit(call, key)?;
        match present {
            None => Ok(()),
            Some(_) => Err(KmsError::new(
                Code::AlreadyExistsException,
                format!(
                    "An alias with the name {} already exists",
                    alias_arn(key.account(), key.region(), name)
                ),
            )),
        }
    };
    call.kms.keys.put_alias(name, key, call.now, check)?;
    Ok(v1::CreateAliasResponse {})
}

/// Moves an alias to another key.
pub(crate) fn update(
    call: &mut Call<'_>,
    request: v1::UpdateAliasRequest,
) -> Result<v1::UpdateAliasResponse, KmsError> {
    call.record
        .parameter_text("aliasName", request.alias_name.as_deref());
    call.record
        .parameter_text("targetKeyId", request.target_key_id.as_deref());
    violations::check(&request)?;
    let name = request.alias_name.as_deref().unwrap_or_default();
    check_name(name)?;
    check_target(call, request.target_key_id.as_deref())?;
    let (account, region) = call.caller.place();
    let missing = || no_such_alias(&alias_arn(account, region, name));
    let permit = call.key(request.target_key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.check_state(key, Group::Describe)?;
    loop {
        let present = call.kms.keys.alias(account, region, name, call.now);
        let judged = present.ok_or_else(missing)?.key_id;
        if let Some(old) = call.kms.keys.find(account, region, &judged, call.now) {
            check_alike(&old, key)?;
            call.key(Some(old.id()), By::Id)?;
        }
        let mut has_moved = false;
        let check = |present: Option<&Alias>| {
            let present = present.ok_or_else(missing)?;
            has_moved = present.key_id != judged;
            if has_moved {
                return Err(missing());
            }
            match *present.key_id == **key.id() {
                true => call.check_state(key, Group::Describe),
                false => check_limit(call, key),
            }
        };
        let ended = call.kms.keys.put_alias(name, key, call.now, check);
        // It may be another's by now, whose policy was not asked.
        if !has_moved {
            return ended.map(|()| v1::UpdateAliasResponse {});
        }
    }
}

/// Takes a name from a key.
pub(crate) fn delete(
    call: &mut Call<'_>,
    request: v1::DeleteAliasRequest,
) -> Result<v1::DeleteAliasResponse, KmsError> {
    call.record
        .parameter_text("aliasName", request.alias_name.as_deref());
    violations::check(&request)?;
    let name = request.alias_name.as_deref().unwrap_or_default();
    check_name(name)?;
    let (account, region) = call.caller.place();
    loop {
        let permit = call.key(Some(name), By::Alias)?;
        let judged = permit.key().id();
        let keys = &call.kms.keys;
        if keys.remove_alias(account, region, name, judged, call.now)? {
            return Ok(v1::DeleteAliasResponse {});
        }
        // It is gone, or moved to another key, whose policy was not asked.
        if keys.alias(account, region, name, call.now).is_none() {
            return Err(no_such_alias(&alias_arn(account, region, name)));
        }
    }
}

/// Lists the aliases of the caller's account in the Region called, or those of one key.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListAliasesRequest,
) -> Result<v1::ListAliasesResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    call.charge(None)?;
    let key = match request.key_id.as_deref() {
        Some(key_id) => Some(Arc::clone(call.key(Some(key_id), By::Id)?.key())),
        None => None,
    };
    let (account, region) = call.caller.place();
    let mut aliases = call.kms.keys.aliases(account, region, call.now);
    aliases.retain(|(name, alias)| {
        key.as_ref().is_none_or(|key| *alias.key_id == **key.id()) && &**name != SSE_S3_ALIAS
    });
    let marker = request.marker.as_deref();
    let page = page::page(
        aliases,
        |(name, _)| name,
        marker,
        request.limit,
        LIMITS_OF_LONG_ITEMS,
    )?;
    let entry = |(name, alias): (Arc<str>, Alias)| v1::AliasListEntry {
        alias_arn: Some(alias_arn(account, region, &name)),
        alias_name: Some(name.to_string()),
        target_key_id: Some(alias.key_id),
        creation_date: Some(seconds(alias.created_ms)),
        last_updated_date: Some(seconds(alias.updated_ms)),
    };
    Ok(v1::ListAliasesResponse {
        aliases: page.items.into_iter().map(entry).collect(),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// An alias names a key of its own account, never another alias.
fn check_target(call: &mut Call<'_>, target: Option<&str>) -> Result<(), KmsError> {
    let target = target.unwrap_or_default();
    if target.starts_with("alias/") || target.contains(":alias/") {
        return Err(KmsError::validation(
            "Aliases must refer to keys. Not aliases",
        ));
    }
    match call.resolve(target, By::Id) {
        Ok(key) if *key.account() != call.caller.account => {
            call.charge(None)?;
            Err(no_such_key(key.arn()))
        }
        _ => Ok(()),
    }
}

/// Whether clients may make and change aliases of that name.
pub(crate) fn check_name(name: &str) -> Result<(), KmsError> {
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return Err(KmsError::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if rest.starts_with("aws/") || name == SSE_S3_ALIAS {
        return Err(KmsError::new(Code::NotAuthorizedException, ""));
    }
    if rest.contains(':') {
        return Err(KmsError::validation(format!(
            "{name} contains invalid characters for an alias"
        )));
    }
    Ok(())
}

/// Whether a key takes one more alias, looked at where it is given.
fn check_limit(call: &Call<'_>, key: &Key) -> Result<(), KmsError> {
    call.check_state(key, Group::Describe)?;
    if call.kms.keys.aliases_of(key).len() < ALIASES_MAX {
        return Ok(());
    }
    let text = format!(
        "{} has reached the limit of {ALIASES_MAX} aliases.",
        key.arn()
    );
    Err(KmsError::new(Code::LimitExceededException, text))
}

/// An alias moves only between keys of the same kind.
fn check_alike(old: &Key, new: &Key) -> Result<(), KmsError> {
    let (old, new) = (old.snapshot(), new.snapshot());
    let alike = old.record.usage == new.record.usage
        && old.record.spec.is_symmetric() == new.record.spec.is_symmetric();
    if alike {
        return Ok(());
    }
    Err(KmsError::validation(format!(
        "Alias cannot be moved from a key with KeySpec {} and KeyUsage {} to a key with KeySpec {} \
         and KeyUsage {}",
        old.record.spec.as_str(),
        old.record.usage.as_str(),
        new.record.spec.as_str(),
        new.record.usage.as_str()
    )))
}

/// Most aliases of a key.
const ALIASES_MAX: usize = 50;
