//! The Regions that this KMS serves: those of AWS, and those that the configuration adds.
//!
//! Every Region has keys, quotas and metrics of its own, so made-up names must not bring new ones into
//! being. The list is `kms/regions/aws-2026.toml`.

use std::collections::BTreeMap;
use std::collections::HashSet;

/// The names of the Regions that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions(HashSet<String>);

impl Regions {
    /// AWS's Regions and `added` ones.
    ///
    /// # Errors
    ///
    /// The first of `added` that has not the form of a Region's name.
    pub fn new(added: &[String]) -> Result<Self, &str> {
        if let Some(name) = added.iter().find(|name| !has_form_of_region(name)) {
            return Err(name);
        }
        let by_partition: BTreeMap<String, Vec<String>> =
            toml::from_str(AWS).expect("the list of Regions is TOML, which a test shows");
        let of_aws = by_partition.into_values().flatten();
        Ok(Self(of_aws.chain(added.iter().cloned()).collect()))
    }

    /// Whether the Region is served.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

impl Default for Regions {
    fn default() -> Self {
        Self::new(&[]).expect("no name is added, so none has a wrong form")
    }
}

/// Whether the text has the form of a Region's name: up to 32 lower-case letters, digits and hyphens.
fn has_form_of_region(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= REGION_BYTES_MAX && text.bytes().all(allowed)
}

/// Longest name that can be added; AWS's longest has 15 bytes.
const REGION_BYTES_MAX: usize = 32;

const AWS: &str = include_str!("../regions/aws-2026.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_aws_does_not_have_is_served_only_if_it_was_added() {
        let of_aws = Regions::default();
        for name in ["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"] {
            assert!(of_aws.contains(name), "{name}");
        }
        for name in [
            "mars-1",
            "us-east-3",
            "US-EAST-1",
            "us-east-1 ",
            "",
            "aws-global",
        ] {
            assert!(!of_aws.contains(name), "{name}");
        }
        let added = Regions::new(&["mars-1".to_owned()]).unwrap();
        assert!(added.contains("mars-1") && added.contains("us-east-1"));
    }

    #[test]
    fn a_region_whose_name_has_another_form_is_not_added() {
        for name in ["", "Mars-1", "mars/1", "mars 1", &"m".repeat(33)] {
            assert_eq!(Regions::new(&[name.to_owned()]), Err(name));
        }
    }
}
