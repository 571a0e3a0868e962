//! Requests that `s3s` must not route: those with headers that it refuses in words of its own, and those for
//! subresources that it does not know. It would take one of these as a request for its bucket or object: GetBucketAbac
//! as a listing, PutBucketAbac as CreateBucket.

use http::Extensions;
use http::HeaderMap;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::header;
use s3s::Body;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::route::S3Route;

use crate::embedded::fault::Fault;
use crate::embedded::literal;
use crate::embedded::service::InProcess;
use crate::embedded::service::absent;

/// Answers what `s3s` does not know, or would refuse in words of its own.
pub(super) struct Unrouted;

#[async_trait::async_trait]
impl S3Route for Unrouted {
    fn is_match(&self, _: &Method, uri: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        subresource(uri).is_some() || literal::unreadable(headers).is_some()
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let is_signed = request.credentials.is_some();
        match is_signed || request.extensions.get::<InProcess>().is_some() {
            true => Ok(()),
            false => Err(s3s::S3ErrorCode::AccessDenied.into()),
        }
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        if let Some(fault) = literal::unreadable(&request.headers) {
            return Err(fault.into());
        }
        let subresource = subresource(&request.uri).unwrap_or_default();
        match (subresource, request.method == Method::GET) {
            ("abac", true) => Ok(abac_disabled()),
            ("abac", false) => Err(absent::not_implemented("Tag conditions of buckets").into()),
            (_, true) => {
                let message = "The metadata configuration does not exist";
                let code = "MetadataConfigurationNotFound";
                Err(Fault::custom(code, StatusCode::NOT_FOUND, message).into())
            }
            (_, false) => Err(absent::not_implemented("Metadata tables").into()),
        }
    }
}

/// What AWS answers of a bucket whose tags are no conditions.
fn abac_disabled() -> S3Response<Body> {
    let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <AbacStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <Status>Disabled</Status></AbacStatus>";
    let mut response = S3Response::new(Body::from(document.to_owned()));
    let xml = header::HeaderValue::from_static("application/xml");
    response.headers.insert(header::CONTENT_TYPE, xml);
    response
}

/// The subresource in a query, if `s3s` does not know it.
fn subresource(uri: &Uri) -> Option<&'static str> {
    let names = uri.query()?.split('&');
    let mut names = names.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    names.find_map(|name| UNKNOWN.iter().copied().find(|unknown| *unknown == name))
}

/// Those that the gateway passes on.
const UNKNOWN: [&str; 2] = ["abac", "metadataConfiguration"];
