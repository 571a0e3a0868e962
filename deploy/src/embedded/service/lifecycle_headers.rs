//! What answers say of lifecycle rules: when an object expires, and when an upload is aborted.

use s3s::dto::Timestamp;

use crate::embedded::configurations;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Object;
use crate::embedded::lifecycle::Lifecycle;
use crate::embedded::service::Service;
use crate::embedded::service::names;

/// What `x-amz-expiration` says of a current version.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
pub(super) fn expiration(
    service: &Service,
    bucket: &Bucket,
    key: &str,
    object: &Object,
    modified_ms: i64,
) -> Outcome<Option<String>> {
    let lifecycle = of_bucket(service, bucket)?;
    let expiration = lifecycle
        .as_ref()
        .and_then(|lifecycle| lifecycle.expiration(key, object, modified_ms));
    Ok(expiration.map(|(end, rule)| {
        let date = proto::time::Timestamp::from_unix_millis(end).http_date();
        let rule = proto::sigv4::encode_component(rule);
        format!("expiry-date=\"{date}\", rule-id=\"{rule}\"")
    }))
}

/// When an upload is aborted, and by which rule: `x-amz-abort-date` and `x-amz-abort-rule-id`.
pub(super) fn abort(
    service: &Service,
    bucket: &Bucket,
    key: &str,
    created_ms: i64,
) -> Outcome<(Option<Timestamp>, Option<String>)> {
    let lifecycle = of_bucket(service, bucket)?;
    let abort = lifecycle
        .as_ref()
        .and_then(|lifecycle| lifecycle.abort(key, created_ms));
    Ok(match abort {
        Some((end, rule)) => (Some(names::timestamp(end)), Some(rule.to_owned())),
        None => (None, None),
    })
}

/// The rules of a bucket; a bucket without costs nothing.
fn of_bucket(service: &Service, bucket: &Bucket) -> Outcome<Option<Lifecycle>> {
    if !bucket.has_lifecycle {
        return Ok(None);
    }
    service
        .store
        .index
        .read(|snapshot| configurations::find(&snapshot.configurations()?, bucket.number))
}
