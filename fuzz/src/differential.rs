//! Generated programs in a sandbox and on bare RustPython: the same output, result, and exception with its lines.

use super::bed;
use super::writer::Writer;
use pycage::{Budget, Error};
use rustpython_vm::compiler::Mode;
use rustpython_vm::function::PosArgs;
use rustpython_vm::{AsObject, Interpreter, PyResult, Settings, VirtualMachine};
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    output: String,
    raised: Option<Raised>,
}

#[derive(Debug, PartialEq, Eq)]
struct Raised {
    class: String,
    message: String,
    /// Line and function of each call on the way.
    traceback: Vec<(usize, String)>,
}

/// The bytes are the generator's choices.
pub fn run(bytes: &[u8]) {
    let source = Writer::program(bytes) + "print(repr(R))\n";
    bed::show(&source);
    let Some(caged) = caged(&source) else { return };
    let bare = bare(source.clone());
    assert_eq!(caged, bare, "the sandbox is on the left\n{source}");
}

/// `None` for a program that was stopped.
fn caged(source: &str) -> Option<Outcome> {
    let budget = Budget::default().instructions(5_000_000).timeout(Duration::from_secs(10)).output(1 << 20);
    let mut sandbox = bed::sandbox(budget);
    let script = match sandbox.compile_unvalidated(NAME, source) {
        Ok(script) => script,
        Err(Error::Rejected(rejection)) if rejection.limit.is_some() => return None,
        Err(Error::Stuck(_)) => return None,
        Err(error) => panic!("{error}\n{source}"),
    };
    let raised = match sandbox.run::<()>(&script) {
        Ok(()) => None,
        Err(Error::Exception(exception)) => Some(Raised {
            traceback: exception.traceback.iter().map(|entry| (entry.line as usize, entry.function.clone())).collect(),
            class: exception.type_name,
            message: settled(&exception.message),
        }),
        // What takes too long is judged by another target.
        Err(Error::Budget(_) | Error::Stuck(_)) => return None,
        Err(error) => panic!("{error}\n{source}"),
    };
    Some(Outcome { output: settled(&sandbox.take_output()), raised })
}

const NAME: &str = "fuzz.py";

/// Runs a program on the one bare interpreter of the process.
fn bare(source: String) -> Outcome {
    static BARE: OnceLock<Mutex<(SyncSender<String>, Receiver<Outcome>)>> = OnceLock::new();
    let bare = BARE.get_or_init(|| {
        let (sources, for_thread) = sync_channel::<String>(1);
        let (from_thread, outcomes) = sync_channel(1);
        let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(move || {
            let mut settings = Settings::default();
            // As in a sandbox, so that sets have the same order.
            settings.hash_seed = Some(0);
            let interpreter = Interpreter::with_init(settings, |vm| vm.state.gc.disable());
            while let Ok(source) = for_thread.recv() {
                let outcome = interpreter.enter(|vm| execute(&source, vm));
                if from_thread.send(outcome).is_err() {
                    break;
                }
            }
            // Interpreters are never finalised: it would slow down all others of the process.
            std::mem::forget(interpreter);
        });
        drop(thread.expect("the system has a thread"));
        Mutex::new((sources, outcomes))
    });
    let bare = bare.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    bare.0.send(source).expect("the thread takes sources");
    bare.1.recv().expect("the thread answers")
}

thread_local! {
    static PRINTED: RefCell<String> = const { RefCell::new(String::new()) };
}

fn execute(source: &str, vm: &VirtualMachine) -> Outcome {
    let code = vm.compile(source, Mode::Exec, NAME).unwrap_or_else(|error| panic!("{error}\n{source}"));
    let scope = vm.new_scope_with_builtins();
    let print = vm.new_function("print", |args: PosArgs, vm: &VirtualMachine| -> PyResult<()> {
        let mut words = Vec::new();
        for arg in args {
            words.push(arg.str(vm)?.to_string_lossy().into_owned());
        }
        PRINTED.with_borrow_mut(|printed| *printed += &(words.join(" ") + "\n"));
        Ok(())
    });
    scope.globals.set_item("print", print.into(), vm).expect("a global can be set");
    let raised = vm.run_code_obj(code, scope).err().map(|exception| {
        let mut traceback = Vec::new();
        let mut next = exception.traceback();
        while let Some(entry) = next {
            traceback.push((entry.lineno.get(), entry.frame.f_code().obj_name.to_string()));
            next = entry.next.lock().clone();
        }
        Raised {
            class: exception.class().name().to_string(),
            message: settled(&exception.as_object().str(vm).map_or_else(|_| String::new(), |text| text.to_string())),
            traceback,
        }
    });
    Outcome { output: settled(&PRINTED.take()), raised }
}

/// Without the addresses that a bare interpreter shows.
fn settled(text: &str) -> String {
    let mut parts = text.split(" at 0x");
    let mut settled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        settled += part.trim_start_matches(|char: char| char.is_ascii_hexdigit());
    }
    settled
}
