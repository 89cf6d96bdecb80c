//! Results of runs in frames.

use super::value::Flat;
use crate::budget::Limit;
use crate::error::{
    BudgetExceeded, ConversionError, Error, Rejection, ScriptException, SourceLimit, Stopped, SyntaxError, TraceEntry,
};
use crate::host::awaitable::Request;
use crate::host::failure::HostError;
use crate::process::worker::WireHostError;
use crate::runner::tasks::Step;
use crate::usage::Usage;
use crate::value::Value;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a call came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Value(Flat),
    Syntax {
        message: String,
        file: String,
        line: u32,
        column: u32,
    },
    Rejected(Box<WireRejection>),
    Exception {
        type_name: String,
        message: String,
        traceback: Vec<TraceEntry>,
        host_error: Option<u32>,
    },
    Budget {
        limit: Limit,
        allowed: u64,
        used: u64,
        traceback: Vec<TraceEntry>,
    },
    Cancelled,
    Stopped {
        reason: String,
        traceback: Vec<TraceEntry>,
    },
    Crashed(String),
    Conversion(String),
    NamesExhausted(u64),
    Setup(String),
    /// A task's slice is used up.
    Paused,
    /// A task waits for what it has asked the host by that name.
    Awaiting(String, Vec<Flat>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireRejection {
    rule: String,
    message: String,
    advice: String,
    file: String,
    line: u32,
    column: u32,
    limit: Option<(u64, u64)>,
}

impl Outcome {
    /// On the worker.
    pub(crate) fn of(result: Result<Value, Error>) -> Outcome {
        match result {
            Ok(value) => Outcome::Value(Flat(value)),
            Err(Error::Syntax(error)) => {
                Outcome::Syntax { message: error.message, file: error.file, line: error.line, column: error.column }
            }
            Err(Error::Rejected(error)) => Outcome::Rejected(Box::new(WireRejection {
                rule: error.rule.to_owned(),
                message: error.message,
                advice: error.advice,
                file: error.file,
                line: error.line,
                column: error.column,
                limit: error.limit.map(|limit| (limit.value, limit.max)),
            })),
            Err(Error::Exception(error)) => Outcome::Exception {
                host_error: error
                    .host_error
                    .and_then(|error| error.downcast_ref::<WireHostError>().map(|error| error.number)),
                type_name: error.type_name,
                message: error.message,
                traceback: error.traceback,
            },
            Err(Error::Budget(stop)) => {
                Outcome::Budget { limit: stop.limit, allowed: stop.allowed, used: stop.used, traceback: stop.traceback }
            }
            Err(Error::Cancelled(_)) => Outcome::Cancelled,
            Err(Error::Stopped(stop)) => Outcome::Stopped { reason: stop.reason, traceback: stop.traceback },
            Err(Error::Crashed { message, .. }) => Outcome::Crashed(message),
            Err(Error::Conversion(error)) => Outcome::Conversion(error.message),
            Err(Error::NamesExhausted { bytes }) => Outcome::NamesExhausted(bytes),
            Err(other) => Outcome::Setup(other.to_string()),
        }
    }

    /// On the worker: how a slice of a task ended.
    pub(crate) fn of_slice(result: Result<Step, Error>) -> Outcome {
        match result {
            Ok(Step::Paused) => Outcome::Paused,
            Ok(Step::Awaiting(request)) => {
                Outcome::Awaiting(request.name, request.args.into_iter().map(Flat).collect())
            }
            Ok(Step::Done(value)) => Outcome::of(Ok(value)),
            Err(error) => Outcome::of(Err(error)),
        }
    }

    /// Whether only a slice of a task can end so.
    pub(crate) fn is_of_a_slice(&self) -> bool {
        matches!(self, Outcome::Paused | Outcome::Awaiting(..))
    }

    /// On the host: how a slice of a task ended.
    pub(crate) fn into_step(
        self,
        usage: Usage,
        host_error: impl FnOnce(u32) -> Option<HostError>,
    ) -> Result<Step, Error> {
        match self {
            Outcome::Paused => Ok(Step::Paused),
            Outcome::Awaiting(name, args) => {
                Ok(Step::Awaiting(Request { name, args: args.into_iter().map(|arg| arg.0).collect() }))
            }
            ended => ended.into_result(usage, host_error).map(Step::Done),
        }
    }

    /// On the host. `host_error` finds the host's own error by its number.
    pub(crate) fn into_result(
        self,
        usage: Usage,
        host_error: impl FnOnce(u32) -> Option<HostError>,
    ) -> Result<Value, Error> {
        let usage = Box::new(usage);
        Err(match self {
            Outcome::Value(value) => return Ok(value.0),
            Outcome::Syntax { message, file, line, column } => {
                Error::Syntax(SyntaxError { message, file, line, column })
            }
            Outcome::Rejected(error) => Error::Rejected(Rejection {
                rule: rule(&error.rule),
                message: error.message,
                advice: error.advice,
                file: error.file,
                line: error.line,
                column: error.column,
                limit: error.limit.map(|(value, max)| SourceLimit { value, max }),
            }),
            Outcome::Exception { type_name, message, traceback, host_error: number } => {
                let host_error = number.and_then(host_error);
                Error::Exception(ScriptException { type_name, message, traceback, host_error, usage, serial: None })
            }
            Outcome::Budget { limit, allowed, used, traceback } => {
                Error::Budget(BudgetExceeded { limit, lifetime: false, allowed, used, traceback, usage })
            }
            Outcome::Cancelled => Error::Cancelled(usage),
            Outcome::Stopped { reason, traceback } => Error::Stopped(Stopped { reason, traceback, usage }),
            Outcome::Crashed(message) => Error::Crashed { message, usage },
            Outcome::Conversion(message) => Error::Conversion(ConversionError::new(message)),
            Outcome::NamesExhausted(bytes) => Error::NamesExhausted { bytes },
            Outcome::Setup(message) => Error::Setup(message),
            Outcome::Paused | Outcome::Awaiting(..) => {
                Error::Setup("this is not a task, and cannot be left".to_owned())
            }
        })
    }
}

/// Rules are kept for the life of the process, so a worker cannot make up ever new ones.
const MAX_RULES: usize = 512;
const MAX_RULE: usize = 64;

/// The static name of a rule.
fn rule(name: &str) -> &'static str {
    static RULES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut rules = RULES.lock();
    match rules.get(name) {
        Some(rule) => rule,
        None if rules.len() < MAX_RULES && name.len() <= MAX_RULE => {
            let rule: &'static str = name.to_owned().leak();
            rules.insert(rule);
            rule
        }
        None => "unknown",
    }
}
