//! The run ring: what a running script can reach, and what native code may do for it.
//!
//! * [`names`]: which names may be asked for, as told by the compile ring.
//! * [`attributes`]: `getattr` and its kin, for names that are only known at run time.
//! * [`mod@builtins`]: the whitelist a sandbox starts from.
//! * [`class`], which makes classes: `__build_class__`.
//! * [`facade`]: granted modules as scripts see them, and the importer that hands them out.
//! * [`format`](mod@format): `str.format` and `str.format_map`.
//! * [`isolate`]: what is closed in each interpreter.
//! * [`native`]: native work is charged or refused before it is done.
//! * [`opener`]: `open`, where there are files.
//! * `reach`: what a script has got hold of, for the tests.
//! * [`streams`]: where `print` goes.
//! * [`types`]: what is taken out of the built-in types, once for the process.
//! * [`anonymous`]: `repr` and `hash` that do not tell the host's addresses.

pub(crate) mod anonymous;
pub(crate) mod attributes;
pub(crate) mod builtins;
pub(crate) mod class;
pub(crate) mod facade;
pub(crate) mod format;
pub(crate) mod isolate;
pub(crate) mod names;
pub(crate) mod native;
pub(crate) mod opener;
#[cfg(feature = "test-hooks")]
pub(crate) mod reach;
pub(crate) mod streams;
pub(crate) mod types;

use crate::compile;
use crate::error::Error;
use crate::modules;
use crate::modules::library::Library;
use crate::modules::table::{Asker, ModuleTable};
use crate::policy::Policy;
use crate::sandbox::Config;
use builtins::BuiltinsTemplate;
use rustpython_vm::builtins::PyDictRef;
use rustpython_vm::{PyResult, VirtualMachine};
use std::sync::{Arc, Once};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

/// What the sandboxes of one interpreter start from.
pub(crate) struct Ground {
    builtins: BuiltinsTemplate,
    library: Arc<Library>,
}

impl Ground {
    /// Closes a new interpreter, before any script is read: the built-in types once for the process, the rest in each.
    pub(crate) fn prepare(vm: &VirtualMachine) -> PyResult<Ground> {
        names::set_rules(names::NameRules {
            attribute: |name| compile::names::attribute(name).is_ok(),
            special_method: compile::names::definable_special,
        });
        static GUARDED: Once = Once::new();
        GUARDED.call_once(|| {
            types::harden(vm);
            native::install(vm);
        });
        native::install_functions(vm)?;
        let library = Arc::new(Library::new(vm)?);
        isolate::isolate(vm)?;
        Ok(Ground { builtins: BuiltinsTemplate::new(&|_| false, vm)?, library })
    }

    /// The modules of a new sandbox, if it is granted any.
    pub(crate) fn new_modules(
        &self,
        config: &Arc<Config>,
        vm: &VirtualMachine,
    ) -> Result<Option<Arc<ModuleTable>>, Error> {
        if !config.policy.imports_any() {
            return Ok(None);
        }
        let modules = self.builtins.new_modules(config, &self.library, vm);
        modules.map(Some).map_err(|_| Error::Setup("the modules of a sandbox could not be made".to_owned()))
    }

    /// New globals of a sandbox that has these modules.
    pub(crate) fn new_globals(
        &self,
        modules: Option<&Arc<ModuleTable>>,
        vm: &VirtualMachine,
    ) -> Result<PyDictRef, Error> {
        let globals = vm.ctx.new_dict();
        let fill = || -> PyResult<()> {
            let builtins = match modules {
                Some(modules) => modules.builtins_for(Asker::Script, vm)?,
                None => self.builtins.new_builtins(None, vm)?,
            };
            // Where the interpreter looks for the builtins of a scope. No script can spell these names.
            globals.set_item(vm.ctx.intern_str("__builtins__"), builtins.into(), vm)?;
            globals.set_item(vm.ctx.intern_str("__name__"), vm.ctx.new_str("__main__").into(), vm)?;
            globals.set_item(vm.ctx.intern_str(isolate::WARNING_REGISTRY), vm.ctx.none(), vm)
        };
        fill().map_err(|_| Error::Setup("the globals of a sandbox could not be made".to_owned()))?;
        Ok(globals)
    }

    /// Compiles modules, so that no script waits for that.
    pub(crate) fn prepare_modules(&self, policy: &Policy, vm: &VirtualMachine) -> Result<(), Error> {
        policy
            .modules
            .iter()
            .chain(&policy.provided)
            .filter_map(|name| modules::find(name))
            .try_for_each(|module| self.library.load(module, vm).map(drop))
    }
}

/// The module that the interpreter itself imports by the script's importer; see [`facade::quiet_sys`].
pub(crate) const QUIET_SYS: &str = "sys";

/// Whether there is a module of this name that a policy can grant.
pub(crate) fn grantable(name: &str) -> bool {
    modules::grantable(name)
}
