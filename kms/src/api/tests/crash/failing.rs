//! The disk fails at every act of a run: an error, nothing acknowledged is lost, nothing refused stays, and
//! it goes on without a restart.

use serde_json::Value;
use serde_json::json;

use crate::api::Kms;
use crate::api::tests::ACCOUNT;
use crate::api::tests::REGION;
use crate::api::tests::call;
use crate::api::tests::crash::disk::Disk;
use crate::api::tests::crash::disk::Failure;
use crate::api::tests::crash::open;
use crate::api::tests::crash::operate;
use crate::api::tests::crash::state_of;
use crate::caller::Caller;

/// Makes changes; how many were refused. A refused one leaves what the KMS returns as it was.
fn change_all(kms: &Kms, key: &Value, round: u8) -> usize {
    let caller = Caller::fixture(ACCOUNT, REGION);
    let alias = json!({"AliasName": format!("alias/{round}"), "TargetKeyId": key});
    let text = format!("round {round} ").repeat(300);
    let changes = [
        (
            "CreateKey",
            json!({"Description": format!("made in {round}")}),
        ),
        ("CreateAlias", alias),
        (
            "UpdateKeyDescription",
            json!({"KeyId": key, "Description": text}),
        ),
        ("RotateKeyOnDemand", json!({"KeyId": key})),
        (
            "DeleteAlias",
            json!({"AliasName": format!("alias/{}", round - 1)}),
        ),
    ];
    let mut refused = 0;
    for (name, request) in changes {
        let before = state_of(kms);
        if call(kms, &caller, name, request).is_err() {
            refused += 1;
            assert_eq!(state_of(kms), before, "{name} was refused");
        }
    }
    refused
}

/// A KMS with a key, and a blob of it.
fn kms_with_key(disk: &Disk) -> (Kms, Value, Value) {
    let kms = open(disk.clone());
    let made = operate(&kms, "CreateKey", json!({"Description": "first"}));
    let key = made["KeyMetadata"]["KeyId"].clone();
    let alias = json!({"AliasName": "alias/0", "TargetKeyId": key});
    operate(&kms, "CreateAlias", alias);
    let sealed = json!({"KeyId": key, "Plaintext": "AAAA"});
    let blob = operate(&kms, "Encrypt", sealed)["CiphertextBlob"].clone();
    (kms, key, blob)
}

#[test]
fn a_failing_disk_loses_no_key_keeps_nothing_refused_and_is_used_again_without_a_restart() {
    let mut refusals = 0;
    for errno in [ENOSPC, EIO] {
        for (lasts, last_failure) in [(1, ACTS), (3, ACTS), (usize::MAX, 20)] {
            for after in 0..last_failure {
                let what = format!("error {errno}, {lasts} times after {after} acts");
                let disk = Disk::default();
                let (kms, key, blob) = kms_with_key(&disk);
                disk.fail(Some(Failure {
                    after,
                    lasts,
                    errno,
                }));
                refusals += change_all(&kms, &key, 1);
                disk.fail(None);
                let opened = operate(&kms, "Decrypt", json!({"CiphertextBlob": blob}));
                assert_eq!(opened["Plaintext"], "AAAA", "{what}");
                // No alias of the round before may be left to delete.
                let refused = change_all(&kms, &key, 2);
                assert!(refused <= 1, "{what}: the disk is well again");
                let acknowledged = state_of(&kms);
                // Power fails before anything else is done.
                let restarted = open(Disk::new(disk.durable()));
                assert_eq!(state_of(&restarted), acknowledged, "{what}");
                drop(kms);
                assert_eq!(state_of(&open(disk)), acknowledged, "{what}");
            }
        }
    }
    assert!(refusals > 100, "only {refusals} changes were refused");
}

/// More than what the changes of a round do to the disk.
const ACTS: usize = 60;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
