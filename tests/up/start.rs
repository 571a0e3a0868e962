//! What a start prints, makes and leaves private.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::Up;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn everything_in_the_data_folder_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Up::start(folder.path(), &["--data", "data"]).end();
    assert_eq!(mode(&data), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let private = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), private, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in [
        "admin.token",
        "ca.key",
        "ca.pem",
        "credentials.toml",
        "ca-bundle.pem",
        "keys.redb",
        "keys.redb.used",
        "root.key",
    ] {
        assert!(names.iter().any(|other| other == name), "{name}: {names:?}");
    }
}

#[test]
fn the_fixture_line_has_the_admin_token_of_a_store_that_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let stored = Up::start(folder.path(), &["--data", "data"]);
    let token = std::fs::read_to_string(folder.path().join("data/admin.token")).unwrap();
    assert_eq!(stored.text("kms_admin_token"), token.trim());
    assert_eq!(token.trim().len(), 64);
    stored.end();
    let ephemeral = Up::start(folder.path(), &["--ephemeral"]);
    assert_eq!(ephemeral.text("kms_admin_token"), "");
    let temporary = ephemeral.text("data_dir").to_owned();
    ephemeral.end();
    assert!(!Path::new(&temporary).exists());
    assert!(!folder.path().join("sealgate-data").exists());
}

#[tokio::test]
async fn connections_without_a_request_do_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("up.toml");
    // The test would not end in a day if anything waited for them.
    let text = "[gateway.limits]\ndrain_timeout_ms = 86400000\n[kms.limits]\ndrain_ms = 86400000\n";
    std::fs::write(config, text).unwrap();
    let up = Up::start(folder.path(), &["--ephemeral", "--config", "up.toml"]);
    let mut silent = Vec::new();
    for name in [
        "s3_endpoint",
        "s3_tls_endpoint",
        "kms_endpoint",
        "kms_admin_endpoint",
    ] {
        let (_, address) = up.text(name).split_once("://").unwrap();
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    // A connection that was used and is idle is closed, too.
    up.s3().list_buckets().send().await.unwrap();
    up.end();
}
