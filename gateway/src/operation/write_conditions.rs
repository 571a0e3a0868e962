//! Conditions on what a write replaces.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::protocol::conditions::not_implemented;
use crate::protocol::conditions::precondition_failed;
use crate::sealed::facts;
use crate::sealed::objects::SealedObjects;

/// Compares the conditions of a write with the object that is there, and adds to `headers` those that the
/// backend has to compare again at the moment it commits.
///
/// # Errors
///
/// `PreconditionFailed`; `NoSuchKey`; `NotImplemented` for conditions that S3 does not take.
pub(crate) async fn check(
    objects: &SealedObjects,
    request: &HeaderMap,
    name: &ObjectName,
    headers: &mut HeaderMap,
) -> Result<(), S3Error> {
    let matching = request.get(header::IF_MATCH);
    let none = request.get(header::IF_NONE_MATCH);
    match (matching, none) {
        (None, None) => Ok(()),
        (Some(_), Some(_)) => Err(refused("If-Match,If-None-Match", SEVERAL)),
        (None, Some(none)) if none != "*" => Err(refused("If-None-Match", NOT_A_STAR)),
        (None, Some(_)) => {
            if Box::pin(facts::look_up(objects, name, None))
                .await?
                .is_some()
            {
                return Err(precondition_failed("If-None-Match"));
            }
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
            Ok(())
        }
        (Some(expected), None) if expected == "*" => Err(refused("If-Match", A_STAR)),
        (Some(expected), None) => {
            let found = Box::pin(facts::look_up(objects, name, None)).await?;
            let Some(object) = found else {
                return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", &name.key));
            };
            let expected = expected.to_str().unwrap_or_default();
            if !object.facts.etag.is_in(expected) {
                return Err(precondition_failed("If-Match"));
            }
            headers.insert(header::IF_MATCH, object.backend_etag.in_form_of(expected));
            Ok(())
        }
    }
}

fn refused(header: &'static str, message: &'static str) -> S3Error {
    not_implemented(header).detail("additionalMessage", message)
}

const SEVERAL: &str = "Multiple conditional request headers present in the request";
const A_STAR: &str = "We don't accept the provided value of If-Match header for this API";
const NOT_A_STAR: &str = "We don't accept the provided value of If-None-Match header for this API";
