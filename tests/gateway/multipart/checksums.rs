//! Checksums of uploads and of their parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use md5::Digest as _;
use sha2::Sha256;
use tests::signed::Draft;
use tests::world::World;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::multipart::MIB;
use crate::multipart::document;
use crate::multipart::element;
use crate::multipart::elements;
use crate::multipart::joined;
use crate::multipart::parts;

#[tokio::test]
async fn a_composite_checksum_is_told_and_checked_part_by_part() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let sent = parts(&[5 * MIB, 1_000]);
    let create = Request::new("k").header("x-amz-checksum-algorithm", "SHA256");
    let id = uploading.begin(create).await;
    let sum = |body: &Bytes| STANDARD.encode(Sha256::digest(body));
    let mut document = String::new();
    for (number, body) in &sent {
        uploading
            .part(Request::new("k"), &id, *number, body.clone())
            .await
            .refused(400, "InvalidRequest");
        let request = Request::new("k").header("x-amz-checksum-sha256", &sum(body));
        let answer = uploading
            .part(request, &id, *number, body.clone())
            .await
            .ok();
        assert_eq!(answer.header("x-amz-checksum-sha256"), sum(body));
        let etag = answer.header("etag");
        document += &format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{}</ChecksumSHA256></Part>",
            sum(body)
        );
    }
    let listed = uploading.parts(Request::new("k"), &id).await.ok().text();
    let sums: Vec<_> = sent.iter().map(|(_, body)| sum(body)).collect();
    assert_eq!(elements(&listed, "ChecksumSHA256"), sums);

    let whole = format!("<CompleteMultipartUpload>{document}</CompleteMultipartUpload>");
    let wrong = whole.replace(&sums[1], &sums[0]);
    uploading
        .finish(&id, wrong)
        .await
        .refused(400, "InvalidPart");
    let bare: String = whole.replace("ChecksumSHA256", "Unknown");
    uploading
        .finish(&id, bare)
        .await
        .refused(400, "InvalidRequest");
    let done = uploading.finish(&id, whole).await.ok().text();
    let digests: Vec<u8> = sent
        .iter()
        .flat_map(|(_, body)| Sha256::digest(body).to_vec())
        .collect();
    let expected = format!("{}-2", STANDARD.encode(Sha256::digest(&digests)));
    assert_eq!(element(&done, "ChecksumSHA256"), expected);
    let head = Request::new("k").header("x-amz-checksum-mode", "ENABLED");
    let head = world.head(head).await.ok();
    assert_eq!(head.header("x-amz-checksum-sha256"), expected);
    assert_eq!(head.header("x-amz-checksum-type"), "COMPOSITE");
    let request = Request::new("k").header("x-amz-object-attributes", "ObjectParts,Checksum");
    let seen = world.attributes(request).await.ok().text();
    assert_eq!(elements(&seen, "Size"), ["5242880", "1000"]);
    // There, and of a part, it stands without their number.
    let bare = expected.trim_end_matches("-2");
    assert_eq!(elements(&seen, "ChecksumSHA256")[0], bare);
    for (place, sum) in (1..).zip(&sums) {
        let request = Request::new("k").query("partNumber", &format!("{place}"));
        let request = request.header("x-amz-checksum-mode", "ENABLED");
        let (get, head) = (world.get(request.clone()).await, world.head(request).await);
        for answer in [get.ok(), head.ok()] {
            assert_eq!(answer.header("x-amz-checksum-sha256"), sum);
            assert_eq!(answer.header("x-amz-checksum-type"), "COMPOSITE");
        }
    }
}

#[tokio::test]
async fn an_upload_with_sha512_checksums_is_refused() {
    let world = Direct::start().await;
    let create = Request::new("k").header("x-amz-checksum-algorithm", "SHA512");
    let refused = world.uploading().create(create).await;
    refused.refused(501, "NotImplemented");
}

#[tokio::test]
async fn an_upload_may_have_each_other_checksum_of_its_parts() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let sent = parts(&[5 * MIB, 1_000]);
    for name in [
        "CRC32",
        "CRC32C",
        "SHA1",
        "MD5",
        "XXHASH64",
        "XXHASH3",
        "XXHASH128",
    ] {
        let create = Request::new("k").header("x-amz-checksum-algorithm", name);
        let answer = uploading.create(create).await.ok();
        assert_eq!(answer.header("x-amz-checksum-type"), "COMPOSITE", "{name}");
        let id = element(&answer.text(), "UploadId").to_owned();
        let mut document = String::new();
        let header = format!("x-amz-checksum-{}", name.to_lowercase());
        for (number, body) in &sent {
            // What the gateway computes of a whole object, other tests compare with the body.
            let whole = Request::new("sum").body(body.clone());
            let whole = whole.header("x-amz-checksum-algorithm", name);
            world.put(whole).await.ok();
            let copy = Request::new("copy").header("x-amz-copy-source", "/bucket/sum");
            let copy = world
                .copy(copy.header("x-amz-checksum-algorithm", name))
                .await;
            let tag = format!("Checksum{name}");
            let sum = element(&copy.ok().text(), &tag).to_owned();
            let part = Request::new("k").header(&header, &sum);
            let part = uploading.part(part, &id, *number, body.clone()).await.ok();
            let etag = part.header("etag");
            document += &format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><{tag}>{sum}</{tag}></Part>"
            );
        }
        let whole = format!("<CompleteMultipartUpload>{document}</CompleteMultipartUpload>");
        uploading.finish(&id, whole).await.ok();
        let head = Request::new("k").header("x-amz-checksum-mode", "ENABLED");
        let head = world.head(head).await.ok();
        assert!(head.header(&header).ends_with("-2"), "{name}");
    }
}

#[tokio::test]
async fn a_full_object_checksum_is_the_one_of_the_whole() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let sent = parts(&[5 * MIB + 1, 5 * MIB + 2]);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &joined(&sent));
    let crc = STANDARD.encode(u32::try_from(crc).unwrap().to_be_bytes());
    let create = Request::new("k")
        .header("x-amz-checksum-algorithm", "CRC32")
        .header("x-amz-checksum-type", "FULL_OBJECT");
    let id = uploading.begin(create).await;
    let etags = uploading.send(&Request::new("k"), &id, &sent).await;
    let claim = |name: &str, value: &str| Request::new("k").header(name, value);
    let typed =
        |name: &str, value: &str| claim(name, value).header("x-amz-checksum-type", "FULL_OBJECT");
    // Without its type, a claim is taken for a composite checksum.
    for wrong in [
        typed("x-amz-checksum-crc32", "AAAAAA=="),
        typed("x-amz-checksum-crc32c", &crc),
        claim("x-amz-checksum-crc32", &crc),
    ] {
        let error = uploading
            .complete(wrong, &id, &etags)
            .await
            .refused(400, "BadDigest");
        assert_eq!(
            error.message(),
            "The crc32 you specified did not match the calculated checksum."
        );
    }
    let composite = Request::new("k").header("x-amz-checksum-type", "COMPOSITE");
    let error = uploading
        .complete(composite, &id, &etags)
        .await
        .refused(400, "InvalidRequest");
    assert!(
        error
            .message()
            .contains("using the FULL_OBJECT checksum mode")
    );
    let size = Request::new("k").header("x-amz-mp-object-size", "5");
    uploading
        .complete(size, &id, &etags)
        .await
        .refused(400, "InvalidRequest");
    let right = typed("x-amz-checksum-crc32", &crc);
    let done = uploading.complete(right, &id, &etags).await.ok();
    assert_eq!(element(&done.text(), "ChecksumCRC32"), crc);
    let get = Request::new("k").header("x-amz-checksum-mode", "ENABLED");
    assert_eq!(
        world.get(get).await.ok().header("x-amz-checksum-crc32"),
        crc
    );

    for (algorithm, kind) in [
        ("SHA256", "FULL_OBJECT"),
        ("CRC64NVME", "COMPOSITE"),
        ("MD6", ""),
    ] {
        let create = Request::new("k")
            .header("x-amz-checksum-algorithm", algorithm)
            .header("x-amz-checksum-type", kind);
        uploading
            .create(create)
            .await
            .refused(400, "InvalidRequest");
    }
    // S3 shows none of one part among several, and lists none.
    let part = Request::new("k").header("x-amz-checksum-mode", "ENABLED");
    let part = world.get(part.query("partNumber", "1")).await.ok();
    assert!(!part.headers.contains_key("x-amz-checksum-crc32"));
    let request = Request::new("k").header("x-amz-object-attributes", "ObjectParts,Checksum");
    let listed = world.attributes(request).await.ok().text();
    assert_eq!(element(&listed, "PartsCount"), "2");
    assert!(elements(&listed, "PartNumber").is_empty());
}

#[tokio::test]
async fn an_upload_without_a_checksum_takes_none_of_its_parts_and_no_type() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let id = uploading.begin(Request::new("k")).await;
    let sent = parts(&[1_000]);
    let etags = uploading.send(&Request::new("k"), &id, &sent).await;
    let sum = STANDARD.encode(Sha256::digest(&sent[0].1));
    let with_sum = document(&etags).replace(
        "</Part>",
        &format!("<ChecksumSHA256>{sum}</ChecksumSHA256></Part>"),
    );
    let error = uploading
        .finish(&id, with_sum)
        .await
        .refused(400, "InvalidPart");
    assert!(error.details().iter().any(|it| it.0 == "UploadId"));
    for kind in ["FULL_OBJECT", "COMPOSITE"] {
        let typed = Request::new("k").header("x-amz-checksum-type", kind);
        let error = uploading
            .complete(typed, &id, &etags)
            .await
            .refused(400, "InvalidRequest");
        assert!(
            error.message().contains("using the null checksum mode"),
            "{kind}"
        );
    }
    // One of the whole, by another algorithm than S3's own choice, is not compared.
    let other = Request::new("k").header("x-amz-checksum-crc32c", "AAAAAA==-2");
    uploading.complete(other, &id, &etags).await.ok();
}

#[tokio::test]
async fn the_checksum_of_a_part_by_another_algorithm_than_its_uploads_is_refused() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let create = Request::new("k").header("x-amz-checksum-algorithm", "CRC32");
    let id = uploading.begin(create).await;
    let sent = parts(&[3]);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &sent[0].1);
    let crc = STANDARD.encode(u32::try_from(crc).unwrap().to_be_bytes());
    let part = Request::new("k").header("x-amz-checksum-crc32", &crc);
    let etags = uploading.send(&part, &id, &sent).await;
    let sum = STANDARD.encode(Sha256::digest(&sent[0].1));
    let with_sum = document(&etags).replace(
        "</Part>",
        &format!("<ChecksumSHA256>{sum}</ChecksumSHA256></Part>"),
    );
    let error = uploading
        .finish(&id, with_sum)
        .await
        .refused(400, "BadDigest");
    let message = "The sha256 you specified for part 1 did not match what we received.";
    assert_eq!(error.message(), message);
}

#[tokio::test]
async fn uploads_are_listed_with_the_checksums_that_their_clients_chose() {
    let world = World::start().await;
    world.create_bucket(BUCKET).await;
    for (key, algorithm) in [("a b", "CRC32C"), ("c", "")] {
        let create = Draft::new(Method::POST, BUCKET, key).query("uploads", "");
        let create = match algorithm {
            "" => create,
            algorithm => create.header("x-amz-checksum-algorithm", algorithm),
        };
        assert_eq!(world.send(create).await.status(), 200);
    }
    let list = Draft::new(Method::GET, BUCKET, "").query("uploads", "");
    for list in [list.clone(), list.query("encoding-type", "url")] {
        let answer = world.send(list).await;
        let text = String::from_utf8_lossy(answer.body());
        assert_eq!(elements(&text, "ChecksumAlgorithm"), ["CRC32C"], "{text}");
        assert_eq!(elements(&text, "ChecksumType"), ["COMPOSITE"], "{text}");
    }
}

#[tokio::test]
async fn the_digest_that_a_part_does_not_have_is_shown_in_base64() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let id = uploading.begin(Request::new("k")).await;
    let md5 = STANDARD.encode(md5::Md5::digest("other"));
    let part = Request::new("k").header("content-md5", &md5);
    let answer = uploading
        .part(part, &id, 1, Bytes::from_static(b"body"))
        .await;
    let error = answer.refused(400, "BadDigest");
    assert_eq!(error.details()[0], ("ExpectedDigest", md5));
}
