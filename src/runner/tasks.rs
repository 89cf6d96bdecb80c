//! The tasks of a runner: scripts that were started and have not ended, each on a fiber.

use crate::budget::Budget;
use crate::error::Error;
use crate::host::awaitable::Request;
use crate::meter::allocator::{self, MemoryBill, MemoryLimits};
use crate::meter::fuel::{self, SetAside};
use crate::meter::run::{self, LiveUsage, Run, Trip};
use crate::observe::Subject;
use crate::observe::audit::Operation;
use crate::runner::cage::{self, Cage, SandboxId};
use crate::runner::fiber::{Fiber, Finished, Reply, Seat, Wants};
use crate::runner::operation::{self, Answer};
use crate::runner::outcome;
use crate::runner::world;
use crate::sandbox::Config;
use crate::script::Script;
use crate::usage::Usage;
use crate::value::Value;
use corosensei::CoroutineResult;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Stacks that are kept for the next tasks.
const SEATS: usize = 64;

/// Names a task on its runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskId(pub u64);

/// What a task is to do.
pub(crate) enum Start {
    /// Call a global.
    Call { name: String, args: Vec<Value> },
    /// Run a script's top level.
    Run(Script),
}

impl Start {
    /// What is to be told of it to those who look on.
    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            Start::Call { name, .. } => Subject::Function(Operation::Task, name),
            Start::Run(script) => Subject::Script(Operation::Task, script),
        }
    }
}

/// What a task may cost until it is left again, and until it is stopped.
pub(crate) struct Allowance {
    pub slice: Budget,
    /// Instructions and native steps, and script time.
    pub rest: (u64, Duration),
    /// The limits to name when it is stopped.
    pub told: Budget,
}

/// What came of a slice.
pub(crate) struct Stepped {
    pub result: Result<Step, Error>,
    /// Of the task so far.
    pub usage: Usage,
    pub output: String,
    /// Whether the task is still there.
    pub left: bool,
}

pub(crate) enum Step {
    Paused,
    Awaiting(Request),
    Done(Value),
}

/// The tasks of a runner.
#[derive(Default)]
pub(crate) struct Tasks {
    left: HashMap<TaskId, Left>,
    seats: Vec<Seat>,
    /// Whether there are no other seats to be had than those that were made in advance.
    closed: bool,
}

impl Tasks {
    fn put_back(&mut self, seat: Seat) {
        if self.closed || self.seats.len() < SEATS {
            self.seats.push(seat);
        }
    }
}

/// A task between two slices.
struct Left {
    sandbox: SandboxId,
    fiber: Fiber,
    run: SetAside,
    memory: MemoryBill,
}

impl Cage<'_> {
    /// Makes the stacks of this many tasks, and no others from here on. For a process that is about to go where threads
    /// cannot be started: a stack takes one, for a moment.
    #[cfg(feature = "process")]
    pub(crate) fn make_seats(&mut self, count: u32) -> std::io::Result<()> {
        self.tasks.closed = true;
        for _ in 0..count {
            self.tasks.seats.push(Seat::new(self.vm)?);
        }
        Ok(())
    }

    /// Makes a task, of which nothing has run yet.
    pub(crate) fn start_task(
        &mut self,
        id: TaskId,
        sandbox: SandboxId,
        config: &Arc<Config>,
        live: Arc<LiveUsage>,
        start: Start,
    ) -> Result<(), Error> {
        let _running = world::Running::begin(self.vm);
        let code = match &start {
            Start::Run(script) => Some(self.load(script, config.profile.is_some())?),
            Start::Call { .. } => None,
        };
        let scope = self.scope(sandbox, config)?;
        let (globals, state) = (scope.globals.clone(), scope.state.clone());
        let seat = match self.tasks.seats.pop() {
            Some(seat) => seat,
            None if self.tasks.closed && self.tasks.left.is_empty() => {
                return Err(Error::Setup(
                    "tasks and calls that do not block need stacks of their own, and the worker process has none: give the \
                     pool some with `PoolBuilder::tasks`"
                        .to_owned(),
                ));
            }
            None if self.tasks.closed => {
                return Err(Error::Setup(format!(
                    "{} tasks are there, and the worker process has no stack for another: drop some, or give the pool more \
                     with `PoolBuilder::tasks`",
                    self.tasks.left.len()
                )));
            }
            None => Seat::new(self.vm).map_err(|error| {
                Error::Setup(format!(
                    "the system refuses a stack for another task, with {} there ({error}): drop some, or raise its limits on \
                     mappings (vm.max_map_count) and on virtual memory (ulimit -v, vm.overcommit_memory)",
                    self.tasks.left.len()
                ))
            })?,
        };
        let run = Run::new(config.cancel.0.clone(), config.hook.clone(), live);
        let run = SetAside::new(run.of(&state).recording(config.profile.as_ref()));
        let fiber = Fiber::new(seat, move |vm| {
            operation::as_run(vm, run::Start::Look, || match start {
                Start::Call { name, args } => operation::call_global(vm, &globals, &state, &name, args),
                Start::Run(_) => operation::run_to_end(vm, &globals, code).map(|value| Ok(Answer::Object(value))),
            })
        });
        self.tasks.left.insert(id, Left { sandbox, fiber, run, memory: MemoryBill::default() });
        Ok(())
    }

    /// Has a task listen to another cancel and hook from here on: in a worker process each slice has its own.
    #[cfg(feature = "process")]
    pub(crate) fn rewire_task(&mut self, id: TaskId, config: &Config) {
        if let Some(task) = self.tasks.left.get_mut(&id) {
            task.run.run.cancel = config.cancel.0.clone();
            task.run.run.hook = config.hook.clone();
        }
    }

    /// Goes on with a task. The thread must be [`world::Running`].
    pub(crate) fn step_task(&mut self, id: TaskId, allowed: &Allowance, reply: Reply) -> Stepped {
        let Some(mut task) = self.tasks.left.remove(&id) else { return Stepped::sandbox_dropped() };
        let limits = match cage::memory_limits(&allowed.slice) {
            Ok(limits) => limits,
            Err(error) => {
                self.tasks.left.insert(id, task);
                return Stepped::failed(true, error);
            }
        };
        task.run.allow(&allowed.slice, allowed.rest, limits.memory);
        task.fiber.vm().recursion_limit.set(allowed.slice.recursion);
        let limits = MemoryLimits {
            allocations: limits.allocations.map(|count| count.saturating_add(task.memory.allocations)),
            ..limits
        };
        let sandbox = task.sandbox;
        let (went, mut usage, trip, output) = self.go_on(task, limits, None, reply);
        usage.live_bytes = self.scopes.get(&sandbox).map_or(0, |scope| scope.account.held());
        let result = match went {
            Went::Left(task, wants) => {
                self.tasks.left.insert(id, *task);
                match wants {
                    Wants::Slice => Ok(Step::Paused),
                    Wants::Answer(request) => Ok(Step::Awaiting(request)),
                }
            }
            Went::Ended(result) => outcome::outcome(trip, result, &allowed.told, &usage).map(Step::Done),
            Went::Nowhere => Err(Error::Lost),
        };
        let left = matches!(result, Ok(Step::Paused | Step::Awaiting(_)));
        Stepped { result, usage, output, left }
    }

    /// Ends a task where it is. None of its code runs: it is stopped like a run whose budget is spent.
    pub(crate) fn end_task(&mut self, id: TaskId) {
        let Some(mut task) = self.tasks.left.remove(&id) else { return };
        let _running = world::Running::begin(self.vm);
        if task.fiber.is_new() {
            if let Some(seat) = task.fiber.into_seat() {
                self.tasks.put_back(seat);
            }
            return;
        }
        // One that is stopped has no reason to be left again; should it be all the same, its stack stays as it is.
        for _ in 0..8 {
            match self.go_on(task, MemoryLimits::default(), Some(Trip::Cancelled), Reply::Go).0 {
                Went::Left(again, _) => task = *again,
                Went::Ended(_) | Went::Nowhere => return,
            }
        }
        std::mem::forget(task);
    }

    /// Ends all tasks of a sandbox.
    pub(crate) fn end_tasks_of(&mut self, sandbox: SandboxId) {
        let ids: Vec<TaskId> =
            self.tasks.left.iter().filter(|(_, task)| task.sandbox == sandbox).map(|(id, _)| *id).collect();
        for id in ids {
            self.end_task(id);
        }
    }

    /// Runs a task inside the meters until it is left or ends.
    fn go_on(
        &mut self,
        task: Left,
        limits: MemoryLimits,
        stop: Option<Trip>,
        reply: Reply,
    ) -> (Went, Usage, Option<Trip>, String) {
        let Left { sandbox, mut fiber, run, memory } = task;
        // A sandbox that goes away takes its tasks along first.
        let Some(scope) = self.scopes.get(&sandbox) else {
            std::mem::forget(fiber);
            return (Went::Nowhere, Usage::default(), None, String::new());
        };
        scope.state.sweep();
        let mut slice = fiber.entered(|fiber| {
            allocator::billed_on(&scope.account, limits, memory, || {
                fuel::metered_slice(run, stop, || fiber.resume(reply))
            })
        });
        let output = slice.run.as_mut().map(|run| std::mem::take(&mut run.run.state.output)).unwrap_or_default();
        let usage = slice.usage;
        let went = match (slice.result, slice.run) {
            (CoroutineResult::Return(result), _) => {
                if let Some(seat) = fiber.into_seat() {
                    self.tasks.put_back(seat);
                }
                Went::Ended(result)
            }
            (CoroutineResult::Yield(wants), Some(run)) => {
                let memory = MemoryBill {
                    allocations: usage.allocations,
                    allocated_bytes: usage.allocated_bytes,
                    live_bytes: usage.live_bytes,
                    peak_bytes: usage.peak_bytes,
                };
                Went::Left(Box::new(Left { sandbox, fiber, run, memory }), wants)
            }
            (CoroutineResult::Yield(_), None) => {
                std::mem::forget(fiber);
                Went::Nowhere
            }
        };
        (went, usage, slice.trip, output)
    }
}

/// How a slice ended.
enum Went {
    Left(Box<Left>, Wants),
    Ended(Finished),
    /// It could not run.
    Nowhere,
}

impl Stepped {
    /// A task does not outlive its sandbox.
    pub(crate) fn sandbox_dropped() -> Self {
        Stepped::failed(false, Error::Setup("the task's sandbox was dropped, and the task with it".to_owned()))
    }

    /// Nothing of the task has run.
    fn failed(left: bool, error: Error) -> Self {
        Stepped { result: Err(error), usage: Usage::default(), output: String::new(), left }
    }
}
