//! Which gateways serve a state bucket: one document each, written anew every few seconds.
//!
//! A gateway that is to be the only one does not start beside another, nor does any beside such a one:
//! what each has cached would be wrong for the other. Nobody's clock is relied upon. Another gateway runs
//! if its document changes while it is watched; one whose document stays as it is for longer is dead, and
//! its document is removed. One that ran on this machine and has ended needs no watching.
//!
//! Until a gateway has announced itself, and when another one has taken its place, it refuses requests
//! ([`Presence::check`]).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;

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
    /// Whether this gateway may serve, or why not.
    standing: watch::Sender<Result<(), PresenceError>>,
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

/// Why a gateway must not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// Another gateway runs, and one of the two is to be the only one.
    #[error(
        "another gateway serves the state bucket {0:?}: stop it, or set state.gateways = \"many\" for both"
    )]
    Another(String),
    /// It took this one for dead.
    #[error("another gateway took this one for dead, and may serve the state bucket {0:?}")]
    Superseded(String),
    /// The backend was not there yet.
    #[error("this gateway has not yet found out whether another one serves the state bucket {0:?}")]
    NotYet(String),
    /// What else must be so is not, in a sentence.
    #[error("{0}")]
    Unfit(String),
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
        let not_yet = PresenceError::NotYet(state.bucket().to_owned());
        Self {
            standing: watch::Sender::new(Err(not_yet)),
            state,
            gateways,
            name: format!("{NAMES}{}", hex::encode(id)),
            beat: BEAT,
        }
    }

    /// The same with other pauses: for tests.
    #[must_use]
    pub fn beating_every(mut self, beat: Duration) -> Self {
        self.beat = beat;
        self
    }

    /// How many gateways may serve beside it.
    #[must_use]
    pub const fn gateways(&self) -> Gateways {
        self.gateways
    }

    /// Announces this gateway, unless another one is in the way.
    ///
    /// # Errors
    ///
    /// [`PresenceError`].
    pub async fn announce(&self) -> Result<(), PresenceError> {
        self.write(0).await?;
        let outcome = self.outwait_others(true).await;
        match &outcome {
            Ok(()) => self.stand(Ok(())),
            Err(PresenceError::Unavailable(_)) => {}
            Err(refusal) => {
                self.withdraw().await;
                self.stand(Err(refusal.clone()));
            }
        }
        outcome
    }

    /// The same, once no other gateway is in the way: until then this one writes nothing, and so does not keep
    /// another one from starting that has served the state bucket meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Presence::announce`].
    pub async fn announce_late(&self) -> Result<(), PresenceError> {
        match self.outwait_others(false).await {
            Ok(()) => self.announce().await,
            Err(PresenceError::Unavailable(error)) => Err(error.into()),
            Err(refusal) => {
                self.stand(Err(refusal.clone()));
                Err(refusal)
            }
        }
    }

    /// Removes what others left that do not run.
    ///
    /// # Errors
    ///
    /// [`PresenceError::Another`] if one of them does.
    async fn outwait_others(&self, beating: bool) -> Result<(), PresenceError> {
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
        for count in 1..=BEATS_WATCHED {
            tokio::time::sleep(self.beat).await;
            // Two that start at the same moment see each other change.
            if beating {
                self.write(count).await?;
            }
        }
        let now = self.others().await?;
        for (name, then) in others {
            match now.get(&name) {
                None => {}
                Some(now) if *now == then => {
                    self.remove_left(&name).await?;
                }
                Some(_) => return Err(PresenceError::Another(self.state.bucket().to_owned())),
            }
        }
        Ok(())
    }

    async fn remove_left(&self, name: &str) -> Result<(), S3Error> {
        tracing::warn!(name, "removed what a gateway left that is not running");
        self.state.remove(name).await
    }

    /// Beats for as long as no other gateway has taken this one's place.
    pub async fn run(&self) {
        let mut count = BEATS_WATCHED;
        while self.check().is_ok() {
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
                let superseded = PresenceError::Superseded(self.state.bucket().to_owned());
                self.stand(Err(superseded));
                return Ok(());
            }
            tracing::warn!("another gateway took this one for dead");
        }
        self.write(count).await.map(drop)
    }

    /// Refuses to serve until [`Presence::announce_late`] succeeds, for a reason that is not another gateway.
    pub fn refuse(&self, reason: String) {
        self.stand(Err(PresenceError::Unfit(reason)));
    }

    /// Whether this gateway may serve.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(&self) -> Result<(), PresenceError> {
        self.standing.borrow().clone()
    }

    /// The same. Where that is being found out, this waits for it, but not for as long as a gateway is watched.
    ///
    /// # Errors
    ///
    /// As [`Presence::check`].
    pub async fn settled(&self) -> Result<(), PresenceError> {
        if self.check().is_ok() {
            return Ok(());
        }
        let is_settled = |standing: &Result<(), PresenceError>| {
            !matches!(standing, Err(PresenceError::NotYet(_)))
        };
        let mut standing = self.standing.subscribe();
        let settled = standing.wait_for(is_settled);
        drop(tokio::time::timeout(SETTLE_WAIT, settled).await);
        self.check()
    }

    /// Sets whether this gateway may serve. A change is logged once.
    fn stand(&self, standing: Result<(), PresenceError>) {
        self.standing.send_if_modified(|current| {
            let changes = *current != standing;
            match &standing {
                Ok(()) if changes => tracing::debug!("this gateway has announced itself"),
                Err(refusal) if changes => tracing::error!(%refusal, "requests are refused"),
                _ => {}
            }
            *current = standing;
            changes
        });
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
/// How long a request waits for a gateway to announce itself.
const SETTLE_WAIT: Duration = Duration::from_secs(3);
