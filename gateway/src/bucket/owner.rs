//! Whose bucket it is.
//!
//! The backend knows one owner, the gateway; here a bucket belongs to the account that created it, or
//! that an operator assigned it to ([`crate::bucket::adoption`]). While all users are of one account
//! everything belongs to that. Where there are several, a bucket without a record belongs to nobody.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html>

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::backend::Backend;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Phase;
use crate::bucket::requests;
use crate::error::S3Code;
use crate::error::S3Error;

/// The owners of all buckets.
pub struct BucketOwners {
    backend: Arc<Backend>,
    records: Arc<BucketRecords>,
    accounts: ArcSwap<Accounts>,
}

/// The account that a bucket belongs to, and the record of the bucket if it has one.
pub type OwnerAndRecord = (Arc<str>, Option<Arc<BucketRecord>>);

/// The accounts of the users.
struct Accounts {
    first: Arc<str>,
    several: bool,
}

impl BucketOwners {
    /// The owners in `records`, of buckets on `backend`; `accounts` are those of the users, in their
    /// order.
    pub fn new<'a>(
        backend: Arc<Backend>,
        records: Arc<BucketRecords>,
        accounts: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self {
            backend,
            records,
            accounts: ArcSwap::from_pointee(Accounts::new(accounts)),
        }
    }

    /// Takes the accounts of other users from now on.
    pub fn replace_accounts<'a>(&self, accounts: impl Iterator<Item = &'a str>) {
        self.accounts.store(Arc::new(Accounts::new(accounts)));
    }

    /// The account that a bucket belongs to, if there is such a bucket; [`NOBODY`] if no account has
    /// it.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket` while it is deleted; `ServiceUnavailable` when the state cannot be read,
    /// `InternalError` when the record is not as it was written. The request must be refused then.
    pub async fn of(&self, bucket: &str) -> Result<Arc<str>, S3Error> {
        Ok(self.with_record(bucket).await?.0)
    }

    /// The same with the record of the bucket, so that whatever else it holds is of the same state.
    ///
    /// # Errors
    ///
    /// As [`BucketOwners::of`].
    pub async fn with_record(&self, bucket: &str) -> Result<OwnerAndRecord, S3Error> {
        match self.find(bucket).await? {
            (_, Some(record)) if record.phase == Phase::Deleting => {
                Err(S3Error::new(S3Code::NoSuchBucket).detail("BucketName", bucket))
            }
            found => Ok(found),
        }
    }

    /// The same, also while it is deleted: so its owner can end a deletion that broke off.
    ///
    /// # Errors
    ///
    /// As [`BucketOwners::of`].
    pub async fn with_record_of_deleted(&self, bucket: &str) -> Result<OwnerAndRecord, S3Error> {
        self.find(bucket).await
    }

    /// The account that the bucket with this record belongs to.
    #[must_use]
    pub fn owner_in(&self, record: &BucketRecord) -> Arc<str> {
        let accounts = self.accounts.load();
        match accounts.several {
            true => Arc::from(record.owner.as_str()),
            false => Arc::clone(&accounts.first),
        }
    }

    /// Whether the users are of several accounts.
    pub(super) fn are_several(&self) -> bool {
        self.accounts.load().several
    }

    async fn find(&self, bucket: &str) -> Result<OwnerAndRecord, S3Error> {
        let accounts = self.accounts.load_full();
        if !accounts.several {
            let record = self.records.find(bucket).await?;
            return Ok((Arc::clone(&accounts.first), record));
        }
        // That there is none is never taken from the cache: somebody may just have created it.
        let record = self.records.find_present(bucket).await?;
        let record = record.filter(|record| record.phase != Phase::Gone);
        let owner = record.as_ref().map_or(NOBODY, |record| &record.owner);
        Ok((Arc::from(owner), record))
    }

    /// The `LocationConstraint` of a bucket that is not in the gateway's own Region.
    ///
    /// # Errors
    ///
    /// As [`BucketOwners::of`].
    pub async fn location_of(&self, bucket: &str) -> Result<Option<String>, S3Error> {
        let record = self.records.find(bucket).await?;
        let record = record.filter(|record| record.is_in_use());
        Ok(record.and_then(|record| record.location.clone()))
    }

    /// Whether there is such a bucket at all.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub async fn check_exists(&self, bucket: &str) -> Result<(), S3Error> {
        requests::check_exists(&self.backend, bucket).await
    }
}

impl Accounts {
    fn new<'a>(mut accounts: impl Iterator<Item = &'a str>) -> Self {
        let first = accounts.next().unwrap_or_default();
        Self {
            several: accounts.any(|account| account != first),
            first: Arc::from(first),
        }
    }
}

/// The owner of a bucket that no account has: no caller's account.
pub const NOBODY: &str = "";

#[cfg(test)]
mod tests {
    use super::Accounts;

    #[test]
    fn users_of_one_account_are_not_several() {
        let one = Accounts::new(["1", "1"].into_iter());
        assert_eq!((&*one.first, one.several), ("1", false));
        let two = Accounts::new(["2", "1", "2"].into_iter());
        assert_eq!((&*two.first, two.several), ("2", true));
    }
}
