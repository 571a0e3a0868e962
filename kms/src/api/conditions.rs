//! What the conditions of a key policy may look at in a request.
//!
//! What they may look at besides (the caller, the key, the encryption context) is
//! [`crate::authorize`]'s concern.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>

use std::time::Duration;

use proto::kms::v1;
use proto::time::Timestamp;

use crate::api::key::WINDOW_DAYS_DEFAULT;
use crate::api::operation::Operation;
use crate::api::rotation::PERIOD_DAYS_DEFAULT;
use crate::authorize::Condition;
use crate::caller::Caller;

/// The condition keys of a request and their values; nothing for the requests that have none, which
/// are most.
pub(crate) fn from_operation(operation: &Operation, caller: &Caller) -> Vec<Condition> {
    match operation {
        Operation::Encrypt(request) => algorithm(request.encryption_algorithm.as_deref()),
        Operation::Decrypt(request) => algorithm(request.encryption_algorithm.as_deref()),
        Operation::ReEncrypt(request) => algorithm(request.source_encryption_algorithm.as_deref()),
        Operation::GenerateDataKeyPair(v1::GenerateDataKeyPairRequest {
            key_pair_spec, ..
        })
        | Operation::GenerateDataKeyPairWithoutPlaintext(
            v1::GenerateDataKeyPairWithoutPlaintextRequest { key_pair_spec, .. },
        ) => text("kms:DataKeyPairSpec", key_pair_spec.as_deref()),
        Operation::Sign(v1::SignRequest {
            signing_algorithm,
            message_type,
            ..
        })
        | Operation::Verify(v1::VerifyRequest {
            signing_algorithm,
            message_type,
            ..
        }) => {
            let mut conditions = text("kms:SigningAlgorithm", signing_algorithm.as_deref());
            let message_type = message_type.as_deref().unwrap_or("RAW");
            conditions.push(Condition::new("kms:MessageType", message_type));
            conditions
        }
        Operation::GenerateMac(v1::GenerateMacRequest { mac_algorithm, .. })
        | Operation::VerifyMac(v1::VerifyMacRequest { mac_algorithm, .. }) => {
            text("kms:MacAlgorithm", mac_algorithm.as_deref())
        }
        Operation::DeriveSharedSecret(request) => text(
            "kms:KeyAgreementAlgorithm",
            request.key_agreement_algorithm.as_deref(),
        ),
        _ => of_management(operation, caller),
    }
}

/// As [`from_operation`], for the operations that are no cryptography.
fn of_management(operation: &Operation, caller: &Caller) -> Vec<Condition> {
    let one = |name, value: &str| vec![Condition::new(name, value)];
    match operation {
        Operation::CreateGrant(request) => grant(request, caller),
        Operation::ListGrants(_) | Operation::RevokeGrant(_) => {
            one(FOR_AWS_RESOURCE, truth(caller.via_service.is_some()))
        }
        Operation::ImportKeyMaterial(request) => import(request),
        Operation::GetParametersForImport(request) => {
            let mut conditions = text(
                "kms:WrappingAlgorithm",
                request.wrapping_algorithm.as_deref(),
            );
            conditions.extend(text(
                "kms:WrappingKeySpec",
                request.wrapping_key_spec.as_deref(),
            ));
            conditions
        }
        Operation::PutKeyPolicy(request) => {
            let bypass = request.bypass_policy_lockout_safety_check == Some(true);
            one("kms:BypassPolicyLockoutSafetyCheck", truth(bypass))
        }
        Operation::ReplicateKey(request) => {
            text("kms:ReplicaRegion", request.replica_region.as_deref())
        }
        Operation::UpdatePrimaryRegion(request) => {
            text("kms:PrimaryRegion", request.primary_region.as_deref())
        }
        Operation::EnableKeyRotation(request) => {
            let days = request
                .rotation_period_in_days
                .unwrap_or(PERIOD_DAYS_DEFAULT);
            one("kms:RotationPeriodInDays", &days.to_string())
        }
        Operation::ScheduleKeyDeletion(request) => {
            let days = request
                .pending_window_in_days
                .unwrap_or(WINDOW_DAYS_DEFAULT);
            one(
                "kms:ScheduleKeyDeletionPendingWindowInDays",
                &days.to_string(),
            )
        }
        Operation::TagResource(request) => tags(&request.tags),
        Operation::UntagResource(request) => {
            let keys = request.tag_keys.iter();
            keys.map(|key| Condition::new(TAG_KEYS, key)).collect()
        }
        _ => Vec::new(),
    }
}

fn text(name: &'static str, value: Option<&str>) -> Vec<Condition> {
    value
        .map(|value| Condition::new(name, value))
        .into_iter()
        .collect()
}

/// Symmetric keys have one algorithm, which need not be named.
fn algorithm(name: Option<&str>) -> Vec<Condition> {
    text("kms:EncryptionAlgorithm", name)
}

const fn truth(of: bool) -> &'static str {
    if of { "true" } else { "false" }
}

fn grant(request: &v1::CreateGrantRequest, caller: &Caller) -> Vec<Condition> {
    let mut conditions = vec![Condition::new(
        FOR_AWS_RESOURCE,
        truth(caller.via_service.is_some()),
    )];
    let operations = request.operations.iter();
    conditions.extend(operations.map(|name| Condition::new("kms:GrantOperations", name)));
    let principals = [
        ("kms:GranteePrincipal", &request.grantee_principal),
        ("kms:GranteePrincipal", &request.grantee_service_principal),
        ("kms:RetiringPrincipal", &request.retiring_principal),
        ("kms:RetiringPrincipal", &request.retiring_service_principal),
    ];
    for (name, principal) in principals {
        conditions.extend(text(name, principal.as_deref()));
    }
    if let Some(constraints) = &request.constraints {
        let kind = "kms:GrantConstraintType";
        if !constraints.encryption_context_equals.is_empty() {
            conditions.push(Condition::new(kind, "EncryptionContextEquals"));
        }
        if !constraints.encryption_context_subset.is_empty() {
            conditions.push(Condition::new(kind, "EncryptionContextSubset"));
        }
    }
    conditions
}

fn import(request: &v1::ImportKeyMaterialRequest) -> Vec<Condition> {
    let model = request.expiration_model.as_deref();
    let mut conditions = text(
        "kms:ExpirationModel",
        Some(model.unwrap_or("KEY_MATERIAL_EXPIRES")),
    );
    if let Some(seconds) = request.valid_to {
        let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let at = Timestamp::UNIX_EPOCH.plus(after);
        conditions.push(Condition::new("kms:ValidTo", &at.iso8601()));
    }
    conditions
}

fn tags(tags: &[v1::Tag]) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for tag in tags {
        let key = tag.tag_key.as_deref().unwrap_or_default();
        conditions.push(Condition::new(TAG_KEYS, key));
        let value = tag.tag_value.as_deref().unwrap_or_default();
        conditions.push(Condition::new(format!("aws:RequestTag/{key}"), value));
    }
    conditions
}

const FOR_AWS_RESOURCE: &str = "kms:GrantIsForAWSResource";
const TAG_KEYS: &str = "aws:TagKeys";
