//! What the audit trail stores and writes.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::Audit;
use super::Config;
use super::Event;
use super::EventId;
use super::Fields;
use super::Identity;
use super::Resource;
use super::Source;
use crate::time::Timestamp;

fn fields(pairs: &[(&'static str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.push(name, value);
    }
    fields
}

/// A GenerateDataKey that worked.
fn event(key_id: &str) -> Event {
    let key_arn: Arc<str> = "arn:aws:kms:us-east-1:111122223333:key/k".into();
    Event {
        time: Timestamp::from_unix_millis(1_735_689_600_123),
        service: Event::KMS,
        name: "GenerateDataKey",
        read_only: true,
        region: "us-east-1".parse().unwrap(),
        recipient_account: "111122223333".parse().unwrap(),
        identity: Identity {
            kind: "IAMUser",
            arn: "arn:aws:iam::111122223333:user/Alice".into(),
            account: "111122223333".parse().unwrap(),
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
        resources: vec![Resource {
            kind: Event::KEY,
            arn: key_arn,
            account: "111122223333".parse().unwrap(),
        }],
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
    let config = Config {
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
