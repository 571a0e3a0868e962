//! CreateBucket, DeleteBucket, HeadBucket, ListBuckets and GetBucketLocation.
//!
//! Here their permits are spent; what is done is in [`crate::bucket`].
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use http::Response;

use crate::authorize::Permitted;
use crate::bucket::Buckets;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::S3Request;
use crate::route::Operation;

/// Does an operation on a bucket or on the service.
///
/// # Errors
///
/// Those of the operation in [`crate::bucket`]; `InternalError` for one that is not done there.
pub async fn run_on_bucket(
    buckets: &Buckets,
    operation: Operation,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    match operation {
        Operation::CreateBucket => buckets.create(*request, terms.of_new_bucket()?).await,
        Operation::DeleteBucket => buckets.delete(*request).await,
        Operation::GetBucketLocation => {
            let bucket = request.target.bucket.unwrap_or_default();
            buckets.location(&bucket).await
        }
        Operation::HeadBucket => buckets.head(*request).await,
        Operation::ListBuckets => buckets.list(&request).await,
        _ => {
            tracing::error!(
                ?operation,
                "an operation of the table has no implementation"
            );
            Err(S3Error::internal())
        }
    }
}
