//! `sealgate up` as a process of its own, as it is handed out.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::driver::Side;

/// A running `sealgate up`, which ends when this is dropped.
pub struct Up {
    /// The process.
    pub child: Child,
    /// Its S3 endpoint and the first user.
    pub side: Side,
}

impl Up {
    /// Starts a binary in `folder` as a fixture with a configuration of TOML, with what `change` adds to the command.
    pub fn start(
        program: &Path,
        folder: &Path,
        config: &str,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let file = folder.join("bench.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command.args(["up", "--fixture", "--allow-insecure-sse", "--data"]);
        command.arg(folder.join("data")).arg("--config").arg(file);
        command.env("RUST_LOG", "error"); // reads from an adopted bucket warn, each time
        change(&mut command);
        let (child, line) = spawn(&mut command);
        let up: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| up[name].as_str().unwrap().to_owned();
        let address = |name: &str| text(name).trim_start_matches("http://").parse().unwrap();
        let side = Side {
            address: address("s3_endpoint"),
            access_key_id: text("access_key_id"),
            secret_access_key: text("secret_access_key"),
        };
        Self { child, side }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The binary as it is handed out: `SEALGATE`, or built now.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SEALGATE") {
        return named.into();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Command::new(cargo)
        .args(["build", "--profile", "dist", "-p", "sealgate"])
        .status();
    assert!(build.unwrap().success(), "the binary does not build");
    // This bench is in target/release/deps.
    let own = std::env::current_exe().unwrap();
    let targets = own.ancestors().nth(3).unwrap();
    targets.join("dist/sealgate")
}

/// Starts a process; gives its first line of output.
pub fn spawn(command: &mut Command) -> (Child, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(!line.is_empty(), "{command:?} printed nothing");
    (child, line)
}

/// Ends a process by closing its standard input.
pub fn end(child: &mut Child) {
    drop(child.stdin.take());
    let _ = child.wait();
}
