//! `sealgate up` as a process, to be killed.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use aws_sdk_s3::Client;
use serde_json::Value;
use tests::clients;
use tests::clients::Access;

/// A process that starts.
pub(crate) struct Starting {
    child: Child,
    log: PathBuf,
}

/// A process that is ready.
pub(crate) struct Up {
    starting: Starting,
    pub(crate) s3: Client,
}

impl Up {
    /// Starts it on a folder.
    pub(crate) fn begin(program: &Path, folder: &Path) -> Starting {
        let log = folder.join("log");
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let file: File = file.unwrap();
        let child = Command::new(program)
            .args(["up", "--fixture", "--data"])
            .arg(folder.join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Starting { child, log }
    }

    /// Ends it as `kill -9` does, and waits until nothing of it runs any more.
    pub(crate) fn kill(self) {
        self.starting.kill();
    }
}

impl Starting {
    /// Waits until it is ready; its log, if it ends before.
    pub(crate) fn ready(mut self) -> Result<Up, String> {
        let mut line = String::new();
        let output = self.child.stdout.take().unwrap();
        let read = BufReader::new(output).read_line(&mut line);
        match (read, serde_json::from_str::<Value>(&line)) {
            (Ok(_), Ok(up)) => {
                let text = |name: &str| up[name].as_str().unwrap_or_default().to_owned();
                let access = Access::new(&text("access_key_id"), &text("secret_access_key"));
                let s3 = clients::s3(&text("s3_endpoint"), &access, None);
                Ok(Up { starting: self, s3 })
            }
            _ => Err(std::fs::read_to_string(&self.log).unwrap_or_default()),
        }
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
