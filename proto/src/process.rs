//! What the operating system knows of this process, as metrics: under the names that Prometheus's client libraries
//! have for it.
//!
//! On Linux, from `/proc`; elsewhere there is nothing. Every service of a process shows the same.
//!
//! Sources: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>, proc(5)

use std::fmt::Write as _;

/// Names, types and meanings.
pub const METRICS: [(&str, &str, &str); 6] = [
    (
        "process_cpu_seconds_total",
        "counter",
        "CPU time of the process, of user and system together, in seconds.",
    ),
    (
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory of the process in bytes.",
    ),
    (
        "process_open_fds",
        "gauge",
        "Open file descriptors of the process.",
    ),
    (
        "process_max_fds",
        "gauge",
        "File descriptors that the process may have open.",
    ),
    (
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since 1970.",
    ),
    ("process_threads", "gauge", "Threads of the process."),
];

/// The metrics of this process in Prometheus's text format, without those that cannot be read.
#[must_use]
pub fn render() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let open = std::fs::read_dir("/proc/self/fd").ok();
    Sources {
        stat: &read("/proc/self/stat"),
        status: &read("/proc/self/status"),
        limits: &read("/proc/self/limits"),
        system: &read("/proc/stat"),
        // Without the one by which they are counted.
        open_files: open.map(|files| files.count().saturating_sub(1)),
    }
    .render()
}

/// What is read.
struct Sources<'a> {
    /// `/proc/self/stat`: one line.
    stat: &'a str,
    /// `/proc/self/status`: a name and a value in each line.
    status: &'a str,
    /// `/proc/self/limits`: a table.
    limits: &'a str,
    /// `/proc/stat`.
    system: &'a str,
    open_files: Option<usize>,
}

impl Sources<'_> {
    fn render(&self) -> String {
        let values = [
            self.cpu_seconds(),
            self.of_status("VmRSS:").map(|kibibytes| kibibytes * 1024.0),
            self.open_files
                .and_then(|files| files.to_string().parse().ok()),
            self.open_files_max(),
            self.start_seconds(),
            self.of_status("Threads:"),
        ];
        let mut text = String::new();
        for ((name, kind, meaning), value) in METRICS.into_iter().zip(values) {
            if let Some(value) = value {
                let _ = writeln!(
                    text,
                    "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name} {value}\n"
                );
            }
        }
        text
    }

    /// A field of `stat` by its number in proc(5). The name of the program, which may have blanks, is in brackets.
    fn field(&self, number: usize) -> Option<f64> {
        let (_, after_name) = self.stat.rsplit_once(')')?;
        let at = number.checked_sub(FIELDS_TO_NAME + 1)?;
        after_name.split_whitespace().nth(at)?.parse().ok()
    }

    fn cpu_seconds(&self) -> Option<f64> {
        Some((self.field(14)? + self.field(15)?) / TICKS_PER_SECOND)
    }

    fn start_seconds(&self) -> Option<f64> {
        let mut lines = self.system.lines();
        let boot = lines.find_map(|line| line.strip_prefix("btime "))?;
        let boot: f64 = boot.trim().parse().ok()?;
        Some(boot + self.field(22)? / TICKS_PER_SECOND)
    }

    fn of_status(&self, name: &str) -> Option<f64> {
        let mut lines = self.status.lines();
        let value = lines.find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()?.parse().ok()
    }

    /// None where there is no limit.
    fn open_files_max(&self) -> Option<f64> {
        let mut lines = self.limits.lines();
        let limits = lines.find_map(|line| line.strip_prefix("Max open files"))?;
        limits.split_whitespace().next()?.parse().ok()
    }
}

/// Fields of `stat` up to the name of the program.
const FIELDS_TO_NAME: usize = 2;

/// The unit of CPU time in `/proc`, whatever the kernel's own is: `USER_HZ`, which is 100 on every architecture that
/// Rust has Linux for. Prometheus's own library for Go has it as a constant, too.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_shows_is_rendered_with_its_meaning_and_type() {
        let text = Sources {
            stat: "7 (a b) c) S 1 7 7 0 -1 0 0 0 0 0 250 150 0 0 20 0 9 0 12345 1 2 3",
            status: "Name:\ta\nVmRSS:\t   2048 kB\nThreads:\t9\n",
            limits: "Limit  Soft  Hard  Units\nMax open files            1024                 4096                 files\n",
            system: "cpu 1 2\nbtime 1700000000\n",
            open_files: Some(12),
        }
        .render();
        for line in [
            "process_cpu_seconds_total 4",
            "process_resident_memory_bytes 2097152",
            "process_open_fds 12",
            "process_max_fds 1024",
            "process_start_time_seconds 1700000123.45",
            "process_threads 9",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        for (name, kind, meaning) in METRICS {
            let head = format!("# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name} ");
            assert!(text.contains(&head), "{name}: {text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let nothing = Sources {
            stat: "7 (a) S",
            status: "",
            limits: "Max open files  unlimited  unlimited  files",
            system: "btime 1700000000",
            open_files: None,
        };
        assert_eq!(nothing.render(), "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_every_metric() {
        let _open = std::fs::File::open("/proc/self/stat").unwrap();
        let text = render();
        for (name, ..) in METRICS {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            let value: f64 = value.unwrap_or_default().trim().parse().unwrap();
            assert!(value > 0.0 || name == "process_cpu_seconds_total", "{text}");
        }
    }
}
