//! The ways to name an access point: alias, hosts, absolute addresses as a proxy receives them.

use http::Method;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::signed::Draft;

use super::Answer;
use super::BUCKET;
use super::NAME;
use super::Points;
use super::control;
use super::creation_document;

async fn by_host(points: &Points, host: &str, draft: Draft) -> Answer {
    let main = points.world.main.clone();
    points.send_to(&main, host, draft).await
}

fn get(key: &str) -> Draft {
    Draft::raw(Method::GET, &format!("/{key}"))
}

#[tokio::test]
async fn an_object_is_written_and_read_by_alias_and_by_host() {
    let points = Points::with(|config| config.objects.allow_insecure_sse = true).await;
    let alias = points.create(NAME, BUCKET).await;
    let key = points.world.create_key("alias/data").await;
    let sse = "x-amz-server-side-encryption";
    let put = Draft::raw(Method::PUT, "/k")
        .body("sealed text")
        .header(sse, "aws:kms");
    let put = put.header("x-amz-server-side-encryption-aws-kms-key-id", &key);
    let host = points.host_of(NAME);
    assert_eq!(by_host(&points, &host, put).await.outcome(), (200, ""));
    // Its encryption context is that of the bucket's object: it opens by every way.
    for answer in [
        by_host(&points, &host, get("k")).await,
        by_host(&points, &host.to_uppercase(), get("k")).await,
        by_host(&points, &points.host(&alias), get("k")).await,
        points.send(Draft::new(Method::GET, &alias, "k")).await,
        points.send(Draft::new(Method::GET, BUCKET, "k")).await,
    ] {
        assert_eq!((answer.status, answer.text.as_str()), (200, "sealed text"));
        assert_eq!(answer.response.headers()[sse], "aws:kms");
    }
    tests::expect::expect_no_value(&points.world.backend, b"sealed text");
}

#[tokio::test]
async fn the_hosts_of_aws_name_access_points() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    points.put("k", "text").await;
    let label = format!("{NAME}-{MAIN_ACCOUNT}");
    for service in ["s3-accesspoint", "s3-accesspoint-fips.dualstack"] {
        let host = format!("{label}.{service}.us-east-1.amazonaws.com");
        assert_eq!(
            by_host(&points, &host, get("k")).await.text,
            "text",
            "{host}"
        );
    }
    let other = format!("other-{MAIN_ACCOUNT}.s3-accesspoint.us-east-1.amazonaws.com");
    let answer = by_host(&points, &other, get("k")).await;
    assert_eq!(answer.outcome(), (404, "NoSuchAccessPoint"));
    let no_name = "data.s3-accesspoint.us-east-1.amazonaws.com";
    let answer = by_host(&points, no_name, get("k")).await;
    assert_eq!(answer.outcome(), (404, "NoSuchAccessPoint"));
}

#[tokio::test]
async fn a_path_names_a_bucket_and_never_an_access_point_by_its_host_label() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    points.put("k", "text").await;
    let label = format!("{NAME}-{MAIN_ACCOUNT}");
    let answer = points.send(Draft::new(Method::GET, &label, "k")).await;
    assert_eq!(answer.outcome(), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn an_absolute_address_is_taken_as_a_proxy_receives_it() {
    let points = Points::start().await;
    let sign = |draft: Draft, host: &str| {
        let mut signed = draft.sign(&points.world.main, points.world.now(), host);
        signed.path = format!("http://{host}{}", signed.path);
        signed
    };
    let of_control = format!("{MAIN_ACCOUNT}.s3-control.us-east-1.amazonaws.com");
    let create = control(Method::PUT, "accesspoint/my-ap").body(creation_document(BUCKET, ""));
    let created = points.send_signed(&sign(create, &of_control)).await;
    assert_eq!(created.outcome(), (200, ""), "{}", created.text);
    points.put("k", "text").await;
    for host in [
        format!("{NAME}-{MAIN_ACCOUNT}.s3-accesspoint.us-east-1.amazonaws.com"),
        points.host_of(NAME),
    ] {
        let answer = points.send_signed(&sign(get("k"), &host)).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, "text"),
            "{host}"
        );
    }
}

#[tokio::test]
async fn s3_control_is_at_every_host() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    for host in [
        points.host(MAIN_ACCOUNT),
        format!("{MAIN_ACCOUNT}.s3-control.us-east-1.amazonaws.com"),
        points.world.host(),
    ] {
        let answer = by_host(&points, &host, control(Method::GET, "accesspoint/my-ap")).await;
        assert_eq!(answer.outcome(), (200, ""), "{host}");
    }
    // The same path is a key of a bucket that the host names, without the header that names an account.
    let host = points.host(BUCKET);
    let put = Draft::raw(Method::PUT, "/v20180820/accesspoint/my-ap").body("an object");
    assert_eq!(by_host(&points, &host, put).await.outcome(), (200, ""));
    let object = Draft::new(Method::GET, BUCKET, "v20180820/accesspoint/my-ap");
    assert_eq!(points.send(object).await.text, "an object");
}

#[tokio::test]
async fn answers_name_the_alias_in_the_place_of_the_bucket() {
    let points = Points::start().await;
    let alias = points.create(NAME, BUCKET).await;
    points.put("k", "text").await;
    let host = points.host_of(NAME);
    let list = by_host(&points, &host, get("").query("list-type", "2")).await;
    assert_eq!(
        (list.element("Name"), list.element("Key")),
        (alias.as_str(), "k")
    );

    let create = Draft::raw(Method::POST, "/big").query("uploads", "");
    let created = by_host(&points, &host, create).await;
    let id = created.element("UploadId").to_owned();
    assert_eq!(created.element("Bucket"), alias, "{}", created.text);
    let part = Draft::raw(Method::PUT, "/big").query("partNumber", "1");
    let part = by_host(&points, &host, part.query("uploadId", &id).body("part")).await;
    let etag = part.response.headers()["etag"].to_str().unwrap();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let complete = Draft::raw(Method::POST, "/big")
        .query("uploadId", &id)
        .body(document);
    let completed = by_host(&points, &host, complete).await;
    assert_eq!(completed.element("Location"), format!("http://{host}/big"));
    assert_eq!(completed.element("Bucket"), alias);
}

#[tokio::test]
async fn what_does_not_work_through_an_access_point_is_not_allowed() {
    let points = Points::start().await;
    let alias = points.create(NAME, BUCKET).await;
    for (method, subresource) in [
        (Method::PUT, "policy"),
        (Method::PUT, "versioning"),
        (Method::GET, "versioning"),
        (Method::DELETE, "cors"),
        (Method::PUT, "cors"),
        (Method::PUT, "acl"),
        (Method::PUT, "encryption"),
        (Method::DELETE, "tagging"),
    ] {
        let by_name = Draft::raw(method.clone(), "/").query(subresource, "");
        let by_host = by_host(&points, &points.host_of(NAME), by_name).await;
        let by_alias = Draft::new(method.clone(), &alias, "").query(subresource, "");
        for answer in [by_host, points.send(by_alias).await] {
            let expected = (405, "MethodNotAllowed");
            assert_eq!(answer.outcome(), expected, "{method} {subresource}");
        }
    }
    for draft in [
        Draft::raw(Method::PUT, "/"),
        Draft::raw(Method::DELETE, "/"),
    ] {
        let answer = by_host(&points, &points.host_of(NAME), draft).await;
        assert_eq!(answer.outcome(), (405, "MethodNotAllowed"));
    }
    for query in ["location", "acl", "cors", "policy", "versions", "uploads"] {
        let answer = points
            .send(Draft::new(Method::GET, &alias, "").query(query, ""))
            .await;
        assert_ne!(answer.status, 405, "{query}");
    }
}
