//! Accounts, Regions, principals, and the secrets that prove them.
//!
//! A value of these types has passed its parsing rule, so code that receives one does not check it
//! again. The Region of a credential scope stays a text until it is compared: its refusal quotes it
//! as the client sent it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Parsing, printing and comparing of an identity that is a checked text.
macro_rules! checked_text {
    ($name:ident, $expected:literal) => {
        impl FromStr for $name {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                Self::checked(text).ok_or(IdentityError($expected))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentityError;

            fn try_from(text: String) -> Result<Self, IdentityError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(identity: $name) -> Self {
                identity.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                self.as_str() == text
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                self.as_str() == *text
            }
        }
    };
}

// After the macro, which it uses.
mod principal;

pub use principal::PrincipalArn;
pub use principal::PrincipalKind;

/// An AWS account: twelve digits. Copying one allocates nothing.
///
/// Source: <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; ACCOUNT_DIGITS]);

impl AccountId {
    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }

    /// The canonical user id of the account: 64 hexadecimal digits that stand for it in access control lists and
    /// access logs of S3. AWS's are random; these are derived from the account's digits.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/finding-canonical-user-id.html>
    #[must_use]
    pub fn canonical_user_id(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update("canonical user id of account ");
        hasher.update(self.0);
        hex::encode(hasher.finalize())
    }

    fn checked(text: &str) -> Option<Self> {
        let digits: [u8; ACCOUNT_DIGITS] = text.as_bytes().try_into().ok()?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(Self(digits))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccountId").field(&self.as_str()).finish()
    }
}

/// A Region, such as `us-east-1`: a label of a host name (RFC 1123, section 2.1) in lower case,
/// because endpoints contain it.
///
/// Which Regions exist is for each service to decide: other S3 servers have Regions of their own.
/// Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that holds the Region: the second field of the ARNs of its resources.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        partition(&self.0)
    }

    fn checked(text: &str) -> Option<Self> {
        is_region(text).then(|| Self(text.into()))
    }
}

/// Sets of Regions are searched by the names that callers send.
impl Borrow<str> for Region {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The partition that holds the Region of that name.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    PARTITIONS
        .iter()
        .find_map(|(prefix, partition)| region.starts_with(prefix).then_some(*partition))
        .unwrap_or("aws")
}

/// A secret text: its memory is wiped, and it is never printed.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the code that signs with it or compares it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

checked_text!(AccountId, "an account of 12 digits");
checked_text!(Region, "a Region such as us-east-1");
fn is_region(text: &str) -> bool {
    let within = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&text.len())
        && text.bytes().all(within)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A text that is not what its type expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct IdentityError(&'static str);

/// Regions of partitions other than `aws`, by how their names start.
///
/// Source: the `regionRegex` of each partition in botocore's
/// <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
];

const ACCOUNT_DIGITS: usize = 12;
/// RFC 1035, section 2.3.4.
const LABEL_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits() {
        let account: AccountId = "111122223333".parse().unwrap();
        assert_eq!(account, "111122223333");
        for text in ["", "11112222333", "1111222233334", "11112222333a", "१११"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_region_is_a_label_of_a_host_name() {
        for text in ["us-east-1", "us-gov-west-1", "garage", "a"] {
            assert_eq!(text.parse::<Region>().unwrap().to_string(), text);
        }
        let long = "a".repeat(64);
        for text in [
            "",
            "US-EAST-1",
            "us_east",
            "us.east",
            "-a",
            "a-",
            "a/b",
            long.as_str(),
        ] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_region_belongs_to_one_partition() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("eu-central-1", "aws"),
            ("mars-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
        ] {
            let region: Region = region.parse().unwrap();
            assert_eq!(region.partition(), partition, "{region}");
        }
    }

    #[test]
    fn a_principal_is_a_user_a_role_a_session_or_a_root_user() {
        for text in [
            "arn:aws:iam::111122223333:root",
            "arn:aws-cn:iam::111122223333:user/path/ana",
            "arn:aws:iam::111122223333:role/r",
            "arn:aws:sts::111122223333:assumed-role/r/session",
            "arn:aws:sts::111122223333:federated-user/ana",
        ] {
            assert_eq!(text.parse::<PrincipalArn>().unwrap(), text);
        }
        for text in [
            "",
            "111122223333",
            "arn:aws:iam::1111:root",
            "arn:aws:iam::111122223333:group/g",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam:us-east-1:111122223333:user/a",
            "arn:aws:s3::111122223333:user/a",
            "arn::iam::111122223333:root",
        ] {
            assert!(text.parse::<PrincipalArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_root_user_of_an_account_is_a_principal() {
        let account = "111122223333".parse().unwrap();
        let root = PrincipalArn::account_root("aws", &account);
        assert_eq!(root.as_str().parse::<PrincipalArn>().unwrap(), root);
    }

    #[test]
    fn an_identity_is_checked_where_a_file_is_read() {
        assert!(serde_json::from_str::<AccountId>("\"111122223333\"").is_ok());
        let refusal = serde_json::from_str::<AccountId>("\"1\"").unwrap_err();
        assert!(
            refusal
                .to_string()
                .contains("expected an account of 12 digits")
        );
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(..)");
    }
}
