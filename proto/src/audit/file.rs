//! The file of events: one JSON object a line.
//!
//! Several processes may append to one file, and any of them may be killed while it writes. So lines are written
//! whole, many of them with one call, and whoever finds the file to end within a line ends that line first: a
//! reader loses the line that was cut off, and none after it.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;

use crate::audit::latest::Kept;

/// A file that events are appended to.
pub(crate) struct EventFile<W = File> {
    file: W,
    /// Lines that are not written yet, and how many.
    lines: Vec<u8>,
    lines_count: u64,
    /// Whether the file ends within a line.
    is_cut_off: bool,
    /// The file again, whose lock every process shares while it writes: whoever opens the file and finds no lock
    /// knows that a line without an end stays so.
    lock: Option<File>,
}

impl EventFile {
    /// Opens a file for appending, and creates it if there is none. Only its owner may read it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let lock = file.try_clone()?;
        // What cannot be read does not end within a line of an earlier process.
        let is_cut_off = lock.try_lock().is_ok() && ends_within_a_line(path).unwrap_or(false);
        // It fails where there are no locks, and then there was none.
        drop(lock.unlock());
        Ok(Self {
            lock: Some(lock),
            ..Self::new(file, is_cut_off)
        })
    }
}

impl<W: Write> EventFile<W> {
    const fn new(file: W, is_cut_off: bool) -> Self {
        Self {
            file,
            lines: Vec::new(),
            lines_count: 0,
            is_cut_off,
            lock: None,
        }
    }

    /// Appends events; returns how many could not be written.
    pub(crate) fn append(&mut self, events: &[Kept]) -> u64 {
        let mut lost = 0;
        for event in events {
            let start = self.lines.len();
            if serde_json::to_writer(&mut self.lines, &*event.event()).is_err() {
                self.lines.truncate(start);
                lost += 1;
                continue;
            }
            self.lines.push(b'\n');
            self.lines_count += 1;
            if self.lines.len() >= WRITE_BYTES {
                lost += self.write_out();
            }
        }
        lost + self.write_out()
    }

    /// Writes the lines that wait; returns how many could not be written.
    fn write_out(&mut self) -> u64 {
        if self.is_cut_off && !self.lines.is_empty() {
            self.lines.insert(0, b'\n');
        }
        // Where there are no locks, the worst is an empty line.
        drop(self.lock.as_ref().map(File::lock_shared));
        let result = self.write_lines();
        drop(self.lock.as_ref().map(File::unlock));
        let count = std::mem::take(&mut self.lines_count);
        self.lines.clear();
        match result {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!(%error, count, "audit events could not be written");
                count
            }
        }
    }

    fn write_lines(&mut self) -> io::Result<()> {
        let mut rest = self.lines.as_slice();
        while !rest.is_empty() {
            let written = match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (done, left) = rest.split_at_checked(written).unwrap_or((rest, &[]));
            self.is_cut_off = done.last() != Some(&b'\n');
            rest = left;
        }
        self.file.flush()
    }
}

fn ends_within_a_line(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Lines are written when they are this many bytes together, or when no more events wait.
const WRITE_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests;
