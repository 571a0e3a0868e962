//! Conditions on what a write replaces, or a deletion deletes.
//!
//! A condition names one ETag as the client sees it: no list, and one line. A write takes `*` for no object only, a
//! deletion for any object.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::authorize::ReplacedObject;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::protocol::conditions::not_implemented;
use crate::protocol::conditions::precondition_failed;
use crate::protocol::etag::ETag;
use crate::protocol::single_header::single_text;
use crate::sealed::facts;
use crate::sealed::facts::DescribedObject;
use crate::sealed::objects::SealedObjects;
use crate::sealed::reader::Reader;

/// Compares the conditions of a write with the object that is there, and adds to `headers` those that the
/// backend has to compare again at the moment it commits.
///
/// # Errors
///
/// `PreconditionFailed`; as [`matching`]; `InvalidArgument` for a condition that comes twice; `NotImplemented` for
/// conditions that S3 does not take.
pub(crate) async fn check(
    objects: &SealedObjects,
    request: &HeaderMap,
    name: &ObjectName,
    replaced: &ReplacedObject,
    headers: &mut HeaderMap,
) -> Result<(), S3Error> {
    let matching_etag = single_text(request, &header::IF_MATCH)?;
    let none = single_text(request, &header::IF_NONE_MATCH)?;
    match (matching_etag, none) {
        (None, None) => Ok(()),
        (Some(_), Some(_)) => Err(refused("If-Match,If-None-Match", SEVERAL)),
        (None, Some(none)) if none != ANY => Err(refused("If-None-Match", NOT_A_STAR)),
        (None, Some(_)) => {
            let found = Box::pin(facts::look_up(objects, name, None)).await?;
            if found.is_some() {
                return Err(precondition_failed("If-None-Match"));
            }
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(ANY));
            Ok(())
        }
        (Some(ANY), None) => Err(refused("If-Match", A_STAR)),
        (Some(expected), None) => {
            let object = matching(objects, name, None, replaced, expected).await?;
            headers.insert(header::IF_MATCH, object.backend_etag.in_form_of(expected));
            Ok(())
        }
    }
}

/// The object, or the version of it, that a condition is about, after it was found to have the ETag `expected`; any
/// object where that is `*`.
///
/// # Errors
///
/// `PreconditionFailed` for another ETag; `NoSuchKey` where there is no object, `AccessDenied` in place of that for a
/// caller who may not see it; `ServiceUnavailable` for another object than the request was judged by.
pub(crate) async fn matching(
    objects: &SealedObjects,
    name: &ObjectName,
    version: Option<&str>,
    replaced: &ReplacedObject,
    expected: &str,
) -> Result<DescribedObject, S3Error> {
    let reader = Reader {
        hides_absence: replaced.hides_absence,
        judged: replaced.judged.clone(),
        ..Reader::internal(name, version)
    };
    let found = Box::pin(facts::look_up_for(objects, &reader)).await?;
    let Some(object) = found else {
        return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", &name.key));
    };
    let is_same = is_any(expected) || ETag::parse(expected).as_ref() == Some(&object.facts.etag);
    match is_same {
        true => Ok(object),
        false => Err(precondition_failed("If-Match")),
    }
}

/// Whether a condition demands no more than that there is an object.
pub(crate) fn is_any(expected: &str) -> bool {
    expected.trim() == ANY
}

fn refused(header: &'static str, message: &'static str) -> S3Error {
    not_implemented(header).detail("additionalMessage", message)
}

/// Any object.
pub(crate) const ANY: &str = "*";

const SEVERAL: &str = "Multiple conditional request headers present in the request";
const A_STAR: &str = "We don't accept the provided value of If-Match header for this API";
const NOT_A_STAR: &str = "We don't accept the provided value of If-None-Match header for this API";
