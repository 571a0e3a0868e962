//! ListAccessPoints.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ListAccessPoints.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use crate::access_point::AccessPoints;
use crate::access_point::document_name;
use crate::access_point::record::AccessPoint;
use crate::error::S3Error;
use crate::request::Query;

/// A page of the access points of an account.
pub struct Page {
    /// In the order of their names.
    pub access_points: Vec<Arc<AccessPoint>>,
    /// Where the next page begins, if there is one.
    pub next_token: Option<String>,
}

/// Which page a query names.
pub struct PageQuery {
    /// How many entries it has at most.
    pub most: usize,
    after: Option<String>,
}

impl PageQuery {
    /// Reads `maxResults` and `nextToken`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a page that cannot be.
    pub fn read(query: &Query) -> Result<Self, S3Error> {
        Ok(Self {
            most: most(query.get("maxResults"))?,
            after: query.get("nextToken").map(read_token).transpose()?,
        })
    }

    /// Whether an entry of this name is on this page or a later one.
    #[must_use]
    pub fn is_after(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| name > after)
    }

    /// The token of the page that begins behind an entry.
    #[must_use]
    pub fn token(last: &str) -> String {
        URL_SAFE_NO_PAD.encode(last)
    }
}

/// The page that a query names.
///
/// # Errors
///
/// `InvalidArgument` for a page that cannot be; `ServiceUnavailable` when the state cannot be read.
pub async fn page(
    access_points: &AccessPoints,
    account: &str,
    query: &Query,
) -> Result<Page, S3Error> {
    let page = PageQuery::read(query)?;
    let most = page.most;
    let bucket = query.get("bucket");
    let prefix = document_name(account, "");
    let mut names = access_points.documents.names(&prefix).await?;
    names.retain(|name| {
        let name = name.strip_prefix(&prefix);
        name.is_some_and(|name| page.is_after(name))
    });
    let is_listed = |it: &Arc<AccessPoint>| bucket.is_none_or(|bucket| it.bucket == bucket);
    let found = stream::iter(names)
        .map(|document| async move { access_points.find_document(&document).await })
        .buffered(READ_AT_A_TIME)
        .try_filter_map(|found| std::future::ready(Ok(found.filter(is_listed))))
        .take(most + 1);
    let mut found: Vec<_> = found.try_collect().await?;
    let more = found.len() > most;
    found.truncate(most);
    let last = found.last().filter(|_| more);
    Ok(Page {
        next_token: last.map(|last| PageQuery::token(&last.name)),
        access_points: found,
    })
}

fn most(text: Option<&str>) -> Result<usize, S3Error> {
    let Some(text) = text else {
        return Ok(PAGE_MAX);
    };
    match text.parse::<usize>() {
        Ok(0) | Err(_) => Err(S3Error::invalid_argument(
            "maxResults must be a number from 1 to 1000.",
            "maxResults",
            text,
        )),
        Ok(most) => Ok(most.min(PAGE_MAX)),
    }
}

fn read_token(text: &str) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| {
        let message = "The continuation token provided is incorrect";
        S3Error::invalid_argument(message, "nextToken", text)
    })
}

/// Most access points of a page.
const PAGE_MAX: usize = 1_000;

/// Documents that are read at a time.
const READ_AT_A_TIME: usize = 32;
