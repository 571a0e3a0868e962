//! A gateway in a process of its own, to be killed.

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

/// A process of the binary. It is killed when it is dropped, at the latest.
pub struct Process {
    /// Where it listens for plain HTTP.
    pub address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Process {
    /// Starts `program gateway` with this configuration file, and waits until it is up.
    ///
    /// # Panics
    ///
    /// When it ends before.
    #[must_use]
    pub fn gateway(program: &str, config: &str) -> Self {
        Self::start(Command::new(program), config)
    }

    /// As [`Process::gateway`], with at most so many open files, connections among them.
    ///
    /// # Panics
    ///
    /// When it ends before.
    #[must_use]
    pub fn gateway_with_files(program: &str, config: &str, files_max: usize) -> Self {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {files_max} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited, program]);
        Self::start(command, config)
    }

    fn start(mut command: Command, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, config).unwrap();
        let mut child = command
            .arg("gateway")
            .arg("--config")
            .arg(&file)
            .env("SEALGATE_LOG", "json")
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "it ended: {said}");
            if let Some(address) = address(&said[start..]) {
                break address;
            }
        };
        // It must never wait for a reader of its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            address,
            child,
            _folder: folder,
        }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many files it has open.
    ///
    /// # Panics
    ///
    /// When it has ended, and on systems other than Linux.
    #[must_use]
    pub fn open_files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).unwrap().count()
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the log line that reports the start.
fn address(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    if fields.get("message")? != "the gateway is up" {
        return None;
    }
    let address = fields.get("s3")?.as_str()?;
    address
        .strip_prefix("Some(")?
        .strip_suffix(')')?
        .parse()
        .ok()
}
