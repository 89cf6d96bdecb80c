//! Run restricted Python plugins inside a Rust host.

mod budget;
mod compile;
mod error;
mod guard;
mod meter;
mod usage;

pub use budget::{Budget, Limit};
pub use error::{
    BudgetExceeded, ConversionError, Error, Rejection, ScriptException, SourceLimit, Stopped, SyntaxError, TraceEntry,
};
pub use meter::allocator::MeteredAlloc;
pub use meter::hook::{Cancel, HookAction, MeterHook};
pub use usage::Usage;
