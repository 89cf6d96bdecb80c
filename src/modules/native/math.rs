//! The native half of `math`: floating point, by RustPython's port of CPython's own functions.

use super::Natives;
use crate::meter::fuel;
use malachite_bigint::{BigInt, Sign};
use rustpython_vm::builtins::{PyFloat, PyInt, PyList, PyListRef};
use rustpython_vm::convert::ToPyObject;
use rustpython_vm::function::{ArgIntoFloat, FuncArgs, OptionalArg};
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyResult, VirtualMachine};

type Unary = fn(f64) -> pymath::Result<f64>;
type Binary = fn(f64, f64) -> pymath::Result<f64>;

const UNARY: &[(&str, Unary)] = &[
    ("acos", pymath::math::acos),
    ("acosh", pymath::math::acosh),
    ("asin", pymath::math::asin),
    ("asinh", pymath::math::asinh),
    ("atan", pymath::math::atan),
    ("atanh", pymath::math::atanh),
    ("cbrt", pymath::math::cbrt),
    ("cos", pymath::math::cos),
    ("cosh", pymath::math::cosh),
    ("degrees", |x| Ok(x * (180.0 / std::f64::consts::PI))),
    ("erf", pymath::math::erf),
    ("erfc", pymath::math::erfc),
    ("exp", pymath::math::exp),
    ("exp2", pymath::math::exp2),
    ("expm1", pymath::math::expm1),
    ("fabs", pymath::math::fabs),
    ("gamma", pymath::math::gamma),
    ("lgamma", pymath::math::lgamma),
    ("log1p", pymath::math::log1p),
    ("radians", |x| Ok(x * (std::f64::consts::PI / 180.0))),
    ("sin", pymath::math::sin),
    ("sinh", pymath::math::sinh),
    ("sqrt", pymath::math::sqrt),
    ("tan", pymath::math::tan),
    ("tanh", pymath::math::tanh),
    ("ulp", |x| Ok(pymath::math::ulp(x))),
];

const BINARY: &[(&str, Binary)] = &[
    ("atan2", pymath::math::atan2),
    ("copysign", pymath::math::copysign),
    ("fmod", pymath::math::fmod),
    ("nextafter", |x, y| Ok(pymath::math::nextafter(x, y, None))),
    ("pow", pymath::math::pow),
    ("remainder", pymath::math::remainder),
];

pub(crate) fn install(natives: &mut Natives<'_>) -> PyResult<()> {
    for &(name, function) in UNARY {
        natives.function(name, move |x: ArgIntoFloat, vm: &VirtualMachine| answer(function(x.into_float()), vm));
    }
    for &(name, function) in BINARY {
        natives.function(name, move |x: ArgIntoFloat, y: ArgIntoFloat, vm: &VirtualMachine| {
            answer(function(x.into_float(), y.into_float()), vm)
        });
    }
    natives.function("isfinite", |x: ArgIntoFloat| x.into_float().is_finite());
    natives.function("isinf", |x: ArgIntoFloat| x.into_float().is_infinite());
    natives.function("isnan", |x: ArgIntoFloat| x.into_float().is_nan());
    natives.function("frexp", |x: ArgIntoFloat| pymath::math::frexp(x.into_float()));
    natives.function("modf", |x: ArgIntoFloat| pymath::math::modf(x.into_float()));
    natives.function("log", log);
    natives.function("log2", |x: PyObjectRef, vm: &VirtualMachine| logarithm(&x, pymath::math::log2, vm));
    natives.function("log10", |x: PyObjectRef, vm: &VirtualMachine| logarithm(&x, pymath::math::log10, vm));
    natives.function("ldexp", ldexp);
    natives.function("hypot", hypot);
    natives.function("_dist", dist);
    natives.function("_fsum", fsum);
    natives.function("_gcd", gcd);
    natives.function("_whole", whole);
    natives.function("_float", |x: ArgIntoFloat| x.into_float());
    let ctx = &natives.vm.ctx;
    let constants = [
        ("pi", std::f64::consts::PI),
        ("e", std::f64::consts::E),
        ("tau", std::f64::consts::TAU),
        ("inf", f64::INFINITY),
        ("nan", f64::NAN),
    ];
    for (name, value) in constants.map(|(name, value)| (name, ctx.new_float(value))) {
        natives.value(name, value);
    }
    Ok(())
}

fn answer(result: pymath::Result<f64>, vm: &VirtualMachine) -> PyResult<f64> {
    result.map_err(|error| match error {
        pymath::Error::EDOM => vm.new_value_error("math domain error"),
        pymath::Error::ERANGE => vm.new_overflow_error("math range error"),
    })
}

/// `log(x[, base])`.
fn log(x: PyObjectRef, base: OptionalArg<PyObjectRef>, vm: &VirtualMachine) -> PyResult<f64> {
    let natural = |x: f64| pymath::math::log(x, None);
    let numerator = logarithm(&x, natural, vm)?;
    let OptionalArg::Present(base) = base else { return Ok(numerator) };
    let denominator = logarithm(&base, natural, vm)?;
    if denominator == 0.0 {
        return Err(vm.new_zero_division_error("float division by zero"));
    }
    Ok(numerator / denominator)
}

/// A logarithm of a number of any size.
fn logarithm(x: &PyObject, function: Unary, vm: &VirtualMachine) -> PyResult<f64> {
    let Some(int) = x.downcast_ref::<PyInt>() else {
        return answer(function(x.try_float(vm)?.to_f64()), vm);
    };
    let int = int.as_bigint();
    if int.sign() != Sign::Plus {
        return Err(vm.new_value_error("math domain error"));
    }
    let bits = int.bits();
    if bits <= 1024
        && let Ok(float) = x.try_float(vm)
    {
        return answer(function(float.to_f64()), vm);
    }
    fuel::charge(bits / 1024, vm)?;
    // The top 64 bits, the last of which stands for all that are cut off, are rounded once.
    let shift = bits - 64;
    let top: BigInt = int >> shift;
    let mut digits = u64::try_from(&top).unwrap_or(u64::MAX);
    if int.trailing_zeros().is_some_and(|zeros| zeros < shift) {
        digits |= 1;
    }
    let mantissa = digits as f64 / 2f64.powi(64);
    answer(function(mantissa).and_then(|log| Ok(log + function(2.0)? * bits as f64)), vm)
}

/// `ldexp(x, i)`.
fn ldexp(x: ArgIntoFloat, exponent: PyObjectRef, vm: &VirtualMachine) -> PyResult<f64> {
    let Some(exponent) = exponent.downcast_ref::<PyInt>() else {
        return Err(vm.new_type_error("Expected an int as second argument to ldexp."));
    };
    let x = x.into_float();
    if x == 0.0 || !x.is_finite() {
        return Ok(x);
    }
    match i32::try_from(exponent.as_bigint()) {
        Ok(exponent) => answer(pymath::math::ldexp(x, exponent), vm),
        Err(_) if exponent.as_bigint().sign() == Sign::Minus => Ok(0f64.copysign(x)),
        Err(_) => Err(vm.new_overflow_error("math range error")),
    }
}

fn hypot(args: FuncArgs, vm: &VirtualMachine) -> PyResult<f64> {
    if !args.kwargs.is_empty() {
        return Err(vm.new_type_error("math.hypot() takes no keyword arguments"));
    }
    Ok(pymath::math::hypot(&floats(&args.args, vm)?))
}

fn dist(p: PyListRef, q: PyListRef, vm: &VirtualMachine) -> PyResult<f64> {
    let (p, q) = (floats(&copied(&p), vm)?, floats(&copied(&q), vm)?);
    if p.len() != q.len() {
        return Err(vm.new_value_error("both points must have the same number of dimensions"));
    }
    Ok(pymath::math::dist(&p, &q))
}

/// The sum of a list's numbers, rounded once.
fn fsum(items: PyListRef, vm: &VirtualMachine) -> PyResult<f64> {
    let floats = floats(&copied(&items), vm)?;
    // Again, for the partial sums.
    fuel::charge(floats.len() as u64, vm)?;
    pymath::math::fsum(floats).map_err(|error| match error {
        pymath::Error::EDOM => vm.new_value_error("-inf + inf in fsum"),
        pymath::Error::ERANGE => vm.new_overflow_error("intermediate overflow in fsum"),
    })
}

/// The items of a list. Converting them may run script code, which may change the list.
fn copied(list: &PyList) -> Vec<PyObjectRef> {
    list.borrow_vec().to_vec()
}

fn floats(items: &[PyObjectRef], vm: &VirtualMachine) -> PyResult<Vec<f64>> {
    fuel::reserve(items.len() as u64 * 8, vm)?;
    fuel::charge(1, vm)?;
    let mut floats = Vec::with_capacity(items.len());
    // Charged as it goes, so that a long list cannot outlast the deadline between two looks at it.
    for some in items.chunks(4096) {
        fuel::charge(some.len() as u64, vm)?;
        for item in some {
            floats.push(item.try_float(vm)?.to_f64());
        }
    }
    Ok(floats)
}

/// The greatest common divisor of two ints, of which the second is short.
fn gcd(a: PyObjectRef, b: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    let (a, b) = (a.try_index(vm)?, b.try_index(vm)?);
    let (a, b) = (a.as_bigint(), b.as_bigint());
    let words = |int: &BigInt| int.bits() / 64 + 1;
    fuel::charge(1 + words(a) / 8 + words(b) * words(b), vm)?;
    let (mut a, mut b) = (absolute(a), absolute(b));
    while b.sign() != Sign::NoSign {
        let rest = &a % &b;
        a = std::mem::replace(&mut b, rest);
    }
    Ok(vm.ctx.new_bigint(&a).into())
}

fn absolute(int: &BigInt) -> BigInt {
    if int.sign() == Sign::Minus { -int } else { int.clone() }
}

/// An int from a float that is rounded down (-1), up (1) or to zero (0). `None` for what is no float.
fn whole(x: PyObjectRef, way: i32, vm: &VirtualMachine) -> PyResult {
    let Some(float) = x.downcast_ref::<PyFloat>() else { return Ok(vm.ctx.none()) };
    if way != 0 && !x.class().is(vm.ctx.types.float_type) {
        // A subclass may round in its own way.
        return Ok(vm.ctx.none());
    }
    let float = match way {
        -1 => float.to_f64().floor(),
        1 => float.to_f64().ceil(),
        _ => float.to_f64().trunc(),
    };
    rustpython_vm::builtins::try_f64_to_bigint(float, vm).map(|int| int.to_pyobject(vm))
}
