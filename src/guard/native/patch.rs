//! Puts guards into the slots and the method tables of native types.
//!
//! A slot is a plain function pointer, so a guard cannot carry the function that it guards. Each family of slots
//! therefore has a table of guards, one for each index, and beside it a table of the originals.

use crate::meter::fuel;
use parking_lot::Mutex;
use rustpython_vm::builtins::descriptor::{PyClassMethodDescriptor, PyMethodDescriptor};
use rustpython_vm::builtins::{PyStrInterned, PyType};
use rustpython_vm::class::add_operators;
use rustpython_vm::function::{Callee, FuncArgs, PyMethodDef, PyMethodFlags, PyNativeFn};
use rustpython_vm::types::PyTypeFlags;
use rustpython_vm::{AsObject, Py, PyObjectRef, PyResult, VirtualMachine};
use std::collections::{BTreeSet, HashSet};

/// Declares a family of guarded slots: a module with a `Slot` type and `guard`, which gives the guard of an original.
///
/// The block runs before the original, during a run only. It may use and rewrite the arguments, and use `?`. A family that
/// is `nested` counts as a level of native recursion, see [`super::recursion`].
macro_rules! slot_family {
    ($(#[$doc:meta])* nested $name:ident $indexes:tt $args:tt -> $ret:ty $check:block) => {
        slot_family! { @build [crate::guard::native::recursion::enter] [$(#[$doc])*] $name $indexes $args -> $ret $check }
    };
    ($(#[$doc:meta])* $name:ident $indexes:tt $args:tt -> $ret:ty $check:block) => {
        slot_family! { @build [] [$(#[$doc])*] $name $indexes $args -> $ret $check }
    };
    (
        @build [$($enter:path)?] [$(#[$doc:meta])*] $name:ident [$($index:literal)*]
        ($($arg:ident: $ty:ty),*; $vm:ident) -> $ret:ty $check:block
    ) => {
        $(#[$doc])*
        pub(super) mod $name {
            #[allow(unused_imports, reason = "each family uses some of its parent's names")]
            use super::*;
            use rustpython_vm::VirtualMachine;
            use std::sync::OnceLock;

            pub(in crate::guard::native) type Slot = fn($($ty,)* &VirtualMachine) -> $ret;

            const COUNT: usize = [$($index),*].len();
            static ORIGINALS: [OnceLock<Slot>; COUNT] = [const { OnceLock::new() }; COUNT];
            static GUARDS: [Slot; COUNT] = [$(guarded::<$index>),*];

            #[allow(unused_variables, unused_mut, reason = "not every check reads or rewrites every argument")]
            fn guarded<const INDEX: usize>($(mut $arg: $ty,)* $vm: &VirtualMachine) -> $ret {
                $(let _nesting = $enter($vm)?;)?
                if crate::meter::fuel::active() {
                    $check
                }
                match ORIGINALS[INDEX].get() {
                    Some(original) => original($($arg,)* $vm),
                    None => Err($vm.new_system_error("a guard without an original")),
                }
            }

            /// Whether a slot holds a guard of this family.
            #[cfg(test)]
            #[allow(dead_code, reason = "not every family is asked")]
            pub(in crate::guard::native) fn is_guard(slot: Slot) -> bool {
                GUARDS.iter().any(|guard| *guard as usize == slot as usize)
            }

            /// The guard of `original`; a guard is its own guard.
            pub(in crate::guard::native) fn guard(original: Slot) -> Slot {
                let address = original as usize;
                if GUARDS.iter().any(|guard| *guard as usize == address) {
                    return original;
                }
                let index = (0..COUNT).find(|&index| {
                    *ORIGINALS[index].get_or_init(|| original) as usize == address
                });
                // Unguarded would be a hole, so a table that is too small fails the setup and every test.
                GUARDS[index.expect("the table of guards has room for every native type")]
            }
        }
    };
}

/// Replaces the function in a slot by its guard, where there is one.
macro_rules! guard_slot {
    ($cell:expr, $family:path) => {{
        use $family as family;
        if let Some(original) = $cell.load() {
            $cell.store(Some(family::guard(original)));
        }
    }};
}

pub(super) use {guard_slot, slot_family};

/// Every native type that exists by now. The types of a native module exist once it was imported.
pub(super) fn native_types(vm: &VirtualMachine) -> Vec<&'static Py<PyType>> {
    let mut found: Vec<&'static Py<PyType>> = vec![vm.ctx.types.object_type];
    let mut seen: HashSet<usize> = found.iter().map(|typ| typ.get_id()).collect();
    let mut next = 0;
    while next < found.len() {
        let subclasses = found[next].subclasses.read();
        for subclass in subclasses.iter().filter_map(|weak| weak.upgrade()) {
            let Ok(typ) = subclass.downcast::<PyType>() else { continue };
            if !typ.slots.flags.has_feature(PyTypeFlags::HEAPTYPE) && seen.insert(typ.get_id()) {
                // Native types are immortal; a reference that is never given back says so to the compiler.
                found.push(Box::leak(Box::new(typ)));
            }
        }
        drop(subclasses);
        next += 1;
    }
    found
}

/// Of `types`, `base` and what inherits from it (by a copy of its slots).
pub(super) fn family_of<'a>(
    types: &'a [&'static Py<PyType>],
    base: &'a Py<PyType>,
) -> impl Iterator<Item = &'static Py<PyType>> + 'a {
    types.iter().copied().filter(move |typ| typ.fast_issubclass(base))
}

/// Makes the slot wrappers of a type's dict (`int.__pow__`) call what its slots hold now. Once for each type.
pub(super) fn rebuild_wrappers(typ: &'static Py<PyType>, vm: &VirtualMachine) {
    static REBUILT: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
    if !REBUILT.lock().insert(typ.get_id()) {
        return;
    }
    let ctx = &vm.ctx;
    let names = typ.attributes().interned_names(ctx);
    let mut wrappers = Vec::new();
    for &name in &names {
        if let Some(value) = typ.attributes().get(name)
            && value.class().is(ctx.types.wrapper_descriptor_type)
        {
            typ.attributes().remove(name);
            wrappers.push((name, value));
        }
    }
    add_operators(typ, ctx, &[]);
    for name in typ.attributes().interned_names(ctx) {
        // What it inherits, it keeps inheriting.
        if !names.iter().any(|known| known.is(name)) {
            typ.attributes().remove(name);
        }
    }
    for (name, wrapper) in wrappers {
        // A wrapper of a slot that the type's own table does not show.
        if !typ.attributes().contains(name) {
            typ.attributes().set(name, wrapper);
        }
    }
    typ.modified();
}

/// Looks at a call of a native method before it happens. The first argument is `self`, where the method has one.
pub(super) type Before = fn(&mut FuncArgs, &VirtualMachine) -> PyResult<()>;

/// Does the work of a native method, whose original it is given.
pub(super) type Instead = fn(FuncArgs, &Original<'_>, &VirtualMachine) -> PyResult;

/// A native method as it was.
pub(super) struct Original<'a> {
    call: &'a dyn Fn(FuncArgs, &VirtualMachine) -> PyResult,
}

impl Original<'_> {
    pub(super) fn call(&self, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        (self.call)(args, vm)
    }
}

/// What a guard of a method does.
#[derive(Clone, Copy)]
pub(super) enum Guard {
    Before(Before),
    Instead(Instead),
}

impl Guard {
    fn address(self) -> usize {
        match self {
            Guard::Before(before) => before as usize,
            Guard::Instead(instead) => instead as usize,
        }
    }

    fn run(
        self,
        mut args: FuncArgs,
        vm: &VirtualMachine,
        call: &dyn Fn(FuncArgs, &VirtualMachine) -> PyResult,
    ) -> PyResult {
        if !fuel::active() {
            return call(args, vm);
        }
        match self {
            Guard::Before(before) => {
                before(&mut args, vm)?;
                call(args, vm)
            }
            Guard::Instead(instead) => instead(args, &Original { call }, vm),
        }
    }
}

/// The methods that have a guard: by type and name, with what the guard does. A second guard of the same kind would charge
/// twice.
static GUARDED: Mutex<BTreeSet<(usize, &'static str, usize)>> = Mutex::new(BTreeSet::new());

/// Puts `guard` on the method `name` of `typ`'s own dict, if there is one and it has not got that guard yet.
pub(super) fn guard_method(typ: &'static Py<PyType>, name: &'static str, guard: Guard, vm: &VirtualMachine) {
    let ctx = &vm.ctx;
    let interned: &'static PyStrInterned = ctx.intern_str(name);
    let Some(current) = typ.attributes().get(interned) else { return };
    let key = (typ.get_id(), name, guard.address());
    if GUARDED.lock().contains(&key) {
        return;
    }
    let guarded: PyObjectRef = if let Some(method) = current.downcast_ref::<PyMethodDescriptor>() {
        guarded_def(method.method, guard).build_method(ctx, typ).into()
    } else if let Some(method) = current.downcast_ref::<PyClassMethodDescriptor>() {
        guarded_def(method.method, guard).build_classmethod(ctx, typ).into()
    } else if current.class().is(ctx.types.builtin_function_or_method_type) {
        guarded_static(name, current, guard).build_staticmethod(ctx, typ).into()
    } else {
        return;
    };
    GUARDED.lock().insert(key);
    typ.set_attr(interned, guarded);
    typ.modified();
}

fn guarded_def(original: &'static PyMethodDef, guard: Guard) -> &'static PyMethodDef {
    let func = original.func;
    let guarded = move |vm: &VirtualMachine, args: FuncArgs, callee: Callee| -> PyResult {
        guard.run(args, vm, &|args, vm| func(vm, args, callee))
    };
    // Method tables live as long as the process.
    Box::leak(Box::new(PyMethodDef { func: leak(guarded), ..original.clone() }))
}

fn guarded_static(name: &'static str, original: PyObjectRef, guard: Guard) -> &'static PyMethodDef {
    let guarded = move |vm: &VirtualMachine, args: FuncArgs, _: Callee| -> PyResult {
        guard.run(args, vm, &|args, vm| original.call(args, vm))
    };
    let flags = PyMethodFlags::STATIC.union(PyMethodFlags::VARARGS).union(PyMethodFlags::KEYWORDS);
    let placeholder = |args: FuncArgs, vm: &VirtualMachine| -> PyResult { Ok(vm.ctx.new_tuple(args.args).into()) };
    let def = PyMethodDef::new_const(name, placeholder, flags, rustpython_vm::function::ItemDoc::NONE);
    Box::leak(Box::new(PyMethodDef { func: leak(guarded), ..def }))
}

fn leak(func: impl PyNativeFn) -> &'static dyn PyNativeFn {
    Box::leak(Box::new(func))
}
