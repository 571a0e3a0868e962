//! The Regions that this KMS serves: those of AWS, and those that the configuration adds.
//!
//! Every Region has keys, quotas and metrics of its own, so made-up names must not bring new ones into
//! being. The list is `kms/regions/aws-2026.toml`.

use std::collections::BTreeMap;
use std::collections::HashSet;

use proto::identity::Region;

/// The Regions that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions(HashSet<Region>);

impl Regions {
    /// AWS's Regions and `added` ones.
    ///
    /// # Errors
    ///
    /// The first of `added` that has too long a name.
    pub fn new(added: &[Region]) -> Result<Self, &Region> {
        let is_long = |region: &&Region| region.as_str().len() > REGION_BYTES_MAX;
        if let Some(region) = added.iter().find(is_long) {
            return Err(region);
        }
        let of_aws = of_aws().into_values().flatten();
        Ok(Self(of_aws.chain(added.iter().cloned()).collect()))
    }

    /// The Region of that name, if it is served.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Region> {
        self.0.get(name)
    }
}

impl Default for Regions {
    fn default() -> Self {
        Self::new(&[]).expect("no name is added, so none is too long")
    }
}

/// AWS's Regions by their partitions.
fn of_aws() -> BTreeMap<String, Vec<Region>> {
    toml::from_str(AWS).expect("the list of Regions is TOML, which a test shows")
}

/// Longest name that can be added, in bytes; AWS's longest has 15.
pub(crate) const REGION_BYTES_MAX: usize = 32;

const AWS: &str = include_str!("../regions/aws-2026.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_aws_does_not_have_is_served_only_if_it_was_added() {
        let of_aws = Regions::default();
        for name in ["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"] {
            assert!(of_aws.find(name).is_some(), "{name}");
        }
        for name in [
            "mars-1",
            "us-east-3",
            "US-EAST-1",
            "us-east-1 ",
            "",
            "aws-global",
        ] {
            assert!(of_aws.find(name).is_none(), "{name}");
        }
        let added = Regions::new(&["mars-1".parse().unwrap()]).unwrap();
        assert!(added.find("mars-1").is_some() && added.find("us-east-1").is_some());
    }

    #[test]
    fn a_region_with_a_long_name_is_not_added() {
        let longest = ["m".repeat(REGION_BYTES_MAX).parse().unwrap()];
        assert!(Regions::new(&longest).is_ok());
        let longer = ["m".repeat(REGION_BYTES_MAX + 1).parse().unwrap()];
        assert_eq!(Regions::new(&longer), Err(&longer[0]));
    }

    #[test]
    fn every_region_of_aws_is_in_the_partition_that_its_name_gives() {
        for (partition, regions) in of_aws() {
            for region in regions {
                assert_eq!(region.partition(), partition, "{region}");
            }
        }
    }
}
