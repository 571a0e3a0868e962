//! `sealgate check`: the same refusals as a start's, all at once, and what a start would accept and should not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::command;

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
