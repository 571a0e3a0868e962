//! Whose bucket it is.
//!
//! The backend knows one owner, the gateway; here a bucket belongs to the account that created it.
//! Buckets without a record belong to the account of the first user: those it created, and those
//! that were there before the gateway. While all users are of one account everything is theirs, and
//! nothing is asked.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html>

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::backend::Backend;
use crate::bucket::policy;
use crate::error::S3Error;
use crate::records::cached::CachedRecords;
use crate::records::record::Records;

/// The owners of all buckets.
pub struct BucketOwners {
    backend: Arc<Backend>,
    records: CachedRecords<Owner>,
    accounts: ArcSwap<Accounts>,
}

/// Who there is.
struct Accounts {
    first: Arc<str>,
    several: bool,
}

/// The owner of a bucket, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    account: String,
}

impl BucketOwners {
    /// The owners kept in `records`, of buckets on `backend`; `accounts` are those of the users, in
    /// their order. A record is known for as long as a policy is.
    pub fn new<'a>(
        backend: Arc<Backend>,
        records: Records,
        clock: Arc<dyn Clock>,
        config: policy::Config,
        accounts: impl Iterator<Item = &'a str>,
    ) -> Self {
        let fresh = Duration::from_millis(config.fresh_ms);
        Self {
            backend,
            records: CachedRecords::new(records, SUBJECT, clock, fresh, config.cached_max),
            accounts: ArcSwap::from_pointee(Accounts::of(accounts)),
        }
    }

    /// Takes the accounts of other users from now on.
    pub fn replace_accounts<'a>(&self, accounts: impl Iterator<Item = &'a str>) {
        self.accounts.store(Arc::new(Accounts::of(accounts)));
    }

    /// The account that a bucket belongs to, if there is such a bucket.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as
    /// it was written. The request must be refused then.
    pub async fn of(&self, bucket: &str) -> Result<Arc<str>, S3Error> {
        let accounts = self.accounts.load_full();
        if !accounts.several {
            return Ok(Arc::clone(&accounts.first));
        }
        let owner = self.records.get(bucket).await?;
        Ok(owner.map_or_else(
            || Arc::clone(&accounts.first),
            |owner| Arc::from(owner.account.as_str()),
        ))
    }

    /// Notes who is about to create a bucket that is not there.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written; the bucket must not be created then.
    pub(crate) async fn begin(&self, bucket: &str, account: &str) -> Result<(), S3Error> {
        let accounts = self.accounts.load_full();
        if account == &*accounts.first {
            return self.remove(bucket).await;
        }
        let account = account.to_owned();
        self.records.put(bucket, Owner { account }).await
    }

    /// Removes what is noted of a bucket that is no more.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written.
    pub(crate) async fn remove(&self, bucket: &str) -> Result<(), S3Error> {
        self.records.remove(bucket).await
    }

    /// Whether there is such a bucket at all.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub async fn check_exists(&self, bucket: &str) -> Result<(), S3Error> {
        crate::bucket::check_exists(&self.backend, bucket).await
    }
}

impl Accounts {
    fn of<'a>(mut accounts: impl Iterator<Item = &'a str>) -> Self {
        let first = accounts.next().unwrap_or_default();
        Self {
            several: accounts.any(|account| account != first),
            first: Arc::from(first),
        }
    }
}

/// The name of the records.
const SUBJECT: &str = "owner";

#[cfg(test)]
mod tests {
    use super::Accounts;

    #[test]
    fn the_first_account_is_the_owner_of_what_nobody_is_noted_for() {
        let one = Accounts::of(["1", "1"].into_iter());
        assert_eq!((&*one.first, one.several), ("1", false));
        let two = Accounts::of(["2", "1", "2"].into_iter());
        assert_eq!((&*two.first, two.several), ("2", true));
    }
}
