//! `PUT key?encryption`: another KMS key for an object whose bytes stay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::operation::update_object_encryption::update_object_encryption;
use http::Method;
use md5::Digest as _;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::backend::Recorded;
use tests::backend::Versioning;

use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::arn;
use crate::direct::content;
use crate::multipart::MIB;
use crate::multipart::joined;
use crate::multipart::parts;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";

fn document(kms: &str) -> String {
    let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
    format!("<ObjectEncryption xmlns=\"{namespace}\">{kms}</ObjectEncryption>")
}

fn to(key: &str, more: &str) -> String {
    document(&format!(
        "<SSE-KMS><KMSKeyArn>{}</KMSKeyArn>{more}</SSE-KMS>",
        arn(key)
    ))
}

impl Direct {
    async fn update(&self, request: Request, document: &str) -> Answer {
        let md5 = STANDARD.encode(md5::Md5::digest(document));
        let request = request.header("content-md5", &md5).query("encryption", "");
        let request = request.body(document.to_owned()).into_request(Method::PUT);
        Answer::of(update_object_encryption(&self.objects, request).await).await
    }
}

#[tokio::test]
async fn an_object_that_was_put_meanwhile_stays() {
    let world = Direct::start().await;
    let put = |text: &'static str| {
        let request = Request::new("k").body(text);
        request.header(SSE, "aws:kms").header(KEY_ID, "first")
    };
    world.put(put("old")).await.ok();
    let (reached, go_on) = (Gate::default(), Gate::default());
    let copies =
        |it: &Recorded| it.path.ends_with("/k") && !it.header("x-amz-copy-source").is_empty();
    let pause = Action::PauseBefore(reached.clone(), go_on.clone());
    world.backend.inject(Fault::on(copies, pause).times(1));
    let document = to("second", "");
    let update = world.update(Request::new("k"), &document);
    let meanwhile = async {
        reached.reached().await;
        world.put(put("new")).await.ok();
        go_on.reach();
    };
    let (updated, ()) = futures_util::future::join(update, meanwhile).await;
    updated.ok();
    assert_eq!(world.get(Request::new("k")).await.ok().body, "new");
    let copies = world.backend.requests().into_iter().filter(copies);
    assert!(
        copies
            .into_iter()
            .all(|it| !it.header("if-match").is_empty())
    );
}

#[tokio::test]
async fn an_object_comes_under_another_kms_key_as_it_is() {
    let world = Direct::start().await;
    let body = content(300_000);
    let context = STANDARD.encode(r#"{"team":"blue"}"#);
    let put = |key: &str| {
        let request = Request::new(key).body(body.clone());
        let request = request
            .header("x-amz-meta-a", "1")
            .header("x-amz-tagging", "t=1");
        request.header("content-type", "text/x")
    };
    let under = |request: Request| request.header(SSE, "aws:kms").header(KEY_ID, "first");
    let context_header = "x-amz-server-side-encryption-context";
    for (request, keeps_context) in [
        (put("k"), false),
        (under(put("k")).header(context_header, &context), true),
        (under(put("k")).header(SWITCH, "true"), false),
    ] {
        world.put(request).await.ok();
        let before = world.backend.object(BUCKET, "k").unwrap();
        for (more, bucket_key) in [
            ("", ""),
            ("<BucketKeyEnabled>true</BucketKeyEnabled>", "true"),
        ] {
            world.kms.calls();
            world.backend.forget();
            // One that has no bucket key in use.
            let another = world.another();
            let document = to("second", more);
            let answer = another.update(Request::new("k"), &document).await.ok();
            assert!(answer.body.is_empty());
            let made = world.kms.calls().pop().unwrap();
            assert_eq!(made.operation, "GenerateDataKey");
            let team = ("team".to_owned(), "blue".to_owned());
            assert_eq!(made.context.contains(&team), keeps_context);
            let requests = world.backend.requests().into_iter();
            let mut of_clients = requests.filter(|it| it.path.starts_with("/bucket/"));
            assert!(of_clients.all(|request| request.body.is_empty()));

            let after = world.backend.object(BUCKET, "k").unwrap();
            assert_eq!(before.body, after.body);
            assert_eq!(before.tags, after.tags);
            let got = world.another().get(Request::new("k")).await.ok();
            assert_eq!(got.body, body);
            assert_eq!(got.header(SSE), "aws:kms");
            assert_eq!(got.header(KEY_ID), arn("second"));
            assert_eq!(got.header(SWITCH), bucket_key);
            assert_eq!(got.header("x-amz-meta-a"), "1");
            assert_eq!(got.header("content-type"), "text/x");
        }
    }
}

#[tokio::test]
async fn an_object_in_parts_comes_under_another_kms_key_part_by_part() {
    let world = Direct::start().await;
    for sizes in [&[5 * MIB, 40_000][..], &[5 * MIB, 5 * MIB], &[100]] {
        let sent = parts(sizes);
        for create in [(|request| request) as fn(Request) -> Request, |request| {
            request.header(SSE, "aws:kms")
        }] {
            let on = Request::new("k").header("x-amz-meta-a", "1");
            let on = on.header("x-amz-tagging", "t=1");
            let uploading = world.uploading();
            uploading
                .upload(create(on), &Request::new("k"), &sent)
                .await;
            let before = world.backend.object(BUCKET, "k").unwrap();
            world.backend.forget();
            let document = to("second", "<BucketKeyEnabled>true</BucketKeyEnabled>");
            world.update(Request::new("k"), &document).await.ok();
            let requests = world.backend.requests().into_iter();
            let of_clients = requests.filter(|it| it.path.starts_with("/bucket/"));
            let puts = of_clients.filter(|it| it.method == Method::PUT);
            let written: usize = puts.map(|it| it.body.len()).sum();
            assert_eq!(written, 0, "bytes of parts passed the gateway");

            let after = world.backend.object(BUCKET, "k").unwrap();
            assert_eq!((&before.etag, &before.tags), (&after.etag, &after.tags));
            assert!(before.body == after.body);
            assert_ne!(before.headers, after.headers);
            let fresh = world.another();
            let got = fresh.get(Request::new("k")).await.ok();
            assert!(got.body == joined(&sent));
            assert_eq!(got.header(KEY_ID), arn("second"));
            assert_eq!(got.header(SWITCH), "true");
            assert_eq!(got.header("x-amz-meta-a"), "1");
            let listed = fresh.list(Request::new("")).await.ok();
            let listed = String::from_utf8(listed.body.to_vec()).unwrap();
            let size = format!("<Size>{}</Size>", joined(&sent).len());
            assert!(listed.contains(&size), "{listed}");
        }
    }
    assert!(world.backend.uploads().is_empty());
}

#[tokio::test]
async fn parts_that_are_not_the_same_any_more_are_not_put_together() {
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB, 40_000]);
    let request = Request::new("k");
    world
        .uploading()
        .upload(request.clone(), &request, &sent)
        .await;
    let before = world.backend.object(BUCKET, "k").unwrap();
    let copying = |request: &Recorded| {
        !request.header("x-amz-copy-source-range").is_empty()
            && request.path.starts_with("/bucket/")
    };
    // A backend that is not known to keep to conditions on parts.
    let unconditional = Fault::on(
        |request| {
            !request.header("x-amz-copy-source-range").is_empty()
                && request.path.contains("/copies/")
        },
        Action::Refuse(500, "InternalError"),
    );
    world.backend.inject(unconditional);
    let other =
        "<CopyPartResult><ETag>\"00000000000000000000000000000000\"</ETag></CopyPartResult>";
    let late = "<Error><Code>PreconditionFailed</Code></Error>";
    for (action, status, code) in [
        (
            Action::Refuse(412, "PreconditionFailed"),
            409,
            "ConditionalRequestConflict",
        ),
        (
            Action::Replace(late.into()),
            409,
            "ConditionalRequestConflict",
        ),
        (Action::Replace(other.into()), 501, "NotImplemented"),
        (Action::Refuse(500, "InternalError"), 500, "InternalError"),
    ] {
        world.backend.inject(Fault::on(copying, action));
        let refused = world
            .another()
            .update(Request::new("k"), &to("x", ""))
            .await;
        refused.refused(status, code);
        world.backend.take_fault();
        let after = world.backend.object(BUCKET, "k").unwrap();
        assert_eq!(
            (&before.headers, &before.version_id),
            (&after.headers, &after.version_id)
        );
        assert!(
            world.backend.uploads().is_empty(),
            "an upload was left behind"
        );
    }
    world.update(Request::new("k"), &to("x", "")).await.ok();
}

#[tokio::test]
async fn what_the_document_may_not_ask_is_refused_in_the_words_of_aws() {
    let world = Direct::start().await;
    world.put(Request::new("k").body(content(10))).await.ok();
    let before = world.backend.object(BUCKET, "k").unwrap();
    let other_account = to("x", "").replace("111122223333", "444455556666");
    for (document, status, code, words) in [
        (
            document(""),
            400,
            "InvalidRequest",
            "a valid new encryption type",
        ),
        (
            document("<SSE-S3/>"),
            400,
            "InvalidRequest",
            "Valid values are SSEKMS",
        ),
        (
            document("<SSE-C/>"),
            400,
            "InvalidRequest",
            "to DSSE-KMS or SSE-C",
        ),
        (
            document("<SSE-KMS/>"),
            400,
            "InvalidRequest",
            "require an Amazon",
        ),
        (
            document("<SSE-KMS><KMSKeyArn>alias/a</KMSKeyArn></SSE-KMS>"),
            400,
            "InvalidRequest",
            "require a valid Amazon",
        ),
        (
            to("x", "<BucketKeyEnabled>yes</BucketKeyEnabled>"),
            400,
            "InvalidRequest",
            "BucketKeyEnabled",
        ),
        (other_account, 403, "AccessDenied", "same account"),
        ("<Other/>".to_owned(), 400, "MalformedXML", ""),
        ("no XML".to_owned(), 400, "MalformedXML", ""),
    ] {
        let error = world.update(Request::new("k"), &document).await;
        let error = error.refused(status, code);
        assert!(error.message().contains(words), "{error}");
    }
    let mut plain = Request::new("k");
    plain.secure = false;
    let refused = world.update(plain, &to("x", "")).await;
    refused.refused(400, "InvalidArgument");
    let no_digest = Request::new("k").query("encryption", "").body(to("x", ""));
    let refused = update_object_encryption(&world.objects, no_digest.into_request(Method::PUT));
    Answer::of(refused.await)
        .await
        .refused(400, "InvalidRequest");
    let after = world.backend.object(BUCKET, "k").unwrap();
    assert_eq!(before.headers, after.headers);
}

#[tokio::test]
async fn only_objects_under_sse_s3_or_sse_kms_come_under_another_key() {
    let world = Direct::with(gateway::operation::config::Config {
        adopted_buckets: vec![BUCKET.to_owned()],
        ..gateway::operation::config::Config::default()
    })
    .await;
    let body = content(10);
    let put = |key: &str| Request::new(key).body(body.clone());
    world.put(put("c").customer_key(&[1; 32])).await.ok();
    world.put(put("d").header(SSE, "aws:kms:dsse")).await.ok();
    for (key, bytes) in [("plain", content(10)), ("empty", content(0))] {
        let object = tests::backend::Stored::new(bytes, Vec::new());
        world.backend.plant(BUCKET, key, object);
    }
    for (key, words) in [
        (
            "c",
            "source objects with the encryption type DSSE-KMS or SSE-C",
        ),
        (
            "d",
            "source objects with the encryption type DSSE-KMS or SSE-C",
        ),
        ("plain", "unencrypted source objects"),
        ("empty", "unencrypted source objects"),
    ] {
        let refused = world.update(Request::new(key), &to("x", "")).await;
        let error = refused.refused(400, "InvalidRequest");
        assert!(error.message().contains(words), "{error}");
    }
    let missing = world.update(Request::new("none"), &to("x", "")).await;
    missing.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_locked_object_or_one_with_versions_keeps_its_encryption() {
    let world = Direct::start().await;
    for (name, value) in [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-legal-hold", "ON"),
    ] {
        world.put(Request::new("k").body(content(10))).await.ok();
        let locked = |stored: &mut tests::backend::Stored| stored.set_header(name, value);
        world.backend.tamper(BUCKET, "k", locked);
        let refused = world.update(Request::new("k"), &to("x", "")).await;
        let error = refused.refused(403, "AccessDenied");
        assert!(error.message().contains("Object Lock"), "{error}");
    }
    world.backend.set_versioning(BUCKET, Versioning::Enabled);
    world.put(Request::new("k").body(content(10))).await.ok();
    let refused = world.update(Request::new("k"), &to("x", "")).await;
    refused.refused(501, "NotImplemented");
}
