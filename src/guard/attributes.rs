//! Attribute access by a name that is only known at run time: `getattr`, `setattr`, `hasattr`, `delattr`.

use crate::guard::names;
use crate::meter::interned::Names;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStr, PyStrRef, PyType};
use rustpython_vm::function::OptionalArg;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

/// `getattr(object, name[, default])`. A name that is not allowed is an attribute that is not there.
pub(crate) fn getattr(
    object: PyObjectRef,
    name: PyObjectRef,
    default: OptionalArg<PyObjectRef>,
    vm: &VirtualMachine,
) -> PyResult {
    let name = real_name(&name, vm)?;
    match (allowed(&name), default) {
        (true, OptionalArg::Present(default)) => Ok(vm.get_attribute_opt(&object, &*name)?.unwrap_or(default)),
        (true, OptionalArg::Missing) => object.get_attr(&*name, vm),
        (false, OptionalArg::Present(default)) => Ok(default),
        (false, OptionalArg::Missing) => Err(refusal(&name, vm)),
    }
}

/// `hasattr(object, name)`.
pub(crate) fn hasattr(object: PyObjectRef, name: PyObjectRef, vm: &VirtualMachine) -> PyResult<bool> {
    let name = real_name(&name, vm)?;
    if allowed(&name) { object.has_attr(&*name, vm) } else { Ok(false) }
}

/// `setattr(object, name, value)`.
pub(crate) fn setattr(object: PyObjectRef, name: PyObjectRef, value: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    let name = checked_name(&name, vm)?;
    if object.downcast_ref::<PyType>().is_some() {
        admit_class_attribute(&name, vm)?;
    }
    object.set_attr(&*name, value, vm)
}

/// `delattr(object, name)`.
pub(crate) fn delattr(object: PyObjectRef, name: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    let name = checked_name(&name, vm)?;
    object.del_attr(&*name, vm)
}

/// The name as an exact `str` that the rules allow, or the error to raise.
pub(crate) fn checked_name(name: &PyObject, vm: &VirtualMachine) -> PyResult<PyStrRef> {
    let name = real_name(name, vm)?;
    if allowed(&name) { Ok(name) } else { Err(refusal(&name, vm)) }
}

/// The interpreter keeps every name of a class attribute for the life of the process ([`crate::meter::interned`]). Names in the source
/// are taken when it is loaded; for those that are only made while a script runs there is a part of its own, so that no
/// loop can use up what loading needs.
pub(crate) fn admit_class_attribute(name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult<()> {
    const MOST_BYTES: u64 = if cfg!(test) { 240 << 10 } else { 10 << 20 };
    static MADE: Names = Names::new(MOST_BYTES);
    if vm.ctx.interned_str(name).is_some() {
        return Ok(());
    }
    MADE.take(name.byte_len()).map_err(|_| vm.new_type_error("too many class attributes with names made at run time"))
}

/// The characters of a `str` as an exact `str`. What a subclass overrides (`__eq__`, `startswith`, `__str__`, ...) is
/// never asked, and the interpreter gets the very object that was checked.
fn real_name(name: &PyObject, vm: &VirtualMachine) -> PyResult<PyStrRef> {
    let Some(text) = name.downcast_ref::<PyStr>() else {
        return Err(vm.new_type_error(format!("attribute name must be string, not '{}'", name.class().name())));
    };
    if name.class().is(vm.ctx.types.str_type) {
        return Ok(text.to_owned());
    }
    Ok(vm.ctx.new_str(text.as_wtf8().to_owned()))
}

/// A name with a lone surrogate is no name of anything.
fn allowed(name: &PyStrRef) -> bool {
    name.to_str().is_some_and(names::attribute)
}

/// The error for a name that the rules do not allow.
#[cold]
fn refusal(name: &PyStrRef, vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_attribute_error(format!("'{}' is not available in pycage", name.as_wtf8().to_string_lossy()))
}
