//! A worker's life: into the jail, then frame by frame until the host closes the pipe.

use super::wire::{self, Times, Wire, WireHook, does_not_fit, misunderstood};
use crate::budget::Budget;
use crate::compile::{self, Checks};
use crate::error::Error;
use crate::host::function::NewFunction;
use crate::meter::hook::Cancel;
use crate::policy::Policy;
use crate::process::death::OUT_OF_MEMORY;
use crate::process::jail::{self, Ground};
use crate::process::protocol::VERSION;
use crate::process::protocol::frame::FrameError;
use crate::process::protocol::message::{
    Call, Done, FromWorker, HostAnswer, Opening, Ready, ToWorker, WireOp, WireScript, WireSlice,
};
use crate::process::protocol::outcome::Outcome;
use crate::process::protocol::value::Flat;
use crate::runner::cage::{self, Cage, SandboxId};
use crate::runner::fiber::Reply;
use crate::runner::operation::Op;
use crate::runner::tasks::{Allowance, Start, Stepped, TaskId};
use crate::runner::world;
use crate::sandbox::{Config, Provided};
use crate::script::Script;
use crate::usage::Usage;
use crate::value::Value;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Takes the first frame, goes into the jail, and serves.
pub(in crate::process) fn serve(cage: &mut Cage<'_>, ground: &Ground, forked: bool) -> Infallible {
    let wire = Wire::new();
    let start = match wire.lock().next() {
        ToWorker::Start(start) => start,
        _ => misunderstood("the host does not begin with its version"),
    };
    if start.version != VERSION {
        // Answered all the same, so that the host can say which version this is.
        let report = Default::default();
        wire.lock().must_send(&FromWorker::Ready(Ready { version: VERSION, report }));
        misunderstood("the host is of another version");
    }
    if let Err(error) = cage.make_seats(start.jail.tasks)
        && start.jail.tasks_asked
    {
        super::give_up(&format!("no stacks for {} tasks: {error}", start.jail.tasks));
    }
    let report = match jail::enter(&start.jail, ground, forked) {
        Ok(report) => report,
        Err(why) => super::give_up(&why),
    };
    wire.lock().must_send(&FromWorker::Ready(Ready { version: VERSION, report }));
    let mut worker = Worker {
        cage,
        wire,
        unguarded: start.jail.unguarded,
        sandbox: SandboxId(0),
        open: None,
        scripts: HashMap::new(),
    };
    loop {
        let message = worker.wire.lock().next();
        match message {
            ToWorker::Open(opening) if worker.open.is_none() => worker.begin(*opening),
            ToWorker::Call(call) => worker.call(*call),
            ToWorker::Close(()) => worker.close(),
            _ => misunderstood("a frame that has no place here"),
        }
    }
}

/// Runs something ordinary, so that forked workers find made what is made at first use.
pub(super) fn rehearse(cage: &mut Cage<'_>) -> Result<(), Error> {
    const PLAY: &str = "
import_free = [str(i) + f'{i}' for i in range(3)]
class Play:
    def __init__(self, x):
        self.x = x
    def turn(self, *more, **named):
        try:
            return {'sum': self.x + sum(more), **named}[self.x]
        except KeyError as error:
            return str(error)
def tick(x):
    return x + 1
print(Play(3).turn(4, y=5), tick(1), sorted(import_free))
tick(2)
";
    let policy = Policy::default();
    let compiled = compile::compile(PLAY, "<rehearsal>", &policy, Checks::All)?;
    let script = Script::new("<rehearsal>", PLAY, compiled);
    let config = Arc::new(Config {
        policy,
        hook: None,
        cancel: Cancel::default(),
        data: None,
        provided: Default::default(),
        profile: None,
        observer: None,
    });
    let id = SandboxId(0);
    let call = Op::Call { name: "tick".to_owned(), args: vec![Value::Int(1)] };
    for op in [Op::Run(script.clone()), Op::Run(script), call, Op::Get("tick".to_owned())] {
        let budget = Budget::default().timeout(Duration::from_secs(60));
        let call = cage::Call { sandbox: id, config: config.clone(), budget, live: Arc::default(), op };
        cage.answer(call).result?;
    }
    cage.drop_sandbox(id);
    // Here, and not in each worker, on pages that it would have to copy for that.
    cage.tidy_up();
    Ok(())
}

/// The allocator's last word: there is nobody else in this process to go on for.
pub(super) fn out_of_memory() {
    #[cfg(unix)]
    // SAFETY: it ends the process, without running anything of it.
    unsafe {
        libc::_exit(OUT_OF_MEMORY)
    }
    #[cfg(not(unix))]
    std::process::exit(OUT_OF_MEMORY)
}

struct Worker<'a, 'vm> {
    cage: &'a mut Cage<'vm>,
    wire: Arc<Mutex<Wire>>,
    unguarded: bool,
    /// Each opened sandbox has a new one.
    sandbox: SandboxId,
    open: Option<(Policy, Provided)>,
    scripts: HashMap<u64, Script>,
}

impl Worker<'_, '_> {
    fn begin(&mut self, opening: Opening) {
        let Opening { policy, modules, resolver, files } = opening;
        self.sandbox.0 += 1;
        // Here, so that no run waits for it. What fails is said again when a script imports the module.
        let _ = self.cage.prepare_modules(&policy);
        let modules = modules.into_iter().map(|module| wire::module(&self.wire, module)).collect();
        let resolver = resolver.map(|number| self.wire.lock().proxies.function(number));
        let files = files.map(|number| wire::files(&self.wire, number));
        self.open = Some((policy, Provided::told(modules, resolver, files)));
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.scripts.clear();
            let (cage, id) = (&mut *self.cage, self.sandbox);
            // An interpreter that panics is of no further use.
            if catch_unwind(AssertUnwindSafe(|| cage.drop_sandbox(id))).is_err() {
                std::process::exit(1);
            }
        }
        let mut wire = self.wire.lock();
        wire.proxies.clear();
        wire.must_send(&FromWorker::Closed(()));
    }

    fn call(&mut self, call: Call) {
        let Some((policy, provided)) = self.open.clone() else { misunderstood("a call without a sandbox") };
        for id in &call.forget {
            self.scripts.remove(id);
        }
        for id in &call.end {
            self.cage.end_task(TaskId(*id));
        }
        let cancel = {
            let mut wire = self.wire.lock();
            wire.number = call.number;
            wire.cancel = Arc::new(AtomicBool::new(call.cancelled));
            wire.cancel.clone()
        };
        let now = Instant::now();
        let hook = WireHook {
            wire: self.wire.clone(),
            hooked: call.hooked,
            times: Mutex::new(Times { looked: now, reported: now }),
        };
        let config = Arc::new(Config {
            policy,
            hook: Some(Arc::new(hook)),
            cancel: Cancel(cancel),
            data: None,
            provided,
            profile: None,
            observer: None,
        });
        let number = call.number;
        let done = catch_unwind(AssertUnwindSafe(|| match call.op {
            WireOp::Resume(slice) => self.resume(*slice, call.budget, &config),
            op => Done::of(self.perform(op, call.budget, config)),
        }));
        let done = done.unwrap_or_else(|panic| {
            let message = crate::runner::panic_message(&*panic);
            Done { last: true, ..Done::of(failed(Error::Crashed { message, usage: Box::default() })) }
        });
        let last = done.last;
        self.answer(Done { number, ..done });
        if last {
            std::process::exit(0);
        }
    }

    fn answer(&mut self, done: Done<Value>) {
        let (number, usage, left) = (done.number, done.usage, done.left);
        let mut wire = self.wire.lock();
        let Ok(done) = done.map(|value| Ok::<_, Infallible>(wire.proxies.pack(value)));
        match wire.hand_over(&FromWorker::Done(Box::new(done))) {
            Ok(()) => {}
            Err(FrameError::DoesNotFit(bytes)) => {
                let result = Outcome::Conversion(does_not_fit(bytes));
                wire.must_send(&FromWorker::Done(Box::new(Done {
                    number,
                    result,
                    usage,
                    output: String::new(),
                    last: false,
                    left,
                })));
            }
            Err(_) => std::process::exit(0),
        }
    }

    /// Runs a slice of a task.
    fn resume(&mut self, slice: WireSlice, budget: Budget, config: &Config) -> Done<Value> {
        let WireSlice { task, rest, told, reply } = slice;
        let allowed = Allowance { slice: budget, rest, told };
        let _running = world::Running::begin(self.cage.vm);
        self.cage.rewire_task(TaskId(task), config);
        let reply = self.reply(reply);
        let Stepped { result, usage, output, left } = self.cage.step_task(TaskId(task), &allowed, reply);
        Done { number: 0, result: Outcome::of_slice(result), usage, output, last: false, left }
    }

    /// What a task goes on with.
    fn reply(&self, answer: Option<HostAnswer>) -> Reply {
        match answer {
            None => Reply::Go,
            Some(HostAnswer::Value(value)) => Reply::Value(self.wire.lock().proxies.open(value)),
            Some(HostAnswer::Failed(failed)) => Reply::Error(wire::error(failed)),
            Some(_) => misunderstood("a task is not answered so"),
        }
    }

    fn open_all(&self, values: Vec<Flat>) -> Vec<Value> {
        let mut wire = self.wire.lock();
        values.into_iter().map(|value| wire.proxies.open(value)).collect()
    }

    fn start(&mut self, task: u64, start: Start, config: &Arc<Config>) -> cage::Done {
        match self.cage.start_task(TaskId(task), self.sandbox, config, Arc::default(), start) {
            Ok(()) => answered(Value::None),
            Err(error) => failed(error),
        }
    }

    fn perform(&mut self, op: WireOp, budget: Budget, config: Arc<Config>) -> cage::Done {
        let op = match op {
            WireOp::Compile(script) => {
                return match self.script(script, &config.policy) {
                    Ok(_) => answered(Value::None),
                    Err(error) => failed(error),
                };
            }
            WireOp::Disassemble(script) => {
                let listing = self.script(script, &config.policy).and_then(|script| self.cage.disassemble(&script));
                return match listing {
                    Ok(listing) => answered(Value::Str(listing)),
                    Err(error) => failed(error),
                };
            }
            WireOp::Run(script) => self.script(script, &config.policy).map(Op::Run),
            WireOp::Exec(script) => self.script(script, &config.policy).map(Op::Exec),
            WireOp::Call { name, args } => Ok(Op::Call { name, args: self.open_all(args) }),
            WireOp::CallFunction(key, args) => {
                let args = self.open_all(args);
                Ok(Op::CallFunction { callback: self.wire.lock().proxies.named(key), args })
            }
            WireOp::Get(name) => Ok(Op::Get(name)),
            WireOp::Set(name, value) => Ok(Op::Set(name, self.wire.lock().proxies.open(value))),
            WireOp::SetFunction(name, number) => {
                let function = self.wire.lock().proxies.function(number);
                Ok(Op::SetFunction(NewFunction { name, parameters: Vec::new(), function }))
            }
            WireOp::Snapshot => Ok(Op::Snapshot),
            WireOp::Restore(data) => {
                let mut wire = self.wire.lock();
                Ok(Op::Restore(data.into_iter().map(|(name, value)| (name, wire.proxies.open(value))).collect()))
            }
            WireOp::Reload(script) => self.script(script, &config.policy).map(Op::Reload),
            WireOp::SetAwaitable(name) => Ok(Op::SetAwaitable(name)),
            WireOp::StartCall { task, name, args } => {
                let args = self.open_all(args);
                return self.start(task, Start::Call { name, args }, &config);
            }
            WireOp::StartRun(task, script) => {
                return match self.script(script, &config.policy) {
                    Ok(script) => self.start(task, Start::Run(script), &config),
                    Err(error) => failed(error),
                };
            }
            WireOp::Resume(_) => misunderstood("a slice that is none"),
            WireOp::Attack(name) => return attack(&name),
        };
        let budget = if self.unguarded { no_budget(budget) } else { budget };
        match op {
            Ok(op) => self.cage.answer(cage::Call { sandbox: self.sandbox, config, budget, live: Arc::default(), op }),
            Err(error) => failed(error),
        }
    }

    /// The script, compiled if it is not known yet.
    fn script(&mut self, script: WireScript, policy: &Policy) -> Result<Script, Error> {
        if let Some(known) = script.id.and_then(|id| self.scripts.get(&id)) {
            return Ok(known.clone());
        }
        let Some(source) = script.source else { misunderstood("a script that was never sent") };
        let compiled = if self.unguarded {
            compile_unguarded(&source, &script.name, policy)?
        } else {
            compile::compile(&source, &script.name, policy, checks(script.unvalidated))?
        };
        let compiled = Script::new(&script.name, &source, compiled);
        if let Some(id) = script.id {
            self.scripts.insert(id, compiled.clone());
        }
        Ok(compiled)
    }
}

impl Done<Value> {
    /// Of something else than a slice. Its number is still to be set.
    fn of(done: cage::Done) -> Self {
        let cage::Done { result, usage, output } = done;
        Done { number: 0, result: Outcome::of(result), usage, output, last: false, left: false }
    }
}

fn answered(value: Value) -> cage::Done {
    cage::Done { result: Ok(value), usage: Usage::default(), output: String::new() }
}

fn failed(error: Error) -> cage::Done {
    cage::Done { result: Err(error), usage: Usage::default(), output: String::new() }
}

#[cfg(feature = "test-hooks")]
fn checks(unvalidated: bool) -> Checks {
    if unvalidated { Checks::LimitsOnly } else { Checks::All }
}

#[cfg(not(feature = "test-hooks"))]
fn checks(_unvalidated: bool) -> Checks {
    Checks::All
}

/// No validator and no limits on the source, to see what the wall does alone.
#[cfg(feature = "test-hooks")]
fn compile_unguarded(source: &str, name: &str, policy: &Policy) -> Result<compile::Compiled, Error> {
    let policy = policy.clone().source_limits(compile::limits::SourceLimits::none());
    compile::compile(source, name, &policy, Checks::LimitsOnly)
}

#[cfg(not(feature = "test-hooks"))]
fn compile_unguarded(source: &str, name: &str, policy: &Policy) -> Result<compile::Compiled, Error> {
    compile::compile(source, name, policy, Checks::All)
}

/// Whatever the host asked for, only in tests of the wall alone.
#[cfg(feature = "test-hooks")]
fn no_budget(budget: Budget) -> Budget {
    let output = budget.allowed(crate::budget::Limit::Output);
    Budget::default()
        .instructions(u64::MAX)
        .timeout(Duration::from_secs(1 << 30))
        .memory(1 << 60)
        .allocations(u64::MAX)
        .recursion(10_000)
        .output(output)
        .host_calls(u64::MAX)
}

#[cfg(not(feature = "test-hooks"))]
fn no_budget(budget: Budget) -> Budget {
    budget
}

#[cfg(all(feature = "test-hooks", target_os = "linux"))]
fn attack(name: &str) -> cage::Done {
    answered(Value::Str(super::attack::run(name)))
}

#[cfg(not(all(feature = "test-hooks", target_os = "linux")))]
fn attack(_name: &str) -> cage::Done {
    failed(Error::Setup("there are no attacks in this build".to_owned()))
}
