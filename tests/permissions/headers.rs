//! A header decides for all that read it, or for none: policies, the gateway and the backend.

use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::statement;
use crate::reference;
use crate::reference::Needs;
use crate::reference::Variation;

/// A header that says one thing and then another, on a request of this operation; and the denial of what the
/// second says: an action, and perhaps a condition.
const TWICE: [(&str, &str, [&str; 2], &str, &str); 15] = [
    (
        "DeleteObject",
        "x-amz-bypass-governance-retention",
        ["false", "true"],
        BYPASS,
        "",
    ),
    (
        "PutObjectRetention",
        "x-amz-bypass-governance-retention",
        ["false", "true"],
        BYPASS,
        "",
    ),
    (
        "PutObject",
        "x-amz-acl",
        ["private", "public-read"],
        "*",
        "s3:x-amz-acl",
    ),
    (
        "PutObjectAcl",
        "x-amz-acl",
        ["private", "public-read"],
        "*",
        "s3:x-amz-acl",
    ),
    (
        "PutBucketAcl",
        "x-amz-acl",
        ["private", "public-read"],
        "*",
        "s3:x-amz-acl",
    ),
    (
        "CreateMultipartUpload",
        "x-amz-acl",
        ["private", "public-read"],
        "*",
        "s3:x-amz-acl",
    ),
    (
        "PutObject",
        "x-amz-grant-read",
        ["id=a", "id=b"],
        "*",
        "s3:x-amz-grant-read",
    ),
    (
        "PutObjectAcl",
        "x-amz-grant-read",
        ["id=a", "id=b"],
        "*",
        "s3:x-amz-grant-read",
    ),
    (
        "PutObject",
        "x-amz-tagging",
        ["class=open", "class=public"],
        "*",
        "s3:RequestObjectTag/class",
    ),
    (
        "PutObject",
        "x-amz-storage-class",
        ["STANDARD", "GLACIER"],
        "*",
        "s3:x-amz-storage-class",
    ),
    (
        "PutObject",
        "x-amz-object-lock-legal-hold",
        ["ON", "OFF"],
        "*",
        "s3:object-lock-legal-hold",
    ),
    (
        "PutObject",
        "x-amz-server-side-encryption",
        ["AES256", "aws:kms"],
        "*",
        "s3:x-amz-server-side-encryption",
    ),
    (
        "CopyObject",
        "x-amz-metadata-directive",
        ["COPY", "REPLACE"],
        "*",
        "s3:x-amz-metadata-directive",
    ),
    (
        "CopyObject",
        "x-amz-copy-source",
        ["/{source}/other", "/{source}/key"],
        "*",
        "s3:x-amz-copy-source",
    ),
    (
        "UploadPartCopy",
        "x-amz-copy-source",
        ["/{source}/other", "/{source}/key"],
        "*",
        "s3:x-amz-copy-source",
    ),
];
const BYPASS: &str = "BypassGovernanceRetention";

#[tokio::test]
async fn a_header_given_twice_does_not_get_past_a_denial_of_the_second() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, header, values, action, key) in TWICE {
        let operation = &operations[name];
        let buckets = fixture.buckets(operation, Caller::Owner).await;
        let second = buckets.fill(values[1]);
        let condition = match key {
            "" => String::new(),
            key => {
                let value = tag_or_path(&second);
                format!(r#"{{"StringEquals": {{"{key}": "{value}"}}}}"#)
            }
        };
        let deny = statement("Deny", "\"*\"", action, &buckets.bucket, &condition);
        fixture.put_policy(&buckets.bucket, Some(deny)).await;
        let needs = without(&permissions.operations[name], header);
        let request = buckets.request(operation, &needs, &[]);
        let mut draft = request.draft;
        if !operation.has_header(header) {
            draft = draft.header(header, &buckets.fill(values[0]));
        }
        let draft = draft.header(header, &second);
        let target = fixture.target(false);
        let signed = fixture.sign(Caller::Owner, draft, &target);
        let outcome = fixture
            .send_signed(&signed, &target, operation.subresource())
            .await;
        if !outcome.is_refused(&[400, 403]) {
            wrong.push(format!("{name} {header}: {}", outcome.describe()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a policy compares: the value of a tag, a source without its slash, or the value itself.
fn tag_or_path(value: &str) -> &str {
    let value = value.strip_prefix("class=").unwrap_or(value);
    value.strip_prefix('/').unwrap_or(value)
}

/// The needs of an operation, with another value for one header.
fn without(needs: &Needs, header: &str) -> Needs {
    let mut headers = needs.headers.clone();
    headers.remove(header);
    Needs {
        body: needs.body.clone(),
        headers,
        tls: needs.tls,
        actions: Vec::new(),
        refused: None,
        without_policy: None,
        owner_only: None,
    }
}

/// Headers that change what an operation does, with a value each.
const DECIDING: [(&str, &str); 15] = [
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-read", "id=a"),
    ("x-amz-grant-full-control", "id=a"),
    ("x-amz-bypass-governance-retention", "true"),
    ("x-amz-tagging", "class=public"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    (
        "x-amz-object-lock-retain-until-date",
        "2099-01-01T00:00:00Z",
    ),
    ("x-amz-object-lock-legal-hold", "ON"),
    ("x-amz-object-ownership", "ObjectWriter"),
    ("x-amz-bucket-object-lock-enabled", "true"),
    ("x-amz-bucket-object-lock-token", "token"),
    ("x-amz-storage-class", "GLACIER"),
    ("x-amz-website-redirect-location", "/elsewhere"),
    ("x-amz-confirm-remove-self-bucket-access", "true"),
    ("x-amz-rename-source", "/bucket/other"),
];

#[tokio::test]
async fn the_backend_receives_no_deciding_header_but_those_of_the_operation() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, operation) in &operations {
        let needs = &permissions.operations[name];
        if needs.refused.is_some() {
            continue;
        }
        let taken = |header: &str| operation.takes_header(header);
        let added: Vec<_> = DECIDING
            .iter()
            .filter(|(header, _)| !taken(header))
            .collect();
        let headers = added
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let with = Variation {
            headers: headers.collect(),
            ..Variation::default()
        };
        let buckets = fixture.buckets(operation, Caller::Owner).await;
        let request = buckets.request(operation, needs, &[&with]);
        let outcome = fixture.send(Caller::Owner, request).await;
        for request in fixture.world.backend.requests() {
            for (header, _) in &added {
                if request.headers.contains_key(*header) {
                    wrong.push(format!("{name} {header}: {}", outcome.describe()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_header_in_the_query_of_a_presigned_request_needs_its_permission() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, header, value, action) in [
        (
            "DeleteObject",
            "x-amz-bypass-governance-retention",
            "true",
            BYPASS,
        ),
        (
            "PutObject",
            "x-amz-tagging",
            "class=public",
            "PutObjectTagging",
        ),
        ("PutObject", "x-amz-acl", "public-read", "PutObjectAcl"),
        (
            "PutObject",
            "x-amz-object-lock-legal-hold",
            "ON",
            "PutObjectLegalHold",
        ),
        (
            "CopyObject",
            "x-amz-copy-source",
            "/{source}/key",
            "GetObject",
        ),
    ] {
        for spelled in [
            header.to_owned(),
            header.to_uppercase(),
            header.replace("x-amz", "X-Amz"),
        ] {
            let operation = &operations[name];
            let buckets = fixture.buckets(operation, Caller::Owner).await;
            for bucket in [&buckets.bucket, &buckets.source] {
                let deny = statement("Deny", "\"*\"", action, bucket, "");
                fixture.put_policy(bucket, Some(deny)).await;
            }
            let put = &operations["PutObject"];
            let operation = if name == "CopyObject" { put } else { operation };
            let needs = without(&permissions.operations[name], header);
            let draft = buckets.request(operation, &needs, &[]).draft;
            let draft = draft.query(&spelled, &buckets.fill(value));
            let target = fixture.target(false);
            let signed = fixture.presign(Caller::Owner, draft, &target);
            let outcome = fixture.send_signed(&signed, &target, "").await;
            let sent = fixture.world.backend.requests();
            let passed = sent.iter().any(|it| it.headers.contains_key(header));
            // Refused, or as if it were not there.
            if passed || !outcome.is_refused(&[400, 403]) && name == "CopyObject" {
                wrong.push(format!("{name} {spelled}: {}", outcome.describe()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
