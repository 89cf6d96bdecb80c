//! A call that a worker is busy with: the host serves it until it is done, and believes nothing of what it says.

use super::opening::NamedFunction;
use super::protocol::frame::FrameError;
use super::protocol::message::{
    Call, Done as WireDone, FromWorker, HostAnswer, HostCall, HostFailure, ToWorker, Verdict,
};
use super::session::{Worker, flat};
use crate::budget::Budget;
use crate::host::args::{Arguments, Remote};
use crate::host::failure::{CallFailure, ExceptionType, HostError, Raise};
use crate::host::gate;
use crate::meter::hook::HookAction;
use crate::meter::run::LiveUsage;
use crate::sandbox::Config;
use crate::usage::Usage;
use crate::value::Value;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What host functions may be handed in one call, all calls of them together.
const MAX_HOST_CALL_BYTES: u64 = 256 << 20;

/// The last errors of host functions that are kept: one of them may be what ends the run.
const MAX_HOST_ERRORS: usize = 64;

/// A call that is on.
pub(super) struct Run<'a> {
    pub(super) worker: &'a mut Worker,
    pub(super) functions: &'a [NamedFunction],
    pub(super) budget: &'a Budget,
    pub(super) config: &'a Config,
    pub(super) live: &'a LiveUsage,
    pub(super) number: u64,
    /// As last reported.
    pub(super) usage: Usage,
    pub(super) host_time: Duration,
    pub(super) host_calls: u64,
    pub(super) host_bytes: u64,
    pub(super) host_errors: &'a mut VecDeque<(u32, HostError)>,
    /// Whether it is a slice of a task.
    pub(super) in_slice: bool,
}

/// Why a call cannot go on.
pub(super) struct Broken {
    pub(super) error: FrameError,
    pub(super) too_late: bool,
    /// Whether the call itself could not be sent.
    pub(super) unsent: bool,
}

impl Run<'_> {
    pub(super) fn drive_to_end(&mut self, call: Call, patience: Duration) -> Result<WireDone, Broken> {
        self.worker.watch.arm(self.number, patience);
        let (answer, unsent) = match self.worker.send(&ToWorker::Call(Box::new(call))) {
            Ok(()) => (self.serve(), false),
            Err(error) => (Err(error), true),
        };
        match (self.worker.watch.disarm(), answer) {
            (Some(_), Ok(done)) => Ok(done),
            (Some(_), Err(error)) => Err(Broken { error, too_late: false, unsent }),
            (None, Ok(_)) => Err(Broken { error: FrameError::Closed, too_late: true, unsent: false }),
            (None, Err(error)) => Err(Broken { error, too_late: true, unsent: false }),
        }
    }

    /// Serves the worker until it is done.
    fn serve(&mut self) -> Result<WireDone, FrameError> {
        loop {
            match self.worker.reader.next()? {
                FromWorker::Done(done) if done.number == self.number => {
                    if done.output.len() as u64 > self.budget.output {
                        return Err(violation("more output than the budget allows"));
                    }
                    if done.result.is_of_a_slice() && !self.in_slice {
                        return Err(violation("a call that is left, as only a task can be"));
                    }
                    return Ok(*done);
                }
                FromWorker::HostCall(call) => self.host_call(call)?,
                FromWorker::Progress(usage) => self.note(usage),
                FromWorker::Checkpoint(usage) => self.checkpoint(usage)?,
                _ => return Err(violation("a frame that has no place in a call")),
            }
        }
    }

    fn note(&mut self, usage: Usage) {
        let usage = believable(usage);
        self.usage = usage;
        self.live.instructions.store(usage.instructions, Ordering::Relaxed);
        self.live.native_steps.store(usage.native_steps, Ordering::Relaxed);
        self.live.live_bytes.store(usage.live_bytes, Ordering::Relaxed);
    }

    fn host_call(&mut self, call: HostCall) -> Result<(), FrameError> {
        // The worker counts too, and stops the script at the limit; this is for one that does not.
        self.host_calls += 1;
        if self.host_calls > self.budget.host_calls {
            return Err(violation("more host calls than the budget allows"));
        }
        self.host_bytes += call.args.iter().map(|arg| size(&arg.0)).sum::<u64>();
        self.host_bytes += call.keywords.iter().map(|(name, arg)| name.len() as u64 + size(&arg.0)).sum::<u64>();
        if self.host_bytes > MAX_HOST_CALL_BYTES {
            return Err(violation("more was handed to host functions in one call than is allowed"));
        }
        let functions = self.functions;
        let Some((names, function)) = functions.get(call.function as usize) else {
            return Err(violation("a call of a host function that there is not"));
        };
        let args: Vec<Value> = call.args.into_iter().map(|arg| arg.0).collect();
        let keywords: Vec<(String, Value)> = call.keywords.into_iter().map(|(name, arg)| (name, arg.0)).collect();
        let remote = Remote {
            usage: self.usage,
            budget: self.budget.clone(),
            cancel: self.config.cancel.clone(),
            data: self.config.data.clone(),
        };
        let answer = self.on_the_hosts_time(|| {
            // Also what converts the arguments may be the host's own code, and panic.
            gate::contained(|| function(&mut Arguments::of_values(&args, &keywords, names, &remote))).flatten()
        })?;
        let answer = match answer
            .and_then(|value| flat(value).map_err(|error| CallFailure::Arguments(format!("answered: {error}"))))
        {
            Ok(value) => HostAnswer::Value(value),
            Err(CallFailure::Arguments(message)) => HostAnswer::Arguments(message),
            Err(CallFailure::Failed(error)) => HostAnswer::Failed(keep(self.host_errors, error)),
            Err(CallFailure::Panicked) => HostAnswer::Panicked,
        };
        match self.worker.send(&ToWorker::Answer(answer)) {
            Err(FrameError::DoesNotFit(bytes)) => {
                let message = format!("answered with {bytes} bytes, which is more than can cross");
                self.worker.send(&ToWorker::Answer(HostAnswer::Arguments(message)))
            }
            sent => sent,
        }
    }

    fn checkpoint(&mut self, usage: Usage) -> Result<(), FrameError> {
        self.note(usage);
        let usage = self.usage;
        let Some(hook) = self.config.hook.clone() else {
            return Err(violation("a checkpoint that nobody asked for"));
        };
        let cancel = self.config.cancel.0.clone();
        let answer = self.on_the_hosts_time(|| {
            catch_unwind(AssertUnwindSafe(|| {
                let action = hook.checkpoint(&usage);
                if let HookAction::Pause(pause) = &action {
                    pause.wait(&cancel);
                }
                action
            }))
        })?;
        let verdict = match answer {
            _ if cancel.load(Ordering::Acquire) => Verdict::Cancel,
            Ok(HookAction::Continue | HookAction::Pause(_)) => Verdict::Continue,
            Ok(HookAction::Extend(more)) => Verdict::Extend(more),
            Ok(HookAction::Stop(mut reason)) => {
                reason.truncate(reason.floor_char_boundary(32 << 10));
                Verdict::Stop(reason)
            }
            Err(_) => Verdict::Stop("the host's hook panicked".to_owned()),
        };
        self.worker.send(&ToWorker::Verdict(verdict))
    }

    /// Runs code of the host's while the worker's clock stands.
    fn on_the_hosts_time<R>(&mut self, work: impl FnOnce() -> R) -> Result<R, FrameError> {
        let Some(left) = self.worker.watch.disarm() else { return Err(FrameError::Closed) };
        let began = Instant::now();
        let result = work();
        self.host_time += began.elapsed();
        self.usage.host_time = self.host_time;
        self.worker.watch.arm(self.number, left);
        Ok(result)
    }
}

/// Keeps an error of the host's for when it ends a run, and tells the worker of it.
pub(super) fn keep(errors: &mut VecDeque<(u32, HostError)>, error: HostError) -> HostFailure {
    let (exception, error) = match error.downcast_ref::<Raise>() {
        Some(raise) => (raise.exception, raise.error.clone()),
        None => (ExceptionType::RuntimeError, error),
    };
    let message = gate::contained(|| error.to_string()).unwrap_or_default();
    let number = errors.back().map_or(0, |(last, _)| last.wrapping_add(1));
    if errors.len() == MAX_HOST_ERRORS {
        errors.pop_front();
    }
    errors.push_back((number, error));
    HostFailure { message, error: number, exception }
}

fn violation(what: &str) -> FrameError {
    FrameError::OutOfOrder(what.to_owned())
}

/// No more than what two of can be added up, whatever a worker says.
pub(super) fn believable(usage: Usage) -> Usage {
    const COUNT: u64 = 1 << 60;
    const TIME: Duration = Duration::from_secs(u32::MAX as u64);
    Usage {
        instructions: usage.instructions.min(COUNT),
        native_steps: usage.native_steps.min(COUNT),
        allocations: usage.allocations.min(COUNT),
        allocated_bytes: usage.allocated_bytes.min(COUNT),
        live_bytes: usage.live_bytes.min(COUNT),
        peak_bytes: usage.peak_bytes.min(COUNT),
        output_bytes: usage.output_bytes.min(COUNT),
        host_calls: usage.host_calls.min(COUNT),
        elapsed: usage.elapsed.min(TIME),
        host_time: usage.host_time.min(TIME),
    }
}

/// About how many bytes a value is.
fn size(value: &Value) -> u64 {
    16 + match value {
        Value::Str(text) | Value::Opaque(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::BigInt(int) => int.bits() / 8,
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().map(size).sum(),
        Value::Dict(items) => items.iter().map(|(key, value)| size(key) + size(value)).sum(),
        _ => 0,
    }
}
