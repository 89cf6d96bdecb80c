//! Runs scripts bare, with the guards installed.

use super::{install, install_functions};
use crate::meter::fuel;
use crate::meter::run::{LiveUsage, Run, RunState, Trip};
use crate::usage::Usage;
use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::{AsObject, Interpreter, VirtualMachine, compiler};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// What became of a script.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `repr(R)`, or the exception as `Type: message`.
    pub value: Result<String, String>,
    pub trip: Option<Trip>,
    pub usage: Usage,
    pub elapsed: Duration,
}

/// Runs each script in a scope of its own, on one guarded interpreter.
pub(super) fn run_all(scripts: &[&str], instructions: u64) -> Vec<Outcome> {
    let scripts: Vec<String> = scripts.iter().map(|script| (*script).to_owned()).collect();
    on_big_stack(move || {
        let interpreter = Interpreter::without_stdlib(Default::default());
        let outcomes = interpreter.enter(|vm| {
            guard(vm);
            scripts.iter().map(|script| run(vm, script, instructions)).collect()
        });
        std::mem::forget(interpreter);
        outcomes
    })
}

/// Guards the types once for all tests of the process, as their owner must.
pub(super) fn guard(vm: &VirtualMachine) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| install(vm));
    install_functions(vm).expect("the builtins are all there");
}

pub(crate) fn on_big_stack<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(256 << 20).spawn(f).expect("a thread starts").join().expect("no panic")
}

pub(super) fn run(vm: &VirtualMachine, source: &str, instructions: u64) -> Outcome {
    let code = vm.compile(source, compiler::Mode::Exec, "<test>").unwrap_or_else(|error| panic!("{source}: {error}"));
    let scope = vm.new_scope_with_builtins();
    let started = Instant::now();
    let (result, usage, trip) = fuel::metered(budget(instructions), || vm.run_code_obj(code, scope.clone())).split();
    let elapsed = started.elapsed();
    let value = match result {
        Err(error) => Err(describe(vm, &error)),
        Ok(_) => match scope.globals.get_item("R", vm) {
            Ok(value) => value.repr(vm).map(|text| text.to_string()).map_err(|error| describe(vm, &error)),
            Err(_) => Ok(String::new()),
        },
    };
    Outcome { value, trip, usage, elapsed }
}

/// Runs `f` under a budget that is enough for anything.
pub(crate) fn measured<R>(f: impl FnOnce() -> R) -> (R, Usage, Option<Trip>) {
    fuel::metered(budget(1 << 40), f).split()
}

fn budget(instructions: u64) -> Box<Run> {
    Box::new(Run {
        instructions,
        memory: Some(64 << 20),
        output: 1 << 20,
        host_calls: 1,
        timeout: Duration::from_secs(120),
        clock: crate::meter::clock::Clock::started(),
        cancel: Arc::new(AtomicBool::new(false)),
        hook: None,
        live: Arc::new(LiveUsage::default()),
        pace: crate::meter::clock::Pace::begin(),
        state: RunState::default(),
        scope: None,
        recorder: None,
        serial: 0,
        pause_at: u64::MAX,
        pause_after: Duration::MAX,
    })
}

fn describe(vm: &VirtualMachine, error: &PyBaseExceptionRef) -> String {
    let message = error.as_object().str(vm).map(|text| text.to_string()).unwrap_or_default();
    format!("{}: {message}", error.class().name())
}

/// Soon enough to tell from the minutes that the work would have taken, in an unoptimised build on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// Each script must trip, soon.
pub(super) fn assert_stopped(scripts: &[&str]) {
    let mut wrong = Vec::new();
    for (script, outcome) in scripts.iter().zip(run_all(scripts, 300_000)) {
        if outcome.trip.is_none() || outcome.elapsed > SOON {
            wrong.push(format!("{script}\n    {outcome:.200?}"));
        }
    }
    assert!(wrong.is_empty(), "not stopped, or late:\n{}", wrong.join("\n"));
}

/// Each script must leave `R` with the given `repr`, or raise the given exception, within the budget.
pub(super) fn assert_unchanged(cases: &[(&str, &str)]) {
    let scripts: Vec<&str> = cases.iter().map(|(script, _)| *script).collect();
    let mut wrong = Vec::new();
    for ((script, expected), outcome) in cases.iter().zip(run_all(&scripts, 1_000_000)) {
        let (Ok(value) | Err(value)) = &outcome.value;
        if outcome.trip.is_some() || value != expected {
            wrong.push(format!("{script}\n    {value}\n    {expected}\n    {:?}", outcome.trip));
        }
    }
    assert!(wrong.is_empty(), "changed:\n{}", wrong.join("\n"));
}

mod bill;
mod stopped;
mod unchanged;
