//! What the audit trail stores and writes.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::json;

use super::Audit;
use super::Category;
use super::Config;
use super::Event;
use super::EventId;
use super::Fields;
use super::Identity;
use super::Resource;
use super::Source;
use super::latest::DeferredEvent;
use super::latest::Kept;
use super::latest::Latest;
use super::openssl_name;
use super::queue::Queue;
use crate::time::Timestamp;

fn fields(pairs: &[(&'static str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.push(name, value);
    }
    fields
}

/// A GenerateDataKey that worked.
pub(super) fn event(key_id: &str) -> Event {
    Event {
        time: Timestamp::from_unix_millis(1_735_689_600_123),
        service: Event::KMS,
        category: Category::Management,
        name: "GenerateDataKey",
        read_only: true,
        region: "us-east-1".parse().unwrap(),
        recipient_account: "111122223333".parse().unwrap(),
        identity: Identity {
            kind: "IAMUser",
            arn: "arn:aws:iam::111122223333:user/Alice".into(),
            account: "111122223333".parse().ok(),
            principal_id: None,
            session: None,
            access_key_id: Some("AKIAEXAMPLE".into()),
            user_name: Some("Alice".into()),
            invoked_by: None,
        },
        source: Source::Address([127, 0, 0, 1].into()),
        user_agent: "test".into(),
        request_parameters: fields(&[("keyId", key_id), ("keySpec", "AES_256")]),
        response_elements: Fields::default(),
        additional: fields(&[("keyMaterialId", "m")]),
        request_id: "r".into(),
        id: EventId::fresh(),
        resources: vec![Resource::new(
            Event::KEY,
            "arn:aws:kms:us-east-1:111122223333:key/k",
            "111122223333".parse().ok(),
        )],
        error: None,
        shared_id: None,
        tls: None,
    }
}

fn key_id(event: &Event) -> String {
    let key_id = event.request_parameters.get("keyId").unwrap();
    key_id.as_str().unwrap().to_owned()
}

#[test]
fn an_event_is_written_as_cloudtrail_writes_it() {
    let event = event("alias/demo");
    let expected = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "111122223333",
            "arn": "arn:aws:iam::111122223333:user/Alice",
            "accountId": "111122223333",
            "accessKeyId": "AKIAEXAMPLE",
            "userName": "Alice",
        },
        "eventTime": "2025-01-01T00:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "GenerateDataKey",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "test",
        "requestParameters": { "keyId": "alias/demo", "keySpec": "AES_256" },
        "responseElements": null,
        "additionalEventData": { "keyMaterialId": "m" },
        "requestID": "r",
        "eventID": event.id.to_string(),
        "readOnly": true,
        "resources": [{
            "accountId": "111122223333",
            "type": "AWS::KMS::Key",
            "ARN": "arn:aws:kms:us-east-1:111122223333:key/k",
        }],
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    });
    assert_eq!(serde_json::to_value(&event).unwrap(), expected);
}

#[test]
fn a_failure_carries_its_code_and_message() {
    let mut event = event("k");
    event.error = Some(("DisabledException".into(), "k is disabled.".into()));
    let written = serde_json::to_value(&event).unwrap();
    assert_eq!(written["errorCode"], "DisabledException");
    assert_eq!(written["errorMessage"], "k is disabled.");
}

#[test]
fn the_file_gets_one_line_for_every_event_and_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    for run in 0..2 {
        let config = Config {
            file: Some(file.clone()),
            ..Config::default()
        };
        let audit = Audit::open(&config).unwrap();
        (0..100).for_each(|n| audit.record(event(&format!("{run}-{n}"))));
    }

    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 200);
    assert_eq!(lines[0]["requestParameters"]["keyId"], "0-0");
    assert_eq!(lines[199]["requestParameters"]["keyId"], "1-99");
}

#[test]
fn a_lookup_returns_what_was_recorded_before_it_newest_first_and_only_so_much_is_stored() {
    let audit = Audit::open(&Config {
        events_kept: 3,
        ..Config::default()
    })
    .unwrap();
    (0..5).for_each(|n| audit.record(event(&n.to_string())));
    let ids =
        |events: Vec<Arc<Event>>| -> Vec<String> { events.iter().map(|e| key_id(e)).collect() };
    assert_eq!(ids(audit.lookup(10, |_| true)), ["4", "3", "2"]);
    assert_eq!(ids(audit.lookup(1, |_| true)), ["4"]);
    assert_eq!(ids(audit.lookup(9, |e| key_id(e) == "3")), ["3"]);
    audit.clear();
    assert!(audit.lookup(10, |_| true).is_empty());
}

#[test]
fn a_full_queue_makes_requests_wait_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        file: Some(folder.path().join("audit.jsonl")),
        queue_events_max: 1,
        events_kept: 1_000,
        ..Config::default()
    };
    let audit = Audit::open(&config).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| audit.record(event("k"))));
        }
    });
    assert_eq!(audit.lookup(1_000, |_| true).len(), 200);
}

#[test]
fn event_ids_are_uuids_and_differ() {
    let ids: std::collections::BTreeSet<String> =
        (0..1_000).map(|_| EventId::fresh().to_string()).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok()));
}

#[test]
fn data_events_do_not_push_out_management_events() {
    let audit = Audit::open(&Config {
        events_kept: 2,
        data_events_kept: 3,
        ..Config::default()
    })
    .unwrap();
    audit.record(event("key"));
    for n in 0..9 {
        let data = Event {
            category: Category::Data,
            ..event(&n.to_string())
        };
        assert!(audit.offer(data));
    }
    let ids =
        |events: Vec<Arc<Event>>| -> Vec<String> { events.iter().map(|e| key_id(e)).collect() };
    assert_eq!(ids(audit.lookup(10, |_| true)), ["key"]);
    assert_eq!(ids(audit.lookup_data(10, |_| true)), ["8", "7", "6"]);
}

/// Counts how often an event is made of it.
struct Counted(AtomicUsize);

impl DeferredEvent for Counted {
    fn category(&self) -> Category {
        Category::Data
    }

    fn event(&self) -> Event {
        self.0.fetch_add(1, Ordering::Relaxed);
        Event {
            category: Category::Data,
            ..event("deferred")
        }
    }
}

#[test]
fn a_deferred_event_is_made_when_it_is_read_or_written_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    for (file, made) in [(None, 0), (Some(file.clone()), 1)] {
        let config = Config {
            file,
            ..Config::default()
        };
        let audit = Audit::open(&config).unwrap();
        let deferred = Arc::new(Counted(AtomicUsize::new(0)));
        assert!(audit.offer_deferred(Arc::clone(&deferred) as Arc<dyn DeferredEvent>));
        audit.flush();
        assert_eq!(deferred.0.load(Ordering::Relaxed), made);
        let read = audit.lookup_data(10, |_| true);
        assert_eq!(key_id(&read[0]), "deferred");
        assert_eq!(deferred.0.load(Ordering::Relaxed), made + 1);
        assert!(audit.lookup(10, |_| true).is_empty());
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("deferred").count(), 1);
}

#[test]
fn an_event_that_finds_the_queue_full_waits_for_nothing_and_counts_as_lost() {
    let queue = Queue::new(2, Arc::new(Latest::new([10, 10])));
    let offered = [(); 5].map(|()| queue.offer(Kept::Whole(Arc::new(event("k")))));
    assert_eq!(offered, [true, true, false, false, false]);
    assert_eq!(queue.lost(), 3);
}

#[test]
fn a_data_event_and_its_resources_are_written_as_s3_writes_them() {
    let prefix = Resource {
        is_prefix: true,
        ..Resource::new("AWS::S3::Object", "arn:aws:s3:::b/a", None)
    };
    let bucket = Resource::new(
        "AWS::S3::Bucket",
        "arn:aws:s3:::b",
        "111122223333".parse().ok(),
    );
    let event = Event {
        category: Category::Data,
        resources: vec![prefix, bucket],
        identity: Identity::anonymous(),
        ..event("k")
    };
    let written = serde_json::to_value(&event).unwrap();
    assert_eq!(written["managementEvent"], false);
    assert_eq!(written["eventCategory"], "Data");
    let anonymous = json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" });
    assert_eq!(written["userIdentity"], anonymous);
    let expected = json!([
        { "type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::b/a" },
        { "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b", "accountId": "111122223333" },
    ]);
    assert_eq!(written["resources"], expected);
}

#[test]
fn an_event_about_a_resource_of_another_account_is_in_both_trails_under_one_shared_id() {
    let mut own = Event {
        resources: vec![Resource::new(
            Event::KEY,
            "arn",
            "444455556666".parse().ok(),
        )],
        ..event("k")
    };
    let of_owner = own.share_with_owner().unwrap();
    assert_eq!(of_owner.recipient_account, "444455556666");
    assert_eq!(of_owner.shared_id, own.shared_id);
    assert_ne!(of_owner.id, own.id);
    let identity = serde_json::to_value(&of_owner.identity).unwrap();
    let only_account = json!({
        "type": "AWSAccount",
        "principalId": "111122223333",
        "accountId": "111122223333",
    });
    assert_eq!(identity, only_account);
    assert!(event("k").share_with_owner().is_none());
}

#[test]
fn cipher_suites_have_the_names_of_openssl() {
    for (rustls, openssl) in [
        ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "ECDHE-RSA-AES128-GCM-SHA256",
        ),
        (
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "ECDHE-RSA-CHACHA20-POLY1305",
        ),
        ("another", "another"),
    ] {
        assert_eq!(openssl_name(rustls), openssl);
    }
}
