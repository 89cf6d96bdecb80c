//! Tasks: scripts that run a slice at a time.

use crate::budget::{Budget, Limit};
use crate::error::Error;
use crate::host::awaitable::Request;
use crate::host::failure::HostError;
use crate::meter::run::LiveUsage;
use crate::observe::{Ended, Observed};
#[cfg(all(feature = "async", feature = "process"))]
use crate::offload::offload;
#[cfg(feature = "process")]
use crate::process::session::SharedSession;
use crate::runner::cage::Cage;
use crate::runner::fiber::Reply;
use crate::runner::tasks::{Allowance, Step, Stepped, TaskId};
use crate::runner::{CallError, Runner, world};
#[cfg(feature = "process")]
use crate::sandbox::Config;
use crate::sandbox::GRACE;
use crate::usage::Usage;
use crate::value::{IntoValue, Value};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
#[cfg(feature = "process")]
use std::sync::Weak;
use std::time::Duration;

/// A script that is run a slice at a time, and can be left anywhere in between: see [`Sandbox::start`](crate::Sandbox::start).
///
/// [`Task::resume`] runs it until its slice is used up, it awaits something of the host's, it ends, or it is stopped. While
/// it is paused, its sandbox can be called, and so can all others of its runner: they share globals, as threads would.
/// A paused task keeps its native stack; what that takes is a few pages of memory and two mappings.
///
/// The instructions and the time of a slice's [`Budget`] pause the task when they are used up. The other limits stop it with
/// [`Error::Budget`], and so do [`Task::set_limit`] and the sandbox's lifetime budget. What a task costs does not depend on
/// where it is paused.
///
/// Dropping a task ends it where it is, and none of its code runs any more, not even `finally`. It ends as well with its
/// sandbox.
///
/// ```
/// use pycage::{Budget, Progress, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.exec("
/// def count(n):
///     total = 0
///     for i in range(n):
///         total += i
///     return total
/// ")?;
/// let mut task = sandbox.start("count", (10_000,))?;
/// let mut frames = 0;
/// let total = loop {
///     match task.resume(Budget::default().instructions(1_000))? {
///         Progress::Paused(usage) => assert!(usage.instructions > 0),
///         Progress::Done(total) => break total,
///         other => panic!("it asks for something: {other:?}"),
///     }
///     frames += 1;
/// };
/// assert_eq!(total.to_string(), "49995000");
/// assert!(frames > 10);
/// # Ok::<(), pycage::Error>(())
/// ```
pub struct Task {
    home: Home,
    id: TaskId,
    live: Arc<LiveUsage>,
    lifetime: Option<Budget>,
    books: Arc<Mutex<Books>>,
    limit: Option<Budget>,
    usage: Usage,
    output: String,
    state: State,
    observed: Option<Arc<Observed>>,
}

/// Where it runs.
pub(crate) enum Home {
    Thread(Runner),
    #[cfg(feature = "process")]
    Process(Remote),
}

/// A task in a worker process.
#[cfg(feature = "process")]
#[derive(Clone)]
pub(crate) struct Remote {
    /// The sandbox's: it gives the worker back when it is dropped.
    session: Weak<SharedSession>,
    /// Where to say that it was dropped.
    ended: Arc<Mutex<Vec<u64>>>,
    config: Arc<Config>,
}

#[cfg(feature = "process")]
impl Remote {
    pub(crate) fn of(session: &Arc<SharedSession>, config: &Arc<Config>) -> Remote {
        Remote { session: Arc::downgrade(session), ended: session.ended_tasks(), config: config.clone() }
    }

    /// Runs a slice. An error is one that comes before anything was sent: the task is as it was.
    fn step(
        &self,
        id: TaskId,
        allowed: &Allowance,
        patience: Duration,
        reply: Reply,
        live: &LiveUsage,
    ) -> Result<Stepped, Error> {
        let Some(session) = self.session.upgrade() else { return Ok(Stepped::sandbox_dropped()) };
        let stepped = session.lock().step_task(id, allowed, patience, reply, &self.config, live);
        match stepped {
            Err(error @ (Error::Died(_) | Error::Lost)) => {
                let usage = error.usage().copied().unwrap_or_default();
                Ok(Stepped { result: Err(error), usage, output: String::new(), left: false })
            }
            stepped => stepped,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Paused,
    Awaiting,
    Ended,
}

/// What a slice of a task came to.
///
/// ```
/// use pycage::{Budget, Progress, Sandbox, Value};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.awaitable("ask")?;
/// sandbox.exec("async def f():\n    print('asks')\n    return await ask() + 1")?;
/// let mut task = sandbox.start("f", ())?;
/// let Progress::Awaiting(request) = task.resume(Budget::default())? else { panic!("it asks") };
/// assert_eq!(request.name, "ask");
/// assert_eq!(task.resume_with(41, Budget::default())?, Progress::Done(Value::Int(42)));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// The slice is used up; what it cost.
    Paused(Usage),
    /// The script awaits something of the host's: [`Task::resume_with`] answers.
    Awaiting(Request),
    /// The script has ended, with this value.
    Done(Value),
}

/// What a sandbox has spent, by calls and by tasks.
#[derive(Default)]
pub(crate) struct Books {
    pub calls: Usage,
    pub tasks: Usage,
}

impl Task {
    pub(crate) fn new(home: Home, id: TaskId, lifetime: Option<Budget>, books: Arc<Mutex<Books>>) -> Self {
        Task {
            home,
            id,
            live: Arc::default(),
            lifetime,
            books,
            limit: None,
            usage: Usage::default(),
            output: String::new(),
            state: State::Paused,
            observed: None,
        }
    }

    /// With whoever looks on.
    pub(crate) fn observed(mut self, observed: Option<Arc<Observed>>) -> Self {
        self.observed = observed;
        self
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn live(&self) -> Arc<LiveUsage> {
        self.live.clone()
    }

    /// Runs on until `slice` is used up, something is awaited, or the script ends. One that awaits something goes on awaiting.
    ///
    /// A slice can be overrun by the rest of a block of instructions, a native operation that is under way, a host
    /// function, and the `finally` of a generator that is being freed: there a script cannot be left.
    ///
    /// # Errors
    /// Any of [`Error`] that a call can give, but for conversions; then the task has ended. [`Error::Setup`] when it had
    /// ended before, or its sandbox was dropped.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f():\n    print('asks')\n    return await ask() + 1")?;
    /// let mut task = sandbox.start("f", ())?;
    /// assert!(matches!(task.resume(Budget::default())?, Progress::Awaiting(_)));
    /// // It goes on awaiting.
    /// assert!(matches!(task.resume(Budget::default())?, Progress::Awaiting(_)));
    /// # let _ = Value::None;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn resume(&mut self, slice: Budget) -> Result<Progress, Error> {
        self.step(slice, Reply::Go)
    }

    /// Answers what the script awaits, and runs on.
    ///
    /// # Errors
    /// As [`Task::resume`]; [`Error::Setup`] when the script awaits nothing.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f():\n    print('asks')\n    return await ask() + 1")?;
    /// let mut task = sandbox.start("f", ())?;
    /// task.resume(Budget::default())?;
    /// assert_eq!(task.resume_with(41, Budget::default())?, Progress::Done(Value::Int(42)));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn resume_with(&mut self, value: impl IntoValue, slice: Budget) -> Result<Progress, Error> {
        self.awaits()?;
        self.step(slice, Reply::Value(value.into_value()))
    }

    /// Raises an error of the host's from the `await`, a `RuntimeError` for the script, and runs on. If the script lets it
    /// through, it comes back in [`ScriptException::host_error`](crate::ScriptException::host_error).
    ///
    /// # Errors
    /// As [`Task::resume_with`].
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("fetch")?;
    /// sandbox.exec("
    /// async def main():
    ///     try:
    ///         return await fetch('score')
    ///     except RuntimeError as error:
    ///         return 'none: ' + str(error)
    /// ")?;
    /// let mut task = sandbox.start("main", ())?;
    /// assert!(matches!(task.resume(Budget::default())?, Progress::Awaiting(_)));
    /// let progress = task.resume_with_error("offline", Budget::default())?;
    /// assert_eq!(progress, Progress::Done(pycage::Value::Str("none: offline".to_owned())));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn resume_with_error(
        &mut self,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
        slice: Budget,
    ) -> Result<Progress, Error> {
        self.awaits()?;
        self.step(slice, Reply::Error(HostError::from(error.into())))
    }

    /// What it has cost so far.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f():\n    print('asks')\n    return await ask() + 1")?;
    /// let mut task = sandbox.start("f", ())?;
    /// assert_eq!(task.usage().instructions, 0);
    /// task.resume(Budget::default())?;
    /// assert!(task.usage().instructions > 0);
    /// # let _ = (Value::None, Progress::Done(Value::None));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether it has ended: with a value, with an error, or with its sandbox.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f():\n    print('asks')\n    return await ask() + 1")?;
    /// let mut task = sandbox.start("f", ())?;
    /// task.resume(Budget::default())?;
    /// assert!(!task.is_done());
    /// task.resume_with(1, Budget::default())?;
    /// assert!(task.is_done());
    /// # let _ = (Value::None, Progress::Done(Value::None));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn is_done(&self) -> bool {
        self.state == State::Ended
    }

    /// What it has printed since the last time it was taken.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f():\n    print('asks')\n    return await ask() + 1")?;
    /// let mut task = sandbox.start("f", ())?;
    /// task.resume(Budget::default())?;
    /// assert_eq!(task.take_output(), "asks\n");
    /// # let _ = (Value::None, Progress::Done(Value::None));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.output)
    }

    /// A limit on all its slices together, beside the sandbox's lifetime budget: past its instructions or its time, the task
    /// is stopped. None at first. A host that wants to let it go on sets a higher one while it is paused.
    ///
    /// ```
    /// use pycage::{Budget, Error, Progress, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let forever = sandbox.compile("forever", "while True: pass")?;
    /// let mut task = sandbox.start_script(&forever)?;
    /// let slice = || Budget::default().instructions(1_000);
    /// task.set_limit(Some(Budget::default().instructions(1_500)));
    /// assert!(matches!(task.resume(slice())?, Progress::Paused(_)));
    /// task.set_limit(Some(Budget::default().instructions(2_500)));
    /// assert!(matches!(task.resume(slice())?, Progress::Paused(_)));
    /// assert!(matches!(task.resume(slice()), Err(Error::Budget(_))));
    /// assert!(task.is_done());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_limit(&mut self, limit: Option<Budget>) {
        self.limit = limit;
    }

    fn awaits(&self) -> Result<(), Error> {
        match self.state {
            State::Awaiting => Ok(()),
            State::Paused => Err(Error::Setup("the task awaits nothing; resume it without an answer".to_owned())),
            State::Ended => Err(ended()),
        }
    }

    fn step(&mut self, slice: Budget, reply: Reply) -> Result<Progress, Error> {
        let (allowed, patience) = self.prepare(slice)?;
        #[cfg(feature = "process")]
        if let Home::Process(remote) = &self.home {
            let stepped = remote.step(self.id, &allowed, patience, reply, &self.live)?;
            return self.enter(stepped, &allowed.told);
        }
        let (id, live) = (self.id, self.live.clone());
        let told = allowed.told.clone();
        let stepped = self.runner()?.call(patience, live, move |cage, _| {
            let _running = world::Running::begin(cage.vm);
            cage.step_task(id, &allowed, reply)
        });
        match stepped {
            Ok(stepped) => self.enter(stepped, &told),
            Err(why) => Err(self.fail(why)),
        }
    }

    /// Runs a slice without blocking. One `of_many` is there for others to have their turn: a worker is late, and killed, when
    /// all that the task may take is over, as many of them may have to share few processors.
    #[cfg(feature = "async")]
    #[cfg_attr(not(feature = "process"), allow(unused_variables, reason = "threads take turns by themselves"))]
    pub(crate) async fn step_async(&mut self, slice: Budget, reply: Reply, of_many: bool) -> Result<Progress, Error> {
        let (allowed, patience) = self.prepare(slice)?;
        let (id, live) = (self.id, self.live.clone());
        let told = allowed.told.clone();
        #[cfg(feature = "process")]
        if let Home::Process(remote) = &self.home {
            let remote = remote.clone();
            let patience = if of_many { allowed.rest.1.saturating_add(GRACE) } else { patience };
            let stepped = offload(move || remote.step(id, &allowed, patience, reply, &live)).await??;
            return self.enter(stepped, &told);
        }
        let stepped = self.runner()?.call_async(patience, live, move |cage, _| {
            let _running = world::Running::begin(cage.vm);
            cage.step_task(id, &allowed, reply)
        });
        let stepped = match stepped {
            Ok(pending) => pending.await,
            Err(why) => Err(why),
        };
        match stepped {
            Ok(stepped) => self.enter(stepped, &told),
            Err(why) => Err(self.fail(why)),
        }
    }

    /// There is no answer: the runner is lost, but for a call from its own thread.
    fn fail(&mut self, why: CallError) -> Error {
        let within = matches!(why, CallError::WithinItself);
        let error = why.into();
        if !within {
            self.end(Ended::Failed(&error));
        }
        error
    }

    /// [`Task::resume`] and its kin on the runner's own thread.
    pub(crate) fn step_on(&mut self, cage: &mut Cage<'_>, slice: Budget, reply: Reply) -> Result<Progress, Error> {
        if !matches!(reply, Reply::Go) {
            self.awaits()?;
        }
        if !cage.is_served_by(&self.runner()?.lease.queue) {
            return Err(Error::Setup("this task lives on another runner".to_owned()));
        }
        let (allowed, patience) = self.prepare(slice)?;
        let id = self.id;
        let looked = self.observed.clone().map(|observed| (observed, self.limit.clone()));
        cage.usable()?;
        let observed = cage.begin_call(patience, looked);
        let stepped = cage.step_task(id, &allowed, reply);
        cage.end_call(observed);
        self.enter(stepped, &allowed.told)
    }

    fn runner(&self) -> Result<&Runner, Error> {
        match &self.home {
            Home::Thread(runner) => Ok(runner),
            #[cfg(feature = "process")]
            Home::Process(_) => Err(Error::Setup("this task lives in a worker process, not on a runner".to_owned())),
        }
    }

    /// What the task may cost, and how long to wait for it.
    fn prepare(&self, slice: Budget) -> Result<(Allowance, Duration), Error> {
        if self.state == State::Ended {
            return Err(ended());
        }
        let mut allowance = Allowance { told: slice.clone(), slice, rest: (u64::MAX, Duration::MAX) };
        if let Some(limit) = &self.limit {
            allowance.cut(limit, &self.usage);
        }
        if let Some(lifetime) = &self.lifetime {
            let books = self.books.lock();
            let mut spent = books.calls;
            spent.add(&books.tasks);
            allowance.cut(lifetime, &spent);
        }
        let patience = allowance.slice.timeout.min(allowance.rest.1).saturating_add(GRACE);
        Ok((allowance, patience))
    }

    fn enter(&mut self, stepped: Stepped, told: &Budget) -> Result<Progress, Error> {
        let Stepped { result, usage, output, left } = stepped;
        #[cfg(feature = "process")]
        let result = result.map_err(|mut error| {
            // One that died before it could tell more than after its last slice.
            if let Error::Died(death) = &mut error
                && death.usage.instructions < self.usage.instructions
            {
                *death.usage = self.usage;
            }
            error
        });
        self.output.push_str(&output);
        let slice = self.bill(usage);
        match result {
            Ok(Step::Paused) => {
                self.state = State::Paused;
                Ok(Progress::Paused(slice))
            }
            Ok(Step::Awaiting(request)) => {
                self.state = State::Awaiting;
                Ok(Progress::Awaiting(request))
            }
            Ok(Step::Done(value)) => {
                self.end(Ended::Returned(value.type_name()));
                Ok(Progress::Done(value))
            }
            Err(error) => {
                // A limit that needs an allocator which is not there stops nothing.
                let error = self.name_the_limit(error, told);
                if !left {
                    self.end(Ended::Failed(&error));
                }
                Err(error)
            }
        }
    }

    fn end(&mut self, ended: Ended<'_>) {
        self.state = State::Ended;
        if let Some(observed) = self.observed.take() {
            observed.end(self.limit.as_ref(), &self.usage, ended);
        }
    }

    /// Enters into the books what it has cost since it was last entered, and answers that.
    fn bill(&mut self, usage: Usage) -> Usage {
        // Where nothing has run there is no bill.
        if usage == Usage::default() {
            return usage;
        }
        let slice = usage.since(&self.usage);
        self.usage = usage;
        self.books.lock().tasks.add(&slice);
        slice
    }

    /// Says whose limit it was that stopped the task.
    fn name_the_limit(&self, error: Error, told: &Budget) -> Error {
        let Error::Budget(mut stop) = error else { return error };
        if let Some(lifetime) = &self.lifetime
            && matches!(stop.limit, Limit::Instructions | Limit::Time)
            && lifetime.allowed(stop.limit) == told.allowed(stop.limit)
            && self.limit.as_ref().is_none_or(|limit| limit.allowed(stop.limit) != told.allowed(stop.limit))
        {
            let books = self.books.lock();
            let mut spent = books.calls;
            spent.add(&books.tasks);
            stop.lifetime = true;
            stop.used = spent.of(stop.limit);
        }
        Error::Budget(stop)
    }
}

fn ended() -> Error {
    Error::Setup("the task has ended".to_owned())
}

impl Allowance {
    /// Leaves no more than what `limit` leaves of what was `spent`.
    fn cut(&mut self, limit: &Budget, spent: &Usage) {
        let within = self.slice.within(limit, spent);
        let instructions = limit.allowed(Limit::Instructions).saturating_sub(spent.of(Limit::Instructions));
        if instructions < self.rest.0 {
            self.rest.0 = instructions;
            self.told.instructions = limit.instructions;
        }
        let time = limit.timeout.saturating_sub(spent.elapsed);
        if time < self.rest.1 {
            self.rest.1 = time;
            self.told.timeout = limit.timeout;
        }
        // Instructions and time pause, by the slice's own figures.
        self.slice = Budget { instructions: self.slice.instructions, timeout: self.slice.timeout, ..within };
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.state != State::Ended {
            self.end(Ended::Dropped);
            let id = self.id;
            match &self.home {
                Home::Thread(runner) => runner.post(move |cage| cage.end_task(id)),
                // Told with the next call.
                #[cfg(feature = "process")]
                Home::Process(remote) => remote.ended.lock().push(id.0),
            }
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id.0).field("state", &self.state).finish_non_exhaustive()
    }
}
