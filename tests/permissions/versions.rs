//! A version of an object and its current state have permissions of their own: which of them a request means
//! must be plain.

use http::Method;
use tests::signed::Draft;

use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::statement;
use crate::reference;
use crate::reference::Variation;

#[tokio::test]
async fn a_version_id_that_is_empty_or_blank_is_refused() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, operation) in &operations {
        let needs = &permissions.operations[name];
        let takes_version = operation.query.iter().any(|it| it == "versionId");
        if !takes_version || needs.refused.is_some() {
            continue;
        }
        let buckets = fixture.buckets(operation, Caller::Owner).await;
        for blank in ["", " ", "\t", "  ", "\u{a0}"] {
            let query = [("versionId".to_owned(), blank.to_owned())].into();
            let with = Variation {
                query,
                ..Variation::default()
            };
            let request = buckets.request(operation, needs, &[&with]);
            let outcome = fixture.send(Caller::Owner, request).await;
            if !outcome.is_refused(&[400]) {
                wrong.push(format!("{name} {blank:?}: {}", outcome.describe()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_version_id_that_is_empty_or_blank_deletes_nothing() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["GetObject"];
    let buckets = fixture.buckets(operation, Caller::Owner).await;
    for version in [
        "<VersionId/>",
        "<VersionId></VersionId>",
        "<VersionId> </VersionId>",
        "<VersionId>\n\t</VersionId>",
        "<VersionId>&#32;</VersionId>",
    ] {
        let body = format!("<Delete><Object><Key>key</Key>{version}</Object></Delete>");
        let draft = Draft::new(Method::POST, &buckets.bucket, "").query("delete", "");
        let draft = draft.header("content-md5", &crate::buckets::digest(&body));
        let outcome = fixture.send_draft(Caller::Owner, draft.body(body)).await;
        let described = outcome.describe();
        assert!(outcome.is_refused(&[400]), "{version}: {described}");
    }
}

#[tokio::test]
async fn a_copy_of_a_version_whose_id_is_empty_or_blank_is_refused() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    for name in ["CopyObject", "UploadPartCopy"] {
        let operation = &operations[name];
        let buckets = fixture.buckets(operation, Caller::Owner).await;
        for version in [
            "?versionId=",
            "?versionId=%20",
            "?versionId= ",
            "?versionId=+",
            "?versionid=x",
        ] {
            let source = format!("/{{source}}/key{version}");
            let with = Variation {
                headers: [("x-amz-copy-source".to_owned(), source)].into(),
                ..Variation::default()
            };
            let needs = &permissions.operations[name];
            let request = buckets.request(operation, needs, &[&with]);
            let outcome = fixture.send(Caller::Owner, request).await;
            let described = outcome.describe();
            assert!(
                outcome.is_refused(&[400]),
                "{name} {version:?}: {described}"
            );
        }
    }
}

#[tokio::test]
async fn where_a_backend_has_no_versions_a_version_needs_the_permission_for_the_object() {
    let fixture = Fixture::start().await;
    fixture.world.backend.ignore_versions();
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, action) in [
        ("GetObject", "GetObject"),
        ("HeadObject", "GetObject"),
        ("GetObjectAttributes", "GetObject"),
        ("GetObjectAttributes", "GetObjectAttributes"),
        ("DeleteObject", "DeleteObject"),
        ("GetObjectTagging", "GetObjectTagging"),
        ("PutObjectTagging", "PutObjectTagging"),
        ("DeleteObjectTagging", "DeleteObjectTagging"),
        ("GetObjectAcl", "GetObjectAcl"),
        ("PutObjectAcl", "PutObjectAcl"),
    ] {
        let (operation, needs) = (&operations[name], &permissions.operations[name]);
        let buckets = fixture.buckets(operation, Caller::Other).await;
        let deny = statement("Deny", "\"*\"", action, &buckets.bucket, "");
        fixture.put_policy(&buckets.bucket, Some(deny)).await;
        for version in ["x", "null"] {
            let with = Variation {
                query: [("versionId".to_owned(), version.to_owned())].into(),
                ..Variation::default()
            };
            let request = buckets.request(operation, needs, &[&with]);
            let outcome = fixture.send(Caller::Other, request).await;
            let code = outcome.status();
            // Not the object: refused, or no such version.
            if outcome.response.status().is_success() || !outcome.received.is_empty() && code == 403
            {
                wrong.push(format!("{name} {action} {version}: {}", outcome.describe()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
