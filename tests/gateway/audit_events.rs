//! What events say of requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::mfa::VolatileMfa;
use proto::session::Session;
use proto::session::SessionKey;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use serde_json::Value;
use serde_json::json;
use tests::clients::Access;
use tests::form::Form;
use tests::signed::Draft;
use tests::world::World;

use crate::audit::NOW;
use crate::audit::Trail;

#[tokio::test]
async fn a_put_makes_a_data_event_with_every_field() {
    let trail = Trail::start().await;
    let put = Draft::new(Method::PUT, "bkt", "a b/c")
        .header("user-agent", "aws-cli/2")
        .header("x-amz-storage-class", "STANDARD")
        .header("x-amz-meta-a", "not recorded")
        .query("x-id", "PutObject")
        .body("x".repeat(1000));
    let answer = trail.send(put).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let event = trail.event_of("PutObject");
    let expected = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": MAIN_ACCOUNT,
            "arn": format!("arn:aws:iam::{MAIN_ACCOUNT}:root"),
            "accountId": MAIN_ACCOUNT,
            "accessKeyId": "MAINEXAMPLEACCESSKEY",
        },
        "eventTime": "2019-02-06T00:00:38Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "[aws-cli/2]",
        "requestParameters": {
            "bucketName": "bkt",
            "Host": trail.world.host(),
            "key": "a b/c",
            "x-amz-storage-class": "STANDARD",
            "x-id": "PutObject",
        },
        "responseElements": { "x-amz-server-side-encryption": "AES256" },
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "bytesTransferredIn": 1000,
            "SSEApplied": "Default_SSE_S3",
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": header("x-amz-id-2"),
            "bytesTransferredOut": 0,
        },
        "requestID": header("x-amz-request-id"),
        "eventID": event["eventID"],
        "readOnly": false,
        "resources": [
            { "type": "AWS::S3::Object", "ARN": "arn:aws:s3:::bkt/a b/c" },
            { "accountId": MAIN_ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::bkt" },
        ],
        "eventType": "AwsApiCall",
        "managementEvent": false,
        "recipientAccountId": MAIN_ACCOUNT,
        "eventCategory": "Data",
    });
    assert_eq!(event, expected);
}

/// Requests in their order, each with the name and the kind of its event, and what it is about.
fn requests() -> Vec<(Draft, &'static str, &'static str, &'static str)> {
    let draft = |method: &str, key: &str| Draft::new(method.parse().unwrap(), "bkt", key);
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>";
    let versioning = draft("PUT", "").query("versioning", "").body(versioning);
    let block = draft("PUT", "").query("publicAccessBlock", "").body(block);
    let location = draft("GET", "").query("location", "");
    let list = draft("GET", "")
        .query("list-type", "2")
        .query("prefix", "p");
    let copy = draft("PUT", "copy").header("x-amz-copy-source", "/bkt/k");
    let upload = draft("POST", "k").query("uploads", "");
    let buckets = Draft::raw(Method::GET, "/");
    vec![
        (buckets, "ListBuckets", "Management read", ""),
        (
            versioning,
            "PutBucketVersioning",
            "Management write",
            "bucket",
        ),
        (location, "GetBucketLocation", "Management read", "bucket"),
        (
            block,
            "PutBucketPublicAccessBlock",
            "Management write",
            "bucket",
        ),
        (draft("HEAD", ""), "HeadBucket", "Data read", "bucket"),
        (
            draft("PUT", "k").body("1"),
            "PutObject",
            "Data write",
            "object bucket",
        ),
        (draft("GET", "k"), "GetObject", "Data read", "object bucket"),
        (
            draft("HEAD", "k"),
            "HeadObject",
            "Data read",
            "object bucket",
        ),
        (list, "ListObjects", "Data read", "prefix bucket"),
        (
            copy,
            "CopyObject",
            "Data write",
            "copy bucket object bucket",
        ),
        (
            upload,
            "CreateMultipartUpload",
            "Data write",
            "object bucket",
        ),
        (
            draft("DELETE", "k"),
            "DeleteObject",
            "Data write",
            "object bucket",
        ),
    ]
}

#[tokio::test]
async fn each_operation_makes_one_event_of_its_kind() {
    let trail = Trail::start().await;
    let object =
        |key: &str| json!({ "type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::bkt/{key}") });
    let resource = |name: &str| match name {
        "object" => object("k"),
        "copy" => object("copy"),
        "prefix" => json!({ "type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::bkt/p" }),
        _ => {
            json!({ "accountId": MAIN_ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::bkt" })
        }
    };
    for (request, name, kind, resources) in requests() {
        let answer = trail.send(request).await;
        assert!(answer.status().is_success(), "{name}: {answer:?}");
        let event = trail.event_of(name);
        let (category, access) = kind.split_once(' ').unwrap();
        assert_eq!(event["managementEvent"], category == "Management", "{name}");
        assert_eq!(event["eventCategory"], category, "{name}");
        assert_eq!(event["readOnly"], access == "read", "{name}");
        let expected: Vec<Value> = resources.split_whitespace().map(resource).collect();
        let recorded = event["resources"].as_array().cloned().unwrap_or_default();
        assert_eq!(recorded, expected, "{name}");
        assert_eq!(event["errorCode"], Value::Null, "{name}");
        let id = answer.headers()["x-amz-request-id"].to_str().unwrap();
        assert_eq!(event["requestID"], id, "{name}");
    }
}

#[tokio::test]
async fn how_an_object_was_encrypted_and_how_many_bytes_passed_is_recorded() {
    let trail = Trail::start().await;
    let put = |sse: &[(&str, &str)]| {
        let draft = Draft::new(Method::PUT, "bkt", "k").body("x".repeat(500));
        sse.iter().fold(draft, |draft, (n, v)| draft.header(n, v))
    };
    for (headers, applied) in [
        (&[][..], "Default_SSE_S3"),
        (&[("x-amz-server-side-encryption", "AES256")][..], "SSE_S3"),
    ] {
        assert_eq!(trail.send(put(headers)).await.status(), 200);
        let event = trail.events_of("PutObject").remove(0);
        assert_eq!(event["additionalEventData"]["SSEApplied"], applied);
    }
    trail.send(Draft::new(Method::GET, "bkt", "k")).await;
    let event = trail.event_of("GetObject");
    assert_eq!(event["additionalEventData"]["bytesTransferredIn"], 0);
    assert_eq!(event["additionalEventData"]["bytesTransferredOut"], 500);
    assert_eq!(event["additionalEventData"]["SSEApplied"], Value::Null);
    assert_eq!(event["responseElements"], Value::Null);
}

#[tokio::test]
async fn a_refused_request_of_another_account_is_in_both_trails_and_its_owner_sees_the_account_only()
 {
    let trail = Trail::start().await;
    let get = Draft::new(Method::GET, "bkt", "k").header("user-agent", "alt");
    let refused = trail.send_as(&trail.world.alt, get).await;
    assert_eq!(refused.status(), 403);
    let events = trail.events_of("GetObject");
    let of = |account: &str| {
        let mut found = events
            .iter()
            .filter(|it| it["recipientAccountId"] == account);
        found.next().unwrap().clone()
    };
    let (own, owners) = (of(ALT_ACCOUNT), of(MAIN_ACCOUNT));
    assert_eq!(events.len(), 2);
    for event in [&own, &owners] {
        assert_eq!(event["errorCode"], "AccessDenied");
        assert!(!event["errorMessage"].as_str().unwrap().is_empty());
        assert_eq!(event["resources"][1]["accountId"], MAIN_ACCOUNT);
    }
    assert_eq!(own["sharedEventID"], owners["sharedEventID"]);
    assert_ne!(own["eventID"], owners["eventID"]);
    assert_eq!(own["userIdentity"]["accessKeyId"], "ALTEXAMPLEACCESSKEY1");
    let only_account = json!({
        "type": "AWSAccount", "principalId": ALT_ACCOUNT, "accountId": ALT_ACCOUNT,
    });
    assert_eq!(owners["userIdentity"], only_account);
}

#[tokio::test]
async fn an_anonymous_request_is_in_the_trail_of_the_buckets_owner() {
    let trail = Trail::start().await;
    let refused = trail.anonymously(Draft::new(Method::GET, "bkt", "k")).await;
    assert_eq!(refused.status(), 403);
    let event = trail.event_of("GetObject");
    let anonymous = json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" });
    assert_eq!(event["userIdentity"], anonymous);
    assert_eq!(event["recipientAccountId"], MAIN_ACCOUNT);
    assert_eq!(event["errorCode"], "AccessDenied");
    assert_eq!(
        event["additionalEventData"]["SignatureVersion"],
        Value::Null
    );
    // Nobody's trail has what nobody owns.
    trail
        .anonymously(Draft::new(Method::GET, "missing", "k"))
        .await;
    assert_eq!(trail.events_of("GetObject").len(), 1);
}

#[tokio::test]
async fn a_request_whose_signature_is_wrong_makes_no_event() {
    let trail = Trail::start().await;
    let wrong = Access::new("MAINEXAMPLEACCESSKEY", "not the secret");
    let unknown = Access::new("NOBODYSACCESSKEY", "not the secret");
    for access in [wrong, unknown] {
        let put = Draft::new(Method::PUT, "bkt", "k").body("1");
        assert_eq!(trail.send_as(&access, put).await.status(), 403);
        let form = Form::new("bkt", "k", "text");
        let form = form.sign(&access, trail.world.now(), &trail.world.host());
        let refused = form.send(&trail.world.target()).await.unwrap();
        assert_eq!(refused.status(), 403, "{refused:?}");
    }
    let names = trail.events();
    assert!(
        names.iter().all(|it| it["eventName"] == "CreateBucket"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_form_makes_an_event_of_who_signed_it_with_its_key() {
    let trail = Trail::start().await;
    let form = Form::new("bkt", "from a form", "text");
    let form = form.sign(&trail.world.main, trail.world.now(), &trail.world.host());
    let answer = form.send(&trail.world.target()).await.unwrap();
    assert_eq!(answer.status(), 204, "{answer:?}");
    let event = trail.event_of("PostObject");
    assert_eq!(event["requestParameters"]["key"], "from a form");
    assert_eq!(event["userIdentity"]["accountId"], MAIN_ACCOUNT);
    assert_eq!(event["additionalEventData"]["SSEApplied"], "Default_SSE_S3");
    assert_eq!(event["resources"][0]["ARN"], "arn:aws:s3:::bkt/from a form");
}

#[tokio::test]
async fn a_bucket_that_is_deleted_is_still_named_with_its_owner() {
    let trail = Trail::start().await;
    let deleted = trail.send(Draft::new(Method::DELETE, "bkt", "")).await;
    assert_eq!(deleted.status(), 204);
    let event = trail.event_of("DeleteBucket");
    let bucket =
        json!({ "accountId": MAIN_ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::bkt" });
    assert_eq!(event["resources"], json!([bucket]));
    assert_eq!(event["managementEvent"], true);
}

#[tokio::test]
async fn a_session_of_a_role_is_recorded_with_its_role_and_whether_there_was_a_code() {
    let users = format!(
        "[[role]]\nname = 'reader'\naccount = '{MAIN_ACCOUNT}'\n\
         trust_policy = {{ Statement = {{ Effect = 'Allow', Action = 'sts:AssumeRole', Principal = '*' }} }}\n"
    );
    let principals = Principals::parse(&users).unwrap();
    let key = SessionKey::random().unwrap();
    let iam = Iam::in_memory(principals, key, Arc::new(VolatileMfa::default()));
    let iam = Arc::new(iam);
    let trail = Trail::start_with(World::setup().one_trail().iam(Arc::clone(&iam))).await;
    let session = Session {
        principal: format!("arn:aws:sts::{MAIN_ACCOUNT}:assumed-role/reader/at-work")
            .parse()
            .unwrap(),
        source: format!("arn:aws:iam::{MAIN_ACCOUNT}:role/reader")
            .parse()
            .unwrap(),
        user_id: "AROAEXAMPLE:at-work".to_owned(),
        issued: NOW,
        expires: NOW.plus(Duration::from_secs(3_600)),
        mfa: true,
        policy: None,
        source_identity: None,
        tags: BTreeMap::new(),
        transitive_tags: Vec::new(),
    };
    let credentials = iam.sessions().issue(&session).unwrap();
    let access = Access::of_session(&credentials);
    let token = access.session_token.clone().unwrap();
    let get = Draft::new(Method::GET, "bkt", "k").header("x-amz-security-token", &token);
    let refused = trail.send_as(&access, get).await;
    assert_eq!(refused.status(), 403);
    let identity = trail.event_of("GetObject")["userIdentity"].clone();
    let expected = json!({
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:at-work",
        "arn": format!("arn:aws:sts::{MAIN_ACCOUNT}:assumed-role/reader/at-work"),
        "accountId": MAIN_ACCOUNT,
        "accessKeyId": credentials.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": format!("arn:aws:iam::{MAIN_ACCOUNT}:role/reader"),
                "accountId": MAIN_ACCOUNT,
                "userName": "reader",
            },
            "attributes": { "creationDate": "2019-02-06T00:00:38Z", "mfaAuthenticated": "true" },
        },
    });
    assert_eq!(identity, expected);
}

#[tokio::test]
async fn a_connection_by_tls_is_recorded_with_its_suite() {
    let world = World::setup().one_trail().start().await;
    world
        .s3()
        .create_bucket()
        .bucket("bkt")
        .send()
        .await
        .unwrap();
    let events = world
        .kms
        .audit
        .lookup(10, |event| event.name == "CreateBucket");
    let event = serde_json::to_value(&*events[0]).unwrap();
    let details = &event["tlsDetails"];
    assert_eq!(details["tlsVersion"], "TLSv1.3");
    let suite = details["cipherSuite"].as_str().unwrap();
    assert!(suite.starts_with("TLS_"), "{suite}");
    assert_eq!(event["additionalEventData"]["CipherSuite"], suite);
    assert_eq!(
        details["clientProvidedHostHeader"],
        event["requestParameters"]["Host"]
    );
}

#[tokio::test]
async fn a_call_that_the_gateway_makes_for_a_caller_names_s3_as_its_place_and_program() {
    let world = World::setup().one_trail().start().await;
    world
        .s3()
        .create_bucket()
        .bucket("bkt")
        .send()
        .await
        .unwrap();
    let put = world
        .s3()
        .put_object()
        .bucket("bkt")
        .key("k")
        .body(vec![1].into());
    let put = put.server_side_encryption("aws:kms".into());
    put.send().await.unwrap();
    let events = world
        .kms
        .audit
        .lookup(10, |event| event.name == "GenerateDataKey");
    let event = serde_json::to_value(&*events[0]).unwrap();
    let service = "s3.us-east-1.amazonaws.com";
    assert_eq!(event["userIdentity"]["invokedBy"], service);
    assert_eq!(event["sourceIPAddress"], service);
    assert_eq!(event["userAgent"], service);
    let of_s3 = world
        .kms
        .audit
        .lookup_data(10, |event| event.name == "PutObject");
    let of_s3 = serde_json::to_value(&*of_s3[0]).unwrap();
    let agent = of_s3["userAgent"].as_str().unwrap();
    assert!(
        agent.starts_with("[aws-sdk-rust/") && agent.ends_with(']'),
        "{agent}"
    );
    assert_eq!(of_s3["additionalEventData"]["SSEApplied"], "SSE_KMS");
}

#[tokio::test]
async fn a_gateway_alone_writes_its_file_and_data_events_only_if_they_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    for wanted in [false, true] {
        let path = folder.path().join(format!("{wanted}.jsonl"));
        let file = path.clone();
        let setup = World::setup().gateway(move |config| {
            config.audit.file = Some(file);
            config.audit.data_events = wanted;
        });
        let trail = Trail::start_with(setup).await;
        trail
            .send(Draft::new(Method::PUT, "bkt", "k").body("1"))
            .await;
        assert!(trail.events().is_empty(), "they are in no other trail");
        trail.world.gateway.stop().await;
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let names: Vec<String> = lines
            .map(|line| line["eventName"].as_str().unwrap().to_owned())
            .collect();
        let all = ["CreateBucket", "PutObject"];
        assert_eq!(names, all[..usize::from(wanted) + 1]);
    }
}

#[tokio::test]
async fn a_request_goes_on_when_no_more_events_find_room() {
    let setup = World::setup()
        .one_trail()
        .kms(|config| config.audit.queue_events_max = 1);
    let trail = Trail::start_with(setup).await;
    for _ in 0..20 {
        let put = Draft::new(Method::PUT, "bkt", "k").body("1");
        assert_eq!(trail.send(put).await.status(), 200);
    }
    let recorded = trail.events_of("PutObject").len();
    let lost = usize::try_from(trail.world.kms.audit.lost()).unwrap();
    assert!(recorded <= 20 && recorded + lost >= 20, "{recorded} {lost}");
}

/// LookupEvents with these members.
fn lookup(trail: &Trail, request: &Value) -> Value {
    let target = b"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let body = request.to_string();
    let (status, answer) =
        kms::services::cloud_trail::respond(&trail.world.kms.audit, target, body.as_bytes());
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn lookup_events_has_the_management_events_of_both_services_and_no_data_events() {
    let trail = Trail::start().await;
    trail
        .send(Draft::new(Method::PUT, "bkt", "k").body("1"))
        .await;
    trail
        .send(Draft::new(Method::GET, "bkt", "").query("location", ""))
        .await;
    for (name, value, expected) in [
        (
            "EventSource",
            "s3.amazonaws.com",
            &["GetBucketLocation", "CreateBucket"][..],
        ),
        ("EventName", "CreateBucket", &["CreateBucket"]),
        ("EventName", "PutObject", &[]),
        (
            "ResourceName",
            "bkt",
            &["GetBucketLocation", "CreateBucket"],
        ),
        (
            "ResourceName",
            "arn:aws:s3:::bkt",
            &["GetBucketLocation", "CreateBucket"],
        ),
        ("ResourceName", "bk", &[]),
        (
            "ResourceType",
            "AWS::S3::Bucket",
            &["GetBucketLocation", "CreateBucket"],
        ),
        (
            "AccessKeyId",
            "MAINEXAMPLEACCESSKEY",
            &["GetBucketLocation", "CreateBucket"],
        ),
        ("AccessKeyId", "ALTEXAMPLEACCESSKEY1", &[]),
    ] {
        let by = json!([{ "AttributeKey": name, "AttributeValue": value }]);
        let answer = lookup(&trail, &json!({ "LookupAttributes": by }));
        let events = answer["Events"].as_array().unwrap();
        let names: Vec<&str> = events
            .iter()
            .map(|it| it["EventName"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{name} {value}");
    }
    let by_root = json!([{ "AttributeKey": "Username", "AttributeValue": "root" }]);
    let first = lookup(
        &trail,
        &json!({ "LookupAttributes": by_root, "MaxResults": 1 }),
    );
    assert_eq!(first["Events"][0]["EventName"], "GetBucketLocation");
    let bucket = json!([{ "ResourceType": "AWS::S3::Bucket", "ResourceName": "bkt" }]);
    assert_eq!(first["Events"][0]["Resources"], bucket);
    let token = first["NextToken"].clone();
    let next = json!({ "LookupAttributes": by_root, "MaxResults": 1, "NextToken": token });
    assert_eq!(
        lookup(&trail, &next)["Events"][0]["EventName"],
        "CreateBucket"
    );
    // The event history has services' calls, too: the gateway's own, of its root key.
    let of_kms = json!([{ "AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com" }]);
    let answer = lookup(&trail, &json!({ "LookupAttributes": of_kms }));
    assert!(!answer["Events"].as_array().unwrap().is_empty());
}
