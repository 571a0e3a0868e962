//! Amazon Resource Names.
//!
//! An [`Arn`] is six fields joined by colons; the last may contain colons. A [`KeyArn`] is the
//! ARN of a KMS key with its resource parsed.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use std::fmt;
use std::str::FromStr;

use crate::identity::AccountId;
use crate::identity::Region;
pub use crate::identity::partition;

/// The name of a resource: `arn:partition:service:region:account:resource`.
///
/// Region and account are empty where the resource has none (buckets, IAM).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// `kms`, `s3`, `iam`.
    pub service: String,
    /// `us-east-1`, or empty.
    pub region: String,
    /// Twelve digits, or empty.
    pub account: String,
    /// Everything after the fifth colon.
    pub resource: String,
}

impl Arn {
    /// Reads an ARN. Partition, service and resource must not be empty.
    ///
    /// # Errors
    ///
    /// [`ArnError`] when the text does not start with `arn:`, has fewer than six fields, or one
    /// that must not be empty is.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let mut fields = text.splitn(6, ':');
        let mut field = || fields.next().ok_or(ArnError);
        if field()? != "arn" {
            return Err(ArnError);
        }
        let arn = Self {
            partition: field()?.to_owned(),
            service: field()?.to_owned(),
            region: field()?.to_owned(),
            account: field()?.to_owned(),
            resource: field()?.to_owned(),
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(ArnError);
        }
        Ok(arn)
    }
}

/// The bucket `bucket`: `arn:aws:s3:::bucket`.
#[must_use]
pub fn bucket(partition: &str, bucket: &str) -> String {
    ["arn:", partition, ":s3:::", bucket].concat()
}

/// The object `key` of `bucket`: `arn:aws:s3:::bucket/key`. The key is not encoded.
#[must_use]
pub fn object(partition: &str, bucket: &str, key: &str) -> String {
    ["arn:", partition, ":s3:::", bucket, "/", key].concat()
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        Self::parse(text)
    }
}

/// A KMS key: `arn:aws:kms:us-east-1:111122223333:key/1234abcd-…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyArn {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The Region the key is in.
    pub region: Region,
    /// The account that owns the key.
    pub account: AccountId,
    /// The key id: a UUID, or `mrk-` and 32 hex digits.
    pub key_id: String,
}

impl KeyArn {
    /// Reads the ARN of a KMS key.
    ///
    /// # Errors
    ///
    /// [`ArnError`] when the text is no ARN, or not that of a KMS key.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let arn = Arn::parse(text)?;
        let key_id = arn.resource.strip_prefix("key/").unwrap_or_default();
        if arn.service != "kms" || key_id.is_empty() {
            return Err(ArnError);
        }
        Ok(Self {
            key_id: key_id.to_owned(),
            partition: arn.partition,
            region: Region::try_from(arn.region).map_err(|_| ArnError)?,
            account: AccountId::try_from(arn.account).map_err(|_| ArnError)?,
        })
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            region,
            account,
            key_id,
        } = self;
        write!(f, "arn:{partition}:kms:{region}:{account}:key/{key_id}")
    }
}

impl FromStr for KeyArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        Self::parse(text)
    }
}

/// A text that is not an ARN, or not one of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ARN of the expected kind")]
pub struct ArnError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_back_as_it_was_written() {
        for text in [
            "arn:aws:s3:::bucket/a:b/c",
            "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-cn:iam::111122223333:user/path/name",
            "arn:aws:sts::111122223333:assumed-role/role/session",
        ] {
            assert_eq!(Arn::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_arn_is_refused() {
        for text in [
            "",
            "arn",
            "arn:aws:s3:::",
            "arn::s3:::b",
            "arn:aws::::b",
            "urn:aws:s3:::b",
            "arn:aws:s3::b",
            "ARN:aws:s3:::b",
        ] {
            assert_eq!(Arn::parse(text), Err(ArnError), "{text}");
        }
    }

    #[test]
    fn a_key_arn_is_parsed_into_its_fields() {
        let text = "arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
        let arn = KeyArn::parse(text).unwrap();
        assert_eq!(arn.region, "eu-central-1");
        assert_eq!(arn.account, "111122223333");
        assert_eq!(arn.key_id, "mrk-1234abcd12ab34cd56ef1234567890ab");
        assert_eq!(arn.to_string(), text);
    }

    #[test]
    fn an_alias_arn_is_not_a_key_arn() {
        let alias = "arn:aws:kms:us-east-1:111122223333:alias/example";
        assert_eq!(KeyArn::parse(alias), Err(ArnError));
    }

    #[test]
    fn a_key_arn_without_region_account_or_id_is_refused() {
        for text in [
            "arn:aws:kms::111122223333:key/1",
            "arn:aws:kms:us-east-1::key/1",
            "arn:aws:kms:us-east-1:1111:key/1",
            "arn:aws:kms:US-EAST-1:111122223333:key/1",
            "arn:aws:kms:us-east-1:111122223333:key/",
            "arn:aws:s3:us-east-1:111122223333:key/1",
        ] {
            assert_eq!(KeyArn::parse(text), Err(ArnError), "{text}");
        }
    }

    #[test]
    fn bucket_and_object_have_their_published_forms() {
        assert_eq!(bucket("aws", "b"), "arn:aws:s3:::b");
        assert_eq!(object("aws", "b", "a b/ü%"), "arn:aws:s3:::b/a b/ü%");
    }
}
