//! Lists of objects: what they permit, to which object they belong, and what of them a write keeps.

use super::*;

/// Reading an object, its list, and writing its list.
async fn permitted(lists: &Lists, sender: Sender, owner: &str) -> [bool; 3] {
    let list = || document(owner, &[("CanonicalUser", owner, "FULL_CONTROL")]);
    let mut permitted = [false; 3];
    let drafts = [get("k"), get_acl("k"), put_acl("k").body(list())];
    for (may, draft) in permitted.iter_mut().zip(drafts) {
        let status = lists.status(sender, draft).await;
        assert!(status == 200 || status == 403, "{sender:?}: {status}");
        *may = status == 200;
    }
    permitted
}

#[tokio::test]
async fn a_canned_list_of_an_object_permits_what_aws_says() {
    let lists = Lists::of_object_writers().await;
    let read = [true, false, false];
    for (acl, alt, anonymous) in [
        ("private", [false; 3], [false; 3]),
        ("public-read", read, read),
        ("public-read-write", read, read),
        ("authenticated-read", read, [false; 3]),
        ("aws-exec-read", [false; 3], [false; 3]),
        ("bucket-owner-read", [false; 3], [false; 3]),
        ("bucket-owner-full-control", [false; 3], [false; 3]),
    ] {
        lists.does(Sender::Main, canned(put("k"), acl)).await;
        assert_eq!(
            permitted(&lists, Sender::Alt, &main_id()).await,
            alt,
            "{acl}"
        );
        let found = permitted(&lists, Sender::Anonymous, &main_id()).await;
        assert_eq!(found, anonymous, "{acl}");
        assert_eq!(permitted(&lists, Sender::Main, &main_id()).await, [true; 3]);
        // The same after the object was there.
        lists.does(Sender::Main, canned(put_acl("k"), acl)).await;
        assert_eq!(
            permitted(&lists, Sender::Alt, &main_id()).await,
            alt,
            "{acl}"
        );
    }
}

#[tokio::test]
async fn a_grant_on_an_object_permits_its_grantee_its_permission() {
    let lists = Lists::of_object_writers().await;
    for (permission, expected) in [
        ("READ", [true, false, false]),
        ("WRITE", [false, false, false]),
        ("READ_ACP", [false, true, false]),
        ("WRITE_ACP", [false, false, true]),
        ("FULL_CONTROL", [true; 3]),
    ] {
        lists.does(Sender::Main, put("k")).await;
        let grants = [("CanonicalUser", &*alt_id(), permission)];
        let list = document(&main_id(), &grants);
        lists.does(Sender::Main, put_acl("k").body(list)).await;
        let shown = lists.does(Sender::Main, get_acl("k")).await;
        assert!(shown.contains(&alt_id()) && shown.contains(permission));
        let found = permitted(&lists, Sender::Alt, &main_id()).await;
        assert_eq!(found, expected, "{permission}");
    }
}

#[tokio::test]
async fn another_accounts_object_is_its_own_to_read_and_the_bucket_owners_to_remove() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read-write"))
        .await;
    lists.does(Sender::Alt, put("k")).await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{MAIN_ACCOUNT}"}},
           "Action":"s3:*","Resource":"arn:aws:s3:::lists/*"}}]}}"#
    );
    for with_policy in [false, true] {
        if with_policy {
            let policy = Draft::new(Method::PUT, BUCKET, "")
                .query("policy", "")
                .body(policy.clone());
            lists.does(Sender::Main, policy).await;
        }
        for sender in [Sender::Main, Sender::Anonymous] {
            let found = permitted(&lists, sender, &alt_id()).await;
            assert_eq!(found, [false; 3], "{sender:?}");
            let attributes = get("k")
                .query("attributes", "")
                .header("x-amz-object-attributes", "ObjectSize");
            lists
                .is_refused(sender, attributes, "AccessDenied", 403)
                .await;
            let copy =
                Draft::new(Method::PUT, BUCKET, "copy").header("x-amz-copy-source", "/lists/k");
            lists.is_refused(sender, copy, "AccessDenied", 403).await;
        }
        assert_eq!(permitted(&lists, Sender::Alt, &alt_id()).await, [true; 3]);
    }
    lists
        .does(Sender::Alt, canned(put_acl("k"), "bucket-owner-read"))
        .await;
    lists.does(Sender::Main, get("k")).await;
    lists.does(Sender::Main, delete("k")).await;
    // Its owner may remove it, too, and no other writer may.
    lists.does(Sender::Alt, put("k")).await;
    lists
        .is_refused(Sender::Anonymous, delete("k"), "AccessDenied", 403)
        .await;
    lists.does(Sender::Alt, delete("k")).await;
}

#[tokio::test]
async fn many_objects_are_deleted_by_their_owners_where_the_buckets_list_lets_them_write() {
    let lists = Lists::of_object_writers().await;
    let open = |canned_list| canned(put_acl(""), canned_list);
    lists.does(Sender::Main, open("public-read-write")).await;
    let owners = [
        (Sender::Main, "main"),
        (Sender::Alt, "alt"),
        (Sender::Anonymous, "nobody"),
    ];
    for (sender, key) in owners {
        lists.does(sender, put(key)).await;
    }
    let deleted = |key: &str| format!("<Deleted><Key>{key}</Key></Deleted>");
    let refused = |key: &str| format!("<Error><Key>{key}</Key><Code>AccessDenied</Code>");
    for (sender, own) in [(Sender::Alt, "alt"), (Sender::Anonymous, "nobody")] {
        // One that is not there is anyone's who may write.
        let named = ["main", "alt", "nobody", "none"];
        let answer = lists.does(sender, many(&named, "")).await;
        for key in named {
            let expected = match key == own || key == "none" {
                true => deleted(key),
                false => refused(key),
            };
            assert!(answer.contains(&expected), "{expected}: {answer}");
        }
        lists.does(Sender::Main, get("main")).await;
        lists.does(sender, put(own)).await;
    }
    // A version is the bucket owner's to delete, as by DeleteObject.
    let answer = lists.does(Sender::Alt, many(&["alt"], "null")).await;
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    lists.does(Sender::Main, open("public-read")).await;
    for sender in [Sender::Alt, Sender::Anonymous] {
        lists
            .is_refused(sender, many(&["alt", "nobody"], ""), "AccessDenied", 403)
            .await;
    }
    let answer = lists.does(Sender::Main, many(&["alt"], "")).await;
    assert!(answer.contains(&deleted("alt")), "{answer}");
}

/// DeleteObjects of these keys, each in this version if it is not empty.
fn many(keys: &[&str], version: &str) -> Draft {
    use base64::Engine as _;
    use md5::Digest as _;
    let version = match version {
        "" => String::new(),
        version => format!("<VersionId>{version}</VersionId>"),
    };
    let named = |key: &&str| format!("<Object><Key>{key}</Key>{version}</Object>");
    let objects: String = keys.iter().map(named).collect();
    let body = format!("<Delete>{objects}</Delete>");
    let md5 = base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(&body));
    let draft = Draft::new(Method::POST, BUCKET, "").query("delete", "");
    draft.header("content-md5", &md5).body(body)
}

#[tokio::test]
async fn an_upload_has_the_list_that_it_was_created_with() {
    let lists = Lists::of_object_writers().await;
    let create = Draft::new(Method::POST, BUCKET, "k").query("uploads", "");
    let created = lists
        .does(Sender::Main, canned(create, "public-read"))
        .await;
    let upload = created.split("<UploadId>").nth(1).unwrap();
    let upload = upload.split('<').next().unwrap().to_owned();
    let part = put("k").query("partNumber", "1").query("uploadId", &upload);
    let part = lists.send(Sender::Main, part).await;
    let etag = part.headers()["etag"].to_str().unwrap().to_owned();
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let complete = Draft::new(Method::POST, BUCKET, "k").query("uploadId", &upload);
    let shown = get("k").query("uploadId", &upload);
    let shown = lists.does(Sender::Main, shown).await;
    let initiator = format!("<Initiator><ID>{}</ID><DisplayName>", main_id());
    assert!(shown.contains(&initiator), "{shown}");
    lists.does(Sender::Main, complete.body(parts)).await;
    assert_eq!(lists.does(Sender::Anonymous, get("k")).await, "an object");
}

#[tokio::test]
async fn a_copy_has_the_list_of_its_request_and_not_of_its_source() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    let copy = |key| Draft::new(Method::PUT, BUCKET, key).header("x-amz-copy-source", "/lists/k");
    lists.does(Sender::Main, copy("private")).await;
    lists
        .does(Sender::Main, canned(copy("open"), "public-read"))
        .await;
    assert_eq!(lists.status(Sender::Anonymous, get("private")).await, 403);
    assert_eq!(lists.status(Sender::Anonymous, get("open")).await, 200);
    // Onto itself, as with any other write.
    let onto_itself = copy("k").header("x-amz-metadata-directive", "REPLACE");
    lists.does(Sender::Main, onto_itself).await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
}

#[tokio::test]
async fn versions_have_lists_of_their_own_and_delete_markers_none() {
    let lists = Lists::of_object_writers().await;
    let backend = &lists.world.backend;
    backend.set_versioning(BUCKET, tests::backend::Versioning::Enabled);
    let first = lists
        .send(Sender::Main, canned(put("k"), "public-read"))
        .await;
    let first = first.headers()["x-amz-version-id"]
        .to_str()
        .unwrap()
        .to_owned();
    lists.does(Sender::Main, put("k")).await;
    assert_eq!(lists.status(Sender::Anonymous, get("k")).await, 403);
    let of_first = |draft: Draft| draft.query("versionId", &first);
    assert_eq!(
        lists.status(Sender::Anonymous, of_first(get("k"))).await,
        200
    );
    let private = canned(of_first(put_acl("k")), "private");
    lists.does(Sender::Main, private).await;
    assert_eq!(
        lists.status(Sender::Anonymous, of_first(get("k"))).await,
        403
    );
    let marker = lists.send(Sender::Main, delete("k")).await;
    let marker = marker.headers()["x-amz-version-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let set = || canned(put_acl("k"), "private");
    for draft in [get_acl("k"), set()] {
        let of_marker = draft.query("versionId", &marker);
        lists
            .is_refused(Sender::Main, of_marker, "MethodNotAllowed", 405)
            .await;
    }
    // That of a marker which is current is not there to read, and refused as a marker's to write.
    lists
        .is_refused(Sender::Main, get_acl("k"), "NoSuchKey", 404)
        .await;
    lists
        .is_refused(Sender::Main, set(), "MethodNotAllowed", 405)
        .await;
}

#[tokio::test]
async fn an_absent_object_is_shown_to_those_who_may_list() {
    let lists = Lists::of_object_writers().await;
    for (acl, status) in [("private", 403), ("public-read", 404)] {
        lists.does(Sender::Main, canned(put_acl(""), acl)).await;
        assert_eq!(lists.status(Sender::Anonymous, get("none")).await, status);
        assert_eq!(lists.status(Sender::Alt, get("none")).await, status);
    }
}

#[tokio::test]
async fn a_policy_opens_the_bucket_owners_objects_where_lists_count_too() {
    let lists = Lists::of_object_writers().await;
    lists.does(Sender::Main, put("k")).await;
    lists
        .is_refused(Sender::Alt, get("k"), "AccessDenied", 403)
        .await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ALT_ACCOUNT}"}},
           "Action":"s3:GetObject","Resource":"arn:aws:s3:::lists/*"}}]}}"#
    );
    let put_policy = Draft::new(Method::PUT, BUCKET, "").query("policy", "");
    lists.does(Sender::Main, put_policy.body(policy)).await;
    assert_eq!(lists.does(Sender::Alt, get("k")).await, "an object");
}

#[tokio::test]
async fn another_accounts_writer_sets_the_list_of_its_object_and_sees_the_attributes_of_it() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read-write"))
        .await;
    let full = "bucket-owner-full-control";
    lists.does(Sender::Alt, canned(put("k"), full)).await;
    lists.does(Sender::Main, get("k")).await;
    let attributes = || {
        get("k")
            .query("attributes", "")
            .header("x-amz-object-attributes", "ObjectSize")
    };
    lists.does(Sender::Alt, attributes()).await;
    lists
        .is_refused(Sender::Main, attributes(), "AccessDenied", 403)
        .await;
}

#[tokio::test]
async fn an_upload_is_shown_to_and_aborted_by_the_account_that_created_it_and_no_other_writer() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read-write"))
        .await;
    for creator in [Sender::Alt, Sender::Main] {
        let create = Draft::new(Method::POST, BUCKET, "k").query("uploads", "");
        let created = lists.does(creator, create).await;
        let upload = created.split("<UploadId>").nth(1).unwrap();
        let upload = upload.split('<').next().unwrap().to_owned();
        for draft in [get("k"), delete("k")] {
            let draft = draft.query("uploadId", &upload);
            let anonymous = draft.clone();
            lists
                .is_refused(Sender::Anonymous, anonymous, "AccessDenied", 403)
                .await;
            match creator {
                Sender::Alt => drop(lists.does(Sender::Alt, draft).await),
                _ => {
                    lists
                        .is_refused(Sender::Alt, draft, "AccessDenied", 403)
                        .await;
                }
            }
        }
    }
}
