//! Many calls in one hand-over: [`Runner::with`] runs a closure of the host's on the runner's thread.

use crate::budget::Budget;
use crate::error::Error;
use crate::host::callback::Callback;
use crate::observe::Subject;
use crate::observe::audit::Operation;
use crate::runner::cage::Cage;
use crate::runner::fiber::Reply;
use crate::runner::handover::{self, Looked};
use crate::runner::operation::{self, Op};
use crate::runner::{CallError, Runner, panic_message, thread, world};
use crate::sandbox::Sandbox;
use crate::script::Script;
use crate::stubs::given::{Item, ValueHint};
use crate::task::{Progress, Task};
use crate::usage::Usage;
use crate::value::{FromValue, IntoArgs, IntoValue};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How long a closure may take between two calls, unless the host says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of the closure.
enum Came<T> {
    Value(T),
    /// The interpreter panicked, and is not to be used any more.
    Crash(String),
    /// The host's own code panicked, outside of a call.
    HostPanic(Box<dyn Any + Send>),
}

impl Runner {
    /// Runs a closure on the runner's thread, and answers what it answers: calls that are made through the [`Cage`] which
    /// it is given cost no hand-over between threads, so a frame calls a thousand plugins for one.
    ///
    /// Each call has its sandbox's budget and deadline, as ever. The host's own code between two calls is not the script's
    /// time; when it takes longer than a minute, the runner is given up (see [`Runner::with_patience`]).
    ///
    /// The closure takes what it works with by value and gives back what is to live on, as a thread's does: should a
    /// script get stuck in native code, then this call returns and the closure does not, so it may not borrow from
    /// the caller.
    ///
    /// Inside, [`Usage::elapsed`] counts from the first checkpoint of a call, at most 16 instructions after it began:
    /// reading the clock costs as much as a short call. Deadlines hold all the same.
    ///
    /// # Errors
    /// [`Error::Stuck`] when a call runs past its deadline or the closure past its patience, [`Error::Crashed`] when the
    /// interpreter panicked, [`Error::Lost`] when the runner is retired, [`Error::Setup`] on the runner's own thread.
    ///
    /// # Panics
    /// When the closure does, outside of a call: its panic goes on in the calling thread.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut plugins = Vec::new();
    /// for n in 0..3 {
    ///     let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    ///     sandbox.exec(&format!("def tick(x): return x + {n}"))?;
    ///     plugins.push(sandbox);
    /// }
    /// let (plugins, sum) = runner.with(move |cage| {
    ///     let mut sum = 0;
    ///     for plugin in &mut plugins {
    ///         sum += cage.call::<i64>(plugin, "tick", (10,)).unwrap_or(0);
    ///     }
    ///     (plugins, sum)
    /// })?;
    /// assert_eq!((plugins.len(), sum), (3, 33));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn with<T: Send + 'static>(
        &self,
        closure: impl FnOnce(&mut Cage<'_>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.with_patience(PATIENCE, closure)
    }

    /// [`Runner::with`], for closures whose own code takes at most `patience` between two calls. A closure that takes
    /// longer costs the runner: it is given up with all its sandboxes, and the closure's thread goes on unattended.
    ///
    /// # Errors
    /// As [`Runner::with`].
    ///
    /// # Panics
    /// As [`Runner::with`].
    ///
    /// ```
    /// use pycage::{Error, Runner};
    /// use std::time::Duration;
    ///
    /// let runner = Runner::new()?;
    /// let nap = |_: &mut pycage::Cage<'_>| std::thread::sleep(Duration::from_millis(300));
    /// assert!(matches!(runner.with_patience(Duration::from_millis(50), nap), Err(Error::Stuck(_))));
    /// assert!(!runner.is_alive());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_patience<T: Send + 'static>(
        &self,
        patience: Duration,
        closure: impl FnOnce(&mut Cage<'_>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if self.lease.queue.is_served_here() {
            return Err(CallError::WithinItself.into());
        }
        let (answer, waiter) = handover::reply::<Came<T>>(Arc::default());
        let pushed = self.lease.queue.push(Box::new(move |cage| {
            let watch = answer.watch().clone();
            watch.begin();
            let _running = world::Running::begin(cage.vm);
            cage.waiting = Some(watch.clone());
            let came = catch_unwind(AssertUnwindSafe(|| thread::watched(&watch, || closure(cage))));
            cage.waiting = None;
            match (came, cage.inside) {
                (Ok(value), false) => answer.send(Came::Value(value)),
                (Err(panic), false) => answer.send(Came::HostPanic(panic)),
                (Err(panic), true) => {
                    answer.send(Came::Crash(panic_message(&*panic)));
                    resume_unwind(panic);
                }
                // The closure caught the interpreter's panic, which does not mend the interpreter.
                (Ok(_), true) => {
                    let message = "the interpreter panicked, and the closure caught it";
                    answer.send(Came::Crash(message.to_owned()));
                    resume_unwind(Box::new(message));
                }
            }
        }));
        if !pushed {
            return Err(Error::Lost);
        }
        let watch = waiter.watch().clone();
        match waiter.wait_for_calls(patience) {
            Ok(Came::Value(value)) => Ok(value),
            Ok(Came::HostPanic(panic)) => resume_unwind(panic),
            Ok(Came::Crash(message)) => {
                self.lease.queue.retire("it crashed");
                Err(watch.told(CallError::Panicked(message, watch.usage()).into()))
            }
            Err(why) => {
                self.lease.queue.retire(why.reason());
                Err(watch.told(CallError::NoAnswer(why).into()))
            }
        }
    }
}

impl Cage<'_> {
    /// Calls a global function of a sandbox, as [`Sandbox::call`].
    ///
    /// # Errors
    /// As [`Sandbox::call`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// sandbox.exec("def f(x): return x * 2")?;
    /// let answer = runner.with(move |cage| cage.call::<i64>(&mut sandbox, "f", (4,)))?;
    /// assert_eq!(answer?, 8);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[inline]
    pub fn call<T: FromValue>(&mut self, sandbox: &mut Sandbox, name: &str, args: impl IntoArgs) -> Result<T, Error> {
        let subject = Subject::Function(Operation::Call, name);
        let done = sandbox.enter(self, None, Some(subject), |cage, place| {
            cage.enter(place, |vm, scope| operation::call_global(vm, &scope.globals, &scope.state, name, args))
        });
        Ok(T::from_value(done.result?)?)
    }

    /// Calls a global function under a budget of its own, as [`Sandbox::call_with`].
    ///
    /// # Errors
    /// As [`Cage::call`].
    ///
    /// ```
    /// use pycage::{Budget, Error, Limit, Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// sandbox.exec("def spin():\n    while True: pass")?;
    /// let spun = runner.with(move |cage| {
    ///     cage.call_with::<()>(&mut sandbox, "spin", (), Budget::default().instructions(1_000))
    /// })?;
    /// assert!(matches!(spun, Err(Error::Budget(stop)) if stop.limit == Limit::Instructions));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn call_with<T: FromValue>(
        &mut self,
        sandbox: &mut Sandbox,
        name: &str,
        args: impl IntoArgs,
        budget: Budget,
    ) -> Result<(T, Usage), Error> {
        let subject = Subject::Function(Operation::Call, name);
        let done = sandbox.enter(self, Some(&budget), Some(subject), |cage, place| {
            cage.enter(place, |vm, scope| operation::call_global(vm, &scope.globals, &scope.state, name, args))
        });
        Ok((T::from_value(done.result?)?, done.usage))
    }

    /// Runs source, as [`Sandbox::eval`].
    ///
    /// # Errors
    /// As [`Sandbox::eval`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// assert_eq!(runner.with(move |cage| cage.eval::<i64>(&mut sandbox, "6 * 7"))??, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn eval<T: FromValue>(&mut self, sandbox: &mut Sandbox, source: &str) -> Result<T, Error> {
        let script = sandbox.compile_here(Operation::Eval, "<script>", source)?;
        self.run(sandbox, &script)
    }

    /// Runs source for what it does, as [`Sandbox::exec`].
    ///
    /// # Errors
    /// As [`Sandbox::exec`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// let answer = runner.with(move |cage| {
    ///     cage.exec(&mut sandbox, "x = 6 * 7")?;
    ///     cage.get::<i64>(&mut sandbox, "x")
    /// })?;
    /// assert_eq!(answer?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn exec(&mut self, sandbox: &mut Sandbox, source: &str) -> Result<(), Error> {
        let script = sandbox.compile_here(Operation::Exec, "<script>", source)?;
        let subject = Subject::Script(Operation::Exec, &script);
        let op = Op::Exec(script.clone());
        sandbox.enter(self, None, Some(subject), |cage, place| cage.perform(place, op)).result.map(drop)
    }

    /// Runs a compiled script, as [`Sandbox::run`].
    ///
    /// # Errors
    /// As [`Sandbox::run`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// let script = sandbox.compile("s.py", "6 * 7")?;
    /// let answer = runner.with(move |cage| cage.run::<i64>(&mut sandbox, &script))?;
    /// assert_eq!(answer?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn run<T: FromValue>(&mut self, sandbox: &mut Sandbox, script: &Script) -> Result<T, Error> {
        let op = Op::Run(script.clone());
        let subject = Subject::Script(Operation::Eval, script);
        let done = sandbox.enter(self, None, Some(subject), |cage, place| cage.perform(place, op));
        Ok(T::from_value(done.result?)?)
    }

    /// Reads a global, as [`Sandbox::get`].
    ///
    /// # Errors
    /// As [`Sandbox::get`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// sandbox.set("x", 3)?;
    /// let answer = runner.with(move |cage| cage.get::<i64>(&mut sandbox, "x"))?;
    /// assert_eq!(answer?, 3);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn get<T: FromValue>(&mut self, sandbox: &mut Sandbox, name: &str) -> Result<T, Error> {
        let op = Op::Get(name.to_owned());
        let done = sandbox.enter(self, None, None, |cage, place| cage.perform(place, op));
        Ok(T::from_value(done.result?)?)
    }

    /// Sets a global, as [`Sandbox::set`].
    ///
    /// # Errors
    /// As [`Sandbox::set`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// let answer = runner.with(move |cage| {
    ///     cage.set(&mut sandbox, "x", 3)?;
    ///     cage.get::<i64>(&mut sandbox, "x")
    /// })?;
    /// assert_eq!(answer?, 3);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn set(&mut self, sandbox: &mut Sandbox, name: &str, value: impl IntoValue) -> Result<(), Error> {
        let (value, hint) = ValueHint::taken(value);
        let op = Op::Set(name.to_owned(), value);
        sandbox.enter(self, None, None, |cage, place| cage.perform(place, op)).result?;
        sandbox.given_mut().set(name, Item::Value(hint));
        Ok(())
    }

    /// Calls a callable of the script that the host holds, as [`Sandbox::call_function`].
    ///
    /// # Errors
    /// As [`Sandbox::call_function`]; [`Error::Setup`] when the sandbox lives on another runner.
    ///
    /// ```
    /// use pycage::{Callback, Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// sandbox.exec("def on_hit(damage): return max(0, damage - 3)")?;
    /// let handler: Callback = sandbox.get("on_hit")?;
    /// let left = runner.with(move |cage| cage.call_function::<i64>(&mut sandbox, &handler, (10,)))?;
    /// assert_eq!(left?, 7);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call_function<T: FromValue>(
        &mut self,
        sandbox: &mut Sandbox,
        callback: &Callback,
        args: impl IntoArgs,
    ) -> Result<T, Error> {
        let done = sandbox.enter(self, None, Some(Subject::Callback), |cage, place| {
            cage.enter(place, |vm, _| operation::call_held(vm, callback, args))
        });
        Ok(T::from_value(done.result?)?)
    }

    /// Runs a slice of a task, as [`Task::resume`].
    ///
    /// # Errors
    /// As [`Task::resume`]; [`Error::Setup`] when the task lives on another runner.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Runner, Sandbox};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// sandbox.exec("def patrol():\n    while True: pass")?;
    /// let mut tasks = Vec::new();
    /// for _ in 0..3 {
    ///     tasks.push(sandbox.start("patrol", ())?);
    /// }
    /// let paused = runner.with(move |cage| {
    ///     let slice = || Budget::default().instructions(1_000);
    ///     tasks.iter_mut().all(|task| matches!(cage.resume(task, slice()), Ok(Progress::Paused(_))))
    /// })?;
    /// assert!(paused);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn resume(&mut self, task: &mut Task, slice: Budget) -> Result<Progress, Error> {
        task.step_on(self, slice, Reply::Go)
    }

    /// Answers what a task awaits and runs a slice of it, as [`Task::resume_with`].
    ///
    /// # Errors
    /// As [`Task::resume_with`]; [`Error::Setup`] when the task lives on another runner.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Runner, Sandbox, Value};
    ///
    /// let runner = Runner::new()?;
    /// let mut sandbox = Sandbox::builder().runner(&runner).build()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f(): return await ask() + 1")?;
    /// let mut task = sandbox.start("f", ())?;
    /// let progress = runner.with(move |cage| {
    ///     cage.resume(&mut task, Budget::default())?;
    ///     cage.resume_with(&mut task, 41, Budget::default())
    /// })?;
    /// assert_eq!(progress?, Progress::Done(Value::Int(42)));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn resume_with(&mut self, task: &mut Task, value: impl IntoValue, slice: Budget) -> Result<Progress, Error> {
        task.step_on(self, slice, Reply::Value(value.into_value()))
    }

    /// Whether a call may begin: not after one that panicked, in a closure that caught it.
    #[inline]
    pub(crate) fn usable(&self) -> Result<(), Error> {
        if self.inside { Err(Error::Lost) } else { Ok(()) }
    }

    /// A call begins, with the one who waits for the closure looking on. The cage must be [`Cage::usable`]. Answers what
    /// [`Cage::end_call`] is to be told.
    #[inline]
    pub(crate) fn begin_call(&mut self, patience: Duration, looked: Option<Looked>) -> bool {
        self.inside = true;
        let observed = looked.is_some();
        if let Some(watch) = &self.waiting {
            if observed {
                watch.observe(looked);
            }
            watch.begin_call(patience);
        }
        observed
    }

    /// It has ended, and not by a panic; `observed` as its beginning answered.
    #[inline]
    pub(crate) fn end_call(&mut self, observed: bool) {
        if let Some(watch) = &self.waiting {
            if observed {
                watch.observe(None);
            }
            watch.end_call();
        }
        self.inside = false;
    }
}
