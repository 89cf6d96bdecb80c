//! What native work costs, in units of about one bytecode instruction.
//!
//! The figures are calibrated so that a unit is never more than 100 ns of work.

use crate::budget::Limit;
use crate::meter::fuel;
use crate::meter::run::Trip;
use rustpython_vm::builtins::{PyByteArray, PyBytes, PyDict, PyInt, PyList, PyStr, PyTuple};
use rustpython_vm::protocol::PySequence;
use rustpython_vm::{PyObject, PyResult, VirtualMachine};
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Bytes that a loop over single bytes or characters works off in a unit.
const BYTES_A_UNIT: u64 = 16;

/// Elements that a loop which copies references works off in a unit.
const ELEMENTS_A_UNIT: u64 = 8;

/// A reference in a list.
pub(super) const REFERENCE: u64 = size_of::<usize>() as u64;

/// Charges for a loop over `bytes` bytes, where it is long enough to show.
pub(super) fn scan(bytes: usize, vm: &VirtualMachine) -> PyResult<()> {
    charge(bytes as u64 / BYTES_A_UNIT, vm)
}

/// Charges for a loop over `count` references.
pub(super) fn elements(count: usize, vm: &VirtualMachine) -> PyResult<()> {
    charge(count as u64 / ELEMENTS_A_UNIT, vm)
}

/// Charges for a copy of `count` references and makes sure that there is room for them.
pub(super) fn copy_elements(count: usize, vm: &VirtualMachine) -> PyResult<()> {
    elements(count, vm)?;
    fuel::reserve((count as u64).saturating_mul(REFERENCE), vm)
}

/// Charges for making a text of `bytes` bytes and makes sure that there is room for it.
pub(super) fn make_text(bytes: u64, vm: &VirtualMachine) -> PyResult<()> {
    charge(bytes / BYTES_A_UNIT, vm)?;
    fuel::reserve(bytes, vm)
}

/// Bytes that may be moved unbilled between two looks at the clock: under 2 ms.
const UNWATCHED: usize = 8 << 20;

thread_local! {
    static MOVED: Cell<usize> = const { Cell::new(0) };
}

/// Work over `bytes` bytes that cannot be billed, since the interpreter does it with or without a look at the guarded slot.
/// A native loop of it must still keep the deadline, so the clock is read now and then.
#[inline]
pub(super) fn unbilled(bytes: usize, vm: &VirtualMachine) -> PyResult<()> {
    let moved = MOVED.get().saturating_add(bytes);
    if moved < UNWATCHED {
        MOVED.set(moved);
        return Ok(());
    }
    look_at_the_clock(vm)
}

#[cold]
fn look_at_the_clock(vm: &VirtualMachine) -> PyResult<()> {
    MOVED.set(0);
    let late = fuel::with_run(|run| {
        if run.cancel.load(Ordering::Acquire) {
            return Some(Trip::Cancelled);
        }
        run.start_clock(std::time::Instant::now());
        (run.script_time() > run.timeout).then_some(Trip::Limit(Limit::Time))
    });
    match late.flatten() {
        Some(why) => Err(fuel::trip_now(why, vm)),
        None => Ok(()),
    }
}

/// Charges `units`; nothing is spent for nothing.
#[inline]
pub(super) fn charge(units: u64, vm: &VirtualMachine) -> PyResult<()> {
    if units == 0 { Ok(()) } else { fuel::charge(units, vm) }
}

/// Bytes of a text, `None` for what is no text.
pub(super) fn text_bytes(object: &PyObject) -> Option<usize> {
    if let Some(text) = object.downcast_ref::<PyStr>() {
        return Some(text.byte_len());
    }
    if let Some(bytes) = object.downcast_ref::<PyBytes>() {
        return Some(bytes.as_bytes().len());
    }
    object.downcast_ref::<PyByteArray>().map(|bytes| bytes.borrow_buf().len())
}

/// Elements of a native container, `None` for what is none. A length that a script gave its own class is not asked for.
pub(super) fn container_len(object: &PyObject, vm: &VirtualMachine) -> Option<usize> {
    if let Some(list) = object.downcast_ref::<PyList>() {
        return Some(list.borrow_vec().len());
    }
    if let Some(tuple) = object.downcast_ref::<PyTuple>() {
        return Some(tuple.as_slice().len());
    }
    if let Some(dict) = object.downcast_ref::<PyDict>() {
        return Some(dict.__len__());
    }
    let known = &vm.ctx.types;
    let base =
        [known.set_type, known.frozenset_type, known.dict_keys_type, known.dict_values_type, known.dict_items_type]
            .into_iter()
            .find(|typ| object.class().fast_issubclass(*typ))?;
    let length = base.slots.as_sequence.length.load()?;
    length(PySequence { obj: object }, vm).ok()
}

/// Bits of an int, `None` for what is no int.
pub(super) fn int_bits(object: &PyObject) -> Option<u64> {
    object.downcast_ref::<PyInt>().map(|int| int.as_bigint().bits())
}
