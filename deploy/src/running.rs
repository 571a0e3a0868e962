//! `run.json` in the data folder of a running `up`: where its ports are and by which access key, for other commands.
//!
//! The process holds a lock on it, which the system ends with the process: a file that nobody holds was left by a
//! process that was killed.

use std::fs::File;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use crate::announce::Announcement;
use crate::certificate::BUNDLE_FILE;
use crate::certificate::TRUST_STORE_FILE;
use crate::files;

/// The file of this process. Dropping it removes it.
pub struct RunFile {
    path: PathBuf,
    _lock: File,
}

impl RunFile {
    /// Writes what `announcement` has, the id of this process, and the bundles of authorities in its data folder into
    /// `folder`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(folder: &Path, announcement: &Announcement) -> anyhow::Result<Self> {
        let mut content = announcement.json()?;
        let fields = content
            .as_object_mut()
            .context("an announcement has fields")?;
        fields.insert("pid".to_owned(), json!(std::process::id()));
        let data = &announcement.data_dir;
        for (field, file) in [
            ("ca_bundle_file", BUNDLE_FILE),
            ("trust_store_file", TRUST_STORE_FILE),
        ] {
            fields.insert(field.to_owned(), json!(data.join(file)));
        }
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(&content)?;
        Ok(Self {
            _lock: files::write_locked(&path, &text)?,
            path,
        })
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // One that stays is recognised by its lock, which ends now.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What the file of a running `up` has.
#[derive(Clone, Debug, Deserialize)]
pub struct RunningUp {
    /// The process.
    pub pid: u32,
    /// S3 over HTTPS.
    pub s3_tls_endpoint: String,
    /// S3 Control over HTTPS; empty if there is no name for it.
    #[serde(default)]
    pub s3_control_endpoint: String,
    /// KMS and STS.
    pub kms_endpoint: String,
    /// CloudTrail's LookupEvents.
    pub kms_admin_endpoint: String,
    /// Where a browser shows both services.
    #[serde(default)]
    pub console: String,
    /// The authority that signed the certificate, PEM.
    pub ca_file: PathBuf,
    /// The authorities of the system and that one, PEM.
    pub ca_bundle_file: PathBuf,
    /// The same as a trust store of Java; empty if an earlier version runs.
    #[serde(default)]
    pub trust_store_file: PathBuf,
    /// The Region.
    pub region: String,
    /// The main user's access key id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl RunningUp {
    /// Reads the file in `folder`.
    ///
    /// # Errors
    ///
    /// When no `up` runs there, or the file cannot be read.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let context = || format!("reading {}", path.display());
        let way = "start `sealgate up`, or name its folder with --data";
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                anyhow::bail!("no sealgate runs in {}: {way}", folder.display())
            }
            opened => opened.with_context(context)?,
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
            Ok(()) => anyhow::bail!(
                "no sealgate runs in {} any more; the last one was killed: {way}",
                folder.display()
            ),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(context)?;
        serde_json::from_str(&text).with_context(context)
    }
}

/// Where it is in the data folder.
const FILE: &str = "run.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        Announcement {
            s3_tls_endpoint: "https://127.0.0.1:9443".to_owned(),
            access_key_id: "MAIN".to_owned(),
            ..Announcement::default()
        }
    }

    #[test]
    fn a_running_process_is_found_and_one_that_ended_or_was_killed_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = || RunningUp::read(folder.path()).unwrap_err().to_string();
        assert!(refusal().contains("no sealgate runs in"), "{}", refusal());
        let announcement = Announcement {
            data_dir: folder.path().to_owned(),
            ..announcement()
        };
        let file = RunFile::write(folder.path(), &announcement).unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(files::mode(&path), 0o600);
        let found = RunningUp::read(folder.path()).unwrap();
        assert_eq!(found.pid, std::process::id());
        assert_eq!(found.access_key_id, "MAIN");
        let files = [found.ca_bundle_file, found.trust_store_file];
        let expected = ["ca-bundle.pem", "ca.p12"].map(|name| folder.path().join(name));
        assert_eq!(files, expected);

        let left = std::fs::read(&path).unwrap();
        drop(file);
        assert!(!path.exists());
        files::write_private(&path, &left).unwrap();
        assert!(refusal().contains("was killed"), "{}", refusal());
    }

    #[test]
    fn a_later_life_replaces_the_file_of_one_that_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        files::write_private(&folder.path().join(FILE), b"{").unwrap();
        let _file = RunFile::write(folder.path(), &announcement()).unwrap();
        assert_eq!(
            RunningUp::read(folder.path()).unwrap().access_key_id,
            "MAIN"
        );
    }
}
