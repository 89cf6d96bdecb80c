//! What came of one file, for people and for programs.

use crate::json;
use crate::{print, status};
use pycage::process::{DeathCause, WorkerDeath};
use pycage::{Error, Usage, Value};
use serde_json::{Map, json};

pub struct Report {
    pub result: Result<(Value, Usage), Error>,
    pub output: String,
    pub enforced: Vec<&'static str>,
}

impl Report {
    pub fn status(&self) -> u8 {
        match self.outcome() {
            "ok" => status::OK,
            "exception" => status::EXCEPTION,
            "rejected" => status::REJECTED,
            "budget" => status::BUDGET,
            _ => status::CRASHED,
        }
    }

    pub fn outcome(&self) -> &'static str {
        match &self.result {
            Ok(_) => "ok",
            Err(Error::Exception(_) | Error::Conversion(_)) => "exception",
            Err(Error::Syntax(_) | Error::Rejected(_) | Error::Setup(_) | Error::NamesExhausted { .. }) => "rejected",
            Err(Error::Budget(_) | Error::Cancelled(_) | Error::Stopped(_)) => "budget",
            Err(Error::Stuck(_)) => "stuck",
            Err(Error::Died(death)) if wall_limit(death).is_some() => "budget",
            Err(_) => "crashed",
        }
    }

    /// For a person: the output, the value, and on standard error what went wrong.
    pub fn show(&self) {
        print(&self.output);
        match &self.result {
            Ok((Value::None, _)) => {}
            Ok((value, _)) => print(&format!("{value}\n")),
            Err(Error::Exception(exception)) => eprintln!("{}", exception.traceback_text()),
            Err(error) => eprintln!("{error}"),
        }
    }

    /// The bill, as far as it is known.
    pub fn usage(&self) -> Usage {
        match &self.result {
            Ok((_, usage)) => *usage,
            Err(error) => error.usage().copied().unwrap_or_default(),
        }
    }

    pub fn to_json(&self) -> String {
        json::line(&serde_json::Value::Object(self.object()))
    }

    /// The JSON object that the manual describes.
    pub fn object(&self) -> Map<String, serde_json::Value> {
        let usage = self.usage();
        let mut object = Map::new();
        object.insert("outcome".into(), self.outcome().into());
        object.insert("value".into(), self.result.as_ref().map_or(json!(null), |(value, _)| json::value(value)));
        object.insert("output".into(), self.output.clone().into());
        object.insert("error".into(), self.result.as_ref().err().map_or(json!(null), error_json));
        object.insert(
            "usage".into(),
            json!({
                "instructions": usage.instructions,
                "native_steps": usage.native_steps,
                "allocations": usage.allocations,
                "allocated_bytes": usage.allocated_bytes,
                "peak_bytes": usage.peak_bytes,
                "elapsed_ns": usage.elapsed.as_nanos() as u64,
                "host_ns": usage.host_time.as_nanos() as u64,
            }),
        );
        object.insert("enforced".into(), json!(self.enforced));
        object
    }
}

/// The limit that the wall around a worker process held, if it was one.
fn wall_limit(death: &WorkerDeath) -> Option<&'static str> {
    match death.cause {
        DeathCause::Deadline | DeathCause::CpuTime => Some("time"),
        DeathCause::OutOfMemory => Some("memory"),
        _ => None,
    }
}

fn error_json(error: &Error) -> serde_json::Value {
    let mut object = json!({
        "kind": "error", "message": error.to_string(), "line": null, "column": null,
        "traceback": null, "rule": null, "limit": null,
    });
    match error {
        Error::Syntax(syntax) => {
            object["kind"] = "SyntaxError".into();
            object["message"] = syntax.message.clone().into();
            object["line"] = syntax.line.into();
            object["column"] = syntax.column.into();
            object["rule"] = "syntax".into();
        }
        Error::Rejected(rejection) => {
            object["kind"] = "Rejected".into();
            object["message"] = format!("{}; {}", rejection.message, rejection.advice).into();
            object["line"] = rejection.line.into();
            object["column"] = rejection.column.into();
            object["rule"] = rejection.rule.into();
            if let Some(limit) = rejection.limit {
                object["limit"] = limit.max.into();
            }
        }
        Error::Exception(exception) => {
            object["kind"] = exception.type_name.clone().into();
            object["message"] = exception.message.clone().into();
            object["line"] = exception.traceback.last().map(|entry| entry.line).into();
            object["column"] = exception.traceback.last().map(|entry| entry.column).into();
            object["traceback"] = exception.traceback_text().into();
        }
        Error::Budget(budget) => {
            object["kind"] = "BudgetExceeded".into();
            object["limit"] = budget.limit.name().into();
            object["line"] = budget.traceback.last().map(|entry| entry.line).into();
            object["column"] = budget.traceback.last().and_then(|entry| entry.column).into();
        }
        Error::Cancelled(_) => object["kind"] = "Cancelled".into(),
        Error::Stopped(_) => object["kind"] = "Stopped".into(),
        Error::Crashed { .. } => object["kind"] = "Crashed".into(),
        Error::Stuck(_) => object["kind"] = "Stuck".into(),
        Error::Died(death) => {
            object["kind"] = "WorkerDied".into();
            object["limit"] = wall_limit(death).into();
        }
        Error::Lost => object["kind"] = "Lost".into(),
        Error::Conversion(_) => object["kind"] = "Conversion".into(),
        Error::NamesExhausted { .. } => object["kind"] = "NamesExhausted".into(),
        Error::Setup(_) => object["kind"] = "Setup".into(),
        _ => {}
    }
    object
}
