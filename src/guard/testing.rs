//! A bare interpreter with the run ring alone: no validator, no guards in the bytecode.

use crate::budget::Asked;
use crate::guard::builtins::BuiltinsTemplate;
use crate::guard::{isolate, types};
use crate::meter::fuel;
use crate::meter::run::{LiveUsage, Run, RunState, Trip};
use crate::usage::Usage;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyDictRef};
use rustpython_vm::compiler::Mode;
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, Interpreter, VirtualMachine};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The value that no script may show. It lies in the interpreter's own builtins module.
pub(super) const CANARY: &str = "S3CRET";

/// What a script did.
pub(super) struct Outcome {
    pub output: String,
    /// Type and message of the exception that ended it.
    pub error: Option<(String, String)>,
    pub trip: Option<Trip>,
    pub usage: Usage,
}

/// Runs `f` on a big stack in a new, hardened and isolated interpreter.
pub(super) fn with_interpreter<R: Send + 'static>(f: impl FnOnce(&VirtualMachine) -> R + Send + 'static) -> R {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(|| {
        let interpreter = Interpreter::without_stdlib(Default::default());
        let result = interpreter.enter(|vm| {
            types::harden(vm);
            isolate::isolate(vm).expect("isolates");
            vm.builtins.set_attr("_canary_secret", vm.ctx.new_str(CANARY), vm).expect("plants the canary");
            f(vm)
        });
        // As a runner would: an interpreter is never finalised.
        std::mem::forget(interpreter);
        result
    });
    thread.expect("starts a thread").join().expect("no panic")
}

/// A sandbox's globals.
pub(super) fn globals(granted: Option<PyDictRef>, vm: &VirtualMachine) -> PyDictRef {
    let template = BuiltinsTemplate::new(&|_| false, vm).expect("makes the template");
    let globals = vm.ctx.new_dict();
    let builtins = template.new_builtins(granted, vm).expect("makes builtins");
    globals.set_item("__builtins__", builtins.into(), vm).expect("sets");
    globals.set_item("__name__", vm.ctx.new_str("__main__").into(), vm).expect("sets");
    globals
}

/// Runs `source` in `globals` under a meter.
pub(super) fn run_in(globals: PyDictRef, source: &str, vm: &VirtualMachine) -> Outcome {
    let code = vm.compile(source, Mode::Exec, "<script>").expect("compiles");
    let scope = Scope::with_builtins(None, globals, vm);
    let mut metered = fuel::metered(run(), || vm.run_code_obj(code, scope));
    let output = metered.run.as_mut().map(|run| std::mem::take(&mut run.state.output)).unwrap_or_default();
    let (result, usage, trip) = metered.split();
    let error = result.err().map(|error| describe(&error, vm));
    Outcome { output, error, trip, usage }
}

pub(super) fn run_script(source: &str, vm: &VirtualMachine) -> Outcome {
    run_in(globals(None, vm), source, vm)
}

/// Runs each source in a sandbox of its own, all in one interpreter.
pub(super) fn run_all(sources: Vec<String>) -> Vec<Outcome> {
    with_interpreter(move |vm| sources.iter().map(|source| run_script(source, vm)).collect())
}

fn run() -> Box<Run> {
    let budget = crate::budget::Budget::default();
    Box::new(Run {
        instructions: budget.instructions,
        memory: match budget.memory {
            Asked::Default(bytes) | Asked::ByHost(bytes) => Some(bytes),
        },
        output: 4096,
        host_calls: budget.host_calls,
        timeout: Duration::from_secs(60),
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

fn describe(error: &PyBaseExceptionRef, vm: &VirtualMachine) -> (String, String) {
    let message = error.as_object().str(vm).map_or_else(|_| String::new(), |text| text.to_string());
    (error.class().name().to_string(), message)
}
