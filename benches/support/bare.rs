//! The work on bare RustPython, as a host would do it without pycage.

use super::{Answer, CALLS, PLUGIN, SMALL, TICK, WORKLOADS, Work, allocator};
use rustpython_vm::builtins::PyCode;
use rustpython_vm::compiler::Mode;
use rustpython_vm::scope::Scope;
use rustpython_vm::{Interpreter, PyObjectRef, PyRef, PyResult, Settings, VirtualMachine};
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

/// As much as a runner of pycage has.
const STACK: usize = 512 << 20;

/// Makes the engine, and hands what it can do to `serve`.
pub fn with_engine(serve: impl FnOnce(&mut dyn FnMut(Work, u64) -> Answer) + Send + 'static) {
    allocator::leave_bare();
    on_big_stack(move || {
        let interpreter = interpreter();
        interpreter.enter(|vm| {
            let mut bare = Bare::new(vm);
            serve(&mut |work, turns| bare.perform(work, turns));
        });
    });
}

fn on_big_stack<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(f).expect("the system gives a thread");
    thread.join().expect("the work does not panic")
}

/// Never dropped, as pycage never drops one: finalising an interpreter slows all others.
fn interpreter() -> ManuallyDrop<Interpreter> {
    let mut settings = Settings::default();
    settings.hash_seed = Some(0);
    ManuallyDrop::new(Interpreter::without_stdlib(settings))
}

struct Bare<'vm> {
    vm: &'vm VirtualMachine,
    workloads: Vec<(PyRef<PyCode>, Scope)>,
    small: PyRef<PyCode>,
    add: PyObjectRef,
    tick: PyObjectRef,
    calls: (PyRef<PyCode>, Scope),
}

impl<'vm> Bare<'vm> {
    fn new(vm: &'vm VirtualMachine) -> Self {
        let workloads = WORKLOADS.map(|(name, source)| (compile(vm, source, name), vm.new_scope_with_builtins()));
        let small = compile(vm, SMALL, "small");
        let scope = vm.new_scope_with_builtins();
        ok(vm, vm.run_code_obj(small.clone(), scope.clone()));
        let add = ok(vm, scope.globals.get_item("add", vm));
        let scope = vm.new_scope_with_builtins();
        ok(vm, vm.run_code_obj(compile(vm, TICK, "tick"), scope.clone()));
        let tick = ok(vm, scope.globals.get_item("tick", vm));
        let scope = vm.new_scope_with_builtins();
        let host = vm.new_function("host", |x: i64| x + 1);
        ok(vm, scope.globals.set_item("host", host.into(), vm));
        let calls = (compile(vm, CALLS, "calls"), scope);
        Bare { vm, workloads: workloads.into(), small, add, tick, calls }
    }

    fn perform(&mut self, work: Work, turns: u64) -> Answer {
        let vm = self.vm;
        match work {
            Work::Run(index) => {
                let (code, scope) = &self.workloads[index];
                self.timed(turns, || vm.run_code_obj(code.clone(), scope.clone()))
            }
            Work::Call => self.timed(turns, || {
                let args: Vec<PyObjectRef> = vec![vm.ctx.new_int(1).into(), vm.ctx.new_int(2).into()];
                self.add.call(args, vm)
            }),
            // Timed as a whole, as the clock would weigh as much as the call.
            Work::Tick | Work::HandleTick => {
                let start = Instant::now();
                let mut last = vm.ctx.none();
                for turn in 0..turns {
                    let args: Vec<PyObjectRef> = vec![vm.ctx.new_int(turn & 127).into()];
                    last = black_box(ok(vm, self.tick.call(args, vm)));
                }
                let elapsed = start.elapsed();
                let value = ok(vm, last.repr(vm)).to_string();
                Answer { elapsed, instructions: 0, value }
            }
            Work::HostCalls => {
                let (code, scope) = &self.calls;
                self.timed(turns, || vm.run_code_obj(code.clone(), scope.clone()))
            }
            Work::Sandbox => self.timed(turns, || vm.run_code_obj(self.small.clone(), vm.new_scope_with_builtins())),
            Work::Compile => self.timed(turns, || {
                black_box(compile(vm, PLUGIN, "plugin"));
                Ok(vm.ctx.none())
            }),
            Work::Cold => {
                let start = Instant::now();
                for _ in 0..turns {
                    // Detached: a collection in the new interpreter waits for every thread that is not.
                    vm.allow_threads(|| {
                        on_big_stack(|| {
                            interpreter().enter(|vm| {
                                let code = compile(vm, SMALL, "small");
                                ok(vm, vm.run_code_obj(code, vm.new_scope_with_builtins()));
                            });
                        })
                    });
                }
                Answer { elapsed: start.elapsed(), instructions: 0, value: "3".to_owned() }
            }
        }
    }

    fn timed(&self, turns: u64, mut turn: impl FnMut() -> PyResult) -> Answer {
        let mut last = self.vm.ctx.none();
        let mut elapsed = Duration::ZERO;
        for _ in 0..turns {
            let start = Instant::now();
            let result = black_box(turn());
            elapsed += start.elapsed();
            last = ok(self.vm, result);
        }
        let value = ok(self.vm, last.repr(self.vm)).to_string();
        Answer { elapsed, instructions: 0, value }
    }
}

fn compile(vm: &VirtualMachine, source: &str, name: &str) -> PyRef<PyCode> {
    match vm.compile(source, Mode::BlockExpr, name) {
        Ok(code) => code,
        Err(error) => panic!("{name} does not compile: {error}"),
    }
}

fn ok<T>(vm: &VirtualMachine, result: PyResult<T>) -> T {
    result.unwrap_or_else(|error| {
        let mut text = String::new();
        let _ = vm.write_exception(&mut text, &error);
        panic!("{text}")
    })
}
