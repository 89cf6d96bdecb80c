//! Comparing, hashing and showing: what native code does to objects inside of its loops.
//!
//! A dict that probes, a list that is searched, a container that is shown call these slots once for each object that they
//! meet, with no bytecode between. Containers may share their parts, so that a few objects stand for 2**60 comparisons:
//! each of them is charged for.

use super::cost::{self, charge};
use super::hashing;
use super::patch::{Guard, Original, guard_method, guard_slot, slot_family};
use super::recursion;
use crate::guard::anonymous;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyBytes, PyInt, PyStr, PyType};
use rustpython_vm::common::hash::PyHash;
use rustpython_vm::function::{Either, FuncArgs, PyComparisonValue};
use rustpython_vm::types::PyComparisonOp;
use rustpython_vm::{Py, PyObject, PyObjectRef, PyRef, PyResult, VirtualMachine};

slot_family! {
    nested rich_compare [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95]
    (a: &PyObject, b: &PyObject, op: PyComparisonOp; vm) -> PyResult<Either<PyObjectRef, PyComparisonValue>> {
        check_compare(a, b, vm)?
    }
}
slot_family! {
    /// Of ints, which no comparison leads out of.
    compare_int [0 1 2 3] (a: &PyObject, b: &PyObject, op: PyComparisonOp; vm) -> PyResult<Either<PyObjectRef, PyComparisonValue>> {
        check_compare_int(a, b, vm)?
    }
}
slot_family! {
    /// Likewise of texts.
    compare_str [0 1 2 3] (a: &PyObject, b: &PyObject, op: PyComparisonOp; vm) -> PyResult<Either<PyObjectRef, PyComparisonValue>> {
        check_compare_str(a, b, op, vm)?
    }
}
slot_family! {
    hash_int [0 1 2 3] (object: &PyObject; vm) -> PyResult<PyHash> { check_hash_int(object, vm)? }
}
slot_family! {
    nested hash [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63] (object: &PyObject; vm) -> PyResult<PyHash> { check_hash(object, vm)? }
}
slot_family! {
    nested repr [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128 129 130 131 132 133 134 135 136 137 138 139 140 141 142 143 144 145 146 147 148 149 150 151 152 153 154 155 156 157 158 159 160 161 162 163 164 165 166 167 168 169 170 171 172 173 174 175 176 177 178 179 180 181 182 183 184 185 186 187 188 189 190 191] (object: &PyObject; vm) -> PyResult<PyRef<PyStr>> { check_repr(object, vm)? }
}
slot_family! {
    nested str [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47] (object: &PyObject; vm) -> PyResult<PyRef<PyStr>> { charge(1 + recursion::copies(vm)?, vm)? }
}

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let known = &vm.ctx.types;
    hashing::install_extremes(vm);
    for typ in types {
        if typ.fast_issubclass(known.int_type) {
            guard_slot!(typ.slots.richcompare, super::compare::compare_int);
            guard_slot!(typ.slots.hash, super::compare::hash_int);
        } else if typ.fast_issubclass(known.str_type) {
            guard_slot!(typ.slots.richcompare, super::compare::compare_str);
        } else {
            guard_slot!(typ.slots.richcompare, super::compare::rich_compare);
        }
        guard_slot!(typ.slots.repr, super::compare::repr);
        // A text is its own text, and has its hash at hand.
        if !typ.fast_issubclass(known.str_type) {
            guard_slot!(typ.slots.str, super::compare::str);
            if !typ.fast_issubclass(known.int_type) {
                guard_slot!(typ.slots.hash, super::compare::hash);
            }
        }
        // Some types have these as methods and no slot.
        for name in ["__str__", "__repr__", "__eq__"] {
            guard_method(typ, name, Guard::Instead(one_level), vm);
        }
        guard_method(typ, "__hash__", Guard::Instead(one_level_of_hash), vm);
    }
}

fn one_level(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    let _level = recursion::enter(vm)?;
    charge(8, vm)?;
    original.call(args, vm)
}

/// What it answers goes to a script.
fn one_level_of_hash(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    let object = args.args.first().cloned();
    let answer = one_level(args, original, vm)?;
    match (object, answer.downcast_ref::<PyInt>().and_then(|hash| PyHash::try_from(hash.as_bigint()).ok())) {
        (Some(object), Some(hash)) => Ok(vm.ctx.new_int(anonymous::told(&object, hash, vm)?).into()),
        _ => Ok(answer),
    }
}

/// What comparing with anything costs, whatever it is.
const A_COMPARISON: u64 = 4;

#[inline]
fn check_compare_int(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    match (a.downcast_ref::<PyInt>(), b.downcast_ref::<PyInt>()) {
        (Some(a), Some(b)) => {
            let bits = a.as_bigint().bits();
            charge(if bits < 65536 { 1 } else { 1 + bits.min(b.as_bigint().bits()) / 65536 }, vm)
        }
        _ => charge(A_COMPARISON, vm),
    }
}

fn check_compare_str(a: &PyObject, b: &PyObject, op: PyComparisonOp, vm: &VirtualMachine) -> PyResult<()> {
    let (Some(left), Some(right)) = (a.downcast_ref::<PyStr>(), b.downcast_ref::<PyStr>()) else {
        return charge(A_COMPARISON, vm);
    };
    let (left, right) = (left.byte_len(), right.byte_len());
    // The interpreter compares exact texts for equality without a look at this slot once it has seen it often enough, so
    // a charge here would make the bill depend on that. The clock has to do.
    if matches!(op, PyComparisonOp::Eq | PyComparisonOp::Ne) {
        return if left == right { cost::unbilled(left, vm) } else { Ok(()) };
    }
    charge(left.min(right) as u64 / 1024, vm)
}

fn check_compare(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let size = match (cost::text_bytes(a), cost::text_bytes(b)) {
        (Some(a), Some(b)) => a.min(b) / 1024,
        _ => match (cost::container_len(a, vm), cost::container_len(b, vm)) {
            (Some(a), Some(b)) => a.min(b) / 4,
            (Some(one), None) | (None, Some(one)) => one / 4,
            (None, None) => 0,
        },
    };
    charge(A_COMPARISON + size as u64, vm)
}

fn check_hash_int(object: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let Some(int) = object.downcast_ref::<PyInt>() else { return Ok(()) };
    let bits = int.as_bigint().bits();
    if bits >= hashing::SHARED_FROM {
        hashing::check(int, vm)?;
    }
    charge(bits / 2048, vm)
}

fn check_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let size = if let Some(bytes) = cost::text_bytes(object) {
        bytes as u64 / 1024
    } else if let Some(length) = cost::container_len(object, vm) {
        1 + length as u64 / 8
    } else {
        1
    };
    charge(size, vm)
}

fn check_repr(object: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    if let Some(bits) = cost::int_bits(object) {
        return charge(1 + bits / 256, vm);
    }
    if let Some(length) = cost::container_len(object, vm) {
        return charge(1 + length as u64 + recursion::copies(vm)?, vm);
    }
    if let Some(bytes) = cost::text_bytes(object) {
        let shown = shown_bytes(object, bytes);
        // It is written, and then copied to where it stays.
        if shown >= EXACT_FROM as u64 {
            fuel::reserve(shown.saturating_mul(2), vm)?;
        }
        return cost::make_text(shown, vm);
    }
    charge(4 + recursion::copies(vm)?, vm)
}

/// Bytes from which on the escapes of a text are counted.
const EXACT_FROM: usize = 1 << 20;

/// Bytes that a text has when it is shown with its quotes and escapes, and once more for `ascii()`.
fn shown_bytes(object: &PyObject, bytes: usize) -> u64 {
    // An escape has four characters for a byte, ten for a character of four bytes.
    if bytes < EXACT_FROM {
        return bytes as u64 * 4 + 2;
    }
    let layout = |bytes: &[u8]| -> u64 {
        bytes
            .iter()
            .map(|byte| if matches!(byte, b' '..=b'~') { 1 + u64::from(matches!(byte, b'\\' | b'\'')) } else { 4 })
            .sum()
    };
    if let Some(text) = object.downcast_ref::<PyStr>() {
        return layout(text.as_bytes());
    }
    object.downcast_ref::<PyBytes>().map_or(bytes as u64 * 4, |bytes| layout(bytes.as_bytes()))
}
