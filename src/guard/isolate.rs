//! What is closed in each interpreter, once it is made and before a script runs in it.

use crate::guard::facade::{self, Importer};
use crate::guard::streams::{self, NullStream};
use rustpython_vm::builtins::PyDictRef;
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

/// Attributes of `sys` that tell about the host, and that are emptied.
const SYS_TEXTS: [&str; 9] = [
    "executable",
    "_base_executable",
    "prefix",
    "base_prefix",
    "exec_prefix",
    "base_exec_prefix",
    "platlibdir",
    "_framework",
    "_git",
];
const SYS_LISTS: [&str; 6] = ["argv", "orig_argv", "path", "meta_path", "path_hooks", "warnoptions"];

/// Where the interpreter remembers the warnings of a scope. `None` there means that it keeps none.
pub(crate) const WARNING_REGISTRY: &str = "__warningregistry__";

/// Closes an interpreter: its streams lead nowhere, its hooks do nothing, it imports nothing any more, and it keeps nothing
/// that tells about the host. Native and Python modules that sandboxes will be granted are imported before.
///
/// Automatic garbage collection goes off: the meters collect at checkpoints.
pub(crate) fn isolate(vm: &VirtualMachine) -> PyResult<()> {
    vm.state.gc.disable();
    silence_warnings(vm)?;
    close_streams(vm)?;
    scrub_sys(vm)?;
    close_imports(vm)
}

fn close_streams(vm: &VirtualMachine) -> PyResult<()> {
    let nowhere: PyObjectRef = NullStream::new(vm).into();
    for name in ["stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"] {
        set_sys(name, nowhere.clone(), vm)?;
    }
    let quiet: PyObjectRef = vm.new_function("hook", streams::quiet_hook).into();
    for name in ["unraisablehook", "excepthook", "displayhook", "breakpointhook"] {
        set_sys(name, quiet.clone(), vm)?;
        set_sys(&format!("__{name}__"), quiet.clone(), vm)?;
    }
    Ok(())
}

/// Warnings would go to the host's stderr. Where no script's frame is left (a coroutine freed at the end of a run), each would
/// also be remembered in `sys`, for the life of the process and for every sandbox to be billed by.
fn silence_warnings(vm: &VirtualMachine) -> PyResult<()> {
    let ctx = &vm.ctx;
    let ignore_all = ctx.new_tuple(vec![
        ctx.new_str("ignore").into(),
        ctx.none(),
        ctx.exceptions.warning.as_object().to_owned(),
        ctx.none(),
        ctx.new_int(0).into(),
    ]);
    *vm.state.warnings.filters.borrow_vec_mut() = vec![ignore_all.into()];
    vm.state.warnings.filters_mutated();
    set_sys(WARNING_REGISTRY, vm.ctx.none(), vm)
}

fn scrub_sys(vm: &VirtualMachine) -> PyResult<()> {
    for name in SYS_TEXTS {
        set_sys(name, vm.ctx.new_str("").into(), vm)?;
    }
    for name in SYS_LISTS {
        set_sys(name, vm.ctx.new_list(Vec::new()).into(), vm)?;
    }
    for name in ["flags", "_xoptions", "path_importer_cache"] {
        set_sys(name, vm.ctx.new_dict().into(), vm)?;
    }
    Ok(())
}

/// From here on every import, also the interpreter's own, goes to an importer that knows no module.
fn close_imports(vm: &VirtualMachine) -> PyResult<()> {
    let importer = Importer::new(vm.ctx.new_dict(), facade::quiet_sys(vm)?, None, vm);
    vm.builtins.set_attr("__import__", importer, vm)?;
    let modules: PyDictRef = vm.sys_module.get_attr("modules", vm)?.try_into_value(vm)?;
    for (name, _) in &*modules {
        let text = name.str(vm)?;
        if !matches!(text.as_bytes(), b"sys" | b"builtins") {
            modules.del_item(&*name, vm)?;
        }
    }
    Ok(())
}

fn set_sys(name: &str, value: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    vm.sys_module.set_attr(vm.ctx.intern_str(name), value, vm)
}
