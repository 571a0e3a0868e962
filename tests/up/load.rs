//! `sealgate load s3` as a process: KMS calls of objects, by the counts of the services that it starts.

use std::path::Path;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

use crate::command;

/// Runs a load of two seconds on services of its own; the results. It is run again as often as its own words say so,
/// a few times.
fn load(folder: &Path, arguments: &[&str]) -> Value {
    let run = || {
        command(folder)
            .env_remove("AWS_REGION")
            .args(["load", "s3", "--for", "2s", "--quiet", "--json", "-"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let is_to_run_again = |output: &Output| {
        String::from_utf8_lossy(&output.stderr).contains("too busy: run it again")
    };
    let mut runs = (0..5).map(|_| run());
    let output = runs.find(|output| !is_to_run_again(output));
    let output = output.expect("one of five runs could begin its counts");
    let errors = String::from_utf8_lossy(&output.stderr);
    // 2: this machine was too busy to send on time, which changes no count.
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "{} {errors}",
        output.status
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Calls an object of writes and of reads.
fn per_object(results: &Value) -> Vec<(String, f64)> {
    let costs = results["objects"].as_array().unwrap().iter();
    let costs = costs.map(|it| {
        let operation = it["operation"].as_str().unwrap().to_owned();
        (operation, it["kms_calls_per_object"].as_f64().unwrap())
    });
    costs.collect()
}

#[test]
fn an_object_of_sse_kms_costs_one_call_and_of_dsse_kms_two() {
    let folder = tempfile::tempdir().unwrap();
    for (mode, calls) in [
        ("sse-kms", 1.0),
        ("dsse", 2.0),
        ("sse-s3", 0.0),
        ("sse-c", 0.0),
    ] {
        let flags = [
            "--put",
            "10",
            "--get",
            "20",
            "--size",
            "100B=3,9KiB=1",
            "--mode",
            mode,
        ];
        let results = load(folder.path(), &flags);
        let expected = [
            ("PutObject".to_owned(), calls),
            ("GetObject".to_owned(), calls),
        ];
        assert_eq!(per_object(&results), expected, "{mode}: {results}");
        assert_eq!(results["summary"]["served"], 60, "{mode}: {results}");
    }
}

#[test]
fn bucket_keys_cost_a_call_for_each_requester_and_bucket_and_save_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--put",
        "60",
        "--get",
        "60",
        "--mode",
        "sse-kms",
        "--buckets",
        "2",
    ];
    let more = ["--requesters", "3", "--compare", "bucket-key"];
    let results = load(folder.path(), &[flags.as_slice(), &more].concat());
    assert_eq!(results["bucket_keys"]["saved_calls"], 0, "{results}");
    let compared = &results["comparisons"][0];
    assert_eq!(compared["change"], "bucket-key");
    let compared = &compared["results"];
    // The seed's 120 choices have each of the six pairs.
    for costs in compared["objects"].as_array().unwrap() {
        assert_eq!(costs["kms_calls"], 6, "{compared}");
        assert_eq!(costs["served"], 120, "{compared}");
    }
    let used = &compared["bucket_keys"];
    assert_eq!(
        (&used["calls"], &used["saved_calls"]),
        (&12.into(), &228.into())
    );
}

#[test]
fn what_kms_throttles_is_slow_down_to_the_clients_of_s3() {
    let folder = tempfile::tempdir().unwrap();
    let quota = ["--quota", "CryptographicOperationsSymmetric=10"];
    let results = load(
        folder.path(),
        &[["--put", "30"].as_slice(), &quota].concat(),
    );
    let throttled = results["objects"][0]["kms_throttled"].as_u64().unwrap();
    assert!(throttled > 0, "{results}");
    assert_eq!(results["errors"]["SlowDown"], throttled, "{results}");
}
