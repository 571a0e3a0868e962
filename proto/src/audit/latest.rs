//! The latest events, in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::audit::event::Category;
use crate::audit::event::Event;

/// What an event can be made of later: what is recorded of most requests is never read, and making an event of it
/// costs more than the rest of the record.
pub trait DeferredEvent: Send + Sync {
    /// The category of the event.
    fn category(&self) -> Category;

    /// The event, the same each time.
    fn event(&self) -> Event;
}

/// An event as it is kept.
#[derive(Clone)]
pub(crate) enum Kept {
    /// As it will be read.
    Whole(Arc<Event>),
    /// Made when somebody reads it.
    Deferred(Arc<dyn DeferredEvent>),
}

impl Kept {
    fn category(&self) -> Category {
        match self {
            Self::Whole(event) => event.category,
            Self::Deferred(deferred) => deferred.category(),
        }
    }

    /// The event.
    pub(crate) fn event(&self) -> Arc<Event> {
        match self {
            Self::Whole(event) => Arc::clone(event),
            Self::Deferred(deferred) => Arc::new(deferred.event()),
        }
    }
}

/// The latest events of each category: the many of one do not push out the few of the other.
pub(crate) struct Latest {
    management: Ring,
    data: Ring,
}

impl Latest {
    /// None yet. `events_max`: how many management and how many data events stay.
    pub(crate) const fn new([management, data]: [usize; 2]) -> Self {
        Self {
            management: Ring::new(management),
            data: Ring::new(data),
        }
    }

    /// Adds an event.
    pub(crate) fn push(&self, event: Kept) {
        let pushed_out = self.of(event.category()).push(event);
        // Not before the lock is given up.
        drop(pushed_out);
    }

    /// The newest events of a category that `wanted` takes.
    pub(crate) fn newest(
        &self,
        category: Category,
        limit: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> Vec<Arc<Event>> {
        // Copied, so that requests do not wait while events are made and looked at.
        let kept: Vec<_> = self.of(category).lock().iter().cloned().collect();
        kept.iter()
            .rev()
            .map(Kept::event)
            .filter(|event| wanted(event))
            .take(limit)
            .collect()
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        self.management.lock().clear();
        self.data.lock().clear();
    }

    const fn of(&self, category: Category) -> &Ring {
        match category {
            Category::Management => &self.management,
            Category::Data => &self.data,
        }
    }
}

/// The latest events of one category.
struct Ring {
    events: Mutex<VecDeque<Kept>>,
    events_max: usize,
}

impl Ring {
    const fn new(events_max: usize) -> Self {
        Self {
            events: Mutex::new(VecDeque::new()),
            events_max,
        }
    }

    /// Adds an event; returns the one that has to go for it.
    fn push(&self, event: Kept) -> Option<Kept> {
        if self.events_max == 0 {
            return Some(event);
        }
        let mut events = self.lock();
        let pushed_out = match events.len() >= self.events_max {
            true => events.pop_front(),
            false => None,
        };
        events.push_back(event);
        pushed_out
    }

    /// A thread that panicked holding the lock left whole events behind.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
