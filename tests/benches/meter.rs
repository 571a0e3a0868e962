//! What a process has used, by `/proc`.

use std::time::Duration;

/// CPU time (user and system, all threads, ended ones too) of a process.
///
/// Source: proc_pid_stat(5), fields 14 and 15, in hundredths of a second.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name, the second field, may hold anything but ends at the last parenthesis.
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks = |index: usize| {
        fields
            .split_whitespace()
            .nth(index)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Largest resident set of a process so far, in bytes.
pub fn peak_rss(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .next()
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}
