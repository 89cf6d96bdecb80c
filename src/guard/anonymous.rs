//! `repr` and `hash` that do not tell where in the host's memory an object lies.
//!
//! An address would give away the layout of the process, and would make a script's result differ from run to run.
//! Slots are copied from type to type, and a type's dict holds a wrapper with its own copy: all of them are replaced.

use crate::guard::native::recursion;
use rustpython_vm::builtins::{PyComplex, PyFloat, PyFrozenSet, PyStr, PyTuple, PyType, PyTypeRef};
use rustpython_vm::class::add_operators;
use rustpython_vm::common::hash::PyHash;
use rustpython_vm::{AsObject, Py, PyObject, PyRef, PyResult, VirtualMachine};
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

type ReprSlot = fn(&PyObject, &VirtualMachine) -> PyResult<PyRef<PyStr>>;
type HashSlot = fn(&PyObject, &VirtualMachine) -> PyResult<PyHash>;

static FLOAT_HASH: OnceLock<HashSlot> = OnceLock::new();
static COMPLEX_HASH: OnceLock<HashSlot> = OnceLock::new();
static METHOD_HASH: OnceLock<HashSlot> = OnceLock::new();

/// Replaces the slots in all of `types`.
pub(super) fn install(types: &[PyTypeRef], vm: &VirtualMachine) {
    let zoo = &vm.ctx.types;
    for (class, repr) in [
        (zoo.object_type, object_repr as ReprSlot),
        (zoo.cell_type, object_repr),
        (zoo.code_type, object_repr),
        (zoo.frame_type, object_repr),
        (zoo.weakref_type, object_repr),
        (zoo.memoryview_type, object_repr),
        (zoo.method_wrapper_type, object_repr),
        (zoo.function_type, named_repr),
        (zoo.generator_type, named_repr),
        (zoo.coroutine_type, named_repr),
        (zoo.async_generator, named_repr),
        (zoo.builtin_function_or_method_type, builtin_repr),
    ] {
        replace_repr(class, repr, types, vm);
    }
    replace_hash(zoo.object_type, identity_hash, None, types, vm);
    replace_hash(zoo.method_wrapper_type, identity_hash, None, types, vm);
    replace_hash(zoo.float_type, float_hash, Some(&FLOAT_HASH), types, vm);
    replace_hash(zoo.complex_type, complex_hash, Some(&COMPLEX_HASH), types, vm);
    replace_hash(zoo.bound_method_type, method_hash, Some(&METHOD_HASH), types, vm);
}

fn replace_repr(class: &'static Py<PyType>, new: ReprSlot, types: &[PyTypeRef], vm: &VirtualMachine) {
    let Some(old) = class.slots().repr.load() else { return };
    for copy in types.iter().filter(|copy| copy.slots().repr.load().is_some_and(|slot| slot as usize == old as usize)) {
        copy.slots().repr.store(Some(new));
    }
    renew_wrapper(class, "__repr__", vm);
}

fn replace_hash(
    class: &'static Py<PyType>,
    new: HashSlot,
    original: Option<&'static OnceLock<HashSlot>>,
    types: &[PyTypeRef],
    vm: &VirtualMachine,
) {
    let Some(old) = class.slots().hash.load() else { return };
    if let Some(original) = original {
        let _ = original.set(old);
    }
    for copy in types.iter().filter(|copy| copy.slots().hash.load().is_some_and(|slot| slot as usize == old as usize)) {
        copy.slots().hash.store(Some(new));
    }
    renew_wrapper(class, "__hash__", vm);
}

/// Makes the wrapper in a type's dict call the slot as it is now. The wrapper's own type is not public, but the function
/// that fills a type with them is: it adds what is missing, and what it adds beyond that is taken out again.
fn renew_wrapper(class: &'static Py<PyType>, name: &str, vm: &VirtualMachine) {
    let name = vm.ctx.intern_str(name);
    let attributes = class.attributes();
    if !attributes.contains(name) {
        return;
    }
    let before = attributes.interned_names(&vm.ctx);
    class.modified();
    attributes.remove(name);
    add_operators(class, &vm.ctx, &[]);
    for added in attributes.interned_names(&vm.ctx) {
        if !before.contains(&added) {
            attributes.remove(added);
        }
    }
    class.modified();
}

/// `<Enemy object>`.
fn object_repr(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyRef<PyStr>> {
    Ok(vm.ctx.new_str(format!("<{} object>", object.class().name())))
}

/// `<function on_tick>`, `<generator waves>`.
fn named_repr(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyRef<PyStr>> {
    let name = object.get_attr("__qualname__", vm)?.str(vm)?;
    Ok(vm.ctx.new_str(format!("<{} {}>", object.class().name(), name.as_wtf8().to_string_lossy())))
}

/// `<built-in function len>`, `<built-in method append of list object>`.
fn builtin_repr(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyRef<PyStr>> {
    let name = object.get_attr("__qualname__", vm)?.str(vm)?;
    let name = name.as_wtf8().to_string_lossy();
    Ok(vm.ctx.new_str(match name.rsplit_once('.') {
        Some((owner, method)) => format!("<built-in method {method} of {owner} object>"),
        None => format!("<built-in function {name}>"),
    }))
}

fn identity_hash(object: &PyObject, _vm: &VirtualMachine) -> PyResult<PyHash> {
    Ok(scrambled(object.get_id() as u64))
}

/// Upstream hashes NaN by its address.
fn float_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    match object.downcast_ref::<PyFloat>() {
        Some(value) if value.to_f64().is_nan() => identity_hash(object, vm),
        _ => original(&FLOAT_HASH, object, vm),
    }
}

fn complex_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    match object.downcast_ref::<PyComplex>() {
        Some(value) if value.to_complex().is_nan() => identity_hash(object, vm),
        _ => original(&COMPLEX_HASH, object, vm),
    }
}

/// A method is equal to another of the same object and function, so what it hashes to must stay a function of both.
fn method_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    original(&METHOD_HASH, object, vm).map(|hash| scrambled(hash as u64))
}

fn original(slot: &OnceLock<HashSlot>, object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    match slot.get() {
        Some(hash) => hash(object, vm),
        None => identity_hash(object, vm),
    }
}

/// The hash that a script is told: `hash(x)`, and what a special method answers.
///
/// Dicts and sets go by addresses, which differ from process to process. A script that was told one could branch on it, and
/// its bill would not repeat. So what is hashed by its address is told as the hash of its type: equal for equal objects,
/// as it must be, and for others of the type too.
pub(crate) fn told_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    let hash = object.hash(vm)?;
    told(object, hash, vm)
}

/// What stands for a hash that is not to be told.
pub(crate) fn told(object: &PyObject, hash: PyHash, vm: &VirtualMachine) -> PyResult<PyHash> {
    let zoo = &vm.ctx.types;
    let composed = [
        zoo.bound_method_type,
        zoo.builtin_function_or_method_type,
        zoo.slice_type,
        zoo.generic_alias_type,
        zoo.union_type,
    ];
    if hash == scrambled(object.get_id() as u64) || composed.iter().any(|class| object.class().is(*class)) {
        return vm.ctx.new_str(object.class().name().to_string()).as_object().hash(vm);
    }
    // Members in the order of their container, which is that of insertion: for frozensets it must not matter.
    let (members, ordered) = if let Some(tuple) = object.downcast_ref::<PyTuple>()
        && hashes_as(object, zoo.tuple_type, vm)
    {
        (tuple.as_slice().to_vec(), true)
    } else if let Some(set) = object.downcast_ref::<PyFrozenSet>()
        && hashes_as(object, zoo.frozenset_type, vm)
    {
        (set.elements(), false)
    } else {
        return Ok(hash);
    };
    let _level = recursion::enter(vm)?;
    let (mut all, mut changed) = (members.len() as u64, false);
    for member in members {
        let hash = member.hash(vm)?;
        let told = told(&member, hash, vm)?;
        changed |= told != hash;
        all = if ordered { all.rotate_left(7) ^ told as u64 } else { all.wrapping_add(told as u64) };
        all = all.wrapping_mul(if ordered { 0x9e37_79b9_7f4a_7c15 } else { 1 });
    }
    Ok(if changed { all as PyHash } else { hash })
}

/// Whether no class of a script's has changed how this is hashed.
fn hashes_as(object: &PyObject, class: &Py<PyType>, vm: &VirtualMachine) -> bool {
    let name = vm.ctx.intern_str("__hash__");
    match (object.class().get_attr(name), class.get_attr(name)) {
        (Some(one), Some(other)) => one.is(&other),
        _ => false,
    }
}

/// Hides a number behind a keyed hash. The key is drawn once for the process.
pub(crate) fn scrambled(number: u64) -> PyHash {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    match KEY.get_or_init(RandomState::new).hash_one(number) as PyHash {
        // Taken: it means failure.
        -1 => -2,
        hash => hash,
    }
}
