//! `VersioningConfiguration`: the versioning of a bucket, which is the backend's, and its MFA Delete, which
//! is the gateway's own.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>

use serde::Deserialize;
use serde::Serialize;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;

/// Whether versions are deleted, and the versioning of the bucket is changed, with a code of its owner's
/// MFA device only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MfaDelete {
    /// It is demanded.
    Enabled,
    /// It is not.
    Disabled,
}

/// Whether a bucket has versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersioningStatus {
    /// Each write makes one.
    Enabled,
    /// Those that there are stay; a write replaces the version `null`.
    Suspended,
}

/// What a client configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersioningConfiguration {
    /// Whether the bucket has versions.
    pub status: VersioningStatus,
    /// Whether MFA Delete is on; as before if absent.
    pub mfa_delete: Option<MfaDelete>,
}

impl MfaDelete {
    /// The text of the element.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => ENABLED,
            Self::Disabled => "Disabled",
        }
    }
}

impl VersioningStatus {
    /// The text of the element.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => ENABLED,
            Self::Suspended => "Suspended",
        }
    }

    /// The status in the answer of a backend, which a bucket that never had versions lacks.
    #[must_use]
    pub fn in_answer(answer: &Element) -> Option<Self> {
        match answer.text_of(STATUS).map(str::trim) {
            Some(ENABLED) => Some(Self::Enabled),
            Some("Suspended") => Some(Self::Suspended),
            _ => None,
        }
    }
}

impl VersioningConfiguration {
    /// Reads what a client puts. Each element comes once at most, in any order: another reader of a
    /// repeated one could take the other.
    ///
    /// # Errors
    ///
    /// `MalformedXML`; `IllegalVersioningConfigurationException` without a status.
    pub fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let malformed = || S3Error::new(S3Code::MalformedXml);
        let root = document::parse(document)?;
        let mut names: Vec<&str> = root.children().iter().map(Element::name).collect();
        names.sort_unstable();
        if root.name() != ROOT
            || names.windows(2).any(|pair| pair.first() == pair.last())
            || !names.iter().all(|name| [STATUS, MFA_DELETE].contains(name))
        {
            return Err(malformed());
        }
        let mfa_delete = match root.text_of(MFA_DELETE).map(str::trim) {
            None => None,
            Some(ENABLED) => Some(MfaDelete::Enabled),
            Some("Disabled") => Some(MfaDelete::Disabled),
            Some(_) => return Err(malformed()),
        };
        match root.child(STATUS) {
            // Also for MfaDelete alone, about which no source says anything.
            None => Err(S3Code::IllegalVersioningConfiguration.into()),
            Some(_) => {
                let status = VersioningStatus::in_answer(&root).ok_or_else(malformed)?;
                Ok(Self { status, mfa_delete })
            }
        }
    }
}

/// The document with a status and MFA Delete, as far as a bucket has them.
pub(crate) fn to_element(
    status: Option<VersioningStatus>,
    mfa_delete: Option<MfaDelete>,
) -> Element {
    let mut root = Element::root(ROOT);
    if let Some(status) = status {
        root = root.field(STATUS, status.name());
    }
    match mfa_delete {
        Some(mfa_delete) => root.field(MFA_DELETE, mfa_delete.name()),
        None => root,
    }
}

/// The name of the document's root.
pub(crate) const ROOT: &str = "VersioningConfiguration";
const STATUS: &str = "Status";
const MFA_DELETE: &str = "MfaDelete";
const ENABLED: &str = "Enabled";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(children: &str) -> Result<VersioningConfiguration, S3Error> {
        let document = format!("<{ROOT}>{children}</{ROOT}>");
        VersioningConfiguration::parse(document.as_bytes())
    }

    #[test]
    fn the_elements_come_in_any_order() {
        let expected = VersioningConfiguration {
            status: VersioningStatus::Suspended,
            mfa_delete: Some(MfaDelete::Enabled),
        };
        for children in [
            "<Status>Suspended</Status><MfaDelete>Enabled</MfaDelete>",
            "<MfaDelete>Enabled</MfaDelete><Status>Suspended</Status>",
        ] {
            assert_eq!(parse(children).unwrap(), expected);
        }
        let alone = parse("<Status>Enabled</Status>").unwrap();
        assert_eq!(alone.mfa_delete, None);
    }

    #[test]
    fn a_configuration_without_a_status_is_none() {
        for children in ["", "<MfaDelete>Enabled</MfaDelete>"] {
            let code = parse(children).unwrap_err().code();
            assert_eq!(code, S3Code::IllegalVersioningConfiguration, "{children}");
        }
    }

    #[test]
    fn other_values_and_elements_and_repeated_ones_are_malformed() {
        for children in [
            "<Status>enabled</Status>",
            "<Status/>",
            "<Status>Disabled</Status>",
            "<Status>Enabled</Status><MfaDelete>Suspended</MfaDelete>",
            "<Status>Enabled</Status><MfaDelete/>",
            "<Status>Enabled</Status><Status>Suspended</Status>",
            "<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete><MfaDelete>Enabled</MfaDelete>",
            "<Status>Enabled</Status><mfadelete>Enabled</mfadelete>",
        ] {
            let code = parse(children).unwrap_err().code();
            assert_eq!(code, S3Code::MalformedXml, "{children}");
        }
    }
}
