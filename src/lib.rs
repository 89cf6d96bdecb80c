//! Run restricted Python plugins inside a Rust host.

mod budget;
mod compile;
mod error;
mod guard;
mod host;
mod meter;
mod policy;
mod runner;
mod sandbox;
mod script;
mod usage;
mod value;

pub use budget::{Budget, Limit};
pub use compile::limits::SourceLimits;
pub use error::{
    BudgetExceeded, ConversionError, Error, Rejection, ScriptException, SourceLimit, Stopped, SyntaxError, TraceEntry,
};
pub use host::function::{CallFailure, HostError, HostFunction, IntoAnswer};
pub use meter::allocator::MeteredAlloc;
pub use meter::hook::{Cancel, HookAction, MeterHook, Pause};
pub use policy::Policy;
pub use runner::Runner;
pub use sandbox::{LiveUsageView, Sandbox, SandboxBuilder};
pub use script::Script;
pub use usage::Usage;
pub use value::{BigInt, FromValue, IntoArgs, IntoValue, Value};

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
