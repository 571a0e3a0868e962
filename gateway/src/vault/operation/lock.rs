//! InitiateVaultLock, CompleteVaultLock, AbortVaultLock, GetVaultLock.
//!
//! Each change is judged by the lock that is stored at the moment of the change, and by the clock then.

use http::Response;
use http::StatusCode;
use proto::time::Timestamp;
use serde_json::json;

use crate::request::Body;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultError;
use crate::vault::lock;
use crate::vault::lock::VaultLock;
use crate::vault::operation::access_policy::read_policy;
use crate::vault::operation::answer;
use crate::vault::place::LOCK_ID_CHARS;
use crate::vault::place::random_id;
use crate::vault::record::VaultRecord;
use crate::vault::store::VaultStore;

/// Begins a lock, whose policy is in force from now on.
pub(super) async fn initiate(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (mut request, vault) = permitted.spend_on_vault()?;
    let policy = read_policy(&mut request, &vault.place).await?;
    let id = random_id(&*store.random, LOCK_ID_CHARS);
    let begin = |record: &mut VaultRecord| {
        let now = store.clock.now();
        lock::check_initiation(record.lock.as_ref(), now)?;
        record.lock = Some(VaultLock::new(id.clone(), policy.clone(), now));
        Ok(true)
    };
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, begin).await?;
    let created = answer::empty(StatusCode::CREATED);
    answer::with_headers(created, &[("x-amz-lock-id", &id)])
}

/// Completes a lock: from now on nobody can change or remove it.
pub(super) async fn complete(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let id = request.address.id.unwrap_or_default();
    let complete = |record: &mut VaultRecord| {
        let completed = lock::completed(record.lock.as_ref(), &id, store.clock.now())?;
        let is_changed = record.lock.as_ref().is_none_or(|it| !it.is_locked);
        record.lock = Some(completed);
        Ok(is_changed)
    };
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, complete).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Removes a lock that is not completed.
pub(super) async fn abort(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    let abort = |record: &mut VaultRecord| {
        lock::check_abortion(record.lock.as_ref())?;
        Ok(record.lock.take().is_some())
    };
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, abort).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Shows the lock that is in force.
pub(super) async fn get(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    let lock = lock::in_force(vault.record.lock.as_ref(), store.clock.now());
    let lock = lock.ok_or_else(lock::not_found)?;
    let state = match lock.is_locked {
        true => "Locked",
        false => "InProgress",
    };
    Ok(answer::document(&json!({
        "CreationDate": lock.created().iso8601_millis(),
        "ExpirationDate": lock.expires().map(Timestamp::iso8601_millis),
        "Policy": lock.policy.text(),
        "State": state,
    })))
}
