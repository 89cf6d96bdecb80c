//! The sandboxes of a runner, as scopes in its interpreter, and the running of scripts in them.

use crate::budget::Budget;
use crate::error::{BudgetExceeded, ConversionError, Error, ScriptException, Stopped, TraceEntry};
use crate::guard::{Ground, streams};
use crate::host::callback::Callback;
use crate::host::scope_state::{self, ScopeState};
use crate::host::{awaitable, callback_call, convert, function};
use crate::meter::allocator::{self, Account, MemoryLimits};
use crate::meter::fuel::{self, Clock, LiveUsage, Metered, Run, Trip};
use crate::modules::table::ModuleTable;
use crate::policy::Policy;
use crate::runner::handover::{Queue, Watch};
use crate::runner::tasks::Tasks;
use crate::runner::{state, world};
use crate::sandbox::Config;
use crate::script::{Script, ScriptId};
use crate::usage::Usage;
use crate::value::{IntoArgs, Value};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyCode, PyCoroutine, PyDictRef, PyInt, PySet};
use rustpython_vm::function::ArgMapping;
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

/// Garbage of dropped sandboxes at which it is worth collecting.
const GARBAGE_BYTES: u64 = 8 << 20;
const GARBAGE_SANDBOXES: u32 = 512;

/// Characters of an exception's message, and calls of its traceback, that are kept.
const MAX_MESSAGE: usize = 4096;
const MAX_TRACEBACK: usize = 64;

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
    scripts: HashMap<ScriptId, (Script, PyRef<PyCode>)>,
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

/// What to do in a sandbox.
pub(crate) enum Op {
    /// Runs a script's top level; answers its last expression.
    Run(Script),
    /// Runs a script's top level; answers nothing, whatever its last expression is.
    Exec(Script),
    /// Calls a global.
    Call { name: String, args: Vec<Value> },
    /// Reads a global.
    Get(String),
    /// Sets a global.
    Set(String, Value),
    /// Makes a function of the host a global.
    SetFunction(function::NewFunction),
    /// Calls a callable that the host holds.
    CallFunction { callback: Callback, args: Vec<Value> },
    /// Copies the plain-data globals out.
    Snapshot,
    /// Sets all of these globals, or none.
    Restore(Vec<(String, Value)>),
    /// Puts a new version of a script in the place of the old one.
    Reload(Script),
    /// Does nothing for a time, in native code that meets no checkpoint.
    #[cfg(feature = "test-hooks")]
    HoldUp(std::time::Duration),
    /// Makes something that can be awaited a global.
    SetAwaitable(String),
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
            Op::Run(script) | Op::Exec(script) => match self.load(script) {
                Ok(code) => Some(code),
                Err(error) => return Done::failed(error),
            },
            Op::Reload(script) => {
                let script = script.clone();
                return self.reload(place, &script);
            }
            _ => None,
        };
        self.enter(place, |vm, globals| perform(vm, globals, op, code))
    }

    /// Puts a new version of a script in the place of the old one, see [`Sandbox::reload`](crate::Sandbox::reload).
    fn reload(&mut self, place: Place<'_>, script: &Script) -> Done {
        let mut prepare = || {
            let code = self.load(script)?;
            // Imported modules stay as they are, as they do where Python reloads a module.
            let modules = self.scope(place.sandbox, place.config)?.modules.clone();
            Ok((code, self.ground.new_globals(modules.as_ref(), self.vm)?))
        };
        let (code, fresh) = match prepare() {
            Ok(prepared) => prepared,
            Err(error) => return Done::failed(error),
        };
        let sandbox = place.sandbox;
        let done = self.enter(place, |vm, globals| {
            let run = |globals: &PyDictRef| run_to_end(vm, globals, Some(code)).map(drop);
            state::reload(globals, &fresh, run, vm).map(|value| Ok(Answer::Value(value)))
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

    /// Compiles the modules that a policy grants, so that no run waits for that.
    pub(crate) fn prepare_modules(&mut self, policy: &Policy) -> Result<(), Error> {
        let _running = world::Running::begin(self.vm);
        self.ground.prepare_modules(policy, self.vm)
    }

    /// The public names of a module that a policy grants.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn module_names(&mut self, module: &str, config: &Arc<Config>) -> Result<Vec<String>, Error> {
        use crate::modules::table::Asker;
        let vm = self.vm;
        let _running = world::Running::begin(vm);
        let table = self.ground.new_modules(config, vm)?;
        let mut run = Run::new(config.cancel.0.clone(), None, Arc::default());
        run.begin(&Budget::default(), None, Clock::started());
        let names = fuel::metered(run, || {
            table
                .as_ref()
                .and_then(|table| table.import(module, Asker::Script, vm).ok().flatten())
                .map(|facade| facade.names())
        });
        if let Some(table) = &table {
            table.clear();
        }
        names.result.ok_or_else(|| Error::Setup(format!("the module '{module}' cannot be imported")))
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
        Ok(crate::compile::disassemble(&*self.load(script)?, self.vm))
    }

    /// The scope of a sandbox, made at its first use.
    pub(crate) fn scope(&mut self, id: SandboxId, config: &Arc<Config>) -> Result<&mut SandboxScope, Error> {
        match self.scopes.entry(id) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                Ok(entry.insert(SandboxScope::new(&self.ground, config, self.vm)?))
            }
        }
    }

    /// Does `work` in a sandbox, inside the meters. The thread must be [`world::Running`].
    pub(crate) fn enter(
        &mut self,
        place: Place<'_>,
        work: impl FnOnce(&VirtualMachine, &PyDictRef) -> Performed,
    ) -> Done {
        let vm = self.vm;
        let scope = match self.scope(place.sandbox, place.config) {
            Ok(scope) => scope,
            Err(error) => return Done::failed(error),
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
            .unwrap_or_else(|| Run::new(place.config.cancel.0.clone(), place.config.hook.clone(), place.live.clone()));
        run.begin(budget, limits.memory, place.clock);
        // A recursion limit of a run counts from where the run begins.
        let outer_limit = vm.recursion_limit.get();
        vm.recursion_limit.set(vm.current_recursion_depth() + budget.recursion);
        let (Metered { result, mut usage, trip, run }, output) = scope_state::entered(&scope.state, || {
            streams::captured(|| {
                allocator::billed(&scope.account, limits, || {
                    fuel::metered(run, || {
                        let result = fuel::enter(vm).and_then(|()| work(vm, &scope.globals));
                        carry_out(vm, result)
                    })
                })
            })
        });
        vm.recursion_limit.set(outer_limit);
        scope.run.set(run);
        usage.live_bytes = scope.account.held();
        Done { result: outcome(trip, result, budget, usage), usage, output }
    }

    /// The instrumented code of a script on this interpreter.
    pub(crate) fn load(&mut self, script: &Script) -> Result<PyRef<PyCode>, Error> {
        if let Some((_, code)) = self.scripts.get(&script.id()) {
            return Ok(code.clone());
        }
        let code = script.load(self.vm)?;
        // A script that only this cache still holds will not be run again. Looked for so often that few such are held, and
        // so seldom that looking does not show beside the loading.
        self.loaded += 1;
        if self.loaded >= self.scripts.len() / 8 {
            self.scripts.retain(|_, (script, _)| !script.is_last_handle());
            self.loaded = 0;
        }
        self.scripts.insert(script.id(), (script.clone(), code.clone()));
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

pub(crate) fn memory_limits(budget: &Budget) -> Result<MemoryLimits, Error> {
    use crate::budget::Asked;
    if allocator::installed() {
        return Ok(MemoryLimits { memory: Some(budget.memory.value()), allocations: Some(budget.allocations.value()) });
    }
    if matches!((budget.memory, budget.allocations), (Asked::Default(_), Asked::Default(_))) {
        return Ok(MemoryLimits::default());
    }
    Err(Error::Setup(
        "a memory or allocation limit needs the metered allocator; add to the host's main.rs: \
         #[global_allocator] static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();"
            .to_owned(),
    ))
}

/// Why an operation failed, if it did not trip.
pub(crate) enum Failure {
    Exception(ScriptException),
    Other(Error),
}

/// What the host is told of a run that has ended.
pub(crate) fn outcome(
    trip: Option<Trip>,
    result: Result<Value, Failure>,
    budget: &Budget,
    usage: Usage,
) -> Result<Value, Error> {
    match (trip, result) {
        (None, Ok(value)) => Ok(value),
        (Some(trip), Err(Failure::Exception(stop))) => Err(stopped(trip, budget, usage, stop.traceback)),
        (Some(trip), _) => Err(stopped(trip, budget, usage, Vec::new())),
        (None, Err(Failure::Exception(mut exception))) => {
            exception.usage = Box::new(usage);
            Err(Error::Exception(exception))
        }
        (None, Err(Failure::Other(error))) => Err(error),
    }
}

/// Does the operation, inside the meters.
fn perform(vm: &VirtualMachine, globals: &PyDictRef, op: Op, code: Option<PyRef<PyCode>>) -> Performed {
    match op {
        Op::Run(_) => run_to_end(vm, globals, code).map(|value| Ok(Answer::Object(value))),
        Op::Exec(_) => run_to_end(vm, globals, code).map(|_| done()),
        Op::Call { name, args } => call_global(vm, globals, &name, args),
        Op::Get(name) => Ok(match globals.get_item_opt(name.as_str(), vm)? {
            Some(value) if public(&name) => Ok(Answer::Object(value)),
            _ => Err(Error::Setup(format!("the sandbox has no global named '{name}'"))),
        }),
        Op::Set(name, value) => match convert::to_python(&value, vm) {
            Ok(object) => set_global(vm, globals, &name, object),
            Err(error) => Ok(Err(error.into())),
        },
        Op::SetFunction(new) => {
            let name = new.name.clone();
            let object = function::object(new, vm);
            set_global(vm, globals, &name, object)
        }
        #[cfg(feature = "test-hooks")]
        Op::HoldUp(time) => {
            std::thread::sleep(time);
            Ok(done())
        }
        Op::SetAwaitable(name) => set_global(vm, globals, &name, awaitable::object(&name, vm)),
        Op::CallFunction { callback, args } => call_held(vm, &callback, args),
        Op::Snapshot => state::snapshot(globals, vm).map(|value| Ok(Answer::Value(value))),
        Op::Restore(data) => state::restore(globals, &data, vm).map(|done| done.map(Answer::Value)),
        Op::Reload(_) => Ok(Err(Error::Setup("a reload needs globals of its own".to_owned()))),
    }
}

/// Copies what came of an operation out, inside the meters.
pub(crate) fn carry_out(vm: &VirtualMachine, result: Performed) -> Result<Value, Failure> {
    match result {
        Ok(Ok(Answer::Object(object))) => {
            // What most calls answer takes no memory of the host's.
            if vm.is_none(&object) {
                return Ok(Value::None);
            }
            if let Some(int) = object.downcast_ref_if_exact::<PyInt>(vm)
                && let Ok(small) = i64::try_from(int.as_bigint())
            {
                return Ok(Value::Int(small));
            }
            let paused = allocator::pause();
            let value = convert::from_python(&object, vm);
            drop(paused);
            value.map_err(|error| Failure::Other(error.into()))
        }
        Ok(Ok(Answer::Value(value))) => Ok(value),
        Ok(Err(error)) => Err(Failure::Other(error)),
        Err(exception) => Err(Failure::Exception(describe(vm, &exception))),
    }
}

/// Done, with nothing to answer.
fn done() -> Result<Answer, Error> {
    Ok(Answer::Value(Value::None))
}

/// Runs a script's top level, and drives what it answers, if that is a coroutine.
pub(crate) fn run_to_end(vm: &VirtualMachine, globals: &PyDictRef, code: Option<PyRef<PyCode>>) -> PyResult {
    run_code(vm, globals, code).and_then(|result| drive(result, vm))
}

fn run_code(vm: &VirtualMachine, globals: &PyDictRef, code: Option<PyRef<PyCode>>) -> PyResult {
    match code {
        Some(code) => {
            // The interpreter makes this set itself for a module that annotates its variables, but not for one that
            // answers a value.
            const ANNOTATED: &str = "__conditional_annotations__";
            if code.names.iter().any(|name| name.as_str() == ANNOTATED) {
                globals.set_item(ANNOTATED, PySet::default().into_ref(&vm.ctx).into(), vm)?;
            }
            let locals = ArgMapping::from_dict_exact(globals.clone());
            vm.run_code_obj(code, Scope::new(Some(locals), globals.clone()))
        }
        None => Ok(vm.ctx.none()),
    }
}

/// What came of an operation: an answer, why it could not be done, or an exception.
pub(crate) type Performed = PyResult<Result<Answer, Error>>;

/// What an operation answers.
pub(crate) enum Answer {
    /// An object of the script, to be copied out.
    Object(PyObjectRef),
    Value(Value),
}

/// Calls a global function, and drives what it answers, if that is a coroutine.
pub(crate) fn call_global(vm: &VirtualMachine, globals: &PyDictRef, name: &str, args: impl IntoArgs) -> Performed {
    let function = match globals.get_item_opt(name, vm)? {
        Some(function) if public(name) => function,
        _ => return Ok(Err(Error::Setup(format!("the sandbox has no global named '{name}' to call")))),
    };
    call_object(vm, &function, args)
}

/// Calls a callable of the script that the host holds.
pub(crate) fn call_held(vm: &VirtualMachine, callback: &Callback, args: impl IntoArgs) -> Performed {
    match scope_state::current().and_then(|state| state.held(callback)) {
        Some(function) => call_object(vm, &function, args),
        None => Ok(Err(callback_call::foreign())),
    }
}

fn call_object(vm: &VirtualMachine, function: &PyObject, args: impl IntoArgs) -> Performed {
    let mut objects = Vec::new();
    let converted = args.each(&mut |arg| {
        objects.push(convert::to_python(&arg, vm)?);
        Ok::<(), ConversionError>(())
    });
    if let Err(error) = converted {
        return Ok(Err(error.into()));
    }
    function.call(objects, vm).and_then(|result| drive(result, vm)).map(|value| Ok(Answer::Object(value)))
}

fn set_global(vm: &VirtualMachine, globals: &PyDictRef, name: &str, object: PyObjectRef) -> Performed {
    if !public(name) {
        return Ok(Err(Error::Setup(format!("'{name}' cannot be the name of a global"))));
    }
    globals.set_item(name, object, vm)?;
    if let Some(state) = scope_state::current() {
        state.set_by_host.borrow_mut().insert(name.to_owned());
    }
    Ok(done())
}

/// Whether a host may name a global so: the interpreter's own entries in a scope are not for it.
pub(crate) fn public(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("__")
}

/// Runs a coroutine that a call answered to its end. There is no event loop: what it awaits must be coroutines.
pub(crate) fn drive(result: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    if result.downcast_ref::<PyCoroutine>().is_none() {
        return Ok(result);
    }
    match vm.call_method(&result, "send", (vm.ctx.none(),)) {
        Ok(_) => {
            Err(vm.new_runtime_error("the coroutine waits for something that never comes: there is no event loop"))
        }
        Err(error) if error.fast_isinstance(vm.ctx.exceptions.stop_iteration) => {
            Ok(error.get_arg(0).unwrap_or_else(|| vm.ctx.none()))
        }
        Err(error) => Err(error),
    }
}

/// What the host learns of an exception. Its `str()` may be script code, so this is part of the run.
pub(crate) fn describe(vm: &VirtualMachine, exception: &PyBaseExceptionRef) -> ScriptException {
    let message = if fuel::tripped() {
        String::new()
    } else {
        match exception.as_object().str(vm) {
            Ok(text) => shorten(&text.to_string_lossy()),
            Err(_) => "<its __str__ failed>".to_owned(),
        }
    };
    // One that is not let through goes before the billing is paused: freeing it may run code of the script.
    let host_error = fuel::with_run(|run| run.state.host_error.take()).flatten();
    let host_error = host_error.filter(|(raised, _)| raised.is(exception)).map(|(_, error)| error);
    let _paused = allocator::pause();
    ScriptException {
        type_name: exception.class().name().to_string(),
        message,
        traceback: if fuel::tripped() { traceback(&first_stop(vm, exception)) } else { traceback(exception) },
        host_error,
        usage: Box::default(),
        serial: None,
    }
}

/// What has stopped the current run, for the host function that is in the middle of it.
pub(crate) fn stop_so_far() -> Error {
    let usage = Box::new(fuel::usage_so_far().unwrap_or_default());
    match fuel::trip_so_far() {
        Some(Trip::Limit(limit)) => Error::Budget(BudgetExceeded {
            limit,
            lifetime: false,
            allowed: fuel::allowed(limit).unwrap_or(0),
            used: usage.of(limit),
            traceback: Vec::new(),
            usage,
        }),
        Some(Trip::Stopped(reason)) => Error::Stopped(Stopped { reason, traceback: Vec::new(), usage }),
        Some(Trip::Cancelled) | None => Error::Cancelled(usage),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}... ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// What stopped a tripped run first: each handler that it passed has raised the stop anew, from where the handler is.
fn first_stop(vm: &VirtualMachine, last: &PyBaseExceptionRef) -> PyBaseExceptionRef {
    let mut first = last.clone();
    let mut next = last.__context__();
    // As many as there may be nested calls, each with some handlers; a chain can be made to bite its tail.
    for _ in 0..10_000 {
        let Some(exception) = next else { break };
        next = exception.__context__();
        // Scripts cannot raise a bare `BaseException`: this is a stop.
        if exception.class().is(vm.ctx.exceptions.base_exception_type) {
            first = exception;
        }
    }
    first
}

fn traceback(exception: &PyBaseExceptionRef) -> Vec<TraceEntry> {
    let mut entries = Vec::new();
    let mut next = exception.traceback();
    while let Some(link) = next {
        let code = link.frame.f_code();
        if entries.len() == MAX_TRACEBACK {
            // The outermost calls and the innermost one say most.
            entries.pop();
        }
        entries.push(TraceEntry {
            file: code.source_path().to_string(),
            line: link.lineno.get() as u32,
            column: usize::try_from(link.lasti / 2)
                .ok()
                .and_then(|index| code.locations.get(index))
                .map(|(start, _)| start.character_offset.get() as u32),
            function: code.obj_name.to_string(),
        });
        next = link.next.lock().clone();
    }
    entries
}

fn stopped(trip: Trip, budget: &Budget, usage: Usage, traceback: Vec<TraceEntry>) -> Error {
    let limit = match trip {
        Trip::Limit(limit) => limit,
        Trip::Cancelled => return Error::Cancelled(Box::new(usage)),
        Trip::Stopped(reason) => return Error::Stopped(Stopped { reason, traceback, usage: Box::new(usage) }),
    };
    Error::Budget(BudgetExceeded {
        limit,
        lifetime: false,
        allowed: budget.allowed(limit),
        used: usage.of(limit),
        traceback,
        usage: Box::new(usage),
    })
}
