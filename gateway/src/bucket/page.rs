//! Pages of ListBuckets.
//!
//! They are the gateway's own: those of the backend would have gaps where it has state buckets and buckets
//! of other accounts, and its tokens would name them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::arn;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::request::Query;
use crate::request::Regions;

/// Which buckets a request selects.
pub(super) struct Page {
    prefix: Option<String>,
    region: Option<String>,
    /// The last bucket of the page before.
    after: Option<String>,
    max: usize,
}

impl Page {
    /// The page that the query of a request selects.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a number of buckets that is none, or a token that no page ended with.
    pub(super) fn from_query(query: &Query, regions: &Regions) -> Result<Self, S3Error> {
        let owned = |name| query.get(name).map(str::to_owned);
        let max = query.get(MAX).map(|text| {
            let max = text.parse().ok();
            let max = max.filter(|max| (1..=BUCKETS_MAX).contains(max));
            max.ok_or_else(|| S3Error::invalid_argument(BAD_MAX, MAX, text))
        });
        let token = query.get(TOKEN).filter(|token| !token.is_empty());
        let after = token.map(|token| {
            let name = URL_SAFE_NO_PAD.decode(token).ok();
            let name = name.and_then(|name| String::from_utf8(name).ok());
            name.ok_or_else(|| S3Error::invalid_argument(BAD_TOKEN, TOKEN, token))
        });
        if let Some(region) = query.get(REGION)
            && !regions.has(region)
        {
            let message = format!("Argument value {region} is not a valid AWS Region");
            let error = S3Error::with_message(S3Code::InvalidArgument, message);
            return Err(error.detail("ArgumentName", REGION));
        }
        Ok(Self {
            prefix: owned("prefix"),
            region: owned(REGION),
            after: after.transpose()?,
            max: max.transpose()?.unwrap_or(BUCKETS_MAX),
        })
    }

    /// Whether a bucket is on this page or a later one, if it is in a Region that is selected.
    pub(super) fn selects(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| name > after)
            && name.starts_with(self.prefix.as_deref().unwrap_or_default())
    }

    /// Whether buckets in `region` are selected.
    pub(super) fn selects_region(&self, region: &str) -> bool {
        self.region.as_deref().is_none_or(|it| it == region)
    }

    /// The answer: the first of the selected buckets, in `root` in the place of all.
    ///
    /// Owners come first, which the SDK for Java depends on.
    pub(super) fn answer(
        &self,
        partition: &str,
        mut root: Element,
        mut buckets: Vec<Element>,
    ) -> Element {
        let name = |bucket: &Element| bucket.text_of("Name").unwrap_or_default().to_owned();
        buckets.sort_by_cached_key(name);
        let is_truncated = buckets.len() > self.max;
        buckets.truncate(self.max);
        let last = buckets.last().map(name).filter(|_| is_truncated);
        for bucket in &mut buckets {
            let arn = arn::bucket(partition, &name(bucket));
            bucket.set_text_of("BucketArn", arn);
        }
        root.children_mut()
            .sort_by_key(|child| !child.is_named("Owner"));
        if let Some(all) = root.child_mut("Buckets") {
            *all.children_mut() = buckets;
        }
        root.remove(&["Prefix"]);
        let token = last.map(|last| URL_SAFE_NO_PAD.encode(last));
        let token = token.map(|token| Element::with_text("ContinuationToken", token));
        let prefix = self.prefix.as_deref();
        let prefix = prefix.map(|prefix| Element::with_text("Prefix", prefix));
        root.with_all(token).with_all(prefix)
    }
}

/// Most buckets of a page.
const BUCKETS_MAX: usize = 10_000;

const REGION: &str = "bucket-region";
const MAX: &str = "max-buckets";
const TOKEN: &str = "continuation-token";
const BAD_MAX: &str = "Argument max-buckets must be an integer between 1 and 10000";
const BAD_TOKEN: &str = "The continuation token provided is incorrect";
