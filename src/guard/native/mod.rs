//! Guards on native work: charged or refused before it is done.
//!
//! One bytecode instruction can run for minutes or eat the machine, where what it starts is a loop in native code. The
//! guards here stand in the slots and the methods of the native types, so that they hold whatever path a script takes to
//! them: the operator, the slot's wrapper (`int.__pow__`), a subclass, a reflected or in-place operator. Outside of a run
//! they do nothing. In one they change no result, save that an int is bounded in size.
//!
//! * [`patch`]: how a guard gets into a type.
//! * [`cost`]: what work costs.
//! * [`recursion`]: how deep native code may call itself.
//! * [`iterators`], [`int`], [`sequence`], [`containers`], [`text`], [`charset`], [`format`], [`classes`], [`compare`]: the guards.
//! * [`multiply`]: where instrumented code sends `*`.
//! * [`finalisers`]: where a task is not left.
//! * [`hashing`]: ints that were made to collide.
//! * [`functions`]: built-in functions that no slot sees.
//! * [`results`]: checks for opcodes that no slot sees.

mod charset;
mod classes;
mod compare;
mod containers;
mod cost;
mod finalisers;
pub(crate) mod format;
mod functions;
pub(crate) mod hashing;
mod int;
mod iterators;
mod multiply;
mod patch;
pub(crate) mod recursion;
pub(crate) mod results;
mod sequence;
mod text;

use parking_lot::Mutex;
use rustpython_vm::{PyResult, VirtualMachine};

/// Guards the native types, which all interpreters of the process share.
///
/// To be called before the first script runs, once. A further call guards the types of native modules that were imported
/// since, and nothing twice; it must not come while a script runs.
pub(crate) fn install(vm: &VirtualMachine) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    // The types of a native module exist from its first import on.
    for module in ["itertools", "_collections", "_functools", "_operator"] {
        // Where it is not linked, it has no types to guard.
        let _ = vm.import(module, 0);
    }
    let types = patch::native_types(vm);
    finalisers::install(vm);
    iterators::install(&types, vm);
    int::install(&types, vm);
    sequence::install(&types, vm);
    containers::install(&types, vm);
    text::install(&types, vm);
    format::install(&types, vm);
    classes::install(&types, vm);
    compare::install(&types, vm);
    multiply::install(&types);
    for typ in types {
        patch::rebuild_wrappers(typ, vm);
    }
}

/// Guards the built-in functions of one interpreter. For each interpreter, before its first script and before anything
/// keeps a reference to its builtins.
pub(crate) fn install_functions(vm: &VirtualMachine) -> PyResult<()> {
    functions::install(vm)
}

#[cfg(test)]
pub(crate) mod tests;
