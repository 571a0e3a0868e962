//! The local certificate authority and the gateway's certificate.
//!
//! The authority is created on first start and stored in the data directory (`ca.pem`, and its key
//! `ca.key`, readable by the owner alone): clients trust `ca.pem` once. The server's certificate
//! is issued anew at each start and its key never touches the disk.

mod trust_store;

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use proto::time::Timestamp;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use time::Duration;
use time::OffsetDateTime;

use crate::files;

/// A certificate chain and its key, ready for a TLS listener.
pub struct ServerCertificate {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

/// The certificate authority of one data directory.
pub struct LocalAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
}

impl LocalAuthority {
    /// Opens the authority in `directory`, or creates one that is valid for ten years from `now`.
    ///
    /// # Errors
    ///
    /// When its files cannot be read or written, or its key is not valid.
    pub fn open_or_create(directory: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let certificate = directory.join(CERTIFICATE_FILE);
        let key_file = directory.join(KEY_FILE);
        let key = if key_file.exists() && certificate.exists() {
            let pem = std::fs::read_to_string(&key_file).context("reading the authority's key")?;
            KeyPair::from_pem(&pem)
                .with_context(|| format!("{} is not a key", key_file.display()))?
        } else {
            let key = KeyPair::generate()?;
            files::write_private(&key_file, key.serialize_pem().as_bytes())?;
            let pem = authority(offset_date_time(now)?).self_signed(&key)?.pem();
            files::write_private(&certificate, pem.as_bytes())?;
            key
        };
        Ok(Self {
            issuer: Issuer::new(authority(offset_date_time(now)?), key),
            certificate,
        })
    }

    /// The file of the certificate that clients trust.
    #[must_use]
    pub fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// Writes this authority and those of the system into `ca-bundle.pem` in `directory`, and for Java into `ca.p12`:
    /// for clients that know one file of authorities and reach other services, too.
    ///
    /// # Errors
    ///
    /// When they cannot be written, or this authority's file cannot be read.
    pub fn write_bundle(&self, directory: &Path, system: &str) -> anyhow::Result<()> {
        let own = std::fs::read_to_string(&self.certificate)
            .with_context(|| format!("reading {}", self.certificate.display()))?;
        let bundle = format!("{own}\n{system}");
        let [bundle_file, store_file] =
            [BUNDLE_FILE, TRUST_STORE_FILE].map(|file| directory.join(file));
        // A start on a full disk writes no more than it must.
        let written = std::fs::read(&bundle_file);
        if written.is_ok_and(|written| written == bundle.as_bytes()) && store_file.exists() {
            return Ok(());
        }
        // What cannot be read among the system's, no client could use.
        let certificates = CertificateDer::pem_slice_iter(bundle.as_bytes()).flatten();
        let store = trust_store::of(certificates);
        // The bundle last: where it is as it should be, so is the other.
        files::write_private(&store_file, &store)?;
        files::write_private(&bundle_file, bundle.as_bytes())
    }

    /// Issues a certificate for `names` (DNS names, wildcards, IP addresses), valid from a day
    /// before `now` for 397 days, the longest some clients accept.
    ///
    /// # Errors
    ///
    /// When a name is not valid.
    pub fn issue<N: AsRef<str>>(
        &self,
        names: &[N],
        now: Timestamp,
    ) -> anyhow::Result<ServerCertificate> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Sealgate");
        params.use_authority_key_identifier_extension = true;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
        params.not_before = offset_date_time(now)? - Duration::DAY;
        params.not_after = params.not_before + Duration::days(397);
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(ServerCertificate {
            chain: vec![leaf.der().clone()],
            key,
        })
    }
}

fn authority(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params
        .distinguished_name
        .push(DnType::CommonName, "Sealgate local authority");
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.key_usages.push(KeyUsagePurpose::CrlSign);
    params.not_before = now - Duration::DAY;
    params.not_after = params.not_before + Duration::days(3653);
    params
}

fn offset_date_time(now: Timestamp) -> anyhow::Result<OffsetDateTime> {
    let nanoseconds = i128::from(now.unix_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).context("the clock is out of range")
}

/// [`LOCAL_NAMES`], and `hosts` with the names of buckets below them. An address has none below it.
#[must_use]
pub fn names(hosts: &[String]) -> Vec<String> {
    let mut names: Vec<String> = LOCAL_NAMES.map(str::to_owned).to_vec();
    for host in hosts {
        names.push(host.clone());
        if host.parse::<IpAddr>().is_err() {
            names.push(format!("*.{host}"));
        }
    }
    names
}

/// Names under which the gateway on this machine is reached, path-style and virtual-hosted.
pub const LOCAL_NAMES: [&str; 5] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "s3.localhost",
    "*.s3.localhost",
];
const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";
/// Where [`LocalAuthority::write_bundle`] writes to.
pub const BUNDLE_FILE: &str = "ca-bundle.pem";
/// The same for Java.
pub const TRUST_STORE_FILE: &str = "ca.p12";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopened_authority_is_the_same_and_its_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::from_unix_millis(1_767_225_600_000);
        let first = LocalAuthority::open_or_create(directory.path(), now).unwrap();
        let pem = std::fs::read_to_string(first.certificate_file()).unwrap();
        let again = LocalAuthority::open_or_create(directory.path(), now).unwrap();
        assert_eq!(
            std::fs::read_to_string(again.certificate_file()).unwrap(),
            pem
        );
        assert_eq!(
            first.issuer.key().serialize_pem(),
            again.issuer.key().serialize_pem()
        );
        let names = names(&["s3.example.com".to_owned(), "fd00::1".to_owned()]);
        assert!(names.contains(&"*.s3.example.com".to_owned()));
        assert!(!names.contains(&"*.fd00::1".to_owned()));
        assert!(again.issue(&names, now).unwrap().chain.len() == 1);
        assert_eq!(files::mode(&directory.path().join(KEY_FILE)), 0o600);
        again
            .write_bundle(directory.path(), "of the system")
            .unwrap();
        let bundle = directory.path().join(BUNDLE_FILE);
        let bundle = std::fs::read_to_string(bundle).unwrap();
        assert!(bundle.contains(&pem) && bundle.ends_with("of the system"));
    }
}
