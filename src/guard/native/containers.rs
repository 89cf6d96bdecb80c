//! Lists, tuples, dicts, sets and other native containers: building, changing, combining.
//!
//! Every method is charged for the elements of the containers that it is given, unless it is listed here as one that looks
//! at one element only. So a method that a later version adds is guarded before anyone has looked at it.

use super::cost::{self, charge};
use super::patch::{Guard, Original, family_of, guard_method, guard_slot, slot_family};
use super::sequence::{self, settle};
use crate::meter::fuel;
use rustpython_vm::builtins::{PyBoundMethod, PyInt, PyList, PyTuple, PyType, PyTypeRef};
use rustpython_vm::convert::ToPyResult;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::protocol::PyIter;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};
use std::sync::OnceLock;

slot_family! {
    /// `list(iterable)`, `set(iterable)`, `dict(mapping)`, as the interpreter calls them.
    call [0 1 2 3 4 5 6 7] (class: &PyObject, args: Vec<PyObjectRef>, count: usize, names: Option<&[PyObjectRef]>; vm) -> PyResult {
        if let Some(iterable) = args.first_mut() {
            check_build(iterable, class.is(vm.ctx.types.list_type), vm)?;
        }
    }
}
slot_family! {
    init [0 1 2 3 4 5 6 7] (zelf: &PyObject, args: FuncArgs; vm) -> PyResult<()> {
        if let Some(iterable) = args.args.first_mut() {
            check_build(iterable, zelf.downcast_ref::<PyList>().is_some(), vm)?;
        }
    }
}
slot_family! {
    new [0 1 2 3 4 5 6 7] (class: PyTypeRef, args: FuncArgs; vm) -> PyResult {
        if let Some(iterable) = args.args.first_mut() {
            check_build(iterable, false, vm)?;
        }
    }
}
slot_family! {
    combine [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31] (a: &PyObject, b: &PyObject; vm) -> PyResult { check_combine(a, b, vm)? }
}

/// What an entry of a dict or a set takes.
pub(super) const ENTRY: u64 = 64;

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let known = &vm.ctx.types;
    for base in [known.list_type, known.dict_type, known.set_type] {
        for typ in family_of(types, base) {
            guard_slot!(typ.slots.vectorcall, super::containers::call);
            guard_slot!(typ.slots.init, super::containers::init);
        }
    }
    guard_slot!(known.frozenset_type.slots.new, super::containers::new);
    let views = [known.dict_keys_type, known.dict_items_type, known.dict_values_type];
    let unordered = [known.dict_type, known.set_type, known.frozenset_type];
    for typ in unordered.iter().chain(&views).flat_map(|base| family_of(types, base)) {
        let number = &typ.slots.as_number;
        for slot in [
            &number.and,
            &number.right_and,
            &number.or,
            &number.right_or,
            &number.xor,
            &number.right_xor,
            &number.subtract,
            &number.right_subtract,
            &number.inplace_and,
            &number.inplace_or,
            &number.inplace_xor,
            &number.inplace_subtract,
        ] {
            guard_slot!(slot, super::containers::combine);
        }
    }
    let ordered = [known.list_type, known.tuple_type];
    for base in ordered.iter().chain(&unordered).chain(&views) {
        guard_methods(types, base, vm);
    }
    // The containers of the native half of `collections`, where it is loaded.
    for typ in types.iter().filter(|typ| matches!(&*typ.name(), "deque" | "OrderedDict" | "defaultdict")) {
        guard_methods(types, typ, vm);
    }
}

fn guard_methods(types: &[&'static Py<PyType>], base: &Py<PyType>, vm: &VirtualMachine) {
    for typ in family_of(types, base) {
        for name in typ.attributes().interned_names(&vm.ctx) {
            let guard = match RULES.iter().find(|(names, _)| names.contains(&name.as_str())) {
                Some((_, Some(guard))) => *guard,
                Some((_, None)) => continue,
                None => Guard::Before(linear),
            };
            guard_method(typ, name.as_str(), guard, vm);
        }
    }
}

/// Methods with a rule of their own; `None` is free.
const RULES: &[(&[&str], Option<Guard>)] = &[
    (&["append", "appendleft", "add", "discard", "popitem", "popleft", "get", "setdefault", "move_to_end"], None),
    (&["keys", "values", "items", "__contains__", "__reversed__", "__length_hint__", "__missing__"], None),
    (&["__class_getitem__", "__new__", "__sizeof__", "__init_subclass__", "__subclasshook__"], None),
    (&["__getitem__"], Some(Guard::Before(get_item))),
    (&["pop", "insert"], Some(Guard::Before(shift))),
    (&["remove"], Some(Guard::Before(remove))),
    (&["extend"], Some(Guard::Before(extend))),
    (&["sort"], Some(Guard::Instead(sort))),
];

/// Elements of all containers in `args`.
fn total_elements(args: &FuncArgs, vm: &VirtualMachine) -> usize {
    args.args.iter().filter_map(|object| cost::container_len(object, vm)).sum()
}

/// The default: a walk over all containers, which may put all of it into a new one.
fn linear(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let elements = total_elements(args, vm) as u64;
    charge(elements, vm)?;
    fuel::reserve(elements.saturating_mul(ENTRY) / 2, vm)
}

fn get_item(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    match &args.args[..] {
        [zelf, key] => sequence::check_slice(zelf, key, vm),
        _ => Ok(()),
    }
}

/// Moves what comes after an element of a list; of a dict or a set nothing.
fn shift(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let [zelf, at, ..] = &args.args[..] else { return Ok(()) };
    let (Some(list), Some(at)) = (zelf.downcast_ref::<PyList>(), at.downcast_ref::<PyInt>()) else { return Ok(()) };
    let length = list.borrow_vec().len() as u64;
    let moved = match i64::try_from(at.as_bigint()) {
        Ok(at @ 0..) => length.saturating_sub(at as u64),
        Ok(at) => at.unsigned_abs().min(length),
        Err(_) => length,
    };
    charge(moved / 128, vm)
}

/// Looks for the element, in a list.
fn remove(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    match args.args.first() {
        Some(zelf) if zelf.downcast_ref::<PyList>().is_some() => sequence::check_search(zelf, vm),
        _ => Ok(()),
    }
}

fn extend(args: &mut FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    if let Some(iterable) = args.args.get_mut(1) {
        *iterable = settle(iterable.clone(), vm)?;
    }
    Ok(())
}

/// A container that is built from another. Steps of an iterator pay for themselves.
fn check_build(iterable: &mut PyObjectRef, list: bool, vm: &VirtualMachine) -> PyResult<()> {
    if list {
        *iterable = settle(iterable.clone(), vm)?;
        return Ok(());
    }
    let Some(length) = cost::container_len(iterable, vm) else { return Ok(()) };
    charge(length as u64, vm)?;
    fuel::reserve((length as u64).saturating_mul(ENTRY), vm)
}

fn check_combine(a: &PyObject, b: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let elements = [a, b].into_iter().filter_map(|object| cost::container_len(object, vm)).sum::<usize>() as u64;
    charge(elements, vm)?;
    fuel::reserve(elements.saturating_mul(ENTRY) / 2, vm)
}

/// Exact texts and ints are compared without a look at their slots, so what comparing them costs is charged up front. For
/// that the keys have to be known: they are computed here, and handed over one by one.
fn sort(mut args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    let list = match &args.args[..] {
        [zelf] => zelf.clone().downcast::<PyList>().ok(),
        _ => None,
    };
    let Some(list) = list else { return original.call(args, vm) };
    let key = args.kwargs.get("key").filter(|key| !vm.is_none(key)).cloned();
    let Some(key) = key else {
        charge_sort(&list.borrow_vec(), vm)?;
        return original.call(args, vm);
    };
    // As in any Python, the list is empty while its keys are computed, and a key that changes it is an error.
    let elements = std::mem::take(&mut *list.borrow_vec_mut());
    let keys = elements.iter().map(|element| key.call((element.clone(),), vm)).collect::<PyResult<Vec<_>>>();
    let charged = keys.and_then(|keys| charge_sort(&keys, vm).map(|()| keys));
    let changed = {
        let mut now = list.borrow_vec_mut();
        let changed = !now.is_empty();
        *now = elements;
        changed
    };
    let keys: PyObjectRef = vm.ctx.new_list(charged?).into();
    let next = keys.get_iter(vm)?;
    args.kwargs.insert("key".into(), HandOver::bind(next.into(), vm)?);
    let sorted = original.call(args, vm)?;
    // The list is sorted all the same.
    if changed { Err(vm.new_value_error("list modified during sort")) } else { Ok(sorted) }
}

/// Stands for a sort's key: takes an element, and gives the key that was computed for it.
struct HandOver;

impl HandOver {
    fn bind(keys: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
        static NEXT_KEY: OnceLock<PyObjectRef> = OnceLock::new();
        let next_key = NEXT_KEY.get_or_init(|| {
            let next_key = |keys: PyObjectRef, _element: PyObjectRef, vm: &VirtualMachine| -> PyResult {
                PyIter::new(&*keys).next(vm)?.to_pyresult(vm)
            };
            vm.new_function("key", next_key).into()
        });
        Ok(PyBoundMethod::new(keys, next_key.clone()).into_ref(&vm.ctx).into())
    }
}

/// Charges for sorting by `keys`.
fn charge_sort(keys: &[PyObjectRef], vm: &VirtualMachine) -> PyResult<()> {
    /// What comparing a key with its like costs beyond a look at it.
    fn size(key: &PyObject) -> u64 {
        if let Some(bytes) = cost::text_bytes(key) {
            return bytes as u64 / 512;
        }
        cost::int_bits(key).unwrap_or(0) / 65536
    }
    let rounds = u64::from((keys.len() as u64 + 1).ilog2()) + 1;
    let mut sizes = 0;
    for key in keys {
        sizes += size(key)
            + key.downcast_ref::<PyTuple>().map_or(0, |tuple| tuple.as_slice().iter().map(|part| size(part)).sum());
    }
    let units = (keys.len() as u64 / 4).saturating_add(sizes).saturating_mul(rounds);
    charge(units, vm)?;
    fuel::reserve(keys.len() as u64 * cost::REFERENCE * 3, vm)
}
