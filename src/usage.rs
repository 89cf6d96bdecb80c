//! The bill of a run.

use crate::budget::Limit;
use std::time::Duration;

/// What a run cost.
///
/// `instructions` and `native_steps` are exact and repeatable: the same script, input and seed give the same figures on
/// every machine, warm or cold. Memory figures are those of the metered allocator (zero without it), times are measured.
///
/// ```
/// use pycage::{Budget, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let (_, usage) = sandbox.eval_with::<i64>("sum(range(100))", Budget::default())?;
/// let (_, again) = sandbox.eval_with::<i64>("sum(range(100))", Budget::default())?;
/// assert_eq!((usage.instructions, usage.native_steps), (again.instructions, again.native_steps));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Usage {
    /// Bytecode instructions executed. A block of instructions is paid when it is entered, so an exception raised inside
    /// one over-charges by at most the rest of that block.
    pub instructions: u64,
    /// Work that native code did for the script beyond its instructions: a step of a native loop, or about a kilobyte
    /// moved. Counted against the same limit as `instructions`.
    pub native_steps: u64,
    /// Allocations made.
    pub allocations: u64,
    /// Bytes allocated, in total.
    pub allocated_bytes: u64,
    /// Bytes that the sandbox holds at the end of the run.
    pub live_bytes: u64,
    /// The most that the sandbox held at any time of the run.
    pub peak_bytes: u64,
    /// Bytes of output written.
    pub output_bytes: u64,
    /// Calls of host functions.
    pub host_calls: u64,
    /// Wall-clock time of the run, without time spent in the host's own functions.
    pub elapsed: Duration,
    /// Wall-clock time spent in the host's own functions.
    pub host_time: Duration,
}

impl Usage {
    /// What was used of a limit, in the limit's unit: a count, bytes, or milliseconds.
    ///
    /// ```
    /// use pycage::{Budget, Limit, Sandbox};
    ///
    /// let (_, usage) = Sandbox::new()?.eval_with::<i64>("sum(range(100))", Budget::default())?;
    /// assert_eq!(usage.of(Limit::Instructions), usage.instructions + usage.native_steps);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn of(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Instructions => self.instructions + self.native_steps,
            Limit::Allocations => self.allocations,
            Limit::Memory => self.peak_bytes,
            Limit::Time => self.elapsed.as_millis() as u64,
            Limit::Output => self.output_bytes,
            Limit::HostCalls => self.host_calls,
        }
    }

    /// What was spent since `before`, an earlier figure of the same task.
    pub(crate) fn since(&self, before: &Usage) -> Usage {
        Usage {
            instructions: self.instructions.saturating_sub(before.instructions),
            native_steps: self.native_steps.saturating_sub(before.native_steps),
            allocations: self.allocations.saturating_sub(before.allocations),
            allocated_bytes: self.allocated_bytes.saturating_sub(before.allocated_bytes),
            live_bytes: self.live_bytes,
            peak_bytes: self.peak_bytes,
            output_bytes: self.output_bytes.saturating_sub(before.output_bytes),
            host_calls: self.host_calls.saturating_sub(before.host_calls),
            elapsed: self.elapsed.saturating_sub(before.elapsed),
            host_time: self.host_time.saturating_sub(before.host_time),
        }
    }

    /// Adds a later call.
    #[inline]
    pub(crate) fn add(&mut self, call: &Usage) {
        // A worker process that was taken over may report anything.
        self.instructions = self.instructions.saturating_add(call.instructions);
        self.native_steps = self.native_steps.saturating_add(call.native_steps);
        self.allocations = self.allocations.saturating_add(call.allocations);
        self.allocated_bytes = self.allocated_bytes.saturating_add(call.allocated_bytes);
        self.live_bytes = call.live_bytes;
        self.peak_bytes = self.peak_bytes.max(call.peak_bytes);
        self.output_bytes = self.output_bytes.saturating_add(call.output_bytes);
        self.host_calls = self.host_calls.saturating_add(call.host_calls);
        self.elapsed = self.elapsed.saturating_add(call.elapsed);
        self.host_time = self.host_time.saturating_add(call.host_time);
    }
}
