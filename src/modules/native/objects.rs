//! What `copy`, `abc`, `dataclasses` and `enum` need to know of objects and classes.

use super::Natives;
use crate::compile::names;
use crate::meter::fuel;
use parking_lot::Mutex;
use rustpython_vm::builtins::{PyDictRef, PyStrRef, PyTuple, PyTupleRef, PyType, PyTypeRef};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::IntoFuncArgs;
use rustpython_vm::{AsObject, Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};
use std::collections::HashMap;

const ABSTRACT: &str = "__isabstractmethod__";
const ABSTRACT_NAMES: &str = "__abstractmethods__";

pub(crate) fn copy(natives: &mut Natives<'_>) -> PyResult<()> {
    drop(Memo::make_static_type());
    natives.function("_native_class", native_class);
    natives.function("_memo", |vm: &VirtualMachine| Memo::default().into_ref(&vm.ctx));
    Ok(())
}

pub(crate) fn abc(natives: &mut Natives<'_>) -> PyResult<()> {
    natives.function("_set_abstract", |object: PyObjectRef, vm: &VirtualMachine| {
        object.set_attr(ABSTRACT, vm.ctx.new_bool(true), vm)
    });
    natives.function("_is_abstract", is_abstract);
    natives.function("_class_attribute", class_attribute);
    natives.function("_abstract_names", |class: PyTypeRef, vm: &VirtualMachine| -> PyObjectRef {
        let names = class.get_direct_attr(vm.ctx.intern_str(ABSTRACT_NAMES));
        names
            .filter(|names| names.downcast_ref::<PyTuple>().is_some())
            .unwrap_or_else(|| vm.ctx.empty_tuple.clone().into())
    });
    // The interpreter refuses to make an object of a class that has this.
    natives.function("_set_abstract_names", |class: PyTypeRef, names: PyTupleRef, vm: &VirtualMachine| {
        class.as_object().set_attr(ABSTRACT_NAMES, names, vm)
    });
    Ok(())
}

pub(crate) fn dataclasses(natives: &mut Natives<'_>) -> PyResult<()> {
    natives.function("_class_attribute", class_attribute);
    natives.function("_public", public);
    Ok(())
}

pub(crate) fn enumerations(natives: &mut Natives<'_>) -> PyResult<()> {
    natives.function("_class_attribute", class_attribute);
    natives.function("_public", public);
    natives.function("_new_metaclass", |name: PyStrRef, names: PyDictRef, vm: &VirtualMachine| {
        let meta = vm.ctx.types.type_type.to_owned();
        let bases = vm.ctx.new_tuple(vec![meta.clone().into()]);
        meta.as_object().call((name, bases, names), vm)
    });
    natives.function("_new_enum", |meta: PyTypeRef, name: PyStrRef, names: PyDictRef, vm: &VirtualMachine| {
        let bases = vm.ctx.new_tuple(vec![vm.ctx.types.object_type.to_owned().into()]);
        // The metaclass's own `__call__` is for the classes that are made here.
        match vm.ctx.types.type_type.slots().new.load() {
            Some(new) => new(meta, (name, bases, names).into_args(vm), vm),
            None => Err(vm.new_system_error("classes cannot be made")),
        }
    });
    Ok(())
}

/// Whether a script can spell and reach an attribute of this name.
fn public(name: PyStrRef) -> bool {
    name.to_str()
        .is_some_and(|name| !name.starts_with('_') && names::attribute(name).is_ok() && names::spelling(name).is_ok())
}

/// The built-in class whose representation an object has, or `None` for what is as good as its copy: immutable objects of
/// built-in classes, functions, and classes.
fn native_class(object: PyObjectRef, vm: &VirtualMachine) -> PyObjectRef {
    let types = &vm.ctx.types;
    let class = object.class();
    let native = class.mro_map_collect(|class| class.to_owned()).into_iter().find(|base| base.heaptype_ext().is_none());
    let Some(native) = native else { return vm.ctx.none() };
    if class.heaptype_ext().is_none() {
        let copied = [
            types.list_type,
            types.dict_type,
            types.set_type,
            types.bytearray_type,
            types.tuple_type,
            types.frozenset_type,
            types.object_type,
        ];
        let immutable = [
            types.none_type,
            types.bool_type,
            types.int_type,
            types.float_type,
            types.complex_type,
            types.str_type,
            types.bytes_type,
            types.range_type,
            types.slice_type,
            types.ellipsis_type,
            types.not_implemented_type,
            types.function_type,
            types.builtin_function_or_method_type,
            types.method_descriptor_type,
            types.bound_method_type,
            types.property_type,
            types.generic_alias_type,
            types.union_type,
        ];
        if !copied.iter().any(|known| class.is(*known)) && immutable.iter().any(|known| class.is(*known)) {
            return vm.ctx.none();
        }
    }
    if object.downcast_ref::<PyType>().is_some() { vm.ctx.none() } else { native.into() }
}

/// Whether a function is abstract, or one that a property or a method is made of.
fn is_abstract(object: PyObjectRef, vm: &VirtualMachine) -> PyResult<bool> {
    if object.downcast_ref::<PyType>().is_some() {
        return Ok(false);
    }
    match vm.get_attribute_opt(&object, ABSTRACT)? {
        Some(found) => Ok(found.is(&vm.ctx.true_value)),
        None => Ok(false),
    }
}

/// An attribute of a class as it stands in the class, not bound.
fn class_attribute(class: PyTypeRef, name: PyStrRef, vm: &VirtualMachine) -> PyObjectRef {
    vm.ctx.interned_str(&*name).and_then(|name| class.get_attr(name)).unwrap_or_else(|| vm.ctx.none())
}

/// What a deep copy has copied so far, by identity. It keeps what it knows alive, so that no identity is given twice.
#[pyclass(module = false, name = "memo")]
#[derive(Debug, Default)]
struct Memo {
    copies: Mutex<HashMap<usize, (PyObjectRef, PyObjectRef)>>,
}

impl PyPayload for Memo {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Memo {
    #[pymethod]
    fn find(zelf: PyRef<Self>, object: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        fuel::charge(1, vm)?;
        Ok(zelf.copies.lock().get(&object.get_id()).map_or_else(|| vm.ctx.none(), |(_, copy)| copy.clone()))
    }

    #[pymethod]
    fn keep(zelf: PyRef<Self>, object: PyObjectRef, copy: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        fuel::charge(1, vm)?;
        zelf.copies.lock().insert(object.get_id(), (object, copy));
        Ok(())
    }
}
