//! CreateVault, DescribeVault, ListVaults, DeleteVault.

use http::Response;
use http::StatusCode;
use proto::time::Timestamp;
use serde_json::json;

use crate::backend::capabilities::Capability;
use crate::error::S3Error;
use crate::request::Body;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::page::Page;
use crate::vault::place::VaultPlace;
use crate::vault::record::Phase;
use crate::vault::record::VaultRecord;
use crate::vault::store::VaultStore;

/// Creates a vault, unless there is one.
pub(super) async fn create(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, subject) = permitted.spend();
    let place = subject.place.ok_or_else(VaultError::internal)?;
    if subject.vault.is_none() {
        if store.vaults(&subject.owner).await?.len() >= VAULTS_MAX {
            let message = "An account has at most 1000 vaults in a Region.";
            return Err(VaultError::new(VaultCode::LimitExceeded, message));
        }
        store.create(&place).await?;
    }
    let created = answer::empty(StatusCode::CREATED);
    answer::with_headers(created, &[("location", &place.location())])
}

/// Describes a vault.
pub(super) async fn describe(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    let description = description(store, &vault.place, &vault.record).await?;
    Ok(answer::document(&description))
}

/// Lists the vaults of an account.
pub(super) async fn list(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, subject) = permitted.spend();
    let page = Page::from_query(&request.query, LIST_LIMIT)?;
    let vaults = store.vaults(&subject.owner).await?;
    let (vaults, next) = page.cut(vaults, |(place, _)| place.arn())?;
    let mut list = Vec::new();
    for (place, record) in &vaults {
        list.push(description(store, place, record).await?);
    }
    Ok(answer::document(
        &json!({"VaultList": list, "Marker": next}),
    ))
}

/// A vault, with its inventory as it is now.
async fn description(
    store: &VaultStore,
    place: &VaultPlace,
    record: &VaultRecord,
) -> Result<serde_json::Value, VaultError> {
    let archives = store.archives(record.contents()).await?;
    let bytes: u64 = archives.iter().map(|(_, it)| it.content.bytes()).sum();
    Ok(json!({
        "CreationDate": Timestamp::from_unix_millis(record.created_ms).iso8601_millis(),
        "LastInventoryDate": store.clock.now().iso8601_millis(),
        "NumberOfArchives": archives.len(),
        "SizeInBytes": bytes,
        "VaultARN": place.arn(),
        "VaultName": place.name.as_str(),
    }))
}

/// Deletes a vault that is empty.
pub(super) async fn delete(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, subject) = permitted.spend();
    let (Some(place), Some(vault)) = (subject.place, subject.vault) else {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    };
    let is_consistent = store.capabilities.has(Capability::ConsistentListings).await;
    if !is_consistent.map_err(S3Error::from)? {
        return Err(VaultError::new(VaultCode::BadRequest, INCONSISTENT));
    }
    // Whoever adds an archive from now on sees the mark and takes it away, and the vault stays.
    let mark = |record: &mut VaultRecord| {
        record.phase = Phase::Deleting;
        Ok(true)
    };
    store.change(&place, &vault.incarnation, mark).await?;
    let contents = vault.contents();
    let archives = store.state.page(&contents.archive(""), None, false).await?;
    let is_empty = archives.entries.is_empty();
    let end = |record: &mut VaultRecord| {
        if record.phase != Phase::Deleting {
            return Err(not_empty(&place));
        }
        record.phase = match is_empty {
            true => Phase::Deleted,
            false => Phase::Live,
        };
        if is_empty {
            record.tags.clear();
            record.access_policy = None;
            record.lock = None;
        }
        Ok(true)
    };
    match store.change(&place, &vault.incarnation, end).await {
        Ok(_) if !is_empty => return Err(not_empty(&place)),
        Ok(_) => {}
        // Somebody else was faster.
        Err(error) if error.code == VaultCode::ResourceNotFound => {}
        Err(error) => return Err(error),
    }
    // Jobs, and uploads that were not complete. What stays after a failure is nobody's.
    if let Err(error) = store.state.remove_all(&contents.all()).await {
        tracing::warn!(vault = place.arn(), %error, "what belonged to a deleted vault stays");
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The error for a vault that has archives.
fn not_empty(place: &VaultPlace) -> VaultError {
    VaultError::invalid(format!(
        "Vault not empty or recently written to: {}",
        place.arn()
    ))
}

/// Vaults of an account in a Region.
///
/// Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/api-vault-put.html>
const VAULTS_MAX: usize = 1_000;

const INCONSISTENT: &str = "The listings of this backend lag behind its writes, so nobody can know that a vault is \
    empty: vaults are not deleted here.";

/// Vaults in a page.
const LIST_LIMIT: usize = 10;
