//! The queue between requests and the thread that writes events to the file.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::audit::file::EventFile;
use crate::audit::latest::Kept;
use crate::audit::latest::Latest;

/// Events on their way to the file.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// The writer waits here for events.
    filled: Condvar,
    /// Requests wait here until there is space, and flushes for the writer to be done.
    drained: Condvar,
    /// Where they go once they are written.
    latest: Arc<Latest>,
    waiting_max: usize,
    lost: AtomicU64,
}

/// What the lock guards.
#[derive(Default)]
struct Waiting {
    events: Vec<Kept>,
    /// Events ever handed over.
    pushed: u64,
    /// Events the writer is done with.
    written: u64,
    /// Somebody waits for the writer, so it should not linger.
    urgent: bool,
    closed: bool,
}

impl Queue {
    /// An empty queue before `latest`.
    pub(crate) fn new(waiting_max: usize, latest: Arc<Latest>) -> Self {
        Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            latest,
            waiting_max,
            lost: AtomicU64::new(0),
        }
    }

    /// Adds an event; waits while the queue is full.
    pub(crate) fn push(&self, event: Kept) {
        let mut waiting = lock(&self.waiting);
        while waiting.events.len() >= self.waiting_max && !waiting.closed {
            waiting.urgent = true;
            self.filled.notify_one();
            waiting = wait(&self.drained, waiting);
        }

        self.add(&mut waiting, event);
    }

    /// Adds an event unless the queue is full, when it counts as lost; whether it was added.
    pub(crate) fn offer(&self, event: Kept) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.events.len() >= self.waiting_max {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.add(&mut waiting, event);
        true
    }

    fn add(&self, waiting: &mut Waiting, event: Kept) {
        waiting.events.push(event);
        waiting.pushed += 1;
        // The writer only sleeps on an empty queue, so only the first event must wake it.
        if waiting.events.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Waits until every event pushed before the call is written.
    pub(crate) fn flush(&self) {
        let mut waiting = lock(&self.waiting);
        let target = waiting.pushed;
        while waiting.written < target && !waiting.closed {
            waiting.urgent = true;
            self.filled.notify_one();
            waiting = wait(&self.drained, waiting);
        }
    }

    /// Events that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Lets the writer end once it has written what waits.
    pub(crate) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.filled.notify_one();
        self.drained.notify_all();
    }

    /// The writer's thread: takes what waits in one go, until the queue is closed.
    pub(crate) fn run(&self, mut file: EventFile) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            let count = batch.len();
            let lost = file.append(&batch);
            self.lost.fetch_add(lost, Ordering::Relaxed);

            for event in batch.drain(..) {
                self.latest.push(event);
            }
            let mut waiting = lock(&self.waiting);
            waiting.written += u64::try_from(count).unwrap_or_default();
            drop(waiting);
            self.drained.notify_all();
        }
    }

    /// Swaps the waiting events into the empty `batch`; false once closed and empty.
    fn take(&self, batch: &mut Vec<Kept>) -> bool {
        let mut waiting = lock(&self.waiting);
        while waiting.events.is_empty() {
            if waiting.closed {
                return false;
            }

            waiting = wait(&self.filled, waiting);
        }

        // Under load, many events are taken at once instead of one wake-up for each.
        if !waiting.urgent && !waiting.closed {
            let lingered = self.filled.wait_timeout(waiting, LINGER);
            waiting = lingered.unwrap_or_else(PoisonError::into_inner).0;
        }

        waiting.urgent = false;
        std::mem::swap(&mut waiting.events, batch);
        self.drained.notify_all();
        true
    }
}

/// Takes a lock. A thread that panicked holding it left whole events behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a signal, giving the lock up meanwhile.
fn wait<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    signal.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// How long the writer lets events gather before it takes them. Each time costs the two threads a wake-up: with 5 ms it
/// was a thirtieth of a small request.
const LINGER: Duration = Duration::from_millis(20);
