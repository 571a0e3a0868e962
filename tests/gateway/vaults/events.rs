//! The trail of vaults: each request is a management event with CloudTrail's names.

use serde_json::Value;
use serde_json::json;
use tests::world::World;

use super::*;

/// A gateway that records events where the KMS does, with its clock.
struct Recorded {
    world: World,
    clock: Arc<ManualClock>,
}

impl Recorded {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(crate::audit::NOW));
        let setup = World::setup().one_trail().clock(Arc::clone(&clock));
        let world = setup.start().await;
        Self { world, clock }
    }

    async fn send(&self, access: &Access, call: Call) -> Response<Bytes> {
        let signed = call.sign(access, self.clock.now(), &self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    /// The events of vaults, the oldest first.
    fn events(&self) -> Vec<Value> {
        let audit = &self.world.kms.audit;
        let of_vaults = |event: &proto::audit::Event| event.service == "glacier.amazonaws.com";
        assert!(audit.lookup_data(1_000, of_vaults).is_empty());
        let events = audit.lookup(1_000, of_vaults);
        let shown = events.iter().rev();
        shown
            .map(|event| serde_json::to_value(&**event).unwrap())
            .collect()
    }
}

#[tokio::test]
async fn a_vaults_creation_makes_a_management_event_with_every_field() {
    let recorded = Recorded::start().await;
    let create = Call::put("vaults/v").header("user-agent", "aws-cli/1 md/x");
    let answer = recorded.send(&recorded.world.main, create).await;
    assert_eq!(answer.status(), 201);
    let [event] = &recorded.events()[..] else {
        panic!("{:#?}", recorded.events());
    };
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
        "eventSource": "glacier.amazonaws.com",
        "eventName": "CreateVault",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "aws-cli/1 md/x",
        "requestParameters": { "accountId": "-", "vaultName": "v" },
        "responseElements": { "location": format!("/{MAIN_ACCOUNT}/vaults/v") },
        "requestID": header(&answer, "x-amzn-requestid"),
        "eventID": event["eventID"],
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": MAIN_ACCOUNT,
        "eventCategory": "Management",
    });
    assert_eq!(*event, expected);
}

#[tokio::test]
async fn events_of_vaults_have_ids_and_errors_and_nothing_of_contents() {
    let recorded = Recorded::start().await;
    let main = &recorded.world.main;
    let send = |call| recorded.send(main, call);
    send(Call::put("vaults/v")).await;
    let upload = Call::post("vaults/v/archives").content("secret words");
    let upload = upload.header("x-amz-archive-description", "secret words");
    let archive = header(&send(upload).await, "x-amz-archive-id");
    send(Call::delete(&format!("vaults/v/archives/{archive}"))).await;
    let lock = policy(json!({ "Effect": "Deny", "Action": "glacier:DeleteArchive" }));
    let lock = Call::post("vaults/v/lock-policy").json(&lock);
    let lock = header(&send(lock).await, "x-amz-lock-id");
    send(Call::get("vaults/none")).await;
    let events = recorded.events();
    let shown: Vec<_> = events
        .iter()
        .map(|event| {
            let of = |name: &str| event[name].clone();
            (of("eventName"), of("readOnly"), of("errorCode"))
        })
        .collect();
    let missing = json!("ResourceNotFoundException");
    assert_eq!(
        shown,
        [
            (json!("CreateVault"), json!(false), Value::Null),
            (json!("UploadArchive"), json!(false), Value::Null),
            (json!("DeleteArchive"), json!(false), Value::Null),
            (json!("InitiateVaultLock"), json!(false), Value::Null),
            (json!("DescribeVault"), json!(true), missing),
        ]
    );
    assert_eq!(events[1]["responseElements"]["archiveId"], archive);
    assert_eq!(events[2]["requestParameters"]["archiveId"], archive);
    assert_eq!(events[3]["responseElements"]["lockId"], lock);
    let text = serde_json::to_string(&events).unwrap();
    assert!(
        !text.contains("secret words") && !text.contains("Deny"),
        "{text}"
    );
}

#[tokio::test]
async fn a_request_for_vaults_whose_signature_is_wrong_makes_no_event() {
    let recorded = Recorded::start().await;
    let mut wrong = recorded.world.main.clone();
    wrong.secret_access_key.push('x');
    let answer = recorded.send(&wrong, Call::put("vaults/v")).await;
    expect_error(&answer, "InvalidSignatureException", 403);
    // What comes after it is there, so that it would be, too.
    recorded
        .send(&recorded.world.main, Call::get("vaults"))
        .await;
    let names: Vec<_> = recorded
        .events()
        .iter()
        .map(|event| event["eventName"].clone())
        .collect();
    assert_eq!(names, ["ListVaults"]);
}
