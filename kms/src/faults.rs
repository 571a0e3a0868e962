//! Failures and delays on purpose, by a plan that gives the same outcome every time.
//!
//! "The 5th Decrypt under key X fails with KMSInternalException" is one [`Fault`]. Whether a call is
//! struck depends on the plan, its seed and how many matching calls came before, and on nothing
//! else, so that a run can be repeated.

mod plan;

use std::cell::LazyCell;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use serde::Serialize;
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
    /// The next id. Locked while the plan is changed.
    change: Mutex<u64>,
}

/// A plan and how far it has got. Rules that stay when the plan changes go on counting.
#[derive(Clone, Default)]
struct RunningPlan {
    seed: u64,
    faults: Vec<Arc<Rule<Fault>>>,
    latencies: Vec<Arc<Rule<Latency>>>,
}

/// A fault or latency in force.
struct Rule<T> {
    /// By which it can be removed.
    id: u64,
    rule: T,
    /// Which of the chances that the seed gives are its own.
    stream: u64,
    /// Matching calls so far.
    matched: AtomicU64,
    /// Calls that were struck.
    struck: AtomicU64,
}

impl<T> Rule<T> {
    fn new(id: u64, stream: u64, rule: T) -> Arc<Self> {
        Arc::new(Self {
            id,
            rule,
            stream,
            matched: AtomicU64::new(0),
            struck: AtomicU64::new(0),
        })
    }
}

/// A plan in force, as it is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanState {
    /// The plan.
    pub plan: Plan,
    /// How many calls each of its faults has struck.
    pub struck: Vec<u64>,
    /// The id of each fault.
    pub ids: Vec<u64>,
    /// The id of each latency.
    pub latency_ids: Vec<u64>,
}

/// One rule to be added to the plan in force.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addition {
    /// Calls that fail.
    Fault(Fault),
    /// Calls that take longer.
    Latency(Latency),
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

impl Addition {
    fn check(&self) -> Result<(), PlanError> {
        match self {
            Self::Fault(fault) => fault.check(),
            Self::Latency(latency) => latency.check(),
        }
    }
}

impl Faults {
    /// Puts a plan in force from its beginning; an empty one has no effect.
    ///
    /// # Errors
    ///
    /// [`PlanError`] for a number that means nothing; then the old plan goes on.
    pub fn set(&self, plan: Plan) -> Result<(), PlanError> {
        plan.check()?;
        let mut next = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut streams = 0..;
        let mut running = RunningPlan {
            seed: plan.seed,
            ..RunningPlan::default()
        };
        for (fault, stream) in plan.faults.into_iter().zip(&mut streams) {
            running
                .faults
                .push(Rule::new(take(&mut next), stream, fault));
        }
        for (latency, stream) in plan.latencies.into_iter().zip(&mut streams) {
            let rule = Rule::new(take(&mut next), stream, latency);
            running.latencies.push(rule);
        }
        self.put_in_force(running);
        Ok(())
    }

    /// Adds one rule after those in force, and returns its id. The others go on counting.
    ///
    /// # Errors
    ///
    /// As [`Faults::set`]; and when there are too many.
    pub fn add(&self, addition: Addition) -> Result<u64, PlanError> {
        addition.check()?;
        let mut next = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = self.current();
        if running.faults.len() + running.latencies.len() >= RULES_MAX {
            return Err(PlanError::Full);
        }
        let id = take(&mut next);
        let stream = ADDED_STREAMS | id;
        match addition {
            Addition::Fault(fault) => running.faults.push(Rule::new(id, stream, fault)),
            Addition::Latency(latency) => running.latencies.push(Rule::new(id, stream, latency)),
        }
        self.put_in_force(running);
        Ok(id)
    }

    /// Removes one rule, and returns how many calls it has struck; none if there is no such rule.
    pub fn remove(&self, id: u64) -> Option<u64> {
        let _change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = self.current();
        let fault = running.faults.iter().position(|rule| rule.id == id);
        let struck = if let Some(index) = fault {
            running.faults.remove(index).struck.load(Ordering::Relaxed)
        } else {
            let mut latencies = running.latencies.iter();
            let index = latencies.position(|rule| rule.id == id)?;
            let removed = running.latencies.remove(index);
            removed.matched.load(Ordering::Relaxed)
        };
        self.put_in_force(running);
        Some(struck)
    }

    fn current(&self) -> RunningPlan {
        let running = self.running.load();
        running.as_deref().cloned().unwrap_or_default()
    }

    fn put_in_force(&self, running: RunningPlan) {
        let is_empty = running.faults.is_empty() && running.latencies.is_empty();
        self.running.store((!is_empty).then(|| Arc::new(running)));
    }

    /// The plan in force, and how many calls each fault has struck.
    #[must_use]
    pub fn state(&self) -> PlanState {
        let RunningPlan {
            seed,
            faults,
            latencies,
        } = self.current();
        let struck = faults.iter().map(|it| it.struck.load(Ordering::Relaxed));
        PlanState {
            struck: struck.collect(),
            ids: faults.iter().map(|fault| fault.id).collect(),
            latency_ids: latencies.iter().map(|latency| latency.id).collect(),
            plan: Plan {
                seed,
                faults: faults.iter().map(|it| it.rule.clone()).collect(),
                latencies: latencies.iter().map(|it| it.rule.clone()).collect(),
            },
        }
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
        for fault in &self.faults {
            let Rule { rule, .. } = &**fault;
            if rule.matches(caller, operation, names) && self.strikes(fault) {
                effect.delay += Duration::from_millis(rule.delay_ms);
                effect.drop_connection = rule.drop_connection;
                effect.error = rule.error.map(|code| rule.error(code));
                break;
            }
        }

        effect
    }

    /// Counts a matching call; whether it is struck.
    fn strikes(&self, fault: &Rule<Fault>) -> bool {
        let before = fault.matched.fetch_add(1, Ordering::Relaxed);
        let Some(since_first) = (before + 1).checked_sub(fault.rule.first) else {
            return false;
        };
        let chance = self.chance(fault.stream, before);
        if since_first % fault.rule.every != 0 || chance >= fault.rule.probability {
            return false;
        }

        let limit = fault.rule.times.unwrap_or(u64::MAX);
        let more = |count| (count < limit).then_some(count + 1);
        fault
            .struck
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// How long a call takes besides its work.
    fn latency(&self, operation: OperationName) -> Duration {
        let fits = |latency: &Latency| latency.operation.is_none_or(|o| o == operation);
        let mut latencies = self.latencies.iter();
        let Some(latency) = latencies.find(|latency| fits(&latency.rule)) else {
            return Duration::ZERO;
        };
        let count = latency.matched.fetch_add(1, Ordering::Relaxed);
        // Box and Muller's way from two even chances to a normal one.
        let (first, second) = (
            self.chance(latency.stream, count * 2),
            self.chance(latency.stream, count * 2 + 1),
        );
        let normal = (-2.0 * (1.0 - first).ln()).sqrt() * (TAU * second).cos();
        let rule = &latency.rule;
        let millis = rule.median_ms * (rule.sigma * normal).exp();
        let millis = millis
            .min(rule.max_ms.unwrap_or(DELAY_MS_MAX))
            .min(DELAY_MS_MAX);
        Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or_default()
    }

    /// A number from 0 to 1, the same for the same seed, stream and count.
    fn chance(&self, stream: u64, count: u64) -> f64 {
        let mixed = mix(mix(mix(self.seed) ^ stream) ^ count);
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

/// Takes the next id.
const fn take(next: &mut u64) -> u64 {
    *next += 1;
    *next
}

/// Most rules in force that additions may lead to.
const RULES_MAX: usize = 1_000;

/// Chances of rules that were added are apart from those of a plan, which count from 0.
const ADDED_STREAMS: u64 = 1 << 63;

/// No planned delay is longer, in milliseconds.
const DELAY_MS_MAX: f64 = 600_000.0;

#[cfg(test)]
mod tests {
    use proto::kms::v1;

    use super::Addition;
    use super::Effect;
    use super::Fault;
    use super::Faults;
    use super::Latency;
    use super::Plan;
    use super::PlanError;
    use super::PlanState;
    use super::RULES_MAX;
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
        assert_eq!(faults.state().struck, [1]);
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

    #[test]
    fn rules_that_are_added_and_removed_leave_the_counts_of_others_alone() {
        let faults = Faults::default();
        let fault = |first| Fault {
            first,
            times: Some(1),
            error: Some(Code::ThrottlingException),
            ..Fault::default()
        };
        let third = faults.add(Addition::Fault(fault(3))).unwrap();
        assert!(struck(&faults, &decrypt("k"), 2).is_empty());
        let first = faults.add(Addition::Fault(fault(1))).unwrap();
        assert_eq!(faults.state().ids, [third, first]);
        // The third call of all strikes the older rule, and the fourth the newer.
        assert_eq!(struck(&faults, &decrypt("k"), 3), [1, 2]);
        assert_eq!(faults.remove(third), Some(1));
        assert_eq!(faults.remove(third), None);
        assert_eq!(faults.remove(first), Some(1));
        assert_eq!(faults.state(), PlanState::default());
        let senseless = fault(0);
        assert!(faults.add(Addition::Fault(senseless)).is_err());
    }

    #[test]
    fn rules_cannot_be_added_without_end() {
        let faults = Faults::default();
        let add = || faults.add(Addition::Fault(Fault::default()));
        (0..RULES_MAX).for_each(|_| assert!(add().is_ok()));
        assert_eq!(add(), Err(PlanError::Full));
    }
}
