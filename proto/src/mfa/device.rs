//! A virtual device: its serial number and its secret.

use std::fmt;

use serde::Deserialize;
use totp_rs::Builder;
use totp_rs::Secret as TotpSecret;
use totp_rs::Totp;

use crate::identity::AccountId;
use crate::identity::Secret;
use crate::time::Timestamp;

/// A virtual MFA device.
#[derive(Clone, Deserialize)]
#[serde(try_from = "DeviceFields")]
pub struct MfaDevice {
    serial: String,
    totp: Totp,
}

/// A device in the credentials file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFields {
    serial: String,
    secret: Secret,
}

impl MfaDevice {
    /// A device whose secret is written in base32 (RFC 4648), with or without its padding.
    ///
    /// # Errors
    ///
    /// [`DeviceError`] for a serial number that AWS's API does not take, or a secret that is no base32 or
    /// shorter than the 128 bits that RFC 4226, section 4 demands.
    pub fn new(serial: &str, secret: &Secret) -> Result<Self, DeviceError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=/:,.@-".contains(&byte);
        let is_sized = (SERIAL_BYTES_MIN..=SERIAL_BYTES_MAX).contains(&serial.len());
        if !is_sized || !serial.bytes().all(allowed) {
            return Err(DeviceError::Serial);
        }

        let secret = secret.expose().trim_end_matches('=').to_ascii_uppercase();
        let secret = TotpSecret::try_from_base32(secret).map_err(|_| DeviceError::Secret)?;
        let totp = Builder::new().with_secret(secret).with_skew(SKEW_STEPS);
        Ok(Self {
            serial: serial.to_owned(),
            totp: totp.build().map_err(|_| DeviceError::Secret)?,
        })
    }

    /// The serial number of a virtual device: `arn:aws:iam::111122223333:mfa/ana`.
    #[must_use]
    pub fn serial_arn(partition: &str, account: &AccountId, name: &str) -> String {
        format!("arn:{partition}:iam::{account}:mfa/{name}")
    }

    /// The serial number: of a virtual device, its ARN.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The code that the device shows at that time. For tests and for tools; a server only checks codes.
    #[must_use]
    pub fn code(&self, at: Timestamp) -> String {
        self.totp.generate(seconds(at)).to_string()
    }

    /// The step whose code this is, among the current one and those beside it; none for any other code.
    pub(crate) fn step(&self, code: &str, now: Timestamp) -> Option<u64> {
        let is_code = code.len() == CODE_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
        is_code
            .then(|| self.totp.check(code, seconds(now)))
            .flatten()
    }
}

impl TryFrom<DeviceFields> for MfaDevice {
    type Error = DeviceError;

    fn try_from(fields: DeviceFields) -> Result<Self, DeviceError> {
        Self::new(&fields.serial, &fields.secret)
    }
}

impl fmt::Debug for MfaDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MfaDevice").field(&self.serial).finish()
    }
}

/// The step that contains an instant.
pub(crate) fn step_at(now: Timestamp) -> u64 {
    seconds(now) / STEP_SECONDS
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.unix_seconds()).unwrap_or_default()
}

/// A device that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Not what AWS's `SerialNumber` takes.
    #[error("the serial number of an MFA device has 9 to 256 letters, digits and `_+=/:,.@-`")]
    Serial,
    /// No base32, or too short.
    #[error("the secret of an MFA device is base32 of at least 16 bytes")]
    Secret,
}

/// RFC 6238, section 4.1.
const STEP_SECONDS: u64 = 30;

/// Steps before and after the current one whose codes count (RFC 6238, section 5.2: one for the delay of
/// the network; one ahead for a clock that is fast). AWS's own window is not documented.
const SKEW_STEPS: u16 = 1;

const CODE_DIGITS: usize = 6;

/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
const SERIAL_BYTES_MIN: usize = 9;
const SERIAL_BYTES_MAX: usize = 256;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The key of RFC 6238, appendix B, `12345678901234567890`.
    pub(crate) fn device() -> MfaDevice {
        let secret = Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        MfaDevice::new("arn:aws:iam::111122223333:mfa/ana", &secret).unwrap()
    }

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(device().code(at(seconds)), code);
            assert_eq!(device().step(code, at(seconds)), Some(step_at(at(seconds))));
        }
    }

    #[test]
    fn a_code_counts_one_step_before_and_after_its_own() {
        let now = at(1_234_567_890);
        let step = std::time::Duration::from_secs(30);
        let code = device().code(now);
        for near in [now, now.plus(step), now.minus(step)] {
            assert_eq!(device().step(&code, near), Some(step_at(now)));
        }
        for far in [now.plus(2 * step), now.minus(2 * step)] {
            assert_eq!(device().step(&code, far), None);
        }
    }

    #[test]
    fn what_is_no_code_of_six_digits_is_wrong() {
        for code in [
            "",
            "28708",
            "2870822",
            "287 082",
            "２８７０８２",
            "28708a",
            "+87082",
        ] {
            assert_eq!(device().step(code, at(59)), None, "{code}");
        }
    }

    #[test]
    fn a_secret_is_base32_of_sixteen_bytes_or_more_and_never_printed() {
        let serial = "arn:aws:iam::111122223333:mfa/ana";
        for secret in ["", "GEZDGNBV", "not base32!", "GEZDGNBVGY3TQOJQGEZDGNBV1"] {
            let refusal = MfaDevice::new(serial, &Secret::new(secret)).err();
            assert_eq!(refusal, Some(DeviceError::Secret), "{secret}");
        }
        let secret = Secret::new("gezdgnbvgy3tqojqgezdgnbvgy======");
        let device = MfaDevice::new(serial, &secret).unwrap();
        assert_eq!(format!("{device:?}"), format!("MfaDevice({serial:?})"));
        assert!(MfaDevice::new("short", &secret).is_err());
    }
}
