//! What buckets of the embedded backend never have: each read answers as AWS does of a bucket without
//! it, and each write says so and names the way out.

use http::StatusCode;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;

use crate::embedded::fault::Fault;
use crate::embedded::service::Service;
use crate::embedded::service::buckets::find;
use crate::embedded::service::names;
use crate::embedded::service::reading;
use crate::embedded::versions;

/// Operations that are refused with a code and a message once the bucket is found.
macro_rules! refused {
    ($($name:ident $input:ident $output:ident: $fault:expr;)*) => {
        $(
            pub(super) async fn $name(
                service: &Service,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                find(service, &request.input.bucket)?;
                Err($fault.into())
            }
        )*
    };
}

refused! {
    create_bucket_metadata_table_configuration CreateBucketMetadataTableConfigurationInput CreateBucketMetadataTableConfigurationOutput:
        not_implemented("Metadata tables");
    get_bucket_metadata_table_configuration GetBucketMetadataTableConfigurationInput GetBucketMetadataTableConfigurationOutput:
        no_metadata_table();
    get_bucket_policy_status GetBucketPolicyStatusInput GetBucketPolicyStatusOutput:
        Fault::message(S3ErrorCode::NoSuchBucketPolicy, "The bucket policy does not exist");
    get_bucket_replication GetBucketReplicationInput GetBucketReplicationOutput:
        Fault::message(S3ErrorCode::ReplicationConfigurationNotFoundError, "The replication configuration was not found");
    get_bucket_website GetBucketWebsiteInput GetBucketWebsiteOutput:
        Fault::message(S3ErrorCode::NoSuchWebsiteConfiguration, "The specified bucket does not have a website configuration");
    put_bucket_replication PutBucketReplicationInput PutBucketReplicationOutput: not_implemented("Replications");
    put_bucket_website PutBucketWebsiteInput PutBucketWebsiteOutput: not_implemented("Websites");
}

/// Operations that delete what is not there.
macro_rules! deleted {
    ($($name:ident $input:ident $output:ident;)*) => {
        $(
            pub(super) async fn $name(
                service: &Service,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                find(service, &request.input.bucket)?;
                Ok(S3Response::new($output::default()))
            }
        )*
    };
}

deleted! {
    delete_bucket_metadata_table_configuration DeleteBucketMetadataTableConfigurationInput DeleteBucketMetadataTableConfigurationOutput;
    delete_bucket_replication DeleteBucketReplicationInput DeleteBucketReplicationOutput;
    delete_bucket_website DeleteBucketWebsiteInput DeleteBucketWebsiteOutput;
}

pub(super) async fn restore_object(
    service: &Service,
    request: S3Request<RestoreObjectInput>,
) -> S3Result<S3Response<RestoreObjectOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let (_, found) = service.store.find(&place)?;
    let version = found.version;
    let Some(object) = version.object else {
        let id = Some(versions::show(version.id));
        return Err(reading::marker(&place, id, version.modified_ms));
    };
    let class = object.storage_class.as_deref().unwrap_or_default();
    let message = match ARCHIVES.contains(&class) {
        true => {
            "Restore is not needed: the embedded backend keeps objects of all storage classes where they can be \
             read at once."
        }
        false => "Restore is not allowed for the object's current storage class",
    };
    Err(Fault::message(S3ErrorCode::InvalidObjectState, message).into())
}

/// The storage classes whose objects AWS restores before they can be read.
const ARCHIVES: [&str; 2] = [StorageClass::GLACIER, StorageClass::DEEP_ARCHIVE];

/// The refusal of what the embedded backend does not do.
pub(super) fn not_implemented(what: &str) -> Fault {
    let message = format!(
        "{what} are not implemented by the embedded backend: start Sealgate with --backend and a \
         backend that has them."
    );
    Fault::message(S3ErrorCode::NotImplemented, message)
}

fn no_metadata_table() -> Fault {
    let message = "The metadata table configuration does not exist";
    let code = "MetadataTableConfigurationNotFound";
    Fault::custom(code, StatusCode::NOT_FOUND, message)
}
