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

/// What a call came to, with values as they stand in frames, or as one side knows them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome<V = Flat> {
    Value(V),
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
        /// Where the worker keeps the exception, if a call back let it through.
        serial: Option<u64>,
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
    Awaiting(String, Vec<V>),
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

impl<V> Outcome<V> {
    /// The same, with other values.
    pub(crate) fn map<W, E>(self, mut f: impl FnMut(V) -> Result<W, E>) -> Result<Outcome<W>, E> {
        Ok(match self {
            Outcome::Value(value) => Outcome::Value(f(value)?),
            Outcome::Awaiting(name, args) => {
                Outcome::Awaiting(name, args.into_iter().map(f).collect::<Result<_, _>>()?)
            }
            Outcome::Syntax { message, file, line, column } => Outcome::Syntax { message, file, line, column },
            Outcome::Rejected(rejection) => Outcome::Rejected(rejection),
            Outcome::Exception { type_name, message, traceback, host_error, serial } => {
                Outcome::Exception { type_name, message, traceback, host_error, serial }
            }
            Outcome::Budget { limit, allowed, used, traceback } => Outcome::Budget { limit, allowed, used, traceback },
            Outcome::Cancelled => Outcome::Cancelled,
            Outcome::Stopped { reason, traceback } => Outcome::Stopped { reason, traceback },
            Outcome::Crashed(message) => Outcome::Crashed(message),
            Outcome::Conversion(message) => Outcome::Conversion(message),
            Outcome::NamesExhausted(bytes) => Outcome::NamesExhausted(bytes),
            Outcome::Setup(message) => Outcome::Setup(message),
            Outcome::Paused => Outcome::Paused,
        })
    }

    /// Whether only a slice of a task can end so.
    pub(crate) fn is_of_a_slice(&self) -> bool {
        matches!(self, Outcome::Paused | Outcome::Awaiting(..))
    }
}

impl Outcome<Value> {
    /// On the worker.
    pub(crate) fn of(result: Result<Value, Error>) -> Self {
        match result {
            Ok(value) => Outcome::Value(value),
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
                serial: error.serial,
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
    pub(crate) fn of_slice(result: Result<Step, Error>) -> Self {
        match result {
            Ok(Step::Paused) => Outcome::Paused,
            Ok(Step::Awaiting(request)) => Outcome::Awaiting(request.name, request.args),
            Ok(Step::Done(value)) => Outcome::of(Ok(value)),
            Err(error) => Outcome::of(Err(error)),
        }
    }

    /// On the host: how a slice of a task ended.
    pub(crate) fn into_step(
        self,
        usage: Usage,
        host_error: impl FnOnce(u32) -> Option<HostError>,
    ) -> Result<Step, Error> {
        match self {
            Outcome::Paused => Ok(Step::Paused),
            Outcome::Awaiting(name, args) => Ok(Step::Awaiting(Request { name, args })),
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
            Outcome::Value(value) => return Ok(value),
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
            Outcome::Exception { type_name, message, traceback, host_error: number, serial } => {
                let host_error = number.and_then(host_error);
                Error::Exception(ScriptException { type_name, message, traceback, host_error, usage, serial })
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
