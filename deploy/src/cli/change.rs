//! One change of a run, to be compared with it: `bucket-key`, `quota=2x`, `retry=adaptive`.

use std::fmt;
use std::str::FromStr;

use crate::retry::Policy;

/// What is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Objects are encrypted with Bucket Keys.
    BucketKey,
    /// Every quota is so many times as high.
    Quota(f64),
    /// Clients retry like that.
    Retry(Policy),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BucketKey => f.write_str("bucket-key"),
            Self::Quota(factor) => write!(f, "quota={factor}x"),
            Self::Retry(policy) => write!(f, "retry={policy}"),
        }
    }
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "bucket-key" {
            return Ok(Self::BucketKey);
        }
        if let Some(policy) = text.strip_prefix("retry=") {
            let policy = policy.parse::<Policy>();
            return policy.map(Self::Retry).map_err(|error| error.to_string());
        }
        let factor = text
            .strip_prefix("quota=")
            .and_then(|it| it.strip_suffix('x'));
        let factor = factor.and_then(|factor| factor.parse::<f64>().ok());
        let factor = factor.filter(|factor| factor.is_finite() && *factor > 0.0);
        let none =
            || format!("`{text}` is no change: write bucket-key, quota=2x or retry=adaptive");
        factor.map(Self::Quota).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_written_as_they_are_read() {
        for text in [
            "bucket-key",
            "quota=2x",
            "quota=0.5x",
            "retry=adaptive",
            "retry=fixed:200ms:30",
        ] {
            assert_eq!(text.parse::<Change>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "quota=2",
            "quota=0x",
            "quota=-1x",
            "retry=never",
            "bucket-keys",
        ] {
            assert!(text.parse::<Change>().is_err(), "{text}");
        }
    }
}
