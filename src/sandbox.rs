//! The front door: a sandbox, and calls into it.

mod builder;
mod compiling;
mod functions;
mod live;
mod provide;
mod running;
#[cfg(feature = "serde")]
mod snapshot_serde;
mod state;
mod tasks;
#[cfg(feature = "test-hooks")]
mod testing;

pub(crate) use builder::Config;
pub use builder::{Isolation, SandboxBuilder};
pub use live::LiveUsageView;
pub(crate) use provide::Provided;
pub use state::{Reloaded, Snapshot};

use crate::budget::Budget;
use crate::error::Error;
use crate::meter::hook::Cancel;
use crate::meter::run::LiveUsage;
use crate::observe::audit::{AuditFailures, Operation};
use crate::profile::Profile;
use crate::runner::Runner;
use crate::runner::cage::SandboxId;
use crate::runner::operation::Op;
use crate::script::Script;
use crate::stubs::given::{Given, Item, ValueHint};
use crate::task::Books;
use crate::usage::Usage;
use crate::value::{FromValue, IntoArgs, IntoValue};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long past its deadline a call may go on before the runner is given up.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// How long compiling may take: the limits on sources keep it far below.
pub(crate) const COMPILE_PATIENCE: Duration = Duration::from_secs(10);

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
    /// What the host has made global, for its stubs.
    given: Given,
    /// Shared with its tasks, once there were any.
    books: Option<Arc<Mutex<Books>>>,
    #[cfg(feature = "async")]
    pub(crate) async_functions: crate::future::AsyncFunctions,
}

/// Where a sandbox's scripts run.
enum Home {
    Thread(Runner),
    /// Behind a lock for its tasks, and for the calls that take the sandbox by shared reference.
    #[cfg(feature = "process")]
    Process(Arc<crate::process::session::SharedSession>),
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
        let script = self.compile_for_one_run(Operation::Eval, name, source, &budget)?;
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
        let script = self.compile_for_one_run(Operation::Exec, "<script>", source, &budget)?;
        self.dispatch(Op::Exec(script), budget).map(|(_, usage)| usage)
    }

    #[inline]
    fn runner(&self) -> Result<&Runner, Error> {
        match &self.home {
            Home::Thread(runner) => Ok(runner),
            #[cfg(feature = "process")]
            Home::Process(_) => Err(Error::Setup("this sandbox lives in a worker process, not on a runner".to_owned())),
        }
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
        let (value, hint) = ValueHint::taken(value);
        self.dispatch(Op::Set(name.to_owned(), value), self.budget.clone())?;
        self.given.set(name, Item::Value(hint));
        Ok(())
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

    /// The sandbox's number: no other of this process has the same. Audit records and traces have it.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// assert_ne!(Sandbox::new()?.id(), Sandbox::new()?.id());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn id(&self) -> u64 {
        self.id.0
    }

    /// The sandbox's label, see [`SandboxBuilder::label`].
    ///
    /// ```
    /// assert_eq!(pycage::Sandbox::new()?.label(), None);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn label(&self) -> Option<&str> {
        self.config.observer.as_ref()?.label.as_deref()
    }

    /// Audit records that the sink did not take, since the sandbox was built. A host that must not run without records asks
    /// after each run, and stops.
    ///
    /// ```
    /// use pycage::{AuditRecord, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().audit(|_: &AuditRecord| Err("the disk is full".into())).build()?;
    /// sandbox.exec("x = 1")?;
    /// assert_eq!(sandbox.audit_failures().count, 1);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn audit_failures(&self) -> AuditFailures {
        self.config.observer.as_ref().map(|observer| observer.failures()).unwrap_or_default()
    }

    /// Where the cost of all scripts so far went. Empty unless the sandbox was built with [`SandboxBuilder::profile`].
    ///
    /// ```
    /// let mut sandbox = pycage::Sandbox::builder().profile(true).build()?;
    /// sandbox.exec("def f(): return 1")?;
    /// sandbox.call::<i64>("f", ())?;
    /// sandbox.call::<i64>("f", ())?;
    /// let profile = sandbox.profile();
    /// assert_eq!(profile.lines.iter().find(|line| line.function == "f").unwrap().passes, 2);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn profile(&self) -> Profile {
        self.config.profile.as_ref().map(|tallies| Profile::of(&tallies.lock())).unwrap_or_default()
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

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn given(&self) -> &Given {
        &self.given
    }

    pub(crate) fn given_mut(&mut self) -> &mut Given {
        &mut self.given
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
            enforced.extend(report.enforced_names());
            return enforced;
        }
        if crate::meter::allocator::installed() {
            enforced.extend(["memory", "allocations"]);
        }
        enforced
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
