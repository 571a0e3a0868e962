//! Scenarios: their files, and what a change makes of them.

use clap::Parser as _;

use super::file::parse;
use super::*;
use crate::cli::Arguments;
use crate::cli::Command;
use crate::report;
use crate::report::sample;

const BOTH: &str = r#"
seed = 7
quota = ["CryptographicOperationsSymmetric=100"]
threshold = ["throttled<1%"]

[[stream]]
name = "writers"
service = "s3"
put = 20
size = "4KiB=70,1MiB=30"
mode = "sse-kms"
for = "2s"

[[stream]]
service = "kms"
op = ["GenerateDataKey=8", "Decrypt=2"]
retry = "standard"
stages = [{ rate = 0, to = 50, for = "10s" }, { rate = 50, for = "5s" }]
"#;

fn refusal(text: &str) -> String {
    format!("{:#}", parse(text).err().unwrap())
}

#[test]
fn a_file_has_streams_of_both_services_and_stages() {
    let scenario = parse(BOTH).unwrap();
    scenario.check().unwrap();
    assert_eq!(scenario.run.seed, 7);
    assert_eq!(scenario.run.threshold.len(), 1);
    let facts = scenario.facts();
    assert_eq!(facts["writers.size"], "4096=70,1048576=30");
    assert_eq!(facts["stream2.op"], "GenerateDataKey=8,Decrypt=2");
    assert_eq!(facts["stream2.ramp"], "0:50:10s");
    assert_eq!(facts["stream2.for"], "5s");
    assert_eq!(scenario.duration().as_secs(), 15);
}

#[test]
fn a_field_that_is_unknown_is_refused_with_the_nearest_one() {
    for (text, expected) in [
        (BOTH.replace("seed", "seeds"), "is `seed` meant?"),
        (BOTH.replace("retry", "retries"), "is `retry` meant?"),
        (
            BOTH.replace("to = 50", "too = 50"),
            "stage 1: there is no field `too`: is `to` meant?",
        ),
        (
            BOTH.replace("quota", "gateway_admin"),
            "gateway_admin_endpoint",
        ),
        (BOTH.replace("seed", "zzz"), "they are"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn a_field_that_is_wrong_is_named_with_its_stream() {
    for (text, expected) in [
        (
            BOTH.replace("put = 20", "put = -1"),
            "[[stream]] number 1: field `put`",
        ),
        (
            BOTH.replace("\"standard\"", "\"never\""),
            "[[stream]] number 2: field `retry`",
        ),
        (
            BOTH.replace("rate = 50", "rate = -50"),
            "stage 2: field `ramp`",
        ),
        (BOTH.replace("\"kms\"", "\"sqs\""), "`service`"),
        (
            BOTH.replace("seed = 7", "seed = [[1]]"),
            "field `seed` has neither",
        ),
        (BOTH.replace("seed = 7", "seed = "), "line 2"),
        (
            BOTH.replace("stages", "for = \"5s\"\nstages"),
            "exclude each other",
        ),
        ("seed = 1".to_owned(), "[[stream]]"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(expected), "{expected}: {refusal}");
    }
}

#[test]
fn a_change_changes_one_thing_or_is_refused() {
    let scenario = parse(BOTH).unwrap();
    let changed = |text: &str| scenario.with(&text.parse().unwrap()).unwrap().facts();
    let of = |mut facts: BTreeMap<String, String>, name: &str| facts.remove(name).unwrap();
    assert_eq!(of(changed("bucket-key"), "writers.mode"), "bucket-key");
    let quota = of(changed("quota=2x"), "quota");
    assert_eq!(quota, "CryptographicOperationsSymmetric=200");
    assert_eq!(of(changed("retry=adaptive"), "stream2.retry"), "adaptive");
    let without = parse(&BOTH.replace("sse-kms", "sse-s3")).unwrap();
    assert!(without.with(&Change::BucketKey).is_err());
}

#[test]
fn requesters_are_for_an_own_sealgate() {
    let text = BOTH.replace("put = 20", "put = 20\nrequesters = 3");
    parse(&text).unwrap().check().unwrap();
    let endpoint = "endpoint = \"http://127.0.0.1:1\"\nadmin_endpoint = \"http://127.0.0.1:2\"\n";
    let text = format!("{endpoint}{}", text.replace("quota", "#"));
    let refusal = parse(&text).unwrap().check().unwrap_err().to_string();
    assert!(refusal.contains("users of its own"), "{refusal}");
}

/// The scenario of a command line.
fn of_words(words: &str) -> Scenario {
    let arguments = Arguments::try_parse_from(words.split(' ')).unwrap();
    let Some(Command::Load(flags)) = arguments.command else {
        panic!("no load: {words}")
    };
    Scenario::new(&flags).unwrap()
}

#[test]
fn the_command_of_a_report_makes_the_same_run() {
    for words in [
        "sealgate load kms --rate 5 --ramp 0:5:10s --ramp 5:5:2s --for 3s --op Decrypt=2,Sign --keys 3 --clients 4 \
         --retry fixed:200ms:3 --arrival poisson --seed 9 --warmup 2s --connections 8 --quota DescribeKey=5 \
         --quota CryptographicOperationsSymmetric=7.5 --quota-scale 0.5 --shape bucket",
        "sealgate load s3 --put 2 --get 3 --size 4KiB=70,1MiB --mode bucket-key --buckets 2 --allow-remote \
         --endpoint http://127.0.0.1:1 --admin-endpoint http://127.0.0.1:2 \
         --gateway-admin-endpoint http://127.0.0.1:3",
    ] {
        let facts = of_words(words).facts();
        let mut results = sample::of_kms();
        results.thresholds.clear();
        results.scenario = facts.clone();
        let again = report::command(&results);
        assert_eq!(of_words(&again).facts(), facts, "{again}");
    }
}
