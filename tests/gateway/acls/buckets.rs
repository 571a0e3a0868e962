//! Lists of buckets: what they permit, and what is wrong with one.

use super::*;

/// What another account and the anonymous caller may do by the list of a bucket: list it, write, read its list,
/// write its list.
const PERMITTED: [(&str, [bool; 4], [bool; 4]); 5] = [
    ("private", [false; 4], [false; 4]),
    (
        "public-read",
        [true, false, false, false],
        [true, false, false, false],
    ),
    (
        "public-read-write",
        [true, true, false, false],
        [true, true, false, false],
    ),
    (
        "authenticated-read",
        [true, false, false, false],
        [false; 4],
    ),
    ("log-delivery-write", [false; 4], [false; 4]),
];

async fn permitted(lists: &Lists, sender: Sender) -> [bool; 4] {
    let list = || document(&main_id(), &[("CanonicalUser", &main_id(), "FULL_CONTROL")]);
    let mut permitted = [false; 4];
    let drafts = [get(""), put("new"), get_acl(""), put_acl("").body(list())];
    for (may, draft) in permitted.iter_mut().zip(drafts) {
        let status = lists.status(sender, draft).await;
        assert!(status == 200 || status == 403, "{sender:?}: {status}");
        *may = status == 200;
    }
    permitted
}

#[tokio::test]
async fn a_canned_list_of_a_bucket_permits_what_aws_says() {
    let lists = Lists::of_object_writers().await;
    for (acl, alt, anonymous) in PERMITTED {
        lists.does(Sender::Main, canned(put_acl(""), acl)).await;
        assert_eq!(permitted(&lists, Sender::Alt).await, alt, "{acl}");
        assert_eq!(
            permitted(&lists, Sender::Anonymous).await,
            anonymous,
            "{acl}"
        );
        assert_eq!(permitted(&lists, Sender::Main).await, [true; 4], "{acl}");
    }
}

#[tokio::test]
async fn a_grant_on_a_bucket_permits_its_grantee_its_permission() {
    let lists = Lists::of_object_writers().await;
    for (permission, expected) in [
        ("READ", [true, false, false, false]),
        ("WRITE", [false, true, false, false]),
        ("READ_ACP", [false, false, true, false]),
        ("WRITE_ACP", [false, false, false, true]),
        ("FULL_CONTROL", [true; 4]),
    ] {
        let grants = [("CanonicalUser", &*alt_id(), permission)];
        let list = document(&main_id(), &grants);
        lists.does(Sender::Main, put_acl("").body(list)).await;
        assert_eq!(
            permitted(&lists, Sender::Alt).await,
            expected,
            "{permission}"
        );
        assert_eq!(permitted(&lists, Sender::Anonymous).await, [false; 4]);
        // In headers.
        let header = format!(
            "x-amz-grant-{}",
            permission.to_lowercase().replace('_', "-")
        );
        let grant = format!("id=\"{}\"", alt_id());
        lists
            .does(Sender::Main, put_acl("").header(&header, &grant))
            .await;
        assert_eq!(permitted(&lists, Sender::Alt).await, expected, "{header}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_list_has_the_answer_of_aws() {
    let lists = Lists::of_object_writers().await;
    lists.does(Sender::Main, put("k")).await;
    let mail = [("AmazonCustomerByEmail", "a@b.c", "READ")];
    let nobody = [("CanonicalUser", "_foo", "READ")];
    let no_group = [("Group", "http://x/", "READ")];
    for key in ["", "k"] {
        let acl = || put_acl(key);
        for (draft, code, status) in [
            (canned(acl(), "other"), "InvalidArgument", 400),
            (
                canned(acl(), "private").header("x-amz-grant-read", "id=a"),
                "InvalidRequest",
                400,
            ),
            (
                canned(acl(), "private").body("<x/>"),
                "UnexpectedContent",
                400,
            ),
            (acl(), "MissingSecurityHeader", 400),
            (acl().body("<x/>"), "MalformedACLError", 400),
            (
                acl().header("x-amz-grant-read", "emailAddress=\"a@b.c\""),
                "MethodNotAllowed",
                405,
            ),
            (
                acl().body(document(&main_id(), &mail)),
                "MethodNotAllowed",
                405,
            ),
            (
                acl().body(document(&main_id(), &nobody)),
                "InvalidArgument",
                400,
            ),
            (
                acl().body(document(&main_id(), &no_group)),
                "InvalidArgument",
                400,
            ),
            (acl().body(document(&alt_id(), &[])), "AccessDenied", 403),
        ] {
            lists.is_refused(Sender::Main, draft, code, status).await;
        }
    }
    let missing = lists.send(Sender::Main, put_acl("")).await;
    let missing = String::from_utf8_lossy(missing.body()).into_owned();
    assert!(missing.contains("<MissingHeaderName>x-amz-acl<"));
}

#[tokio::test]
async fn public_lists_are_refused_or_ignored_where_public_access_is_blocked() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("open"), "public-read"))
        .await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read"))
        .await;
    lists.does(Sender::Main, block(&["IgnorePublicAcls"])).await;
    for draft in [get("open"), get("")] {
        assert_eq!(lists.status(Sender::Anonymous, draft.clone()).await, 403);
        assert_eq!(lists.status(Sender::Alt, draft).await, 403);
    }
    // They may still be set.
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read"))
        .await;
    lists.does(Sender::Main, block(&["BlockPublicAcls"])).await;
    assert_eq!(lists.status(Sender::Anonymous, get("open")).await, 200);
    for draft in [put("k"), put_acl("open"), put_acl("")] {
        for acl in ["public-read", "public-read-write", "authenticated-read"] {
            let draft = canned(draft.clone(), acl);
            lists
                .is_refused(Sender::Main, draft, "AccessDenied", 403)
                .await;
        }
    }
    lists.does(Sender::Main, canned(put("k"), "private")).await;
}

#[tokio::test]
async fn a_denial_by_a_policy_outweighs_a_list() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
        "Action":"s3:GetObject","Resource":"arn:aws:s3:::lists/k"}]}"#;
    let policy = Draft::new(Method::PUT, BUCKET, "")
        .query("policy", "")
        .body(policy);
    lists.does(Sender::Main, policy).await;
    for sender in [Sender::Alt, Sender::Anonymous] {
        lists
            .is_refused(sender, get("k"), "AccessDenied", 403)
            .await;
    }
}

#[tokio::test]
async fn to_create_a_bucket_again_resets_its_list() {
    let lists = Lists::of_object_writers().await;
    let create = || Draft::new(Method::PUT, BUCKET, "");
    let public = || canned(put_acl(""), "public-read");
    lists.does(Sender::Main, public()).await;
    lists.does(Sender::Main, create()).await;
    lists
        .is_refused(Sender::Alt, get(""), "AccessDenied", 403)
        .await;
    lists
        .does(Sender::Main, canned(create(), "public-read"))
        .await;
    lists.does(Sender::Alt, get("")).await;
    // Not by a list that is blocked by now, nor where lists are disabled.
    lists.does(Sender::Main, create()).await;
    lists.does(Sender::Main, block(&["BlockPublicAcls"])).await;
    lists
        .is_refused(
            Sender::Main,
            canned(create(), "public-read"),
            "AccessDenied",
            403,
        )
        .await;
    lists
        .is_refused(Sender::Alt, get(""), "AccessDenied", 403)
        .await;
    lists
        .is_refused(Sender::Alt, create(), "BucketAlreadyExists", 409)
        .await;
}

#[tokio::test]
async fn a_missing_bucket_is_missing_to_every_account_and_refused_to_nobody_in_particular() {
    let lists = Lists::of_object_writers().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let draft = Draft::new(method, "missing", "k");
        for sender in [Sender::Main, Sender::Alt] {
            lists
                .is_refused(sender, draft.clone(), "NoSuchBucket", 404)
                .await;
        }
        lists
            .is_refused(Sender::Anonymous, draft, "AccessDenied", 403)
            .await;
    }
}
