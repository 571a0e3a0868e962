//! The console: pages about both services on their admin ports, for a browser.
//!
//! It stands on the admin API: what a page shows or changes, a request to that API shows or changes too. It is part
//! of the composition root because it shows both services, which meet only on the wire; where one runs alone, it
//! shows that half. Pages are whole without the script, which only replaces figures.
//!
//! Reading is free where the admin API is: on loopback without a token. With one, a login form takes it
//! ([`access`]). No key material, plaintext or secret is on any page.

mod access;
mod asset;
mod buckets;
mod changes;
mod events;
mod faults;
mod form;
mod history;
mod keys;
mod layout;
mod live;
mod members;
mod overview;
mod quotas;
mod reports;
mod respond;
mod sources;

use std::sync::Arc;

use gateway::admin::view::View;
use kms::admin::Controls;
use proto::identity::Secret;
use tokio_util::sync::CancellationToken;

use crate::console::access::Access;
use crate::console::access::Demands;
use crate::console::live::Live;
pub use crate::console::sources::Facts;
use crate::console::sources::Sources;
use crate::report::folder::Folder;

/// The pages of one process.
pub struct Console {
    sources: Arc<Sources>,
    access: Access,
    live: Arc<Live>,
    /// What the port of a gateway alone demands; with a KMS it is what the KMS's port does.
    demands: Demands,
    /// Ends streams.
    stop: CancellationToken,
}

impl Console {
    /// Pages about a KMS, and about a gateway once there is one. Streams end when `stop` is cancelled.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn of_kms(controls: Controls, stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        Self::new(Sources::of_kms(controls), Demands::default(), stop)
    }

    /// Pages about a gateway alone, whose port demands `token`. `is_exposed`: other machines reach it, so that without
    /// a token nothing is shown.
    ///
    /// # Errors
    ///
    /// As [`Console::of_kms`].
    pub fn of_gateway(
        token: Option<Secret>,
        is_exposed: bool,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let demands = Demands {
            is_open: is_exposed && token.is_none(),
            all: token,
            keys: None,
        };
        Self::new(Sources::default(), demands, stop)
    }

    fn new(
        sources: Sources,
        demands: Demands,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            sources: Arc::new(sources),
            access: Access::new()?,
            live: Arc::new(Live::new(respond::message)),
            demands,
            stop,
        }))
    }

    /// Shows this gateway from now on, in the place of the one before.
    pub fn show_gateway(&self, view: View) {
        self.sources.set_gateway(view);
    }

    /// Shows these endpoints. The first call counts.
    pub fn describe(&self, facts: Facts) {
        if self.sources.facts.set(facts).is_err() {
            tracing::debug!("the console was described before");
        }
    }

    /// Shows the reports in that folder. The first call counts.
    pub fn show_reports(&self, folder: Folder) {
        if self.sources.reports.set(folder).is_err() {
            tracing::debug!("the console had a folder of reports before");
        }
    }

    /// What the admin ports demand now.
    fn demands(&self) -> Demands {
        let Some(controls) = &self.sources.kms else {
            return self.demands.clone();
        };
        match controls.tokens() {
            Some(tokens) => Demands {
                all: tokens.all,
                keys: tokens.keys,
                is_open: false,
            },
            // The KMS has stopped.
            None => Demands {
                is_open: true,
                ..Demands::default()
            },
        }
    }
}

#[cfg(test)]
mod tests;
