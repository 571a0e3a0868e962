//! The ownership controls of a bucket, as they are stored and as clients put them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use http::Response;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::xml;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::request::Body;

/// Who owns the objects of a bucket, and so whether access control lists count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectOwnership {
    /// The owner of the bucket owns them all. Access control lists are disabled.
    #[default]
    BucketOwnerEnforced,
    /// Whoever writes an object owns it, unless it grants the bucket's owner everything by
    /// `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// Whoever writes an object owns it.
    ObjectWriter,
}

impl ObjectOwnership {
    const ALL: [Self; 3] = [
        Self::BucketOwnerEnforced,
        Self::BucketOwnerPreferred,
        Self::ObjectWriter,
    ];

    /// The value with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The name in documents and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    pub(crate) fn to_xml(self) -> Element {
        let rule = Element::new("Rule").field("ObjectOwnership", self.name());
        Element::root(ROOT).with(rule)
    }
}

/// What is stored about a bucket. That its controls were deleted is stored, too: without any it would be as one
/// that never had others than the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredOwnership {
    /// The controls; none after they were deleted.
    pub(crate) ownership: Option<ObjectOwnership>,
}

impl Document for StoredOwnership {
    const MISSING: S3Code = S3Code::OwnershipControlsNotFound;

    fn parse(document: &[u8], _bucket: &str, _partition: &str) -> Result<Self, S3Error> {
        let malformed = || S3Error::new(S3Code::MalformedXml);
        let root = document::parse(document)?;
        let [rule] = root.children() else {
            return Err(malformed());
        };
        let [ownership] = rule.children() else {
            return Err(malformed());
        };
        if !root.is_named(ROOT) || !rule.is_named("Rule") || !ownership.is_named("ObjectOwnership")
        {
            return Err(malformed());
        }
        let ownership = ObjectOwnership::from_name(ownership.text().trim());
        Ok(Self {
            ownership: Some(ownership.ok_or_else(malformed)?),
        })
    }

    fn to_response(&self) -> Response<Body> {
        xml(&self.ownership.unwrap_or_default().to_xml())
    }
}

const ROOT: &str = "OwnershipControls";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rules: &str) -> Result<Option<ObjectOwnership>, S3Code> {
        let document = format!("<OwnershipControls>{rules}</OwnershipControls>");
        let read = StoredOwnership::parse(document.as_bytes(), "b", "aws");
        read.map(|it| it.ownership).map_err(|error| error.code())
    }

    fn rule(value: &str) -> String {
        format!("<Rule><ObjectOwnership>{value}</ObjectOwnership></Rule>")
    }

    #[test]
    fn controls_are_read_as_they_are_shown() {
        for ownership in ObjectOwnership::ALL {
            assert_eq!(parse(&rule(ownership.name())), Ok(Some(ownership)));
            let shown = ownership.to_xml().to_document();
            let read = StoredOwnership::parse(&shown, "b", "aws").unwrap();
            assert_eq!(read.ownership, Some(ownership));
        }
    }

    #[test]
    fn there_is_exactly_one_rule_of_a_value_that_there_is() {
        let one = rule("ObjectWriter");
        for rules in [
            String::new(),
            one.repeat(2),
            rule("objectwriter"),
            rule(""),
            "<Rule/>".into(),
        ] {
            assert_eq!(parse(&rules), Err(S3Code::MalformedXml), "{rules}");
        }
    }
}
