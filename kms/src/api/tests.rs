//! The operations through the JSON that clients send, on a clock that stands still.

use std::sync::Arc;

use proto::audit;
use proto::audit::Audit;
use proto::time::Clock;
use proto::time::ManualClock;
use proto::time::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::api::Answer;
use crate::api::Kms;
use crate::api::Operation;
use crate::api::OperationName;
use crate::caller::Caller;
use crate::error::KmsError;
use crate::quota;
use crate::quota::Quotas;
use crate::quota::Shape;

mod aliases;
mod callers;
mod compat;
mod conditions;
mod crash;
mod enclaves;
mod encryption;
mod grants;
mod images;
mod imported_regions;
mod imports;
mod key_stores;
mod keys;
mod making;
mod pairs;
mod permissions;
mod regions;
mod rotation;
mod store;
mod tags;

/// A KMS on a clock that stands still, without quotas, and one caller.
pub(crate) struct World {
    pub(crate) kms: Kms,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) caller: Caller,
}

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "us-east-1";

pub(crate) fn parts() -> (Arc<ManualClock>, Arc<Quotas>, Arc<Audit>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(
        1_767_225_600,
    )));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let config = quota::Config {
        shape: Shape::Off,
        ..quota::Config::default()
    };
    let quotas = Arc::new(Quotas::new(config, shared).unwrap());
    let audit = Arc::new(Audit::open(&audit::Config::default()).unwrap());
    (clock, quotas, audit)
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, quotas, audit) = parts();
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let kms = Kms::ephemeral(shared, quotas, audit);
        Self {
            kms,
            clock,
            caller: Caller::fixture(ACCOUNT, REGION),
        }
    }

    pub(crate) fn call_as(
        &self,
        caller: &Caller,
        name: &str,
        request: Value,
    ) -> Result<Value, KmsError> {
        call(&self.kms, caller, name, request)
    }

    pub(crate) fn call(&self, name: &str, request: Value) -> Result<Value, KmsError> {
        self.call_as(&self.caller, name, request)
    }

    pub(crate) fn ok(&self, name: &str, request: Value) -> Value {
        self.call(name, request).unwrap()
    }

    /// The refusal, as `Code: message`.
    pub(crate) fn refusal(&self, name: &str, request: Value) -> String {
        self.call(name, request).unwrap_err().to_string()
    }

    /// Makes a key; its id and ARN.
    pub(crate) fn key(&self) -> (String, String) {
        let metadata = &self.ok("CreateKey", json!({}))["KeyMetadata"];
        (text(&metadata["KeyId"]), text(&metadata["Arn"]))
    }
}

pub(crate) fn call(
    kms: &Kms,
    caller: &Caller,
    name: &str,
    request: Value,
) -> Result<Value, KmsError> {
    let name = OperationName::from_name(name).unwrap();
    let operation = Operation::from_json(name, request.to_string().as_bytes())?;
    let answer = kms.call(caller, operation)?.to_json();
    Ok(if answer.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&answer).unwrap()
    })
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn every_operation_is_found_by_its_name() {
    for name in OperationName::ALL {
        assert_eq!(OperationName::from_name(name.as_str()), Some(*name));
    }
    assert_eq!(OperationName::from_name("createKey"), None);
}

#[test]
fn all_56_operations_are_offered() {
    assert_eq!(OperationName::ALL.len(), 56);
}

#[test]
fn what_is_not_json_of_the_operations_shape_is_refused_without_an_echo() {
    let parse = |body: &[u8]| Operation::from_json(OperationName::Encrypt, body).unwrap_err();
    for body in [
        &b"{"[..],
        b"[]",
        b"{\"Plaintext\":\"canary!\"}",
        b"{\"KeyId\":7}",
    ] {
        let error = parse(body);
        assert_eq!(error.code().name(), "SerializationException");
        assert!(!error.message().contains("canary"));
    }
    let deep = "[".repeat(10_000);
    parse(deep.as_bytes());
}

#[test]
fn a_time_is_read_to_its_last_bit_and_is_the_same_after_it_was_written() {
    let digits = [
        "1767312000.123456789",
        "9007199254740993",
        &format!("4444447777777777777{}94303", "0".repeat(180)),
    ];
    for number in digits {
        let json = format!("{{\"ValidTo\":{number}}}");
        let read = |json: &[u8]| {
            Operation::from_json(OperationName::ImportKeyMaterial, json).expect("a number")
        };
        let operation = read(json.as_bytes());
        let Operation::ImportKeyMaterial(request) = &operation else {
            panic!("{operation:?}");
        };
        assert_eq!(request.valid_to, number.parse().ok(), "{number}");
        let written = serde_json::to_vec(request).expect("a request is JSON");
        assert_eq!(read(&written), operation, "{number}");
    }
}

#[test]
fn answers_without_members_have_no_body() {
    let answer = Answer::EnableKey(proto::kms::v1::EnableKeyResponse {});
    assert!(answer.to_json().is_empty());
}

#[test]
fn each_call_is_recorded_in_the_audit_trail_without_its_secrets() {
    let world = World::new();
    let (id, arn) = world.key();
    let context = json!({"tenant": "a"});
    world.ok(
        "Encrypt",
        json!({"KeyId": id, "Plaintext": "Y2FuYXJ5", "EncryptionContext": context}),
    );
    world
        .call("Decrypt", json!({"CiphertextBlob": "AAAA"}))
        .unwrap_err();
    let events = world.kms.audit.lookup(10, |_| true);
    let failed = serde_json::to_value(&*events[0]).unwrap();
    assert_eq!(failed["errorCode"], "InvalidCiphertextException");
    assert_eq!(
        failed["requestParameters"]["encryptionAlgorithm"],
        "SYMMETRIC_DEFAULT"
    );
    let done = serde_json::to_value(&*events[1]).unwrap();
    assert_eq!(done["eventName"], "Encrypt");
    assert_eq!(done["requestParameters"]["keyId"], id);
    assert_eq!(done["requestParameters"]["encryptionContext"], context);
    assert_eq!(done["resources"][0]["ARN"], arn);
    assert_eq!(done["readOnly"], true);
    assert!(done["additionalEventData"]["keyMaterialId"].is_string());
    assert!(!done.to_string().contains("canary") && !done.to_string().contains("Y2FuYXJ5"));
}

#[test]
fn a_full_quota_throttles_and_a_key_that_is_not_there_counts_as_symmetric() {
    let (clock, _, audit) = parts();
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let config = quota::Config {
        scale: 0.000_1,
        ..quota::Config::default()
    };
    let quotas = Arc::new(Quotas::new(config, Arc::clone(&shared)).unwrap());
    let kms = Kms::ephemeral(shared, quotas, audit);
    let caller = Caller::fixture(ACCOUNT, REGION);
    let random = || call(&kms, &caller, "GenerateRandom", json!({"NumberOfBytes": 1}));
    for _ in 0..9 {
        random().unwrap();
    }
    let key_id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let request = json!({"KeyId": key_id, "Plaintext": "AAAA"});
    let missing = call(&kms, &caller, "Encrypt", request.clone()).unwrap_err();
    assert_eq!(missing.code().name(), "NotFoundException");
    assert_eq!(random().unwrap_err().code().name(), "ThrottlingException");
    let throttled = call(&kms, &caller, "Encrypt", request).unwrap_err();
    assert_eq!(throttled.code().name(), "ThrottlingException");
}
