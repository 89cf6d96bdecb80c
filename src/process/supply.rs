//! The workers of a pool: who gets one, what becomes of one that comes back, and the keeping of some up.

use super::cgroup;
use super::jail::{JailSpec, Wall};
use super::launcher::Launch;
#[cfg(feature = "test-hooks")]
use super::launcher::Launcher;
use super::place::{Place, Waiting};
use super::protocol::VERSION;
use super::protocol::message::Start;
use super::session::Worker;
use crate::error::Error;
use crate::observe::audit::AuditSink;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a pool's handles, its sandboxes and its thread share.
pub(crate) struct Shared {
    pub(super) launch: Arc<dyn Launch>,
    pub(super) warm: usize,
    pub(super) most: usize,
    pub(super) recycle_after: u64,
    pub(super) start_timeout: Duration,
    pub(super) patience: Duration,
    pub(super) require: Vec<Wall>,
    pub(super) jail: JailSpec,
    /// The walls of a control group that was given and cannot be, as somebody else starts the workers.
    pub(super) ungrouped: Vec<Wall>,
    pub(super) audit: Option<Arc<dyn AuditSink>>,
    pub(super) state: Mutex<State>,
    /// A worker came back or went: for the threads that wait for one.
    pub(super) returned: Condvar,
    /// There are too few, or a future waits: for the pool's thread.
    pub(super) wanted: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) idle: Vec<Worker>,
    /// The futures that wait for a worker.
    pub(super) waiting: Waiting,
    /// In use, idle, or being started.
    pub(super) alive: usize,
    pub(super) closed: bool,
}

/// After a worker that could not be started, before the next try in the background.
const RETRY: Duration = Duration::from_millis(500);

impl Shared {
    /// A pool without workers, for those that come from elsewhere.
    #[cfg(feature = "test-hooks")]
    pub(super) fn detached() -> Arc<Shared> {
        Arc::new(Shared {
            launch: Arc::new(Launcher::this_executable()),
            warm: 0,
            most: 0,
            recycle_after: 0,
            start_timeout: Duration::ZERO,
            patience: Duration::ZERO,
            require: Vec::new(),
            jail: JailSpec { memory: 0, tasks: 0, tasks_asked: false, cpu_seconds: 0, unguarded: false },
            ungrouped: Vec::new(),
            audit: None,
            state: Mutex::new(State { alive: 1, ..State::default() }),
            returned: Condvar::new(),
            wanted: Condvar::new(),
        })
    }

    /// The right to a worker; waits where there are as many as there may be.
    pub(crate) fn place(self: &Arc<Self>) -> Result<Place, Error> {
        let mut state = self.state.lock();
        let mut deadline = None;
        loop {
            if let Some(worker) = self.free(&mut state) {
                return Ok(Place::new(self.clone(), worker));
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.patience);
            if self.returned.wait_until(&mut state, deadline).timed_out() && state.idle.is_empty() {
                return Err(self.all_in_use());
            }
        }
    }

    /// [`Shared::place`], for a future to wait for.
    #[cfg(feature = "async")]
    pub(crate) async fn place_async(self: Arc<Self>) -> Result<Place, Error> {
        super::place::Turn::new(self).await
    }

    /// Takes an idle worker, or room to start one.
    pub(super) fn free(&self, state: &mut State) -> Option<Option<Worker>> {
        if let Some(worker) = state.idle.pop() {
            return Some(Some(worker));
        }
        let room = state.alive < self.most;
        state.alive += usize::from(room);
        room.then_some(None)
    }

    pub(super) fn all_in_use(&self) -> Error {
        Error::Setup(format!(
            "all {} workers of the pool were in use for {:?}; drop a sandbox or allow more",
            self.most, self.patience
        ))
    }

    /// Takes a worker back, to be used again if it is well.
    pub(crate) fn check_in(&self, worker: Worker, well: bool) {
        if well && worker.calls < self.recycle_after {
            let mut state = self.state.lock();
            if !state.closed && state.idle.len() < self.warm.max(1) {
                state.idle.push(worker);
                self.returned.notify_one();
                tell_next(state);
                return;
            }
        }
        event!(
            target: "pycage::worker", INFO,
            calls = worker.calls, well = well,
            "worker recycled"
        );
        // Ended before it is counted out, so that there are never more than there may be.
        drop(worker);
        self.one_less();
    }

    pub(super) fn one_less(&self) {
        let mut state = self.state.lock();
        state.alive -= 1;
        self.returned.notify_all();
        self.wanted.notify_all();
        tell_next(state);
    }

    pub(super) fn start(&self) -> Result<Worker, Error> {
        match self.start_one() {
            Ok(worker) => {
                event!(
                    target: "pycage::worker", INFO,
                    enforced = worker.report.enforced_names().join(" ").as_str(),
                    lacking = worker.report.lacking_names().join(" ").as_str(),
                    "worker started"
                );
                Ok(worker)
            }
            Err(error) => {
                event!(target: "pycage::worker", WARN, error = error.to_string().as_str(), "no worker came up");
                Err(error)
            }
        }
    }

    fn start_one(&self) -> Result<Worker, Error> {
        let start = Start { version: VERSION, jail: self.jail.clone() };
        let mut worker = Worker::come_up(self.launch.launch()?, start, self.start_timeout)?;
        for wall in &self.ungrouped {
            worker.report.note_unless_in_force(*wall, cgroup::NOT_OURS);
        }
        let missing = worker.report.missing(&self.require);
        if missing.is_empty() {
            Ok(worker)
        } else {
            Err(Error::Setup(format!("not in force around the worker, though required: {}", missing.join(", "))))
        }
    }

    /// Keeps the pool at its size until it is closed.
    pub(super) fn keep(&self) {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return;
            }
            if let Some(late) = state.waiting.late(Instant::now()) {
                drop(state);
                late.wake();
                state = self.state.lock();
                continue;
            }
            if state.alive >= self.warm {
                match state.waiting.deadline() {
                    Some(deadline) => {
                        self.wanted.wait_until(&mut state, deadline);
                    }
                    None => self.wanted.wait(&mut state),
                }
                continue;
            }
            state.alive += 1;
            drop(state);
            let started = self.start();
            state = self.state.lock();
            match started {
                Ok(worker) if !state.closed => {
                    state.idle.push(worker);
                    self.returned.notify_all();
                    tell_next(state);
                    state = self.state.lock();
                }
                Ok(worker) => {
                    state.alive -= 1;
                    drop(state);
                    drop(worker);
                    state = self.state.lock();
                }
                Err(_) => {
                    // Whoever needs one meets the same, and is told.
                    state.alive -= 1;
                    self.returned.notify_all();
                    tell_next(state);
                    state = self.state.lock();
                    self.wanted.wait_for(&mut state, RETRY);
                }
            }
        }
    }
}

/// Wakes the future whose turn it is: there is a worker, or room for one.
fn tell_next(mut state: MutexGuard<'_, State>) {
    let next = state.waiting.next();
    drop(state);
    if let Some(waker) = next {
        waker.wake();
    }
}
