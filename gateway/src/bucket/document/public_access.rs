//! The public access block of a bucket, as it is stored and as clients put it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use http::Response;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::xml;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;

/// The four settings of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicAccessBlock {
    /// Whether requests that set a public access control list are refused.
    pub block_public_acls: bool,
    /// Whether public access control lists permit nothing.
    pub ignore_public_acls: bool,
    /// Whether a public policy is refused.
    pub block_public_policy: bool,
    /// Whether a public policy permits nothing to other accounts and to nobody in particular.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    /// The block in a document.
    ///
    /// # Errors
    ///
    /// `MalformedXML`.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, S3Error> {
        Self::from_element(&root(document)?)
    }

    /// The block that the children of an element are, as a client puts it.
    ///
    /// # Errors
    ///
    /// `MalformedXML`; `InvalidRequest` for one without any setting (as recorded from AWS).
    pub(crate) fn requested(root: &Element) -> Result<Self, S3Error> {
        match root.children().is_empty() {
            true => Err(S3Error::invalid_request(NO_SETTING)),
            false => Self::from_element(root),
        }
    }

    /// The settings that are the children of an element; those that are left out are off.
    pub(crate) fn from_element(root: &Element) -> Result<Self, S3Error> {
        let malformed = || S3Error::new(S3Code::MalformedXml);
        let mut block = Self::default();
        let mut seen = Vec::new();
        for child in root.children() {
            let setting = match child.name() {
                "BlockPublicAcls" => &mut block.block_public_acls,
                "IgnorePublicAcls" => &mut block.ignore_public_acls,
                "BlockPublicPolicy" => &mut block.block_public_policy,
                "RestrictPublicBuckets" => &mut block.restrict_public_buckets,
                _ => return Err(malformed()),
            };
            if seen.contains(&child.name()) {
                return Err(malformed());
            }
            seen.push(child.name());
            *setting = match child.text().trim() {
                text if text.eq_ignore_ascii_case("true") => true,
                text if text.eq_ignore_ascii_case("false") => false,
                _ => return Err(malformed()),
            };
        }
        Ok(block)
    }

    /// What is blocked where both are in force.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }

    pub(crate) fn to_xml(self) -> Element {
        self.write(Element::root(ROOT))
    }

    /// An element with the settings as its children.
    pub(crate) fn write(self, element: Element) -> Element {
        let setting = |name: &'static str, value: bool| Element::with_text(name, value.to_string());
        element
            .with(setting("BlockPublicAcls", self.block_public_acls))
            .with(setting("IgnorePublicAcls", self.ignore_public_acls))
            .with(setting("BlockPublicPolicy", self.block_public_policy))
            .with(setting(
                "RestrictPublicBuckets",
                self.restrict_public_buckets,
            ))
    }
}

/// What is stored about a bucket. One whose block was deleted is stored, too: the backend's does
/// not come back into force.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredBlock {
    /// The block; none after it was deleted.
    pub(crate) block: Option<PublicAccessBlock>,
}

impl Document for StoredBlock {
    const MISSING: S3Code = S3Code::NoSuchPublicAccessBlock;

    fn parse(document: &[u8], _bucket: &str, _partition: &str) -> Result<Self, S3Error> {
        let block = Some(PublicAccessBlock::requested(&root(document)?)?);
        Ok(Self { block })
    }

    fn to_response(&self) -> Response<Body> {
        xml(&self.block.unwrap_or_default().to_xml())
    }
}

fn root(document: &[u8]) -> Result<Element, S3Error> {
    let root = Element::parse(document, Limits::REQUEST).ok();
    let root = root.filter(|root| root.is_named(ROOT));
    root.ok_or_else(|| S3Error::new(S3Code::MalformedXml))
}

const NO_SETTING: &str = "Must specify at least one configuration.";

/// The name of the element that has the settings.
pub(crate) const ROOT: &str = "PublicAccessBlockConfiguration";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_given_is_off() {
        let document = b"<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls>\
            <IgnorePublicAcls>false</IgnorePublicAcls></PublicAccessBlockConfiguration>";
        let block = PublicAccessBlock::parse(document).unwrap();
        let expected = PublicAccessBlock {
            block_public_acls: true,
            ..PublicAccessBlock::default()
        };
        assert_eq!(block, expected);
    }

    #[test]
    fn a_block_is_shown_as_it_was_put() {
        let document = PublicAccessBlock::ALL.to_xml().to_document();
        assert_eq!(
            PublicAccessBlock::parse(&document),
            Ok(PublicAccessBlock::ALL)
        );
    }

    #[test]
    fn a_client_puts_no_block_without_a_setting() {
        for document in [
            "<PublicAccessBlockConfiguration/>",
            "<PublicAccessBlockConfiguration> </PublicAccessBlockConfiguration>",
        ] {
            let error = StoredBlock::parse(document.as_bytes(), "b", "aws").unwrap_err();
            assert_eq!(error.code(), S3Code::InvalidRequest, "{document}");
            assert_eq!(error.message(), NO_SETTING);
            // A backend may have one.
            let block = PublicAccessBlock::parse(document.as_bytes());
            assert_eq!(block, Ok(PublicAccessBlock::default()));
        }
    }

    #[test]
    fn a_document_that_says_something_else_is_malformed() {
        for document in [
            "",
            "<ListBucketResult/>",
            "<PublicAccessBlockConfiguration><BlockPublicAcls/></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><Other>true</Other></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
             <BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>",
        ] {
            let error = PublicAccessBlock::parse(document.as_bytes()).unwrap_err();
            assert_eq!(error.code(), S3Code::MalformedXml, "{document}");
        }
    }
}
