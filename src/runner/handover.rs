//! How a call gets from a host thread to the runner thread and its answer back: a short spin, then parking.

use crate::budget::Budget;
use crate::error::Error;
use crate::meter::run::LiveUsage;
use crate::observe::Observed;
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

/// How often one who waits for a job of many calls looks whether it is still in the same one.
const LOOK: Duration = Duration::from_millis(20);

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
    pub(crate) fn retire(&self, why: &str) {
        let dropped = {
            let mut jobs = self.jobs.lock();
            if !self.retired.swap(true, Ordering::AcqRel) {
                event!(target: "pycage::runner", WARN, reason = why, "runner retired");
            }
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
    caller: Caller,
    pub(crate) live: Arc<LiveUsage>,
    /// For a job that makes many calls: odd while it is in one, and how long that one may take, in nanoseconds.
    calls: AtomicU64,
    call_patience: AtomicU64,
    /// The call that it is in, if somebody looks on.
    observed: Mutex<Option<Looked>>,
}

/// A run that somebody looks at, and what it may cost.
pub(crate) type Looked = (Arc<Observed>, Option<Budget>);

/// Who waits for an answer.
enum Caller {
    Thread(Thread),
    #[cfg(feature = "async")]
    Future(Mutex<Option<std::task::Waker>>),
}

impl Watch {
    /// Tells the caller that there is something to see.
    pub(crate) fn wake(&self) {
        match &self.caller {
            Caller::Thread(thread) => thread.unpark(),
            #[cfg(feature = "async")]
            Caller::Future(waker) => {
                let waker = waker.lock().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> u64 {
        now.duration_since(self.born).as_nanos() as u64
    }

    /// The job begins: its deadline runs from here.
    pub(crate) fn begin(&self) {
        self.began.store(self.now() + 1, Ordering::Release);
    }

    /// A job that makes many calls begins one. The clock is not read: the waiting side looks whether it is still the same
    /// call.
    #[inline]
    pub(crate) fn begin_call(&self, patience: Duration) {
        let nanos = patience.as_secs().saturating_mul(1_000_000_000).saturating_add(patience.subsec_nanos().into());
        self.call_patience.store(nanos, Ordering::Relaxed);
        // Only the runner's thread writes it.
        self.calls.store(self.calls.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// The call ends.
    #[inline]
    pub(crate) fn end_call(&self) {
        self.calls.store(self.calls.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Which call a job of many is in, for those who look on.
    pub(crate) fn observe(&self, observed: Option<Looked>) {
        *self.observed.lock() = observed;
    }

    /// Tells those who look on that the call that the job is in came to this.
    pub(crate) fn told(&self, error: Error) -> Error {
        if let Some((observed, budget)) = self.observed.lock().take() {
            observed.fail(budget.as_ref(), &error);
        }
        error
    }

    /// Nanoseconds in host functions so far, the one that runs included.
    fn host_nanos(&self) -> u64 {
        let since = self.in_host_since.load(Ordering::Acquire);
        let now = if since > 0 { self.now().saturating_sub(since - 1) } else { 0 };
        self.in_host.load(Ordering::Acquire) + now
    }

    /// A host function begins; its time is not the script's.
    pub(crate) fn enter_host(&self, now: Instant) {
        self.in_host_since.store(self.at(now) + 1, Ordering::Release);
    }

    /// A host function ends.
    pub(crate) fn leave_host(&self, now: Instant) {
        // Only the runner's thread writes these.
        let since = self.in_host_since.load(Ordering::Relaxed);
        if since > 0 {
            let spent = self.at(now).saturating_sub(since - 1);
            self.in_host.store(self.in_host.load(Ordering::Relaxed) + spent, Ordering::Release);
            self.in_host_since.store(0, Ordering::Release);
        }
    }

    /// The runner is about to be parked for good. Called from inside the allocator: does not allocate.
    pub(crate) fn lost_to_memory(&self) {
        self.state.store(OUT_OF_MEMORY, Ordering::Release);
        // A future is woken by the look-out, as its waker may allocate.
        match &self.caller {
            Caller::Thread(thread) => thread.unpark(),
            #[cfg(feature = "async")]
            Caller::Future(_) => {}
        }
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

    /// Whether a future that waits is to look: there will be no answer, or it is late.
    #[cfg(feature = "async")]
    pub(crate) fn wants_a_look(&self, patience: Duration) -> bool {
        self.state.load(Ordering::Acquire) != PENDING || self.elapsed().is_some_and(|elapsed| elapsed > patience)
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
    reply_to(Caller::Thread(std::thread::current()), live)
}

/// The same for a caller that is a future.
#[cfg(feature = "async")]
pub(crate) fn reply_to_future<T>(live: Arc<LiveUsage>) -> (Answer<T>, Waiter<T>) {
    reply_to(Caller::Future(Mutex::new(None)), live)
}

fn reply_to<T>(caller: Caller, live: Arc<LiveUsage>) -> (Answer<T>, Waiter<T>) {
    let shared = Arc::new(Shared {
        watch: Arc::new(Watch {
            state: AtomicU8::new(PENDING),
            born: Instant::now(),
            began: AtomicU64::new(0),
            in_host: AtomicU64::new(0),
            in_host_since: AtomicU64::new(0),
            caller,
            live,
            calls: AtomicU64::new(0),
            call_patience: AtomicU64::new(0),
            observed: Mutex::new(None),
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

    /// Whether the caller still waits.
    #[cfg(feature = "async")]
    pub(crate) fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
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
        watch.wake();
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

impl NoAnswer {
    /// Why the runner is retired for it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            NoAnswer::Lost => "its thread has ended",
            NoAnswer::Stuck(_) => "it did not stop by its deadline",
            NoAnswer::OutOfMemory(_) => "it reached the hard memory limit",
        }
    }
}

impl<T> Waiter<T> {
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.shared.watch
    }

    /// Waits for the answer, at most `patience` of script time from when the job begins.
    ///
    /// A job that has not begun waits behind others, each with a caller of its own who gives up on it in time.
    pub(crate) fn wait(self, patience: Duration) -> Result<T, NoAnswer> {
        self.spin();
        let watch = &self.shared.watch;
        loop {
            if let Some(answer) = self.answer() {
                return answer;
            }
            let nap = match watch.elapsed() {
                // Looks again from time to time, as no wake-up tells that the job has begun or left a host function.
                None => Duration::from_millis(20),
                Some(elapsed) if elapsed > patience => return Err(NoAnswer::Stuck(watch.usage())),
                Some(elapsed) => (patience - elapsed).max(Duration::from_micros(100)),
            };
            std::thread::park_timeout(nap);
        }
    }

    /// Waits for a job that makes many calls: for each as long as it may take by what the job said when it began it, and
    /// at most `patience` for what lies between two.
    pub(crate) fn wait_for_calls(self, patience: Duration) -> Result<T, NoAnswer> {
        self.spin();
        let watch = &self.shared.watch;
        let mut seen = watch.calls.load(Ordering::Acquire);
        let (mut since, mut host) = (Instant::now(), watch.host_nanos());
        loop {
            if let Some(answer) = self.answer() {
                return answer;
            }
            let calls = watch.calls.load(Ordering::Acquire);
            if calls != seen || watch.began.load(Ordering::Acquire) == 0 {
                (seen, since, host) = (calls, Instant::now(), watch.host_nanos());
            }
            let (patience, host) = if calls % 2 == 1 {
                let patience = Duration::from_nanos(watch.call_patience.load(Ordering::Relaxed));
                (patience, Duration::from_nanos(watch.host_nanos().saturating_sub(host)))
            } else {
                (patience, Duration::ZERO)
            };
            if since.elapsed().saturating_sub(host) > patience {
                return Err(NoAnswer::Stuck(watch.usage()));
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// What a future answers that waits for this, as [`Waiter::wait`].
    #[cfg(feature = "async")]
    pub(crate) fn poll(
        &self,
        patience: Duration,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<T, NoAnswer>> {
        use std::task::Poll;
        let watch = &self.shared.watch;
        if let Caller::Future(waker) = &watch.caller {
            *waker.lock() = Some(context.waker().clone());
        }
        if let Some(answer) = self.answer() {
            return Poll::Ready(answer);
        }
        match watch.elapsed() {
            Some(elapsed) if elapsed > patience => Poll::Ready(Err(NoAnswer::Stuck(watch.usage()))),
            _ => Poll::Pending,
        }
    }

    fn spin(&self) {
        let spin_start = Instant::now();
        loop {
            for _ in 0..SPINS_PER_LOOK {
                if self.shared.watch.state.load(Ordering::Acquire) != PENDING {
                    return;
                }
                std::hint::spin_loop();
            }
            if spin_start.elapsed() > SPIN {
                return;
            }
        }
    }

    /// The answer, or that there will be none; `None` as long as that is open.
    fn answer(&self) -> Option<Result<T, NoAnswer>> {
        let watch = &self.shared.watch;
        match watch.state.load(Ordering::Acquire) {
            ANSWERED => Some(self.shared.value.lock().take().ok_or(NoAnswer::Lost)),
            ABANDONED => Some(Err(NoAnswer::Lost)),
            OUT_OF_MEMORY => Some(Err(NoAnswer::OutOfMemory(watch.usage()))),
            _ => None,
        }
    }
}
