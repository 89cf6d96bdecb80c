//! Native iterators: each step that a native loop takes costs one.
//!
//! Generators and coroutines are left out: their steps run bytecode, which pays for itself.

use super::patch::{Guard, guard_method, guard_slot, slot_family};
use super::recursion;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyInt, PyType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::protocol::PyIterReturn;
use rustpython_vm::{AsObject, Py, PyObject, PyResult, VirtualMachine};

slot_family! {
    nested next [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127] (iterator: &PyObject; vm) -> PyResult<PyIterReturn> { fuel::step(vm)? }
}

/// More elements than this are not announced: a consumer would make room for them all before it takes the first.
const LARGEST_HINT: usize = 1024;

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let metered_by_bytecode = [
        vm.ctx.types.generator_type,
        vm.ctx.types.coroutine_type,
        vm.ctx.types.coroutine_wrapper_type,
        vm.ctx.types.async_generator_asend,
        vm.ctx.types.async_generator_athrow,
        vm.ctx.types.anext_awaitable,
    ];
    for typ in types {
        if metered_by_bytecode.iter().any(|other| other.is(*typ)) {
            continue;
        }
        guard_slot!(typ.slots.iternext, super::iterators::next);
        guard_method(typ, "__length_hint__", Guard::Instead(modest_hint), vm);
    }
}

/// Native code asks an iterator how long it is and takes the memory at once, on the word of a range of 10**12. A hint
/// that is declined leaves it to grow with what really comes.
fn modest_hint(args: FuncArgs, original: &super::patch::Original<'_>, vm: &VirtualMachine) -> PyResult {
    let _level = recursion::enter(vm)?;
    let hint = original.call(args, vm)?;
    let modest = hint
        .downcast_ref::<PyInt>()
        .is_none_or(|hint| usize::try_from(hint.as_bigint()).is_ok_and(|hint| hint <= LARGEST_HINT));
    Ok(if modest { hint } else { vm.ctx.not_implemented() })
}
