//! Presigned URLs in every mode, and what the holder of a presigned write may not do with it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest as _;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

use crate::direct::content;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// What a write sends along, and what a read of what it wrote does.
type Mode = (Vec<(String, String)>, Vec<(String, String)>);

fn modes() -> Vec<Mode> {
    let own = |pairs: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect::<Vec<_>>()
    };
    let key = [5; 32];
    let customer = own(&[
        (&format!("{SSE}-customer-algorithm"), "AES256"),
        (&format!("{SSE}-customer-key"), &STANDARD.encode(key)),
        (
            &format!("{SSE}-customer-key-md5"),
            &STANDARD.encode(md5::Md5::digest(key)),
        ),
    ]);
    let kms = [(SSE, "aws:kms"), (KEY_ID, "alias/signed")];
    vec![
        (own(&[]), own(&[])),
        (own(&[(SSE, "AES256")]), own(&[])),
        (own(&kms), own(&[])),
        (own(&[kms[0], kms[1], (SWITCH, "true")]), own(&[])),
        (own(&[(SSE, "aws:kms:dsse"), kms[1]]), own(&[])),
        (customer.clone(), customer),
    ]
}

async fn world() -> World {
    let world = World::start().await;
    world.create_bucket("demo").await;
    world.create_key("alias/signed").await;
    world
}

fn with(draft: Draft, headers: &[(String, String)]) -> Draft {
    let add = |draft: Draft, (name, value): &(String, String)| draft.header(name, value);
    headers.iter().fold(draft, add)
}

fn presign(world: &World, draft: Draft) -> Signed {
    let host = world.tls_target().address.to_string();
    draft.presign(&world.main, world.now(), &host, Duration::from_secs(60))
}

async fn send(world: &World, request: &Signed) -> Response<Bytes> {
    request.send(&world.tls_target()).await.unwrap()
}

#[tokio::test]
async fn a_presigned_url_writes_and_reads_in_each_mode() {
    let world = world().await;
    for (write, read) in modes() {
        for bytes in [20, 400_000] {
            let body = content(bytes);
            let put = Draft::new(Method::PUT, "demo", "k").body(body.clone());
            let put = send(&world, &presign(&world, with(put, &write))).await;
            assert_eq!(put.status(), 200, "{write:?}: {:?}", put.body());
            let stored = world.backend.object("demo", "k").unwrap();
            assert_eq!(&stored.body[..8], b"sealgate");
            for (method, expected) in [(Method::GET, &body[..]), (Method::HEAD, &[])] {
                let get = with(Draft::new(method, "demo", "k"), &read);
                let got = send(&world, &presign(&world, get)).await;
                assert_eq!((got.status().as_u16(), &got.body()[..]), (200, expected));
            }
            let range = with(Draft::new(Method::GET, "demo", "k"), &read);
            let range = send(&world, &presign(&world, range.header("range", "bytes=3-9"))).await;
            assert_eq!(range.body()[..], body[3..10]);
        }
    }
}

#[tokio::test]
async fn a_part_is_sent_by_a_presigned_url_in_each_mode() {
    let world = world().await;
    for (write, read) in modes() {
        let create = Draft::new(Method::POST, "demo", "k").query("uploads", "");
        let created = world.send_tls(with(create, &write)).await;
        let document = String::from_utf8(created.body().to_vec()).unwrap();
        let id = document.split("<UploadId>").nth(1).unwrap();
        let id = id.split("</UploadId>").next().unwrap();
        let part = |number: &str| {
            let part = Draft::new(Method::PUT, "demo", "k");
            with(
                part.query("partNumber", number).query("uploadId", id),
                &read,
            )
        };
        let mut listed = String::new();
        let bodies = [content(5 << 20), content(77)];
        for (number, body) in ["1", "2"].into_iter().zip(&bodies) {
            let sent = send(&world, &presign(&world, part(number).body(body.clone()))).await;
            assert_eq!(sent.status(), 200, "{write:?}: {:?}", sent.body());
            let etag = sent.headers()["etag"].to_str().unwrap();
            listed += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        let complete = Draft::new(Method::POST, "demo", "k").query("uploadId", id);
        let document = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
        let completed = world.send_tls(with(complete, &read).body(document)).await;
        assert_eq!(completed.status(), 200, "{:?}", completed.body());
        let get = with(Draft::new(Method::GET, "demo", "k"), &read);
        let got = send(&world, &presign(&world, get)).await;
        assert_eq!(got.body()[..], bodies.concat()[..]);
    }
}

#[tokio::test]
async fn a_presigned_write_gets_the_encryption_it_was_signed_for_and_no_other() {
    let world = world().await;
    let draft = Draft::new(Method::PUT, "demo", "k").body("hello");
    let signed = presign(&world, draft.clone().header(SSE, "aws:kms"));
    let mut without = signed.clone();
    without.headers.remove(SSE);
    let mut other = signed.clone();
    other.headers.insert(SSE, "AES256".parse().unwrap());
    let mut more = presign(&world, draft);
    more.headers.insert(SSE, "AES256".parse().unwrap());
    for request in [without, other, more] {
        assert_eq!(send(&world, &request).await.status(), 403);
    }
    assert!(world.backend.object("demo", "k").is_none());
    let answer = send(&world, &signed).await;
    assert_eq!(answer.headers()[SSE], "aws:kms");
}

/// The SDK for JavaScript computes the checksum before there is a body.
#[tokio::test]
async fn a_checksum_in_the_query_of_a_presigned_write_is_not_compared_with_the_body() {
    let world = world().await;
    let put = Draft::new(Method::PUT, "demo", "k").body("hello");
    let put = put
        .query("x-amz-checksum-crc32", "AAAAAA==")
        .query("x-amz-sdk-checksum-algorithm", "CRC32");
    assert_eq!(send(&world, &presign(&world, put)).await.status(), 200);
    let get = Draft::new(Method::GET, "demo", "k").header("x-amz-checksum-mode", "ENABLED");
    let got = send(&world, &presign(&world, get)).await;
    assert_eq!(got.body(), "hello");
    // S3's own choice, of the body that came.
    assert!(!got.headers().contains_key("x-amz-checksum-crc32"));
    // As a header it is a claim.
    let wrong = Draft::new(Method::PUT, "demo", "k").body("hello");
    let wrong = wrong.header("x-amz-checksum-crc32", "AAAAAA==");
    assert_eq!(send(&world, &presign(&world, wrong)).await.status(), 400);
}
