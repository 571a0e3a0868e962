//! Which codes of MFA devices were used, for all gateways before one backend: a sealed record of each device,
//! replaced by compare-and-swap.
//!
//! Two gateways that receive one code at the same moment both judge it by the record that is there, and one
//! of them replaces it; the other finds another record then, and judges again.

use std::sync::Arc;

use async_trait::async_trait;
use proto::mfa::DeviceHistory;
use proto::mfa::MfaDevice;
use proto::mfa::MfaError;
use proto::mfa::MfaMemory;
use proto::time::Timestamp;
use sha2::Digest as _;
use sha2::Sha256;
use tokio::sync::Mutex;

use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::error::S3Error;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::Expected;
use crate::state::Gateways;
use crate::state::Swap;

/// The used codes of all devices.
pub struct MfaCodes {
    records: Records,
    capabilities: Arc<Capabilities>,
    gateways: Gateways,
    /// Whose turn it is in this process: all there is where the backend's writes are not atomic.
    turn: Mutex<()>,
}

impl MfaCodes {
    /// Those in `records`, at a backend with these capabilities, for so many gateways.
    #[must_use]
    pub fn new(records: Records, capabilities: Arc<Capabilities>, gateways: Gateways) -> Self {
        Self {
            records,
            capabilities,
            gateways,
            turn: Mutex::new(()),
        }
    }

    /// Judges a code by what is stored, and replaces that; `None` if somebody else was faster.
    async fn judge(
        &self,
        device: &MfaDevice,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<Result<(), MfaError>>, S3Error> {
        let name = name(device);
        let (mut history, stored) = match self.records.read_document(&name, None).await? {
            RecordReading::Value(history, etag) => (history, etag.map(Expected::Version)),
            RecordReading::Absent => (DeviceHistory::default(), Some(Expected::Absent)),
            RecordReading::Unchanged => return Err(S3Error::internal()),
        };
        let verdict = history.judge(device, code, now);
        let compares = self.capabilities.has(Capability::AtomicWrites).await?;
        match stored.filter(|_| compares) {
            Some(expected) => {
                let swap = self.records.swap(&name, &history, &expected).await?;
                Ok(matches!(swap, Swap::Done(_)).then_some(verdict))
            }
            None if self.gateways == Gateways::Many => Err(S3Error::not_implemented(NOT_ATOMIC)),
            None => {
                self.records.write_document(&name, &history).await?;
                Ok(Some(verdict))
            }
        }
    }
}

#[async_trait]
impl MfaMemory for MfaCodes {
    async fn accept(&self, device: &MfaDevice, code: &str, now: Timestamp) -> Result<(), MfaError> {
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS_MAX {
            match self.judge(device, code, now).await {
                Ok(Some(verdict)) => return verdict,
                Ok(None) => {}
                Err(error) => return Err(MfaError::Unavailable(error.message().to_owned())),
            }
        }
        Err(MfaError::Unavailable(
            "other gateways were faster".to_owned(),
        ))
    }
}

/// The name of the record of a device, whose serial number may hold slashes.
fn name(device: &MfaDevice) -> String {
    format!("mfa/{}", hex::encode(Sha256::digest(device.serial())))
}

/// How often a code is judged again after another gateway was faster.
const ATTEMPTS_MAX: usize = 8;

const NOT_ATOMIC: &str = "The conditional writes of this backend are not atomic, so several gateways \
    could each accept the same code: set state.gateways = \"one\".";
