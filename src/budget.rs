//! What a run may cost.

use crate::usage::Usage;
use std::fmt;
use std::time::Duration;

/// The limits of a call.
///
/// Every limit has a finite default: an unconfigured sandbox cannot run for ever, eat the machine or flood the host.
/// Setters take and return the budget, so they chain.
///
/// | limit | default |
/// |---|---|
/// | [`instructions`](Budget::instructions) | 20 million |
/// | [`timeout`](Budget::timeout) | 2 s |
/// | [`memory`](Budget::memory) | 64 MiB, where the [`MeteredAlloc`](crate::MeteredAlloc) is installed |
/// | [`allocations`](Budget::allocations) | 20 million, likewise |
/// | [`recursion`](Budget::recursion) | 400 frames |
/// | [`output`](Budget::output) | 1 MiB |
/// | [`host_calls`](Budget::host_calls) | 1 million |
///
/// ```
/// use pycage::{Budget, Error, Limit, Sandbox};
/// use std::time::Duration;
///
/// let budget = Budget::default().instructions(10_000).timeout(Duration::from_millis(50));
/// let mut sandbox = Sandbox::builder().budget(budget).build()?;
/// match sandbox.exec("while True: pass") {
///     Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Instructions),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub struct Budget {
    pub(crate) instructions: u64,
    pub(crate) timeout: Duration,
    pub(crate) memory: Asked<u64>,
    pub(crate) allocations: Asked<u64>,
    pub(crate) recursion: usize,
    pub(crate) output: u64,
    pub(crate) host_calls: u64,
}

/// A limit that needs the metered allocator: a default is dropped quietly without it, a limit that the host asked for is
/// an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Asked<T> {
    Default(T),
    ByHost(T),
}

impl<T: Copy> Asked<T> {
    pub(crate) fn value(self) -> T {
        match self {
            Asked::Default(value) | Asked::ByHost(value) => value,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            instructions: 20_000_000,
            timeout: Duration::from_secs(2),
            memory: Asked::Default(64 << 20),
            allocations: Asked::Default(20_000_000),
            recursion: 400,
            output: 1 << 20,
            host_calls: 1_000_000,
        }
    }
}

impl Budget {
    /// Instructions and native steps together, per call.
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    ///
    /// assert_eq!(Budget::default().instructions(5_000).allowed(Limit::Instructions), 5_000);
    /// ```
    #[must_use]
    pub fn instructions(mut self, count: u64) -> Self {
        self.instructions = count.min(1 << 60);
        self
    }

    /// Wall-clock time per call, without the time spent in host functions.
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    /// use std::time::Duration;
    ///
    /// let budget = Budget::default().timeout(Duration::from_millis(50));
    /// assert_eq!(budget.allowed(Limit::Time), 50);
    /// ```
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Bytes that the sandbox may hold at any time, over all its calls.
    ///
    /// Needs the [`MeteredAlloc`](crate::MeteredAlloc) as global allocator: without it, a call with this limit set is
    /// [`Error::Setup`](crate::Error::Setup).
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    ///
    /// assert_eq!(Budget::default().memory(8 << 20).allowed(Limit::Memory), 8 << 20);
    /// ```
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Asked::ByHost(bytes);
        self
    }

    /// Allocations per call. Needs the [`MeteredAlloc`](crate::MeteredAlloc), as [`Budget::memory`] does.
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    ///
    /// assert_eq!(Budget::default().allocations(1_000).allowed(Limit::Allocations), 1_000);
    /// ```
    #[must_use]
    pub fn allocations(mut self, count: u64) -> Self {
        self.allocations = Asked::ByHost(count);
        self
    }

    /// Nested Python calls. One more raises Python's own `RecursionError`, which a script may catch, as in any Python.
    /// At most 10,000.
    ///
    /// ```
    /// use pycage::{Budget, Error, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().budget(Budget::default().recursion(20)).build()?;
    /// let ended = sandbox.exec("def f(n): return f(n + 1)\nf(0)");
    /// assert!(matches!(ended, Err(Error::Exception(raised)) if raised.type_name == "RecursionError"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn recursion(mut self, depth: usize) -> Self {
        self.recursion = depth.min(10_000);
        self
    }

    /// Bytes that `print` may write per call.
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    ///
    /// assert_eq!(Budget::default().output(80).allowed(Limit::Output), 80);
    /// ```
    #[must_use]
    pub fn output(mut self, bytes: u64) -> Self {
        self.output = bytes;
        self
    }

    /// Calls of host functions, per call.
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    ///
    /// assert_eq!(Budget::default().host_calls(3).allowed(Limit::HostCalls), 3);
    /// ```
    #[must_use]
    pub fn host_calls(mut self, count: u64) -> Self {
        self.host_calls = count;
        self
    }
}

impl Budget {
    /// What is allowed of a limit, in the limit's unit: a count, bytes, or milliseconds.
    ///
    /// ```
    /// use pycage::{Budget, Limit};
    ///
    /// assert_eq!(Budget::default().allowed(Limit::Time), 2_000);
    /// ```
    pub fn allowed(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Instructions => self.instructions,
            Limit::Allocations => self.allocations.value(),
            Limit::Memory => self.memory.value(),
            Limit::Time => self.timeout.as_millis() as u64,
            Limit::Output => self.output,
            Limit::HostCalls => self.host_calls,
        }
    }

    /// This budget for a call, cut down to what a lifetime budget leaves.
    pub(crate) fn within(&self, lifetime: &Budget, spent: &Usage) -> Budget {
        let rest = |limit: Limit| lifetime.allowed(limit).saturating_sub(spent.of(limit));
        let mut cut = self.clone();
        cut.instructions = cut.instructions.min(rest(Limit::Instructions));
        cut.timeout = cut.timeout.min(lifetime.timeout.saturating_sub(spent.elapsed));
        cut.allocations = match cut.allocations {
            Asked::Default(count) => Asked::Default(count.min(rest(Limit::Allocations))),
            Asked::ByHost(count) => Asked::ByHost(count.min(rest(Limit::Allocations))),
        };
        cut.output = cut.output.min(rest(Limit::Output));
        cut.host_calls = cut.host_calls.min(rest(Limit::HostCalls));
        cut
    }
}

/// A limit of a [`Budget`], as named by [`Error::Budget`](crate::Error::Budget).
///
/// ```
/// use pycage::{Budget, Limit};
///
/// let budget = Budget::default();
/// assert!(budget.allowed(Limit::Instructions) > budget.allowed(Limit::HostCalls));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Limit {
    /// [`Budget::instructions`].
    Instructions,
    /// [`Budget::allocations`].
    Allocations,
    /// [`Budget::memory`].
    Memory,
    /// [`Budget::timeout`].
    Time,
    /// [`Budget::output`].
    Output,
    /// [`Budget::host_calls`].
    HostCalls,
}

impl Limit {
    /// The name, as the command line prints it.
    ///
    /// ```
    /// assert_eq!(pycage::Limit::HostCalls.name(), "host_calls");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Limit::Instructions => "instructions",
            Limit::Allocations => "allocations",
            Limit::Memory => "memory",
            Limit::Time => "time",
            Limit::Output => "output",
            Limit::HostCalls => "host_calls",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
