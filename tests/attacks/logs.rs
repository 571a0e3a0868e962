//! What the log of a process holds of the requests that it serves: no signature, no key, no token.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::process::Command;
use std::process::Stdio;

use tests::clients;
use tests::clients::Access;

#[tokio::test]
async fn no_log_line_at_any_level_holds_a_signature_a_token_or_a_secret() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_sealgate-under-test"))
        .args(["up", "--fixture", "--ephemeral", "--allow-insecure-sse"])
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = process.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).map(|_| log)
    });
    let mut line = String::new();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let up: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| up[name].as_str().unwrap().to_owned();

    let secret = text("secret_access_key");
    let access = Access::new(&text("access_key_id"), &secret);
    let s3 = clients::s3(&text("s3_endpoint"), &access, None);
    s3.create_bucket().bucket("logged").send().await.unwrap();
    let put = s3.put_object().bucket("logged").key("k");
    let put = put.server_side_encryption("aws:kms".into());
    put.body(vec![7; 300_000].into()).send().await.unwrap();
    let get = s3.get_object().bucket("logged").key("k");
    get.send().await.unwrap().body.collect().await.unwrap();
    let key_service = clients::kms(&text("kms_endpoint"), &access);
    key_service.create_key().send().await.unwrap();

    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    let log = log.join().unwrap().unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("TRACE"), "the log is not at its lowest level");
    for part in ["Signature=", "AWS4-HMAC-SHA256", "Bearer ", secret.as_str()] {
        let line = log.lines().find(|line| line.contains(part));
        assert_eq!(line, None, "{part}");
    }
}
