//! CreateAccessPoint and DeleteAccessPoint.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateAccessPoint.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_DeleteAccessPoint.html>

use std::sync::Arc;

use crate::access_point::AccessPoints;
use crate::access_point::alias_name;
use crate::access_point::document_name;
use crate::access_point::missing;
use crate::access_point::name;
use crate::access_point::record::AccessPoint;
use crate::access_point::record::AliasOwner;
use crate::access_point::request::CreationRequest;
use crate::bucket::bucket_records::Edit;
use crate::bucket::record::BucketRecord;
use crate::error::S3Code;
use crate::error::S3Error;

impl AccessPoints {
    /// Creates an access point of `account`.
    ///
    /// # Errors
    ///
    /// `InvalidURI` and `InvalidRequest` for a name that cannot be; `InvalidRequest` for a bucket that is not
    /// there, or belongs to another account than the request names, and for a VPC that is not configured;
    /// `AccessPointAlreadyOwnedByYou`; `TooManyAccessPoints`; `ServiceUnavailable` when the state cannot be read
    /// or written.
    pub async fn create(
        &self,
        account: &str,
        name: &str,
        request: CreationRequest,
    ) -> Result<Arc<AccessPoint>, S3Error> {
        name::check(name)?;
        self.check_vpc(request.vpc.as_deref())?;
        let record = self.record_of(account, &request).await?;
        let document_name = document_name(account, name);
        let former = self.documents.find_now(&document_name).await?;
        if self.is_attached_now(former.as_deref()).await? {
            let code = S3Code::AccessPointAlreadyOwnedByYou;
            return Err(S3Error::new(code).detail("AccessPointName", name));
        }
        self.check_host(account, name).await?;
        let access_point = AccessPoint {
            name: name.to_owned(),
            account: account.to_owned(),
            region: self.region_of(&request.bucket).await?,
            bucket: request.bucket,
            incarnation: record.incarnation.clone(),
            alias: name::new_alias(name, name::ALIAS_END, &*self.parts.random),
            vpc: request.vpc,
            public_access_block: request.public_access_block,
            created: self.parts.clock.now().iso8601(),
            policy: None,
            tags: request.tags,
        };
        let former = former.as_deref().map(|former| &former.alias);
        let written = self.documents.change(&document_name, |current| {
            // One that broke off, or whose bucket is gone, may be replaced; not one that somebody else creates.
            match current.map(|current| &current.alias) == former {
                true => Ok(Some(access_point.clone())),
                false => Err(S3Error::new(S3Code::OperationAborted)),
            }
        });
        written.await?;
        let owner = || AliasOwner {
            account: account.to_owned(),
            name: name.to_owned(),
        };
        let alias = alias_name(&access_point.alias);
        self.aliases.change(&alias, |_| Ok(Some(owner()))).await?;
        self.attach(&access_point).await?;
        Ok(Arc::new(access_point))
    }

    /// Deletes an access point of `account`.
    ///
    /// # Errors
    ///
    /// `NoSuchAccessPoint`; `ServiceUnavailable` when the state cannot be read or written.
    pub async fn delete(&self, account: &str, name: &str) -> Result<(), S3Error> {
        let access_point = self.existing(account, name).await?;
        let detached = self.parts.records.change(&access_point.bucket, |current| {
            let current = current.filter(|current| access_point.is_attached_to(current));
            let mut record = current.ok_or_else(|| missing(name))?.clone();
            record.access_points.remove(&access_point.alias);
            Ok(Edit::replace(record))
        });
        detached.await?;
        // From here on it does not exist. What is left of it hinders nobody.
        let document = document_name(account, name);
        let emptied = self.documents.change(&document, |current| {
            let other = current.filter(|current| current.alias != access_point.alias);
            Ok(other.cloned())
        });
        let alias = alias_name(&access_point.alias);
        let outcomes = [
            emptied.await.err(),
            self.aliases.change(&alias, |_| Ok(None)).await.err(),
        ];
        for error in outcomes.into_iter().flatten() {
            tracing::warn!(name, %error, "a document of a deleted access point stays");
        }
        Ok(())
    }

    /// The record of the bucket that an access point is created for.
    async fn record_of(
        &self,
        account: &str,
        request: &CreationRequest,
    ) -> Result<Arc<BucketRecord>, S3Error> {
        let bucket = request.bucket.as_str();
        let owners = &self.parts.buckets.owners;
        if self.parts.state.reserves(bucket) {
            return Err(no_bucket());
        }
        let as_missing = |error: S3Error| match error.status().is_client_error() {
            true => no_bucket(),
            false => error,
        };
        let owner = owners.of(bucket).await.map_err(as_missing)?;
        if *owner != *request.bucket_account.as_deref().unwrap_or(account) {
            return Err(no_bucket());
        }
        owners.check_exists(bucket).await.map_err(as_missing)?;
        if let Some(record) = self.parts.records.find_now(bucket).await? {
            return Ok(record);
        }
        // It was not created through a gateway.
        let first = self.parts.bucket_store.edit(bucket, |_| Ok(true));
        first.await.map_err(as_missing)?;
        let record = self.parts.records.find_now(bucket).await?;
        record.ok_or_else(no_bucket)
    }

    async fn is_attached_now(&self, found: Option<&AccessPoint>) -> Result<bool, S3Error> {
        let Some(found) = found else {
            return Ok(false);
        };
        let record = self.parts.records.find_now(&found.bucket).await?;
        Ok(record.is_some_and(|record| found.is_attached_to(&record)))
    }

    fn check_vpc(&self, vpc: Option<&str>) -> Result<(), S3Error> {
        match vpc.filter(|id| !self.config().vpcs.contains_key(*id)) {
            Some(id) => Err(S3Error::invalid_request(format!(
                "This gateway has no VPC {id}: map its networks in access_points.vpcs."
            ))),
            None => Ok(()),
        }
    }

    /// Refuses a name whose host is that of a bucket.
    async fn check_host(&self, account: &str, name: &str) -> Result<(), S3Error> {
        let bucket = format!("{name}-{account}");
        match self.parts.buckets.owners.check_exists(&bucket).await {
            Ok(()) => Err(S3Error::invalid_request(format!(
                "The host name of this access point is that of the bucket {bucket}."
            ))),
            Err(error) if error.code() == S3Code::NoSuchBucket => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Names an access point in the record of its bucket: from then on it exists.
    async fn attach(&self, access_point: &AccessPoint) -> Result<(), S3Error> {
        let changed = self.parts.records.change(&access_point.bucket, |current| {
            let current = current.filter(|current| {
                current.is_in_use() && current.incarnation == access_point.incarnation
            });
            let current = current.ok_or_else(no_bucket)?;
            let (alias, account) = (&access_point.alias, &access_point.account);
            Ok(Edit::replace(attached(current, alias, account)?))
        });
        changed.await?;
        Ok(())
    }
}

/// The record with one more access point.
fn attached(record: &BucketRecord, alias: &str, account: &str) -> Result<BucketRecord, S3Error> {
    let accounts = record.access_points.values();
    if accounts.filter(|it| *it == account).count() >= ATTACHED_MAX {
        return Err(S3Code::TooManyAccessPoints.into());
    }
    let mut record = record.clone();
    let (alias, account) = (alias.to_owned(), account.to_owned());
    record.access_points.insert(alias, account);
    Ok(record)
}

/// The error for a bucket that is not there, and for one of another account alike.
fn no_bucket() -> S3Error {
    S3Error::invalid_request(NO_BUCKET)
}

/// Most access points that an account can have to one bucket: the record of the bucket names them, and every
/// gateway reads it.
const ATTACHED_MAX: usize = 1_000;

const NO_BUCKET: &str = "Amazon S3 AccessPoint can only be created for existing bucket";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::record::Phase;
    use crate::chunks::random::SystemRandom;

    #[test]
    fn an_account_has_a_thousand_access_points_to_a_bucket() {
        let mut record = BucketRecord::new("111122223333", Phase::Live, &SystemRandom);
        for number in 0..1_000 {
            record = attached(&record, &format!("ap-{number}"), "111122223333").unwrap();
        }
        let error = attached(&record, "one-more", "111122223333").unwrap_err();
        assert_eq!(error.code(), S3Code::TooManyAccessPoints);
        assert!(attached(&record, "another", "444455556666").is_ok());
    }
}
