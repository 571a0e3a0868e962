//! What uploads leave behind in the state bucket goes in the end, and nothing else does.

use std::time::Duration;

use gateway::bucket::bucket_records::Edit;
use gateway::bucket::record::BucketRecord;
use gateway::bucket::record::Phase;
use gateway::bucket::sealed_buckets::RecordedBuckets;
use gateway::chunks::random::SystemRandom;
use gateway::records::sweep::Swept;
use gateway::records::unknown_uploads::SealedBuckets as _;
use http::Method;
use proto::time::Timestamp;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;
use tests::backend::Stored;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::parts;
use crate::state::ACCOUNT;
use crate::state::Gateway;
use crate::state::STATE_BUCKET;

/// When the harness's backend begins to write.
const WRITTEN: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Names in the state bucket that belong to uploads.
fn left(world: &Direct) -> Vec<String> {
    let mut names = world.backend.keys(STATE_BUCKET);
    names.retain(|name| name.contains("uploads/"));
    names
}

/// Three uploads: one complete, one that the backend ended by itself, and one that goes on.
async fn uploads(world: &Direct) -> (Vec<(u32, String)>, [String; 3]) {
    let uploading = world.uploading();
    let request = Request::new("done");
    let (done, etags, _) = uploading
        .upload(request.clone(), &request, &parts(&[30]))
        .await;
    let mut ids = vec![done];
    for key in ["ended", "goes on"] {
        let id = uploading.begin(Request::new(key)).await;
        uploading.send(&Request::new(key), &id, &parts(&[40])).await;
        ids.push(id);
    }
    world.backend.end_upload(&ids[1]);
    (etags, ids.try_into().unwrap())
}

#[tokio::test]
async fn what_is_known_of_an_upload_goes_when_the_backend_has_it_no_more_and_a_week_passed() {
    let world = Direct::start().await;
    let (etags, [done, ended, goes_on]) = uploads(&world).await;
    let before = left(&world);
    for young in [Duration::ZERO, 6 * DAY] {
        world.clock.set(WRITTEN.plus(young));
        assert_eq!(world.sweep().await, Ok(Swept::default()));
        assert_eq!(left(&world), before);
    }
    let again = world.another();
    let uploading = again.uploading();
    let again = uploading
        .complete(Request::new("done"), &done, &etags)
        .await;
    again.ok();

    world.clock.set(WRITTEN.plus(8 * DAY));
    let swept = Swept {
        heads: 2,
        ..Swept::default()
    };
    assert_eq!(world.sweep().await, Ok(swept));
    assert_eq!(world.sweep().await, Ok(Swept::default()));
    let fresh = world.another();
    let uploading = fresh.uploading();
    for (key, id) in [("done", &done), ("ended", &ended)] {
        let part = uploading.part(Request::new(key), id, 1, content(5)).await;
        part.refused(404, "NoSuchUpload");
    }
    // However long it takes.
    world.clock.set(WRITTEN.plus(400 * DAY));
    assert_eq!(world.sweep().await, Ok(Swept::default()));
    let request = Request::new("goes on");
    let etags = uploading.send(&request, &goes_on, &parts(&[40])).await;
    uploading.complete(request, &goes_on, &etags).await.ok();
    assert_eq!(fresh.get(Request::new("done")).await.ok().body.len(), 30);
}

#[tokio::test]
async fn an_upload_stays_known_unless_the_backend_says_that_there_is_none() {
    let world = Direct::start().await;
    uploads(&world).await;
    world.clock.set(WRITTEN.plus(8 * DAY));
    let before = left(&world);
    for action in [
        Action::Refuse(503, "SlowDown"),
        Action::Refuse(403, "AccessDenied"),
        Action::Refuse(404, "NoSuchKey"),
        Action::Drop,
    ] {
        let asks = |request: &tests::backend::Recorded| request.query.contains("uploadId");
        world.backend.inject(Fault::on(asks, action));
        assert_eq!(world.sweep().await, Ok(Swept::default()));
        assert_eq!(left(&world), before);
        world.backend.heal();
    }
    let list = Fault::on_path(
        Method::GET,
        STATE_BUCKET,
        Action::Refuse(500, "InternalError"),
    );
    world.backend.inject(list);
    world.sweep().await.unwrap_err();
    assert_eq!(left(&world), before);
}

#[tokio::test]
async fn a_head_that_was_tampered_with_stays_and_hinders_no_other() {
    let world = Direct::start().await;
    let (_, [_, ended, _]) = uploads(&world).await;
    let heads = left(&world);
    let head = heads
        .iter()
        .find(|name| name.starts_with("buckets/"))
        .unwrap();
    world.backend.tamper(STATE_BUCKET, head, |stored| {
        let mut bytes = stored.body.to_vec();
        bytes[100] ^= 1;
        stored.set_body(bytes);
    });
    world.clock.set(WRITTEN.plus(8 * DAY));
    let swept = world.sweep().await.unwrap();
    assert!((1..=2).contains(&swept.heads), "{swept:?} {ended}");
    assert!(left(&world).contains(head));
}

/// An object that was written when the uploads were.
fn written() -> Stored {
    let mut stored = Stored::new("x", Vec::new());
    stored.modified = u64::try_from(WRITTEN.unix_seconds()).unwrap();
    stored
}

#[tokio::test]
async fn old_parts_without_a_head_and_old_trials_go_and_young_ones_stay() {
    let world = Direct::start().await;
    uploads(&world).await;
    let before = left(&world);
    let lost = "uploads/00112233445566778899aabbccddeeff";
    for piece in ["parts/00001/x", "stash/y"] {
        let piece = format!("{lost}/{piece}");
        world.backend.plant(STATE_BUCKET, &piece, written());
    }
    for trial in ["copies/00-from", "trials/00/conditions"] {
        world.backend.plant(STATE_BUCKET, trial, written());
    }
    // Of a trial that was killed.
    let uploading = world.uploading();
    let id = uploading.begin(Request::new("trial")).await;
    forget(&world, "trial", &id);
    world.backend.tamper_upload(&id, |upload| {
        STATE_BUCKET.clone_into(&mut upload.bucket);
        "trials/00/parts".clone_into(&mut upload.key);
    });
    let with_both = left(&world);
    world.clock.set(WRITTEN.plus(DAY));
    assert_eq!(world.sweep().await, Ok(Swept::default()));
    assert_eq!(left(&world), with_both);
    world.clock.set(WRITTEN.plus(8 * DAY));
    let swept = world.sweep().await.unwrap();
    assert_eq!((swept.headless, swept.trials), (1, 3));
    assert!(!world.backend.uploads().contains_key(&id));
    assert!(left(&world).iter().all(|name| before.contains(name)));
    assert!(world.backend.object(BUCKET, "done").is_some());
}

/// Removes what is known of an upload, as if its gateway had been killed when it began it.
fn forget(world: &Direct, key: &str, id: &str) {
    let uploads = world.backend.uploads();
    assert_eq!(uploads[id].key, key);
    let before = left(world);
    assert!(before.len() > 1, "another one must be left: {before:?}");
    let slot = |name: &String| name.starts_with("buckets/");
    let heads: Vec<_> = before.into_iter().filter(slot).collect();
    // The one that was written last.
    let moment = |name: &String| world.backend.object(STATE_BUCKET, name).unwrap().modified;
    let head = heads.into_iter().max_by_key(moment).unwrap();
    world.backend.remove(STATE_BUCKET, &head);
}

#[tokio::test]
async fn an_upload_without_a_head_goes_after_a_week_from_buckets_that_gateways_alone_write_to() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let known = uploading.begin(Request::new("known")).await;
    let mut lost = Vec::new();
    for key in ["a & b", "d/../e"] {
        let id = uploading.begin(Request::new(key)).await;
        forget(&world, key, &id);
        lost.push(id);
    }
    world.clock.set(WRITTEN.plus(6 * DAY));
    assert_eq!(world.sweep().await, Ok(Swept::default()));
    world.clock.set(WRITTEN.plus(8 * DAY));
    assert_eq!(world.sweep_where(false).await, Ok(Swept::default()));
    assert_eq!(world.backend.uploads().len(), 3);

    let lists = |request: &tests::backend::Recorded| {
        request.path.trim_matches('/') == BUCKET && request.query.contains("uploads")
    };
    for action in [
        Action::Refuse(403, "AccessDenied"),
        Action::Refuse(501, "NotImplemented"),
    ] {
        world.backend.inject(Fault::on(lists, action));
        assert_eq!(world.sweep().await, Ok(Swept::default()));
        world.backend.heal();
    }
    let swept = Swept {
        unknown: 2,
        ..Swept::default()
    };
    assert_eq!(world.sweep().await, Ok(swept));
    let left = world.backend.uploads();
    assert_eq!(left.keys().collect::<Vec<_>>(), [&known]);
    let request = Request::new("known");
    let etags = uploading.send(&request, &known, &parts(&[40])).await;
    uploading.complete(request, &known, &etags).await.ok();
}

#[tokio::test]
async fn a_head_that_cannot_be_read_keeps_its_upload() {
    let world = Direct::start().await;
    uploads(&world).await;
    let heads = left(&world).into_iter();
    for head in heads.filter(|name| name.starts_with("buckets/")) {
        world.backend.tamper(STATE_BUCKET, &head, |stored| {
            let mut bytes = stored.body.to_vec();
            bytes[100] ^= 1;
            stored.set_body(bytes);
        });
    }
    world.clock.set(WRITTEN.plus(8 * DAY));
    assert_eq!(world.sweep().await, Ok(Swept::default()));
    assert_eq!(world.backend.uploads().len(), 1);
    let reads = Fault::on(
        |request| request.method == Method::GET && request.path.contains("/uploads/"),
        Action::Refuse(503, "SlowDown"),
    );
    world.backend.inject(reads);
    world.sweep().await.unwrap_err();
    assert_eq!(world.backend.uploads().len(), 1);
}

#[tokio::test]
async fn buckets_that_were_adopted_deleted_or_never_recorded_are_not_written_to_by_gateways_alone()
{
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    for (bucket, phase) in [
        ("created", Phase::Live),
        ("adopted", Phase::Live),
        ("deleted", Phase::Gone),
    ] {
        let record = BucketRecord::new(ACCOUNT, phase, &SystemRandom);
        let edit = |_: Option<&BucketRecord>| Ok(Edit::replace(record.clone()));
        gateway.buckets.change(bucket, edit).await.unwrap();
    }
    let adopted = vec!["adopted".to_owned()];
    let buckets = RecordedBuckets::new(gateway.buckets.clone(), adopted);
    for (bucket, expected) in [
        ("created", true),
        ("adopted", false),
        ("deleted", false),
        ("unknown", false),
    ] {
        assert_eq!(buckets.contains(bucket).await, Ok(expected), "{bucket}");
    }
}
