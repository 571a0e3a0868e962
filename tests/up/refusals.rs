//! Starts that are refused, in sentences that say what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::Up;
use crate::refusal;

fn folder_of_mode(path: &Path, mode: u32) {
    std::fs::create_dir(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_others_can_write_into_or_with_a_link_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    folder_of_mode(&folder.path().join("open"), 0o777);
    let text = refusal(folder.path(), &["up", "--fixture", "--data", "open"]);
    assert!(text.contains("other users can write into"), "{text}");
    for link in ["credentials.new", "keys.redb.new", "ca.pem"] {
        let data = folder.path().join(format!("with {link}"));
        folder_of_mode(&data, 0o700);
        let victim = folder.path().join("victim");
        std::fs::write(&victim, b"precious").unwrap();
        symlink(&victim, data.join(link)).unwrap();
        let data = data.to_str().unwrap();
        let text = refusal(folder.path(), &["up", "--fixture", "--data", data]);
        assert!(text.contains("is a symbolic link"), "{text}");
        assert!(text.contains(link), "{text}");
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }
}

#[test]
fn a_second_start_on_one_folder_names_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = Up::start(folder.path(), &["--data", "data"]);
    let text = refusal(folder.path(), &["up", "--fixture", "--data", "data"]);
    let process = format!("another sealgate (process {}) uses data", first.child.id());
    assert_eq!(text.matches(&process).count(), 1, "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    first.end();
}

#[test]
fn a_store_that_is_lost_is_refused_and_nothing_is_made_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    Up::start(folder.path(), &["--data", "data"]).end();
    let data = folder.path().join("data");
    for (lost, said) in [
        (&["keys.redb"][..], "the key store is missing"),
        (&["keys.redb", "root.key"], "the key store is missing"),
        (&["root.key"], "root.key"),
        (&["store/index.redb"], "its index, index.redb, is missing"),
    ] {
        let aside = |name: &str| folder.path().join(name.replace('/', "-"));
        for name in lost {
            std::fs::rename(data.join(name), aside(name)).unwrap();
        }
        let text = refusal(folder.path(), &["up", "--fixture", "--data", "data"]);
        assert!(text.contains(said), "{lost:?}: {text}");
        for name in lost {
            assert!(!data.join(name).exists(), "{name}");
            std::fs::rename(aside(name), data.join(name)).unwrap();
        }
    }
    Up::start(folder.path(), &["--data", "data"]).end();
}

#[test]
fn what_cannot_work_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("address.toml", "[gateway.listen]\nhttps = \"localhost\"\n");
    file("bucket.toml", "[gateway.state]\nbucket = \"No_Bucket\"\n");
    file(
        "folder.toml",
        "[kms.store]\nfile = \"/nowhere/at/all/keys.redb\"\n",
    );
    for (arguments, part) in [
        (&["--data", "d", "--ephemeral"][..], "cannot be used with"),
        (&["--quota-scale", "0"], "greater than 0"),
        (&["--region", "mars-1"], "AWS has no Region `mars-1`"),
        (
            &["--config", "address.toml"],
            "such as 127.0.0.1:9080 or localhost:9080",
        ),
        (
            &["--config", "bucket.toml"],
            "state.bucket is no name of a bucket",
        ),
        (&["--config", "folder.toml"], "/nowhere/at/all/keys.redb"),
        (&["--config", "missing.toml"], "missing.toml"),
    ] {
        let text = refusal(folder.path(), &[&["up", "--fixture"], arguments].concat());
        assert!(text.contains(part), "{arguments:?}: {text}");
        let debug = ["Error {", "Some(", "{ code"];
        assert!(!debug.iter().any(|part| text.contains(part)), "{text}");
    }
    let text = refusal(
        folder.path(),
        &["up", "--fixture", "--config", "folder.toml"],
    );
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
}

#[test]
fn credentials_of_a_backend_that_are_empty_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("backend.toml");
    let text = b"access_key_id = \"\"\nsecret_access_key = \"\"\n";
    sealgate::files::write_private(&credentials, text).unwrap();
    let arguments = [
        "up",
        "--fixture",
        "--backend",
        "http://127.0.0.1:1",
        "--backend-credentials",
        "backend.toml",
    ];
    let text = refusal(folder.path(), &arguments);
    assert!(
        text.contains("backend_credentials.access_key_id is empty"),
        "{text}"
    );
}

#[test]
fn a_port_that_is_taken_is_refused_with_the_way_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("[kms]\nlisten = \"{address}\"\n");
    std::fs::write(folder.path().join("up.toml"), text).unwrap();
    let text = refusal(folder.path(), &["up", "--config", "up.toml"]);
    assert!(text.contains(&format!("{address} is in use")), "{text}");
    assert!(text.contains("--config"), "{text}");
}

#[test]
fn files_for_tls_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    file("empty.pem", "");
    file("one.pem", &made().cert.pem());
    file("another.key", &made().signing_key.serialize_pem());
    let start = |certificate: &str| {
        let text = format!(
            "backend_credentials = {{ access_key_id = \"a\", secret_access_key = \"b\" }}\n\
             [listen]\nhttps = \"localhost:0\"\ncertificate_file = \"{certificate}\"\n\
             private_key_file = \"another.key\"\n\
             [[users]]\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"secretsecret\"\n"
        );
        file("gateway.toml", &text);
        refusal(folder.path(), &["gateway", "--config", "gateway.toml"])
    };
    let text = start("empty.pem");
    assert!(
        text.contains("empty.pem: the file has no certificate"),
        "{text}"
    );
    let text = start("one.pem");
    assert!(
        text.contains("one.pem: the key in another.key is another's"),
        "{text}"
    );
}
