//! Which part of the gateway does which operation.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::Method;
use http::Response;

use crate::access_point::AccessPoints;
use crate::access_point::name;
use crate::access_point::record::AccessPoint;
use crate::access_point::resolution;
use crate::access_point::resolution::RequestAccessPoints;
use crate::authorize::Authorizer;
use crate::authorize::Permitted;
use crate::authorize::check_object_lambda;
use crate::authorize::permit_transformed;
use crate::bucket::BucketConfigurations;
use crate::bucket::Buckets;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::ObjectLambda;
use crate::object_lambda::configuration::SupportingAccessPoint;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::operation::access_points::run_control;
use crate::operation::acl::get_bucket_acl;
use crate::operation::acl::get_object_acl;
use crate::operation::acl::put_bucket_acl;
use crate::operation::acl::put_object_acl;
use crate::operation::bucket::run_on_bucket;
use crate::operation::bucket_configuration::configure_bucket;
use crate::operation::bucket_configuration::get_bucket_policy_status;
use crate::operation::copy_object::copy_object;
use crate::operation::delete_objects::delete_object;
use crate::operation::delete_objects::delete_objects;
use crate::operation::get_object::get_object;
use crate::operation::get_object::head_object;
use crate::operation::get_object_attributes::get_object_attributes;
use crate::operation::list_objects::list_objects;
use crate::operation::object_lambda::Transformed;
use crate::operation::object_lambda::run_lambda_control;
use crate::operation::object_lambda::transform;
use crate::operation::object_lambda::write_get_object_response;
use crate::operation::pass_through::pass_through;
use crate::operation::post_object::post_object;
use crate::operation::put_object::put_object;
use crate::operation::store::ObjectStore;
use crate::operation::update_object_encryption::update_object_encryption;
use crate::operation::upload::abort::abort_multipart_upload;
use crate::operation::upload::complete::complete_multipart_upload;
use crate::operation::upload::create::create_multipart_upload;
use crate::operation::upload::list::list_multipart_uploads;
use crate::operation::upload::list::list_parts;
use crate::operation::upload::part::upload_part;
use crate::operation::upload::part_copy::upload_part_copy;
use crate::operation::versioning::get_bucket_versioning;
use crate::operation::versioning::put_bucket_lifecycle_configuration;
use crate::operation::versioning::put_bucket_versioning;
use crate::request::AclRequired;
use crate::request::Addressing;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Handling;
use crate::route::Operation;

/// The parts that do operations.
pub struct Operations {
    /// Operations on objects.
    pub objects: Arc<ObjectStore>,
    /// Operations on buckets.
    pub buckets: Buckets,
    /// What is stored about buckets.
    pub configurations: BucketConfigurations,
    /// Access points.
    pub access_points: Arc<AccessPoints>,
    /// Object Lambda access points.
    pub object_lambda: Arc<ObjectLambda>,
    /// Who may do what.
    pub authorizer: Authorizer,
}

impl Operations {
    /// Refuses a target that no client may name.
    pub(super) fn check_target(&self, target: &Target) -> Result<(), S3Error> {
        let bucket = target.bucket.as_deref();
        bucket.map_or(Ok(()), |bucket| self.buckets.refuse_reserved(bucket))
    }

    /// The access point that a request goes through, if it names one; the bucket of the target is that of it then.
    pub(super) async fn resolve_target(
        &self,
        target: &mut Target,
    ) -> Result<Option<Arc<AccessPoint>>, S3Error> {
        resolution::resolve_target(&self.access_points, target).await
    }

    /// All access points of a request: also that of a copy's source, whose bucket the header names then.
    pub(super) async fn resolve_all(
        &self,
        operation: Operation,
        target: Option<Arc<AccessPoint>>,
        headers: &mut HeaderMap,
    ) -> Result<RequestAccessPoints, S3Error> {
        let mut actions = operation.row().actions.iter();
        let source = match actions.any(|action| action.resource.is_of_source()) {
            true => Box::pin(resolution::resolve_source(&self.access_points, headers)).await?,
            false => None,
        };
        Ok(RequestAccessPoints { target, source })
    }

    /// Refuses an operation that does not work through an access point, and a bucket whose host is that of one.
    pub(super) async fn check_access_point(
        &self,
        operation: Operation,
        method: &Method,
        target: &Target,
    ) -> Result<(), S3Error> {
        let bucket = target.bucket.as_deref().unwrap_or_default();
        if target.access_point.is_some() && !operation.works_through_access_point() {
            if operation == Operation::CreateBucket && target.addressing == Addressing::Path {
                return Err(S3Error::new(S3Code::InvalidBucketName));
            }
            return Err(S3Error::new(S3Code::MethodNotAllowed)
                .detail("Method", method.as_str())
                .detail("ResourceType", "ACCESSPOINT"));
        }
        if operation != Operation::CreateBucket {
            return Ok(());
        }
        match name::in_host_label(bucket) {
            Some((name, account))
                if Box::pin(self.access_points.find(account.as_str(), name))
                    .await?
                    .is_some() =>
            {
                Err(S3Error::new(S3Code::BucketAlreadyExists).detail("BucketName", bucket))
            }
            _ => Ok(()),
        }
    }

    /// Does an operation, if it is permitted.
    pub(super) fn run(
        &self,
        operation: Operation,
        request: Box<S3Request>,
        through: RequestAccessPoints,
    ) -> BoxFuture<'_, Result<Response<Body>, S3Error>> {
        async move {
            let uploads = &self.objects.uploads;
            let permit = self.authorizer.permit(operation, request, through, uploads);
            let mut permitted = permit.await?;
            let bucket = permitted.request_mut().target.bucket.clone();
            let acl_required = permitted.acl_required();
            let _turn = self
                .objects
                .check_promises(operation, &mut permitted)
                .await?;
            let answer = match operation.row().handling {
                Handling::Configure(configuration, verb) => {
                    let configurations = &self.configurations;
                    configure_bucket(configurations, configuration, verb, permitted).boxed()
                }
                Handling::Control => {
                    let (points, buckets) = (&self.access_points, &self.configurations);
                    run_control(points, buckets, operation, permitted).boxed()
                }
                Handling::LambdaControl => {
                    let (lambda, points) = (&self.object_lambda, &self.access_points);
                    run_lambda_control(lambda, points, operation, permitted).boxed()
                }
                Handling::Pass => pass_through(&self.buckets, operation, permitted).boxed(),
                Handling::Own | Handling::Refuse(_) => self.run_own(operation, permitted),
            }
            .await;
            // Also after a failure, whose outcome at the backend may be unknown.
            self.objects.note_done(operation, bucket.as_deref());
            let mut answer = answer?;
            if acl_required {
                answer.extensions_mut().insert(AclRequired);
            }
            Ok(answer)
        }
        .boxed()
    }

    /// The Object Lambda access point that a request goes through, if it names one; the target names the access
    /// point behind it then.
    pub(super) async fn resolve_lambda(
        &self,
        target: &mut Target,
        is_for_object_lambda: bool,
    ) -> Result<Option<Arc<LambdaAccessPoint>>, S3Error> {
        let resolved = self.object_lambda.resolve(target, is_for_object_lambda);
        let Some(found) = resolved.await? else {
            return Ok(None);
        };
        let supporting = self.supporting(&found).boxed().await?;
        // By its alias, as any request that names it in its path.
        target.bucket = Some(supporting.alias.clone());
        target.addressing = Addressing::Path;
        Ok(Some(found))
    }

    async fn supporting(&self, found: &LambdaAccessPoint) -> Result<Arc<AccessPoint>, S3Error> {
        let named = SupportingAccessPoint::parse(&found.configuration.supporting);
        let named = named.ok_or_else(S3Error::internal)?;
        let existing = self.access_points.existing(&named.account, &named.name);
        existing.await
    }

    /// Does an operation through an Object Lambda access point, if it is permitted: by a function, if that
    /// transforms it, and on the access point behind otherwise.
    pub(super) fn run_by_lambda(
        &self,
        operation: Operation,
        request: Box<S3Request>,
        through: RequestAccessPoints,
        access_point: Arc<LambdaAccessPoint>,
    ) -> BoxFuture<'_, Result<Response<Body>, S3Error>> {
        async move {
            let transformation = access_point.configuration.transformation(operation);
            let Some(transformation) = transformation.cloned() else {
                let authorizer = &self.authorizer;
                check_object_lambda(authorizer, operation, &request, &access_point)?;
                return self.run(operation, request, through).await;
            };
            let supporting = through.target.clone().ok_or_else(S3Error::internal)?;
            let original = original_of(&request);
            let permitted = permit_transformed(
                &self.authorizer,
                operation,
                request,
                &access_point,
                &supporting,
                &transformation.function,
            )?;
            let transformed = Transformed {
                access_point,
                supporting,
                transformation,
            };
            let read = Box::new(move || self.run(Operation::GetObject, original, through));
            let (lambda, objects) = (&self.object_lambda, transformed);
            transform(lambda, operation, objects, permitted, read).await
        }
        .boxed()
    }

    /// Does an operation of the gateway's own.
    fn run_own(
        &self,
        operation: Operation,
        mut permitted: Permitted<S3Request>,
    ) -> BoxFuture<'_, Result<Response<Body>, S3Error>> {
        let store = &*self.objects;
        // Each in a box of its own: else every request would be as large as the largest.
        match operation {
            Operation::AbortMultipartUpload => abort_multipart_upload(store, permitted).boxed(),
            Operation::CompleteMultipartUpload => {
                complete_multipart_upload(store, permitted).boxed()
            }
            Operation::CopyObject => copy_object(store, permitted).boxed(),
            Operation::CreateMultipartUpload => create_multipart_upload(store, permitted).boxed(),
            Operation::DeleteObject => delete_object(store, permitted).boxed(),
            Operation::DeleteObjects => delete_objects(store, permitted).boxed(),
            Operation::GetObject => get_object(store, permitted).boxed(),
            Operation::GetObjectAttributes => get_object_attributes(store, permitted).boxed(),
            Operation::HeadObject => head_object(store, permitted).boxed(),
            Operation::ListMultipartUploads => list_multipart_uploads(store, permitted).boxed(),
            Operation::ListObjects | Operation::ListObjectsV2 | Operation::ListObjectVersions => {
                let bucket = permitted
                    .request_mut()
                    .target
                    .bucket
                    .clone()
                    .unwrap_or_default();
                let listing = list_objects(store, permitted);
                async move {
                    let mut answer = listing.await?;
                    self.buckets.place_in(&mut answer, &bucket).await?;
                    Ok(answer)
                }
                .boxed()
            }
            Operation::ListParts => list_parts(store, permitted).boxed(),
            Operation::PostObject => post_object(store, permitted).boxed(),
            Operation::PutObject => put_object(store, permitted).boxed(),
            Operation::UpdateObjectEncryption => update_object_encryption(store, permitted).boxed(),
            Operation::UploadPart => upload_part(store, permitted).boxed(),
            Operation::UploadPartCopy => upload_part_copy(store, permitted).boxed(),
            Operation::WriteGetObjectResponse => {
                write_get_object_response(&self.object_lambda, permitted).boxed()
            }
            Operation::GetBucketPolicyStatus => {
                get_bucket_policy_status(&self.configurations, permitted).boxed()
            }
            Operation::GetBucketAcl => get_bucket_acl(&self.configurations, permitted).boxed(),
            Operation::PutBucketAcl => put_bucket_acl(&self.configurations, permitted).boxed(),
            Operation::GetObjectAcl => {
                get_object_acl(store, &self.configurations, permitted).boxed()
            }
            Operation::PutObjectAcl => {
                put_object_acl(store, &self.configurations, permitted).boxed()
            }
            Operation::GetBucketVersioning => {
                get_bucket_versioning(&self.configurations, permitted).boxed()
            }
            Operation::PutBucketVersioning => {
                put_bucket_versioning(&self.configurations, permitted).boxed()
            }
            Operation::PutBucketLifecycleConfiguration => {
                put_bucket_lifecycle_configuration(&self.configurations, permitted).boxed()
            }
            _ => run_on_bucket(&self.buckets, operation, permitted).boxed(),
        }
    }
}

/// The read of the object as it is stored, without what is done with the transformed one: ranges, conditions.
fn original_of(request: &S3Request) -> Box<S3Request> {
    let mut headers = HeaderMap::new();
    for name in ["host", "x-amz-expected-bucket-owner", "x-amz-request-payer"] {
        if let Some(value) = request.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    Box::new(S3Request {
        method: Method::GET,
        target: Target {
            query: request.target.query.only(|name| name == "versionId"),
            ..request.target.clone()
        },
        headers,
        caller: request.caller.clone(),
        auth: request.auth,
        signed_region: request.signed_region.clone(),
        is_by_object_lambda: true,
        received: request.received,
        connection: request.connection.clone(),
        request_id: request.request_id,
        body: Payload::empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of<A, B>(_: &impl Fn(A, Permitted<S3Request>) -> B) -> usize {
        size_of::<B>()
    }

    #[test]
    fn the_commonest_operations_carry_no_space_for_what_they_seldom_do() {
        // Each is moved into its box: from one page on, that shows in the benches.
        let sizes = [
            ("GetObject", bytes_of(&get_object)),
            ("PutObject", bytes_of(&put_object)),
            ("ListObjects", bytes_of(&list_objects)),
            ("HeadObject", bytes_of(&head_object)),
        ];
        for (operation, bytes) in sizes {
            assert!(bytes < 4_096, "{operation}: {bytes}");
        }
    }
}
