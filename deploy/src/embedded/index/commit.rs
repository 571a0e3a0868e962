//! One thread that makes all changes: it takes those that wait, makes them in one transaction, and
//! answers all once that is durable. So a disk that syncs a thousand times a second takes many
//! thousand changes a second.
//!
//! A change that finds a damaged record, or panics, fails alone as long as it changed nothing before;
//! else its transaction is not made, and whoever shared it gets an error, too. The thread lives on.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use redb::Database;
use tokio::sync::oneshot;

use crate::embedded::bodies::Bodies;
use crate::embedded::bodies::NewFile;
use crate::embedded::disk::FileId;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::Open;
use crate::embedded::index::tables::Tables;

/// The way to the thread. It ends when this is dropped.
pub(super) struct Writer {
    changes: Option<mpsc::Sender<Work>>,
    /// The thread, and the one that removes files, which ends after it.
    threads: Vec<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(file: Arc<Open>, bodies: Arc<Bodies>) -> Outcome<Self> {
        let (changes, waiting) = mpsc::channel();
        let (released, removable) = mpsc::channel::<Vec<FileId>>();
        let remover = Arc::clone(&bodies);
        // Removing a large file takes long, and no commit waits for it.
        let removing = thread::Builder::new()
            .name("bodies-remover".to_owned())
            .spawn(move || {
                for id in removable.into_iter().flatten() {
                    // What it did not remove is swept later.
                    let _ = catch_unwind(AssertUnwindSafe(|| remover.remove(id)));
                }
            })?;
        let committer = Committer {
            file,
            bodies,
            released,
        };
        let writing = thread::Builder::new()
            .name("index-writer".to_owned())
            .spawn(move || committer.run(&waiting))?;
        Ok(Self {
            changes: Some(changes),
            threads: vec![writing, removing],
        })
    }

    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            change: Some(change),
            outcome: None,
            answer,
        };
        let stopped = || Fault::Storage("the index was closed, or failed in an unknown way".into());
        let changes = self.changes.as_ref().ok_or_else(stopped)?;
        let work = Work::Change(Box::new(pending));
        changes.send(work).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Has the index left so that it opens quickly, after all changes that wait.
    pub(super) async fn settle(&self) {
        let (answer, answered) = oneshot::channel();
        if let Some(changes) = &self.changes
            && changes.send(Work::Settle(answer)).is_ok()
        {
            // The thread is gone only if it panicked; then there is nothing to wait for.
            let _ = answered.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.changes = None;
        // The disk is closed, and can be opened again, once both have ended.
        for thread in self.threads.drain(..) {
            // If it panicked, there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

/// What the thread is to do.
enum Work {
    Change(Box<dyn Change>),
    /// Leaving the index so that it opens quickly; answered once it is.
    Settle(oneshot::Sender<()>),
}

/// A change that waits.
trait Change: Send {
    /// Makes it; why it failed, if it failed. Refusing is no failure.
    fn make(&mut self, tables: &mut Tables<'_>) -> Outcome<()>;
    /// Lets it fail alone.
    fn fail(&mut self, fault: Fault);
    /// Returns its outcome, or the storage's failure.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

struct Pending<C, T> {
    change: Option<C>,
    outcome: Option<Outcome<T>>,
    answer: oneshot::Sender<Outcome<T>>,
}

impl<C, T> Change for Pending<C, T>
where
    C: FnOnce(&mut Tables<'_>) -> Outcome<T> + Send,
    T: Send,
{
    fn make(&mut self, tables: &mut Tables<'_>) -> Outcome<()> {
        let Some(change) = self.change.take() else {
            return Ok(());
        };
        match change(tables) {
            Err(fault @ (Fault::Storage(_) | Fault::Damaged(_))) => Err(fault),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.outcome = Some(Err(fault));
    }

    fn answer(mut self: Box<Self>, failure: Option<&str>) {
        // Where the transaction failed, so did a refusal: it may have looked at what was not kept.
        let outcome = match (failure, self.outcome.take()) {
            (None, Some(outcome)) => outcome,
            (failure, _) => Err(Fault::Storage(failure.unwrap_or("not committed").into())),
        };
        // Whoever waited is gone: the change is made all the same.
        let _ = self.answer.send(outcome);
    }
}

struct Committer {
    file: Arc<Open>,
    bodies: Arc<Bodies>,
    released: mpsc::Sender<Vec<FileId>>,
}

impl Committer {
    fn run(&self, waiting: &mpsc::Receiver<Work>) {
        let mut is_settled = true;
        let mut pause = IDLE;
        loop {
            let first = match waiting.recv_timeout(pause) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    if !self.is_open_again() {
                        pause = pause.saturating_mul(2).min(REOPEN_PAUSE_MAX);
                        continue;
                    }
                    pause = IDLE;
                    if !is_settled {
                        is_settled = self.settle();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let (mut group, mut settling) = (Vec::new(), Vec::new());
            for work in std::iter::once(first).chain(waiting.try_iter().take(GROUP_MAX)) {
                match work {
                    Work::Change(change) => group.push(change),
                    Work::Settle(answer) => settling.push(answer),
                }
            }
            if !group.is_empty() {
                if catch_unwind(AssertUnwindSafe(|| self.commit(group))).is_err() {
                    tracing::error!("the index panicked; it is opened again");
                    self.file.close();
                }
                is_settled = false;
            }
            if !settling.is_empty() {
                is_settled = is_settled || self.settle();
                for answer in settling {
                    // Whoever waited may be gone.
                    let _ = answer.send(());
                }
            }
        }
        self.file.close();
    }

    /// Whether the index is open, now that it was tried if it was not. Not only a change may try: whoever changes
    /// something reads before, and would fail there for ever.
    fn is_open_again(&self) -> bool {
        if self.file.is_open() {
            return true;
        }
        match catch_unwind(AssertUnwindSafe(|| self.file.open())) {
            Ok(Ok(())) => {
                tracing::info!("the index is open again");
                return true;
            }
            // An error is logged when it fails first.
            Ok(Err(fault)) => tracing::debug!(?fault, "the index cannot be opened yet"),
            Err(_) => tracing::debug!("opening the index panicked"),
        }
        false
    }

    fn commit(&self, mut group: Vec<Box<dyn Change>>) {
        let reopened = match self.file.is_open() {
            true => Ok(()),
            false => self.file.open(),
        };
        let made =
            reopened.and_then(|()| self.file.with(|database| self.make(database, &mut group)));
        match made {
            Ok(released) => {
                group.into_iter().for_each(|change| change.answer(None));
                // The thread that removes is gone only if it panicked: they are swept later.
                let _ = self.released.send(released);
            }
            Err(fault) => {
                let text = fault.to_string();
                tracing::error!(%text, "the index could not be written");
                group
                    .into_iter()
                    .for_each(|change| change.answer(Some(&text)));
                // redb does not go on after an error of the disk.
                if let Err(fault) = self.file.open() {
                    tracing::error!(
                        ?fault,
                        "the index cannot be opened again; it is tried until it can"
                    );
                }
            }
        }
    }

    /// Makes all changes of a group durable; the files to which nothing refers any more.
    fn make(&self, database: &Database, group: &mut [Box<dyn Change>]) -> Outcome<Vec<FileId>> {
        let transaction = database.begin_write()?;
        let mut tables = Tables::open(&transaction)?;
        for change in group {
            tables.begin_change();
            let made = catch_unwind(AssertUnwindSafe(|| change.make(&mut tables)));
            let fault = match made {
                Ok(Ok(())) => continue,
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Damaged("an operation on the index panicked".into()),
            };
            if tables.is_changed() || !matches!(fault, Fault::Damaged(_)) {
                return Err(fault);
            }
            change.fail(fault);
        }
        let released = tables.take_released();
        let placed = tables.take_placed();
        drop(tables);
        self.bodies.sync_names(&placed)?;
        let committed = transaction.commit();
        // After a failure, too: when the index is opened again, the transaction may prove durable.
        // If it does not, they are swept.
        placed.into_iter().for_each(NewFile::leave);
        committed?;
        Ok(released)
    }

    /// Leaves the index so that it opens quickly even after a crash.
    fn settle(&self) -> bool {
        let settled = self.file.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            Ok(transaction.commit()?)
        });
        settled.is_ok()
    }
}

/// How long no change comes before the index is left so that it opens quickly.
const IDLE: Duration = Duration::from_millis(200);

/// Longest pause before an index that could not be opened is tried again: trying may read all of it.
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Most changes in one transaction.
const GROUP_MAX: usize = 511;
