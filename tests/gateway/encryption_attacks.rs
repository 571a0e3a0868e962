//! Attacks on the encryption itself, over every way into a bucket. The names start with the case's id.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest as _;
use tests::backend::Versioning;
use tests::expect::expect_no_canary;
use tests::expect::expect_no_value;
use tests::form::Form;
use tests::signed::Draft;
use tests::world::World;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const CANARY: &[u8] = b"canary-of-every-route-7c1f";

async fn world() -> World {
    let world = World::setup()
        .gateway(|config| config.state.fresh_ms = 0)
        .start()
        .await;
    world.create_bucket("demo").await;
    world
}

async fn set_default(world: &World, key: &str) {
    let rule = format!(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
         <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{key}</KMSMasterKeyID>\
         </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    );
    let put = Draft::new(Method::PUT, "demo", "").query("encryption", "");
    assert_eq!(world.send_tls(put.body(rule)).await.status(), 200);
}

async fn get(world: &World, key: &str) -> Response<Bytes> {
    world.send_tls(Draft::new(Method::GET, "demo", key)).await
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

/// Writes an object over one way; the status of the answer that it ended with.
async fn write(world: &World, way: &str, key: &str, headers: &[(&str, &str)]) -> u16 {
    let with = |draft: Draft| {
        let add = |draft: Draft, (name, value): &(&str, &str)| draft.header(name, value);
        headers.iter().fold(draft, add)
    };
    let put = |body: &'static [u8]| with(Draft::new(Method::PUT, "demo", key).body(body));
    let target = world.tls_target();
    let host = target.address.to_string();
    let answer = match way {
        "put" => world.send_tls(put(CANARY)).await,
        "empty" => world.send_tls(put(b"")).await,
        "presigned" => {
            let minute = Duration::from_secs(60);
            let request = put(CANARY).presign(&world.main, world.now(), &host, minute);
            request.send(&target).await.unwrap()
        }
        "copy" => {
            let copy = put(b"").header("x-amz-copy-source", "/demo/source");
            world.send_tls(copy).await
        }
        "form" => {
            let form = Form::new("demo", key, CANARY);
            let form = headers
                .iter()
                .fold(form, |form, (name, value)| form.field(name, value));
            let request = form.sign(&world.main, world.now(), &host);
            request.send(&target).await.unwrap()
        }
        "upload" => {
            let create = with(Draft::new(Method::POST, "demo", key).query("uploads", ""));
            let created = world.send_tls(create).await;
            if created.status() != 200 {
                return created.status().as_u16();
            }
            let document = text(&created);
            let id = document.split("<UploadId>").nth(1).unwrap();
            let id = id.split('<').next().unwrap();
            let part = Draft::new(Method::PUT, "demo", key).body(CANARY);
            let part = part.query("partNumber", "1").query("uploadId", id);
            let sent = world.send_tls(part).await;
            let etag = sent.headers()["etag"].to_str().unwrap().to_owned();
            let listed = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
            let document = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
            let complete = Draft::new(Method::POST, "demo", key).query("uploadId", id);
            world.send_tls(complete.body(document)).await
        }
        other => panic!("there is no way {other}"),
    };
    answer.status().as_u16()
}

const WAYS: [&str; 6] = ["put", "empty", "presigned", "copy", "form", "upload"];

#[tokio::test]
async fn the_default_encryption_applies_on_every_way_in_and_shows_in_the_bytes() {
    let world = world().await;
    let key_arn = world.create_key("alias/default").await;
    assert_eq!(
        write(&world, "put", "source", &[(SSE, "AES256")]).await,
        200
    );
    set_default(&world, "alias/default").await;
    for way in WAYS {
        let status = write(&world, way, way, &[]).await;
        assert!((200..300).contains(&status), "{way}: {status}");
        let stored = world.backend.object("demo", way).unwrap();
        assert_eq!(&stored.body[..8], b"sealgate", "{way}");
        let got = get(&world, way).await;
        let expected = if way == "empty" { &b""[..] } else { CANARY };
        assert_eq!(&got.body()[..], expected, "{way}");
        assert_eq!(got.headers()[SSE], "aws:kms", "{way}");
        assert_eq!(got.headers()[KEY_ID], key_arn.as_str(), "{way}");
    }
    expect_no_canary(&world.backend, CANARY);
}

#[tokio::test]
async fn a_default_encryption_that_cannot_be_read_stops_every_way_in() {
    let world = world().await;
    world.create_key("alias/default").await;
    write(&world, "put", "source", &[]).await;
    set_default(&world, "alias/default").await;
    let state = "sealgate-state";
    let keys = world.backend.keys(state);
    let subject = keys
        .iter()
        .find(|key| key.starts_with("buckets/demo/"))
        .unwrap();
    world.backend.tamper(state, subject, |stored| {
        let mut bytes = stored.body.to_vec();
        bytes[80] ^= 1;
        stored.set_body(bytes);
    });
    for way in WAYS {
        let status = write(&world, way, way, &[]).await;
        assert!(status >= 500, "{way}: {status}");
        assert!(world.backend.object("demo", way).is_none(), "{way}");
    }
    expect_no_canary(&world.backend, CANARY);
}

#[tokio::test]
async fn an_encryption_that_cannot_be_is_refused_on_every_way_in_and_nothing_is_stored() {
    let world = world().await;
    write(&world, "put", "source", &[]).await;
    let disabled = world.create_key("alias/disabled").await;
    world
        .kms()
        .disable_key()
        .key_id(&disabled)
        .send()
        .await
        .unwrap();
    let dying = world.create_key("alias/dying").await;
    let deletion = world.kms().schedule_key_deletion().key_id(&dying);
    deletion.pending_window_in_days(7).send().await.unwrap();
    let foreign = disabled.replace("us-east-1", "eu-west-1");
    let foreign_key = disabled.replace(':', "#").replacen('#', ":", 4);
    let customer = "x-amz-server-side-encryption-customer-algorithm";
    for headers in [
        &[(SSE, "AES192")][..],
        &[(SSE, "aes256")],
        &[(SSE, "AWS:KMS")],
        &[(SSE, "")],
        &[(SSE, "aws:kms:dsse:more")],
        &[(KEY_ID, "alias/disabled")],
        &[(SSE, "AES256"), (KEY_ID, "alias/disabled")],
        &[(SSE, "AES256"), (CONTEXT, "e30=")],
        &[(SSE, "aws:kms"), (CONTEXT, "not base64!")],
        &[(SSE, "aws:kms"), (CONTEXT, "W10=")],
        &[(SSE, "aws:kms"), (customer, "AES256")],
        &[(customer, "AES256")],
        &[(SSE, "aws:kms"), (KEY_ID, "alias/none")],
        &[(SSE, "aws:kms"), (KEY_ID, "alias/disabled")],
        &[(SSE, "aws:kms"), (KEY_ID, "alias/dying")],
        &[(SSE, "aws:kms:dsse"), (KEY_ID, "alias/disabled")],
        &[(SSE, "aws:kms"), (KEY_ID, &foreign)],
        &[(SSE, "aws:kms"), (KEY_ID, &foreign_key)],
    ] {
        for way in WAYS {
            let status = write(&world, way, way, headers).await;
            assert!(
                (400..500).contains(&status),
                "{way} with {headers:?}: {status}"
            );
            assert!(world.backend.object("demo", way).is_none(), "{way}");
        }
    }
    assert!(world.backend.uploads().is_empty());
}

#[tokio::test]
async fn a_customers_key_that_is_none_is_refused_on_every_way_in() {
    let world = world().await;
    write(&world, "put", "source", &[]).await;
    let name = |end: &str| format!("{SSE}-customer-{end}");
    let names = ["algorithm", "key", "key-md5"].map(name);
    let md5 = |key: &[u8]| STANDARD.encode(md5::Md5::digest(key));
    for (algorithm, key, digest) in [
        ("AES256", STANDARD.encode([1; 31]), md5(&[1; 31])),
        ("AES256", STANDARD.encode([1; 33]), md5(&[1; 33])),
        ("AES256", String::new(), md5(&[])),
        ("AES256", "not base64!".to_owned(), md5(&[1; 32])),
        ("AES256", STANDARD.encode([1; 32]), md5(&[2; 32])),
        ("AES256", STANDARD.encode([1; 32]), String::new()),
        ("AES128", STANDARD.encode([1; 32]), md5(&[1; 32])),
        ("", STANDARD.encode([1; 32]), md5(&[1; 32])),
    ] {
        let headers = [
            (names[0].as_str(), algorithm),
            (names[1].as_str(), key.as_str()),
            (names[2].as_str(), digest.as_str()),
        ];
        for way in WAYS {
            let status = write(&world, way, way, &headers).await;
            assert!(
                (400..500).contains(&status),
                "{way} with {algorithm} {key}: {status}"
            );
            assert!(world.backend.object("demo", way).is_none(), "{way}");
        }
    }
    // Never over plain HTTP, whatever the way.
    let good = Form::new("demo", "plain", CANARY)
        .field(&names[0], "AES256")
        .field(&names[1], &STANDARD.encode([1; 32]))
        .field(&names[2], &md5(&[1; 32]));
    let request = good.sign(&world.main, world.now(), &world.host());
    let refused = request.send(&world.target()).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(text(&refused).contains("secure connection"));
    expect_no_value(&world.backend, &[1; 32]);
}

#[tokio::test]
async fn no_digest_of_the_plaintext_is_at_the_backend_whichever_way_it_came() {
    let world = world().await;
    world.create_key("alias/a").await;
    write(&world, "put", "source", &[]).await;
    for (mode, way) in WAYS
        .iter()
        .flat_map(|way| [("AES256", *way), ("aws:kms", *way)])
    {
        let status = write(&world, way, way, &[(SSE, mode)]).await;
        assert!((200..300).contains(&status), "{way}: {status}");
    }
    let sum = STANDARD.encode(sha2::Sha256::digest(CANARY));
    let form = Form::new("demo", "summed", CANARY).field("x-amz-checksum-sha256", &sum);
    let md5 = STANDARD.encode(md5::Md5::digest(CANARY));
    let form = form.field("Content-MD5", &md5);
    let target = world.tls_target();
    let request = form.sign(&world.main, world.now(), &target.address.to_string());
    assert_eq!(request.send(&target).await.unwrap().status(), 204);
    expect_no_canary(&world.backend, CANARY);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, CANARY);
    expect_no_value(&world.backend, &crc.to_be_bytes());
}

#[tokio::test]
async fn nobody_learns_by_conditions_what_they_may_not_read() {
    let world = world().await;
    write(&world, "put", "source", &[]).await;
    let etag = get(&world, "source").await.headers()["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    world.backend.forget();
    let mut answers = Vec::new();
    for key in ["source", "none"] {
        for (name, value) in [
            ("if-match", etag.as_str()),
            ("if-none-match", etag.as_str()),
            ("if-match", "\"other\""),
            ("if-modified-since", "Mon, 01 Jan 1990 00:00:00 GMT"),
            ("range", "bytes=0-0"),
        ] {
            for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
                let draft = Draft::new(method.clone(), "demo", key).header(name, value);
                let request = draft.anonymous(&world.host());
                let answer = request.send(&world.target()).await.unwrap();
                answers.push((method, answer.status().as_u16()));
            }
        }
    }
    assert!(
        answers.iter().all(|(_, status)| *status == 403),
        "{answers:?}"
    );
    let of_clients = world.backend.requests().into_iter();
    let of_clients = of_clients.filter(|request| request.path.starts_with("/demo/"));
    assert_eq!(of_clients.count(), 0);
}

#[tokio::test]
async fn a_version_is_copied_with_new_metadata_under_another_key_and_keeps_to_itself() {
    let world = world().await;
    let key_arn = world.create_key("alias/a").await;
    world.backend.set_versioning("demo", Versioning::Enabled);
    for text in ["first version", "second version, longer"] {
        let put = Draft::new(Method::PUT, "demo", "k").header("x-amz-meta-old", "1");
        world.send_tls(put.body(text)).await;
    }
    let versions = world.backend.versions("demo", "k");
    for (at, expected) in ["first version", "second version, longer"]
        .iter()
        .enumerate()
    {
        let source = format!("/demo/k?versionId={}", versions[at].version_id);
        for to in ["k", "other"] {
            let copy = Draft::new(Method::PUT, "demo", to)
                .header("x-amz-copy-source", &source)
                .header("x-amz-metadata-directive", "REPLACE")
                .header("x-amz-meta-new", "2")
                .header(SSE, "aws:kms")
                .header(KEY_ID, "alias/a");
            let answer = world.send_tls(copy).await;
            assert_eq!(answer.status(), 200, "{}", text(&answer));
            let got = get(&world, to).await;
            assert_eq!(got.body(), expected.as_bytes());
            assert_eq!(got.headers()[KEY_ID], key_arn.as_str());
            assert_eq!(got.headers()["x-amz-meta-new"], "2");
            assert!(got.headers().get("x-amz-meta-old").is_none());
        }
        // The source is as it was, under its own key.
        let old = Draft::new(Method::GET, "demo", "k").query("versionId", &versions[at].version_id);
        let old = world.send_tls(old).await;
        assert_eq!(old.body(), expected.as_bytes());
        assert_eq!(old.headers()[SSE], "AES256");
    }
}

#[tokio::test]
async fn what_was_read_before_is_not_read_by_a_caller_without_permission() {
    let world = world().await;
    let customers = |draft: Draft, key: [u8; 32]| {
        let md5 = STANDARD.encode(md5::Md5::digest(key));
        draft
            .header(&format!("{SSE}-customer-algorithm"), "AES256")
            .header(&format!("{SSE}-customer-key"), &STANDARD.encode(key))
            .header(&format!("{SSE}-customer-key-md5"), &md5)
    };
    let on = |method: Method| Draft::new(method, "demo", "c");
    let put = customers(on(Method::PUT).body(CANARY), [1; 32]);
    assert_eq!(world.send_tls(put).await.status(), 200);
    for _ in 0..2 {
        let got = world.send_tls(customers(on(Method::GET), [1; 32])).await;
        assert_eq!(&got.body()[..], CANARY);
    }
    for (draft, status) in [
        (on(Method::GET), 400),
        (customers(on(Method::GET), [2; 32]), 403),
        (on(Method::HEAD), 400),
        (customers(on(Method::HEAD), [2; 32]), 403),
    ] {
        let refused = world.send_tls(draft).await;
        assert_eq!(refused.status(), status);
        assert!(!text(&refused).contains("canary"));
    }

    let arn = world.create_key("alias/warm").await;
    for key in ["k", "l"] {
        let put = Draft::new(Method::PUT, "demo", key).body(CANARY);
        let put = put.header(SSE, "aws:kms").header(KEY_ID, &arn);
        assert_eq!(world.send_tls(put).await.status(), 200);
        assert_eq!(&get(&world, key).await.body()[..], CANARY);
    }
    let target = world.tls_target();
    let host = target.address.to_string();
    let others = Draft::new(Method::GET, "demo", "k").sign(&world.alt, world.now(), &host);
    assert_eq!(others.send(&target).await.unwrap().status(), 403);
    let disable = world.kms().disable_key().key_id(&arn).send().await;
    disable.unwrap();
    assert_eq!(get(&world, "k").await.status(), 400);
}

#[tokio::test]
async fn no_route_hands_out_sealed_bytes_or_an_envelope() {
    let world = world().await;
    for key in ["small", "large"] {
        let body = CANARY.repeat(if key == "small" { 1 } else { 20_000 });
        let put = Draft::new(Method::PUT, "demo", key).body(body.clone());
        assert_eq!(world.send_tls(put).await.status(), 200);
        let get = || Draft::new(Method::GET, "demo", key);
        let mut drafts = vec![get()];
        for query in [
            "raw",
            "replication",
            "sealed",
            "envelope",
            "export",
            "partNumber",
        ] {
            drafts.push(get().query(query, "1"));
        }
        for header in [
            "x-minio-source-replication-request",
            "x-amz-replication-status",
            "x-sealgate-raw",
            "x-amz-object-attributes",
        ] {
            drafts.push(get().header(header, "true"));
        }
        for draft in drafts {
            let answer = world.send_tls(draft).await;
            let is_plain = answer.body()[..] == body[..];
            let is_refused = answer.status().is_client_error() || answer.status().as_u16() == 501;
            assert!(is_plain || is_refused, "{}", answer.status());
            let headers = format!("{:?}", answer.headers()).to_lowercase();
            assert!(!headers.contains("meta-sealgate"), "{headers}");
        }
    }
}
