//! What every request did, as CloudTrail would record it: one JSON object a line.
//!
//! Where there is a file, events are handed over in memory and written by a thread of their own, so that a request
//! pays for a short lock and no more. Nothing is lost silently: when the thread falls behind, requests wait for it
//! ([`Audit::record`]) or the count of lost events grows ([`Audit::offer`]), as it does when the file cannot be
//! written. Where there is none, the latest events stay in memory, and there is no thread.
//!
//! Events name keys, buckets, objects, callers and encryption contexts. They have no place for plaintext,
//! ciphertext, signatures or secrets.

mod event;
mod file;
mod identity;
mod latest;
mod queue;
mod tls;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Deserialize;
use serde::Serialize;

pub use crate::audit::event::Category;
pub use crate::audit::event::Event;
pub use crate::audit::event::EventId;
pub use crate::audit::event::Fields;
pub use crate::audit::event::Resource;
use crate::audit::file::EventFile;
pub use crate::audit::identity::Identity;
pub use crate::audit::identity::SessionContext;
pub use crate::audit::identity::Source;
pub use crate::audit::latest::DeferredEvent;
use crate::audit::latest::Kept;
use crate::audit::latest::Latest;
use crate::audit::queue::Queue;
pub use crate::audit::tls::Tls;
pub use crate::audit::tls::TlsSession;
pub use crate::audit::tls::openssl_name;

/// Where audit events go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// File that gets one JSON line for every event; appended to. None: no file is written.
    pub file: Option<PathBuf>,

    /// How many of the latest management events stay in memory for queries.
    pub events_kept: usize,

    /// How many of the latest data events do.
    pub data_events_kept: usize,

    /// Events that may wait to be written to the file before requests of the KMS wait for it, and those of the gateway
    /// are not recorded.
    pub queue_events_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            events_kept: 10_000,
            data_events_kept: 1_000,
            queue_events_max: 16_384,
        }
    }
}

/// The audit trail of one process.
pub struct Audit {
    latest: Arc<Latest>,
    /// None where no file is written.
    writer: Option<Writer>,
}

/// The thread that writes the file, and the events on their way to it.
struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Audit {
    /// Opens the file, if one is configured, and starts the writer.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending, or no thread could be started.
    pub fn open(config: &Config) -> io::Result<Self> {
        let latest = Latest::new([config.events_kept, config.data_events_kept]);
        let latest = Arc::new(latest);
        let Some(file) = &config.file else {
            let writer = None;
            return Ok(Self { latest, writer });
        };
        let file = EventFile::open(file)?;
        let waiting_max = config.queue_events_max.max(1);
        let queue = Arc::new(Queue::new(waiting_max, Arc::clone(&latest)));
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn({
                let queue = Arc::clone(&queue);
                move || queue.run(file)
            })?;
        let thread = Some(thread);
        let writer = Some(Writer { queue, thread });
        Ok(Self { latest, writer })
    }

    /// Hands over one event. Waits only if the queue is full.
    pub fn record(&self, event: Event) {
        let event = Kept::Whole(Arc::new(event));
        match &self.writer {
            Some(writer) => writer.queue.push(event),
            None => self.latest.push(event),
        }
    }

    /// Hands over one event, for callers that wait for nothing. If the queue is full, the event counts among the
    /// lost ones, and false is returned.
    pub fn offer(&self, event: Event) -> bool {
        self.take(Kept::Whole(Arc::new(event)))
    }

    /// The same of an event that is made when somebody reads it, or by the thread that writes it.
    pub fn offer_deferred(&self, event: Arc<dyn DeferredEvent>) -> bool {
        self.take(Kept::Deferred(event))
    }

    fn take(&self, event: Kept) -> bool {
        match &self.writer {
            Some(writer) => writer.queue.offer(event),
            None => {
                self.latest.push(event);
                true
            }
        }
    }

    /// The latest management events that `wanted` takes, newest first, at most `limit`.
    ///
    /// Everything recorded before the call is seen.
    pub fn lookup(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        self.flush();
        self.latest.newest(Category::Management, limit, wanted)
    }

    /// The same of data events.
    pub fn lookup_data(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        self.flush();
        self.latest.newest(Category::Data, limit, wanted)
    }

    /// Waits until everything recorded so far is written.
    pub fn flush(&self) {
        if let Some(writer) = &self.writer {
            writer.queue.flush();
        }
    }

    /// Forgets the events in memory; the file's lines stay.
    pub fn clear(&self) {
        self.flush();
        self.latest.clear();
    }

    /// Events that could not be written to the file, and those that found the queue full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let writer = self.writer.as_ref();
        writer.map_or(0, |writer| writer.queue.lost())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to write.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
