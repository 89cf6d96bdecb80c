//! Checks for the opcodes that do native work without a look at any slot: the instrumented code calls them.

use super::containers;
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

/// To be called with the iterable before `LIST_EXTEND`, `SET_UPDATE` and `UNPACK_EX`, and with the positional arguments
/// before `CALL_FUNCTION_EX`. The answer takes the iterable's place: it is the iterable, or a list of what it gives.
pub(crate) fn check_unpack(iterable: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    if fuel::active() { sequence::settle(iterable, vm) } else { Ok(iterable) }
}

/// To be called with the mapping before `DICT_UPDATE` and `DICT_MERGE`.
pub(crate) fn check_merge(mapping: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    if !fuel::active() {
        return Ok(());
    }
    let entries = cost::container_len(mapping, vm).unwrap_or(0) as u64;
    cost::charge(entries, vm)?;
    fuel::reserve(entries.saturating_mul(containers::ENTRY), vm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Limit;
    use crate::guard::native::tests::{measured, on_big_stack};
    use crate::meter::run::Trip;
    use rustpython_vm::{AsObject, Interpreter, scope::Scope};

    /// Calls `f` with the value of `expression`, in a run.
    fn check(
        expression: &str,
        f: fn(PyObjectRef, &VirtualMachine) -> PyResult,
    ) -> (Result<String, String>, Option<Trip>) {
        let expression = expression.to_owned();
        on_big_stack(move || {
            let interpreter = Interpreter::without_stdlib(Default::default());
            let outcome = interpreter.enter(|vm| {
                let scope: Scope = vm.new_scope_with_builtins();
                let value = vm.run_block_expr(scope, &expression).map_err(|_| ()).expect("the expression has a value");
                let (result, _, trip) = measured(|| f(value, vm));
                let text = match result {
                    Ok(value) => value.repr(vm).map(|text| text.to_string()).map_err(|_| String::new()),
                    Err(error) => Err(error.class().name().to_string()),
                };
                (text, trip)
            });
            std::mem::forget(interpreter);
            outcome
        })
    }

    fn result_of(value: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        check_result(&value, vm)?;
        Ok(vm.ctx.none())
    }

    fn joined(value: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        build_string(value.downcast_ref::<PyTuple>().expect("a tuple is joined"), vm)
    }

    fn merged(value: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        check_merge(&value, vm)?;
        Ok(vm.ctx.none())
    }

    #[test]
    fn results_are_bounded() {
        assert_eq!(check("5", result_of), (Ok("None".to_owned()), None));
        assert_eq!(check("1 << 131071", result_of), (Ok("None".to_owned()), None));
        assert_eq!(check("1 << 131072", result_of), (Err("OverflowError".to_owned()), None));
        assert_eq!(check("'a' * 10**6", result_of), (Ok("None".to_owned()), None));
        assert_eq!(check("[1]", result_of), (Ok("None".to_owned()), None));
    }

    #[test]
    fn strings_are_built_within_the_memory() {
        assert_eq!(check("('a', '\u{e9}', '\\ud800')", joined), (Ok("'a\u{e9}\\ud800'".to_owned()), None));
        assert_eq!(check("()", joined), (Ok("''".to_owned()), None));
        assert_eq!(check("('a' * 10**6,) * 1000", joined).1, Some(Trip::Limit(Limit::Memory)));
    }

    #[test]
    fn unpacking_is_within_the_memory() {
        assert_eq!(check("[1, 2]", check_unpack), (Ok("[1, 2]".to_owned()), None));
        assert_eq!(check("{1: 2}.keys()", check_unpack), (Ok("dict_keys([1])".to_owned()), None));
        assert_eq!(check("5", check_unpack), (Ok("5".to_owned()), None));
        assert_eq!(check("range(10**9)", check_unpack).1, Some(Trip::Limit(Limit::Memory)));
        assert_eq!(check("[0] * 10**7", check_unpack).1, Some(Trip::Limit(Limit::Memory)));
        assert_eq!(check("{1: 2}", merged), (Ok("None".to_owned()), None));
        assert_eq!(check("dict.fromkeys(range(1200000))", merged).1, Some(Trip::Limit(Limit::Memory)));
    }
}
