//! The time that scripts see.

use rustpython_vm::function::IntoPyNativeFn;
use rustpython_vm::{PyObjectRef, VirtualMachine};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// What the modules `time` and `datetime` take for the present.
///
/// The default stands still at the beginning of the year 2000, so that a script does the same every time. The zone is always
/// UTC: nothing of the host's clock or place is seen unless [`Clock::system`] is asked for.
///
/// ```
/// use pycage::{Clock, Policy, Sandbox};
/// use std::time::{Duration, SystemTime};
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
/// let policy = Policy::plugin().clock(Clock::fixed(now));
/// let mut sandbox = Sandbox::builder().policy(policy).build()?;
/// sandbox.exec("import time, datetime")?;
/// assert_eq!(sandbox.eval::<f64>("time.time()")?, 1e9);
/// assert_eq!(sandbox.eval::<String>("datetime.datetime.now().isoformat()")?, "2001-09-09T01:46:40");
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub struct Clock {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
enum Kind {
    /// Nanoseconds since 1970, and how many more each reading makes of them.
    Fixed {
        nanos: i64,
        tick: u64,
    },
    System,
}

/// The beginning of the year 2000.
const DEFAULT: i64 = 946_684_800_000_000_000;

impl Default for Clock {
    fn default() -> Self {
        Clock { kind: Kind::Fixed { nanos: DEFAULT, tick: 0 } }
    }
}

impl Clock {
    /// A clock that stands still. Times beyond the years 1678 to 2262 are taken for the first or the last that there is.
    ///
    /// ```
    /// use pycage::Clock;
    /// use std::time::SystemTime;
    ///
    /// assert_ne!(Clock::fixed(SystemTime::UNIX_EPOCH), Clock::default());
    /// ```
    pub fn fixed(at: SystemTime) -> Self {
        let nanos = match at.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(error) => i64::try_from(error.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        };
        Clock { kind: Kind::Fixed { nanos, tick: 0 } }
    }

    /// The clock goes on by `tick` each time that a script reads it, and by nothing else. The system's clock stays as it is.
    ///
    /// ```
    /// use pycage::{Clock, Policy, Sandbox};
    /// use std::time::Duration;
    ///
    /// let clock = Clock::default().ticking(Duration::from_secs(1));
    /// let mut sandbox = Sandbox::builder().policy(Policy::plugin().clock(clock)).build()?;
    /// assert_eq!(sandbox.eval::<f64>("import time\nfirst = time.time()\ntime.time() - first")?, 1.0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn ticking(self, by: Duration) -> Self {
        match self.kind {
            Kind::Fixed { nanos, .. } => {
                let tick = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
                Clock { kind: Kind::Fixed { nanos, tick } }
            }
            Kind::System => self,
        }
    }

    /// The clock of the system, in UTC. With it a script does not do the same every time, and it can measure how long
    /// things take.
    ///
    /// ```
    /// use pycage::{Clock, Policy, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().policy(Policy::plugin().clock(Clock::system())).build()?;
    /// assert!(sandbox.eval::<f64>("import time\ntime.time()")? > 1.7e9);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn system() -> Self {
        Clock { kind: Kind::System }
    }

    /// A native function for a sandbox that answers the nanoseconds since 1970.
    pub(crate) fn native(&self, vm: &VirtualMachine) -> PyObjectRef {
        let kind = self.kind.clone();
        let readings = AtomicU64::new(0);
        function("_clock", vm, move || match &kind {
            Kind::Fixed { nanos, tick } => {
                let ticks = tick.saturating_mul(readings.fetch_add(1, Ordering::Relaxed));
                nanos.saturating_add_unsigned(ticks)
            }
            Kind::System => match Clock::fixed(SystemTime::now()).kind {
                Kind::Fixed { nanos, .. } => nanos,
                Kind::System => 0,
            },
        })
    }
}

fn function<Kind>(name: &'static str, vm: &VirtualMachine, function: impl IntoPyNativeFn<Kind>) -> PyObjectRef {
    vm.new_function(name, function).into()
}
