//! What a gateway does beside requests: it makes sure that it may serve its state bucket, says that it
//! runs, sweeps, delivers access logs, reads changed files again and folds what it measured.

use std::sync::Arc;
use std::time::Duration;

use proto::renewal::LOOK_EVERY;
use proto::renewal::Renewals;
use tokio_util::sync::CancellationToken;

use crate::access_log::delivery::Deliverer;
use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::bucket::installation::Installation;
use crate::bucket::installation::Refusal;
use crate::chunks::random::Random;
use crate::config::Config;
use crate::measured;
use crate::measured::Metrics;
use crate::measured::Scope;
use crate::records::sweep::Sweep;
use crate::server::StartError;
use crate::server::compose::StoredState;
use crate::state::Gateways;
use crate::state::presence::Presence;
use crate::state::presence::PresenceError;

/// Refuses to start where the state bucket is not the right one, where another gateway is in the way, or
/// before a backend that is not good enough for several gateways. A backend that is not there yet is no
/// reason: [`run`] looks again, and requests are refused until then. With `exclusive` there can be no other
/// gateway, and there is no presence.
pub(super) async fn begin(
    config: &Config,
    stored: &StoredState,
    random: &dyn Random,
    exclusive: bool,
) -> Result<Option<Arc<Presence>>, StartError> {
    let gateways = config.state.gateways;
    let presence = (!exclusive).then(|| {
        let presence = Presence::new(stored.state.clone(), gateways, random);
        Arc::new(presence)
    });
    if let Some(presence) = &presence {
        stored.installation.depend_on(presence);
    }
    let found = tokio::time::timeout(CONFIRM_TIMEOUT, stored.installation.confirm()).await;
    match found {
        Ok(Ok(())) => {}
        Ok(Err(refusal @ Refusal::NoIdentity(_))) => return Err(refusal.into()),
        _ => return Ok(presence),
    }
    is_good_enough(gateways, &stored.capabilities).await?;
    if let Some(presence) = &presence
        && let Err(another @ PresenceError::Another(_)) = presence.announce().await
    {
        return Err(another.into());
    }
    Ok(presence)
}

/// Refuses a backend that is not good enough for so many gateways.
async fn is_good_enough(gateways: Gateways, capabilities: &Capabilities) -> Result<(), StartError> {
    if gateways == Gateways::Many {
        for capability in [Capability::AtomicWrites, Capability::ConsistentListings] {
            if let Ok(false) = capabilities.has(capability).await {
                return Err(StartError::NotShared(capability));
            }
        }
    }
    Ok(())
}

/// Starts what goes on until the gateway is closed.
pub(super) fn run(
    sweep: Sweep,
    stored: &StoredState,
    presence: Option<&Arc<Presence>>,
    random: Arc<dyn Random>,
    closed: &CancellationToken,
) {
    let sweeping = closed.clone();
    measured::spawn(async move { sweeping.run_until_cancelled(sweep.run(&*random)).await });
    if let Some(presence) = presence {
        let keeper = Keeper {
            installation: Arc::clone(&stored.installation),
            capabilities: Arc::clone(&stored.capabilities),
            presence: Arc::clone(presence),
        };
        let closed = closed.clone();
        measured::spawn(async move { closed.run_until_cancelled(keeper.run()).await });
    }
}

/// Keeps the presence of a gateway up, and announces it where that could not be done yet.
struct Keeper {
    installation: Arc<Installation>,
    capabilities: Arc<Capabilities>,
    presence: Arc<Presence>,
}

impl Keeper {
    async fn run(&self) {
        loop {
            self.presence.run().await;
            self.announce().await;
            if self.presence.check().is_err() {
                tokio::time::sleep(ANNOUNCE_AGAIN).await;
            }
        }
    }

    /// Does what [`begin`] could not do. What refuses the start there refuses requests here.
    async fn announce(&self) {
        // What is wrong is logged there.
        if self.installation.confirm().await.is_err() {
            return;
        }
        if let Err(error) = is_good_enough(self.presence.gateways(), &self.capabilities).await {
            self.presence.refuse(error.to_string());
            return;
        }
        if let Err(PresenceError::Unavailable(error)) = self.presence.announce_late().await {
            tracing::warn!(%error, "the presence of this gateway cannot be written");
        }
    }
}

/// Starts the delivery of access logs, until the gateway is closed. A delivery that is under way then ends by itself.
pub(super) fn deliver(logs: &Arc<Deliverer>, closed: &CancellationToken) {
    let (logs, closed) = (Arc::clone(logs), closed.clone());
    measured::spawn(async move { logs.run(closed).await });
}

/// Folds recorded durations into their buckets every few seconds, until the gateway is closed: samples stay in
/// memory until then.
pub(super) fn fold(metrics: Option<Arc<Metrics>>, closed: &CancellationToken) {
    let (Some(metrics), closed) = (metrics, closed.clone()) else {
        return;
    };
    measured::spawn(async move {
        while is_due(FOLD, &closed).await {
            metrics.tidy();
        }
    });
}

/// Reads files again when they change, until the gateway is closed. What became of it is shown in the scope's metrics,
/// which may be an earlier gateway's: what is read again here was read at the start.
pub(super) fn renew(renewals: Renewals, scope: Scope, closed: &CancellationToken) {
    let closed = closed.clone();
    if let Some(metrics) = scope.metrics() {
        let names = renewals.names();
        names.for_each(|name| metrics.show_reload(name, true));
    }
    measured::spawn(async move {
        while is_due(LOOK_EVERY, &closed).await {
            renewals.renew_changed(|name, is_done| {
                if let Some(metrics) = scope.metrics() {
                    metrics.show_change(name, is_done);
                }
            });
        }
    });
}

/// Waits; whether the gateway is not closed then.
async fn is_due(period: Duration, closed: &CancellationToken) -> bool {
    let waited = closed.run_until_cancelled(tokio::time::sleep(period));
    waited.await.is_some()
}

/// How often durations are folded into their buckets.
const FOLD: Duration = Duration::from_secs(5);

/// How soon a gateway that could not announce itself tries again. Each time what is wrong is logged, and a request
/// waits for longer than this.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(2);

/// How long a start waits for the backend.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);
