//! Calls from inside a host function back into the script.

use crate::error::{ConversionError, Error};
use crate::host::callback::Callback;
use crate::host::{convert, scope_state};
use crate::meter::{allocator, fuel};
use crate::runner::{operation, outcome, thread};
use crate::value::Value;
use rustpython_vm::VirtualMachine;
use std::cell::Cell;
use std::rc::Rc;

/// How deep the script and the host may call each other. Each level takes stack of both.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Calls back, on the script's account and clock.
pub(crate) fn call(callback: &Callback, args: Vec<Value>, vm: &VirtualMachine) -> Result<Value, Error> {
    let state = scope_state::current().ok_or_else(no_run)?;
    if fuel::tripped() {
        return Err(outcome::stop_so_far());
    }
    let Some(function) = state.held(callback) else { return Err(foreign()) };
    let depth = Depth::enter(&state)?;
    let unwound = Unwound;
    let result = thread::on_the_scripts_time(vm, || {
        // All that may run the script's code is on its account, the `__str__` of an exception too.
        let billed = allocator::resume();
        let mut objects = Vec::with_capacity(args.len());
        for arg in &args {
            objects.push(convert::to_python(arg, vm)?);
        }
        let result = state.called.call(&function, objects, vm).and_then(|result| operation::drive(result, vm));
        let answer = match result {
            Ok(object) => {
                let paused = allocator::pause();
                let value = convert::from_python(&object, vm);
                drop(paused);
                value.map_err(Error::from)
            }
            Err(_) if fuel::tripped() => Err(outcome::stop_so_far()),
            Err(exception) => {
                let mut described = outcome::describe(vm, &exception);
                described.serial = Some(state.keep_raised(exception));
                Err(Error::Exception(described))
            }
        };
        drop(billed);
        if fuel::tripped() { Err(outcome::stop_so_far()) } else { answer }
    });
    std::mem::forget(unwound);
    drop(depth);
    result
}

thread_local! {
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the interpreter of this thread has panicked in a callback: then it must not be used any more.
#[inline]
pub(crate) fn panicked() -> bool {
    PANICKED.get()
}

/// Takes note of a panic that goes through a callback, on its way to the host's code, which may catch it.
struct Unwound;

impl Drop for Unwound {
    fn drop(&mut self) {
        PANICKED.set(true);
    }
}

/// A level of calls between script and host, until it is dropped.
struct Depth(Rc<scope_state::ScopeState>);

impl Depth {
    fn enter(state: &Rc<scope_state::ScopeState>) -> Result<Depth, Error> {
        if state.depth.get() >= MAX_DEPTH {
            return Err(too_deep());
        }
        state.depth.set(state.depth.get() + 1);
        Ok(Depth(state.clone()))
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}

#[cold]
pub(crate) fn too_deep() -> Error {
    Error::Setup(format!("host and script call each other more than {MAX_DEPTH} levels deep"))
}

#[cold]
fn no_run() -> Error {
    Error::Setup("a callback can only be called while its sandbox runs".to_owned())
}

#[cold]
pub(crate) fn foreign() -> Error {
    of_another().into()
}

#[cold]
pub(crate) fn of_another() -> ConversionError {
    ConversionError::new("the callback belongs to another sandbox, or to one that is gone")
}
