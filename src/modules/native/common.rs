//! What the Python halves of all modules may call. None of it is public in any module.

use super::Natives;
use crate::compile::names;
use crate::guard::attributes;
use crate::guard::native::hashing;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyDict, PyDictRef, PyStrRef, PyTupleRef, PyType, PyTypeRef};
use rustpython_vm::function::{OptionalArg, PySetterValue};
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

pub(crate) fn install(natives: &mut Natives<'_>) -> PyResult<()> {
    natives.function("_special", special);
    natives.function("_class_name", |object: PyObjectRef| object.class().name().to_string());
    natives.function("_class", |object: PyObjectRef| object.class().to_owned());
    natives.function("_is_class", |object: PyObjectRef| object.downcast_ref::<PyType>().is_some());
    natives.function("_mro", |class: PyTypeRef, vm: &VirtualMachine| -> PyObjectRef {
        vm.ctx.new_list(class.mro_collect().into_iter().map(Into::into).collect()).into()
    });
    natives.function("_index", |object: PyObjectRef, vm: &VirtualMachine| object.try_index(vm));
    natives.function("_annotations", annotations);
    natives.function("_getattr", getattr);
    natives.function("_setattr", setattr);
    natives.function("_new_class", new_class);
    natives.function("_set_special", set_special);
    Ok(())
}

/// A special method of an object as its class has it, bound; `None` where there is none.
fn special(object: PyObjectRef, name: PyStrRef, vm: &VirtualMachine) -> PyResult {
    let name = vm.ctx.intern_str(allowed(&name, vm)?);
    match object.class().get_attr(name) {
        Some(found) if !vm.is_none(&found) => vm.call_if_get_descriptor(&found, object),
        _ => Ok(vm.ctx.none()),
    }
}

/// The annotations of a class or a function, its own alone.
fn annotations(object: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    match vm.get_attribute_opt(&object, "__annotations__")? {
        Some(found) if found.downcast_ref::<PyDict>().is_some() => Ok(found),
        _ => Ok(vm.ctx.new_dict().into()),
    }
}

/// `getattr` by a name that the module chose, past what a script may name.
fn getattr(object: PyObjectRef, name: PyStrRef, default: OptionalArg<PyObjectRef>, vm: &VirtualMachine) -> PyResult {
    allowed(&name, vm)?;
    match default {
        OptionalArg::Present(default) => Ok(vm.get_attribute_opt(&object, &*name)?.unwrap_or(default)),
        OptionalArg::Missing => object.get_attr(&*name, vm),
    }
}

/// Sets an attribute of an instance as `object.__setattr__` does, whatever its class would do.
fn setattr(object: PyObjectRef, name: PyStrRef, value: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    allowed(&name, vm)?;
    if object.downcast_ref::<PyType>().is_some() {
        return Err(vm.new_type_error("a class is not set this way"));
    }
    object.generic_setattr(&name, PySetterValue::Assign(value), vm)
}

/// Makes a class. Its names are checked as those of a class statement in a module are.
fn new_class(name: PyStrRef, bases: PyTupleRef, names: PyDictRef, vm: &VirtualMachine) -> PyResult {
    fuel::charge(500 + 40 * names.__len__() as u64, vm)?;
    let namespace = vm.ctx.new_dict();
    for (key, value) in &*names {
        let Ok(key) = key.downcast::<rustpython_vm::builtins::PyStr>() else {
            return Err(vm.new_type_error("a name in a class must be a str"));
        };
        allowed(&key, vm)?;
        attributes::admit_class_attribute(&key, vm)?;
        namespace.set_item(&*key, value, vm)?;
    }
    vm.ctx.types.type_type.as_object().call((name, bases, namespace), vm)
}

/// Sets an attribute of a class, also one that scripts may not define by themselves.
fn set_special(class: PyTypeRef, name: PyStrRef, value: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    allowed(&name, vm)?;
    if class.heaptype_ext().is_none() {
        return Err(vm.new_type_error(format!("cannot set attributes of built-in type '{}'", class.name())));
    }
    attributes::admit_class_attribute(&name, vm)?;
    let hashes = name.as_bytes() == b"__hash__" && !vm.is_none(&value);
    // As `type` does it, whatever the metaclass of an enumeration would do.
    match vm.ctx.types.type_type.slots().setattro.load() {
        Some(set) => set(class.as_object(), &name, PySetterValue::Assign(value), vm)?,
        None => return Err(vm.new_system_error("classes cannot be changed")),
    }
    if hashes {
        hashing::guard_script_hash(&class);
    }
    Ok(())
}

fn allowed<'a>(name: &'a PyStrRef, vm: &VirtualMachine) -> PyResult<&'a str> {
    match name.to_str() {
        Some(text) if names::library_attribute(text) => Ok(text),
        _ => Err(vm.new_attribute_error(format!("'{}' is not available in pycage", name.as_wtf8()))),
    }
}
