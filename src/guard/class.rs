//! `__build_class__`: classes of scripts are plain classes, made of plain bases.

use crate::guard::{attributes, names, native, types};
use crate::meter::fuel;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyDictRef, PyFunction, PyStr, PyStrRef, PyTuple, PyType, PyTypeRef};
use rustpython_vm::function::{ArgMapping, FuncArgs};
use rustpython_vm::{AsObject, PyObjectRef, PyRef, PyResult, VirtualMachine};

/// A class may have that many others above it. Making a class takes time by their number, and so do some lookups.
const MAX_ABOVE: usize = 100;

/// What making a class takes, in instructions: by itself, for each class above it, for each name and each slot in it.
const COST: u64 = 500;
const COST_ABOVE: u64 = 80;
const COST_NAME: u64 = 40;
const COST_SLOT: u64 = 80;

/// Names that the compiler puts into the body of a class.
const COMPILED: [&str; 12] = [
    "__module__",
    "__qualname__",
    "__doc__",
    "__firstlineno__",
    "__static_attributes__",
    "__classcell__",
    "__classdictcell__",
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__conditional_annotations__",
    "__slots__",
];

/// `__build_class__(function, name, *bases)`.
pub(crate) fn build_class(args: FuncArgs, vm: &VirtualMachine) -> PyResult {
    build_checked(args, names::special_method, vm)
}

/// `__build_class__` for the modules of pycage's own, whose classes may define what a script's must not.
pub(crate) fn build_library_class(args: FuncArgs, vm: &VirtualMachine) -> PyResult {
    build_checked(args, |name| names::special_method(name) || crate::compile::names::library_special(name), vm)
}

fn build_checked(args: FuncArgs, may_define: fn(&str) -> bool, vm: &VirtualMachine) -> PyResult {
    if !args.kwargs.is_empty() {
        return Err(vm.new_type_error("a class takes no keyword arguments in pycage, and no metaclass"));
    }
    let mut given = args.args.into_iter();
    let (Some(body), Some(name)) = (given.next(), given.next()) else {
        return Err(vm.new_type_error("__build_class__: not enough arguments"));
    };
    let body: PyRef<PyFunction> =
        body.downcast().map_err(|_| vm.new_type_error("__build_class__: func must be a function"))?;
    let name: PyStrRef = name.downcast().map_err(|_| vm.new_type_error("__build_class__: name is not a string"))?;
    let bases = given.map(|base| checked_base(base, vm)).collect::<PyResult<Vec<PyTypeRef>>>()?;
    let above: usize = bases.iter().map(|base| base.mro.read().len()).sum();
    if above > MAX_ABOVE {
        return Err(vm.new_type_error(format!("a class may have at most {MAX_ABOVE} classes above it in pycage")));
    }
    fuel::charge(COST + COST_ABOVE * above as u64, vm)?;

    let namespace = vm.ctx.new_dict();
    body.invoke_with_locals(().into(), Some(ArgMapping::from_dict_exact(namespace.clone())), vm)?;
    check_namespace(&namespace, may_define, vm)?;

    let parents = bases.iter().map(|base| base.clone().into()).collect();
    let parents = PyTuple::new_ref(parents, &vm.ctx);
    let hashes = namespace.get_item_opt("__hash__", vm)?.is_some_and(|hash| !vm.is_none(&hash));
    let class = vm.ctx.types.type_type.as_object().call((name, parents, namespace), vm)?;
    if hashes && let Some(class) = class.downcast_ref::<PyType>() {
        native::hashing::guard_script_hash(class);
    }
    Ok(class)
}

fn checked_base(base: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyTypeRef> {
    let base: PyTypeRef = base.downcast().map_err(|base| {
        vm.new_type_error(format!("a class cannot be made from a '{}' object in pycage", base.class().name()))
    })?;
    if types::may_be_base(&base, vm) {
        Ok(base)
    } else {
        Err(vm.new_type_error(format!("type '{}' is not an acceptable base type", base.name())))
    }
}

fn check_namespace(namespace: &PyDictRef, may_define: fn(&str) -> bool, vm: &VirtualMachine) -> PyResult<()> {
    fuel::charge(COST_NAME * namespace.as_object().length(vm)? as u64, vm)?;
    for (name, value) in &**namespace {
        let Some(text) = name.downcast_ref::<PyStr>().and_then(|name| name.to_str()) else {
            return Err(vm.new_type_error("a name in a class must be valid Unicode"));
        };
        if !(text.starts_with("__") && text.ends_with("__")) {
            continue;
        }
        if text == "__slots__" {
            let slots = checked_slots(&value, vm)?;
            fuel::charge(COST_SLOT * slots.length(vm)? as u64, vm)?;
            namespace.set_item("__slots__", slots, vm)?;
        } else if !COMPILED.contains(&text) && !may_define(text) {
            return Err(refused_in_class(text, vm));
        }
    }
    Ok(())
}

/// `__slots__` as a tuple of exact strings, so that the interpreter reads what was checked here. A slot's name becomes an
/// attribute of the class.
fn checked_slots(slots: &PyObjectRef, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
    let names: Vec<PyObjectRef> = if slots.downcast_ref::<PyStr>().is_some() {
        vec![slots.clone()]
    } else if slots.class().is(vm.ctx.types.tuple_type) || slots.class().is(vm.ctx.types.list_type) {
        slots.try_to_value(vm)?
    } else {
        return Err(vm.new_type_error("__slots__ must be a str, or a tuple or list of them"));
    };
    let mut checked = Vec::with_capacity(names.len());
    for name in names {
        let Some(text) = name.downcast_ref::<PyStr>().and_then(|name| name.to_str()) else {
            return Err(vm.new_type_error("__slots__ items must be strings"));
        };
        if text.starts_with("__") && text.ends_with("__") {
            return Err(refused_in_class(text, vm));
        }
        let name = vm.ctx.new_str(text);
        attributes::admit_class_attribute(&name, vm)?;
        checked.push(name.into());
    }
    Ok(vm.ctx.new_tuple(checked).into())
}

#[cold]
fn refused_in_class(name: &str, vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_type_error(format!("a class cannot define '{name}' in pycage"))
}
