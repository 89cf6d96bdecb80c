//! `*`, as scripts write it.
//!
//! The interpreter multiplies exact ints without a look at any slot, so instrumented code sends `*` through the slot of an
//! operator that scripts cannot define, `@=`. Here that slot multiplies: floats and small ints at once, everything else
//! through the ordinary slots and their guards.

use crate::meter::fuel;
use rustpython_vm::builtins::{PyFloat, PyInt, PyType};
use rustpython_vm::{Py, PyObject, PyResult, VirtualMachine};

/// Puts the slot into all `types`. The classes of scripts inherit it from `object`.
pub(super) fn install(types: &[&'static Py<PyType>]) {
    for typ in types {
        typ.slots.as_number.inplace_matrix_multiply.store(Some(multiply));
    }
}

fn multiply(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult {
    // A host that runs the interpreter by itself gets the operator that it knows.
    if !fuel::active() {
        return Ok(vm.ctx.not_implemented());
    }
    if let (Some(a), Some(b)) = (a.downcast_ref_if_exact::<PyFloat>(vm), b.downcast_ref_if_exact::<PyFloat>(vm)) {
        return Ok(vm.ctx.new_float(a.to_f64() * b.to_f64()).into());
    }
    if let (Some(a), Some(b)) = (a.downcast_ref_if_exact::<PyInt>(vm), b.downcast_ref_if_exact::<PyInt>(vm))
        && let (Ok(a), Ok(b)) = (i64::try_from(a.as_bigint()), i64::try_from(b.as_bigint()))
        && let Some(product) = a.checked_mul(b)
    {
        return Ok(vm.ctx.new_int(product).into());
    }
    vm._mul(a, b)
}
