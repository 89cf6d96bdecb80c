//! The front door: a sandbox, its builder, and calls into it.

#[cfg(feature = "serde")]
mod snapshot_serde;
mod state;

pub use state::{Reloaded, Snapshot};

use crate::budget::{Budget, Limit};
use crate::compile::{self, Checks};
use crate::error::{BudgetExceeded, Error};
use crate::guard;
use crate::host::callback::Callback;
use crate::host::function::{self, Erased, HostFunction, NewFunction};
use crate::meter::fuel::{Clock, LiveUsage};
use crate::meter::hook::{Cancel, MeterHook};
use crate::policy::Policy;
use crate::runner::cage::{Cage, Call, Done, Op, Place, SandboxId};
use crate::runner::handover::NoAnswer;
use crate::runner::tasks::{Start, TaskId};
use crate::runner::{CallError, Runner};
use crate::script::Script;
use crate::task::{Books, Task};
use crate::usage::Usage;
use crate::value::{FromValue, IntoArgs, IntoValue, Value};
use parking_lot::Mutex;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long past its deadline a call may go on before the runner is given up.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// How long compiling may take: the limits on sources keep it far below.
const COMPILE_PATIENCE: Duration = Duration::from_secs(10);

/// An isolated place for scripts to run: globals of its own, a policy, a budget for each call.
///
/// A sandbox is a handle to a scope on a [`Runner`] thread. It is `Send`; its calls block until they are done, and come
/// back by the budget's timeout plus a third of a second whatever the script does. Globals stay from call to call, also
/// after one that failed. Dropping it frees its scope.
///
/// ```
/// use pycage::{Budget, Error, Sandbox};
///
/// let mut sandbox = Sandbox::builder().budget(Budget::default().instructions(100_000)).build()?;
/// sandbox.exec("
/// hits = 0
/// def on_hit(damage):
///     global hits
///     hits += 1
///     return max(0, damage - 3)
/// ")?;
/// let (taken, usage) = sandbox.call_with::<i64>("on_hit", (10,), sandbox.budget().clone())?;
/// assert_eq!(taken, 7);
/// assert!(usage.instructions > 0);
/// assert_eq!(sandbox.get::<i64>("hits")?, 1);
/// # Ok::<(), Error>(())
/// ```
pub struct Sandbox {
    home: Home,
    id: SandboxId,
    config: Arc<Config>,
    budget: Budget,
    lifetime: Option<Budget>,
    /// What all calls so far have cost together.
    spent: Usage,
    output: String,
    live: Arc<LiveUsage>,
    /// Shared with its tasks, once there were any.
    books: Option<Arc<Mutex<Books>>>,
    #[cfg(feature = "async")]
    pub(crate) async_functions: crate::future::AsyncFunctions,
}

/// Where a sandbox's scripts run.
enum Home {
    Thread(Runner),
    /// Behind a lock for the calls that take the sandbox by shared reference.
    #[cfg(feature = "process")]
    Process(Box<parking_lot::Mutex<crate::process::session::Session>>),
}

/// What separates a sandbox's scripts from the host; see [`SandboxBuilder::isolation`].
///
/// ```no_run
/// use pycage::{Isolation, Sandbox};
///
/// fn main() -> Result<(), pycage::Error> {
///     pycage::worker::init();
///     let mut sandbox = Sandbox::builder().isolation(Isolation::Process).build()?;
///     assert!(sandbox.enforced().contains(&"seccomp"));
///     assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// The rings of this process alone: a thread of the library's own.
    #[default]
    Thread,
    /// The same in a worker process, walled in by the kernel on Linux. Needs the feature `process`, and
    /// `pycage::worker::init()` first in the host's `main`.
    Process,
}

/// What is fixed for the life of a sandbox.
pub(crate) struct Config {
    pub policy: Policy,
    pub hook: Option<Arc<dyn MeterHook>>,
    pub cancel: Cancel,
    pub data: Option<Arc<dyn Any + Send + Sync>>,
}

/// Builds a [`Sandbox`]; see [`Sandbox::builder`].
///
/// ```
/// use pycage::{Budget, Policy, Sandbox};
///
/// let mut sandbox = Sandbox::builder()
///     .policy(Policy::plugin())
///     .budget(Budget::default().instructions(100_000))
///     .build()?;
/// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Default)]
pub struct SandboxBuilder {
    runner: Option<Runner>,
    policy: Policy,
    budget: Budget,
    lifetime: Option<Budget>,
    hook: Option<Arc<dyn MeterHook>>,
    isolation: Isolation,
    #[cfg(feature = "process")]
    pool: Option<crate::process::Pool>,
    data: Option<Arc<dyn Any + Send + Sync>>,
}

impl SandboxBuilder {
    /// What separates the scripts from the host. The sandbox is used in the same way with either.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().isolation(pycage::Isolation::Thread).build()?;
    /// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// The pool to take a worker process from, instead of the process-wide default one. Implies [`Isolation::Process`].
    ///
    /// ```no_run
    /// use pycage::Sandbox;
    /// use pycage::process::Pool;
    ///
    /// fn main() -> Result<(), pycage::Error> {
    ///     pycage::worker::init();
    ///     let pool = Pool::builder().size(2, 8).build()?;
    ///     let mut sandbox = Sandbox::builder().pool(&pool).build()?;
    ///     sandbox.exec("1 + 1")
    /// }
    /// ```
    #[cfg(feature = "process")]
    #[must_use]
    pub fn pool(mut self, pool: &crate::process::Pool) -> Self {
        self.pool = Some(pool.clone());
        self.isolation(Isolation::Process)
    }

    /// The runner to live on, instead of the process-wide default one.
    ///
    /// ```
    /// let runner = pycage::Runner::new()?;
    /// let mut sandbox = pycage::Sandbox::builder().runner(&runner).build()?;
    /// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn runner(mut self, runner: &Runner) -> Self {
        self.runner = Some(runner.clone());
        self
    }

    /// What scripts may use.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().policy(pycage::Policy::minimal().grant("math")).build()?;
    /// assert_eq!(sandbox.eval::<i64>("import math\nmath.isqrt(17)")?, 4);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The budget of calls that are given no other.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().budget(pycage::Budget::default().instructions(100)).build()?;
    /// assert!(sandbox.exec("while True: pass").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// A budget for all calls together, beside that of each call. Its instructions, time, allocations, output and host
    /// calls add up; its memory and recursion limits have no further effect, as those hold at any time anyway.
    ///
    /// ```
    /// use pycage::{Budget, Error, Limit, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().lifetime_budget(Budget::default().instructions(5_000)).build()?;
    /// let stop = loop {
    ///     match sandbox.exec("for i in range(100): pass") {
    ///         Ok(()) => {}
    ///         Err(Error::Budget(stop)) => break stop,
    ///         Err(other) => panic!("{other}"),
    ///     }
    /// };
    /// assert!(stop.lifetime && stop.limit == Limit::Instructions);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn lifetime_budget(mut self, budget: Budget) -> Self {
        self.lifetime = Some(budget);
        self
    }

    /// Has a say at checkpoints.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().hook(|_: &pycage::Usage| pycage::HookAction::Continue).build()?;
    /// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn hook(mut self, hook: impl MeterHook + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Data of the host's own, which host functions find by its type: see [`CallContext::data`](crate::CallContext::data).
    /// There is one for a sandbox; a second call replaces it.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().data("ada".to_owned()).build()?;
    /// sandbox.function("who", |context: pycage::CallContext| context.data::<String>().cloned())?;
    /// assert_eq!(sandbox.eval::<String>("who()")?, "ada");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn data<T: Any + Send + Sync>(mut self, data: T) -> Self {
        self.data = Some(Arc::new(data));
        self
    }

    /// Builds the sandbox.
    ///
    /// # Errors
    /// [`Error::Setup`] when a granted module does not exist, or the operating system refuses a thread for a runner;
    /// [`Error::Lost`] when the given runner is, and modules are granted.
    ///
    /// ```
    /// use pycage::{Error, Policy, Sandbox};
    ///
    /// assert!(Sandbox::builder().build().is_ok());
    /// let unknown = Sandbox::builder().policy(Policy::minimal().grant("os")).build();
    /// assert!(matches!(unknown, Err(Error::Setup(_))));
    /// ```
    pub fn build(self) -> Result<Sandbox, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        if let Some(unknown) = self.policy.modules.iter().find(|name| !guard::grantable(name)) {
            return Err(Error::Setup(format!("there is no module '{unknown}' that could be granted")));
        }
        let config =
            Arc::new(Config { policy: self.policy, hook: self.hook, cancel: Cancel::default(), data: self.data });
        let home = match (self.isolation, self.runner) {
            (Isolation::Thread, Some(runner)) => Home::Thread(runner),
            (Isolation::Thread, None) => Home::Thread(Runner::shared()?),
            (Isolation::Process, Some(_)) => {
                return Err(Error::Setup("a sandbox in a worker process has no runner; give it a pool".to_owned()));
            }
            #[cfg(feature = "process")]
            (Isolation::Process, None) => {
                let pool = match self.pool {
                    Some(pool) => pool,
                    None => crate::process::Pool::default_pool()?,
                };
                let session = crate::process::session::Session::begin(pool.shared(), &config)?;
                Home::Process(Box::new(parking_lot::Mutex::new(session)))
            }
            #[cfg(not(feature = "process"))]
            (Isolation::Process, None) => {
                return Err(Error::Setup("sandboxes in worker processes need pycage's feature `process`".to_owned()));
            }
        };
        // A worker does so when it opens the sandbox.
        if let Home::Thread(runner) = &home
            && !config.policy.modules.is_empty()
        {
            let policy = config.policy.clone();
            match runner.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.prepare_modules(&policy)) {
                // Then the first import does it.
                Err(CallError::WithinItself) => {}
                prepared => prepared??,
            }
        }
        Ok(Sandbox {
            home,
            id: SandboxId(NEXT.fetch_add(1, Ordering::Relaxed)),
            config,
            budget: self.budget,
            lifetime: self.lifetime,
            spent: Usage::default(),
            output: String::new(),
            live: Arc::default(),
            books: None,
            #[cfg(feature = "async")]
            async_functions: Default::default(),
        })
    }
}

impl Sandbox {
    /// A sandbox with the default policy and budget.
    ///
    /// # Errors
    /// As [`SandboxBuilder::build`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn new() -> Result<Sandbox, Error> {
        Sandbox::builder().build()
    }

    /// Starts to build a sandbox.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().build()?;
    /// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// Runs source and gives the value of its last statement, if that is an expression, else `None`.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::Conversion`] when the value does not become a `T`.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// assert_eq!(sandbox.eval::<Vec<i64>>("x = 3\n[x, x + 1]")?, [3, 4]);
    /// assert_eq!(sandbox.eval::<Option<i64>>("x = 3")?, None);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn eval<T: FromValue>(&mut self, source: &str) -> Result<T, Error> {
        self.eval_with(source, self.budget.clone()).map(|(value, _)| value)
    }

    /// [`Sandbox::eval`] under a budget of its own; also gives the bill.
    ///
    /// # Errors
    /// As [`Sandbox::eval`].
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let (value, usage) = sandbox.eval_with::<i64>("6 * 7", Budget::default().instructions(100))?;
    /// assert!(value == 42 && usage.instructions < 100);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn eval_with<T: FromValue>(&mut self, source: &str, budget: Budget) -> Result<(T, Usage), Error> {
        self.eval_named("<script>", source, budget)
    }

    /// [`Sandbox::eval_with`] under a name for tracebacks. In a worker process it is one trip, and compiling is within the
    /// call's time.
    ///
    /// # Errors
    /// As [`Sandbox::eval`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let budget = sandbox.budget().clone();
    /// let error = sandbox.eval_named::<i64>("orc.py", "1 // 0", budget).unwrap_err();
    /// assert!(error.to_string().starts_with("orc.py:1: ZeroDivisionError"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn eval_named<T: FromValue>(&mut self, name: &str, source: &str, budget: Budget) -> Result<(T, Usage), Error> {
        let script = self.compile_for_one_run(name, source)?;
        self.run_with(&script, budget)
    }

    /// Runs source for what it does: its definitions, its globals, its output.
    ///
    /// # Errors
    /// Any of [`Error`] but [`Error::Conversion`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("def double(x): return x * 2")?;
    /// assert_eq!(sandbox.call::<i64>("double", (21,))?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn exec(&mut self, source: &str) -> Result<(), Error> {
        self.exec_with(source, self.budget.clone()).map(drop)
    }

    /// [`Sandbox::exec`] under a budget of its own; gives the bill.
    ///
    /// # Errors
    /// As [`Sandbox::exec`].
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let usage = sandbox.exec_with("for i in range(10): pass", Budget::default())?;
    /// assert!(usage.instructions > 10);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn exec_with(&mut self, source: &str, budget: Budget) -> Result<Usage, Error> {
        let script = self.compile_for_one_run("<script>", source)?;
        self.dispatch(Op::Exec(script), budget).map(|(_, usage)| usage)
    }

    /// Compiles source under a name for tracebacks, without running it.
    ///
    /// # Errors
    /// [`Error::Syntax`] and [`Error::Rejected`] for what the source is; [`Error::Lost`] when the runner is.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("answer.py", "6 * 7")?;
    /// assert_eq!(sandbox.run::<i64>(&script)?, 42);
    /// assert!(sandbox.compile("broken.py", "6 *").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn compile(&self, name: &str, source: &str) -> Result<Script, Error> {
        self.compile_checked(name, source, Checks::All)
    }

    /// Compiles source without validating it. For this crate's tests of the run ring alone: never in a host.
    ///
    /// # Errors
    /// As [`Sandbox::compile`].
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn compile_unvalidated(&self, name: &str, source: &str) -> Result<Script, Error> {
        self.compile_checked(name, source, Checks::LimitsOnly)
    }

    /// Holds the runner up in native code that meets no checkpoint. For this crate's tests of [`Error::Stuck`]: never in a
    /// host.
    ///
    /// # Errors
    /// [`Error::Stuck`] when that is longer than the timeout and the grace after it.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn hold_up(&mut self, time: Duration) -> Result<(), Error> {
        self.dispatch(Op::HoldUp(time), self.budget.clone()).map(drop)
    }

    /// The public names of a granted module, for this crate's tests of its tables.
    ///
    /// # Errors
    /// [`Error::Setup`] when it is not granted.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn module_names(&self, module: &str) -> Result<Vec<String>, Error> {
        let (module, config) = (module.to_owned(), self.config.clone());
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.module_names(&module, &config))?
    }

    /// A worker compiles it in the call that runs it.
    fn compile_for_one_run(&self, name: &str, source: &str) -> Result<Script, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(_) = &self.home {
            return Ok(Script::for_workers(name, source, false, false));
        }
        self.compile(name, source)
    }

    fn runner(&self) -> Result<&Runner, Error> {
        match &self.home {
            Home::Thread(runner) => Ok(runner),
            #[cfg(feature = "process")]
            Home::Process(_) => Err(Error::Setup("this sandbox lives in a worker process, not on a runner".to_owned())),
        }
    }

    /// Compiles on the runner's own thread.
    pub(crate) fn compile_here(&self, name: &str, source: &str) -> Result<Script, Error> {
        compile::compile(source, name, &self.config.policy, Checks::All).map(|compiled| Script::new(name, compiled))
    }

    fn compile_checked(&self, name: &str, source: &str, checks: Checks) -> Result<Script, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            let script = Script::for_workers(name, source, true, checks != Checks::All);
            session.lock().compile(&script, &self.budget, &self.config)?;
            return Ok(script);
        }
        let (name, source, config) = (name.to_owned(), source.to_owned(), self.config.clone());
        // On the runner for its stack: the compiler recurses over the tree.
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |_, _| {
            compile::compile(&source, &name, &config.policy, checks).map(|compiled| Script::new(&name, compiled))
        })?
    }

    /// What the sandbox's globals lead to that no script may hold: an object of the interpreter's own, or one of another
    /// sandbox on the same runner. For this crate's tests: never in a host.
    ///
    /// # Errors
    /// [`Error::Lost`] when the runner is.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn reached(&self) -> Result<Option<String>, Error> {
        let id = self.id;
        Ok(self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.reached(id))?)
    }

    /// A listing of a script's instrumented bytecode with the weight of each block, for people.
    ///
    /// # Errors
    /// [`Error::Lost`] when the runner is.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("answer.py", "x = 1")?;
    /// assert!(!sandbox.disassemble(&script)?.is_empty());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn disassemble(&self, script: &Script) -> Result<String, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            return session.lock().disassemble(script, &self.budget, &self.config);
        }
        let script = script.clone();
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.disassemble(&script))?
    }

    /// Runs a compiled script; gives the value of its last expression.
    ///
    /// # Errors
    /// As [`Sandbox::eval`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("count.py", "n = n + 1\nn")?;
    /// sandbox.set("n", 0)?;
    /// sandbox.run::<i64>(&script)?;
    /// assert_eq!(sandbox.run::<i64>(&script)?, 2);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn run<T: FromValue>(&mut self, script: &Script) -> Result<T, Error> {
        self.run_with(script, self.budget.clone()).map(|(value, _)| value)
    }

    /// [`Sandbox::run`] under a budget of its own; also gives the bill.
    ///
    /// # Errors
    /// As [`Sandbox::eval`].
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("answer.py", "6 * 7")?;
    /// let (_, first) = sandbox.run_with::<i64>(&script, Budget::default())?;
    /// let (_, second) = sandbox.run_with::<i64>(&script, Budget::default())?;
    /// assert_eq!(first.instructions, second.instructions);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn run_with<T: FromValue>(&mut self, script: &Script, budget: Budget) -> Result<(T, Usage), Error> {
        let (value, usage) = self.dispatch(Op::Run(script.clone()), budget)?;
        Ok((T::from_value(value)?, usage))
    }

    /// Calls a global function. The coroutine of an `async def` is run to its end.
    ///
    /// # Errors
    /// As [`Sandbox::eval`]; [`Error::Setup`] when there is no such global.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("def area(w, h): return w * h\nasync def later(): return 1")?;
    /// assert_eq!(sandbox.call::<i64>("area", (6, 7))?, 42);
    /// assert_eq!(sandbox.call::<i64>("later", ())?, 1);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call<T: FromValue>(&mut self, name: &str, args: impl IntoArgs) -> Result<T, Error> {
        self.call_with(name, args, self.budget.clone()).map(|(value, _)| value)
    }

    /// [`Sandbox::call`] under a budget of its own; also gives the bill.
    ///
    /// # Errors
    /// As [`Sandbox::call`].
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("def area(w, h): return w * h")?;
    /// let (area, usage) = sandbox.call_with::<i64>("area", (6, 7), Budget::default().instructions(50))?;
    /// assert!(area == 42 && usage.instructions <= 50);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call_with<T: FromValue>(
        &mut self,
        name: &str,
        args: impl IntoArgs,
        budget: Budget,
    ) -> Result<(T, Usage), Error> {
        let op = Op::Call { name: name.to_owned(), args: args.into_args() };
        let (value, usage) = self.dispatch(op, budget)?;
        Ok((T::from_value(value)?, usage))
    }

    /// Reads a global.
    ///
    /// # Errors
    /// [`Error::Setup`] when there is none of that name; [`Error::Conversion`] when it does not become a `T`.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("hp = 9")?;
    /// assert_eq!(sandbox.get::<i64>("hp")?, 9);
    /// assert!(sandbox.get::<i64>("mp").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn get<T: FromValue>(&mut self, name: &str) -> Result<T, Error> {
        let (value, _) = self.dispatch(Op::Get(name.to_owned()), self.budget.clone())?;
        Ok(T::from_value(value)?)
    }

    /// Sets a global.
    ///
    /// # Errors
    /// [`Error::Conversion`] when the value cannot cross; [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.set("names", vec!["ada", "bob"])?;
    /// assert_eq!(sandbox.eval::<i64>("len(names)")?, 2);
    /// assert!(sandbox.set("__builtins__", 1).is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn set(&mut self, name: &str, value: impl IntoValue) -> Result<(), Error> {
        let op = Op::Set(name.to_owned(), value.into_value());
        self.dispatch(op, self.budget.clone()).map(drop)
    }

    /// Makes a closure a global function of the sandbox; see [`HostFunction`].
    ///
    /// # Errors
    /// [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.function("double", |x: i64| x * 2)?;
    /// assert_eq!(sandbox.eval::<i64>("double(21)")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function<Args: 'static>(
        &mut self,
        name: &str,
        function: impl HostFunction<Args> + Sync + 'static,
    ) -> Result<(), Error> {
        self.set_erased(name, Vec::new(), function::erase(function))
    }

    /// [`Sandbox::function`], with names for the parameters, in order, by which a script can pass them as keywords. A
    /// [`CallContext`](crate::CallContext), [`Rest`](crate::Rest) or [`Kwargs`](crate::Kwargs) has no name.
    ///
    /// # Errors
    /// As [`Sandbox::function`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.function_named("spawn", ["kind", "count"], |kind: &str, count: Option<u32>| {
    ///     format!("{} {kind}", count.unwrap_or(1))
    /// })?;
    /// assert_eq!(sandbox.eval::<String>("spawn('orc')")?, "1 orc");
    /// assert_eq!(sandbox.eval::<String>("spawn(count=3, kind='elf')")?, "3 elf");
    /// assert!(sandbox.exec("spawn('orc', size=9)").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function_named<Args: 'static, Name: Into<String>>(
        &mut self,
        name: &str,
        parameters: impl IntoIterator<Item = Name>,
        function: impl HostFunction<Args> + Sync + 'static,
    ) -> Result<(), Error> {
        let parameters = parameters.into_iter().map(Into::into).collect();
        self.set_erased(name, parameters, function::erase(function))
    }

    pub(crate) fn set_erased(&mut self, name: &str, parameters: Vec<String>, function: Erased) -> Result<(), Error> {
        let op = Op::SetFunction(NewFunction { name: name.to_owned(), parameters, function });
        self.dispatch(op, self.budget.clone()).map(drop)
    }

    /// Calls a callable of the script that the host holds, see [`Callback`].
    ///
    /// # Errors
    /// As [`Sandbox::eval`]; [`Error::Conversion`] when the callback belongs to another sandbox.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let double: pycage::Callback = sandbox.eval("lambda x: x * 2")?;
    /// assert_eq!(sandbox.call_function::<i64>(&double, (21,))?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call_function<T: FromValue>(&mut self, callback: &Callback, args: impl IntoArgs) -> Result<T, Error> {
        self.call_function_with(callback, args, self.budget.clone()).map(|(value, _)| value)
    }

    /// [`Sandbox::call_function`] under a budget of its own; also gives the bill.
    ///
    /// # Errors
    /// As [`Sandbox::call_function`].
    ///
    /// ```
    /// use pycage::{Budget, Callback, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let double: Callback = sandbox.eval("lambda x: x * 2")?;
    /// let (value, usage) = sandbox.call_function_with::<i64>(&double, (21,), Budget::default())?;
    /// assert!(value == 42 && usage.instructions > 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call_function_with<T: FromValue>(
        &mut self,
        callback: &Callback,
        args: impl IntoArgs,
        budget: Budget,
    ) -> Result<(T, Usage), Error> {
        let op = Op::CallFunction { callback: callback.clone(), args: args.into_args() };
        let (value, usage) = self.dispatch(op, budget)?;
        Ok((T::from_value(value)?, usage))
    }

    /// Makes a global function of which each call can be awaited by a task: the host gets the name and the arguments as a
    /// [`Request`](crate::Request), and answers with [`Task::resume_with`].
    ///
    /// # Errors
    /// [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f(): return await ask('who')")?;
    /// let mut task = sandbox.start("f", ())?;
    /// assert!(matches!(task.resume(Budget::default())?, Progress::Awaiting(request) if request.name == "ask"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn awaitable(&mut self, name: &str) -> Result<(), Error> {
        self.dispatch(Op::SetAwaitable(name.to_owned()), self.budget.clone()).map(drop)
    }

    /// Starts a call of a global function as a [`Task`], which runs a slice at a time. Nothing runs before the first
    /// [`Task::resume`]. A plain function is paused wherever its slice ends; the coroutine of an `async def` can also await
    /// what [`Sandbox::awaitable`] made.
    ///
    /// # Errors
    /// [`Error::Setup`] when the system refuses a stack for another task; [`Error::Lost`] when the runner is.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("def double(x): return x * 2")?;
    /// let mut task = sandbox.start("double", (21,))?;
    /// assert_eq!(task.resume(Budget::default())?, Progress::Done(Value::Int(42)));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn start(&mut self, name: &str, args: impl IntoArgs) -> Result<Task, Error> {
        self.start_task(Start::Call { name: name.to_owned(), args: args.into_args() })
    }

    /// Starts a compiled script as a [`Task`], as [`Sandbox::start`].
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("answer.py", "6 * 7")?;
    /// let mut task = sandbox.start_script(&script)?;
    /// assert_eq!(task.resume(Budget::default())?, Progress::Done(Value::Int(42)));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn start_script(&mut self, script: &Script) -> Result<Task, Error> {
        self.start_task(Start::Run(script.clone()))
    }

    fn start_task(&mut self, start: Start) -> Result<Task, Error> {
        let (task, job) = self.prepare_task(start)?;
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| job(cage))??;
        Ok(task)
    }

    #[cfg(feature = "async")]
    pub(crate) async fn start_async(&mut self, start: Start) -> Result<Task, Error> {
        let (task, job) = self.prepare_task(start)?;
        self.runner()?.call_async(COMPILE_PATIENCE, Arc::default(), move |cage, _| job(cage))?.await??;
        Ok(task)
    }

    /// A task, and what makes it on the runner.
    #[allow(clippy::type_complexity, reason = "a closure has no other name")]
    fn prepare_task(
        &mut self,
        start: Start,
    ) -> Result<(Task, impl FnOnce(&mut Cage<'_>) -> Result<(), Error> + Send + 'static + use<>), Error> {
        let runner = self.runner()?.clone();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = TaskId(NEXT.fetch_add(1, Ordering::Relaxed));
        let (sandbox, config, live) = (self.id, self.config.clone(), Arc::<LiveUsage>::default());
        let spent = self.spent;
        let books =
            self.books.get_or_insert_with(|| Arc::new(Mutex::new(Books { calls: spent, tasks: Usage::default() })));
        let task = Task::new(runner, id, live.clone(), self.lifetime.clone(), books.clone());
        Ok((task, move |cage: &mut Cage<'_>| cage.start_task(id, sandbox, &config, live, start)))
    }

    #[cfg(feature = "async")]
    pub(crate) async fn compile_async(&self, name: &str, source: &str) -> Result<Script, Error> {
        let (name, source, config) = (name.to_owned(), source.to_owned(), self.config.clone());
        let job = move |_: &mut Cage<'_>, _: &_| {
            compile::compile(&source, &name, &config.policy, Checks::All).map(|compiled| Script::new(&name, compiled))
        };
        self.runner()?.call_async(COMPILE_PATIENCE, Arc::default(), job)?.await?
    }

    /// What a task of an async call printed is the sandbox's.
    #[cfg(feature = "async")]
    pub(crate) fn take_over_output(&mut self, task: &mut Task) {
        self.output.push_str(&task.take_output());
    }

    /// What scripts have printed since the last time it was taken.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("print('hello')")?;
    /// assert_eq!(sandbox.take_output(), "hello\n");
    /// assert_eq!(sandbox.take_output(), "");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.output)
    }

    /// What all calls so far have cost together: counts and times are sums, `peak_bytes` is the highest, `live_bytes` the
    /// last.
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let first = sandbox.exec_with("x = 1", Budget::default())?;
    /// let second = sandbox.exec_with("x = 1 + x", Budget::default())?;
    /// assert_eq!(sandbox.total_usage().instructions, first.instructions + second.instructions);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn total_usage(&self) -> Usage {
        let mut total = self.spent;
        if let Some(books) = &self.books {
            total.add(&books.lock().tasks);
        }
        total
    }

    /// The budget of calls that are given no other.
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// assert_eq!(sandbox.budget(), &Budget::default());
    /// # sandbox.exec("1")?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Replaces the budget of calls that are given no other.
    ///
    /// ```
    /// use pycage::{Budget, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.set_budget(Budget::default().instructions(50));
    /// assert!(sandbox.exec("while True: pass").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// A handle to stop this sandbox's calls with, from any thread.
    ///
    /// ```
    /// use pycage::{Error, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let cancel = sandbox.cancel_handle();
    /// let canceller = std::thread::spawn(move || cancel.cancel());
    /// assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Cancelled(_))));
    /// # canceller.join().unwrap();
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn cancel_handle(&self) -> Cancel {
        self.config.cancel.clone()
    }

    /// A view of the usage of the call that runs, as of its last checkpoint, to be read from another thread.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let view = sandbox.live_usage();
    /// sandbox.exec("for i in range(100_000): pass")?;
    /// assert!(view.instructions() > 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn live_usage(&self) -> LiveUsageView {
        LiveUsageView(self.live.clone())
    }

    /// What of the kernel's walls is not in force around the worker, each with the reason. Empty for a sandbox of this
    /// process, which has none.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// // A sandbox of this process has no walls that could be missing.
    /// assert!(sandbox.lacking().is_empty());
    /// # sandbox.exec("1")?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[cfg(feature = "process")]
    pub fn lacking(&self) -> Vec<(&'static str, String)> {
        match &self.home {
            Home::Process(session) => {
                session.lock().report().lacking.iter().map(|(wall, why)| (wall.name(), why.clone())).collect()
            }
            Home::Thread(_) => Vec::new(),
        }
    }

    /// Has native code of an attacker run in the worker; answers what it says itself. For this crate's tests of the jail.
    ///
    /// # Errors
    /// [`Error::Died`] when the kernel ends the worker for it.
    #[cfg(all(feature = "process", feature = "test-hooks"))]
    #[doc(hidden)]
    pub fn attack(&mut self, name: &str) -> Result<String, Error> {
        match &mut self.home {
            Home::Process(session) => {
                let done = session.get_mut().attack(name, &self.budget, &self.config)?;
                Ok(String::from_value(done.result?)?)
            }
            Home::Thread(_) => Err(Error::Setup("there is no worker to attack from".to_owned())),
        }
    }

    /// What is in force for this sandbox, so that a host can fail closed.
    ///
    /// ```
    /// let sandbox = pycage::Sandbox::new()?;
    /// assert!(sandbox.enforced().contains(&"instructions"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn enforced(&self) -> Vec<&'static str> {
        let mut enforced =
            vec!["validator", "builtins", "attributes", "instructions", "time", "recursion", "output", "host_calls"];
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            let report = session.lock().report();
            if report.metered {
                enforced.extend(["memory", "allocations"]);
            }
            enforced.extend(["process", "kill"]);
            enforced.extend(report.enforced.iter().map(|wall| wall.name()));
            return enforced;
        }
        if crate::meter::allocator::installed() {
            enforced.extend(["memory", "allocations"]);
        }
        enforced
    }

    fn dispatch(&mut self, op: Op, budget: Budget) -> Result<(Value, Usage), Error> {
        let effective = match &self.lifetime {
            Some(lifetime) => budget.within(lifetime, &self.total_usage()),
            None => budget.clone(),
        };
        let patience = effective.timeout.saturating_add(GRACE);
        #[cfg(feature = "process")]
        if let Home::Process(session) = &mut self.home {
            let done = session.get_mut().call(op, &effective, &self.config, &self.live);
            let done = done.inspect_err(|error| {
                if let Some(usage) = error.usage() {
                    self.spent.add(usage);
                }
            })?;
            return self.settle(done, &budget);
        }
        let call = Call {
            sandbox: self.id,
            config: self.config.clone(),
            budget: effective.clone(),
            live: self.live.clone(),
            op,
        };
        let done = self.runner()?.call(patience, self.live.clone(), move |cage, _| cage.answer(call));
        let Done { result, usage, output } = done.map_err(|why| match why {
            // The thread was parked at the hard memory limit: for the host, a memory budget that ran out.
            CallError::NoAnswer(NoAnswer::OutOfMemory(usage)) => Error::Budget(BudgetExceeded {
                limit: Limit::Memory,
                lifetime: false,
                allowed: budget.memory.value(),
                used: usage.live_bytes,
                traceback: Vec::new(),
                usage: Box::new(usage),
            }),
            why => why.into(),
        })?;
        self.settle(Done { result, usage, output }, &budget)
    }

    /// Does something on the runner's own thread, in the middle of [`Runner::with`]; under the sandbox's own budget if
    /// no other is given.
    pub(crate) fn enter(
        &mut self,
        cage: &mut Cage<'_>,
        budget: Option<&Budget>,
        work: impl FnOnce(&mut Cage<'_>, Place<'_>) -> Done,
    ) -> Result<(Value, Usage), Error> {
        if !cage.is_served_by(&self.runner()?.lease.queue) {
            return Err(Error::Setup(
                "this sandbox lives on another runner; build it with this one's `SandboxBuilder::runner`".to_owned(),
            ));
        }
        let asked = budget.unwrap_or(&self.budget);
        let cut;
        let effective = match &self.lifetime {
            Some(lifetime) => {
                cut = asked.within(lifetime, &self.total_usage());
                &cut
            }
            None => asked,
        };
        let place =
            Place { sandbox: self.id, config: &self.config, budget: effective, live: &self.live, clock: Clock::lazy() };
        let done = cage.watched(effective.timeout.saturating_add(GRACE), |cage| work(cage, place))?;
        if done.result.is_ok() && done.output.is_empty() && self.books.is_none() {
            // The usual case, which is to be quick.
            self.spent.add(&done.usage);
            return done.result.map(|value| (value, done.usage));
        }
        let asked = asked.clone();
        self.settle(done, &asked)
    }

    /// Enters what came of a call into the books.
    fn settle(&mut self, done: Done, budget: &Budget) -> Result<(Value, Usage), Error> {
        let Done { result, usage, output } = done;
        self.spent.add(&usage);
        if let Some(books) = &self.books {
            books.lock().calls = self.spent;
        }
        self.output.push_str(&output);
        match result {
            Ok(value) => Ok((value, usage)),
            Err(Error::Budget(mut stop)) => {
                if let Some(lifetime) = &self.lifetime
                    && stop.allowed < budget.allowed(stop.limit)
                {
                    stop.lifetime = true;
                    stop.allowed = lifetime.allowed(stop.limit);
                    stop.used = self.spent.of(stop.limit);
                }
                Err(Error::Budget(stop))
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A worker is given back by the session's own drop.
        if let Ok(runner) = self.runner() {
            let id = self.id;
            runner.post(move |cage| cage.drop_sandbox(id));
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("id", &self.id.0).field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// The usage of a running call, readable from another thread; see [`Sandbox::live_usage`].
///
/// ```
/// let mut sandbox = pycage::Sandbox::new()?;
/// let view = sandbox.live_usage();
/// // Another thread may look while this runs.
/// sandbox.exec("for i in range(100_000): pass")?;
/// assert!(view.instructions() > 100_000);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveUsageView(Arc<LiveUsage>);

impl LiveUsageView {
    /// Instructions executed as of the last checkpoint.
    ///
    /// ```
    /// let view = pycage::Sandbox::new()?.live_usage();
    /// assert_eq!(view.instructions(), 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn instructions(&self) -> u64 {
        self.0.instructions.load(Ordering::Relaxed)
    }

    /// Native steps taken as of the last checkpoint.
    ///
    /// ```
    /// let view = pycage::Sandbox::new()?.live_usage();
    /// assert_eq!(view.native_steps(), 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn native_steps(&self) -> u64 {
        self.0.native_steps.load(Ordering::Relaxed)
    }

    /// Bytes held as of the last checkpoint.
    ///
    /// ```
    /// let view = pycage::Sandbox::new()?.live_usage();
    /// assert_eq!(view.live_bytes(), 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn live_bytes(&self) -> u64 {
        self.0.live_bytes.load(Ordering::Relaxed)
    }
}
