//! The modules of a sandbox.

use super::library::Library;
use super::scripts::{Chain, ScriptModules};
use super::{FILES, Module, PATHLIB, find};
use crate::guard::facade::{Importer, ModuleFacade};
use crate::guard::isolate;
use crate::guard::opener::Opener;
use crate::host::function::{self, NewFunction};
use crate::sandbox::Config;
use parking_lot::Mutex;
use rustpython_vm::builtins::{PyDictRef, PyStr};
use rustpython_vm::function::ArgMapping;
use rustpython_vm::scope::Scope;
use rustpython_vm::{PyPayload, PyRef, PyResult, VirtualMachine};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The modules that a sandbox may import, and those that it has imported.
pub(crate) struct ModuleTable {
    config: Arc<Config>,
    library: Arc<Library>,
    /// What every sandbox's builtins start from.
    template: PyDictRef,
    quiet_sys: PyRef<ModuleFacade>,
    scripts: ScriptModules,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the functions of modules find beside their own names.
    builtins: Option<PyDictRef>,
    /// What was imported to its end.
    modules: HashMap<&'static str, PyRef<ModuleFacade>>,
    /// Modules of the host, as this sandbox sees them.
    host: HashMap<String, PyRef<ModuleFacade>>,
    /// The names of each of these modules, public or not.
    globals: Vec<PyDictRef>,
}

/// Who imports.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// A script gets what its policy grants, and what the host provides.
    Script,
    /// So does a module that is a script, which knows what it is imported for.
    ScriptModule(Arc<Chain>),
    /// A module gets every other one: what it lets out of it is up to its source.
    Module,
}

impl fmt::Debug for ModuleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleTable").finish_non_exhaustive()
    }
}

impl ModuleTable {
    /// A table for a sandbox whose scripts' builtins start from `template`.
    pub(crate) fn new(
        config: Arc<Config>,
        library: Arc<Library>,
        template: &PyDictRef,
        quiet_sys: PyRef<ModuleFacade>,
        vm: &VirtualMachine,
    ) -> PyResult<Arc<Self>> {
        let table = Arc::new(ModuleTable {
            config,
            library,
            template: template.clone(),
            quiet_sys: quiet_sys.clone(),
            scripts: ScriptModules::default(),
            state: Mutex::default(),
        });
        let own = template.copy().into_ref(&vm.ctx);
        let importer = Importer::new(vm.ctx.new_dict(), quiet_sys, Some((table.clone(), Asker::Module)), vm);
        own.set_item(vm.ctx.intern_str("__import__"), importer.into(), vm)?;
        let build_class = vm.ctx.intern_str("__build_class__");
        own.set_item(build_class, table.library.build_class.clone(), vm)?;
        for (name, native) in &table.library.common {
            own.set_item(vm.ctx.intern_str(*name), native.clone(), vm)?;
        }
        table.state.lock().builtins = Some(own);
        Ok(table)
    }

    /// The builtins of a script, or of a module that is one.
    pub(crate) fn builtins_for(self: &Arc<Self>, asker: Asker, vm: &VirtualMachine) -> PyResult<PyDictRef> {
        let dict = self.template.copy().into_ref(&vm.ctx);
        let table = Some((self.clone(), asker));
        let importer = Importer::new(vm.ctx.new_dict(), self.quiet_sys.clone(), table, vm);
        dict.set_item(vm.ctx.intern_str("__import__"), importer.into(), vm)?;
        if self.config.provided.files.is_some() {
            dict.set_item(vm.ctx.intern_str("open"), Opener::object(self.clone(), vm), vm)?;
        }
        Ok(dict)
    }

    /// What the sandbox was built with.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The module of this name, run if this is its first import. `None` where there is none for who asks.
    pub(crate) fn import(
        self: &Arc<Self>,
        name: &str,
        asker: &Asker,
        vm: &VirtualMachine,
    ) -> PyResult<Option<PyRef<ModuleFacade>>> {
        if !matches!(asker, Asker::Module) {
            if let Some(facade) = self.of_the_host(name, vm)? {
                return Ok(Some(facade));
            }
            let provided = &self.config.provided;
            let with_files = name == PATHLIB && provided.files.is_some();
            if !with_files && !self.config.policy.modules.contains(name) {
                return match &provided.resolver {
                    Some(resolver) => self.scripts.import(name, asker, self, resolver, vm),
                    None => Ok(None),
                };
            }
        }
        let Some(module) = find(name) else { return Ok(None) };
        if let Some(facade) = self.state.lock().modules.get(module.name) {
            return Ok(Some(facade.clone()));
        }
        let builtins = self.state.lock().builtins.clone();
        let Some(builtins) = builtins else { return Err(vm.new_system_error("the sandbox is gone")) };
        let globals = vm.ctx.new_dict();
        // Nothing marks a module that is being run: a task may be left in the middle of one, and another may come for the
        // same module meanwhile. Modules of pycage's own do not import one another in a circle.
        match self.run(module, &globals, builtins, vm) {
            Ok(facade) => {
                let mut state = self.state.lock();
                if let Some(first) = state.modules.get(module.name) {
                    let first = first.clone();
                    drop(state);
                    globals.clear();
                    return Ok(Some(first));
                }
                state.globals.push(globals);
                state.modules.insert(module.name, facade.clone());
                Ok(Some(facade))
            }
            // A budget that ran out: the next import begins anew.
            Err(error) => {
                globals.clear();
                Err(error)
            }
        }
    }

    /// The host's module of this name, made at its first import.
    fn of_the_host(&self, name: &str, vm: &VirtualMachine) -> PyResult<Option<PyRef<ModuleFacade>>> {
        let Some(module) = self.config.host_module(name) else { return Ok(None) };
        if let Some(facade) = self.state.lock().host.get(name) {
            return Ok(Some(facade.clone()));
        }
        let facade = module.facade(vm)?;
        // Two tasks may come to the first import at the same time: they share one module.
        let mut state = self.state.lock();
        let kept = state.host.entry(name.to_owned()).or_insert_with(|| facade.clone()).clone();
        drop(state);
        Ok(Some(kept))
    }

    /// Lets go of everything: functions hold the names of their module, which hold the functions.
    pub(crate) fn clear(&self) {
        let State { builtins, modules, host, globals } = std::mem::take(&mut *self.state.lock());
        for names in &globals {
            names.clear();
        }
        if let Some(builtins) = builtins {
            builtins.clear();
        }
        drop((modules, host));
        self.scripts.clear();
    }

    fn run(
        &self,
        module: &'static Module,
        globals: &PyDictRef,
        builtins: PyDictRef,
        vm: &VirtualMachine,
    ) -> PyResult<PyRef<ModuleFacade>> {
        let loaded = self.library.load(module, vm).map_err(|error| vm.new_system_error(error.to_string()))?;
        globals.set_item(vm.ctx.intern_str("__builtins__"), builtins.into(), vm)?;
        globals.set_item(vm.ctx.intern_str("__name__"), vm.ctx.intern_str(module.name).to_owned().into(), vm)?;
        globals.set_item(vm.ctx.intern_str(isolate::WARNING_REGISTRY), vm.ctx.none(), vm)?;
        for (name, native) in &loaded.natives {
            globals.set_item(vm.ctx.intern_str(*name), native.clone(), vm)?;
        }
        for (name, native) in super::native::of_sandbox(&self.config.policy, module.name, vm) {
            globals.set_item(vm.ctx.intern_str(name), native, vm)?;
        }
        if let Some(files) = &self.config.provided.files
            && matches!(module.name, FILES | PATHLIB)
        {
            let new = NewFunction { name: "open".to_owned(), parameters: Vec::new(), function: files.clone() };
            globals.set_item(vm.ctx.intern_str("_host"), function::object(new, vm), vm)?;
        }
        let locals = ArgMapping::from_dict_exact(globals.clone());
        vm.run_code_obj(loaded.code.clone(), Scope::new(Some(locals), globals.clone()))?;
        let members = vm.ctx.new_dict();
        for (name, value) in &**globals {
            if name.downcast_ref::<PyStr>().and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with('_')) {
                members.set_item(&*name, value, vm)?;
            }
        }
        Ok(ModuleFacade::new(module.name, members, vm))
    }
}
