//! Power fails at every moment of random runs: nothing that was acknowledged is lost.
//!
//! A run of changes is recorded write by write. For every prefix of the writes, what was synced stays
//! and of the rest all, nothing, or torn pieces; the store must open, hold every acknowledged
//! change, of the one under way all or nothing, and open every blob.

mod disk;
mod failing;

use std::ops::RangeInclusive;
use std::sync::Arc;

use proto::time::Clock;
use serde_json::Value;
use serde_json::json;

use crate::api::Kms;
use crate::api::tests::ACCOUNT;
use crate::api::tests::REGION;
use crate::api::tests::call;
use crate::api::tests::crash::disk::Act;
use crate::api::tests::crash::disk::Dice;
use crate::api::tests::crash::disk::Disk;
use crate::api::tests::crash::disk::apply;
use crate::api::tests::crash::disk::left;
use crate::api::tests::parts;
use crate::caller::Caller;
use crate::crypto::root_key::RootKey;
use crate::keys::redb_store::RedbStore;

/// A run: what was done to the disk, and what was acknowledged when.
struct Run {
    acts: Vec<Act>,
    /// After each change: how many acts there were, and the state it returned.
    acknowledged: Vec<(usize, Value)>,
    /// When each blob was made, and the blob.
    blobs: Vec<(usize, Value)>,
}

fn open(disk: Disk) -> Kms {
    let (clock, quotas, audit) = parts();
    let clock: Arc<dyn Clock> = clock;
    let store = Box::new(RedbStore::with_backend(disk).expect("the store opens whatever was torn"));
    let root_key = RootKey::from_bytes([1; 32]);
    Kms::open(store, &root_key, clock, quotas, audit).expect("no row is damaged")
}

fn operate(kms: &Kms, name: &str, request: Value) -> Value {
    call(kms, &Caller::fixture(ACCOUNT, REGION), name, request).unwrap_or(Value::Null)
}

/// All that the KMS returns of its keys and aliases.
fn state_of(kms: &Kms) -> Value {
    let listed = operate(kms, "ListKeys", json!({}));
    let keys = listed["Keys"].as_array().unwrap().iter();
    let described = keys.map(|key| {
        let named = json!({"KeyId": key["KeyId"]});
        let metadata = operate(kms, "DescribeKey", named.clone());
        let tags = operate(kms, "ListResourceTags", named.clone());
        let rotations = operate(kms, "ListKeyRotations", named);
        json!([metadata, tags["Tags"], rotations["Rotations"]])
    });
    let described: Vec<Value> = described.collect();
    json!([described, operate(kms, "ListAliases", json!({}))["Aliases"]])
}

fn change(kms: &Kms, dice: &mut Dice) {
    let listed = operate(kms, "ListKeys", json!({}));
    let keys = listed["Keys"].as_array().unwrap();
    let alias = format!("alias/{}", dice.roll(4));
    if keys.is_empty() || dice.roll(5) == 0 {
        operate(kms, "CreateKey", json!({"Description": "made"}));
        return;
    }
    let key = &keys[dice.roll(keys.len())]["KeyId"];
    let (name, request) = match dice.roll(9) {
        0 | 1 => (
            "CreateAlias",
            json!({"AliasName": alias, "TargetKeyId": key}),
        ),
        2 => (
            "UpdateAlias",
            json!({"AliasName": alias, "TargetKeyId": key}),
        ),
        3 => ("DeleteAlias", json!({"AliasName": alias})),
        4 => ("RotateKeyOnDemand", json!({"KeyId": key})),
        5 => ("EnableKeyRotation", json!({"KeyId": key})),
        6 => {
            let tag = json!([{"TagKey": alias, "TagValue": "x".repeat(200)}]);
            ("TagResource", json!({"KeyId": key, "Tags": tag}))
        }
        7 => {
            let text = "words ".repeat(dice.roll(1_000));
            (
                "UpdateKeyDescription",
                json!({"KeyId": key, "Description": text}),
            )
        }
        _ => {
            let name = if dice.roll(2) == 0 {
                "DisableKey"
            } else {
                "EnableKey"
            };
            (name, json!({"KeyId": key}))
        }
    };
    operate(kms, name, request);
}

fn run(seed: u64) -> Run {
    let mut dice = Dice::new(seed);
    let disk = Disk::default();
    let kms = open(disk.clone());
    let mut acknowledged = vec![(disk.acts_done(), state_of(&kms))];
    let mut blobs = Vec::new();
    for _ in 0..CHANGES {
        change(&kms, &mut dice);
        acknowledged.push((disk.acts_done(), state_of(&kms)));
        let listed = operate(&kms, "ListKeys", json!({}));
        let keys = listed["Keys"].as_array().unwrap();
        if let Some(key) = keys.get(dice.roll(keys.len().max(1))) {
            let sealed = json!({"KeyId": key["KeyId"], "Plaintext": "AAAA"});
            let blob = operate(&kms, "Encrypt", sealed)["CiphertextBlob"].clone();
            if blob != Value::Null {
                blobs.push((disk.acts_done(), blob));
            }
        }
    }
    // What closing the store does to the disk is part of the run.
    drop(kms);
    Run {
        acts: disk.acts(),
        acknowledged,
        blobs,
    }
}

/// Checks what is left on the disk after `done` acts.
fn check(run: &Run, done: usize, bytes: Vec<u8>) {
    let Some(last) = run.acknowledged.iter().rposition(|(at, _)| *at <= done) else {
        // The store itself was not made yet; its file has another name until it is.
        return;
    };
    let kms = open(Disk::new(bytes));
    let now = state_of(&kms);
    let may_be = &run.acknowledged[last..run.acknowledged.len().min(last + 2)];
    assert!(
        may_be.iter().any(|(_, acknowledged)| *acknowledged == now),
        "after {done} acts:\n{now:#}\nacknowledged was\n{:#}",
        may_be[0].1
    );
    // A disabled key opens nothing; what it would open is still there.
    for key in now[0].as_array().unwrap() {
        operate(
            &kms,
            "EnableKey",
            json!({"KeyId": key[0]["KeyMetadata"]["KeyId"]}),
        );
    }
    for (_, blob) in run.blobs.iter().filter(|(at, _)| *at <= done) {
        let opened = operate(&kms, "Decrypt", json!({"CiphertextBlob": blob}));
        assert_eq!(opened["Plaintext"], "AAAA", "after {done} acts");
    }
}

#[test]
fn whenever_the_power_fails_no_acknowledged_key_or_alias_is_lost_and_every_blob_opens() {
    let states = power_fails(1..=RUNS);
    assert!(states > 500, "only {states} states were tried");
}

#[test]
#[ignore = "minutes: run by hand, tests/README.md"]
fn whenever_the_power_fails_in_100_runs_no_acknowledged_key_or_alias_is_lost() {
    let states = power_fails(1..=100);
    assert!(states > 25_000, "only {states} states were tried");
}

/// Tries every prefix of the runs of these seeds; the number of states tried.
fn power_fails(seeds: RangeInclusive<u64>) -> usize {
    let mut states = 0;
    for seed in seeds {
        let run = run(seed);
        let mut dice = Dice::new(seed + 1_000);
        let mut durable = Vec::new();
        let mut unsynced: Vec<Act> = Vec::new();
        for done in 0..=run.acts.len() {
            let mut whole = durable.clone();
            unsynced.iter().for_each(|act| apply(&mut whole, act));
            check(&run, done, whole);
            if !unsynced.is_empty() {
                check(&run, done, durable.clone());
                for _ in 0..TORN {
                    check(&run, done, left(&durable, &unsynced, &mut dice));
                }
            }
            states += 2 + TORN;
            match run.acts.get(done) {
                Some(Act::Sync) => {
                    for act in unsynced.drain(..) {
                        apply(&mut durable, &act);
                    }
                }
                Some(act) => unsynced.push(act.clone()),
                None => {}
            }
        }
    }
    states
}

/// Runs, each from another seed.
const RUNS: u64 = 2;

/// Changes of a run.
const CHANGES: usize = 20;

/// Torn states tried of each prefix.
const TORN: usize = 2;
