//! Run restricted Python plugins inside a Rust host: an embedded interpreter with an allow-list, a budget and an exact bill.
//!
//! | to | use |
//! |---|---|
//! | run scripts | [`Sandbox`]: `eval`, `exec`, `call`, `get`, `set`; [`Script`] for what is compiled once and run often |
//! | say what they may use | [`Policy`], [`SourceLimits`], [`Sandbox::function`] |
//! | say what they may cost | [`Budget`]; [`MeteredAlloc`] for memory; [`MeterHook`], [`Pause`] and [`Cancel`] while they run |
//! | learn what they cost | [`Usage`], also in every [`Error`] of a run |
//! | exchange values | [`Value`], [`FromValue`], [`IntoValue`], [`IntoArgs`] |
//! | spread them over threads | [`Runner`] |
//! | wall them in | [`Isolation::Process`], the module `process` |
//!
//! # Untrusted input
//!
//! Sources, and whatever a script answers, prints or raises, are taken to be hostile. No source and no script makes a call
//! panic in the calling thread, run past its budget's timeout by more than a third of a second, or reach what it was not
//! given. `SECURITY.md` in the repository says what that rests on, how it is tested, and what is known to fall short.
//!
//! The calls of this crate block. They may be made from any thread that is not the runner's own: a host function must not
//! call into a sandbox of the runner that it runs on, and gets [`Error::Setup`] if it tries.

mod budget;
mod compile;
mod error;
mod guard;
mod host;
mod meter;
mod modules;
mod policy;
#[cfg(feature = "process")]
pub mod process;
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
#[cfg(feature = "process")]
pub use process::worker;
pub use runner::Runner;
pub use sandbox::{Isolation, LiveUsageView, Sandbox, SandboxBuilder};
pub use script::Script;
pub use usage::Usage;
pub use value::{BigInt, FromValue, IntoArgs, IntoValue, Value};

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
