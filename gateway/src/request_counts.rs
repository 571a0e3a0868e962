//! Exact counts of requests, for tests: those of clients, and those sent to the backend.

use std::sync::Arc;

use http::Method;
use http::StatusCode;
use proto::ledger::Kind;
use proto::ledger::Ledger;
use proto::ledger::MarkError;
use serde::Serialize;

/// How many requests there were.
#[derive(Default)]
pub struct RequestCounts {
    ledger: Ledger<RequestKind>,
}

/// What requests are counted by.
#[derive(Clone, PartialEq, Eq, Hash)]
enum RequestKind {
    /// A request of a client: its operation and the status of its answer.
    Client(&'static str, StatusCode),
    /// A request to the backend.
    Backend(BackendKind),
}

/// What requests to the backend are counted by.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct BackendKind {
    pub(crate) method: Method,
    pub(crate) resource: Resource,
    /// None for the service itself, and for requests beyond the bound on kinds.
    pub(crate) bucket: Option<Arc<str>>,
    /// None if no answer came.
    pub(crate) status: Option<StatusCode>,
}

/// What a request to the backend is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Resource {
    Service,
    Bucket,
    Object,
}

impl Kind for RequestKind {
    fn coarse(&self) -> Self {
        match self {
            // Of few kinds by itself.
            Self::Client(..) => self.clone(),
            Self::Backend(kind) => Self::Backend(BackendKind {
                bucket: None,
                ..kind.clone()
            }),
        }
    }
}

/// What was counted, as JSON has it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Requests of clients.
    pub requests: Vec<ClientRow>,
    /// Requests to the backend.
    pub backend: Vec<BackendRow>,
}

/// Requests of clients of one kind.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ClientRow {
    /// S3's name of the operation; `-` for a request that was refused before it had one.
    pub operation: &'static str,
    /// Status of the answer.
    pub status: u16,
    /// How many.
    pub count: u64,
}

/// Requests to the backend of one kind.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BackendRow {
    /// The HTTP method.
    pub method: String,
    resource: Resource,
    /// The bucket, which may be the gateway's own.
    pub bucket: Option<String>,
    /// Status of the answer; none if no answer came.
    pub status: Option<u16>,
    /// How many.
    pub count: u64,
}

impl RequestCounts {
    /// Counts an answer to a client.
    pub(crate) fn answered(&self, operation: &'static str, status: StatusCode) {
        self.ledger.count(RequestKind::Client(operation, status));
    }

    /// Counts a request to the backend.
    pub(crate) fn sent(&self, kind: BackendKind) {
        self.ledger.count(RequestKind::Backend(kind));
    }

    /// A mark to count from.
    pub fn mark(&self) -> u64 {
        self.ledger.mark()
    }

    /// What was counted since a mark, or since the start.
    ///
    /// # Errors
    ///
    /// [`MarkError`] for a mark that cannot be counted from.
    pub fn since(&self, mark: Option<u64>) -> Result<Counted, MarkError> {
        let mut counted = Counted::default();
        for (kind, count) in self.ledger.since(mark)? {
            match kind {
                RequestKind::Client(operation, status) => counted.requests.push(ClientRow {
                    operation,
                    status: status.as_u16(),
                    count,
                }),
                RequestKind::Backend(kind) => counted.backend.push(BackendRow {
                    method: kind.method.to_string(),
                    resource: kind.resource,
                    bucket: kind.bucket.as_deref().map(str::to_owned),
                    status: kind.status.map(|status| status.as_u16()),
                    count,
                }),
            }
        }
        counted.requests.sort_unstable();
        let backend = &mut counted.backend;
        backend.sort_unstable_by(|a, b| {
            let order = |row: &BackendRow| (row.bucket.clone(), row.method.clone(), row.status);
            order(a).cmp(&order(b))
        });
        Ok(counted)
    }
}
