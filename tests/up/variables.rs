//! Services whose configuration is variables of the environment, and no file.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Stdio;

use crate::command;
use crate::wrong::GATEWAY;
use crate::wrong::Program;
use crate::wrong::refusal;
use crate::wrong::refusal_with;

/// A service that is up, and the line that says so.
fn start(folder: &Path, service: &str, variables: &[(&str, &str)]) -> (Child, String) {
    let mut child = command(folder)
        .arg(service)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find_map(|line| Some(line.unwrap()).filter(|line| line.contains(" is up")));
    if line.is_none() {
        child.wait().unwrap();
    }
    (child, line.expect("it ended"))
}

#[test]
fn a_kms_and_a_gateway_start_without_a_file_and_health_asks_where_the_variables_say() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    sealgate::files::write_private(&secret, b"a secret of 16 bytes or more").unwrap();
    let of_kms = [
        ("SEALGATE_KMS__LISTEN", "127.0.0.1:0"),
        ("SEALGATE_KMS__ADMIN__LISTEN", "127.0.0.1:0"),
        // Twelve digits are the text that this field has.
        ("SEALGATE_KMS__AUTHENTICATE__ACCOUNT", "222233334444"),
        ("SEALGATE_KMS__AUTHENTICATE__SERVICE_SECRET_FILE", "secret"),
    ];
    let (mut kms, line) = start(folder.path(), "kms", &of_kms);
    let admin = line.split_once("admin=\"http://").unwrap().1;
    let admin = admin.split('"').next().unwrap();
    let health = command(folder.path())
        .arg("health")
        .env("SEALGATE_KMS__ADMIN__LISTEN", admin)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&health.stdout).into_owned();
    kms.kill().unwrap();
    kms.wait().unwrap();
    assert!(said.contains(&format!("ready: http://{admin}")), "{said}");

    let of_gateway = [
        (
            "SEALGATE_GATEWAY__LISTEN",
            "{ http = \"127.0.0.1:0\", admin = \"127.0.0.1:0\" }",
        ),
        ("SEALGATE_GATEWAY__BACKEND__URL", "http://127.0.0.1:1"),
        ("SEALGATE_GATEWAY__KMS__URL", "grpc://127.0.0.1:1"),
        ("SEALGATE_GATEWAY__KMS__SECRET_FILE", "secret"),
        ("SEALGATE_GATEWAY__USERS__0__ACCESS_KEY_ID", "AKIDEXAMPLE"),
        (
            "SEALGATE_GATEWAY__USERS__0__SECRET_ACCESS_KEY_FILE",
            "secret",
        ),
        ("SEALGATE_GATEWAY__BACKEND_CREDENTIALS__ACCESS_KEY_ID", "a"),
        (
            "SEALGATE_GATEWAY__BACKEND_CREDENTIALS__SECRET_ACCESS_KEY",
            "b",
        ),
    ];
    let (mut gateway, line) = start(folder.path(), "gateway", &of_gateway);
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(
        line.contains("s3=127.0.0.1:") || line.contains("s3=Some(127.0.0.1:"),
        "{line}"
    );
}

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.toml"), GATEWAY).unwrap();
    for (program, variable, expected) in [
        (
            Program::Gateway,
            ("SEALGATE_GATEWAY__BACKEND__CA_FIEL", "ca.pem"),
            "SEALGATE_GATEWAY__BACKEND__CA_FIEL: unknown field `ca_fiel`: did you mean `ca_file`?",
        ),
        (
            Program::Gateway,
            ("SEALGATE_GATEWAY__STATE__BUCKET", "Upper"),
            "SEALGATE_GATEWAY__STATE__BUCKET: ",
        ),
        (
            Program::Gateway,
            ("SEALGATE_GATWAY__REGION", "eu-west-1"),
            "SEALGATE_GATWAY__REGION: no field begins so: SEALGATE_GATEWAY__, ",
        ),
        (
            Program::Up,
            ("SEALGATE_KMS__QUOTAS__SCALE", "many"),
            "SEALGATE_KMS__QUOTAS__SCALE: ",
        ),
    ] {
        if let Program::Up = program {
            std::fs::write(folder.path().join("up.toml"), "").unwrap();
        }
        let sentence = refusal_with(folder.path(), program.arguments(), &[variable]);
        assert!(sentence.starts_with(expected), "{variable:?}: {sentence}");
    }
    for (service, variable) in [
        ("gateway", "SEALGATE_GATEWAY__BACKEND__URL"),
        ("kms", "SEALGATE_KMS__LISTEN"),
    ] {
        let sentence = refusal(folder.path(), &[service]);
        let says = |part| sentence.contains(part);
        assert!(says("--config FILE") && says(variable), "{sentence}");
    }
}
