//! The right to a worker of a pool, and those who wait for one without a thread.

use super::session::Worker;
use super::supply::Shared;
use crate::error::Error;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

/// The right to one of a pool's workers: to an idle one, or to start one. Goes back to the pool if nothing comes of it.
pub(crate) struct Place {
    pool: Arc<Shared>,
    worker: Option<Worker>,
    taken: bool,
}

impl Place {
    pub(super) fn new(pool: Arc<Shared>, worker: Option<Worker>) -> Place {
        Place { pool, worker, taken: false }
    }

    pub(super) fn pool(&self) -> &Arc<Shared> {
        &self.pool
    }

    /// The worker, which is started if there is none yet.
    pub(super) fn into_worker(mut self) -> Result<Worker, Error> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.pool.start()?,
        };
        self.taken = true;
        Ok(worker)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.worker.take() {
            Some(worker) => self.pool.check_in(worker, true),
            None if self.taken => {}
            None => self.pool.one_less(),
        }
    }
}

/// Futures that wait for a worker, in the order in which they came. Of each, until when it waits: the later it came, the
/// later that is.
#[derive(Default)]
pub(super) struct Waiting {
    futures: BTreeMap<u64, (Instant, Waker)>,
    #[cfg(feature = "async")]
    tickets: u64,
}

impl Waiting {
    /// Whose turn it is, now that there is a worker or room for one. Wake it once the pool's lock is given back.
    pub(super) fn next(&mut self) -> Option<Waker> {
        self.futures.pop_first().map(|(_, (_, waker))| waker)
    }

    /// One that has waited long enough.
    pub(super) fn late(&mut self, now: Instant) -> Option<Waker> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        self.next()
    }

    /// When the next one has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.futures.first_key_value().map(|(_, (deadline, _))| *deadline)
    }
}

#[cfg(feature = "async")]
pub(super) use turn::Turn;

#[cfg(feature = "async")]
mod turn {
    use super::{Place, Shared, Waiting};
    use crate::error::Error;
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::Instant;

    impl Waiting {
        /// Enters a future, in its old place if it has been here before. Answers its ticket.
        fn enter(&mut self, ticket: Option<u64>, until: Instant, waker: &Waker) -> u64 {
            let ticket = ticket.unwrap_or_else(|| {
                self.tickets += 1;
                self.tickets
            });
            self.futures.insert(ticket, (until, waker.clone()));
            ticket
        }

        fn leave(&mut self, ticket: u64) -> bool {
            self.futures.remove(&ticket).is_some()
        }
    }

    /// Waits for a [`Place`] in a pool.
    pub(in crate::process) struct Turn {
        pool: Arc<Shared>,
        /// Since it had to wait: its ticket, and until when.
        waits: Option<(u64, Instant)>,
    }

    impl Turn {
        pub(in crate::process) fn new(pool: Arc<Shared>) -> Turn {
            Turn { pool, waits: None }
        }
    }

    impl Future for Turn {
        type Output = Result<Place, Error>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            let pool = self.pool.clone();
            let mut state = pool.state.lock();
            if let Some(worker) = pool.free(&mut state) {
                if let Some((ticket, _)) = self.waits.take() {
                    state.waiting.leave(ticket);
                }
                drop(state);
                return Poll::Ready(Ok(Place::new(pool, worker)));
            }
            let now = Instant::now();
            let until = self.waits.map_or_else(|| now + pool.patience, |(_, until)| until);
            if until <= now {
                return Poll::Ready(Err(pool.all_in_use()));
            }
            let first = state.waiting.deadline().is_none();
            let ticket = state.waiting.enter(self.waits.map(|(ticket, _)| ticket), until, context.waker());
            self.waits = Some((ticket, until));
            drop(state);
            if first {
                // The pool's thread looks after the deadline.
                pool.wanted.notify_all();
            }
            Poll::Pending
        }
    }

    impl Drop for Turn {
        /// One that was told of a worker and has not taken it tells the next.
        fn drop(&mut self) {
            let Some((ticket, _)) = self.waits else { return };
            let mut state = self.pool.state.lock();
            let next = if state.waiting.leave(ticket) { None } else { state.waiting.next() };
            drop(state);
            if let Some(waker) = next {
                waker.wake();
            }
        }
    }
}
