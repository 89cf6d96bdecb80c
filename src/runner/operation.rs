//! What a sandbox is asked to do, and the doing of it, inside the meters.

use crate::error::{ConversionError, Error};
use crate::guard::types;
use crate::host::callback::Callback;
use crate::host::scope_state::{self, ScopeState};
use crate::host::{awaitable, callback_call, convert, function};
use crate::meter::allocator;
use crate::meter::fuel;
use crate::meter::run::Start;
use crate::observe::Subject;
use crate::observe::audit::Operation;
use crate::runner::cage::SandboxScope;
use crate::runner::outcome::{Ended, Failure, describe, ended};
use crate::runner::state;
use crate::script::Script;
use crate::value::{IntoArgs, Value};
use rustpython_vm::builtins::{PyCode, PyCoroutine, PyDictRef, PyInt, PySet};
use rustpython_vm::function::ArgMapping;
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine};

/// What to do in a sandbox.
pub(crate) enum Op {
    /// Runs a script's top level; answers its last expression.
    Run(Script),
    /// Runs a script's top level; answers nothing, whatever its last expression is.
    Exec(Script),
    /// Calls a global.
    Call { name: String, args: Vec<Value> },
    /// Reads a global.
    Get(String),
    /// Sets a global.
    Set(String, Value),
    /// Makes a function of the host a global.
    SetFunction(function::NewFunction),
    /// Calls a callable that the host holds.
    CallFunction { callback: Callback, args: Vec<Value> },
    /// Copies the plain-data globals out.
    Snapshot,
    /// Sets all of these globals, or none.
    Restore(Vec<(String, Value)>),
    /// Puts a new version of a script in the place of the old one.
    Reload(Script),
    /// Does nothing for a time, in native code that meets no checkpoint.
    #[cfg(feature = "test-hooks")]
    HoldUp(std::time::Duration),
    /// Makes something that can be awaited a global.
    SetAwaitable(String),
}

impl Op {
    /// What is to be told of it to those who look on. `None` for what runs no script.
    pub(crate) fn subject(&self) -> Option<Subject<'_>> {
        Some(match self {
            Op::Run(script) => Subject::Script(Operation::Eval, script),
            Op::Exec(script) => Subject::Script(Operation::Exec, script),
            Op::Reload(script) => Subject::Script(Operation::Reload, script),
            Op::Call { name, .. } => Subject::Function(Operation::Call, name),
            Op::CallFunction { .. } => Subject::Callback,
            #[cfg(feature = "test-hooks")]
            Op::HoldUp(_) => Subject::Function(Operation::Call, "hold_up"),
            Op::Get(_) | Op::Set(..) | Op::SetFunction(_) | Op::SetAwaitable(_) | Op::Snapshot | Op::Restore(_) => {
                return None;
            }
        })
    }
}

/// What came of an operation: an answer, why it could not be done, or an exception.
pub(crate) type Performed = PyResult<Result<Answer, Error>>;

/// What an operation answers.
pub(crate) enum Answer {
    /// An object of the script, to be copied out.
    Object(PyObjectRef),
    Value(Value),
}

/// Does the operation, inside the meters.
pub(crate) fn perform(vm: &VirtualMachine, scope: &SandboxScope, op: Op, code: Option<PyRef<PyCode>>) -> Performed {
    let globals = &scope.globals;
    match op {
        Op::Run(_) => run_to_end(vm, globals, code).map(|value| Ok(Answer::Object(value))),
        Op::Exec(_) => run_to_end(vm, globals, code).map(|_| done()),
        Op::Call { name, args } => call_global(vm, globals, &scope.state, &name, args),
        Op::Get(name) => Ok(match globals.get_item_opt(name.as_str(), vm)? {
            Some(value) if public(&name) => Ok(Answer::Object(value)),
            _ => Err(Error::Setup(format!("the sandbox has no global named '{name}'"))),
        }),
        Op::Set(name, value) => match convert::to_python(&value, vm) {
            Ok(object) => set_global(vm, globals, &name, object),
            Err(error) => Ok(Err(error.into())),
        },
        Op::SetFunction(new) => {
            let name = new.name.clone();
            let object = function::object(new, vm);
            set_global(vm, globals, &name, object)
        }
        #[cfg(feature = "test-hooks")]
        Op::HoldUp(time) => {
            std::thread::sleep(time);
            Ok(done())
        }
        Op::SetAwaitable(name) => set_global(vm, globals, &name, awaitable::object(&name, vm)),
        Op::CallFunction { callback, args } => call_held(vm, &callback, args),
        Op::Snapshot => state::snapshot(globals, vm).map(|value| Ok(Answer::Value(value))),
        Op::Restore(data) => state::restore(globals, &data, vm).map(|done| done.map(Answer::Value)),
        Op::Reload(_) => Ok(Err(Error::Setup("a reload needs globals of its own".to_owned()))),
    }
}

/// Does `work` as a run, inside the meters, and copies out what comes of it.
#[inline]
pub(crate) fn as_run(vm: &VirtualMachine, start: Start, work: impl FnOnce() -> Performed) -> Ended {
    let result = fuel::enter(start, vm).and_then(|()| work());
    carry_out(vm, result)
}

/// Copies what came of an operation out, inside the meters.
#[inline]
fn carry_out(vm: &VirtualMachine, result: Performed) -> Ended {
    match result {
        Ok(Ok(Answer::Object(object))) => {
            // What most calls answer takes no memory of the host's.
            if vm.is_none(&object) {
                return Ok(Value::None);
            }
            if let Some(int) = object.downcast_ref_if_exact::<PyInt>(vm)
                && let Ok(small) = i64::try_from(int.as_bigint())
            {
                return Ok(Value::Int(small));
            }
            let paused = allocator::pause();
            let value = convert::from_python(&object, vm);
            drop(paused);
            value.or_else(|error| failed(Failure::Other(error.into())))
        }
        Ok(Ok(Answer::Value(value))) => Ok(value),
        Ok(Err(error)) => failed(Failure::Other(error)),
        Err(exception) => failed(Failure::Exception(describe(vm, &exception))),
    }
}

#[cold]
fn failed(failure: Failure) -> Ended {
    // What the host is told is not the script's to pay for.
    let _paused = allocator::pause();
    Err(Box::new(failure))
}

/// Runs a script's top level, and drives what it answers, if that is a coroutine.
pub(crate) fn run_to_end(vm: &VirtualMachine, globals: &PyDictRef, code: Option<PyRef<PyCode>>) -> PyResult {
    let result = run_code(vm, globals, code.clone()).and_then(|result| drive(result, vm));
    ended(vm, result, || code)
}

/// Calls a global function, and drives what it answers, if that is a coroutine.
pub(crate) fn call_global(
    vm: &VirtualMachine,
    globals: &PyDictRef,
    state: &ScopeState,
    name: &str,
    args: impl IntoArgs,
) -> Performed {
    match state.called.global(globals, name, vm)? {
        Some(function) if public(name) => call_object(vm, state, &function, args),
        _ => no_function(name),
    }
}

#[cold]
fn no_function(name: &str) -> Performed {
    Ok(Err(Error::Setup(format!("the sandbox has no global named '{name}' to call"))))
}

/// Calls a callable of the script that the host holds.
pub(crate) fn call_held(vm: &VirtualMachine, callback: &Callback, args: impl IntoArgs) -> Performed {
    let state = scope_state::current();
    match state.and_then(|state| Some((state.held(callback)?, state))) {
        Some((function, state)) => call_object(vm, &state, &function, args),
        None => Ok(Err(callback_call::foreign())),
    }
}

/// Runs a coroutine that a call answered to its end. There is no event loop: what it awaits must be coroutines.
#[inline]
pub(crate) fn drive(result: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    if result.downcast_ref::<PyCoroutine>().is_none() {
        return Ok(result);
    }
    drive_coroutine(&result, vm)
}

#[cold]
fn drive_coroutine(coroutine: &PyObject, vm: &VirtualMachine) -> PyResult {
    match vm.call_method(coroutine, "send", (vm.ctx.none(),)) {
        Ok(_) => {
            Err(vm.new_runtime_error("the coroutine waits for something that never comes: there is no event loop"))
        }
        Err(error) if error.fast_isinstance(vm.ctx.exceptions.stop_iteration) => {
            Ok(error.get_arg(0).unwrap_or_else(|| vm.ctx.none()))
        }
        Err(error) => Err(error),
    }
}

/// Whether a host may name a global so: the interpreter's own entries in a scope are not for it.
#[inline]
pub(crate) fn public(name: &str) -> bool {
    !matches!(name.as_bytes(), [] | [b'_', b'_', ..])
}

fn run_code(vm: &VirtualMachine, globals: &PyDictRef, code: Option<PyRef<PyCode>>) -> PyResult {
    match code {
        Some(code) => {
            // The interpreter makes this set itself for a module that annotates its variables, but not for one that
            // answers a value.
            const ANNOTATED: &str = "__conditional_annotations__";
            if code.names.iter().any(|name| name.as_str() == ANNOTATED) {
                globals.set_item(ANNOTATED, PySet::default().into_ref(&vm.ctx).into(), vm)?;
            }
            let locals = ArgMapping::from_dict_exact(globals.clone());
            vm.run_code_obj(code, Scope::new(Some(locals), globals.clone()))
        }
        None => Ok(vm.ctx.none()),
    }
}

fn call_object(vm: &VirtualMachine, state: &ScopeState, function: &PyObject, args: impl IntoArgs) -> Performed {
    let mut objects = Vec::with_capacity(args.expected());
    let converted = args.each(|arg| {
        objects.push(convert::to_python(&arg, vm)?);
        Ok::<(), ConversionError>(())
    });
    if let Err(error) = converted {
        return Ok(Err(error.into()));
    }
    let result = state.called.call(function, objects, vm).and_then(|result| drive(result, vm));
    ended(vm, result, || types::code_of(function, vm)).map(|value| Ok(Answer::Object(value)))
}

fn set_global(vm: &VirtualMachine, globals: &PyDictRef, name: &str, object: PyObjectRef) -> Performed {
    if !public(name) {
        return Ok(Err(Error::Setup(format!("'{name}' cannot be the name of a global"))));
    }
    globals.set_item(name, object, vm)?;
    if let Some(state) = scope_state::current() {
        state.set_by_host.borrow_mut().insert(name.to_owned());
    }
    Ok(done())
}

/// Done, with nothing to answer.
fn done() -> Result<Answer, Error> {
    Ok(Answer::Value(Value::None))
}
