//! What a run costs: instructions, native work, memory, time.
//!
//! * [`fuel`]: the instruction meter, the tripped flag, checkpoints.
//! * [`allocator`]: the global-allocator wrapper that bills memory to sandboxes.
//! * [`hook`]: the host's say at checkpoints, and cancellation.

pub(crate) mod allocator;
pub(crate) mod fuel;
pub(crate) mod hook;
