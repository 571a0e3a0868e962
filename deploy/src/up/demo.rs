//! The KMS key of the printed example.

use kms::api::Operation;
use kms::api::OperationName;
use kms::caller::Caller;
use kms::server::Running;
use proto::identity::AccountId;
use proto::identity::Region;
use serde_json::json;

/// Creates a key with the alias that the printed example uses, unless the alias exists.
pub(super) fn create_key(
    kms: &Running,
    account: &AccountId,
    region: &Region,
) -> anyhow::Result<()> {
    let caller = Caller::root(account, region);
    let described = call(kms, &caller, "DescribeKey", &json!({ "KeyId": ALIAS }));
    if described.is_ok() {
        return Ok(());
    }
    let created = call(
        kms,
        &caller,
        "CreateKey",
        &json!({ "Description": "for trying Sealgate" }),
    )?;
    let key_id = created
        .pointer("/KeyMetadata/KeyId")
        .cloned()
        .unwrap_or_default();
    let alias = json!({ "AliasName": ALIAS, "TargetKeyId": key_id });
    call(kms, &caller, "CreateAlias", &alias)?;
    Ok(())
}

fn call(
    kms: &Running,
    caller: &Caller,
    name: &str,
    arguments: &serde_json::Value,
) -> anyhow::Result<serde_json::Value> {
    let name = OperationName::from_name(name).expect("an operation of the table");
    let operation =
        Operation::from_json(name, arguments.to_string().as_bytes()).map_err(refusal)?;
    let answer = kms.kms.call(caller, operation).map_err(refusal)?;
    let body = answer.to_json();
    if body.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    Ok(serde_json::from_slice(&body)?)
}

fn refusal(error: kms::error::KmsError) -> anyhow::Error {
    anyhow::anyhow!("the KMS refused to create the key {ALIAS}: {error}")
}

const ALIAS: &str = "alias/demo";
