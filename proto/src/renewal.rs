//! Values made of files that somebody replaces while a service runs: certificates, private keys, authorities, users.
//!
//! A [`Renewable`] makes its value again on demand, or when its files have other contents; a file that cannot be
//! used leaves the value before in use. Whoever takes the value for a new connection has the newest one.
//!
//! Contents are compared, not times: what an orchestrator mounts is replaced by a link to other files. Other contents
//! are used once they were the same at two looks: half a file may be a file, too, with fewer users or authorities,
//! and a certificate is replaced a moment before its key.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::Digest as _;
use sha2::Sha256;

/// How often files are looked at, so that other contents are in use within ten seconds. A kubelet needs up to a
/// minute to show a changed Secret.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// At how many looks in a row contents may be others each time, before they are used all the same: who is removed
/// from a file must not stay because the file is written all the time.
const UNSETTLED_LOOKS_MAX: u32 = 6;

/// A value made of files.
pub struct Renewable<T, E> {
    name: &'static str,
    files: Vec<PathBuf>,
    /// None for a value that stays.
    make: Option<Make<T, E>>,
    current: ArcSwap<T>,
    seen: Mutex<Seen>,
}

/// Makes the value.
type Make<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// Digests of files; none of one that cannot be read.
type Contents = Vec<Option<[u8; 32]>>;

/// What was seen of the files of a value.
#[derive(Default)]
struct Seen {
    /// Their contents before they were last read.
    read: Contents,
    /// Why the value could not be made of them.
    failure: Option<String>,
    /// Their contents at the last look, if these were others.
    changing: Option<Contents>,
    /// Looks in a row at which they were others.
    looks: u32,
}

impl<T, E> Renewable<T, E> {
    /// What `make` makes of `files`, as `name` in sentences.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub fn new(
        name: &'static str,
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let seen = Mutex::new(Seen {
            read: contents(&files),
            ..Seen::default()
        });
        Ok(Self {
            current: ArcSwap::from_pointee(make()?),
            name,
            files,
            make: Some(Box::new(make)),
            seen,
        })
    }

    /// A value that is made of no files, and stays.
    #[must_use]
    pub fn fixed(name: &'static str, value: T) -> Self {
        Self {
            name,
            files: Vec::new(),
            make: None,
            current: ArcSwap::from_pointee(value),
            seen: Mutex::default(),
        }
    }

    /// The value.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Whether `value` is the one that [`Self::current`] returns.
    #[must_use]
    pub fn is_current(&self, value: &Arc<T>) -> bool {
        Arc::ptr_eq(&self.current.load(), value)
    }

    /// Takes another value, from now on, if it is made of no files.
    pub fn replace(&self, value: T) {
        if self.maker().is_none() {
            self.current.store(Arc::new(value));
        }
    }

    /// What makes the value, if it is made of files.
    fn maker(&self) -> Option<&Make<T, E>> {
        self.make.as_ref().filter(|_| !self.files.is_empty())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is renewed.
pub trait Renew: Send + Sync {
    /// What it is in a sentence, such as `the certificate of the HTTPS port`.
    fn name(&self) -> &'static str;

    /// Reads the files again; if there are none, nothing happens.
    ///
    /// # Errors
    ///
    /// Why what was in use stays so.
    fn renew(&self) -> Result<(), String>;

    /// One look: [`Self::renew`] if the files have other contents than when they were last read, the same at two looks
    /// in a row, or if their contents could not be used. None if nothing is to be reported: they have not, or why they
    /// cannot be used is no other reason than before.
    fn renew_if_changed(&self) -> Option<Result<(), String>>;
}

impl<T: Send + Sync, E: Display> Renew for Renewable<T, E> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn renew(&self) -> Result<(), String> {
        let Some(make) = self.maker() else {
            return Ok(());
        };
        let mut seen = self.seen();
        // Before they are read: what changes from now on is noticed at the next look.
        let read = contents(&self.files);
        let made = make().map_err(|error| error.to_string());
        *seen = Seen {
            read,
            failure: made.as_ref().err().cloned(),
            ..Seen::default()
        };
        self.current.store(Arc::new(made?));
        Ok(())
    }

    fn renew_if_changed(&self) -> Option<Result<(), String>> {
        let make = self.maker()?;
        let mut seen = self.seen();
        let read = contents(&self.files);
        let is_other = read != seen.read;
        if is_other && !seen.is_settled(&read) {
            return None;
        }
        if !is_other && seen.failure.is_none() {
            (seen.changing, seen.looks) = (None, 0);
            return None;
        }
        let made = make().map_err(|error| error.to_string());
        if contents(&self.files) != read {
            // Changed meanwhile, so what was read may be of both. No contents are these: the next looks are at others.
            *seen = Seen::default();
            return None;
        }
        let failure = made.as_ref().err().cloned();
        let is_reported = !is_other && failure.is_some() && failure == seen.failure;
        *seen = Seen {
            read,
            failure,
            ..Seen::default()
        };
        let renewed = made.map(|made| self.current.store(Arc::new(made)));
        (!is_reported).then_some(renewed)
    }
}

impl Seen {
    /// Whether contents that are others than those that were read are to be used.
    fn is_settled(&mut self, now: &Contents) -> bool {
        self.looks += 1;
        let is_settled = self.changing.as_ref() == Some(now) || self.looks >= UNSETTLED_LOOKS_MAX;
        self.changing = Some(now.clone());
        is_settled
    }
}

/// All that a service renews.
#[derive(Clone, Default)]
pub struct Renewals(Vec<Arc<dyn Renew>>);

impl Renewals {
    /// Adds something.
    pub fn add(&mut self, renewed: Arc<dyn Renew>) {
        self.0.push(renewed);
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|part| part.name())
    }

    /// Reads all files again. What cannot be used leaves what was in use before; the rest is renewed. `note` receives
    /// the name of each, and whether it was renewed.
    ///
    /// # Errors
    ///
    /// A sentence about everything that could not be renewed.
    pub fn renew(&self, mut note: impl FnMut(&'static str, bool)) -> Result<(), String> {
        let failed = self.0.iter().filter_map(|part| {
            let renewed = part.renew();
            note(part.name(), renewed.is_ok());
            let cause = renewed.err()?;
            Some(format!("{}: {cause}", part.name()))
        });
        let failed: Vec<_> = failed.collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(failed.join("; ")),
        }
    }

    /// Looks at all files. Renews what has changed files, and logs what became of it. `note` receives the name of each
    /// of these, and whether it was renewed.
    pub fn renew_changed(&self, mut note: impl FnMut(&'static str, bool)) {
        for part in &self.0 {
            let Some(renewed) = part.renew_if_changed() else {
                continue;
            };
            let name = part.name();
            note(name, renewed.is_ok());
            match renewed {
                Ok(()) => tracing::info!("{name}: read again"),
                Err(cause) => {
                    tracing::error!(cause, "{name}: what was read before stays in use");
                }
            }
        }
    }
}

/// What a service could not read again when it last tried, so that what it read before is in use.
#[derive(Default)]
pub struct Outdated(Mutex<BTreeSet<&'static str>>);

impl Outdated {
    /// Notes whether something was read again. `show` receives whether anything is outdated now; no other call comes
    /// in between.
    pub fn note(&self, name: &'static str, is_done: bool, show: impl FnOnce(bool)) {
        let mut outdated = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match is_done {
            true => outdated.remove(name),
            false => outdated.insert(name),
        };
        show(!outdated.is_empty());
    }
}

fn contents(files: &[PathBuf]) -> Contents {
    let digest = |file: &PathBuf| {
        let content = zeroize::Zeroizing::new(std::fs::read(file).ok()?);
        Some(Sha256::digest(&*content).into())
    };
    files.iter().map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in a file of a folder.
    fn number(folder: &tempfile::TempDir) -> (PathBuf, Arc<Renewable<u8, String>>) {
        let file = folder.path().join("number");
        std::fs::write(&file, "1").unwrap();
        let read = file.clone();
        let make = move || {
            let text = std::fs::read_to_string(&read).map_err(|error| error.to_string())?;
            text.parse().map_err(|_| format!("{text} is no number"))
        };
        let number = Renewable::new("the number", vec![file.clone()], make).unwrap();
        (file, Arc::new(number))
    }

    #[test]
    fn a_file_with_another_content_is_read_again_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        let first = number.current();
        assert_eq!(number.renew_if_changed(), None);
        std::fs::write(&file, "1").unwrap();
        assert!(looks(&*number, 2).is_empty(), "only the time changed");
        std::fs::write(&file, "2").unwrap();
        assert_eq!(looks(&*number, 2), [Ok(())]);
        assert_eq!((*number.current(), number.is_current(&first)), (2, false));
        assert!(looks(&*number, 2).is_empty());
    }

    /// What so many looks report.
    fn looks(renewed: &dyn Renew, count: usize) -> Vec<Result<(), String>> {
        let reported = std::iter::repeat_with(|| renewed.renew_if_changed());
        reported.take(count).flatten().collect()
    }

    #[test]
    fn a_link_to_another_file_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        let (other, link) = (folder.path().join("other"), folder.path().join("link"));
        std::fs::write(&other, "3").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        std::fs::rename(&link, &file).unwrap();
        assert_eq!(looks(&*number, 2), [Ok(())]);
        assert_eq!(*number.current(), 3);
    }

    #[test]
    fn half_a_file_is_not_used_nor_what_it_was_for_a_moment() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        // Half of 12 is a number, too; and an empty file is what a program leaves that has just opened it.
        for (text, reported, value) in [
            ("", None, 1),
            ("2", None, 1),
            ("1", None, 1),
            ("2", None, 1),
            ("21", None, 1),
            ("21", Some(Ok(())), 21),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(number.renew_if_changed(), reported, "{text:?}");
            assert_eq!(*number.current(), value, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_written_all_the_time_is_read_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        let reported = (2..).map_while(|next: u8| {
            std::fs::write(&file, next.to_string()).unwrap();
            number.renew_if_changed().is_none().then_some(next)
        });
        assert_eq!(reported.count(), 5, "the sixth look reads it");
        assert_eq!(*number.current(), 7);
    }

    #[test]
    fn of_two_files_that_are_replaced_one_after_the_other_both_are_awaited() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["certificate", "key"].map(|name| folder.path().join(name));
        let write = |file: usize, text: &str| std::fs::write(&files[file], text).unwrap();
        write(0, "1");
        write(1, "1");
        let read = files.clone();
        let make = move || {
            let [certificate, key] = read.each_ref().map(|file| std::fs::read(file).unwrap());
            let fits = certificate == key;
            fits.then_some(certificate)
                .ok_or_else(|| "the key is another's".to_owned())
        };
        let pair = Renewable::new("the pair", files.to_vec(), make).unwrap();
        // Between two looks.
        write(0, "2");
        assert_eq!(pair.renew_if_changed(), None);
        write(1, "2");
        assert_eq!(looks(&pair, 2), [Ok(())]);
        // Further apart: it is reported once, and the second file ends it.
        write(0, "3");
        let refused = Err("the key is another's".to_owned());
        assert_eq!(looks(&pair, 9), [refused]);
        assert_eq!(*pair.current(), b"2");
        write(1, "3");
        assert_eq!(looks(&pair, 9), [Ok(())]);
        assert_eq!(*pair.current(), b"3");
    }

    #[test]
    fn files_that_change_while_they_are_read_are_read_another_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        std::fs::write(&file, "1").unwrap();
        let (read, is_replaced) = (file.clone(), Mutex::new(false));
        let make = move || {
            let text = std::fs::read_to_string(&read).unwrap();
            if text == "2" && !std::mem::replace(&mut *is_replaced.lock().unwrap(), true) {
                std::fs::write(&read, "3").unwrap();
            }
            Ok::<_, String>(text)
        };
        let number = Renewable::new("the number", vec![file], make).unwrap();
        std::fs::write(folder.path().join("number"), "2").unwrap();
        assert!(looks(&number, 2).is_empty());
        assert_eq!(*number.current(), "1");
        assert_eq!(looks(&number, 2), [Ok(())]);
        assert_eq!(*number.current(), "3");
    }

    #[test]
    fn what_cannot_be_used_leaves_the_value_before_and_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        let mut renewals = Renewals::default();
        renewals.add(Arc::clone(&number) as Arc<dyn Renew>);
        let changed = || {
            let mut counted = Vec::new();
            (0..3).for_each(|_| renewals.renew_changed(|_, is_done| counted.push(is_done)));
            counted
        };
        std::fs::write(&file, "two").unwrap();
        assert_eq!((changed(), changed()), (vec![false], vec![]));
        assert_eq!(
            renewals.renew(|name, is_done| assert_eq!((name, is_done), ("the number", false))),
            Err("the number: two is no number".to_owned())
        );
        assert!(changed().is_empty());
        std::fs::remove_file(&file).unwrap();
        assert_eq!((changed(), changed()), (vec![false], vec![]));
        assert_eq!(*number.current(), 1);
        std::fs::write(&file, "4").unwrap();
        assert_eq!((changed(), *number.current()), (vec![true], 4));
    }

    #[test]
    fn what_could_not_be_used_is_used_once_it_can_be_though_its_content_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let mode = |mode: u32| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&file, mode).unwrap();
        };
        std::fs::write(&file, "1").unwrap();
        mode(0o600);
        let read = file.clone();
        let make = move || {
            let metadata = std::fs::metadata(&read).map_err(|error| error.to_string())?;
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
            match mode {
                0o600 => std::fs::read_to_string(&read).map_err(|error| error.to_string()),
                mode => Err(format!("others can read it ({mode:o})")),
            }
        };
        let secret = Renewable::new("the secret", vec![file.clone()], make).unwrap();
        std::fs::write(&file, "2").unwrap();
        mode(0o644);
        let refused = |mode: u32| Err(format!("others can read it ({mode:o})"));
        assert_eq!(looks(&secret, 9), [refused(0o644)]);
        mode(0o640);
        assert_eq!(looks(&secret, 9), [refused(0o640)], "another reason");
        mode(0o600);
        assert_eq!(looks(&secret, 9), [Ok(())]);
        assert_eq!(*secret.current(), "2");
    }

    #[test]
    fn what_is_made_of_no_file_stays() {
        let made = Renewable::new("it", Vec::new(), || Ok::<_, String>(1)).unwrap();
        for fixed in [made, Renewable::fixed("it", 1)] {
            let first = fixed.current();
            assert_eq!((fixed.renew(), fixed.renew_if_changed()), (Ok(()), None));
            assert!(fixed.is_current(&first));
            fixed.replace(2);
            assert_eq!(*fixed.current(), 2);
        }
    }

    #[test]
    fn what_is_made_of_files_is_made_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (_, number) = number(&folder);
        number.replace(9);
        assert_eq!(*number.current(), 1);
    }

    #[test]
    fn something_is_outdated_until_everything_was_read_again() {
        let outdated = Outdated::default();
        for (name, is_done, expected) in [
            ("users", true, false),
            ("users", false, true),
            ("users", false, true),
            ("certificate", false, true),
            ("users", true, true),
            ("certificate", true, false),
        ] {
            let mut shown = None;
            outdated.note(name, is_done, |is_outdated| shown = Some(is_outdated));
            assert_eq!(shown, Some(expected), "{name} {is_done}");
        }
    }
}
