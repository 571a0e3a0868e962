//! AddTagsToVault, RemoveTagsFromVault, ListTagsForVault.

use std::collections::BTreeMap;

use http::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::request::Body;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::record::VaultRecord;
use crate::vault::store::VaultStore;

/// The document with tags to add.
#[derive(Deserialize)]
struct TagsToAdd {
    #[serde(rename = "Tags", default)]
    tags: BTreeMap<String, String>,
}

/// The document with the keys of tags to remove.
#[derive(Deserialize)]
struct TagsToRemove {
    #[serde(rename = "TagKeys", default)]
    keys: Vec<String>,
}

/// Adds tags to a vault, or replaces their values.
pub(super) async fn add(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (mut request, vault) = permitted.spend_on_vault()?;
    let tags = request.document::<TagsToAdd>().await?.tags;
    for (key, value) in &tags {
        check_tag(key, value)?;
    }
    let add = |record: &mut VaultRecord| {
        record.tags.extend(tags.clone());
        match record.tags.len() <= TAGS_MAX {
            true => Ok(!tags.is_empty()),
            false => Err(VaultError::new(VaultCode::LimitExceeded, TOO_MANY)),
        }
    };
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, add).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Removes tags from a vault.
pub(super) async fn remove(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (mut request, vault) = permitted.spend_on_vault()?;
    let keys = request.document::<TagsToRemove>().await?.keys;
    let remove = |record: &mut VaultRecord| {
        let before = record.tags.len();
        record.tags.retain(|key, _| !keys.contains(key));
        Ok(record.tags.len() != before)
    };
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, remove).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Shows the tags of a vault.
pub(super) async fn list(permitted: Permitted) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    Ok(answer::document(&json!({"Tags": vault.record.tags})))
}

/// Checks the length of a tag's key and value.
///
/// Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/tagging.html>
fn check_tag(key: &str, value: &str) -> Result<(), VaultError> {
    let (key_chars, value_chars) = (key.chars().count(), value.chars().count());
    match (1..=128).contains(&key_chars) && value_chars <= 256 && !key.starts_with("aws:") {
        true => Ok(()),
        false => Err(VaultError::invalid(format!("Invalid tag: {key}"))),
    }
}

/// Tags of a vault.
const TAGS_MAX: usize = 50;

const TOO_MANY: &str = "A vault has at most 50 tags.";
