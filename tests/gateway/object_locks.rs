//! Objects under a lock, whose bytes S3 stores only with a digest: of the client, and of the gateway.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest as _;
use tests::backend::Action;
use tests::backend::Fault;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::world::World;

use crate::direct::content;
use crate::multipart::element;

const BUCKET: &str = "locked";
const OBJECT: &str = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests \
    with Object Lock parameters";
const PART: &str = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests \
    with Object Lock parameters";
const DEFAULT: &str =
    "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>";

async fn world() -> World {
    let world = World::start().await;
    world.create_bucket(BUCKET).await;
    world
}

fn put(key: &str, body: impl Into<Bytes>) -> Draft {
    Draft::new(Method::PUT, BUCKET, key).body(body)
}

fn with_md5(draft: Draft, body: &[u8]) -> Draft {
    draft.header("content-md5", &STANDARD.encode(md5::Md5::digest(body)))
}

/// Configures the bucket by a request to the gateway.
async fn configure(world: &World, rule: &str) {
    let document = format!(
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}\
         </ObjectLockConfiguration>"
    );
    let configure = Draft::new(Method::PUT, BUCKET, "").query("object-lock", "");
    let configure = with_md5(configure, document.as_bytes()).body(document);
    assert_eq!(world.send(configure).await.status(), 200);
}

fn expect_refused(answer: &Response<Bytes>, message: &str) {
    expect_s3_error(answer, "InvalidRequest", 400);
    let document = String::from_utf8_lossy(answer.body());
    assert_eq!(element(&document, "Message"), message);
}

/// How often the backend was requested for the configuration of the bucket.
fn readings(world: &World) -> usize {
    let requests = world.backend.requests_in(BUCKET);
    let readings = requests
        .iter()
        .filter(|it| it.method == Method::GET && it.query.starts_with("object-lock"));
    readings.count()
}

#[tokio::test]
async fn a_bucket_that_locks_by_default_takes_objects_with_a_digest_and_no_others() {
    let world = world().await;
    configure(&world, DEFAULT).await;
    for size in [9, 700_000] {
        let body = content(size);
        let without = world.send(put("k", body.clone())).await;
        expect_refused(&without, OBJECT);
        assert!(world.backend.keys(BUCKET).is_empty());

        // The backend takes nothing without a digest either: of what is stored.
        for (key, draft) in [
            ("md5", with_md5(put("md5", body.clone()), &body)),
            (
                "crc",
                put("crc", body.clone()).header(
                    "x-amz-checksum-sha1",
                    &STANDARD.encode(sha1::Sha1::digest(&body)),
                ),
            ),
        ] {
            assert_eq!(world.send(draft).await.status(), 200, "{key} {size}");
            let get = world.send(Draft::new(Method::GET, BUCKET, key)).await;
            assert!(*get.body() == body, "{key} {size}");
            world.backend.remove(BUCKET, key);
        }
    }
}

#[tokio::test]
async fn an_object_that_names_a_lock_needs_a_digest_and_one_that_names_none_does_not() {
    let world = world().await;
    for (name, value) in [
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        (
            "x-amz-object-lock-retain-until-date",
            "2099-01-01T00:00:00Z",
        ),
    ] {
        let answer = world.send(put("k", "body").header(name, value)).await;
        expect_refused(&answer, OBJECT);
    }
    assert!(world.backend.keys(BUCKET).is_empty());
    assert_eq!(world.send(put("k", "body")).await.status(), 200);
}

#[tokio::test]
async fn copies_and_forms_need_no_digest_of_the_client_where_a_bucket_locks_by_default() {
    let world = world().await;
    assert_eq!(
        world.send(put("source", content(700_000))).await.status(),
        200
    );
    configure(&world, DEFAULT).await;
    // The second is sealed anew.
    for algorithm in ["", "SHA256"] {
        let copy = Draft::new(Method::PUT, BUCKET, "copy");
        let copy = copy.header("x-amz-copy-source", &format!("{BUCKET}/source"));
        let copy = match algorithm {
            "" => copy,
            algorithm => copy.header("x-amz-checksum-algorithm", algorithm),
        };
        assert_eq!(world.send(copy).await.status(), 200, "{algorithm}");
    }
    let target = world.tls_target();
    let form = Form::new(BUCKET, "form", content(700_000));
    let form = form.sign(&world.main, world.now(), &target.address.to_string());
    assert_eq!(form.send(&target).await.unwrap().status(), 204);
}

#[tokio::test]
async fn parts_need_a_digest_where_their_bucket_locks_by_default() {
    let world = world().await;
    configure(&world, DEFAULT).await;
    let create = Draft::new(Method::POST, BUCKET, "k").query("uploads", "");
    let created = world.send(create).await;
    let id = element(&String::from_utf8_lossy(created.body()), "UploadId").to_owned();
    let body = content(700_000);
    let part = || {
        put("k", body.clone())
            .query("partNumber", "1")
            .query("uploadId", &id)
    };
    expect_refused(&world.send(part()).await, PART);
    let sent = world.send(with_md5(part(), &body)).await;
    assert_eq!(sent.status(), 200);
    let etag = sent.headers()["etag"].to_str().unwrap();
    let complete = Draft::new(Method::POST, BUCKET, "k").query("uploadId", &id);
    let complete = complete.body(crate::multipart::document(&[(1, etag.to_owned())]));
    assert_eq!(world.send(complete).await.status(), 200);
    let get = world.send(Draft::new(Method::GET, BUCKET, "k")).await;
    assert!(*get.body() == body);
}

#[tokio::test]
async fn the_lock_of_a_bucket_is_read_once_for_many_writes_and_again_after_it_was_configured() {
    let world = world().await;
    world.backend.forget();
    let writes = (0..16).map(|number| world.send(put(&number.to_string(), "body")));
    for answer in futures_util::future::join_all(writes).await {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(readings(&world), 1);
    configure(&world, DEFAULT).await;
    expect_refused(&world.send(put("k", "body")).await, OBJECT);
    configure(&world, "").await;
    assert_eq!(world.send(put("k", "body")).await.status(), 200);
    assert_eq!(readings(&world), 3);
}

#[tokio::test]
async fn where_the_lock_of_a_bucket_cannot_be_read_writes_go_on_except_for_those_that_name_one() {
    for (status, code) in [(503, "SlowDown"), (403, "AccessDenied")] {
        let world = world().await;
        let reads = |seen: &tests::backend::Recorded| seen.query.starts_with("object-lock");
        let fault = Fault::on(reads, Action::Refuse(status, code));
        world.backend.inject(fault);
        assert_eq!(world.send(put("k", "body")).await.status(), 200);
        let locked = put("k", "body").header("x-amz-object-lock-legal-hold", "ON");
        let locked = world.send(with_md5(locked, b"body")).await;
        expect_s3_error(&locked, "ServiceUnavailable", 503);
    }
}

#[tokio::test]
async fn one_deletion_bypasses_locks_only_in_buckets_that_have_some_and_many_anywhere() {
    let world = world().await;
    let none = "<ObjectLockConfiguration/>";
    world.backend.set_subresource(BUCKET, "object-lock", none);
    assert_eq!(world.send(put("k", "body")).await.status(), 200);
    let delete = Draft::new(Method::DELETE, BUCKET, "k");
    let list = "<Delete><Object><Key>k</Key></Object></Delete>";
    let deletions = Draft::new(Method::POST, BUCKET, "").query("delete", "");
    let deletions = with_md5(deletions, list.as_bytes()).body(list);
    let bypass = |draft: &Draft, value: &str| {
        draft
            .clone()
            .header("x-amz-bypass-governance-retention", value)
    };
    for value in ["true", "false"] {
        let answer = world.send(bypass(&delete, value)).await;
        expect_s3_error(&answer, "InvalidArgument", 400);
        let document = String::from_utf8_lossy(answer.body());
        let name = element(&document, "ArgumentName");
        assert_eq!(name, "x-amz-bypass-governance-retention");
    }
    assert_eq!(world.backend.keys(BUCKET), ["k"]);
    let deleted = world.send(bypass(&deletions, "true")).await;
    assert!(deleted.status().is_success());
    assert!(world.backend.keys(BUCKET).is_empty());
    assert_eq!(world.send(put("k", "body")).await.status(), 200);
    configure(&world, "").await;
    let deleted = world.send(bypass(&delete, "true")).await;
    assert!(deleted.status().is_success());
    assert!(world.backend.keys(BUCKET).is_empty());
}
