//! `/metrics` of both admin ports, and the documents, the dashboard and the alerts that name metrics.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::Up;
use crate::put_and_get;

/// What is served at a URL.
async fn fetch(url: String) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let answer = client.get(url.parse().unwrap()).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The names of every metric that either service has.
fn known() -> BTreeSet<&'static str> {
    let gateway = gateway::measured::METRICS.iter().map(|(name, ..)| *name);
    let kms = kms::metrics::METRICS.iter().map(|(name, _)| *name);
    let process = proto::process::METRICS.iter().map(|(name, ..)| *name);
    gateway.chain(kms).chain(process).collect()
}

/// The names of metrics in a text. What a histogram is rendered as is the histogram.
fn named(text: &str) -> BTreeSet<String> {
    let is_within = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_within(c));
    let names = words.filter(|word| {
        let ends = ["_total", "_info", "_connections", "_failed"];
        let is_whole = word.contains("_second") || ends.iter().any(|end| word.ends_with(end));
        let others = ["aws_usage_", "process_"];
        (word.starts_with("sealgate_") && is_whole)
            || others.iter().any(|start| word.starts_with(start))
    });
    let histogram = |name: &str| {
        let parts = ["_bucket", "_count", "_sum"];
        let stripped = parts.into_iter().find_map(|part| name.strip_suffix(part));
        let stripped = stripped.filter(|name| name.ends_with("_seconds"));
        stripped.unwrap_or(name).to_owned()
    };
    names.map(histogram).collect()
}

#[test]
fn every_metric_that_is_named_exists_and_every_one_is_documented() {
    let known = known();
    let documents = [
        include_str!("../../deploy/METRICS.md"),
        include_str!("../../deploy/CLOUDTRAIL.md"),
        include_str!("../../gateway/ACCESS_LOGS.md"),
        include_str!("../../deploy/prometheus/rules.yaml"),
        include_str!("../../deploy/grafana/sealgate.json"),
    ];
    for document in documents {
        let named = named(document);
        assert!(!named.is_empty());
        for name in named {
            assert!(known.contains(name.as_str()), "there is no metric {name}");
        }
    }
    let documented = named(documents[0]);
    for name in known {
        assert!(
            documented.contains(name),
            "{name} is not in deploy/METRICS.md"
        );
    }
}

/// Whether promtool is content, and what it prints; none where it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    let command = command.args(arguments).stdin(Stdio::piped());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = child.spawn() else {
        eprintln!(
            "!!!!!! promtool IS MISSING: NOT CHECKED (Debian has it in the package prometheus) !!!!!!"
        );
        return None;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = output.stdout.into_iter().chain(output.stderr).collect();
    Some((output.status.success(), String::from_utf8(text).unwrap()))
}

#[test]
fn promtool_takes_the_alerts() {
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../deploy/prometheus/rules.yaml"
    );
    if let Some((is_right, text)) = promtool(&["check", "rules", rules], "") {
        assert!(is_right, "{text}");
    }
}

#[tokio::test]
async fn promtool_finds_nothing_in_the_metrics_but_the_name_that_cloudwatch_has() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "k").await;
    for (endpoint, expected) in [
        ("admin_endpoint", ""),
        (
            "kms_admin_endpoint",
            "aws_usage_call_count non-histogram and non-summary metrics should not have \"_count\" suffix",
        ),
    ] {
        let text = fetch(format!("{}/metrics", up.text(endpoint))).await;
        if let Some((_, found)) = promtool(&["check", "metrics"], &text) {
            assert_eq!(found.trim(), expected, "{endpoint}: {text}");
        }
    }
    up.end();
}

#[tokio::test]
async fn every_metric_that_is_served_has_its_meaning_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "k").await;
    for (endpoint, expected) in [
        (
            "admin_endpoint",
            &[
                "sealgate_s3_requests_total",
                "sealgate_kms_call_seconds",
                "sealgate_certificate_expiry_time_seconds",
                "sealgate_connections",
                "sealgate_build_info",
                "process_open_fds",
            ][..],
        ),
        (
            "kms_admin_endpoint",
            &[
                "sealgate_kms_requests_total",
                "sealgate_connections",
                "sealgate_config_reload_failed",
                "sealgate_build_info",
                "process_open_fds",
            ],
        ),
    ] {
        let text = fetch(format!("{}/metrics", up.text(endpoint))).await;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let served: Vec<&str> = types.filter_map(|line| line.split(' ').next()).collect();
        for name in &served {
            assert!(
                text.contains(&format!("# HELP {name} ")),
                "{name} has no HELP"
            );
            assert!(known().contains(name), "{name}");
        }
        for name in expected {
            assert!(served.contains(name), "{endpoint} has no {name}: {text}");
        }
    }
    up.end();
}
