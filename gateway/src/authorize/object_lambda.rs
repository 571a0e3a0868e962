//! Requests through Object Lambda access points, and answers of functions.
//!
//! Such a request needs an action on the Object Lambda access point and, unless a function transforms it, all that
//! it needs on the access point behind. What a function reads, it reads as the caller, by a request of its own.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-security.html>

use proto::iam::Delegation;
use proto::iam::Identity;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Verdict;

use crate::access_point::record::AccessPoint;
use crate::authorize::Authorizer;
use crate::authorize::context;
use crate::authorize::context::Encryption;
use crate::authorize::permit::Permitted;
use crate::authorize::permit::Terms;
use crate::authorize::through;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::request::S3Request;
use crate::route::Operation;

/// Permits a read that `function` transforms, or refuses it.
///
/// # Errors
///
/// As [`check_object_lambda`]; `LambdaPermissionError` for a caller who may not invoke the function;
/// `AccessDenied` and `InvalidRequest` for what the access point behind takes of nobody.
pub fn permit_transformed(
    authorizer: &Authorizer,
    operation: Operation,
    request: Box<S3Request>,
    access_point: &LambdaAccessPoint,
    supporting: &AccessPoint,
    function: &str,
) -> Result<Permitted<S3Request>, S3Error> {
    let config = authorizer.access_points.as_ref().map(|it| it.config());
    let vpc = config.and_then(|config| config.vpc_of(request.connection.client));
    through::check_request(config, supporting, &request, vpc)?;
    check_object_lambda(authorizer, operation, &request, access_point)?;
    let identity = identity(&request)?;
    let rights = identity.for_request(&context_of(authorizer, &request));
    match rights.decide(INVOKE, function) {
        Decision::Allow => Ok(Permitted::new(request, Terms::default())),
        _ => Err(S3Code::LambdaPermissionError.into()),
    }
}

/// Refuses a request that the caller may not make through this Object Lambda access point, by its own policies
/// and that of the access point.
///
/// # Errors
///
/// `AccessDenied`.
pub fn check_object_lambda(
    authorizer: &Authorizer,
    operation: Operation,
    request: &S3Request,
    access_point: &LambdaAccessPoint,
) -> Result<(), S3Error> {
    let identity = identity(request)?;
    let actions = operation.row().actions;
    let action = actions.iter().find(|it| !it.resource.is_of_source());
    let action = action.ok_or_else(S3Error::access_denied)?;
    let of_version = action
        .of_version
        .filter(|_| request.target.query.has("versionId"));
    let name = of_version.unwrap_or(action.name);
    let name = name.strip_prefix("s3:").unwrap_or(name);
    let action = format!("s3-object-lambda:{name}");
    let arn = access_point.arn();
    let context = context_of(authorizer, request);
    let policy = access_point.policy.as_ref();
    let policy = policy.map(|it| it.policy().for_request(&identity.principal(), &context));
    let verdict = policy
        .as_ref()
        .map_or(Verdict::NONE, |policy| policy.decide(&action, &arn));
    let rights = identity.for_request(&context);
    let owner = access_point.account.as_str();
    match rights.decide_with(&verdict, owner, Delegation::Always, &action, &arn) {
        Decision::Allow => Ok(()),
        _ => Err(denied(identity, &action, &arn)),
    }
}

/// Refuses the answer of a function that may not answer: its principal is of the account of the access point,
/// and its policies allow it.
pub(super) fn check_function(authorizer: &Authorizer, request: &S3Request) -> Result<(), S3Error> {
    let identity = identity(request)?;
    let token = request.header("x-amz-request-token").unwrap_or_default();
    let waiting = authorizer.functions.as_ref();
    let Some(access_point) = waiting.and_then(|it| it.access_point_of(token)) else {
        // Nobody waits for it: so is it answered.
        return Ok(());
    };
    let arn = access_point.arn();
    let rights = identity.for_request(&context_of(authorizer, request));
    let is_own = identity.account == *access_point.account;
    match is_own && rights.decide(ANSWER, &arn) == Decision::Allow {
        true => Ok(()),
        false => Err(denied(identity, ANSWER, &arn)),
    }
}

fn context_of(authorizer: &Authorizer, request: &S3Request) -> Context {
    let encryption = Encryption::Requested(&authorizer.region);
    context::from_request(request, None, encryption, authorizer.clock.now())
}

fn identity(request: &S3Request) -> Result<&Identity, S3Error> {
    let identity = request.caller.identity();
    identity.ok_or_else(S3Error::access_denied)
}

fn denied(identity: &Identity, action: &str, arn: &str) -> S3Error {
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: \"{arn}\"",
        identity.arn
    );
    S3Error::with_message(S3Code::AccessDenied, message)
}

const ANSWER: &str = "s3-object-lambda:WriteGetObjectResponse";
const INVOKE: &str = "lambda:InvokeFunction";
