//! The feature `tracing`: where each span and event is made, or nothing in its place. `docs/observability.md` lists them.
//!
//! None of them holds a script's text, a value, an exception's message, or what a script printed.

use super::Observer;
use super::audit::{AuditScript, Operation};
use super::outcome::AuditOutcome;
use crate::error::Error;
use crate::usage::Usage;

/// An event of `tracing`, or nothing where the feature is off.
#[cfg(feature = "tracing")]
macro_rules! event {
    (target: $target:literal, $level:ident, $($rest:tt)*) => {
        tracing::event!(target: $target, tracing::Level::$level, $($rest)*)
    };
}
#[cfg(not(feature = "tracing"))]
macro_rules! event {
    (target: $target:literal, $level:ident, $($name:ident = $value:expr,)* $message:literal) => {
        // What it would have told is looked at, and not computed.
        if false {
            $(let _ = &$value;)*
        }
    };
}

#[cfg(feature = "tracing")]
pub(crate) use tracing::Span;

/// In the place of a span of `tracing`.
#[cfg(not(feature = "tracing"))]
pub(crate) struct Span;

#[cfg(not(feature = "tracing"))]
pub(crate) struct Entered;

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }
}

/// Whether any subscriber is there.
#[inline]
pub(crate) fn listening() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::level_filters::LevelFilter::current() != tracing::level_filters::LevelFilter::OFF;
    #[cfg(not(feature = "tracing"))]
    false
}

/// The span of a run.
pub(super) fn run_span(
    observer: &Observer,
    operation: Operation,
    script: Option<&AuditScript>,
    function: Option<&str>,
) -> Span {
    #[cfg(feature = "tracing")]
    {
        use tracing::field::Empty;
        tracing::info_span!(
            target: "pycage::run", "run",
            sandbox = observer.sandbox, label = observer.label.as_deref(), operation = operation.name(),
            script = script.map(|script| script.name.as_str()), bytes = script.map(|script| script.bytes), function,
            isolation = observer.isolation.name(),
            outcome = Empty, instructions = Empty, native_steps = Empty, allocations = Empty, peak_bytes = Empty,
            elapsed_us = Empty, host_us = Empty,
        )
    }
    #[cfg(not(feature = "tracing"))]
    {
        let _ = (observer, operation, script, function);
        Span
    }
}

/// A run has ended: its figures are the span's, and there is an event.
pub(super) fn run_ended(span: &Span, outcome: &AuditOutcome, usage: &Usage) {
    #[cfg(feature = "tracing")]
    {
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        span.record("outcome", outcome.kind.name());
        span.record("instructions", usage.instructions);
        span.record("native_steps", usage.native_steps);
        span.record("allocations", usage.allocations);
        span.record("peak_bytes", usage.peak_bytes);
        span.record("elapsed_us", micros(usage.elapsed));
        span.record("host_us", micros(usage.host_time));
        macro_rules! ended {
            ($level:ident) => {
                event!(
                    target: "pycage::run", $level,
                    outcome = outcome.kind.name(), value_type = outcome.value_type.as_deref(),
                    exception = outcome.exception.as_deref(), rule = outcome.rule.as_deref(),
                    limit = outcome.limit.as_deref(), cause = outcome.cause.as_deref(), line = outcome.line,
                    instructions = usage.instructions, native_steps = usage.native_steps,
                    elapsed_us = micros(usage.elapsed),
                    "run ended"
                )
            };
        }
        match outcome.kind {
            // A host may call a thousand times in a frame.
            super::outcome::OutcomeKind::Returned => ended!(DEBUG),
            _ => ended!(INFO),
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (span, outcome, usage);
}

/// What an error of a run is beyond its end.
pub(super) fn error(error: &Error) {
    match error {
        Error::Syntax(error) => event!(
            target: "pycage::compile", INFO,
            script = error.file.as_str(), rule = "syntax", line = error.line, column = error.column,
            "rejected"
        ),
        Error::Rejected(rejection) => event!(
            target: "pycage::compile", INFO,
            script = rejection.file.as_str(), rule = rejection.rule, line = rejection.line, column = rejection.column,
            value = rejection.limit.map(|limit| limit.value), max = rejection.limit.map(|limit| limit.max),
            "rejected"
        ),
        Error::Budget(stop) => event!(
            target: "pycage::budget", INFO,
            limit = stop.limit.name(), used = stop.used, allowed = stop.allowed, lifetime = stop.lifetime,
            "the budget ran out"
        ),
        Error::NamesExhausted { bytes } => event!(
            target: "pycage::names", WARN,
            bytes = *bytes,
            "names are exhausted: scripts with new names are refused until the process is restarted"
        ),
        _ => {}
    }
}

/// The span of a compilation.
pub(crate) fn compile_span(observer: &Observer, script: &str, bytes: usize) -> Span {
    #[cfg(feature = "tracing")]
    return tracing::debug_span!(
        target: "pycage::compile", "compile",
        sandbox = observer.sandbox, label = observer.label.as_deref(), script, bytes,
    );
    #[cfg(not(feature = "tracing"))]
    {
        let _ = (observer, script, bytes);
        Span
    }
}
