//! Modules that are scripts of the plugin's own, as the host's [`Resolver`](crate::Resolver) finds them.

use super::table::{Asker, ModuleTable};
use crate::compile;
use crate::guard::facade::ModuleFacade;
use crate::guard::isolate;
use crate::host::args::Arguments;
use crate::host::function::Erased;
use crate::host::gate;
use crate::host::module::identifier;
use crate::host::resolver::{self, ModuleSource};
use crate::meter::{allocator, fuel};
use crate::runner::{operation, thread, world};
use parking_lot::Mutex;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyCode, PyDictRef};
use rustpython_vm::{PyObjectRef, PyRef, PyResult, VirtualMachine};
use std::collections::HashMap;
use std::sync::Arc;

/// Modules of scripts that a sandbox may load.
const MAX_MODULES: usize = 256;

/// Native steps for each byte that is compiled. Most sources take less than a microsecond a byte; what the worst take is
/// bounded by the limits on sources.
const STEPS_PER_BYTE: u64 = 32;

/// The modules of scripts in a sandbox.
#[derive(Default)]
pub(crate) struct ScriptModules {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was compiled, or why it could not be: no source is compiled twice.
    compiled: HashMap<String, Result<PyRef<PyCode>, String>>,
    /// What was imported to its end.
    modules: HashMap<String, PyRef<ModuleFacade>>,
    globals: Vec<PyDictRef>,
}

/// Which modules are in the middle of being imported where one imports: itself, and those that it is imported for.
#[derive(Debug)]
pub(crate) struct Chain {
    name: String,
    outer: Option<Arc<Chain>>,
}

impl Chain {
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = std::iter::successors(Some(self), |chain| chain.outer.as_deref())
            .map(|chain| chain.name.as_str())
            .collect();
        names.reverse();
        names
    }
}

impl ScriptModules {
    /// The module of this name, run if this is its first import. `None` where the resolver has none.
    pub(crate) fn import(
        &self,
        name: &str,
        asker: &Asker,
        table: &Arc<ModuleTable>,
        resolver: &Erased,
        vm: &VirtualMachine,
    ) -> PyResult<Option<PyRef<ModuleFacade>>> {
        if let Some(facade) = self.state.lock().modules.get(name) {
            return Ok(Some(facade.clone()));
        }
        if !identifier(name) {
            return Ok(None);
        }
        let outer = match asker {
            Asker::ScriptModule(chain) => Some(chain.clone()),
            Asker::Script | Asker::Module => None,
        };
        if let Some(chain) = &outer
            && let names = chain.names()
            && let Some(from) = names.iter().position(|known| *known == name)
        {
            let circle = [&names[from..], &[name]].concat().join(" -> ");
            return Err(import_error(&format!("modules import one another in a circle: {circle}"), vm));
        }
        let Some(code) = self.code(name, table, resolver, vm)? else { return Ok(None) };
        let chain = Arc::new(Chain { name: name.to_owned(), outer });
        let globals = vm.ctx.new_dict();
        // As with modules of pycage's own, nothing marks one that is being run: a task may be left in the middle of it, and
        // another come for the same. The first that ends is the one that all get.
        match run(name, code, chain, &globals, table, vm) {
            Ok(()) => {
                let facade = ModuleFacade::live(name, globals.clone(), vm);
                let mut state = self.state.lock();
                if let Some(first) = state.modules.get(name) {
                    let first = first.clone();
                    drop(state);
                    globals.clear();
                    return Ok(Some(first));
                }
                state.globals.push(globals);
                state.modules.insert(name.to_owned(), facade.clone());
                Ok(Some(facade))
            }
            // The next import begins anew, as in Python.
            Err(error) => {
                globals.clear();
                Err(error)
            }
        }
    }

    /// The instrumented code of a module.
    fn code(
        &self,
        name: &str,
        table: &ModuleTable,
        resolver: &Erased,
        vm: &VirtualMachine,
    ) -> PyResult<Option<PyRef<PyCode>>> {
        let known = self.state.lock().compiled.get(name).cloned();
        let compiled = match known {
            Some(known) => known,
            None => {
                let Some(source) = ask(name, resolver, vm)? else { return Ok(None) };
                let full = self.state.lock().compiled.len() >= MAX_MODULES;
                if full {
                    return Err(import_error(&format!("a sandbox has at most {MAX_MODULES} modules of scripts"), vm));
                }
                fuel::charge(STEPS_PER_BYTE.saturating_mul(source.source.len() as u64), vm)?;
                let compiled = compiled(name, &source, table, vm);
                self.state.lock().compiled.entry(name.to_owned()).or_insert(compiled).clone()
            }
        };
        // A budget that ran out meanwhile.
        fuel::look_now(vm)?;
        compiled.map(Some).map_err(|why| import_error(&why, vm))
    }

    /// Lets go of everything: functions hold the names of their module, which hold the functions.
    pub(crate) fn clear(&self) {
        let State { compiled, modules, globals } = std::mem::take(&mut *self.state.lock());
        for names in &globals {
            names.clear();
        }
        drop((compiled, modules));
    }
}

fn ask(name: &str, resolver: &Erased, vm: &VirtualMachine) -> PyResult<Option<ModuleSource>> {
    let argument: [PyObjectRef; 1] = [vm.ctx.new_str(name).into()];
    let answer = gate::enter(&"import", vm, || resolver(&mut Arguments::new(&argument, &[], &[], &[], vm)))?;
    Ok(resolver::answered(answer))
}

/// Compiling is on the script's clock, and its memory is the host's, as with any script. Nothing interrupts it, so who waits
/// for the run waits for it too.
fn compiled(
    name: &str,
    source: &ModuleSource,
    table: &ModuleTable,
    vm: &VirtualMachine,
) -> Result<PyRef<PyCode>, String> {
    let _paused = allocator::pause();
    let config = table.config();
    let checks = config.provided.checks();
    // Detached for the longer part, so that nobody's collection waits for it.
    let compile = || compile::compile(&source.source, &source.file, &config.policy, checks);
    thread::waited_for(|| {
        world::detached(vm, compile).and_then(|compiled| compile::load(&compiled, config.profile.is_some(), vm))
    })
    .map_err(|error| format!("the module '{name}' cannot be imported: {error}"))
}

fn run(
    name: &str,
    code: PyRef<PyCode>,
    chain: Arc<Chain>,
    globals: &PyDictRef,
    table: &Arc<ModuleTable>,
    vm: &VirtualMachine,
) -> PyResult<()> {
    let builtins = table.builtins_for(Asker::ScriptModule(chain), vm)?;
    globals.set_item(vm.ctx.intern_str("__builtins__"), builtins.into(), vm)?;
    globals.set_item(vm.ctx.intern_str("__name__"), vm.ctx.new_str(name).into(), vm)?;
    globals.set_item(vm.ctx.intern_str(isolate::WARNING_REGISTRY), vm.ctx.none(), vm)?;
    operation::run_to_end(vm, globals, Some(code)).map(drop)
}

#[cold]
fn import_error(message: &str, vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_exception_msg(vm.ctx.exceptions.import_error.to_owned(), message.to_owned().into())
}
