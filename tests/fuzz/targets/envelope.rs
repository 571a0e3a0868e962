//! Envelopes: the header beside a sealed object.
//!
//! An envelope that is read says what it says in one way only: sealed again under some key, it reads
//! the same. It opens under that key for that object and under no other.

#![no_main]

use gateway::envelope::SealedEnvelope;
use gateway::fuzzing::DataKey;
use libfuzzer_sys::fuzz_target;

const ARN: &str = "arn:aws:s3:::bucket/key";

fuzz_target!(|header: &str| {
    let Ok(read) = SealedEnvelope::parse(header) else {
        return;
    };
    let key = DataKey::from_slice(&[7; 32]).expect("it has 32 bytes");
    assert!(
        read.open(&key, ARN).is_err(),
        "nobody has sealed it under this key"
    );

    let sealed = read.claims().seal(&key, ARN);
    let again = SealedEnvelope::parse(&sealed).expect("what is written is read");
    assert_eq!(again.claims(), read.claims());
    assert!(again.open(&key, ARN).is_ok());
    assert!(again.open(&key, "arn:aws:s3:::bucket/other").is_err());
    let other = DataKey::from_slice(&[8; 32]).expect("it has 32 bytes");
    assert!(again.open(&other, ARN).is_err());
});
