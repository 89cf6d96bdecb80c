//! Tests of the instrumenter as a whole. The oracle is the VM itself: bare code for results, the opcode trace for counts.

mod exact;
mod guarded;
mod programs;
mod property;
mod shape;
mod stop;
mod writer;

use super::{NamePolicy, Options, instrument_code};
use crate::meter::fuel;
use crate::meter::run::{Run, RunState, Trip};
use crate::usage::Usage;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyCode, PyStr};
use rustpython_vm::compiler::Mode;
use rustpython_vm::function::{FuncArgs, PosArgs};
use rustpython_vm::{AsObject, Interpreter, PyObjectRef, PyRef, PyResult, VirtualMachine};
use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Every name is allowed.
const OPEN: NamePolicy =
    NamePolicy { attribute: |_| true, special_on_super: |_| true, definable_special: |_| true, reference: |_| true };

const OPTIONS: Options = Options::new(OPEN);

const UNSUNK: Options = Options { sink: false, ..OPTIONS };
const BY_LINE: Options = Options { profile: true, ..OPTIONS };

/// More than any test spends.
const PLENTY: u64 = 1 << 40;

thread_local! {
    static PRINTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static MARKS: Cell<u64> = const { Cell::new(0) };
    static EVENTS: Cell<Events> = const { Cell::new(Events { opcodes: 0, exceptions: 0 }) };
}

/// What the VM's trace reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Events {
    opcodes: u64,
    exceptions: u64,
}

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// The `repr` of the global `R`.
    result: Result<Option<String>, Raised>,
    printed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Raised {
    class: String,
    message: String,
    /// Line and function of each call on the way.
    traceback: Vec<(usize, String)>,
}

/// Runs `f` in a fresh interpreter on a thread with a big stack.
fn on_vm<R: Send + 'static>(f: impl FnOnce(&VirtualMachine) -> R + Send + 'static) -> R {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(move || {
        let interpreter = Interpreter::without_stdlib(Default::default());
        // A collection would run finalisers of one program at the cost of the next.
        interpreter.enter(|vm| vm.state.gc.disable());
        let result = interpreter.enter(f);
        std::mem::forget(interpreter);
        result
    });
    match thread.unwrap().join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn compile(vm: &VirtualMachine, source: &str) -> PyRef<PyCode> {
    match vm.compile(source, Mode::Exec, "<test>") {
        Ok(code) => code,
        Err(error) => panic!("{error}\n{source}"),
    }
}

fn instrumented(vm: &VirtualMachine, source: &str, options: &Options) -> PyRef<PyCode> {
    match instrument_code(&compile(vm, source), vm, options) {
        Ok(code) => code,
        Err(error) => panic!("{error}\n{source}"),
    }
}

/// Runs code in a new scope.
fn execute(vm: &VirtualMachine, code: PyRef<PyCode>) -> Outcome {
    // Outside of a run every probe refuses.
    if !fuel::active() {
        return metered(vm, code, PLENTY).0;
    }
    let scope = vm.new_scope_with_builtins();
    let print = vm.new_function("print", |args: PosArgs, vm: &VirtualMachine| -> PyResult<()> {
        let mut words = Vec::new();
        for arg in args {
            words.push(arg.str(vm)?.to_string_lossy().into_owned());
        }
        PRINTED.with_borrow_mut(|printed| printed.push(words.join(" ")));
        Ok(())
    });
    let mark = vm.new_function("mark", |_: FuncArgs| {
        if fuel::tripped() {
            MARKS.set(MARKS.get() + 1);
        }
    });
    scope.globals.set_item("print", print.into(), vm).unwrap();
    scope.globals.set_item("mark", mark.into(), vm).unwrap();
    PRINTED.take();
    let result = match vm.run_code_obj(code, scope.clone()) {
        Ok(_) => {
            Ok(scope.globals.get_item("R", vm).ok().map(|value| value.repr(vm).unwrap().to_string_lossy().into_owned()))
        }
        Err(exception) => Err(raised(&exception, vm)),
    };
    Outcome { result, printed: PRINTED.take() }
}

fn raised(exception: &PyBaseExceptionRef, vm: &VirtualMachine) -> Raised {
    let mut traceback = Vec::new();
    let mut next = exception.traceback();
    while let Some(entry) = next {
        traceback.push((entry.lineno.get(), entry.frame.f_code().obj_name.to_string_lossy().into_owned()));
        next = entry.next.lock().clone();
    }
    Raised {
        class: exception.class().name().to_string(),
        message: exception.as_object().str(vm).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default(),
        traceback,
    }
}

/// Runs code under an instruction limit.
fn metered(vm: &VirtualMachine, code: PyRef<PyCode>, limit: u64) -> (Outcome, Usage, Option<Trip>) {
    fuel::metered(run(limit), || execute(vm, code)).split()
}

fn run(limit: u64) -> Box<Run> {
    Box::new(Run {
        instructions: limit,
        memory: None,
        output: u64::MAX,
        host_calls: u64::MAX,
        timeout: Duration::from_secs(600),
        clock: crate::meter::clock::Clock::started(),
        cancel: Default::default(),
        hook: None,
        live: Default::default(),
        pace: crate::meter::clock::Pace::begin(),
        state: RunState::default(),
        scope: None,
        recorder: None,
        serial: 0,
        pause_at: u64::MAX,
        pause_after: Duration::MAX,
    })
}

/// A code object and those nested in it.
fn family(code: PyRef<PyCode>) -> Vec<PyRef<PyCode>> {
    let mut family = vec![code];
    let mut next = 0;
    while next < family.len() {
        let nested: Vec<PyRef<PyCode>> = family[next]
            .constants
            .iter()
            .filter_map(|constant| PyObjectRef::from(constant.clone()).downcast::<PyCode>().ok())
            .collect();
        family.extend(nested);
        next += 1;
    }
    family
}

/// Runs bare code under the VM's opcode trace.
fn traced(vm: &VirtualMachine, source: &str) -> (Outcome, Events) {
    let tracer = vm.new_function("tracer", |args: FuncArgs, vm: &VirtualMachine| -> PyResult {
        let mut events = EVENTS.get();
        match args.args[1].downcast_ref::<PyStr>().and_then(|event| event.to_str()) {
            Some("opcode") => events.opcodes += 1,
            Some("exception") => events.exceptions += 1,
            Some("call") => {
                args.args[0].set_attr("f_trace_opcodes", vm.ctx.new_bool(true), vm)?;
                args.args[0].set_attr("f_trace_lines", vm.ctx.new_bool(false), vm)?;
            }
            _ => {}
        }
        EVENTS.set(events);
        Ok(vm.trace_func.borrow().clone())
    });
    let code = compile(vm, source);
    for code in family(code.clone()) {
        // Specialised, `list.append` takes the instruction behind its call along, and the trace loses it.
        code.quickened.store(true, Ordering::Relaxed);
        code.instructions.disable_specialization();
    }
    EVENTS.set(Events::default());
    vm.trace_func.replace(tracer.into());
    vm.use_tracing.set(true);
    let outcome = execute(vm, code);
    vm.use_tracing.set(false);
    vm.trace_func.replace(vm.ctx.none());
    (outcome, EVENTS.get())
}
