//! Condition keys have the value of the request that is done, wherever the request says it.

use std::collections::BTreeSet;

use http::Method;
use tests::signed::Draft;

use crate::buckets::Buckets;
use crate::buckets::KEY;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::outcome::Outcome;
use crate::policy::document;
use crate::policy::statement;
use crate::reference;
use crate::reference::Variation;

/// A condition key, its value, and the request that has it: operation, headers, query, body; and whether it
/// is signed in the query, or comes over TLS.
struct Case {
    key: &'static str,
    value: &'static str,
    operation: &'static str,
    headers: &'static [(&'static str, &'static str)],
    query: &'static [(&'static str, &'static str)],
    body: Option<&'static str>,
    presigned: bool,
    tls: bool,
}

const fn case(key: &'static str, value: &'static str, operation: &'static str) -> Case {
    Case {
        key,
        value,
        operation,
        headers: &[],
        query: &[],
        body: None,
        presigned: false,
        tls: false,
    }
}

impl Case {
    const fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    const fn body(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    const fn presigned(mut self) -> Self {
        self.presigned = true;
        self
    }

    const fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    fn variation(&self) -> Variation {
        let owned = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        Variation {
            headers: owned(self.headers),
            query: owned(self.query),
            body: self.body.map(str::to_owned),
        }
    }
}

const TAGGED: &str = "<Tagging><TagSet><Tag><Key>other</Key><Value>1</Value></Tag>\
                      <Tag><Key>class</Key><Value>public</Value></Tag></TagSet></Tagging>";
const TAGGED_IN_ENTITIES: &str = "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>\
                                  <Tag><Value>&#112;ublic</Value><Key>cl&#x61;ss</Key></Tag></TagSet></Tagging>";
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const LOCK: &[(&str, &str)] = &[
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    (
        "x-amz-object-lock-retain-until-date",
        "2099-01-01T00:00:00Z",
    ),
];

const CASES: &[Case] = &[
    case("s3:authType", "REST-HEADER", "GetObject"),
    case("s3:authType", "REST-QUERY-STRING", "GetObject").presigned(),
    case("s3:signatureversion", "AWS4-HMAC-SHA256", "GetObject"),
    case("s3:TlsVersion", "1.3", "GetObject").tls(),
    case("aws:SecureTransport", "true", "GetObject").tls(),
    case("aws:SecureTransport", "false", "GetObject"),
    case("aws:SourceIp", "127.0.0.1", "GetObject"),
    case("aws:PrincipalAccount", "{account}", "GetObject"),
    case("aws:Referer", "https://a.example/", "GetObject")
        .headers(&[("referer", "https://a.example/")]),
    case("aws:UserAgent", "agent/1", "GetObject").headers(&[("user-agent", "agent/1")]),
    case("s3:VersionId", "{version}", "GetObject").query(&[("versionId", "{version}")]),
    case("s3:ExistingObjectTag/class", "open", "GetObject"),
    case("s3:ExistingObjectTag/class", "open", "PutObjectTagging"),
    case("s3:prefix", "a/", "ListObjectsV2").query(&[("prefix", "a/")]),
    case("s3:delimiter", "/", "ListObjects").query(&[("delimiter", "/")]),
    case("s3:max-keys", "7", "ListObjectVersions").query(&[("max-keys", "7")]),
    case("s3:x-amz-content-sha256", HELLO, "PutObject"),
    case("s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD", "PutObject").presigned(),
    case("s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD", "GetObject").presigned(),
    case("s3:x-amz-acl", "private", "PutObject").headers(&[("x-amz-acl", "private")]),
    case("s3:x-amz-acl", "bucket-owner-full-control", "PutBucketAcl"),
    case("s3:x-amz-grant-read", "id=\"a\"", "PutObject")
        .headers(&[("x-amz-grant-read", "id=\"a\"")]),
    case("s3:x-amz-storage-class", "STANDARD_IA", "PutObject")
        .headers(&[("x-amz-storage-class", "STANDARD_IA")]),
    case("s3:x-amz-server-side-encryption", "AES256", "PutObject")
        .headers(&[("x-amz-server-side-encryption", "AES256")]),
    case(
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "{kms_key}",
        "PutObject",
    )
    .tls()
    .headers(&[
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "{kms_key}"),
    ]),
    case("s3:object-lock-mode", "GOVERNANCE", "PutObject").headers(LOCK),
    case(
        "s3:object-lock-retain-until-date",
        "2099-01-01T00:00:00Z",
        "PutObject",
    )
    .headers(LOCK),
    case("s3:object-lock-legal-hold", "ON", "PutObject")
        .headers(&[("x-amz-object-lock-legal-hold", "ON")]),
    case("s3:x-amz-metadata-directive", "REPLACE", "CopyObject")
        .headers(&[("x-amz-metadata-directive", "REPLACE")]),
    case("s3:x-amz-copy-source", "{source}/key", "CopyObject"),
    case("s3:x-amz-copy-source", "{source}/key", "CopyObject")
        .headers(&[("x-amz-copy-source", "{source}/key")]),
    case("s3:x-amz-copy-source", "{source}/key", "CopyObject")
        .headers(&[("x-amz-copy-source", "/%73ource{source_number}/key")]),
    case("s3:x-amz-copy-source", "{source}/key", "CopyObject")
        .headers(&[("x-amz-copy-source", "/{source}/%6b%65y")]),
    case("s3:x-amz-copy-source", "{source}/key", "CopyObject")
        .headers(&[("x-amz-copy-source", "%2f{source}%2Fkey")]),
    case("s3:x-amz-copy-source", "{source}/key", "UploadPartCopy")
        .headers(&[("x-amz-copy-source", "{source}/ke%79")]),
    case("s3:RequestObjectTag/class", "public", "PutObject")
        .headers(&[("x-amz-tagging", "other=1&class=public")]),
    case("s3:RequestObjectTag/class", "public", "PutObject")
        .headers(&[("x-amz-tagging", "cl%61ss=publi%63")]),
    case(
        "s3:RequestObjectTag/class",
        "public",
        "CreateMultipartUpload",
    )
    .headers(&[("x-amz-tagging", "class=public")]),
    case("s3:RequestObjectTag/class", "public", "CopyObject").headers(&[
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-tagging", "class=public"),
    ]),
    case("s3:RequestObjectTag/class", "public", "PutObjectTagging").body(TAGGED),
    case("s3:RequestObjectTagKeys", "class", "PutObjectTagging").body(TAGGED),
    case("s3:RequestObjectTagKeys", "class", "PutObject")
        .headers(&[("x-amz-tagging", "other=1&class=public")]),
    case("s3:RequestObjectTag/class", "public", "PutObjectTagging").body(TAGGED_IN_ENTITIES),
];

#[tokio::test]
async fn a_denial_by_a_condition_refuses_the_request_that_has_the_value_and_no_other() {
    let fixture = Fixture::start().await;
    let mut wrong = Vec::new();
    for case in CASES {
        for caller in [Caller::Owner, Caller::Other] {
            let (denied, allowed) = (
                send(&fixture, case, caller, case.value).await,
                send(&fixture, case, caller, "another value").await,
            );
            let (key, operation) = (case.key, case.operation);
            let row = format!("{key} {operation} {:?} {caller:?}", case.headers);
            if !denied.is_refused(&[403]) || !denied.text().contains("an explicit deny") {
                wrong.push(format!("{row}: {}", denied.describe()));
            }
            if allowed.status() == 403 {
                wrong.push(format!("{row}, another value: {}", allowed.describe()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn a_value_that_expands_beyond_all_bounds_denies_and_does_not_allow() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["GetObject"];
    let endless = format!("{}z", "${aws:useragent}".repeat(1_000));
    let condition = format!(r#"{{"StringLike": {{"aws:Referer": "{endless}"}}}}"#);
    for (effect, caller) in [
        ("Deny", Caller::Owner),
        ("Deny", Caller::Other),
        ("Allow", Caller::Other),
    ] {
        let buckets = fixture.buckets(operation, caller).await;
        let judged = statement(effect, "\"*\"", "*", &buckets.bucket, &condition);
        if effect == "Allow" {
            let put = Draft::new(Method::PUT, &buckets.bucket, "").query("policy", "");
            let put = put.body(document(&[judged]));
            fixture.prepare(&fixture.world.main, put).await;
        } else {
            fixture.put_policy(&buckets.bucket, Some(judged)).await;
        }
        let get = Draft::new(Method::GET, &buckets.bucket, KEY)
            .header("user-agent", &"a".repeat(5_000))
            .header("referer", &"a".repeat(5_000));
        let outcome = fixture.send_draft(caller, get).await;
        let described = outcome.describe();
        assert!(outcome.is_refused(&[403]), "{effect}: {described}");
    }
}

async fn send(fixture: &Fixture, case: &Case, caller: Caller, value: &str) -> Outcome {
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let operation = &operations[case.operation];
    let buckets = fixture.buckets(operation, caller).await;
    fixture.put_policies(&buckets, None).await;
    let condition = match case.key {
        "aws:SourceIp" if value != case.value => {
            r#"{"IpAddress": {"aws:SourceIp": "192.0.2.1"}}"#.to_owned()
        }
        "aws:SourceIp" => format!(r#"{{"IpAddress": {{"aws:SourceIp": "{value}"}}}}"#),
        key => condition(key, &fill(&buckets, value)),
    };
    let deny = statement("Deny", "\"*\"", "*", &buckets.bucket, &condition);
    fixture.put_policy(&buckets.bucket, Some(deny)).await;

    let mut with = case.variation();
    for value in with.headers.values_mut() {
        *value = fill(&buckets, value);
    }
    let needs = &permissions.operations[case.operation];
    let request = buckets.request(operation, needs, &[&with]);
    let target = fixture.target(case.tls);
    let signed = if case.presigned {
        fixture.presign(caller, request.draft, &target)
    } else {
        fixture.sign(caller, request.draft, &target)
    };
    // The gateway looks which tags an object has.
    let looks = case.key.starts_with("s3:ExistingObjectTag");
    let subresource = if looks { "" } else { operation.subresource() };
    fixture.send_signed(&signed, &target, subresource).await
}

/// The values, with what stands behind the name of a source bucket as a value of its own.
fn fill(buckets: &Buckets, text: &str) -> String {
    let number = buckets.source.strip_prefix("source").unwrap_or_default();
    buckets.fill(&text.replace("{source_number}", number))
}

/// The value, or one of several.
fn condition(key: &str, value: &str) -> String {
    let value = value.replace('"', "\\\"");
    let any = if key == "s3:RequestObjectTagKeys" {
        "ForAnyValue:"
    } else {
        ""
    };
    format!(r#"{{"{any}StringEquals": {{"{key}": "{value}"}}}}"#)
}

#[tokio::test]
async fn a_condition_key_of_the_reference_is_judged_or_its_policy_is_refused() {
    let fixture = Fixture::start().await;
    let (actions, permissions) = (reference::actions(), reference::permissions());
    let mut keys: BTreeSet<_> = actions.common.iter().collect();
    keys.extend(actions.actions.values().flat_map(|action| &action.keys));
    let listed: BTreeSet<_> = keys
        .iter()
        .map(|key| key.replace("${TagKey}", "<key>"))
        .collect();
    for key in permissions.unjudged.keys() {
        assert!(listed.contains(key), "{key} is no key of the reference");
    }
    let bucket = "keys";
    fixture.world.create_bucket(bucket).await;
    for key in &listed {
        let condition = condition(&key.replace("<key>", "class"), "a");
        let deny = statement("Deny", "\"*\"", "*", bucket, &condition);
        let put = Draft::new(Method::PUT, bucket, "").query("policy", "");
        let put = put.body(document(&[deny]));
        let status = fixture.send_draft(Caller::Owner, put).await.status();
        let wanted = if permissions.unjudged.contains_key(key) {
            501
        } else {
            204
        };
        assert_eq!(status, wanted, "{key}");
        // The policy may deny everything, its own removal too.
        fixture
            .prepare(
                &fixture.world.main,
                Draft::new(Method::DELETE, bucket, "").query("policy", ""),
            )
            .await;
    }
}

#[tokio::test]
async fn the_tags_of_an_object_that_is_replaced_decide_nothing_about_the_write() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["GetObject"];
    let buckets = fixture.buckets(operation, Caller::Other).await;
    let bucket = buckets.bucket.as_str();
    let open = r#"{"StringEquals": {"s3:ExistingObjectTag/class": "open"}}"#;
    let allow = statement("Allow", "\"*\"", "*", bucket, open);
    let put = Draft::new(Method::PUT, bucket, "").query("policy", "");
    let put = put.body(document(&[allow]));
    fixture.prepare(&fixture.world.main, put).await;
    let read = Draft::new(Method::GET, bucket, KEY);
    let read = fixture.send_draft(Caller::Other, read).await;
    assert_eq!(read.status(), 200, "{}", read.describe());
    let write = Draft::new(Method::PUT, bucket, KEY).body("other");
    let write = fixture.send_draft(Caller::Other, write).await;
    assert!(write.is_refused(&[403]), "{}", write.describe());
}
