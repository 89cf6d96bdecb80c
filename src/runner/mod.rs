//! Runners: library-owned threads with a big stack and one interpreter each, that host many sandboxes.
//!
//! * [`thread`]: the thread's loop; what happens after a panic.
//! * [`handover`]: how calls reach it and answers come back, with a deadline.
//! * [`interpreter`]: how its interpreter is made.
//! * [`cage`]: the sandboxes on it, as scopes, and runs in them.
//! * [`operation`]: what a sandbox can be asked to do, and the doing of it.
//! * [`outcome`]: what the host is told of a run that has ended.
//! * [`fiber`], [`tasks`]: scripts that are left in the middle and taken up again.
//! * `pending`: jobs that a future waits for.
//! * [`with`]: many calls in one hand-over.
//! * [`state`]: globals copied out, put back, and kept through a reload.
//! * [`world`]: garbage collection among several runners.

pub(crate) mod cage;
pub(crate) mod called;
pub(crate) mod fiber;
pub(crate) mod handover;
pub(crate) mod interpreter;
pub(crate) mod operation;
pub(crate) mod outcome;
#[cfg(feature = "async")]
pub(crate) mod pending;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod thread;
mod with;
pub(crate) mod world;

use crate::error::Error;
use crate::meter::run::LiveUsage;
use crate::usage::Usage;
use cage::Cage;
use handover::{Answer, Job, NoAnswer, Queue, Watch};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Stack of a runner thread. Virtual memory: pages that no script touches cost nothing.
///
/// Native recursion through the guarded slots is bounded by count, at 24 MB; the rest is for Python calls that go through
/// native code, which the recursion limit bounds (`ARCHITECTURE.md` has the figures).
const STACK: usize = 256 << 20;

/// A thread of the library's own, with one interpreter, on which sandboxes live.
///
/// Sandboxes share the process-wide default runner unless they are given another. Calls on one runner take turns, so a
/// host that calls from several threads gives each its own.
///
/// A runner whose interpreter panicked, or that does not stop by a deadline, is retired, and its sandboxes with it; the
/// default runner is then replaced.
///
/// ```
/// use pycage::{Runner, Sandbox};
///
/// let runner = Runner::new()?;
/// let mut a = Sandbox::builder().runner(&runner).build()?;
/// let mut b = Sandbox::builder().runner(&runner).build()?;
/// a.set("x", 1)?;
/// b.set("x", 2)?;
/// assert_eq!((a.eval::<i64>("x")?, b.eval::<i64>("x")?), (1, 2));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
pub struct Runner {
    pub(crate) lease: Arc<Lease>,
}

/// A hold on a runner thread. When the last one goes, a runner that is still well is kept for the next
/// [`Runner::new`], as interpreters cannot be given back to the system.
pub(crate) struct Lease {
    pub(crate) queue: Arc<Queue>,
}

static IDLE: Mutex<Vec<Arc<Queue>>> = Mutex::new(Vec::new());

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.queue.is_retired() {
            IDLE.lock().push(self.queue.clone());
        }
    }
}

impl Runner {
    /// Starts a runner, or takes one over that nobody holds any more. A new one's interpreter takes some milliseconds to
    /// come up, in the background.
    ///
    /// # Errors
    /// [`Error::Setup`] when the operating system refuses another thread.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let sandbox = Sandbox::builder().runner(&runner).build()?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn new() -> Result<Runner, Error> {
        if let Some(queue) = IDLE.lock().pop() {
            return Ok(Runner { lease: Arc::new(Lease { queue }) });
        }
        let queue = Arc::new(Queue::default());
        thread::start(queue.clone(), STACK)
            .map_err(|error| Error::Setup(format!("no thread for a runner could be started: {error}")))?;
        event!(target: "pycage::runner", DEBUG, "runner started");
        Ok(Runner { lease: Arc::new(Lease { queue }) })
    }

    /// Plants a secret where no script may reach, for those who test for escapes: `_canary_secret = 'S3CRET'` in the
    /// interpreter's own builtins module (not in any sandbox's builtins), and a module `hostmod` with `secret = 'S3CRET'`
    /// in the interpreter's module table. A script that shows the value has escaped.
    ///
    /// # Errors
    /// [`Error::Lost`] when the runner is retired.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// runner.plant_canary()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// assert!(sandbox.eval::<String>("_canary_secret").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn plant_canary(&self) -> Result<(), Error> {
        self.call(Duration::from_secs(10), Arc::default(), |cage, _| cage.plant_canary())?
    }

    /// Whether this runner still takes calls.
    ///
    /// ```
    /// assert!(pycage::Runner::new()?.is_alive());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn is_alive(&self) -> bool {
        !self.lease.queue.is_retired()
    }

    /// The process's default runner, a new one if the last was retired.
    pub(crate) fn shared() -> Result<Runner, Error> {
        static SHARED: Mutex<Option<Runner>> = Mutex::new(None);
        let mut shared = SHARED.lock();
        match shared.as_ref() {
            Some(runner) if runner.is_alive() => Ok(runner.clone()),
            _ => {
                let runner = Runner::new()?;
                *shared = Some(runner.clone());
                Ok(runner)
            }
        }
    }

    /// Has `job` done on the runner, and waits for it for at most `patience` of script time.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        live: Arc<LiveUsage>,
        job: impl FnOnce(&mut Cage<'_>, &Arc<Watch>) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        if self.lease.queue.is_served_here() {
            return Err(CallError::WithinItself);
        }
        let (answer, waiter) = handover::reply::<Result<T, String>>(live);
        if !self.lease.queue.push(Runner::answering(answer, job)) {
            return Err(CallError::NoAnswer(NoAnswer::Lost));
        }
        let watch = waiter.watch().clone();
        self.take(waiter.wait(patience), &watch)
    }

    /// A job that gives its answer, also when it panics.
    fn answering<T: Send + 'static>(
        answer: Answer<Result<T, String>>,
        job: impl FnOnce(&mut Cage<'_>, &Arc<Watch>) -> T + Send + 'static,
    ) -> Job {
        Box::new(move |cage| {
            let watch = answer.watch().clone();
            watch.begin();
            match catch_unwind(AssertUnwindSafe(|| thread::watched(&watch, || job(cage, &watch)))) {
                Ok(value) => answer.send(Ok(value)),
                Err(panic) => {
                    answer.send(Err(panic_message(&*panic)));
                    resume_unwind(panic);
                }
            }
        })
    }

    /// Takes an answer; without one, the runner is retired.
    fn take<T>(&self, answer: Result<Result<T, String>, NoAnswer>, watch: &Watch) -> Result<T, CallError> {
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => {
                self.lease.queue.retire("it crashed");
                Err(CallError::Panicked(message, watch.usage()))
            }
            Err(why) => {
                self.lease.queue.retire(why.reason());
                Err(CallError::NoAnswer(why))
            }
        }
    }

    /// Has `job` done on the runner some time, without waiting.
    pub(crate) fn post(&self, job: impl FnOnce(&mut Cage<'_>) + Send + 'static) {
        self.lease.queue.push(Box::new(job));
    }
}

/// Why a call came to nothing.
pub(crate) enum CallError {
    /// The call came from the runner's own thread, which cannot wait for itself.
    WithinItself,
    NoAnswer(NoAnswer),
    Panicked(String, Usage),
}

impl From<CallError> for Error {
    fn from(why: CallError) -> Self {
        match why {
            CallError::WithinItself => Error::Setup(
                "a host function cannot call into a sandbox of the runner that it runs on; give that sandbox a runner of \
                 its own"
                    .to_owned(),
            ),
            CallError::NoAnswer(NoAnswer::Lost) => Error::Lost,
            CallError::NoAnswer(NoAnswer::Stuck(usage) | NoAnswer::OutOfMemory(usage)) => Error::Stuck(Box::new(usage)),
            CallError::Panicked(message, usage) => Error::Crashed { message, usage: Box::new(usage) },
        }
    }
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
