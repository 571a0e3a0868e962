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
}

impl Fault {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        if !(0.0..=1.0).contains(&self.probability) || self.first == 0 || self.every == 0 {
            return Err(PlanError::Number);
        }
        Ok(())
    }
}

impl Latency {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        let positive = |number: f64| number.is_finite() && number >= 0.0;
        if positive(self.median_ms) && positive(self.sigma) && self.max_ms.is_none_or(positive) {
            return Ok(());
        }
        Err(PlanError::Number)
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
