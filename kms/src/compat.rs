//! Taking the place of another emulator: what its users rely on, where AWS answers otherwise.
//!
//! Without a switch every answer is AWS's. A switch adds to that what the suites and fixtures of one
//! other emulator were written against, and nothing else:
//!
//! | | `localstack` | `moto` | `local-kms` |
//! |---|---|---|---|
//! | port, account, Region | 4566, 000000000000, us-east-1 | 5000, 123456789012, us-east-1 | 8080, 111122223333, eu-west-2 |
//! | signatures | believed | believed | believed, or none |
//! | who may use a key | everybody | whom no policy denies it | as at AWS |
//! | besides AWS's | tags `_custom_id_` and `_custom_key_material_`, `/_localstack/health`; its own blobs open; an attestation document that cannot be read is passed over; GenerateDataKey needs no size; any text is a grant's principal or token | `/moto-api/reset`; any text is a key policy, or a grant's principal or token | `application/json`; its text for a usage that does not fit |
//! | other than AWS today | 10 rotations on demand, no `KeyMaterialId` of data keys, the enumerations of 2023 | | |

use proto::identity::AccountId;
use proto::identity::Region;
use serde::Deserialize;

/// Which emulator this one takes the place of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// None: every answer is AWS's.
    #[default]
    Aws,
    /// LocalStack 4.
    #[serde(rename = "localstack")]
    LocalStack,
    /// moto 5, as a server.
    Moto,
    /// local-kms 3.
    LocalKms,
}

impl Compat {
    /// The switch of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "aws" => Some(Self::Aws),
            "localstack" => Some(Self::LocalStack),
            "moto" => Some(Self::Moto),
            "local-kms" => Some(Self::LocalKms),
            _ => None,
        }
    }

    /// The port that the emulator's users expect, if they expect one.
    #[must_use]
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Aws => None,
            Self::LocalStack => Some(4566),
            Self::Moto => Some(5000),
            Self::LocalKms => Some(8080),
        }
    }

    /// The account of calls that name none.
    #[must_use]
    pub fn account(self) -> AccountId {
        let digits = match self {
            Self::Aws | Self::LocalStack => "000000000000",
            Self::Moto => "123456789012",
            Self::LocalKms => "111122223333",
        };
        digits.parse().expect("each has 12 digits")
    }

    /// The Region of calls that name none.
    #[must_use]
    pub fn region(self) -> Region {
        let name = match self {
            Self::LocalKms => "eu-west-2",
            _ => "us-east-1",
        };
        name.parse().expect("each is a Region of AWS")
    }

    /// Most rotations on demand of a key.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
    #[must_use]
    pub const fn on_demand_rotations_max(self) -> usize {
        match self {
            Self::LocalStack => 10,
            _ => 25,
        }
    }

    /// Whether any text is accepted as a key policy, and stored as it is.
    #[must_use]
    pub const fn takes_any_policy(self) -> bool {
        matches!(self, Self::Moto)
    }

    /// Whether any text is accepted as the principal of a grant, and as a grant token.
    #[must_use]
    pub const fn takes_any_grant(self) -> bool {
        matches!(self, Self::LocalStack | Self::Moto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_has_one_name_in_files_and_on_the_command_line() {
        for (name, compat) in [
            ("aws", Compat::Aws),
            ("localstack", Compat::LocalStack),
            ("moto", Compat::Moto),
            ("local-kms", Compat::LocalKms),
        ] {
            assert_eq!(Compat::from_name(name), Some(compat));
            let read: Compat = serde_json::from_value(serde_json::json!(name)).unwrap();
            assert_eq!(read, compat);
        }
        assert_eq!(Compat::from_name("minio"), None);
    }
}
