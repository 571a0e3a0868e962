//! SIGHUP, by which the services read their files again.

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::TcpListener;
use std::process::Command;
use std::process::Stdio;

use crate::command;
use crate::wrong::GATEWAY;

#[test]
fn a_gateway_that_is_hung_up_on_while_it_waits_for_its_backend_starts_and_reads_its_files_again() {
    let folder = tempfile::tempdir().unwrap();
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let configuration = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[backend]\nurl = \"http://{}\"\n\
         [kms]\nurl = \"grpc://127.0.0.1:1\"\nsecret_file = \"secret\"\n{GATEWAY}",
        backend.local_addr().unwrap()
    );
    std::fs::write(folder.path().join("gateway.toml"), configuration).unwrap();
    let secret = folder.path().join("secret");
    sealgate::files::write_private(&secret, b"a secret of 16 bytes or more").unwrap();
    let mut child = command(folder.path())
        .args(["gateway", "--config", "gateway.toml"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    // It starts, and nobody answers it.
    let waiting = backend.accept().unwrap();
    let hung_up = Command::new("kill")
        .args(["-HUP", &child.id().to_string()])
        .status();
    assert!(hung_up.unwrap().success());
    drop((waiting, backend));

    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let is_read_again = lines.any(|line| line.contains("were read again"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_read_again, "it ended");
}
