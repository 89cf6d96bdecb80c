//! What is taken out of the built-in types, once for the process.
//!
//! Built-in types are statics: every interpreter of the process shares them. What no script needs and the interpreter
//! itself does not ask for by name is removed from their dicts, or replaced by something that answers nothing. So a name
//! that slips through every check still finds nothing behind it.

use crate::guard::{anonymous, format};
use rustpython_vm::builtins::{PyCode, PyFunction, PyType, PyTypeRef};
use rustpython_vm::function::{FuncArgs, PySetterValue};
use rustpython_vm::types::PyTypeFlags;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyRef, PyResult, VirtualMachine};
use std::sync::{Once, OnceLock};

/// Removes from every type whatever carries one of these names.
const REMOVED: [&str; 46] = [
    // Functions and methods.
    "__code__",
    "__globals__",
    "__builtins__",
    "__closure__",
    "__defaults__",
    "__kwdefaults__",
    "__self__",
    "__func__",
    "__wrapped__",
    "__objclass__",
    "__thisclass__",
    "__self_class__",
    "cell_contents",
    "fget",
    "fset",
    "fdel",
    // Exceptions.
    "__traceback__",
    "__context__",
    "__cause__",
    "with_traceback",
    // Pickling. Some of these answer the unguarded `getattr` or the interpreter's `iter`.
    "__getstate__",
    "__setstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
    "__sizeof__",
    "__dir__",
    // Lazily evaluated annotations and type parameters.
    "__value__",
    "__bound__",
    "__constraints__",
    "__default__",
    "__evaluate__",
    "__evaluate_value__",
    "evaluate_value",
    "evaluate_bound",
    "evaluate_constraints",
    "evaluate_default",
    // Slots of objects in other objects' hands.
    "__replace__",
    "__buffer__",
    "__release_buffer__",
    "__text_signature__",
    "__basicsize__",
    "__itemsize__",
    "__dictoffset__",
    "__weakrefoffset__",
    "__flags__",
    "__callback__",
];

/// Removes every name with one of these prefixes from the type that it belongs to.
const REMOVED_PREFIXES: [&str; 6] = ["gi_", "cr_", "ag_", "tb_", "f_", "co_"];

/// Hardens the built-in types. The first call in the process does it, before any script has run; later ones do nothing.
///
/// No other interpreter may be starting up meanwhile: it would find types that change under it. Later ones start up on
/// the hardened types.
pub(crate) fn harden(vm: &VirtualMachine) {
    static HARDENED: Once = Once::new();
    HARDENED.call_once(|| {
        let _ = CODE.set(vm.ctx.types.function_type.get_attr(vm.ctx.intern_str("__code__")));
        let types = every_type(vm);
        anonymous::install(&types, vm);
        format::install(vm);
        forbid_construction(vm);
        neutralise(&types, vm);
        for class in &types {
            remove_names(class, vm);
            if class.heaptype_ext().is_none() {
                // Some lack it, `NoneType` among them: what one sandbox set there, all others would see.
                class.slots().flags.insert(PyTypeFlags::IMMUTABLETYPE);
            }
        }
    });
}

/// How a function is asked for its code, which no script can any more.
static CODE: OnceLock<Option<PyObjectRef>> = OnceLock::new();

/// The code of a script's function. `None` for what else can be called.
pub(crate) fn code_of(function: &PyObject, vm: &VirtualMachine) -> Option<PyRef<PyCode>> {
    function.downcast_ref::<PyFunction>()?;
    let descriptor = CODE.get()?.clone()?;
    vm.call_get_descriptor(&descriptor, function)?.ok()?.downcast().ok()
}

/// Whether a script may hold this type: `type(x)` answers it, and a class may be made from it if it can be subclassed.
///
/// That is every class made while the interpreter runs, every exception, and a closed list of the rest.
pub(crate) fn may_be_held(class: &Py<PyType>, vm: &VirtualMachine) -> bool {
    if let Some(heap) = class.heaptype_ext() {
        // A class that belongs to no interpreter is shared by all of them, and can be changed.
        // Scripts make no metaclasses; the module `enum` has one, whose classes may be held and it itself may not.
        let types = &vm.ctx.types;
        let metaclass = class.fast_issubclass(types.type_type);
        let plain = class.class().is(types.type_type) || class.class().heaptype_ext().is_some();
        return plain && !metaclass && heap.interpreter_id.is_some();
    }
    class.fast_issubclass(vm.ctx.exceptions.base_exception_type) || held_types(vm).iter().any(|held| held.is(class))
}

/// The types whose instances a script may build a class on.
pub(crate) fn may_be_base(class: &Py<PyType>, vm: &VirtualMachine) -> bool {
    if !may_be_held(class, vm) {
        return false;
    }
    if class.heaptype_ext().is_some() {
        return true;
    }
    let types = &vm.ctx.types;
    class.fast_issubclass(vm.ctx.exceptions.exception_type)
        || [
            types.object_type,
            types.int_type,
            types.float_type,
            types.complex_type,
            types.str_type,
            types.bytes_type,
            types.bytearray_type,
            types.tuple_type,
            types.list_type,
            types.dict_type,
            types.set_type,
            types.frozenset_type,
        ]
        .iter()
        .any(|base| base.is(class))
}

/// Every built-in type that `type(x)` answers, beside the exceptions.
fn held_types(vm: &VirtualMachine) -> [&'static Py<PyType>; 50] {
    let types = &vm.ctx.types;
    [
        types.object_type,
        types.bool_type,
        types.int_type,
        types.float_type,
        types.complex_type,
        types.str_type,
        types.bytes_type,
        types.bytearray_type,
        types.tuple_type,
        types.list_type,
        types.dict_type,
        types.set_type,
        types.frozenset_type,
        types.range_type,
        types.slice_type,
        types.none_type,
        types.ellipsis_type,
        types.not_implemented_type,
        types.enumerate_type,
        types.filter_type,
        types.map_type,
        types.zip_type,
        types.reverse_iter_type,
        types.property_type,
        types.classmethod_type,
        types.staticmethod_type,
        types.super_type,
        types.function_type,
        types.bound_method_type,
        types.builtin_function_or_method_type,
        types.method_descriptor_type,
        types.generator_type,
        types.coroutine_type,
        types.async_generator,
        types.generic_alias_type,
        types.union_type,
        types.iter_type,
        types.callable_iterator,
        types.list_iterator_type,
        types.list_reverseiterator_type,
        types.tuple_iterator_type,
        types.str_iterator_type,
        types.bytes_iterator_type,
        types.bytearray_iterator_type,
        types.set_iterator_type,
        types.range_iterator_type,
        types.long_range_iterator_type,
        types.dict_keys_type,
        types.dict_values_type,
        types.dict_items_type,
    ]
}

/// Every type there is, found from `object` down.
pub(super) fn every_type(vm: &VirtualMachine) -> Vec<PyTypeRef> {
    let mut found = vec![vm.ctx.types.object_type.to_owned()];
    let mut next = 0;
    while let Some(class) = found.get(next).cloned() {
        next += 1;
        let below: Vec<PyObjectRef> = class.subclasses.read().iter().filter_map(|weak| weak.upgrade()).collect();
        for object in below {
            if let Ok(class) = object.downcast::<PyType>()
                && !found.iter().any(|known| known.is(&class))
            {
                found.push(class);
            }
        }
    }
    found
}

/// Puts `value` in the place of an attribute of a type.
pub(super) fn replace(class: &Py<PyType>, name: &str, value: PyObjectRef, vm: &VirtualMachine) {
    class.set_attr(vm.ctx.intern_str(name), value);
}

fn remove_names(class: &Py<PyType>, vm: &VirtualMachine) {
    for name in class.attributes().interned_names(&vm.ctx) {
        let text = name.as_str();
        let listed = REMOVED.contains(&text) || REMOVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        let pickles = matches!(text, "__reduce__" | "__reduce_ex__") && !class.is(vm.ctx.types.object_type);
        if listed || pickles {
            class.modified();
            class.attributes().remove(name);
        }
    }
}

/// Replaces what the interpreter still asks for by name.
fn neutralise(types: &[PyTypeRef], vm: &VirtualMachine) {
    let ctx = &vm.ctx;
    let object = ctx.types.object_type;
    // The interpreter and a few classes look these up on `object` and compare them.
    for name in ["__reduce__", "__reduce_ex__"] {
        replace(object, name, vm.new_method("__reduce__", object, refuse_pickling).into(), vm);
    }
    let class_of = |object: PyObjectRef| -> PyTypeRef { object.class().to_owned() };
    replace(object, "__class__", ctx.new_readonly_getset("__class__", object, class_of).into(), vm);
    // Abstract base classes ask for the subclasses of a class; nobody learns them this way.
    let meta = ctx.types.type_type;
    let none_below = |_class: PyObjectRef, vm: &VirtualMachine| -> PyObjectRef { vm.ctx.new_list(Vec::new()).into() };
    replace(meta, "__subclasses__", vm.new_method("__subclasses__", meta, none_below).into(), vm);
    // The interpreter stores the object that lacked the attribute, and the name that was not found: they are taken and
    // forgotten.
    let forget = |_error: PyObjectRef, _value: PySetterValue| {};
    let error = ctx.exceptions.attribute_error;
    let nothing = |_error: PyObjectRef, vm: &VirtualMachine| -> PyResult { Err(vm.new_attribute_error("obj")) };
    replace(error, "obj", ctx.new_static_getset("obj", error, nothing, forget).into(), vm);
    for error in [ctx.exceptions.name_error, ctx.exceptions.import_error] {
        let nothing = |_error: PyObjectRef, vm: &VirtualMachine| -> PyResult { Err(vm.new_attribute_error("name")) };
        replace(error, "name", ctx.new_static_getset("name", error, nothing, forget).into(), vm);
    }
    // Built-in functions are shared by every sandbox, and their module's name could be set.
    let function = ctx.types.builtin_function_or_method_type;
    let no_module = |_function: PyObjectRef, vm: &VirtualMachine| -> PyObjectRef { vm.ctx.none() };
    replace(function, "__module__", ctx.new_readonly_getset("__module__", function, no_module).into(), vm);
    // `ImportError` tells paths of the host.
    for class in types.iter().filter(|class| class.fast_issubclass(ctx.exceptions.import_error)) {
        for name in ["path", "name_from"] {
            let name = ctx.intern_str(name);
            if class.attributes().contains(name) {
                class.modified();
                class.attributes().remove(name);
            }
        }
    }
}

/// No script makes code, functions, frames or anything that stands for raw memory.
fn forbid_construction(vm: &VirtualMachine) {
    let types = &vm.ctx.types;
    for class in [
        types.code_type,
        types.function_type,
        types.frame_type,
        types.frame_locals_proxy_type,
        types.traceback_type,
        types.cell_type,
        types.capsule_type,
        types.memoryview_type,
        types.bound_method_type,
        types.builtin_function_or_method_type,
        types.method_def,
    ] {
        class.slots().flags.insert(PyTypeFlags::DISALLOW_INSTANTIATION);
        class.slots().new.store(None);
        class.modified();
        class.attributes().remove(vm.ctx.intern_str("__new__"));
    }
}

fn refuse_pickling(object: PyObjectRef, _args: FuncArgs, vm: &VirtualMachine) -> PyResult {
    Err(vm.new_type_error(format!("cannot pickle '{}' object", object.class().name())))
}
