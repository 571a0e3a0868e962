//! Browsers' forms: sealed like any other object, under a policy that allows every field of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest as _;
use serde_json::json;
use tests::expect::expect_no_canary;
use tests::expect::expect_s3_error;
use tests::form::BOUNDARY;
use tests::form::Form;
use tests::signed::Draft;
use tests::world::World;

use crate::direct::content;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

async fn world() -> World {
    let world = World::start().await;
    world.create_bucket("demo").await;
    world
}

async fn post(world: &World, form: &Form) -> Response<Bytes> {
    let target = world.tls_target();
    let host = target.address.to_string();
    let request = form.sign(&world.main, world.now(), &host);
    request.send(&target).await.unwrap()
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn read(world: &World, key: &str) -> Response<Bytes> {
    world.send_tls(Draft::new(Method::GET, "demo", key)).await
}

/// SSE-C headers or fields.
fn customer_key() -> [(String, String); 3] {
    let key = [9; 32];
    let name = |end: &str| format!("{SSE}-customer-{end}");
    [
        (name("algorithm"), "AES256".to_owned()),
        (name("key"), STANDARD.encode(key)),
        (name("key-MD5"), STANDARD.encode(md5::Md5::digest(key))),
    ]
}

#[tokio::test]
async fn a_form_is_sealed_in_each_mode_and_comes_back() {
    let world = world().await;
    let key_arn = world.create_key("alias/form").await;
    let canary = b"canary-of-a-form-3b9d1e";
    // The largest does not fit in memory.
    for bytes in [0, 30, 200_000, 3_000_000] {
        let mut file = content(bytes).to_vec();
        file.extend(canary);
        for mode in ["", "AES256", "aws:kms", "aws:kms:dsse", "SSE-C"] {
            let mut form = Form::new("demo", "a/k", file.clone());
            form = form
                .field("x-amz-meta-a", "1")
                .field("Content-Type", "text/x");
            let mut get = Draft::new(Method::GET, "demo", "a/k");
            if mode == "SSE-C" {
                for (name, value) in customer_key() {
                    form = form.field(&name, &value);
                    get = get.header(&name, &value);
                }
            } else if !mode.is_empty() {
                form = form.field(SSE, mode);
            }
            if mode.starts_with("aws:kms") {
                form = form.field(KEY_ID, "alias/form");
            }
            let answer = post(&world, &form).await;
            assert_eq!(answer.status(), 204, "{mode}: {:?}", answer.body());
            let shown = if mode.is_empty() { "AES256" } else { mode };
            let shown = if mode == "SSE-C" { "" } else { shown };
            assert_eq!(header(&answer, SSE), shown);
            if mode.starts_with("aws:kms") {
                assert_eq!(header(&answer, KEY_ID), key_arn);
            }
            let md5 = hex::encode(md5::Md5::digest(&file));
            assert_eq!(header(&answer, "etag").contains(&md5), shown == "AES256");
            assert!(header(&answer, "location").ends_with("/demo/a%2Fk"));
            assert!(!header(&answer, "x-amz-checksum-crc64nvme").is_empty());

            let stored = world.backend.object("demo", "a/k").unwrap();
            assert_eq!(&stored.body[..8], b"sealgate");
            let got = world.send_tls(get).await;
            assert_eq!(got.status(), 200);
            assert_eq!(got.body()[..], file[..], "{mode}");
            assert_eq!(header(&got, "x-amz-meta-a"), "1");
            assert_eq!(header(&got, "content-type"), "text/x");
        }
    }
    expect_no_canary(&world.backend, canary);
}

#[tokio::test]
async fn the_buckets_default_encryption_applies_to_forms() {
    let world = world().await;
    world.create_key("alias/form").await;
    let rule = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
        <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/form</KMSMasterKeyID>\
        </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    let put = Draft::new(Method::PUT, "demo", "").query("encryption", "");
    assert_eq!(world.send_tls(put.body(rule)).await.status(), 200);
    let answer = post(&world, &Form::new("demo", "k", "hello")).await;
    assert_eq!(header(&answer, SSE), "aws:kms");
    assert_eq!(header(&read(&world, "k").await, SSE), "aws:kms");
    // Over plain HTTP SSE-KMS is refused, in a form as elsewhere.
    let target = world.target();
    let form = Form::new("demo", "plain", "hello");
    let refused = form.sign(&world.main, world.now(), &world.host());
    let refused = refused.send(&target).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(world.backend.object("demo", "plain").is_none());
}

#[tokio::test]
async fn the_answer_is_the_one_that_the_form_asks_for() {
    let world = world().await;
    for (status, expected) in [("200", 200), ("201", 201), ("204", 204), ("404", 204)] {
        let form = Form::new("demo", "a/\u{e9} k", "hello").field("success_action_status", status);
        let answer = post(&world, &form).await;
        assert_eq!(answer.status(), expected);
        let body = String::from_utf8(answer.body().to_vec()).unwrap();
        assert_eq!(body.is_empty(), expected != 201);
        if expected == 201 {
            assert!(body.contains("<PostResponse><Location>https://"), "{body}");
            assert!(
                body.contains("/demo/a%2F%C3%A9%20k</Location><Bucket>demo</Bucket>"),
                "{body}"
            );
            assert!(
                body.contains("<Key>a/\u{e9} k</Key><ETag>&quot;5d41402abc4b2a76"),
                "{body}"
            );
        }
    }
    for (name, url, expected) in [
        (
            "success_action_redirect",
            "http://other.example/done?q=1",
            "http://other.example/done?q=1&bucket=demo&key=k&etag=%225d41402abc4b2a76b9719d911017c592%22",
        ),
        (
            "redirect",
            "http://other.example/done",
            "http://other.example/done?bucket=demo&key=k&etag=%225d41402abc4b2a76b9719d911017c592%22",
        ),
    ] {
        let form = Form::new("demo", "k", "hello").field(name, url);
        let answer = post(&world, &form.field("success_action_status", "201")).await;
        assert_eq!(answer.status(), 303);
        assert_eq!(header(&answer, "location"), expected);
        assert!(answer.body().is_empty());
    }
    let relative = Form::new("demo", "k", "hello").field("success_action_redirect", "/done");
    assert_eq!(post(&world, &relative).await.status(), 204);
}

#[tokio::test]
async fn the_name_of_the_file_stands_in_for_its_variable() {
    let world = world().await;
    for (file_name, key) in [
        (Some("photo.jpg"), "up/photo.jpg"),
        (Some("C:\\photos\\photo.jpg"), "up/photo.jpg"),
        (Some("/home/me/photo.jpg"), "up/photo.jpg"),
        (Some(""), "up/"),
        (None, "up/${filename}"),
    ] {
        let form = Form::new("demo", "up/${filename}", "hello").without_conditions();
        let form = form
            .condition(json!({"bucket": "demo"}))
            .condition(json!(["starts-with", "$key", "up/"]))
            .field("success_action_status", "201")
            .file_name(file_name);
        let answer = post(&world, &form).await;
        let body = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(body.contains(&format!("<Key>{key}</Key>")), "{body}");
    }
}

#[tokio::test]
async fn fields_are_headers_of_the_object_and_tags_are_a_document() {
    let world = world().await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1 2</Value></Tag></TagSet></Tagging>";
    let form = Form::new("demo", "k", "hello")
        .field("Cache-Control", "no-cache")
        .field("X-Amz-Meta-B", "2")
        .field("tagging", tags)
        .uncovered("x-ignore-me", "anything");
    assert_eq!(post(&world, &form).await.status(), 204);
    let got = read(&world, "k").await;
    assert_eq!(header(&got, "cache-control"), "no-cache");
    assert_eq!(header(&got, "x-amz-meta-b"), "2");
    // Not the type of the form's part.
    assert_eq!(header(&got, "content-type"), "binary/octet-stream");
    let stored = world.backend.object("demo", "k").unwrap();
    let stored = String::from_utf8(stored.tags.unwrap().to_vec()).unwrap();
    assert!(
        stored.contains("<Key>a</Key><Value>1 2</Value>"),
        "{stored}"
    );
    let refused = post(
        &world,
        &Form::new("demo", "k", "x").field("tagging", "not-xml"),
    )
    .await;
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_checksum_in_a_form_is_verified() {
    let world = world().await;
    let sum = |text: &str| STANDARD.encode(sha2::Sha256::digest(text));
    let form = |file: &str, sum: &str| {
        let form = Form::new("demo", "k", file.to_owned());
        form.field("x-amz-checksum-sha256", sum)
    };
    let wrong = post(&world, &form("hello", &sum("other"))).await;
    assert_eq!(wrong.status(), 400);
    assert!(world.backend.object("demo", "k").is_none());
    let right = post(&world, &form("hello", &sum("hello"))).await;
    assert_eq!(header(&right, "x-amz-checksum-sha256"), sum("hello"));
}

#[tokio::test]
async fn what_follows_a_small_file_is_ignored_and_a_large_one_is_the_last() {
    let world = world().await;
    let after = format!(
        "\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n--{BOUNDARY}--\r\n"
    );
    for end in [after.as_bytes(), b"--", b"--\r\nepilogue", b"--\r\n"] {
        let small = Form::new("demo", "small", "hello").after(end.to_vec());
        assert_eq!(post(&world, &small).await.status(), 204);
        assert_eq!(read(&world, "small").await.body(), "hello");
        let large = Form::new("demo", "large", content(1_000_000)).after(end.to_vec());
        let answer = post(&world, &large).await;
        if end == b"--\r\n" {
            assert_eq!(answer.status(), 204);
            continue;
        }
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(answer.status(), 400, "{body}");
        assert!(body.contains("MalformedPOSTRequest"), "{body}");
        assert!(world.backend.object("demo", "large").is_none());
    }
}

#[tokio::test]
async fn a_file_that_looks_like_a_delimiter_comes_back_as_it_is() {
    let world = world().await;
    let near = [
        format!("\r\n--{}", &BOUNDARY[..BOUNDARY.len() - 1]),
        format!("--{BOUNDARY}"),
        "\r\n".to_owned(),
        "\r".to_owned(),
        format!("\n--{BOUNDARY}\r\n"),
    ];
    for text in near {
        for repeated in [1, 40_000] {
            let file = text.repeat(repeated);
            let answer = post(&world, &Form::new("demo", "k", file.clone())).await;
            assert_eq!(answer.status(), 204, "{text:?}");
            assert_eq!(*read(&world, "k").await.body(), file);
        }
    }
}

#[tokio::test]
async fn a_bucket_policy_decides_on_forms_by_the_fields_they_carry() {
    let world = world().await;
    let target = world.tls_target();
    let host = target.address.to_string();
    let anonymous = |form: Form| {
        let fields = form.signed_fields(&world.main, world.now());
        let signed = [
            "policy",
            "x-amz-signature",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-algorithm",
        ];
        let kept = fields
            .iter()
            .filter(|(name, _)| !signed.contains(&name.as_str()));
        let kept: Vec<_> = kept.cloned().collect();
        form.request(&kept, &host)
    };
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let plain = Form::new("demo", "open/k", "hello");
    let tagged = plain.clone().field("tagging", tags);
    let closed = Form::new("demo", "closed/k", "hello");
    let refused = anonymous(plain.clone()).send(&target).await.unwrap();
    assert_eq!(refused.status(), 403);

    let statements = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::demo/open/*"
            },
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObjectTagging",
                "Resource": "arn:aws:s3:::demo/*"
            }
        ]
    });
    let put = Draft::new(Method::PUT, "demo", "").query("policy", "");
    let set = world.send_tls(put.body(statements.to_string())).await;
    assert!(set.status().is_success(), "{:?}", set.body());
    for (request, status) in [
        (anonymous(plain.clone()), 204),
        (anonymous(tagged.clone()), 403),
        (anonymous(closed.clone()), 403),
        (anonymous(plain.clone().field(SSE, "aws:kms")), 400),
        (tagged.sign(&world.main, world.now(), &host), 403),
        (closed.sign(&world.main, world.now(), &host), 204),
    ] {
        let answer = request.send(&target).await.unwrap();
        assert_eq!(answer.status(), status, "{:?}", answer.body());
    }
    let stored = world.backend.object("demo", "open/k").unwrap();
    assert_eq!(&stored.body[..8], b"sealgate");
}

#[tokio::test]
async fn a_form_stores_nothing_under_a_key_that_no_address_can_name() {
    let world = world().await;
    for key in ["a\0b", "\0", "../k"] {
        let answer = post(&world, &Form::new("demo", key, "x")).await;
        expect_s3_error(&answer, "InvalidURI", 400);
    }
    assert!(world.backend.keys("demo").is_empty());
}
