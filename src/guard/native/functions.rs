//! Built-in functions that do native work on the way, which no slot and no method sees.

use super::cost::{self, charge};
use super::sequence::settle;
use crate::meter::fuel;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

type Instead = fn(FuncArgs, &PyObjectRef, &VirtualMachine) -> PyResult;

const FUNCTIONS: &[(&str, Instead)] = &[("sorted", sorted), ("bin", digits), ("hex", digits), ("oct", digits)];

/// Guards functions of the interpreter's own builtins module. For each interpreter, before any script.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    for (name, instead) in FUNCTIONS {
        let original = vm.builtins.get_attr(*name, vm)?;
        let guarded = move |args: FuncArgs, vm: &VirtualMachine| -> PyResult {
            if fuel::active() { instead(args, &original, vm) } else { original.call(args, vm) }
        };
        vm.builtins.set_attr(*name, vm.new_function(name, guarded), vm)?;
    }
    Ok(())
}

/// Makes the list here and leaves it to the list's own guarded `sort`.
fn sorted(mut args: FuncArgs, original: &PyObjectRef, vm: &VirtualMachine) -> PyResult {
    let [iterable] = &mut args.args[..] else { return original.call(args, vm) };
    let settled = settle(iterable.clone(), vm)?;
    let list: PyObjectRef = vm.ctx.new_list(vm.extract_elements_with(&settled, Ok)?).into();
    args.args.clear();
    vm.call_method(&list, "sort", args)?;
    Ok(list)
}

fn digits(args: FuncArgs, original: &PyObjectRef, vm: &VirtualMachine) -> PyResult {
    charge(args.args.first().and_then(|int| cost::int_bits(int)).unwrap_or(0) / 32, vm)?;
    original.call(args, vm)
}
