//! `sealgate env`: how other programs find the `up` that runs.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::Up;
use crate::command;

fn env(folder: &Path, flags: &[&str]) -> Output {
    let mut command = command(folder);
    command.arg("env").args(["--data", "data"]).args(flags);
    command.output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn nothing_is_printed_when_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let refused = env(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty());
    let why = text(refused.stderr);
    assert!(
        why.contains("no sealgate runs in data") && why.contains("--data"),
        "{why}"
    );
    assert_eq!(why.trim().lines().count(), 1, "{why}");
    // Nothing need run to forget it.
    let unset = env(folder.path(), &["--unset"]);
    assert!(unset.status.success());
    assert!(text(unset.stdout).contains("unset AWS_ENDPOINT_URL_S3\n"));
}

#[test]
fn a_shell_that_evaluates_it_has_what_the_running_process_announced() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "data"]);
    let script = env(folder.path(), &[]);
    assert!(script.status.success());
    let script = format!("{}\nenv", text(script.stdout));
    let shell = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("AWS_PROFILE", "stale")
        .output();
    let shell = text(shell.unwrap().stdout);
    let has = |name: &str, value: &str| {
        let line = format!("{name}={value}");
        assert!(
            shell.lines().any(|other| other == line),
            "no {line} in {shell}"
        );
    };
    has("AWS_ACCESS_KEY_ID", up.text("access_key_id"));
    has("AWS_SECRET_ACCESS_KEY", up.text("secret_access_key"));
    has("AWS_ENDPOINT_URL_S3", up.text("s3_tls_endpoint"));
    has("AWS_ENDPOINT_URL_KMS", up.text("kms_endpoint"));
    assert!(!shell.contains("AWS_PROFILE="), "{shell}");

    let json = env(folder.path(), &["--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let bundle = std::fs::read_to_string(json["AWS_CA_BUNDLE"].as_str().unwrap()).unwrap();
    let own = std::fs::read_to_string(up.text("ca_file")).unwrap();
    assert!(bundle.contains(own.trim()));
    up.end();
    assert!(!folder.path().join("data/run.json").exists());
    assert_eq!(env(folder.path(), &[]).status.code(), Some(1));
}

/// Requests a URL and prints the status.
const REQUEST: &str = r#"
public class Request {
    public static void main(String[] arguments) throws Exception {
        var url = new java.net.URI(arguments[0]).toURL();
        System.out.println(((java.net.HttpURLConnection) url.openConnection()).getResponseCode());
    }
}
"#;

#[test]
fn a_java_program_trusts_the_store_that_the_environment_names() {
    if std::process::Command::new("keytool")
        .arg("-help")
        .output()
        .is_err()
    {
        eprintln!("!!!!!! java IS MISSING: NOT CHECKED !!!!!!");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "my data"]);
    let mut command = command(folder.path());
    let printed = command.args(["env", "--data", "my data", "--java", "--json"]);
    let printed: Value = serde_json::from_slice(&printed.output().unwrap().stdout).unwrap();
    let options = printed["JAVA_TOOL_OPTIONS"].as_str().unwrap();

    let store = folder.path().join("my data/ca.p12");
    let mut keytool = std::process::Command::new("keytool");
    keytool
        .args(["-list", "-storepass", "changeit", "-keystore"])
        .arg(&store);
    let listed = text(keytool.output().unwrap().stdout);
    assert!(
        listed.contains("sealgate, ") && listed.contains("trustedCertEntry"),
        "{listed}"
    );

    let source = folder.path().join("Request.java");
    std::fs::write(&source, REQUEST).unwrap();
    let request = |options: &str| {
        let mut java = std::process::Command::new("java");
        java.arg(&source).arg(up.text("s3_tls_endpoint"));
        let output = java.env("JAVA_TOOL_OPTIONS", options).output().unwrap();
        (text(output.stdout), text(output.stderr))
    };
    // Nobody signed it.
    assert_eq!(request(options).0, "403\n");
    let (_, why) = request("");
    assert!(why.contains("SSLHandshakeException"), "{why}");
    up.end();
}

#[test]
fn a_process_that_was_killed_is_not_taken_for_a_running_one() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "data"]);
    // Dropping it kills it.
    drop(up);
    assert!(folder.path().join("data/run.json").exists());
    let refused = env(folder.path(), &["--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty());
    assert!(text(refused.stderr).contains("was killed"));
    // The next life replaces it.
    let up = Up::start(folder.path(), &["--data", "data"]);
    assert!(env(folder.path(), &["--json"]).status.success());
    up.end();
}

#[test]
fn a_profile_is_written_where_the_environment_names_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "data"]);
    let config = folder.path().join("config");
    std::fs::write(&config, "[default]\nregion = us-west-2\n").unwrap();
    let mut command = command(folder.path());
    command.args(["env", "--data", "data", "--write-profile", "local"]);
    command.env("AWS_CONFIG_FILE", &config);
    command.env(
        "AWS_SHARED_CREDENTIALS_FILE",
        folder.path().join("credentials"),
    );
    assert!(command.output().unwrap().status.success());
    let config = std::fs::read_to_string(config).unwrap();
    assert!(
        config.starts_with("[default]\nregion = us-west-2\n\n[profile local]\n"),
        "{config}"
    );
    let endpoint = format!("s3 =\n  endpoint_url = {}\n", up.text("s3_tls_endpoint"));
    assert!(config.contains(&endpoint), "{config}");
    let keys = std::fs::read_to_string(folder.path().join("credentials")).unwrap();
    assert!(keys.contains(up.text("secret_access_key")), "{keys}");
    up.end();
}
