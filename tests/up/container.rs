//! What `up` does in a container: it listens beyond loopback, under names of its own, with credentials and tokens
//! of the environment, and reports its health without a shell.

use std::path::Path;

use http::Method;
use http::Request;
use http::StatusCode;
use http_body_util::Empty;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use proto::time::Clock as _;
use proto::time::SystemClock;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tests::clients;
use tests::clients::Access;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::signed::Target;

use crate::Up;
use crate::command;
use crate::get;
use crate::put_and_get;
use crate::refusal;

/// The status of the answer of `endpoint`, reached by another address of loopback, which only a listener on every
/// address has.
async fn status(endpoint: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let client: legacy::Client<_, Empty<bytes::Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).build_http();
    let uri = endpoint.replace("127.0.0.1", "127.0.0.2") + path;
    let mut request = Request::builder().method(method).uri(uri);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = client.request(request.body(Empty::new()).unwrap()).await;
    // Nobody listens there.
    answer.map_or(0, |answer| answer.status().as_u16())
}

/// What `sealgate health` prints, and whether it succeeds.
fn health(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = command(folder).arg("health").args(arguments).output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn beyond_loopback_the_admin_ports_demand_a_token_for_all_but_health_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral", "--listen", "0.0.0.0"]);
    let token = up.text("admin_token").to_owned();
    assert_eq!(token.len(), 64);
    assert_eq!(up.text("kms_admin_token"), token);
    let (gateway, kms) = (up.text("admin_endpoint"), up.text("kms_admin_endpoint"));
    assert!(gateway.starts_with("http://127.0.0.1:"), "{gateway}");
    let right = format!("Bearer {token}");
    for (endpoint, method, path) in [
        (gateway, Method::POST, "/access-logs/flush"),
        (kms, Method::POST, "/admin/quotas/restart"),
        (kms, Method::POST, "/admin/reset"),
        (kms, Method::PUT, "/admin/faults"),
        (kms, Method::GET, "/admin/events"),
    ] {
        for headers in [&[][..], &[("authorization", "Bearer wrong")]] {
            let refused = status(endpoint, method.clone(), path, headers).await;
            assert_eq!(refused, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    let presented = [("authorization", right.as_str())];
    for (endpoint, path) in [
        (gateway, "/access-logs/flush"),
        (kms, "/admin/quotas/restart"),
    ] {
        assert_eq!(
            status(endpoint, Method::POST, path, &presented).await,
            200,
            "{path}"
        );
        let from_page = [presented[0], ("origin", "http://evil.example")];
        assert_eq!(status(endpoint, Method::POST, path, &from_page).await, 403);
    }
    for endpoint in [gateway, kms] {
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(
                status(endpoint, Method::GET, path, &[]).await,
                200,
                "{path}"
            );
        }
    }
    up.end();
}

#[tokio::test]
async fn without_the_flag_nothing_is_reached_beyond_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    assert_eq!(up.text("admin_token"), "");
    for name in [
        "s3_endpoint",
        "kms_endpoint",
        "admin_endpoint",
        "kms_admin_endpoint",
    ] {
        assert_eq!(
            status(up.text(name), Method::GET, "/", &[]).await,
            0,
            "{name}"
        );
    }
    up.end();
}

#[tokio::test]
async fn a_token_of_the_environment_is_the_one_that_is_demanded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "token-of-the-environment\n").unwrap();
    let variables = [("SEALGATE_ADMIN_TOKEN_FILE", file.to_str().unwrap())];
    let up = Up::start_with(folder.path(), &["--data", "data"], &variables);
    assert_eq!(up.text("admin_token"), "token-of-the-environment");
    assert!(!folder.path().join("data/admin.token").exists());
    up.end();
    let refused = command(folder.path())
        .args(["up", "--fixture", "--ephemeral"])
        .env("SEALGATE_ADMIN_TOKEN", "short")
        .output();
    let refused = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(
        refused.contains("SEALGATE_ADMIN_TOKEN is shorter"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_host_is_in_the_certificate_addresses_buckets_and_is_answered_by_the_kms() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--ephemeral",
        "--listen",
        "0.0.0.0",
        "--host",
        "sealgate.test",
    ];
    let up = Up::start(folder.path(), &arguments);
    for (name, path) in [("kms_endpoint", "/"), ("kms_admin_endpoint", "/metrics")] {
        for (host, is_answered) in [("sealgate.test", true), ("other.test", false)] {
            let status = status(up.text(name), Method::GET, path, &[("host", host)]).await;
            assert_eq!(status != 421, is_answered, "{name} {host} {status}");
        }
    }
    // The name of a bucket is read from the host: this one is not there.
    let port = |name: &str| up.text(name).rsplit(':').next().unwrap().to_owned();
    let host = format!("bucket.sealgate.test:{}", port("s3_endpoint"));
    let access = Access::new(up.text("access_key_id"), up.text("secret_access_key"));
    let signed = Draft::raw(Method::GET, "/").sign(&access, SystemClock.now(), &host);
    let address = up
        .text("s3_endpoint")
        .replace("http://", "")
        .parse()
        .unwrap();
    let answer = signed.send(&Target { address, tls: None }).await.unwrap();
    expect_s3_error(&answer, "NoSuchBucket", 404);

    let authority = CertificateDer::from_pem_file(up.text("ca_file")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    let connector =
        tokio_rustls::TlsConnector::from(std::sync::Arc::new(config.with_no_client_auth()));
    let port = port("s3_tls_endpoint");
    for (name, is_trusted) in [
        ("sealgate.test", true),
        ("bucket.sealgate.test", true),
        ("localhost", true),
        ("other.test", false),
    ] {
        let stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await;
        let server = name.try_into().unwrap();
        let connected = connector.connect(server, stream.unwrap()).await;
        assert_eq!(connected.is_ok(), is_trusted, "{name}");
    }
    up.end();
}

#[tokio::test]
async fn an_access_key_of_the_environment_is_the_main_users_also_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let variables = |secret: &'static str| {
        let id = "CHOSENBYTHETEST0";
        [
            ("SEALGATE_ACCESS_KEY_ID", id),
            ("SEALGATE_SECRET_ACCESS_KEY", secret),
        ]
    };
    let (first, second) = ("first-secret-of-the-test", "second-secret-of-the-test");
    let up = Up::start_with(folder.path(), &["--data", "data"], &variables(first));
    assert_eq!(up.text("access_key_id"), "CHOSENBYTHETEST0");
    up.s3().create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&up.s3(), "demo", "k").await;
    up.end();

    let up = Up::start_with(folder.path(), &["--data", "data"], &variables(second));
    assert_eq!(get(&up.s3(), "demo", "k").await.unwrap(), b"a secret");
    let access = Access::new("CHOSENBYTHETEST0", first);
    let former = clients::s3(up.text("s3_endpoint"), &access, None);
    let refused = get(&former, "demo", "k").await.unwrap_err();
    assert_eq!(refused, "SignatureDoesNotMatch");
    up.end();
    // It stays without the environment, too.
    let up = Up::start(folder.path(), &["--data", "data"]);
    assert_eq!(up.text("secret_access_key"), second);
    up.end();
}

#[test]
fn an_access_key_that_could_be_guessed_and_a_name_that_is_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (id, secret, part) in [
        ("test", "test", "is no access key id"),
        ("CHOSENBYTHETEST0", "test", "is no secret access key"),
        (
            "CHOSENBYTHETEST0",
            "",
            "is set without SEALGATE_SECRET_ACCESS_KEY",
        ),
    ] {
        let output = command(folder.path())
            .args(["up", "--fixture", "--ephemeral"])
            .env("SEALGATE_ACCESS_KEY_ID", id)
            .env("SEALGATE_SECRET_ACCESS_KEY", secret)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(part), "{text}");
        assert_eq!(text.trim().lines().count(), 1, "{text}");
    }
    let text = refusal(folder.path(), &["up", "--host", "https://sealgate"]);
    assert!(text.contains("no scheme and no port"), "{text}");
    let text = refusal(folder.path(), &["up", "--listen", "everywhere"]);
    assert!(text.contains("--listen"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_in_one_line_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody makes files there, root included.
    let text = refusal(
        folder.path(),
        &["up", "--fixture", "--data", "/sys/sealgate"],
    );
    assert!(
        text.contains("the folder /sys/sealgate cannot be written"),
        "{text}"
    );
    assert!(
        text.contains("--ephemeral") && text.contains("volume"),
        "{text}"
    );
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    let output = command(folder.path())
        .args(["up", "--fixture", "--ephemeral"])
        .env("TMPDIR", "/sys")
        .output();
    let text = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(text.contains("the folder /sys cannot be written"), "{text}");
    assert!(text.contains("tmpfs"), "{text}");
}

#[test]
fn health_is_that_of_every_port_it_is_given_and_needs_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral", "--listen", "0.0.0.0"]);
    let (gateway, kms) = (up.text("admin_endpoint"), up.text("kms_admin_endpoint"));
    let (gateway, kms) = (gateway.to_owned(), kms.to_owned());
    let (is_ready, text) = health(folder.path(), &[&gateway, &kms]);
    assert!(is_ready, "{text}");
    assert_eq!(text, format!("ready: {gateway}, {kms}\n"));
    let (is_live, text) = health(folder.path(), &["--live", &gateway]);
    assert!(is_live && text.starts_with("live: "), "{text}");
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    let config = format!(
        "[gateway.listen]\nadmin = \"0.0.0.0:{}\"\n[kms.admin]\nlisten = \"0.0.0.0:{}\"\n",
        port(&gateway),
        port(&kms)
    );
    std::fs::write(folder.path().join("up.toml"), config).unwrap();
    let (is_ready, text) = health(folder.path(), &["--config", "up.toml"]);
    assert!(is_ready, "{text}");
    up.end();

    let (is_ready, text) = health(folder.path(), &[&gateway]);
    assert!(
        !is_ready && text.contains(&format!("not ready: {gateway} does not listen")),
        "{text}"
    );
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    for url in ["127.0.0.1", "https://127.0.0.1:1", "ftp://a"] {
        let (is_ready, text) = health(folder.path(), &[url]);
        assert!(!is_ready && text.contains("is no URL such as"), "{text}");
    }
}

#[test]
fn a_gateway_without_its_backend_is_live_and_not_ready_and_health_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--ephemeral", "--backend", "http://127.0.0.1:1"];
    let variables = [
        ("SEALGATE_BACKEND_ACCESS_KEY_ID", "a"),
        ("SEALGATE_BACKEND_SECRET_ACCESS_KEY", "b"),
    ];
    let up = Up::start_with(folder.path(), &arguments, &variables);
    let gateway = up.text("admin_endpoint");
    assert!(health(folder.path(), &["--live", gateway]).0);
    let (is_ready, text) = health(folder.path(), &[gateway]);
    assert!(!is_ready && text.contains("the backend"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
}
