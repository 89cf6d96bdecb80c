//! What the host is told of a run that has ended.

use crate::budget::Budget;
use crate::error::{BudgetExceeded, Error, ScriptException, Stopped, TraceEntry};
use crate::meter::allocator;
use crate::meter::fuel;
use crate::meter::run::Trip;
use crate::usage::Usage;
use crate::value::Value;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyCode};
use rustpython_vm::{AsObject, PyRef, PyResult, VirtualMachine};

/// Characters of an exception's message, and calls of its traceback, that are kept.
const MAX_MESSAGE: usize = 4096;
const MAX_TRACEBACK: usize = 64;

/// Why an operation failed, if it did not trip.
pub(crate) enum Failure {
    Exception(ScriptException),
    Other(Error),
}

/// How a run ended. The failure is boxed, as most runs have none, and all pass on what may hold one.
pub(crate) type Ended = Result<Value, Box<Failure>>;

/// What the host is told of a run that has ended.
#[inline]
pub(crate) fn outcome(trip: Option<Trip>, result: Ended, budget: &Budget, usage: &Usage) -> Result<Value, Error> {
    match (trip, result) {
        (None, Ok(value)) => Ok(value),
        (trip, result) => Err(failed(trip, result.err(), budget, usage)),
    }
}

#[cold]
#[inline(never)]
fn failed(trip: Option<Trip>, failure: Option<Box<Failure>>, budget: &Budget, usage: &Usage) -> Error {
    match (trip, failure.map(|failure| *failure)) {
        (Some(trip), Some(Failure::Exception(stop))) => stopped(trip, budget, *usage, stop.traceback),
        (Some(trip), _) => stopped(trip, budget, *usage, Vec::new()),
        (None, Some(Failure::Exception(mut exception))) => {
            exception.usage = Box::new(*usage);
            Error::Exception(exception)
        }
        (None, Some(Failure::Other(error))) => error,
        // There is a trip or a failure: see `outcome`.
        (None, None) => Error::Lost,
    }
}

/// What the host learns of an exception. Its `str()` may be script code, so this is part of the run.
pub(crate) fn describe(vm: &VirtualMachine, exception: &PyBaseExceptionRef) -> ScriptException {
    let message = if fuel::tripped() {
        String::new()
    } else {
        match exception.as_object().str(vm) {
            Ok(text) => shorten(&text.to_string_lossy()),
            Err(_) => "<its __str__ failed>".to_owned(),
        }
    };
    // One that is not let through goes before the billing is paused: freeing it may run code of the script.
    let host_error = fuel::with_run(|run| run.state.host_error.take()).flatten();
    let host_error = host_error.filter(|(raised, _)| raised.is(exception)).map(|(_, error)| error);
    let _paused = allocator::pause();
    let mut traceback = if fuel::tripped() { traceback(&first_stop(vm, exception)) } else { traceback(exception) };
    if traceback.is_empty() {
        traceback.extend(fuel::with_run(|run| run.state.end.take()).flatten());
    }
    ScriptException {
        type_name: exception.class().name().to_string(),
        message,
        traceback,
        host_error,
        usage: Box::default(),
        serial: None,
    }
}

/// What has stopped the current run, for the host function that is in the middle of it.
pub(crate) fn stop_so_far() -> Error {
    let usage = Box::new(fuel::usage_so_far().unwrap_or_default());
    match fuel::trip_so_far() {
        Some(Trip::Limit(limit)) => Error::Budget(BudgetExceeded {
            limit,
            lifetime: false,
            allowed: fuel::allowed(limit).unwrap_or(0),
            used: usage.of(limit),
            traceback: Vec::new(),
            usage,
        }),
        Some(Trip::Stopped(reason)) => Error::Stopped(Stopped { reason, traceback: Vec::new(), usage }),
        Some(Trip::Cancelled) | None => Error::Cancelled(usage),
    }
}

/// Looks once more at what a run holds, now that it has come to its end; `code` is what was run. If that stops the run,
/// its line is that of what was raised, and else where the code ends: the frame, which would know better, is gone.
#[inline]
pub(crate) fn ended(vm: &VirtualMachine, result: PyResult, code: impl FnOnce() -> Option<PyRef<PyCode>>) -> PyResult {
    let Err(stop) = fuel::leave(vm) else { return result };
    result?;
    let _paused = allocator::pause();
    let end = code().and_then(|code| end_of(&code));
    fuel::with_run(|run| run.state.end = end);
    Err(stop)
}

/// The last line of a code object.
fn end_of(code: &PyCode) -> Option<TraceEntry> {
    let line = code.locations.iter().map(|(start, _)| start.line.get()).max()?;
    Some(TraceEntry {
        file: code.source_path().to_string(),
        line: u32::try_from(line).ok()?,
        column: None,
        function: code.obj_name.to_string(),
    })
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}... ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// What stopped a tripped run first: each handler that it passed has raised the stop anew, from where the handler is.
fn first_stop(vm: &VirtualMachine, last: &PyBaseExceptionRef) -> PyBaseExceptionRef {
    let mut first = last.clone();
    let mut next = last.__context__();
    // As many as there may be nested calls, each with some handlers; a chain can be made to bite its tail.
    for _ in 0..10_000 {
        let Some(exception) = next else { break };
        next = exception.__context__();
        // Scripts cannot raise a bare `BaseException`: this is a stop.
        if exception.class().is(vm.ctx.exceptions.base_exception_type) {
            first = exception;
        }
    }
    first
}

fn traceback(exception: &PyBaseExceptionRef) -> Vec<TraceEntry> {
    let mut entries = Vec::new();
    let mut next = exception.traceback();
    while let Some(link) = next {
        let code = link.frame.f_code();
        if entries.len() == MAX_TRACEBACK {
            // The outermost calls and the innermost one say most.
            entries.pop();
        }
        entries.push(TraceEntry {
            file: code.source_path().to_string(),
            line: link.lineno.get() as u32,
            column: usize::try_from(link.lasti / 2)
                .ok()
                .and_then(|index| code.locations.get(index))
                .map(|(start, _)| start.character_offset.get() as u32),
            function: code.obj_name.to_string(),
        });
        next = link.next.lock().clone();
    }
    entries
}

fn stopped(trip: Trip, budget: &Budget, usage: Usage, traceback: Vec<TraceEntry>) -> Error {
    let limit = match trip {
        Trip::Limit(limit) => limit,
        Trip::Cancelled => return Error::Cancelled(Box::new(usage)),
        Trip::Stopped(reason) => return Error::Stopped(Stopped { reason, traceback, usage: Box::new(usage) }),
    };
    Error::Budget(BudgetExceeded {
        limit,
        lifetime: false,
        allowed: budget.allowed(limit),
        used: usage.of(limit),
        traceback,
        usage: Box::new(usage),
    })
}
