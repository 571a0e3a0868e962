//! Cross-origin rules: `PutBucketCors`, `GetBucketCors`, `DeleteBucketCors`, the preflights of
//! browsers, and the headers that let a page read an answer.
//!
//! Rules are stored and judged here and never sent to the backend, which receives neither a page's
//! origin nor its browser's preflights. No rule protects a bucket: what none allows is answered all
//! the same, and only the page does not get to see it. So rules that cannot be read are as good as
//! none; the answer to a preflight says so.
//!
//! A preflight comes without a signature. Its answer is the same for a bucket without rules and for one that
//! is not there, which AWS answers differently.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html>; the texts of refusals as AWS
//! sends them.

use http::HeaderMap;
use http::Method;
use http::Response;

use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::document::cors::Rules;
use crate::bucket::document::cors::rule::METHODS;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::Target;
use crate::request::empty_body;

pub use crate::bucket::document::cors::Asking;

/// The cross-origin rules of all buckets.
pub struct BucketCors(StoredConfigurations<Rules>);

impl BucketCors {
    /// The rules in the records of `store`.
    #[must_use]
    pub fn new(store: ConfigurationStore) -> Self {
        Self(StoredConfigurations::new(store))
    }

    /// The headers by which a page may read the answer to its request; none if no rule allows it, or
    /// if the rules cannot be read.
    pub async fn allowance(&self, bucket: &str, asking: &Asking) -> HeaderMap {
        match self.0.find(bucket).await {
            Ok(rules) => {
                let allowed = rules.and_then(|rules| rules.allowance(asking));
                allowed.unwrap_or_default()
            }
            Err(error) => {
                tracing::warn!(bucket, %error, "CORS rules cannot be read");
                HeaderMap::new()
            }
        }
    }

    /// The answer to a preflight; `asking` is the page behind it, if it names the page's origin.
    ///
    /// # Errors
    ///
    /// `BadRequest` without an origin, and without a method that rules can allow; `AccessForbidden`
    /// if no rule allows it, or there are none; `ServiceUnavailable` or `InternalError` when they
    /// cannot be read.
    pub async fn preflight(
        &self,
        target: &Target,
        asking: Option<&Asking>,
    ) -> Result<Response<Body>, S3Error> {
        let bad = |message: String| S3Error::with_message(S3Code::BadRequest, message);
        let asking = asking.ok_or_else(|| bad(NO_ORIGIN.to_owned()))?;
        let (method, options) = (asking.method(), Method::OPTIONS.as_str());
        let forbidden = |message: &'static str, resource: &'static str| {
            S3Error::with_message(S3Code::AccessForbidden, message)
                .detail("Method", method)
                .detail("ResourceType", resource)
        };
        let bucket = target.bucket.as_deref();
        let bucket = bucket.ok_or_else(|| forbidden(NO_BUCKET, "BUCKET"))?;
        let rules = self.0.find(bucket).await?;
        let rules = rules.ok_or_else(|| forbidden(NOT_ENABLED, "BUCKET"))?;
        if !METHODS.contains(&method) {
            let requested = if method == options { "null" } else { method };
            return Err(bad(format!("{BAD_METHOD}: {requested}")));
        }
        let allowed = rules.allowance(asking).ok_or_else(|| {
            let on_object = target.key.is_some();
            forbidden(NOT_ALLOWED, if on_object { "OBJECT" } else { "BUCKET" })
        })?;
        let mut response = Response::new(empty_body());
        *response.headers_mut() = allowed;
        Ok(response)
    }
}

impl BucketConfiguration for BucketCors {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.0
    }
}

const NO_ORIGIN: &str = "Insufficient information. Origin request header needed.";
const BAD_METHOD: &str = "Invalid Access-Control-Request-Method";
const NO_BUCKET: &str = "CORSResponse: Bucket not found";
const NOT_ENABLED: &str = "CORSResponse: CORS is not enabled for this bucket.";
/// With S3's own spelling.
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because \
    the evalution of Origin, request method / Access-Control-Request-Method or \
    Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
