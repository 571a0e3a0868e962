//! All buckets with what their owners configured, for an operator: no operation of S3 shows the buckets of others.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;

use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::record::BucketRecord;
use crate::bucket::requests;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::state::State;

/// A bucket.
#[derive(Clone, Debug, Serialize)]
pub struct BucketOverview {
    /// Its name.
    pub name: String,
    /// When it was created, as the backend says it.
    pub created: String,
    /// The account that it belongs to; none if it has no record, or that cannot be read.
    pub owner: Option<String>,
    /// What its owner configured, as it is stored; null without a record.
    pub configurations: Value,
    /// Why its record cannot be read, if it cannot.
    pub error: Option<String>,
}

/// Buckets at the backend, without those of gateways, in the order of their names: at most `limit` from `skip` on, and
/// how many there are.
///
/// # Errors
///
/// As [`requests::list`].
pub(crate) async fn page(
    state: &State,
    records: &BucketRecords,
    skip: usize,
    limit: usize,
) -> Result<(usize, Vec<BucketOverview>), S3Error> {
    let mut root = requests::list(state.backend()).await?;
    let all = root.child_mut("Buckets").map(Element::children_mut);
    let buckets = all.map(std::mem::take).unwrap_or_default();
    let named = buckets.iter().filter_map(|bucket| {
        let created = bucket.text_of("CreationDate").unwrap_or_default();
        Some((bucket.text_of("Name")?.to_owned(), created.to_owned()))
    });
    let mut named: Vec<_> = named.filter(|(name, _)| !state.reserves(name)).collect();
    named.sort_unstable();
    let count = named.len();
    let page = named.into_iter().skip(skip).take(limit);
    let overviews = stream::iter(page)
        .map(|(name, created)| async move {
            let record = records.find(&name).await;
            overview(name, created, record)
        })
        .buffered(RECORDS_AT_A_TIME);
    Ok((count, overviews.collect().await))
}

fn overview(
    name: String,
    created: String,
    record: Result<Option<Arc<BucketRecord>>, S3Error>,
) -> BucketOverview {
    let error = record.as_ref().err().map(ToString::to_string);
    let record = record.ok().flatten();
    BucketOverview {
        name,
        created,
        owner: record.as_ref().map(|record| record.owner.clone()),
        configurations: serde_json::to_value(record.map(|record| record.configurations.clone()))
            .unwrap_or_default(),
        error,
    }
}

/// Records that are read at the same time.
const RECORDS_AT_A_TIME: usize = 16;
