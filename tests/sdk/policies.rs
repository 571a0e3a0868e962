//! aws-sdk-s3 on buckets with policies: what they deny and what they allow.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;
use aws_sdk_s3::types::Delete;
use aws_sdk_s3::types::ObjectIdentifier;
use aws_sdk_s3::types::ServerSideEncryption;
use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::world::World;

/// A policy of one statement about the objects of the bucket `demo`.
fn policy(effect: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", "Principal": "*",
        "Action": "{action}", "Resource": "arn:aws:s3:::demo/*"{condition}}}]}}"#
    )
}

const UNENCRYPTED: &str = r#", "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}}"#;

async fn put_policy(s3: &Client, policy: &str) {
    let request = s3.put_bucket_policy().bucket("demo").policy(policy);
    request.send().await.unwrap();
}

async fn put(s3: &Client, key: &str, mode: Option<ServerSideEncryption>) -> Result<(), String> {
    let request = s3.put_object().bucket("demo").key(key);
    let request = request
        .set_server_side_encryption(mode)
        .body(ByteStream::from_static(b"body"));
    let sent = request.send().await;
    sent.map(drop)
        .map_err(|error| error.code().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_policy_against_unencrypted_writes_denies_those_without_a_header_and_no_others() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    put_policy(&s3, &policy("Deny", "s3:PutObject", UNENCRYPTED)).await;

    let denied = Err("AccessDenied".to_owned());
    assert_eq!(put(&s3, "k", None).await, denied);
    assert_eq!(
        put(&s3, "k", Some(ServerSideEncryption::Aes256)).await,
        Ok(())
    );
    assert_eq!(
        put(&s3, "k", Some(ServerSideEncryption::AwsKms)).await,
        Ok(())
    );
    s3.get_object()
        .bucket("demo")
        .key("k")
        .send()
        .await
        .unwrap();

    // A part says nothing of encryption: that of its upload counts.
    let created = s3.create_multipart_upload().bucket("demo").key("parts");
    let created = created.server_side_encryption(ServerSideEncryption::Aes256);
    let created = created.send().await.unwrap();
    let part = s3.upload_part().bucket("demo").key("parts").part_number(1);
    let part = part
        .set_upload_id(created.upload_id.clone())
        .body(ByteStream::from_static(b"part"));
    let part = part.send().await.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag);
    let parts = CompletedMultipartUpload::builder().parts(part.build());
    let complete = s3.complete_multipart_upload().bucket("demo").key("parts");
    let complete = complete
        .set_upload_id(created.upload_id)
        .multipart_upload(parts.build());
    complete.send().await.unwrap();
}

#[tokio::test]
async fn a_policy_comes_back_as_it_was_put_until_it_is_deleted_and_never_reaches_the_backend() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    let text = policy("Deny", "s3:PutObject", UNENCRYPTED);
    put_policy(&s3, &text).await;

    let got = s3.get_bucket_policy().bucket("demo").send().await.unwrap();
    assert_eq!(got.policy(), Some(text.as_str()));
    let status = s3.get_bucket_policy_status().bucket("demo").send().await;
    let public = status.unwrap().policy_status.unwrap().is_public;
    assert_eq!(public, Some(false));
    let asked = world.backend.requests();
    assert!(!asked.iter().any(|request| request.query.contains("policy")));

    s3.delete_bucket_policy()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    let gone = s3.get_bucket_policy().bucket("demo").send().await;
    assert_eq!(gone.unwrap_err().code(), Some("NoSuchBucketPolicy"));
    assert_eq!(put(&s3, "k", None).await, Ok(()));
}

#[tokio::test]
async fn a_policy_that_cannot_be_judged_is_not_taken() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    let unknown = r#", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}"#;
    for (text, code) in [
        (policy("Deny", "s3:GetObject", unknown), "NotImplemented"),
        (policy("Deny", "kms:Decrypt", ""), "MalformedPolicy"),
        (policy("Forbid", "s3:GetObject", ""), "MalformedPolicy"),
        ("nonsense".to_owned(), "MalformedPolicy"),
        (
            policy("Deny", "s3:*", "").replace("demo", "other"),
            "MalformedPolicy",
        ),
    ] {
        let request = s3.put_bucket_policy().bucket("demo").policy(&text);
        let error = request.send().await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{text}");
    }
}

#[tokio::test]
async fn the_anonymous_caller_reads_what_a_policy_gives_to_everybody() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    put(&s3, "k", None).await.unwrap();
    let get = || Draft::new(Method::GET, "demo", "k").anonymous(&world.host());
    let refused = get().send(&world.target()).await.unwrap();
    expect_s3_error(&refused, "AccessDenied", 403);

    put_policy(&s3, &policy("Allow", "s3:GetObject", "")).await;
    let answer = get().send(&world.target()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body().as_ref(), b"body");
    let list = Draft::new(Method::GET, "demo", "").anonymous(&world.host());
    let refused = list.send(&world.target()).await.unwrap();
    expect_s3_error(&refused, "AccessDenied", 403);
}

#[tokio::test]
async fn of_several_objects_those_that_a_policy_keeps_are_not_deleted() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    for key in ["kept/1", "k"] {
        put(&s3, key, None).await.unwrap();
    }
    let kept = policy("Deny", "s3:DeleteObject", "").replace("demo/*", "demo/kept/*");
    put_policy(&s3, &kept).await;

    let named = |key| ObjectIdentifier::builder().key(key).build().unwrap();
    let deletion = Delete::builder()
        .objects(named("kept/1"))
        .objects(named("k"));
    let request = s3.delete_objects().bucket("demo");
    let result = request
        .delete(deletion.build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(result.deleted()[0].key(), Some("k"));
    assert_eq!(result.errors()[0].key(), Some("kept/1"));
    assert_eq!(result.errors()[0].code(), Some("AccessDenied"));
    s3.head_object()
        .bucket("demo")
        .key("kept/1")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_policy_may_look_at_the_tags_that_an_object_has() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    for (key, tags) in [
        ("secret", "class=secret"),
        ("open", "class=open"),
        ("bare", ""),
    ] {
        let put = s3.put_object().bucket("demo").key(key).tagging(tags);
        put.send().await.unwrap();
    }
    let tagged = r#", "Condition": {"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}"#;
    put_policy(&s3, &policy("Deny", "s3:GetObject", tagged)).await;
    for (key, outcome) in [
        ("open", None),
        ("bare", None),
        ("nothing", Some("NoSuchKey")),
        ("secret", Some("AccessDenied")),
    ] {
        let got = s3.get_object().bucket("demo").key(key).send().await;
        let code = got.err().and_then(|error| error.code().map(str::to_owned));
        assert_eq!(code.as_deref(), outcome, "{key}");
        let copy = s3.copy_object().bucket("demo").key("copy");
        let copied = copy.copy_source(format!("demo/{key}")).send().await;
        let code = copied
            .err()
            .and_then(|error| error.code().map(str::to_owned));
        assert_eq!(code.as_deref(), outcome, "{key}");
    }
    assert!(
        s3.head_object()
            .bucket("demo")
            .key("secret")
            .send()
            .await
            .is_err()
    );

    // What cannot be known is not taken for absent.
    let fault = Fault::on(
        |request| request.query.contains("tagging"),
        Action::Refuse(503, "SlowDown"),
    );
    world.backend.inject(fault);
    let got = s3.get_object().bucket("demo").key("open").send().await;
    assert!(got.is_err());
}

#[tokio::test]
async fn no_header_or_query_of_a_client_is_taken_for_a_condition_key() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3();
    put(&s3, "k", None).await.unwrap();
    for condition in [
        r#"{"Bool": {"aws:SecureTransport": "true"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "203.0.113.9/32"}}"#,
        r#"{"StringEquals": {"aws:PrincipalAccount": "999999999999"}}"#,
        r#"{"StringEquals": {"s3:authType": "POST"}}"#,
        r#"{"StringEquals": {"s3:ExistingObjectTag/class": "open"}}"#,
    ] {
        let condition = format!(", \"Condition\": {condition}");
        put_policy(&s3, &policy("Allow", "s3:GetObject", &condition)).await;
        for (name, value) in [
            ("securetransport", "true"),
            ("x-amz-securetransport", "true"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "203.0.113.9"),
            ("sourceip", "203.0.113.9"),
            ("principalaccount", "999999999999"),
            ("authtype", "POST"),
            ("existingobjecttag", "class=open"),
            ("x-amz-tagging", "class=open"),
        ] {
            let get = Draft::new(Method::GET, "demo", "k").header(name, value);
            let get = get.query(&format!("aws:{name}"), value).query(name, value);
            let refused = get.anonymous(&world.host()).send(&world.target()).await;
            assert_eq!(refused.unwrap().status(), 403, "{condition} {name}");
        }
    }
}
