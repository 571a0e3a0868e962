//! The quota tables of `kms/quotas`: AWS's published defaults, dated, each row with its source.

use std::collections::BTreeMap;
use std::str::FromStr;

use proto::identity::Region;
use serde::Deserialize;
use serde::Serialize;

use crate::quota::class::Class;

/// A request rate as quota tables write it: requests per second, possibly a fraction.
///
/// Stored as so many requests in so many seconds. A rate below one is one request in each interval
/// of the inverse ("0.1" is one in ten seconds), which is how AWS's own table explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests allowed in one interval.
    pub requests: u32,
    /// Length of the interval in seconds, at least 1.
    pub seconds: u32,
}

impl Rate {
    /// No request passes.
    pub const ZERO: Self = Self {
        requests: 0,
        seconds: 1,
    };

    /// The rate closest to `per_second` that a whole count in a whole interval can express.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Rate`] if `per_second` is negative, not a number, or above 4 billion.
    pub fn per_second(per_second: f64) -> Result<Self, ProfileError> {
        let refused = || ProfileError::Rate {
            text: per_second.to_string(),
        };
        if !per_second.is_finite() || per_second < 0.0 {
            return Err(refused());
        }

        if per_second == 0.0 {
            return Ok(Self::ZERO);
        }

        if per_second >= 1.0 {
            let requests = whole(per_second.round()).ok_or_else(refused)?;
            return Ok(Self {
                requests,
                seconds: 1,
            });
        }

        let seconds = whole((1.0 / per_second).round()).unwrap_or(u32::MAX);
        Ok(Self {
            requests: 1,
            seconds,
        })
    }

    /// Requests per second, as a number.
    #[must_use]
    pub fn as_per_second(self) -> f64 {
        f64::from(self.requests) / f64::from(self.seconds)
    }

    /// This rate times `scale`.
    ///
    /// # Errors
    ///
    /// As [`Rate::per_second`].
    pub fn scaled(self, scale: f64) -> Result<Self, ProfileError> {
        Self::per_second(self.as_per_second() * scale)
    }
}

impl FromStr for Rate {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let refused = |_| ProfileError::Rate {
            text: text.to_owned(),
        };
        Self::per_second(text.parse::<f64>().map_err(refused)?)
    }
}

/// One row of a quota table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The quota the row is about.
    pub class: Class,
    /// AWS's exact name of the quota.
    pub name: String,
    /// Service Quotas' code of the quota, where known.
    pub code: Option<String>,
    /// Operations that count against it.
    pub operations: Vec<String>,
    /// Whether AWS raises it on request.
    pub adjustable: bool,
    /// Whether Service Quotas shows it.
    pub listed: bool,
    /// Where the numbers come from.
    pub source: String,
    /// Remarks.
    pub note: Option<String>,
    /// The class whose count this one shares, if not its own.
    #[serde(skip)]
    pub counted_in: Class,
    /// The default rate.
    #[serde(skip)]
    pub rate: Rate,
    /// Regions whose default differs.
    #[serde(skip)]
    pub regions: BTreeMap<Region, Rate>,
}

impl Row {
    /// The default rate in one Region.
    #[must_use]
    pub fn rate_in(&self, region: &Region) -> Rate {
        self.regions.get(region).copied().unwrap_or(self.rate)
    }
}

/// A dated set of default quotas: one row for every class.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The year it is called by.
    pub name: String,
    /// The rule for bursts of state changes on one key.
    pub hot_key: Rate,
    rows: Vec<Row>,
}

impl Profile {
    /// The profiles that there are, the default first.
    pub const NAMES: [&str; 2] = ["2026", "2023"];

    /// The built-in profile of that name: `2026` or `2023`.
    ///
    /// # Errors
    ///
    /// [`ProfileError::UnknownProfile`] for a name that is not in [`Self::NAMES`].
    pub fn from_name(name: &str) -> Result<Self, ProfileError> {
        match name {
            "2026" => Self::parse(AWS_2026),
            "2023" => Self::parse(AWS_2023),
            _ => Err(ProfileError::UnknownProfile {
                name: name.to_owned(),
            }),
        }
    }

    /// Reads a quota table.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] for a table that is not TOML of this shape, names an unknown class, source
    /// or operation, lacks a class or has one twice.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let table: Table = toml::from_str(text).map_err(|e| ProfileError::Syntax(e.to_string()))?;
        let mut rows: BTreeMap<Class, Row> = BTreeMap::new();
        for written in table.quota {
            let row = written.checked(&table.sources)?;
            if let Some(twice) = rows.insert(row.class, row) {
                return Err(ProfileError::Twice {
                    class: twice.class.name(),
                });
            }
        }

        for class in Class::ALL {
            if !rows.contains_key(class) {
                return Err(ProfileError::Missing {
                    class: class.name(),
                });
            }
        }

        let hot_key = table.hot_key.rate.parse()?;
        Ok(Self {
            name: table.profile,
            hot_key,
            rows: rows.into_values().collect(),
        })
    }

    /// The rows, in the order of [`Class::ALL`].
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of one class.
    #[must_use]
    pub fn row(&self, class: Class) -> &Row {
        self.rows
            .get(class.index())
            .expect("a parsed profile has a row for every class")
    }
}

/// The whole number a non-negative float holds, if 32 bits are enough.
fn whole(number: f64) -> Option<u32> {
    if !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return None;
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked above, and there is no TryFrom for floats"
    )]
    let whole = number as u32;
    Some(whole)
}

/// A quota table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    profile: String,
    sources: BTreeMap<String, String>,
    hot_key: HotKey,
    quota: Vec<WrittenRow>,
}

/// The rule for bursts of state changes, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HotKey {
    rate: String,
    #[serde(rename = "operations")]
    _operations: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    class: Class,
    name: String,
    code: Option<String>,
    rate: String,
    #[serde(default)]
    regions: BTreeMap<Region, String>,
    operations: Vec<String>,
    counted_in: Option<Class>,
    #[serde(default = "yes")]
    adjustable: bool,
    #[serde(default = "yes")]
    listed: bool,
    note: Option<String>,
    source: String,
}

impl WrittenRow {
    /// The row with its names and numbers checked.
    fn checked(self, sources: &BTreeMap<String, String>) -> Result<Row, ProfileError> {
        if let Some(stray) = self
            .operations
            .iter()
            .find(|o| Class::for_operation(o, None).is_none())
        {
            return Err(ProfileError::UnknownOperation {
                name: stray.clone(),
            });
        }

        let source = sources
            .get(&self.source)
            .ok_or_else(|| ProfileError::UnknownSource {
                name: self.source.clone(),
            })?;
        let mut regions = BTreeMap::new();
        for (region, rate) in self.regions {
            regions.insert(region, rate.parse()?);
        }

        Ok(Row {
            class: self.class,
            name: self.name,
            code: self.code,
            operations: self.operations,
            adjustable: self.adjustable,
            listed: self.listed,
            source: source.clone(),
            note: self.note,
            counted_in: self.counted_in.unwrap_or(self.class),
            rate: self.rate.parse()?,
            regions,
        })
    }
}

/// Default of the switches that are on unless a row has another value.
fn yes() -> bool {
    true
}

/// Why a quota table was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// A class has no row.
    #[error("the quota table has no row for {class}")]
    Missing {
        /// The class's name.
        class: &'static str,
    },
    /// A rate is no non-negative number of requests per second.
    #[error("`{text}` is no request rate")]
    Rate {
        /// What was written.
        text: String,
    },
    /// The text is not TOML of the expected shape.
    #[error("the quota table cannot be read: {0}")]
    Syntax(String),
    /// A class has two rows.
    #[error("the quota table has two rows for {class}")]
    Twice {
        /// The class's name.
        class: &'static str,
    },
    /// There is no such operation.
    #[error("there is no operation `{name}`")]
    UnknownOperation {
        /// What was written.
        name: String,
    },
    /// There is no such profile.
    #[error("there is no quota profile `{name}`; there are `2026` and `2023`")]
    UnknownProfile {
        /// What was requested.
        name: String,
    },
    /// A row names a source that the table does not list.
    #[error("the quota table lists no source `{name}`")]
    UnknownSource {
        /// What was written.
        name: String,
    },
}

/// AWS's defaults of 2026.
const AWS_2026: &str = include_str!("../../quotas/aws-2026.toml");

/// AWS's defaults of 2023.
const AWS_2023: &str = include_str!("../../quotas/aws-2023.toml");

#[cfg(test)]
mod tests {
    use super::Class;
    use super::Profile;
    use super::ProfileError;
    use super::Rate;

    #[test]
    fn a_fraction_is_one_request_in_a_longer_interval() {
        assert_eq!(
            "0.1".parse(),
            Ok(Rate {
                requests: 1,
                seconds: 10
            })
        );
        assert_eq!(
            "0.25".parse(),
            Ok(Rate {
                requests: 1,
                seconds: 4
            })
        );
        assert_eq!(
            "0.5".parse(),
            Ok(Rate {
                requests: 1,
                seconds: 2
            })
        );
        assert_eq!(
            "100000".parse(),
            Ok(Rate {
                requests: 100_000,
                seconds: 1
            })
        );
        assert_eq!("0".parse(), Ok(Rate::ZERO));
        assert!("-1".parse::<Rate>().is_err());
        assert!("NaN".parse::<Rate>().is_err());
        assert!("fast".parse::<Rate>().is_err());
    }

    #[test]
    fn a_scale_makes_large_quotas_reachable() {
        let rate = Rate {
            requests: 100_000,
            seconds: 1,
        };
        assert_eq!(
            rate.scaled(0.001),
            Ok(Rate {
                requests: 100,
                seconds: 1
            })
        );
        let slow = Rate {
            requests: 5,
            seconds: 1,
        };
        assert_eq!(
            slow.scaled(0.01),
            Ok(Rate {
                requests: 1,
                seconds: 20
            })
        );
    }

    #[test]
    fn the_symmetric_quota_depends_on_the_region() {
        let rate = |profile: &str, region: &str| {
            let profile = Profile::from_name(profile).unwrap();
            profile
                .row(Class::CryptographicOperationsSymmetric)
                .rate_in(&region.parse().unwrap())
                .requests
        };
        assert_eq!(rate("2026", "us-east-1"), 100_000);
        assert_eq!(rate("2026", "eu-central-1"), 20_000);
        assert_eq!(rate("2026", "sa-east-1"), 10_000);
        assert_eq!(rate("2023", "us-east-1"), 50_000);
        assert_eq!(rate("2023", "eu-central-1"), 10_000);
        assert_eq!(rate("2023", "sa-east-1"), 5_500);
    }

    #[test]
    fn the_tables_and_the_code_agree_on_what_an_operation_counts_as() {
        for name in ["2026", "2023"] {
            for row in Profile::from_name(name)
                .unwrap()
                .rows()
                .iter()
                .filter(|r| r.class.is_operation())
            {
                assert_eq!(row.operations, [row.class.name()]);
                assert_eq!(
                    Class::for_operation(row.class.name(), None),
                    Some(row.class)
                );
            }
        }
    }

    #[test]
    fn a_table_without_a_row_is_refused() {
        let text = super::AWS_2026.replace("\"ListKeys\"", "\"ListAliases\"");
        assert!(matches!(
            Profile::parse(&text),
            Err(ProfileError::Twice { .. })
        ));
        assert!(matches!(
            Profile::from_name("2019"),
            Err(ProfileError::UnknownProfile { .. })
        ));
    }
}
