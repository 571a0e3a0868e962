//! Variables of traces that cannot be used: each start is refused with one sentence, which begins with the variable's
//! name and has what is right, and not a value that may be secret.

use crate::wrong::GATEWAY;
use crate::wrong::Program;
use crate::wrong::refusal_with;

/// A variable, a value of it, and what the refusal has besides the name.
const TRACES: &[(&str, &str, &str)] = &[
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "localhost:4318",
        "http://127.0.0.1:4318",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "ftp://collector",
        "http://127.0.0.1:4318",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://u:secret@collector",
        "without credentials",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://",
        "http://127.0.0.1:4318",
    ),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`http/protobuf`"),
    (
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "http/json",
        "`http/protobuf`",
    ),
    ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "a=1,b=2"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret", "is no header"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds from 1 on"),
    (
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
        "10s",
        "milliseconds from 1 on",
    ),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "`gzip` or `none`"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "no.pem", "no.pem"),
    (
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "empty",
        "holds no certificate",
    ),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem", "not supported"),
    ("OTEL_RESOURCE_ATTRIBUTES", "=secret", "a=1,b=2"),
    ("OTEL_SDK_DISABLED", "yes", "`true` or `false`"),
    ("OTEL_TRACES_EXPORTER", "zipkin", "`otlp` or `none`"),
    ("OTEL_TRACES_SAMPLER", "sometimes", "`parentbased_`"),
];

#[test]
fn a_wrong_variable_of_traces_is_refused_by_its_name_with_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    std::fs::write(folder.path().join("kms.toml"), "").unwrap();
    std::fs::write(folder.path().join("gateway.toml"), GATEWAY).unwrap();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let up = &["up", "--fixture", "--ephemeral"][..];
    for &(name, value, part) in TRACES {
        let refused = refusal_with(folder.path(), up, &[endpoint, (name, value)]);
        assert!(refused.starts_with(name), "{name}={value}: {refused}");
        assert!(refused.contains(part), "{name}={value}: {refused}");
        assert!(!refused.contains("secret"), "{name}={value}: {refused}");
    }
    for ratio in ["2", "-0.5", "NaN", "half"] {
        let sampler = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        let ratio = ("OTEL_TRACES_SAMPLER_ARG", ratio);
        for arguments in [up, Program::Kms.arguments(), Program::Gateway.arguments()] {
            let refused = refusal_with(folder.path(), arguments, &[endpoint, sampler, ratio]);
            assert!(refused.starts_with(ratio.0), "{arguments:?}: {refused}");
            assert!(refused.contains("from 0 to 1"), "{arguments:?}: {refused}");
        }
    }
}
