//! SetVaultAccessPolicy, GetVaultAccessPolicy, DeleteVaultAccessPolicy.

use http::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::request::Body;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::place::VaultPlace;
use crate::vault::policy::VaultPolicy;
use crate::vault::record::VaultRecord;
use crate::vault::request::VaultRequest;
use crate::vault::store::VaultStore;

/// The document with a policy.
#[derive(Deserialize)]
struct PolicyDocument {
    #[serde(rename = "Policy")]
    policy: Option<String>,
}

/// The policy in the body of a request about a vault.
///
/// # Errors
///
/// `MissingParameterValueException`; what is wrong with it.
pub(super) async fn read_policy(
    request: &mut VaultRequest,
    place: &VaultPlace,
) -> Result<VaultPolicy, VaultError> {
    let document = request.document::<PolicyDocument>().await?;
    let text = document
        .policy
        .ok_or_else(|| VaultError::missing("Policy"))?;
    VaultPolicy::parse(&text, &place.arn())
}

/// Replaces the access policy.
pub(super) async fn set(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (mut request, vault) = permitted.spend_on_vault()?;
    let policy = read_policy(&mut request, &vault.place).await?;
    let set = |record: &mut VaultRecord| {
        record.access_policy = Some(policy.clone());
        Ok(true)
    };
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, set).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Shows the access policy.
pub(super) async fn get(permitted: Permitted) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    let policy = vault
        .record
        .access_policy
        .ok_or_else(|| VaultError::not_found("No vault access policy is set on this vault."))?;
    Ok(answer::document(&json!({"Policy": policy.text()})))
}

/// Removes the access policy, if there is one.
pub(super) async fn delete(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    let delete = |record: &mut VaultRecord| Ok(record.access_policy.take().is_some());
    let incarnation = &vault.record.incarnation;
    store.change(&vault.place, incarnation, delete).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
