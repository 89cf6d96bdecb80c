//! Everything that can go wrong, typed.

use crate::budget::Limit;
use crate::host::failure::HostError;
use crate::usage::Usage;
use std::fmt;
use thiserror::Error as ThisError;

/// Why a call did not answer.
///
/// Every error of a run carries the [`Usage`] up to there, see [`Error::usage`].
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// match sandbox.eval::<f64>("1 / 0") {
///     Err(Error::Exception(exception)) => {
///         assert_eq!(exception.type_name, "ZeroDivisionError");
///         assert_eq!(exception.traceback[0].line, 1);
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The source is not Python.
    #[error("{0}")]
    Syntax(SyntaxError),
    /// The source is Python, and uses what the policy does not allow, or passes a limit on sources.
    #[error("{0}")]
    Rejected(Rejection),
    /// The script raised an exception and did not catch it.
    #[error("{0}")]
    Exception(ScriptException),
    /// A limit of the budget was passed. No script code ran after it.
    #[error("{0}")]
    Budget(BudgetExceeded),
    /// The run was cancelled through a [`Cancel`](crate::Cancel) handle.
    #[error("cancelled by the host")]
    Cancelled(Box<Usage>),
    /// The host's [`MeterHook`](crate::MeterHook) stopped the run.
    #[error("{0}")]
    Stopped(Stopped),
    /// The interpreter panicked. Its runner thread is retired; this sandbox is lost, new ones work.
    #[error("the interpreter crashed: {message}; its runner was retired and this sandbox with it")]
    Crashed {
        /// The panic's message.
        message: String,
        /// The usage as of the last checkpoint.
        usage: Box<Usage>,
    },
    /// The script did not stop by its deadline and grace. Its runner thread is retired; this sandbox is lost.
    #[error("the script did not stop by its deadline; its runner was retired and this sandbox with it")]
    Stuck(Box<Usage>),
    /// The sandbox's runner was retired by an earlier crash or stall, of this sandbox or of another on the same runner.
    #[error("this sandbox was lost when its runner was retired; build a new one")]
    Lost,
    /// The worker process ended, or was ended. Its pool replaces it; this sandbox is lost.
    #[cfg(feature = "process")]
    #[error("{0}")]
    Died(crate::process::WorkerDeath),
    /// A value cannot cross between host and script.
    #[error("{0}")]
    Conversion(ConversionError),
    /// The script has names that are new to the process, and scripts have used up the room for such: the interpreter keeps
    /// every name for the life of the process. Scripts without new names, and those that are loaded already, go on to work.
    #[error(
        "the scripts of this process have used up {bytes} bytes of different names; restart the process to load more"
    )]
    NamesExhausted {
        /// What the names of all scripts together may take.
        bytes: u64,
    },
    /// The sandbox cannot do what was asked of it, whatever the script: the message says what to change.
    #[error("{0}")]
    Setup(String),
}

impl Error {
    /// What the run cost up to the error. `None` for errors that come before anything ran.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let error = sandbox.exec("1 // 0").unwrap_err();
    /// assert!(error.usage().is_some_and(|usage| usage.instructions > 0));
    /// let error = sandbox.exec("1 +").unwrap_err();
    /// assert!(error.usage().is_none());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Error::Exception(error) => Some(&error.usage),
            Error::Budget(error) => Some(&error.usage),
            Error::Stopped(error) => Some(&error.usage),
            #[cfg(feature = "process")]
            Error::Died(death) => Some(&death.usage),
            Error::Cancelled(usage) | Error::Stuck(usage) | Error::Crashed { usage, .. } => Some(usage),
            _ => None,
        }
    }
}

/// Source that does not parse.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let Err(Error::Syntax(error)) = sandbox.exec("x = 1\ny = = 2") else { panic!("it does not parse") };
/// assert_eq!(error.line, 2);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{file}:{line}:{column}: syntax error: {message}")]
#[non_exhaustive]
pub struct SyntaxError {
    /// What the parser or the compiler says.
    pub message: String,
    /// The script's name.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Source that the policy does not allow.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let Err(Error::Rejected(rejection)) = sandbox.exec("x = 1\nx.__class__") else { panic!("it is rejected") };
/// assert_eq!((rejection.rule, rejection.line), ("dunder-attribute", 2));
/// assert!(!rejection.advice.is_empty());
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The rule's name, stable across versions, for example `dunder-attribute` or `limit-tokens`.
    pub rule: &'static str,
    /// What was found.
    pub message: String,
    /// What to do instead.
    pub advice: String,
    /// The script's name.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// For a limit on sources: the value found and the most that is allowed.
    pub limit: Option<SourceLimit>,
}

/// A limit on sources that was passed.
///
/// ```
/// use pycage::{Error, Policy, Sandbox, SourceLimits};
///
/// let policy = Policy::default().source_limits(SourceLimits::default().definitions(1));
/// let mut sandbox = Sandbox::builder().policy(policy).build()?;
/// let two = "def a(): pass\ndef b(): pass";
/// let Err(Error::Rejected(rejection)) = sandbox.exec(two) else { panic!("it is rejected") };
/// assert_eq!(rejection.limit.map(|limit| (limit.value, limit.max)), Some((2, 1)));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceLimit {
    /// What was found.
    pub value: u64,
    /// The most that the policy allows.
    pub max: u64,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: rejected ({}): {}; {}",
            self.file, self.line, self.column, self.rule, self.message, self.advice
        )
    }
}

/// An exception that the script raised.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let Err(Error::Exception(raised)) = sandbox.exec("def f(): raise ValueError('no')\nf()") else { panic!("it raises") };
/// assert_eq!((raised.type_name.as_str(), raised.message.as_str()), ("ValueError", "no"));
/// assert_eq!(raised.traceback.last().map(|entry| entry.function.as_str()), Some("f"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScriptException {
    /// The exception's class, for example `ValueError`.
    pub type_name: String,
    /// Its `str()`, cut at a few thousand characters.
    pub message: String,
    /// Where it was raised, outermost call first.
    pub traceback: Vec<TraceEntry>,
    /// The host's own error, when the exception is one that a host function raised and the script let through. Downcast
    /// it with `downcast_ref`.
    pub host_error: Option<HostError>,
    /// What the run cost.
    pub usage: Box<Usage>,
    /// Where the exception itself is kept, when it is one that a callback let through to a host function.
    pub(crate) serial: Option<u64>,
}

impl ScriptException {
    /// The traceback as Python prints it.
    ///
    /// ```
    /// use pycage::{Error, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let Err(Error::Exception(raised)) = sandbox.exec("1 // 0") else { panic!("it raises") };
    /// assert!(raised.traceback_text().starts_with("Traceback (most recent call last):\n  File \"<script>\", line 1"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn traceback_text(&self) -> String {
        let mut text = String::from("Traceback (most recent call last):\n");
        for entry in &self.traceback {
            text.push_str(&format!("  File \"{}\", line {}, in {}\n", entry.file, entry.line, entry.function));
        }
        text.push_str(&self.type_name);
        if !self.message.is_empty() {
            text.push_str(": ");
            text.push_str(&self.message);
        }
        text
    }
}

impl fmt::Display for ScriptException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", place(&self.traceback), self.type_name, self.message)
    }
}

/// One call on the way to an exception.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let Err(Error::Exception(raised)) = sandbox.exec("x = 0\n1 // x") else { panic!("it raises") };
/// let entry = &raised.traceback[0];
/// assert_eq!((entry.line, entry.function.as_str()), (2, "<module>"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TraceEntry {
    /// The script's name.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1, where known.
    pub column: Option<u32>,
    /// The function, `<module>` at the top level.
    pub function: String,
}

/// A budget that ran out.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.exec("def f():\n    while True:\n        try:\n            while True: pass\n        except:\n            pass")?;
/// match sandbox.call::<()>("f", ()) {
///     // Where the script was, and not the handler that it tried to catch the stop with.
///     Err(Error::Budget(stop)) => assert_eq!((stop.traceback[0].line, stop.traceback[0].function.as_str()), (4, "f")),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error(
    "{}the {}budget for {limit} ran out: {used} used of {allowed}",
    place(.traceback),
    if *.lifetime { "lifetime " } else { "" }
)]
#[non_exhaustive]
pub struct BudgetExceeded {
    /// Which limit.
    pub limit: Limit,
    /// Whether it was the sandbox's lifetime budget that ran out, and not the call's.
    pub lifetime: bool,
    /// What the budget allowed: a count, bytes, or milliseconds.
    pub allowed: u64,
    /// What was used, in the same unit. Work that was refused before it was done is not in it.
    pub used: u64,
    /// Where the script was when it was stopped, outermost call first. Empty when it was stopped outside of its code.
    ///
    /// What took it past its memory may be the last that it does. That is seen when the run has ended: then the one entry
    /// is the end of the code that was run, its last line with no column.
    pub traceback: Vec<TraceEntry>,
    /// What the run cost.
    pub usage: Box<Usage>,
}

/// A run that the host's hook ended.
///
/// ```
/// use pycage::{Error, HookAction, Sandbox};
///
/// let hook = |_: &pycage::Usage| HookAction::Stop("enough".into());
/// let mut sandbox = Sandbox::builder().hook(hook).build()?;
/// assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Stopped(stop)) if stop.reason == "enough"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{}stopped by the host: {reason}", place(.traceback))]
#[non_exhaustive]
pub struct Stopped {
    /// The hook's reason.
    pub reason: String,
    /// Where the script was when it was stopped, outermost call first.
    pub traceback: Vec<TraceEntry>,
    /// What the run cost.
    pub usage: Box<Usage>,
}

/// File and line in front of a message, where they are known.
fn place(traceback: &[TraceEntry]) -> String {
    traceback.last().map(|last| format!("{}:{}: ", last.file, last.line)).unwrap_or_default()
}

/// A value that cannot cross between host and script.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// let Err(Error::Conversion(error)) = sandbox.eval::<u8>("300") else { panic!("it does not fit") };
/// assert!(error.message.contains("u8"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{message}")]
#[non_exhaustive]
pub struct ConversionError {
    /// What cannot cross, and why.
    pub message: String,
}

impl ConversionError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        ConversionError { message: message.into() }
    }
}

impl From<ConversionError> for Error {
    fn from(error: ConversionError) -> Self {
        Error::Conversion(error)
    }
}
