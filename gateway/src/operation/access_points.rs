//! The operations of S3 Control: access points, and the public access block of an account.
//!
//! Here their permits are spent; what is done is in [`crate::access_point`]. A permit is for the caller's own
//! account, which the request names.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_AWS_S3_Control.html>

use http::Response;

use crate::access_point::AccessPoints;
use crate::access_point::answer;
use crate::access_point::configuration;
use crate::access_point::listing;
use crate::access_point::request::CreationRequest;
use crate::access_point::request::account_block;
use crate::authorize::Permitted;
use crate::bucket::BucketConfigurations;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::answer::document;
use crate::operation::answer::no_content;
use crate::protocol;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::ControlPath;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::route::Operation;
use crate::route::TAG_KEYS;

/// Does an operation of S3 Control.
///
/// # Errors
///
/// Those of the operation in [`crate::access_point`]; those of a document that is too long or does not have its
/// digests; `InternalError` for an operation that is not done there.
pub async fn run_control(
    access_points: &AccessPoints,
    buckets: &BucketConfigurations,
    operation: Operation,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    let account = request.caller.account().cloned();
    let account = account.ok_or_else(S3Error::access_denied)?;
    let control = request.target.control.clone();
    let control = control.ok_or_else(S3Error::internal)?;
    let call = ControlCall {
        access_points,
        buckets,
        account: account.as_str(),
    };
    match (operation, control) {
        (Operation::ListAccessPoints, _) => call.list(&request).await,
        (Operation::GetAccountPublicAccessBlock, _) => call.block().await,
        (Operation::PutAccountPublicAccessBlock, _) => call.put_block(&mut request).await,
        (Operation::DeleteAccountPublicAccessBlock, _) => call.delete_block().await,
        (operation, ControlPath::Tags(arn)) => call.tags(operation, &arn, &mut request).await,
        (operation, control) => {
            let name = control.access_point().ok_or_else(S3Error::internal)?;
            call.run(operation, name, &mut request).await
        }
    }
}

/// A request to S3 Control about one account.
struct ControlCall<'a> {
    access_points: &'a AccessPoints,
    buckets: &'a BucketConfigurations,
    account: &'a str,
}

impl ControlCall<'_> {
    /// Does an operation on one access point.
    async fn run(
        &self,
        operation: Operation,
        name: &str,
        request: &mut S3Request,
    ) -> Result<Response<Body>, S3Error> {
        let (access_points, account) = (self.access_points, self.account);
        Ok(match operation {
            Operation::CreateAccessPoint => {
                let body = protocol::document::read(request).await?;
                let creation = CreationRequest::parse(&body)?;
                let created = access_points.create(account, name, creation).await?;
                document(&answer::created(&created))
            }
            Operation::GetAccessPoint => {
                let found = access_points.existing(account, name).await?;
                let owner = self.buckets.owners.of(&found.bucket).await?;
                document(&answer::access_point(&found, &owner))
            }
            Operation::DeleteAccessPoint => {
                access_points.delete(account, name).await?;
                no_content()
            }
            Operation::PutAccessPointPolicy => {
                let body = protocol::document::read(request).await?;
                configuration::put_policy(access_points, account, name, &body).await?;
                Response::new(empty_body())
            }
            Operation::GetAccessPointPolicy => {
                let policy = configuration::policy(access_points, account, name).await?;
                document(&answer::policy(&policy))
            }
            Operation::DeleteAccessPointPolicy => {
                configuration::delete_policy(access_points, account, name).await?;
                no_content()
            }
            Operation::GetAccessPointPolicyStatus => {
                configuration::policy(access_points, account, name).await?;
                let found = access_points.existing(account, name).await?;
                document(&answer::policy_status(found.is_public()))
            }
            _ => return Err(not_done(operation)),
        })
    }

    async fn list(&self, request: &S3Request) -> Result<Response<Body>, S3Error> {
        let query = &request.target.query;
        let page = listing::page(self.access_points, self.account, query).await?;
        let mut owners = Vec::with_capacity(page.access_points.len());
        for found in &page.access_points {
            let owner = self.buckets.owners.of(&found.bucket).await?;
            owners.push(owner.to_string());
        }
        Ok(document(&answer::page(&page, &owners)))
    }

    async fn tags(
        &self,
        operation: Operation,
        arn: &str,
        request: &mut S3Request,
    ) -> Result<Response<Body>, S3Error> {
        let (access_points, account) = (self.access_points, self.account);
        match operation {
            Operation::ListTagsForResource => {
                let found = configuration::tagged(access_points, account, arn).await?;
                Ok(document(&answer::tags(&found.tags)))
            }
            Operation::TagResource => {
                let body = protocol::document::read(request).await?;
                configuration::add_tags(access_points, account, arn, &body).await?;
                Ok(no_content())
            }
            Operation::UntagResource => {
                let pairs = request.target.query.iter();
                let keys = pairs.filter(|(name, _)| *name == TAG_KEYS);
                let keys: Vec<_> = keys.map(|(_, key)| key).collect();
                configuration::remove_tags(access_points, account, arn, &keys).await?;
                Ok(no_content())
            }
            _ => Err(not_done(operation)),
        }
    }

    async fn block(&self) -> Result<Response<Body>, S3Error> {
        let block = self
            .access_points
            .account_blocks()
            .find(self.account)
            .await?;
        let missing =
            || S3Error::new(S3Code::NoSuchPublicAccessBlock).detail("AccountId", self.account);
        let element: Element = answer::account_block(block.ok_or_else(missing)?);
        Ok(document(&element))
    }

    async fn put_block(&self, request: &mut S3Request) -> Result<Response<Body>, S3Error> {
        let body = protocol::document::read(request).await?;
        let block = account_block(&body)?;
        let blocks = self.access_points.account_blocks();
        blocks.set(self.account, Some(block)).await?;
        Ok(Response::new(empty_body()))
    }

    async fn delete_block(&self) -> Result<Response<Body>, S3Error> {
        let blocks = self.access_points.account_blocks();
        blocks.set(self.account, None).await?;
        Ok(no_content())
    }
}

fn not_done(operation: Operation) -> S3Error {
    tracing::error!(
        ?operation,
        "an operation of the table has no implementation"
    );
    S3Error::internal()
}
