//! The queue between requests and the thread that stores and writes events.

use std::collections::VecDeque;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufWriter;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::audit::event::Event;

/// Events on their way to the writer, and the latest ones.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// The writer waits here for events.
    filled: Condvar,
    /// Requests wait here until there is space, and flushes for the writer to be done.
    drained: Condvar,
    latest: Mutex<VecDeque<Arc<Event>>>,
    waiting_max: usize,
    latest_max: usize,
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
    /// An empty queue.
    pub(crate) fn new(waiting_max: usize, latest_max: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            latest: Mutex::default(),
            waiting_max,
            latest_max,
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

    /// The newest events that `wanted` takes.
    pub(crate) fn newest(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        let latest = lock(&self.latest);
        latest
            .iter()
            .rev()
            .filter(|event| wanted(event))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Forgets the latest events.
    pub(crate) fn clear(&self) {
        lock(&self.latest).clear();
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
    pub(crate) fn run(&self, file: Option<File>) {
        let mut file = file.map(BufWriter::new);
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            let count = batch.len();
            if let Some(file) = &mut file {
                self.write(file, &batch);
            }

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

    /// Writes a batch as lines.
    fn write(&self, file: &mut BufWriter<File>, batch: &[Arc<Event>]) {
        let mut write = || -> io::Result<()> {
            for event in batch {
                serde_json::to_writer(&mut *file, &**event)?;
                file.write_all(b"\n")?;
            }

            file.flush()
        };
        if let Err(error) = write() {
            let count = u64::try_from(batch.len()).unwrap_or_default();
            self.lost.fetch_add(count, Ordering::Relaxed);
            tracing::error!(%error, count, "audit events could not be written");
        }
    }

    /// Moves a batch into the ring of the latest events.
    fn store(&self, batch: &mut Vec<Arc<Event>>) {
        let skipped = batch.len().saturating_sub(self.latest_max);
        let mut latest = lock(&self.latest);
        for event in batch.drain(..).skip(skipped) {
            if latest.len() >= self.latest_max {
                latest.pop_front();
            }

            latest.push_back(event);
        }
    }
}

/// Opens the file that lines are appended to. Only its owner may read it.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes a lock. A thread that panicked holding it left whole events behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a signal, giving the lock up meanwhile.
fn wait<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    signal.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// How long the writer lets events gather before it takes them.
const LINGER: Duration = Duration::from_millis(5);
