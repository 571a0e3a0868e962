//! Which gateways serve a state bucket: one document each, written anew every few seconds.
//!
//! A gateway that is to be the only one does not start beside another, nor does any beside such a one:
//! what each has cached would be wrong for the other. Nobody's clock is relied upon. Another gateway runs
//! if its document changes while it is watched; one whose document stays as it is for longer is dead, and
//! its document is removed. One that ran on this machine and has ended needs no watching.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde::Serialize;

use crate::chunks::random::Random;
use crate::error::S3Error;
use crate::state::Gateways;
use crate::state::Reading;
use crate::state::State;
use crate::state::process::Process;

/// That this gateway runs.
pub struct Presence {
    state: State,
    gateways: Gateways,
    name: String,
    /// How long a gateway waits between two beats.
    beat: Duration,
    /// Whether others took this gateway for dead, or it found another one.
    superseded: AtomicBool,
}

/// What the document of a gateway says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Beat {
    gateways: Gateways,
    /// How often it was written.
    count: u64,
    /// Which process writes it, where that is known.
    #[serde(default)]
    process: Option<Process>,
}

/// Why a gateway must not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// Another gateway runs, and one of the two is to be the only one.
    #[error(
        "another gateway serves the state bucket {0:?}: stop it, or set state.gateways = \"many\" for both"
    )]
    Another(String),
    /// That cannot be found out now.
    #[error(transparent)]
    Unavailable(#[from] S3Error),
}

impl Presence {
    /// The presence of a gateway that is about to start, one of so many.
    #[must_use]
    pub fn new(state: State, gateways: Gateways, random: &dyn Random) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        Self {
            state,
            gateways,
            name: format!("{NAMES}{}", hex::encode(id)),
            beat: BEAT,
            superseded: AtomicBool::new(false),
        }
    }

    /// The same with other pauses: for tests.
    #[must_use]
    pub fn beating_every(mut self, beat: Duration) -> Self {
        self.beat = beat;
        self
    }

    /// Announces this gateway, unless another one is in the way.
    ///
    /// # Errors
    ///
    /// [`PresenceError`].
    pub async fn announce(&self) -> Result<(), PresenceError> {
        self.write(0).await?;
        let mut others = self.others().await?;
        let this = Process::this();
        let ended = |beat: &Beat| match (&beat.process, &this) {
            (Some(process), Some(this)) => process.has_ended(this),
            _ => false,
        };
        for (name, _) in others.extract_if(.., |_, beat| ended(beat)) {
            self.remove_left(&name).await?;
        }
        if others.is_empty() {
            return Ok(());
        }
        // Two that start at the same moment see each other change.
        for count in 1..=BEATS_WATCHED {
            tokio::time::sleep(self.beat).await;
            self.write(count).await?;
        }
        let now = self.others().await?;
        for (name, then) in others {
            match now.get(&name) {
                None => {}
                Some(now) if *now == then => {
                    self.remove_left(&name).await?;
                }
                Some(_) => {
                    self.withdraw().await;
                    return Err(PresenceError::Another(self.state.bucket().to_owned()));
                }
            }
        }
        Ok(())
    }

    async fn remove_left(&self, name: &str) -> Result<(), S3Error> {
        tracing::warn!(name, "removed what a gateway left that is not running");
        self.state.remove(name).await
    }

    /// Beats for ever.
    pub async fn run(&self) {
        let mut count = BEATS_WATCHED;
        loop {
            tokio::time::sleep(self.beat).await;
            count += 1;
            if let Err(error) = self.keep_up(count).await {
                tracing::warn!(%error, "the presence of this gateway cannot be written");
            }
        }
    }

    async fn keep_up(&self, count: u64) -> Result<(), S3Error> {
        if matches!(self.state.read(&self.name, None).await?, Reading::Absent) {
            if self.gateways == Gateways::One {
                tracing::error!("another gateway took this one for dead");
                self.superseded.store(true, Ordering::Release);
                return Ok(());
            }
            tracing::warn!("another gateway took this one for dead");
        }
        self.write(count).await.map(drop)
    }

    /// Whether another gateway may have taken the place of this one.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// Takes the announcement back, so that the next gateway need not wait.
    pub async fn withdraw(&self) {
        if let Err(error) = self.state.remove(&self.name).await {
            tracing::debug!(%error, "the presence of this gateway cannot be removed");
        }
    }

    async fn write(&self, count: u64) -> Result<(), S3Error> {
        let beat = Beat {
            gateways: self.gateways,
            count,
            process: Process::this(),
        };
        let bytes = serde_json::to_vec(&beat).map_err(|_| S3Error::internal())?;
        let (headers, bytes) = (HeaderMap::new(), Bytes::from(bytes));
        self.state.write(&self.name, &headers, bytes).await?;
        Ok(())
    }

    /// The other gateways that would be in the way if they ran, by the names of their documents.
    async fn others(&self) -> Result<BTreeMap<String, Beat>, S3Error> {
        let mut others = BTreeMap::new();
        for name in self.state.names(NAMES).await? {
            if name == self.name {
                continue;
            }
            let Reading::Found(document) = self.state.read(&name, None).await? else {
                continue;
            };
            let beat: Beat =
                serde_json::from_slice(&document.bytes).map_err(|_| S3Error::internal())?;
            if self.gateways == Gateways::One || beat.gateways == Gateways::One {
                others.insert(name, beat);
            }
        }
        Ok(others)
    }
}

/// The start of the names of all gateways' documents.
const NAMES: &str = "gateways/";
/// How long a gateway waits between two beats.
const BEAT: Duration = Duration::from_secs(2);
/// For how many beats the document of another gateway is watched.
const BEATS_WATCHED: u64 = 3;
