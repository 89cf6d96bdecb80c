//! Formatting: widths and precisions ask for a text of any size, and a template repeats what it is given.
//!
//! `str.format` and `str.format_map` are the run ring's own: they walk over their fields themselves and call [`grow`] for
//! each piece.

use super::cost::{self, charge};
use super::patch::{Guard, Original, family_of, guard_method, guard_slot, slot_family};
use rustpython_vm::builtins::{PyByteArray, PyBytes, PyDict, PyInt, PyStr, PyTuple, PyType};
use rustpython_vm::common::cformat::{
    CFormatBytes, CFormatPart, CFormatPrecision, CFormatQuantity, CFormatSpecKeyed, CFormatStrOrBytes, CFormatWtf8,
};
use rustpython_vm::common::wtf8::{CodePoint, Wtf8Buf};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

slot_family! {
    percent [0 1 2 3 4 5 6 7] (template: &PyObject, values: &PyObject; vm) -> PyResult {
        check_percent(template, values, vm)?
    }
}

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let known = &vm.ctx.types;
    for base in [known.str_type, known.bytes_type, known.bytearray_type] {
        for typ in family_of(types, base) {
            guard_slot!(typ.slots.as_number.remainder, super::format::percent);
            guard_slot!(typ.slots.as_number.right_remainder, super::format::percent);
        }
    }
    for typ in types {
        let guard = if typ.fast_issubclass(known.int_type) { format_int } else { format };
        guard_method(typ, "__format__", Guard::Instead(guard), vm);
    }
}

/// Makes sure that a text of `made` bytes may grow by `piece`.
pub(crate) fn grow(made: usize, piece: usize, vm: &VirtualMachine) -> PyResult<()> {
    charge(piece as u64 / 256, vm)?;
    // A buffer doubles when it is full.
    if piece == 0 { Ok(()) } else { crate::meter::fuel::reserve((made + piece) as u64, vm) }
}

/// The largest number in a format spec, be it a width or a precision.
fn largest_number(spec: &str) -> u64 {
    let (mut largest, mut number) = (0, 0u64);
    for byte in spec.bytes() {
        number = match byte {
            b'0'..=b'9' => number.saturating_mul(10).saturating_add(u64::from(byte - b'0')),
            _ => 0,
        };
        largest = largest.max(number);
    }
    largest
}

fn check_spec(spec: &PyStr, vm: &VirtualMachine) -> PyResult<()> {
    let number = spec.to_str().map_or(0, largest_number);
    // What no machine has is an error of the original.
    if i64::try_from(number).is_err() || number < 64 {
        return Ok(());
    }
    // A fill character has four bytes; grouping adds one for three.
    cost::make_text(number.saturating_mul(4), vm)
}

fn format(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    if let [zelf, spec] = &args.args[..]
        && let Some(spec) = spec.downcast_ref::<PyStr>()
    {
        check_spec(spec, vm)?;
        if let Some(bytes) = cost::text_bytes(zelf).filter(|_| !spec.is_empty()) {
            cost::make_text(bytes as u64, vm)?;
        }
    }
    original.call(args, vm)
}

fn format_int(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    if let [zelf, spec] = &args.args[..]
        && let (Some(int), Some(spec)) = (zelf.downcast_ref::<PyInt>(), spec.downcast_ref::<PyStr>())
    {
        check_spec(spec, vm)?;
        let bits = int.as_bigint().bits();
        charge(bits / 64, vm)?;
        let text = spec.to_str().unwrap_or_default();
        if text.contains([',', '_']) {
            // Each separator is put in by moving what comes after it.
            let digits = bits.max(largest_number(text).min(1 << 32));
            charge((digits / 64).saturating_mul(digits / 64), vm)?;
        }
        if text.ends_with('c')
            && let Ok(code @ 0xd800..=0xdfff) = u32::try_from(int.as_bigint())
        {
            return format_surrogate(code, text.to_owned(), args, original, vm);
        }
    }
    original.call(args, vm)
}

/// `format(0xd800, 'c')`, on which the original panics: it formats another character, and the surrogate takes its place.
fn format_surrogate(
    code: u32,
    spec: String,
    mut args: FuncArgs,
    original: &Original<'_>,
    vm: &VirtualMachine,
) -> PyResult {
    // A private character that the spec does not fill with.
    let stand_in = ('\u{e000}'..='\u{f8ff}').find(|character| !spec.contains(*character));
    let (Some(stand_in), Some(surrogate), Some(zelf)) = (stand_in, CodePoint::from_u32(code), args.args.first_mut())
    else {
        return Err(vm.new_overflow_error("%c arg not in range(0x110000)".to_owned()));
    };
    *zelf = vm.ctx.new_int(u32::from(stand_in)).into();
    let formatted = original.call(args, vm)?;
    let Some(text) = formatted.downcast_ref::<PyStr>() else { return Ok(formatted) };
    let mut result = Wtf8Buf::with_capacity(text.byte_len());
    for character in text.as_wtf8().code_points() {
        result.push(if character == stand_in { surrogate } else { character });
    }
    Ok(vm.ctx.new_str(result).into())
}

/// `template % values`: adds up the literal text, the widths, the precisions and the texts that are put in. What shows any
/// other value is guarded where it makes its text.
fn check_percent(template: &PyObject, values: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let byte_key = |key: &Vec<u8>| -> PyObjectRef { vm.ctx.new_bytes(key.clone()).into() };
    let total = if let Some(text) = template.downcast_ref::<PyStr>() {
        cost::scan(text.byte_len(), vm)?;
        let key = |key: &Wtf8Buf| -> PyObjectRef { vm.ctx.new_str(key.clone()).into() };
        CFormatWtf8::parse_from_wtf8(text.as_wtf8())
            .map(|parts| made_bytes(&parts, |literal| literal.len(), key, values, vm))
    } else if let Some(bytes) = template.downcast_ref::<PyBytes>() {
        cost::scan(bytes.as_bytes().len(), vm)?;
        CFormatBytes::parse_from_bytes(bytes.as_bytes()).map(|parts| made_bytes(&parts, Vec::len, byte_key, values, vm))
    } else if let Some(bytes) = template.downcast_ref::<PyByteArray>() {
        let bytes = bytes.borrow_buf().to_vec();
        cost::scan(bytes.len(), vm)?;
        CFormatBytes::parse_from_bytes(&bytes).map(|parts| made_bytes(&parts, Vec::len, byte_key, values, vm))
    } else {
        return Ok(());
    };
    match total {
        Ok(total) => cost::make_text(total?, vm),
        // The original says what is wrong with it.
        Err(_) => Ok(()),
    }
}

fn made_bytes<S>(
    parts: &CFormatStrOrBytes<S>,
    size: impl Fn(&S) -> usize,
    key_of: impl Fn(&S) -> PyObjectRef,
    values: &PyObject,
    vm: &VirtualMachine,
) -> PyResult<u64> {
    let single;
    let mut next = match values.downcast_ref::<PyTuple>() {
        Some(tuple) => tuple.as_slice().iter(),
        None => {
            single = [values.to_owned()];
            single.iter()
        }
    };
    let mapping = values.downcast_ref_if_exact::<PyDict>(vm);
    let mut total = 0u64;
    for (_, part) in parts.iter() {
        let spec = match part {
            CFormatPart::Literal(literal) => {
                total = total.saturating_add(size(literal) as u64);
                continue;
            }
            CFormatPart::Spec(spec) => spec,
        };
        let CFormatSpecKeyed { mapping_key, spec } = spec;
        let mut star = |quantity: &CFormatQuantity| match quantity {
            CFormatQuantity::Amount(amount) => *amount as u64,
            CFormatQuantity::FromValuesTuple => next.next().map_or(0, |value| magnitude(value)),
        };
        let width = spec.min_field_width.as_ref().map_or(0, &mut star);
        let precision = match &spec.precision {
            Some(CFormatPrecision::Quantity(quantity)) => star(quantity),
            _ => 0,
        };
        let value = match mapping_key {
            Some(key) => mapping.map(|dict| dict.get_item_opt(&*key_of(key), vm)).transpose()?.flatten(),
            None => next.next().cloned(),
        };
        let text = value.and_then(|value| cost::text_bytes(&value)).unwrap_or(0) as u64;
        // A width is counted in characters.
        total = total.saturating_add(text).saturating_add(width.saturating_add(precision));
    }
    Ok(total)
}

fn magnitude(value: &PyObject) -> u64 {
    value.downcast_ref::<PyInt>().map_or(0, |int| i64::try_from(int.as_bigint()).map_or(0, i64::unsigned_abs))
}
