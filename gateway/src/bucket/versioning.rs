//! `PutBucketVersioning`, `GetBucketVersioning` and MFA Delete, which no lifecycle can be beside.
//!
//! Versions are the backend's. MFA Delete is in the bucket's record, and the backend never receives it:
//! one that demanded codes itself could not be deleted from by the gateway. Whether MFA Delete is on is
//! read from the store each time, since a gateway that had `off` cached would let a version go.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-and-other-bucket-config.html>

use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;

use crate::backend::Backend;
use crate::backend::BackendBody;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::backend::Digest;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::document;
use crate::bucket::document::versioning::MfaDelete;
use crate::bucket::document::versioning::ROOT;
use crate::bucket::document::versioning::VersioningStatus;
use crate::bucket::document::versioning::to_element;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document::parse_answer;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::S3Request;

pub use crate::bucket::document::versioning::VersioningConfiguration;

/// The versioning of all buckets.
pub struct BucketVersioning {
    store: ConfigurationStore,
}

impl BucketVersioning {
    /// The versioning of buckets whose MFA Delete is in the records of `store`.
    #[must_use]
    pub fn new(store: ConfigurationStore) -> Self {
        Self { store }
    }

    /// Whether a bucket has MFA Delete on now.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as it
    /// was written. The request must be refused then.
    pub async fn has_mfa_delete(&self, bucket: &str) -> Result<bool, S3Error> {
        Ok(self.mfa_delete(bucket).await? == Some(MfaDelete::Enabled))
    }

    async fn mfa_delete(&self, bucket: &str) -> Result<Option<MfaDelete>, S3Error> {
        let record = self.store.records.find_now(bucket).await?;
        Ok(record.and_then(|record| record.configurations.mfa_delete))
    }

    /// `GetBucketVersioning`.
    ///
    /// # Errors
    ///
    /// The backend's refusal; as [`BucketVersioning::has_mfa_delete`].
    pub(crate) async fn get(&self, bucket: &str) -> Result<Response<Body>, S3Error> {
        let status = self.status(bucket).await?;
        let mfa_delete = self.mfa_delete(bucket).await?;
        Ok(document::xml(&to_element(status, mfa_delete)))
    }

    /// `PutBucketVersioning`, after the second factor was checked where it is demanded.
    ///
    /// # Errors
    ///
    /// `InvalidBucketState` for MFA Delete beside a lifecycle; `NotImplemented` for MFA Delete where the
    /// backend has no versions; the backend's refusal; as [`ConfigurationStore::edit`].
    pub(crate) async fn put(
        &self,
        bucket: &str,
        configuration: VersioningConfiguration,
    ) -> Result<Response<Body>, S3Error> {
        let document = to_element(Some(configuration.status), None).to_document();
        let request = BackendRequest::bucket(Method::PUT, bucket)
            .query("versioning", "")
            .header(header::CONTENT_TYPE, XML)
            .digest(Digest::Demanded)
            .body(BackendBody::Bytes(document));
        let Some(mfa_delete) = configuration.mfa_delete else {
            return self.store.backend.forward_request(request).await;
        };
        if mfa_delete == MfaDelete::Enabled && self.has_lifecycle(bucket).await? {
            return Err(lifecycle_excluded());
        }
        let answer = self.store.backend.forward_request(request).await?;
        if mfa_delete == MfaDelete::Enabled
            && self.status(bucket).await? != Some(configuration.status)
        {
            return Err(S3Error::not_implemented(NO_VERSIONS));
        }
        self.set(bucket, mfa_delete).await?;
        // Somebody may have put one meanwhile, who did not see MFA Delete yet.
        if mfa_delete == MfaDelete::Enabled && self.has_lifecycle(bucket).await? {
            self.set(bucket, MfaDelete::Disabled).await?;
            return Err(lifecycle_excluded());
        }
        Ok(answer)
    }

    async fn set(&self, bucket: &str, mfa_delete: MfaDelete) -> Result<(), S3Error> {
        let set = self.store.edit(bucket, |configurations| {
            let former = configurations.mfa_delete.replace(mfa_delete);
            Ok(former != Some(mfa_delete))
        });
        set.await
    }

    /// `PutBucketLifecycleConfiguration`, which the backend does, in a bucket without MFA Delete.
    ///
    /// # Errors
    ///
    /// `InvalidBucketState` in one with it; the backend's refusal; as
    /// [`BucketVersioning::has_mfa_delete`].
    pub(crate) async fn put_lifecycle(
        &self,
        bucket: &str,
        request: S3Request,
    ) -> Result<Response<Body>, S3Error> {
        if self.has_mfa_delete(bucket).await? {
            return Err(lifecycle_excluded());
        }
        let answer = self.store.backend.forward(request).await?;
        // Somebody may have switched it on meanwhile, who did not see the lifecycle yet.
        if self.has_mfa_delete(bucket).await? {
            let remove = BackendRequest::bucket(Method::DELETE, bucket).query("lifecycle", "");
            self.store.backend.fetch(remove).await?;
            return Err(lifecycle_excluded());
        }
        Ok(answer)
    }

    /// The status at the backend.
    async fn status(&self, bucket: &str) -> Result<Option<VersioningStatus>, S3Error> {
        let request = BackendRequest::bucket(Method::GET, bucket).query("versioning", "");
        let answer = self.store.backend.fetch(request).await?;
        let answer = parse_answer(answer.body(), &[ROOT])?;
        Ok(VersioningStatus::in_answer(&answer))
    }

    /// Whether a bucket has a lifecycle at the backend.
    async fn has_lifecycle(&self, bucket: &str) -> Result<bool, S3Error> {
        let request = BackendRequest::bucket(Method::GET, bucket).query("lifecycle", "");
        match self.store.backend.fetch(request).await {
            Ok(_) => Ok(true),
            Err(BackendError::Refused(error)) if error.code() == S3Code::NoSuchBucket => Err(error),
            Err(error)
                if error.is_refused_as(StatusCode::NOT_FOUND)
                    || error.is_refused_as(StatusCode::NOT_IMPLEMENTED) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a bucket has versions at the backend, or had some before that was suspended.
///
/// # Errors
///
/// `ServiceUnavailable` when the backend gives no usable answer.
pub(crate) async fn is_versioned(backend: &Backend, bucket: &str) -> Result<bool, S3Error> {
    let request = BackendRequest::bucket(Method::GET, bucket).query("versioning", "");
    let answer = match backend.fetch(request).await {
        Ok(answer) => answer,
        // It has no versions.
        Err(BackendError::Refused(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let root = Element::parse(answer.body(), Limits::ANSWER).ok();
    Ok(root.is_some_and(|root| VersioningStatus::in_answer(&root).is_some()))
}

/// The error for a lifecycle beside MFA Delete. AWS documents that they exclude each other, and not by which
/// error: UNVERIFIED.
fn lifecycle_excluded() -> S3Error {
    S3Error::with_message(S3Code::InvalidBucketState, LIFECYCLE)
}

const XML: HeaderValue = HeaderValue::from_static("application/xml");
const LIFECYCLE: &str = "A lifecycle configuration and MFA Delete cannot be on the same bucket.";
const NO_VERSIONS: &str = "MFA Delete needs versions, which this backend does not have.";
