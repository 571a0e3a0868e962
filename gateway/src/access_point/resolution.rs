//! From what a request names to the access point that it goes through.
//!
//! A host `NAME-ACCOUNT` is that of an access point if there is one, else that of a bucket. A path names an access
//! point by its alias only: a bucket may be called `NAME-ACCOUNT`. A copy source names one by its ARN or alias;
//! its header is rewritten, so that nothing below reads anything but a bucket and a key.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-access-points.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use std::sync::Arc;

use futures_util::FutureExt as _;
use http::HeaderMap;
use http::HeaderValue;
use proto::identity::AccountId;
use proto::sigv4;

use crate::access_point::AccessPoints;
use crate::access_point::missing;
use crate::access_point::name;
use crate::access_point::record::AccessPoint;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::copy_source::AccessPointSource;
use crate::protocol::copy_source::CopySource;
use crate::protocol::copy_source::HEADER;
use crate::request::Addressing;
use crate::request::Target;

/// The access points of a request.
#[derive(Clone, Debug, Default)]
pub struct RequestAccessPoints {
    /// The one that it goes through.
    pub target: Option<Arc<AccessPoint>>,
    /// The one that names the source of its copy.
    pub source: Option<Arc<AccessPoint>>,
}

/// The access point that a request goes through, if it names one. The bucket of `target` is that of it then.
///
/// # Errors
///
/// `NoSuchAccessPoint` for a host that AWS has for access points only; `ServiceUnavailable` when the state cannot
/// be read: it is unknown then whether there is one.
pub async fn resolve_target(
    access_points: &AccessPoints,
    target: &mut Target,
) -> Result<Option<Arc<AccessPoint>>, S3Error> {
    let Some(bucket) = target.bucket.as_deref() else {
        return Ok(None);
    };
    let found = match name_in_host(target) {
        // In boxes: few requests go through one.
        Some((name, account)) => access_points.find(account.as_str(), name).boxed().await?,
        None if name::is_alias(bucket) => access_points.find_by_alias(bucket).boxed().await?,
        None => None,
    };
    if let Some(found) = &found {
        target.bucket = Some(found.bucket.clone());
        target.access_point = Some(found.address());
    } else if target.addressing == Addressing::AccessPointHost {
        return Err(missing(bucket));
    }
    Ok(found)
}

/// The error for what a host names, which is neither an access point nor a bucket.
#[must_use]
pub fn explain_missing(error: S3Error, target: &Target) -> S3Error {
    match name_in_host(target) {
        Some((name, _)) if error.code() == S3Code::NoSuchBucket => missing(name),
        _ => error,
    }
}

fn name_in_host(target: &Target) -> Option<(&str, AccountId)> {
    let is_in_host = target.addressing != Addressing::Path && target.access_point.is_none();
    let label = target.bucket.as_deref().filter(|_| is_in_host)?;
    name::in_host_label(label)
}

/// The access point that names the source of a copy, if one does. The header names its bucket then.
///
/// # Errors
///
/// `NoSuchAccessPoint`; `InvalidArgument` for an ARN that names no object; `ServiceUnavailable` when the state
/// cannot be read.
pub async fn resolve_source(
    access_points: &AccessPoints,
    headers: &mut HeaderMap,
) -> Result<Option<Arc<AccessPoint>>, S3Error> {
    if !headers.contains_key(HEADER) {
        return Ok(None);
    }
    let (found, key, version) = match AccessPointSource::read(headers)? {
        Some(source) => {
            let found = access_points.find(&source.account, &source.name).await?;
            let found = found.filter(|found| found.region == source.region);
            let found = found.ok_or_else(|| missing(&source.name))?;
            (found, source.key, source.version)
        }
        None => {
            // What is wrong with it is reported where it is used.
            let Ok(source) = CopySource::read(headers) else {
                return Ok(None);
            };
            if !name::is_alias(&source.bucket) {
                return Ok(None);
            }
            let Some(found) = access_points.find_by_alias(&source.bucket).await? else {
                return Ok(None);
            };
            (found, source.key, source.version)
        }
    };
    let mut value = [&found.bucket, "/", &sigv4::encode_component(&key)].concat();
    if let Some(version) = version {
        value.push_str("?versionId=");
        value.push_str(&sigv4::encode_component(&version));
    }
    let value = HeaderValue::from_str(&value).map_err(|_| S3Error::internal())?;
    headers.insert(HEADER, value);
    Ok(Some(found))
}
