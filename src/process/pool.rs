//! Warm workers, ready to be taken.

use super::cgroup::Cgroup;
#[cfg(target_os = "linux")]
use super::jail::cgroup::Group;
use super::jail::{JailSpec, Wall};
use super::launcher::{Launch, Launcher};
use super::supply::Shared;
#[cfg(target_os = "linux")]
use super::template::TemplateLaunch;
use crate::error::Error;
use crate::observe::audit::AuditSink;
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What async calls need is there where they are.
const TASKS: u32 = cfg!(feature = "async") as u32;

/// Workers that are up and wait for a sandbox each.
///
/// A sandbox takes a worker when it is built and gives it back when it is dropped. A worker that died, or has served its
/// number of calls, is replaced. When the last handle to a pool is dropped, its idle workers end at once, and the others
/// when their sandboxes do.
///
/// Sandboxes that are given no pool share a process-wide one with these defaults:
///
/// | | default |
/// |---|---|
/// | [`size`](PoolBuilder::size) | 2 workers kept, 256 at most |
/// | [`recycle_after`](PoolBuilder::recycle_after) | 10,000 calls |
/// | [`memory`](PoolBuilder::memory) | 256 MiB of address space |
/// | [`tasks`](PoolBuilder::tasks) | none; 1 with the feature `async` |
/// | [`cpu_seconds`](PoolBuilder::cpu_seconds) | 3600 |
/// | [`start_timeout`](PoolBuilder::start_timeout) | 20 s |
/// | [`require`](PoolBuilder::require) | on Linux, without a launcher of your own: seccomp, no new privileges, rlimits |
///
/// ```no_run
/// use pycage::process::{Pool, Wall};
/// use pycage::{Isolation, Sandbox};
///
/// fn main() -> Result<(), pycage::Error> {
///     pycage::worker::init();
///     let pool = Pool::builder().size(4, 16).require([Wall::Seccomp, Wall::LandlockFiles]).build()?;
///     let mut sandbox = Sandbox::builder().pool(&pool).build()?;
///     assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

/// Closes the pool when the last handle goes.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let idle = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        self.shared.wanted.notify_all();
        drop(idle);
    }
}

impl Pool {
    /// A pool with the defaults.
    ///
    /// # Errors
    /// As [`PoolBuilder::build`].
    ///
    /// ```no_run
    /// fn main() -> Result<(), pycage::Error> {
    ///     pycage::worker::init();
    ///     let pool = pycage::process::Pool::new()?;
    ///     let sandbox = pycage::Sandbox::builder().pool(&pool).build()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn new() -> Result<Pool, Error> {
        Pool::builder().build()
    }

    /// Starts to build a pool.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().size(1, 4);
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// Workers that are up, in use or idle.
    ///
    /// ```
    /// # fn look(pool: &pycage::process::Pool) {
    /// assert!(pool.workers() >= pool.idle());
    /// # }
    /// ```
    pub fn workers(&self) -> usize {
        self.owner.shared.state.lock().alive
    }

    /// Workers that wait for a sandbox.
    ///
    /// ```
    /// # fn look(pool: &pycage::process::Pool) {
    /// println!("{} of {} workers are idle", pool.idle(), pool.workers());
    /// # }
    /// ```
    pub fn idle(&self) -> usize {
        self.owner.shared.state.lock().idle.len()
    }

    pub(crate) fn audit(&self) -> Option<Arc<dyn AuditSink>> {
        self.owner.shared.audit.clone()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// The process's default pool.
    pub(crate) fn default_pool() -> Result<Pool, Error> {
        static DEFAULT: Mutex<Option<Pool>> = Mutex::new(None);
        let mut default = DEFAULT.lock();
        match default.as_ref() {
            Some(pool) => Ok(pool.clone()),
            None => {
                let pool = Pool::new()?;
                *default = Some(pool.clone());
                Ok(pool)
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers()).field("idle", &self.idle()).finish_non_exhaustive()
    }
}

/// Builds a [`Pool`].
///
/// ```
/// use pycage::process::{Pool, Wall};
///
/// let builder = Pool::builder().size(4, 16).memory(512 << 20).require([Wall::Seccomp]);
/// ```
pub struct PoolBuilder {
    launcher: Starter,
    warm: usize,
    most: usize,
    recycle_after: u64,
    start_timeout: Duration,
    patience: Duration,
    require: Option<Vec<Wall>>,
    jail: JailSpec,
    cgroup: Option<Cgroup>,
    audit: Option<Arc<dyn AuditSink>>,
}

enum Starter {
    Ready(Launcher),
    Own(Arc<dyn Launch>),
}

impl Default for PoolBuilder {
    fn default() -> Self {
        PoolBuilder {
            launcher: Starter::Ready(Launcher::this_executable()),
            warm: 2,
            most: 256,
            recycle_after: 10_000,
            start_timeout: Duration::from_secs(20),
            patience: Duration::from_secs(30),
            require: None,
            jail: JailSpec { memory: 256 << 20, tasks: TASKS, tasks_asked: false, cpu_seconds: 3600, unguarded: false },
            cgroup: None,
            audit: None,
        }
    }
}

impl PoolBuilder {
    /// How many workers are kept up, and how many there may be at the same time.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().size(4, 16);
    /// ```
    #[must_use]
    pub fn size(mut self, kept: usize, most: usize) -> Self {
        (self.warm, self.most) = (kept, most.max(kept).max(1));
        self
    }

    /// How workers are started.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().launcher(pycage::process::Launcher::executable("/usr/bin/pycage"));
    /// ```
    #[must_use]
    pub fn launcher(mut self, launcher: Launcher) -> Self {
        self.launcher = Starter::Ready(launcher);
        self
    }

    /// A way of your own to start workers. What must be in force around them is then up to [`PoolBuilder::require`].
    ///
    /// ```
    /// use pycage::process::{Launch, Launcher, Link};
    ///
    /// /// Counts what it starts.
    /// struct Counting(Launcher, std::sync::atomic::AtomicUsize);
    ///
    /// impl Launch for Counting {
    ///     fn launch(&self) -> Result<Link, pycage::Error> {
    ///         self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    ///         self.0.launch()
    ///     }
    /// }
    ///
    /// let launch = Counting(Launcher::executable("/usr/bin/pycage"), Default::default());
    /// let builder = pycage::process::Pool::builder().launch(launch);
    /// ```
    #[must_use]
    pub fn launch(mut self, launch: impl Launch) -> Self {
        self.launcher = Starter::Own(Arc::new(launch));
        self
    }

    /// Calls after which a worker is not given to another sandbox, but replaced. 1 gives each sandbox a fresh one.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().recycle_after(1);
    /// ```
    #[must_use]
    pub fn recycle_after(mut self, calls: u64) -> Self {
        self.recycle_after = calls;
        self
    }

    /// How long a worker may take to come up.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().start_timeout(std::time::Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = time;
        self
    }

    /// How long building a sandbox waits for a worker when all are in use.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().patience(std::time::Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Bytes of address space that a worker may take beyond those it has when it comes up. The wall behind the memory
    /// limit of a [`Budget`](crate::Budget), for a script that got past that: set it higher, by 64 MiB and up.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().memory(512 << 20);
    /// ```
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.jail.memory = bytes;
        self
    }

    /// Tasks that a sandbox may have at a time, see [`Sandbox::start`](crate::Sandbox::start). A call that does not block
    /// (`Sandbox::eval_async`, `call_async`) is one, so with the feature `async` there is one, where the worker's machine has
    /// the memory, and without it none. Each takes 256 MiB of the worker's address space for its stack, of which only what is
    /// touched costs anything, and which is not part of [`memory`](Self::memory). Native code that got past all else could
    /// fill it.
    ///
    /// ```no_run
    /// use pycage::process::Pool;
    /// use pycage::{Budget, Progress, Sandbox};
    ///
    /// fn main() -> Result<(), pycage::Error> {
    ///     pycage::process::worker::init();
    ///     let pool = Pool::builder().tasks(4).build()?;
    ///     let mut sandbox = Sandbox::builder().pool(&pool).build()?;
    ///     let script = sandbox.compile("answer.py", "6 * 7")?;
    ///     let mut task = sandbox.start_script(&script)?;
    ///     assert!(matches!(task.resume(Budget::default())?, Progress::Done(_)));
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn tasks(mut self, count: u32) -> Self {
        self.jail.tasks = count;
        self.jail.tasks_asked = true;
        self
    }

    /// Seconds of processor time that a worker may use in its life.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().cpu_seconds(600);
    /// ```
    #[must_use]
    pub fn cpu_seconds(mut self, seconds: u64) -> Self {
        self.jail.cpu_seconds = seconds;
        self
    }

    /// A control group of Linux that was delegated to this process: each worker gets a group of its own in it, with limits on
    /// what it really takes. None at first.
    ///
    /// ```
    /// use pycage::process::{Cgroup, Pool};
    ///
    /// let builder = Pool::builder().cgroup(Cgroup::at("/sys/fs/cgroup/judge.service"));
    /// ```
    #[must_use]
    pub fn cgroup(mut self, cgroup: Cgroup) -> Self {
        self.cgroup = Some(cgroup);
        self
    }

    /// What must be in force around every worker: without it none is started.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().require([pycage::process::Wall::Seccomp]);
    /// ```
    #[must_use]
    pub fn require(mut self, walls: impl IntoIterator<Item = Wall>) -> Self {
        self.require = Some(walls.into_iter().collect());
        self
    }

    /// Has a record made of each run of the pool's sandboxes, but of those that have a sink of their own: as
    /// [`SandboxBuilder::audit`](crate::SandboxBuilder::audit).
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().audit(|record: &pycage::AuditRecord| {
    ///     println!("run {} of sandbox {}", record.run, record.sandbox);
    ///     Ok(())
    /// });
    /// ```
    #[must_use]
    pub fn audit(mut self, sink: impl AuditSink + 'static) -> Self {
        self.audit = Some(Arc::new(sink));
        self
    }

    /// No validator and no budgets in the workers. For this crate's tests of the wall alone: never in a host.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    #[must_use]
    pub fn unguarded(mut self) -> Self {
        self.jail.unguarded = true;
        self
    }

    /// Builds the pool, and starts its first worker.
    ///
    /// # Errors
    /// [`Error::Setup`] when no worker comes up, something is not in force that is required, or a control group's limit is none.
    ///
    /// ```no_run
    /// fn main() -> Result<(), pycage::Error> {
    ///     pycage::worker::init();
    ///     let pool = pycage::process::Pool::builder().size(4, 16).build()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn build(self) -> Result<Pool, Error> {
        let own = matches!(self.launcher, Starter::Own(_));
        let require = match self.require {
            Some(walls) => walls,
            None if own || cfg!(not(target_os = "linux")) => Vec::new(),
            None => vec![Wall::Seccomp, Wall::NoNewPrivileges, Wall::Rlimits],
        };
        self.cgroup.as_ref().map_or(Ok(()), Cgroup::check)?;
        #[cfg_attr(not(target_os = "linux"), allow(unused_mut))]
        let mut ungrouped = self.cgroup.clone();
        let launch: Arc<dyn Launch> = match self.launcher {
            Starter::Own(launch) => launch,
            #[cfg(target_os = "linux")]
            Starter::Ready(launcher) => {
                let group = self.cgroup.as_ref().map(|cgroup| Group::open(cgroup, self.jail.memory));
                match TemplateLaunch::of(&launcher, self.start_timeout, group)? {
                    Some(template) => {
                        ungrouped = None;
                        Arc::new(template)
                    }
                    None => Arc::new(launcher),
                }
            }
            #[cfg(not(target_os = "linux"))]
            Starter::Ready(launcher) => Arc::new(launcher),
        };
        let shared = Arc::new(Shared {
            launch,
            warm: self.warm,
            most: self.most,
            recycle_after: self.recycle_after,
            start_timeout: self.start_timeout,
            patience: self.patience,
            require,
            jail: self.jail,
            ungrouped: ungrouped.map(|cgroup| cgroup.walls()).unwrap_or_default(),
            audit: self.audit,
            state: Mutex::default(),
            returned: Condvar::new(),
            wanted: Condvar::new(),
        });
        let first = shared.start()?;
        shared.state.lock().alive = 1;
        shared.check_in(first, true);
        let keeper = shared.clone();
        std::thread::Builder::new()
            .name("pycage-pool".into())
            .spawn(move || keeper.keep())
            .map_err(|error| Error::Setup(format!("no thread for the pool could be started: {error}")))?;
        Ok(Pool { owner: Arc::new(Owner { shared }) })
    }
}
