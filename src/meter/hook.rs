//! The host's say while a script runs: a hook at checkpoints, and a cancel handle.

use crate::usage::Usage;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Called on the runner thread at checkpoints (every few thousand instructions) with the usage so far.
///
/// Closures implement it.
///
/// ```
/// use pycage::{Budget, Error, HookAction, Sandbox};
///
/// let mut sandbox = Sandbox::builder()
///     .hook(|usage: &pycage::Usage| {
///         if usage.instructions > 100_000 {
///             HookAction::Stop("the frame is over".into())
///         } else {
///             HookAction::Continue
///         }
///     })
///     .build()?;
/// let error = sandbox.exec("while True: pass").unwrap_err();
/// assert!(matches!(error, Error::Stopped(ref stopped) if stopped.reason == "the frame is over"));
/// # Ok::<(), Error>(())
/// ```
pub trait MeterHook: Send + Sync {
    /// Decides whether the run goes on.
    ///
    /// ```
    /// use pycage::{HookAction, MeterHook, Sandbox, Usage};
    ///
    /// struct Patient;
    ///
    /// impl MeterHook for Patient {
    ///     fn checkpoint(&self, usage: &Usage) -> HookAction {
    ///         if usage.native_steps > 1_000_000 { HookAction::Stop("too much".into()) } else { HookAction::Continue }
    ///     }
    /// }
    ///
    /// let mut sandbox = Sandbox::builder().hook(Patient).build()?;
    /// assert_eq!(sandbox.eval::<i64>("1 + 1")?, 2);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    fn checkpoint(&self, usage: &Usage) -> HookAction;
}

impl<F: Fn(&Usage) -> HookAction + Send + Sync> MeterHook for F {
    fn checkpoint(&self, usage: &Usage) -> HookAction {
        self(usage)
    }
}

/// What a [`MeterHook`] answers.
///
/// ```
/// use pycage::{Budget, HookAction, Sandbox};
///
/// // A budget that grows while the script needs it.
/// let mut sandbox = Sandbox::builder().hook(|_: &pycage::Usage| HookAction::Extend(10_000)).build()?;
/// let budget = Budget::default().instructions(1_000);
/// assert!(sandbox.exec_with("for i in range(2_000): pass", budget).is_ok());
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookAction {
    /// Go on under the budget as it is.
    Continue,
    /// Go on, and allow that many further instructions.
    Extend(u64),
    /// Wait until the [`Pause`] is lifted, or the run is cancelled. The wait is not the script's time.
    Pause(Pause),
    /// End the run with [`Error::Stopped`](crate::Error::Stopped) and this reason.
    Stop(String),
}

/// A barrier that a [`MeterHook`] can put in front of a run, and that any thread can lift.
///
/// ```
/// use pycage::{HookAction, Pause, Sandbox};
/// use std::time::Duration;
///
/// let pause = Pause::new();
/// let lifter = pause.clone();
/// std::thread::spawn(move || {
///     std::thread::sleep(Duration::from_millis(20));
///     lifter.lift();
/// });
/// let mut sandbox = Sandbox::builder().hook(move |_: &pycage::Usage| HookAction::Pause(pause.clone())).build()?;
/// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pause(Arc<Barrier>);

#[derive(Debug, Default)]
struct Barrier {
    lifted: Mutex<bool>,
    changed: Condvar,
}

/// How often a paused run looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(5);

impl Pause {
    /// A barrier that stands.
    ///
    /// ```
    /// assert_ne!(pycage::Pause::new(), pycage::Pause::new());
    /// ```
    pub fn new() -> Self {
        Pause::default()
    }

    /// Lets the run go on, now and whenever it meets this barrier again.
    ///
    /// ```
    /// let pause = pycage::Pause::new();
    /// pause.lift();
    /// let hook = move |_: &pycage::Usage| pycage::HookAction::Pause(pause.clone());
    /// let mut sandbox = pycage::Sandbox::builder().hook(hook).build()?;
    /// assert_eq!(sandbox.eval::<i64>("1 + 1")?, 2);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn lift(&self) {
        *self.0.lifted.lock() = true;
        self.0.changed.notify_all();
    }

    /// Waits until it is lifted or `cancelled` is set.
    pub(crate) fn wait(&self, cancelled: &AtomicBool) {
        let mut lifted = self.0.lifted.lock();
        while !*lifted && !cancelled.load(Ordering::Acquire) {
            self.0.changed.wait_for(&mut lifted, CANCEL_POLL);
        }
    }
}

impl PartialEq for Pause {
    /// The same barrier.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Pause {}

/// Stops the calls of one sandbox from any thread.
///
/// A cancelled run ends with [`Error::Cancelled`](crate::Error::Cancelled) at its next checkpoint. A cancel that comes
/// while nothing runs ends the next call at once; [`Cancel::reset`] takes it back.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let cancel = sandbox.cancel_handle();
/// cancel.cancel();
/// assert!(matches!(sandbox.eval::<i64>("1 + 1"), Err(Error::Cancelled(_))));
/// cancel.reset();
/// assert!(sandbox.eval::<i64>("1 + 1").is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(pub(crate) Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to stop.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.cancel_handle().cancel();
    /// assert!(matches!(sandbox.exec("1"), Err(pycage::Error::Cancelled(_))));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Takes a cancel back, so that later calls run.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let cancel = sandbox.cancel_handle();
    /// cancel.cancel();
    /// cancel.reset();
    /// assert!(sandbox.exec("1").is_ok());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn reset(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether a cancel stands.
    ///
    /// ```
    /// let cancel = pycage::Sandbox::new()?.cancel_handle();
    /// assert!(!cancel.is_cancelled());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
