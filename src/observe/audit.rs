//! Records of what ran: one for each run, for whoever has to answer for it later.

use super::outcome::AuditOutcome;
use crate::budget::Budget;
use crate::policy::Policy;
use crate::sandbox::{Isolation, Provided};
use crate::script::ScriptSource;
use crate::usage::Usage;
use std::error::Error as StdError;
use std::time::SystemTime;

/// Where audit records go; see [`SandboxBuilder::audit`](crate::SandboxBuilder::audit). Closures of one argument are sinks too, and
/// `JsonLines` (feature `json`) is one that writes.
///
/// It is called once for each run, when that has ended, on the thread that waits for the run. An error, or a panic, is no
/// matter of the script's: the call answers what it would have answered. It is counted, see
/// [`Sandbox::audit_failures`](crate::Sandbox::audit_failures), so that a host which must not run without records can stop.
///
/// ```
/// use pycage::{AuditRecord, AuditSink, Sandbox};
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// struct Total(Arc<AtomicU64>);
///
/// impl AuditSink for Total {
///     fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         self.0.fetch_add(record.usage.instructions, Ordering::Relaxed);
///         Ok(())
///     }
/// }
///
/// let total = Arc::new(AtomicU64::new(0));
/// let mut sandbox = Sandbox::builder().audit(Total(total.clone())).build()?;
/// sandbox.exec("x = sum(range(100))")?;
/// assert_eq!(total.load(Ordering::Relaxed), sandbox.total_usage().instructions);
/// # Ok::<(), pycage::Error>(())
/// ```
pub trait AuditSink: Send + Sync {
    /// Takes the record of a run that has ended.
    ///
    /// # Errors
    /// When the record could not be kept, and why.
    ///
    /// ```
    /// use pycage::{AuditRecord, AuditSink};
    ///
    /// let sink = |record: &AuditRecord| {
    ///     println!("run {} of sandbox {}", record.run, record.sandbox);
    ///     Ok(())
    /// };
    /// fn is_sink(_: &impl AuditSink) {}
    /// is_sink(&sink);
    /// ```
    fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

impl<F> AuditSink for F
where
    F: Fn(&AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> + Send + Sync,
{
    fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self(record)
    }
}

/// What ran, under which rules, what it cost and how it ended.
///
/// There is one for each run that a sandbox is asked for, whatever becomes of it: each `eval`, `exec`, `run`, `call`,
/// `call_function` and `reload`, each task, and each source that [`Sandbox::compile`](crate::Sandbox::compile) refuses. What runs no script (`get`,
/// `set`, `snapshot`, `restore`) has none. A record holds neither a script's text nor any value.
///
/// With the feature `serde` it can be written and read. The form is stable: within one `v`, fields are only added, and one
/// that is missing is `None`. In JSON:
///
/// | field | |
/// |---|---|
/// | `v` | 1 |
/// | `time_ms` | when the run began, in milliseconds since 1970 UTC |
/// | `sandbox`, `label` | the sandbox's number in this process, and its [label](crate::SandboxBuilder::label) |
/// | `run` | the run's number in the sandbox, from 1 without a gap: where one is missing, a record was lost |
/// | `operation` | `compile`, `eval`, `exec`, `call`, `callback`, `reload`, `task` |
/// | `function` | the global that was called |
/// | `script` | `name`, `sha256` (of the source, in hex) and `bytes` of the script that ran; for a call, of the one whose top level ran last |
/// | `isolation` | `thread` or `process` |
/// | `policy` | `name`; `modules`, `host_modules`, `mounts`: what was granted; `script_modules`: whether other scripts can be imported |
/// | `budget` | what the run was allowed: `instructions`, `timeout_ms`, `memory`, `allocations`, `recursion`, `output`, `host_calls` |
/// | `usage` | the fields of [`Usage`], times as `elapsed_ns` and `host_ns` |
/// | `outcome` | see [`AuditOutcome`] |
///
/// ```
/// use pycage::{AuditRecord, Sandbox};
///
/// let (sender, records) = std::sync::mpsc::channel();
/// let sink = move |record: &AuditRecord| Ok(sender.send(record.clone())?);
/// let mut sandbox = Sandbox::builder().label("orc").audit(sink).build()?;
/// assert!(sandbox.exec("1 // 0").is_err());
/// let record = records.recv().unwrap();
/// assert_eq!((record.label.as_deref(), record.run), (Some("orc"), 1));
/// assert_eq!(record.outcome.exception.as_deref(), Some("ZeroDivisionError"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AuditRecord {
    /// The version of the form: 1.
    pub v: u32,
    /// When the run began.
    #[cfg_attr(feature = "serde", serde(rename = "time_ms", with = "super::serialize::millis"))]
    pub time: SystemTime,
    /// The sandbox's number, see [`Sandbox::id`](crate::Sandbox::id).
    pub sandbox: u64,
    /// The sandbox's label, see [`SandboxBuilder::label`](crate::SandboxBuilder::label).
    pub label: Option<String>,
    /// The run's number in the sandbox, from 1.
    pub run: u64,
    /// What was asked for.
    pub operation: Operation,
    /// The global that was called, for calls and tasks.
    pub function: Option<String>,
    /// The script that ran. For calls, the one whose top level the sandbox ran last: usually where the function is from.
    pub script: Option<AuditScript>,
    /// The ring that it ran in.
    pub isolation: Isolation,
    /// What it was granted.
    pub policy: AuditPolicy,
    /// What it was allowed to cost, after a lifetime budget's cuts. For a task its limit on all slices together, if one was set.
    #[cfg_attr(feature = "serde", serde(with = "super::serialize::budget"))]
    pub budget: Option<Budget>,
    /// What it cost.
    #[cfg_attr(feature = "serde", serde(with = "super::serialize::usage"))]
    pub usage: Usage,
    /// How it ended.
    pub outcome: AuditOutcome,
}

impl AuditRecord {
    /// The version of the form of records that this version of pycage makes.
    pub const VERSION: u32 = 1;
}

/// What a sandbox was asked for.
///
/// ```
/// use pycage::{AuditRecord, Operation, Sandbox};
///
/// let sink = |record: &AuditRecord| { assert_eq!(record.operation, Operation::Eval); Ok(()) };
/// let mut sandbox = Sandbox::builder().audit(sink).build()?;
/// sandbox.eval::<i64>("6 * 7")?;
/// assert_eq!(sandbox.audit_failures().count, 0);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Operation {
    /// To compile a source, which was refused.
    Compile,
    /// To run a script and give its value: `eval` and `run`, with their kin.
    Eval,
    /// To run a script for what it does.
    Exec,
    /// To call a global.
    Call,
    /// To call a callable that the host holds.
    Callback,
    /// To put a new version of a script in the place of the old one.
    Reload,
    /// A [`Task`](crate::Task), or an async call.
    Task,
}

impl Operation {
    /// Its name, as it stands in written records.
    ///
    /// ```
    /// assert_eq!(pycage::Operation::Reload.name(), "reload");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Operation::Compile => "compile",
            Operation::Eval => "eval",
            Operation::Exec => "exec",
            Operation::Call => "call",
            Operation::Callback => "callback",
            Operation::Reload => "reload",
            Operation::Task => "task",
        }
    }
}

/// Names a script in an [`AuditRecord`].
///
/// ```
/// use pycage::{AuditRecord, Sandbox};
///
/// let sink = |record: &AuditRecord| {
///     let script = record.script.as_ref().ok_or("no script")?;
///     assert_eq!((script.bytes, &script.sha256[..8]), (5, "4add1594"));
///     Ok(())
/// };
/// let mut sandbox = Sandbox::builder().audit(sink).build()?;
/// sandbox.exec("6 * 7")?;
/// assert_eq!(sandbox.audit_failures().count, 0);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AuditScript {
    /// The name that it was compiled under.
    pub name: String,
    /// SHA-256 of its source, in lower-case hex.
    pub sha256: String,
    /// Length of its source.
    pub bytes: u64,
}

impl AuditScript {
    pub(crate) fn new(name: &str, source: &ScriptSource) -> Self {
        AuditScript { name: name.to_owned(), sha256: source.sha256_hex(), bytes: source.bytes }
    }
}

/// What a sandbox's scripts are granted, in an [`AuditRecord`].
///
/// ```
/// use pycage::{AuditRecord, Policy, Sandbox};
///
/// let sink = |record: &AuditRecord| { assert_eq!(record.policy.name, "plugin"); Ok(()) };
/// let mut sandbox = Sandbox::builder().policy(Policy::plugin()).audit(sink).build()?;
/// sandbox.exec("import math")?;
/// assert_eq!(sandbox.audit_failures().count, 0);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AuditPolicy {
    /// See [`Policy::name`]. The grants are what counts, as a preset can be changed.
    pub name: String,
    /// Modules that the policy grants.
    pub modules: Vec<String>,
    /// Modules that the host provides.
    pub host_modules: Vec<String>,
    /// Whether other scripts can be imported.
    pub script_modules: bool,
    /// What files are mounted as.
    pub mounts: Vec<String>,
}

impl AuditPolicy {
    pub(crate) fn of(policy: &Policy, provided: &Provided) -> Self {
        AuditPolicy {
            name: policy.name().to_owned(),
            modules: policy.modules().map(str::to_owned).collect(),
            host_modules: provided.modules.iter().map(|module| module.name.clone()).collect(),
            script_modules: provided.resolver.is_some(),
            mounts: provided.mounts().map(str::to_owned).collect(),
        }
    }
}

/// Audit records of a sandbox that its [`AuditSink`] did not take.
///
/// ```
/// use pycage::{AuditRecord, Sandbox};
///
/// let mut sandbox = Sandbox::builder().audit(|_: &AuditRecord| Err("the disk is full".into())).build()?;
/// assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
/// let failures = sandbox.audit_failures();
/// assert_eq!((failures.count, failures.last.as_deref()), (1, Some("the disk is full")));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFailures {
    /// How many.
    pub count: u64,
    /// Why the last one was not taken.
    pub last: Option<String>,
}
