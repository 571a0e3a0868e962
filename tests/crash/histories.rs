//! Clients that race for the same keys while `up` is killed: short runs of the campaign `histories`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Output;

/// Runs the campaign with this program in place of the binary.
fn run(program: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_campaign"))
        .args(["histories", "--seed", "7"])
        .args(["--operations", "700", "--kills", "10"])
        .env("SEALGATE", program)
        .output()
        .unwrap()
}

#[test]
fn what_clients_saw_of_each_key_over_kills_is_linearizable() {
    let output = run(env!("CARGO_BIN_EXE_sealgate-under-test").as_ref());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
}

#[test]
fn the_campaign_notices_a_folder_that_goes_back_to_what_it_was_two_starts_before() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("sealgate");
    let text = format!(
        r#"#!/bin/sh
echo >> '{folder}/starts'
case $(wc -l < '{folder}/starts') in
  3) cp -a "$4" '{folder}/old' ;;
  5) rm -rf "$4" && mv '{folder}/old' "$4" ;;
esac
exec '{program}' "$@"
"#,
        folder = folder.path().display(),
        program = env!("CARGO_BIN_EXE_sealgate-under-test"),
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    let output = run(&script);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{printed}");
    assert!(
        printed.contains("seed 7") && printed.contains("Lost: life"),
        "{printed}"
    );
}
