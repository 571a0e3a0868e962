//! What the conditions of a key policy may look at in a request.
//!
//! What they may look at besides (the caller, the key, the encryption context) is
//! [`crate::authorize`]'s concern.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>

use std::collections::BTreeMap;
use std::time::Duration;

use proto::kms::v1;
use proto::time::Timestamp;

use crate::api::key::WINDOW_DAYS_DEFAULT;
use crate::api::operation::Operation;
use crate::api::rotation::PERIOD_DAYS_DEFAULT;
use crate::authorize::Condition;
use crate::caller::Caller;
use crate::keys::grant::Grant;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Origin;
use crate::keys::record::Record;

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
        Operation::CreateKey(request) => new_key(request),
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
        Operation::PutKeyPolicy(request) => bypass(request.bypass_policy_lockout_safety_check),
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

/// The key that CreateKey is to make. What goes without saying is there as if it were said.
fn new_key(request: &v1::CreateKeyRequest) -> Vec<Condition> {
    let spec = request.key_spec.as_deref();
    let spec = spec.or(request.customer_master_key_spec.as_deref());
    let spec = spec.unwrap_or_else(|| KeySpec::SymmetricDefault.as_str());
    let usage = request.key_usage.as_deref();
    let usage = usage.unwrap_or_else(|| KeyUsage::EncryptDecrypt.as_str());
    let origin = request.origin.as_deref();
    let multi_region = request.multi_region == Some(true);
    let key_type = multi_region.then_some("PRIMARY");
    let mut conditions = text("kms:KeyOrigin", origin.or(Some(Origin::AwsKms.as_str())));
    conditions.extend(kind(spec, usage));
    conditions.push(Condition::new("kms:MultiRegion", truth(multi_region)));
    conditions.extend(text("kms:MultiRegionKeyType", key_type));
    conditions.extend(bypass(request.bypass_policy_lockout_safety_check));
    conditions.extend(new_tags(&request.tags));
    conditions
}

/// The replica that ReplicateKey is to make of a key, which is a CreateKey in the replica's Region.
pub(crate) fn new_replica(request: &v1::ReplicateKeyRequest, primary: &Record) -> Vec<Condition> {
    let mut conditions = vec![
        Condition::new("kms:KeyOrigin", primary.origin.as_str()),
        Condition::new("kms:MultiRegion", truth(true)),
        Condition::new("kms:MultiRegionKeyType", "REPLICA"),
    ];
    conditions.extend(kind(primary.spec.as_str(), primary.usage.as_str()));
    conditions.extend(bypass(request.bypass_policy_lockout_safety_check));
    conditions.extend(new_tags(&request.tags));
    conditions
}

/// What a new key is made of and used for, by the condition keys' former names, too.
fn kind(spec: &str, usage: &str) -> [Condition; 4] {
    [
        Condition::new("kms:KeySpec", spec),
        Condition::new("kms:CustomerMasterKeySpec", spec),
        Condition::new("kms:KeyUsage", usage),
        Condition::new("kms:CustomerMasterKeyUsage", usage),
    ]
}

/// Tags are in the request, and on the key that it makes.
fn new_tags(given: &[v1::Tag]) -> Vec<Condition> {
    let mut conditions = tags(given);
    for tag in given {
        let name = tag.tag_key.as_deref().unwrap_or_default();
        let value = tag.tag_value.as_deref().unwrap_or_default();
        conditions.push(Condition::new(format!("aws:ResourceTag/{name}"), value));
    }
    conditions
}

/// Not there unless it is said, so that policies may ask by `Null` whether it is.
fn bypass(of: Option<bool>) -> Vec<Condition> {
    text("kms:BypassPolicyLockoutSafetyCheck", of.map(truth))
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
    let services = [
        (
            "kms:GranteeServicePrincipal",
            &request.grantee_service_principal,
        ),
        (
            "kms:RetiringServicePrincipal",
            &request.retiring_service_principal,
        ),
    ];
    for (name, principal) in principals.into_iter().chain(services) {
        conditions.extend(text(name, principal.as_deref()));
    }
    if let Some(constraints) = &request.constraints {
        let source_arn = constraints.source_arn.as_deref();
        conditions.extend(text("kms:GrantConstraintSourceArn", source_arn));
        conditions.extend(of_constraints(
            &constraints.encryption_context_equals,
            &constraints.encryption_context_subset,
        ));
    }
    conditions
}

/// What conditions may look at in a grant that is to be retired.
pub(crate) fn of_grant(grant: &Grant) -> Vec<Condition> {
    of_constraints(&grant.context_equals, &grant.context_subset)
}

/// The encryption context that a grant demands, and how strictly.
fn of_constraints(
    equals: &BTreeMap<String, String>,
    subset: &BTreeMap<String, String>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (kind, pairs) in [
        ("EncryptionContextEquals", equals),
        ("EncryptionContextSubset", subset),
    ] {
        if !pairs.is_empty() {
            conditions.push(Condition::new("kms:GrantConstraintType", kind));
        }
        for (name, value) in pairs {
            let pair = format!("kms:EncryptionContext:{name}");
            conditions.push(Condition::new(pair, value));
            conditions.push(Condition::new("kms:EncryptionContextKeys", name));
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
