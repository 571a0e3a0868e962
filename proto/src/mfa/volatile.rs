//! Histories of devices in memory, for services that store nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;

use crate::mfa::MfaMemory;
use crate::mfa::device::MfaDevice;
use crate::mfa::history::DeviceHistory;
use crate::mfa::history::MfaError;
use crate::time::Timestamp;

/// Histories that end with the process.
#[derive(Debug, Default)]
pub struct VolatileMfa(Mutex<BTreeMap<String, DeviceHistory>>);

#[async_trait]
impl MfaMemory for VolatileMfa {
    async fn accept(&self, device: &MfaDevice, code: &str, now: Timestamp) -> Result<(), MfaError> {
        let mut histories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = histories.entry(device.serial().to_owned()).or_default();
        history.judge(device, code, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mfa::device::tests::at;
    use crate::mfa::device::tests::device;

    #[tokio::test]
    async fn a_code_is_accepted_once() {
        let (memory, now) = (VolatileMfa::default(), at(1_000_000));
        let code = device().code(now);
        assert_eq!(memory.accept(&device(), &code, now).await, Ok(()));
        let refusal = memory.accept(&device(), &code, now).await;
        assert_eq!(refusal, Err(MfaError::UsedCode));
    }
}
