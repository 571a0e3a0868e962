//! Who may do what: the policies of the access point, of the bucket and of the caller.

use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::signed::Draft;

use super::BUCKET;
use super::NAME;
use super::Points;
use super::REGION;
use super::delegation;
use super::readers;
use super::user_arn;

async fn start() -> Points {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    points.put("k", "text").await;
    points
}

#[tokio::test]
async fn an_access_point_grants_nothing_that_its_bucket_does_not() {
    let points = start().await;
    let nobody = points.nobody.clone();
    points
        .put_point_policy(NAME, &readers(NAME, &user_arn(MAIN_ACCOUNT, "nobody")))
        .await;
    assert_eq!(points.get_through(&nobody, "k").await, 403);
    points.put_bucket_policy(&delegation()).await;
    assert_eq!(points.get_through(&nobody, "k").await, 200);
    assert_eq!(points.get_directly(&nobody, "k").await, 403);
    let deny = format!(
        r#"{}, {{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::{BUCKET}/*"}}"#,
        delegation()
    );
    points.put_bucket_policy(&deny).await;
    assert_eq!(points.get_through(&nobody, "k").await, 403);
}

#[tokio::test]
async fn the_bucket_grants_nothing_that_its_access_point_does_not() {
    let points = start().await;
    let nobody = points.nobody.clone();
    points.put_bucket_policy(&delegation()).await;
    assert_eq!(points.get_through(&nobody, "k").await, 403);
    let admin = points.admin.clone();
    assert_eq!(points.get_through(&admin, "k").await, 200);
    let deny = readers(NAME, MAIN_ACCOUNT).replace("Allow", "Deny");
    points.put_point_policy(NAME, &deny).await;
    let main = points.world.main.clone();
    for access in [&admin, &main] {
        assert_eq!(points.get_through(access, "k").await, 403);
        assert_eq!(points.get_directly(access, "k").await, 200);
    }
}

#[tokio::test]
async fn a_caller_from_another_account_needs_all_three_policies() {
    let points = start().await;
    let (trusted, outsider) = (points.trusted.clone(), points.outsider.clone());
    points
        .put_point_policy(NAME, &readers(NAME, ALT_ACCOUNT))
        .await;
    assert_eq!(points.get_through(&trusted, "k").await, 403);
    points.put_bucket_policy(&delegation()).await;
    assert_eq!(points.get_through(&trusted, "k").await, 200);
    assert_eq!(points.get_through(&outsider, "k").await, 403);
    assert_eq!(points.get_directly(&trusted, "k").await, 403);
    points
        .put_point_policy(NAME, &readers(NAME, MAIN_ACCOUNT))
        .await;
    assert_eq!(points.get_through(&trusted, "k").await, 403);
}

#[tokio::test]
async fn a_bucket_may_be_closed_to_all_but_its_access_points() {
    let points = start().await;
    let deny = format!(
        r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::{BUCKET}/*", "Condition":
            {{"StringNotEquals": {{"s3:DataAccessPointAccount": "{MAIN_ACCOUNT}"}}}}}}"#
    );
    points.put_bucket_policy(&deny).await;
    let main = points.world.main.clone();
    assert_eq!(points.get_directly(&main, "k").await, 403);
    assert_eq!(points.get_through(&main, "k").await, 200);
    assert_eq!(points.get_directly(&main, "k").await, 403);
}

#[tokio::test]
async fn every_policy_sees_the_keys_of_the_access_point() {
    let points = start().await;
    let nobody = user_arn(MAIN_ACCOUNT, "nobody");
    let arn = format!("arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/{NAME}");
    for (key, value, status) in [
        ("s3:DataAccessPointArn", arn.as_str(), 200),
        (
            "s3:DataAccessPointArn",
            "arn:aws:s3:us-east-1:000000000000:accesspoint/other",
            403,
        ),
        ("s3:AccessPointNetworkOrigin", "Internet", 200),
        ("s3:AccessPointNetworkOrigin", "VPC", 403),
        ("s3:DataAccessPointAccount", MAIN_ACCOUNT, 200),
    ] {
        let condition = format!(r#", "Condition": {{"StringEquals": {{"{key}": "{value}"}}}}}}"#);
        let of_point = format!(
            r#"{{"Effect": "Allow", "Principal": {{"AWS": "{nobody}"}}, "Action": "s3:GetObject",
                "Resource": "{arn}/object/*"{condition}"#
        );
        points.put_point_policy(NAME, &of_point).await;
        let of_bucket = format!(
            r#"{{"Effect": "Allow", "Principal": {{"AWS": "{nobody}"}}, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::{BUCKET}/*"{condition}"#
        );
        points.put_bucket_policy(&of_bucket).await;
        let access = points.nobody.clone();
        assert_eq!(
            points.get_through(&access, "k").await,
            status,
            "{key} {value}"
        );
        assert_eq!(
            points.get_directly(&access, "k").await,
            403,
            "{key} {value}"
        );
    }
}

#[tokio::test]
async fn an_access_point_may_be_for_one_prefix() {
    let points = start().await;
    points.put("in/k", "text").await;
    points.put_bucket_policy(&delegation()).await;
    let nobody = user_arn(MAIN_ACCOUNT, "nobody");
    let readers = readers(NAME, &nobody).replace("object/*", "object/in/*");
    points.put_point_policy(NAME, &readers).await;
    let access = points.nobody.clone();
    assert_eq!(points.get_through(&access, "in/k").await, 200);
    assert_eq!(points.get_through(&access, "k").await, 403);
    let host = points.host_of(NAME);
    let list = points
        .send_to(&access, &host, Draft::raw(Method::GET, "/"))
        .await;
    assert_eq!(list.outcome(), (403, "AccessDenied"));
    // DeleteObjects is judged key by key.
    let delete = "<Delete><Object><Key>in/k</Key></Object></Delete>";
    let digest = {
        use base64::Engine as _;
        use md5::Digest as _;
        base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(delete))
    };
    let delete = Draft::raw(Method::POST, "/")
        .query("delete", "")
        .body(delete);
    let answer = points
        .send_to(&access, &host, delete.header("content-md5", &digest))
        .await;
    assert_eq!(answer.element("Code"), "AccessDenied", "{}", answer.text);
}

#[tokio::test]
async fn nobody_comes_through_an_access_point_unsigned_and_nobody_by_version_2() {
    let points = start().await;
    let open = readers(NAME, "*").replace(r#"{"AWS": "*"}"#, "\"*\"");
    let no_block = "<PublicAccessBlockConfiguration/>";
    assert_eq!(
        points
            .send(super::creation("open", BUCKET, no_block))
            .await
            .status,
        200
    );
    points
        .put_point_policy("open", &open.replace(NAME, "open"))
        .await;
    points.put_bucket_policy(&delegation()).await;
    let host = points.host_of("open");
    let anonymous = points
        .send_signed(&Draft::raw(Method::GET, "/k").anonymous(&host))
        .await;
    assert_eq!(anonymous.outcome(), (403, "AccessDenied"));
    let signed = Draft::raw(Method::GET, "/k");
    assert_eq!(
        points.send_to(&points.nobody, &host, signed).await.status,
        200
    );
    let alias = points.create("named", BUCKET).await;
    let (main, host) = (&points.world.main, points.world.host());
    let get = || Draft::new(Method::GET, &alias, "k");
    assert_eq!(points.send_as(main, get()).await.text, "text");
    let version_2 = get().sign_version_2(main, points.world.now(), &host);
    let answer = points.send_signed(&version_2).await;
    assert_eq!(answer.outcome(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn a_presigned_url_works_through_an_access_point() {
    let points = start().await;
    let host = points.host_of(NAME);
    let (now, minute) = (points.world.now(), std::time::Duration::from_secs(60));
    let signed = Draft::raw(Method::GET, "/k").presign(&points.world.main, now, &host, minute);
    assert_eq!(points.send_signed(&signed).await.text, "text");
}

#[tokio::test]
async fn the_policies_of_the_caller_name_the_access_point_and_may_deny_on_the_bucket() {
    let points = start().await;
    // What another account's user may do by its own policies is judged on the access point, and a denial on
    // the bucket counts as well.
    points
        .put_point_policy(NAME, &readers(NAME, ALT_ACCOUNT))
        .await;
    points.put_bucket_policy(&delegation()).await;
    let trusted = points.trusted.clone();
    assert_eq!(points.get_through(&trusted, "k").await, 200);
    let deny = format!(
        r#"{}, {{"Effect": "Deny", "Principal": {{"AWS": "{ALT_ACCOUNT}"}}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::{BUCKET}/k"}}"#,
        delegation()
    );
    points.put_bucket_policy(&deny).await;
    assert_eq!(points.get_through(&trusted, "k").await, 403);
}

#[tokio::test]
async fn an_access_point_may_deny_what_nothing_else_does_also_by_the_tags_of_an_object() {
    let points = start().await;
    let tagged = Draft::new(Method::PUT, BUCKET, "tagged").header("x-amz-tagging", "class=secret");
    assert_eq!(points.send(tagged.body("text")).await.status, 200);
    let main = points.world.main.clone();
    let condition = r#", "Condition": {"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}}"#;
    for (more, of_tagged, of_other) in [("}", 403, 403), (condition, 403, 200)] {
        let deny = readers(NAME, MAIN_ACCOUNT).replace("Allow", "Deny");
        let deny = format!("{}{more}", deny.trim_end_matches('}'));
        points.put_point_policy(NAME, &deny).await;
        assert_eq!(
            points.get_through(&main, "tagged").await,
            of_tagged,
            "{more}"
        );
        assert_eq!(points.get_through(&main, "k").await, of_other, "{more}");
        assert_eq!(points.get_directly(&main, "tagged").await, 200, "{more}");
    }
}

#[tokio::test]
async fn where_the_bucket_delegates_another_accounts_user_needs_its_own_policy_on_the_access_point_only()
 {
    let points = start().await;
    points
        .put_point_policy(NAME, &readers(NAME, ALT_ACCOUNT))
        .await;
    points.put_bucket_policy(&delegation()).await;
    let visitor = points.visitor.clone();
    assert_eq!(points.get_through(&visitor, "k").await, 200);
    assert_eq!(points.get_directly(&visitor, "k").await, 403);
}

#[tokio::test]
async fn where_a_bucket_has_no_policy_a_users_own_may_look_at_the_caller_and_at_the_tags_of_an_object()
 {
    let points = start().await;
    let tagged = Draft::new(Method::PUT, BUCKET, "tagged").header("x-amz-tagging", "class=open");
    assert_eq!(points.send(tagged.body("text")).await.status, 200);
    let reader = points.reader.clone();
    assert_eq!(points.get_directly(&reader, "tagged").await, 200);
    assert_eq!(points.get_directly(&reader, "k").await, 403);
}

#[tokio::test]
async fn a_refusal_names_the_kind_of_policy_that_refuses() {
    let points = start().await;
    let (allows, denies) = (
        "because no {} policy allows",
        "with an explicit deny in {} policy",
    );
    let (identity, resource) = ("identity-based", "resource-based");
    let host = points.host_of(NAME);
    let check = async |access: &Access, key: &str, expected: String| {
        let answer = points
            .send_as(access, Draft::new(Method::GET, BUCKET, key))
            .await;
        assert_eq!(answer.outcome(), (403, "AccessDenied"), "{key}");
        assert!(
            answer.text.contains(&expected),
            "{}: {expected}",
            answer.text
        );
    };
    check(&points.nobody, "k", allows.replace("{}", identity)).await;
    check(&points.outsider, "k", allows.replace("{}", resource)).await;
    let by_identity = denies.replace("{}", "an identity-based");
    check(&points.reader, "secret/k", by_identity).await;
    points.put_bucket_policy(&delegation()).await;
    let get = Draft::raw(Method::GET, "/k");
    let answer = points.send_to(&points.nobody, &host, get).await;
    let expected = allows.replace("{}", identity);
    assert!(answer.text.contains(&expected), "{}", answer.text);
    let deny = format!(
        r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::{BUCKET}/k"}}"#
    );
    points.put_bucket_policy(&deny).await;
    check(&points.admin, "k", denies.replace("{}", "a resource-based")).await;
}

#[tokio::test]
async fn an_expected_owner_that_is_no_account_is_refused_as_invalid() {
    let points = start().await;
    for (owner, outcome) in [
        (MAIN_ACCOUNT, (200, "")),
        (ALT_ACCOUNT, (403, "AccessDenied")),
        ("me", (400, "InvalidBucketOwnerAWSAccountID")),
    ] {
        let get = Draft::new(Method::GET, BUCKET, "k").header("x-amz-expected-bucket-owner", owner);
        assert_eq!(points.send(get).await.outcome(), outcome, "{owner}");
    }
}

#[tokio::test]
async fn an_access_point_shows_no_upload_to_a_user_by_the_account_alone_that_created_it() {
    let points = start().await;
    points.let_lists_count().await;
    // An upload with a list, whose owner is the account of both users.
    let create = Draft::new(Method::POST, BUCKET, "k").query("uploads", "");
    let created = points.send(create.header("x-amz-acl", "public-read")).await;
    let upload = created.element("UploadId");
    let lists_parts = readers(NAME, &user_arn(MAIN_ACCOUNT, "nobody"))
        .replace("s3:GetObject", "s3:ListMultipartUploadParts");
    points.put_point_policy(NAME, &lists_parts).await;
    let (nobody, host) = (&points.nobody, points.host_of(NAME));
    let parts = Draft::raw(Method::GET, "/k").query("uploadId", upload);
    let refused = points.send_to(nobody, &host, parts.clone()).await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
    points.put_bucket_policy(&delegation()).await;
    let shown = points.send_to(nobody, &host, parts).await;
    assert_eq!(shown.outcome(), (200, ""), "{}", shown.text);
}
