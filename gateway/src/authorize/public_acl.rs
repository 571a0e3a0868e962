//! Public access control lists, which are refused where public access is blocked.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use crate::access_point::record::AccessPoint;
use crate::authorize::Authorizer;
use crate::authorize::read_document;
use crate::bucket::public_access;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::S3Request;
use crate::route::Needed;
use crate::route::Operation;

/// Refuses a request that sets a public access control list in a bucket, or `through` an access point, that
/// blocks these.
///
/// # Errors
///
/// `AccessDenied`; `MalformedACLError`; whatever is wrong with the body; `ServiceUnavailable` when it
/// cannot be found out what is blocked.
pub(super) async fn check(
    authorizer: &Authorizer,
    operation: Operation,
    request: &mut S3Request,
    through: Option<&AccessPoint>,
) -> Result<(), S3Error> {
    let has_document = matches!(operation, Operation::PutBucketAcl | Operation::PutObjectAcl);
    let actions = operation.row().actions;
    let sets_acl = has_document
        || operation == Operation::CreateBucket
        || actions.iter().any(|action| action.needed == Needed::Acl);
    if !sets_acl {
        return Ok(());
    }
    let mut is_public = public_access::is_public_in_headers(&request.headers);
    if has_document && !is_public {
        let document = Box::pin(read_document(request)).await?;
        if !document.is_empty() {
            let acl = Element::parse(&document, Limits::REQUEST)
                .map_err(|_| S3Error::new(S3Code::MalformedAcl))?;
            is_public = public_access::is_public_in_document(&acl);
        }
    }
    let Some(bucket) = request.target.bucket.as_deref().filter(|_| is_public) else {
        return Ok(());
    };
    let public_access = &authorizer.public_access;
    let mut blocks = match operation {
        Operation::CreateBucket => public_access.of_new_bucket(),
        _ => Box::pin(public_access.in_force(bucket)).await?,
    };
    if let Some(access_point) = through {
        blocks = blocks.with(access_point.public_access_block);
    }
    if let (Operation::CreateBucket, Some(account)) = (operation, request.caller.account()) {
        let of_account = Box::pin(public_access.of_account(account.as_str())).await?;
        blocks = blocks.with(of_account);
    }
    if blocks.block_public_acls {
        return Err(S3Error::access_denied());
    }
    Ok(())
}
