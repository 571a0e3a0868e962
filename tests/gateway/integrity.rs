//! What a client claims of a body is checked before the backend commits it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway::backend::Digests;
use http::Method;
use md5::Digest as _;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Recorded;
use tests::signed::Draft;
use tests::world::World;
use twox_hash::XxHash3_64;
use twox_hash::XxHash3_128;
use twox_hash::XxHash64;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::MIB;
use crate::multipart::expect_object;
use crate::multipart::parts;

/// Every algorithm, its header, and the checksum of a body.
fn checksums(body: &[u8]) -> [(&'static str, &'static str, Vec<u8>); 10] {
    let crc = |by| crc_fast::checksum(by, body).to_be_bytes().to_vec();
    let crc32 = |by| crc(by)[4..].to_vec();
    [
        (
            "CRC32",
            "x-amz-checksum-crc32",
            crc32(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
        ),
        (
            "CRC32C",
            "x-amz-checksum-crc32c",
            crc32(crc_fast::CrcAlgorithm::Crc32Iscsi),
        ),
        (
            "CRC64NVME",
            "x-amz-checksum-crc64nvme",
            crc(crc_fast::CrcAlgorithm::Crc64Nvme),
        ),
        (
            "SHA1",
            "x-amz-checksum-sha1",
            sha1::Sha1::digest(body).to_vec(),
        ),
        (
            "SHA256",
            "x-amz-checksum-sha256",
            sha2::Sha256::digest(body).to_vec(),
        ),
        (
            "SHA512",
            "x-amz-checksum-sha512",
            sha2::Sha512::digest(body).to_vec(),
        ),
        ("MD5", "x-amz-checksum-md5", md5::Md5::digest(body).to_vec()),
        (
            "XXHASH64",
            "x-amz-checksum-xxhash64",
            XxHash64::oneshot(0, body).to_be_bytes().to_vec(),
        ),
        (
            "XXHASH3",
            "x-amz-checksum-xxhash3",
            XxHash3_64::oneshot(body).to_be_bytes().to_vec(),
        ),
        (
            "XXHASH128",
            "x-amz-checksum-xxhash128",
            XxHash3_128::oneshot(body).to_be_bytes().to_vec(),
        ),
    ]
}

/// Sizes that are held in memory, and that stream.
const SIZES: [usize; 3] = [0, 1_000, 700_000];

#[tokio::test]
async fn every_checksum_is_verified_stored_and_told() {
    let world = Direct::start().await;
    for size in SIZES {
        let body = content(size);
        for (name, header, value) in checksums(&body) {
            let value = STANDARD.encode(value);
            let in_header = Request::new("k").body(body.clone()).header(header, &value);
            let in_trailer = Request::new("k").body(body.clone()).trailer(header, &value);
            for request in [in_header, in_trailer] {
                let put = world.put(request).await.ok();
                assert_eq!(put.header(header), value, "{name} {size}");
                let enabled = || Request::new("k").header("x-amz-checksum-mode", "ENABLED");
                for answer in [
                    world.get(enabled()).await.ok(),
                    world.head(enabled()).await.ok(),
                ] {
                    assert_eq!(answer.header(header), value, "{name} {size}");
                    assert_eq!(answer.header("x-amz-checksum-type"), "FULL_OBJECT");
                }
                assert_eq!(world.get(Request::new("k")).await.ok().header(header), "");
                let ranged = world.get(enabled().header("range", "bytes=0-0")).await;
                assert_eq!(ranged.header(header), "");
                for all in ["bytes=0-", "bytes=0-699999", "bytes=-800000"] {
                    let answer = world.get(enabled().header("range", all)).await;
                    if size > 0 {
                        assert_eq!(answer.ok().header(header), value, "{name} {size} {all}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn without_a_choice_the_checksum_is_crc64nvme_as_at_aws() {
    let world = Direct::start().await;
    let body = content(1_000);
    let put = world.put(Request::new("k").body(body.clone())).await.ok();
    let (_, header, value) = checksums(&body)[2].clone();
    assert_eq!(put.header(header), STANDARD.encode(value));
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
}

#[tokio::test]
async fn a_body_that_is_not_what_was_claimed_leaves_nothing_behind() {
    let world = Direct::start().await;
    for size in SIZES {
        let body = content(size);
        let other = content(size + 1);
        for (name, header, value) in checksums(&other) {
            let value = STANDARD.encode(value);
            let in_header = Request::new("k").body(body.clone()).header(header, &value);
            let in_trailer = Request::new("k").body(body.clone()).trailer(header, &value);
            for request in [in_header, in_trailer] {
                let error = world.put(request).await.refused(400, "BadDigest");
                let text =
                    format!("The {name} you specified did not match the calculated checksum.");
                assert_eq!(error.message(), text);
                world.assert_nothing_stored();
            }
        }
        let md5 = STANDARD.encode(md5::Md5::digest(&other));
        let request = Request::new("k")
            .body(body.clone())
            .header("content-md5", &md5);
        let error = world.put(request).await.refused(400, "BadDigest");
        // As AWS has it, one of the two is hexadecimal.
        let expected = hex::encode(md5::Md5::digest(&other));
        assert_eq!(error.details()[0], ("ExpectedDigest", expected));
        world.assert_nothing_stored();
        // A body that ends early or goes on too long.
        for length in [size as u64 + 1, (size as u64).saturating_sub(1)] {
            let mut request = Request::new("k").body(body.clone());
            request.length = Some(length);
            if length != size as u64 {
                world.put(request).await.refused(400, "IncompleteBody");
            }
            world.assert_nothing_stored();
        }
    }
    // Whatever of a large body reached the backend was never whole.
    for request in world.backend.requests_on(&Method::PUT, BUCKET, "k") {
        assert!(!request.whole);
    }
}

#[tokio::test]
async fn a_failed_write_leaves_the_object_before_it_as_it_was() {
    let world = Direct::start().await;
    world.put(Request::new("k").body(content(10))).await.ok();
    let request = Request::new("k")
        .body(content(700_000))
        .header("x-amz-checksum-crc32", "AAAAAA==");
    world.put(request).await.refused(400, "BadDigest");
    assert_eq!(world.get(Request::new("k")).await.ok().body, content(10));
}

#[tokio::test]
async fn a_write_that_the_backend_did_not_confirm_is_not_confirmed() {
    let world = Direct::start().await;
    for size in SIZES {
        for (action, status) in [
            (Action::Refuse(503, "SlowDown"), 503),
            (Action::RefuseAfterBody(500, "InternalError"), 500),
            (Action::Drop, 503),
            (Action::DropAfterRequestBytes(100), 503),
            (Action::RefuseAfterBody(507, "InsufficientStorage"), 507),
        ] {
            world.backend.heal();
            world
                .backend
                .inject(Fault::on_path(Method::PUT, "/k", action.clone()));
            let put = world.put(Request::new("k").body(content(size))).await;
            assert_eq!(put.status.as_u16(), status, "{action:?} {size}");
            assert!(put.error.is_some());
            world.assert_nothing_stored();
        }
    }
    world.backend.heal();
    world.put(Request::new("k").body(content(5))).await.ok();
}

#[tokio::test]
async fn headers_that_describe_an_object_come_back_and_no_others_reach_the_backend() {
    let world = Direct::start().await;
    let request = Request::new("k")
        .body(Bytes::from_static(b"x"))
        .header("content-type", "text/plain")
        .header("content-encoding", "gzip,aws-chunked")
        .header("content-language", "de")
        .header("expires", "Thu, 01 Dec 2030 16:00:00 GMT")
        .header("x-amz-meta-one", "1")
        .header("x-amz-sdk-checksum-algorithm", "CRC32")
        .header(
            "x-amz-checksum-crc32",
            &STANDARD.encode(&checksums(b"x")[0].2),
        )
        .header("x-amz-decoded-content-length", "1")
        .header("x-custom", "secret");
    world.put(request).await.ok();
    let got = world.get(Request::new("k")).await.ok();
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("expires", "Thu, 01 Dec 2030 16:00:00 GMT"),
        ("x-amz-meta-one", "1"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    let seen = &world.backend.requests_on(&Method::PUT, BUCKET, "k")[0];
    for name in [
        "x-custom",
        "x-amz-checksum-crc32",
        "x-amz-decoded-content-length",
    ] {
        assert_eq!(seen.header(name), "", "{name}");
    }
    world.put(Request::new("plain")).await.ok();
    let plain = world.head(Request::new("plain")).await.ok();
    assert_eq!(plain.header("content-type"), "binary/octet-stream");
}

/// What S3 takes no object under a lock without: a digest, here of the stored bytes.
fn has_digest(seen: &Recorded) -> bool {
    let streamed = seen.header("x-amz-content-sha256") == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        && seen.header("x-amz-trailer") == "x-amz-checksum-crc32";
    let digest = STANDARD.encode(md5::Md5::digest(&seen.body));
    streamed || seen.header("content-md5") == digest
}

#[tokio::test]
async fn an_object_that_comes_with_a_lock_has_a_digest_of_its_stored_bytes() {
    let world = Direct::start().await;
    let locked = |key: &str| {
        let until = "2030-01-01T00:00:00Z";
        let request = Request::new(key).header("x-amz-object-lock-mode", "GOVERNANCE");
        request.header("x-amz-object-lock-retain-until-date", until)
    };
    for (size, coding) in [(1, ""), (700_000, ""), (700_001, "gzip")] {
        let body = content(size);
        let md5 = STANDARD.encode(md5::Md5::digest(&body));
        let put = locked("locked")
            .body(body.clone())
            .header("content-md5", &md5);
        let put = match coding {
            "" => put,
            coding => put.header("content-encoding", coding),
        };
        world.put(put).await.ok();
        let seen = world.backend.requests_on(&Method::PUT, BUCKET, "locked");
        assert!(has_digest(seen.last().unwrap()), "{size}");
        let got = world.get(Request::new("locked")).await.ok();
        assert!(got.body == body, "{size}");
        assert_eq!(got.header("content-encoding"), coding);

        // Sealed anew, because that of the source differs.
        let copy = locked("copied").header("x-amz-copy-source", "bucket/locked");
        let copy = copy.header("x-amz-server-side-encryption", "aws:kms:dsse");
        world.copy(copy).await.ok();
        let seen = world.backend.requests_on(&Method::PUT, BUCKET, "copied");
        assert!(has_digest(seen.last().unwrap()), "{size}");
        assert!(world.get(Request::new("copied")).await.ok().body == body);

        world.put(Request::new("free").body(body)).await.ok();
        let seen = world.backend.requests_on(&Method::PUT, BUCKET, "free");
        assert!(!has_digest(seen.last().unwrap()), "{size}");
    }

    let sent = parts(&[5 * MIB, 5 * MIB + 1, 9]);
    let uploading = world.uploading();
    let id = uploading.begin(locked("parts")).await;
    let mut etags = Vec::new();
    for part in &sent {
        let md5 = STANDARD.encode(md5::Md5::digest(&part.1));
        let request = Request::new("parts").header("content-md5", &md5);
        etags.extend(
            uploading
                .send(&request, &id, std::slice::from_ref(part))
                .await,
        );
    }
    uploading
        .complete(Request::new("parts"), &id, &etags)
        .await
        .ok();
    let seen = world.backend.requests_on(&Method::PUT, BUCKET, "parts");
    assert_eq!(seen.iter().filter(|seen| has_digest(seen)).count(), 4);
    expect_object(&world, "parts", |request| request, &sent).await;
}

#[tokio::test]
async fn a_locked_object_whose_checksum_is_wrong_is_not_committed() {
    let world = Direct::start().await;
    let put = Request::new("k")
        .body(content(700_000))
        .header("x-amz-object-lock-legal-hold", "ON")
        .header("content-md5", &STANDARD.encode([7; 16]));
    world.put(put).await.refused(400, "BadDigest");
    world.assert_nothing_stored();
    let seen = world.backend.requests_on(&Method::PUT, BUCKET, "k");
    assert!(seen.iter().all(|seen| !seen.whole));
}

#[tokio::test]
async fn the_backend_is_told_a_digest_of_everything_where_that_is_configured() {
    let world = World::setup()
        .gateway(|config| config.backend.digests = Digests::Always)
        .start()
        .await;
    world.create_bucket(BUCKET).await;
    let body = content(700_000);
    for (key, body) in [("small", body.slice(..9)), ("large", body.clone())] {
        let put = Draft::new(Method::PUT, BUCKET, key).body(body.clone());
        assert_eq!(world.send(put).await.status(), 200);
        let seen = world.backend.requests_on(&Method::PUT, BUCKET, key);
        assert!(has_digest(&seen[0]), "{key}");
        let got = world.send(Draft::new(Method::GET, BUCKET, key)).await;
        assert!(*got.body() == body, "{key}");
    }
}
