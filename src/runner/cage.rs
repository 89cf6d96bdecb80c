//! The sandboxes of a runner, as scopes in its interpreter, and the running of scripts in them.

use crate::budget::Budget;
use crate::error::{BudgetExceeded, Error, ScriptException, Stopped, TraceEntry};
use crate::guard::{Ground, streams};
use crate::host::{convert, function};
use crate::meter::allocator::{self, Account, MemoryLimits};
use crate::meter::fuel::{self, LiveUsage, Run, RunState, Trip};
use crate::modules::table::ModuleTable;
use crate::policy::Policy;
use crate::runner::world;
use crate::sandbox::Config;
use crate::script::{Script, ScriptId};
use crate::usage::Usage;
use crate::value::Value;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyCode, PyCoroutine, PyDictRef, PySet};
use rustpython_vm::function::ArgMapping;
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Garbage of dropped sandboxes at which it is worth collecting.
const GARBAGE_BYTES: u64 = 8 << 20;
const GARBAGE_SANDBOXES: u32 = 512;

/// Characters of an exception's message, and calls of its traceback, that are kept.
const MAX_MESSAGE: usize = 4096;
const MAX_TRACEBACK: usize = 64;

/// Names a sandbox on its runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SandboxId(pub u64);

/// Everything on a runner's thread beside its interpreter.
pub(crate) struct Cage<'vm> {
    vm: &'vm VirtualMachine,
    ground: Ground,
    scopes: HashMap<SandboxId, SandboxScope>,
    scripts: HashMap<ScriptId, (Script, PyRef<PyCode>)>,
    /// Scripts loaded since those that nobody holds any more were last let go.
    loaded: usize,
    garbage_bytes: u64,
    garbage_sandboxes: u32,
}

struct SandboxScope {
    globals: PyDictRef,
    modules: Option<Arc<ModuleTable>>,
    account: Account,
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
    SetFunction(String, function::Erased),
    /// Does nothing for a time, in native code that meets no checkpoint.
    #[cfg(feature = "test-hooks")]
    HoldUp(std::time::Duration),
}

/// A call into a sandbox.
pub(crate) struct Call {
    pub sandbox: SandboxId,
    pub config: Arc<Config>,
    pub budget: Budget,
    pub live: Arc<LiveUsage>,
    pub op: Op,
}

/// What came of a call.
pub(crate) struct Done {
    pub result: Result<Value, Error>,
    pub usage: Usage,
    pub output: String,
}

impl<'vm> Cage<'vm> {
    /// Closes the interpreter off, and makes room for sandboxes.
    pub(crate) fn new(vm: &'vm VirtualMachine) -> PyResult<Self> {
        Ok(Cage {
            vm,
            ground: Ground::prepare(vm)?,
            scopes: HashMap::new(),
            scripts: HashMap::new(),
            loaded: 0,
            garbage_bytes: 0,
            garbage_sandboxes: 0,
        })
    }

    /// Runs a call to its end.
    pub(crate) fn run(&mut self, call: Call) -> Done {
        let _running = world::Running::begin(self.vm);
        match self.try_run(call) {
            Ok(done) => done,
            // Before anything ran.
            Err(error) => Done { result: Err(error), usage: Usage::default(), output: String::new() },
        }
    }

    /// Forgets a sandbox.
    pub(crate) fn drop_sandbox(&mut self, id: SandboxId) {
        let Some(scope) = self.scopes.remove(&id) else { return };
        let _running = world::Running::begin(self.vm);
        // Functions hold the globals, which hold the functions: cleared, most of a scope is freed at once. What is in
        // cycles of its own (classes) waits for a collection. No script code runs in this: outside of a run, every probe
        // refuses.
        scope.globals.clear();
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
        let (_, table) = self.ground.new_globals(config, vm)?;
        let names = fuel::metered(unlimited(config), || {
            table
                .as_ref()
                .and_then(|table| table.import(module, Asker::Script, vm).ok().flatten())
                .map(|facade| facade.names())
        });
        if let Some(table) = &table {
            table.clear();
        }
        names.0.ok_or_else(|| Error::Setup(format!("the module '{module}' cannot be imported")))
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

    fn try_run(&mut self, call: Call) -> Result<Done, Error> {
        let vm = self.vm;
        let code = match &call.op {
            Op::Run(script) | Op::Exec(script) => Some(self.load(script)?),
            _ => None,
        };
        let scope = match self.scopes.entry(call.sandbox) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(SandboxScope::new(&self.ground, &call.config, vm)?)
            }
        };
        let budget = &call.budget;
        let limits = memory_limits(budget)?;
        let run = Run {
            instructions: budget.instructions,
            memory: limits.memory,
            output: budget.output,
            host_calls: budget.host_calls,
            timeout: budget.timeout,
            started: Instant::now(),
            cancel: call.config.cancel.0.clone(),
            hook: call.config.hook.clone(),
            live: call.live,
            pace: crate::meter::fuel::Pace::begin(),
            state: RunState::default(),
        };
        // A recursion limit of a run counts from where the run begins.
        let outer_limit = vm.recursion_limit.get();
        vm.recursion_limit.set(vm.current_recursion_depth() + budget.recursion);
        let globals = scope.globals.clone();
        let op = call.op;
        let ((result, mut usage, trip), output) = streams::captured(|| {
            allocator::billed(&scope.account, limits, || fuel::metered(run, || perform(vm, &globals, op, code)))
        });
        vm.recursion_limit.set(outer_limit);
        usage.live_bytes = scope.account.held();
        let result = match (trip, result) {
            (Some(trip), Err(Failure::Exception(stop))) => Err(stopped(trip, budget, usage, stop.traceback)),
            (Some(trip), _) => Err(stopped(trip, budget, usage, Vec::new())),
            (None, Ok(value)) => Ok(value),
            (None, Err(Failure::Exception(mut exception))) => {
                exception.usage = Box::new(usage);
                Err(Error::Exception(exception))
            }
            (None, Err(Failure::Other(error))) => Err(error),
        };
        Ok(Done { result, usage, output })
    }

    /// The instrumented code of a script on this interpreter.
    fn load(&mut self, script: &Script) -> Result<PyRef<PyCode>, Error> {
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

impl SandboxScope {
    fn new(ground: &Ground, config: &Arc<Config>, vm: &VirtualMachine) -> Result<Self, Error> {
        let account = Account::open()
            .ok_or_else(|| Error::Setup("about a million sandboxes are alive; drop some first".to_owned()))?;
        let (globals, modules) = ground.new_globals(config, vm)?;
        Ok(SandboxScope { globals, modules, account })
    }
}

/// A run that is not limited, for what is not a script's.
#[cfg(feature = "test-hooks")]
fn unlimited(config: &Arc<Config>) -> Run {
    Run {
        instructions: u64::MAX / 4,
        memory: None,
        output: 0,
        host_calls: 0,
        timeout: std::time::Duration::from_secs(60),
        started: Instant::now(),
        cancel: config.cancel.0.clone(),
        hook: None,
        live: Arc::default(),
        pace: crate::meter::fuel::Pace::begin(),
        state: RunState::default(),
    }
}

fn memory_limits(budget: &Budget) -> Result<MemoryLimits, Error> {
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
enum Failure {
    Exception(ScriptException),
    Other(Error),
}

/// Does the operation, inside the meters.
fn perform(vm: &VirtualMachine, globals: &PyDictRef, op: Op, code: Option<PyRef<PyCode>>) -> Result<Value, Failure> {
    // A cancel that came before, and a budget of nothing, stop the run before its first instruction.
    let result = fuel::look_now(vm).and_then(|()| match op {
        Op::Run(_) => run_code(vm, globals, code).and_then(|result| drive(result, vm)).map(Ok),
        Op::Exec(_) => run_code(vm, globals, code).and_then(|result| drive(result, vm)).map(|_| Ok(vm.ctx.none())),
        Op::Call { name, args } => call_global(vm, globals, &name, args),
        Op::Get(name) => Ok(match globals.get_item_opt(name.as_str(), vm)? {
            Some(value) if public(&name) => Ok(value),
            _ => Err(Error::Setup(format!("the sandbox has no global named '{name}'"))),
        }),
        Op::Set(name, value) => match convert::to_python(&value, vm) {
            Ok(object) => set_global(vm, globals, &name, object),
            Err(error) => Ok(Err(error.into())),
        },
        Op::SetFunction(name, function) => {
            let object = function::object(&name, function, vm);
            set_global(vm, globals, &name, object)
        }
        #[cfg(feature = "test-hooks")]
        Op::HoldUp(time) => {
            std::thread::sleep(time);
            Ok(Ok(vm.ctx.none()))
        }
    });
    match result {
        Ok(Ok(object)) => {
            let paused = allocator::pause();
            let value = convert::from_python(&object, vm);
            drop(paused);
            value.map_err(|error| Failure::Other(error.into()))
        }
        Ok(Err(error)) => Err(Failure::Other(error)),
        Err(exception) => Err(Failure::Exception(describe(vm, &exception))),
    }
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

type Performed = PyResult<Result<PyObjectRef, Error>>;

fn call_global(vm: &VirtualMachine, globals: &PyDictRef, name: &str, args: Vec<Value>) -> Performed {
    let function = match globals.get_item_opt(name, vm)? {
        Some(function) if public(name) => function,
        _ => return Ok(Err(Error::Setup(format!("the sandbox has no global named '{name}' to call")))),
    };
    let mut objects = Vec::with_capacity(args.len());
    for arg in &args {
        match convert::to_python(arg, vm) {
            Ok(object) => objects.push(object),
            Err(error) => return Ok(Err(error.into())),
        }
    }
    function.call(objects, vm).and_then(|result| drive(result, vm)).map(Ok)
}

fn set_global(vm: &VirtualMachine, globals: &PyDictRef, name: &str, object: PyObjectRef) -> Performed {
    if !public(name) {
        return Ok(Err(Error::Setup(format!("'{name}' cannot be the name of a global"))));
    }
    globals.set_item(name, object, vm)?;
    Ok(Ok(vm.ctx.none()))
}

/// Whether a host may name a global so: the interpreter's own entries in a scope are not for it.
fn public(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("__")
}

/// Runs a coroutine that a call answered to its end. There is no event loop: what it awaits must be coroutines.
fn drive(result: PyObjectRef, vm: &VirtualMachine) -> PyResult {
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
fn describe(vm: &VirtualMachine, exception: &PyBaseExceptionRef) -> ScriptException {
    let message = if fuel::tripped() {
        String::new()
    } else {
        match exception.as_object().str(vm) {
            Ok(text) => shorten(&text.to_string_lossy()),
            Err(_) => "<its __str__ failed>".to_owned(),
        }
    };
    let _paused = allocator::pause();
    ScriptException {
        type_name: exception.class().name().to_string(),
        message,
        traceback: if fuel::tripped() { traceback(&first_stop(vm, exception)) } else { traceback(exception) },
        host_error: fuel::with_run(|run| run.state.host_error.take())
            .flatten()
            .filter(|(raised, _)| raised.is(exception))
            .map(|(_, error)| error),
        usage: Box::default(),
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
