//! Classes: creating one walks over all that it inherits, changing one walks over all that inherit from it.

use super::cost::charge;
use super::patch::{guard_slot, slot_family};
use rustpython_vm::builtins::{PyStr, PyTuple, PyType, PyTypeRef};
use rustpython_vm::function::{FuncArgs, PySetterValue};
use rustpython_vm::protocol::PyMapping;
use rustpython_vm::protocol::PySequence;
use rustpython_vm::{Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

slot_family! {
    new [0 1 2 3] (metaclass: PyTypeRef, args: FuncArgs; vm) -> PyResult { check_new(&args, vm)? }
}
slot_family! {
    set_attribute [0 1 2 3] (class: &PyObject, name: &Py<PyStr>, value: PySetterValue; vm) -> PyResult<()> {
        check_change(class, vm)?
    }
}
slot_family! {
    /// Calls of what wraps another callable.
    nested call [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (callable: &PyObject, args: FuncArgs; vm) -> PyResult {}
}
slot_family! {
    nested vector_call [0 1 2 3 4 5 6 7]
    (callable: &PyObject, args: Vec<PyObjectRef>, count: usize, names: Option<&[PyObjectRef]>; vm) -> PyResult {}
}
slot_family! {
    nested bind [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]
    (descriptor: &PyObject, object: Option<&PyObject>, class: Option<&PyObject>; vm) -> PyResult {}
}
slot_family! {
    /// `iter()` of what wraps another iterable.
    nested iter [0 1 2 3 4 5 6 7] (object: PyObjectRef; vm) -> PyResult {}
}
slot_family! {
    nested subscript [0 1 2 3 4 5 6 7] (mapping: PyMapping<'_>, key: &PyObject; vm) -> PyResult {}
}
slot_family! {
    nested map_length [0 1 2 3 4 5 6 7] (mapping: PyMapping<'_>; vm) -> PyResult<usize> {}
}
slot_family! {
    nested length [0 1 2 3 4 5 6 7] (sequence: PySequence<'_>; vm) -> PyResult<usize> {}
}
slot_family! {
    nested contains [0 1 2 3 4 5 6 7] (sequence: PySequence<'_>, item: &PyObject; vm) -> PyResult<bool> {}
}
slot_family! {
    nested either [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] (a: &PyObject, b: &PyObject; vm) -> PyResult { charge(1, vm)? }
}

pub(super) fn install(types: &[&'static Py<PyType>], vm: &VirtualMachine) {
    let known = &vm.ctx.types;
    guard_slot!(known.type_type.slots.new, super::classes::new);
    guard_slot!(known.type_type.slots.setattro, super::classes::set_attribute);
    // Native objects that pass on what is done to them, and can be made in chains.
    let mut wrappers = vec![
        known.bound_method_type,
        known.staticmethod_type,
        known.classmethod_type,
        known.mappingproxy_type,
        known.generic_alias_type,
        known.weakproxy_type,
        known.weakcallableproxy_type,
        known.method_wrapper_type,
        known.property_type,
        known.union_type,
    ];
    wrappers.extend(types.iter().filter(|typ| matches!(&*typ.name(), "partial" | "partialmethod")));
    for typ in wrappers {
        let slots = &typ.slots;
        guard_slot!(slots.call, super::classes::call);
        guard_slot!(slots.vectorcall, super::classes::vector_call);
        guard_slot!(slots.descr_get, super::classes::bind);
        guard_slot!(slots.iter, super::classes::iter);
        guard_slot!(slots.as_mapping.subscript, super::classes::subscript);
        guard_slot!(slots.as_mapping.length, super::classes::map_length);
        guard_slot!(slots.as_sequence.length, super::classes::length);
        guard_slot!(slots.as_sequence.contains, super::classes::contains);
        guard_slot!(slots.as_number.or, super::classes::either);
        guard_slot!(slots.as_number.right_or, super::classes::either);
    }
}

/// Units for each class that a new one inherits from, directly or not.
const A_BASE: u64 = 150;

fn check_new(args: &FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let [_, bases, ..] = &args.args[..] else { return Ok(()) };
    let Some(bases) = bases.downcast_ref::<PyTuple>() else { return Ok(()) };
    let ancestors: usize = bases
        .as_slice()
        .iter()
        .filter_map(|base| base.downcast_ref::<PyType>())
        .map(|base| base.mro.read().len())
        .sum();
    // The order of several bases is merged class by class, each looked for in each.
    let merges = if bases.as_slice().len() > 1 { ancestors * bases.as_slice().len() / 4 } else { 0 };
    charge(100 + (ancestors + merges) as u64 * A_BASE, vm)
}

/// All classes that inherit from a class forget what they remember of it.
fn check_change(class: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
    let Some(class) = class.downcast_ref::<PyType>() else { return Ok(()) };
    charge(1 + descendants(class, 1 << 16), vm)
}

/// Classes that inherit from `class`, up to about `most`.
fn descendants(class: &Py<PyType>, most: u64) -> u64 {
    let mut count = 0;
    let mut open: Vec<PyTypeRef> = vec![class.to_owned()];
    while let Some(class) = open.pop() {
        let subclasses = class.subclasses.read();
        for subclass in subclasses.iter().filter_map(|weak| weak.upgrade()) {
            count += 1;
            if let Ok(subclass) = subclass.downcast::<PyType>() {
                open.push(subclass);
            }
            if count >= most {
                return count;
            }
        }
    }
    count
}
