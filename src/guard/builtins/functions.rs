//! `isinstance`, `issubclass` and `hash`.

use crate::guard::anonymous;
use crate::guard::builtins::TypeFacade;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyTuple, PyType, PyUnion};
use rustpython_vm::common::hash::PyHash;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyResult, VirtualMachine};

/// `isinstance(object, class_or_tuple)`.
pub(super) fn isinstance(object: PyObjectRef, classes: PyObjectRef, vm: &VirtualMachine) -> PyResult<bool> {
    any_class(&classes, &mut |class| is_instance(&object, class, vm), vm)
}

/// `issubclass(class, class_or_tuple)`.
pub(super) fn issubclass(class: PyObjectRef, classes: PyObjectRef, vm: &VirtualMachine) -> PyResult<bool> {
    any_class(&classes, &mut |other| class.is_subclass(other, vm), vm)
}

/// `hash(object)`.
pub(super) fn hash(object: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyHash> {
    anonymous::told_hash(&object, vm)
}

/// Scripts know `type` as the facade, of which nothing is an instance.
fn is_instance(object: &PyObject, class: &PyObject, vm: &VirtualMachine) -> PyResult<bool> {
    if class.is(TypeFacade::class_object()) {
        return Ok(object.downcast_ref::<PyType>().is_some());
    }
    object.is_instance(class, vm)
}

/// Asks for each class in a tuple, a tuple of tuples, or a union. A tuple that holds another one twice, and so on down, is
/// short to write and takes for ever to walk: each class is charged.
fn any_class(
    classes: &PyObject,
    ask: &mut dyn FnMut(&PyObject) -> PyResult<bool>,
    vm: &VirtualMachine,
) -> PyResult<bool> {
    let members = if let Some(members) = classes.downcast_ref::<PyTuple>() {
        members
    } else if let Some(union) = classes.downcast_ref::<PyUnion>() {
        union.args()
    } else {
        return ask(classes);
    };
    for member in members.as_slice() {
        fuel::charge(1, vm)?;
        if vm.with_recursion("in isinstance", || any_class(member, ask, vm))? {
            return Ok(true);
        }
    }
    Ok(false)
}
