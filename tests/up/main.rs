//! `sealgate up` as a process: what it prints, what it refuses, and what a life leaves for the next one.

mod check;
mod console;
mod container;
mod counts;
mod env;
mod hangup;
mod lab;
mod lives;
mod load;
mod load_running;
mod log_lines;
mod measured;
mod readiness;
mod refusals;
mod service_secret;
mod start;
mod tokens;
mod traces;
mod variables;
mod wrong;

use std::ffi::OsStr;
use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use aws_sdk_s3::Client;
use serde_json::Value;
use tests::backend::Backend;
use tests::clients;
use tests::clients::Access;

/// A fixture that runs. It ends when this is dropped.
struct Up {
    child: Child,
    /// The line that it printed.
    line: Value,
}

impl Up {
    /// Starts the binary with these arguments, in `folder`, where its log is the file `log`.
    fn start<A: AsRef<OsStr>>(folder: &Path, arguments: &[A]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    /// The same with these variables in its environment.
    fn start_with<A: AsRef<OsStr>>(
        folder: &Path,
        arguments: &[A],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = command(folder);
        command.envs(variables.iter().copied());
        command.args(["up", "--fixture"]).args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"));
        let mut child = child.stderr(log.unwrap()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let line = serde_json::from_str(&line).expect("it started");
        Self { child, line }
    }

    /// A text of the line.
    fn text(&self, name: &str) -> &str {
        self.line[name].as_str().unwrap()
    }

    /// The main user's client.
    fn s3(&self) -> Client {
        let secret = self.text("secret_access_key");
        let access = Access::new(self.text("access_key_id"), secret);
        clients::s3(self.text("s3_endpoint"), &access, None)
    }

    /// The client of the user in the other account.
    fn s3_as_alt(&self) -> Client {
        let secret = self.text("alt_secret_access_key");
        let access = Access::new(self.text("alt_access_key_id"), secret);
        clients::s3(self.text("s3_endpoint"), &access, None)
    }

    /// Ends it by closing its standard input, and waits until it has ended with success.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, without anything that the environment would change.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealgate-under-test"));
    command.current_dir(folder);
    for name in [
        "SEALGATE_DATA",
        "SEALGATE_CONFIG",
        "SEALGATE_BACKEND",
        "SEALGATE_REGION",
        "SEALGATE_LISTEN",
        "SEALGATE_HOSTS",
        "SEALGATE_ADMIN_TOKEN",
        "SEALGATE_ADMIN_TOKEN_FILE",
        "SEALGATE_ACCESS_KEY_ID",
        "SEALGATE_SECRET_ACCESS_KEY",
        "SEALGATE_SECRET_ACCESS_KEY_FILE",
        "SSL_CERT_FILE",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ] {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "info");
    command
}

/// The arguments for an ephemeral life before that backend, whose credentials are put into `folder`.
fn before(backend: &Backend, folder: &Path) -> Vec<String> {
    let text = format!(
        "access_key_id = {:?}\nsecret_access_key = {:?}\n",
        tests::backend::ACCESS_KEY_ID,
        tests::backend::SECRET_ACCESS_KEY
    );
    let file = folder.join("backend.toml");
    sealgate::files::write_private(&file, text.as_bytes()).unwrap();
    let endpoint = backend.endpoint();
    [
        "--ephemeral",
        "--backend",
        &endpoint,
        "--backend-credentials",
        "backend.toml",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What the binary writes on standard error when it does not start.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap();
    assert!(!output.status.success(), "it ended with success");
    String::from_utf8(output.stderr).unwrap()
}

/// Puts an object of SSE-S3 and reads it again.
async fn put_and_get(s3: &Client, bucket: &str, key: &str) {
    let put = s3.put_object().bucket(bucket).key(key);
    let put = put.body(b"a secret".to_vec().into()).send().await.unwrap();
    assert_eq!(put.server_side_encryption().unwrap().as_str(), "AES256");
    assert_eq!(get(s3, bucket, key).await.unwrap(), b"a secret");
}

/// The content of an object, or the code of the error.
async fn get(s3: &Client, bucket: &str, key: &str) -> Result<Vec<u8>, String> {
    use aws_sdk_s3::error::ProvideErrorMetadata as _;
    match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(got) => Ok(got.body.collect().await.unwrap().to_vec()),
        Err(error) => Err(error.code().unwrap_or_default().to_owned()),
    }
}
