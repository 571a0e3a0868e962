//! What is remembered of a device, and what it decides of a code.

use serde::Deserialize;
use serde::Serialize;

use crate::mfa::device::MfaDevice;
use crate::mfa::device::step_at;
use crate::time::Timestamp;

/// What is remembered of one device: the latest step whose code was accepted, and the wrong codes of the
/// current step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceHistory {
    /// The latest step of which a code was accepted. RFC 6238, section 5.2: no code counts twice.
    accepted_step: Option<u64>,
    /// The step in which the wrong codes were sent.
    guessed_step: u64,
    wrong_codes: u32,
}

impl DeviceHistory {
    /// Accepts a code, or counts it as a wrong one. The history must be stored in both cases.
    ///
    /// # Errors
    ///
    /// [`MfaError`] unless the code is of a step near `now` and later than that of every accepted code.
    pub fn judge(
        &mut self,
        device: &MfaDevice,
        code: &str,
        now: Timestamp,
    ) -> Result<(), MfaError> {
        let current = step_at(now);
        // Later only: a clock that is set back gives no new guesses.
        if current > self.guessed_step {
            self.guessed_step = current;
            self.wrong_codes = 0;
        }
        if self.wrong_codes >= WRONG_CODES_MAX {
            return Err(MfaError::TooManyWrongCodes);
        }

        match device.step(code, now) {
            Some(step) if self.accepted_step.is_none_or(|accepted| step > accepted) => {
                self.accepted_step = Some(step);
                Ok(())
            }
            matching => {
                self.wrong_codes += 1;
                Err(matching.map_or(MfaError::WrongCode, |_| MfaError::UsedCode))
            }
        }
    }
}

/// Why a code is refused. A client sees no difference between the first three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MfaError {
    /// It is not the device's code now.
    #[error("the code is wrong or expired")]
    WrongCode,
    /// It, or a later one, was accepted before.
    #[error("the code was used before")]
    UsedCode,
    /// Too many wrong codes came within one step; the next step begins anew.
    #[error("too many wrong codes within 30 seconds")]
    TooManyWrongCodes,
    /// What is remembered cannot be read or written, so that no code can be accepted.
    #[error("the memory of used codes is not available: {0}")]
    Unavailable(String),
}

/// Wrong codes within one step, of each device. Ceph RGW has the same bound.
const WRONG_CODES_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mfa::device::tests::at;
    use crate::mfa::device::tests::device;

    #[test]
    fn a_code_is_accepted_once_and_none_before_it_afterwards() {
        let (device, mut history) = (device(), DeviceHistory::default());
        let (before, now) = (at(1_000_000), at(1_000_030));
        let (earlier, code) = (device.code(before), device.code(now));
        assert_eq!(history.judge(&device, &code, now), Ok(()));
        for used in [&code, &earlier] {
            let refusal = history.judge(&device, used, now);
            assert_eq!(refusal, Err(MfaError::UsedCode));
        }
        let next = at(1_000_060);
        assert_eq!(history.judge(&device, &device.code(next), next), Ok(()));
    }

    #[test]
    fn the_code_of_the_step_before_counts_and_the_one_before_that_does_not() {
        let (device, mut history) = (device(), DeviceHistory::default());
        let now = at(1_000_060);
        let older = device.code(at(1_000_000));
        assert_eq!(
            history.judge(&device, &older, now),
            Err(MfaError::WrongCode)
        );
        assert_eq!(
            history.judge(&device, &device.code(at(1_000_030)), now),
            Ok(())
        );
    }

    #[test]
    fn after_five_wrong_codes_the_right_one_is_refused_until_the_next_step() {
        let (device, mut history) = (device(), DeviceHistory::default());
        let now = at(1_000_020);
        let wrong = if device.code(now) == "000000" {
            "111111"
        } else {
            "000000"
        };
        for _ in 0..WRONG_CODES_MAX {
            let refusal = history.judge(&device, wrong, now);
            assert_eq!(refusal, Err(MfaError::WrongCode));
        }
        let blocked = Err(MfaError::TooManyWrongCodes);
        assert_eq!(history.judge(&device, &device.code(now), now), blocked);
        let back = at(999_960);
        assert_eq!(history.judge(&device, &device.code(back), back), blocked);
        let next = at(1_000_050);
        assert_eq!(history.judge(&device, &device.code(next), next), Ok(()));
    }

    #[test]
    fn a_history_comes_back_from_storage() {
        let (device, mut history) = (device(), DeviceHistory::default());
        let now = at(1_000_000);
        history.judge(&device, &device.code(now), now).unwrap();
        let text = serde_json::to_string(&history).unwrap();
        let mut again: DeviceHistory = serde_json::from_str(&text).unwrap();
        assert_eq!(again, history);
        let refusal = again.judge(&device, &device.code(now), now);
        assert_eq!(refusal, Err(MfaError::UsedCode));
    }
}
