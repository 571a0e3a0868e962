//! Access points whose names, accounts and hosts are forged or mixed up.

use http::HeaderValue;
use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

use crate::gate::BUCKET;

const ACCOUNT: &str = "x-amz-account-id";

/// A gateway with a bucket, two access points to it, and one object.
async fn start() -> World {
    let world = World::start().await;
    world.create_bucket(BUCKET).await;
    for name in ["first", "second"] {
        let created = world.send(create(name, BUCKET)).await;
        assert_eq!(created.status(), 200, "{:?}", created.body());
    }
    let put = Draft::new(Method::PUT, BUCKET, "k").body("text");
    assert_eq!(world.send(put).await.status(), 200);
    world
}

fn control(method: Method, path: &str) -> Draft {
    Draft::raw(method, &format!("/v20180820/{path}"))
}

fn create(name: &str, bucket: &str) -> Draft {
    let document =
        format!("<CreateAccessPointRequest><Bucket>{bucket}</Bucket></CreateAccessPointRequest>");
    let create = control(Method::PUT, &format!("accesspoint/{name}"));
    create.header(ACCOUNT, MAIN_ACCOUNT).body(document)
}

fn host(world: &World, label: &str) -> String {
    let own = world.host();
    let (_, port) = own.rsplit_once(':').unwrap();
    format!("{label}-{MAIN_ACCOUNT}.localhost:{port}")
}

fn get(world: &World, host: &str) -> Signed {
    Draft::raw(Method::GET, "/k").sign(&world.main, world.now(), host)
}

async fn refused(world: &World, signed: &Signed, code: &str, status: u16) {
    let answer = signed.send(&world.target()).await.unwrap();
    assert!(
        !answer.body().windows(4).any(|it| it == b"text"),
        "the object was served"
    );
    expect_s3_error(&answer, code, status);
}

#[tokio::test]
async fn an_account_that_is_not_signed_or_not_the_callers_is_refused() {
    let world = start().await;
    let list = || control(Method::GET, "accesspoint");
    let mut added = world.sign(list());
    added
        .headers
        .insert(ACCOUNT, HeaderValue::from_static(MAIN_ACCOUNT));
    refused(&world, &added, "AccessDenied", 403).await;
    let mut changed = world.sign(list().header(ACCOUNT, ALT_ACCOUNT));
    changed
        .headers
        .insert(ACCOUNT, HeaderValue::from_static(MAIN_ACCOUNT));
    refused(&world, &changed, "SignatureDoesNotMatch", 403).await;
    let other = world.sign(list().header(ACCOUNT, ALT_ACCOUNT));
    refused(&world, &other, "AccessDenied", 403).await;
    let host = world.host();
    let anonymous = list().header(ACCOUNT, MAIN_ACCOUNT).anonymous(&host);
    refused(&world, &anonymous, "AccessDenied", 403).await;
    for account in ["", "root", "00000000000", "*"] {
        let other = world.sign(list().header(ACCOUNT, account));
        refused(&world, &other, "InvalidRequest", 400).await;
    }
}

#[tokio::test]
async fn a_signature_for_one_access_point_is_good_for_no_other_and_not_for_the_bucket() {
    let world = start().await;
    let deny = format!(
        r#"{{"Statement": [{{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:us-east-1:{MAIN_ACCOUNT}:accesspoint/second/object/*"}}]}}"#
    );
    let document = format!(
        "<PutAccessPointPolicyRequest><Policy>{deny}</Policy></PutAccessPointPolicyRequest>"
    );
    let put = control(Method::PUT, "accesspoint/second/policy").header(ACCOUNT, MAIN_ACCOUNT);
    assert_eq!(world.send(put.body(document)).await.status(), 200);
    let (first, second) = (host(&world, "first"), host(&world, "second"));
    let signed = get(&world, &first);
    assert_eq!(
        signed.send(&world.target()).await.unwrap().body().as_ref(),
        b"text"
    );
    refused(&world, &get(&world, &second), "AccessDenied", 403).await;
    for other in [second, world.host()] {
        let mut moved = get(&world, &first);
        moved
            .headers
            .insert("host", HeaderValue::from_str(&other).unwrap());
        let answer = moved.send(&world.target()).await.unwrap();
        assert!(answer.status().is_client_error());
    }
}

#[tokio::test]
async fn an_absolute_address_that_names_another_host_than_the_header_is_refused() {
    let world = start().await;
    let (first, second) = (host(&world, "first"), host(&world, "second"));
    let mut mixed = get(&world, &first);
    mixed.path = format!("http://{second}/k");
    refused(&world, &mixed, "BadRequest", 400).await;
}

#[tokio::test]
async fn a_host_that_only_looks_like_an_access_point_is_none() {
    let world = start().await;
    let own = world.host();
    let (_, port) = own.rsplit_once(':').unwrap();
    for label in [
        format!("first.{MAIN_ACCOUNT}"),
        format!("first-{ALT_ACCOUNT}"),
        format!("first--{MAIN_ACCOUNT}"),
        format!("-first-{MAIN_ACCOUNT}"),
        format!("first-{MAIN_ACCOUNT}0"),
        format!("first-0{MAIN_ACCOUNT}"),
        format!("x.first-{MAIN_ACCOUNT}"),
    ] {
        let signed = get(&world, &format!("{label}.localhost:{port}"));
        let answer = signed.send(&world.target()).await.unwrap();
        assert!(answer.status().is_client_error(), "{label}");
    }
}

#[tokio::test]
async fn no_access_point_leads_to_the_state_of_the_gateway() {
    let world = start().await;
    for bucket in ["sealgate-state", "sealgate-ephemeral-1"] {
        let answer = world.send(create("third", bucket)).await;
        expect_s3_error(&answer, "InvalidRequest", 400);
    }
    let arn = format!("arn:aws:s3:us-east-1:{MAIN_ACCOUNT}:accesspoint/first/object/../record");
    let copy = Draft::new(Method::PUT, BUCKET, "copy").header("x-amz-copy-source", &arn);
    assert!(world.send(copy).await.status().is_client_error());
}
