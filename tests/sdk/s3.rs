//! aws-sdk-s3, which sends trailing checksums over aws-chunked by default.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_sdk_s3::types::ServerSideEncryption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;
use tests::expect::expect_no_canary;
use tests::world::World;

const CANARY: &[u8] = b"canary: this text must never be seen at the backend";
const CUSTOMER_KEY: [u8; 32] = *b"customer-key-canary-0123456789ab";

fn body(length: usize) -> Vec<u8> {
    CANARY.iter().copied().cycle().take(length).collect()
}

fn md5_etag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(md5::Md5::digest(body)))
}

#[tokio::test]
async fn an_object_sealed_under_a_kms_key_goes_in_and_comes_out() {
    let world = World::start().await;
    let (s3, arn) = (world.s3(), world.create_key("alias/demo").await);
    world.create_bucket("demo").await;
    for length in [0, 1, 16_383, 16_384, 16_385, 300_000] {
        let body = body(length);
        let put = s3
            .put_object()
            .bucket("demo")
            .key("k")
            .body(ByteStream::from(body.clone()))
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id("alias/demo")
            .send()
            .await
            .unwrap();
        assert_eq!(put.ssekms_key_id(), Some(arn.as_str()));
        assert_ne!(put.e_tag(), Some(md5_etag(&body).as_str()));
        let got = s3
            .get_object()
            .bucket("demo")
            .key("k")
            .send()
            .await
            .unwrap();
        assert_eq!(got.content_length(), i64::try_from(length).ok());
        assert_eq!(got.e_tag(), put.e_tag());
        assert_eq!(
            got.server_side_encryption(),
            Some(&ServerSideEncryption::AwsKms)
        );
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body);
    }
    expect_no_canary(&world.backend, CANARY);
}

#[tokio::test]
async fn an_object_without_a_wish_is_sealed_by_sse_s3_and_has_its_md5_as_etag() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let body = body(100_000);
    let stream = ByteStream::from(body.clone());
    let put = s3
        .put_object()
        .bucket("demo")
        .key("k")
        .body(stream)
        .send()
        .await
        .unwrap();
    assert_eq!(
        put.server_side_encryption(),
        Some(&ServerSideEncryption::Aes256)
    );
    assert_eq!(put.e_tag(), Some(md5_etag(&body).as_str()));
    let listed = s3.list_objects_v2().bucket("demo").send().await.unwrap();
    let only = listed.contents().first().unwrap();
    assert_eq!((only.size(), only.e_tag()), (Some(100_000), put.e_tag()));
    assert_ne!(
        world.backend.object("demo", "k").unwrap().body.len(),
        body.len()
    );
    expect_no_canary(&world.backend, CANARY);
    expect_no_canary(&world.backend, &body);
}

#[tokio::test]
async fn a_customer_key_opens_what_it_sealed_and_nothing_else_does() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let (key, digest) = (
        STANDARD.encode(CUSTOMER_KEY),
        md5::Md5::digest(CUSTOMER_KEY),
    );
    let digest = STANDARD.encode(digest);
    s3.put_object()
        .bucket("demo")
        .key("k")
        .body(ByteStream::from(body(50_000)))
        .sse_customer_algorithm("AES256")
        .sse_customer_key(&key)
        .sse_customer_key_md5(&digest)
        .send()
        .await
        .unwrap();
    let get = || s3.get_object().bucket("demo").key("k");
    let got = get()
        .sse_customer_algorithm("AES256")
        .sse_customer_key(&key)
        .sse_customer_key_md5(&digest)
        .send()
        .await
        .unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), body(50_000));
    assert_eq!(
        get()
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        400
    );
    let other = [7_u8; 32];
    let refused = get()
        .sse_customer_algorithm("AES256")
        .sse_customer_key(STANDARD.encode(other))
        .sse_customer_key_md5(STANDARD.encode(md5::Md5::digest(other)))
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
    expect_no_canary(&world.backend, &CUSTOMER_KEY);
    expect_no_canary(&world.backend, CANARY);
}

#[tokio::test]
async fn the_sdks_default_checksum_is_kept_and_told() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let stream = ByteStream::from(body(20_000));
    let put = s3
        .put_object()
        .bucket("demo")
        .key("k")
        .body(stream)
        .send()
        .await
        .unwrap();
    let head = s3
        .head_object()
        .bucket("demo")
        .key("k")
        .checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    let told = |crc32: Option<&str>, crc64: Option<&str>| {
        crc32
            .or(crc64)
            .map(str::to_owned)
            .expect("a checksum is told")
    };
    assert_eq!(
        told(put.checksum_crc32(), put.checksum_crc64_nvme()),
        told(head.checksum_crc32(), head.checksum_crc64_nvme()),
    );
    // The SDK checks it against what it reads.
    let got = s3
        .get_object()
        .bucket("demo")
        .key("k")
        .checksum_mode(ChecksumMode::Enabled);
    let got = got.send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), body(20_000));
}

#[tokio::test]
async fn a_disabled_key_shuts_its_objects_and_enabling_opens_them() {
    let world = World::start().await;
    let (s3, kms) = (world.s3(), world.kms());
    let arn = world.create_key("alias/demo").await;
    world.create_bucket("demo").await;
    s3.put_object()
        .bucket("demo")
        .key("k")
        .body(ByteStream::from(body(1_000)))
        .server_side_encryption(ServerSideEncryption::AwsKms)
        .ssekms_key_id(&arn)
        .send()
        .await
        .unwrap();
    let get = || s3.get_object().bucket("demo").key("k").send();
    kms.disable_key().key_id(&arn).send().await.unwrap();
    let refused = get().await.unwrap_err().into_service_error();
    assert_eq!(
        refused.meta().code(),
        Some("KMS.DisabledException"),
        "{refused:?}"
    );
    kms.enable_key().key_id(&arn).send().await.unwrap();
    assert!(get().await.is_ok());
}

#[tokio::test]
async fn plain_http_refuses_kms_keys_and_tls_takes_them() {
    let world = World::start().await;
    world.create_key("alias/demo").await;
    world.create_bucket("demo").await;
    for (client, taken) in [(world.s3_plain(), false), (world.s3(), true)] {
        let put = client
            .put_object()
            .bucket("demo")
            .key("k")
            .body(ByteStream::from(body(10)))
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id("alias/demo");
        assert_eq!(put.send().await.is_ok(), taken);
    }
}
