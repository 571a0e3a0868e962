//! What a console shows of a gateway.

use std::sync::Arc;

use crate::admin::Readiness;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::overview;
use crate::request_counts::RequestCounts;
use crate::state::State;

pub use crate::bucket::overview::BucketOverview;

/// A gateway as a console sees it. It lasts as long as what holds it, and reports failures once the gateway stopped.
#[derive(Clone)]
pub struct View {
    readiness: Arc<Readiness>,
    counts: Option<Arc<RequestCounts>>,
    state: State,
    records: Arc<BucketRecords>,
}

impl View {
    pub(crate) fn new(
        readiness: &Arc<Readiness>,
        counts: Option<Arc<RequestCounts>>,
        state: &State,
        records: Arc<BucketRecords>,
    ) -> Self {
        Self {
            readiness: Arc::clone(readiness),
            counts,
            state: state.clone(),
            records,
        }
    }

    /// Whether it should be sent requests.
    ///
    /// # Errors
    ///
    /// Why not, in a sentence.
    pub async fn readiness(&self) -> Result<(), String> {
        self.readiness.check().await
    }

    /// Counts of requests; none if the gateway counts none, as one that runs alone.
    #[must_use]
    pub const fn counts(&self) -> Option<&Arc<RequestCounts>> {
        self.counts.as_ref()
    }

    /// Buckets of all owners in the order of their names: at most `limit` from `skip` on, and how many there are.
    ///
    /// # Errors
    ///
    /// Why the backend does not list them, in a sentence.
    pub async fn buckets(
        &self,
        skip: usize,
        limit: usize,
    ) -> Result<(usize, Vec<BucketOverview>), String> {
        let page = overview::page(&self.state, &self.records, skip, limit).await;
        page.map_err(|error| error.to_string())
    }
}
