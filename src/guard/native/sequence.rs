//! What sequences share: repeat, concatenation, slices, search.

use super::cost::{self, REFERENCE, charge};
use super::patch::{family_of, guard_slot, slot_family};
use super::text;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyByteArray, PyInt, PyList, PyRange, PySlice, PyTuple, PyType};
use rustpython_vm::protocol::{PyMapping, PySequence};
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

slot_family! {
    repeat [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (sequence: PySequence<'_>, count: isize; vm) -> PyResult { check_repeat(sequence.obj, count, vm)? }
}
slot_family! {
    concat [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (sequence: PySequence<'_>, other: &PyObject; vm) -> PyResult {
        check_concat(sequence.obj, other, vm)?
    }
}
slot_family! {
    /// `list += iterable`.
    extend [0 1 2 3 4 5 6 7] (sequence: PySequence<'_>, other: &PyObject; vm) -> PyResult {
        // The original takes a reference; what replaces the iterable has to live as long.
        let settled = settle(other.to_owned(), vm)?;
        if let Some(own) = sequence.obj.downcast_ref::<PyByteArray>().map(|bytes| bytes.borrow_buf().len()) {
            text::grow_bytes(own as u64, cost::text_bytes(&settled).unwrap_or(0) as u64, vm)?;
        }
        if !settled.is(other) {
            return ORIGINALS[INDEX].get().map_or_else(
                || Err(vm.new_system_error("a guard without an original")),
                |original| original(sequence, &settled, vm),
            );
        }
    }
}
slot_family! {
    contains [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (sequence: PySequence<'_>, needle: &PyObject; vm) -> PyResult<bool> {
        check_search(sequence.obj, vm)?
    }
}
slot_family! {
    subscript [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (mapping: PyMapping<'_>, key: &PyObject; vm) -> PyResult { check_slice(mapping.obj, key, vm)? }
}
slot_family! {
    assign [0 1 2 3 4 5 6 7] (mapping: PyMapping<'_>, key: &PyObject, value: Option<PyObjectRef>; vm) -> PyResult<()> {
        if key.class().is(vm.ctx.types.slice_type) {
            if let Some(items) = value.take() {
                value = Some(settle(items, vm)?);
            }
            check_move(mapping.obj, vm)?;
        }
    }
}

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let known = &vm.ctx.types;
    let texts = [known.str_type, known.bytes_type, known.bytearray_type];
    let lists = [known.list_type, known.tuple_type];
    for typ in texts.iter().chain(&lists).flat_map(|base| family_of(types, base)) {
        let sequence = &typ.slots.as_sequence;
        guard_slot!(sequence.repeat, super::sequence::repeat);
        guard_slot!(sequence.inplace_repeat, super::sequence::repeat);
        guard_slot!(sequence.contains, super::sequence::contains);
        guard_slot!(typ.slots.as_mapping.subscript, super::sequence::subscript);
        guard_slot!(typ.slots.as_mapping.ass_subscript, super::sequence::assign);
        guard_slot!(sequence.concat, super::sequence::concat);
        if typ.fast_issubclass(known.list_type) || typ.fast_issubclass(known.bytearray_type) {
            guard_slot!(sequence.inplace_concat, super::sequence::extend);
        }
    }
    // Other native sequences (a deque) repeat and join too.
    for typ in types {
        guard_slot!(typ.slots.as_sequence.repeat, super::sequence::repeat);
        guard_slot!(typ.slots.as_sequence.inplace_repeat, super::sequence::repeat);
    }
}

/// Length and bytes an element of a native sequence.
fn measure(sequence: &PyObject, vm: &VirtualMachine) -> PyResult<(u64, u64)> {
    if let Some(bytes) = cost::text_bytes(sequence) {
        return Ok((bytes as u64, 1));
    }
    let length = match cost::container_len(sequence, vm) {
        Some(length) => length,
        None => sequence.length(vm)?,
    };
    Ok((length as u64, REFERENCE))
}

fn check_repeat(sequence: &PyObject, count: isize, vm: &VirtualMachine) -> PyResult<()> {
    let Ok(count) = u64::try_from(count) else { return Ok(()) };
    let (length, width) = measure(sequence, vm)?;
    let total = length.saturating_mul(count);
    let bytes = total.saturating_mul(width);
    // Larger than any memory is an error of the original, which finds it before it does anything.
    if count <= 1 || i64::try_from(bytes).is_err() {
        return Ok(());
    }
    if width == 1 { fuel::reserve(bytes, vm) } else { cost::copy_elements(total as usize, vm) }
}

fn check_concat(sequence: &PyObject, other: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let (left, width) = measure(sequence, vm)?;
    let right = cost::text_bytes(other).or_else(|| cost::container_len(other, vm)).unwrap_or(0) as u64;
    if width == 1 { fuel::reserve(left + right, vm) } else { cost::copy_elements((left + right) as usize, vm) }
}

/// A search looks at every element at the worst. What comparing two elements costs is up to their own guards.
pub(super) fn check_search(sequence: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    match (cost::text_bytes(sequence), cost::container_len(sequence, vm)) {
        // A text is searched many bytes at a time.
        (Some(bytes), _) => charge(bytes as u64 / 1024, vm),
        (None, Some(length)) => cost::elements(length, vm),
        (None, None) => Ok(()),
    }
}

/// Charges for moving all that a sequence holds.
fn check_move(sequence: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    match (cost::text_bytes(sequence), cost::container_len(sequence, vm)) {
        (Some(bytes), _) => charge(bytes as u64 / 1024, vm),
        (None, Some(length)) => charge(length as u64 / 128, vm),
        (None, None) => Ok(()),
    }
}

pub(super) fn check_slice(sequence: &PyObject, key: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let Some(slice) = key.downcast_ref::<PySlice>() else { return Ok(()) };
    let (length, width) = measure(sequence, vm)?;
    if length * width < 1024 {
        return Ok(());
    }
    let taken = slice_length(slice, length, vm);
    if width == 1 && !slice.step.as_deref().is_none_or(|step| vm.is_none(step)) {
        // One by one.
        return cost::make_text(taken, vm);
    }
    if width == 1 { fuel::reserve(taken, vm) } else { cost::copy_elements(taken as usize, vm) }
}

/// Elements that a slice takes, at the most.
fn slice_length(slice: &PySlice, length: u64, vm: &VirtualMachine) -> u64 {
    // Bounds with an `__index__` of their own would run code twice; they count as the whole.
    let bound = |object: &PyObject, missing: i64| -> Option<i64> {
        if vm.is_none(object) {
            return Some(missing);
        }
        let int = object.downcast_ref_if_exact::<PyInt>(vm)?.as_bigint();
        Some(i64::try_from(int).unwrap_or(if *int < Default::default() { i64::MIN } else { i64::MAX }))
    };
    let none = vm.ctx.none();
    let size = i64::try_from(length).unwrap_or(i64::MAX);
    let step = slice.step.as_deref().map_or(Some(1), |step| bound(step, 1));
    let Some(step @ 1..) = step else {
        return match step {
            Some(step) if step < -1 => length.div_ceil(step.unsigned_abs()),
            _ => length,
        };
    };
    let start = bound(slice.start.as_deref().unwrap_or(&none), 0);
    let stop = bound(&slice.stop, size);
    let (Some(start), Some(stop)) = (start, stop) else { return length };
    let clamp = |at: i64| if at < 0 { at.saturating_add(size).max(0) } else { at.min(size) };
    (clamp(stop) - clamp(start)).max(0).unsigned_abs().div_ceil(step.unsigned_abs())
}

/// Makes an iterable safe to hand to code that makes room for as many elements as the iterable says that it has.
///
/// Room for what a native container holds is made sure of here. Any other object with a length of its own is not asked:
/// its elements are collected, a step at a time.
pub(super) fn settle(iterable: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
    let known = &vm.ctx.types;
    let class = iterable.class();
    let exact = [
        known.list_type,
        known.tuple_type,
        known.dict_type,
        known.set_type,
        known.frozenset_type,
        known.str_type,
        known.bytes_type,
        known.bytearray_type,
        known.dict_keys_type,
        known.dict_values_type,
        known.dict_items_type,
    ];
    if exact.iter().any(|typ| class.is(*typ)) {
        cost::copy_elements(iterable.length(vm)?, vm)?;
        return Ok(iterable);
    }
    if iterable.downcast_ref::<PyRange>().is_some() {
        // A range that has no machine-size length is an error of whoever wants its elements.
        if let Ok(length) = iterable.length(vm) {
            fuel::reserve((length as u64).saturating_mul(REFERENCE), vm)?;
        }
        return Ok(iterable);
    }
    let has_length = class.slots.as_sequence.length.load().is_some() || class.slots.as_mapping.length.load().is_some();
    let is_iterable = class.slots.iter.load().is_some()
        || class.slots.as_sequence.item.load().is_some()
        || class.slots.as_mapping.subscript.load().is_some();
    if !has_length || !is_iterable {
        return Ok(iterable);
    }
    let elements = vm.extract_elements_with(&iterable, Ok)?;
    cost::copy_elements(elements.len(), vm)?;
    Ok(vm.ctx.new_list(elements).into())
}

/// The elements of an exact list or tuple.
pub(super) fn with_elements<R>(object: &PyObject, f: impl FnOnce(&[PyObjectRef]) -> R) -> Option<R> {
    if let Some(list) = object.downcast_ref::<PyList>() {
        return Some(f(&list.borrow_vec()));
    }
    object.downcast_ref::<PyTuple>().map(|tuple| f(tuple.as_slice()))
}
