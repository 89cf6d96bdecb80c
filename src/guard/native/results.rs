//! Checks for the opcodes that do native work without a look at any slot: the instrumented code calls them.

use super::cost;
use super::format::grow;
use super::int::{self, MAX_BITS};
use super::sequence;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyInt, PyTuple};
use rustpython_vm::common::wtf8::Wtf8Buf;
use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};

/// Results below this many bits are not charged for: the instruction itself is paid.
const FREE_BITS: u64 = 1024;

/// Texts below this many bytes are not looked at.
const FREE_BYTES: usize = 1 << 12;

/// To be called with the result of `*`, `*=`, `+` and `+=`.
///
/// An int is bounded in size and charged as a product of its halves; a text is charged for being copied, and what is over
/// the memory limit ends the run.
#[inline]
pub(crate) fn check_result(result: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    if let Some(int) = result.downcast_ref::<PyInt>() {
        let bits = int.as_bigint().bits();
        if bits <= FREE_BITS || !fuel::active() {
            return Ok(());
        }
        cost::charge(int::product_units(bits / 2, bits / 2), vm)?;
        return if bits > MAX_BITS { Err(int::too_large(vm)) } else { Ok(()) };
    }
    match cost::text_bytes(result) {
        Some(bytes) if bytes > FREE_BYTES && fuel::active() => {
            cost::charge(bytes as u64 / 4096, vm)?;
            // What is made is live already; nothing more is asked for than that it is within the limit.
            fuel::reserve(1024, vm)
        }
        _ => Ok(()),
    }
}

/// To be called instead of `BUILD_STRING n`, with the parts in a tuple: one instruction joins any number of texts of any
/// size.
pub(crate) fn build_string(parts: &PyTuple, vm: &VirtualMachine) -> PyResult {
    let bytes: usize = parts.as_slice().iter().filter_map(|part| cost::text_bytes(part)).sum();
    if bytes > FREE_BYTES {
        grow(0, bytes, vm)?;
    }
    let mut joined = Wtf8Buf::with_capacity(bytes);
    for part in parts.as_slice() {
        if let Some(text) = part.downcast_ref::<rustpython_vm::builtins::PyStr>() {
            joined.push_wtf8(text.as_wtf8());
        }
    }
    Ok(vm.ctx.new_str(joined).into())
}

/// To be called with the iterable before `LIST_EXTEND`, `SET_UPDATE`, `DICT_UPDATE`, `DICT_MERGE`, `UNPACK_EX` and
/// `CALL_FUNCTION_EX`, which take its place: the original, or a list of what it gives.
pub(crate) fn check_unpack(iterable: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    if !fuel::active() {
        return Ok(iterable);
    }
    sequence::settle(iterable, vm)
}
