//! Power fails at every moment of random runs: nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::embedded::sweep;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::begin_upload;
use crate::embedded::tests::complete;
use crate::embedded::tests::create_bucket;
use crate::embedded::tests::delete;
use crate::embedded::tests::disk::Act;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::images::Dice;
use crate::embedded::tests::images::Durable;
use crate::embedded::tests::open;
use crate::embedded::tests::put;
use crate::embedded::tests::put_part;

type Objects = BTreeMap<String, Vec<u8>>;

/// A run: what was done to the disk, and after how many acts which objects were acknowledged.
struct Run {
    acts: Vec<Act>,
    acknowledged: Vec<(usize, Objects)>,
}

async fn run(seed: u64) -> Run {
    let mut dice = Dice::new(seed);
    let disk = TestDisk::with(Image::default());
    let store = open(&disk);
    create_bucket(&store, false).await.unwrap();
    let mut objects = Objects::new();
    let mut acknowledged = vec![(disk.acts_done(), objects.clone())];
    for number in 0..CHANGES {
        let key = format!("key{}", dice.roll(3));
        let length = [20, LARGE + 7][dice.roll(2)];
        let bytes = vec![u8::try_from(number).unwrap(); length];
        match dice.roll(4) {
            0 => {
                delete(&store, &key).await.unwrap();
                objects.remove(&key);
            }
            1 => {
                let place = begin_upload(&store, &key).await.unwrap();
                let part = put_part(&store, &place, 2, bytes.clone()).await.unwrap();
                put_part(&store, &place, 1, vec![0; LARGE]).await.unwrap();
                complete(&store, &place, vec![part]).await.unwrap();
                objects.insert(key, bytes);
            }
            _ => {
                put(&store, &key, bytes.clone()).await.unwrap();
                objects.insert(key, bytes);
            }
        }
        acknowledged.push((disk.acts_done(), objects.clone()));
    }
    drop(store);
    Run {
        acts: disk.acts(),
        acknowledged,
    }
}

/// Checks what is left on the disk after `done` acts.
async fn check(run: &Run, done: usize, image: Image) {
    let Some(last) = run.acknowledged.iter().rposition(|(at, _)| *at <= done) else {
        return; // Nothing was acknowledged yet, not even the bucket.
    };
    let disk = TestDisk::with(image);
    let store = open(&disk);
    sweep::sweep(&store).unwrap();
    let may_be = &run.acknowledged[last..run.acknowledged.len().min(last + 2)];
    let mut now = Objects::new();
    for number in 0..3 {
        let key = format!("key{number}");
        if let Some(bytes) = get(&store, &key).await {
            now.insert(key, bytes);
        }
    }
    let fits = may_be.iter().any(|(_, objects)| *objects == now);
    assert!(fits, "after {done} acts");
    // What nothing refers to is gone, and nothing else.
    let large = now.values().filter(|bytes| bytes.len() > LARGE).count();
    assert!(disk.files() >= large);
    put(&store, "new", vec![1; LARGE + 1]).await.unwrap();
    assert_eq!(get(&store, "new").await.unwrap().len(), LARGE + 1);
}

#[tokio::test]
async fn whenever_the_power_fails_no_acknowledged_object_is_lost() {
    let states = power_fails(1..=RUNS).await;
    assert!(states > 500, "only {states} states were tried");
}

#[tokio::test]
#[ignore = "minutes: run by hand, tests/README.md"]
async fn whenever_the_power_fails_in_100_runs_no_acknowledged_object_is_lost() {
    let states = power_fails(1..=100).await;
    assert!(states > 20_000, "only {states} states were tried");
}

/// Tries every prefix of the runs of these seeds; the number of states tried.
async fn power_fails(seeds: RangeInclusive<u64>) -> usize {
    let mut states = 0;
    for seed in seeds {
        let run = run(seed).await;
        let mut dice = Dice::new(seed + 1_000);
        let mut durable = Durable::default();
        for done in 0..=run.acts.len() {
            check(&run, done, durable.whole()).await;
            check(&run, done, durable.least()).await;
            check(&run, done, durable.torn(&mut dice)).await;
            states += 3;
            if let Some(act) = run.acts.get(done) {
                durable.act(act);
            }
        }
    }
    states
}

#[tokio::test]
async fn a_body_that_nothing_refers_to_is_swept_and_no_other() {
    let disk = TestDisk::with(Image::default());
    let store = open(&disk);
    create_bucket(&store, false).await.unwrap();
    put(&store, "key", vec![1; LARGE]).await.unwrap();
    drop(store);
    let mut image = Image::default();
    disk.acts().iter().for_each(|act| image.apply(act));
    let stray = crate::embedded::disk::FileId { folder: 0, file: 7 };
    image.files.insert(stray, vec![0; 9]);
    let disk = TestDisk::with(image);
    let store = open(&disk);
    let pending = Arc::clone(&store.bodies).create().unwrap();
    assert_eq!(sweep::sweep(&store).unwrap(), 1);
    assert_eq!(
        disk.files(),
        2,
        "the object's, and one that is being written"
    );
    drop(pending);
    assert_eq!(get(&store, "key").await.unwrap(), vec![1; LARGE]);
}

/// Runs, each from another seed.
const RUNS: u64 = 3;

/// Changes of a run.
const CHANGES: usize = 12;
