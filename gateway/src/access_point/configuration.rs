//! Policies and tags of access points.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutAccessPointPolicy.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html>

use std::sync::Arc;

use crate::access_point::AccessPoints;
use crate::access_point::document_name;
use crate::access_point::missing;
use crate::access_point::record;
use crate::access_point::record::AccessPoint;
use crate::access_point::request;
use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::policy::subject::Subject;
use crate::error::S3Code;
use crate::error::S3Error;

/// Replaces the policy of an access point by that in `document`.
///
/// # Errors
///
/// `NoSuchAccessPoint`; `MalformedXML`; `MalformedPolicy`; `AccessDenied` for a public policy where the access
/// point, its bucket or one of their accounts blocks these; `ServiceUnavailable` when the state cannot be read or
/// written.
pub async fn put_policy(
    access_points: &AccessPoints,
    account: &str,
    name: &str,
    document: &[u8],
) -> Result<(), S3Error> {
    let access_point = access_points.existing(account, name).await?;
    let arn = access_point.arn();
    let text = request::policy(document)?;
    let policy = BucketPolicy::parse_for(text.as_bytes(), Subject::AccessPoint(&arn))?;
    let with_policy = AccessPoint {
        policy: Some(policy.clone()),
        ..(*access_point).clone()
    };
    if with_policy.is_public() {
        let blocks = &access_points.parts.buckets.public_access;
        let in_force = blocks.in_force(&access_point.bucket).await?;
        let of_account = blocks.of_account(account).await?;
        let all = in_force
            .with(of_account)
            .with(access_point.public_access_block);
        if all.block_public_policy {
            return Err(S3Error::access_denied());
        }
    }
    change(access_points, &access_point, |it| {
        it.policy = Some(policy.clone());
        Ok(())
    })
    .await
}

/// Removes the policy of an access point.
///
/// # Errors
///
/// `NoSuchAccessPoint`; `ServiceUnavailable` when the state cannot be read or written.
pub async fn delete_policy(
    access_points: &AccessPoints,
    account: &str,
    name: &str,
) -> Result<(), S3Error> {
    let access_point = access_points.existing(account, name).await?;
    change(access_points, &access_point, |it| {
        it.policy = None;
        Ok(())
    })
    .await
}

/// The policy of an access point.
///
/// # Errors
///
/// `NoSuchAccessPoint`; `NoSuchAccessPointPolicy`; `ServiceUnavailable` when the state cannot be read.
pub async fn policy(
    access_points: &AccessPoints,
    account: &str,
    name: &str,
) -> Result<BucketPolicy, S3Error> {
    let access_point = access_points.existing(account, name).await?;
    let none = || S3Error::new(S3Code::NoSuchAccessPointPolicy).detail("AccessPointName", name);
    access_point.policy.clone().ok_or_else(none)
}

/// The access point of `account` with this ARN.
///
/// # Errors
///
/// `NoSuchResource`; `ServiceUnavailable` when the state cannot be read.
pub async fn tagged(
    access_points: &AccessPoints,
    account: &str,
    arn: &str,
) -> Result<Arc<AccessPoint>, S3Error> {
    let none = || S3Error::new(S3Code::NoSuchResource);
    let (_, name) = arn.rsplit_once("accesspoint/").ok_or_else(none)?;
    let found = access_points.find(account, name).await?;
    let is_named = |it: &Arc<AccessPoint>| record::arn(&it.region, account, &it.name) == arn;
    found.filter(is_named).ok_or_else(none)
}

/// Adds tags to an access point, in place of those of the same keys.
///
/// # Errors
///
/// `NoSuchResource`; `MalformedXML`; `InvalidTag`; `ServiceUnavailable` when the state cannot be read or written.
pub async fn add_tags(
    access_points: &AccessPoints,
    account: &str,
    arn: &str,
    document: &[u8],
) -> Result<(), S3Error> {
    let access_point = tagged(access_points, account, arn).await?;
    let tags = request::new_tags(document)?;
    change(access_points, &access_point, |it| {
        it.tags.extend(tags.clone());
        request::check_number(&it.tags)
    })
    .await
}

/// Removes the tags of these keys from an access point.
///
/// # Errors
///
/// `NoSuchResource`; `ServiceUnavailable` when the state cannot be read or written.
pub async fn remove_tags(
    access_points: &AccessPoints,
    account: &str,
    arn: &str,
    keys: &[&str],
) -> Result<(), S3Error> {
    let access_point = tagged(access_points, account, arn).await?;
    change(access_points, &access_point, |it| {
        it.tags.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(())
    })
    .await
}

/// Changes the document of an access point, if it still is the same one.
async fn change(
    access_points: &AccessPoints,
    access_point: &AccessPoint,
    edit: impl Fn(&mut AccessPoint) -> Result<(), S3Error> + Send + Sync,
) -> Result<(), S3Error> {
    let AccessPoint {
        account,
        name,
        alias,
        ..
    } = access_point;
    let document = document_name(account, name);
    let changed = access_points.documents.change(&document, |current| {
        let current = current.filter(|current| current.alias == *alias);
        let mut current = current.ok_or_else(|| missing(name))?.clone();
        edit(&mut current)?;
        Ok(Some(current))
    });
    changed.await?;
    Ok(())
}
