//! The names of the globals that the host calls, as the interpreter keeps them.
//!
//! A look-up by text hashes it and compares it. The interpreter has one string for each name that a script has used, with
//! its hash in it, so a name that was called before is found by comparing pointers.

use rustpython_vm::builtins::{PyDictRef, PyStrInterned};
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};
use std::cell::Cell;

/// Names that are remembered: a host calls a few, over and over, in many sandboxes.
const PLACES: usize = 64;

thread_local! {
    static KNOWN: [Cell<Option<&'static PyStrInterned>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

/// The global of that name.
pub(crate) fn global(globals: &PyDictRef, name: &str, vm: &VirtualMachine) -> PyResult<Option<PyObjectRef>> {
    match interned(name, vm) {
        Some(name) => globals.get_item_opt(name, vm),
        // No script of this process has it in its code; one may have made it otherwise.
        None => globals.get_item_opt(name, vm),
    }
}

/// The interpreter's own string of that name, if it has one. None is made: they are never given back.
fn interned(name: &str, vm: &VirtualMachine) -> Option<&'static PyStrInterned> {
    KNOWN.with(|known| {
        let place = &known[place(name)];
        match place.get() {
            Some(interned) if interned.as_str() == name => Some(interned),
            _ => {
                let interned = vm.ctx.interned_str(name)?;
                place.set(Some(interned));
                Some(interned)
            }
        }
    })
}

/// Where a name is remembered, in place of what was there.
fn place(name: &str) -> usize {
    let ends = name.as_bytes().first().zip(name.as_bytes().last());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (usize::from(*first), usize::from(*last)));
    (name.len() ^ first << 1 ^ last << 3) % PLACES
}
