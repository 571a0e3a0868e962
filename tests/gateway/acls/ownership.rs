//! Ownership controls, and lists where they are disabled.

use super::*;

#[tokio::test]
async fn a_new_bucket_enforces_its_owner_and_controls_are_put_read_and_deleted() {
    let lists = Lists::start(ObjectOwnership::BucketOwnerEnforced).await;
    let read = || get("").query("ownershipControls", "");
    let remove = || delete("").query("ownershipControls", "");
    let shown = lists.does(Sender::Main, read()).await;
    assert!(shown.contains("<ObjectOwnership>BucketOwnerEnforced<"));
    for ownership in [
        "ObjectWriter",
        "BucketOwnerPreferred",
        "BucketOwnerEnforced",
    ] {
        lists.does(Sender::Main, controls(ownership)).await;
        let shown = lists.does(Sender::Main, read()).await;
        assert!(shown.contains(&format!("<ObjectOwnership>{ownership}<")));
    }
    for _ in 0..2 {
        assert_eq!(lists.status(Sender::Main, remove()).await, 204);
        let missing = "OwnershipControlsNotFoundError";
        lists.is_refused(Sender::Main, read(), missing, 404).await;
    }
    // As with ObjectWriter: lists count.
    let list = canned(put_acl(""), "private");
    lists.does(Sender::Main, list).await;
    for wrong in ["RandomValue", ""] {
        lists
            .is_refused(Sender::Main, controls(wrong), "MalformedXML", 400)
            .await;
    }
    for sender in [Sender::Alt, Sender::Anonymous] {
        lists.is_refused(sender, read(), "AccessDenied", 403).await;
        let put = controls("ObjectWriter");
        lists.is_refused(sender, put, "AccessDenied", 403).await;
    }
}

#[tokio::test]
async fn a_bucket_is_created_with_the_controls_and_the_list_of_its_headers() {
    let lists = Lists::start(ObjectOwnership::BucketOwnerEnforced).await;
    let create = |bucket: &str, ownership: &str, acl: &str| {
        let mut create = Draft::new(Method::PUT, bucket, "");
        if !ownership.is_empty() {
            create = create.header("x-amz-object-ownership", ownership);
        }
        match acl {
            "" => create,
            acl => canned(create, acl),
        }
    };
    let with_list = "InvalidBucketAclWithObjectOwnership";
    for (ownership, acl, refused) in [
        ("RandomValue", "", "InvalidArgument"),
        ("", "public-read", with_list),
        ("", "other", "InvalidArgument"),
        ("BucketOwnerEnforced", "public-read", with_list),
    ] {
        lists
            .is_refused(Sender::Main, create("new", ownership, acl), refused, 400)
            .await;
        assert!(!lists.world.backend.buckets().contains(&"new".to_owned()));
    }
    for (bucket, ownership, acl, shown) in [
        ("one", "", "private", "BucketOwnerEnforced"),
        ("two", "ObjectWriter", "public-read", "ObjectWriter"),
        ("three", "BucketOwnerPreferred", "", "BucketOwnerPreferred"),
    ] {
        lists
            .does(Sender::Main, create(bucket, ownership, acl))
            .await;
        let of = |subresource| Draft::new(Method::GET, bucket, "").query(subresource, "");
        let found = lists.does(Sender::Main, of("ownershipControls")).await;
        assert!(found.contains(shown), "{found}");
        let list = lists.does(Sender::Main, of("acl")).await;
        assert_eq!(list.contains("AllUsers"), acl == "public-read");
    }
    for recorded in lists.world.backend.requests() {
        assert_eq!(recorded.header("x-amz-acl"), "");
        assert_eq!(recorded.header("x-amz-object-ownership"), "");
    }
}

#[tokio::test]
async fn where_lists_are_disabled_only_the_bucket_owners_is_taken() {
    let lists = Lists::start(ObjectOwnership::BucketOwnerEnforced).await;
    lists.does(Sender::Main, put("k")).await;
    let full = format!("id=\"{}\"", main_id());
    let own = document(&main_id(), &[("CanonicalUser", &main_id(), "FULL_CONTROL")]);
    let open = document(&main_id(), &[("CanonicalUser", &alt_id(), "READ")]);
    let copy = put("copy").header("x-amz-copy-source", "/lists/k").body("");
    let upload = Draft::new(Method::POST, BUCKET, "k").query("uploads", "");
    let unsupported = "AccessControlListNotSupported";
    for draft in [put("k"), copy, upload, put_acl("k"), put_acl("")] {
        for acl in ["private", "public-read", "authenticated-read"] {
            let draft = canned(draft.clone(), acl);
            lists
                .is_refused(Sender::Main, draft, unsupported, 400)
                .await;
        }
        let to_other = draft
            .clone()
            .header("x-amz-grant-read", &format!("id={}", alt_id()));
        lists
            .is_refused(Sender::Main, to_other, unsupported, 400)
            .await;
        lists
            .does(
                Sender::Main,
                canned(draft.clone(), "bucket-owner-full-control"),
            )
            .await;
        lists
            .does(
                Sender::Main,
                draft.header("x-amz-grant-full-control", &full),
            )
            .await;
    }
    for key in ["k", ""] {
        lists
            .does(Sender::Main, put_acl(key).body(own.clone()))
            .await;
        let open = put_acl(key).body(open.clone());
        lists.is_refused(Sender::Main, open, unsupported, 400).await;
        let list = lists.does(Sender::Main, get_acl(key)).await;
        assert!(list.contains(&main_id()) && list.contains("FULL_CONTROL"));
        assert_eq!(list.matches("<Grant>").count(), 1);
    }
}

#[tokio::test]
async fn a_bucket_whose_lists_are_disabled_costs_no_request_about_lists() {
    let lists = Lists::start(ObjectOwnership::BucketOwnerEnforced).await;
    lists.does(Sender::Main, put("warm")).await;
    lists.world.backend.forget();
    lists.does(Sender::Main, put("k")).await;
    lists.does(Sender::Main, get("k")).await;
    lists.does(Sender::Main, delete("k")).await;
    assert_eq!(lists.list_requests(), 0);
    assert_eq!(lists.world.backend.requests().len(), 3);
}

#[tokio::test]
async fn lists_are_ignored_while_the_owner_is_enforced_and_come_back_after() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 200);
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read"))
        .await;
    let enforced = "InvalidBucketAclWithObjectOwnership";
    let enforce = || controls("BucketOwnerEnforced");
    lists
        .is_refused(Sender::Main, enforce(), enforced, 400)
        .await;
    lists
        .does(Sender::Main, canned(put_acl(""), "private"))
        .await;
    lists.does(Sender::Main, enforce()).await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
    let list = lists.does(Sender::Main, get_acl("k")).await;
    assert!(!list.contains("AllUsers"));
    lists.does(Sender::Main, controls("ObjectWriter")).await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 200);
}

#[tokio::test]
async fn an_object_belongs_to_its_writer_or_to_the_bucket_owner_as_the_controls_say() {
    for (ownership, acl, of_main) in [
        ("ObjectWriter", "bucket-owner-full-control", false),
        ("ObjectWriter", "private", false),
        ("BucketOwnerPreferred", "bucket-owner-full-control", true),
        ("BucketOwnerPreferred", "private", false),
        ("BucketOwnerEnforced", "bucket-owner-full-control", true),
    ] {
        let lists = Lists::start(ObjectOwnership::from_name(ownership).unwrap()).await;
        let arn = format!("arn:aws:iam::{ALT_ACCOUNT}:root");
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{arn}"}},
               "Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":"arn:aws:s3:::lists/*"}}]}}"#
        );
        let policy = Draft::new(Method::PUT, BUCKET, "")
            .query("policy", "")
            .body(policy);
        lists.does(Sender::Main, policy).await;
        lists.does(Sender::Alt, canned(put("k"), acl)).await;
        let is_readable = of_main || acl == "bucket-owner-full-control";
        let status = lists.status(Sender::Main, get("k")).await;
        assert_eq!(status == 200, is_readable, "{ownership} {acl}: {status}");
        let reader = if of_main { Sender::Main } else { Sender::Alt };
        let list = lists.does(reader, get_acl("k")).await;
        let owner = if of_main { main_id() } else { alt_id() };
        let owner = format!("<Owner><ID>{owner}</ID></Owner>");
        assert!(list.contains(&owner), "{ownership} {acl}: {list}");
        // Whoever owns it, the bucket's owner may remove it.
        lists.does(Sender::Main, delete("k")).await;
    }
}
