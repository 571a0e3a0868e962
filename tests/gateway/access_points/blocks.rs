//! Block Public Access of access points and accounts, and access points for one VPC.

use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::signed::Draft;

use super::BUCKET;
use super::NAME;
use super::Points;
use super::control;
use super::control_of;
use super::creation;
use super::delegation;
use super::point_policy;
use super::policy;
use super::readers;
use super::user_arn;

const NO_BLOCK: &str = "<PublicAccessBlockConfiguration/>";
const ACCOUNT: &str = "configuration/publicAccessBlock";

fn open(name: &str) -> String {
    readers(name, "*").replace(r#"{"AWS": "*"}"#, "\"*\"")
}

async fn block_account(points: &Points, setting: &str) {
    let body = format!(
        "<PublicAccessBlockConfiguration><{setting}>true</{setting}></PublicAccessBlockConfiguration>"
    );
    let answer = points.send(control(Method::PUT, ACCOUNT).body(body)).await;
    assert_eq!(answer.outcome(), (200, ""), "{}", answer.text);
}

#[tokio::test]
async fn the_block_of_an_account_is_put_shown_and_removed() {
    let points = Points::start().await;
    let missing = points.send(control(Method::GET, ACCOUNT)).await;
    assert_eq!(
        missing.outcome(),
        (404, "NoSuchPublicAccessBlockConfiguration")
    );
    assert_eq!(missing.element("AccountId"), MAIN_ACCOUNT);
    let empty = points
        .send(control(Method::PUT, ACCOUNT).body(NO_BLOCK))
        .await;
    assert_eq!(empty.outcome(), (400, "InvalidRequest"));
    assert_eq!(
        empty.element("Message"),
        "Must specify at least one configuration."
    );
    block_account(&points, "BlockPublicAcls").await;
    let shown = points.send(control(Method::GET, ACCOUNT)).await;
    let settings = ["BlockPublicAcls", "RestrictPublicBuckets"].map(|it| shown.element(it));
    assert_eq!(settings, ["true", "false"]);
    let alt = points.world.alt.clone();
    let of_alt = points
        .send_as(&alt, control_of(ALT_ACCOUNT, Method::GET, ACCOUNT))
        .await;
    assert_eq!(of_alt.status, 404);
    for _ in 0..2 {
        let removed = points.send(control(Method::DELETE, ACCOUNT)).await;
        assert_eq!(removed.outcome(), (204, ""));
    }
    assert_eq!(points.send(control(Method::GET, ACCOUNT)).await.status, 404);
}

#[tokio::test]
async fn a_public_policy_is_refused_where_point_bucket_or_account_blocks_it() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    points.send(creation("open", BUCKET, NO_BLOCK)).await;
    let blocked = points.send(point_policy(NAME, &open(NAME))).await;
    assert_eq!(blocked.outcome(), (403, "AccessDenied"));
    // To name the access point or its account confines nothing in its own policy.
    for key in ["s3:DataAccessPointArn", "s3:DataAccessPointAccount"] {
        let condition = format!(
            r#""Effect": "Allow", "Condition": {{"StringLike": {{"{key}": "{MAIN_ACCOUNT}"}}}}"#
        );
        let statement = open(NAME).replace(r#""Effect": "Allow""#, &condition);
        let blocked = points.send(point_policy(NAME, &statement)).await;
        assert_eq!(blocked.outcome(), (403, "AccessDenied"), "{key}");
    }
    points.put_point_policy("open", &open("open")).await;
    let status = points
        .send(control(Method::GET, "accesspoint/open/policyStatus"))
        .await;
    assert_eq!(status.element("IsPublic"), "true");
    block_account(&points, "BlockPublicPolicy").await;
    let blocked = points.send(point_policy("open", &open("open"))).await;
    assert_eq!(blocked.outcome(), (403, "AccessDenied"));
    let public = r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::data/*"}"#;
    let put = Draft::new(Method::PUT, BUCKET, "")
        .query("policy", "")
        .body(policy(public));
    assert_eq!(points.send(put).await.outcome(), (403, "AccessDenied"));
    // The statement that delegates to access points is not public.
    points.put_bucket_policy(&delegation()).await;
}

#[tokio::test]
async fn a_public_policy_lets_no_other_account_in_where_it_is_restricted() {
    let points = Points::start().await;
    points.put("k", "text").await;
    points.put_bucket_policy(&delegation()).await;
    let restricted = "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true\
                      </RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    points.send(creation(NAME, BUCKET, restricted)).await;
    points.send(creation("open", BUCKET, NO_BLOCK)).await;
    let get = || Draft::raw(Method::GET, "/k");
    for name in [NAME, "open"] {
        points.put_point_policy(name, &open(name)).await;
    }
    let (trusted, nobody) = (points.trusted.clone(), points.nobody.clone());
    let through = async |access, name: &str| {
        points
            .send_to(access, &points.host_of(name), get())
            .await
            .status
    };
    assert_eq!(through(&trusted, NAME).await, 403);
    assert_eq!(through(&nobody, NAME).await, 200);
    assert_eq!(through(&trusted, "open").await, 200);
    block_account(&points, "RestrictPublicBuckets").await;
    assert_eq!(through(&trusted, "open").await, 403);
    assert_eq!(through(&nobody, "open").await, 200);
}

#[tokio::test]
async fn a_public_acl_is_refused_where_the_access_point_blocks_it() {
    let points = Points::start().await;
    points.let_lists_count().await;
    points.create(NAME, BUCKET).await;
    points.send(creation("open", BUCKET, NO_BLOCK)).await;
    let put = || {
        Draft::raw(Method::PUT, "/k")
            .header("x-amz-acl", "public-read")
            .body("text")
    };
    let main = points.world.main.clone();
    let refused = points.send_to(&main, &points.host_of(NAME), put()).await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
    let taken = points.send_to(&main, &points.host_of("open"), put()).await;
    assert_eq!(taken.outcome(), (200, ""));
    block_account(&points, "BlockPublicAcls").await;
    let refused = points.send_to(&main, &points.host_of("open"), put()).await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_list_permits_through_an_access_point_what_its_policy_allows_as_well() {
    let points = Points::start().await;
    points.let_lists_count().await;
    let main = points.world.main.clone();
    let trusted = points.trusted.clone();
    for name in [NAME, "open"] {
        points.send(creation(name, BUCKET, NO_BLOCK)).await;
    }
    let allowing = readers("open", &user_arn(ALT_ACCOUNT, "trusted"));
    points.put_point_policy("open", &allowing).await;
    let put = |key: &str, list: &str| {
        Draft::raw(Method::PUT, &format!("/{key}"))
            .header("x-amz-acl", list)
            .body("text")
    };
    let host = points.host_of("open");
    for (key, list) in [("shared", "authenticated-read"), ("private", "private")] {
        let stored = points.send_to(&main, &host, put(key, list)).await;
        assert_eq!(stored.outcome(), (200, ""));
    }
    let get = async |name: &str, key: &str| {
        let get = Draft::raw(Method::GET, &format!("/{key}"));
        let host = points.host_of(name);
        points.send_to(&trusted, &host, get).await.status
    };
    assert_eq!(get("open", "shared").await, 200);
    assert_eq!(get("open", "private").await, 403);
    assert_eq!(get(NAME, "shared").await, 403);
    block_account(&points, "IgnorePublicAcls").await;
    assert_eq!(get("open", "shared").await, 403);
}

#[tokio::test]
async fn an_access_point_of_a_vpc_takes_requests_from_its_networks_only() {
    let points = Points::with(|config| {
        let networks = |text: &str| vec![text.parse().unwrap()];
        config.access_points.vpcs = [
            ("vpc-here".to_owned(), networks("127.0.0.0/8")),
            ("vpc-there".to_owned(), networks("203.0.113.0/24")),
        ]
        .into();
    })
    .await;
    points.put("k", "text").await;
    let vpc =
        |id: &str| format!("<VpcConfiguration><VpcId>{id}</VpcId></VpcConfiguration>{NO_BLOCK}");
    for (name, id) in [("here", "vpc-here"), ("there", "vpc-there")] {
        let created = points.send(creation(name, BUCKET, &vpc(id))).await;
        assert_eq!(created.outcome(), (200, ""), "{}", created.text);
    }
    let unknown = points
        .send(creation("unknown", BUCKET, &vpc("vpc-unknown")))
        .await;
    assert_eq!(unknown.outcome(), (400, "InvalidRequest"));
    assert!(
        unknown.text.contains("access_points.vpcs"),
        "{}",
        unknown.text
    );
    let found = points.send(control(Method::GET, "accesspoint/here")).await;
    let shown = ["NetworkOrigin", "VpcId"].map(|it| found.element(it));
    assert_eq!(shown, ["VPC", "vpc-here"]);
    let main = points.world.main.clone();
    let get = || Draft::raw(Method::GET, "/k");
    for (name, status) in [("here", 200), ("there", 403)] {
        let answer = points.send_to(&main, &points.host_of(name), get()).await;
        assert_eq!(answer.status, status, "{name}");
    }
    // It is never public.
    points.put_point_policy("here", &open("here")).await;
    let status = points
        .send(control(Method::GET, "accesspoint/here/policyStatus"))
        .await;
    assert_eq!(status.element("IsPublic"), "false");
    // The network is a condition key of every request.
    points
        .put_bucket_policy(
            r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*",
                "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-there"}}}"#,
        )
        .await;
    assert_eq!(points.get_directly(&main, "k").await, 403);
}

#[tokio::test]
async fn plain_http_is_refused_where_tls_is_required() {
    let points = Points::with(|config| config.access_points.require_tls = true).await;
    let alias = points.create(NAME, BUCKET).await;
    points.put("k", "text").await;
    let main = points.world.main.clone();
    assert_eq!(points.get_through(&main, "k").await, 403);
    let get = Draft::new(Method::GET, &alias, "k");
    assert_eq!(points.world.send_tls(get).await.status(), 200);
}
