//! Multi-factor authentication: virtual devices, their codes, and that a code is accepted once.
//!
//! A device computes a code of six digits from a secret and the time (TOTP, RFC 6238: HMAC-SHA1, steps of
//! 30 seconds), as AWS's virtual devices do. What makes it safe is what is remembered of a device, its
//! [`DeviceHistory`]: a code counts once, and only so many may be guessed. Whoever checks codes shares one
//! [`MfaMemory`] with everybody else who does; else each would accept the same code.
//!
//! Sources: <https://www.rfc-editor.org/rfc/rfc6238>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_enable_virtual.html>

mod device;
mod file;
mod history;
mod volatile;

use async_trait::async_trait;

pub use crate::mfa::device::DeviceError;
pub use crate::mfa::device::MfaDevice;
pub use crate::mfa::file::MfaFile;
pub use crate::mfa::history::DeviceHistory;
pub use crate::mfa::history::MfaError;
pub use crate::mfa::volatile::VolatileMfa;
use crate::time::Timestamp;

/// Where the histories of devices are stored.
///
/// An implementation reads the device's [`DeviceHistory`], calls [`DeviceHistory::judge`], and stores the
/// history whatever came out, as one step that no other can interrupt: with a lock, or by comparing and
/// swapping and judging again when somebody else was faster.
#[async_trait]
pub trait MfaMemory: Send + Sync {
    /// Accepts a code, once.
    ///
    /// `now` is the real time, by which the authenticator apps of users compute codes.
    ///
    /// # Errors
    ///
    /// [`MfaError`]: the code is wrong or used up, or the memory cannot be read or written.
    async fn accept(&self, device: &MfaDevice, code: &str, now: Timestamp) -> Result<(), MfaError>;
}
