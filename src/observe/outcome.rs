//! How a run ended, in the words of an audit record.

use super::Ended;
use crate::error::Error;

/// What is kept of a name that a script has chosen.
const MAX_NAME: usize = 200;

/// How a run ended, in an [`AuditRecord`](crate::AuditRecord). Of the details, those are there that the kind has.
///
/// | kind | stage | details |
/// |---|---|---|
/// | `returned` | `run` | `value_type` |
/// | `syntax` | `compile` | `line` |
/// | `rejected` | `compile` | `rule`, `line` |
/// | `names_exhausted` | `compile` | |
/// | `exception` | `run` | `exception`, `line` |
/// | `budget` | `run` | `limit`, `line` |
/// | `cancelled`, `stopped`, `crashed`, `stuck` | `run` | |
/// | `died` | `run` | `cause` |
/// | `conversion` | `run` | |
/// | `lost`, `setup` | `host`: nothing ran | |
/// | `dropped` | `host`: a task that the host let go of | |
///
/// ```
/// use pycage::{AuditRecord, OutcomeKind, Sandbox, Stage};
///
/// let sink = |record: &AuditRecord| {
///     assert_eq!((record.outcome.kind, record.outcome.stage), (OutcomeKind::Rejected, Stage::Compile));
///     assert_eq!(record.outcome.rule.as_deref(), Some("import"));
///     Ok(())
/// };
/// let mut sandbox = Sandbox::builder().audit(sink).build()?;
/// assert!(sandbox.exec("import os").is_err());
/// assert_eq!(sandbox.audit_failures().count, 0);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AuditOutcome {
    /// What it came to.
    pub kind: OutcomeKind,
    /// How far it came.
    pub stage: Stage,
    /// The type of the value, as Python names it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub value_type: Option<String>,
    /// The class of the exception. Its message is the script's, and is not recorded.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub exception: Option<String>,
    /// The rule that the source broke.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub rule: Option<String>,
    /// The limit that was passed, by [`Limit::name`](crate::Limit::name).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub limit: Option<String>,
    /// What ended the worker process.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub cause: Option<String>,
    /// The line of the script, from 1, where one is to blame.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub line: Option<u32>,
}

/// What a run came to: a value, or an [`Error`] of that kind.
///
/// ```
/// use pycage::{AuditRecord, OutcomeKind, Sandbox};
///
/// let sink = |record: &AuditRecord| { assert_eq!(record.outcome.kind, OutcomeKind::Returned); Ok(()) };
/// let mut sandbox = Sandbox::builder().audit(sink).build()?;
/// sandbox.exec("x = 1")?;
/// assert_eq!(sandbox.audit_failures().count, 0);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OutcomeKind {
    /// A value.
    Returned,
    /// [`Error::Syntax`].
    Syntax,
    /// [`Error::Rejected`].
    Rejected,
    /// [`Error::Exception`].
    Exception,
    /// [`Error::Budget`].
    Budget,
    /// [`Error::Cancelled`].
    Cancelled,
    /// [`Error::Stopped`].
    Stopped,
    /// [`Error::Crashed`].
    Crashed,
    /// [`Error::Stuck`].
    Stuck,
    /// [`Error::Lost`].
    Lost,
    /// `Error::Died`.
    Died,
    /// [`Error::Conversion`].
    Conversion,
    /// [`Error::NamesExhausted`].
    NamesExhausted,
    /// [`Error::Setup`].
    Setup,
    /// The host let go of a task before it had ended.
    Dropped,
}

impl OutcomeKind {
    /// Its name, as it stands in written records.
    ///
    /// ```
    /// assert_eq!(pycage::OutcomeKind::NamesExhausted.name(), "names_exhausted");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            OutcomeKind::Returned => "returned",
            OutcomeKind::Syntax => "syntax",
            OutcomeKind::Rejected => "rejected",
            OutcomeKind::Exception => "exception",
            OutcomeKind::Budget => "budget",
            OutcomeKind::Cancelled => "cancelled",
            OutcomeKind::Stopped => "stopped",
            OutcomeKind::Crashed => "crashed",
            OutcomeKind::Stuck => "stuck",
            OutcomeKind::Lost => "lost",
            OutcomeKind::Died => "died",
            OutcomeKind::Conversion => "conversion",
            OutcomeKind::NamesExhausted => "names_exhausted",
            OutcomeKind::Setup => "setup",
            OutcomeKind::Dropped => "dropped",
        }
    }
}

/// How far a run came.
///
/// ```
/// use pycage::{AuditRecord, Sandbox, Stage};
///
/// let sink = |record: &AuditRecord| { assert_eq!(record.outcome.stage, Stage::Run); Ok(()) };
/// let mut sandbox = Sandbox::builder().audit(sink).build()?;
/// sandbox.exec("x = 1")?;
/// assert_eq!(sandbox.audit_failures().count, 0);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stage {
    /// The script was not run: its source was refused.
    Compile,
    /// The script ran.
    Run,
    /// It was the host's: nothing ran, or what ran was let go of.
    Host,
}

impl AuditOutcome {
    pub(crate) fn of(ended: Ended<'_>) -> Self {
        let plain = |kind, stage| AuditOutcome {
            kind,
            stage,
            value_type: None,
            exception: None,
            rule: None,
            limit: None,
            cause: None,
            line: None,
        };
        let error = match ended {
            Ended::Returned(type_name) => {
                let value_type = Some(shorten(type_name));
                return AuditOutcome { value_type, ..plain(OutcomeKind::Returned, Stage::Run) };
            }
            Ended::Dropped => return plain(OutcomeKind::Dropped, Stage::Host),
            Ended::Failed(error) => error,
        };
        match error {
            Error::Syntax(error) => {
                AuditOutcome { line: Some(error.line), ..plain(OutcomeKind::Syntax, Stage::Compile) }
            }
            Error::Rejected(rejection) => AuditOutcome {
                rule: Some(rejection.rule.to_owned()),
                line: Some(rejection.line),
                ..plain(OutcomeKind::Rejected, Stage::Compile)
            },
            Error::Exception(exception) => AuditOutcome {
                exception: Some(shorten(&exception.type_name)),
                line: exception.traceback.last().map(|entry| entry.line),
                ..plain(OutcomeKind::Exception, Stage::Run)
            },
            Error::Budget(stop) => AuditOutcome {
                limit: Some(stop.limit.name().to_owned()),
                line: stop.traceback.last().map(|entry| entry.line),
                ..plain(OutcomeKind::Budget, Stage::Run)
            },
            Error::Cancelled(_) => plain(OutcomeKind::Cancelled, Stage::Run),
            Error::Stopped(_) => plain(OutcomeKind::Stopped, Stage::Run),
            Error::Crashed { .. } => plain(OutcomeKind::Crashed, Stage::Run),
            Error::Stuck(_) => plain(OutcomeKind::Stuck, Stage::Run),
            Error::Lost => plain(OutcomeKind::Lost, Stage::Host),
            #[cfg(feature = "process")]
            Error::Died(death) => {
                AuditOutcome { cause: Some(death.cause.name().to_owned()), ..plain(OutcomeKind::Died, Stage::Run) }
            }
            Error::Conversion(_) => plain(OutcomeKind::Conversion, Stage::Run),
            Error::NamesExhausted { .. } => plain(OutcomeKind::NamesExhausted, Stage::Compile),
            Error::Setup(_) => plain(OutcomeKind::Setup, Stage::Host),
        }
    }
}

fn shorten(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ConversionError;

    #[test]
    fn each_error_is_of_its_kind() {
        let usage = Box::default;
        let errors = [
            (Error::Cancelled(usage()), "cancelled", Stage::Run),
            (Error::Stuck(usage()), "stuck", Stage::Run),
            (Error::Crashed { message: "a secret".into(), usage: usage() }, "crashed", Stage::Run),
            (Error::Lost, "lost", Stage::Host),
            (Error::Setup("a secret".into()), "setup", Stage::Host),
            (Error::NamesExhausted { bytes: 1 }, "names_exhausted", Stage::Compile),
            (Error::Conversion(ConversionError::new("a secret")), "conversion", Stage::Run),
        ];
        for (error, name, stage) in errors {
            let outcome = AuditOutcome::of(Ended::Failed(&error));
            assert_eq!((outcome.kind.name(), outcome.stage), (name, stage));
            assert!(!format!("{outcome:?}").contains("a secret"));
            #[cfg(feature = "json")]
            assert_eq!(serde_json::to_value(outcome.kind).ok(), Some(name.into()));
        }
    }
}
