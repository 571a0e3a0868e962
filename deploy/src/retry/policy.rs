//! The table of retry policies.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::retry::AttemptOutcome;

/// A retry policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Policy {
    /// One attempt.
    None,
    /// botocore's `legacy` mode: five attempts, full jitter without a cap.
    LegacyPython,
    /// `legacy` of the AWS SDK for Java: four attempts, half of the wait is jitter.
    LegacyJava,
    /// The default of the AWS SDK for C++ before `standard`: eleven attempts, no jitter.
    LegacyCpp,
    /// `standard` until 2026: three attempts, full jitter, a retry quota.
    Standard2025,
    /// `standard` of 2026: throttled and other errors wait and cost differently.
    Standard,
    /// As `standard`, with a rate limiter before every attempt.
    Adaptive,
    /// The same wait before each attempt.
    Fixed {
        /// The wait, in milliseconds.
        wait_ms: u64,
        /// Most attempts.
        attempts: u32,
    },
    /// A random wait up to an exponential bound.
    FullJitter {
        /// The first bound, in milliseconds.
        base_ms: u64,
        /// The highest bound, in milliseconds.
        cap_ms: u64,
        /// Most attempts.
        attempts: u32,
    },
}

/// A text that is no retry policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no retry policy: none, legacy-python, legacy-java, legacy-cpp, standard-2025, standard, \
     adaptive, fixed:200ms:30 or full-jitter:100ms:20s:5"
)]
pub struct PolicyError(String);

impl Policy {
    /// Most attempts of one request, the first included.
    pub(super) fn attempts_max(self) -> u32 {
        match self {
            Self::None => 1,
            Self::LegacyPython => 5,
            Self::LegacyJava => 4,
            Self::LegacyCpp => 11,
            Self::Standard2025 | Self::Standard | Self::Adaptive => 3,
            Self::Fixed { attempts, .. } | Self::FullJitter { attempts, .. } => attempts.max(1),
        }
    }

    /// What a retry takes from the retry quota; 0 where there is none.
    pub(super) fn retry_cost(self, throttled: bool) -> f64 {
        match self {
            Self::Standard2025 => 5.0,
            Self::Standard | Self::Adaptive if throttled => 5.0,
            Self::Standard | Self::Adaptive => 14.0,
            // Java's costs nothing when throttled.
            Self::LegacyJava if !throttled => 5.0,
            _ => 0.0,
        }
    }

    /// The wait before retry number `retry`, counted from 0, where `random` is from 0 to 1.
    pub(super) fn wait(self, retry: u32, throttled: bool, random: f64) -> Duration {
        let doubled = |base_s: f64| base_s * 2f64.powi(i32::try_from(retry).unwrap_or(i32::MAX));
        let seconds = match self {
            Self::None => 0.0,
            Self::LegacyPython => random * doubled(1.0),
            Self::LegacyJava => {
                let base = if throttled { 0.5 } else { 0.1 };
                let bound = doubled(base).min(CAP_S);
                bound / 2.0 + random * bound / 2.0
            }
            // The first retry is immediate: DefaultRetryStrategy::CalculateDelayBeforeNextRetry.
            Self::LegacyCpp if retry == 0 => 0.0,
            Self::LegacyCpp => doubled(0.025),
            Self::Standard2025 => random * doubled(1.0).min(CAP_S),
            Self::Standard | Self::Adaptive => {
                let base = if throttled { 1.0 } else { 0.05 };
                random * doubled(base).min(CAP_S)
            }
            Self::Fixed { wait_ms, .. } => return Duration::from_millis(wait_ms),
            Self::FullJitter {
                base_ms, cap_ms, ..
            } => {
                let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
                random * doubled(seconds(base_ms)).min(seconds(cap_ms))
            }
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The wait, or what the service wants where the policy honours that: no less than the wait, and
    /// no more than 5 seconds above it.
    pub(super) fn honour(self, wait: Duration, outcome: AttemptOutcome) -> Duration {
        let honours = matches!(self, Self::Standard | Self::Adaptive);
        match outcome {
            AttemptOutcome::Throttled {
                retry_after: Some(wanted),
            } if honours => wanted.clamp(wait, wait.saturating_add(RETRY_AFTER_ABOVE)),
            _ => wait,
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let refused = || PolicyError(text.to_owned());
        let mut fields = text.split(':');
        let name = fields.next().unwrap_or_default();
        let mut field = || fields.next().ok_or_else(refused);
        let policy = match name {
            "none" => Self::None,
            "legacy-python" => Self::LegacyPython,
            "legacy-java" => Self::LegacyJava,
            "legacy-cpp" => Self::LegacyCpp,
            "standard-2025" => Self::Standard2025,
            "standard" => Self::Standard,
            "adaptive" => Self::Adaptive,
            "fixed" => Self::Fixed {
                wait_ms: milliseconds(field()?).ok_or_else(refused)?,
                attempts: field()?.parse().map_err(|_| refused())?,
            },
            "full-jitter" => Self::FullJitter {
                base_ms: milliseconds(field()?).ok_or_else(refused)?,
                cap_ms: milliseconds(field()?).ok_or_else(refused)?,
                attempts: field()?.parse().map_err(|_| refused())?,
            },
            _ => return Err(refused()),
        };
        match fields.next() {
            None => Ok(policy),
            Some(_) => Err(refused()),
        }
    }
}

/// Reads `200ms` or `20s`.
fn milliseconds(text: &str) -> Option<u64> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok();
    }
    let seconds: u64 = text.strip_suffix('s')?.parse().ok()?;
    seconds.checked_mul(1_000)
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::None => "none",
            Self::LegacyPython => "legacy-python",
            Self::LegacyJava => "legacy-java",
            Self::LegacyCpp => "legacy-cpp",
            Self::Standard2025 => "standard-2025",
            Self::Standard => "standard",
            Self::Adaptive => "adaptive",
            Self::Fixed { wait_ms, attempts } => return write!(f, "fixed:{wait_ms}ms:{attempts}"),
            Self::FullJitter {
                base_ms,
                cap_ms,
                attempts,
            } => return write!(f, "full-jitter:{base_ms}ms:{cap_ms}ms:{attempts}"),
        };
        f.write_str(name)
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.to_string()
    }
}

impl TryFrom<String> for Policy {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

/// The longest wait of the SDKs' standard modes, in seconds.
const CAP_S: f64 = 20.0;

/// How much longer than its own wait a client waits when a service wants it to.
const RETRY_AFTER_ABOVE: Duration = Duration::from_secs(5);
