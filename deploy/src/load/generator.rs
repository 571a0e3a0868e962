//! The open loop: requests are sent when they are due, by clients that retry as SDKs do.
//!
//! It has a thread of its own. Each millisecond it starts what became due since the last one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::rc::Rc;
use std::time::Duration;

use proto::time::Clock as _;
use proto::time::SystemClock;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::LocalSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::load::call::Call;
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
    /// What is sent at once.
    pub(super) streams: Vec<Stream>,
    /// How long warming up lasts.
    pub(super) warmup_for: Duration,
    /// How long requests are due.
    pub(super) duration: Duration,
    /// Most connections to a service.
    pub(super) connections: u32,
    /// The seed of operations and jitter.
    pub(super) seed: u64,
}

/// Requests of one kind, and the clients that share them.
pub(super) struct Stream {
    /// Requests and their weights.
    pub(super) calls: Vec<(Call, u32)>,
    /// Requests that warm up and are not counted.
    pub(super) warmup_calls: Vec<Call>,
    /// When requests are due, since the start.
    pub(super) schedule: Schedule,
    /// When those are due that warm up, since the beginning of that.
    pub(super) warmup: Schedule,
    /// How clients retry.
    pub(super) retry: Policy,
    /// How many clients share the requests.
    pub(super) clients: u32,
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
    let recorder = Recorder::new(finished, work.streams.len());
    let recorder = Rc::new(RefCell::new(recorder));
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
    streams: Vec<SharedStream>,
    /// By host and port.
    connections: BTreeMap<String, Connections>,
    recorder: Rc<RefCell<Recorder>>,
    start: Instant,
}

/// What the requests of a stream share.
struct SharedStream {
    calls: Vec<Call>,
    warmup_calls: Vec<Call>,
    clients: Vec<RefCell<Client>>,
}

/// What decides the next request of a stream.
struct Source {
    schedule: Peekable<Schedule>,
    warmup: Peekable<Schedule>,
    choice: Choice,
    /// The next client.
    client: usize,
}

async fn generate(
    work: Work,
    start: Instant,
    recorder: Rc<RefCell<Recorder>>,
    stop: &CancellationToken,
) {
    let (mut streams, mut sources) = (Vec::new(), Vec::new());
    for (number, stream) in (0_u64..).zip(work.streams) {
        let (stream, source) = stream.into_parts(work.seed.wrapping_add(number << 32));
        streams.push(stream);
        sources.push(source);
    }
    let calls = streams.iter().flat_map(|stream| &stream.calls);
    let hosts = calls.map(|call| call.signer.host.clone());
    let open = |host: String| (host.clone(), Connections::new(&host, work.connections));
    let shared = Rc::new(Shared {
        connections: hosts.map(open).collect(),
        streams,
        recorder,
        start,
    });
    let warmup_from = start.checked_sub(work.warmup_for).unwrap_or(start);
    let warm = |source: &mut Source| source.warmup.peek().copied();
    while let Some((stream, due)) = earliest(&mut sources, warm) {
        let due = warmup_from + due;
        if stop.is_cancelled() || due + WARMUP_PAUSE >= start {
            break;
        }
        tokio::time::sleep_until(due).await;
        if let Some(source) = sources.get_mut(stream) {
            source.warmup.next();
            let call = source.choice.next();
            tokio::task::spawn_local(warm_up(Rc::clone(&shared), stream, call));
        }
    }
    let counted = |source: &mut Source| source.schedule.peek().copied();
    while let Some((stream, due)) = earliest(&mut sources, counted) {
        wait_until(&shared, start + due, stop).await;
        if stop.is_cancelled() {
            break;
        }
        shared.advance();
        let Some(source) = sources.get_mut(stream) else {
            break;
        };
        let late = source.start(&shared, stream, due);
        // So many may be due at once that their answers would wait.
        if late > TICK {
            tokio::task::yield_now().await;
        }
    }
    drain(&shared, start + work.duration, stop).await;
}

/// The stream whose next request is due first, and when.
fn earliest(
    sources: &mut [Source],
    next: impl Fn(&mut Source) -> Option<Duration>,
) -> Option<(usize, Duration)> {
    let due = sources.iter_mut().enumerate();
    let due = due.filter_map(|(stream, source)| Some((stream, next(source)?)));
    due.min_by_key(|(_, due)| *due)
}

/// Waits until a time; the seconds until then go to whom they are reported.
async fn wait_until(shared: &Shared, at: Instant, stop: &CancellationToken) {
    while Instant::now() < at && !stop.is_cancelled() {
        let tick = Instant::now() + TICK;
        tokio::select! {
            () = tokio::time::sleep_until(at.min(tick)) => {}
            () = stop.cancelled() => {}
        }
        shared.advance();
    }
}

impl Stream {
    /// What its requests share, and what decides the next one.
    fn into_parts(self, seed: u64) -> (SharedStream, Source) {
        let (calls, weights): (Vec<_>, Vec<_>) = self.calls.into_iter().unzip();
        let client = |number: u32| {
            let seed = seed.wrapping_add(u64::from(number));
            RefCell::new(Client::new(self.retry, seed))
        };
        let source = Source {
            schedule: self.schedule.peekable(),
            warmup: self.warmup.peekable(),
            choice: Choice::new(&weights, seed),
            client: 0,
        };
        let stream = SharedStream {
            calls,
            warmup_calls: self.warmup_calls,
            clients: (0..self.clients).map(client).collect(),
        };
        (stream, source)
    }
}

impl Source {
    /// Starts the request that is due at `due`; returns how late that is.
    fn start(&mut self, shared: &Rc<Shared>, stream: usize, due: Duration) -> Duration {
        self.schedule.next();
        let due_at = shared.start + due;
        let late = due_at.elapsed();
        let place = Place {
            stream,
            client: self.client,
            call: self.choice.next(),
        };
        if shared.recorder.borrow_mut().start(stream, due, late) {
            tokio::task::spawn_local(request(Rc::clone(shared), place, due_at));
        }
        let clients = shared.streams.get(stream).map_or(1, |it| it.clients.len());
        self.client = (self.client + 1) % clients.max(1);
        late
    }
}

/// Which request, and by which client.
#[derive(Clone, Copy)]
struct Place {
    stream: usize,
    client: usize,
    call: usize,
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
    /// For each request, the weights up to and with its own.
    weights: Vec<u64>,
    random: fastrand::Rng,
}

impl Choice {
    fn new(weights: &[u32], seed: u64) -> Self {
        let sums = weights.iter().scan(0, |sum, weight| {
            *sum += u64::from(*weight);
            Some(*sum)
        });
        Self {
            weights: sums.collect(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn next(&mut self) -> usize {
        let all = self.weights.last().copied().unwrap_or_default();
        let ticket = self.random.u64(0..all.max(1));
        self.weights.partition_point(|sum| *sum <= ticket)
    }
}

impl Shared {
    fn advance(&self) {
        // Before the start, nothing has elapsed.
        self.recorder.borrow_mut().advance(self.start.elapsed());
    }

    fn sent(&self, stream: usize, call: &Call, is_first: bool) {
        self.advance();
        let mut recorder = self.recorder.borrow_mut();
        recorder.send(stream, call.operation, is_first);
    }

    fn answered(
        &self,
        stream: usize,
        call: &Call,
        (outcome, code): (AttemptOutcome, Option<String>),
        took: Duration,
    ) {
        self.advance();
        let mut recorder = self.recorder.borrow_mut();
        recorder.answer(stream, call.operation, outcome, code, took);
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
        let request = match call.request(SystemClock.now()) {
            Ok(request) => request,
            Err(error) => return (AttemptOutcome::Refused, Some(error.to_string())),
        };
        let Some(connections) = self.connections.get(&call.signer.host) else {
            return (AttemptOutcome::Refused, Some(BROKEN.to_owned()));
        };
        match connections.send(request).await {
            Ok(answer) => answer.outcome_of(call.answer_bytes),
            Err(_) => (AttemptOutcome::Transient, Some(BROKEN.to_owned())),
        }
    }
}

/// Opens a connection, and has what the service needs first.
async fn warm_up(shared: Rc<Shared>, stream: usize, call: usize) {
    let Some(stream) = shared.streams.get(stream) else {
        return;
    };
    let calls = match stream.warmup_calls.is_empty() {
        true => &stream.calls,
        false => &stream.warmup_calls,
    };
    if let Some(call) = calls.get(call % calls.len().max(1)) {
        shared.attempt(call).await;
    }
}

/// One request, until it is served or its client gives up.
async fn request(shared: Rc<Shared>, place: Place, due: Instant) {
    let stream = place.stream;
    let Some(SharedStream { clients, calls, .. }) = shared.streams.get(stream) else {
        return;
    };
    let (Some(client), Some(call)) = (clients.get(place.client), calls.get(place.call)) else {
        return;
    };
    let mut attempts = Attempts::default();
    loop {
        // The borrow must not last while it waits.
        let leave = || client.borrow_mut().acquire(shared.now_s());
        while let Some(wait) = leave() {
            tokio::time::sleep(wait).await;
        }
        shared.sent(stream, call, attempts.ended == 0);
        let sent = Instant::now();
        let (outcome, code) = shared.attempt(call).await;
        shared.answered(stream, call, (outcome, code), sent.elapsed());
        let decision = shared.decide(client, &mut attempts, outcome);
        match decision {
            Decision::Retry(wait) => tokio::time::sleep(wait).await,
            Decision::Finish => {
                let served = outcome == AttemptOutcome::Served;
                let mut recorder = shared.recorder.borrow_mut();
                return recorder.finish(stream, served, due.elapsed());
            }
        }
    }
}

/// How long the generator sleeps at most.
const TICK: Duration = Duration::from_millis(1);

/// How long before the start warming up ends, so that what is counted then is not part of it.
pub(super) const WARMUP_PAUSE: Duration = Duration::from_millis(400);

/// How long retries may go on after the last request was due.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// The code of an attempt without an answer.
const BROKEN: &str = "ConnectionError";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_chosen_by_their_weights_and_a_seed_repeats_them() {
        let choices = || {
            let mut choice = Choice::new(&[8, 0, 2], 7);
            std::iter::repeat_with(move || choice.next()).take(10_000)
        };
        let count = |wanted| choices().filter(|choice| *choice == wanted).count();
        assert!(count(0).abs_diff(8_000) < 200, "{}", count(0));
        assert_eq!((count(1), count(0) + count(2)), (0, 10_000));
        assert!(choices().eq(choices()));
    }
}
