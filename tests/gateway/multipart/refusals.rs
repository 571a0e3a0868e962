//! What is refused of uploads, what was tampered with, and what the backend and the KMS get to see.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use md5::Digest as _;
use tests::backend::Action;
use tests::backend::Fault;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::CUSTOMER_KEY;
use crate::multipart::MIB;
use crate::multipart::element;
use crate::multipart::elements;
use crate::multipart::expect_object;
use crate::multipart::joined;
use crate::multipart::modes;
use crate::multipart::parts;

const SSE: &str = "x-amz-server-side-encryption";

#[tokio::test]
async fn lists_of_parts_that_do_not_fit_are_refused_as_by_aws() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let request = Request::new("k");
    let id = uploading.begin(request.clone()).await;
    let sent = parts(&[5 * MIB - 1, 5 * MIB, 10]);
    let etags = uploading.send(&request, &id, &sent).await;
    let pick =
        |numbers: &[usize]| -> Vec<_> { numbers.iter().map(|at| etags[*at].clone()).collect() };
    let mut unknown = pick(&[1, 2]);
    unknown.push((4, etags[0].1.clone()));
    let mut other = pick(&[1, 2]);
    other[1].1 = etags[0].1.clone();
    for (listed, code) in [
        (vec![], "MalformedXML"),
        (pick(&[0, 1]), "EntityTooSmall"),
        (pick(&[1, 0]), "InvalidPartOrder"),
        (pick(&[1, 1]), "InvalidPartOrder"),
        (unknown, "InvalidPart"),
        (other, "InvalidPart"),
        (vec![(0, "x".to_owned())], "InvalidArgument"),
        (vec![(10_001, "x".to_owned())], "InvalidArgument"),
    ] {
        uploading
            .complete(request.clone(), &id, &listed)
            .await
            .refused(400, code);
    }
    assert!(world.backend.object(BUCKET, "k").is_none());
    // After all that the upload is what it was.
    uploading.complete(request, &id, &pick(&[1, 2])).await.ok();
    expect_object(
        &world,
        "k",
        |request| request,
        &[sent[1].clone(), sent[2].clone()],
    )
    .await;
}

#[tokio::test]
async fn a_part_needs_a_number_a_length_and_an_upload() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let id = uploading.begin(Request::new("k")).await;
    for number in [0, 10_001] {
        uploading
            .part(Request::new("k"), &id, number, content(1))
            .await
            .refused(400, "InvalidArgument");
    }
    let mut long = Request::new("k");
    long.length = Some((5 << 30) + 1);
    uploading
        .part(long, &id, 1, content(1))
        .await
        .refused(400, "EntityTooLarge");
    uploading
        .part(Request::new("k"), "no such id", 1, content(1))
        .await
        .refused(404, "NoSuchUpload");
    let wrong = STANDARD.encode(md5::Md5::digest(b"other"));
    uploading
        .part(
            Request::new("k").header("content-md5", &wrong),
            &id,
            1,
            content(9 * MIB),
        )
        .await
        .refused(400, "BadDigest");
    assert!(world.backend.uploads()[&id].parts.is_empty());
}

#[tokio::test]
async fn each_part_of_an_upload_under_a_customer_key_needs_that_key() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let with = |key: &[u8]| Request::new("k").customer_key(key);
    let id = uploading.begin(with(&CUSTOMER_KEY)).await;
    let missing = uploading.part(Request::new("k"), &id, 1, content(1)).await;
    let error = missing.refused(400, "InvalidRequest");
    assert!(
        error
            .message()
            .starts_with("The multipart upload initiate requested")
    );
    let other = uploading.part(with(&[7; 32]), &id, 1, content(1)).await;
    let error = other.refused(400, "InvalidRequest");
    assert!(
        error
            .message()
            .contains("did not match the ones used originally")
    );

    let plain = uploading.begin(Request::new("k")).await;
    let extra = uploading
        .part(with(&CUSTOMER_KEY), &plain, 1, content(1))
        .await;
    let error = extra.refused(400, "InvalidRequest");
    assert!(
        error
            .message()
            .starts_with("The multipart upload initiate requested")
    );

    // Completing needs it not, as at AWS.
    let sent = parts(&[5 * MIB, 3]);
    let etags = uploading.send(&with(&CUSTOMER_KEY), &id, &sent).await;
    uploading
        .complete(Request::new("k"), &id, &etags)
        .await
        .ok();
    expect_object(
        &world,
        "k",
        |request| request.customer_key(&CUSTOMER_KEY),
        &sent,
    )
    .await;
    world
        .get(Request::new("k"))
        .await
        .refused(400, "InvalidRequest");
    world.get(with(&[7; 32])).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn the_kms_is_called_for_uploads_as_aws_calls_it() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let id = uploading
        .begin(Request::new("k").header(SSE, "aws:kms"))
        .await;
    assert_eq!(world.kms.operations(), ["GenerateDataKey"]);
    let etags = uploading
        .send(&Request::new("k"), &id, &parts(&[5 * MIB, 10]))
        .await;
    assert_eq!(world.kms.operations(), ["Decrypt", "Decrypt"]);
    uploading.parts(Request::new("k"), &id).await.ok();
    assert!(world.kms.operations().is_empty());
    uploading
        .complete(Request::new("k"), &id, &etags)
        .await
        .ok();
    assert_eq!(world.kms.operations(), ["Decrypt"]);
    world.get(Request::new("k")).await.ok();
    assert_eq!(world.kms.operations(), ["Decrypt"]);
    world.another().head(Request::new("k")).await.ok();
    assert!(world.kms.operations().is_empty());
}

#[tokio::test]
async fn completing_again_after_a_lost_answer_finds_the_object() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let sent = parts(&[5 * MIB, 9]);
    for (mode, create, later) in modes() {
        let request = later(Request::new(mode));
        let id = uploading.begin(create(Request::new(mode))).await;
        let etags = uploading.send(&request, &id, &sent).await;
        let first = uploading.complete(request.clone(), &id, &etags).await.ok();
        let again = uploading.complete(request.clone(), &id, &etags).await.ok();
        assert_eq!(first.text(), again.text(), "{mode}");
        // Not with other parts, and not once the object is another one.
        uploading
            .complete(request.clone(), &id, &etags[1..])
            .await
            .refused(404, "NoSuchUpload");
        world.put(request.clone().body(content(5))).await.ok();
        uploading
            .complete(request, &id, &etags)
            .await
            .refused(404, "NoSuchUpload");
    }
}

#[tokio::test]
async fn what_fails_on_the_way_can_be_tried_again() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    for (key, sizes) in [("kept", [5 * MIB, 9]), ("extra", [5 * MIB, 5 * MIB])] {
        let sent = parts(&sizes);
        let request = Request::new(key);
        let id = uploading.begin(request.clone()).await;
        let etags = uploading.send(&request, &id, &sent).await;
        for method in [Method::PUT, Method::POST] {
            let refuse = Action::RefuseAfterBody(500, "InternalError");
            world
                .backend
                .inject(Fault::on_path(method.clone(), "/bucket/", refuse));
            let answer = uploading.complete(request.clone(), &id, &etags).await;
            assert!(answer.error.is_some(), "{key} {method}");
            world.backend.heal();
            assert!(world.backend.object(BUCKET, key).is_none());
            let listed = uploading.parts(request.clone(), &id).await.ok().text();
            let sizes: Vec<_> = sent
                .iter()
                .map(|(_, body)| body.len().to_string())
                .collect();
            assert_eq!(elements(&listed, "Size"), sizes, "{key} {method}");
        }
        // The backend has it, and its answer is lost.
        let lost = Fault::on_path(Method::POST, "/bucket/", Action::DropAfterCommit);
        world.backend.inject(lost);
        let another = world.another();
        another
            .uploading()
            .complete(request, &id, &etags)
            .await
            .ok();
        world.backend.heal();
        expect_object(&world, key, |request| request, &sent).await;
    }
}

#[tokio::test]
async fn nothing_of_an_upload_but_its_sizes_is_seen_at_the_backend() {
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB, 4_000]);
    for (mode, create, later) in modes() {
        let request = later(Request::new(mode));
        let (_, _, done) = world
            .uploading()
            .upload(create(Request::new(mode)), &request, &sent)
            .await;
        world.get(request).await.ok();
        let mut canaries = vec![
            CUSTOMER_KEY.to_vec(),
            STANDARD.encode(CUSTOMER_KEY).into_bytes(),
            STANDARD.encode(md5::Md5::digest(CUSTOMER_KEY)).into_bytes(),
        ];
        if mode == "SSE-S3" {
            let etag = element(&done.text(), "ETag").replace("&quot;", "");
            canaries.push(etag.as_bytes()[..32].to_vec());
        }
        for (_, body) in &sent {
            let digest = md5::Md5::digest(body);
            canaries.push(body[..32].to_vec());
            canaries.push(body[body.len() - 32..].to_vec());
            canaries.push(digest.to_vec());
            canaries.push(hex::encode(digest).into_bytes());
            canaries.push(STANDARD.encode(digest).into_bytes());
        }
        for request in world.backend.requests() {
            let line = format!("{} {} {:?}", request.path, request.query, request.headers);
            for canary in &canaries {
                let shown = memchr(&request.body, canary) || memchr(line.as_bytes(), canary);
                assert!(!shown, "{mode}: {} {}", request.method, request.path);
            }
        }
        world.backend.forget();
    }
}

/// Whether `needle` stands in `hay`; quick enough for a few MiB in a debug build.
fn memchr(hay: &[u8], needle: &[u8]) -> bool {
    let (first, rest) = (needle[0], &needle[1..]);
    let mut hay = hay;
    while let Some(at) = hay.iter().position(|byte| *byte == first) {
        hay = &hay[at + 1..];
        if hay.starts_with(rest) {
            return true;
        }
    }
    false
}

#[allow(clippy::too_many_lines, reason = "one list of cases, read as a table")]
#[tokio::test]
async fn whatever_is_changed_in_an_object_in_parts_is_never_handed_out() {
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB, 5 * MIB, 30_000]);
    let request = Request::new("k");
    world
        .uploading()
        .upload(request.clone(), &request, &sent)
        .await;
    world
        .uploading()
        .upload(Request::new("other"), &Request::new("other"), &sent)
        .await;
    let whole = joined(&sent);
    let good = world.backend.object(BUCKET, "k").unwrap();
    let other = world.backend.object(BUCKET, "other").unwrap();
    let segment = 72 + 5 * MIB + 16 * (5 * MIB / 16_384 + 1);
    let body = good.body.to_vec();
    let end = body.len();
    let cut = |from: usize, to: usize| body[from..to].to_vec();
    let mut bad: Vec<(String, Vec<u8>)> = vec![
        (
            "parts swapped".into(),
            [
                cut(segment, 2 * segment),
                cut(0, segment),
                cut(2 * segment, end),
            ]
            .concat(),
        ),
        (
            "part twice".into(),
            [cut(0, segment), cut(0, segment), cut(2 * segment, end)].concat(),
        ),
        ("first part gone".into(), cut(segment, end)),
        (
            "middle part gone".into(),
            [cut(0, segment), cut(2 * segment, end)].concat(),
        ),
        ("footer gone".into(), cut(0, end - 600)),
        ("tail gone".into(), cut(0, end - 40)),
        ("empty".into(), Vec::new()),
        ("one byte more".into(), [body.clone(), vec![0]].concat()),
        (
            "another upload's footer".into(),
            [cut(0, end - 600), other.body[end - 600..].to_vec()].concat(),
        ),
        (
            "another upload's part".into(),
            [other.body[..segment].to_vec(), cut(segment, end)].concat(),
        ),
    ];
    for at in [
        0,
        9,
        12,
        16,
        40,
        71,
        72,
        72 + 16_384,
        segment - 1,
        segment,
        segment + 20,
        end - 600,
        end - 41,
        end - 40,
        end - 30,
        end - 20,
        end - 9,
        end - 1,
    ] {
        let mut flipped = body.clone();
        flipped[at] ^= 1;
        bad.push((format!("byte {at} of {end}"), flipped));
    }
    for (what, bytes) in bad {
        world
            .backend
            .tamper(BUCKET, "k", |stored| stored.set_body(bytes));
        let fresh = world.another();
        let answer = fresh.get(Request::new("k")).await;
        assert!(answer.error.is_some() || answer.broken, "{what}");
        if answer.error.is_none() {
            assert!(whole.starts_with(&answer.body), "{what}");
        }
        let range = Request::new("k").header("range", "bytes=5242000-5243999");
        let answer = fresh.get(range).await;
        if answer.error.is_none() {
            assert!(
                whole[5_242_000..5_244_000].starts_with(&answer.body),
                "{what}"
            );
        }
    }

    world
        .backend
        .tamper(BUCKET, "k", |stored| stored.set_body(good.body.clone()));
    expect_sealed_again(&world, &whole).await;
    let envelope = other.header("x-amz-meta-sealgate").to_owned();
    world.backend.tamper(BUCKET, "k", |stored| {
        stored.set_header("x-amz-meta-sealgate", &envelope)
    });
    world
        .another()
        .get(Request::new("k"))
        .await
        .refused(500, "InternalError");
}

async fn expect_sealed_again(world: &Direct, whole: &Bytes) {
    assert!(world.another().get(Request::new("k")).await.ok().body == *whole);
}
