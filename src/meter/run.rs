//! What a run may cost, what it has come to, and who is told.

use crate::budget::{Budget, Limit};
use crate::error::TraceEntry;
use crate::host::failure::HostError;
use crate::host::scope_state::ScopeState;
use crate::meter::allocator;
use crate::meter::clock::{Clock, Pace};
use crate::meter::hook::MeterHook;
use crate::meter::profile::{Recorder, Tallies};
use parking_lot::Mutex;
use rustpython_vm::builtins::PyBaseExceptionRef;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Why a run was stopped for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trip {
    Limit(Limit),
    Cancelled,
    Stopped(String),
}

/// How a run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing can stop it yet, and nobody wants to know. The clock is not read.
    AtOnce,
    /// With a look at everything that can stop it, before its first instruction.
    Look,
}

/// What a run may cost, and who is told.
pub(crate) struct Run {
    pub instructions: u64,
    pub memory: Option<u64>,
    pub output: u64,
    pub host_calls: u64,
    pub timeout: Duration,
    pub clock: Clock,
    pub cancel: Arc<AtomicBool>,
    pub hook: Option<Arc<dyn MeterHook>>,
    pub live: Arc<LiveUsage>,
    pub pace: Pace,
    pub state: RunState,
    /// What the host's side keeps for the sandbox that runs.
    pub scope: Option<Rc<ScopeState>>,
    /// Of a sandbox that is profiled.
    pub recorder: Option<Recorder>,
    /// See [`Run::serial`].
    pub serial: u64,
    /// For a task: the spending, and the script time, at which its slice is used up.
    pub pause_at: u64,
    pub pause_after: Duration,
}

impl Run {
    /// A run for whose stopping `cancel` and `hook` are asked, and that publishes its usage in `live`. Its limits are to
    /// be set by [`Run::begin`].
    pub(crate) fn new(cancel: Arc<AtomicBool>, hook: Option<Arc<dyn MeterHook>>, live: Arc<LiveUsage>) -> Box<Run> {
        Box::new(Run {
            instructions: 0,
            memory: None,
            output: 0,
            host_calls: 0,
            timeout: Duration::ZERO,
            clock: Clock::lazy(),
            cancel,
            hook,
            live,
            pace: Pace::begin(),
            state: RunState::default(),
            scope: None,
            recorder: None,
            serial: 0,
            pause_at: u64::MAX,
            pause_after: Duration::MAX,
        })
    }

    /// Whether it is `cancel` that stops this run, and `live` that it publishes in: then the hook is the same too.
    #[inline]
    pub(crate) fn listens_to(&self, cancel: &Arc<AtomicBool>, live: &Arc<LiveUsage>) -> bool {
        Arc::ptr_eq(&self.cancel, cancel) && Arc::ptr_eq(&self.live, live)
    }

    /// Makes a new run of it, under these limits. Answers how it is to start.
    #[inline]
    pub(crate) fn begin(&mut self, budget: &Budget, memory: Option<u64>, clock: Clock) -> Start {
        self.instructions = budget.instructions;
        self.memory = memory;
        self.output = budget.output;
        self.host_calls = budget.host_calls;
        self.timeout = budget.timeout;
        self.clock = clock;
        self.pace = Pace::begin();
        self.state.begin();
        self.serial = 0;
        if let Some(recorder) = &mut self.recorder {
            recorder.begin();
        }
        self.live.instructions.store(0, Ordering::Relaxed);
        self.live.native_steps.store(0, Ordering::Relaxed);
        // A cancel that came before it, and a budget of no time, stop it before its first instruction.
        if self.hook.is_none() && !budget.timeout.is_zero() && !self.cancel.load(Ordering::Acquire) {
            Start::AtOnce
        } else {
            Start::Look
        }
    }

    /// What the host's side keeps for its sandbox.
    pub(crate) fn of(mut self: Box<Self>, scope: &Rc<ScopeState>) -> Box<Self> {
        self.scope = Some(scope.clone());
        self
    }

    /// What it adds to, if its sandbox is profiled.
    pub(crate) fn recording(mut self: Box<Self>, tallies: Option<&Arc<Mutex<Tallies>>>) -> Box<Self> {
        self.recorder = tallies.map(|tallies| Recorder::new(tallies.clone()));
        self
    }

    /// Tells one run of this thread from another. Given when it is first asked for.
    pub(crate) fn serial(&mut self) -> u64 {
        thread_local! {
            static NEXT: Cell<u64> = const { Cell::new(1) };
        }
        if self.serial == 0 {
            self.serial = NEXT.replace(NEXT.get() + 1);
        }
        self.serial
    }

    /// Script time so far.
    #[inline]
    pub(crate) fn script_time(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.state.host_time)
    }

    /// Script time until the run is to be stopped, if it is to be over by its deadline.
    pub(super) fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.script_time()).saturating_sub(self.giving_back())
    }

    /// What it will take to give back what this run has allocated and still holds, were it in small blocks; at most an
    /// eighth of its time.
    fn giving_back(&self) -> Duration {
        let bill = allocator::bill();
        let blocks = bill.allocations.min(bill.live_bytes / SMALL);
        let time = FREEING.saturating_mul(u32::try_from(blocks).unwrap_or(u32::MAX));
        time.min(self.timeout / 8)
    }

    /// Starts a clock that was lazy: what is about to happen takes time.
    pub(crate) fn start_clock(&mut self, now: Instant) {
        self.clock.start(|| now);
    }
}

/// Bytes of a small block.
const SMALL: u64 = 64;

/// What giving a block back takes, with what hangs on it.
const FREEING: Duration = Duration::from_nanos(35);

/// What a run has done so far, beside its fuel.
#[derive(Default)]
pub(crate) struct RunState {
    pub host_time: Duration,
    /// Since when the host's code runs, while it does.
    pub in_host_since: Option<Instant>,
    pub output_bytes: u64,
    /// What was printed. Its memory is the host's.
    pub output: String,
    pub host_calls: u64,
    /// The last error that a host function returned, and the exception that stands for it.
    pub host_error: Option<(PyBaseExceptionRef, HostError)>,
    pub trip: Option<Trip>,
    /// Where the code ends that was run, if what it ended with passed a limit.
    pub end: Option<TraceEntry>,
}

impl RunState {
    /// As it is before a run.
    #[inline]
    fn begin(&mut self) {
        // Taken apart with all its fields, so that none is forgotten.
        let RunState { host_time, in_host_since, output_bytes, output, host_calls, host_error, trip, end } = self;
        // What is to be freed is seldom there.
        if !output.is_empty() || host_error.is_some() || trip.is_some() || end.is_some() {
            *self = RunState::default();
            return;
        }
        (*host_time, *in_host_since, *output_bytes, *host_calls) = (Duration::ZERO, None, 0, 0);
    }
}

/// The spending of a run as of its last checkpoint, for other threads to read.
#[derive(Debug, Default)]
pub(crate) struct LiveUsage {
    pub instructions: AtomicU64,
    pub native_steps: AtomicU64,
    pub live_bytes: AtomicU64,
}
