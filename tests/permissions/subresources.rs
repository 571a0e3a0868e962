//! A request is one operation: what is authorised is what is done, whatever else its query says.

use std::collections::BTreeSet;

use http::Method;
use tests::expect::expect_no_canary;
use tests::signed::Draft;

use crate::buckets::Buckets;
use crate::buckets::KEY;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::statement;
use crate::reference;
use crate::reference::Operation;

#[tokio::test]
async fn a_request_of_two_subresources_is_refused() {
    let fixture = Fixture::start().await;
    let buckets = buckets(&fixture).await;
    let mut wrong = Vec::new();
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let is_unknown = |name: &str| {
        let refused = permissions.operations[name].refused.as_ref();
        refused.is_some_and(|refused| refused.reason == UNKNOWN)
    };
    for on_object in [false, true] {
        let level: Vec<_> = operations
            .iter()
            .filter(|(name, _)| !is_unknown(name))
            .map(|(_, it)| it)
            .filter(|it| it.uri.contains('{') && it.uri.contains("{Key+}") == on_object)
            .collect();
        let names: BTreeSet<_> = level.iter().map(|it| it.subresource()).collect();
        let mut names: Vec<_> = names.into_iter().filter(|it| !it.is_empty()).collect();
        names.retain(|name| *name != "list-type");
        if on_object {
            names.push("uploadId");
        }
        for (number, operation) in level.iter().enumerate() {
            if !names.contains(&operation.subresource()) {
                continue;
            }
            // Every operation with three others, which come before, behind, and spelled otherwise.
            for place in 0..3 {
                let other = names[(number * 5 + place * 7 + 1) % names.len()];
                if other == operation.subresource() {
                    continue;
                }
                let request = two(&buckets, operation, other, place);
                let target = fixture.target(false);
                let mut signed = fixture.sign(Caller::Owner, request, &target);
                if place == 2 {
                    signed.query = signed.query.replace(other, &encoded(other));
                }
                let outcome = fixture.send_signed(&signed, &target, "").await;
                let received = fixture.world.backend.requests_in(&buckets.bucket);
                if !outcome.is_refused(&[400]) || !received.is_empty() {
                    let line = format!("{} {}", signed.method, signed.target());
                    wrong.push(format!("{line}: {}", outcome.describe()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} requests\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A request for an operation that names another subresource, too.
fn two(buckets: &Buckets, operation: &Operation, other: &str, place: usize) -> Draft {
    let key = if operation.uri.contains("{Key+}") {
        KEY
    } else {
        ""
    };
    let method = operation.method.parse().unwrap();
    let mut names = vec![operation.subresource(), other];
    if place == 1 {
        names.reverse();
    }
    let draft = Draft::new(method, &buckets.bucket, key);
    let draft = names
        .into_iter()
        .fold(draft, |draft, name| draft.query(name, ""));
    draft.body(if operation.body { "<a/>" } else { "" })
}

/// A name with its first letter percent-encoded.
fn encoded(name: &str) -> String {
    format!("%{:02x}{}", name.as_bytes()[0], &name[1..])
}

#[tokio::test]
async fn a_permission_for_one_subresource_does_not_carry_another() {
    let fixture = Fixture::start().await;
    for (method, key, allowed, names, body) in [
        (
            "PUT",
            "",
            "PutBucketTagging",
            ["tagging", "lifecycle"],
            TAGS,
        ),
        ("PUT", "", "PutBucketTagging", ["tagging", "policy"], TAGS),
        (
            "POST",
            "",
            "CreateBucketMetadataTableConfiguration",
            ["metadataConfiguration", "delete"],
            DELETE,
        ),
        (
            "POST",
            "",
            "CreateBucketMetadataTableConfiguration",
            ["metadataTable", "delete"],
            DELETE,
        ),
        ("DELETE", "", "PutBucketTagging", ["tagging", "policy"], ""),
        ("GET", "", "GetBucketTagging", ["tagging", "acl"], ""),
        ("PUT", KEY, "PutObjectTagging", ["tagging", "acl"], TAGS),
        (
            "PUT",
            KEY,
            "PutObjectTagging",
            ["tagging", "retention"],
            TAGS,
        ),
        (
            "DELETE",
            KEY,
            "AbortMultipartUpload",
            ["uploadId", "tagging"],
            "",
        ),
        ("GET", KEY, "GetObjectTagging", ["tagging", "acl"], ""),
        ("POST", KEY, "RestoreObject", ["restore", "uploads"], ""),
    ] {
        for names in [names, [names[1], names[0]]] {
            let buckets = buckets(&fixture).await;
            let all = statement("Deny", "\"*\"", "*", &buckets.bucket, "");
            let deny = all.replace("\"Action\"", "\"NotAction\"");
            let deny = deny.replace("s3:*", &format!("s3:{allowed}"));
            fixture.put_policy(&buckets.bucket, Some(deny)).await;
            let draft = Draft::new(method.parse().unwrap(), &buckets.bucket, key);
            let draft = names
                .iter()
                .fold(draft, |draft, name| draft.query(name, ""));
            let outcome = fixture.send_draft(Caller::Other, draft.body(body)).await;
            let described = outcome.describe();
            assert!(
                outcome.is_refused(&[400]),
                "{method} {names:?}: {described}"
            );
        }
    }
}

#[tokio::test]
async fn a_write_with_a_parameter_that_nobody_knows_is_refused() {
    let fixture = Fixture::start().await;
    let buckets = buckets(&fixture).await;
    for (method, key, known) in [
        (Method::PUT, "", ""),
        (Method::DELETE, "", ""),
        (Method::POST, "", ""),
        (Method::PUT, "", "tagging"),
        (Method::PUT, "", "policy"),
        (Method::DELETE, "", "lifecycle"),
        (Method::POST, "", "delete"),
        (Method::PUT, KEY, ""),
        (Method::DELETE, KEY, ""),
        (Method::PUT, KEY, "tagging"),
        (Method::PUT, KEY, "acl"),
        (Method::DELETE, KEY, "tagging"),
        (Method::POST, KEY, "uploads"),
        (Method::POST, KEY, "restore"),
        (Method::PUT, KEY, "uploadId"),
        (Method::DELETE, KEY, "uploadId"),
    ] {
        for unknown in [
            "novelty", "Tagging", "TAGGING", "Delete", "tagging ", " delete", "uploadid",
        ] {
            for first in [true, false] {
                let mut names = vec![unknown];
                if !known.is_empty() {
                    names.insert(usize::from(first), known);
                }
                let draft = Draft::new(method.clone(), &buckets.bucket, key);
                let draft = names
                    .iter()
                    .fold(draft, |draft, name| draft.query(name, ""));
                let outcome = fixture.send_draft(Caller::Owner, draft.body("<a/>")).await;
                let described = outcome.describe();
                // Names that differ in case only are no query at all.
                assert!(
                    outcome.is_refused(&[400, 501]),
                    "{method} {key} {names:?}: {described}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_write_with_a_parameter_of_another_operation_is_refused() {
    let fixture = Fixture::start().await;
    let buckets = buckets(&fixture).await;
    for (method, key, query) in [
        (Method::DELETE, "", "versionId=x"),
        (Method::DELETE, "", "prefix=a"),
        (Method::DELETE, "", "id=a"),
        (Method::DELETE, "", "lifecycle&versionId=x"),
        (Method::DELETE, "", "lifecycle&id=a"),
        (Method::PUT, "", "versionId=x"),
        (Method::PUT, "", "max-keys=1"),
        (Method::PUT, "", "tagging&id=a"),
        (Method::PUT, "", "tagging&partNumber=1"),
        (Method::POST, "", "delete&versionId=x"),
        (Method::PUT, KEY, "versionId=x"),
        (Method::PUT, KEY, "partNumber=1"),
        (Method::PUT, KEY, "tagging&partNumber=1"),
        (Method::PUT, KEY, "acl&partNumber=1"),
        (Method::PUT, KEY, "uploadId=u&partNumber=1&versionId=x"),
        (Method::DELETE, KEY, "partNumber=1"),
        (Method::DELETE, KEY, "tagging&partNumber=1"),
        (Method::DELETE, KEY, "response-content-type=a"),
        (Method::DELETE, KEY, "uploadId=u&versionId=x"),
        (Method::POST, KEY, "uploads&partNumber=1"),
        (Method::POST, KEY, "uploadId=u&partNumber=1"),
    ] {
        let draft = query.split('&').fold(
            Draft::new(method.clone(), &buckets.bucket, key),
            |draft, pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                draft.query(name, value)
            },
        );
        let outcome = fixture.send_draft(Caller::Owner, draft.body("<a/>")).await;
        let described = outcome.describe();
        assert!(
            outcome.is_refused(&[400]),
            "{method} {key} {query}: {described}"
        );
    }
}

#[tokio::test]
async fn the_backend_receives_no_parameter_but_those_of_the_operation() {
    let fixture = Fixture::start().await;
    let buckets = buckets(&fixture).await;
    let ignored = [("x-id", "Operation"), ("x-novelty", "1"), ("X-Other", "")];
    for (method, key, known, body) in [
        (Method::PUT, "", "tagging", TAGS),
        (Method::DELETE, "", "tagging", ""),
        (Method::GET, "", "tagging", ""),
        (Method::PUT, KEY, "tagging", TAGS),
        (Method::GET, KEY, "tagging", ""),
        (Method::DELETE, KEY, "tagging", ""),
    ] {
        let mut draft = Draft::new(method.clone(), &buckets.bucket, key).query(known, "");
        for (name, value) in ignored {
            draft = draft.query(name, value);
        }
        if method == Method::GET {
            // S3 ignores them when it reads.
            draft = draft
                .query("novelty", "1")
                .query("Delete", "")
                .query("prefix", "a");
        }
        let target = fixture.target(false);
        let signed = fixture.sign(Caller::Owner, draft.body(body), &target);
        fixture.send_signed(&signed, &target, known).await;
        let received = fixture.world.backend.requests_in(&buckets.bucket);
        let queries: Vec<_> = received.iter().map(|it| it.query.as_str()).collect();
        assert_eq!(queries, [format!("{known}=")], "{method} {key} {known}");
    }
}

#[tokio::test]
async fn bytes_of_a_part_reach_no_backend_by_way_of_a_subresource() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["UploadPart"];
    let buckets = fixture.buckets(operation, Caller::Owner).await;
    let upload = buckets.fill("{upload}");
    let canary = "the-plaintext-of-a-part-canary";
    let subresources = [
        "tagging",
        "acl",
        "retention",
        "legal-hold",
        "encryption",
        "Tagging",
        "a",
    ];
    for name in subresources {
        for first in [true, false] {
            let part = || [("partNumber", "1"), ("uploadId", upload.as_str())];
            let mut query = part().to_vec();
            query.insert(if first { 0 } else { 2 }, (name, ""));
            let draft = Draft::new(Method::PUT, &buckets.bucket, KEY).body(canary);
            let draft = query
                .iter()
                .fold(draft, |draft, (name, value)| draft.query(name, value));
            let outcome = fixture.send_draft(Caller::Owner, draft).await;
            let described = outcome.describe();
            assert!(outcome.is_refused(&[400, 501]), "{query:?}: {described}");
            expect_no_canary(&fixture.world.backend, canary.as_bytes());
        }
    }
}

/// Buckets with an object.
async fn buckets(fixture: &Fixture) -> Buckets {
    let operation = &reference::operations()["GetObject"];
    fixture.buckets(operation, Caller::Owner).await
}

/// Why an operation is refused whose subresource is like any other name to the gateway.
const UNKNOWN: &str = "the gateway does not know the subresource";
const TAGS: &str = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
const DELETE: &str = "<Delete><Object><Key>key</Key></Object></Delete>";
