//! Vault Lock: the states of a vault's lock, by the clock.
//!
//! A lock policy is in force from its initiation on. It has 24 hours to be completed; then nobody can change
//! or remove it any more. Without, it ends with its policy and its id.
//!
//! Sources: <https://docs.aws.amazon.com/amazonglacier/latest/dev/vault-lock.html>,
//! <https://docs.aws.amazon.com/amazonglacier/latest/dev/api-CompleteVaultLock.html>

use std::time::Duration;

use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::vault::error::VaultError;
use crate::vault::policy::VaultPolicy;

/// The lock of a vault, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultLock {
    /// What it takes to complete it.
    pub(crate) id: String,
    pub(crate) policy: VaultPolicy,
    /// When it was initiated, in milliseconds since 1970.
    created_ms: i64,
    /// Whether it was completed.
    pub(crate) is_locked: bool,
}

impl VaultLock {
    /// One that begins now.
    pub(crate) fn new(id: String, policy: VaultPolicy, now: Timestamp) -> Self {
        Self {
            id,
            policy,
            created_ms: now.unix_millis(),
            is_locked: false,
        }
    }

    /// When it was initiated.
    pub(crate) fn created(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.created_ms)
    }

    /// When it ends unless it is completed before; none once it was.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        (!self.is_locked).then(|| self.created().plus(TIME_TO_COMPLETE))
    }

    fn is_in_force(&self, now: Timestamp) -> bool {
        self.expires().is_none_or(|expires| now < expires)
    }
}

/// The lock that is in force now.
pub(crate) fn in_force(lock: Option<&VaultLock>, now: Timestamp) -> Option<&VaultLock> {
    lock.filter(|lock| lock.is_in_force(now))
}

/// Checks that a lock may be initiated.
///
/// # Errors
///
/// `AccessDeniedException` where one is in force.
pub(crate) fn check_initiation(lock: Option<&VaultLock>, now: Timestamp) -> Result<(), VaultError> {
    match in_force(lock, now) {
        None => Ok(()),
        Some(lock) if lock.is_locked => Err(VaultError::denied(LOCKED)),
        Some(_) => Err(VaultError::denied(IN_PROGRESS)),
    }
}

/// The lock after its completion, by the id that its initiation returned.
///
/// # Errors
///
/// `ResourceNotFoundException` where none is in force; for another id `InvalidParameterValueException`, or
/// `AccessDeniedException` once it is locked.
pub(crate) fn completed(
    lock: Option<&VaultLock>,
    id: &str,
    now: Timestamp,
) -> Result<VaultLock, VaultError> {
    let lock = in_force(lock, now).ok_or_else(not_found)?;
    match (lock.id == id, lock.is_locked) {
        (true, _) => Ok(VaultLock {
            is_locked: true,
            ..lock.clone()
        }),
        (false, false) => Err(VaultError::invalid(format!("Invalid lock ID: {id}"))),
        (false, true) => Err(VaultError::denied(LOCKED)),
    }
}

/// Checks that the lock, if there is one, may be removed.
///
/// # Errors
///
/// `AccessDeniedException` once it is locked.
pub(crate) fn check_abortion(lock: Option<&VaultLock>) -> Result<(), VaultError> {
    match lock.is_some_and(|lock| lock.is_locked) {
        true => Err(VaultError::denied(LOCKED)),
        false => Ok(()),
    }
}

/// The error where no lock is in force.
pub(crate) fn not_found() -> VaultError {
    VaultError::not_found("No vault lock policy is set on this vault.")
}

/// How long a lock waits for its completion.
const TIME_TO_COMPLETE: Duration = Duration::from_secs(24 * 3_600);

const LOCKED: &str = "The vault is locked: its lock policy can be neither changed nor removed.";
const IN_PROGRESS: &str =
    "A vault lock is in progress: complete it by its lock ID or abort it first.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::error::VaultCode;
    use crate::vault::policy::tests::policy;

    fn code<T: std::fmt::Debug>(outcome: Result<T, VaultError>) -> VaultCode {
        outcome.unwrap_err().code
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_lock_that_is_not_completed_ends_after_24_hours_to_the_instant() {
        let lock = VaultLock::new("id".to_owned(), policy(), at(0));
        let lock = Some(&lock);
        assert!(in_force(lock, at(0)).is_some());
        assert!(in_force(lock, at(86_399)).is_some());
        assert!(in_force(lock, at(86_400)).is_none());
        let late = completed(lock, "id", at(86_400));
        assert_eq!(code(late), VaultCode::ResourceNotFound);
        assert!(check_initiation(lock, at(86_400)).is_ok());
    }

    #[test]
    fn a_lock_in_progress_is_completed_by_its_id_alone_and_can_be_aborted() {
        let lock = VaultLock::new("id".to_owned(), policy(), at(0));
        let lock = Some(&lock);
        let wrong = completed(lock, "other", at(1));
        assert_eq!(code(wrong), VaultCode::InvalidParameterValue);
        assert_eq!(code(check_initiation(lock, at(1))), VaultCode::AccessDenied);
        assert!(check_abortion(lock).is_ok());
        assert!(check_abortion(None).is_ok());
        assert!(completed(lock, "id", at(1)).unwrap().is_locked);
    }

    #[test]
    fn a_completed_lock_stays_for_ever_and_is_completed_again_by_its_id() {
        let lock = VaultLock::new("id".to_owned(), policy(), at(0));
        let lock = completed(Some(&lock), "id", at(1)).unwrap();
        let (lock, later) = (Some(&lock), at(1_000_000_000));
        assert!(in_force(lock, later).is_some());
        assert_eq!(in_force(lock, later).unwrap().expires(), None);
        assert!(completed(lock, "id", later).is_ok());
        let wrong = completed(lock, "other", later);
        assert_eq!(code(wrong), VaultCode::AccessDenied);
        assert_eq!(code(check_abortion(lock)), VaultCode::AccessDenied);
        assert_eq!(code(check_initiation(lock, later)), VaultCode::AccessDenied);
    }
}
