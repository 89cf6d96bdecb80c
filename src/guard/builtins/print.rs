//! `print`, which writes to the sandbox's output and nowhere else.

use crate::guard::streams;
use rustpython_vm::builtins::{PyStr, PyStrRef};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

/// `print(*objects, sep=' ', end='\n', flush=False)`.
pub(super) fn print(mut args: FuncArgs, vm: &VirtualMachine) -> PyResult<()> {
    let separator = text_argument(args.take_keyword("sep"), "sep", " ", vm)?;
    let end = text_argument(args.take_keyword("end"), "end", "\n", vm)?;
    // There is nothing to flush.
    args.take_keyword("flush");
    if args.take_keyword("file").is_some() {
        return Err(vm.new_type_error("print() takes no 'file' in pycage: it writes to the sandbox's output"));
    }
    if let Some((name, _)) = args.remaining_keywords().next() {
        return Err(
            vm.new_type_error(format!("print() got an unexpected keyword argument '{}'", name.to_string_lossy()))
        );
    }
    for (index, object) in args.args.iter().enumerate() {
        if index > 0 {
            streams::write(&separator, vm)?;
        }
        streams::write(&*object.str(vm)?, vm)?;
    }
    streams::write(&end, vm)
}

fn text_argument(given: Option<PyObjectRef>, name: &str, default: &str, vm: &VirtualMachine) -> PyResult<PyStrRef> {
    match given {
        None => Ok(vm.ctx.new_str(default)),
        Some(given) if vm.is_none(&given) => Ok(vm.ctx.new_str(default)),
        Some(given) => given.downcast::<PyStr>().map_err(|given| {
            vm.new_type_error(format!("{name} must be None or a string, not {}", given.class().name()))
        }),
    }
}
