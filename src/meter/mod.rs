//! What a run costs: instructions, native work, memory, time.
//!
//! * [`fuel`]: the instruction meter, the tripped flag, checkpoints.
//! * [`run`]: what a run may cost, and who is told.
//! * [`clock`]: its time, and the pace of its checkpoints.
//! * [`allocator`]: the global-allocator wrapper that bills memory to sandboxes.
//! * [`interned`]: names, which stay for the life of the process.
//! * [`profile`]: where the cost of runs goes, by line and function.
//! * [`hook`]: the host's say at checkpoints, and cancellation.

pub(crate) mod allocator;
pub(crate) mod clock;
pub(crate) mod fuel;
pub(crate) mod hook;
pub(crate) mod interned;
pub(crate) mod profile;
pub(crate) mod run;
