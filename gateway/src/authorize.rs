//! Whether a caller may do an operation.
//!
//! A check leaves a value behind: [`Permitted`]. It is made only here, and a request reaches an
//! operation only through it. What has to be allowed is in the operation's row of the table
//! ([`crate::route::Operation::row`]); what a caller may do in a bucket is [`access::BucketAccess`].

use std::sync::Arc;
use std::sync::OnceLock;

use http::HeaderName;
use proto::identity::Region;
use proto::policy::Context;
use proto::time::Clock;

use crate::access_point::AccessPoints;
use crate::access_point::record::AccessPoint;
use crate::access_point::resolution::RequestAccessPoints;
use crate::authorize::access::BucketAccess;
use crate::authorize::acl::AclAccess;
use crate::authorize::context::Encryption;
use crate::authorize::through::AccessPointLayer;
use crate::bucket::BucketConfigurations;
use crate::bucket::acl::BucketAcl;
use crate::bucket::owner::BucketOwners;
use crate::bucket::ownership::OwnershipControls;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::policy::BucketPolicy;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::bucket::record::BucketRecord;
use crate::error::S3Error;
use crate::object_lambda::waiting::WaitingRequests;
use crate::protocol::copy_source::CopySource;
use crate::protocol::document;
use crate::records::object_acls::ObjectAcls;
use crate::records::uploads::UploadName;
use crate::records::uploads::Uploads;
use crate::request::Caller;
use crate::request::Payload;
use crate::request::S3Request;
use crate::route::Action;
use crate::route::Operation;

mod access;
mod acl;
mod condition;
mod context;
mod control;
mod deletions;
mod destination;
mod judge;
mod log_delivery;
mod needs;
mod object_lambda;
mod permit;
mod request_acl;
mod second_factor;
mod through;

pub use acl::AclTerms;
pub use condition::ReplacedObject;
pub use log_delivery::LogDelivery;
pub use log_delivery::LogDeliveryError;
pub use object_lambda::check_object_lambda;
pub use object_lambda::permit_transformed;
pub use permit::Permitted;
pub use permit::Terms;
pub use second_factor::SecondFactors;

/// Judges requests by the owners and policies of buckets.
pub struct Authorizer {
    policies: Arc<BucketPolicies>,
    owners: Arc<BucketOwners>,
    public_access: Arc<PublicAccessBlocks>,
    access_points: Option<Arc<AccessPoints>>,
    functions: Option<Arc<WaitingRequests>>,
    ownership: Arc<OwnershipControls>,
    object_acls: Option<Arc<ObjectAcls>>,
    state_bucket: String,
    region: Region,
    clock: Arc<dyn Clock>,
    second_factors: Option<Arc<SecondFactors>>,
}

impl Authorizer {
    /// An authorizer by what is stored about buckets, for a gateway in `region` whose own bucket is
    /// `state_bucket`. Without [`Authorizer::demanding`] it permits no operation that MFA Delete protects.
    #[must_use]
    pub fn new(
        configurations: &BucketConfigurations,
        state_bucket: &str,
        region: Region,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            policies: Arc::clone(&configurations.policies),
            owners: Arc::clone(&configurations.owners),
            public_access: Arc::clone(&configurations.public_access),
            access_points: None,
            functions: None,
            ownership: Arc::clone(&configurations.ownership),
            object_acls: None,
            state_bucket: state_bucket.to_owned(),
            region,
            clock,
            second_factors: None,
        }
    }

    /// The same, with access points.
    #[must_use]
    pub fn with_access_points(mut self, access_points: Arc<AccessPoints>) -> Self {
        self.access_points = Some(access_points);
        self
    }

    /// The same, for functions that answer these requests.
    #[must_use]
    pub fn with_functions(mut self, waiting: Arc<WaitingRequests>) -> Self {
        self.functions = Some(waiting);
        self
    }

    /// The same, where the objects of buckets whose lists count have these lists. Without it none of their lists can be
    /// read.
    #[must_use]
    pub fn with_object_acls(mut self, acls: Arc<ObjectAcls>) -> Self {
        self.object_acls = Some(acls);
        self
    }

    /// The same, where `second_factors` checks what MFA Delete demands.
    #[must_use]
    pub fn demanding(mut self, second_factors: SecondFactors) -> Self {
        self.second_factors = Some(Arc::new(second_factors));
        self
    }

    /// Permits a request that goes through these access points, or refuses it. `uploads` has the encryption that
    /// an upload was created with.
    ///
    /// # Errors
    ///
    /// `AccessDenied` for what a policy denies, for what none allows to callers that are not of the
    /// owner's account, for a request that expects another owner, and for one whose document names a
    /// destination of another account; `ServiceUnavailable` when a policy or an owner cannot be read;
    /// `NoSuchBucket`; `NoSuchUpload`; `MalformedXML`.
    pub async fn permit(
        &self,
        operation: Operation,
        mut request: Box<S3Request>,
        through: RequestAccessPoints,
        uploads: &Uploads,
    ) -> Result<Permitted<S3Request>, S3Error> {
        let second_factors = self.second_factors.as_ref();
        let second_factor = second_factor::of_request(second_factors, operation, &request)?;
        let mut terms = Terms::default();
        match request.target.bucket.clone() {
            // A bucket that is not there has no policy.
            Some(bucket) if operation != Operation::CreateBucket => {
                let names_source = |action: &Action| action.resource.is_of_source();
                let source = operation.row().actions.iter().any(names_source);
                let source = source.then(|| CopySource::read(&request.headers));
                let source = source.transpose()?;
                let named = NamedBucket {
                    bucket: &bucket,
                    through: through.target.as_ref(),
                };
                let access = self
                    .access(named, operation, &request, source.as_ref(), uploads)
                    .await?;
                access.check_owner(&request.headers, &EXPECTED_OWNER)?;
                terms = match operation {
                    Operation::DeleteObjects => Box::pin(self.deletions(access, &request)).await?,
                    _ => {
                        let source = source.map(|source| (source, through.source));
                        self.check_operation(operation, access, source, &mut request, uploads)
                            .await?
                    }
                };
            }
            _ if request.caller.is_anonymous() => return Err(S3Error::access_denied()),
            _ if operation == Operation::WriteGetObjectResponse => {
                object_lambda::check_function(self, &request)?;
            }
            _ if request.target.control.is_some() => {
                Box::pin(control::check(self, operation, &mut request)).await?;
            }
            _ => {
                self.check_without_bucket(operation, &request)?;
                terms.acl = request_acl::check(self, operation, None, None, &mut request).await?;
            }
        }
        terms.second_factor = second_factor;
        Ok(Permitted::new(request, terms))
    }

    /// What the caller of a request may do in a bucket.
    async fn access(
        &self,
        named: NamedBucket<'_>,
        operation: Operation,
        request: &S3Request,
        source: Option<&CopySource>,
        uploads: &Uploads,
    ) -> Result<BucketAccess, S3Error> {
        let bucket = named.bucket;
        let caller = request.caller.clone();
        let (owner, record) = match operation {
            Operation::DeleteBucket => self.owners.with_record_of_deleted(bucket).await?,
            _ => self.owners.with_record(bucket).await?,
        };
        let foreign = !caller.is_of(&owner);
        let policy = BucketPolicies::in_record(record.as_deref());
        let acl = self
            .acl_access(&owner, named, record.as_deref(), &caller)
            .await?;
        let mut context = Context::new();
        let mut restricted = false;
        let is_limited = caller.identity().is_some_and(|it| !it.is_unlimited());
        let through = self
            .layer(named, &caller, policy.as_deref(), request)
            .await?;
        let has_layer = through
            .as_ref()
            .is_some_and(|it| it.access_point.policy.is_some());
        if policy.is_some() || is_limited || has_layer {
            let upload = match is_of_upload(operation) {
                true => Some(Box::pin(uploads.find(upload_name(request))).await?),
                false => None,
            };
            let encryption = match &upload {
                Some(head) => Encryption::Upload(head.protection()),
                None => Encryption::Requested(&self.region),
            };
            context = context::from_request(request, source, encryption, self.clock.now());
            context.insert_all("aws:SourceVpc", self.vpc_of(request));
            if let Some(through) = &through {
                through::add_conditions(&mut context, &through.access_point);
            }
            restricted = foreign
                && (through.as_ref().is_some_and(|it| it.restricts_bucket)
                    || policy.as_ref().is_some_and(|policy| policy.is_public())
                        && Box::pin(self.public_access.in_force(bucket))
                            .await?
                            .restrict_public_buckets);
        }
        Ok(BucketAccess {
            request_id: request.request_id,
            caller,
            partition: self.policies.partition(),
            bucket: bucket.to_owned(),
            owner,
            foreign,
            policy,
            context,
            prepared: OnceLock::new(),
            restricted,
            version_is_current: false,
            through,
            bucket_acl: acl.0,
            acl: acl.1,
        })
    }

    /// What of a bucket decides about access control lists, and its lists where they count.
    async fn acl_access(
        &self,
        owner: &str,
        named: NamedBucket<'_>,
        record: Option<&BucketRecord>,
        caller: &Caller,
    ) -> Result<(Arc<BucketAcl>, Option<Box<AclAccess>>), S3Error> {
        let acl = Arc::new(BucketAcl::new(owner, record));
        if !acl.is_enabled() {
            return Ok((acl, None));
        }
        let through = named.through.map(|it| &**it);
        let blocks = through::blocks(&self.public_access, named.bucket, through);
        let ignores_public = Box::pin(blocks).await?.ignore_public_acls;
        let lists = AclAccess::new(Arc::clone(&acl), caller, ignores_public);
        Ok((acl, Some(Box::new(lists))))
    }

    /// What the access point by which a request names a bucket, whose policy is `policy`, adds to its judgement.
    async fn layer(
        &self,
        named: NamedBucket<'_>,
        caller: &Caller,
        policy: Option<&BucketPolicy>,
        request: &S3Request,
    ) -> Result<Option<AccessPointLayer>, S3Error> {
        let Some(access_point) = named.through else {
            return Ok(None);
        };
        let config = self.access_points.as_ref().map(|it| it.config());
        through::check_request(config, access_point, request, self.vpc_of(request))?;
        let public_access = &self.public_access;
        let layer =
            AccessPointLayer::new(public_access, access_point, named.bucket, caller, policy);
        Ok(Some(Box::pin(layer).await?))
    }

    /// The VPC that a request comes from: the value of `aws:SourceVpc`.
    fn vpc_of(&self, request: &S3Request) -> Option<&str> {
        let access_points = self.access_points.as_ref()?;
        access_points.config().vpc_of(request.connection.client)
    }
}

/// A bucket, and the access point by which a request names it.
#[derive(Clone, Copy)]
struct NamedBucket<'a> {
    bucket: &'a str,
    through: Option<&'a Arc<AccessPoint>>,
}

/// Whether an operation is judged by the encryption that an upload was created with.
const fn is_of_upload(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::UploadPart | Operation::UploadPartCopy | Operation::CompleteMultipartUpload
    )
}

/// The upload that a request names.
fn upload_name(request: &S3Request) -> UploadName<'_> {
    UploadName {
        bucket: request.target.bucket.as_deref().unwrap_or_default(),
        key: request.target.key.as_deref().unwrap_or_default(),
        upload_id: request.target.query.get("uploadId").unwrap_or_default(),
    }
}

/// The document of a request, which stays in it.
async fn read_document(request: &mut S3Request) -> Result<bytes::Bytes, S3Error> {
    let document = document::read(request).await?;
    request.body = Payload::from_bytes(document.clone());
    Ok(document)
}

const EXPECTED_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");

#[cfg(test)]
mod tests;
