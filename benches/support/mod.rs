//! What the benches share: the same work on bare RustPython and on pycage, each in a process of its own.
//!
//! In one process the comparison would flatter pycage: its guards sit in the interpreter's types and its allocator under
//! everything, so that "bare" would pay for them as well. So a bench starts itself twice, once as each [`Engine`], and
//! asks the two in turn. Times are taken in the worker, around the work alone.
//!
//! * [`allocator`]: one global allocator that is the system's in one worker and the metered one in the other.
//! * [`bare`], [`metered`]: the work.

pub mod allocator;
mod bare;
mod metered;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Names a worker's engine, in its environment.
const ENGINE_VARIABLE: &str = "PYCAGE_BENCH_ENGINE";

/// Name and source of each workload. The last expression is its result, which must be the same on both engines.
pub const WORKLOADS: [(&str, &str); 8] = [
    ("fib", include_str!("../workloads/fib.py")),
    ("while_loop", include_str!("../workloads/while_loop.py")),
    ("dict_str", include_str!("../workloads/dict_str.py")),
    ("sort", include_str!("../workloads/sort.py")),
    ("strings", include_str!("../workloads/strings.py")),
    ("classes", include_str!("../workloads/classes.py")),
    ("generators", include_str!("../workloads/generators.py")),
    ("nbody", include_str!("../workloads/nbody.py")),
];

/// A plugin of usual size, to compile and to load.
const PLUGIN: &str = include_str!("../../examples/game_host/plugins/quest_bounty.py");

/// A function to call, and the source of a sandbox that is used once.
const SMALL: &str = "def add(a, b):\n    return a + b\n\nadd(1, 2)";

/// A function for a frame's worth of calls.
const TICK: &str = "def tick(x): return x + 1";

/// Calls a native function of the host's over and over.
const CALLS: &str = "t = 0\nfor i in range(1000): t = host(t)\nt";

/// A piece of work that a worker can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Runs a workload, by its index.
    Run(usize),
    /// Compiles a plugin.
    Compile,
    /// Calls a function that is there.
    Call,
    /// Calls a small function over and over, on the runner's own thread (bare: in the interpreter).
    Tick,
    /// The same through the sandbox's handle, hot.
    HandleTick,
    /// Calls a host function (bare: a native function) in a loop of the script.
    HostCalls,
    /// Makes a sandbox (bare: a scope), runs a small script in it, drops it.
    Sandbox,
    /// Makes an interpreter on a thread of its own, evaluates something. What it takes is never given back: ask for few.
    Cold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Bare,
    Metered,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Engine::Bare => "bare",
            Engine::Metered => "metered",
        }
    }
}

/// What came of some work.
#[derive(Clone, Debug)]
pub struct Answer {
    pub elapsed: Duration,
    /// Of one turn, native steps among them; zero on the bare engine.
    pub instructions: u64,
    /// The result as Python shows it.
    pub value: String,
}

/// A worker process.
pub struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(engine: Engine) -> Worker {
        let program = std::env::current_exe().expect("a running program has a path");
        let mut child = Command::new(program)
            .env(ENGINE_VARIABLE, engine.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the bench can start itself");
        let requests = child.stdin.take().expect("asked for above");
        let answers = BufReader::new(child.stdout.take().expect("asked for above"));
        Worker { child, requests, answers }
    }

    /// Has work done a number of times.
    pub fn ask(&mut self, work: Work, turns: u64) -> Answer {
        let (name, index) = match work {
            Work::Run(index) => ("run", index),
            Work::Compile => ("compile", 0),
            Work::Call => ("call", 0),
            Work::Tick => ("tick", 0),
            Work::HandleTick => ("handle", 0),
            Work::HostCalls => ("calls", 0),
            Work::Sandbox => ("sandbox", 0),
            Work::Cold => ("cold", 0),
        };
        writeln!(self.requests, "{name} {index} {turns}").expect("the worker reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the worker answers");
        let mut parts = line.trim_end().splitn(3, ' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (Some(nanos), Some(instructions)) = (number(), number()) else {
            panic!("the worker failed at {work:?}; its own message is above");
        };
        let value = parts.next().unwrap_or_default().to_owned();
        Answer { elapsed: Duration::from_nanos(nanos), instructions, value }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Retired threads of the worker may be at work for ever; it has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves as a worker until its parent goes away, if this process was started as one. The first thing in `main`.
pub fn serve_if_worker() {
    let engine = std::env::var(ENGINE_VARIABLE).unwrap_or_default();
    if engine == Engine::Bare.name() {
        bare::with_engine(serve);
    } else if engine == Engine::Metered.name() {
        allocator::meter();
        metered::with_engine(serve);
    } else {
        return;
    }
    std::process::exit(0);
}

/// Answers requests with what `perform` does.
fn serve(perform: &mut dyn FnMut(Work, u64) -> Answer) {
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        let mut parts = line.split(' ');
        let name = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).expect("a request has two numbers");
        let (index, turns) = (number() as usize, number());
        let work = match name {
            "run" => Work::Run(index),
            "compile" => Work::Compile,
            "call" => Work::Call,
            "tick" => Work::Tick,
            "handle" => Work::HandleTick,
            "calls" => Work::HostCalls,
            "sandbox" => Work::Sandbox,
            "cold" => Work::Cold,
            other => panic!("there is no work named {other}"),
        };
        let answer = perform(work, turns);
        println!("{} {} {}", answer.elapsed.as_nanos(), answer.instructions, answer.value);
    }
}
