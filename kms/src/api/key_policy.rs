//! Key policies: stored as they were given, and returned so.

use proto::kms::v1;
use proto::policy::Policy;
use proto::policy::PolicyKind;

use crate::api::call::Call;
use crate::api::page;
use crate::api::reference::By;
use crate::authorize;
use crate::error::Code;
use crate::error::KmsError;

/// Returns a key's policy.
pub(crate) fn get(
    call: &mut Call<'_>,
    request: v1::GetKeyPolicyRequest,
) -> Result<v1::GetKeyPolicyResponse, KmsError> {
    let name = request.policy_name.as_deref().unwrap_or(POLICY_NAME);
    call.record.parameter("policyName", name);
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    check_name(request.policy_name.as_deref())?;
    Ok(v1::GetKeyPolicyResponse {
        policy: Some(key.snapshot().record.policy.clone()),
        policy_name: Some(POLICY_NAME.to_owned()),
    })
}

/// Puts another policy in the place of a key's policy.
pub(crate) fn put(
    call: &mut Call<'_>,
    request: v1::PutKeyPolicyRequest,
) -> Result<v1::PutKeyPolicyResponse, KmsError> {
    call.record
        .parameter_text("policy", request.policy.as_deref());
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    check_name(request.policy_name.as_deref())?;
    let lockout_accepted = request.bypass_policy_lockout_safety_check == Some(true);
    let policy = request.policy.unwrap_or_default();
    let policy = checked(call, policy, key.arn(), lockout_accepted)?;
    call.kms.keys.change(key, |record| {
        record.policy = policy;
        Ok(())
    })?;
    Ok(v1::PutKeyPolicyResponse {})
}

/// Lists the names of a key's policies: each key has one.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListKeyPoliciesRequest,
) -> Result<v1::ListKeyPoliciesResponse, KmsError> {
    call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let names = vec![POLICY_NAME.to_owned()];
    let marker = request.marker.as_deref();
    let page = page::page(names, |name| name, marker, request.limit, page::LIMITS)?;
    Ok(v1::ListKeyPoliciesResponse {
        policy_names: page.items,
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// A policy that KMS accepts for the key of that ARN.
///
/// # Errors
///
/// `MalformedPolicyDocumentException` for one that is no policy, or would lock the caller out.
pub(crate) fn checked(
    call: &Call<'_>,
    policy: String,
    key_arn: &str,
    lockout_accepted: bool,
) -> Result<String, KmsError> {
    let malformed = |text: String| KmsError::new(Code::MalformedPolicyDocumentException, text);
    if policy.len() > POLICY_BYTES_MAX {
        let text = format!("The policy is longer than {POLICY_BYTES_MAX} bytes.");
        return Err(KmsError::new(Code::LimitExceededException, text));
    }
    if call.kms.compat().takes_any_policy() {
        return Ok(policy);
    }
    let parsed = Policy::parse(&policy, PolicyKind::Resource)
        .map_err(|error| malformed(error.to_string()))?;
    if !lockout_accepted && !authorize::can_change_policy(call.caller, &parsed, key_arn) {
        return Err(malformed(
            "The new key policy will not allow you to update the key policy in the future."
                .to_owned(),
        ));
    }
    Ok(policy)
}

fn check_name(name: Option<&str>) -> Result<(), KmsError> {
    match name {
        None | Some(POLICY_NAME) => Ok(()),
        Some(_) => Err(KmsError::not_found("No such policy exists")),
    }
}

/// The only name a key policy may have.
const POLICY_NAME: &str = "default";

/// Longest key policy.
const POLICY_BYTES_MAX: usize = 32_768;
