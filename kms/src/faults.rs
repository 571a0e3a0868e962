//! Failures and delays on purpose, by a plan that gives the same outcome every time.
//!
//! "The 5th Decrypt under key X fails with KMSInternalException" is one [`Fault`]. Whether a call is
//! struck depends on the plan, its seed and how many matching calls came before, and on nothing
//! else, so that a run can be repeated.

mod plan;

use std::cell::LazyCell;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::Value;

use crate::api::Operation;
use crate::api::OperationName;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
pub use crate::faults::plan::Fault;
pub use crate::faults::plan::Latency;
pub use crate::faults::plan::Plan;
pub use crate::faults::plan::PlanError;

/// The plan in force.
#[derive(Default)]
pub struct Faults {
    running: ArcSwapOption<RunningPlan>,
}

/// A plan and how far it has got.
struct RunningPlan {
    plan: Plan,
    /// Matching calls so far, for each fault and then for each latency.
    matched: Vec<AtomicU64>,
    struck: Vec<AtomicU64>,
}

/// What happens to one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Wait first.
    pub delay: Duration,
    /// Then return this.
    pub error: Option<KmsError>,
    /// Then close the connection.
    pub drop_connection: bool,
}

impl Faults {
    /// Puts a plan in force from its beginning; an empty one has no effect.
    ///
    /// # Errors
    ///
    /// [`PlanError`] for a number that means nothing; then the old plan goes on.
    pub fn set(&self, plan: Plan) -> Result<(), PlanError> {
        plan.check()?;
        if plan.faults.is_empty() && plan.latencies.is_empty() {
            self.running.store(None);
            return Ok(());
        }

        let count = || AtomicU64::new(0);
        let matched = (0..plan.faults.len() + plan.latencies.len())
            .map(|_| count())
            .collect();
        let struck = plan.faults.iter().map(|_| count()).collect();
        self.running.store(Some(Arc::new(RunningPlan {
            plan,
            matched,
            struck,
        })));
        Ok(())
    }

    /// The plan in force, and how many calls each fault has struck.
    #[must_use]
    pub fn state(&self) -> (Plan, Vec<u64>) {
        self.running
            .load()
            .as_ref()
            .map_or_else(Default::default, |running| {
                let struck = running
                    .struck
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed));
                (running.plan.clone(), struck.collect())
            })
    }

    /// What happens to this call; usually nothing. `names` gives all names of the keys it is
    /// about, and is called only if the plan is about a key.
    #[must_use]
    pub fn effect(
        &self,
        caller: &Caller,
        operation: &Operation,
        names: impl Fn() -> Vec<String>,
    ) -> Option<Effect> {
        self.running
            .load()
            .as_ref()
            .map(|running| running.effect(caller, operation, &LazyCell::new(names)))
    }
}

impl RunningPlan {
    /// What happens to this call.
    fn effect<F: FnOnce() -> Vec<String>>(
        &self,
        caller: &Caller,
        operation: &Operation,
        names: &LazyCell<Vec<String>, F>,
    ) -> Effect {
        let mut effect = Effect {
            delay: self.latency(operation.name()),
            ..Effect::default()
        };
        for (index, fault) in self.plan.faults.iter().enumerate() {
            if fault.matches(caller, operation, names) && self.strikes(index, fault) {
                effect.delay += Duration::from_millis(fault.delay_ms);
                effect.drop_connection = fault.drop_connection;
                effect.error = fault.error.map(|code| fault.error(code));
                break;
            }
        }

        effect
    }

    /// Counts a matching call; whether it is struck.
    fn strikes(&self, index: usize, fault: &Fault) -> bool {
        let (Some(matched), Some(struck)) = (self.matched.get(index), self.struck.get(index))
        else {
            return false;
        };
        let before = matched.fetch_add(1, Ordering::Relaxed);
        let Some(since_first) = (before + 1).checked_sub(fault.first) else {
            return false;
        };
        if since_first % fault.every != 0 || self.chance(index, before) >= fault.probability {
            return false;
        }

        let limit = fault.times.unwrap_or(u64::MAX);
        let more = |count| (count < limit).then_some(count + 1);
        struck
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// How long a call takes besides its work.
    fn latency(&self, operation: OperationName) -> Duration {
        let fits = |latency: &&Latency| latency.operation.is_none_or(|o| o == operation);
        let mut latencies = self.plan.latencies.iter();
        let Some(position) = latencies.position(|latency| fits(&latency)) else {
            return Duration::ZERO;
        };
        let index = self.plan.faults.len() + position;
        let (Some(latency), Some(matched)) =
            (self.plan.latencies.get(position), self.matched.get(index))
        else {
            return Duration::ZERO;
        };
        let count = matched.fetch_add(1, Ordering::Relaxed);
        // Box and Muller's way from two even chances to a normal one.
        let (first, second) = (
            self.chance(index, count * 2),
            self.chance(index, count * 2 + 1),
        );
        let normal = (-2.0 * (1.0 - first).ln()).sqrt() * (TAU * second).cos();
        let millis = latency.median_ms * (latency.sigma * normal).exp();
        let millis = millis
            .min(latency.max_ms.unwrap_or(DELAY_MS_MAX))
            .min(DELAY_MS_MAX);
        Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or_default()
    }

    /// A number from 0 to 1, the same for the same seed, rule and count.
    fn chance(&self, index: usize, count: u64) -> f64 {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        let mixed = mix(mix(mix(self.plan.seed) ^ index) ^ count);
        let bits = u32::try_from(mixed >> 32).expect("half of 64 bits are 32");
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

impl Fault {
    /// Whether the call is one of those the fault is about.
    fn matches<F: FnOnce() -> Vec<String>>(
        &self,
        caller: &Caller,
        operation: &Operation,
        names: &LazyCell<Vec<String>, F>,
    ) -> bool {
        let operation_fits = self.operation.is_none_or(|name| name == operation.name());
        let account_fits = self.account.as_ref().is_none_or(|a| *a == caller.account);
        let region_fits = self.region.as_ref().is_none_or(|r| *r == caller.region);
        if !(operation_fits && account_fits && region_fits) {
            return false;
        }

        if self.key.is_none() && self.context.is_empty() {
            return true;
        }

        let request = operation.to_value();
        let names_key = |name: &str| {
            let given = request
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default();
            let wanted = self.key.as_deref().unwrap_or_default();
            given == wanted
                || given
                    .rsplit_once(":key/")
                    .is_some_and(|(_, id)| id == wanted)
        };
        let has_pair = |(name, value): (&String, &String)| {
            let context = request.get("EncryptionContext");
            let given = context.and_then(|context| context.get(name));
            given.and_then(Value::as_str) == Some(value)
        };
        let is_about =
            |key| ["KeyId", "SourceKeyId"].into_iter().any(names_key) || names.contains(key);
        self.key.as_ref().is_none_or(is_about) && self.context.iter().all(has_pair)
    }

    /// The error that is returned.
    fn error(&self, code: Code) -> KmsError {
        if code == Code::ThrottlingException {
            return KmsError::throttled("FaultPlan", Duration::from_secs(1));
        }

        KmsError::new(code, self.message.clone())
    }
}

/// Spreads the bits of a number (SplitMix64's finish).
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// No planned delay is longer, in milliseconds.
const DELAY_MS_MAX: f64 = 600_000.0;

#[cfg(test)]
mod tests {
    use proto::kms::v1;

    use super::Effect;
    use super::Fault;
    use super::Faults;
    use super::Latency;
    use super::Plan;
    use crate::api::Operation;
    use crate::api::OperationName;
    use crate::caller::Caller;
    use crate::error::Code;

    fn decrypt(key: &str) -> Operation {
        let request = v1::DecryptRequest {
            key_id: Some(key.to_owned()),
            ..v1::DecryptRequest::default()
        };
        Operation::Decrypt(request)
    }

    fn faults(plan: Plan) -> Faults {
        let faults = Faults::default();
        faults.set(plan).unwrap();
        faults
    }

    /// Which of the next `count` calls are struck with an error.
    fn struck(faults: &Faults, operation: &Operation, count: usize) -> Vec<usize> {
        let caller = Caller::fixture("111122223333", "us-east-1");
        let strikes = |_: &usize| {
            faults
                .effect(&caller, operation, Vec::new)
                .is_some_and(|effect| effect.error.is_some())
        };
        (1..=count).filter(strikes).collect()
    }

    #[test]
    fn the_fifth_decrypt_of_one_key_fails() {
        let faults = faults(Plan {
            faults: vec![Fault {
                operation: Some(OperationName::Decrypt),
                key: Some("k".to_owned()),
                first: 5,
                times: Some(1),
                error: Some(Code::KmsInternalException),
                ..Fault::default()
            }],
            ..Plan::default()
        });
        assert!(struck(&faults, &decrypt("other"), 10).is_empty());
        let random = Operation::GenerateRandom(v1::GenerateRandomRequest::default());
        assert!(struck(&faults, &random, 10).is_empty());
        assert_eq!(
            struck(&faults, &decrypt("arn:aws:kms:us-east-1:1:key/k"), 10),
            [5]
        );
        assert_eq!(faults.state().1, [1]);
    }

    #[test]
    fn a_chance_is_the_same_in_every_run() {
        let plan = |seed| Plan {
            seed,
            faults: vec![Fault {
                probability: 0.3,
                error: Some(Code::ThrottlingException),
                ..Fault::default()
            }],
            ..Plan::default()
        };
        let run = |seed| struck(&faults(plan(seed)), &decrypt("k"), 1_000);
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!((250..350).contains(&run(7).len()), "{}", run(7).len());
    }

    #[test]
    fn latencies_lie_around_their_median() {
        let faults = faults(Plan {
            latencies: vec![Latency {
                median_ms: 10.0,
                sigma: 0.5,
                ..Latency::default()
            }],
            ..Plan::default()
        });
        let caller = Caller::fixture("111122223333", "us-east-1");
        let delay = |_| {
            faults
                .effect(&caller, &decrypt("k"), Vec::new)
                .unwrap()
                .delay
                .as_secs_f64()
        };
        let delays: Vec<f64> = (0..1_000).map(delay).collect();
        let below = delays.iter().filter(|delay| **delay < 0.010).count();
        assert!((450..550).contains(&below), "{below}");
        assert!(delays.iter().any(|delay| *delay > 0.020));
    }

    #[test]
    fn an_empty_plan_costs_nothing_and_a_senseless_one_is_refused() {
        let caller = Caller::fixture("111122223333", "us-east-1");
        assert_eq!(
            Faults::default().effect(&caller, &decrypt("k"), Vec::new),
            None::<Effect>
        );
        let refused = |fault: Fault| {
            Faults::default()
                .set(Plan {
                    faults: vec![fault],
                    ..Plan::default()
                })
                .is_err()
        };
        for unknown in ["error", "operation"] {
            let fault = serde_json::json!({ unknown: "NoSuch" });
            assert!(serde_json::from_value::<Fault>(fault).is_err());
        }
        assert!(refused(Fault {
            probability: 1.5,
            ..Fault::default()
        }));
        assert!(refused(Fault {
            every: 0,
            ..Fault::default()
        }));
        assert!(!refused(Fault {
            error: Some(Code::KeyUnavailableException),
            ..Fault::default()
        }));
    }
}
