//! The same calls in both protocols have the same outcome.

use std::collections::BTreeSet;
use std::collections::HashMap;

use proto::kms::v1;
use proto::kms::v1::key_management_client::KeyManagementClient;
use serde_json::Value;
use serde_json::json;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use super::grpc;
use super::json_request;
use super::send;
use super::serve;
use crate::api::OperationName;
use crate::api::operations;
use crate::config::Signatures;
use crate::server::Running;

/// What a call came to: its answer, or AWS's code and message.
type Outcome = Result<Value, (String, String)>;

macro_rules! by_grpc {
    ($($name:ident $method:ident ($request:ident) -> $answer:ident, $kind:ident $keys:ident;)+) => {
        /// One operation over gRPC.
        async fn by_grpc(
            client: &mut KeyManagementClient<Channel>,
            name: OperationName,
            request: Value,
        ) -> Outcome {
            match name {
                $(OperationName::$name => {
                    let message: v1::$request = serde_json::from_value(request).unwrap();
                    let answered = Box::pin(client.$method(message)).await.map_err(refusal)?;
                    Ok(serde_json::to_value(answered.into_inner()).unwrap())
                })+
            }
        }
    };
}

operations!(by_grpc);

fn refusal(status: Status) -> (String, String) {
    let code = status.get_details_error_info().unwrap().reason;
    (code, status.message().to_owned())
}

/// One operation over JSON.
async fn by_json(running: &Running, name: OperationName, request: &Value) -> Outcome {
    let target = format!("TrentService.{name}");
    let answer = send(json_request(running.address, &target, request.to_string())).await;
    let body: Value = match answer.body().as_ref() {
        b"" => json!({}),
        bytes => serde_json::from_slice(bytes).unwrap(),
    };
    if answer.status().is_success() {
        return Ok(body);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Err((text("__type"), text("message")))
}

/// The outcome without what is random or new in each call: of such members, that they are there.
fn lasting(outcome: Outcome) -> Outcome {
    outcome.map(|mut answer| {
        mask(&mut answer);
        answer
    })
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if NEW_EACH_TIME.contains(&&**name) {
                    *member = json!(member.as_str().map_or("number", |_| "text"));
                } else {
                    mask(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_without_parameters_ends_alike_in_both_protocols() {
    let running = serve(Signatures::Accepted).await;
    let mut client = grpc(running.address).await;
    for name in OperationName::ALL {
        let at_json = lasting(by_json(&running, *name, &json!({})).await);
        let at_grpc = lasting(by_grpc(&mut client, *name, json!({})).await);
        assert_eq!(at_json, at_grpc, "{name}");
    }
}

#[tokio::test]
async fn a_run_through_the_operations_ends_alike_in_both_protocols() {
    let running = serve(Signatures::Accepted).await;
    let mut client = grpc(running.address).await;
    let mut names = HashMap::new();
    for (name, request) in [
        ("$symmetric", json!({})),
        (
            "$hmac",
            json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
        ),
        (
            "$signing",
            json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
        ),
        (
            "$agreeing",
            json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}),
        ),
        (
            "$kem",
            json!({"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}),
        ),
        ("$external", json!({"Origin": "EXTERNAL"})),
        ("$regions", json!({"MultiRegion": true})),
    ] {
        let made = by_json(&running, OperationName::CreateKey, &request)
            .await
            .unwrap();
        names.insert(name, made["KeyMetadata"]["KeyId"].clone());
    }
    let id = names["$symmetric"].clone();
    let sealed = json!({"KeyId": id, "Plaintext": "AAAA"});
    let sealed = by_json(&running, OperationName::Encrypt, &sealed)
        .await
        .unwrap();
    names.insert("$blob", sealed["CiphertextBlob"].clone());

    let mut outcomes = BTreeSet::new();
    for (operation, request) in steps() {
        let name = OperationName::from_name(operation).unwrap();
        let mut request = request;
        name_keys(&mut request, &names);
        let at_json = lasting(by_json(&running, name, &request).await);
        let at_grpc = lasting(by_grpc(&mut client, name, request.clone()).await);
        assert_eq!(at_json, at_grpc, "{operation} {request}");
        outcomes.insert((operation, at_json.is_ok()));
    }
    let done = outcomes.iter().filter(|(_, done)| *done).count();
    assert!(done > 30, "only {done} operations were ever done");
}

/// Puts the keys in the place of their names.
fn name_keys(request: &mut Value, names: &HashMap<&str, Value>) {
    for member in request.as_object_mut().unwrap().values_mut() {
        if let Some(known) = member.as_str().and_then(|name| names.get(name)) {
            *member = known.clone();
        }
    }
}

/// Calls that end alike when they are made twice.
#[allow(clippy::too_many_lines, reason = "one line for each call")]
fn steps() -> Vec<(&'static str, Value)> {
    let symmetric = || json!({"KeyId": "$symmetric"});
    let tags = json!([{"TagKey": "a", "TagValue": "b"}]);
    let signature = json!({
        "KeyId": "$signing", "Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256",
        "Signature": "AAAA",
    });
    vec![
        ("DescribeKey", symmetric()),
        ("DescribeKey", json!({"KeyId": "no key"})),
        (
            "Encrypt",
            json!({"KeyId": "$symmetric", "Plaintext": "AAAA"}),
        ),
        ("Encrypt", json!({"KeyId": "$hmac", "Plaintext": "AAAA"})),
        (
            "Encrypt",
            json!({"KeyId": "$symmetric", "Plaintext": "AAAA", "DryRun": true}),
        ),
        ("Decrypt", json!({"CiphertextBlob": "$blob"})),
        (
            "Decrypt",
            json!({"CiphertextBlob": "$blob", "EncryptionContext": {"a": "b"}}),
        ),
        ("Decrypt", json!({"CiphertextBlob": "AAAA"})),
        (
            "ReEncrypt",
            json!({"CiphertextBlob": "$blob", "DestinationKeyId": "$regions"}),
        ),
        (
            "GenerateDataKey",
            json!({"KeyId": "$symmetric", "KeySpec": "AES_256"}),
        ),
        (
            "GenerateDataKey",
            json!({"KeyId": "$symmetric", "NumberOfBytes": 2_000}),
        ),
        (
            "GenerateDataKeyWithoutPlaintext",
            json!({"KeyId": "$symmetric", "NumberOfBytes": 7}),
        ),
        (
            "GenerateDataKeyPair",
            json!({"KeyId": "$symmetric", "KeyPairSpec": "ECC_NIST_P384"}),
        ),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            json!({"KeyId": "$symmetric", "KeyPairSpec": "ECC_NIST_P256"}),
        ),
        ("GenerateRandom", json!({"NumberOfBytes": 32})),
        (
            "GenerateMac",
            json!({"KeyId": "$hmac", "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256"}),
        ),
        (
            "VerifyMac",
            json!({"KeyId": "$hmac", "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "Mac": "AAAA"}),
        ),
        (
            "Sign",
            json!({"KeyId": "$signing", "Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256"}),
        ),
        ("Verify", signature),
        ("GetPublicKey", json!({"KeyId": "$signing"})),
        ("GetPublicKey", symmetric()),
        (
            "DeriveSharedSecret",
            json!({"KeyId": "$agreeing", "KeyAgreementAlgorithm": "ECDH", "PublicKey": "AAAA"}),
        ),
        (
            "Encapsulate",
            json!({"KeyId": "$kem", "EncapsulationAlgorithm": "ML_KEM"}),
        ),
        (
            "Decapsulate",
            json!({"KeyId": "$kem", "EncapsulationAlgorithm": "ML_KEM", "CiphertextBlob": "AAAA"}),
        ),
        (
            "EnableKeyRotation",
            json!({"KeyId": "$symmetric", "RotationPeriodInDays": 100}),
        ),
        ("GetKeyRotationStatus", symmetric()),
        ("RotateKeyOnDemand", json!({"KeyId": "$hmac"})),
        ("RotateKeyOnDemand", symmetric()),
        ("ListKeyRotations", symmetric()),
        ("DisableKeyRotation", symmetric()),
        (
            "GetParametersForImport",
            json!({"KeyId": "$external", "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
                   "WrappingKeySpec": "RSA_2048"}),
        ),
        ("DeleteImportedKeyMaterial", json!({"KeyId": "$external"})),
        ("TagResource", json!({"KeyId": "$symmetric", "Tags": tags})),
        ("ListResourceTags", symmetric()),
        (
            "UntagResource",
            json!({"KeyId": "$symmetric", "TagKeys": ["a"]}),
        ),
        (
            "UpdateKeyDescription",
            json!({"KeyId": "$symmetric", "Description": "words"}),
        ),
        (
            "UpdateAlias",
            json!({"AliasName": "alias/none", "TargetKeyId": "$symmetric"}),
        ),
        (
            "CreateAlias",
            json!({"AliasName": "none", "TargetKeyId": "$symmetric"}),
        ),
        ("DeleteAlias", json!({"AliasName": "alias/none"})),
        ("ListAliases", json!({})),
        ("ListKeys", json!({"Limit": 3})),
        ("GetKeyPolicy", symmetric()),
        (
            "PutKeyPolicy",
            json!({"KeyId": "$symmetric", "Policy": "{}"}),
        ),
        ("ListKeyPolicies", symmetric()),
        (
            "CreateGrant",
            json!({"KeyId": "$symmetric", "GranteePrincipal": "arn:aws:iam::111122223333:user/a",
                   "Operations": ["Decrypt"]}),
        ),
        ("ListGrants", symmetric()),
        (
            "ListRetirableGrants",
            json!({"RetiringPrincipal": "arn:aws:iam::111122223333:user/a"}),
        ),
        (
            "RevokeGrant",
            json!({"KeyId": "$symmetric", "GrantId": "none"}),
        ),
        (
            "RetireGrant",
            json!({"KeyId": "$symmetric", "GrantId": "none"}),
        ),
        (
            "ReplicateKey",
            json!({"KeyId": "$regions", "ReplicaRegion": "us-east-1"}),
        ),
        (
            "UpdatePrimaryRegion",
            json!({"KeyId": "$regions", "PrimaryRegion": "eu-west-1"}),
        ),
        ("DescribeCustomKeyStores", json!({})),
        (
            "ConnectCustomKeyStore",
            json!({"CustomKeyStoreId": "cks-1"}),
        ),
        ("DisableKey", symmetric()),
        (
            "Encrypt",
            json!({"KeyId": "$symmetric", "Plaintext": "AAAA"}),
        ),
        ("EnableKey", symmetric()),
        ("GetKeyLastUsage", symmetric()),
        (
            "ScheduleKeyDeletion",
            json!({"KeyId": "$symmetric", "PendingWindowInDays": 6}),
        ),
        ("CancelKeyDeletion", symmetric()),
    ]
}

/// Members that differ from call to call.
const NEW_EACH_TIME: &[&str] = &[
    "Arn",
    "CiphertextBlob",
    "CurrentKeyMaterialId",
    "GrantId",
    "GrantToken",
    "ImportToken",
    "KeyArn",
    "KeyId",
    "KeyMaterialId",
    "Plaintext",
    "PrivateKeyCiphertextBlob",
    "PrivateKeyPlaintext",
    "PublicKey",
    "SharedSecret",
    "SharedSecretCiphertextBlob",
    "Signature",
    "CloudTrailEventId",
    "KmsRequestId",
    "Grants",
    "Keys",
    "Rotations",
];
