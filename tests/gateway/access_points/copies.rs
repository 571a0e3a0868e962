//! Copies whose source or target is named by an access point.

use http::Method;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::signed::Draft;

use super::BUCKET;
use super::NAME;
use super::Points;
use super::REGION;
use super::delegation;
use super::readers;
use super::user_arn;

const SOURCE: &str = "x-amz-copy-source";

fn arn(key: &str) -> String {
    format!("arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/{NAME}/object/{key}")
}

fn encoded(key: &str) -> String {
    format!("arn%3Aaws%3As3%3A{REGION}%3A{MAIN_ACCOUNT}%3Aaccesspoint/{NAME}/object/{key}")
}

#[tokio::test]
async fn a_source_is_named_by_arn_or_alias_encoded_or_not() {
    let points = Points::start().await;
    let alias = points.create(NAME, BUCKET).await;
    points.put("a/object/b c", "text").await;
    let target = Draft::new(Method::PUT, BUCKET, "copy");
    for source in [
        arn("a/object/b%20c"),
        arn("a/object/b c"),
        encoded("a/object/b%20c"),
        format!("{alias}/a/object/b%20c"),
        format!("/{alias}/a/object/b%20c"),
    ] {
        let copied = points.send(target.clone().header(SOURCE, &source)).await;
        assert_eq!(copied.outcome(), (200, ""), "{source}: {}", copied.text);
        let copy = points.send(Draft::new(Method::GET, BUCKET, "copy")).await;
        assert_eq!(copy.text, "text", "{source}");
        points
            .send(Draft::new(Method::DELETE, BUCKET, "copy"))
            .await;
    }
    for (source, code) in [
        (arn("missing"), "NoSuchKey"),
        (arn("k").replace(NAME, "other"), "NoSuchAccessPoint"),
        (arn("k").replace(REGION, "eu-west-1"), "NoSuchAccessPoint"),
        (arn(""), "InvalidArgument"),
        ("arn:aws:s3:::data/k".to_owned(), "InvalidArgument"),
    ] {
        let answer = points.send(target.clone().header(SOURCE, &source)).await;
        assert_eq!(answer.element("Code"), code, "{source}");
    }
}

#[tokio::test]
async fn a_version_of_the_source_is_copied_and_a_part_too() {
    let points = Points::start().await;
    let alias = points.create(NAME, BUCKET).await;
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let versioning = Draft::new(Method::PUT, BUCKET, "").query("versioning", "");
    assert_eq!(points.send(versioning.body(enable)).await.status, 200);
    let first = points
        .send(Draft::new(Method::PUT, BUCKET, "k").body("first"))
        .await;
    let version = first.response.headers()["x-amz-version-id"]
        .to_str()
        .unwrap()
        .to_owned();
    points.put("k", "second").await;
    let source = format!("{}?versionId={version}", encoded("k"));
    let copied = points
        .send(Draft::new(Method::PUT, &alias, "old").header(SOURCE, &source))
        .await;
    assert_eq!(copied.outcome(), (200, ""), "{}", copied.text);
    assert_eq!(
        points
            .send(Draft::new(Method::GET, BUCKET, "old"))
            .await
            .text,
        "first"
    );

    let create = Draft::new(Method::POST, BUCKET, "big").query("uploads", "");
    let id = points.send(create).await.element("UploadId").to_owned();
    let part = Draft::new(Method::PUT, BUCKET, "big").query("partNumber", "1");
    let part = part.query("uploadId", &id).header(SOURCE, &source);
    assert_eq!(points.send(part).await.outcome(), (200, ""));
}

#[tokio::test]
async fn a_copy_is_judged_by_the_access_points_of_both_ends() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    points.create("writers", BUCKET).await;
    points.put("k", "text").await;
    let nobody = user_arn(MAIN_ACCOUNT, "nobody");
    points.put_bucket_policy(&delegation()).await;
    let writers = format!(
        r#"{{"Effect": "Allow", "Principal": {{"AWS": "{nobody}"}}, "Action": ["s3:PutObject", "s3:PutObjectTagging"],
            "Resource": "arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/writers/object/*"}}"#
    );
    points.put_point_policy("writers", &writers).await;
    let host = points.host_of("writers");
    let copy = |source: String| Draft::raw(Method::PUT, "/copy").header(SOURCE, &source);
    let through_reader = || copy(encoded("k"));
    let user = points.nobody.clone();
    let refused = points.send_to(&user, &host, through_reader()).await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
    points.put_point_policy(NAME, &readers(NAME, &nobody)).await;
    let copied = points.send_to(&user, &host, through_reader()).await;
    assert_eq!(copied.outcome(), (200, ""), "{}", copied.text);
    // Neither end lends its rights to the other, nor to the bucket itself.
    let of_writers = encoded("k").replace(NAME, "writers");
    for source in [of_writers, format!("{BUCKET}/k")] {
        let answer = points.send_to(&user, &host, copy(source)).await;
        assert_eq!(answer.outcome(), (403, "AccessDenied"));
    }
    let by_reader = points
        .send_to(&user, &points.host_of(NAME), through_reader())
        .await;
    assert_eq!(by_reader.outcome(), (403, "AccessDenied"));
}
