//! The functions that the host calls, as the interpreter keeps them: by what name, and with how many arguments.

use crate::guard::types;
use crate::meter::allocator;
use rustpython_vm::builtins::{PyDictRef, PyFunction, PyStrInterned};
use rustpython_vm::bytecode::CodeFlags;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyResult, VirtualMachine};
use std::cell::Cell;

/// What is remembered of each kind: a host calls a few functions of a sandbox, over and over.
const PLACES: usize = 8;

/// What is known of the functions that were called, of one sandbox.
#[derive(Default)]
pub(crate) struct Called {
    names: [Cell<Option<&'static PyStrInterned>>; PLACES],
    takes: [Cell<Takes>; PLACES],
}

/// What a function takes.
#[derive(Clone, Copy, Default)]
struct Takes {
    /// The interpreter gives each function a number of its own, and another one when its code is replaced. 0 is none.
    version: u32,
    /// That many arguments by position, each must be given, and nothing else; [`OTHERS`] if that is not so.
    arguments: u32,
}

const OTHERS: u32 = u32::MAX;

impl Called {
    /// The global of that name.
    ///
    /// A look-up by text hashes it and compares it. The interpreter has one string for each name that a script has used,
    /// with its hash in it, so a name that was called before is found by comparing pointers.
    #[inline]
    pub(crate) fn global(&self, globals: &PyDictRef, name: &str, vm: &VirtualMachine) -> PyResult<Option<PyObjectRef>> {
        let known = &self.names[place(name)];
        match known.get() {
            Some(interned) if interned.as_str() == name => globals.get_item_opt(interned, vm),
            _ => match vm.ctx.interned_str(name) {
                Some(interned) => {
                    known.set(Some(interned));
                    globals.get_item_opt(interned, vm)
                }
                // No script of this process has it in its code; one may have made it otherwise. It is not interned for
                // this: that would never be given back.
                None => globals.get_item_opt(name, vm),
            },
        }
    }

    /// Calls it. A script's function that takes just these arguments is entered as one script's function enters another
    /// that it has called before: with nothing to match against parameters.
    #[inline]
    pub(crate) fn call(&self, function: &PyObject, args: Vec<PyObjectRef>, vm: &VirtualMachine) -> PyResult {
        match function.downcast_ref::<PyFunction>() {
            Some(function) if self.takes(function, vm) as usize == args.len() => function.invoke_exact_args(args, vm),
            _ => function.call(args, vm),
        }
    }

    #[inline]
    fn takes(&self, function: &Py<PyFunction>, vm: &VirtualMachine) -> u32 {
        let version = function.func_version();
        let known = &self.takes[version as usize % PLACES];
        let takes = known.get();
        if takes.version == version && version != 0 {
            return takes.arguments;
        }
        let arguments = look_up(function, vm);
        known.set(Takes { version, arguments });
        arguments
    }
}

#[cold]
fn look_up(function: &Py<PyFunction>, vm: &VirtualMachine) -> u32 {
    // Whether it is known is no matter of the script's: its bill must not tell.
    let _paused = allocator::pause();
    let Some(code) = types::code_of(function.as_object(), vm) else { return OTHERS };
    let simple = code.flags.contains(CodeFlags::OPTIMIZED)
        && !code.flags.intersects(CodeFlags::VARARGS | CodeFlags::VARKEYWORDS)
        && code.kwonlyarg_count == 0;
    if simple { code.arg_count } else { OTHERS }
}

/// Where a name is remembered, in place of what was there.
#[inline]
fn place(name: &str) -> usize {
    let bytes = name.as_bytes();
    let last = bytes.last().map_or(0, |last| usize::from(*last));
    (bytes.len() ^ last) % PLACES
}
