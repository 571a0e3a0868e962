//! Transitions of lifecycle rules: checked as AWS checks them, and then refused, for there is one kind of storage.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Transition.html>

use s3s::S3ErrorCode;
use s3s::dto::LifecycleRule;
use s3s::dto::TransitionStorageClass;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::service::configuring::invalid;
use crate::embedded::service::configuring::malformed;
use crate::embedded::service::names;

/// Whether a rule has transitions.
///
/// # Errors
///
/// `MalformedXML` and `InvalidArgument`, as AWS, for one that is wrong.
pub(super) fn check(rule: &LifecycleRule) -> Outcome<bool> {
    let transitions = rule.transitions.iter().flatten();
    let noncurrent = rule.noncurrent_version_transitions.iter().flatten();
    let mut has_transitions = false;
    for transition in transitions {
        has_transitions = true;
        check_storage_class(transition.storage_class.as_ref())?;
        match (transition.days, transition.date.clone()) {
            (Some(days), None) => check_days(days, "'Days' in Transition action")?,
            (None, Some(date)) => drop(names::midnight(date)?),
            _ => return Err(malformed()),
        }
    }
    for transition in noncurrent {
        has_transitions = true;
        check_storage_class(transition.storage_class.as_ref())?;
        let days = transition.noncurrent_days.ok_or_else(malformed)?;
        check_days(
            days,
            "'NoncurrentDays' in NoncurrentVersionTransition action",
        )?;
    }
    Ok(has_transitions)
}

/// Why a rule with transitions is not taken.
pub(super) fn refusal() -> Fault {
    let message = "Transitions are not implemented by the embedded backend, which has one kind of \
                   storage: leave them out of the rule, or put the gateway before a backend that \
                   has storage classes.";
    Fault::message(S3ErrorCode::NotImplemented, message)
}

fn check_storage_class(class: Option<&TransitionStorageClass>) -> Outcome<()> {
    let class = class.map(TransitionStorageClass::as_str);
    match class.is_some_and(|class| STORAGE_CLASSES.contains(&class)) {
        true => Ok(()),
        false => Err(malformed()),
    }
}

fn check_days(days: i32, what: &str) -> Outcome<()> {
    match days >= 0 {
        true => Ok(()),
        false => Err(invalid(&format!("{what} must be nonnegative"))),
    }
}

/// Storage classes that objects move to.
const STORAGE_CLASSES: [&str; 6] = [
    TransitionStorageClass::DEEP_ARCHIVE,
    TransitionStorageClass::GLACIER,
    TransitionStorageClass::GLACIER_IR,
    TransitionStorageClass::INTELLIGENT_TIERING,
    TransitionStorageClass::ONEZONE_IA,
    TransitionStorageClass::STANDARD_IA,
];
