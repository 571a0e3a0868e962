//! Multipart uploads through gateways that are killed.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;
use aws_sdk_s3::types::ServerSideEncryption;

use crate::BUCKET;
use crate::Crash;
use crate::MIB;
use crate::content;

type Parts = Vec<(i32, String)>;

fn listed(parts: &[(i32, String)]) -> CompletedMultipartUpload {
    let part = |(number, etag): &(i32, String)| {
        CompletedPart::builder()
            .part_number(*number)
            .e_tag(etag)
            .build()
    };
    let parts = parts.iter().map(part).collect();
    CompletedMultipartUpload::builder()
        .set_parts(Some(parts))
        .build()
}

async fn create(s3: &Client, key: &str) -> Option<String> {
    let create = s3.create_multipart_upload().bucket(BUCKET).key(key);
    create.send().await.ok()?.upload_id
}

/// Sends a part; its ETag.
async fn send(s3: &Client, key: &str, id: &str, number: i32, body: &[u8]) -> Option<String> {
    let part = s3.upload_part().bucket(BUCKET).key(key).upload_id(id);
    let part = part.part_number(number).body(body.to_vec().into());
    part.send().await.ok()?.e_tag
}

async fn complete(s3: &Client, key: &str, id: &str, parts: &[(i32, String)]) -> bool {
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key(key);
    let complete = complete.upload_id(id).multipart_upload(listed(parts));
    complete.send().await.is_ok()
}

/// The parts that the living gateway lists: numbers, ETags, sizes.
async fn parts(crash: &Crash, key: &str, id: &str) -> Vec<(i32, String, i64)> {
    let list = crash
        .s3()
        .list_parts()
        .bucket(BUCKET)
        .key(key)
        .upload_id(id);
    let list = list.send().await.unwrap();
    let part = |part: &aws_sdk_s3::types::Part| {
        let etag = part.e_tag().unwrap().to_owned();
        (part.part_number().unwrap(), etag, part.size().unwrap())
    };
    list.parts().iter().map(part).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_not_told_of_hinders_no_other_wherever_its_creation_is_killed() {
    let crash = Crash::start().await;
    let body = content("whole", 50);
    let killed = crash
        .at_each_step(
            async |_| (),
            async |s3, key, ()| create(s3, key).await.is_some(),
            async |key, ()| {
                assert!(crash.read(key).await.is_none(), "{key}");
                let s3 = crash.s3();
                let id = create(&s3, key).await.unwrap();
                let etag = send(&s3, key, &id, 1, &body).await.unwrap();
                assert!(complete(&s3, key, &id, &[(1, etag)]).await, "{key}");
                assert!(crash.read(key).await.unwrap() == body, "{key}");
                // Those that nobody was told of are listed, and can be aborted.
                let listed = s3.list_multipart_uploads().bucket(BUCKET);
                for upload in listed.send().await.unwrap().uploads() {
                    let abort = s3.abort_multipart_upload().bucket(BUCKET);
                    let abort = abort.set_key(upload.key().map(str::to_owned));
                    let abort = abort.set_upload_id(upload.upload_id().map(str::to_owned));
                    abort.send().await.unwrap();
                }
                let left = crash.world.backend.uploads();
                assert!(left.values().all(|it| it.bucket != BUCKET), "{key}");
            },
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_parts_stay_wherever_the_sending_of_another_is_killed() {
    let crash = Crash::start().await;
    let (first, last) = (content("first", 5 * MIB), content("last", 100));
    let killed = crash
        .at_each_step(
            async |key| {
                let id = create(&crash.s3(), key).await.unwrap();
                let etag = send(&crash.s3(), key, &id, 7, &last).await.unwrap();
                (id, etag)
            },
            async |s3, key, (id, _)| send(s3, key, id, 1, &first).await.is_some(),
            async |key, (id, etag)| {
                let there = parts(&crash, key, &id).await;
                assert_eq!(there.last(), Some(&(7, etag.clone(), 100)), "{key}");
                assert!(there.len() <= 2, "{key}");
                let s3 = crash.s3();
                let resent = send(&s3, key, &id, 1, &first).await.unwrap();
                let all: Parts = vec![(1, resent), (7, etag)];
                assert!(complete(&s3, key, &id, &all).await, "{key}");
                let whole = [&first[..], &last].concat();
                assert!(crash.read(key).await.unwrap() == whole, "{key}");
            },
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_part_is_the_old_one_or_the_new_one_wherever_its_replacement_is_killed() {
    let crash = Crash::start().await;
    let (old, new) = (content("old", 3_000), content("new", 40_000));
    let killed = crash
        .at_each_step(
            async |key| {
                let id = create(&crash.s3(), key).await.unwrap();
                send(&crash.s3(), key, &id, 1, &old).await.unwrap();
                id
            },
            async |s3, key, id| send(s3, key, id, 1, &new).await.is_some(),
            async |key, id| {
                let there = parts(&crash, key, &id).await;
                let [(1, etag, size)] = &there[..] else {
                    panic!("{key}: {there:?}")
                };
                let expected = if *size == 3_000 { &old } else { &new };
                let all = [(1, etag.clone())];
                assert!(complete(&crash.s3(), key, &id, &all).await, "{key}");
                assert!(crash.read(key).await.unwrap() == *expected, "{key}");
            },
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_part_whose_replacement_is_killed_is_the_old_or_the_new_one_or_is_sent_again() {
    let crash = Crash::start().await;
    let (old, new) = (content("old", 5 * MIB), content("new", 5 * MIB + 1));
    let killed = crash
        .at_each_step(
            async |key| {
                let id = create(&crash.s3(), key).await.unwrap();
                send(&crash.s3(), key, &id, 1, &old).await.unwrap();
                id
            },
            async |s3, key, id| send(s3, key, id, 1, &new).await.is_some(),
            async |key, id| {
                let there = parts(&crash, key, &id).await;
                let (etag, expected) = match &there[..] {
                    [(1, etag, size)] if *size == (5 << 20) => (etag.clone(), &old),
                    [(1, etag, _)] => (etag.clone(), &new),
                    [] => (send(&crash.s3(), key, &id, 1, &new).await.unwrap(), &new),
                    _ => panic!("{key}: {there:?}"),
                };
                assert!(complete(&crash.s3(), key, &id, &[(1, etag)]).await, "{key}");
                assert!(crash.read(key).await.unwrap() == *expected, "{key}");
            },
        )
        .await;
    assert!(killed >= 3, "{killed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_whole_or_can_be_completed_wherever_its_completion_is_killed() {
    let crash = Crash::start().await;
    // The footer goes behind the part, or is a part of its own.
    for (length, mode) in [
        (2_000, ServerSideEncryption::Aes256),
        (5 * MIB, ServerSideEncryption::AwsKms),
    ] {
        let body = content("whole", length);
        let killed = crash
            .at_each_step(
                async |key| {
                    crash.put(key, b"before").await;
                    let s3 = crash.s3();
                    let create = s3.create_multipart_upload().bucket(BUCKET).key(key);
                    let create = create.server_side_encryption(mode.clone());
                    let id = create.send().await.unwrap().upload_id.unwrap();
                    let etag = send(&s3, key, &id, 3, &body).await.unwrap();
                    (id, vec![(3, etag)])
                },
                async |s3, key, (id, all)| complete(s3, key, id, all).await,
                async |key, (id, all): (String, Parts)| {
                    let read = crash.read(key).await.unwrap();
                    assert!(read == b"before" || read == body, "{key}");
                    for _ in 0..2 {
                        assert!(complete(&crash.s3(), key, &id, &all).await, "{key}");
                        assert!(crash.read(key).await.unwrap() == body, "{key}");
                    }
                    expect_no_pieces(&crash, key);
                },
            )
            .await;
        assert!(killed >= 8, "{killed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_can_be_repeated_wherever_it_is_killed_and_leaves_nothing_in_the_end() {
    let crash = Crash::start().await;
    let abort = async |s3: &Client, key: &str, id: &String| {
        let abort = s3.abort_multipart_upload().bucket(BUCKET).key(key);
        abort.upload_id(id).send().await.is_ok()
    };
    let killed = crash
        .at_each_step(
            async |key| {
                let id = create(&crash.s3(), key).await.unwrap();
                send(&crash.s3(), key, &id, 1, b"part").await.unwrap();
                id
            },
            async |s3, key, id| abort(s3, key, id).await,
            async |key, id| {
                // Whether or not it is still there.
                abort(&crash.s3(), key, &id).await;
                assert!(!crash.world.backend.uploads().contains_key(&id), "{key}");
                assert!(crash.read(key).await.is_none(), "{key}");
                expect_no_pieces(&crash, key);
                let state = crash.world.backend.keys("sealgate-state");
                let heads = state.iter().filter(|name| name.contains("/uploads/"));
                assert_eq!(heads.count(), 0, "{key}");
            },
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

/// No record of a part and no kept bytes are left.
fn expect_no_pieces(crash: &Crash, key: &str) {
    let state = crash.world.backend.keys("sealgate-state");
    let left: Vec<_> = state
        .iter()
        .filter(|name| name.starts_with("uploads/"))
        .collect();
    assert!(left.is_empty(), "{key}: {left:?}");
}
