//! Generators and coroutines that are freed run their `finally`. That happens inside the interpreter's own bookkeeping of
//! what is to be freed, which is the thread's: a task is not left there.
//!
//! A coroutine that was never awaited has no `finally` to run. Upstream makes a warning of each, which nobody would see, and
//! which takes longer than all else that a coroutine costs.

use crate::runner::fiber;
use rustpython_vm::builtins::{PyCoroutine, PyType};
use rustpython_vm::{Py, PyObject, PyResult, VirtualMachine};
use std::sync::OnceLock;

type Finaliser = fn(&PyObject, &VirtualMachine) -> PyResult<()>;

static ORIGINALS: [OnceLock<Finaliser>; 5] = [const { OnceLock::new() }; 5];

fn coroutine(object: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let frame = object.downcast_ref::<PyCoroutine>().and_then(|coroutine| coroutine.as_coro().frame_opt());
    if frame.is_none_or(|frame| frame.lasti() == 0) { Ok(()) } else { held::<1>(object, vm) }
}

fn held<const INDEX: usize>(object: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let _held = fiber::hold();
    match ORIGINALS[INDEX].get() {
        Some(original) => original(object, vm),
        None => Ok(()),
    }
}

/// Puts the guards into the types whose finalisers run code of a script, once.
pub(super) fn install(vm: &VirtualMachine) {
    let types = &vm.ctx.types;
    let all: [(&Py<PyType>, Finaliser); 5] = [
        (types.generator_type, held::<0>),
        (types.coroutine_type, coroutine),
        (types.async_generator, held::<2>),
        (types.async_generator_asend, held::<3>),
        (types.async_generator_athrow, held::<4>),
    ];
    for ((class, guard), original) in all.into_iter().zip(&ORIGINALS) {
        if original.get().is_none()
            && let Some(finaliser) = class.slots.del.load()
        {
            let _ = original.set(finaliser);
            class.slots.del.store(Some(guard));
        }
    }
}
