//! Which actions a request needs, and what becomes of those that only its answer needs.

use http::HeaderMap;
use http::header;

use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::route::Action;
use crate::route::Needed;
use crate::route::Operation;

/// The actions that a request with these headers needs, or may need.
pub(super) fn needed(actions: &'static [Action], headers: &HeaderMap) -> Vec<&'static Action> {
    let is_needed = |action: &&Action| match action.needed {
        Needed::Always => true,
        Needed::Header(name) => headers.contains_key(name),
        Needed::Switch(name) => headers
            .get(name)
            .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"false")),
        Needed::Acl => headers
            .keys()
            .any(|name| name == "x-amz-acl" || name.as_str().starts_with("x-amz-grant-")),
        Needed::Answer(_) | Needed::Absence => true,
        Needed::Match => headers
            .get_all(header::IF_MATCH)
            .iter()
            .any(|value| names_etag(value.as_bytes())),
        Needed::MatchedAbsence => headers.contains_key(header::IF_MATCH),
        Needed::SourceTags => headers
            .get("x-amz-tagging-directive")
            .is_none_or(|value| value != "REPLACE"),
    };
    actions.iter().filter(is_needed).collect()
}

/// The actions that a deletion needs whose condition is this one, beside those that any deletion needs.
pub(super) fn needed_by_condition(
    actions: &'static [Action],
    etag: Option<&str>,
) -> Vec<&'static Action> {
    let is_needed = |action: &&Action| match action.needed {
        Needed::Match => etag.is_some_and(|etag| names_etag(etag.as_bytes())),
        Needed::MatchedAbsence => etag.is_some(),
        _ => false,
    };
    actions.iter().filter(is_needed).collect()
}

/// Whether an action is needed because of a condition on the object that is replaced or deleted.
pub(super) fn is_of_condition(action: &Action) -> bool {
    matches!(action.needed, Needed::Match | Needed::MatchedAbsence)
}

/// Whether a condition names an ETag, and not only that there is an object.
fn names_etag(condition: &[u8]) -> bool {
    condition.trim_ascii() != b"*"
}

/// The headers of an answer that the caller may not see.
pub(super) fn withheld(
    access: &BucketAccess,
    subject: Subject<'_>,
    actions: &[&'static Action],
) -> Vec<&'static str> {
    let withheld = actions.iter().filter_map(|action| match action.needed {
        Needed::Answer(header) => access.check(action, subject).is_err().then_some(header),
        _ => None,
    });
    withheld.collect()
}

/// Whether the caller may not see that there is no such object, the one that is read ([`Needed::Absence`]) or that
/// a condition is about ([`Needed::MatchedAbsence`]): AWS shows it to those who may list the bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(super) fn hides_absence(
    access: &BucketAccess,
    actions: &[&'static Action],
    absence: Needed,
) -> bool {
    let bucket = Subject {
        key: None,
        version: None,
    };
    actions
        .iter()
        .any(|action| action.needed == absence && access.check(action, bucket).is_err())
}

/// Whether an operation is for users of the account that the bucket belongs to, whatever its policy allows to
/// others.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>
pub(super) const fn is_for_owners_only(operation: Operation) -> bool {
    matches!(operation, Operation::PutBucketLogging)
}

/// Whether no policy can deny an operation: else one that denies everything could never be
/// mended.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
pub(super) fn may_always(operation: Operation, access: &BucketAccess) -> bool {
    let of_policy = matches!(
        operation,
        Operation::DeleteBucketPolicy | Operation::GetBucketPolicy | Operation::PutBucketPolicy
    );
    of_policy
        && access.through.is_none()
        && access.caller.is_root()
        && access.caller.is_unlimited()
        && !access.foreign
}
