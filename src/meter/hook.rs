//! The host's say while a script runs: a hook at checkpoints, and a cancel handle.

use crate::usage::Usage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    fn checkpoint(&self, usage: &Usage) -> HookAction;
}

impl<F: Fn(&Usage) -> HookAction + Send + Sync> MeterHook for F {
    fn checkpoint(&self, usage: &Usage) -> HookAction {
        self(usage)
    }
}

/// What a [`MeterHook`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookAction {
    /// Go on under the budget as it is.
    Continue,
    /// Go on, and allow that many further instructions.
    Extend(u64),
    /// End the run with [`Error::Stopped`](crate::Error::Stopped) and this reason.
    Stop(String),
}

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
/// assert!(matches!(sandbox.eval("1 + 1"), Err(Error::Cancelled(_))));
/// cancel.reset();
/// assert!(sandbox.eval("1 + 1").is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(pub(crate) Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Takes a cancel back, so that later calls run.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether a cancel stands.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
