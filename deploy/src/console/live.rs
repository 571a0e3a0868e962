//! Figures that move: a sample each second while somebody looks, and the stream of them (Server-Sent Events).
//!
//! One sampler serves all viewers, and its message is rendered once for all of them. It begins with the first page
//! that shows figures, and ends when no stream is open and no such page was requested for two minutes.
//!
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use proto::pages::PageBody;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::console::history::History;
use crate::console::history::Totals;
use crate::console::sources::Sources;

/// The sampler and its streams.
pub(super) struct Live {
    state: Mutex<State>,
    message: watch::Sender<Bytes>,
    seats: Arc<Semaphore>,
    render: fn(&History) -> String,
}

struct State {
    history: History,
    looked: Instant,
    is_sampling: bool,
    began: Instant,
}

impl Live {
    /// One that samples nothing yet, and whose messages are what `render` makes of what was seen.
    pub(super) fn new(render: fn(&History) -> String) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                history: History::default(),
                looked: now,
                is_sampling: false,
                began: now,
            }),
            message: watch::Sender::new(Bytes::new()),
            seats: Arc::new(Semaphore::new(STREAMS_MAX)),
            render,
        }
    }

    /// What was seen so far, up to now. Sampling goes on for a while.
    pub(super) fn look<T>(
        self: &Arc<Self>,
        sources: &Arc<Sources>,
        read: impl FnOnce(&History) -> T,
    ) -> T {
        let mut state = self.lock();
        state.looked = Instant::now();
        if !state.is_sampling {
            state.is_sampling = true;
            sample(&mut state, sources);
            tokio::spawn(run(Arc::downgrade(self), Arc::downgrade(sources)));
        } else {
            // Rates that a form changed just now are shown.
            state.history.set_usage(sources.usage());
        }
        read(&state.history)
    }

    /// A stream of messages until `stop`; none if there are too many.
    pub(super) fn stream(
        self: &Arc<Self>,
        sources: &Arc<Sources>,
        stop: CancellationToken,
    ) -> Option<PageBody> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        self.look(sources, |_| ());
        let stream = Stream {
            messages: self.message.subscribe(),
            stop,
            _seat: seat,
        };
        let frames = stream::unfold(stream, |mut stream| async move {
            let message = stream.next().await?;
            Some((Ok::<_, Infallible>(Frame::data(message)), stream))
        });
        Some(StreamBody::new(frames).boxed_unsync())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample; false once nobody looks any more.
    fn tick(&self, sources: &Sources) -> bool {
        let mut state = self.lock();
        let is_watched = self.message.receiver_count() > 0;
        if !is_watched && state.looked.elapsed() >= LINGER {
            state.is_sampling = false;
            return false;
        }
        sample(&mut state, sources);
        if is_watched {
            let message = format!("data: {}\n\n", (self.render)(&state.history));
            self.message.send_replace(Bytes::from(message));
        }
        true
    }
}

/// A viewer's stream.
struct Stream {
    messages: watch::Receiver<Bytes>,
    stop: CancellationToken,
    _seat: OwnedSemaphorePermit,
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        let changed = self.stop.run_until_cancelled(self.messages.changed()).await;
        matches!(changed, Some(Ok(()))).then(|| self.messages.borrow_and_update().clone())
    }
}

/// Samples each second, until nobody looks or there is nothing to look at any more.
async fn run(live: Weak<Live>, sources: Weak<Sources>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (Some(live), Some(sources)) = (live.upgrade(), sources.upgrade()) else {
            return;
        };
        if !live.tick(&sources) {
            return;
        }
    }
}

fn sample(state: &mut State, sources: &Sources) {
    let now_ms = u64::try_from(state.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (s3, s3_failed) = sources.requests().unwrap_or_default();
    let (kms, kms_failed) = sources.calls().unwrap_or_default();
    let totals = Totals {
        s3,
        s3_failed,
        kms,
        kms_failed,
    };
    state.history.add(now_ms, totals, sources.usage());
}

/// From one sample to the next.
const EVERY: Duration = Duration::from_secs(1);

/// How long sampling goes on after a page was requested that shows what it saw.
const LINGER: Duration = Duration::from_secs(120);

/// Most streams at a time.
const STREAMS_MAX: usize = 16;
