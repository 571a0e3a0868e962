//! Copies by a new envelope: the backend keeps its bytes, and sees none of them pass.

use http::Method;
use md5::Digest as _;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Recorded;
use tests::backend::Stored;

use crate::copy::copy;
use crate::copy::modes;
use crate::copy::sealing_anew;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

const SSE: &str = "x-amz-server-side-encryption";
const ENVELOPE: &str = "x-amz-meta-sealgate";

/// What the backend got for objects of clients, not for the gateway's own.
fn in_bucket(world: &Direct) -> Vec<Recorded> {
    let all = world.backend.requests().into_iter();
    all.filter(|request| request.path.starts_with("/bucket/"))
        .collect()
}

/// How many bytes of `BUCKET/key` the backend sent, and how many it got.
fn moved(world: &Direct) -> (usize, usize) {
    let requests = in_bucket(world);
    let got = requests.iter().map(|request| request.body.len()).sum();
    let sent = requests
        .iter()
        .filter(|request| request.method == Method::GET);
    let ranged = sent.map(|request| {
        let range = request.header("range").strip_prefix("bytes=").unwrap();
        let (first, last) = range.split_once('-').unwrap();
        last.parse::<usize>().unwrap() + 1 - first.parse::<usize>().unwrap()
    });
    (ranged.sum(), got)
}

#[tokio::test]
async fn a_rewrapped_copy_moves_no_byte_of_the_object_and_opens() {
    let world = Direct::start().await;
    let body = content(3_000_000);
    for (from_mode, write, _, from) in modes() {
        let put = Request::new("from")
            .body(body.clone())
            .header("x-amz-meta-a", "1");
        world.put(write(put)).await.ok();
        for (shown, write, read, _) in modes() {
            world.backend.forget();
            let to = write(from(copy("to", "/bucket/from")));
            world.another().copy(to).await.ok();
            let (sent, got) = moved_or_all(&world);
            let source = world.backend.object(BUCKET, "from").unwrap();
            let target = world.backend.object(BUCKET, "to").unwrap();
            let dsse = [from_mode, shown].contains(&"aws:kms:dsse");
            let digest_missing = shown == "AES256" && from_mode != "AES256";
            assert_eq!(source.body == target.body, !dsse && !digest_missing);
            if source.body == target.body {
                // The head of the segment and the record behind it; of these, nothing is the object's.
                assert!(
                    sent <= 72 + 144,
                    "{from_mode} to {shown}: {sent} bytes read"
                );
                assert_eq!(got, 0, "{from_mode} to {shown}: bytes written");
            }
            assert_ne!(source.header(ENVELOPE), target.header(ENVELOPE));
            let got = world.another().get(read(Request::new("to"))).await.ok();
            assert_eq!(got.body, body, "{from_mode} to {shown}");
            assert_eq!(got.header("x-amz-meta-a"), "1");
            assert_eq!(got.header(SSE), shown);
        }
    }
}

/// As [`moved`]; a read without a range counts as one of everything.
fn moved_or_all(world: &Direct) -> (usize, usize) {
    let whole = in_bucket(world)
        .iter()
        .any(|request| request.method == Method::GET && request.header("range").is_empty());
    if whole { (usize::MAX, 0) } else { moved(world) }
}

#[tokio::test]
async fn the_old_wrap_of_a_data_key_does_not_remain_and_the_old_key_opens_nothing() {
    let world = Direct::start().await;
    let (old, new) = ([1; 32], [2; 32]);
    let body = content(1_000);
    let put = Request::new("k").body(body.clone()).customer_key(&old);
    world.put(put).await.ok();
    let before = world.backend.object(BUCKET, "k").unwrap();
    let request = copy("k", "bucket/k").source_customer_key(&old);
    world.copy(request.customer_key(&new)).await.ok();
    let after = world.backend.object(BUCKET, "k").unwrap();
    assert_eq!(before.body, after.body);
    // No eight bytes of the old wrap are in the new envelope, but for what is not secret.
    let (before, after) = (decoded(&before), decoded(&after));
    let wrap = &before[before.len() - 32 - 34 - 50..];
    for piece in wrap.windows(8) {
        assert!(!after.windows(8).any(|other| other == piece));
    }
    let read = |key: &[u8]| Request::new("k").customer_key(key);
    world.get(read(&old)).await.refused(403, "AccessDenied");
    assert_eq!(world.get(read(&new)).await.ok().body, body);
}

fn decoded(object: &Stored) -> Vec<u8> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    engine.decode(object.header(ENVELOPE)).unwrap()
}

#[tokio::test]
async fn a_rewrapped_copy_has_the_etag_and_checksum_that_its_mode_has() {
    let world = Direct::start().await;
    for size in [10, 500_000] {
        let body = content(size);
        let put = Request::new("from").body(body.clone());
        let put = put.header("x-amz-checksum-algorithm", "SHA256");
        let sum = {
            use base64::Engine as _;
            let digest = sha2::Sha256::digest(&body);
            base64::engine::general_purpose::STANDARD.encode(digest)
        };
        let put = put.header("x-amz-checksum-sha256", &sum);
        world.put(put).await.ok();
        world
            .copy(copy("kms", "bucket/from").header(SSE, "aws:kms"))
            .await
            .ok();
        let answer = world.copy(copy("to", "bucket/from")).await.ok();
        let document = String::from_utf8(answer.body.to_vec()).unwrap();
        let md5 = hex::encode(md5::Md5::digest(&body));
        assert!(document.contains(&md5), "{document}");
        assert!(document.contains(&sum), "{document}");
        for key in ["to", "kms"] {
            let request = Request::new(key).header("x-amz-checksum-mode", "ENABLED");
            let head = world.another().head(request).await.ok();
            assert_eq!(head.header("etag").contains(&md5), key == "to");
            assert_eq!(head.header("x-amz-checksum-sha256"), sum);
        }
        let listed = world.another().list(Request::new("")).await.ok();
        let listed = String::from_utf8(listed.body.to_vec()).unwrap();
        assert_eq!(listed.matches(&md5).count(), 2, "{listed}");
        let size = format!("<Size>{size}</Size>");
        assert_eq!(listed.matches(&size).count(), 3, "{listed}");
    }
}

#[tokio::test]
async fn a_source_that_is_overwritten_meanwhile_is_not_mixed_with_its_old_envelope() {
    let world = Direct::start().await;
    world
        .put(Request::new("k").body(content(400_000)))
        .await
        .ok();
    world.put(Request::new("other").body(content(7))).await.ok();
    world.copy(copy("warm", "bucket/k")).await.ok();
    // Each time the head was read, the object is another one.
    world.backend.inject(
        Fault::on(
            |request| !request.header("x-amz-copy-source").is_empty(),
            Action::Refuse(412, "PreconditionFailed"),
        )
        .times(2),
    );
    world.copy(copy("to", "bucket/k")).await.ok();
    assert_eq!(
        world.get(Request::new("to")).await.ok().body,
        content(400_000)
    );
    world.backend.inject(Fault::on(
        |request| !request.header("x-amz-copy-source").is_empty(),
        Action::Refuse(412, "PreconditionFailed"),
    ));
    world
        .copy(copy("never", "bucket/k"))
        .await
        .refused(409, "ConditionalRequestConflict");
    assert!(world.backend.object(BUCKET, "never").is_none());
}

#[tokio::test]
async fn a_backend_whose_copies_are_not_those_of_s3_gets_objects_sealed_anew() {
    for fault in [
        // It keeps the old metadata, or does not know of copies at all.
        Fault::on_path(
            Method::GET,
            "-to",
            Action::SetHeader(ENVELOPE, "old".into()),
        ),
        Fault::on_path(Method::PUT, "-to", Action::Refuse(501, "NotImplemented")),
    ] {
        let world = Direct::start().await;
        world.backend.inject(fault);
        world
            .put(Request::new("k").body(content(400_000)))
            .await
            .ok();
        world.copy(copy("to", "bucket/k")).await.ok();
        let source = world.backend.object(BUCKET, "k").unwrap();
        let target = world.backend.object(BUCKET, "to").unwrap();
        assert_ne!(source.body, target.body);
        assert_eq!(
            world.get(Request::new("to")).await.ok().body,
            content(400_000)
        );
        assert!(world.backend.keys("sealgate-state").is_empty());
    }
}

#[tokio::test]
async fn what_was_changed_of_a_head_or_a_record_is_not_copied() {
    let world = Direct::start().await;
    for at in [9, 20, 60, 500_000 + 16 * 31 + 72 + 5] {
        world
            .put(Request::new("k").body(content(500_000)))
            .await
            .ok();
        world.backend.tamper(BUCKET, "k", |stored| {
            let mut body = stored.body.to_vec();
            body[at] ^= 1;
            stored.body = body.into();
        });
        let refused = world.another().copy(copy("to", "bucket/k")).await;
        refused.refused(500, "InternalError");
        assert_eq!(world.backend.keys(BUCKET), ["k"]);
    }
    // A chunk that was changed is changed in the copy, and opens as little there.
    world
        .put(Request::new("k").body(content(500_000)))
        .await
        .ok();
    world.backend.tamper(BUCKET, "k", |stored| {
        let mut body = stored.body.to_vec();
        body[100] ^= 1;
        stored.body = body.into();
    });
    world.copy(copy("to", "bucket/k")).await.ok();
    for key in ["k", "to"] {
        let read = world.get(Request::new(key)).await;
        read.refused(500, "InternalError");
    }
}

#[tokio::test]
async fn tags_of_a_copy_are_the_sources_or_the_requests() {
    for copier in [Direct::start().await, sealing_anew().await] {
        let put = Request::new("k")
            .body(content(10))
            .header("x-amz-tagging", "a=1&b=x%20y");
        copier.put(put).await.ok();
        copier.copy(copy("same", "bucket/k")).await.ok();
        let replaced = copy("new", "bucket/k").header("x-amz-tagging-directive", "REPLACE");
        copier
            .copy(replaced.clone().header("x-amz-tagging", "c=3"))
            .await
            .ok();
        let none = replaced.header("x-amz-metadata-directive", "REPLACE");
        let none = Request {
            key: "none".to_owned(),
            ..none
        };
        copier.copy(none).await.ok();
        let tags = |key: &str| {
            let tags = copier.backend.object(BUCKET, key).unwrap().tags;
            tags.map_or(String::new(), |tags| {
                String::from_utf8(tags.to_vec()).unwrap()
            })
        };
        assert_eq!(tags("same"), tags("k"));
        assert!(tags("k").contains("<Key>b</Key><Value>x y</Value>"));
        assert!(tags("new").contains("<Key>c</Key>") && !tags("new").contains("<Key>a</Key>"));
        assert_eq!(tags("none"), "");
    }
}

#[tokio::test]
async fn a_copy_is_made_only_if_the_condition_on_its_target_holds() {
    let world = Direct::start().await;
    world.put(Request::new("k").body(content(10))).await.ok();
    let none = |to: &str| copy(to, "bucket/k").header("if-none-match", "*");
    let etag = {
        world.copy(none("to")).await.ok();
        world
            .head(Request::new("to"))
            .await
            .ok()
            .header("etag")
            .to_owned()
    };
    world
        .copy(none("to"))
        .await
        .refused(412, "PreconditionFailed");
    let matching = |etag: &str| {
        let request = copy("to", "bucket/k").header(SSE, "aws:kms");
        request.header("if-match", etag)
    };
    world
        .copy(matching("\"0123\""))
        .await
        .refused(412, "PreconditionFailed");
    world.copy(matching(&etag)).await.ok();
    assert_eq!(
        world.head(Request::new("to")).await.ok().header(SSE),
        "aws:kms"
    );
    // The backend judges again at the moment it commits.
    let copies = world.backend.requests_on(&Method::PUT, BUCKET, "to");
    assert!(
        copies
            .iter()
            .any(|copy| copy.header("if-none-match") == "*")
    );
    assert!(
        copies
            .iter()
            .any(|copy| !copy.header("if-match").is_empty())
    );
    let missing = copy("nothing", "bucket/k").header("if-match", &etag);
    world.copy(missing).await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_copy_that_takes_the_backend_long_is_waited_for() {
    let world = Direct::start().await;
    world
        .put(Request::new("k").body(content(400_000)))
        .await
        .ok();
    world.copy(copy("warm", "bucket/k")).await.ok();
    // Longer than anything else may take here.
    let slow = Action::Stall(std::time::Duration::from_millis(2_500));
    world.backend.inject(Fault::on(
        |request| !request.header("x-amz-copy-source").is_empty(),
        slow,
    ));
    world.copy(copy("to", "bucket/k")).await.ok();
    assert_eq!(
        world.get(Request::new("to")).await.ok().body,
        content(400_000)
    );
}
