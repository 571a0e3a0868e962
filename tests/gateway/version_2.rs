//! Signature Version 2 in each mode: SSE-S3 and SSE-C work, KMS keys need Version 4, as at AWS.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest as _;
use serde_json::json;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

async fn world() -> World {
    let world = World::start().await;
    world.create_bucket("demo").await;
    world.create_key("alias/signed").await;
    world
}

/// Both ways to sign a request.
fn both(world: &World, draft: &Draft) -> [Signed; 2] {
    let host = world.tls_target().address.to_string();
    let expires = world.now().plus(Duration::from_secs(60));
    [
        draft
            .clone()
            .sign_version_2(&world.main, world.now(), &host),
        draft.clone().presign_version_2(&world.main, &host, expires),
    ]
}

async fn send(world: &World, request: &Signed) -> Response<Bytes> {
    request.send(&world.tls_target()).await.unwrap()
}

fn customer_key(draft: Draft) -> Draft {
    let key = [5; 32];
    draft
        .header(&format!("{SSE}-customer-algorithm"), "AES256")
        .header(&format!("{SSE}-customer-key"), &STANDARD.encode(key))
        .header(
            &format!("{SSE}-customer-key-md5"),
            &STANDARD.encode(md5::Md5::digest(key)),
        )
}

async fn refuse_for_kms(world: &World, draft: Draft) {
    for request in both(world, &draft) {
        let response = send(world, &request).await;
        assert_eq!(response.status(), 400, "{request:?}");
        if request.method != Method::HEAD {
            expect_s3_error(&response, "InvalidArgument", 400);
            let text = String::from_utf8_lossy(response.body());
            assert!(text.contains("require AWS Signature Version 4."), "{text}");
        }
    }
}

#[tokio::test]
async fn version_2_writes_and_reads_what_has_no_kms_key() {
    let world = world().await;
    let plain = |draft: Draft| draft;
    for mode in [plain, customer_key] {
        let put = mode(Draft::new(Method::PUT, "demo", "a key/é").header("x-amz-meta-a", "b"));
        for request in both(
            &world,
            &put.header("content-type", "text/plain").body("hello"),
        ) {
            let put = send(&world, &request).await;
            assert_eq!(put.status(), 200, "{:?}", put.body());
            let stored = world.backend.object("demo", "a key/é").unwrap();
            assert_eq!(&stored.body[..8], b"sealgate");
        }
        let get = mode(Draft::new(Method::GET, "demo", "a key/é"));
        let get = get.query(
            "response-content-disposition",
            "attachment; filename=\"a&b\"",
        );
        for request in both(&world, &get) {
            let got = send(&world, &request).await;
            assert_eq!(got.body()[..], b"hello"[..]);
            assert_eq!(got.headers()["x-amz-meta-a"], "b");
            assert_eq!(got.headers()["content-type"], "text/plain");
            assert_eq!(
                got.headers()["content-disposition"],
                "attachment; filename=\"a&b\""
            );
        }
    }
}

/// boto3 writes the headers that it signed into the URL.
#[tokio::test]
async fn a_url_of_version_2_may_contain_the_headers_that_it_signs() {
    let world = world().await;
    let put = Draft::new(Method::PUT, "demo", "k").body("hello");
    let put = put
        .header("x-amz-meta-foo", "bar")
        .header("content-type", "text/plain");
    let [_, mut request] = both(&world, &put);
    request.headers.remove("x-amz-meta-foo");
    request.query += "&x-amz-meta-foo=bar&content-type=text%2Fplain";
    let put = send(&world, &request).await;
    assert_eq!(put.status(), 200, "{:?}", put.body());
    let head = world.send_tls(Draft::new(Method::HEAD, "demo", "k")).await;
    assert_eq!(head.headers()["x-amz-meta-foo"], "bar");
    assert_eq!(head.headers()["content-type"], "text/plain");

    request
        .headers
        .insert("content-type", "text/html".parse().unwrap());
    expect_s3_error(&send(&world, &request).await, "SignatureDoesNotMatch", 403);
    request
        .headers
        .insert("content-type", "text/plain".parse().unwrap());
    request
        .headers
        .insert("x-amz-meta-wrong", "w".parse().unwrap());
    expect_s3_error(&send(&world, &request).await, "SignatureDoesNotMatch", 403);
}

#[tokio::test]
async fn kms_keys_need_version_4_for_writes_and_reads() {
    let world = world().await;
    for algorithm in ["aws:kms", "aws:kms:dsse"] {
        let sse = |draft: Draft| draft.header(SSE, algorithm).header(KEY_ID, "alias/signed");
        let put = sse(Draft::new(Method::PUT, "demo", "k").body("hello"));
        refuse_for_kms(&world, put.clone()).await;
        assert!(world.backend.object("demo", "k").is_none());
        let create = sse(Draft::new(Method::POST, "demo", "k").query("uploads", ""));
        refuse_for_kms(&world, create).await;

        assert_eq!(world.send_tls(put).await.status(), 200);
        for method in [Method::GET, Method::HEAD] {
            refuse_for_kms(&world, Draft::new(method, "demo", "k")).await;
        }
        let copy = Draft::new(Method::PUT, "demo", "copy").header("x-amz-copy-source", "demo/k");
        refuse_for_kms(&world, copy).await;
        assert!(world.backend.object("demo", "copy").is_none());
        let deleted = world
            .send_tls(Draft::new(Method::DELETE, "demo", "k"))
            .await;
        assert_eq!(deleted.status(), 204);
    }
}

#[tokio::test]
async fn a_default_of_kms_needs_version_4_and_so_does_a_form() {
    let world = world().await;
    let document = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
        <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/signed</KMSMasterKeyID>\
        </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    let form = Form::new("demo", "form", "hello");
    let target = world.tls_target();
    let host = target.address.to_string();
    let fields = form.fields_of_version_2(&world.main, world.now());
    let plain = form.request(&fields, &host).send(&target).await.unwrap();
    assert_eq!(plain.status(), 204, "{:?}", plain.body());
    let named = form.clone().field(SSE, "aws:kms");
    let named_fields = named.fields_of_version_2(&world.main, world.now());
    let named = named.request(&named_fields, &host).send(&target).await;
    expect_s3_error(&named.unwrap(), "InvalidArgument", 400);

    let default = Draft::new(Method::PUT, "demo", "").query("encryption", "");
    assert_eq!(world.send_tls(default.body(document)).await.status(), 200);
    refuse_for_kms(&world, Draft::new(Method::PUT, "demo", "k").body("hello")).await;
    let by_default = form.request(&fields, &host).send(&target).await.unwrap();
    expect_s3_error(&by_default, "InvalidArgument", 400);
}

#[tokio::test]
async fn a_policy_may_refuse_version_2() {
    let world = world().await;
    let statements = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::demo/*",
            "Condition": {"StringEquals": {"s3:signatureversion": "AWS"}}
        }]
    });
    let put = Draft::new(Method::PUT, "demo", "").query("policy", "");
    let set = world.send_tls(put.body(statements.to_string())).await;
    assert!(set.status().is_success(), "{:?}", set.body());
    let put = Draft::new(Method::PUT, "demo", "k").body("hello");
    for request in both(&world, &put) {
        expect_s3_error(&send(&world, &request).await, "AccessDenied", 403);
    }
    let target = world.tls_target();
    let host = target.address.to_string();
    let form = Form::new("demo", "form", "hello");
    let fields = form.fields_of_version_2(&world.main, world.now());
    let posted = form.request(&fields, &host).send(&target).await.unwrap();
    expect_s3_error(&posted, "AccessDenied", 403);
    assert_eq!(world.send_tls(put).await.status(), 200);
}

/// The age is that of a presigned URL of Version 4; the others do not contain when they were signed.
#[tokio::test]
async fn a_policy_may_limit_the_age_of_presigned_urls() {
    let world = world().await;
    let statements = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::demo/*",
            "Condition": {"NumericGreaterThan": {"s3:signatureAge": "60000"}}
        }]
    });
    let put = Draft::new(Method::PUT, "demo", "").query("policy", "");
    let set = world.send_tls(put.body(statements.to_string())).await;
    assert!(set.status().is_success(), "{:?}", set.body());
    let host = world.tls_target().address.to_string();
    let put = Draft::new(Method::PUT, "demo", "k").body("hello");
    let hour = Duration::from_secs(3_600);
    for (age, status) in [(30, 200), (90, 403)] {
        let signed_at = world.now().minus(Duration::from_secs(age));
        let request = put.clone().presign(&world.main, signed_at, &host, hour);
        assert_eq!(send(&world, &request).await.status(), status, "{age}");
    }
    for request in both(&world, &put) {
        assert_eq!(send(&world, &request).await.status(), 200);
    }
}
