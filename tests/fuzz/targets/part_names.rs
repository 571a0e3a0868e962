//! Names of the records that say which parts an upload has.
//!
//! Input: a number and lengths, then lines that are read among the names of a real record. A record
//! is read back from its own names, and no other name makes a record of its own.

#![no_main]

use gateway::fuzzing::DataKey;
use gateway::fuzzing::part_names;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let key = DataKey::from_slice(&[7; 32]).expect("it has 32 bytes");
    let foreign: Vec<&str> = input.lines().collect();
    // Names that nobody with the key wrote: refused, or pieces of a record that is not whole.
    if let Some(records) = part_names::read(&foreign, &key) {
        assert_eq!(records, 0, "a record was made up");
    }
    let number = u32::try_from(input.len() % 10_000).unwrap_or(0) + 1;
    let etag = input.lines().next().unwrap_or_default();
    assert!(part_names::come_back(number, etag, &key));
});
