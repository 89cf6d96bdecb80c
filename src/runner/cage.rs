//! The sandboxes of a runner, as scopes in its interpreter, and the running of scripts in them.

use crate::budget::Budget;
use crate::error::Error;
use crate::guard::Ground;
use crate::host::scope_state::ScopeState;
use crate::meter::allocator::{self, Account, MemoryLimits};
use crate::meter::clock::Clock;
use crate::meter::fuel::{self, Metered};
use crate::meter::run::{LiveUsage, Run};
use crate::modules::table::ModuleTable;
use crate::policy::Policy;
use crate::runner::handover::{Queue, Watch};
use crate::runner::operation::{Answer, Op, Performed, as_run, perform, run_to_end};
use crate::runner::outcome::outcome;
use crate::runner::tasks::Tasks;
use crate::runner::{state, world};
use crate::sandbox::Config;
use crate::script::{Script, ScriptId};
use crate::usage::Usage;
use crate::value::Value;
#[cfg(feature = "test-hooks")]
use rustpython_vm::AsObject;
use rustpython_vm::builtins::{PyCode, PyDictRef};
use rustpython_vm::{PyObjectRef, PyRef, PyResult, VirtualMachine};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

/// Garbage of dropped sandboxes at which it is worth collecting.
const GARBAGE_BYTES: u64 = 8 << 20;
const GARBAGE_SANDBOXES: u32 = 512;

/// Names a sandbox on its runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SandboxId(pub u64);

/// The sandboxes of a runner, on the runner's own thread: what [`Runner::with`](crate::Runner::with) hands to its closure.
///
/// Its methods are those of [`Sandbox`](crate::Sandbox), with no hand-over between threads. Budgets, deadlines and
/// the rest hold as they do there.
///
/// ```
/// use pycage::{Runner, Sandbox};
///
/// let runner = Runner::new()?;
/// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
/// sandbox.exec("def tick(x): return x + 1")?;
/// let last = runner.with(move |cage| {
///     (0..100).fold(Ok(0), |_, x| cage.call::<i64>(&mut sandbox, "tick", (x,)))
/// })?;
/// assert_eq!(last?, 100);
/// # Ok::<(), pycage::Error>(())
/// ```
pub struct Cage<'vm> {
    pub(crate) vm: &'vm VirtualMachine,
    /// Where the thread's jobs come from, to tell the runner's own sandboxes from others.
    queue: Option<*const Queue>,
    /// Who waits for the closure that runs, if one does.
    pub(crate) waiting: Option<Arc<Watch>>,
    /// Whether a call has begun and not ended: after a panic, the interpreter is not to be used any more.
    pub(crate) inside: bool,
    ground: Ground,
    pub(crate) tasks: Tasks,
    pub(crate) scopes: HashMap<SandboxId, SandboxScope, BuildHasherDefault<IdHasher>>,
    scripts: HashMap<(ScriptId, bool), (Script, PyRef<PyCode>)>,
    /// Scripts loaded since those that nobody holds any more were last let go.
    loaded: usize,
    garbage_bytes: u64,
    garbage_sandboxes: u32,
}

pub(crate) struct SandboxScope {
    pub(crate) globals: PyDictRef,
    modules: Option<Arc<ModuleTable>>,
    pub(crate) account: Account,
    pub(crate) state: Rc<ScopeState>,
    /// The state of a run, kept from one to the next.
    run: Cell<Option<Box<Run>>>,
}

/// Numbers that are given out one after the other need no mixing, beyond moving them to where the map looks.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// A call into a sandbox.
pub(crate) struct Call {
    pub sandbox: SandboxId,
    pub config: Arc<Config>,
    pub budget: Budget,
    pub live: Arc<LiveUsage>,
    pub op: Op,
}

/// Where something is to be done, and under which limits.
pub(crate) struct Place<'a> {
    pub sandbox: SandboxId,
    pub config: &'a Arc<Config>,
    pub budget: &'a Budget,
    pub live: &'a Arc<LiveUsage>,
    pub clock: Clock,
}

/// What came of a call.
pub(crate) struct Done {
    pub result: Result<Value, Error>,
    pub usage: Usage,
    pub output: String,
}

impl<'vm> Cage<'vm> {
    /// Closes the interpreter off, and makes room for sandboxes.
    pub(crate) fn new(vm: &'vm VirtualMachine, queue: Option<&Queue>) -> PyResult<Self> {
        Ok(Cage {
            vm,
            queue: queue.map(std::ptr::from_ref),
            waiting: None,
            inside: false,
            ground: Ground::prepare(vm)?,
            tasks: Tasks::default(),
            scopes: HashMap::default(),
            scripts: HashMap::new(),
            loaded: 0,
            garbage_bytes: 0,
            garbage_sandboxes: 0,
        })
    }

    /// Runs a call that was handed over to its end.
    pub(crate) fn answer(&mut self, call: Call) -> Done {
        let _running = world::Running::begin(self.vm);
        let place = Place {
            sandbox: call.sandbox,
            config: &call.config,
            budget: &call.budget,
            live: &call.live,
            clock: Clock::started(),
        };
        self.perform(place, call.op)
    }

    /// Does an operation. The thread must be [`world::Running`].
    pub(crate) fn perform(&mut self, place: Place<'_>, op: Op) -> Done {
        let code = match &op {
            Op::Run(script) | Op::Exec(script) => match self.load(script, place.config.profile.is_some()) {
                Ok(code) => Some(code),
                Err(error) => return Done::failed(error),
            },
            Op::Reload(script) => {
                let script = script.clone();
                return self.reload(place, &script);
            }
            _ => None,
        };
        self.enter(place, |vm, scope| perform(vm, scope, op, code))
    }

    /// Puts a new version of a script in the place of the old one, see [`Sandbox::reload`](crate::Sandbox::reload).
    fn reload(&mut self, place: Place<'_>, script: &Script) -> Done {
        let mut prepare = || {
            let code = self.load(script, place.config.profile.is_some())?;
            // Imported modules stay as they are, as they do where Python reloads a module.
            let modules = self.scope(place.sandbox, place.config)?.modules.clone();
            Ok((code, self.ground.new_globals(modules.as_ref(), self.vm)?))
        };
        let (code, fresh) = match prepare() {
            Ok(prepared) => prepared,
            Err(error) => return Done::failed(error),
        };
        let sandbox = place.sandbox;
        let done = self.enter(place, |vm, scope| {
            let run = |globals: &PyDictRef| run_to_end(vm, globals, Some(code)).map(drop);
            state::reload(&scope.globals, &fresh, run, vm).map(|value| Ok(Answer::Value(value)))
        });
        if done.result.is_ok()
            && let Some(scope) = self.scopes.get_mut(&sandbox)
        {
            // What the old globals hold is in cycles with them: it waits for a collection.
            scope.globals = fresh;
            self.garbage_sandboxes += 1;
        }
        done
    }

    /// Whether this is the runner with that queue.
    #[inline]
    pub(crate) fn is_served_by(&self, queue: &Arc<Queue>) -> bool {
        self.queue.is_some_and(|own| std::ptr::eq(own, Arc::as_ptr(queue)))
    }

    /// Forgets a sandbox.
    pub(crate) fn drop_sandbox(&mut self, id: SandboxId) {
        let _running = world::Running::begin(self.vm);
        self.end_tasks_of(id);
        let Some(scope) = self.scopes.remove(&id) else { return };
        // Functions hold the globals, which hold the functions: cleared, most of a scope is freed at once. What is in
        // cycles of its own (classes) waits for a collection. No script code runs in this: outside of a run, every probe
        // refuses.
        scope.globals.clear();
        scope.state.clear();
        if let Some(modules) = &scope.modules {
            modules.clear();
        }
        drop((scope.globals, scope.modules));
        self.garbage_bytes += scope.account.held();
        self.garbage_sandboxes += 1;
        if self.garbage_bytes > GARBAGE_BYTES || self.garbage_sandboxes > GARBAGE_SANDBOXES {
            // Put off when another runner does not give way: then again soon.
            let done = world::collect(self.vm, 2);
            self.garbage_bytes = if done { 0 } else { GARBAGE_BYTES * 7 / 8 };
            self.garbage_sandboxes = if done { 0 } else { GARBAGE_SANDBOXES * 7 / 8 };
        }
    }

    /// Lets go of everything that only waits to be let go of: scripts that nobody holds, and garbage.
    #[cfg(feature = "process")]
    pub(crate) fn tidy_up(&mut self) {
        let _running = world::Running::begin(self.vm);
        self.scripts.retain(|_, (script, _)| !script.is_last_handle());
        if world::collect(self.vm, 2) {
            (self.garbage_bytes, self.garbage_sandboxes) = (0, 0);
        }
    }

    /// Compiles the modules that a policy grants, so that no run waits for that.
    pub(crate) fn prepare_modules(&mut self, policy: &Policy) -> Result<(), Error> {
        let _running = world::Running::begin(self.vm);
        self.ground.prepare_modules(policy, self.vm)
    }

    /// The public names of a module that a policy grants.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn module_names(&mut self, module: &str, config: &Arc<Config>) -> Result<Vec<String>, Error> {
        self.look_into(module, config, |facade, _| facade.names())
    }

    /// The classes among them, with what a script may ask each, or an instance of it, for by name.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn module_classes(
        &mut self,
        module: &str,
        config: &Arc<Config>,
    ) -> Result<Vec<(String, Vec<String>)>, Error> {
        use crate::guard::names;
        use rustpython_vm::builtins::PyType;
        self.look_into(module, config, |facade, vm| {
            let classes = facade.names().into_iter().filter_map(|name| {
                let member = facade.as_object().get_attr(vm.ctx.intern_str(name.as_str()), vm).ok()?;
                let class = member.downcast::<PyType>().ok()?;
                let line = class.mro_collect();
                let names = line.iter().flat_map(|class| class.attributes().interned_names(&vm.ctx));
                let names = names.map(|name| name.as_str().to_owned()).filter(|name| names::attribute(name));
                Some((name, names.collect()))
            });
            classes.collect()
        })
    }

    #[cfg(feature = "test-hooks")]
    fn look_into<R>(
        &mut self,
        module: &str,
        config: &Arc<Config>,
        look: impl FnOnce(&rustpython_vm::Py<crate::guard::facade::ModuleFacade>, &VirtualMachine) -> R,
    ) -> Result<R, Error> {
        use crate::modules::table::Asker;
        let vm = self.vm;
        let _running = world::Running::begin(vm);
        let table = self.ground.new_modules(config, vm)?;
        let mut run = Run::new(config.cancel.0.clone(), None, Arc::default());
        run.begin(&Budget::default(), None, Clock::started());
        let seen = fuel::metered(run, || {
            let facade = table.as_ref().and_then(|table| table.import(module, &Asker::Script, vm).ok().flatten());
            facade.map(|facade| look(&facade, vm))
        });
        if let Some(table) = &table {
            table.clear();
        }
        seen.result.ok_or_else(|| Error::Setup(format!("the module '{module}' cannot be imported")))
    }

    /// Plants the canary, see [`Runner::plant_canary`](crate::Runner::plant_canary).
    pub(crate) fn plant_canary(&mut self) -> Result<(), Error> {
        let vm = self.vm;
        let plant = || -> PyResult<()> {
            let secret: PyObjectRef = vm.ctx.new_str("S3CRET").into();
            vm.builtins.dict().set_item("_canary_secret", secret.clone(), vm)?;
            let module = vm.new_module("hostmod", vm.ctx.new_dict(), None);
            module.dict().set_item("secret", secret, vm)?;
            vm.sys_module.get_attr("modules", vm)?.set_item("hostmod", module.into(), vm)
        };
        plant().map_err(|_| Error::Setup("the canary could not be planted".to_owned()))
    }

    /// What a sandbox holds that no script may have, if anything: see [`reach`](crate::guard::reach).
    #[cfg(feature = "test-hooks")]
    pub(crate) fn reached(&mut self, id: SandboxId) -> Option<String> {
        use crate::guard::reach::{Forbidden, belongings, values};
        let vm = self.vm;
        let globals = &self.scopes.get(&id)?.globals;
        let builtins = globals.get_item_opt("__builtins__", vm).ok().flatten()?.downcast().ok()?;
        let mut forbidden = Forbidden::new(&builtins, vm);
        forbidden.add(globals.as_object(), "the dict of its globals");
        for (_, scope) in self.scopes.iter().filter(|(other, _)| **other != id) {
            for object in belongings(&scope.globals, vm) {
                forbidden.add(&object, format!("a {} of another sandbox", object.class().name()));
            }
        }
        forbidden.find(values(globals), vm)
    }

    /// A listing of a script's instrumented code.
    pub(crate) fn disassemble(&mut self, script: &Script) -> Result<String, Error> {
        Ok(crate::compile::disassemble(&*self.load(script, false)?, self.vm))
    }

    /// The scope of a sandbox, made at its first use.
    #[inline]
    pub(crate) fn scope(&mut self, id: SandboxId, config: &Arc<Config>) -> Result<&mut SandboxScope, Error> {
        match self.scopes.entry(id) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                Ok(entry.insert(SandboxScope::new(&self.ground, config, self.vm)?))
            }
        }
    }

    /// Does `work` in a sandbox, inside the meters. The thread must be [`world::Running`].
    #[inline]
    pub(crate) fn enter(
        &mut self,
        place: Place<'_>,
        work: impl FnOnce(&VirtualMachine, &SandboxScope) -> Performed,
    ) -> Done {
        let vm = self.vm;
        // Looked for alone first, as it is nearly always there.
        let scope = match self.scopes.get(&place.sandbox) {
            Some(scope) => scope,
            None => match self.scope(place.sandbox, place.config) {
                Ok(scope) => scope,
                Err(error) => return Done::failed(error),
            },
        };
        let budget = place.budget;
        let limits = match memory_limits(budget) {
            Ok(limits) => limits,
            Err(error) => return Done::failed(error),
        };
        let mut run = scope
            .run
            .take()
            // A worker process has a hook and a cancel of its own for each call.
            .filter(|run| run.listens_to(&place.config.cancel.0, place.live))
            .unwrap_or_else(|| {
                Run::new(place.config.cancel.0.clone(), place.config.hook.clone(), place.live.clone())
                    .of(&scope.state)
                    .recording(place.config.profile.as_ref())
            });
        let start = run.begin(budget, limits.memory, place.clock);
        // A recursion limit of a run counts from where the run begins.
        let outer_limit = vm.recursion_limit.get();
        vm.recursion_limit.set(vm.current_recursion_depth() + budget.recursion);
        scope.state.sweep();
        let Metered { result, mut usage, trip, mut run } =
            allocator::billed(&scope.account, limits, || fuel::metered(run, || as_run(vm, start, || work(vm, scope))));
        vm.recursion_limit.set(outer_limit);
        let output = run.as_mut().map(|run| std::mem::take(&mut run.state.output)).unwrap_or_default();
        scope.run.set(run);
        usage.live_bytes = scope.account.held();
        Done { result: outcome(trip, result, budget, &usage), usage, output }
    }

    /// The instrumented code of a script on this interpreter.
    pub(crate) fn load(&mut self, script: &Script, profile: bool) -> Result<PyRef<PyCode>, Error> {
        if let Some((_, code)) = self.scripts.get(&(script.id(), profile)) {
            return Ok(code.clone());
        }
        let code = script.load(profile, self.vm)?;
        // A script that only this cache still holds will not be run again. Looked for so often that few such are held, and
        // so seldom that looking does not show beside the loading.
        self.loaded += 1;
        if self.loaded >= self.scripts.len() / 8 {
            self.scripts.retain(|_, (script, _)| !script.is_last_handle());
            self.loaded = 0;
        }
        self.scripts.insert((script.id(), profile), (script.clone(), code.clone()));
        Ok(code)
    }
}

impl Done {
    /// Before anything ran.
    pub(crate) fn failed(error: Error) -> Self {
        Done { result: Err(error), usage: Usage::default(), output: String::new() }
    }
}

impl SandboxScope {
    fn new(ground: &Ground, config: &Arc<Config>, vm: &VirtualMachine) -> Result<Self, Error> {
        let account = Account::open()
            .ok_or_else(|| Error::Setup("about a million sandboxes are alive; drop some first".to_owned()))?;
        let state = ScopeState::new(config.data.clone(), config.policy.values, config.cancel.0.clone());
        let modules = ground.new_modules(config, vm)?;
        let globals = ground.new_globals(modules.as_ref(), vm)?;
        Ok(SandboxScope { globals, modules, account, state, run: Cell::new(None) })
    }
}

#[inline]
pub(crate) fn memory_limits(budget: &Budget) -> Result<MemoryLimits, Error> {
    if allocator::installed() {
        return Ok(MemoryLimits { memory: Some(budget.memory.value()), allocations: Some(budget.allocations.value()) });
    }
    no_memory_limits(budget)
}

#[cold]
fn no_memory_limits(budget: &Budget) -> Result<MemoryLimits, Error> {
    use crate::budget::Asked;
    if matches!((budget.memory, budget.allocations), (Asked::Default(_), Asked::Default(_))) {
        return Ok(MemoryLimits::default());
    }
    Err(Error::Setup(
        "a memory or allocation limit needs the metered allocator; add to the host's main.rs: \
         #[global_allocator] static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();"
            .to_owned(),
    ))
}
