//! Values made of files that somebody replaces while a service runs: certificates, private keys, authorities, users.
//!
//! A [`Renewable`] makes its value again on demand, or when its files have other contents; a file that cannot be
//! used leaves the value before in use. Whoever takes the value for a new connection has the newest one.
//!
//! Contents are compared, not times: what an orchestrator mounts is replaced by a link to other files.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::Digest as _;
use sha2::Sha256;

/// How long files may be others before that is noticed. A kubelet needs up to a minute to show a changed Secret.
pub const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// A value made of files.
pub struct Renewable<T, E> {
    name: &'static str,
    files: Vec<PathBuf>,
    /// None for a value that stays.
    make: Option<Make<T, E>>,
    current: ArcSwap<T>,
    /// The contents of the files before they were last read.
    seen: Mutex<Contents>,
}

/// Makes the value.
type Make<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// Digests of files; none of one that cannot be read.
type Contents = Vec<Option<[u8; 32]>>;

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
        let seen = Mutex::new(contents(&files));
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

    /// [`Self::renew`] if the files have other contents than when they were last read; none if they have not.
    fn renew_if_changed(&self) -> Option<Result<(), String>>;
}

impl<T: Send + Sync, E: Display> Renew for Renewable<T, E> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn renew(&self) -> Result<(), String> {
        let Some(make) = self.make.as_ref().filter(|_| !self.files.is_empty()) else {
            return Ok(());
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Before they are read: what changes from now on is noticed the next time.
        *seen = contents(&self.files);
        let made = make().map_err(|error| error.to_string())?;
        self.current.store(Arc::new(made));
        Ok(())
    }

    fn renew_if_changed(&self) -> Option<Result<(), String>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = *seen != contents(&self.files);
        drop(seen);
        has_changed.then(|| self.renew())
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

    /// Reads all files again. What cannot be used leaves what was in use before; the rest is renewed.
    ///
    /// # Errors
    ///
    /// A sentence about everything that could not be renewed.
    pub fn renew(&self) -> Result<(), String> {
        let failed = self.0.iter().filter_map(|part| {
            let cause = part.renew().err()?;
            Some(format!("{}: {cause}", part.name()))
        });
        let failed: Vec<_> = failed.collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(failed.join("; ")),
        }
    }

    /// Renews what has changed files, and logs what became of it. Each is counted by `count`, with whether it was
    /// renewed.
    pub fn renew_changed(&self, mut count: impl FnMut(bool)) {
        for part in &self.0 {
            let Some(renewed) = part.renew_if_changed() else {
                continue;
            };
            count(renewed.is_ok());
            let name = part.name();
            match renewed {
                Ok(()) => tracing::info!("{name}: read again"),
                Err(cause) => {
                    tracing::error!(cause, "{name}: what was read before stays in use");
                }
            }
        }
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
        assert_eq!(number.renew_if_changed(), None, "only the time changed");
        std::fs::write(&file, "2").unwrap();
        assert_eq!(number.renew_if_changed(), Some(Ok(())));
        assert_eq!((*number.current(), number.is_current(&first)), (2, false));
        assert_eq!(number.renew_if_changed(), None);
    }

    #[test]
    fn a_link_to_another_file_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        let (other, link) = (folder.path().join("other"), folder.path().join("link"));
        std::fs::write(&other, "3").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        std::fs::rename(&link, &file).unwrap();
        assert_eq!(number.renew_if_changed(), Some(Ok(())));
        assert_eq!(*number.current(), 3);
    }

    #[test]
    fn what_cannot_be_used_leaves_the_value_before_and_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = number(&folder);
        let mut renewals = Renewals::default();
        renewals.add(Arc::clone(&number) as Arc<dyn Renew>);
        let changed = || {
            let mut counted = Vec::new();
            renewals.renew_changed(|is_done| counted.push(is_done));
            counted
        };
        std::fs::write(&file, "two").unwrap();
        assert_eq!((changed(), changed()), (vec![false], vec![]));
        assert_eq!(
            renewals.renew(),
            Err("the number: two is no number".to_owned())
        );
        std::fs::remove_file(&file).unwrap();
        assert_eq!((changed(), changed()), (vec![false], vec![]));
        assert_eq!(*number.current(), 1);
        std::fs::write(&file, "4").unwrap();
        assert_eq!((changed(), *number.current()), (vec![true], 4));
    }

    #[test]
    fn what_is_made_of_no_file_stays() {
        let made = Renewable::new("it", Vec::new(), || Ok::<_, String>(1)).unwrap();
        for fixed in [made, Renewable::fixed("it", 1)] {
            let first = fixed.current();
            assert_eq!((fixed.renew(), fixed.renew_if_changed()), (Ok(()), None));
            assert!(fixed.is_current(&first));
        }
    }
}
