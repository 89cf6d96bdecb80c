//! `open`, in sandboxes whose host has mounted files.

use crate::modules::FILES;
use crate::modules::table::{Asker, ModuleTable};
use rustpython_vm::builtins::PyType;
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::types::{Callable, Representable};
use rustpython_vm::{AsObject, Context, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass};
use std::sync::Arc;

/// Stands for the function of that name in the module that has it, which is run at the first call.
#[pyclass(module = false, name = "builtin_function")]
#[derive(Debug)]
pub(crate) struct Opener {
    table: Arc<ModuleTable>,
}

impl PyPayload for Opener {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(Callable, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Opener {}

impl Opener {
    pub(crate) fn object(table: Arc<ModuleTable>, vm: &VirtualMachine) -> PyObjectRef {
        drop(Self::make_static_type());
        Opener { table }.into_ref(&vm.ctx).into()
    }
}

impl Callable for Opener {
    type Args = FuncArgs;

    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        let Some(module) = zelf.table.import(FILES, &Asker::Module, vm)? else {
            return Err(vm.new_system_error("files are not there"));
        };
        module.as_object().get_attr("open", vm)?.call(args, vm)
    }
}

impl Representable for Opener {
    fn repr_str(_zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok("<built-in function open>".to_owned())
    }
}
