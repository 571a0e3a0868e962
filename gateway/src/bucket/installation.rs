//! The identity of an installation: that this state bucket is the right one.
//!
//! Without it a state bucket that was lost or misspelled would look like one without policies. So one
//! sealed document, `identity`, is written at the first start, before a backend without buckets, or
//! before any where [`crate::state::FirstStart`] allows that. From then on a missing state bucket is an
//! error. Before a backend that has buckets, a state bucket without identity is refused.
//!
//! A state bucket of an earlier version has root keys and no identity: what it stores is taken over
//! ([`crate::bucket::takeover`]), and then it gets one.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::bucket::record_store::RecordStore;
use crate::bucket::requests;
use crate::bucket::takeover;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::FirstStart;
use crate::state::Reading;
use crate::state::State;
use crate::state::presence::Presence;
use crate::state::presence::PresenceError;

/// An installation, and whether its identity was seen.
pub struct Installation {
    backend: Arc<Backend>,
    state: State,
    records: Records,
    store: Arc<RecordStore>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    first_start: FirstStart,
    first_account: String,
    confirmed: AtomicBool,
    /// Of the gateway that serves, where another one could.
    presence: OnceLock<Arc<Presence>>,
    /// Held while the identity is looked for. When that was last done without finding it, and with which
    /// outcome.
    last: Mutex<Option<(Duration, Result<(), Refusal>)>>,
}

/// What looking for the identity showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// It is there, or was made.
    Confirmed,
    /// Nothing of it can be opened or sealed without the KMS, and neither can anything be that depends on
    /// it. It is there, or nothing is stored yet.
    Unopened,
}

/// The identity, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    version: u32,
    /// 16 random bytes in hexadecimal digits.
    id: String,
    /// When it was made.
    made: String,
}

/// Why a gateway must not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The backend has buckets, and the state bucket is none of an installation.
    #[error(
        "the backend has buckets, but its bucket {0:?} has no identity: if it is not the right state \
         bucket, name the right one in state.bucket; if this is the first start, run it once with \
         state.first_start = \"any\" (`sealgate gateway init`)"
    )]
    NoIdentity(String),
    /// Another gateway may serve it.
    #[error(transparent)]
    Presence(#[from] PresenceError),
    /// The state cannot be read or written now.
    #[error("the state bucket cannot be used: {0}")]
    Unavailable(S3Error),
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoIdentity(_) | Refusal::Presence(_) => Self::new(S3Code::ServiceUnavailable),
            Refusal::Unavailable(error) => error,
        }
    }
}

impl From<S3Error> for Refusal {
    fn from(error: S3Error) -> Self {
        Self::Unavailable(error)
    }
}

impl Installation {
    /// The installation whose state is in `records`. What an earlier version stored no owner of belongs
    /// to `first_account`.
    #[must_use]
    pub fn new(
        state: State,
        records: Records,
        store: Arc<RecordStore>,
        (random, clock): (Arc<dyn Random>, Arc<dyn Clock>),
        first_start: FirstStart,
        first_account: &str,
    ) -> Self {
        Self {
            backend: Arc::clone(state.shared_backend()),
            state,
            records,
            store,
            random,
            clock,
            first_start,
            first_account: first_account.to_owned(),
            confirmed: AtomicBool::new(false),
            presence: OnceLock::new(),
            last: Mutex::default(),
        }
    }

    /// From now on requests are served only while this presence allows that.
    pub fn depend_on(&self, presence: &Arc<Presence>) {
        // There is one, or none.
        drop(self.presence.set(Arc::clone(presence)));
    }

    /// Makes sure that this gateway may serve what the state bucket describes: that it is the right one, and that
    /// no other gateway is in the way.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: nothing that depends on the state may be done.
    pub async fn serve(&self) -> Result<(), Refusal> {
        self.confirm().await?;
        match self.presence.get() {
            Some(presence) => Ok(presence.settled().await?),
            None => Ok(()),
        }
    }

    /// Makes sure that the state bucket is the right one, by its identity.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: nothing that depends on the state may be done.
    pub async fn confirm(&self) -> Result<(), Refusal> {
        if self.confirmed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut last = self.last.lock().await;
        if self.confirmed.load(Ordering::Acquire) {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if let Some((when, outcome)) = &*last
            && now.saturating_sub(*when) < LOOK_AGAIN
        {
            return outcome.clone();
        }
        let outcome = match Box::pin(self.find_or_make()).await {
            Ok(Finding::Confirmed) => {
                self.state.require();
                self.confirmed.store(true, Ordering::Release);
                return Ok(());
            }
            Ok(Finding::Unopened) => Ok(()),
            Err(refusal) => {
                tracing::error!(%refusal, "the gateway cannot serve");
                Err(refusal)
            }
        };
        *last = Some((now, outcome.clone()));
        outcome
    }

    /// Whether the identity is there now, for `/readyz`.
    ///
    /// # Errors
    ///
    /// As [`Installation::confirm`].
    pub async fn check(&self) -> Result<(), Refusal> {
        self.confirm().await?;
        match self.state.read(IDENTITY, None).await? {
            Reading::Found(_) | Reading::Unchanged => Ok(()),
            Reading::Absent if !self.confirmed.load(Ordering::Acquire) => Ok(()),
            Reading::Absent => Err(S3Error::new(S3Code::ServiceUnavailable).into()),
        }
    }

    async fn find_or_make(&self) -> Result<Finding, Refusal> {
        let found = self.records.read_document::<Identity>(IDENTITY, None).await;
        match found {
            Ok(RecordReading::Value(identity, _)) => {
                tracing::info!(id = identity.id, made = identity.made, "the state bucket");
                return Ok(Finding::Confirmed);
            }
            Ok(RecordReading::Absent | RecordReading::Unchanged) => {}
            Err(error) if error.code() == S3Code::ServiceUnavailable => {
                return match self.state.read(IDENTITY, None).await? {
                    Reading::Found(_) | Reading::Unchanged => Ok(Finding::Unopened),
                    Reading::Absent => Err(error.into()),
                };
            }
            Err(error) => return Err(error.into()),
        }
        let mut buckets = requests::names(&self.backend).await?;
        buckets.retain(|bucket| !self.state.reserves(bucket));
        let is_of_before = !self.state.list(ROOT_KEYS).await?.is_empty();
        if !is_of_before && !buckets.is_empty() && self.first_start == FirstStart::Empty {
            let bucket = self.state.bucket().to_owned();
            return Err(Refusal::NoIdentity(bucket));
        }
        match Box::pin(self.begin(buckets)).await {
            Ok(()) => Ok(Finding::Confirmed),
            Err(error) if is_of_before => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the identity of the state bucket cannot be made yet");
                Ok(Finding::Unopened)
            }
        }
    }

    /// Takes over what there is, and writes an identity.
    async fn begin(&self, buckets: Vec<String>) -> Result<(), S3Error> {
        if !buckets.is_empty() {
            self.state.make_bucket().await?;
            let taken = takeover::take_over(
                buckets,
                &self.records,
                &self.store,
                &self.first_account,
                &*self.random,
            );
            let taken = Box::pin(taken).await?;
            tracing::info!(buckets = taken, "took over the buckets that are there");
        }
        self.make().await
    }

    /// Writes an identity. Of two gateways that do so at the same moment either may be the last.
    async fn make(&self) -> Result<(), S3Error> {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let identity = Identity {
            version: 1,
            id: hex::encode(id),
            made: self.clock.now().iso8601(),
        };
        self.records.write_document(IDENTITY, &identity).await?;
        tracing::info!(id = identity.id, "made the identity of the state bucket");
        Ok(())
    }
}

/// The name of the identity.
const IDENTITY: &str = "identity";
/// The start of the names of root keys, which every version wrote.
const ROOT_KEYS: &str = "root-keys/";
/// How soon the identity is looked for again after it was not found.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
