//! How access points come and go with their buckets.

use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::backend::Action;
use tests::backend::Fault;
use tests::signed::Draft;

use super::BUCKET;
use super::NAME;
use super::Points;
use super::control;
use super::control_of;
use super::creation;
use super::creation_document;

const DOCUMENT: &str = "/sealgate-state/access-points/123456789012/my-ap";

fn delete_bucket() -> Draft {
    Draft::new(Method::DELETE, BUCKET, "")
}

fn delete_point() -> Draft {
    control(Method::DELETE, "accesspoint/my-ap")
}

#[tokio::test]
async fn a_bucket_with_access_points_is_not_deleted() {
    let points = Points::start().await;
    let alias = points.create(NAME, BUCKET).await;
    let refused = points.send(delete_bucket()).await;
    assert_eq!(refused.outcome(), (400, "BucketHasAccessPointsAttached"));
    assert_eq!(points.send(delete_point()).await.outcome(), (204, ""));
    assert_eq!(points.send(delete_bucket()).await.outcome(), (204, ""));
    let by_alias = points.send(Draft::new(Method::GET, &alias, "k")).await;
    assert_eq!(by_alias.outcome(), (404, "NoSuchBucket"));
    let main = points.world.main.clone();
    let host = points.host_of(NAME);
    let by_host = points
        .send_to(&main, &host, Draft::raw(Method::GET, "/k"))
        .await;
    assert_eq!(by_host.outcome(), (404, "NoSuchAccessPoint"));
    assert_eq!(
        points.send(delete_point()).await.outcome(),
        (404, "NoSuchAccessPoint")
    );
}

#[tokio::test]
async fn a_bucket_that_is_created_anew_has_none_of_the_former_access_points() {
    let points = Points::start().await;
    // An access point of another account does not keep the owner from deleting the bucket.
    let trusted = points.trusted.clone();
    let more = format!("<BucketAccountId>{MAIN_ACCOUNT}</BucketAccountId>");
    let create = control_of(ALT_ACCOUNT, Method::PUT, "accesspoint/theirs")
        .body(creation_document(BUCKET, &more));
    let created = points.send_as(&trusted, create).await;
    assert_eq!(created.outcome(), (200, ""), "{}", created.text);
    let alias = created.element("Alias").to_owned();
    assert_eq!(points.send(delete_bucket()).await.outcome(), (204, ""));
    assert_eq!(
        points
            .send(Draft::new(Method::PUT, BUCKET, ""))
            .await
            .status,
        200
    );
    let by_alias = points.send(Draft::new(Method::GET, &alias, "")).await;
    assert_eq!(by_alias.outcome(), (404, "NoSuchBucket"));
    let get = control_of(ALT_ACCOUNT, Method::GET, "accesspoint/theirs");
    let found = points.send_as(&trusted, get).await;
    assert_eq!(found.outcome(), (404, "NoSuchAccessPoint"));
}

#[tokio::test]
async fn a_name_may_be_used_again_and_the_former_alias_stays_dead() {
    let points = Points::start().await;
    let former = points.create(NAME, BUCKET).await;
    points.send(delete_point()).await;
    let alias = points.create(NAME, BUCKET).await;
    assert_ne!(former, alias);
    let list = |alias: &str| Draft::new(Method::GET, alias, "");
    assert_eq!(
        points.send(list(&former)).await.outcome(),
        (404, "NoSuchBucket")
    );
    assert_eq!(points.send(list(&alias)).await.status, 200);
}

#[tokio::test]
async fn a_creation_that_broke_off_left_nothing_and_can_be_repeated() {
    let points = Points::start().await;
    let record = "/sealgate-state/buckets/data/record";
    let on = move |it: &tests::backend::Recorded| it.method == Method::PUT && it.path == record;
    points
        .world
        .backend
        .inject(Fault::on(on, Action::RefuseAfterBody(500, "InternalError")));
    let broken = points.send(creation(NAME, BUCKET, "")).await;
    assert_eq!(broken.outcome(), (503, "ServiceUnavailable"));
    points.world.backend.heal();
    let found = points.send(control(Method::GET, "accesspoint/my-ap")).await;
    assert_eq!(found.outcome(), (404, "NoSuchAccessPoint"));
    points.create(NAME, BUCKET).await;
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_an_error_and_no_absence() {
    let points = Points::with(|config| config.state.fresh_ms = 0).await;
    let alias = points.create(NAME, BUCKET).await;
    let on = |it: &tests::backend::Recorded| it.method == Method::GET && it.path == DOCUMENT;
    points
        .world
        .backend
        .inject(Fault::on(on, Action::RefuseAfterBody(500, "InternalError")));
    let main = points.world.main.clone();
    let host = points.host_of(NAME);
    let by_host = points
        .send_to(&main, &host, Draft::raw(Method::GET, "/k"))
        .await;
    assert_eq!(by_host.outcome(), (503, "ServiceUnavailable"));
    for draft in [
        Draft::new(Method::GET, &alias, "k"),
        control(Method::GET, "accesspoint/my-ap"),
        control(Method::GET, "accesspoint"),
        creation(NAME, BUCKET, ""),
    ] {
        let answer = points.send(draft).await;
        assert_eq!(
            answer.outcome(),
            (503, "ServiceUnavailable"),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_bucket_whose_host_is_that_of_an_access_point_and_the_reverse_are_refused() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    let bucket = format!("{NAME}-{MAIN_ACCOUNT}");
    let refused = points.send(Draft::new(Method::PUT, &bucket, "")).await;
    assert_eq!(refused.outcome(), (409, "BucketAlreadyExists"));
    let taken = format!("taken-{MAIN_ACCOUNT}");
    assert_eq!(
        points
            .send(Draft::new(Method::PUT, &taken, ""))
            .await
            .status,
        200
    );
    let refused = points.send(creation("taken", BUCKET, "")).await;
    assert_eq!(refused.outcome(), (400, "InvalidRequest"));
    // The bucket is reached by its host, as long as no access point has it.
    let main = points.world.main.clone();
    let host = points.host_of("taken");
    let list = points
        .send_to(&main, &host, Draft::raw(Method::GET, "/"))
        .await;
    assert_eq!((list.status, list.element("Name")), (200, taken.as_str()));
}

#[tokio::test]
async fn no_bucket_is_created_by_a_name_that_is_reserved() {
    let points = Points::start().await;
    let alias = points.create(NAME, BUCKET).await;
    for bucket in [
        alias.as_str(),
        "any-s3alias",
        "any--ol-s3",
        "any.mrap",
        "any--use1-az4--x-s3",
        "any--table-s3",
        "xn--any",
        "sthree-any",
        "sthree-configurator",
        "amzn-s3-demo-any",
    ] {
        let answer = points.send(Draft::new(Method::PUT, bucket, "")).await;
        assert_eq!(answer.outcome(), (400, "InvalidBucketName"), "{bucket}");
    }
    for bucket in ["any-xn--a", "amzn-s3-demonstration", "x-s3", "mrap"] {
        let answer = points.send(Draft::new(Method::PUT, bucket, "")).await;
        assert_eq!(answer.status, 200, "{bucket}");
    }
}
