//! Builds sandboxes: all that is fixed for the life of one.

use super::{COMPILE_PATIENCE, Home, Provided, Sandbox};
use crate::budget::Budget;
use crate::error::Error;
use crate::guard;
use crate::meter::hook::{Cancel, MeterHook};
use crate::meter::profile::Tallies;
use crate::observe::Observer;
use crate::observe::audit::{AuditPolicy, AuditSink};
#[cfg(feature = "async")]
use crate::offload::offload;
use crate::policy::Policy;
#[cfg(feature = "process")]
use crate::process::session::{Session, SharedSession};
use crate::runner::cage::SandboxId;
use crate::runner::{CallError, Runner};
use crate::stubs::given::Given;
use crate::usage::Usage;
use parking_lot::Mutex;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Isolation {
    /// The rings of this process alone: a thread of the library's own.
    #[default]
    Thread,
    /// The same in a worker process, walled in by the kernel on Linux. Needs the feature `process`, and
    /// `pycage::worker::init()` first in the host's `main`.
    Process,
}

impl Isolation {
    /// Its name, as it stands in audit records.
    ///
    /// ```
    /// assert_eq!(pycage::Isolation::Process.name(), "process");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Isolation::Thread => "thread",
            Isolation::Process => "process",
        }
    }
}

/// What is fixed for the life of a sandbox.
pub(crate) struct Config {
    pub policy: Policy,
    pub hook: Option<Arc<dyn MeterHook>>,
    pub cancel: Cancel,
    pub data: Option<Arc<dyn Any + Send + Sync>>,
    pub provided: Provided,
    /// Where the cost of scripts is noted, if it is to be.
    pub profile: Option<Arc<Mutex<Tallies>>>,
    /// Who looks on. Nobody does inside a worker: its host does.
    pub observer: Option<Arc<Observer>>,
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
    /// In the pool, if it has been waited for.
    #[cfg(feature = "process")]
    place: Option<crate::process::Place>,
    data: Option<Arc<dyn Any + Send + Sync>>,
    pub(super) provided: Provided,
    profile: bool,
    label: Option<String>,
    audit: Option<Arc<dyn AuditSink>>,
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

    /// Notes where the instructions and the time of scripts go, see [`Sandbox::profile`]. Scripts are slower then, and an
    /// exception over-charges by less: by the rest of its line, not of its block.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::builder().profile(true).build()?;
    /// sandbox.exec("x = sum(range(100))")?;
    /// assert_eq!(sandbox.profile().lines.len(), 1);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn profile(mut self, profile: bool) -> Self {
        self.profile = profile;
        self
    }

    /// A name for the sandbox, by which audit records and traces tell it from others: a plugin's, a player's. Two may have
    /// the same.
    ///
    /// ```
    /// let sandbox = pycage::Sandbox::builder().label("orc").build()?;
    /// assert_eq!(sandbox.label(), Some("orc"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Has a record made of each run, whatever becomes of it and in whichever ring: see [`AuditRecord`](crate::AuditRecord). There
    /// is one sink for a sandbox; a second call replaces it.
    ///
    /// ```
    /// use pycage::{AuditRecord, Sandbox};
    ///
    /// let sink = |record: &AuditRecord| {
    ///     println!("{:?} cost {} instructions", record.operation, record.usage.instructions);
    ///     Ok(())
    /// };
    /// let mut sandbox = Sandbox::builder().audit(sink).build()?;
    /// sandbox.exec("x = 1")?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn audit(mut self, sink: impl AuditSink + 'static) -> Self {
        self.audit = Some(Arc::new(sink));
        self
    }

    /// Builds the sandbox.
    ///
    /// # Errors
    /// [`Error::Setup`] when a granted module does not exist, when what the host provides cannot be used by a script (a name
    /// that is none, or twice the same), when a sandbox in a worker process is to be profiled, or when the operating system
    /// refuses a thread for a runner;
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
        let mut policy = self.policy;
        let mut provided = self.provided;
        provided.enter(&mut policy)?;
        if self.profile && self.isolation == Isolation::Process {
            return Err(Error::Setup("a profile is taken in this process; use Isolation::Thread".to_owned()));
        }
        let id = SandboxId(NEXT.fetch_add(1, Ordering::Relaxed));
        let audit = self.audit;
        #[cfg(feature = "process")]
        let audit = audit.or_else(|| self.pool.as_ref().filter(|_| self.isolation == Isolation::Process)?.audit());
        let granted = AuditPolicy::of(&policy, &provided);
        let observer = Observer::new(id.0, self.label, self.isolation, granted, audit);
        let config = Arc::new(Config {
            policy,
            hook: self.hook,
            cancel: Cancel::default(),
            data: self.data,
            provided,
            profile: self.profile.then(Arc::default),
            observer: Some(observer),
        });
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
                let place = match self.place {
                    Some(place) => place,
                    None => pool.shared().place()?,
                };
                Home::Process(SharedSession::new(Session::begin(place, &config)?))
            }
            #[cfg(not(feature = "process"))]
            (Isolation::Process, None) => {
                return Err(Error::Setup("sandboxes in worker processes need pycage's feature `process`".to_owned()));
            }
        };
        // A worker does so when it opens the sandbox.
        if let Home::Thread(runner) = &home
            && config.policy.imports_any()
        {
            let policy = config.policy.clone();
            // Of each module, the first time.
            let patience = COMPILE_PATIENCE * (1 + policy.modules().count() as u32);
            match runner.call(patience, Arc::default(), move |cage, _| cage.prepare_modules(&policy)) {
                // Then the first import does it.
                Err(CallError::WithinItself) => {}
                prepared => prepared??,
            }
        }
        #[cfg(feature = "async")]
        let async_functions = config.provided.async_functions();
        Ok(Sandbox {
            home,
            id,
            config,
            budget: self.budget,
            lifetime: self.lifetime,
            spent: Usage::default(),
            output: String::new(),
            live: Arc::default(),
            given: Given::default(),
            books: None,
            #[cfg(feature = "async")]
            async_functions,
        })
    }

    /// [`SandboxBuilder::build`], without blocking: the future can be polled on any executor. Where all workers of a pool are
    /// in use it waits its turn, in the order in which the futures were first polled, and for no longer than
    /// `PoolBuilder::patience`.
    ///
    /// # Errors
    /// As [`SandboxBuilder::build`].
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     use std::task::{Context, Poll, Wake, Waker};
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return out }
    /// #         std::thread::park();
    /// #     }
    /// # }
    /// use pycage::{Error, Policy, Sandbox};
    ///
    /// let answer = block_on(async {
    ///     let mut sandbox = Sandbox::builder().policy(Policy::plugin()).build_async().await?;
    ///     sandbox.eval_async::<i64>("6 * 7").await
    /// })?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "async")]
    #[cfg_attr(not(feature = "process"), allow(unused_mut, reason = "there is no pool to wait for"))]
    pub async fn build_async(mut self) -> Result<Sandbox, Error> {
        #[cfg(feature = "process")]
        if self.isolation == Isolation::Process && self.runner.is_none() {
            let pool = match &self.pool {
                Some(pool) => pool.clone(),
                None => offload(crate::process::Pool::default_pool).await??,
            };
            self.place = Some(pool.shared().clone().place_async().await?);
            self.pool = Some(pool);
        }
        offload(move || self.build()).await?
    }
}
