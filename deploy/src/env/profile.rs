//! A profile in the files that the AWS CLI and the SDKs read.
//!
//! Sections that this wrote have a comment that says so after their head; they are replaced. Every other line stays as
//! it is, and a profile of that name that somebody else wrote is refused.

use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::files;
use crate::running::RunningUp;

/// The two files.
pub(super) struct Files {
    /// Profiles and services.
    pub(super) config: PathBuf,
    /// Access keys.
    pub(super) credentials: PathBuf,
}

impl Files {
    /// The files that an environment names.
    ///
    /// # Errors
    ///
    /// When it names neither them nor a home.
    pub(super) fn of(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let file = |variable: &str, name: &str| match (env(variable), env("HOME")) {
            (Some(file), _) => Ok(PathBuf::from(file)),
            (None, Some(home)) => Ok(Path::new(&home).join(".aws").join(name)),
            (None, None) => Err(anyhow::anyhow!("neither {variable} nor HOME is set")),
        };
        Ok(Self {
            config: file("AWS_CONFIG_FILE", "config")?,
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
        })
    }

    /// Writes the profile `name`. Both files are checked before either is changed.
    ///
    /// # Errors
    ///
    /// When somebody else wrote a section of that name, or a file cannot be read or written.
    pub(super) fn write(&self, name: &str, running: &RunningUp) -> anyhow::Result<()> {
        let services = format!("sealgate-{name}");
        // The CLI calls one profile by its bare name.
        let head = match name {
            "default" => name.to_owned(),
            name => format!("profile {name}"),
        };
        let config = [
            (head, profile(running, &services)),
            (format!("services {services}"), endpoints(running)),
        ];
        let keys = format!(
            "aws_access_key_id = {}\naws_secret_access_key = {}\n",
            running.access_key_id, running.secret_access_key
        );
        let config = edited(&self.config, &config)?;
        let credentials = edited(&self.credentials, &[(name.to_owned(), keys)])?;
        place(&self.config, &config)?;
        place(&self.credentials, &credentials)
    }
}

fn profile(running: &RunningUp, services: &str) -> String {
    let (region, bundle) = (&running.region, running.ca_bundle_file.display());
    format!("region = {region}\nca_bundle = {bundle}\nservices = {services}\n")
}

fn endpoints(running: &RunningUp) -> String {
    let (s3, kms) = (&running.s3_tls_endpoint, &running.kms_endpoint);
    let endpoints = [
        ("s3", s3),
        ("s3_control", &running.s3_control_endpoint),
        ("glacier", s3),
        ("kms", kms),
        ("sts", kms),
        ("cloudtrail", &running.kms_admin_endpoint),
    ];
    let known = endpoints.into_iter().filter(|(_, url)| !url.is_empty());
    known
        .map(|(service, url)| format!("{service} =\n  endpoint_url = {url}\n"))
        .collect()
}

/// The text of a file with these sections in place of those of the same heads.
fn edited(file: &Path, sections: &[(String, String)]) -> anyhow::Result<String> {
    let mut text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading {}", file.display()))?,
    };
    for (head, body) in sections {
        text = with_section(&text, head, body).with_context(|| file.display().to_string())?;
    }
    Ok(text)
}

/// A text with a section of that head, in place of one that this wrote.
fn with_section(text: &str, head: &str, body: &str) -> anyhow::Result<String> {
    let (mut kept, mut is_within) = (String::new(), false);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with('[') {
            is_within = head_of(line).as_deref() == Some(head);
            let is_ours = lines.peek().is_some_and(|next| next.trim() == MARK);
            anyhow::ensure!(
                !is_within || is_ours,
                "[{head}] was not written by `sealgate env`: choose another name, or remove it"
            );
        }
        if !is_within {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let blank = match kept.is_empty() || kept.ends_with("\n\n") {
        true => "",
        false => "\n",
    };
    Ok(format!("{kept}{blank}[{head}]\n{MARK}\n{body}"))
}

/// The head of a section, with one space between its words.
fn head_of(line: &str) -> Option<String> {
    let (head, _) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    Some(head.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Replaces a file, or the one that a link in its place leads to.
fn place(file: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    files::write_private(&file, text.as_bytes())
}

/// After the head of each section that this wrote.
const MARK: &str = "# Written by `sealgate env --write-profile`, which replaces this section.";

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str =
        "[default]\nregion = us-west-2   # mine\n\n[profile work]\nsso_session = x\n";

    #[test]
    fn a_section_is_added_and_replaced_and_the_others_stay() {
        let first = with_section(THEIRS, "profile local", "region = a\n").unwrap();
        assert!(
            first.starts_with(THEIRS) && first.contains("[profile local]"),
            "{first}"
        );
        let more = format!("{first}\n[profile later]\nregion = z\n");
        let second = with_section(&more, "profile local", "region = b\n").unwrap();
        assert!(second.starts_with(THEIRS), "{second}");
        assert!(second.contains("[profile later]\nregion = z\n"), "{second}");
        assert!(
            second.contains("region = b\n") && !second.contains("region = a\n"),
            "{second}"
        );
        assert_eq!(second.matches(MARK).count(), 1, "{second}");
        let again = with_section(&second, "profile local", "region = b\n").unwrap();
        assert_eq!(again, second);
    }

    #[test]
    fn a_section_of_somebody_else_is_refused() {
        for head in ["default", "profile work"] {
            let refusal = with_section(THEIRS, head, "").unwrap_err().to_string();
            assert!(refusal.contains("was not written by"), "{refusal}");
        }
        assert!(with_section("[profile   work]\n", "profile work", "").is_err());
    }

    #[test]
    fn neither_file_is_changed_when_one_of_them_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            config: folder.path().join("aws/config"),
            credentials: folder.path().join("credentials"),
        };
        let running = RunningUp {
            pid: 1,
            s3_tls_endpoint: "https://127.0.0.1:9443".to_owned(),
            s3_control_endpoint: String::new(),
            kms_endpoint: "http://127.0.0.1:9080".to_owned(),
            kms_admin_endpoint: String::new(),
            console: String::new(),
            ca_file: "ca.pem".into(),
            ca_bundle_file: "/data/ca-bundle.pem".into(),
            trust_store_file: "/data/ca.p12".into(),
            region: "us-east-1".to_owned(),
            access_key_id: "MAIN".to_owned(),
            secret_access_key: "precious".to_owned(),
        };
        std::fs::write(&files.credentials, "[local]\naws_access_key_id = x\n").unwrap();
        assert!(files.write("local", &running).is_err());
        assert!(!files.config.exists());
        files.write("other", &running).unwrap();
        let config = std::fs::read_to_string(&files.config).unwrap();
        assert!(!config.contains("precious"), "{config}");
        assert!(
            config.contains("s3 =\n  endpoint_url = https://127.0.0.1:9443\n"),
            "{config}"
        );
        assert!(!config.contains("s3_control"), "{config}");
        let credentials = std::fs::read_to_string(&files.credentials).unwrap();
        assert!(
            credentials.contains("[local]\naws_access_key_id = x\n"),
            "{credentials}"
        );
        assert!(
            credentials.contains("aws_secret_access_key = precious"),
            "{credentials}"
        );
        assert_eq!(files::mode(&files.credentials), 0o600);
    }
}
