//! Granted modules as scripts see them, and the importer that hands them out.

use crate::modules::table::{Asker, ModuleTable};

use rustpython_vm::builtins::{PyDictRef, PyStr, PyType};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::{FuncArgs, PySetterValue};
use rustpython_vm::types::{Callable, GetAttr, Representable, SetAttr};
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};
use std::sync::Arc;

/// A module that has only the names it is given, and that no script can change.
///
/// It is no module to the interpreter: it has neither `__dict__` nor `__name__` (by which `from x import y` would look for
/// a submodule in the interpreter's own table).
#[pyclass(module = false, name = "module")]
#[derive(Debug)]
pub(crate) struct ModuleFacade {
    name: String,
    members: PyDictRef,
    /// Whether the members are all the names of a module, of which those with an underscore in front stay inside.
    live: bool,
}

impl PyPayload for ModuleFacade {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(GetAttr, SetAttr, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl ModuleFacade {}

impl ModuleFacade {
    /// A facade called `name` with the entries of `members`, which must not be reachable by a script otherwise.
    pub(crate) fn new(name: impl Into<String>, members: PyDictRef, vm: &VirtualMachine) -> PyRef<Self> {
        drop(Self::make_static_type());
        ModuleFacade { name: name.into(), members, live: false }.into_ref(&vm.ctx)
    }

    /// A facade of the public names of a module, as they are at any time.
    pub(crate) fn live(name: impl Into<String>, globals: PyDictRef, vm: &VirtualMachine) -> PyRef<Self> {
        drop(Self::make_static_type());
        ModuleFacade { name: name.into(), members: globals, live: true }.into_ref(&vm.ctx)
    }

    /// The names that it has.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.members.keys_vec();
        names.iter().filter_map(|name| Some(name.downcast_ref::<PyStr>()?.to_str()?.to_owned())).collect()
    }
}

impl GetAttr for ModuleFacade {
    fn getattro(zelf: &Py<Self>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult {
        let inside = zelf.live && name.as_bytes().starts_with(b"_");
        match zelf.members.get_item_opt(name, vm)? {
            Some(member) if !inside => Ok(member),
            _ => Err(vm.new_attribute_error(format!(
                "module '{}' has no attribute '{}'",
                zelf.name,
                name.as_wtf8().to_string_lossy()
            ))),
        }
    }
}

impl SetAttr for ModuleFacade {
    fn setattro(zelf: &Py<Self>, _name: &Py<PyStr>, _value: PySetterValue, vm: &VirtualMachine) -> PyResult<()> {
        Err(vm.new_attribute_error(format!("module '{}' is read-only", zelf.name)))
    }
}

impl Representable for ModuleFacade {
    fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok(format!("<module '{}'>", zelf.name))
    }
}

/// `__import__` of a sandbox: hands out the facades it was given, and nothing else.
#[pyclass(module = false, name = "importer")]
#[derive(Debug)]
pub(crate) struct Importer {
    /// Facades by their full dotted name.
    granted: PyDictRef,
    /// Where the modules of pycage's own come from.
    table: Option<(Arc<ModuleTable>, Asker)>,
    /// What the interpreter itself gets when it asks for `sys`.
    quiet_sys: PyRef<ModuleFacade>,
}

impl PyPayload for Importer {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(Callable, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Importer {}

impl Importer {
    /// An importer of the facades in `granted`, by full dotted name, and of what `table` has for who asks. A package must be
    /// there beside its submodules.
    pub(crate) fn new(
        granted: PyDictRef,
        quiet_sys: PyRef<ModuleFacade>,
        table: Option<(Arc<ModuleTable>, Asker)>,
        vm: &VirtualMachine,
    ) -> PyRef<Self> {
        drop(Self::make_static_type());
        Importer { granted, table, quiet_sys }.into_ref(&vm.ctx)
    }

    fn find(&self, name: &str, vm: &VirtualMachine) -> PyResult<Option<PyObjectRef>> {
        if let Some(module) = self.granted.get_item_opt(name, vm)? {
            return Ok(Some(module));
        }
        match &self.table {
            // The interpreter itself asks for this one, at times when no script may be run.
            Some(_) if name == super::QUIET_SYS => Ok(None),
            Some((table, asker)) => Ok(table.import(name, asker, vm)?.map(Into::into)),
            None => Ok(None),
        }
    }
}

/// The `sys` that the interpreter finds while a script runs: it holds the one hook that it calls, made to do nothing.
///
/// To report an error that nobody can handle (in a generator that is closed as it is dropped), the interpreter imports
/// `sys` through the running script's `__import__`, and a failure there is a panic. So this import must succeed. A script
/// that writes `import sys` gets the same object, and nothing by it.
pub(crate) fn quiet_sys(vm: &VirtualMachine) -> PyResult<PyRef<ModuleFacade>> {
    let members = vm.ctx.new_dict();
    members.set_item("unraisablehook", vm.new_function("unraisablehook", super::streams::quiet_hook).into(), vm)?;
    Ok(ModuleFacade::new("sys", members, vm))
}

impl Callable for Importer {
    type Args = FuncArgs;

    /// `__import__(name, globals, locals, fromlist, level)`.
    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        let Some(name) = args.args.first().and_then(|name| name.downcast_ref::<PyStr>()) else {
            return Err(vm.new_type_error("the name of a module must be a str"));
        };
        let level = args.args.get(4).map_or(Ok(0), |level| level.clone().try_into_value::<i64>(vm))?;
        if level != 0 {
            return Err(import_error("relative imports are not available in pycage", vm));
        }
        let Some(text) = name.to_str() else {
            return Err(import_error("the name of a module must be valid Unicode", vm));
        };
        let Some(module) = zelf.find(text, vm)? else {
            if text == "sys" && args.args.len() == 5 && vm.is_none(&args.args[3]) {
                return Ok(zelf.quiet_sys.clone().into());
            }
            return Err(import_error(&format!("module '{text}' is not granted to this sandbox"), vm));
        };
        // `import a.b` binds `a`; `from a.b import c` looks in `a.b`.
        let wants_package =
            args.args.get(3).is_none_or(|names| vm.is_none(names) || names.length(vm).is_ok_and(|n| n == 0));
        match text.split_once('.') {
            Some((package, _)) if wants_package => match zelf.find(package, vm)? {
                Some(package) => Ok(package),
                None => Err(import_error(&format!("module '{package}' is not granted to this sandbox"), vm)),
            },
            _ => Ok(module),
        }
    }
}

impl Representable for Importer {
    fn repr_str(_zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok("<built-in function __import__>".to_owned())
    }
}

#[cold]
fn import_error(message: &str, vm: &VirtualMachine) -> rustpython_vm::builtins::PyBaseExceptionRef {
    vm.new_exception_msg(vm.ctx.exceptions.module_not_found_error.to_owned(), message.to_owned().into())
}
