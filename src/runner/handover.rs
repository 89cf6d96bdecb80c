//! How a call gets from a host thread to the runner thread and its answer back: a short spin, then parking.

use crate::meter::fuel::LiveUsage;
use crate::runner::cage::Cage;
use crate::usage::Usage;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long either side spins before it parks: a call that comes right after the last one, and a script that ends at
/// once, cost no system call.
const SPIN: Duration = Duration::from_micros(20);

/// How often a waiting side looks at the clock while it spins.
const SPINS_PER_LOOK: u32 = 32;

/// A piece of work for the runner thread.
pub(crate) type Job = Box<dyn FnOnce(&mut Cage<'_>) + Send>;

/// The runner's side of the hand-over.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    waiting: AtomicUsize,
    parked: AtomicBool,
    retired: AtomicBool,
    runner: OnceLock<Thread>,
}

impl Queue {
    /// Hands a job over. Gives `false` when the runner is retired: then the job is dropped.
    pub(crate) fn push(&self, job: Job) -> bool {
        {
            let mut jobs = self.jobs.lock();
            if self.retired.load(Ordering::Acquire) {
                return false;
            }
            jobs.push_back(job);
            self.waiting.store(jobs.len(), Ordering::Release);
        }
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.parked.swap(false, Ordering::SeqCst)
            && let Some(runner) = self.runner.get()
        {
            runner.unpark();
        }
        true
    }

    /// No job is taken any more; those that wait are dropped, which tells their callers.
    pub(crate) fn retire(&self) {
        let dropped = {
            let mut jobs = self.jobs.lock();
            self.retired.store(true, Ordering::Release);
            self.waiting.store(0, Ordering::Release);
            std::mem::take(&mut *jobs)
        };
        drop(dropped);
        if let Some(runner) = self.runner.get() {
            runner.unpark();
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Tells the queue which thread to wake.
    pub(crate) fn serve_on_this_thread(&self) {
        let _ = self.runner.set(std::thread::current());
    }

    /// Whether the current thread is the runner.
    pub(crate) fn is_served_here(&self) -> bool {
        self.runner.get().is_some_and(|runner| runner.id() == std::thread::current().id())
    }

    /// The next job, if it comes within the spin. `None` also when retired.
    pub(crate) fn take_spinning(&self) -> Option<Job> {
        let start = Instant::now();
        loop {
            for _ in 0..SPINS_PER_LOOK {
                if self.waiting.load(Ordering::Acquire) > 0
                    && let Some(job) = self.take()
                {
                    return Some(job);
                }
                std::hint::spin_loop();
            }
            if start.elapsed() > SPIN || self.is_retired() {
                return None;
            }
        }
    }

    /// The next job, however long it takes. `None` when retired.
    pub(crate) fn take_parking(&self) -> Option<Job> {
        loop {
            self.parked.store(true, Ordering::SeqCst);
            std::sync::atomic::fence(Ordering::SeqCst);
            if let Some(job) = self.take() {
                self.parked.store(false, Ordering::SeqCst);
                return Some(job);
            }
            if self.is_retired() {
                return None;
            }
            std::thread::park();
        }
    }

    fn take(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        let job = jobs.pop_front();
        self.waiting.store(jobs.len(), Ordering::Release);
        job
    }
}

// ---- the answer

const PENDING: u8 = 0;
const ANSWERED: u8 = 1;
const ABANDONED: u8 = 2;
/// The runner ran into the hard memory limit and is parked for good.
const OUT_OF_MEMORY: u8 = 3;

/// What both sides of a call share: its progress, for the deadline.
pub(crate) struct Watch {
    state: AtomicU8,
    born: Instant,
    /// Nanoseconds since `born` at which the job began, plus one; 0 before.
    began: AtomicU64,
    /// Nanoseconds spent in host functions, and since when in one now (plus one; 0 outside).
    in_host: AtomicU64,
    in_host_since: AtomicU64,
    caller: Thread,
    pub(crate) live: Arc<LiveUsage>,
}

impl Watch {
    fn now(&self) -> u64 {
        self.born.elapsed().as_nanos() as u64
    }

    /// The job begins: its deadline runs from here.
    pub(crate) fn begin(&self) {
        self.began.store(self.now() + 1, Ordering::Release);
    }

    /// A host function begins; its time is not the script's.
    pub(crate) fn enter_host(&self) {
        self.in_host_since.store(self.now() + 1, Ordering::Release);
    }

    /// A host function ends.
    pub(crate) fn leave_host(&self) {
        let since = self.in_host_since.swap(0, Ordering::AcqRel);
        if since > 0 {
            self.in_host.fetch_add(self.now().saturating_sub(since - 1), Ordering::AcqRel);
        }
    }

    /// The runner is about to be parked for good. Called from inside the allocator: does not allocate.
    pub(crate) fn lost_to_memory(&self) {
        self.state.store(OUT_OF_MEMORY, Ordering::Release);
        self.caller.unpark();
    }

    /// The usage that other threads can see: as of the last checkpoint.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            instructions: self.live.instructions.load(Ordering::Relaxed),
            native_steps: self.live.native_steps.load(Ordering::Relaxed),
            live_bytes: self.live.live_bytes.load(Ordering::Relaxed),
            elapsed: self.elapsed().unwrap_or_default(),
            host_time: Duration::from_nanos(self.in_host.load(Ordering::Acquire)),
            ..Usage::default()
        }
    }

    /// Script time since the job began. `None` before that.
    fn elapsed(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Acquire);
        if began == 0 {
            return None;
        }
        let since = self.in_host_since.load(Ordering::Acquire);
        let until = if since > 0 { since - 1 } else { self.now() };
        let ran = until.saturating_sub(began - 1).saturating_sub(self.in_host.load(Ordering::Acquire));
        Some(Duration::from_nanos(ran))
    }
}

/// Makes the two ends of an answer. `live` is where the run publishes its usage.
pub(crate) fn reply<T>(live: Arc<LiveUsage>) -> (Answer<T>, Waiter<T>) {
    let shared = Arc::new(Shared {
        watch: Arc::new(Watch {
            state: AtomicU8::new(PENDING),
            born: Instant::now(),
            began: AtomicU64::new(0),
            in_host: AtomicU64::new(0),
            in_host_since: AtomicU64::new(0),
            caller: std::thread::current(),
            live,
        }),
        value: Mutex::new(None),
    });
    (Answer { shared: shared.clone() }, Waiter { shared })
}

struct Shared<T> {
    watch: Arc<Watch>,
    value: Mutex<Option<T>>,
}

/// The runner's end. Dropped without an answer, it tells the caller that the runner is gone.
pub(crate) struct Answer<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Answer<T> {
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.shared.watch
    }

    pub(crate) fn send(self, value: T) {
        *self.shared.value.lock() = Some(value);
        self.shared.watch.state.store(ANSWERED, Ordering::Release);
        // `drop` wakes the caller.
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let watch = &self.shared.watch;
        let _ = watch.state.compare_exchange(PENDING, ABANDONED, Ordering::AcqRel, Ordering::Acquire);
        watch.caller.unpark();
    }
}

/// The caller's end.
pub(crate) struct Waiter<T> {
    shared: Arc<Shared<T>>,
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// The runner is gone.
    Lost,
    /// The job runs past its deadline and grace.
    Stuck(Usage),
    /// The runner was parked inside the allocator.
    OutOfMemory(Usage),
}

impl<T> Waiter<T> {
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.shared.watch
    }

    /// Waits for the answer, at most `patience` of script time from when the job begins.
    ///
    /// A job that has not begun waits behind others, each with a caller of its own who gives up on it in time.
    pub(crate) fn wait(self, patience: Duration) -> Result<T, NoAnswer> {
        let watch = &self.shared.watch;
        let spin_start = Instant::now();
        'spin: loop {
            for _ in 0..SPINS_PER_LOOK {
                if watch.state.load(Ordering::Acquire) != PENDING {
                    break 'spin;
                }
                std::hint::spin_loop();
            }
            if spin_start.elapsed() > SPIN {
                break;
            }
        }
        loop {
            match watch.state.load(Ordering::Acquire) {
                ANSWERED => break,
                ABANDONED => return Err(NoAnswer::Lost),
                OUT_OF_MEMORY => return Err(NoAnswer::OutOfMemory(watch.usage())),
                _ => {}
            }
            let nap = match watch.elapsed() {
                // Looks again from time to time, as no wake-up tells that the job has begun or left a host function.
                None => Duration::from_millis(20),
                Some(elapsed) if elapsed > patience => return Err(NoAnswer::Stuck(watch.usage())),
                Some(elapsed) => (patience - elapsed).max(Duration::from_micros(100)),
            };
            std::thread::park_timeout(nap);
        }
        self.shared.value.lock().take().ok_or(NoAnswer::Lost)
    }
}
