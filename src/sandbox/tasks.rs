//! Starts tasks, which run a slice at a time.

#[cfg(feature = "process")]
use super::Home;
use super::{COMPILE_PATIENCE, Sandbox};
use crate::error::Error;
use crate::observe::Observed;
#[cfg(all(feature = "async", feature = "process"))]
use crate::offload::offload;
use crate::runner::cage::Cage;
use crate::runner::tasks::{Start, TaskId};
use crate::script::Script;
#[cfg(feature = "process")]
use crate::task::Remote;
use crate::task::{self, Books, Task};
use crate::usage::Usage;
use crate::value::IntoArgs;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl Sandbox {
    /// Starts a call of a global function as a [`Task`], which runs a slice at a time. Nothing runs before the first
    /// [`Task::resume`]. A plain function is paused wherever its slice ends; the coroutine of an `async def` can also await
    /// what [`Sandbox::awaitable`] made.
    ///
    /// # Errors
    /// [`Error::Setup`] when the system refuses a stack for another task, or a worker process has none left (see
    /// `PoolBuilder::tasks`); [`Error::Lost`] when the runner is lost, [`Error::Died`] when the worker dies.
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
        let observed = self.observe(start.subject());
        let started = self.start_unobserved(start);
        looked_at(started, observed)
    }

    fn start_unobserved(&mut self, start: Start) -> Result<Task, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            let session = session.clone();
            let task = self.new_task(task::Home::Process(Remote::of(&session, &self.config)));
            session.lock().start_task(task.id(), start, &self.config)?;
            return Ok(task);
        }
        let (task, job) = self.prepare_task(start)?;
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| job(cage))??;
        Ok(task)
    }

    #[cfg(feature = "async")]
    pub(crate) async fn start_async(&mut self, start: Start) -> Result<Task, Error> {
        let observed = self.observe(start.subject());
        let started = async {
            #[cfg(feature = "process")]
            if let Home::Process(session) = &self.home {
                let session = session.clone();
                let task = self.new_task(task::Home::Process(Remote::of(&session, &self.config)));
                let (id, config) = (task.id(), self.config.clone());
                // Goes before the task does. The worker may be told of the task's end by a call that comes before this
                // one: then it must not begin.
                let wanted = Arc::new(());
                let still_wanted = Arc::downgrade(&wanted);
                let started = offload(move || {
                    let mut session = session.lock();
                    if still_wanted.strong_count() == 0 {
                        return Err(Error::Lost);
                    }
                    session.start_task(id, start, &config)
                });
                started.await??;
                drop(wanted);
                return Ok(task);
            }
            let (task, job) = self.prepare_task(start)?;
            self.runner()?.call_async(COMPILE_PATIENCE, Arc::default(), move |cage, _| job(cage))?.await??;
            Ok(task)
        };
        looked_at(started.await, observed)
    }

    /// A task, and what makes it on the runner.
    #[allow(clippy::type_complexity, reason = "a closure has no other name")]
    fn prepare_task(
        &mut self,
        start: Start,
    ) -> Result<(Task, impl FnOnce(&mut Cage<'_>) -> Result<(), Error> + Send + 'static + use<>), Error> {
        let runner = self.runner()?.clone();
        let task = self.new_task(task::Home::Thread(runner));
        let (id, live) = (task.id(), task.live());
        let (sandbox, config) = (self.id, self.config.clone());
        Ok((task, move |cage: &mut Cage<'_>| cage.start_task(id, sandbox, &config, live, start)))
    }

    fn new_task(&mut self, home: task::Home) -> Task {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = TaskId(NEXT.fetch_add(1, Ordering::Relaxed));
        let spent = self.spent;
        let books =
            self.books.get_or_insert_with(|| Arc::new(Mutex::new(Books { calls: spent, tasks: Usage::default() })));
        Task::new(home, id, self.lifetime.clone(), books.clone())
    }

    /// What a task of an async call printed is the sandbox's.
    #[cfg(feature = "async")]
    pub(crate) fn take_over_output(&mut self, task: &mut Task) {
        self.output.push_str(&task.take_output());
    }
}

/// The task, looked at from now on; one that was not started has ended.
fn looked_at(started: Result<Task, Error>, observed: Option<Arc<Observed>>) -> Result<Task, Error> {
    match started {
        Ok(task) => Ok(task.observed(observed)),
        Err(error) => {
            if let Some(observed) = observed {
                observed.fail(None, &error);
            }
            Err(error)
        }
    }
}
