//! Block Public Access: what is public, and what is blocked when nobody can tell.

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::signed::Draft;

use crate::buckets::Buckets;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::document;
use crate::policy::statement;
use crate::reference;

/// The account in the statements that name one.
const SOMEBODY: &str = r#"{"AWS": "111122223333"}"#;
const EVERYBODY: &str = "\"*\"";

/// Principal, condition, and whether a statement that allows is public.
///
/// Source: "The meaning of public",
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
const STATEMENTS: [(&str, &str, bool); 16] = [
    (EVERYBODY, "", true),
    (r#"{"AWS": "*"}"#, "", true),
    (r#"{"AWS": ["111122223333", "*"]}"#, "", true),
    (SOMEBODY, "", false),
    (
        EVERYBODY,
        r#"{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#,
        false,
    ),
    (
        EVERYBODY,
        r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"IpAddress": {"aws:SourceIp": "::/0"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/0"]}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"StringEquals": {"aws:PrincipalAccount": "111122223333"}}"#,
        false,
    ),
    (
        EVERYBODY,
        r#"{"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"StringLike": {"aws:PrincipalAccount": "*"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"StringEquals": {"aws:UserAgent": "agent"}}"#,
        true,
    ),
    (
        EVERYBODY,
        r#"{"Bool": {"aws:SecureTransport": "true"}}"#,
        true,
    ),
];

const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
    <IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>\
    <RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
const NO_BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls>\
    </PublicAccessBlockConfiguration>";

#[tokio::test]
async fn a_public_policy_is_refused_where_those_are_blocked_and_no_other() {
    let fixture = Fixture::start().await;
    let mut wrong = Vec::new();
    for (principal, condition, public) in STATEMENTS {
        let buckets = buckets(&fixture).await;
        put_block(&fixture, &buckets, BLOCK).await;
        let allow = statement("Allow", principal, "GetObject", &buckets.bucket, condition);
        let put = put_policy(&buckets, &allow);
        let status = fixture.send_draft(Caller::Owner, put).await.status();
        if (status == 403) != public || !public && status != 204 {
            wrong.push(format!("{principal} {condition}: {status}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_status_of_a_policy_says_whether_it_is_public() {
    let fixture = Fixture::start().await;
    let mut wrong = Vec::new();
    for (principal, condition, public) in STATEMENTS {
        let buckets = buckets(&fixture).await;
        put_block(&fixture, &buckets, NO_BLOCK).await;
        let allow = statement("Allow", principal, "GetObject", &buckets.bucket, condition);
        let put = put_policy(&buckets, &allow);
        fixture.prepare(&fixture.world.main, put).await;
        let get = Draft::new(Method::GET, &buckets.bucket, "").query("policyStatus", "");
        let status = fixture.send_draft(Caller::Owner, get).await;
        if !status
            .text()
            .contains(&format!("<IsPublic>{public}</IsPublic>"))
        {
            wrong.push(format!("{principal} {condition}: {}", status.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_public_policy_gives_nothing_to_others_where_public_buckets_are_restricted() {
    let fixture = Fixture::start().await;
    let buckets = buckets(&fixture).await;
    put_block(&fixture, &buckets, NO_BLOCK).await;
    let allow = statement("Allow", EVERYBODY, "GetObject", &buckets.bucket, "");
    fixture
        .prepare(&fixture.world.main, put_policy(&buckets, &allow))
        .await;
    let get = || Draft::new(Method::GET, &buckets.bucket, crate::buckets::KEY);
    assert_eq!(fixture.send_draft(Caller::Other, get()).await.status(), 200);

    put_block(&fixture, &buckets, BLOCK).await;
    let refused = fixture.send_draft(Caller::Other, get()).await;
    assert!(refused.is_refused(&[403]), "{}", refused.describe());
    let anonymous = get().anonymous(&fixture.world.host());
    let target = fixture.target(false);
    let refused = fixture.send_signed(&anonymous, &target, "").await;
    assert!(refused.is_refused(&[403]), "{}", refused.describe());
    assert_eq!(fixture.send_draft(Caller::Owner, get()).await.status(), 200);
}

#[tokio::test]
async fn a_block_that_cannot_be_read_blocks() {
    let fixture = Fixture::start().await;
    for (answer, blocked) in [
        (Action::Refuse(403, "AccessDenied"), true),
        (Action::Refuse(400, "InvalidRequest"), true),
        (Action::Refuse(500, "InternalError"), true),
        (Action::Refuse(503, "SlowDown"), true),
        (Action::Drop, true),
        (
            Action::Refuse(404, "NoSuchPublicAccessBlockConfiguration"),
            false,
        ),
        (Action::Refuse(501, "NotImplemented"), false),
    ] {
        let buckets = buckets(&fixture).await;
        let path = format!("/{}", buckets.bucket);
        let is_read = move |request: &tests::backend::Recorded| {
            request.path == path && request.query.contains("publicAccessBlock")
        };
        let described = format!("{answer:?}");
        fixture.world.backend.inject(Fault::on(is_read, answer));
        let allow = statement("Allow", EVERYBODY, "GetObject", &buckets.bucket, "");
        let put = put_policy(&buckets, &allow);
        let status = fixture.send_draft(Caller::Owner, put).await.status();
        assert_eq!(status == 204, !blocked, "{described}: {status}");
    }
}

#[tokio::test]
async fn a_block_of_the_backend_that_is_no_document_blocks() {
    let fixture = Fixture::start().await;
    for block in ["", "no document", "<a", "<PublicAccessBlockConfiguration>"] {
        let buckets = buckets(&fixture).await;
        fixture
            .world
            .backend
            .set_subresource(&buckets.bucket, "publicAccessBlock", block);
        let allow = statement("Allow", EVERYBODY, "GetObject", &buckets.bucket, "");
        let put = put_policy(&buckets, &allow);
        let status = fixture.send_draft(Caller::Owner, put).await.status();
        assert_ne!(status, 204, "{block:?}");
    }
}

fn put_policy(buckets: &Buckets, allow: &str) -> Draft {
    let put = Draft::new(Method::PUT, &buckets.bucket, "").query("policy", "");
    put.body(document(&[allow.to_owned()]))
}

async fn put_block(fixture: &Fixture, buckets: &Buckets, block: &str) {
    let put = Draft::new(Method::PUT, &buckets.bucket, "").query("publicAccessBlock", "");
    let put = put
        .header("content-md5", &crate::buckets::digest(block))
        .body(block.to_owned());
    fixture.prepare(&fixture.world.main, put).await;
}

/// Buckets with an object.
async fn buckets(fixture: &Fixture) -> Buckets {
    let operation = &reference::operations()["GetObject"];
    fixture.buckets(operation, Caller::Owner).await
}
