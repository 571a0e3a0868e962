//! The open loop: requests are sent when they are due, by clients that retry as SDKs do.
//!
//! It has a thread of its own. Each millisecond it starts what became due since the last one.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proto::time::Clock as _;
use proto::time::SystemClock;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::LocalSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::load::call::Call;
use crate::load::call::Signer;
use crate::load::connections::Connections;
use crate::load::recorder::ClientSecond;
use crate::load::recorder::Recorder;
use crate::load::recorder::Totals;
use crate::retry::AttemptOutcome;
use crate::retry::Attempts;
use crate::retry::Client;
use crate::retry::Decision;
use crate::retry::Policy;
use crate::schedule::Schedule;

/// What a generator does.
pub(super) struct Work {
    /// Requests and their weights.
    pub(super) calls: Vec<(Call, u32)>,
    /// Who signs them.
    pub(super) signer: Signer,
    /// When they are due, since the start.
    pub(super) schedule: Schedule,
    /// When requests are due that warm up and are not counted, before the start.
    pub(super) warmup: Schedule,
    /// How long that lasts.
    pub(super) warmup_for: Duration,
    /// How long the schedule lasts.
    pub(super) duration: Duration,
    /// How clients retry.
    pub(super) retry: Policy,
    /// How many clients share the requests.
    pub(super) clients: u32,
    /// Most connections.
    pub(super) connections: u32,
    /// The seed of operations and jitter.
    pub(super) seed: u64,
}

/// Runs the work on the current thread. Time 0 is `start`; each full second goes to `finished`.
///
/// # Errors
///
/// When the thread's runtime cannot be made.
pub(super) fn run(
    work: Work,
    start: Instant,
    finished: UnboundedSender<ClientSecond>,
    stop: &CancellationToken,
) -> anyhow::Result<Totals> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    let recorder = Rc::new(RefCell::new(Recorder::new(finished)));
    let generate = generate(work, start, Rc::clone(&recorder), stop);
    local.block_on(&runtime, generate);
    // What still runs after the end by force goes with its tasks.
    drop(local);
    let recorder = Rc::into_inner(recorder);
    let recorder = recorder.ok_or_else(|| anyhow::anyhow!("a request outlived its run"))?;
    Ok(recorder.into_inner().into_totals())
}

/// What the requests of a run share.
struct Shared {
    calls: Vec<Call>,
    signer: Signer,
    connections: Connections,
    clients: Vec<RefCell<Client>>,
    recorder: Rc<RefCell<Recorder>>,
    start: Instant,
}

async fn generate(
    work: Work,
    start: Instant,
    recorder: Rc<RefCell<Recorder>>,
    stop: &CancellationToken,
) {
    let (calls, weights): (Vec<_>, Vec<_>) = work.calls.into_iter().unzip();
    let client = |number: u32| {
        let seed = work.seed.wrapping_add(u64::from(number));
        RefCell::new(Client::new(work.retry, seed))
    };
    let shared = Rc::new(Shared {
        calls,
        connections: Connections::new(&work.signer.host, work.connections),
        signer: work.signer,
        clients: (0..work.clients).map(client).collect(),
        recorder,
        start,
    });
    let mut choice = Choice {
        weights,
        random: fastrand::Rng::with_seed(work.seed),
    };
    let warmup_from = start.checked_sub(work.warmup_for).unwrap_or(start);
    for due in work.warmup {
        let due = warmup_from + due;
        if stop.is_cancelled() || due >= start {
            break;
        }
        tokio::time::sleep_until(due).await;
        tokio::task::spawn_local(warm_up(Rc::clone(&shared), choice.next()));
    }
    let mut number = 0;
    for due in work.schedule {
        let due_at = start + due;
        while Instant::now() < due_at && !stop.is_cancelled() {
            let tick = Instant::now() + TICK;
            tokio::select! {
                () = tokio::time::sleep_until(due_at.min(tick)) => {}
                () = stop.cancelled() => {}
            }
            shared.advance();
        }
        if stop.is_cancelled() {
            break;
        }
        shared.advance();
        let late = due_at.elapsed();
        let call = choice.next();
        if shared.recorder.borrow_mut().start(due, late) {
            tokio::task::spawn_local(request(Rc::clone(&shared), number, call, due_at));
        }
        number = (number + 1) % shared.clients.len().max(1);
        // So many may be due at once that their answers would wait.
        if late > TICK {
            tokio::task::yield_now().await;
        }
    }
    drain(&shared, start + work.duration, stop).await;
}

/// Waits until every request has ended, for a while, and then until the second is full.
async fn drain(shared: &Shared, end: Instant, stop: &CancellationToken) {
    let last = end + DRAIN_MAX;
    loop {
        let now = Instant::now();
        shared.advance();
        let is_idle = shared.recorder.borrow().in_flight() == 0;
        if stop.is_cancelled() || now >= last || (is_idle && now >= end) {
            break;
        }
        tokio::time::sleep(TICK * 5).await;
    }
    let since = shared.start.elapsed();
    let full = Duration::from_secs(since.as_secs() + 1);
    shared.recorder.borrow_mut().advance(full);
}

/// Which request is next.
struct Choice {
    weights: Vec<u32>,
    random: fastrand::Rng,
}

impl Choice {
    fn next(&mut self) -> usize {
        let all: u32 = self.weights.iter().sum();
        let mut ticket = self.random.u32(0..all.max(1));
        let at = self.weights.iter().position(|weight| {
            let is_here = ticket < *weight;
            ticket = ticket.saturating_sub(*weight);
            is_here
        });
        at.unwrap_or_default()
    }
}

impl Shared {
    fn advance(&self) {
        // Before the start, nothing has elapsed.
        self.recorder.borrow_mut().advance(self.start.elapsed());
    }

    fn sent(&self, call: &Call, is_first: bool) {
        self.advance();
        self.recorder.borrow_mut().send(call.operation, is_first);
    }

    fn answered(&self, outcome: AttemptOutcome, code: Option<String>, took: Duration) {
        self.advance();
        self.recorder.borrow_mut().answer(outcome, code, took);
    }

    fn finished(&self, served: bool, from_due: Duration) {
        self.recorder.borrow_mut().finish(served, from_due);
    }

    fn decide(
        &self,
        client: &RefCell<Client>,
        attempts: &mut Attempts,
        outcome: AttemptOutcome,
    ) -> Decision {
        client.borrow_mut().after(self.now_s(), attempts, outcome)
    }

    fn now_s(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Makes one attempt.
    async fn attempt(&self, call: &Call) -> (AttemptOutcome, Option<String>) {
        let request = match call.request(&self.signer, SystemClock.now()) {
            Ok(request) => request,
            Err(error) => return (AttemptOutcome::Refused, Some(error.to_string())),
        };
        match self.connections.send(request).await {
            Ok(answer) => answer.outcome(),
            Err(_) => (AttemptOutcome::Transient, Some(BROKEN.to_owned())),
        }
    }
}

/// Opens a connection, and has what the service needs first.
async fn warm_up(shared: Rc<Shared>, call: usize) {
    if let Some(call) = shared.calls.get(call) {
        shared.attempt(call).await;
    }
}

/// One request, until it is served or its client gives up.
async fn request(shared: Rc<Shared>, client: usize, call: usize, due: Instant) {
    let (Some(client), Some(call)) = (shared.clients.get(client), shared.calls.get(call)) else {
        return;
    };
    let mut attempts = Attempts::default();
    loop {
        // The borrow must not last while it waits.
        let leave = || client.borrow_mut().acquire(shared.now_s());
        while let Some(wait) = leave() {
            tokio::time::sleep(wait).await;
        }
        shared.sent(call, attempts.ended == 0);
        let sent = Instant::now();
        let (outcome, code) = shared.attempt(call).await;
        shared.answered(outcome, code, sent.elapsed());
        let decision = shared.decide(client, &mut attempts, outcome);
        match decision {
            Decision::Retry(wait) => tokio::time::sleep(wait).await,
            Decision::Finish => {
                let served = outcome == AttemptOutcome::Served;
                return shared.finished(served, due.elapsed());
            }
        }
    }
}

/// How long the generator sleeps at most.
const TICK: Duration = Duration::from_millis(1);

/// How long retries may go on after the last request was due.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// The code of an attempt without an answer.
const BROKEN: &str = "ConnectionError";
