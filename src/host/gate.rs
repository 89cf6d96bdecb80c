//! The gate between a script and the host's code: what is counted, paid and caught whenever a script calls the host.

use crate::budget::Limit;
use crate::error::Error;
use crate::host::failure::{CallFailure, HostError, Raise};
use crate::host::scope_state;
use crate::host::{callback_call, convert};
use crate::meter::allocator;
use crate::meter::fuel;
use crate::meter::run::Trip;
use crate::runner::thread;
use crate::value::Value;
use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Calls the host for a script: counts the call, runs `work` with what it allocates on the host's account, and makes its
/// answer the script's.
///
/// `work` converts arguments, and calls [`on_the_hosts_side`] for the host's own code. `what` names what is called, for
/// messages.
#[inline]
pub(crate) fn call(
    what: &dyn fmt::Display,
    vm: &VirtualMachine,
    work: impl FnOnce() -> Result<Value, CallFailure>,
) -> PyResult {
    let answer = enter(what, vm, work)?;
    answer_object(&answer, what, vm)
}

/// [`call`], for answers that are no values.
#[inline]
pub(crate) fn enter<T>(
    what: &dyn fmt::Display,
    vm: &VirtualMachine,
    work: impl FnOnce() -> Result<T, CallFailure>,
) -> PyResult<T> {
    count_call(vm)?;
    uncounted(what, vm, work)
}

/// [`enter`], for what is no call of its own.
#[inline]
pub(crate) fn uncounted<T>(
    what: &dyn fmt::Display,
    vm: &VirtualMachine,
    work: impl FnOnce() -> Result<T, CallFailure>,
) -> PyResult<T> {
    // Here, and not in the middle of what follows: freeing what the host let go of may run code of the script.
    scope_state::sweep();
    // What is copied for the host is the host's, in memory and in time.
    let paused = allocator::pause();
    let answer = work();
    drop(paused);
    // A callback of the script may have tripped the run, whatever the host made of it.
    if fuel::tripped() {
        fuel::charge(1, vm)?;
    }
    answer.map_err(|failure| exception(failure, what, vm))
}

/// An answer as the script's object.
#[inline]
pub(crate) fn answer_object(answer: &Value, what: &dyn fmt::Display, vm: &VirtualMachine) -> PyResult {
    convert::to_python(answer, vm).map_err(|error| vm.new_type_error(format!("{what} answered: {}", error.message)))
}

/// Runs the host's own code: detached, off the script's clock, its panics caught.
#[inline]
pub(crate) fn on_the_hosts_side<R>(vm: &VirtualMachine, f: impl FnOnce() -> R) -> Result<R, CallFailure> {
    let result = thread::on_the_hosts_time(vm, || catch_unwind(AssertUnwindSafe(f)));
    // A panic of the interpreter, in a callback: whatever the host's code made of it, this thread must not go on.
    if callback_call::panicked() {
        resume_unwind(Box::new("the interpreter panicked in a callback"));
    }
    result.map_err(panicked)
}

/// Runs the host's own code where there is no script to be kept from it, its panics caught.
pub(crate) fn contained<R>(f: impl FnOnce() -> R) -> Result<R, CallFailure> {
    catch_unwind(AssertUnwindSafe(f)).map_err(panicked)
}

fn panicked(panic: Box<dyn Any + Send>) -> CallFailure {
    drop_quietly(panic);
    CallFailure::Panicked
}

/// Drops something of the host's whose `drop` may panic, without letting that through the interpreter.
pub(crate) fn drop_quietly<T>(value: T) {
    let _paused = allocator::pause();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload of a panic may panic as well when it is dropped.
        std::mem::forget(panic);
    }
}

/// Counts a call, and stops the run when it is one too many.
pub(crate) fn count_call(vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    // Tripped already: the host is not called for a script that has ended.
    fuel::charge(1, vm)?;
    let too_many = fuel::with_run(|run| {
        run.state.host_calls += 1;
        run.state.host_calls > run.host_calls
    });
    if too_many == Some(true) { Err(fuel::trip_now(Trip::Limit(Limit::HostCalls), vm)) } else { Ok(()) }
}

#[cold]
fn exception(failure: CallFailure, what: &dyn fmt::Display, vm: &VirtualMachine) -> PyBaseExceptionRef {
    match failure {
        CallFailure::Arguments(message) => vm.new_type_error(format!("{what} {message}")),
        CallFailure::Failed(error) => raise(error, vm),
        CallFailure::Panicked => vm.new_runtime_error(format!("{what} panicked")),
    }
}

/// An exception of a callback that the host lets through.
pub(crate) struct LetThrough {
    pub(crate) serial: u64,
    /// The host's own error, if it was one that became the exception.
    pub(crate) host_error: Option<HostError>,
}

/// What a host's error lets through, if it does.
pub(crate) fn let_through(error: &HostError) -> Option<LetThrough> {
    match error.downcast_ref::<Error>() {
        Some(Error::Exception(exception)) => {
            Some(LetThrough { serial: exception.serial?, host_error: exception.host_error.clone() })
        }
        #[cfg(feature = "process")]
        None => {
            let error = &error.downcast_ref::<Raise>()?.error;
            let known = error.downcast_ref::<crate::process::worker::WireHostError>()?;
            Some(LetThrough { serial: known.serial?, host_error: known.own.then(|| error.clone()) })
        }
        _ => None,
    }
}

/// The exception for a host's error. The error itself is kept aside, to be found again if the exception gets through.
pub(crate) fn raise(error: HostError, vm: &VirtualMachine) -> PyBaseExceptionRef {
    // The host lets an exception of a callback through: the script gets its own exception back.
    if let Some(LetThrough { serial, host_error }) = let_through(&error)
        && let Some(original) = scope_state::take_raised(Some(serial))
    {
        if let Some(error) = host_error {
            keep_host_error(&original, error);
        }
        return original;
    }
    let (class, error) = match error.downcast_ref::<Raise>() {
        Some(raise) => (raise.exception.class(vm), raise.error.clone()),
        None => (vm.ctx.exceptions.runtime_error.to_owned(), error),
    };
    // A host's `Display` is host code.
    let message = catch_unwind(AssertUnwindSafe(|| error.to_string()))
        .unwrap_or_else(|_| "an error whose message cannot be shown".to_owned());
    let message: PyObjectRef = vm.ctx.new_str(message).into();
    let exception = vm.new_exception(class, vec![message]);
    keep_host_error(&exception, error);
    exception
}

/// Keeps an error of the host's aside, for when its exception ends the run.
fn keep_host_error(exception: &PyBaseExceptionRef, error: HostError) {
    // The last one goes outside of the borrow: freeing it may run code of the script.
    let last = fuel::with_run(|run| run.state.host_error.replace((exception.clone(), error)));
    drop(last);
}
