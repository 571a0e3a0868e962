//! Attacks on lists: a grant never reaches another object, and what cannot be read permits nothing.

use std::time::Duration;

use md5::Digest as _;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;

use super::*;

#[tokio::test]
async fn an_object_that_is_written_again_does_not_inherit_a_grant() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    lists.does(Sender::Main, put("k")).await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    lists.does(Sender::Main, delete("k")).await;
    lists.does(Sender::Main, put("k")).await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
}

#[tokio::test]
async fn an_object_that_is_restored_at_the_backend_does_not_take_the_grants_of_the_later_one() {
    let lists = Lists::of_object_writers().await;
    lists.does(Sender::Main, put("k")).await;
    let private = lists.world.backend.object(BUCKET, "k").unwrap();
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    lists.world.backend.plant(BUCKET, "k", private);
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
}

#[tokio::test]
async fn a_bucket_that_is_created_again_does_not_take_the_grants_of_the_former_one() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read"))
        .await;
    let open = lists.world.backend.object(BUCKET, "k").unwrap();
    lists.does(Sender::Main, delete("k")).await;
    lists.does(Sender::Main, delete("")).await;
    lists
        .does(Sender::Main, Draft::new(Method::PUT, BUCKET, ""))
        .await;
    lists.world.backend.plant(BUCKET, "k", open);
    for draft in [get("k"), get("")] {
        assert_eq!(lists.status(Sender::Anonymous, draft).await, 403);
    }
    lists.does(Sender::Main, get("k")).await;
}

#[tokio::test]
async fn an_object_that_is_written_between_its_list_and_its_bytes_is_not_read() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    let (reached, go_on) = (Gate::default(), Gate::default());
    let pause = Action::PauseBefore(reached.clone(), go_on.clone());
    let backend = &lists.world.backend;
    backend.inject(Fault::on_path(Method::GET, "/lists/k", pause).times(1));
    let read = lists.send(Sender::Anonymous, get("k"));
    let overwrite = async {
        reached.reached().await;
        lists.does(Sender::Main, put("k").body("a secret")).await;
        go_on.reach();
    };
    let (answer, ()) = tokio::join!(read, overwrite);
    expect_s3_error(&answer, "ServiceUnavailable", 503);
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_permits_nothing() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    let is_list = |request: &tests::backend::Recorded| request.path.contains("/acls/");
    let backend = &lists.world.backend;
    backend.inject(Fault::on(is_list, Action::Refuse(403, "AccessDenied")));
    for sender in [Sender::Anonymous, Sender::Alt, Sender::Main] {
        lists
            .is_refused(sender, get("k"), "ServiceUnavailable", 503)
            .await;
    }
}

#[tokio::test]
async fn an_object_whose_list_cannot_be_written_is_not_written() {
    let lists = Lists::of_object_writers().await;
    let is_list = |request: &tests::backend::Recorded| request.path.contains("/acls/");
    let backend = &lists.world.backend;
    backend.inject(Fault::on(is_list, Action::Refuse(403, "AccessDenied")));
    let open = canned(put("k"), "public-read");
    lists
        .is_refused(Sender::Main, open, "ServiceUnavailable", 503)
        .await;
    assert!(backend.object(BUCKET, "k").is_none());
    let create = Draft::new(Method::POST, BUCKET, "k").query("uploads", "");
    let create = canned(create, "public-read");
    lists
        .is_refused(Sender::Main, create, "ServiceUnavailable", 503)
        .await;
    assert!(backend.uploads().is_empty());
}

#[tokio::test]
async fn a_list_whose_object_was_never_written_opens_nothing() {
    let lists = Lists::of_object_writers().await;
    lists.does(Sender::Main, put("k")).await;
    let backend = &lists.world.backend;
    let refuse = Action::RefuseAfterBody(403, "AccessDenied");
    backend.inject(Fault::on_path(Method::PUT, "/lists/k", refuse).times(1));
    let open = canned(put("k"), "public-read");
    assert_ne!(lists.status(Sender::Main, open).await, 200);
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
    lists.does(Sender::Main, get("k")).await;
}

#[tokio::test]
async fn a_list_that_was_changed_or_moved_at_the_backend_permits_nothing() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("open"), "public-read"))
        .await;
    let shut = canned(put("k"), "aws-exec-read").header("x-amz-meta-a", "b");
    lists.does(Sender::Main, shut).await;
    lists
        .does(Sender::Main, canned(put_acl("k"), "private"))
        .await;
    let backend = &lists.world.backend;
    let state = || {
        let keys = backend.keys("sealgate-state").into_iter();
        keys.filter(|key| key.contains("/acls/"))
            .collect::<Vec<_>>()
    };
    let names = state();
    let [one, other] = names.as_slice() else {
        panic!("{names:?}");
    };
    let [first, second] = [one, other].map(|key| backend.object("sealgate-state", key).unwrap());
    backend.plant("sealgate-state", one, second);
    backend.plant("sealgate-state", other, first);
    for key in ["open", "k"] {
        assert_eq!(
            lists.status(Sender::Anonymous, get(key)).await,
            500,
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_presigned_address_gives_what_its_signer_may_read() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read-write"))
        .await;
    lists.does(Sender::Alt, put("k")).await;
    let (world, host) = (&lists.world, lists.world.host());
    let hour = Duration::from_secs(3_600);
    for (access, status) in [(&world.alt, 200), (&world.main, 403)] {
        let signed = get("k").presign(access, world.now(), &host, hour);
        let answer = signed.send(&world.target()).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_writer_of_another_account_cannot_shut_the_bucket_owner_out() {
    let lists = Lists::of_object_writers().await;
    let grants = [("CanonicalUser", &*alt_id(), "WRITE_ACP")];
    let list = document(&main_id(), &grants);
    lists.does(Sender::Main, put_acl("").body(list)).await;
    // It writes the list, and cannot take the bucket.
    let takes = put_acl("").body(document(&alt_id(), &[]));
    lists
        .is_refused(Sender::Alt, takes, "AccessDenied", 403)
        .await;
    lists
        .does(Sender::Alt, put_acl("").body(document(&main_id(), &[])))
        .await;
    lists.does(Sender::Main, put("k")).await;
    lists.does(Sender::Main, get_acl("")).await;
    lists
        .does(Sender::Main, canned(put_acl(""), "private"))
        .await;
    lists
        .is_refused(Sender::Alt, put("k"), "AccessDenied", 403)
        .await;
}

#[tokio::test]
async fn a_delete_marker_is_shown_to_those_only_who_may_list() {
    let lists = Lists::of_object_writers().await;
    let backend = &lists.world.backend;
    backend.set_versioning(BUCKET, tests::backend::Versioning::Enabled);
    lists.does(Sender::Main, put("k")).await;
    let marker = lists.send(Sender::Main, delete("k")).await;
    let marker = marker.headers()["x-amz-version-id"].to_str().unwrap();
    for (acl, code, status) in [
        ("private", "AccessDenied", 403),
        ("public-read", "MethodNotAllowed", 405),
    ] {
        lists.does(Sender::Main, canned(put_acl(""), acl)).await;
        for sender in [Sender::Alt, Sender::Anonymous] {
            let of_marker = get("k").query("versionId", marker);
            lists.is_refused(sender, of_marker, code, status).await;
        }
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_looked_up_is_not_taken_for_absent() {
    let lists = Lists::of_object_writers().await;
    lists.does(Sender::Main, put("k")).await;
    let backend = &lists.world.backend;
    for acl in ["private", "public-read"] {
        lists.does(Sender::Main, canned(put_acl(""), acl)).await;
        let refuse = Action::Refuse(503, "SlowDown");
        backend.inject(Fault::on_path(Method::HEAD, "/lists/k", refuse));
        for draft in [get("k"), get_acl("k"), canned(put_acl("k"), "public-read")] {
            let status = lists.status(Sender::Alt, draft).await;
            assert_eq!(status, 503, "{acl}");
        }
        backend.heal();
    }
}

#[tokio::test]
async fn an_upload_is_neither_shown_to_be_absent_nor_taken_for_it_when_it_cannot_be_looked_up() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read-write"))
        .await;
    let missing = |draft: Draft| draft.query("uploadId", "missing");
    for draft in [get("k"), delete("k")] {
        let draft = missing(draft);
        lists
            .is_refused(Sender::Alt, draft.clone(), "AccessDenied", 403)
            .await;
        lists
            .is_refused(Sender::Main, draft, "NoSuchUpload", 404)
            .await;
    }
    let is_upload = |request: &tests::backend::Recorded| {
        request.path.starts_with("/sealgate-state/") && request.path.contains("/uploads/")
    };
    let refuse = Action::Refuse(403, "AccessDenied");
    lists.world.backend.inject(Fault::on(is_upload, refuse));
    for draft in [get("k"), delete("k")] {
        lists
            .is_refused(Sender::Alt, missing(draft), "ServiceUnavailable", 503)
            .await;
    }
}

#[tokio::test]
async fn whoever_may_write_into_a_bucket_learns_no_etag_of_what_its_list_keeps_from_being_read() {
    let lists = Lists::of_object_writers().await;
    let writes = canned(put_acl(""), "public-read-write");
    lists.does(Sender::Main, writes).await;
    for key in ["k", "l"] {
        lists.does(Sender::Main, put(key)).await;
    }
    let etag = hex::encode(md5::Md5::digest("an object"));
    for guess in [&*etag, "00000000000000000000000000000000"] {
        let request = put("k").header("if-match", guess);
        lists
            .is_refused(Sender::Alt, request, "AccessDenied", 403)
            .await;
    }
    lists
        .does(Sender::Main, canned(put_acl("l"), "public-read"))
        .await;
    lists
        .does(Sender::Alt, put("l").header("if-match", &etag))
        .await;
    lists
        .is_refused(
            Sender::Alt,
            put("l").header("if-match", "0"),
            "PreconditionFailed",
            412,
        )
        .await;
}
