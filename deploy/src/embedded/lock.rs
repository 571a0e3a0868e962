//! Object Lock: what protects a version, and who can lift it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use s3s::S3ErrorCode;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::DefaultRetention;
use crate::embedded::index::record::LockMode;
use crate::embedded::index::record::LockPeriod;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Retention;

/// Gives a new object the lock that it has in its bucket.
///
/// # Errors
///
/// `InvalidRequest` where it comes with a lock and the bucket has no Object Lock.
pub fn lock_new(object: &mut Object, bucket: &Bucket, now_ms: i64) -> Outcome<()> {
    match bucket.lock {
        None if object.retention.is_some() || object.legal_hold.is_some() => Err(missing()),
        Some(Some(default)) if object.retention.is_none() => {
            object.retention = Some(Retention {
                mode: default.mode,
                until_ms: end(default, now_ms),
            });
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether a version may be removed.
///
/// # Errors
///
/// `AccessDenied` while a lock or a legal hold is on it.
pub fn check_removal(object: &Object, bypass: bool, now_ms: i64) -> Outcome<()> {
    if object.legal_hold == Some(true) || is_locked(object.retention, bypass, now_ms) {
        return Err(protected());
    }
    Ok(())
}

/// Whether the lock of a version may be replaced.
///
/// # Errors
///
/// `AccessDenied` where that would make it weaker or change its mode, and whoever asks may not.
pub fn check_change(
    before: Option<Retention>,
    after: Option<Retention>,
    bypass: bool,
    now_ms: i64,
) -> Outcome<()> {
    let is_stronger = match (before, after) {
        (Some(before), Some(after)) => {
            after.until_ms >= before.until_ms && after.mode == before.mode
        }
        (Some(_), None) => false,
        (None, _) => true,
    };
    if !is_stronger && is_locked(before, bypass, now_ms) {
        return Err(protected());
    }
    Ok(())
}

/// Whether a bucket has Object Lock.
///
/// # Errors
///
/// `InvalidRequest` if it has not.
pub fn check_bucket(bucket: &Bucket) -> Outcome<()> {
    match bucket.lock {
        None => Err(missing()),
        Some(_) => Ok(()),
    }
}

fn is_locked(retention: Option<Retention>, bypass: bool, now_ms: i64) -> bool {
    retention.is_some_and(|retention| {
        let is_over = retention.until_ms <= now_ms;
        let is_lifted = bypass && retention.mode == LockMode::Governance;
        !is_over && !is_lifted
    })
}

/// When a lock by default ends.
fn end(default: DefaultRetention, now_ms: i64) -> i64 {
    let days = match default.period {
        LockPeriod::Days(days) => i64::from(days),
        // AWS counts a year as 365 days.
        LockPeriod::Years(years) => i64::from(years).saturating_mul(365),
    };
    now_ms.saturating_add(days.saturating_mul(DAY_MS))
}

fn missing() -> Fault {
    let message = "Bucket is missing Object Lock Configuration";
    Fault::message(S3ErrorCode::InvalidRequest, message)
}

fn protected() -> Fault {
    let message = "Access Denied because object protected by object lock.";
    Fault::message(S3ErrorCode::AccessDenied, message)
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(mode: LockMode, until_ms: i64) -> Object {
        Object {
            retention: Some(Retention { mode, until_ms }),
            ..Object::default()
        }
    }

    #[test]
    fn a_version_is_removed_only_when_nothing_protects_it() {
        let governed = locked(LockMode::Governance, 10);
        let complied = locked(LockMode::Compliance, 10);
        let held = Object {
            legal_hold: Some(true),
            ..Object::default()
        };
        for (object, bypass, now, may) in [
            (&governed, false, 9, false),
            (&governed, true, 9, true),
            (&governed, false, 10, true),
            (&complied, true, 9, false),
            (&complied, false, 10, true),
            (&held, true, 99, false),
        ] {
            let outcome = check_removal(object, bypass, now);
            assert_eq!(outcome.is_ok(), may, "{object:?} {bypass} {now}");
        }
    }

    #[test]
    fn a_lock_becomes_weaker_or_of_another_mode_only_by_a_bypass() {
        let lock = |mode, until_ms| Some(Retention { mode, until_ms });
        let (governance, compliance) = (LockMode::Governance, LockMode::Compliance);
        for (before, after, bypass, may) in [
            (lock(governance, 10), lock(governance, 11), false, true),
            (lock(governance, 10), lock(governance, 9), false, false),
            (lock(governance, 10), lock(governance, 9), true, true),
            (lock(governance, 10), None, false, false),
            (lock(governance, 10), lock(compliance, 10), false, false),
            (lock(governance, 10), lock(compliance, 10), true, true),
            (lock(compliance, 10), lock(governance, 11), true, false),
            (lock(compliance, 10), None, true, false),
            (lock(compliance, 1), None, false, true),
        ] {
            let outcome = check_change(before, after, bypass, 5);
            assert_eq!(outcome.is_ok(), may, "{before:?} {after:?} {bypass}");
        }
    }
}
