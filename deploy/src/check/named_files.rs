//! Files that a configuration names: whether they are there, who can read them, and whether they fit each other.

use std::path::Path;
use std::path::PathBuf;

use proto::certificate::not_after;
use proto::iam::Principals;
use proto::service_secret::ServiceSecrets;
use proto::time::Clock as _;
use proto::time::SystemClock;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;

use crate::check::findings::OfService;
use crate::configuration::nearest;
use crate::files;

/// Checks a certificate chain and its key, and when the first of the chain ends.
pub(super) fn pair(found: &mut OfService<'_>, certificate: (&str, &Path), key: (&str, &Path)) {
    private(found, key);
    let chain = match certificates(certificate.1) {
        Ok(chain) => chain,
        Err(error) => return found.error(certificate.0, &sentence(certificate, &error)),
    };
    let private = match PrivateKeyDer::from_pem_file(key.1) {
        Ok(private) => private,
        Err(error) => return found.error(key.0, &sentence(key, &error.into())),
    };
    let provider = aws_lc_rs::default_provider();
    let fits = CertifiedKey::from_der(chain.clone(), private, &provider);
    if let Err(error) = fits {
        let what = match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("the key in {} is another's", key.1.display())
            }
            error => error.to_string(),
        };
        return found.error(
            certificate.0,
            &sentence(certificate, &anyhow::anyhow!(what)),
        );
    }
    expiry(found, certificate, chain.first());
}

/// Checks that a file has certificates of authorities.
pub(super) fn authorities(found: &mut OfService<'_>, field: &str, file: Option<&PathBuf>) {
    if let Some(file) = file
        && let Err(error) = certificates(file)
    {
        found.error(field, &sentence((field, file), &error));
    }
}

/// Checks that a file can be read and is not empty.
pub(super) fn secret(found: &mut OfService<'_>, field: &str, file: &Path) {
    private(found, (field, file));
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => {
            let error = anyhow::anyhow!("the file is empty");
            found.error(field, &sentence((field, file), &error));
        }
        Ok(_) => {}
        Err(error) => found.error(field, &sentence((field, file), &error.into())),
    }
}

/// Checks a file with the secret of services.
pub(super) fn service_secret(found: &mut OfService<'_>, field: &str, file: &Path) {
    if let Err(error) = ServiceSecrets::read(file) {
        found.error(field, &nearest(&format!("{field}: {error}")));
    }
}

/// Checks a file of users and roles.
pub(super) fn users(found: &mut OfService<'_>, field: &str, file: &Path) {
    let read = files::read_secret(file);
    let parsed = read.and_then(|text| Ok(Principals::parse(&text)?));
    if let Err(error) = parsed {
        found.error(field, &sentence((field, file), &error));
    }
}

/// Checks that the folder of a file that a start creates is there.
pub(super) fn folder_of(found: &mut OfService<'_>, field: &str, file: &Path) {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let error = anyhow::anyhow!("there is no folder for it");
        found.error(field, &sentence((field, file), &error));
    }
}

/// Warns of a secret that other users of the machine can read.
pub(super) fn private(found: &mut OfService<'_>, (field, file): (&str, &Path)) {
    let mode = files::mode(file);
    if mode & 0o004 != 0 {
        let what = format!(
            "{field}: every user can read {} (mode {mode:o})",
            file.display()
        );
        found.warning(field, &what);
    }
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!found.is_empty(), "the file has no certificate");
    Ok(found)
}

fn expiry(
    found: &mut OfService<'_>,
    certificate: (&str, &Path),
    first: Option<&CertificateDer<'_>>,
) {
    let Some(end) = first.and_then(|leaf| not_after(leaf)) else {
        return;
    };
    let left_seconds = end.unix_seconds() - SystemClock.now().unix_seconds();
    let days = left_seconds.div_euclid(DAY_SECONDS);
    let (field, file, end) = (certificate.0, certificate.1.display(), end.iso8601());
    if days < 0 {
        found.error(field, &format!("{field}: {file} ended at {end}"));
    } else if days < EXPIRY_DAYS {
        found.warning(
            field,
            &format!("{field}: {file} ends in {days} days, at {end}"),
        );
    }
}

fn sentence((field, file): (&str, &Path), error: &anyhow::Error) -> String {
    nearest(&format!("{field}: {}: {error:#}", file.display()))
}

/// A certificate that ends within so many days is reported: those of most authorities last 90, and are renewed 30 before.
const EXPIRY_DAYS: i64 = 30;
/// A day.
const DAY_SECONDS: i64 = 86_400;
