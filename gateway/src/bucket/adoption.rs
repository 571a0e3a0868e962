//! Assigning buckets to accounts, for operators.

use crate::backend::Backend;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::bucket_records::Edit;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Phase;
use crate::bucket::requests;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;

/// Makes `account` the owner of a bucket that nobody created through a gateway. What belongs to an
/// account already stays its own.
///
/// # Errors
///
/// `NoSuchBucket`; `BucketAlreadyExists` for one that belongs to another account; `ServiceUnavailable`
/// when the backend or the state gives no usable answer.
pub async fn adopt(
    backend: &Backend,
    records: &BucketRecords,
    random: &dyn Random,
    bucket: &str,
    account: &str,
) -> Result<(), S3Error> {
    requests::check_exists(backend, bucket).await?;
    let adopted = records.change(bucket, |current| match current {
        Some(current) if current.phase != Phase::Gone => match current.owner == account {
            true => Ok(Edit::Keep),
            false => Err(S3Error::new(S3Code::BucketAlreadyExists).detail("BucketName", bucket)),
        },
        _ => Ok(Edit::replace(BucketRecord::new(
            account,
            Phase::Live,
            random,
        ))),
    });
    adopted.await?;
    Ok(())
}
