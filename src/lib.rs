//! Run restricted Python plugins inside a Rust host: an embedded interpreter with an allow-list, a budget and an exact bill.
//!
//! | to | use |
//! |---|---|
//! | run scripts | [`Sandbox`]: `eval`, `exec`, `call`, `get`, `set`; [`Script`] for what is compiled once and run often |
//! | say what they may use | [`Policy`], [`SourceLimits`], [`ValueLimits`], [`Clock`] |
//! | give them functions and objects of the host | [`Sandbox::function`], [`HostFunction`], [`HostObject`], [`Handle`], [`CallContext`], [`Sandbox::scope`] |
//! | give them modules and files | [`SandboxBuilder::module`], [`HostModule`]; [`SandboxBuilder::resolver`], [`Resolver`]; [`SandboxBuilder::mount`], [`Mount`], [`MemoryFiles`] |
//! | say what they may cost | [`Budget`]; [`MeteredAlloc`] for memory; [`MeterHook`], [`Pause`] and [`Cancel`] while they run |
//! | learn what they cost | [`Usage`], also in every [`Error`] of a run |
//! | keep records of what ran, and see what goes on | [`SandboxBuilder::audit`], [`AuditSink`], [`AuditRecord`]; features `json` and `tracing`: [`observability`] |
//! | let a script run a slice at a time, and await the host | [`Sandbox::start`], [`Task`], [`Progress`], [`Sandbox::awaitable`] |
//! | exchange values | [`Value`], [`FromValue`], [`IntoValue`], [`IntoArgs`]; [`Callback`] for a script's callables; feature `serde`: [`to_value`], [`from_value`] |
//! | tell editors and type checkers what scripts may use | [`Sandbox::stubs`], [`Stubs`], [`TypeHint`] |
//! | keep their state | [`Sandbox::snapshot`], [`Sandbox::restore`], [`Sandbox::reload`] |
//! | run them without blocking, on any executor (feature `async`) | [`Sandbox`]: `eval_async`, `call_async`, `async_function`; `SandboxBuilder::build_async` |
//! | spread them over threads, or call many in one go | [`Runner`], [`Runner::with`] |
//! | wall them in | [`Isolation::Process`], the module `process` |
//!
//! The chapter [`guided_tour`] shows each in turn.
//!
//! # Untrusted input
//!
//! Sources, and whatever a script answers, prints or raises, are taken to be hostile. No source and no script makes a call
//! panic in the calling thread, run past its budget's timeout by more than a third of a second (and what compiling takes of a
//! module that the script imports as its time is up), or reach what it was not given. `SECURITY.md` in the repository says what that rests on, how it is tested, and what is known to fall short.
//!
//! The calls of this crate block. They may be made from any thread that is not the runner's own: a host function must not
//! call into a sandbox of the runner that it runs on, and gets [`Error::Setup`] if it tries.

#[macro_use]
mod observe;

mod budget;
mod clock;
mod compile;
#[cfg(doctest)]
mod enforced;
mod error;
mod files;
#[cfg(feature = "async")]
mod future;
mod guard;
mod host;
mod meter;
mod modules;
#[cfg(feature = "async")]
mod offload;
mod policy;
#[cfg(feature = "process")]
pub mod process;
mod profile;
mod runner;
mod sandbox;
mod script;
mod stubs;
mod task;
mod usage;
mod value;

pub use budget::{Budget, Limit};
pub use clock::Clock;
pub use compile::limits::SourceLimits;
pub use error::{
    BudgetExceeded, ConversionError, Error, Rejection, ScriptException, SourceLimit, Stopped, SyntaxError, TraceEntry,
};
#[cfg(unix)]
pub use files::folder_modules::FolderModules;
pub use files::memory::MemoryFiles;
pub use files::mount::Mount;
#[cfg(feature = "async")]
pub use future::AsyncHostFunction;
pub use host::args::{Arguments, HostArg, Kwargs, OrDefault, Rest};
pub use host::awaitable::Request;
pub use host::callback::Callback;
pub use host::context::CallContext;
pub use host::failure::{CallFailure, ExceptionType, HostError, IntoAnswer, Raise};
pub use host::function::{HostFunction, HostFunctionMut};
pub use host::lend::Scope;
pub use host::module::HostModule;
pub use host::object::members::Members;
pub use host::object::method::HostMethod;
pub use host::object::{AnyObject, Borrowed, Handle, HostObject, InUse};
pub use host::resolver::{MemoryModules, ModuleSource, Resolver};
pub use meter::allocator::MeteredAlloc;
pub use meter::hook::{Cancel, HookAction, MeterHook, Pause};
pub use observe::audit::{AuditFailures, AuditPolicy, AuditRecord, AuditScript, AuditSink, Operation};
#[cfg(feature = "json")]
pub use observe::json_lines::JsonLines;
pub use observe::outcome::{AuditOutcome, OutcomeKind, Stage};
pub use policy::Policy;
#[cfg(feature = "process")]
pub use process::worker;
pub use profile::{LineCost, Profile, StackCost};
pub use runner::Runner;
pub use runner::cage::Cage;
pub use sandbox::{Isolation, LiveUsageView, Reloaded, Sandbox, SandboxBuilder, Snapshot};
pub use script::Script;
pub use stubs::Stubs;
pub use stubs::hint::TypeHint;
#[doc(hidden)]
pub use stubs::signature::Signature;
pub use task::{Progress, Task};
pub use usage::Usage;
pub use value::limits::ValueLimits;
#[cfg(feature = "serde")]
pub use value::serde::{SerdeError, from_value, to_value};
pub use value::{BigInt, FromValue, IntoArgs, IntoValue, Value};

/// A tour of the crate, a feature after the other: `examples/guided_tour.rs`.
///
/// ```no_run,standalone_crate
#[doc = include_str!("../examples/guided_tour.rs")]
/// ```
#[cfg(doc)]
pub mod guided_tour {}

#[cfg(doc)]
#[doc = include_str!("../docs/observability.md")]
pub mod observability {}

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
