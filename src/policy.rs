//! What a script may use.

use crate::clock::Clock;
use crate::compile::limits::SourceLimits;
use crate::modules::presets;
use crate::value::limits::ValueLimits;
use std::collections::BTreeSet;

/// What the scripts of a sandbox may use: the modules granted to them, how large their sources may be, and how
/// large the values that they exchange with the host.
///
/// The default grants no module.
///
/// ```
/// use pycage::{Error, Policy, Sandbox};
///
/// let mut sandbox = Sandbox::builder().policy(Policy::default()).build()?;
/// match sandbox.exec("import os") {
///     Err(Error::Rejected(rejection)) => assert_eq!((rejection.line, rejection.column), (1, 8)),
///     other => panic!("{other:?}"),
/// }
///
/// let mut sandbox = Sandbox::builder().policy(Policy::default().grant("math")).build()?;
/// assert_eq!(sandbox.eval::<f64>("import math\nmath.hypot(3, 4)")?, 5.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub struct Policy {
    /// Of the preset that it was made from, or what the host calls it. Nothing depends on it.
    #[cfg_attr(feature = "process", serde(skip))]
    name: Option<String>,
    pub(crate) modules: BTreeSet<String>,
    pub(crate) limits: SourceLimits,
    pub(crate) values: ValueLimits,
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    /// Modules that the host provides beside those that are granted.
    pub(crate) provided: BTreeSet<String>,
    /// Whether the host looks for other modules as they are imported.
    pub(crate) resolved: bool,
}

impl Policy {
    /// Whether a script may import this module.
    pub(crate) fn imports(&self, module: &str) -> bool {
        self.modules.contains(module) || self.provided.contains(module) || (self.resolved && !module.contains('.'))
    }

    /// Whether there is anything that a script may import.
    pub(crate) fn imports_any(&self) -> bool {
        !self.modules.is_empty() || !self.provided.is_empty() || self.resolved
    }
}

impl Policy {
    /// No modules: the builtins alone. The default.
    ///
    /// ```
    /// assert_eq!(pycage::Policy::minimal().modules().count(), 0);
    /// ```
    pub fn minimal() -> Self {
        Policy::default()
    }

    /// The modules that a plugin needs to calculate and to handle text and containers.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().policy(Policy::plugin()).build()?;
    /// assert_eq!(sandbox.eval::<String>("import json\njson.dumps({'hp': [10, 2.5]})")?, r#"{"hp": [10, 2.5]}"#);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn plugin() -> Self {
        presets::PLUGIN.iter().fold(Policy::default().named("plugin"), |policy, module| policy.grant(*module))
    }

    /// Every module that there is: what code that works on data needs.
    ///
    /// ```
    /// use pycage::Policy;
    ///
    /// assert!(Policy::data().modules().count() >= Policy::plugin().modules().count());
    /// ```
    pub fn data() -> Self {
        presets::data().fold(Policy::default().named("data"), Policy::grant)
    }

    /// Gives it a name, by which audit records tell policies apart.
    ///
    /// ```
    /// assert_eq!(pycage::Policy::plugin().deny("random").named("tournament").name(), "tournament");
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its name: what the host calls it, or the preset that it was made from.
    ///
    /// ```
    /// assert_eq!(pycage::Policy::plugin().grant("decimal").name(), "plugin");
    /// ```
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("minimal")
    }

    /// Grants a module by name. A name that pycage has no module for is an error when the sandbox is built.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().policy(Policy::minimal().grant("math")).build()?;
    /// assert_eq!(sandbox.eval::<i64>("import math\nmath.gcd(12, 18)")?, 6);
    /// assert!(Sandbox::builder().policy(Policy::minimal().grant("os")).build().is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn grant(mut self, module: impl Into<String>) -> Self {
        self.modules.insert(module.into());
        self
    }

    /// Takes a module back that a preset grants.
    ///
    /// ```
    /// let policy = pycage::Policy::plugin().deny("random");
    /// assert!(policy.modules().all(|module| module != "random"));
    /// ```
    #[must_use]
    pub fn deny(mut self, module: &str) -> Self {
        self.modules.remove(module);
        self
    }

    /// The modules that are granted, in the order of their names.
    ///
    /// ```
    /// let policy = pycage::Policy::minimal().grant("math");
    /// assert_eq!(policy.modules().collect::<Vec<_>>(), ["math"]);
    /// ```
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(String::as_str)
    }

    /// Replaces the limits on sources.
    ///
    /// ```
    /// use pycage::{Error, Policy, Sandbox, SourceLimits};
    ///
    /// let policy = Policy::default().source_limits(SourceLimits::default().bytes(20));
    /// let mut sandbox = Sandbox::builder().policy(policy).build()?;
    /// assert!(matches!(sandbox.exec("x = 'a script of more than twenty bytes'"), Err(Error::Rejected(_))));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn source_limits(mut self, limits: SourceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the limits on values that cross between host and script.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox, Value, ValueLimits};
    ///
    /// let policy = Policy::default().value_limits(ValueLimits::default().items(10));
    /// let mut sandbox = Sandbox::builder().policy(policy).build()?;
    /// assert!(sandbox.eval::<Value>("[0] * 11").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn value_limits(mut self, limits: ValueLimits) -> Self {
        self.values = limits;
        self
    }

    /// The seed of the module `random`, 0 unless set: scripts draw what CPython draws after `random.seed(seed)`.
    ///
    /// ```
    /// use pycage::{Policy, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().policy(Policy::plugin().random_seed(42)).build()?;
    /// assert_eq!(sandbox.eval::<i64>("import random\nrandom.randint(1, 100)")?, 82);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The clock of the modules `time` and `datetime`. Unless set, it stands still.
    ///
    /// ```
    /// use pycage::{Clock, Policy, Sandbox};
    /// use std::time::SystemTime;
    ///
    /// let policy = Policy::plugin().clock(Clock::fixed(SystemTime::UNIX_EPOCH));
    /// let mut sandbox = Sandbox::builder().policy(policy).build()?;
    /// assert_eq!(sandbox.eval::<String>("import datetime\nstr(datetime.date.today())")?, "1970-01-01");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}
