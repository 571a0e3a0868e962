//! Which process on which machine a gateway is, so that what one left that was killed on this machine is
//! recognised at once.

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::test_kill_process;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

/// A process of one machine, since that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// A digest of the machine's boot id and of the namespace of process ids: two containers have others.
    machine: String,
    /// The process id in that namespace.
    id: i32,
}

impl Process {
    /// This process; none where the system has no `/proc`.
    pub(super) fn this() -> Option<Self> {
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let mut digest = Sha256::new();
        digest.update(boot);
        digest.update(namespace.as_os_str().as_encoded_bytes());
        Some(Self {
            machine: hex::encode(digest.finalize()),
            id: rustix::process::getpid().as_raw_nonzero().get(),
        })
    }

    /// Whether this process ran on the same machine as `observer` and has ended. A process of another user
    /// that may not be signalled has not, nor one whose id was given to a new process.
    pub(super) fn has_ended(&self, observer: &Self) -> bool {
        let id = Pid::from_raw(self.id);
        self.machine == observer.machine
            && id.is_some_and(|id| test_kill_process(id) == Err(Errno::SRCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_has_not_ended() {
        let this = Process::this().unwrap();
        assert!(!this.has_ended(&this));
    }

    #[test]
    fn a_process_that_was_killed_has_ended_on_this_machine_only() {
        let this = Process::this().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let of_child = Process {
            id: child.id().try_into().unwrap(),
            ..this.clone()
        };
        assert!(!of_child.has_ended(&this));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of_child.has_ended(&this));
        let elsewhere = Process {
            machine: "another".to_owned(),
            ..of_child
        };
        assert!(!elsewhere.has_ended(&this));
    }
}
