//! Requests to S3 Control. They are about the caller's own account only, and its own policies decide.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use proto::identity::AccountId;
use proto::policy::Context;
use proto::policy::Decision;

use crate::access_point::configuration;
use crate::access_point::request::CreationRequest;
use crate::authorize::Authorizer;
use crate::authorize::context;
use crate::authorize::context::Encryption;
use crate::authorize::read_document;
use crate::authorize::through;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::record as lambda_record;
use crate::request::ControlPath;
use crate::request::S3Request;
use crate::route::ACCOUNT_ID;
use crate::route::Handling;
use crate::route::Operation;
use crate::route::Resource;

/// Refuses a request to S3 Control, unless it is permitted.
///
/// # Errors
///
/// `InvalidRequest` for a request that names no account; `AccessDenied` for another account than the caller's and
/// for what no policy of the caller allows; what is wrong with the document of a new access point.
pub(super) async fn check(
    authorizer: &Authorizer,
    operation: Operation,
    request: &mut S3Request,
) -> Result<(), S3Error> {
    let account = named_account(request)?;
    let Some(identity) = request.caller.identity().filter(|it| it.account == account) else {
        return Err(S3Error::access_denied());
    };
    if identity.is_unlimited() {
        return Ok(());
    }
    let identity = identity.clone();
    let encryption = Encryption::Requested(&authorizer.region);
    let now = authorizer.clock.now();
    let mut context = context::from_request(request, None, encryption, now);
    context.insert_all("aws:SourceVpc", authorizer.vpc_of(request));
    let arn = add_access_point(authorizer, operation, request, &mut context).await?;
    let rights = identity.for_request(&context);
    for action in operation.row().actions {
        let resource = match action.resource {
            Resource::AccessPoint => arn.as_deref().unwrap_or("*"),
            _ => "*",
        };
        if rights.decide(action.name, resource) != Decision::Allow {
            let message = format!(
                "User: {} is not authorized to perform: {} on resource: \"{resource}\" because no \
                 identity-based policy allows the {} action",
                identity.arn, action.name, action.name
            );
            return Err(S3Error::with_message(S3Code::AccessDenied, message));
        }
    }
    Ok(())
}

/// The account that a request names. The signature covers that header, as all of its kind.
fn named_account(request: &S3Request) -> Result<AccountId, S3Error> {
    let text = request.header(ACCOUNT_ID.as_str());
    let account = text.and_then(|text| text.parse().ok());
    account.ok_or_else(|| S3Error::invalid_request(NO_ACCOUNT))
}

/// Adds the condition keys about the access point that a request names; the ARN of that.
async fn add_access_point(
    authorizer: &Authorizer,
    operation: Operation,
    request: &mut S3Request,
    context: &mut Context,
) -> Result<Option<String>, S3Error> {
    let Some(access_points) = &authorizer.access_points else {
        return Err(S3Error::access_denied());
    };
    let account = named_account(request)?;
    let account = account.as_str();
    let control = request.target.control.clone();
    if let Some(ControlPath::Tags(arn)) = control {
        // One that is not as it is named has no tags to show.
        if let Ok(found) = configuration::tagged(access_points, account, &arn).await {
            through::add_conditions(context, &found);
        }
        return Ok(Some(arn));
    }
    let Some(name) = control.as_ref().and_then(ControlPath::access_point) else {
        return Ok(None);
    };
    if operation.row().handling == Handling::LambdaControl {
        let region = authorizer.region.as_str();
        return Ok(Some(lambda_record::arn(region, account, name)));
    }
    if operation == Operation::CreateAccessPoint {
        let document = read_document(request).await?;
        let creation = CreationRequest::parse(&document)?;
        let origin = match creation.vpc {
            Some(_) => "VPC",
            None => "Internet",
        };
        context.insert(through::NETWORK_ORIGIN, origin);
        let region = access_points.region_of(&creation.bucket).await?;
        return Ok(Some(through::add_names(context, &region, account, name)));
    }
    match access_points.find(account, name).await? {
        Some(found) => {
            through::add_conditions(context, &found);
            Ok(Some(found.arn()))
        }
        None => {
            let region = authorizer.region.as_str();
            Ok(Some(through::add_names(context, region, account, name)))
        }
    }
}

const NO_ACCOUNT: &str = "Missing required header for this request: x-amz-account-id";
