//! The usage of a call, while it runs.

use crate::meter::run::LiveUsage;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The usage of a running call, readable from another thread; see [`Sandbox::live_usage`](crate::Sandbox::live_usage).
///
/// ```
/// let mut sandbox = pycage::Sandbox::new()?;
/// let view = sandbox.live_usage();
/// // Another thread may look while this runs.
/// sandbox.exec("for i in range(100_000): pass")?;
/// assert!(view.instructions() > 100_000);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveUsageView(pub(super) Arc<LiveUsage>);

impl LiveUsageView {
    /// Instructions executed as of the last checkpoint.
    ///
    /// ```
    /// let view = pycage::Sandbox::new()?.live_usage();
    /// assert_eq!(view.instructions(), 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn instructions(&self) -> u64 {
        self.0.instructions.load(Ordering::Relaxed)
    }

    /// Native steps taken as of the last checkpoint.
    ///
    /// ```
    /// let view = pycage::Sandbox::new()?.live_usage();
    /// assert_eq!(view.native_steps(), 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn native_steps(&self) -> u64 {
        self.0.native_steps.load(Ordering::Relaxed)
    }

    /// Bytes held as of the last checkpoint.
    ///
    /// ```
    /// let view = pycage::Sandbox::new()?.live_usage();
    /// assert_eq!(view.live_bytes(), 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn live_bytes(&self) -> u64 {
        self.0.live_bytes.load(Ordering::Relaxed)
    }
}
