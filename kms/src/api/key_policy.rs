//! Key policies: kept as they were given, and told again.

use crate::api::Call;
use crate::api::call::By;
use crate::api::page;
use crate::api::page::Limits;
use crate::api::violations;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use proto::kms::v1;

/// Tells a key's policy.
pub(crate) fn get(
    call: &mut Call<'_>,
    request: v1::GetKeyPolicyRequest,
) -> Result<v1::GetKeyPolicyResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    call.parameter(
        "policyName",
        request.policy_name.as_deref().unwrap_or(POLICY_NAME),
    );
    violations::check(&request)?;
    let key = call.key(request.key_id.as_deref(), By::Id)?;
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
    call.parameter_text("keyId", request.key_id.as_deref());
    call.parameter_text("policy", request.policy.as_deref());
    violations::check(&request)?;
    let key = call.key(request.key_id.as_deref(), By::Id)?;
    check_name(request.policy_name.as_deref())?;
    let policy = checked(request.policy.unwrap_or_default())?;
    call.kms.keys.change(&key, |record| {
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
    call.parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    call.key(request.key_id.as_deref(), By::Id)?;
    let limits = Limits {
        default: 100,
        most: 1_000,
    };
    let names = vec![POLICY_NAME.to_owned()];
    let page = page::page(
        names,
        |name| name,
        request.marker.as_deref(),
        request.limit,
        limits,
    )?;
    Ok(v1::ListKeyPoliciesResponse {
        policy_names: page.items,
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// The policy of a key that was made without one: its account may do everything.
pub(crate) fn default_policy(caller: &Caller) -> String {
    let Caller { account, .. } = caller;
    let partition = caller.partition();
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// A policy that is one, as far as its outer form goes.
pub(crate) fn checked(policy: String) -> Result<String, KmsError> {
    let malformed = |text| KmsError::new(Code::MalformedPolicyDocumentException, text);
    if policy.len() > POLICY_BYTES_MAX {
        let text = format!("The policy is longer than {POLICY_BYTES_MAX} bytes.");
        return Err(KmsError::new(Code::LimitExceededException, text));
    }
    let document: serde_json::Value =
        serde_json::from_str(&policy).map_err(|_| malformed("The policy is not valid JSON."))?;
    if document.get("Statement").is_none() {
        return Err(malformed("The policy has no statement."));
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
