//! What access logs say of requests.

use std::time::Duration;

use gateway::access_log::delivery::Delivered;
use http::Method;
use proto::identity::AccountId;
use proto::identity::Secret;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::form::Form;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::access_log::Logs;
use crate::access_log::goaccess;
use crate::access_log::policy;

fn canonical(account: &str) -> String {
    account.parse::<AccountId>().unwrap().canonical_user_id()
}

#[tokio::test]
async fn a_record_has_every_field_of_its_request() {
    let logs = Logs::start().await;
    let put = Draft::new(Method::PUT, "src", "k")
        .header("user-agent", "S3Console/0.4, aws-internal")
        .header("referer", "https://example.com/a?b=c")
        .body("x".repeat(1000));
    let answer = logs.world.send(put).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let record = logs.record_of("REST.PUT.OBJECT").await;
    let expected = [
        (1, canonical(MAIN_ACCOUNT)),
        (2, "src".to_owned()),
        (3, "06/Feb/2019:00:00:38 +0000".to_owned()),
        (4, "127.0.0.1".to_owned()),
        (5, canonical(MAIN_ACCOUNT)),
        (6, header("x-amz-request-id")),
        (7, "REST.PUT.OBJECT".to_owned()),
        (8, "k".to_owned()),
        (9, "\"PUT /src/k HTTP/1.1\"".to_owned()),
        (10, "200".to_owned()),
        (11, "-".to_owned()),
        (12, "-".to_owned()),
        (13, "1000".to_owned()),
        (16, "\"https://example.com/a?b=c\"".to_owned()),
        (17, "\"S3Console/0.4, aws-internal\"".to_owned()),
        (18, "-".to_owned()),
        (19, header("x-amz-id-2")),
        (20, "SigV4".to_owned()),
        (21, "-".to_owned()),
        (22, "AuthHeader".to_owned()),
        (23, logs.world.host()),
        (24, "-".to_owned()),
        (25, "-".to_owned()),
        (26, "-".to_owned()),
        (27, "-".to_owned()),
    ];
    for (number, value) in expected {
        assert_eq!(record.field(number), value, "field {number} of {record:?}");
    }
    assert!(record.number(14) >= record.number(15), "{record:?}");
}

#[tokio::test]
async fn sizes_are_those_of_the_plaintext() {
    let logs = Logs::start().await;
    logs.put("src", "k", "", &"x".repeat(5000)).await;
    let draft = |method| Draft::new(method, "src", "k");
    let etag = logs.get("src", "k").await.headers()["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let part = draft(Method::GET)
        .header("range", "bytes=10-19")
        .header("user-agent", "part");
    assert_eq!(logs.world.send(part).await.status(), 206);
    let head = draft(Method::HEAD).header("user-agent", "head");
    assert_eq!(logs.world.send(head).await.status(), 200);
    let same = draft(Method::GET)
        .header("if-none-match", &etag)
        .header("user-agent", "same");
    assert_eq!(logs.world.send(same).await.status(), 304);
    let missing = Draft::new(Method::GET, "src", "missing").header("user-agent", "missing");
    let missing = logs.world.send(missing).await.body().len().to_string();
    let records = logs.records().await;
    for (agent, status, sent, size) in [
        ("\"-\"", "200", "5000", "5000"),
        ("\"part\"", "206", "10", "5000"),
        ("\"head\"", "200", "-", "5000"),
        ("\"same\"", "304", "-", "-"),
        ("\"missing\"", "404", missing.as_str(), "-"),
    ] {
        let found = records.iter().find(|record| {
            record.field(17) == agent && !record.operation().starts_with("REST.PUT")
        });
        let record = found.unwrap_or_else(|| panic!("{agent}: {records:?}"));
        let seen = [10, 12, 13].map(|number| record.field(number));
        assert_eq!(seen, [status, sent, size], "{record:?}");
    }
}

#[tokio::test]
async fn no_client_ends_a_field_or_a_line_and_keys_are_encoded_twice() {
    let logs = Logs::start().await;
    let long = "a\"".repeat(4096);
    let put = Draft::new(Method::PUT, "src", "a b/\u{fc}\"")
        .header("user-agent", &long)
        .header("referer", "a b\" 200 - \"")
        .query("x-tag", "\" - \"\n");
    assert_eq!(logs.world.send(put).await.status(), 200);
    let record = logs.record_of("REST.PUT.OBJECT").await;
    assert_eq!(record.field(8), "a%2520b/%25C3%25BC%2522");
    assert_eq!(record.field(16), "\"a%20b%22%20200%20-%20%22\"");
    assert_eq!(record.field(17), format!("\"{}\"", "a%22".repeat(4096)));
    let line = "\"PUT /src/a%20b/%C3%BC%22?x-tag=%22%20-%20%22%0A HTTP/1.1\"";
    assert_eq!(record.field(9), line);
    assert_eq!(record.field(10), "200");
}

#[tokio::test]
async fn deleting_two_keys_makes_three_records_of_one_request() {
    let logs = Logs::start().await;
    let deny = policy("src", "\"arn:aws:s3:::none\"", MAIN_ACCOUNT).replace(
        "\"Statement\":[",
        "\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:DeleteObject\",\
         \"Resource\":\"arn:aws:s3:::src/b c\"},",
    );
    logs.put("src", "", "policy", &deny).await;
    logs.put("src", "a", "", "1").await;
    let document = "<Delete><Object><Key>a</Key></Object><Object><Key>b c</Key></Object></Delete>";
    let delete = Draft::new(Method::POST, "src", "")
        .query("delete", "")
        .header("x-amz-checksum-sha256", &{
            use base64::Engine as _;
            use sha2::Digest as _;
            base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(document))
        })
        .header("user-agent", "a b")
        .body(document);
    let answer = logs.world.send(delete).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let whole = logs.record_of("REST.POST.MULTI_OBJECT_DELETE").await;
    assert_eq!([whole.field(8), whole.field(10)], ["-", "200"]);
    let batch = logs.records_of("BATCH.DELETE.OBJECT").await;
    let outcome = |record: &crate::access_log::Record| {
        [8, 10, 11].map(|number| record.field(number).to_owned())
    };
    let mut outcomes: Vec<_> = batch.iter().map(outcome).collect();
    outcomes.sort();
    assert_eq!(
        outcomes,
        [["a", "204", "-"], ["b%20c", "403", "AccessDenied"]]
    );
    for record in &batch {
        assert_eq!(record.field(6), whole.field(6));
        for number in [9, 12, 14, 15, 16, 17] {
            assert_eq!(record.field(number), "-", "{record:?}");
        }
        assert_eq!(record.field(19), whole.field(19));
    }
}

#[tokio::test]
async fn a_copy_has_a_record_in_the_log_of_its_source_and_one_in_that_of_its_target() {
    let logs = Logs::start().await;
    logs.put("copies", "", "", "").await;
    logs.put("dst-2", "", "", "").await;
    logs.allow("dst-2", &["copies"]).await;
    logs.enable("copies", "dst-2", "").await;
    logs.put("src", "a b", "", &"x".repeat(77)).await;
    let copy = |key: &str| {
        Draft::new(Method::PUT, "copies", "k").header("x-amz-copy-source", &format!("/src/{key}"))
    };
    let answer = logs.world.send(copy("a%20b")).await;
    assert_eq!(answer.status(), 200);
    let read = logs.record_of("REST.COPY.OBJECT_GET").await;
    let seen = [2, 8, 10, 12, 13].map(|number| read.field(number));
    assert_eq!(seen, ["src", "a%2520b", "200", "77", "77"]);
    let lines = logs.lines("dst-2").await;
    let written = crate::access_log::Record::parse(&lines[0]);
    let seen = [2, 7, 8, 10, 13].map(|number| written.field(number));
    assert_eq!(seen, ["copies", "REST.COPY.OBJECT", "k", "200", "77"]);
    assert_eq!(written.field(6), read.field(6));

    let answer = logs.world.send(copy("missing")).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(logs.records_of("REST.COPY.OBJECT_GET").await.len(), 1);
    let lines = logs.lines("dst-2").await;
    let records = lines
        .iter()
        .map(|line| crate::access_log::Record::parse(line));
    let failed: Vec<_> = records.filter(|record| record.field(10) == "404").collect();
    assert_eq!(
        [failed[0].field(7), failed[0].field(11)],
        ["REST.COPY.OBJECT", "NoSuchKey"]
    );
}

#[tokio::test]
async fn requests_without_rights_are_logged() {
    let logs = Logs::start().await;
    let get = || Draft::new(Method::GET, "src", "k");
    assert_eq!(
        logs.anonymously(get().header("user-agent", "nobody"))
            .await
            .status(),
        403
    );
    let foreign = get().header("user-agent", "foreign");
    assert_eq!(logs.send_as(&logs.world.alt, foreign).await.status(), 403);
    let wrong = Access {
        secret_access_key: "wrong-secret-access-key".to_owned(),
        ..logs.world.main.clone()
    };
    let forged = get().header("user-agent", "forged");
    assert_eq!(logs.send_as(&wrong, forged).await.status(), 403);
    let records = logs.records().await;
    for (agent, requester, code, signature, kind) in [
        ("\"nobody\"", "-".to_owned(), "AccessDenied", "-", "-"),
        (
            "\"foreign\"",
            canonical(ALT_ACCOUNT),
            "AccessDenied",
            "SigV4",
            "AuthHeader",
        ),
        (
            "\"forged\"",
            "-".to_owned(),
            "SignatureDoesNotMatch",
            "SigV4",
            "AuthHeader",
        ),
    ] {
        let record = records
            .iter()
            .find(|record| record.field(17) == agent)
            .unwrap();
        let seen = [5, 10, 11, 20, 22].map(|number| record.field(number));
        assert_eq!(
            seen,
            [&*requester, "403", code, signature, kind],
            "{record:?}"
        );
        assert_eq!(record.field(7), "REST.GET.OBJECT");
    }
}

#[tokio::test]
async fn a_wrong_signature_on_a_bucket_that_nobody_used_makes_no_record_and_no_request() {
    let logs = Logs::start().await;
    let other = logs.world.another_gateway().await;
    let target = Target {
        address: other.s3_addr.unwrap(),
        tls: None,
    };
    let wrong = Access {
        secret_access_key: "wrong-secret-access-key".to_owned(),
        ..logs.world.main.clone()
    };
    let get = Draft::new(Method::GET, "src", "k");
    let get = get.sign(&wrong, logs.world.now(), &target.address.to_string());
    logs.world.backend.forget();
    assert_eq!(get.send(&target).await.unwrap().status(), 403);
    assert_eq!(other.flush_access_logs().await, Delivered::default());
    assert!(logs.world.backend.requests_in("src").is_empty());
    assert!(logs.world.backend.requests().is_empty());
}

#[tokio::test]
async fn a_presigned_address_is_logged_without_what_it_proves() {
    let logs = Logs::start().await;
    logs.put("src", "k", "", "1").await;
    let (now, host) = (logs.world.now(), logs.world.host());
    let get = Draft::new(Method::GET, "src", "k").query("x-report", "q1");
    let hour = Duration::from_secs(3600);
    let signed = get.presign(&logs.world.main, now, &host, hour);
    let (_, signature) = signed.query.split_once("X-Amz-Signature=").unwrap();
    let signature = signature.split('&').next().unwrap().to_owned();
    assert_eq!(
        signed.send(&logs.world.target()).await.unwrap().status(),
        200
    );
    let record = logs.record_of("REST.GET.OBJECT").await;
    assert_eq!(
        [record.field(20), record.field(22)],
        ["SigV4", "QueryString"]
    );
    assert!(record.field(9).contains("x-report=q1"), "{record:?}");
    assert!(
        record.field(9).contains("X-Amz-Signature=REDACTED"),
        "{record:?}"
    );
    assert!(!logs.lines("dst").await.concat().contains(&signature));
}

#[tokio::test]
async fn a_user_is_logged_by_its_arn_and_tls_by_its_names() {
    const ARN: &str = "arn:aws:iam::123456789012:user/anna";
    let anna = Access::new("ANNAEXAMPLEACCESSKEY", "anna-secret-access-key");
    let user = anna.clone();
    let setup = World::setup().gateway(move |config| {
        config.users.push(gateway::authenticate::User {
            access_key_id: user.access_key_id.clone(),
            secret_access_key: Secret::new(user.secret_access_key.as_str()),
            account: config.users[0].account.clone(),
            principal_arn: Some(ARN.parse().unwrap()),
        });
    });
    let logs = Logs::start_with(setup).await;
    let target = logs.world.tls_target();
    let host = target.address.to_string();
    let owner: AccountId = MAIN_ACCOUNT.parse().unwrap();
    let full_control = format!("id={}", owner.canonical_user_id());
    let put = Draft::new(Method::PUT, "src", "k")
        .header("x-amz-grant-full-control", &full_control)
        .body("1");
    let put = put.sign(&anna, logs.world.now(), &host);
    assert_eq!(put.send(&target).await.unwrap().status(), 200);
    let record = logs.record_of("REST.PUT.OBJECT").await;
    assert_eq!(record.field(5), ARN);
    let seen = [23, 24, 26].map(|number| record.field(number).to_owned());
    assert_eq!(seen, [host, "TLSv1.3".to_owned(), "Yes".to_owned()]);
    assert!(record.field(21).starts_with("TLS_AES_"), "{record:?}");
}

#[tokio::test]
async fn a_form_is_logged_without_its_fields() {
    let logs = Logs::start().await;
    let form = Form::new("src", "from-form", "hello").field("x-amz-meta-a", "canary-field");
    let form = form.sign(&logs.world.main, logs.world.now(), &logs.world.host());
    let answer = form.send(&logs.world.target()).await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let record = logs.record_of("REST.POST.OBJECT").await;
    let seen = [8, 9, 13, 20, 22].map(|number| record.field(number));
    let expected = ["from-form", "\"POST /src HTTP/1.1\"", "5", "SigV4", "-"];
    assert_eq!(seen, expected, "{record:?}");
    assert!(!logs.lines("dst").await.concat().contains("canary-field"));
}

#[tokio::test]
async fn the_version_is_the_one_that_the_request_names() {
    let logs = Logs::start().await;
    let get = Draft::new(Method::GET, "src", "k").query("versionId", "a b\"c");
    logs.world.send(get).await;
    let record = logs.record_of("REST.GET.OBJECT").await;
    assert_eq!(record.field(18), "a%20b%22c");
}

#[tokio::test]
async fn the_parts_of_an_upload_are_logged_with_their_sizes_and_its_end_with_the_whole() {
    let logs = Logs::start().await;
    let draft = |method| Draft::new(method, "src", "big");
    let begun = logs
        .world
        .send(draft(Method::POST).query("uploads", ""))
        .await;
    let text = String::from_utf8(begun.body().to_vec()).unwrap();
    let (_, id) = text.split_once("<UploadId>").unwrap();
    let id = id.split_once('<').unwrap().0;
    let part = draft(Method::PUT)
        .query("partNumber", "1")
        .query("uploadId", id);
    let sent = logs.world.send(part.body("x".repeat(3000))).await;
    let etag = sent.headers()["etag"].to_str().unwrap();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let complete = draft(Method::POST).query("uploadId", id).body(document);
    assert_eq!(logs.world.send(complete).await.status(), 200);
    for (operation, size) in [
        ("REST.POST.UPLOADS", "-"),
        ("REST.PUT.PART", "3000"),
        ("REST.POST.UPLOAD", "3000"),
    ] {
        let record = logs.record_of(operation).await;
        assert_eq!(
            [record.field(8), record.field(13)],
            ["big", size],
            "{record:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_has_a_record_with_fewer_bytes() {
    let logs = Logs::start().await;
    let bytes = 64 << 20;
    let put = Draft::new(Method::PUT, "src", "k").body(vec![7; bytes]);
    assert_eq!(logs.world.send(put).await.status(), 200);
    let mut stream = logs.world.target().connect().await.unwrap();
    let get = logs.world.sign(Draft::new(Method::GET, "src", "k"));
    stream.write_all(&get.to_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 1024]).await.unwrap();
    drop(stream);
    while logs.world.gateway.requests_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    let record = logs.record_of("REST.GET.OBJECT").await;
    assert_eq!(record.field(10), "200");
    assert_eq!(record.number(13), bytes as u64);
    assert!(record.number(12) < bytes as u64, "{record:?}");
}

#[tokio::test]
async fn records_have_26_fields_where_the_operator_wants_no_more() {
    let setup = World::setup().gateway(|config| config.access_logs.source_region = false);
    let logs = Logs::start_with(setup).await;
    logs.put("src", "k", "", "1").await;
    let lines = logs.lines("dst").await;
    // The time has one blank, the request line two.
    assert_eq!(lines[0].split(' ').count(), 26 + 3, "{lines:?}");
}

#[tokio::test]
async fn goaccess_reads_records_by_its_documented_format() {
    let logs = Logs::start().await;
    logs.put("src", "a b", "", "12345").await;
    let get = Draft::new(Method::GET, "src", "a b").header("user-agent", "curl/8 \"x\"");
    logs.world
        .send(get.header("referer", "https://example.com/"))
        .await;
    let lines = logs.lines("dst").await;
    let line = lines.iter().find(|line| line.contains("REST.GET.OBJECT"));
    let found = goaccess(line.unwrap()).unwrap();
    for (specifier, expected) in [
        ('v', "src"),
        ('d', "06/Feb/2019"),
        ('t', "00:00:38"),
        ('h', "127.0.0.1"),
        ('r', "GET /src/a%20b HTTP/1.1"),
        ('s', "200"),
        ('b', "5"),
        ('R', "https://example.com/"),
        ('u', "curl/8 %22x%22"),
    ] {
        let value = found.iter().find(|(name, _)| *name == specifier);
        assert_eq!(
            value.map(|(_, value)| value.as_str()),
            Some(expected),
            "{specifier}"
        );
    }
}

#[tokio::test]
async fn the_request_that_switches_the_log_on_is_not_in_it_and_the_ones_that_end_it_are() {
    let logs = Logs::start().await;
    assert!(logs.records_of("REST.PUT.LOGGING_STATUS").await.is_empty());
    logs.put("src", "", "logging", "<BucketLoggingStatus/>")
        .await;
    logs.get("src", "").await;
    assert_eq!(logs.records_of("REST.PUT.LOGGING_STATUS").await.len(), 1);
    assert!(logs.records_of("REST.GET.BUCKET").await.is_empty());
    logs.enable("src", "dst", "").await;
    let deleted = logs.world.send(Draft::new(Method::DELETE, "src", "")).await;
    assert_eq!(deleted.status(), 204);
    assert_eq!(logs.record_of("REST.DELETE.BUCKET").await.field(10), "204");
}
