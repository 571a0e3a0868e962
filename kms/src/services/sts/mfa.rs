//! The MFA device and the code of a request.

use proto::iam::Identity;
use proto::mfa::MfaDevice;

use crate::services::sts::Sts;
use crate::services::sts::error::StsError;
use crate::services::sts::parameters::Constraints;
use crate::services::sts::parameters::Text;

/// A device and its code, as a request names them.
pub(super) struct Attempt<'a> {
    pub(super) serial: &'a str,
    code: &'a str,
}

/// Reads `SerialNumber` and `TokenCode`.
pub(super) fn attempt<'a>(
    constraints: &mut Constraints<'a>,
) -> Result<Option<Attempt<'a>>, StsError> {
    let serial = constraints.optional("SerialNumber", SERIAL);
    let code = constraints.optional("TokenCode", CODE);
    match (serial, code) {
        (None, None) => Ok(None),
        (Some(serial), Some(code)) => Ok(Some(Attempt { serial, code })),
        _ => Err(StsError::denied(
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
        )),
    }
}

impl Sts {
    /// Accepts the code of one of the caller's devices, once. Come here last: a code of a request that is
    /// refused otherwise is not used up, and nobody learns from it whether the code was right.
    pub(super) async fn accept_code(
        &self,
        identity: &Identity,
        attempt: &Attempt<'_>,
    ) -> Result<(), StsError> {
        let device = self.device(identity, attempt.serial);
        let device = device.ok_or_else(|| {
            StsError::denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA \
                 serial number is valid and associated with this user.",
            )
        })?;
        let now = self.real_clock.now();
        Ok(self.iam.mfa().accept(&device, attempt.code, now).await?)
    }

    fn device(&self, identity: &Identity, serial: &str) -> Option<MfaDevice> {
        let principals = self.iam.principals();
        principals.user(&identity.arn)?.device(serial).cloned()
    }
}

const SERIAL: Text = Text {
    member: "serialNumber",
    shortest: 9,
    longest: 256,
    pattern: Some(("[\\w+=/:,.@-]*", "+=/:,.@-")),
};
const CODE: Text = Text {
    member: "tokenCode",
    shortest: 6,
    longest: 6,
    pattern: Some(("[\\d]*", "")),
};
