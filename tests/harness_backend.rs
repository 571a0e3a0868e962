//! The harness's own backend does what S3 does, so that a test against it means something.

use aws_sdk_s3::primitives::ByteStream;
use http::Method;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;
use tests::backend::SECRET_ACCESS_KEY;
use tests::clients;
use tests::clients::Access;

async fn start() -> (Backend, aws_sdk_s3::Client) {
    let backend = Backend::start().await;
    let access = Access::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let client = clients::s3(&backend.endpoint(), &access, None);
    client.create_bucket().bucket("b").send().await.unwrap();
    (backend, client)
}

async fn put(client: &aws_sdk_s3::Client, key: &str, body: &'static [u8]) {
    let request = client
        .put_object()
        .bucket("b")
        .key(key)
        .body(ByteStream::from_static(body));
    let request = request.checksum_sha256(""); // a checksum given: no aws-chunked trailer
    request.send().await.unwrap();
}

#[tokio::test]
async fn what_is_put_is_given_back_and_recorded() {
    let (backend, client) = start().await;
    put(&client, "a key/ü", b"hello").await;
    let got = client
        .get_object()
        .bucket("b")
        .key("a key/ü")
        .send()
        .await
        .unwrap();
    assert_eq!(got.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(
        &got.body.collect().await.unwrap().into_bytes()[..],
        b"hello"
    );
    let puts = backend.requests_on(&Method::PUT, "b", "a key/ü");
    assert!(puts[0].whole);
    assert_eq!(puts[0].body, b"hello");
}

#[tokio::test]
async fn ranges_and_conditions_are_honoured() {
    let (_backend, client) = start().await;
    put(&client, "k", b"0123456789").await;
    let get = || client.get_object().bucket("b").key("k");
    for (range, expected) in [
        ("bytes=2-4", "234"),
        ("bytes=-3", "789"),
        ("bytes=8-", "89"),
    ] {
        let got = get().range(range).send().await.unwrap();
        assert_eq!(
            &got.body.collect().await.unwrap().into_bytes()[..],
            expected.as_bytes()
        );
    }
    assert!(get().range("bytes=10-").send().await.is_err());
    assert!(get().if_match("\"other\"").send().await.is_err());
    let put = client
        .put_object()
        .bucket("b")
        .key("k")
        .if_none_match("*")
        .checksum_sha256("");
    assert!(put.send().await.is_err());
}

#[tokio::test]
async fn listing_groups_pages_and_versions() {
    let (backend, client) = start().await;
    for key in ["a/1", "a/2", "b", "c & d"] {
        put(&client, key, b"x").await;
    }
    let list = || client.list_objects_v2().bucket("b");
    let first = list().delimiter("/").max_keys(1).send().await.unwrap();
    assert_eq!(first.common_prefixes()[0].prefix(), Some("a/"));
    let token = first.next_continuation_token().unwrap();
    let second = list()
        .delimiter("/")
        .continuation_token(token)
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = second.contents().iter().filter_map(|o| o.key()).collect();
    assert_eq!(keys, ["b", "c & d"]);

    let on = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled);
    let versioning = client.put_bucket_versioning().bucket("b");
    versioning
        .versioning_configuration(on.build())
        .send()
        .await
        .unwrap();
    put(&client, "b", b"y").await;
    client
        .delete_object()
        .bucket("b")
        .key("b")
        .send()
        .await
        .unwrap();
    assert_eq!(backend.versions("b", "b").len(), 3);
    let all = client
        .list_object_versions()
        .bucket("b")
        .prefix("b")
        .send()
        .await
        .unwrap();
    assert_eq!((all.versions().len(), all.delete_markers().len()), (2, 1));
}

#[tokio::test]
async fn faults_strike_as_told_and_end() {
    let (backend, client) = start().await;
    put(&client, "k", b"0123456789").await;
    let get = || client.get_object().bucket("b").key("k").send();
    backend.inject(Fault::on_path(Method::GET, "/k", Action::Flip(0)).times(1));
    assert_eq!(
        &get()
            .await
            .unwrap()
            .body
            .collect()
            .await
            .unwrap()
            .into_bytes()[..],
        b"1123456789"
    );
    backend.inject(Fault::on_path(Method::GET, "/k", Action::BreakAfter(4)).times(1));
    assert!(get().await.unwrap().body.collect().await.is_err());
    backend.inject(Fault::always(Action::Refuse(503, "SlowDown")).times(1));
    assert!(get().await.is_err());
    backend.inject(Fault::always(Action::Drop).times(1));
    assert!(get().await.is_err());
    assert!(get().await.is_ok());
}
