//! S3 Control's operations and their errors.

use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::signed::Draft;

use super::Answer;
use super::BUCKET;
use super::NAME;
use super::Points;
use super::REGION;
use super::control;
use super::control_of;
use super::creation;
use super::creation_document;
use super::point_arn;
use super::point_policy;
use super::readers;

async fn get(points: &Points, path: &str) -> Answer {
    points.send(control(Method::GET, path)).await
}

#[tokio::test]
async fn an_access_point_is_created_once_with_an_arn_and_an_alias() {
    let points = Points::start().await;
    let created = points.send(creation(NAME, BUCKET, "")).await;
    let arn = format!("arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/{NAME}");
    assert_eq!(created.element("AccessPointArn"), arn, "{}", created.text);
    let alias = created.element("Alias").to_owned();
    let random = alias.strip_prefix("my-ap-").unwrap();
    let random = random.strip_suffix("-s3alias").unwrap();
    assert!(
        random.len() == 34 && random.bytes().all(|it| it.is_ascii_alphanumeric()),
        "{alias}"
    );

    let again = points.send(creation(NAME, BUCKET, "")).await;
    assert_eq!(again.outcome(), (409, "AccessPointAlreadyOwnedByYou"));
    assert_eq!(again.element("AccessPointName"), NAME);

    let found = get(&points, "accesspoint/my-ap").await;
    assert_eq!(found.outcome(), (200, ""));
    for (element, expected) in [
        ("Name", NAME),
        ("Bucket", BUCKET),
        ("NetworkOrigin", "Internet"),
        ("AccessPointArn", &arn),
        ("Alias", &alias),
        ("BucketAccountId", MAIN_ACCOUNT),
    ] {
        assert_eq!(found.element(element), expected, "{}", found.text);
    }
    assert!(
        found
            .text
            .contains("s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com")
    );
}

#[tokio::test]
async fn errors_are_wrapped() {
    let points = Points::start().await;
    let answer = get(&points, "accesspoint/missing").await;
    assert_eq!(answer.outcome(), (404, "NoSuchAccessPoint"));
    assert_eq!(answer.element("AccessPointName"), "missing");
    assert_eq!(
        answer.element("Message"),
        "The specified accesspoint does not exist"
    );
    let (_, wrapped) = answer.text.split_once('\n').unwrap();
    assert!(
        wrapped.starts_with("<ErrorResponse><Error><Code>"),
        "{wrapped}"
    );
    assert!(wrapped.contains("</Error><RequestId>"), "{wrapped}");
}

#[tokio::test]
async fn what_is_not_there_is_an_error_of_its_own() {
    let points = Points::start().await;
    for (method, path) in [
        (Method::GET, "accesspoint/missing"),
        (Method::DELETE, "accesspoint/missing"),
        (Method::GET, "accesspoint/missing/policy"),
        (Method::DELETE, "accesspoint/missing/policy"),
        (Method::GET, "accesspoint/missing/policyStatus"),
    ] {
        let answer = points.send(control(method.clone(), path)).await;
        assert_eq!(
            answer.outcome(),
            (404, "NoSuchAccessPoint"),
            "{method} {path}"
        );
    }
    let put = points
        .send(point_policy("missing", &readers("missing", MAIN_ACCOUNT)))
        .await;
    assert_eq!(put.outcome(), (404, "NoSuchAccessPoint"));
    points.create(NAME, BUCKET).await;
    for path in ["accesspoint/my-ap/policy", "accesspoint/my-ap/policyStatus"] {
        let answer = get(&points, path).await;
        assert_eq!(answer.outcome(), (404, "NoSuchAccessPointPolicy"), "{path}");
        assert_eq!(answer.element("AccessPointName"), NAME);
    }
    let arn = format!("tags/arn%3Aaws%3As3%3A{REGION}%3A{MAIN_ACCOUNT}%3Aaccesspoint%2Fmissing");
    let tags = get(&points, &arn).await;
    assert_eq!(tags.outcome(), (404, "NoSuchResource"));
}

#[tokio::test]
async fn a_name_that_cannot_be_is_refused() {
    let points = Points::start().await;
    for (name, code) in [
        ("A_b", "InvalidURI"),
        ("ab", "InvalidURI"),
        ("-ab", "InvalidRequest"),
        ("a.b", "InvalidRequest"),
        ("ab-s3alias", "InvalidRequest"),
    ] {
        let answer = points.send(creation(name, BUCKET, "")).await;
        assert_eq!(answer.outcome(), (400, code), "{name}");
    }
    let answer = points.send(creation("A_b", BUCKET, "")).await;
    assert_eq!(answer.element("URI"), "accesspoint/A_b");
}

#[tokio::test]
async fn a_bucket_that_is_missing_or_of_another_account_has_no_access_points() {
    let points = Points::start().await;
    let alt = points.world.alt.clone();
    points
        .send_as(&alt, Draft::new(Method::PUT, "foreign", ""))
        .await;
    let of_main = format!("<BucketAccountId>{MAIN_ACCOUNT}</BucketAccountId>");
    for (bucket, more) in [
        ("missing", ""),
        ("sealgate-state", ""),
        ("foreign", ""),
        ("foreign", of_main.as_str()),
    ] {
        let answer = points.send(creation(NAME, bucket, more)).await;
        assert_eq!(answer.outcome(), (400, "InvalidRequest"), "{bucket}");
        let message = "Amazon S3 AccessPoint can only be created for existing bucket";
        assert_eq!(answer.element("Message"), message);
    }
    let of_alt = format!("<BucketAccountId>{ALT_ACCOUNT}</BucketAccountId>");
    let answer = points.send(creation(NAME, "foreign", &of_alt)).await;
    assert_eq!(answer.outcome(), (200, ""));
    let found = get(&points, "accesspoint/my-ap").await;
    assert_eq!(found.element("BucketAccountId"), ALT_ACCOUNT);
}

#[tokio::test]
async fn a_block_that_is_left_out_is_whole_and_what_a_partial_one_leaves_out_is_off() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    let partial = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
                   </PublicAccessBlockConfiguration>";
    points.send(creation("partial", BUCKET, partial)).await;
    for (name, others) in [(NAME, "true"), ("partial", "false")] {
        let found = get(&points, &format!("accesspoint/{name}")).await;
        assert_eq!(found.element("BlockPublicAcls"), "true");
        for setting in [
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        ] {
            assert_eq!(found.element(setting), others, "{name} {setting}");
        }
    }
}

#[tokio::test]
async fn a_list_goes_on_where_its_page_ended() {
    let points = Points::start().await;
    points.send(Draft::new(Method::PUT, "second", "")).await;
    for (name, bucket) in [("ccc", BUCKET), ("aaa", BUCKET), ("bbb", "second")] {
        points.create(name, bucket).await;
    }
    let list = |pairs: &[(&str, &str)]| {
        let draft = control(Method::GET, "accesspoint");
        pairs
            .iter()
            .fold(draft, |draft, (name, value)| draft.query(name, value))
    };
    let mut seen = Vec::new();
    let mut token = String::new();
    for _ in 0..3 {
        let mut page = list(&[("maxResults", "1")]);
        if !token.is_empty() {
            page = page.query("nextToken", &token);
        }
        let answer = points.send(page).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.text.matches("<AccessPoint>").count(), 1);
        seen.push(answer.element("Name").to_owned());
        token = answer.element("NextToken").to_owned();
    }
    assert_eq!(
        (seen, token.as_str()),
        (vec!["aaa".into(), "bbb".into(), "ccc".into()], "")
    );
    let of_bucket = points.send(list(&[("bucket", "second")])).await;
    assert_eq!(of_bucket.text.matches("<AccessPoint>").count(), 1);
    assert_eq!(of_bucket.element("Name"), "bbb");
    let alt = points.world.alt.clone();
    let of_alt = control_of(ALT_ACCOUNT, Method::GET, "accesspoint");
    assert!(
        !points
            .send_as(&alt, of_alt)
            .await
            .text
            .contains("<AccessPoint>")
    );
    for (name, value) in [("maxResults", "x"), ("maxResults", "0"), ("nextToken", "%")] {
        let answer = points.send(list(&[(name, value)])).await;
        assert_eq!(answer.outcome(), (400, "InvalidArgument"), "{name}");
    }
}

#[tokio::test]
async fn a_policy_is_stored_as_it_was_put() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    let statements = readers(NAME, MAIN_ACCOUNT);
    points.put_point_policy(NAME, &statements).await;
    let stored = get(&points, "accesspoint/my-ap/policy").await;
    let text = stored.element("Policy").replace("&quot;", "\"");
    assert_eq!(text, super::policy(&statements));
    let status = get(&points, "accesspoint/my-ap/policyStatus").await;
    assert_eq!(status.element("IsPublic"), "false", "{}", status.text);
    for expected in [(204, ""), (204, "")] {
        let path = "accesspoint/my-ap/policy";
        let answer = points.send(control(Method::DELETE, path)).await;
        assert_eq!(answer.outcome(), expected);
    }
}

#[tokio::test]
async fn a_policy_that_is_malformed_or_about_another_access_point_is_refused() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    for statements in [
        "{".to_owned(),
        readers("other", MAIN_ACCOUNT),
        format!(
            r#"{{"Effect": "Allow", "Principal": {{"AWS": "{MAIN_ACCOUNT}"}}, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::{BUCKET}/*"}}"#
        ),
        readers(NAME, MAIN_ACCOUNT).replace("s3:GetObject", "kms:Decrypt"),
    ] {
        let answer = points.send(point_policy(NAME, &statements)).await;
        assert_eq!(answer.outcome(), (400, "MalformedPolicy"), "{statements}");
    }
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let points = Points::start().await;
    let first = "<Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags>";
    points.send(creation(NAME, BUCKET, first)).await;
    let path = format!("tags/arn%3Aaws%3As3%3A{REGION}%3A{MAIN_ACCOUNT}%3Aaccesspoint/{NAME}");
    let more = "<TagResourceRequest><Tags><Tag><Key>b</Key><Value>2</Value></Tag>\
                <Tag><Key>c</Key><Value>3</Value></Tag></Tags></TagResourceRequest>";
    let added = points.send(control(Method::POST, &path).body(more)).await;
    assert_eq!(added.outcome(), (204, ""));
    let removal = control(Method::DELETE, &path)
        .query("tagKeys", "a")
        .query("tagKeys", "c");
    assert_eq!(points.send(removal).await.outcome(), (204, ""));
    let listed = get(&points, &path).await;
    let expected = "<Tags><Tag><Key>b</Key><Value>2</Value></Tag></Tags>";
    assert!(listed.text.contains(expected), "{}", listed.text);
}

#[tokio::test]
async fn what_belongs_to_directory_buckets_and_what_is_not_there_is_not_implemented() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    for path in [
        "accesspoint/my-ap/scope",
        "accesspointfordirectory",
        "jobs",
        "mrap/instances",
    ] {
        let answer = get(&points, path).await;
        assert_eq!(answer.outcome(), (501, "NotImplemented"), "{path}");
        assert!(answer.text.contains("<ErrorResponse>"), "{path}");
    }
    let scoped = creation("scoped", BUCKET, "<Scope/>");
    assert_eq!(points.send(scoped).await.outcome(), (501, "NotImplemented"));
    let method = points
        .send(control(Method::POST, "accesspoint/my-ap"))
        .await;
    assert_eq!(method.outcome(), (405, "MethodNotAllowed"));
}

#[tokio::test]
async fn identity_policies_decide_about_s3_control_and_nothing_crosses_accounts() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    let get = || control(Method::GET, "accesspoint/my-ap");
    assert_eq!(points.send_as(&points.admin, get()).await.status, 200);
    for access in [&points.nobody, &points.outsider, &points.trusted] {
        let answer = points.send_as(access, get()).await;
        assert_eq!(answer.outcome(), (403, "AccessDenied"));
    }
    let other = control_of(ALT_ACCOUNT, Method::GET, "accesspoint");
    assert_eq!(points.send(other).await.outcome(), (403, "AccessDenied"));
    let none = Draft::raw(Method::GET, "/v20180820/accesspoint");
    assert_eq!(points.send(none).await.outcome(), (400, "InvalidRequest"));
    let create = control(Method::PUT, "accesspoint/new-one").body(creation_document(BUCKET, ""));
    let refused = points.send_as(&points.nobody, create).await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
    assert!(
        refused.text.contains("s3:CreateAccessPoint"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_users_policy_may_name_the_access_points_that_it_looks_at() {
    let points = Points::start().await;
    points.create(NAME, BUCKET).await;
    points.create("other", BUCKET).await;
    for (name, outcome) in [
        (NAME, (200, "")),
        ("other", (403, "AccessDenied")),
        ("missing", (403, "AccessDenied")),
    ] {
        let path = format!("accesspoint/{name}");
        let answer = points
            .send_as(&points.keeper, control(Method::GET, &path))
            .await;
        assert_eq!(answer.outcome(), outcome, "{name}");
        let is_named = answer.text.contains(&point_arn(name));
        assert!(is_named, "{}", answer.text);
    }
}

#[tokio::test]
async fn the_anonymous_caller_is_denied_whatever_else_its_request_to_s3_control_lacks() {
    let points = Points::start().await;
    let whole = control(Method::GET, "accesspoint/my-ap");
    let without_account = Draft::raw(Method::GET, "/v20180820/accesspoint/my-ap");
    for draft in [whole, without_account] {
        let anonymous = draft.anonymous(&points.world.host());
        let answer = points.send_signed(&anonymous).await;
        assert_eq!(answer.outcome(), (403, "AccessDenied"), "{}", answer.text);
    }
}
