//! Which operation a request is: one row of one table ([`table`]).
//!
//! A request names at most one subresource, as at AWS. The row lists which parameters the operation
//! takes; whatever else the query holds does not get past this module, so what is authorised, what
//! is done and what a backend receives are the same:
//!
//! - names that begin with `x-` are taken everywhere and mean nothing (S3 ignores them; SDKs send
//!   `x-id`),
//! - a read (GET, HEAD) ignores other parameters, as S3 does,
//! - a write refuses those that another operation takes, and those that are in no row, because they
//!   may stand for an operation that this gateway does not have.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html#LogFormatCustom>;
//! the texts of refusals as AWS sends them.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::HeaderMap;
use http::Method;
use http::header::CONTENT_TYPE;

use crate::bucket::configuration::Configuration;
use crate::bucket::configuration::Verb;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::ControlPath;
use crate::request::Query;
use crate::request::Target;

mod action;
mod header;
mod parameter;
mod table;

pub use action::Action;
pub use action::Needed;
pub use action::Resource;
pub use header::keep_headers;
pub use table::Operation;

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The HTTP method.
    pub method: &'static str,
    /// What is addressed.
    pub level: Level,
    /// The subresource in the query; empty for none.
    pub subresource: &'static str,
    /// What else chooses this row.
    selectors: &'static [Selector],
    /// The query parameters that it takes, beside the subresource.
    pub parameters: &'static [&'static str],
    /// What the caller must be allowed.
    pub actions: &'static [Action],
    /// Who does it.
    pub handling: Handling,
    /// Starts of the names of the deciding headers that it takes, in lists.
    headers: &'static [&'static [&'static str]],
}

/// What a request addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Neither bucket nor key.
    Service,
    /// A bucket.
    Bucket,
    /// A key in a bucket.
    Object,
    /// The access points of an account.
    AccessPoints,
    /// An access point.
    AccessPoint,
    /// The policy of an access point.
    AccessPointPolicy,
    /// Whether that is public.
    AccessPointPolicyStatus,
    /// The scope of an access point of a directory bucket.
    AccessPointScope,
    /// What an account blocks of public access.
    AccountPublicAccessBlock,
    /// The tags of an access point.
    ResourceTags,
    /// The Object Lambda access points of an account.
    LambdaAccessPoints,
    /// An Object Lambda access point.
    LambdaAccessPoint,
    /// The configuration of an Object Lambda access point.
    LambdaConfiguration,
    /// The policy of an Object Lambda access point.
    LambdaPolicy,
    /// Whether that is public.
    LambdaPolicyStatus,
    /// Where functions send their answers.
    FunctionAnswer,
    /// What S3 Control has beside these.
    OtherControl,
}

/// What chooses between rows of one method and subresource.
#[derive(Clone, Copy, Debug)]
enum Selector {
    /// The request has this header.
    Header(&'static str),
    /// The query has this parameter with this value.
    Query(&'static str, &'static str),
    /// The query has this parameter.
    Present(&'static str),
    /// The body is a browser's form.
    Form,
}

/// Who does an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// The gateway.
    Own,
    /// The gateway, as with all configurations of buckets that it stores itself.
    Configure(Configuration, Verb),
    /// The gateway: an operation of S3 Control.
    Control,
    /// The gateway: an operation of S3 Control on Object Lambda access points.
    LambdaControl,
    /// The backend: it neither shows nor changes the bytes of an object.
    Pass,
    /// Nobody, with the reason: it would leak or bypass encryption.
    Refuse(&'static str),
}

impl Operation {
    /// Whether its body may be `aws-chunked`; S3 takes that for the bytes of objects only.
    pub fn takes_chunked_body(self) -> bool {
        matches!(
            self,
            Self::PutObject | Self::UploadPart | Self::WriteGetObjectResponse
        )
    }

    /// Whether it works through an access point.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-service-api-support.html>
    pub fn works_through_access_point(self) -> bool {
        THROUGH_ACCESS_POINTS.contains(&self)
    }
}

impl Row {
    fn takes(&self, name: &str) -> bool {
        name == self.subresource || self.parameters.contains(&name)
    }
}

impl Selector {
    fn holds(self, query: &Query, headers: &HeaderMap) -> bool {
        match self {
            Self::Header(name) => headers.contains_key(name),
            Self::Query(name, value) => query.get(name) == Some(value),
            Self::Present(name) => query.has(name),
            Self::Form => is_form(headers),
        }
    }
}

impl Level {
    fn of_target(target: &Target) -> Self {
        if let Some(control) = &target.control {
            return match control {
                ControlPath::AccessPoints => Self::AccessPoints,
                ControlPath::AccessPoint(_) => Self::AccessPoint,
                ControlPath::Policy(_) => Self::AccessPointPolicy,
                ControlPath::PolicyStatus(_) => Self::AccessPointPolicyStatus,
                ControlPath::Scope(_) => Self::AccessPointScope,
                ControlPath::PublicAccessBlock => Self::AccountPublicAccessBlock,
                ControlPath::Tags(_) => Self::ResourceTags,
                ControlPath::LambdaAccessPoints => Self::LambdaAccessPoints,
                ControlPath::LambdaAccessPoint(_) => Self::LambdaAccessPoint,
                ControlPath::LambdaConfiguration(_) => Self::LambdaConfiguration,
                ControlPath::LambdaPolicy(_) => Self::LambdaPolicy,
                ControlPath::LambdaPolicyStatus(_) => Self::LambdaPolicyStatus,
                ControlPath::FunctionAnswer => Self::FunctionAnswer,
                ControlPath::Other => Self::OtherControl,
            };
        }
        match (&target.bucket, &target.key) {
            (None, _) => Self::Service,
            (Some(_), None) => Self::Bucket,
            (Some(_), Some(_)) => Self::Object,
        }
    }

    /// The name of the resource in `MethodNotAllowed`.
    const fn name(self) -> &'static str {
        match self {
            Self::Service => "SERVICE",
            Self::Bucket => "BUCKET",
            Self::Object => "OBJECT",
            Self::AccessPoints => "ACCESSPOINTS",
            Self::AccessPoint => "ACCESSPOINT",
            Self::AccessPointPolicy => "ACCESSPOINTPOLICY",
            Self::AccessPointPolicyStatus => "ACCESSPOINTPOLICYSTATUS",
            Self::AccessPointScope => "ACCESSPOINTSCOPE",
            Self::AccountPublicAccessBlock => "ACCOUNTPUBLICACCESSBLOCK",
            Self::ResourceTags => "TAGS",
            Self::LambdaAccessPoints => "OBJECTLAMBDAACCESSPOINTS",
            Self::LambdaAccessPoint => "OBJECTLAMBDAACCESSPOINT",
            Self::LambdaConfiguration => "OBJECTLAMBDACONFIGURATION",
            Self::LambdaPolicy => "OBJECTLAMBDAPOLICY",
            Self::LambdaPolicyStatus => "OBJECTLAMBDAPOLICYSTATUS",
            Self::FunctionAnswer => "OBJECTLAMBDARESPONSE",
            Self::OtherControl => "CONTROL",
        }
    }
}

/// The operation that a request names. Of the query of `target` only what that operation takes
/// is left.
///
/// # Errors
///
/// `NotImplemented` with the reason for operations that would leak or bypass encryption and for
/// writes that are in no row; `MethodNotAllowed`; `InvalidArgument` for two subresources, for a
/// parameter that the operation does not take, and for an empty version.
pub fn operation(
    method: &Method,
    target: &mut Target,
    headers: &HeaderMap,
) -> Result<Operation, S3Error> {
    let level = Level::of_target(target);
    if level == Level::OtherControl {
        return Err(refused("This operation of S3 Control", OTHER_CONTROL));
    }
    let query = &target.query;
    let is_read = *method == Method::GET || *method == Method::HEAD;
    let subresource = subresource(query)?;
    let of_subresource = ROWS_BY_PLACE.get(&(level, subresource));
    let subresource = of_subresource.map_or("", |_| subresource);
    let candidates = of_subresource.or_else(|| ROWS_BY_PLACE.get(&(level, "")));

    if level == Level::Bucket && *method == Method::POST && is_form(headers) {
        let more = query.iter().find(|(name, _)| !is_ignored(name));
        if let Some((name, _)) = more {
            return Err(refused("PostObject", FORM).detail("Query", name));
        }
    }
    let chosen = candidates.into_iter().flatten().find(|(_, row)| {
        row.method == method.as_str() && row.selectors.iter().all(|it| it.holds(query, headers))
    });
    if let (Some((_, row)), false) = (chosen, is_read) {
        check_parameters(row, query)?;
    }
    let Some(&(operation, row)) = chosen else {
        return Err(no_row(method, level, subresource, query));
    };
    if let Handling::Refuse(reason) = row.handling {
        return Err(refused(operation.name(), reason));
    }
    if row.parameters.contains(&VERSION) {
        check_version(query)?;
    }
    target.query = query.only(|name| row.takes(name));
    Ok(operation)
}

/// The rows of each level and subresource, in the order in which they are tried: every request looks for
/// its own.
static ROWS_BY_PLACE: LazyLock<HashMap<(Level, &str), Vec<OperationRow>>> = LazyLock::new(|| {
    let mut places: HashMap<_, Vec<_>> = HashMap::new();
    for (operation, row) in rows() {
        let place = places.entry((row.level, row.subresource)).or_default();
        place.push((operation, row));
    }
    places
});

/// An operation and its row.
type OperationRow = (Operation, &'static Row);

fn rows() -> impl Iterator<Item = OperationRow> {
    let operations = Operation::ALL.iter().copied();
    operations.zip(Operation::ROWS.iter().copied())
}

/// The subresource that a query names; empty for none.
fn subresource(query: &Query) -> Result<&str, S3Error> {
    let is_known = |name: &str| !name.is_empty() && rows().any(|(_, row)| row.subresource == name);
    let mut named = query.iter().map(|(name, _)| name).filter(|it| is_known(it));
    let first = named.next().unwrap_or_default();
    if named.next().is_none() {
        return Ok(first);
    }
    let all = query.iter().map(|(name, _)| name);
    let mut all: Vec<&str> = all.filter(|it| is_known(it)).collect();
    all.sort_unstable();
    let message = format!("Conflicting query string parameters: {}", all.join(", "));
    let shown = all.first().copied().unwrap_or_default();
    Err(S3Error::invalid_argument(message, "ResourceType", shown))
}

/// Refuses what a write does not take.
fn check_parameters(row: &Row, query: &Query) -> Result<(), S3Error> {
    for (name, value) in query.iter() {
        if row.takes(name) || is_ignored(name) {
            continue;
        }
        if name == VERSION {
            let message = "This operation does not accept a version-id.";
            return Err(S3Error::invalid_argument(message, name, value));
        }
        if rows().any(|(_, other)| other.parameters.contains(&name)) {
            let message = "This operation does not accept this query parameter.";
            return Err(S3Error::invalid_argument(message, name, value));
        }
        return Err(refused("This operation", UNKNOWN).detail("Query", name));
    }
    Ok(())
}

/// Refuses a version that names none: whoever reads it as absent would do the operation on the
/// current object.
fn check_version(query: &Query) -> Result<(), S3Error> {
    match query.get(VERSION) {
        Some("") => {
            let message = "Version id cannot be the empty string";
            Err(S3Error::invalid_argument(message, VERSION, ""))
        }
        Some(version) if version.trim().is_empty() => {
            let message = "Invalid version id specified";
            Err(S3Error::invalid_argument(message, VERSION, version))
        }
        _ => Ok(()),
    }
}

/// The error for a request that is none of the operations.
fn no_row(method: &Method, level: Level, subresource: &str, query: &Query) -> S3Error {
    if !subresource.is_empty() {
        return method_not_allowed(method, &subresource.to_uppercase());
    }
    let unknown = query.iter().find(|(name, _)| !is_ignored(name));
    match (method, unknown) {
        (&Method::PUT | &Method::POST | &Method::DELETE, Some((name, _))) => {
            refused("This operation", UNKNOWN).detail("Query", name)
        }
        (&Method::POST, None) if level == Level::Bucket => S3Error::with_message(
            S3Code::PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold",
        )
        .detail(
            "Condition",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        ),
        _ => method_not_allowed(method, level.name()),
    }
}

/// Whether a body is a browser's form.
fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    let text = content_type.and_then(|value| value.to_str().ok());
    text.is_some_and(|text| text.to_ascii_lowercase().starts_with("multipart/form-data"))
}

/// Whether S3 ignores a parameter of this name everywhere.
fn is_ignored(name: &str) -> bool {
    let start = name.get(..2);
    start.is_some_and(|start| start.eq_ignore_ascii_case("x-"))
}

/// `NotImplemented` with the operation and the reason.
fn refused(name: &str, reason: &str) -> S3Error {
    S3Error::not_implemented(format!("{name} is not implemented: {reason}"))
}

/// `MethodNotAllowed` as AWS sends it.
fn method_not_allowed(method: &Method, resource_type: &str) -> S3Error {
    S3Error::new(S3Code::MethodNotAllowed)
        .detail("Method", method.as_str())
        .detail("ResourceType", resource_type)
}

/// The operations that work through an access point.
const THROUGH_ACCESS_POINTS: [Operation; 33] = [
    Operation::AbortMultipartUpload,
    Operation::CompleteMultipartUpload,
    Operation::CopyObject,
    Operation::CreateMultipartUpload,
    Operation::DeleteObject,
    Operation::DeleteObjectTagging,
    Operation::DeleteObjects,
    Operation::GetBucketAcl,
    Operation::GetBucketCors,
    Operation::GetBucketLocation,
    Operation::GetBucketNotificationConfiguration,
    Operation::GetBucketPolicy,
    Operation::GetObject,
    Operation::GetObjectAcl,
    Operation::GetObjectAttributes,
    Operation::GetObjectLegalHold,
    Operation::GetObjectRetention,
    Operation::GetObjectTagging,
    Operation::HeadBucket,
    Operation::HeadObject,
    Operation::ListMultipartUploads,
    Operation::ListObjectVersions,
    Operation::ListObjects,
    Operation::ListObjectsV2,
    Operation::ListParts,
    Operation::PutObject,
    Operation::PutObjectAcl,
    Operation::PutObjectLegalHold,
    Operation::PutObjectRetention,
    Operation::PutObjectTagging,
    Operation::RestoreObject,
    Operation::UploadPart,
    Operation::UploadPartCopy,
];

const VERSION: &str = "versionId";

const FORM: &str = "with a query: a form says everything itself.";
const OTHER_CONTROL: &str = "the gateway has access points, tags of these, Object Lambda access points, and the public access block of \
     an account.";
const UNKNOWN: &str = "the gateway does not know whether it would touch unsealed bytes.";

#[cfg(test)]
mod tests;
