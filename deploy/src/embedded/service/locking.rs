//! Object Lock: of buckets, and of versions of objects.

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::DefaultRetention;
use s3s::dto::GetObjectLegalHoldInput;
use s3s::dto::GetObjectLegalHoldOutput;
use s3s::dto::GetObjectLockConfigurationInput;
use s3s::dto::GetObjectLockConfigurationOutput;
use s3s::dto::GetObjectRetentionInput;
use s3s::dto::GetObjectRetentionOutput;
use s3s::dto::ObjectLockConfiguration;
use s3s::dto::ObjectLockEnabled;
use s3s::dto::ObjectLockLegalHold;
use s3s::dto::ObjectLockLegalHoldStatus;
use s3s::dto::ObjectLockRetention;
use s3s::dto::ObjectLockRetentionMode;
use s3s::dto::ObjectLockRule;
use s3s::dto::PutObjectLegalHoldInput;
use s3s::dto::PutObjectLegalHoldOutput;
use s3s::dto::PutObjectLockConfigurationInput;
use s3s::dto::PutObjectLockConfigurationOutput;
use s3s::dto::PutObjectRetentionInput;
use s3s::dto::PutObjectRetentionOutput;

use crate::embedded::buckets;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::record::LockMode;
use crate::embedded::index::record::LockPeriod;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Retention;
use crate::embedded::index::record::Versioning;
use crate::embedded::index::tables::Tables;
use crate::embedded::lock;
use crate::embedded::service::Service;
use crate::embedded::service::buckets::find;
use crate::embedded::service::names;
use crate::embedded::service::reading;
use crate::embedded::service::tagging;
use crate::embedded::service::writing;
use crate::embedded::store::Place;

pub(super) async fn get_object_lock_configuration(
    service: &Service,
    request: S3Request<GetObjectLockConfigurationInput>,
) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
    let Some(default) = find(service, &request.input.bucket)?.lock else {
        let code = S3ErrorCode::ObjectLockConfigurationNotFoundError;
        let message = "Object Lock configuration does not exist for this bucket";
        return Err(Fault::message(code, message).into());
    };
    let rule = default.map(|default| {
        let (days, years) = match default.period {
            LockPeriod::Days(days) => (i32::try_from(days).ok(), None),
            LockPeriod::Years(years) => (None, i32::try_from(years).ok()),
        };
        let mode = ObjectLockRetentionMode::from_static(mode_name(default.mode));
        ObjectLockRule {
            default_retention: Some(DefaultRetention {
                days,
                mode: Some(mode),
                years,
            }),
        }
    });
    let enabled = ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED);
    Ok(S3Response::new(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(enabled),
            rule,
        }),
    }))
}

pub(super) async fn put_object_lock_configuration(
    service: &Service,
    request: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
    let input = request.input;
    let configuration = input.object_lock_configuration.unwrap_or_default();
    let enabled = configuration.object_lock_enabled.as_ref();
    if enabled.is_none_or(|enabled| enabled.as_str() != ObjectLockEnabled::ENABLED) {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    let default = default_retention(configuration.rule)?;
    let name = input.bucket;
    let set = move |tables: &mut Tables<'_>| {
        let mut bucket = buckets::find(&*tables.buckets, &name)?;
        if bucket.versioning != Versioning::Enabled {
            let message =
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
            return Err(Fault::message(S3ErrorCode::InvalidBucketState, message));
        }
        bucket.lock = Some(default);
        buckets::store(tables, &name, &bucket)
    };
    service.store.index.change(set).await?;
    Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
}

pub(super) async fn get_object_retention(
    service: &Service,
    request: S3Request<GetObjectRetentionInput>,
) -> S3Result<S3Response<GetObjectRetentionOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let retention = object(service, &place)?.retention.ok_or_else(no_lock)?;
    Ok(S3Response::new(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(mode_name(
                retention.mode,
            ))),
            retain_until_date: Some(names::timestamp(retention.until_ms)),
        }),
    }))
}

pub(super) async fn put_object_retention(
    service: &Service,
    request: S3Request<PutObjectRetentionInput>,
) -> S3Result<S3Response<PutObjectRetentionOutput>> {
    let input = request.input;
    let now_ms = service.store.now_ms();
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let bypass = input.bypass_governance_retention == Some(true);
    let wanted = input.retention.unwrap_or_default();
    let retention = match (wanted.mode, wanted.retain_until_date) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = retention_mode(mode.as_str())?;
            let until_ms = names::milliseconds(until);
            if until_ms <= now_ms {
                let message = "The retain until date must be in the future!";
                let shown = proto::time::Timestamp::from_unix_millis(until_ms).http_date();
                return Err(Fault::argument(message, "RetainUntilDate", &shown).into());
            }
            Some(Retention { mode, until_ms })
        }
        _ => return Err(S3ErrorCode::MalformedXML.into()),
    };
    let edit = move |bucket: &record::Bucket, object: &mut Object| {
        lock::check_bucket(bucket)?;
        lock::check_change(object.retention, retention, bypass, now_ms)?;
        object.retention = retention;
        Ok(())
    };
    service.store.edit(place, edit).await?;
    Ok(S3Response::new(PutObjectRetentionOutput::default()))
}

pub(super) async fn get_object_legal_hold(
    service: &Service,
    request: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let is_on = object(service, &place)?.legal_hold.ok_or_else(no_lock)?;
    let status = if is_on { "ON" } else { "OFF" };
    Ok(S3Response::new(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold {
            status: Some(ObjectLockLegalHoldStatus::from_static(status)),
        }),
    }))
}

pub(super) async fn put_object_legal_hold(
    service: &Service,
    request: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let status = input.legal_hold.and_then(|hold| hold.status);
    let is_on = match status.as_ref().map(ObjectLockLegalHoldStatus::as_str) {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(S3ErrorCode::MalformedXML.into()),
    };
    let edit = move |bucket: &record::Bucket, object: &mut Object| {
        lock::check_bucket(bucket)?;
        object.legal_hold = Some(is_on);
        Ok(())
    };
    service.store.edit(place, edit).await?;
    Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
}

/// An object in a bucket with Object Lock.
fn object(service: &Service, place: &Place) -> S3Result<Object> {
    let (bucket, found) = service.store.find(place)?;
    lock::check_bucket(&bucket)?;
    let id = tagging::id(&bucket, &found.version);
    match found.version.object {
        Some(object) => Ok(object),
        None => Err(reading::marker(place, id, found.version.modified_ms)),
    }
}

fn default_retention(rule: Option<ObjectLockRule>) -> Outcome<Option<record::DefaultRetention>> {
    let Some(rule) = rule else {
        return Ok(None);
    };
    let malformed = || Fault::code(S3ErrorCode::MalformedXML);
    let default = rule.default_retention.ok_or_else(malformed)?;
    let mode = default.mode.ok_or_else(malformed)?;
    let mode = retention_mode(mode.as_str())?;
    let (number, max) = match (default.days, default.years) {
        (Some(days), None) => (days, DAYS_MAX),
        (None, Some(years)) => (years, YEARS_MAX),
        _ => return Err(malformed()),
    };
    let number = u32::try_from(number).ok().filter(|number| *number > 0);
    let refused = |message: &str| {
        let code = S3ErrorCode::InvalidArgument;
        Fault::message(code, message)
    };
    let number = number
        .ok_or_else(|| refused("Default retention period must be a positive integer value."))?;
    if number > max {
        return Err(refused("Default retention period is too large"));
    }
    let period = match default.days {
        Some(_) => LockPeriod::Days(number),
        None => LockPeriod::Years(number),
    };
    Ok(Some(record::DefaultRetention { mode, period }))
}

/// A mode in a document; AWS calls one that it does not have malformed.
fn retention_mode(text: &str) -> Outcome<LockMode> {
    writing::lock_mode(text).map_err(|_| S3ErrorCode::MalformedXML.into())
}

/// A mode as the API has it.
fn mode_name(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Governance => ObjectLockRetentionMode::GOVERNANCE,
        LockMode::Compliance => ObjectLockRetentionMode::COMPLIANCE,
    }
}

fn no_lock() -> Fault {
    let message = "The specified object does not have a ObjectLock configuration";
    Fault::message(S3ErrorCode::NoSuchObjectLockConfiguration, message)
}

/// Longest lock by default, in days and in years.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>
const DAYS_MAX: u32 = 36_500;
const YEARS_MAX: u32 = 100;
