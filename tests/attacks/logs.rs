//! What the log of a process holds of the requests that it serves: no signature, no key, no token.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::process::Command;
use std::process::Stdio;

use http::Method;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tests::clients;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Target;

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

    send_tokens(&text("s3_endpoint"), &access).await;

    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    let log = log.join().unwrap().unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("TRACE"), "the log is not at its lowest level");
    let secrets = [
        "Signature=",
        "AWS4-HMAC-SHA256",
        "Bearer ",
        secret.as_str(),
        TOKEN,
        SERIAL,
    ];
    for part in secrets {
        let line = log.lines().find(|line| line.contains(part));
        assert_eq!(line, None, "{part}");
    }
}

/// Sends an MFA token and a session token where they are refused and where they are ignored.
async fn send_tokens(endpoint: &str, access: &Access) {
    let host = endpoint.trim_start_matches("http://");
    let address = host.parse().unwrap();
    let target = Target { address, tls: None };
    let now = || SystemClock.now();
    let mfa = format!("{SERIAL} 123456");
    for method in [Method::DELETE, Method::GET] {
        let draft = Draft::new(method, "logged", "k").query("versionId", "null");
        let signed = draft.header("x-amz-mfa", &mfa).sign(access, now(), host);
        signed.send(&target).await.unwrap();
    }
    let get = || Draft::new(Method::GET, "logged", "k");
    let in_header = get().header("x-amz-security-token", TOKEN);
    let in_query = get().query("X-Amz-Security-Token", TOKEN);
    let minute = std::time::Duration::from_secs(60);
    for signed in [
        in_header.sign(access, now(), host),
        in_query.presign(access, now(), host, minute),
    ] {
        let refused = signed.send(&target).await.unwrap();
        assert_eq!(refused.status(), 400);
    }
}

const TOKEN: &str = "sealgatesession1.session-token-canary";
const SERIAL: &str = "mfa-serial-canary";
