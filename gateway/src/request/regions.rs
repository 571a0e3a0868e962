//! The Regions of a gateway: its own, and others whose buckets it has as well.
//!
//! All of them are served at the same address. A bucket is in the Region that it was created in, and a
//! request may be signed for any of them.

use std::sync::Arc;

use proto::identity::Region;

/// The Regions whose buckets a gateway has.
#[derive(Clone, Debug)]
pub struct Regions {
    own: Region,
    others: Arc<[Region]>,
}

impl Regions {
    /// A gateway in `own`, and those of `others` that are in the same partition.
    #[must_use]
    pub fn new(own: Region, others: &[Region]) -> Self {
        let partition = own.partition();
        let others = others.iter();
        let others = others.filter(|other| **other != own && other.partition() == partition);
        Self {
            others: others.cloned().collect(),
            own,
        }
    }

    /// The gateway's own.
    #[must_use]
    pub fn own(&self) -> &str {
        self.own.as_str()
    }

    /// The others.
    #[must_use]
    pub fn others(&self) -> &[Region] {
        &self.others
    }

    /// Whether the Region of that name is one of them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.own() == name || self.others.iter().any(|other| other.as_str() == name)
    }

    /// The Region of a bucket with this `LocationConstraint`; the gateway's own without one.
    #[must_use]
    pub fn of_location<'a>(&'a self, location: Option<&'a str>) -> &'a str {
        location.map_or(self.own(), region_of)
    }
}

/// The Region that a `LocationConstraint` stands for: `EU` is the former name of `eu-west-1`.
#[must_use]
pub fn region_of(location: &str) -> &str {
    match location {
        "EU" => "eu-west-1",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_other_partitions_are_not_served() {
        let region = |name: &str| name.parse::<Region>().unwrap();
        let others = ["eu-west-1", "us-east-1", "cn-north-1"].map(region);
        let regions = Regions::new(region("us-east-1"), &others);
        assert_eq!(regions.others(), [region("eu-west-1")]);
        assert!(regions.has("us-east-1") && regions.has("eu-west-1"));
        assert!(!regions.has("cn-north-1") && !regions.has("eu-east-1"));
        assert_eq!(regions.of_location(Some("EU")), "eu-west-1");
        assert_eq!(regions.of_location(None), "us-east-1");
    }
}
