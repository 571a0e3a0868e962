//! S3 Object Lambda: access points on which a function transforms what is read.
//!
//! An Object Lambda access point ([`record::LambdaAccessPoint`]) stands before an access point. Reads that its
//! configuration names go to a function ([`function`]): the request waits ([`waiting`]) while the function reads the
//! object by a presigned URL, as the caller, and answers ([`answer`]). All else goes on to the access point.
//!
//! Functions are those of the gateway's configuration ([`config`]). An ARN in a document of a client leads nowhere
//! by itself.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/transforming-objects.html>

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::Uri;
use proto::sigv4;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::time::Clock;

use crate::access_point::record::AccessPoint;
use crate::access_point::record::AliasOwner;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::config::Config;
use crate::object_lambda::function::Functions;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::object_lambda::waiting::WaitingRequest;
use crate::object_lambda::waiting::WaitingRequests;
use crate::records::documents::DocumentStore;
use crate::records::documents::Documents;
use crate::request::Addressing;
use crate::request::S3Request;
use crate::request::Target;

pub mod answer;
pub mod config;
pub mod configuration;
pub mod control;
pub mod event;
pub mod function;
mod listing;
pub mod record;
pub mod waiting;

/// All Object Lambda access points, and the functions.
pub struct ObjectLambda {
    documents: Documents<LambdaAccessPoint>,
    aliases: Documents<AliasOwner>,
    functions: Functions,
    waiting: Arc<WaitingRequests>,
    public_url: Option<Uri>,
    timeout: Duration,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
}

impl ObjectLambda {
    /// Those that are stored in `store`, with the functions of `config`; `waiting` is shared with the
    /// authenticator, which lets functions read by it.
    ///
    /// # Errors
    ///
    /// Why a function cannot be called.
    pub fn new(
        store: DocumentStore,
        waiting: Arc<WaitingRequests>,
        config: &Config,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        Ok(Self {
            documents: Documents::new(store.clone()),
            aliases: Documents::new(store),
            functions: Functions::new(config, &clock)?,
            waiting,
            public_url: config.public_url.as_deref().and_then(config::parse_url),
            timeout: config.timeout(),
            random,
            clock,
        })
    }

    /// The functions.
    #[must_use]
    pub const fn functions(&self) -> &Functions {
        &self.functions
    }

    /// The requests that wait for a function.
    #[must_use]
    pub const fn waiting(&self) -> &Arc<WaitingRequests> {
        &self.waiting
    }

    /// How long a function may take, from its call to the end of its answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The Object Lambda access point of this name in an account, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read: it is unknown then whether there is one.
    pub async fn find(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<Arc<LambdaAccessPoint>>, S3Error> {
        self.documents.find(&document_name(account, name)).await
    }

    /// The Object Lambda access point that a request goes through: by its host, if it was signed for Object Lambda,
    /// or by the alias that stands for a bucket.
    ///
    /// # Errors
    ///
    /// `NoSuchAccessPoint` for one that is not there; `ServiceUnavailable` when the state cannot be read.
    pub async fn resolve(
        &self,
        target: &Target,
        is_signed_for: bool,
    ) -> Result<Option<Arc<LambdaAccessPoint>>, S3Error> {
        let Some(bucket) = target.bucket.as_deref() else {
            return Ok(None);
        };
        if is_alias(bucket) {
            // In a box, as below: few requests go through one.
            return self.find_by_alias(bucket).boxed().await;
        }
        if !is_signed_for {
            return Ok(None);
        }
        let in_host = target.addressing != Addressing::Path;
        let named = crate::access_point::name::in_host_label(bucket).filter(|_| in_host);
        let found = match named {
            Some((name, account)) => self.find(account.as_str(), name).boxed().await?,
            None => None,
        };
        found.map(Some).ok_or_else(|| missing(bucket))
    }

    async fn find_by_alias(&self, alias: &str) -> Result<Option<Arc<LambdaAccessPoint>>, S3Error> {
        let Some(owner) = self.aliases.find(&alias_name(alias)).await? else {
            return Ok(None);
        };
        let found = self.find(&owner.account, &owner.name).await?;
        Ok(found.filter(|found| found.alias == alias))
    }

    /// The presigned URL by which the function of a request reads from the access point: what the caller requested,
    /// but for ranges, which functions apply to what they have transformed.
    ///
    /// # Errors
    ///
    /// `InternalError` where no address is configured.
    pub fn input_url(
        &self,
        request: &S3Request,
        access_point: &AccessPoint,
        waiting: &WaitingRequest,
    ) -> Result<String, S3Error> {
        let base = self.public_url.as_ref().ok_or_else(S3Error::internal)?;
        let host = base.authority().map(ToString::to_string);
        let host = host.unwrap_or_default();
        let key = request.target.key.as_deref();
        let path = match key {
            Some(key) => sigv4::encode_path(format!("/{}/{key}", access_point.alias).as_bytes()),
            None => format!("/{}", access_point.alias),
        };
        let query = &request.target.query;
        let query = query.iter().filter(|(name, _)| *name != "partNumber");
        let mut query: Vec<(&str, &str)> = query.collect();
        for header in ["x-amz-request-payer", "x-amz-expected-bucket-owner"] {
            if let Some(value) = request.header(header) {
                query.push((header, value));
            }
        }
        let method = match request.method == http::Method::HEAD {
            true => "HEAD",
            false => "GET",
        };
        let outbound = OutboundRequest {
            method,
            host: &host,
            path: &path,
            query: &query,
            headers: &[],
            payload_hash: "UNSIGNED-PAYLOAD",
        };
        let credentials = Credentials::new(&waiting.access_key_id, waiting.input.secret.expose());
        let query = sigv4::presign_request(
            &outbound,
            &credentials,
            &access_point.region,
            "s3",
            self.clock.now(),
            self.timeout,
        );
        let scheme = base.scheme_str().unwrap_or("http");
        Ok(format!("{scheme}://{host}{path}?{query}"))
    }
}

/// Whether a name is in the form of an alias of an Object Lambda access point.
#[must_use]
pub fn is_alias(name: &str) -> bool {
    name.ends_with(ALIAS_END)
}

/// The error for an Object Lambda access point that is not there. AWS's own is not recorded.
fn missing(name: &str) -> S3Error {
    S3Error::new(S3Code::NoSuchAccessPoint).detail("AccessPointName", name)
}

fn document_name(account: &str, name: &str) -> String {
    format!("object-lambda/{account}/{name}")
}

fn alias_name(alias: &str) -> String {
    format!("object-lambda-aliases/{alias}")
}

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-use.html>
const ALIAS_END: &str = "--ol-s3";
