//! The process: its logs, its core dumps, and the signals that stop it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::Layer as _;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::configuration::nearest;
use crate::process::naming::Naming;
use crate::process::plain_fields::PlainFields;

mod naming;
mod plain_fields;

/// Logs to standard error, at `info` unless `RUST_LOG` sets another level; JSON lines when
/// `SEALGATE_LOG=json`.
pub fn start_logs() {
    start_logs_from(LevelFilter::INFO);
}

/// The same of a command whose output is not its log: at `warn`.
pub fn start_logs_of_command() {
    start_logs_from(LevelFilter::WARN);
}

fn start_logs_from(default: LevelFilter) {
    let level = std::env::var("RUST_LOG").ok();
    let levels = level.and_then(|text| text.parse::<Targets>().ok());
    let levels = levels.unwrap_or_else(|| Targets::new().with_default(default));
    // Of all layers: a filter of one layer alone is tried again for each line and each span.
    let filtered = Registry::default()
        .with(levels)
        .with(FilterFn::new(is_without_heads));
    let logs = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let json = std::env::var("SEALGATE_LOG").is_ok_and(|form| form == "json");
    let logs = if json {
        logs.json().boxed()
    } else {
        logs.with_ansi(false).fmt_fields(PlainFields).boxed()
    };
    // After a second start in one process, the first start's logs stay in use.
    let _ = filtered.with(Naming(logs)).try_init();
}

/// Whether a log line is sure not to print the head of a request, with its signature and its keys: some
/// libraries print heads whole below `info`, whatever they hold.
fn is_without_heads(line: &tracing::Metadata<'_>) -> bool {
    let library = line.target().split("::").next().unwrap_or_default();
    // Each refusal is an error to `s3s`, with a dump of the answer; the access log has it, too.
    if library == "s3s" {
        return false;
    }
    *line.level() <= tracing::Level::INFO || !PRINTS_HEADS.contains(&library)
}

/// Limits the memory of the process: of pages of 2 MiB a sidecar touches a fraction, but they count
/// whole.
pub fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages could not be switched off");
    }
}

/// Excludes key material from core dumps and from debuggers of the same user.
pub fn forbid_core_dumps() {
    use rustix::process::DumpableBehavior;
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    use rustix::process::set_dumpable_behavior;
    use rustix::process::setrlimit;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be limited");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

/// Takes as many open files as the operating system allows: each client is one, and often the backend's
/// connection another, and the usual soft limit of 1,024 is soon reached.
pub fn raise_file_limit() {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    use rustix::process::getrlimit;
    use rustix::process::setrlimit;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Makes every file and folder that this process creates readable and writable for its user alone.
pub fn write_for_owner_alone() {
    use rustix::fs::Mode;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// An error and its causes in one line, with the nearest name to an unknown one. A cause that an error before has in its text stands there once.
#[must_use]
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    nearest(&text)
}

/// Cancels `stop` on the first SIGINT or SIGTERM; ends the process on the second.
///
/// # Errors
///
/// When the signals cannot be caught.
pub fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                notify("STOPPING=1");
                tracing::info!(
                    "stopping: requests in flight may finish; a second signal stops at once"
                );
                stop.cancel();
            }
        }
        std::process::exit(130);
    });
    Ok(())
}

/// Cancels `stop` when standard input closes: a fixture must not outlive its test.
pub fn stop_with_input(stop: CancellationToken) {
    // A thread, not a task: a read from a terminal cannot be cancelled, and nothing joins this.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        stop.cancel();
    });
}

/// Reports a state to the service manager that started this process, if it wants that: `READY=1`, `RELOADING=1`,
/// `STOPPING=1`.
///
/// Source: sd_notify(3)
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send_state(&path, state.as_bytes()) {
        tracing::warn!(%error, "the service manager did not take {state}");
    }
}

fn send_state(path: &OsStr, state: &[u8]) -> io::Result<usize> {
    let socket = UnixDatagram::unbound()?;
    // A name that begins with `@` is no file.
    #[cfg(target_os = "linux")]
    if let Some(name) = path.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(state, &address);
    }
    socket.send_to(state, path)
}

/// Libraries that print heads of requests.
const PRINTS_HEADS: [&str; 4] = ["h2", "hyper", "hyper_util", "tonic"];

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_state_is_sent_to_a_socket_that_is_a_file_and_to_one_that_is_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notify");
        let received = |socket: UnixDatagram| {
            let mut text = [0; 16];
            let length = socket.recv(&mut text).unwrap();
            text[..length].to_vec()
        };
        let socket = UnixDatagram::bind(&file).unwrap();
        send_state(file.as_os_str(), b"READY=1").unwrap();
        assert_eq!(received(socket), b"READY=1");
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            let name = format!("sealgate-test-{}", std::process::id());
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
            let socket = UnixDatagram::bind_addr(&address).unwrap();
            send_state(OsStr::new(&format!("@{name}")), b"STOPPING=1").unwrap();
            assert_eq!(received(socket), b"STOPPING=1");
        }
    }

    #[test]
    fn a_cause_is_reported_once() {
        let cause = || io::Error::other("no such folder");
        let outer = || Err::<(), _>(cause()).context("the key store failed: no such folder");
        let error = outer().unwrap_err();
        assert_eq!(sentence(&error), "the key store failed: no such folder");
        let error = outer().context("starting").unwrap_err();
        assert_eq!(
            sentence(&error),
            "starting: the key store failed: no such folder"
        );
    }
}
