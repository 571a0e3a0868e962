//! The queue between requests and the thread that stores and writes events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::audit::event::Category;
use crate::audit::event::Event;
use crate::audit::file::EventFile;

/// Events on their way to the writer, and the latest ones.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// The writer waits here for events.
    filled: Condvar,
    /// Requests wait here until there is space, and flushes for the writer to be done.
    drained: Condvar,
    latest: Mutex<Latest>,
    waiting_max: usize,
    lost: AtomicU64,
}

/// What the lock guards.
#[derive(Default)]
struct Waiting {
    events: Vec<Arc<Event>>,
    /// Events ever handed over.
    pushed: u64,
    /// Events the writer is done with.
    written: u64,
    /// Somebody waits for the writer, so it should not linger.
    urgent: bool,
    closed: bool,
}

impl Queue {
    /// An empty queue. `latest_max`: how many management and how many data events stay in memory.
    pub(crate) fn new(waiting_max: usize, latest_max: [usize; 2]) -> Self {
        let [management, data] = latest_max.map(Ring::new);
        Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            latest: Mutex::new(Latest { management, data }),
            waiting_max,
            lost: AtomicU64::new(0),
        }
    }

    /// Adds an event; waits while the queue is full.
    pub(crate) fn push(&self, event: Arc<Event>) {
        let mut waiting = lock(&self.waiting);
        while waiting.events.len() >= self.waiting_max && !waiting.closed {
            waiting.urgent = true;
            self.filled.notify_one();
            waiting = wait(&self.drained, waiting);
        }

        self.add(&mut waiting, event);
    }

    /// Adds an event unless the queue is full, when it counts as lost; whether it was added.
    pub(crate) fn offer(&self, event: Arc<Event>) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.events.len() >= self.waiting_max {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.add(&mut waiting, event);
        true
    }

    fn add(&self, waiting: &mut Waiting, event: Arc<Event>) {
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

    /// The newest events of a category that `wanted` takes.
    pub(crate) fn newest(
        &self,
        category: Category,
        limit: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> Vec<Arc<Event>> {
        let mut latest = lock(&self.latest);
        let ring = latest.of(category);
        ring.events
            .iter()
            .rev()
            .filter(|event| wanted(event))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Forgets the latest events.
    pub(crate) fn clear(&self) {
        let mut latest = lock(&self.latest);
        latest.management.events.clear();
        latest.data.events.clear();
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
    pub(crate) fn run(&self, mut file: Option<EventFile>) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            let count = batch.len();
            let lost = file.as_mut().map_or(0, |file| file.append(&batch));
            self.lost.fetch_add(lost, Ordering::Relaxed);

            self.store(&mut batch);
            let mut waiting = lock(&self.waiting);
            waiting.written += u64::try_from(count).unwrap_or_default();
            drop(waiting);
            self.drained.notify_all();
        }
    }

    /// Swaps the waiting events into the empty `batch`; false once closed and empty.
    fn take(&self, batch: &mut Vec<Arc<Event>>) -> bool {
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

    /// Moves a batch into the rings of the latest events.
    fn store(&self, batch: &mut Vec<Arc<Event>>) {
        let mut latest = lock(&self.latest);
        for event in batch.drain(..) {
            latest.of(event.category).push(event);
        }
    }
}

/// The latest events of each category.
struct Latest {
    management: Ring,
    data: Ring,
}

impl Latest {
    const fn of(&mut self, category: Category) -> &mut Ring {
        match category {
            Category::Management => &mut self.management,
            Category::Data => &mut self.data,
        }
    }
}

/// The latest events of one category: the many of one do not push out the few of the other.
struct Ring {
    events: VecDeque<Arc<Event>>,
    events_max: usize,
}

impl Ring {
    const fn new(events_max: usize) -> Self {
        Self {
            events: VecDeque::new(),
            events_max,
        }
    }

    fn push(&mut self, event: Arc<Event>) {
        if self.events_max == 0 {
            return;
        }
        if self.events.len() >= self.events_max {
            self.events.pop_front();
        }
        self.events.push_back(event);
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
