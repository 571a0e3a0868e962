//! What the clients did and saw of each key, and whether it can have happened.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::histories::KEYS;
use crate::histories::key_name;
use crate::linearizability;
use crate::linearizability::Operation;
use crate::linearizability::Refusal;
use crate::linearizability::State;

/// What held of a key.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// Nothing is said.
    Any,
    /// Nothing was there.
    Absent,
    /// Something was.
    Present,
    /// It was this write.
    Is(State),
    /// It had this ETag.
    ETag(String),
    /// It had this ETag, or nothing was there: deleting what is gone is a success with any condition.
    ETagOrAbsent(String),
    /// It had another ETag, or nothing was there.
    NotETag(String),
    /// Its body was that of this write.
    Body(u32),
}

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No order of what was done explains what was seen.
    Violation,
    /// What was acknowledged was gone after a kill.
    Lost,
    /// An object that did not open, or whose bytes are those of no write.
    Unreadable,
    /// An answer that nobody expects, or none.
    Unexpected,
}

/// What clients did and saw.
#[derive(Default)]
pub(crate) struct Record {
    clock: AtomicU64,
    /// How many operations the life still has.
    left: AtomicUsize,
    enough: Notify,
    is_ending: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By the number of the write, from 1 on.
    writes: Vec<Write>,
    /// The write whose body has an ETag.
    bodies: HashMap<String, u32>,
    keys: BTreeMap<usize, History>,
    counts: BTreeMap<&'static str, usize>,
    failures: Vec<(Failure, String)>,
}

/// What is known of a write.
#[derive(Default)]
struct Write {
    etag: Option<String>,
    body: Option<u32>,
    has_happened: bool,
}

/// The history of a key in one life.
#[derive(Clone)]
struct History {
    /// What it may have been before.
    states: BTreeSet<State>,
    operations: Vec<Operation<Fact>>,
    /// The ETag that somebody saw last.
    etag: Option<String>,
    /// The life before.
    before: Option<Box<Self>>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            states: BTreeSet::from([State::ABSENT]),
            operations: Vec::new(),
            etag: None,
            before: None,
        }
    }
}

impl Record {
    /// A moment that is after all moments before.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// A life begins, which has so many operations.
    pub(crate) fn begin_life(&self, operations: usize) {
        self.left.store(operations.max(1), Ordering::SeqCst);
        self.is_ending.store(false, Ordering::SeqCst);
    }

    /// Takes an operation of the life; whether there was one. Taking the last ends the wait of
    /// [`Record::until_enough`].
    pub(crate) fn take_operation(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        let before = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if before == Ok(1) {
            self.enough.notify_one();
        }
        before.is_ok()
    }

    /// Waits until the last operation of the life was taken.
    pub(crate) async fn until_enough(&self) {
        self.enough.notified().await;
    }

    /// From now on the process may be gone.
    pub(crate) fn end_life(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
    }

    /// Whether the process may be gone.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst)
    }

    /// The number of a new write.
    pub(crate) fn new_write(&self) -> State {
        let mut seen = self.lock();
        seen.writes.push(Write::default());
        State(u32::try_from(seen.writes.len()).unwrap())
    }

    /// A write's body is its own, and has this ETag in the object and this one alone.
    pub(crate) fn has_body(&self, write: State, etag: &str, whole: &str) {
        let mut seen = self.lock();
        seen.bodies.insert(etag.to_owned(), write.0);
        seen.bodies.insert(whole.to_owned(), write.0);
        let known = seen.write(write);
        known.etag = Some(etag.to_owned());
        known.body = Some(write.0);
    }

    /// A copy was answered with this ETag; the write whose body it copied, if that is known.
    pub(crate) fn was_copied(&self, copy: State, etag: &str) -> Option<u32> {
        let mut seen = self.lock();
        let body = seen.bodies.get(etag).copied();
        let known = seen.write(copy);
        known.etag = Some(etag.to_owned());
        known.body = body;
        body
    }

    /// Somebody was answered that a write is there: it has this ETag, and its whole body would have that
    /// one.
    pub(crate) fn was_answered(&self, key: usize, write: State, etag: &str, whole: Option<&str>) {
        let mut seen = self.lock();
        seen.keys.entry(key).or_default().etag = Some(etag.to_owned());
        if write == State::ABSENT || seen.writes.len() < write.0 as usize {
            drop(seen);
            let text = format!("{}: it is of no write: {write:?}", key_name(key));
            self.fail(Failure::Unreadable, text);
            return;
        }
        let body = whole.map(|whole| seen.bodies.get(whole).copied().unwrap_or_default());
        let known = seen.write(write);
        known.has_happened = true;
        let mut wrong = String::new();
        if known.etag.as_ref().is_some_and(|known| known != etag) {
            let _ = write!(wrong, "the ETag {etag} instead of {:?}", known.etag);
        }
        if let (Some(known), Some(body)) = (known.body, body)
            && known != body
        {
            let _ = write!(
                wrong,
                "the body of {body} (0: of none, or of several) instead of {known}"
            );
        }
        known.etag = Some(etag.to_owned());
        known.body = known.body.or(body);
        if !wrong.is_empty() {
            drop(seen);
            let text = format!("{}: {write:?} has {wrong}", key_name(key));
            self.fail(Failure::Unreadable, text);
        }
    }

    /// Whether anybody was ever answered that it is there.
    pub(crate) fn has_happened(&self, write: State) -> bool {
        self.lock().write(write).has_happened
    }

    /// The ETag that somebody saw last of a key.
    pub(crate) fn last_etag(&self, key: usize) -> Option<String> {
        self.lock().keys.get(&key)?.etag.clone()
    }

    /// Adds to the history of a key.
    pub(crate) fn add(&self, key: usize, operation: Operation<Fact>) {
        if operation.returned.is_none() {
            self.count("unknown");
        }
        let mut seen = self.lock();
        seen.keys.entry(key).or_default().operations.push(operation);
    }

    /// Counts something for the line of figures.
    pub(crate) fn count(&self, what: &'static str) {
        *self.lock().counts.entry(what).or_default() += 1;
    }

    /// Something is wrong.
    pub(crate) fn fail(&self, failure: Failure, text: String) {
        self.lock().failures.push((failure, text));
    }

    /// A write whose outcome was unknown in the life before was acknowledged later, and must have
    /// happened then.
    pub(crate) fn must_have_happened(&self, key: usize, write: State) {
        let mut seen = self.lock();
        let now = self.now();
        let Some(mut before) = seen.keys.get(&key).and_then(|key| key.before.clone()) else {
            return;
        };
        for operation in &mut before.operations {
            if operation.to == Some(write) {
                operation.returned = Some(now);
            }
        }
        if let Err(refusal) = seen.states_after(&before) {
            let text = seen.text(key, &before, &refusal);
            let text = format!("{write:?} was acknowledged and did not happen; {text}");
            seen.failures.push((Failure::Lost, text));
        }
    }

    /// Checks the life that ended.
    pub(crate) fn check(&self, life: usize) {
        let mut seen = self.lock();
        for key in 0..KEYS {
            let history = seen.keys.remove(&key).unwrap_or_default();
            let states = match seen.states_after(&history) {
                Ok(states) => states,
                Err(refusal) => {
                    let text = seen.text(key, &history, &refusal);
                    let failure = match seen.is_lost(&history) {
                        true => Failure::Lost,
                        false => Failure::Violation,
                    };
                    seen.failures
                        .push((failure, format!("life {life}, {text}")));
                    history.states.clone()
                }
            };
            let next = History {
                states,
                operations: Vec::new(),
                etag: history.etag.clone(),
                before: Some(Box::new(History {
                    before: None,
                    ..history
                })),
            };
            seen.keys.insert(key, next);
        }
    }

    /// How much is wrong.
    pub(crate) fn failures(&self) -> usize {
        self.lock().failures.len()
    }

    /// What was counted, and how much is wrong.
    pub(crate) fn figures(&self) -> String {
        let seen = self.lock();
        let count = |what| seen.counts.get(what).copied().unwrap_or_default();
        let failed = |kind| {
            let failures = seen.failures.iter();
            failures.filter(|(failure, _)| *failure == kind).count()
        };
        format!(
            "{} operations ({} of unknown outcome, {} conflicts, {} slowed down, {} completed again): \
             {} violations, {} lost, {} unreadable, {} unexpected answers",
            count("operations"),
            count("unknown"),
            count("conflicts"),
            count("slowed down"),
            count("completed again"),
            failed(Failure::Violation),
            failed(Failure::Lost),
            failed(Failure::Unreadable),
            failed(Failure::Unexpected),
        )
    }

    /// What is wrong, in full.
    pub(crate) fn report(&self) -> String {
        let seen = self.lock();
        let failures = seen.failures.iter();
        let texts: Vec<_> = failures
            .map(|(failure, text)| format!("{failure:?}: {text}"))
            .collect();
        texts.join("\n\n")
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

impl Seen {
    fn write(&mut self, write: State) -> &mut Write {
        &mut self.writes[write.0 as usize - 1]
    }

    fn states_after(&self, history: &History) -> Result<BTreeSet<State>, Refusal> {
        let holds = |fact: &Fact, state| self.holds(fact, state);
        linearizability::states_after(&history.states, &history.operations, holds)
    }

    /// What nobody saw yet of a write may be anything.
    fn holds(&self, fact: &Fact, state: State) -> bool {
        let write = self.writes.get((state.0 as usize).wrapping_sub(1));
        let etag = |etag: &String, unknown: bool| {
            let known = write.map(|write| write.etag.as_ref());
            known.map(|known| known.map_or(unknown, |known| known == etag))
        };
        match fact {
            Fact::Any => true,
            Fact::Absent => state == State::ABSENT,
            Fact::Present => state != State::ABSENT,
            Fact::Is(write) => state == *write,
            Fact::ETag(other) => etag(other, true).unwrap_or(false),
            Fact::ETagOrAbsent(other) => etag(other, true).unwrap_or(true),
            Fact::NotETag(other) => !etag(other, false).unwrap_or(false),
            Fact::Body(number) => {
                write.is_some_and(|write| write.body.is_none_or(|known| known == *number))
            }
        }
    }

    /// Whether what was read first, before any client came, is already wrong.
    fn is_lost(&self, history: &History) -> bool {
        let fits = |fact| history.states.iter().any(|state| self.holds(fact, *state));
        let first = history.operations.first();
        first.is_some_and(|first| first.to.is_none() && !fits(&first.fact))
    }

    /// The history of a key, for people.
    fn text(&self, key: usize, history: &History, refusal: &Refusal) -> String {
        let mut text = format!("{}: {refusal:?}", key_name(key));
        let _ = write!(text, "; before it was one of {:?}", history.states);
        let mut operations: Vec<_> = history.operations.iter().collect();
        operations.sort_by_key(|operation| operation.called);
        for operation in operations {
            let Operation {
                called,
                returned,
                fact,
                to,
            } = operation;
            let _ = write!(text, "\n  {called} to {returned:?}: {fact:?}");
            if let Some(to) = to {
                let etag = self.writes.get((to.0 as usize).wrapping_sub(1));
                let etag = etag.and_then(|write| write.etag.as_deref());
                let _ = write!(text, ", then {} {}", to.0, etag.unwrap_or_default());
            }
        }
        text
    }
}
