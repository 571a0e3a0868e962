//! A lifecycle rule, from the API's form to the store's and back.
//!
//! The messages are AWS's, as its documentation and recorded answers have them.

use s3s::S3ErrorCode;
use s3s::dto;
use s3s::dto::ExpirationStatus;
use s3s::dto::LifecycleExpiration;
use s3s::dto::LifecycleRule;
use s3s::dto::LifecycleRuleAndOperator;
use s3s::dto::LifecycleRuleFilter;
use s3s::dto::NoncurrentVersionExpiration;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::lifecycle::Expiration;
use crate::embedded::lifecycle::Filter;
use crate::embedded::lifecycle::FilterForm;
use crate::embedded::lifecycle::NoncurrentExpiration;
use crate::embedded::lifecycle::Rule;
use crate::embedded::service::configuring::invalid;
use crate::embedded::service::configuring::malformed;
use crate::embedded::service::lifecycle_transition;
use crate::embedded::service::names;
use crate::embedded::service::tagging;

/// A rule that AWS takes, and that can be carried out here.
///
/// # Errors
///
/// `MalformedXML`, `InvalidArgument` and `InvalidRequest` as AWS; `NotImplemented` for transitions that AWS
/// takes.
pub(super) fn checked(rule: LifecycleRule) -> Outcome<Rule> {
    let has_transitions = lifecycle_transition::check(&rule)?;
    let is_enabled = match rule.status.as_str() {
        ExpirationStatus::ENABLED => true,
        ExpirationStatus::DISABLED => false,
        _ => return Err(malformed()),
    };
    let id = match rule.id.filter(|id| !id.is_empty()) {
        Some(id) if id.chars().count() > ID_CHARS_MAX => {
            return Err(invalid("ID length should not exceed allowed limit of 255"));
        }
        Some(id) => id,
        None => names::random_id()?,
    };
    let rule = Rule {
        id,
        is_enabled,
        filter: filter(rule.filter, rule.prefix)?,
        expiration: rule.expiration.map(|it| expiration(&it)).transpose()?,
        noncurrent: rule
            .noncurrent_version_expiration
            .map(|it| noncurrent(&it))
            .transpose()?,
        abort_days: rule
            .abort_incomplete_multipart_upload
            .map(|it| {
                days(
                    it.days_after_initiation,
                    "'DaysAfterInitiation' for AbortIncompleteMultipartUpload",
                )
            })
            .transpose()?,
    };
    check_combination(&rule, has_transitions)?;
    match has_transitions {
        true => Err(lifecycle_transition::refusal()),
        false => Ok(rule),
    }
}

/// Actions that AWS does not take together with some filters.
fn check_combination(rule: &Rule, has_transitions: bool) -> Outcome<()> {
    let refused = |message: String| Err(Fault::message(S3ErrorCode::InvalidRequest, message));
    let has_action = has_transitions
        || rule.expiration.is_some()
        || rule.noncurrent.is_some()
        || rule.abort_days.is_some();
    if !has_action {
        return refused("At least one action needs to be specified in a rule".to_owned());
    }
    let is_marker = matches!(rule.expiration, Some(Expiration::DeleteMarker(_)));
    let actions = [
        (rule.abort_days.is_some(), "AbortIncompleteMultipartUpload"),
        (is_marker, "ExpiredObjectDeleteMarker"),
    ];
    let filter = &rule.filter;
    let has_size = filter.larger_than.is_some() || filter.smaller_than.is_some();
    for (_, action) in actions.iter().filter(|(is_there, _)| *is_there) {
        if !filter.tags.is_empty() {
            return refused(format!("{action} cannot be specified with Tags."));
        }
        if has_size {
            return refused(format!("{action} cannot be specified with ObjectSize."));
        }
    }
    Ok(())
}

fn filter(filter: Option<LifecycleRuleFilter>, prefix: Option<String>) -> Outcome<Filter> {
    let filter = match (filter, prefix) {
        (None, Some(prefix)) => Filter {
            form: FilterForm::Prefix,
            prefix: Some(prefix),
            ..Filter::default()
        },
        (Some(filter), None) => conditions(filter)?,
        _ => return Err(malformed()),
    };
    if filter
        .prefix
        .as_ref()
        .is_some_and(|prefix| prefix.len() > PREFIX_BYTES_MAX)
    {
        let message = "The maximum size of a prefix is 1024.";
        return Err(Fault::message(S3ErrorCode::InvalidRequest, message));
    }
    if let (Some(larger), Some(smaller)) = (filter.larger_than, filter.smaller_than)
        && smaller <= larger
    {
        let message =
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.";
        return Err(Fault::message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(filter)
}

/// A filter has one condition, or several in `And`.
fn conditions(filter: LifecycleRuleFilter) -> Outcome<Filter> {
    let count = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if count.iter().filter(|is_there| **is_there).count() > 1 {
        return Err(malformed());
    }
    if let Some(and) = filter.and {
        let tags = tagging::from_set(and.tags.unwrap_or_default())?;
        let mut keys: Vec<&String> = tags.iter().map(|(key, _)| key).collect();
        keys.sort();
        keys.dedup();
        if keys.len() < tags.len() {
            let message = "Duplicate Tag Keys are not allowed.";
            return Err(Fault::message(S3ErrorCode::InvalidRequest, message));
        }
        return Ok(Filter {
            form: FilterForm::And,
            prefix: and.prefix,
            tags,
            larger_than: size(and.object_size_greater_than)?,
            smaller_than: size(and.object_size_less_than)?,
        });
    }
    Ok(Filter {
        form: FilterForm::Filter,
        prefix: filter.prefix,
        tags: tagging::from_set(filter.tag.into_iter().collect())?,
        larger_than: size(filter.object_size_greater_than)?,
        smaller_than: size(filter.object_size_less_than)?,
    })
}

fn expiration(expiration: &LifecycleExpiration) -> Outcome<Expiration> {
    let marker = expiration.expired_object_delete_marker;
    match (expiration.days, expiration.date.clone(), marker) {
        (Some(number), None, None) => {
            days(Some(number), "'Days' for Expiration action").map(Expiration::Days)
        }
        (None, Some(date), None) => names::midnight(date).map(Expiration::Date),
        (None, None, Some(removes)) => Ok(Expiration::DeleteMarker(removes)),
        _ => Err(malformed()),
    }
}

fn noncurrent(expiration: &NoncurrentVersionExpiration) -> Outcome<NoncurrentExpiration> {
    let action = "for NoncurrentVersionExpiration action";
    let newer = expiration.newer_noncurrent_versions;
    if expiration.noncurrent_days.is_none() {
        return Err(malformed());
    }
    Ok(NoncurrentExpiration {
        days: days(
            expiration.noncurrent_days,
            &format!("'NoncurrentDays' {action}"),
        )?,
        newer: match newer {
            None => None,
            Some(newer) => match u32::try_from(newer) {
                Ok(newer @ 1..=NEWER_MAX) => Some(newer),
                _ => {
                    return Err(invalid(&format!(
                        "'NewerNoncurrentVersions' {action} must be between 1 and {NEWER_MAX}"
                    )));
                }
            },
        },
    })
}

fn days(days: Option<i32>, what: &str) -> Outcome<u32> {
    let days = days.ok_or_else(malformed)?;
    let days = u32::try_from(days).ok().filter(|days| *days > 0);
    days.ok_or_else(|| invalid(&format!("{what} must be a positive integer")))
}

fn size(bytes: Option<i64>) -> Outcome<Option<u64>> {
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let bytes = u64::try_from(bytes);
    let refused = |_| invalid("Object sizes must not be negative");
    bytes.map(Some).map_err(refused)
}

/// A rule as the API has it, in the form in which it was put.
pub(super) fn shown(rule: Rule) -> LifecycleRule {
    let number = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    let expiration = rule.expiration.map(|expiration| match expiration {
        Expiration::Days(days) => LifecycleExpiration {
            days: Some(number(days)),
            ..LifecycleExpiration::default()
        },
        Expiration::Date(date) => LifecycleExpiration {
            date: Some(names::timestamp(date)),
            ..LifecycleExpiration::default()
        },
        Expiration::DeleteMarker(removes) => LifecycleExpiration {
            expired_object_delete_marker: Some(removes),
            ..LifecycleExpiration::default()
        },
    });
    let status = match rule.is_enabled {
        true => ExpirationStatus::ENABLED,
        false => ExpirationStatus::DISABLED,
    };
    let abort = rule
        .abort_days
        .map(|days| dto::AbortIncompleteMultipartUpload {
            days_after_initiation: Some(number(days)),
        });
    let noncurrent = rule
        .noncurrent
        .map(|noncurrent| NoncurrentVersionExpiration {
            newer_noncurrent_versions: noncurrent.newer.map(number),
            noncurrent_days: Some(number(noncurrent.days)),
        });
    let (filter, prefix) = shown_filter(rule.filter);
    LifecycleRule {
        abort_incomplete_multipart_upload: abort,
        expiration,
        filter,
        id: Some(rule.id),
        noncurrent_version_expiration: noncurrent,
        noncurrent_version_transitions: None,
        prefix,
        status: ExpirationStatus::from_static(status),
        transitions: None,
    }
}

fn shown_filter(filter: Filter) -> (Option<LifecycleRuleFilter>, Option<String>) {
    let bytes = |bytes: Option<u64>| bytes.map(names::length);
    let (larger, smaller) = (bytes(filter.larger_than), bytes(filter.smaller_than));
    let mut tags = tagging::shown(filter.tags);
    match filter.form {
        FilterForm::Prefix => (None, filter.prefix),
        FilterForm::Filter => {
            let shown = LifecycleRuleFilter {
                object_size_greater_than: larger,
                object_size_less_than: smaller,
                prefix: filter.prefix,
                tag: tags.pop(),
                ..LifecycleRuleFilter::default()
            };
            (Some(shown), None)
        }
        FilterForm::And => {
            let and = LifecycleRuleAndOperator {
                object_size_greater_than: larger,
                object_size_less_than: smaller,
                prefix: filter.prefix,
                tags: (!tags.is_empty()).then_some(tags),
            };
            let shown = LifecycleRuleFilter {
                and: Some(and),
                ..LifecycleRuleFilter::default()
            };
            (Some(shown), None)
        }
    }
}

/// Longest id of a rule, in characters.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html>
const ID_CHARS_MAX: usize = 255;

/// Longest prefix, in bytes of UTF-8: that of a key.
const PREFIX_BYTES_MAX: usize = 1_024;

/// Most noncurrent versions that a rule spares.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html>
const NEWER_MAX: u32 = 100;
