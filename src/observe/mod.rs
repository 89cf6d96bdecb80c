//! What a host that looks on is told: an audit record of each run, spans and events for `tracing`.
//!
//! * [`audit`]: the records, and where they go.
//! * [`json_lines`]: records as lines of JSON.
//! * [`outcome`]: how a run ended, in a record's words.
//! * [`trace`]: the feature `tracing`, or nothing in its place.

pub(crate) mod audit;
#[cfg(feature = "json")]
pub(crate) mod json_lines;
pub(crate) mod outcome;
#[cfg(feature = "serde")]
mod serialize;
#[macro_use]
pub(crate) mod trace;

use crate::budget::Budget;
use crate::error::Error;
use crate::sandbox::Isolation;
use crate::script::{Script, ScriptSource};
use crate::usage::Usage;
use audit::{AuditFailures, AuditPolicy, AuditRecord, AuditScript, AuditSink, Operation};
use outcome::AuditOutcome;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// What is known of a sandbox to those who look on.
pub(crate) struct Observer {
    pub sandbox: u64,
    pub label: Option<String>,
    pub isolation: Isolation,
    pub policy: AuditPolicy,
    pub sink: Option<Arc<dyn AuditSink>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Runs so far.
    runs: u64,
    /// The script whose top level ran last.
    script: Option<AuditScript>,
    failures: AuditFailures,
}

/// What a run is a run of.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A script's top level.
    Script(Operation, &'a Script),
    /// A function of the script's, by its name.
    Function(Operation, &'a str),
    /// A callable that the host holds.
    Callback,
    /// A source that is to be compiled.
    Source(Operation, &'a str, &'a str),
}

impl Observer {
    pub(crate) fn new(
        sandbox: u64,
        label: Option<String>,
        isolation: Isolation,
        policy: AuditPolicy,
        sink: Option<Arc<dyn AuditSink>>,
    ) -> Arc<Observer> {
        Arc::new(Observer { sandbox, label, isolation, policy, sink, state: Mutex::default() })
    }

    /// A run begins. `None` where nobody looks on, which is to cost next to nothing.
    #[inline]
    pub(crate) fn begin(self: &Arc<Self>, subject: Subject<'_>) -> Option<Arc<Observed>> {
        if self.sink.is_none() && !trace::listening() {
            return None;
        }
        Some(self.begin_observed(subject))
    }

    #[cold]
    fn begin_observed(self: &Arc<Self>, subject: Subject<'_>) -> Arc<Observed> {
        let began = SystemTime::now();
        let mut state = self.state.lock();
        state.runs += 1;
        let (operation, script, function) = match subject {
            Subject::Script(operation, script) => {
                let script = AuditScript::new(script.name(), script.source());
                state.script = Some(script.clone());
                (operation, Some(script), None)
            }
            Subject::Function(operation, name) => (operation, state.script.clone(), Some(name.to_owned())),
            Subject::Callback => (Operation::Callback, state.script.clone(), None),
            Subject::Source(operation, name, source) => {
                (operation, Some(AuditScript::new(name, &ScriptSource::of(source))), None)
            }
        };
        let number = state.runs;
        drop(state);
        let span = trace::run_span(self, operation, script.as_ref(), function.as_deref());
        Arc::new(Observed {
            observer: self.clone(),
            number,
            began,
            operation,
            script,
            function,
            span,
            ended: AtomicBool::new(false),
        })
    }

    /// What could not be recorded.
    pub(crate) fn failures(&self) -> AuditFailures {
        self.state.lock().failures.clone()
    }

    fn record(&self, record: &AuditRecord) {
        let Some(sink) = &self.sink else { return };
        let why = match catch_unwind(AssertUnwindSafe(|| sink.record(record))) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the sink panicked".to_owned(),
        };
        event!(
            target: "pycage::audit", ERROR,
            sandbox = self.sandbox, label = self.label.as_deref(), run = record.run, error = why.as_str(),
            "an audit record was lost"
        );
        let mut state = self.state.lock();
        state.failures.count += 1;
        state.failures.last = Some(why);
    }
}

/// A run that somebody looks at. What looks on from several sides tells its end once.
pub(crate) struct Observed {
    observer: Arc<Observer>,
    number: u64,
    began: SystemTime,
    operation: Operation,
    script: Option<AuditScript>,
    function: Option<String>,
    pub span: trace::Span,
    ended: AtomicBool,
}

/// How a run ended.
#[derive(Clone, Copy)]
pub(crate) enum Ended<'a> {
    /// With a value of this type.
    Returned(&'a str),
    Failed(&'a Error),
    /// The host let go of it.
    Dropped,
}

impl Observed {
    /// The run has ended. What is said of it later does not count.
    pub(crate) fn end(&self, budget: Option<&Budget>, usage: &Usage, ended: Ended<'_>) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let outcome = AuditOutcome::of(ended);
        let _inside = self.span.enter();
        if let Ended::Failed(error) = ended {
            trace::error(error);
        }
        trace::run_ended(&self.span, &outcome, usage);
        if self.observer.sink.is_none() {
            return;
        }
        self.observer.record(&AuditRecord {
            v: AuditRecord::VERSION,
            time: self.began,
            sandbox: self.observer.sandbox,
            label: self.observer.label.clone(),
            run: self.number,
            operation: self.operation,
            function: self.function.clone(),
            script: self.script.clone(),
            isolation: self.observer.isolation,
            policy: self.observer.policy.clone(),
            budget: budget.cloned(),
            usage: *usage,
            outcome,
        });
    }

    /// The run came to nothing.
    pub(crate) fn fail(&self, budget: Option<&Budget>, error: &Error) {
        self.end(budget, &error.usage().copied().unwrap_or_default(), Ended::Failed(error));
    }

    /// The type of what a run answers, which for some operations is not what the script answered.
    pub(crate) fn answers<'a>(&self, type_name: &'a str) -> &'a str {
        if self.operation == Operation::Reload { "None" } else { type_name }
    }
}
