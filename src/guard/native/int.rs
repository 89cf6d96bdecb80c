//! Ints: bounded in size, charged by what their arithmetic takes.
//!
//! The interpreter adds, subtracts and multiplies exact ints without a look at the slots. There the instrumented code
//! checks the result, see [`super::results`].

use super::cost::{self, charge};
use super::patch::{Guard, Original, family_of, guard_method, guard_slot, slot_family};
use rustpython_vm::builtins::{PyInt, PyType, PyTypeRef};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::protocol::PyNumber;
use rustpython_vm::{Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

/// The most bits of an int that an operation may make. One more is Python's own `OverflowError`: an int of this size has
/// 39,457 digits, and an operation on two of them that cannot be interrupted stays within a few milliseconds.
pub(super) const MAX_BITS: u64 = 1 << 17;

slot_family! {
    add [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (a: &PyObject, b: &PyObject; vm) -> PyResult { linear(a, b, vm)? }
}
slot_family! {
    multiply [0 1 2 3] (a: &PyObject, b: &PyObject; vm) -> PyResult { check_multiply(a, b, vm)? }
}
slot_family! {
    divide [0 1 2 3 4 5 6 7] (a: &PyObject, b: &PyObject; vm) -> PyResult { check_divide(a, b, vm)? }
}
slot_family! {
    true_divide [0 1 2 3] (a: &PyObject, b: &PyObject; vm) -> PyResult { check_true_divide(a, b, vm)? }
}
slot_family! {
    shift_left [0 1 2 3] (a: &PyObject, b: &PyObject; vm) -> PyResult { check_shift_left(a, b, vm)? }
}
slot_family! {
    power [0 1 2 3] (a: &PyObject, b: &PyObject, c: &PyObject; vm) -> PyResult {
        if vm.is_none(c) {
            check_power(a, b, vm)?;
        } else if let Some(original) = ORIGINALS[INDEX].get() {
            return modular_power(a, b, c, *original, vm);
        }
    }
}
slot_family! {
    unary [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (number: PyNumber<'_>; vm) -> PyResult {
        linear(number.obj, number.obj, vm)?
    }
}
slot_family! {
    new [0 1 2 3] (class: PyTypeRef, args: FuncArgs; vm) -> PyResult {
        if let Some(original) = ORIGINALS[INDEX].get() {
            return make(class, args, *original, vm);
        }
    }
}

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    for typ in family_of(types, vm.ctx.types.int_type) {
        let number = &typ.slots.as_number;
        for slot in [
            &number.add,
            &number.right_add,
            &number.subtract,
            &number.right_subtract,
            &number.and,
            &number.right_and,
            &number.or,
            &number.right_or,
            &number.xor,
            &number.right_xor,
            &number.rshift,
            &number.right_rshift,
        ] {
            guard_slot!(slot, super::int::add);
        }
        for slot in [&number.multiply, &number.right_multiply] {
            guard_slot!(slot, super::int::multiply);
        }
        for slot in [
            &number.floor_divide,
            &number.right_floor_divide,
            &number.remainder,
            &number.right_remainder,
            &number.divmod,
            &number.right_divmod,
        ] {
            guard_slot!(slot, super::int::divide);
        }
        for slot in [&number.true_divide, &number.right_true_divide] {
            guard_slot!(slot, super::int::true_divide);
        }
        for slot in [&number.lshift, &number.right_lshift] {
            guard_slot!(slot, super::int::shift_left);
        }
        for slot in [&number.power, &number.right_power] {
            guard_slot!(slot, super::int::power);
        }
        for slot in [
            &number.negative,
            &number.positive,
            &number.absolute,
            &number.invert,
            &number.int,
            &number.index,
            &number.float,
        ] {
            guard_slot!(slot, super::int::unary);
        }
        guard_slot!(typ.slots.new, super::int::new);
        for (name, guard) in METHODS {
            guard_method(typ, name, *guard, vm);
        }
    }
}

const METHODS: &[(&str, Guard)] = &[
    ("__round__", Guard::Before(check_round)),
    ("to_bytes", Guard::Before(check_to_bytes)),
    ("from_bytes", Guard::Instead(from_bytes)),
    ("__trunc__", Guard::Before(check_copy)),
    ("__floor__", Guard::Before(check_copy)),
    ("__ceil__", Guard::Before(check_copy)),
    ("as_integer_ratio", Guard::Before(check_copy)),
    ("conjugate", Guard::Before(check_copy)),
    ("bit_count", Guard::Before(check_copy)),
    ("__getnewargs__", Guard::Before(check_copy)),
];

/// Words of 64 bits.
fn words(bits: u64) -> u64 {
    bits.div_ceil(64)
}

/// Words from which on the long multiplication takes over, which starts with a jump of a millisecond.
const LONG: u64 = 512;

/// What a product of ints of so many bits costs. Short factors are multiplied word by word, long ones faster than that;
/// the square root stands for all of it, on the safe side.
pub(super) fn product_units(a: u64, b: u64) -> u64 {
    let (short, long) = (words(a.min(b)), words(a.max(b)));
    let units = long.saturating_mul(short.isqrt()) / 12;
    if short > LONG { units.saturating_add(long.saturating_mul(24)) } else { units }
}

/// What a quotient costs: two products, of which the second may be a long one.
fn quotient_units(a: u64, b: u64) -> u64 {
    let (short, long) = (words(a.min(b)), words(a.max(b)));
    let second = if short >= LONG * 3 / 4 && long >= LONG * 15 / 8 { long.saturating_mul(24) } else { 0 };
    product_units(a, b).saturating_add(second).saturating_mul(2)
}

/// Charges for a walk over two ints.
fn linear(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let longest = int_pair(a, b).map_or(0, |(a, b)| a.max(b));
    charge(longest / 8192, vm)
}

fn int_pair(a: &PyObject, b: &PyObject) -> Option<(u64, u64)> {
    Some((cost::int_bits(a)?, cost::int_bits(b)?))
}

/// Refuses an int of more than [`MAX_BITS`].
fn bounded(bits: u64, vm: &VirtualMachine) -> PyResult<()> {
    if bits <= MAX_BITS {
        return Ok(());
    }
    charge(1, vm)?;
    Err(too_large(vm))
}

/// The error for an int of more than [`MAX_BITS`].
#[cold]
pub(super) fn too_large(vm: &VirtualMachine) -> rustpython_vm::builtins::PyBaseExceptionRef {
    vm.new_overflow_error(format!("integer too large: the limit is {MAX_BITS} bits"))
}

fn check_multiply(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let Some((a, b)) = int_pair(a, b) else { return Ok(()) };
    // A product has one bit less than the sum at least.
    bounded((a + b).saturating_sub(1), vm)?;
    charge(product_units(a, b), vm)
}

fn check_divide(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    match int_pair(a, b) {
        Some((a, b)) if a >= b => charge(quotient_units(a, b), vm),
        // A shorter dividend is its own remainder.
        Some((a, b)) => charge(words(a.max(b)) / 128, vm),
        None => Ok(()),
    }
}

fn check_true_divide(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    match int_pair(a, b) {
        // The fraction is reduced first.
        Some((a, b)) => charge(quotient_units(a, b).saturating_mul(2).saturating_add(gcd_units(a, b)), vm),
        None => Ok(()),
    }
}

fn check_shift_left(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let (Some(a), Some(b)) = (a.downcast_ref::<PyInt>(), b.downcast_ref::<PyInt>()) else { return Ok(()) };
    let bits = a.as_bigint().bits();
    // A shift that is negative is an error, a shift of nothing is nothing: both are the original's to say.
    if bits == 0 || is_negative(b) {
        return Ok(());
    }
    let shift = u64::try_from(b.as_bigint()).unwrap_or(u64::MAX);
    let bits = bits.saturating_add(shift);
    bounded(bits, vm)?;
    charge(bits / 8192, vm)
}

fn check_power(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let (Some(base), Some(exponent)) = (a.downcast_ref::<PyInt>(), b.downcast_ref::<PyInt>()) else { return Ok(()) };
    let bits = base.as_bigint().bits();
    // 0, 1 and -1 stay small; a negative exponent makes a float.
    if bits <= 1 || is_negative(exponent) {
        return linear(a, b, vm);
    }
    let Ok(exponent) = u64::try_from(exponent.as_bigint()) else { return bounded(u64::MAX, vm) };
    // All powers have at least `(bits - 1) * n` bits.
    bounded((bits - 1).saturating_mul(exponent), vm)?;
    let result = bits.saturating_mul(exponent);
    charge(product_units(result, result).saturating_mul(2), vm)
}

/// What a power modulo an int may cost in one go: a few milliseconds.
const POWER_IN_ONE_GO: u64 = 100_000;

/// `pow(base, exponent, modulus)`. A long one is done here, step by step, since the original could not be stopped.
fn modular_power(
    base: &PyObject,
    exponent: &PyObject,
    modulus: &PyObject,
    original: power::Slot,
    vm: &VirtualMachine,
) -> PyResult {
    let (Some(base_int), Some(exponent_int), Some(modulus_int)) =
        (base.downcast_ref::<PyInt>(), exponent.downcast_ref::<PyInt>(), modulus.downcast_ref::<PyInt>())
    else {
        return original(base, exponent, modulus, vm);
    };
    let size = modulus_int.as_bigint().bits();
    let bits = exponent_int.as_bigint().bits();
    let inverse = is_negative(exponent_int);
    charge(quotient_units(base_int.as_bigint().bits().max(size), size), vm)?;
    if inverse {
        if size > MAX_INVERSE_BITS {
            return Err(vm.new_overflow_error(format!("modulus too large: the limit is {MAX_INVERSE_BITS} bits")));
        }
        charge(gcd_units(size, size).saturating_mul(40), vm)?;
    }
    let turn = product_units(size, size).saturating_add(quotient_units(size * 2, size)).saturating_add(4);
    let units = bits.saturating_mul(2).saturating_mul(turn);
    if units <= POWER_IN_ONE_GO || size == 0 {
        charge(units, vm)?;
        return original(base, exponent, modulus, vm);
    }
    // The base's remainder, or its inverse where that is asked for.
    let first: PyObjectRef = vm.ctx.new_int(if inverse { -1 } else { 1 }).into();
    let reduced = original(base, &first, modulus, vm)?;
    let Some(reduced) = reduced.downcast_ref::<PyInt>() else { return Ok(reduced) };
    let (factor, divisor) = (reduced.as_bigint(), modulus_int.as_bigint());
    let mut result = factor.clone();
    // The highest bit is the base itself.
    for bit in (0..bits.saturating_sub(1)).rev() {
        charge(turn, vm)?;
        result = &result * &result % divisor;
        if exponent_int.as_bigint().magnitude().bit(bit) {
            charge(turn, vm)?;
            result = result * factor % divisor;
        }
    }
    // The sign of a remainder is the modulus's.
    let result: PyObjectRef = vm.ctx.new_bigint(&result).into();
    let one: PyObjectRef = vm.ctx.new_int(1).into();
    original(&result, &one, modulus, vm)
}

/// The most bits of a modulus for which an inverse is looked for, which takes a few milliseconds and cannot be stopped.
const MAX_INVERSE_BITS: u64 = 8192;

/// What a greatest common divisor costs.
fn gcd_units(a: u64, b: u64) -> u64 {
    let (short, long) = (words(a.min(b)), words(a.max(b)));
    (short.saturating_mul(short) / 32).saturating_add(long)
}

fn is_negative(int: &PyInt) -> bool {
    *int.as_bigint() < Default::default()
}

/// `int(value, base)`. A text in a base that is a power of two is not refused by the interpreter's own limit on digits.
fn make(class: PyTypeRef, args: FuncArgs, original: new::Slot, vm: &VirtualMachine) -> PyResult {
    let Some(value) = args.args.first() else { return original(class, args, vm) };
    let Some(bytes) = cost::text_bytes(value) else {
        linear(value, value, vm)?;
        return original(class, args, vm);
    };
    cost::scan(bytes, vm)?;
    cost::make_text(bytes as u64, vm)?;
    let made = original(class, args, vm)?;
    bounded(cost::int_bits(&made).unwrap_or(0), vm)?;
    Ok(made)
}

/// `round(n, -digits)` raises ten to `digits`. Where that is more than `n`, the answer is 0 without it.
fn check_round(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let [zelf, digits, ..] = &mut args.args[..] else { return Ok(()) };
    let (Some(bits), Some(ndigits)) = (cost::int_bits(zelf), digits.downcast_ref::<PyInt>()) else { return Ok(()) };
    if !is_negative(ndigits) {
        return charge(bits / 8192, vm);
    }
    // A bit is less than a third of a digit.
    let enough = bits / 3 + 2;
    let places = i64::try_from(ndigits.as_bigint()).map_or(u64::MAX, i64::unsigned_abs);
    if places > enough {
        // A larger power of ten gives the same zero.
        *digits = vm.ctx.new_int(-(enough as i64)).into();
    }
    let power = places.min(enough).saturating_mul(4);
    let size = power.max(bits);
    charge(quotient_units(size, size).saturating_mul(2), vm)
}

fn check_to_bytes(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    if let Some(bits) = args.args.first().and_then(|zelf| cost::int_bits(zelf)) {
        charge(bits / 1024, vm)?;
    }
    let length = args.args.get(1).or_else(|| args.kwargs.get("length"));
    let length = length.and_then(|length| length.downcast_ref::<PyInt>()).map(|length| length.as_bigint());
    match length.map(u64::try_from) {
        Some(Ok(length)) if i64::try_from(length).is_ok() => cost::make_text(length, vm),
        // Negative or too large is an error of the original.
        _ => Ok(()),
    }
}

fn from_bytes(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    if let Some(value) = args.args.get(1).or_else(|| args.kwargs.get("bytes"))
        && let Some(length) = cost::text_bytes(value).or_else(|| cost::container_len(value, vm))
    {
        cost::scan(length, vm)?;
        cost::make_text(length as u64, vm)?;
    }
    let made = original.call(args, vm)?;
    bounded(cost::int_bits(&made).unwrap_or(0), vm)?;
    Ok(made)
}

fn check_copy(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    charge(args.args.first().and_then(|zelf| cost::int_bits(zelf)).unwrap_or(0) / 8192, vm)
}
