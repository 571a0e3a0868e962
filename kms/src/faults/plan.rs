//! The plan of failures and delays, as it is configured.

use std::collections::BTreeMap;

use proto::identity::AccountId;
use proto::identity::Region;
use serde::Deserialize;
use serde::Serialize;

use crate::api::OperationName;
use crate::error::Code;

/// What goes wrong, and how long things take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Where every chance in the plan starts from.
    pub seed: u64,

    /// Failures. The first that strikes decides.
    pub faults: Vec<Fault>,

    /// How long operations take besides their work. The first that matches decides.
    pub latencies: Vec<Latency>,
}

/// Calls that fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Operation it is about; every one if left out.
    pub operation: Option<OperationName>,

    /// Account of the caller; every one if left out.
    pub account: Option<AccountId>,

    /// Region that is called; every one if left out.
    pub region: Option<Region>,

    /// A key by its id, its ARN or an alias, however the caller names it, be it by a ciphertext;
    /// every one if left out. A text that names no key is compared with the caller's text.
    pub key: Option<String>,

    /// Pairs that the encryption context must have.
    pub context: BTreeMap<String, String>,

    /// The first matching call that is struck, counted from 1.
    pub first: u64,

    /// Of the matching calls from there on, every so-many-th is struck.
    pub every: u64,

    /// How many calls are struck in all; no end if left out.
    pub times: Option<u64>,

    /// Chance that such a call is struck, from 0 to 1.
    pub probability: f64,

    /// AWS's name of the error that is returned, such as `KMSInternalException`.
    pub error: Option<Code>,

    /// The error's text.
    pub message: String,

    /// Close the connection without a response.
    pub drop_connection: bool,

    /// Wait so long before that, or before doing the operation if there is no more to it.
    pub delay_ms: u64,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            operation: None,
            account: None,
            region: None,
            key: None,
            context: BTreeMap::new(),
            first: 1,
            every: 1,
            times: None,
            probability: 1.0,
            error: None,
            message: String::new(),
            drop_connection: false,
            delay_ms: 0,
        }
    }
}

/// How long calls take besides their work: lognormal, as services do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Operation it is about; every one if left out.
    pub operation: Option<OperationName>,

    /// Half of the calls take longer than this, in milliseconds.
    pub median_ms: f64,

    /// Spread: 0 is always the median; at 0.5 one call in twenty takes more than twice as long.
    pub sigma: f64,

    /// No call takes longer than this, in milliseconds; no limit if left out.
    pub max_ms: Option<f64>,
}

impl Plan {
    /// Checks every number.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        self.faults.iter().try_for_each(Fault::check)?;
        self.latencies.iter().try_for_each(Latency::check)
    }

    /// The first field with a number out of its range, such as `faults[0].every`, and what is wrong with it.
    #[must_use]
    pub fn first_mistake(&self) -> Option<(String, String)> {
        let faults = self.faults.iter().enumerate();
        let mut faults =
            faults.filter_map(|(at, fault)| Some((format!("faults[{at}]"), fault.mistake()?)));
        let latencies = self.latencies.iter().enumerate();
        let mut latencies = latencies
            .filter_map(|(at, latency)| Some((format!("latencies[{at}]"), latency.mistake()?)));
        let (entry, (field, what)) = faults.next().or_else(|| latencies.next())?;
        Some((format!("{entry}.{field}"), what))
    }
}

impl Fault {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        self.mistake().map_or(Ok(()), |_| Err(PlanError::Number))
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        let counted = |count: u64| format!("is {count}, and calls are counted from 1");
        if !(0.0..=1.0).contains(&self.probability) {
            let what = format!("is {}, and a probability is from 0 to 1", self.probability);
            return Some(("probability", what));
        }
        match (self.first, self.every) {
            (0, _) => Some(("first", counted(0))),
            (_, 0) => Some(("every", counted(0))),
            _ => None,
        }
    }
}

impl Latency {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        self.mistake().map_or(Ok(()), |_| Err(PlanError::Number))
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        let numbers = [
            ("median_ms", Some(self.median_ms)),
            ("sigma", Some(self.sigma)),
            ("max_ms", self.max_ms),
        ];
        let is_wrong = |number: f64| !number.is_finite() || number < 0.0;
        let wrong = numbers
            .into_iter()
            .find_map(|(name, number)| Some((name, number.filter(|it| is_wrong(*it))?)));
        wrong.map(|(name, number)| (name, format!("is {number}, and times are not negative")))
    }
}

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A number is out of its range.
    #[error("a probability is from 0 to 1, `first` and `every` from 1, times are not negative")]
    Number,
    /// No rule can be added.
    #[error("there are 1,000 rules in force; remove some")]
    Full,
}
