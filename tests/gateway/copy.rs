//! Copies: across all modes, onto themselves, with their conditions; and attributes.

use http::Method;
use md5::Digest as _;
use tests::backend::Versioning;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

const SSE: &str = "x-amz-server-side-encryption";
const CUSTOMER_KEY: [u8; 32] = [1; 32];

/// The modes: the headers of a write in it, of a read, and of a copy from it.
pub type Change = fn(Request) -> Request;
pub fn modes() -> [(&'static str, Change, Change, Change); 5] {
    const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";
    let same: Change = |request| request;
    [
        (
            "AES256",
            |request| request.header(SSE, "AES256"),
            same,
            same,
        ),
        (
            "aws:kms",
            |request| request.header(SSE, "aws:kms"),
            same,
            same,
        ),
        (
            "aws:kms",
            |request| request.header(SSE, "aws:kms").header(SWITCH, "true"),
            same,
            same,
        ),
        (
            "aws:kms:dsse",
            |request| request.header(SSE, "aws:kms:dsse"),
            same,
            same,
        ),
        (
            "",
            |request| request.customer_key(&CUSTOMER_KEY),
            |request| request.customer_key(&CUSTOMER_KEY),
            |request| request.source_customer_key(&CUSTOMER_KEY),
        ),
    ]
}

pub fn copy(to: &str, from: &str) -> Request {
    Request::new(to).header("x-amz-copy-source", from)
}

/// A gateway that opens what it copies.
pub async fn sealing_anew() -> Direct {
    Direct::with(gateway::operation::config::Config {
        copy: gateway::operation::config::CopyMode::Reencrypt,
        ..gateway::operation::config::Config::default()
    })
    .await
}

#[tokio::test]
async fn an_object_is_copied_from_each_mode_to_each_mode() {
    copied_from_each_mode_to_each_mode(&Direct::start().await).await;
}

#[tokio::test]
async fn an_object_is_sealed_anew_from_each_mode_to_each_mode() {
    copied_from_each_mode_to_each_mode(&sealing_anew().await).await;
}

async fn copied_from_each_mode_to_each_mode(world: &Direct) {
    for size in [0, 1_000, 500_000] {
        let body = content(size);
        for (_, write, _, from) in modes() {
            let put = Request::new("from")
                .body(body.clone())
                .header("x-amz-meta-a", "1");
            world
                .put(write(put.header("content-type", "text/x")))
                .await
                .ok();
            for (shown, write, read, _) in modes() {
                let request = write(from(copy("to", "/bucket/from")));
                let answer = world.copy(request).await.ok();
                assert_eq!(answer.header(SSE), shown);
                let document = String::from_utf8(answer.body.to_vec()).unwrap();
                let got = world.get(read(Request::new("to"))).await.ok();
                assert_eq!(got.body, body);
                assert_eq!(got.header("x-amz-meta-a"), "1");
                assert_eq!(got.header("content-type"), "text/x");
                let etag = got.header("etag").trim_matches('"').to_owned();
                assert!(document.contains(&etag), "{document}");
                assert!(document.contains("<ChecksumCRC64NVME>"), "{document}");
                let md5 = hex::encode(md5::Md5::digest(&body));
                assert_eq!(etag == md5, shown == "AES256");
            }
        }
    }
}

#[tokio::test]
async fn a_copy_calls_the_kms_once_for_each_side() {
    let world = Direct::start().await;
    world
        .put(
            Request::new("from")
                .body(content(10))
                .header(SSE, "aws:kms"),
        )
        .await
        .ok();
    world.kms.calls();
    world
        .copy(copy("to", "bucket/from").header(SSE, "aws:kms"))
        .await
        .ok();
    assert_eq!(world.kms.operations(), ["Decrypt", "GenerateDataKey"]);
    world.copy(copy("to", "bucket/from")).await.ok();
    assert_eq!(
        world.kms.operations(),
        ["Decrypt"],
        "the source's encryption is not inherited"
    );
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let world = Direct::start().await;
    world
        .put(
            Request::new("k")
                .body(content(300_000))
                .header("x-amz-meta-a", "1"),
        )
        .await
        .ok();
    world
        .copy(copy("k", "bucket/k"))
        .await
        .refused(400, "InvalidRequest");
    let replace = copy("k", "bucket/k").header("x-amz-metadata-directive", "REPLACE");
    world.copy(replace.header("x-amz-meta-b", "2")).await.ok();
    let got = world.get(Request::new("k")).await.ok();
    assert_eq!(
        (got.header("x-amz-meta-a"), got.header("x-amz-meta-b")),
        ("", "2")
    );
    world
        .copy(copy("k", "bucket/k").header(SSE, "aws:kms"))
        .await
        .ok();
    let got = world.get(Request::new("k")).await.ok();
    assert_eq!(
        (got.header(SSE), &got.body[..]),
        ("aws:kms", &content(300_000)[..])
    );
    // Back to SSE-S3, which is a change, and then no longer is one, unless the bucket's owner chose it.
    world.copy(copy("k", "bucket/k")).await.ok();
    let got = world.get(Request::new("k")).await.ok();
    assert_eq!(got.header(SSE), "AES256");
    let again = world.copy(copy("k", "bucket/k")).await;
    again.refused(400, "InvalidRequest");
    world.default.lock().unwrap().is_configured = true;
    world.copy(copy("k", "bucket/k")).await.ok();
}

#[tokio::test]
async fn the_conditions_of_a_copy_are_about_its_source() {
    let world = Direct::start().await;
    let etag = world
        .put(Request::new("k").body(content(10)))
        .await
        .ok()
        .header("etag")
        .to_owned();
    let written = world.head(Request::new("k")).await.ok();
    let written = written.header("last-modified").to_owned();
    let with = |name: &str, value: &str| copy("to", "bucket/k").header(name, value);
    for (request, good) in [
        (with("x-amz-copy-source-if-modified-since", &written), false),
        (with("x-amz-copy-source-if-match", &etag), true),
        (with("x-amz-copy-source-if-match", "\"x\""), false),
        (with("x-amz-copy-source-if-none-match", &etag), false),
        (with("x-amz-copy-source-if-none-match", "\"x\""), true),
        (
            with(
                "x-amz-copy-source-if-modified-since",
                "Fri, 01 Jan 2100 00:00:00 GMT",
            ),
            true,
        ),
        (
            with(
                "x-amz-copy-source-if-unmodified-since",
                "Mon, 01 Jan 1990 00:00:00 GMT",
            ),
            false,
        ),
    ] {
        let answer = world.copy(request).await;
        if good {
            answer.ok();
        } else {
            answer.refused(412, "PreconditionFailed");
        }
    }
}

#[tokio::test]
async fn what_a_copy_may_not_do_is_refused_and_nothing_is_written() {
    let world = Direct::start().await;
    world.put(Request::new("k").body(content(10))).await.ok();
    world
        .put(
            Request::new("c")
                .body(content(10))
                .customer_key(&CUSTOMER_KEY),
        )
        .await
        .ok();
    let mut over_http = copy("to", "bucket/c").source_customer_key(&CUSTOMER_KEY);
    over_http.secure = false;
    let directive = |name: &str| copy("to", "bucket/k").header(name, "MERGE");
    world.backend.forget();
    for (request, status, code) in [
        (copy("to", "bucket/none"), 404, "NoSuchKey"),
        (copy("to", "none/k"), 404, "NoSuchBucket"),
        (
            copy("to", "sealgate-state/root-keys/1"),
            403,
            "AccessDenied",
        ),
        (copy("to", "k"), 400, "InvalidArgument"),
        (copy("to", "bucket/c"), 400, "InvalidRequest"),
        (
            copy("to", "bucket/c").source_customer_key(&[2; 32]),
            403,
            "AccessDenied",
        ),
        (
            copy("to", "bucket/k").source_customer_key(&CUSTOMER_KEY),
            400,
            "InvalidRequest",
        ),
        (over_http, 400, "InvalidRequest"),
        (
            directive("x-amz-metadata-directive"),
            400,
            "InvalidArgument",
        ),
        (directive("x-amz-tagging-directive"), 400, "InvalidArgument"),
        (
            copy("to", "bucket/k").header("x-amz-checksum-algorithm", "MD4"),
            400,
            "InvalidRequest",
        ),
        (
            copy("to", "bucket/k").header(SSE, "AES192"),
            400,
            "InvalidArgument",
        ),
    ] {
        let what = format!("{request:?}", request = request.headers);
        let error = world.copy(request).await;
        assert_eq!(error.status.as_u16(), status, "{what}");
        error.refused(status, code);
    }
    assert!(
        world
            .backend
            .requests_on(&Method::PUT, BUCKET, "to")
            .is_empty()
    );
}

#[tokio::test]
async fn a_source_that_was_tampered_with_leaves_no_target() {
    let world = sealing_anew().await;
    for at in [80, 200_000, 500_400] {
        world
            .put(Request::new("k").body(content(500_000)))
            .await
            .ok();
        world.backend.tamper(BUCKET, "k", |stored| {
            let mut body = stored.body.to_vec();
            body[at] ^= 1;
            stored.body = body.into();
        });
        world
            .copy(copy("to", "bucket/k"))
            .await
            .refused(500, "InternalError");
        assert_eq!(world.backend.keys(BUCKET), ["k"]);
    }
}

#[tokio::test]
async fn a_version_is_read_and_copied_by_its_id() {
    let world = Direct::start().await;
    world.backend.set_versioning(BUCKET, Versioning::Enabled);
    let first = world.put(Request::new("k").body(content(10))).await.ok();
    let second = world
        .put(Request::new("k").body(content(400_000)))
        .await
        .ok();
    let (first, second) = (
        first.header("x-amz-version-id"),
        second.header("x-amz-version-id"),
    );
    assert_ne!(first, second);
    for (version, bytes) in [(first, 10), (second, 400_000)] {
        let got = world
            .get(Request::new("k").query("versionId", version))
            .await
            .ok();
        assert_eq!(
            (got.body.len(), got.header("x-amz-version-id")),
            (bytes, version)
        );
    }
    // An older version restored by a copy onto its own name.
    let answer = world
        .copy(copy("k", &format!("bucket/k?versionId={first}")))
        .await
        .ok();
    assert_eq!(answer.header("x-amz-copy-source-version-id"), first);
    assert_eq!(world.get(Request::new("k")).await.ok().body, content(10));
}

#[tokio::test]
async fn attributes_tell_what_was_asked_for_of_the_plaintext() {
    let world = Direct::start().await;
    world
        .put(
            Request::new("k")
                .body(content(300_000))
                .header(SSE, "aws:kms"),
        )
        .await
        .ok();
    world.kms.calls();
    let ask = |names: &str| Request::new("k").header("x-amz-object-attributes", names);
    let answer = world
        .attributes(ask("ETag,ObjectSize,StorageClass,ObjectParts"))
        .await
        .ok();
    let document = String::from_utf8(answer.body.to_vec()).unwrap();
    let etag = world
        .head(Request::new("k"))
        .await
        .ok()
        .header("etag")
        .trim_matches('"')
        .to_owned();
    for part in [
        format!("<ETag>{etag}</ETag>"),
        "<ObjectSize>300000</ObjectSize>".to_owned(),
        "<StorageClass>STANDARD</StorageClass>".to_owned(),
    ] {
        assert!(document.contains(&part), "{document}");
    }
    assert!(
        !document.contains("Checksum") && !document.contains("ObjectParts"),
        "{document}"
    );
    assert!(world.kms.calls().is_empty());
    let answer = world.attributes(ask("Checksum")).await.ok();
    let document = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        document.contains("<ChecksumType>FULL_OBJECT</ChecksumType>"),
        "{document}"
    );
    assert_eq!(world.kms.operations(), ["Decrypt"]);
    world
        .attributes(ask("Size"))
        .await
        .refused(400, "InvalidArgument");
    world
        .attributes(Request::new("k"))
        .await
        .refused(400, "InvalidRequest");
    let missing = Request::new("none").header("x-amz-object-attributes", "ETag");
    world.attributes(missing).await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn an_unsealed_object_is_sealed_by_a_copy_onto_itself() {
    let world = Direct::with(gateway::operation::config::Config {
        adopted_buckets: vec![BUCKET.to_owned()],
        ..gateway::operation::config::Config::default()
    })
    .await;
    for (key, body) in [("old", content(300_000)), ("empty", content(0))] {
        let headers = vec![("content-type".to_owned(), "text/x".to_owned())];
        let object = tests::backend::Stored::new(body.clone(), headers);
        world.backend.plant(BUCKET, key, object);
        let attributes = Request::new(key).header("x-amz-object-attributes", "ObjectSize");
        let shown = world.attributes(attributes).await.ok();
        let shown = String::from_utf8(shown.body.to_vec()).unwrap();
        let size = format!("<ObjectSize>{}</ObjectSize>", body.len());
        assert!(shown.contains(&size), "{shown}");

        world.copy(copy(key, &format!("bucket/{key}"))).await.ok();
        let stored = world.backend.object(BUCKET, key).unwrap();
        assert_eq!(&stored.body[..8], b"sealgate");
        let got = world.get(Request::new(key)).await.ok();
        assert_eq!(got.body, body);
        assert_eq!(got.header("content-type"), "text/x");
        assert_eq!(got.header("x-sealgate-unsealed"), "");
    }
}
