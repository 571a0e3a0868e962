//! How callers name keys: by id, by ARN, by alias, by an alias's ARN.

use std::sync::Arc;

use proto::arn::Arn;
use proto::identity::AccountId;
use proto::time::Timestamp;

use crate::api::service_key;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::place::alias_arn;
use crate::keys::place::key_arn;

/// What a caller may name a key by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Id or ARN of the key.
    Id,
    /// Id or ARN of the key, name or ARN of an alias.
    Alias,
}

/// The key that a caller's text names, without any permission to use it.
pub(crate) fn resolve(
    keys: &Keys,
    caller: &Caller,
    now: Timestamp,
    reference: &str,
    by: By,
) -> Result<Arc<Key>, KmsError> {
    let (account, region) = caller.place();
    if reference.starts_with("arn:") {
        let arn = Arn::parse(reference).map_err(|_| invalid_arn(reference))?;
        if arn.service != "kms" {
            return Err(invalid_arn(reference));
        }
        if *region != *arn.region {
            return Err(KmsError::not_found(format!("Invalid arn {}", arn.region)));
        }
        if arn.partition != region.partition() {
            return Err(invalid_arn(reference));
        }
        let owner = arn.account.parse::<AccountId>().ok();
        if let Some(key_id) = arn.resource.strip_prefix("key/") {
            let found = owner.and_then(|owner| keys.find(&owner, region, key_id, now));
            return found.ok_or_else(|| no_such_key(reference));
        }
        if by == By::Alias && arn.resource.starts_with("alias/") {
            let owner = owner.ok_or_else(|| no_such_alias(reference))?;
            return resolve_alias(keys, caller, now, &owner, &arn.resource);
        }
        return Err(invalid_arn(reference));
    }
    if reference.starts_with("alias/") && by == By::Alias {
        return resolve_alias(keys, caller, now, account, reference);
    }
    let missing = || {
        if is_key_id(reference) {
            no_such_key(&key_arn(account, region, reference))
        } else {
            KmsError::not_found(format!("Invalid keyId '{reference}'"))
        }
    };
    keys.find(account, region, reference, now)
        .ok_or_else(missing)
}

fn resolve_alias(
    keys: &Keys,
    caller: &Caller,
    now: Timestamp,
    owner: &AccountId,
    name: &str,
) -> Result<Arc<Key>, KmsError> {
    let region = &caller.region;
    if let Some(alias) = keys.alias(owner, region, name, now)
        && let Some(key) = keys.find(owner, region, &alias.key_id, now)
    {
        return Ok(key);
    }
    if *owner == caller.account
        && let Some(key) = service_key::make(keys, caller, name, now)?
    {
        return Ok(key);
    }
    Err(no_such_alias(&alias_arn(owner, region, name)))
}

/// Whether the text has the form of a key id, be there such a key or not.
fn is_key_id(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = text.strip_prefix("mrk-") {
        return digits.len() == 32 && hex(digits);
    }
    let mut lengths = [8, 4, 4, 4, 12].iter();
    text.split('-')
        .all(|part| lengths.next().is_some_and(|n| part.len() == *n) && hex(part))
        && lengths.next().is_none()
}

pub(crate) fn no_such_alias(alias_arn: &str) -> KmsError {
    KmsError::not_found(format!("Alias {alias_arn} is not found."))
}

pub(crate) fn no_such_key(key_arn: &str) -> KmsError {
    KmsError::not_found(format!("Key '{key_arn}' does not exist"))
}

fn invalid_arn(reference: &str) -> KmsError {
    KmsError::new(
        Code::InvalidArnException,
        format!("Invalid arn '{reference}'"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_uuids_or_mrk_and_32_digits() {
        assert!(is_key_id("1234abcd-12ab-34cd-56ef-1234567890ab"));
        assert!(is_key_id("mrk-1234abcd12ab34cd56ef1234567890ab"));
        for text in [
            "",
            "fake-key-id",
            "1234abcd-12ab-34cd-56ef-1234567890a",
            "mrk-12",
        ] {
            assert!(!is_key_id(text), "{text}");
        }
    }
}
