//! The folder of a data folder that keeps reports: files of results in JSON, which the console lists and shows.
//!
//! Files are named by when they were kept, and stay until somebody removes them. What is read is bounded, and only
//! regular files that lie in the folder itself are: no link, no pipe, and no name that leads elsewhere. What a list
//! shows of a file is remembered while the file stays the same.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use proto::time::Timestamp;
use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;

use crate::credentials;
use crate::files;
use crate::report::limits;
use crate::report::outline::Outline;
use crate::report::results::Results;

/// The folder of one data folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    outlines: Arc<Mutex<Outlines>>,
}

/// What lists showed of files, by their names.
type Outlines = HashMap<String, (Version, Result<Outline, String>)>;

/// What is another number when a file changed: its inode, its length, and when it changed last, in seconds and
/// nanoseconds. That time cannot be set, as the time of writing can.
type Version = [i128; 4];

/// A part of the reports, those kept last first.
#[derive(Debug, Default)]
pub struct Listing {
    /// The part.
    pub entries: Vec<Entry>,
    /// How many there are in all.
    pub count: usize,
    /// Whether there are files beyond these, which were not looked at.
    pub is_cut: bool,
}

/// A report in a list.
#[derive(Debug)]
pub struct Entry {
    /// Its name, by which [`Folder::read`] finds it.
    pub name: String,
    /// When its file was written.
    pub kept_at: Timestamp,
    /// What is shown of its results, or why they are not shown, in a sentence.
    pub outline: Result<Outline, String>,
}

/// Why a report cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// There is none of that name.
    #[error("There is no report of that name.")]
    Absent,
    /// The file is not a report that is shown; why, in a sentence.
    #[error("{0}")]
    Refused(String),
}

impl Folder {
    /// That of a data folder; it need not exist.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            path: data.join(FOLDER),
            outlines: Arc::default(),
        }
    }

    /// Keeps results; returns the report's name. The data folder must exist, and the folder in it is made.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or the results are larger than what is shown.
    pub fn keep(&self, results: &Results, now: Timestamp) -> anyhow::Result<String> {
        let text = serde_json::to_vec(results)?;
        anyhow::ensure!(
            text.len() as u64 <= FILE_BYTES_MAX,
            "the report has {} bytes, and at most {FILE_BYTES_MAX} are kept: write it with --json or --html",
            text.len()
        );
        if let Err(why) = limits::parse(&text) {
            anyhow::bail!("the report would not be shown: {why} Write it with --json or --html");
        }
        anyhow::ensure!(
            self.path.parent().is_some_and(Path::is_dir),
            "the folder of {} is not there any more: write the report with --json or --html",
            self.path.display()
        );
        // A link there would lead elsewhere.
        self.open().map_err(anyhow::Error::msg)?;
        files::private_directory(&self.path)?;
        let target = results.scenario.get("target").filter(|it| is_name(it));
        let random = hex::encode(credentials::random::<4>()?);
        let name = format!(
            "{}-{}-{random}",
            now.basic(),
            target.map_or("load", String::as_str)
        );
        files::write_private(&self.path.join(format!("{name}{ENDING}")), &text)?;
        Ok(name)
    }

    /// Reports without the first `skip`, and at most [`PAGE`].
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, in a sentence.
    pub fn list(&self, skip: usize) -> Result<Listing, String> {
        let Some(folder) = self.open()? else {
            return Ok(Listing::default());
        };
        let failed = |error: Errno| format!("The folder of reports cannot be read: {error}.");
        let mut found = Vec::new();
        let mut is_cut = false;
        for (number, entry) in Dir::read_from(&folder).map_err(failed)?.enumerate() {
            is_cut = number >= ENTRIES_MAX;
            if is_cut {
                break;
            }
            if let Some(name) = report_name(entry.map_err(failed)?.file_name()) {
                let file = format!("{name}{ENDING}");
                let stat = rustix::fs::statat(&folder, file, AtFlags::SYMLINK_NOFOLLOW);
                let seconds = stat.map_or(0, |stat| stat.st_mtime);
                let version = stat.as_ref().map_or([0; 4], version);
                found.push((Timestamp::from_unix_seconds(seconds), name, version));
            }
        }
        found.sort_by(|one, other| other.cmp(one));
        let mut rest = LIST_BYTES_MAX;
        let part = found.iter().skip(skip).take(PAGE);
        let entries = part.map(|(kept_at, name, version)| Entry {
            outline: self.outline(&folder, (name, *version), &mut rest),
            kept_at: *kept_at,
            name: name.clone(),
        });
        Ok(Listing {
            entries: entries.collect(),
            count: found.len(),
            is_cut,
        })
    }

    /// The results of the report of that name.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn read(&self, name: &str) -> Result<Results, Unreadable> {
        if !is_name(name) {
            return Err(Unreadable::Absent);
        }
        let folder = self.open().map_err(Unreadable::Refused)?;
        let folder = folder.ok_or(Unreadable::Absent)?;
        limits::parse(&bytes_of(&folder, name)?).map_err(Unreadable::Refused)
    }

    /// What a list shows of a report, whose file takes from what may be read still unless it is remembered.
    fn outline(
        &self,
        folder: impl AsFd,
        (name, version): (&str, Version),
        rest: &mut u64,
    ) -> Result<Outline, String> {
        let remembered = || self.outlines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, outline)) = remembered().get(name)
            && *seen == version
        {
            return outline.clone();
        }
        let [_, length, ..] = version;
        if length.min(FILE_BYTES_MAX.into()) > i128::from(*rest) {
            let why =
                "The reports before it in the list are so large that it was not read: open it.";
            return Err(why.to_owned());
        }
        let bytes = bytes_of(folder, name).map_err(|why| why.to_string())?;
        *rest = rest.saturating_sub(bytes.len() as u64);
        let outline = limits::parse(&bytes).map(|results| Outline::of(&results));
        let mut outlines = remembered();
        if outlines.len() >= OUTLINES_MAX {
            outlines.clear();
        }
        outlines.insert(name.to_owned(), (version, outline.clone()));
        outline
    }

    /// The folder; none if there is none.
    fn open(&self) -> Result<Option<OwnedFd>, String> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(format!(
                "{} is no folder, or a symbolic link, which could lead anywhere: remove it.",
                self.path.display()
            )),
            Err(error) => Err(format!("{} cannot be read: {error}.", self.path.display())),
        }
    }
}

/// What a file is at the moment.
fn version(stat: &Stat) -> Version {
    [
        stat.st_ino.into(),
        stat.st_size.into(),
        stat.st_ctime.into(),
        stat.st_ctime_nsec.into(),
    ]
}

/// The content of a report's file.
fn bytes_of(folder: impl AsFd, name: &str) -> Result<Vec<u8>, Unreadable> {
    let refused = |why: String| Unreadable::Refused(why);
    // Not to wait for the other end of a pipe.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, format!("{name}{ENDING}"), flags, Mode::empty());
    let file = match opened {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Err(Unreadable::Absent),
        Err(Errno::LOOP) => return Err(refused("It is a symbolic link.".to_owned())),
        Err(error) => return Err(refused(format!("It cannot be read: {error}."))),
    };
    let failed = |error: std::io::Error| refused(format!("It cannot be read: {error}."));
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(refused("It is no regular file.".to_owned()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(refused(format!(
            "It has {} bytes, and at most {FILE_BYTES_MAX} are read.",
            metadata.len()
        )));
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(failed)?;
    Ok(bytes)
}

/// The report of a file; none for a file that is none.
fn report_name(file: &CStr) -> Option<String> {
    let name = file.to_str().ok()?.strip_suffix(ENDING)?;
    is_name(name).then(|| name.to_owned())
}

/// Whether that may be the name of a report: no dot and no slash, so that it stays in the folder.
fn is_name(name: &str) -> bool {
    let is_within = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_within)
}

/// Reports of a part of the list.
pub const PAGE: usize = 25;

/// Where it is in the data folder.
const FOLDER: &str = "reports";

/// How names of files end.
const ENDING: &str = ".json";

/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 80;

/// Most bytes of a file: about eight hours of seconds.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Most bytes that are read for a list.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// Most files that are remembered, of less than 2 KiB each.
const OUTLINES_MAX: usize = 1_000;

/// Most files that are looked at.
const ENTRIES_MAX: usize = 10_000;

#[cfg(test)]
mod tests;
