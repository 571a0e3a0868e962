//! `sealgate check`: the same refusals as a start's, all at once, and what a start would accept and should not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http::Method;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::SECRET_ACCESS_KEY;
use tests::tls_front;
use tests::tls_front::Front;
use tests::world::SERVICE_SECRET;
use tests::world::World;

use crate::command;
use crate::wrong::refusal_with;

/// The status and the output of `check` with these arguments.
fn check(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = command(folder)
        .arg("check")
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text)
}

/// A certificate that ends so many days from now, and its key.
fn certificate(days: i64) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let seconds = proto::time::Clock::now(&proto::time::SystemClock).unix_seconds();
    let end = time::OffsetDateTime::from_unix_timestamp(seconds + days * 86_400 + 3_600);
    params.not_after = end.unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn every_mistake_is_reported_with_its_line_and_the_status_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[admin]\nlisten = \"0.0.0.0:0\"\n[tls]\ncertificate_file = \"no.pem\"\nkey_file = \"no.key\"\n\
                [store]\nfile = \"no/keys.redb\"\nroot_key_file = \"root.key\"\n";
    std::fs::write(folder.path().join("kms.toml"), text).unwrap();
    let (status, text) = check(folder.path(), &["kms.toml"]);
    assert_eq!(status, 1, "{text}");
    for part in [
        "kms.toml:2:1: admin.listen is beyond loopback",
        "kms.toml:4:1: tls.certificate_file: no.pem",
        "kms.toml:7:1: store.file: no/keys.redb: there is no folder for it",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!folder.path().join("root.key").exists(), "nothing is made");
}

#[test]
fn a_certificate_that_ends_soon_is_a_warning_and_one_that_ended_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[tls]\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\"\n[quotas]\nscale = 1.0\n";
    std::fs::write(folder.path().join("kms.toml"), text).unwrap();
    for (days, expected, part) in [
        (90, 0, "kms.toml: right, a KMS's file\n"),
        (
            12,
            0,
            "warning: kms.toml:2:1: tls.certificate_file: c.pem ends in 12 days",
        ),
        (-2, 1, "kms.toml:2:1: tls.certificate_file: c.pem ended at"),
    ] {
        let (certificate, key) = certificate(days);
        std::fs::write(folder.path().join("c.pem"), certificate).unwrap();
        let file = folder.path().join("k.pem");
        sealgate::files::write_private(&file, key.as_bytes()).unwrap();
        let (status, text) = check(folder.path(), &["kms.toml"]);
        assert_eq!(status, expected, "{text}");
        assert!(text.contains(part), "{days}: {text}");
    }
    let (_, another) = certificate(90);
    let file = folder.path().join("k.pem");
    std::fs::write(&file, another).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, text) = check(folder.path(), &["kms.toml"]);
    assert!(
        status == 1 && text.contains("the key in k.pem is another's"),
        "{text}"
    );
    assert!(
        text.contains("warning: kms.toml:3:1: tls.key_file: every user can read k.pem"),
        "{text}"
    );
}

#[test]
fn credentials_of_the_backend_that_are_given_twice_or_by_half_or_in_no_file_are_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let rest = "[listen]\nhttp = \"127.0.0.1:0\"\n[kms]\nsecret_file = \"secret\"\n\
                [[users]]\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"secretsecret\"\n";
    file("secret", "a-backend-secret\n");
    file("id", "AKID\n");
    file("empty", "\n");
    let by_id = "access_key_id_file = \"id\"\n";
    let both = "access_key_id = \"a\"\naccess_key_id_file = \"id\"\nsecret_access_key = \"b\"\n";
    for (fields, expected) in [
        (
            both.to_owned(),
            "gateway.toml:2:1: backend_credentials.access_key_id and access_key_id_file are both set: set one of them",
        ),
        (
            by_id.to_owned(),
            "backend_credentials.secret_access_key is empty, and secret_access_key_file is not set",
        ),
        (
            format!("{by_id}secret_access_key_file = \"none\"\n"),
            "gateway.toml:3:1: backend_credentials.secret_access_key_file: none: No such file",
        ),
        (
            format!("{by_id}secret_access_key_file = \"empty\"\n"),
            "gateway.toml:3:1: backend_credentials.secret_access_key_file: empty: it is empty",
        ),
    ] {
        file(
            "gateway.toml",
            &format!("[backend_credentials]\n{fields}{rest}"),
        );
        let (status, text) = check(folder.path(), &["gateway.toml"]);
        assert_eq!(status, 1, "{text}");
        assert_eq!(
            text.matches(expected).count(),
            1,
            "no {expected:?} in {text}"
        );
        let refusal = refusal_with(folder.path(), &["gateway", "--config", "gateway.toml"], &[]);
        assert!(refusal.contains(expected), "no {expected:?} in {refusal}");
    }
    let right = format!("{by_id}secret_access_key_file = \"secret\"\n");
    file(
        "gateway.toml",
        &format!("[backend_credentials]\n{right}{rest}"),
    );
    let (status, text) = check(folder.path(), &["gateway.toml"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("backend_credentials.secret_access_key_file: every user can read secret"),
        "{text}"
    );
}

#[test]
fn what_is_left_open_is_a_warning_and_each_file_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file(
        "up.toml",
        "[gateway.objects]\nallow_insecure_sse = true\n[kms]\nenforce = \"open\"\n",
    );
    file("seed.toml", "[[key]]\nidd = \"a\"\n");
    let (status, text) = check(folder.path(), &["up.toml"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("warning: up.toml:2:1: objects.allow_insecure_sse"),
        "{text}"
    );
    assert!(
        text.contains("warning: up.toml:4:1: key policies are not enforced"),
        "{text}"
    );
    let (status, text) = check(folder.path(), &["up.toml", "seed.toml"]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("seed.toml:2:1: unknown field `idd`: did you mean `id`?"),
        "{text}"
    );
}

#[test]
fn the_effective_configuration_has_the_defaults_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[authenticate]\nservice_secret = \"precious-precious\"\n[quotas]\nscale = 0.25\n";
    std::fs::write(folder.path().join("kms.toml"), text).unwrap();
    let (status, text) = check(folder.path(), &["--print", "kms.toml"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("scale = 0.25") && text.contains("profile = \"2026\""),
        "{text}"
    );
    assert!(
        text.contains("service_secret = \"***\"") && !text.contains("precious"),
        "{text}"
    );
}

#[test]
fn a_file_of_the_secret_that_a_start_refuses_is_an_error_at_both_services() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file(
        "kms.toml",
        "enforce = \"enforce\"\n[authenticate]\nservice_secret_file = \"secret\"\n",
    );
    file(
        "gateway.toml",
        &gateway_file("http://127.0.0.1:1", "grpc://127.0.0.1:1", ""),
    );
    let secret = "precious-precious\n";
    for (text, why) in [
        (secret.repeat(3), "more than two lines"),
        (format!("{secret}short"), "line 2 is too short"),
        (String::new(), "is empty"),
    ] {
        file("secret", &text);
        let (status, text) = check(folder.path(), &["kms.toml", "gateway.toml"]);
        assert_eq!(status, 1, "{text}");
        for field in ["authenticate.service_secret_file", "kms.secret_file"] {
            let sentence = format!("{field}: secret: ");
            let mut lines = text.lines();
            let is_there = lines.any(|line| line.contains(&sentence) && line.contains(why));
            assert!(is_there, "{field}: {text}");
        }
        assert!(!text.contains("precious"), "{text}");
    }
    file("secret", secret);
    let (status, text) = check(folder.path(), &["kms.toml", "gateway.toml"]);
    assert_eq!(status, 0, "{text}");
    let warning = "warning: kms.toml:3:1: authenticate.service_secret_file: every user can read";
    assert!(text.contains(warning), "{text}");
}

/// A gateway's file with the credentials that backend and KMS accept.
fn gateway_file(backend: &str, kms: &str, more: &str) -> String {
    format!(
        "[backend]\nurl = \"{backend}\"\n{more}\n[backend_credentials]\naccess_key_id = \"{ACCESS_KEY_ID}\"\n\
         secret_access_key = \"{SECRET_ACCESS_KEY}\"\n[kms]\nurl = \"{kms}\"\nsecret_file = \"secret\"\n\
         [[users]]\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"secretsecret\"\n"
    )
}

/// A port at which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateways_file_names_is_tried_and_each_failure_is_a_sentence() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        sealgate::files::write_private(&folder.path().join(name), text.as_bytes()).unwrap();
    };
    let tried = |text: &str, secret: &str| {
        file("gateway.toml", text);
        file("secret", secret);
        let (status, text) = check(folder.path(), &["--online", "gateway.toml"]);
        let lines = text.lines().filter(|line| line.starts_with("online: "));
        (status, lines.map(str::to_owned).collect::<Vec<_>>())
    };
    let (backend, kms) = (
        world.backend.endpoint(),
        format!("grpc://{}", world.kms.address),
    );
    let function = format!(
        "[object_lambda]\npublic_url = \"http://127.0.0.1:1\"\n[[object_lambda.functions]]\n\
         arn = \"arn:aws:lambda:us-east-1:111122223333:function:f\"\nfunction.url = \"{backend}\"\n"
    );
    let right = gateway_file(&backend, &kms, "") + &function;
    let (status, lines) = tried(&right, SERVICE_SECRET);
    let expected = [
        format!(
            "online: the backend {backend}: ok: it accepts the credentials, and has the state bucket"
        ),
        format!("online: the KMS {kms}: ok: it accepts the gateway"),
        format!("online: the server of a function {backend}: ok: it takes connections"),
    ];
    assert_eq!((status, lines.len()), (0, 3), "{lines:?}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line}");
    }

    let refuse = Action::Refuse(403, "SignatureDoesNotMatch");
    let refuse = Fault::on_path(Method::GET, "/sealgate-state", refuse);
    world.backend.inject(refuse);
    let (status, lines) = tried(&right, "another-service-secret");
    world.backend.heal();
    assert_eq!(status, 1);
    let refused = "failed: the backend refuses the gateway's credentials";
    assert!(
        lines[0].contains(refused) && lines[0].ends_with("(backend.url)"),
        "{lines:?}"
    );
    assert!(lines[1].contains("failed: the KMS refused: "), "{lines:?}");

    let (nobody, no_kms) = (
        format!("http://127.0.0.1:{}", closed_port()),
        format!("grpc://127.0.0.1:{}", closed_port()),
    );
    let (status, lines) = tried(&gateway_file(&nobody, &no_kms, ""), SERVICE_SECRET);
    assert_eq!(status, 1);
    for line in &lines[..2] {
        assert!(
            line.contains("failed: ") && line.contains("refused"),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_what_is_tried_are_verified() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let shown = tls_front::pair();
    let target = world.backend.endpoint().replace("http://", "");
    let front = Front::start(
        target.parse().unwrap(),
        tls_front::server(&shown, &[], b"http/1.1"),
    );
    let before_kms = Front::start(world.kms.address, tls_front::server(&shown, &[], b"h2"));
    let (backend, kms) = (
        format!("https://localhost:{}", front.port),
        format!("grpcs://localhost:{}", before_kms.port),
    );
    sealgate::files::write_private(&folder.path().join("secret"), SERVICE_SECRET.as_bytes())
        .unwrap();
    for (authority, expected) in [(&shown, 0), (&tls_front::pair(), 1)] {
        tls_front::write(folder.path(), "ca", authority);
        let text = gateway_file(&backend, &kms, "ca_file = \"ca.pem\"");
        let text = text.replace("secret_file", "ca_file = \"ca.pem\"\nsecret_file");
        std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let (status, text) = check(folder.path(), &["--online", "gateway.toml"]);
        assert_eq!(status, expected, "{text}");
        let verdict = ["ok: ", "failed: "][usize::from(expected == 1)];
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("online: "))
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        for line in lines {
            let names_cause = expected == 0 || line.contains("certificate");
            assert!(line.contains(verdict) && names_cause, "{line}");
        }
    }
}

#[test]
fn a_file_that_names_no_server_or_is_wrong_is_not_tried() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kms.toml"), "[quotas]\nscale = 1.0\n").unwrap();
    let (status, text) = check(folder.path(), &["--online", "kms.toml"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("online: kms.toml names no server: nothing was tried\n"),
        "{text}"
    );
    std::fs::write(folder.path().join("kms.toml"), "[quotas]\nscale = -1.0\n").unwrap();
    let (status, text) = check(folder.path(), &["--online", "kms.toml"]);
    assert!(status == 1 && !text.contains("online: "), "{text}");
}
