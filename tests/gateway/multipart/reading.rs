//! Objects in parts as readers see them: ranges, parts, attributes, copies.

use bytes::Bytes;

use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::MIB;
use crate::multipart::element;
use crate::multipart::elements;
use crate::multipart::joined;
use crate::multipart::numbered;
use crate::multipart::parts;

const SSE: &str = "x-amz-server-side-encryption";

/// An object in parts of awkward sizes, and its bytes.
async fn object(world: &Direct, key: &str, create: fn(Request) -> Request) -> Bytes {
    let sent = parts(&[5 * MIB + 16_384, 5 * MIB + 1, 5 * MIB - 16_384 + 5 * MIB, 7]);
    world
        .uploading()
        .upload(create(Request::new(key)), &Request::new(key), &sent)
        .await;
    joined(&sent)
}

#[tokio::test]
async fn every_range_has_the_bytes_that_the_whole_object_has_there() {
    let world = Direct::start().await;
    let whole = object(&world, "k", |request| request).await;
    let end = whole.len();
    let first = 5 * MIB + 16_384;
    let second = first + 5 * MIB + 1;
    let mut edges = vec![0, 1, 16_383, 16_384, end - 8, end - 7, end - 6, end - 1];
    for border in [first, second] {
        edges.extend([
            border - 16_385,
            border - 1,
            border,
            border + 1,
            border + 16_384,
        ]);
    }
    for from in &edges {
        for to in &edges {
            if from > to || to - from > 6 * MIB {
                continue;
            }
            let range = format!("bytes={from}-{to}");
            let answer = world
                .get(Request::new("k").header("range", &range))
                .await
                .ok();
            assert_eq!(answer.status, 206, "{range}");
            assert!(answer.body == whole[*from..=*to], "{range}");
            let content_range = format!("bytes {from}-{to}/{end}");
            assert_eq!(answer.header("content-range"), content_range);
        }
    }
    for (range, expected) in [
        (format!("bytes={}-", end - 10), end - 10..end),
        (format!("bytes={}-99999999999", end - 10), end - 10..end),
        ("bytes=-7".into(), end - 7..end),
        ("bytes=-8".into(), end - 8..end),
        (format!("bytes=-{}", end + 5), 0..end),
        (format!("bytes=0-{}", end - 1), 0..end),
    ] {
        let answer = world
            .get(Request::new("k").header("range", &range))
            .await
            .ok();
        assert!(answer.body == whole[expected], "{range}");
        assert_eq!(answer.status, 206, "{range}");
    }
    for range in [
        format!("bytes={end}-"),
        format!("bytes={}-", end * 2),
        "bytes=-0".into(),
    ] {
        let answer = world.get(Request::new("k").header("range", &range)).await;
        answer.refused(416, "InvalidRange");
    }
}

#[tokio::test]
async fn a_range_costs_no_more_than_its_chunks_and_the_footer() {
    let world = Direct::start().await;
    let whole = object(&world, "k", |request| request).await;
    world
        .get(Request::new("k").header("range", "bytes=0-0"))
        .await
        .ok();
    world.backend.forget();
    let range = "bytes=6000000-6000009";
    let answer = world
        .get(Request::new("k").header("range", range))
        .await
        .ok();
    assert!(answer.body == whole[6_000_000..=6_000_009]);
    assert!(world.backend.requests().len() <= 2);
}

#[tokio::test]
async fn each_part_can_be_read_by_its_place() {
    let world = Direct::start().await;
    for (key, create) in [
        ("s3", (|request| request) as fn(Request) -> Request),
        ("kms", |request| request.header(SSE, "aws:kms")),
    ] {
        let sent = numbered(&[(2, 5 * MIB + 3), (5, 5 * MIB), (9, 10)]);
        world
            .uploading()
            .upload(create(Request::new(key)), &Request::new(key), &sent)
            .await;
        for (place, (_, body)) in (1..).zip(&sent) {
            let request = Request::new(key).query("partNumber", &format!("{place}"));
            let get = world.get(request.clone()).await.ok();
            assert!(get.body == *body, "{key} {place}");
            let head = world.head(request).await.ok();
            for answer in [&get, &head] {
                assert_eq!(answer.status, 206);
                assert_eq!(answer.header("x-amz-mp-parts-count"), "3");
                assert_eq!(answer.header("content-length"), body.len().to_string());
            }
        }
        let beyond = Request::new(key).query("partNumber", "4");
        world.get(beyond).await.refused(416, "InvalidPartNumber");
    }
}

#[tokio::test]
async fn attributes_count_the_parts_where_the_checksum_is_that_of_all_bytes() {
    let world = Direct::start().await;
    let request = |key: &str| {
        Request::new(key).header(
            "x-amz-object-attributes",
            "ETag,Checksum,ObjectParts,ObjectSize",
        )
    };
    object(&world, "k", |request| request).await;
    let shown = world.attributes(request("k")).await.ok().text();
    assert_eq!(element(&shown, "PartsCount"), "4");
    assert_eq!(elements(&shown, "PartNumber").len(), 0);
    assert_eq!(element(&shown, "ChecksumType"), "FULL_OBJECT");
    let size = (5 * MIB + 16_384) + (5 * MIB + 1) + (10 * MIB - 16_384) + 7;
    assert_eq!(element(&shown, "ObjectSize"), size.to_string());
}

#[tokio::test]
async fn conditions_hold_against_the_etag_that_clients_see() {
    let world = Direct::start().await;
    for (key, create) in [
        ("s3", (|request| request) as fn(Request) -> Request),
        ("kms", |request| request.header(SSE, "aws:kms")),
    ] {
        let sent = parts(&[5 * MIB]);
        world
            .uploading()
            .upload(create(Request::new(key)), &Request::new(key), &sent)
            .await;
        let etag = world
            .head(Request::new(key))
            .await
            .ok()
            .header("etag")
            .to_owned();
        world
            .get(Request::new(key).header("if-match", &etag))
            .await
            .ok();
        world
            .get(Request::new(key).header("if-none-match", &etag))
            .await
            .refused(304, "NotModified");
        world
            .get(Request::new(key).header("if-match", "\"other-1\""))
            .await
            .refused(412, "PreconditionFailed");
        // And of writes.
        world
            .put(
                Request::new(key)
                    .header("if-none-match", "*")
                    .body(content(3)),
            )
            .await
            .refused(412, "PreconditionFailed");
        world
            .put(Request::new(key).header("if-match", &etag).body(content(3)))
            .await
            .ok();
    }
}

#[tokio::test]
async fn an_upload_is_completed_only_if_its_condition_holds() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let sent = parts(&[100]);
    for (name, create) in [
        ("s3", (|request| request) as fn(Request) -> Request),
        ("kms", |request| request.header(SSE, "aws:kms")),
    ] {
        let on = || Request::new(name);
        let put = world.put(create(on()).body(content(9))).await.ok();
        let etag = put.header("etag").to_owned();
        let id = uploading.begin(create(on())).await;
        let etags = uploading.send(&on(), &id, &sent).await;
        for (header, value) in [("if-none-match", "*"), ("if-match", "\"other\"")] {
            let request = on().header(header, value);
            let refused = uploading.complete(request, &id, &etags).await;
            refused.refused(412, "PreconditionFailed");
            assert_eq!(world.get(on()).await.ok().body, content(9));
        }
        // The client can send again what was refused.
        let request = on().header("if-match", &etag);
        uploading.complete(request, &id, &etags).await.ok();
        assert_eq!(world.get(on()).await.ok().body, joined(&sent));

        let missing = || Request::new("new");
        let id = uploading.begin(create(missing())).await;
        let etags = uploading.send(&missing(), &id, &sent).await;
        let refused = uploading.complete(missing().header("if-match", &etag), &id, &etags);
        refused.await.refused(404, "NoSuchKey");
        let request = missing().header("if-none-match", "*");
        uploading.complete(request, &id, &etags).await.ok();
        world.delete(missing()).await.ok();
    }
}

#[tokio::test]
async fn a_conditional_complete_of_a_key_that_changed_since_the_upload_began_is_a_conflict() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let sent = parts(&[100]);
    let on = || Request::new("k");
    let put = || world.put(on().body(content(9)));
    let etag = put().await.ok().header("etag").to_owned();
    let id = uploading.begin(on()).await;
    let etags = uploading.send(&on(), &id, &sent).await;
    // The same content is another write.
    put().await.ok();
    let rewritten = uploading.complete(on().header("if-match", &etag), &id, &etags);
    rewritten.await.refused(409, "ConditionalRequestConflict");
    world.delete(on()).await.ok();
    let deleted = uploading.complete(on().header("if-none-match", "*"), &id, &etags);
    let conflict = deleted.await.refused(409, "ConditionalRequestConflict");
    let details = [("Condition", "If-None-Match"), ("Key", "k")];
    assert_eq!(
        conflict.details(),
        details.map(|(name, value)| (name, value.to_owned()))
    );
    // Without a condition the last one wins.
    uploading.complete(on(), &id, &etags).await.ok();
    assert_eq!(world.get(on()).await.ok().body, joined(&sent));
}

#[tokio::test]
async fn an_object_in_parts_is_copied_to_a_whole_one_and_to_a_part() {
    let world = Direct::start().await;
    let whole = object(&world, "source", |request| request.header(SSE, "aws:kms")).await;
    let source = |key: &str| Request::new(key).header("x-amz-copy-source", "/bucket/source");
    world.copy(source("copy")).await.ok();
    assert!(world.get(Request::new("copy")).await.ok().body == whole);

    let uploading = world.uploading();
    let id = uploading.begin(Request::new("parts")).await;
    let mut etags = Vec::new();
    let ranges = [(0, 6 * MIB - 1), (5 * MIB, 11 * MIB), (3, 3)];
    for (number, (first, last)) in (1..).zip(ranges) {
        let range = format!("bytes={first}-{last}");
        let request = source("parts").header("x-amz-copy-source-range", &range);
        let answer = uploading.part_copy(request, &id, number).await.ok();
        let etag = element(&answer.text(), "ETag").replace("&quot;", "\"");
        etags.push((number, etag));
    }
    uploading
        .complete(Request::new("parts"), &id, &etags)
        .await
        .ok();
    let expected: Vec<u8> = ranges
        .iter()
        .flat_map(|(first, last)| whole[*first..=*last].to_vec())
        .collect();
    assert!(world.get(Request::new("parts")).await.ok().body == expected);
}

#[tokio::test]
async fn a_range_to_copy_lies_within_its_source() {
    let world = Direct::start().await;
    world
        .put(Request::new("source").body(content(100)))
        .await
        .ok();
    let uploading = world.uploading();
    let id = uploading.begin(Request::new("k")).await;
    for (range, code) in [
        ("bytes=0-100", "InvalidArgument"),
        ("bytes=200-300", "InvalidRequest"),
        ("bytes=5-", "InvalidArgument"),
        ("bytes=-5", "InvalidArgument"),
        ("0-5", "InvalidArgument"),
        ("bytes=5-2", "InvalidArgument"),
    ] {
        let request = Request::new("k")
            .header("x-amz-copy-source", "/bucket/source")
            .header("x-amz-copy-source-range", range);
        uploading
            .part_copy(request, &id, 1)
            .await
            .refused(400, code);
    }
    let request = Request::new("k").header("x-amz-copy-source", "/bucket/source");
    uploading.part_copy(request, &id, 1).await.ok();
}
