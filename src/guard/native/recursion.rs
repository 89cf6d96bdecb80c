//! Native recursion: how deep native code may call itself through the slots.
//!
//! A chain of native wrappers (a map of a map of a map, a method of a method, an exception in an exception) recurses on
//! the machine's stack, a level for each link, with no Python frame that would be counted. The guards of such slots count
//! the levels. The count does not depend on the size of a stack frame, so a script gets its `RecursionError` at the same
//! depth on every machine.

use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::{PyResult, VirtualMachine};
use std::cell::Cell;

/// Levels of native recursion. At 4 KiB of stack for a level, which none needs in an optimised build, that is 40 MiB of the
/// runner's stack.
pub(crate) const MAX_DEPTH: u32 = 10_000;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Sets the levels of a script that is taken up again, and answers those of the one that is left.
pub(crate) fn exchange(levels: u32) -> u32 {
    DEPTH.replace(levels)
}

/// Levels of objects that are shown within one another: each copies the text of all below it.
const MAX_SHOWN: u32 = 2_500;

/// For code that shows an object: what the copies cost that are made of its text on the levels above.
pub(super) fn copies(vm: &VirtualMachine) -> PyResult<u64> {
    let depth = DEPTH.get();
    if depth > MAX_SHOWN { Err(too_deep(vm)) } else { Ok(u64::from(depth) / 16) }
}

#[cold]
fn too_deep(vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_recursion_error("maximum recursion depth exceeded".to_owned())
}

/// A level of native recursion, until it is dropped.
pub(crate) struct Level(());

/// One level deeper.
#[inline]
pub(crate) fn enter(vm: &VirtualMachine) -> PyResult<Level> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(too_deep(vm));
    }
    DEPTH.set(depth + 1);
    Ok(Level(()))
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
