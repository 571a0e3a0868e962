//! Request quotas that behave like AWS's: so many requests of a class per second, counted for one
//! account in one Region.
//!
//! - Every class counts by itself; all principals of the account and the services acting for them
//!   share the count. The caller's account is charged, not the key owner's.
//! - AWS-owned keys are not charged; callers of [`Quotas::charge`] leave them out.
//! - A request is charged once its key is found, and refused requests are free.
//!
//! The rates come from the tables in `kms/quotas` and can be scaled and changed while running. A
//! charge takes a sharded read lock and one compare-and-swap.
//!
//! Sources: <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html> and
//! <https://docs.aws.amazon.com/kms/latest/developerguide/throttling.html>.

mod class;
mod meter;
mod partitions;
mod profile;
mod seconds;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::error::KmsError;
pub use crate::quota::class::Class;
use crate::quota::meter::Meter;
pub use crate::quota::meter::Shape;
use crate::quota::partitions::Partitions;
pub use crate::quota::profile::Profile;
pub use crate::quota::profile::ProfileError;
pub use crate::quota::profile::Rate;
pub use crate::quota::profile::Row;
pub use crate::quota::seconds::SecondUsage;

/// Which quotas apply, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The year whose defaults apply: `2026` or `2023`.
    pub profile: String,

    /// How a rate is enforced: `window` as AWS documents, `bucket`, or `off`.
    pub shape: Shape,

    /// Factor on every rate. At 0.001, 100 requests per second act as AWS's 100,000.
    pub scale: f64,

    /// State changes (EnableKey, DisableKey) allowed per second on one key.
    ///
    /// AWS throttles such bursts but publishes no number; 0 switches the rule off.
    pub hot_key_rate: f64,

    /// Rates that differ from the profile's.
    pub rates: Vec<Adjustment>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: "2026".to_owned(),
            shape: Shape::Window,
            scale: 1.0,
            hot_key_rate: 0.0,
            rates: Vec::new(),
        }
    }
}

/// A rate that differs from the profile's. The narrowest that fits wins; it is not scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// The quota's class, such as `CryptographicOperationsSymmetric` or `CreateKey`.
    pub class: Class,

    /// Account it applies to; every account if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,

    /// Region it applies to; every Region if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,

    /// Requests per second; 0.1 is one in each ten seconds.
    pub rate: f64,
}

impl Adjustment {
    /// How narrow it is, if it fits the account and Region at all.
    fn fit(&self, account: Option<&AccountId>, region: Option<&Region>) -> Option<u8> {
        let account_fits = self.account.is_none() || self.account.as_ref() == account;
        let region_fits = self.region.is_none() || self.region.as_ref() == region;
        (account_fits && region_fits)
            .then(|| u8::from(self.account.is_some()) * 2 + u8::from(self.region.is_some()))
    }

    /// Whether both are about the same quota of the same accounts and Regions.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        self.class == other.class && self.account == other.account && self.region == other.region
    }
}

/// All request quotas of this KMS.
pub struct Quotas {
    clock: Arc<dyn Clock>,
    rules: ArcSwap<Rules>,
    /// One change at a time.
    change: Mutex<()>,
    partitions: Partitions,
    key_stores: DashMap<String, Meter>,
    hot_keys: DashMap<String, Meter>,
}

/// What decides the rates.
#[derive(Clone)]
struct Rules {
    config: Config,
    profile: Arc<Profile>,
}

impl Quotas {
    /// Quotas of which nothing is used.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] for an unknown profile, or a rate or scale that is no rate.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self, ProfileError> {
        let rules = Rules::checked(config)?;
        Ok(Self {
            clock,
            rules: ArcSwap::from_pointee(rules),
            change: Mutex::new(()),
            partitions: Partitions::default(),
            key_stores: DashMap::new(),
            hot_keys: DashMap::new(),
        })
    }

    /// Counts one request of `class` against the caller's account.
    ///
    /// # Errors
    ///
    /// [`Throttled`] if the quota is used up; the request is then not counted.
    pub fn charge(
        &self,
        account: &AccountId,
        region: &Region,
        class: Class,
    ) -> Result<(), Throttled> {
        self.charge_times(account, region, class, 1)
    }

    /// Counts `times` requests of `class`, all or none: ReplicateKey is one ReplicateKey in the
    /// primary's Region and two CreateKey in the replica's.
    ///
    /// # Errors
    ///
    /// [`Throttled`] if the quota does not have that much left.
    pub fn charge_times(
        &self,
        account: &AccountId,
        region: &Region,
        class: Class,
        times: u32,
    ) -> Result<(), Throttled> {
        let rules = self.rules.load();
        let class = rules.profile.row(class).counted_in;
        let now_ms = self.now_ms();
        let charge = |meters: &[Meter]| {
            let meter = meters
                .get(class.index())
                .expect("a partition has a meter for every class");
            meter.charge(times, rules.config.shape, now_ms)
        };
        let fresh = || self.meters(account, region);
        let partition = (account, region);
        let outcome = match self.partitions.charge(partition, now_ms, fresh, charge) {
            Some(outcome) => outcome,
            None if rules.config.shape == Shape::Off => Ok(()),
            None => Err(FULL_RETRY_AFTER),
        };
        outcome.map_err(|retry_after| Throttled { class, retry_after })
    }

    /// Counts one cryptographic operation against a custom key store, besides the account.
    ///
    /// # Errors
    ///
    /// [`Throttled`] if the store's quota is used up.
    pub fn charge_key_store(&self, store_id: &str, class: Class) -> Result<(), Throttled> {
        let rules = self.rules.load();
        let meter = || {
            Meter::new(
                rules.rate(class, None, None),
                rules.config.shape,
                &self.clock,
            )
        };
        charge_named(&self.key_stores, store_id, meter, |meter| {
            meter.charge(1, rules.config.shape, self.now_ms())
        })
        .map_err(|retry_after| Throttled { class, retry_after })
    }

    /// Counts one state change of one key: bursts of them are throttled below the quota.
    ///
    /// # Errors
    ///
    /// [`Throttled`] if the rule is on and the key changed too often.
    pub fn charge_state_change(&self, key_arn: &str, class: Class) -> Result<(), Throttled> {
        let rules = self.rules.load();
        if rules.config.hot_key_rate == 0.0 {
            return Ok(());
        }

        let rate = Rate::per_second(rules.config.hot_key_rate).unwrap_or(Rate::ZERO);
        let meter = || Meter::new(rate, rules.config.shape, &self.clock);
        charge_named(&self.hot_keys, key_arn, meter, |meter| {
            meter.charge(1, rules.config.shape, self.now_ms())
        })
        .map_err(|retry_after| Throttled { class, retry_after })
    }

    /// The configuration in force, with every change made since the start.
    #[must_use]
    pub fn config(&self) -> Config {
        self.rules.load().config.clone()
    }

    /// The profile in force.
    #[must_use]
    pub fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.rules.load().profile)
    }

    /// The rate in force for one class, account and Region.
    #[must_use]
    pub fn rate(&self, account: &AccountId, region: &Region, class: Class) -> Rate {
        self.rules.load().rate(class, Some(account), Some(region))
    }

    /// Puts another configuration in force. What windows have used stays used.
    ///
    /// # Errors
    ///
    /// As [`Quotas::new`]; then nothing changes.
    pub fn configure(&self, config: Config) -> Result<(), ProfileError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(Rules::checked(config)?);
        Ok(())
    }

    /// Puts another rate in force for a class, for all or some accounts and Regions.
    ///
    /// # Errors
    ///
    /// As [`Quotas::new`]; then nothing changes.
    pub fn adjust(&self, adjustment: Adjustment) -> Result<(), ProfileError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config = self.config();
        config.rates.retain(|earlier| !adjustment.replaces(earlier));
        config.rates.push(adjustment);
        self.put(Rules::checked(config)?);
        Ok(())
    }

    /// Forgets what was used, not the rates.
    pub fn restart(&self) {
        let shape = self.rules.load().config.shape;
        self.partitions.for_each(|_, _, meters| {
            for meter in meters {
                meter.restart(shape, &self.clock);
            }
        });

        self.key_stores.clear();
        self.hot_keys.clear();
    }

    /// What was counted, for every class that was charged at all.
    #[must_use]
    pub fn usage(&self) -> Vec<Usage> {
        let now_ms = self.now_ms();
        let mut usage: BTreeMap<(AccountId, Region, Class), Usage> = BTreeMap::new();
        self.partitions.for_each(|account, region, meters| {
            for (class, meter) in Class::ALL.iter().zip(meters) {
                let (allowed, throttled) = meter.totals();
                if allowed + throttled == 0 {
                    continue;
                }

                let row = Usage {
                    account: account.clone(),
                    region: region.clone(),
                    class: *class,
                    rate: meter.rate().as_per_second(),
                    used: meter.used(now_ms),
                    allowed,
                    throttled,
                    previous_second: meter.previous_second(now_ms),
                };
                usage.insert((account.clone(), region.clone(), *class), row);
            }
        });

        usage.into_values().collect()
    }

    /// Stores the rules first, then sets every meter that was made under the old ones.
    fn put(&self, rules: Rules) {
        let rules = Arc::new(rules);
        self.rules.store(Arc::clone(&rules));
        self.partitions.for_each(|account, region, meters| {
            for (class, meter) in Class::ALL.iter().zip(meters) {
                let rate = rules.rate(*class, Some(account), Some(region));
                if meter.rate() != rate || rules.config.shape == Shape::Bucket {
                    meter.set(rate, rules.config.shape, &self.clock);
                }
            }
        });

        self.key_stores.clear();
        self.hot_keys.clear();
    }

    /// Fresh counts for one account in one Region.
    fn meters(&self, account: &AccountId, region: &Region) -> Box<[Meter]> {
        let rules = self.rules.load();
        let shape = rules.config.shape;
        let fresh = |class: &Class| {
            Meter::new(
                rules.rate(*class, Some(account), Some(region)),
                shape,
                &self.clock,
            )
        };
        Class::ALL.iter().map(fresh).collect()
    }

    /// The clock's milliseconds since 1970.
    fn now_ms(&self) -> u64 {
        self.clock.now().unix_millis().max(0).unsigned_abs()
    }
}

impl Rules {
    /// Rules whose names and numbers have been checked.
    fn checked(config: Config) -> Result<Self, ProfileError> {
        let profile = Arc::new(Profile::from_name(&config.profile)?);
        for row in profile.rows() {
            row.rate.scaled(config.scale)?;
        }

        Rate::per_second(config.hot_key_rate)?;
        for adjustment in &config.rates {
            Rate::per_second(adjustment.rate)?;
        }

        Ok(Self { config, profile })
    }

    /// The rate that applies: the narrowest adjustment, or the profile's scaled default. What is
    /// counted for no account in no Region has the rate of all.
    fn rate(&self, class: Class, account: Option<&AccountId>, region: Option<&Region>) -> Rate {
        let rates = self.config.rates.iter();
        let adjusted = rates
            .filter(|adjustment| adjustment.class == class)
            .filter_map(|adjustment| Some((adjustment.fit(account, region)?, adjustment.rate)))
            .max_by_key(|(fit, _)| *fit);
        let row = self.profile.row(class);
        let rate = match adjusted {
            Some((_, rate)) => Rate::per_second(rate),
            None => region
                .map_or(row.rate, |region| row.rate_in(region))
                .scaled(self.config.scale),
        };
        rate.expect("every rate was checked when the rules were made")
    }
}

/// Charges the meter of that name, which is made when it is first needed.
fn charge_named(
    meters: &DashMap<String, Meter>,
    name: &str,
    meter: impl FnOnce() -> Meter,
    charge: impl Fn(&Meter) -> Result<(), Duration>,
) -> Result<(), Duration> {
    if let Some(meter) = meters.get(name) {
        return charge(&meter);
    }

    charge(&meters.entry(name.to_owned()).or_insert_with(meter))
}

/// What one account used of one class in one Region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Usage {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// The class.
    pub class: Class,
    /// Requests per second in force.
    pub rate: f64,
    /// Requests that passed in the current window.
    pub used: u32,
    /// Requests that passed since the start.
    pub allowed: u64,
    /// Requests that were refused since the start.
    pub throttled: u64,
    /// What was counted in the last full second.
    pub previous_second: SecondUsage,
}

/// A quota is used up. The answer is ThrottlingException.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quota of {} requests is used up", class.name())]
pub struct Throttled {
    /// The quota that is used up.
    pub class: Class,
    /// When the request could pass. AWS does not publish it; only gRPC answers carry it.
    pub retry_after: Duration,
}

impl From<Throttled> for KmsError {
    fn from(throttled: Throttled) -> Self {
        Self::throttled(throttled.class.name(), throttled.retry_after)
    }
}

/// When a request could pass that cannot be counted now.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
