//! Block Public Access: `PutPublicAccessBlock`, `GetPublicAccessBlock`, `DeletePublicAccessBlock`, and
//! what they block.
//!
//! Buckets that are created here block all public access, as at AWS, unless the configuration says
//! otherwise. Of a bucket about which nothing is stored here the backend's own block counts; one that
//! cannot be read blocks everything.
//!
//! `IgnorePublicAcls` is always as good as on: access control lists permit nothing at this gateway.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::Method;
use http::Response;
use http::StatusCode;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::Document;
use crate::bucket::configuration::Freshness;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::configuration::no_content;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::records::record::Records;
use crate::request::Body;

/// How public access is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether new buckets have all four settings on, as at AWS since April 2023.
    pub new_buckets: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { new_buckets: true }
    }
}

/// The four settings of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicAccessBlock {
    /// Whether requests that set a public access control list are refused.
    pub block_public_acls: bool,
    /// Whether public access control lists permit nothing.
    pub ignore_public_acls: bool,
    /// Whether a public policy is refused.
    pub block_public_policy: bool,
    /// Whether a public policy permits nothing to other accounts and to nobody in particular.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let malformed = || S3Error::new(S3Code::MalformedXml);
        let root = Element::parse(document, Limits::REQUEST).map_err(|_| malformed())?;
        if root.name() != ROOT {
            return Err(malformed());
        }
        let mut block = Self::default();
        let mut seen = Vec::new();
        for child in root.children() {
            let setting = match child.name() {
                "BlockPublicAcls" => &mut block.block_public_acls,
                "IgnorePublicAcls" => &mut block.ignore_public_acls,
                "BlockPublicPolicy" => &mut block.block_public_policy,
                "RestrictPublicBuckets" => &mut block.restrict_public_buckets,
                _ => return Err(malformed()),
            };
            if seen.contains(&child.name()) {
                return Err(malformed());
            }
            seen.push(child.name());
            *setting = match child.text().trim() {
                text if text.eq_ignore_ascii_case("true") => true,
                text if text.eq_ignore_ascii_case("false") => false,
                _ => return Err(malformed()),
            };
        }
        Ok(block)
    }

    fn to_xml(self) -> Element {
        let setting = |name: &str, value: bool| Element::with_text(name, value.to_string());
        Element::root(ROOT)
            .with(setting("BlockPublicAcls", self.block_public_acls))
            .with(setting("IgnorePublicAcls", self.ignore_public_acls))
            .with(setting("BlockPublicPolicy", self.block_public_policy))
            .with(setting(
                "RestrictPublicBuckets",
                self.restrict_public_buckets,
            ))
    }
}

/// What is stored about a bucket. One whose block was deleted is stored, too: the backend's does
/// not come back into force.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBlock {
    block: Option<PublicAccessBlock>,
}

impl Document for StoredBlock {
    const SUBJECT: &'static str = "public-access-block";
    const MISSING: S3Code = S3Code::NoSuchPublicAccessBlock;

    fn parse(document: &[u8], _bucket: &str, _partition: &str) -> Result<Self, S3Error> {
        let block = Some(PublicAccessBlock::parse(document)?);
        Ok(Self { block })
    }

    fn to_response(&self) -> Response<Body> {
        crate::bucket::xml(&self.block.unwrap_or_default().to_xml())
    }
}

/// The blocks of all buckets.
pub struct PublicAccessBlocks {
    stored: StoredConfigurations<StoredBlock>,
    config: Config,
}

impl PublicAccessBlocks {
    /// The blocks in `records`, of buckets on `backend` as a gateway in `region` sees them.
    #[must_use]
    pub fn new(
        region: &str,
        backend: Arc<Backend>,
        records: Records,
        clock: Arc<dyn Clock>,
        freshness: Freshness,
        config: Config,
    ) -> Self {
        Self {
            stored: StoredConfigurations::new(region, backend, records, clock, freshness),
            config,
        }
    }

    /// What is in force for a bucket.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when neither the state nor the backend can be read, `InternalError` when
    /// the record is not as it was written. The request must be refused then.
    pub async fn in_force(&self, bucket: &str) -> Result<PublicAccessBlock, S3Error> {
        Ok(self.find(bucket).await?.unwrap_or_default())
    }

    /// What a bucket has that is about to be created.
    #[must_use]
    pub fn of_new_bucket(&self) -> PublicAccessBlock {
        match self.config.new_buckets {
            true => PublicAccessBlock::ALL,
            false => PublicAccessBlock::default(),
        }
    }

    async fn find(&self, bucket: &str) -> Result<Option<PublicAccessBlock>, S3Error> {
        match self.stored.find(bucket).await? {
            Some(stored) => Ok(stored.block),
            None => self.of_backend(bucket).await,
        }
    }

    /// The backend's own block of a bucket.
    async fn of_backend(&self, bucket: &str) -> Result<Option<PublicAccessBlock>, S3Error> {
        let request = BackendRequest::bucket(Method::GET, bucket).query("publicAccessBlock", "");
        match self.stored.backend().fetch(request).await {
            Ok(answer) => Ok(Some(
                PublicAccessBlock::parse(answer.body()).unwrap_or(PublicAccessBlock::ALL),
            )),
            Err(BackendError::Refused(error)) if NOT_CONFIGURED.contains(&error.status()) => {
                Ok(None)
            }
            Err(BackendError::Refused(error)) if error.status().is_client_error() => {
                Ok(Some(PublicAccessBlock::ALL))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl BucketConfiguration for PublicAccessBlocks {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.stored
    }

    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            crate::bucket::check_exists(self.stored.backend(), bucket).await?;
            let missing = || S3Error::new(StoredBlock::MISSING).detail("BucketName", bucket);
            let block = self.find(bucket).await?.ok_or_else(missing)?;
            Ok(crate::bucket::xml(&block.to_xml()))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            self.stored
                .store(bucket, StoredBlock { block: None })
                .await?;
            Ok(no_content())
        }
        .boxed()
    }

    fn begin<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), S3Error>> {
        match self.config.new_buckets {
            true => {
                let block = Some(PublicAccessBlock::ALL);
                self.stored.write(bucket, StoredBlock { block }).boxed()
            }
            false => self.end(bucket),
        }
    }
}

/// Whether headers set a public access control list.
pub(crate) fn is_public_in_headers(headers: &HeaderMap) -> bool {
    let is_public = |value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        PUBLIC_CANNED.contains(&text.trim()) || text.contains(PUBLIC_GROUPS)
    };
    headers.iter().any(|(name, value)| {
        let name = name.as_str();
        (name == "x-amz-acl" || name.starts_with("x-amz-grant-")) && is_public(value)
    })
}

/// Whether a document grants something to one of the public groups, wherever it says so.
pub(crate) fn is_public_in_document(element: &Element) -> bool {
    element.text().to_ascii_lowercase().contains(PUBLIC_GROUPS)
        || element.children().iter().any(is_public_in_document)
}

/// Canned access control lists that are public.
const PUBLIC_CANNED: [&str; 3] = ["public-read", "public-read-write", "authenticated-read"];

/// What the URIs of the groups "all users" and "authenticated users" have in common.
const PUBLIC_GROUPS: &str = "acs.amazonaws.com/groups/global/";

/// Answers of a backend that has no block for a bucket, or has none at all.
const NOT_CONFIGURED: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::NOT_IMPLEMENTED];

const ROOT: &str = "PublicAccessBlockConfiguration";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_setting_that_is_not_given_is_off() {
        let document = b"<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls>\
            <IgnorePublicAcls>false</IgnorePublicAcls></PublicAccessBlockConfiguration>";
        let block = PublicAccessBlock::parse(document).unwrap();
        let expected = PublicAccessBlock {
            block_public_acls: true,
            ..PublicAccessBlock::default()
        };
        assert_eq!(block, expected);
    }

    #[test]
    fn a_block_is_shown_as_it_was_put() {
        let document = PublicAccessBlock::ALL.to_xml().to_document();
        assert_eq!(
            PublicAccessBlock::parse(&document),
            Ok(PublicAccessBlock::ALL)
        );
    }

    #[test]
    fn a_document_that_says_something_else_is_malformed() {
        for document in [
            "",
            "<ListBucketResult/>",
            "<PublicAccessBlockConfiguration><BlockPublicAcls/></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><Other>true</Other></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
             <BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>",
        ] {
            let error = PublicAccessBlock::parse(document.as_bytes()).unwrap_err();
            assert_eq!(error.code(), S3Code::MalformedXml, "{document}");
        }
    }

    #[test]
    fn a_list_is_public_if_it_grants_to_all_or_to_all_who_sign() {
        let all = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
        let signed = "id=\"1\", uri=\"http://acs.amazonaws.com/groups/global/AuthenticatedUsers\"";
        for (name, value, public) in [
            ("x-amz-acl", "private", false),
            ("x-amz-acl", "bucket-owner-full-control", false),
            ("x-amz-acl", "public-read", true),
            ("x-amz-acl", "Public-Read-Write", true),
            ("x-amz-acl", "authenticated-read", true),
            ("x-amz-grant-read", "id=\"1\"", false),
            ("x-amz-grant-read", all, true),
            ("x-amz-grant-full-control", signed, true),
            ("x-amz-meta-a", "public-read", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(is_public_in_headers(&headers), public, "{name}: {value}");
        }
    }
}
