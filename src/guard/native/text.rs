//! `str`, `bytes` and `bytearray`.
//!
//! Every method is charged for the length of the texts that it is given and has to find room for as much, unless it is
//! listed here with a rule of its own. So a method that a later version adds is guarded before anyone has looked at it.

use super::charset;
use super::cost::{self, charge};
use super::patch::{Guard, Original, family_of, guard_method, guard_slot, slot_family};
use super::sequence::{settle, with_elements};
use crate::meter::fuel;
use rustpython_vm::builtins::{PyDict, PyInt, PyStr, PyType, PyTypeRef};
use rustpython_vm::common::wtf8::{CodePoint, Wtf8Buf};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

slot_family! {
    /// `str(object)`, `str(bytes, encoding)`.
    new_str [0 1 2 3] (class: PyTypeRef, args: FuncArgs; vm) -> PyResult { check_decode(&args, vm)? }
}
slot_family! {
    /// `bytes(size)`, `bytes(iterable)`, `bytes(text, encoding)`.
    new_bytes [0 1 2 3] (class: PyTypeRef, args: FuncArgs; vm) -> PyResult { check_bytes(&mut args, vm)? }
}
slot_family! {
    /// The same for `bytearray`.
    init [0 1 2 3] (zelf: &PyObject, args: FuncArgs; vm) -> PyResult<()> { check_bytes(&mut args, vm)? }
}

/// A text in a list: the object, its header and its own block.
const TEXT_OBJECT: u64 = 128;

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let known = &vm.ctx.types;
    for base in [known.str_type, known.bytes_type, known.bytearray_type] {
        for typ in family_of(types, base) {
            for name in typ.attributes().interned_names(&vm.ctx) {
                let rule = RULES.iter().find(|(names, _)| names.contains(&name.as_str()));
                let guard = match rule {
                    Some((_, Some(guard))) => *guard,
                    Some((_, None)) => continue,
                    None => Guard::Before(linear),
                };
                guard_method(typ, name.as_str(), guard, vm);
            }
        }
    }
    guard_slot!(known.str_type.slots.new, super::text::new_str);
    guard_slot!(known.bytes_type.slots.new, super::text::new_bytes);
    guard_slot!(known.bytearray_type.slots.init, super::text::init);
}

/// Methods with a rule of their own; `None` is free.
const RULES: &[(&[&str], Option<Guard>)] = &[
    (&["__class_getitem__", "isascii", "__len__", "__format__", "__reversed__", "__alloc__"], None),
    (&["__new__", "__sizeof__", "format", "format_map"], None),
    (&["startswith", "endswith", "removeprefix", "removesuffix"], Some(Guard::Before(affix))),
    (&["find", "rfind", "index", "rindex"], Some(Guard::Before(search))),
    (&["count"], Some(Guard::Before(count))),
    (&["join"], Some(Guard::Before(join))),
    (&["replace"], Some(Guard::Before(replace))),
    (&["translate"], Some(Guard::Instead(translate))),
    (&["strip"], Some(Guard::Instead(charset::strip))),
    (&["lstrip"], Some(Guard::Instead(charset::lstrip))),
    (&["rstrip"], Some(Guard::Instead(charset::rstrip))),
    (&["ljust", "rjust", "center", "zfill"], Some(Guard::Before(pad))),
    (&["expandtabs"], Some(Guard::Before(expand_tabs))),
    (&["split", "rsplit", "splitlines"], Some(Guard::Before(split))),
    (&["maketrans", "fromhex"], Some(Guard::Before(per_character))),
    (&["encode", "decode", "hex"], Some(Guard::Before(transcode))),
    (&["casefold", "upper", "lower", "title", "swapcase", "capitalize"], Some(Guard::Before(change_case))),
    (&["append"], Some(Guard::Before(append))),
    (&["extend"], Some(Guard::Before(extend))),
    (&["insert", "pop"], Some(Guard::Before(shift))),
];

fn total_bytes(args: &FuncArgs) -> u64 {
    let size = |object: &PyObjectRef| cost::text_bytes(object).unwrap_or(0) as u64;
    args.args.iter().map(size).sum::<u64>() + args.kwargs.values().map(size).sum::<u64>()
}

/// The bytes of `self`.
fn own_bytes(args: &FuncArgs) -> u64 {
    args.args.first().and_then(|zelf| cost::text_bytes(zelf)).unwrap_or(0) as u64
}

/// The default: a walk over all texts, and a result of their size.
fn linear(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    cost::make_text(total_bytes(args), vm)
}

/// Looks at no more of `self` than the affix has.
fn affix(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let own = own_bytes(args);
    let affixes = args.args.get(1).and_then(|affixes| {
        cost::text_bytes(affixes)
            .or_else(|| with_elements(affixes, |all| all.iter().filter_map(|affix| cost::text_bytes(affix)).sum()))
    });
    // With bounds, an offset into a text that is not ASCII is looked for.
    let offset = if args.args.len() > 2 { own / 64 } else { 0 };
    // Each of several is looked at, however short the text.
    let several = args.args.get(1).and_then(|affixes| with_elements(affixes, <[PyObjectRef]>::len)).unwrap_or(0);
    cost::elements(several, vm)?;
    charge((affixes.unwrap_or(0) as u64).min(own) / 64 + offset, vm)
}

/// A search reads many bytes at a time, until it finds something.
fn search(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    charge(total_bytes(args) / 128, vm)
}

fn count(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    charge(total_bytes(args) / 8, vm)
}

fn per_character(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let characters = total_bytes(args);
    let entries = args.args.iter().filter_map(|object| cost::container_len(object, vm)).sum::<usize>() as u64;
    charge((characters + entries) * 2, vm)?;
    fuel::reserve(entries * 100 + characters, vm)
}

/// UTF-32 has four bytes for one; an error handler may write ten characters for one.
fn transcode(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let growth = match args.args.len() + args.kwargs.len() {
        1 => 2,
        2 => 4,
        _ => 10,
    };
    cost::make_text(own_bytes(args).saturating_mul(growth), vm)
}

/// A character of two bytes may become one of six, and the buffer for that grows by doubling.
fn change_case(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let text = args.args.first().and_then(|zelf| zelf.downcast_ref::<PyStr>());
    match text {
        Some(text) if !text.isascii() => cost::make_text(text.byte_len() as u64 * 6, vm),
        _ => linear(args, vm),
    }
}

fn append(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    grow_bytes(own_bytes(args), 1, vm)
}

fn extend(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let own = own_bytes(args);
    let Some(iterable) = args.args.get_mut(1) else { return Ok(()) };
    *iterable = settle(iterable.clone(), vm)?;
    grow_bytes(own, cost::text_bytes(iterable).unwrap_or(0) as u64, vm)
}

/// Bytes of a `bytearray` below which its growth needs no look.
const SMALL: u64 = 1 << 20;

/// Makes sure that there is room for a `bytearray` to grow: it doubles, or takes as much as comes in.
pub(super) fn grow_bytes(own: u64, more: u64, vm: &VirtualMachine) -> PyResult<()> {
    if own.max(more) < SMALL { Ok(()) } else { fuel::reserve(own.max(more), vm) }
}

fn shift(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    grow_bytes(own_bytes(args), 1, vm)?;
    if args.args.len() < 2 && args.kwargs.is_empty() { Ok(()) } else { charge(own_bytes(args) / 1024, vm) }
}

fn join(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let separator = own_bytes(args);
    let Some(iterable) = args.args.get_mut(1) else { return Ok(()) };
    let class = iterable.class();
    if !class.is(vm.ctx.types.list_type) && !class.is(vm.ctx.types.tuple_type) && class.slots.iter.load().is_some() {
        // What has no `__iter__` is left to the original, which words that error.
        *iterable = vm.ctx.new_list(vm.extract_elements_with(iterable, Ok)?).into();
    }
    let size = with_elements(iterable, |items| {
        let texts: u64 = items.iter().map(|item| cost::text_bytes(item).unwrap_or(0) as u64).sum();
        texts.saturating_add(separator.saturating_mul(items.len() as u64)).saturating_add(items.len() as u64)
    });
    match size {
        Some(bytes) => {
            charge(bytes / 256, vm)?;
            fuel::reserve(bytes, vm)
        }
        None => Ok(()),
    }
}

/// Counts what is replaced, where the size of the result depends on it.
fn replace(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let [zelf, old, new, ..] = &args.args[..] else { return Ok(()) };
    let (Some(own), Some(old_bytes), Some(new_bytes)) =
        (cost::text_bytes(zelf), cost::text_bytes(old), cost::text_bytes(new))
    else {
        return Ok(());
    };
    cost::scan(own, vm)?;
    let most = args.args.get(3).or_else(|| args.kwargs.get("count")).and_then(|count| count.downcast_ref::<PyInt>());
    let most = most.map_or(u64::MAX, |count| u64::try_from(count.as_bigint()).unwrap_or(u64::MAX));
    let places = match old_bytes {
        0 => own as u64 + 1,
        // It gets no longer, wherever it is replaced.
        _ if new_bytes <= old_bytes => (own / old_bytes / 2) as u64,
        _ => occurrences(zelf, old),
    };
    let places = places.min(most);
    let result =
        (own as u64).saturating_add(places.saturating_mul((new_bytes as u64).saturating_sub(old_bytes as u64)));
    cost::make_text(result, vm)?;
    charge(places / 4, vm)
}

/// How often `needle` occurs in `text`, or a little more.
fn occurrences(text: &PyObject, needle: &PyObject) -> u64 {
    fn count(text: &[u8], needle: &[u8]) -> u64 {
        if let [byte] = needle {
            return text.iter().filter(|&other| other == byte).count() as u64;
        }
        match (std::str::from_utf8(text), std::str::from_utf8(needle)) {
            (Ok(text), Ok(needle)) if !needle.is_empty() => text.matches(needle).count() as u64,
            _ => {
                let Some(&first) = needle.first() else { return text.len() as u64 + 1 };
                // A needle starts with its first byte, wherever it is.
                let starts = text.iter().filter(|&&byte| byte == first).count();
                starts.min(text.len() / needle.len()) as u64
            }
        }
    }
    with_bytes(text, |text| with_bytes(needle, |needle| count(text, needle))).flatten().unwrap_or(0)
}

fn with_bytes<R>(object: &PyObject, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
    if let Some(text) = object.downcast_ref::<PyStr>() {
        return Some(f(text.as_bytes()));
    }
    if let Some(bytes) = object.downcast_ref::<rustpython_vm::builtins::PyBytes>() {
        return Some(f(bytes.as_bytes()));
    }
    object.downcast_ref::<rustpython_vm::builtins::PyByteArray>().map(|bytes| f(&bytes.borrow_buf()))
}

fn pad(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let own = own_bytes(args);
    let width = args.args.get(1).and_then(|width| width.downcast_ref::<PyInt>());
    let width = width.map_or(Ok(0), |width| u64::try_from(width.as_bigint())).unwrap_or(0);
    if i64::try_from(width).is_err() {
        return Ok(());
    }
    // A fill character has four bytes at the most.
    let fill = args.args.get(2).and_then(|fill| cost::text_bytes(fill)).unwrap_or(1).clamp(1, 4) as u64;
    cost::make_text(own.saturating_add(width.saturating_mul(fill)), vm)
}

fn expand_tabs(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let Some(zelf) = args.args.first() else { return Ok(()) };
    let own = own_bytes(args);
    charge(own / 16, vm)?;
    let tabs = with_bytes(zelf, |text| text.iter().filter(|&&byte| byte == b'\t').count() as u64).unwrap_or(0);
    let size = args.args.get(1).or_else(|| args.kwargs.get("tabsize")).and_then(|size| size.downcast_ref::<PyInt>());
    let size = size.map_or(8, |size| u64::try_from(size.as_bigint()).unwrap_or(0));
    cost::make_text(own.saturating_add(tabs.saturating_mul(size)), vm)
}

/// Counts the parts: each is an object of its own.
fn split(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let most = args.args.get(2).or_else(|| args.kwargs.get("maxsplit")).and_then(|most| most.downcast_ref::<PyInt>());
    // Any negative number means all, and counting down from the least one overflows.
    if most.is_some_and(|most| *most.as_bigint() < Default::default()) {
        let all: PyObjectRef = vm.ctx.new_int(-1).into();
        match args.args.get_mut(2) {
            Some(most) => *most = all,
            None => {
                args.kwargs.insert("maxsplit".into(), all);
            }
        }
    }
    let Some(zelf) = args.args.first() else { return Ok(()) };
    let own = own_bytes(args);
    cost::scan(own as usize, vm)?;
    let separator = args.args.get(1).or_else(|| args.kwargs.get("sep")).filter(|separator| !vm.is_none(separator));
    let most = args.args.get(2).or_else(|| args.kwargs.get("maxsplit")).and_then(|most| most.downcast_ref::<PyInt>());
    let most = most.map_or(u64::MAX, |most| u64::try_from(most.as_bigint()).unwrap_or(u64::MAX));
    let parts = match separator.filter(|separator| cost::text_bytes(separator).is_some()) {
        Some(separator) => occurrences(zelf, separator),
        // Whatever separates words or lines and is not ASCII is at least two bytes, and starts above it.
        None => with_bytes(zelf, |text| {
            text.iter()
                .filter(|byte| byte.is_ascii_whitespace() || matches!(byte, 0x0b | 0x1c..=0x1f | 0xc2 | 0xe1..=0xe3))
                .count() as u64
        })
        .unwrap_or(0),
    };
    let parts = parts.min(most) + 1;
    charge(parts, vm)?;
    fuel::reserve(own.saturating_add(parts.saturating_mul(TEXT_OBJECT)), vm)
}

/// With one argument `str` is the object's own text, which its own guard pays for.
fn check_decode(args: &FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    if args.args.len() + args.kwargs.len() < 2 {
        return Ok(());
    }
    let value = args.args.first().or_else(|| args.kwargs.get("object"));
    cost::make_text(value.and_then(|value| cost::text_bytes(value)).unwrap_or(0) as u64 * 4, vm)
}

fn check_bytes(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let Some(value) = args.args.first_mut() else { return Ok(()) };
    if let Some(bytes) = cost::text_bytes(value) {
        return cost::make_text(bytes as u64 * 4, vm);
    }
    if let Some(size) = value.downcast_ref::<PyInt>() {
        return match u64::try_from(size.as_bigint()) {
            Ok(size) if i64::try_from(size).is_ok() => fuel::reserve(size, vm),
            _ => Ok(()),
        };
    }
    *value = settle(value.clone(), vm)?;
    Ok(())
}

/// How much of a translation may be made before its memory is looked at again.
const PORTION: usize = 1 << 16;

/// A table may write a text of any size for each character, and may be any object: so the loop is here, and looks at the
/// size of what it makes.
fn translate(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    if args.args.first().is_some_and(|zelf| zelf.downcast_ref::<PyStr>().is_none()) {
        return charset::translate_bytes(args, original, vm);
    }
    let [zelf, table] = &args.args[..] else { return original.call(args, vm) };
    let Some(text) = zelf.downcast_ref::<PyStr>().filter(|_| args.kwargs.is_empty()) else {
        return original.call(args, vm);
    };
    charge(text.byte_len() as u64 * 2, vm)?;
    fuel::reserve(text.byte_len() as u64, vm)?;
    let dict = table.downcast_ref_if_exact::<PyDict>(vm);
    let mut translated = Wtf8Buf::with_capacity(text.byte_len());
    let mut next_look = PORTION;
    for character in text.as_wtf8().code_points() {
        let key: PyObjectRef = vm.ctx.new_int(character.to_u32()).into();
        let value = match dict {
            Some(dict) => dict.get_item_opt(&*key, vm)?,
            None => match table.get_item(&*key, vm) {
                Ok(value) => Some(value),
                Err(error) if error.fast_isinstance(vm.ctx.exceptions.lookup_error) => None,
                Err(error) => return Err(error),
            },
        };
        let Some(value) = value else {
            translated.push(character);
            continue;
        };
        if let Some(replacement) = value.downcast_ref::<PyStr>() {
            if translated.len() + replacement.byte_len() > next_look {
                // The buffer grows to twice its size.
                cost::make_text((translated.len() + replacement.byte_len()) as u64, vm)?;
                next_look = (translated.len() + replacement.byte_len()) * 2;
            }
            translated.push_wtf8(replacement.as_wtf8());
        } else if let Some(int) = value.downcast_ref::<PyInt>() {
            let mapped = u32::try_from(int.as_bigint()).ok().and_then(CodePoint::from_u32);
            translated.push(mapped.ok_or_else(|| vm.new_value_error("character mapping must be in range(0x110000)"))?);
        } else if !vm.is_none(&value) {
            return Err(vm.new_type_error("character mapping must return integer, None or str"));
        }
    }
    Ok(vm.ctx.new_str(translated).into())
}
