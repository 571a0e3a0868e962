//! Whatever the backend does to an object, no byte that is not authentic reaches a client.
//!
//! Outcomes: refused by a status before the answer began, or broken off after: never a clean end
//! of anything but the object that was written.

mod ways;

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Stored;

use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

const SIZE: usize = 400_000;
const ENVELOPE: &str = "x-amz-meta-sealgate";

/// Fails the test if the answer holds anything but a beginning of `expected`, or ends cleanly
/// without all of it.
#[track_caller]
pub fn assert_authentic(answer: &Answer, expected: &[u8], what: &str) {
    if let Some(error) = &answer.error {
        assert!(error.status().is_server_error(), "{what}: {error}");
        assert!(
            answer.body.starts_with(b"<?xml") && answer.body.len() < 1_024,
            "{what}"
        );
        return;
    }
    assert!(
        expected.starts_with(&answer.body),
        "{what}: bytes that are not authentic"
    );
    assert!(
        answer.broken || answer.body.len() == expected.len(),
        "{what}: a clean, short end"
    );
}

/// Fails the test unless the read was refused or broken off.
#[track_caller]
pub fn assert_stopped(answer: &Answer, expected: &[u8], what: &str) {
    assert_authentic(answer, expected, what);
    assert!(answer.error.is_some() || answer.broken, "{what}: served");
}

async fn world() -> (Direct, Vec<Request>) {
    let world = Direct::start().await;
    let kms = "x-amz-server-side-encryption";
    let switch = "x-amz-server-side-encryption-bucket-key-enabled";
    world.put(Request::new("s3").body(content(SIZE))).await.ok();
    world
        .put(
            Request::new("kms")
                .body(content(SIZE))
                .header(kms, "aws:kms"),
        )
        .await
        .ok();
    let bucket_key = Request::new("bk")
        .body(content(SIZE))
        .header(kms, "aws:kms");
    world.put(bucket_key.header(switch, "true")).await.ok();
    world
        .put(Request::new("c").body(content(SIZE)).customer_key(&[1; 32]))
        .await
        .ok();
    let dsse = Request::new("dsse").body(content(SIZE));
    world.put(dsse.header(kms, "aws:kms:dsse")).await.ok();
    let reads = vec![
        Request::new("dsse"),
        Request::new("s3"),
        Request::new("kms"),
        Request::new("bk"),
        Request::new("c").customer_key(&[1; 32]),
    ];
    (world, reads)
}

fn envelope(stored: &Stored) -> String {
    let header = stored
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(ENVELOPE));
    header.unwrap().1.clone()
}

fn set_envelope(stored: &mut Stored, value: &str) {
    for (name, old) in &mut stored.headers {
        if name.eq_ignore_ascii_case(ENVELOPE) {
            value.clone_into(old);
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_stops_a_read_before_the_byte_it_is_in() {
    let (world, reads) = world().await;
    for read in &reads {
        for at in [
            0,
            10,
            20,
            50,
            72,
            72 + 16_384,
            72 + 16_400,
            200_000,
            400_000,
            400_500,
        ] {
            let original = world.backend.object(BUCKET, &read.key).unwrap();
            if at >= original.body.len() {
                continue;
            }
            world.backend.tamper(BUCKET, &read.key, |stored| {
                let mut body = stored.body.to_vec();
                body[at] ^= 1;
                stored.body = body.into();
            });
            let got = world.get(read.clone()).await;
            assert_stopped(&got, &content(SIZE), &format!("{} {at}", read.key));
            world.backend.plant(BUCKET, &read.key, original);
        }
        world.get(read.clone()).await.ok();
    }
}

#[tokio::test]
async fn a_backend_that_lies_about_lengths_and_ranges_is_not_believed() {
    let (world, reads) = world().await;
    let stored_bytes = world.backend.object(BUCKET, "s3").unwrap().body.len();
    let total = |total: usize| format!("bytes 16472-32871/{total}");
    for read in &reads {
        for (action, ranged) in [
            (Action::LieAboutLength(stored_bytes as u64 - 1), false),
            (Action::LieAboutLength(stored_bytes as u64 + 1), false),
            (Action::CutTo(stored_bytes - 1), false),
            (Action::CutTo(100), false),
            (Action::CutTo(0), false),
            (Action::Append(vec![0; 16]), false),
            (Action::BreakAfter(100_000), false),
            (Action::BreakAfter(stored_bytes - 1), false),
            (
                Action::SetHeader("content-range", total(stored_bytes - 16)),
                true,
            ),
            (
                Action::SetHeader("content-range", total(stored_bytes + 16_400)),
                true,
            ),
            (
                Action::SetHeader("content-range", format!("bytes 72-16471/{stored_bytes}")),
                true,
            ),
            (Action::RemoveHeader("content-range"), true),
            (Action::SetStatus(200), true),
            (Action::CutTo(16_399), true),
            (Action::Flip(0), true),
            (Action::Replace(vec![0; 16_400]), true),
        ] {
            world
                .backend
                .inject(Fault::on_path(Method::GET, &read.key, action.clone()));
            let what = format!("{} {action:?}", read.key);
            if ranged {
                let got = world
                    .get(read.clone().header("range", "bytes=17000-17999"))
                    .await;
                assert_stopped(&got, &content(SIZE)[17_000..18_000], &what);
            } else {
                let got = world.get(read.clone()).await;
                assert_stopped(&got, &content(SIZE), &what);
            }
            world.backend.heal();
        }
    }
}

#[tokio::test]
async fn a_backend_that_ignores_ranges_costs_bytes_and_no_more() {
    let (world, reads) = world().await;
    world.backend.inject(Fault::always(Action::IgnoreRange));
    for read in &reads {
        let got = world
            .get(read.clone().header("range", "bytes=17000-17999"))
            .await
            .ok();
        assert_eq!(
            (got.status.as_u16(), &got.body[..]),
            (206, &content(SIZE)[17_000..18_000])
        );
    }
}

#[tokio::test]
async fn a_body_under_another_objects_envelope_does_not_open() {
    let (world, reads) = world().await;
    world
        .put(Request::new("other").body(content(SIZE)))
        .await
        .ok();
    let others = world.backend.object(BUCKET, "other").unwrap();
    for read in &reads {
        world.backend.tamper(BUCKET, &read.key, |stored| {
            stored.body = others.body.clone()
        });
        assert_stopped(&world.get(read.clone()).await, &content(SIZE), &read.key);
    }
}

#[tokio::test]
async fn an_object_moved_to_another_name_does_not_open() {
    let (world, reads) = world().await;
    for read in reads {
        let object = world.backend.object(BUCKET, &read.key).unwrap();
        world.backend.plant(BUCKET, "elsewhere", object.clone());
        world.backend.plant("other-bucket", &read.key, object);
        let mut moved = read.clone();
        moved.key = "elsewhere".to_owned();
        let mut abroad = read.clone();
        abroad.bucket = "other-bucket".to_owned();
        for request in [moved, abroad] {
            world
                .get(request.clone())
                .await
                .refused(500, "InternalError");
            world.head(request).await.refused(500, "InternalError");
        }
    }
}

#[tokio::test]
async fn an_envelope_of_another_object_mode_or_key_is_refused() {
    let (world, reads) = world().await;
    let envelopes: Vec<_> = reads
        .iter()
        .map(|read| envelope(&world.backend.object(BUCKET, &read.key).unwrap()))
        .collect();
    for (at, read) in reads.iter().enumerate() {
        for (from, other) in envelopes.iter().enumerate() {
            if at == from {
                continue;
            }
            world
                .backend
                .tamper(BUCKET, &read.key, |stored| set_envelope(stored, other));
            for request in [read.clone(), Request::new(&read.key)] {
                let got = world.get(request).await;
                assert!(
                    got.error.is_some(),
                    "{} with the envelope of {from}",
                    read.key
                );
                assert_authentic_or_client_error(&got);
            }
        }
        world.backend.tamper(BUCKET, &read.key, |stored| {
            set_envelope(stored, &envelopes[at])
        });
        world.get(read.clone()).await.ok();
    }
}

/// Envelopes of SSE-C and of other modes need other headers, which the refusal names.
#[track_caller]
fn assert_authentic_or_client_error(answer: &Answer) {
    let code = answer.error.as_ref().unwrap().code_text();
    assert!(matches!(code, "InternalError" | "InvalidRequest"), "{code}");
}

#[tokio::test]
async fn an_older_version_of_the_object_under_the_new_envelope_does_not_open() {
    let (world, _) = world().await;
    let old = world.backend.object(BUCKET, "s3").unwrap();
    world.put(Request::new("s3").body(content(SIZE))).await.ok();
    let new = world.backend.object(BUCKET, "s3").unwrap();
    world
        .backend
        .tamper(BUCKET, "s3", |stored| stored.body = old.body.clone());
    assert_stopped(
        &world.get(Request::new("s3")).await,
        &content(SIZE),
        "old body",
    );
    world.backend.tamper(BUCKET, "s3", |stored| {
        stored.body = new.body.clone();
        set_envelope(stored, &envelope(&old));
    });
    assert_stopped(
        &world.another().get(Request::new("s3")).await,
        &content(SIZE),
        "old envelope",
    );
}

#[tokio::test]
async fn no_changed_byte_of_an_envelope_is_accepted() {
    let (world, reads) = world().await;
    for read in &reads {
        let good = envelope(&world.backend.object(BUCKET, &read.key).unwrap());
        for at in (0..good.len()).step_by(3) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            world
                .backend
                .tamper(BUCKET, &read.key, |stored| set_envelope(stored, &changed));
            let got = world.get(read.clone()).await;
            assert!(got.error.is_some(), "{} {at}", read.key);
            assert!(got.status.is_server_error() || got.status.is_client_error());
        }
        world
            .backend
            .tamper(BUCKET, &read.key, |stored| set_envelope(stored, &good));
        world.get(read.clone()).await.ok();
    }
}

#[tokio::test]
async fn an_object_without_an_envelope_or_never_sealed_is_refused() {
    let (world, reads) = world().await;
    for read in &reads {
        world.backend.tamper(BUCKET, &read.key, |stored| {
            stored
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case(ENVELOPE));
        });
        world.get(read.clone()).await.refused(500, "InternalError");
    }
    world.backend.plant(
        BUCKET,
        "planted",
        Stored::new("attacker's text", Vec::new()),
    );
    world
        .get(Request::new("planted"))
        .await
        .refused(500, "InternalError");
    let envelope = vec![(ENVELOPE.to_owned(), "AQ".to_owned())];
    world
        .backend
        .plant(BUCKET, "made-up", Stored::new("attacker's text", envelope));
    world
        .get(Request::new("made-up"))
        .await
        .refused(500, "InternalError");
}

#[tokio::test]
async fn content_that_looks_sealed_comes_back_as_it_is() {
    let (world, _) = world().await;
    let sealed = world.backend.object(BUCKET, "s3").unwrap();
    world
        .put(Request::new("twice").body(sealed.body.clone()))
        .await
        .ok();
    assert_eq!(
        world.get(Request::new("twice")).await.ok().body,
        sealed.body
    );
}

#[tokio::test]
async fn a_whole_older_object_restored_is_served_as_documented() {
    let (world, _) = world().await;
    let old = world.backend.object(BUCKET, "s3").unwrap();
    world.put(Request::new("s3").body(content(10))).await.ok();
    world.backend.plant(BUCKET, "s3", old);
    assert_eq!(world.get(Request::new("s3")).await.ok().body, content(SIZE));
}

#[tokio::test]
async fn an_object_that_changes_between_two_reads_is_never_mixed() {
    let (world, _) = world().await;
    let old = world.backend.object(BUCKET, "s3").unwrap();
    let other = world.another();
    // A backend that ignores conditions and answers the second read with another version.
    world
        .put(Request::new("s3").body(content(SIZE + 5)))
        .await
        .ok();
    let new = world.backend.object(BUCKET, "s3").unwrap();
    let trailer = old.body.slice(old.body.len() - 144..).to_vec();
    world.backend.inject(Fault::on(
        |request| !request.header("if-match").is_empty(),
        Action::Replace(trailer),
    ));
    let got = other.get(Request::new("s3")).await;
    assert_stopped(&got, &content(SIZE + 5), "another version's trailer");
    world.backend.heal();
    world.backend.inject(
        Fault::on(
            |request| !request.header("if-match").is_empty(),
            Action::SetHeader("etag", "\"another\"".to_owned()),
        )
        .times(1),
    );
    let got = world.another().get(Request::new("s3")).await.ok();
    assert_eq!(got.body, content(SIZE + 5));
    assert_ne!(old.body, new.body);
}

#[tokio::test]
async fn a_wrong_key_and_a_changed_object_look_the_same_to_a_client() {
    let (world, _) = world().await;
    world.backend.tamper(BUCKET, "kms", |stored| {
        let mut body = stored.body.to_vec();
        body[80] ^= 1;
        stored.body = body.into();
    });
    let changed = world
        .get(Request::new("kms"))
        .await
        .refused(500, "InternalError");
    let moved = world.backend.object(BUCKET, "bk").unwrap();
    world.backend.plant(BUCKET, "moved", moved);
    let moved = world
        .get(Request::new("moved"))
        .await
        .refused(500, "InternalError");
    assert_eq!(
        (changed.message(), changed.details()),
        (moved.message(), moved.details())
    );
}
