//! One thread of the host that ends workers which pass their deadline, and passes cancels on.
//!
//! A caller blocks in one read of its worker's pipe: no timeout to set, no second system call. The watchdog makes that read
//! end, by killing the worker.

use super::launcher::Process;
use super::protocol::frame;
use super::protocol::message::ToWorker;
use parking_lot::Mutex;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How often it looks while a call is on: what a deadline may be late by.
const TICK: Duration = Duration::from_millis(5);

/// After so many looks with no call on it sleeps until one begins, so that calls in quick succession do not pay for
/// waking it.
const IDLE_TICKS: u32 = 100;

/// The pipe to a worker, which its caller and the watchdog share. `None` when closed.
pub(crate) type Input = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// What is watched of a worker.
pub(crate) struct Watch {
    /// Nanoseconds since the watchdog's beginning; 0 while no call is on.
    deadline: AtomicU64,
    /// The call that is on.
    number: AtomicU64,
    cancelled: AtomicU64,
    cancel: Mutex<Option<Arc<AtomicBool>>>,
    process: Arc<dyn Process>,
    input: Input,
}

impl Watch {
    /// Has a worker watched until the watch is dropped.
    pub(crate) fn begin(process: Arc<dyn Process>, input: Input) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            deadline: AtomicU64::new(0),
            number: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            cancel: Mutex::new(None),
            process,
            input,
        });
        WATCHED.lock().push(Arc::downgrade(&watch));
        watch
    }

    /// Whose cancels go to the worker.
    pub(crate) fn set_cancel(&self, cancel: Option<Arc<AtomicBool>>) {
        *self.cancel.lock() = cancel;
    }

    /// From now on the worker is killed after that time.
    pub(crate) fn arm(&self, number: u64, patience: Duration) {
        let dog = watchdog();
        let deadline = dog.born.elapsed().saturating_add(patience).as_nanos().min(u64::MAX.into()) as u64;
        self.number.store(number, Ordering::Relaxed);
        self.deadline.store(deadline.max(1), Ordering::SeqCst);
        if dog.sleeping.load(Ordering::SeqCst) && dog.sleeping.swap(false, Ordering::SeqCst) {
            dog.thread.unpark();
        }
    }

    /// It answered. Gives the time that was left, or `None` when it came too late and was killed.
    pub(crate) fn disarm(&self) -> Option<Duration> {
        match self.deadline.swap(0, Ordering::SeqCst) {
            0 => None,
            deadline => Some(Duration::from_nanos(deadline).saturating_sub(watchdog().born.elapsed())),
        }
    }

    /// Looks after it; gives whether a call is on.
    fn look(&self, now: u64) -> bool {
        let deadline = self.deadline.load(Ordering::SeqCst);
        if deadline == 0 {
            return false;
        }
        if now >= deadline {
            if self.deadline.compare_exchange(deadline, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                self.process.kill();
            }
            return false;
        }
        let number = self.number.load(Ordering::Relaxed);
        let wanted = self.cancel.lock().as_ref().is_some_and(|cancel| cancel.load(Ordering::Acquire));
        if wanted && self.cancelled.load(Ordering::Relaxed) != number
            // Taken: the caller is sending something. Then at the next look.
            && let Some(mut input) = self.input.try_lock()
            && let Some(input) = input.as_mut()
        {
            self.cancelled.store(number, Ordering::Relaxed);
            // A worker that is gone is found by its caller.
            let _ = frame::write(input, &mut Vec::new(), &ToWorker::Cancel(number));
        }
        true
    }
}

static WATCHED: Mutex<Vec<Weak<Watch>>> = Mutex::new(Vec::new());

struct Watchdog {
    born: Instant,
    sleeping: AtomicBool,
    thread: Thread,
}

static WATCHDOG: OnceLock<Watchdog> = OnceLock::new();

/// Starts the thread, once. Answers whether it runs.
pub(crate) fn start() -> std::io::Result<()> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock();
    if WATCHDOG.get().is_none() {
        let handle = std::thread::Builder::new().name("pycage-watchdog".into()).spawn(|| {
            // Until the thread is known to itself.
            while WATCHDOG.get().is_none() {
                std::thread::park_timeout(TICK);
            }
            watch();
        })?;
        let _ = WATCHDOG.set(Watchdog {
            born: Instant::now(),
            sleeping: AtomicBool::new(false),
            thread: handle.thread().clone(),
        });
        handle.thread().unpark();
    }
    Ok(())
}

/// The watchdog. Pools start it before they have a worker.
fn watchdog() -> &'static Watchdog {
    // In case that a worker was not started by a pool: the clock works, though nobody watches.
    WATCHDOG.get_or_init(|| Watchdog {
        born: Instant::now(),
        sleeping: AtomicBool::new(false),
        thread: std::thread::current(),
    })
}

fn watch() {
    let dog = watchdog();
    let mut idle = 0;
    loop {
        let now = dog.born.elapsed().as_nanos().min(u64::MAX.into()) as u64;
        if look_at_all(now) {
            idle = 0;
        } else {
            idle += 1;
        }
        if idle < IDLE_TICKS {
            std::thread::park_timeout(TICK);
            continue;
        }
        dog.sleeping.store(true, Ordering::SeqCst);
        // A call that began just before has not seen that it must wake this thread.
        if !look_at_all(now) {
            while dog.sleeping.load(Ordering::SeqCst) {
                std::thread::park();
            }
        }
        dog.sleeping.store(false, Ordering::SeqCst);
        idle = 0;
    }
}

fn look_at_all(now: u64) -> bool {
    // Copied: killing may wait for a lock that somebody holds who begins to watch another worker.
    let mut watched = Vec::new();
    WATCHED.lock().retain(|watch| watch.upgrade().inspect(|watch| watched.push(watch.clone())).is_some());
    watched.iter().fold(false, |any, watch| watch.look(now) | any)
}
