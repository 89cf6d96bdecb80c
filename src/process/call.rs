//! A call that a worker is busy with: the host serves it until it is done, and believes nothing of what it says.

use super::handles::Handles;
use super::protocol::frame::FrameError;
use super::protocol::message::{
    Asked, Call, CallBack, Done, FromWorker, HostAnswer, HostCall, HostFailure, Released, ToWorker, Turn, Verdict,
    WireRequest,
};
use super::protocol::outcome::Outcome;
use super::protocol::value::{Flat, Unknown};
use super::session::Worker;
use crate::budget::{Budget, Limit};
use crate::error::{ConversionError, Error};
use crate::host::args::{Arguments, RemoteRun};
use crate::host::callback::Callback;
use crate::host::callback_call;
use crate::host::failure::{CallFailure, ExceptionType, HostError, Raise};
use crate::host::gate::{self, LetThrough, let_through};
use crate::host::object::Request;
use crate::meter::hook::{Cancel, HookAction};
use crate::meter::run::LiveUsage;
use crate::sandbox::Config;
use crate::usage::Usage;
use crate::value::Value;
use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What host functions may be handed in one call, all calls of them together.
const MAX_HOST_CALL_BYTES: u64 = 256 << 20;

/// The last errors of host functions that are kept: one of them may be what ends the run.
const MAX_HOST_ERRORS: usize = 64;

/// A call that is on.
pub(super) struct Run<'a> {
    pub(super) worker: &'a mut Worker,
    pub(super) handles: &'a mut Handles,
    pub(super) budget: &'a Budget,
    pub(super) config: &'a Config,
    pub(super) live: &'a LiveUsage,
    pub(super) number: u64,
    /// As last reported.
    pub(super) usage: Usage,
    pub(super) host_calls: u64,
    pub(super) host_bytes: u64,
    pub(super) host_errors: &'a mut VecDeque<(u32, HostError)>,
    /// Whether it is a slice of a task.
    pub(super) in_slice: bool,
    pub(super) turn: HostsTurn,
}

/// The time in which the host's code runs, and the script waits.
pub(super) struct HostsTurn {
    /// What is left of the script's time.
    left: Duration,
    began: Instant,
    /// What the worker says is left of instructions and milliseconds.
    promised: (u64, u64),
    /// The last such time, and all of them.
    took: Duration,
    total: Duration,
    /// How many host functions wait for what they call back.
    depth: u32,
    /// The conversation has ended in a call back, whatever the host's function makes of it: by this, and whether because
    /// it was too late.
    broken: Option<(FrameError, bool)>,
}

impl Default for HostsTurn {
    fn default() -> Self {
        HostsTurn {
            left: Duration::ZERO,
            began: Instant::now(),
            promised: (0, 0),
            took: Duration::ZERO,
            total: Duration::ZERO,
            depth: 0,
            broken: None,
        }
    }
}

/// Why a call cannot go on.
pub(super) struct Broken {
    pub(super) error: FrameError,
    pub(super) too_late: bool,
    /// Whether the call itself could not be sent.
    pub(super) unsent: bool,
}

/// What the worker ends with, when the host has had its turns.
enum Ended {
    Call(Done<Value>),
    CallBack(Outcome<Value>),
}

impl Run<'_> {
    pub(super) fn drive_to_end(&mut self, call: Call, patience: Duration) -> Result<Done<Value>, Broken> {
        self.worker.watch.arm(self.number, patience);
        let (answer, unsent) = match self.say(&ToWorker::Call(Box::new(call))) {
            Ok(()) => (self.serve_to_end(), false),
            Err(error) => (Err(error), true),
        };
        match (self.worker.watch.disarm(), answer) {
            (Some(_), Ok(done)) => Ok(done),
            (Some(_), Err(error)) => Err(Broken { error, too_late: false, unsent }),
            (None, Ok(_)) => Err(Broken { error: FrameError::Closed, too_late: true, unsent: false }),
            (None, Err(error)) => Err(Broken { error, too_late: true, unsent: false }),
        }
    }

    /// Sends something that may have values in it, after what the worker must know of them.
    fn say(&mut self, message: &ToWorker) -> Result<(), FrameError> {
        if let Some(news) = self.handles.take_news() {
            self.worker.send(&ToWorker::Handles(news)).map_err(|error| match error {
                // What was not told is never told again.
                FrameError::DoesNotFit(_) => violation("more is to be said of host objects than a frame can"),
                error => error,
            })?;
        }
        self.worker.send(message)
    }

    fn serve_to_end(&mut self) -> Result<Done<Value>, FrameError> {
        let Ended::Call(done) = self.serve()? else {
            return Err(violation("the end of a call back that there is not"));
        };
        if done.output.len() as u64 > self.budget.output {
            return Err(violation("more output than the budget allows"));
        }
        if done.result.is_of_a_slice() && !self.in_slice {
            return Err(violation("a call that is left, as only a task can be"));
        }
        Ok(done)
    }

    /// Serves the worker until it is done.
    fn serve(&mut self) -> Result<Ended, FrameError> {
        loop {
            match self.worker.reader.next()? {
                FromWorker::Done(done) if done.number == self.number && self.turn.depth == 0 => {
                    return done.map(|value| self.open(value)).map(Ended::Call);
                }
                FromWorker::CalledBack(outcome) if self.turn.depth > 0 && !outcome.is_of_a_slice() => {
                    return outcome.map(|value| self.open(value)).map(Ended::CallBack);
                }
                FromWorker::HostCall(call) => self.host_call(call)?,
                FromWorker::Progress(usage) => self.note(usage),
                FromWorker::Checkpoint(usage) => self.checkpoint(usage)?,
                FromWorker::Released(released) => self.release(released)?,
                _ => return Err(violation("a frame that has no place in a call")),
            }
        }
    }

    fn open(&mut self, value: Flat) -> Result<Value, FrameError> {
        value.opened(self.handles).map_err(|Unknown| violation("an object that it was never given"))
    }

    fn note(&mut self, usage: Usage) {
        let usage = believable(usage);
        self.usage = usage;
        self.live.instructions.store(usage.instructions, Ordering::Relaxed);
        self.live.native_steps.store(usage.native_steps, Ordering::Relaxed);
        self.live.live_bytes.store(usage.live_bytes, Ordering::Relaxed);
    }

    fn host_call(&mut self, call: HostCall) -> Result<(), FrameError> {
        let HostCall { usage, left, asked, args, keywords } = call;
        self.note(usage);
        self.turn.promised = left;
        // The worker counts too, and stops the script at the limit; this is for one that does not.
        self.host_calls += u64::from(!matches!(asked, Asked::Next(_)));
        if self.host_calls > self.budget.host_calls {
            return Err(violation("more host calls than the budget allows"));
        }
        self.host_bytes += args.iter().map(Flat::size).sum::<u64>();
        self.host_bytes += keywords.iter().map(|(name, arg)| name.len() as u64 + arg.size()).sum::<u64>();
        if self.host_bytes > MAX_HOST_CALL_BYTES {
            return Err(violation("more was handed to host functions in one call than is allowed"));
        }
        let args = args.into_iter().map(|arg| self.open(arg)).collect::<Result<Vec<_>, _>>()?;
        let keywords = keywords.into_iter().map(|(name, arg)| Ok((name, self.open(arg)?)));
        let keywords = keywords.collect::<Result<Vec<_>, FrameError>>()?;
        let answer = match self.ask(asked, &args, &keywords)? {
            Ok(answer) => answer,
            Err(CallFailure::Arguments(message)) => HostAnswer::Arguments(message),
            Err(CallFailure::Failed(error)) => HostAnswer::Failed(keep(self.host_errors, error)),
            Err(CallFailure::Panicked) => HostAnswer::Panicked,
        };
        // What was passed is the host's no longer, before the worker is told what the host has let go of.
        drop((args, keywords));
        let took = self.turn.took;
        match self.say(&ToWorker::Answer(Turn { took, said: answer })) {
            Err(FrameError::DoesNotFit(bytes)) => {
                let message = format!("answered with {bytes} bytes, which is more than can cross");
                self.say(&ToWorker::Answer(Turn { took, said: HostAnswer::Arguments(message) }))
            }
            sent => sent,
        }
    }

    /// Has the host's code answer, and packs what it says.
    fn ask(
        &mut self,
        asked: Asked,
        args: &[Value],
        keywords: &[(String, Value)],
    ) -> Result<Result<HostAnswer, CallFailure>, FrameError> {
        let value = match asked {
            Asked::Function(number) => {
                let Some(called) = self.handles.function(number) else {
                    return Err(violation("a call of a host function that there is not"));
                };
                self.hosts_answer(args, keywords, &called.names, |args| (called.function)(args))?
            }
            Asked::Object(id, request) => {
                let object = self.object(id)?;
                let request = match &request {
                    WireRequest::Method(name) => Request::Method(name),
                    WireRequest::Read(name) => Request::Read(name),
                    WireRequest::Set(name) => Request::Set(name),
                    WireRequest::Operator(operator) => Request::Operator(*operator),
                };
                self.hosts_answer(args, keywords, &[], |args| object.usable(|free| free())?.perform(request, args))?
            }
            Asked::Items(id) => {
                let object = self.object(id)?;
                let items = self.hosts_answer(args, keywords, &[], |args| object.usable(|free| free())?.items(args))?;
                return match items.map(|items| self.handles.add_iterator(items)) {
                    Ok(Some(number)) => Ok(Ok(HostAnswer::Items(number))),
                    Ok(None) => Err(violation("more iterators than a script may have")),
                    Err(failure) => Ok(Err(failure)),
                };
            }
            Asked::Next(number) => {
                let next = self.on_the_hosts_time(|run| {
                    run.handles.iterator(number).map(|items| gate::contained(|| items.next().transpose()).flatten())
                })?;
                match next {
                    None => return Err(violation("the next item of an iterator that there is not")),
                    Some(Ok(None)) => return Ok(Ok(HostAnswer::End)),
                    Some(Ok(Some(value))) => Ok(value),
                    Some(Err(failure)) => Err(failure),
                }
            }
        };
        Ok(value.and_then(|value| match self.handles.pack(value) {
            Ok(value) => Ok(HostAnswer::Value(value)),
            Err(error) => Err(CallFailure::Arguments(format!("answered: {error}"))),
        }))
    }

    fn object(&self, id: u64) -> Result<crate::host::object::AnyObject, FrameError> {
        self.handles.object(id).ok_or_else(|| violation("an object that it was never given"))
    }

    /// Runs what answers a call of the script's.
    fn hosts_answer<R>(
        &mut self,
        args: &[Value],
        keywords: &[(String, Value)],
        names: &[String],
        work: impl FnOnce(&mut Arguments<'_>) -> Result<R, CallFailure>,
    ) -> Result<Result<R, CallFailure>, FrameError> {
        self.on_the_hosts_time(|run| {
            let waiting = Waiting(RefCell::new(run));
            // Also what converts the arguments may be the host's own code, and panic.
            gate::contained(|| work(&mut Arguments::of_values(args, keywords, names, &waiting))).flatten()
        })
    }

    /// Calls the script back, in the middle of the host's turn.
    fn call_back(&mut self, callback: &Callback, args: Vec<Value>) -> Result<Value, Error> {
        if self.turn.broken.is_some() {
            return Err(Error::Lost);
        }
        let key = self.handles.key(callback)?;
        if self.turn.depth >= callback_call::MAX_DEPTH {
            return Err(callback_call::too_deep());
        }
        let args = self.handles.pack_all(args)?;
        self.end_hosts_turn();
        self.turn.depth += 1;
        let said = self.say(&ToWorker::CallBack(Turn { took: self.turn.took, said: CallBack { key, args } }));
        let answer = match said {
            Ok(()) => self.serve(),
            Err(error) => Err(error),
        };
        self.turn.depth -= 1;
        let in_time = self.begin_hosts_turn();
        match answer {
            Ok(Ended::CallBack(outcome)) if in_time => {
                let (usage, errors) = (self.usage, &*self.host_errors);
                outcome.into_result(usage, |number| find(errors, number))
            }
            Err(FrameError::DoesNotFit(bytes)) if in_time => Err(Error::Conversion(ConversionError::new(format!(
                "the callback is handed {bytes} bytes, which is more than can cross"
            )))),
            answer => {
                let error = answer.err().unwrap_or(FrameError::Closed);
                self.turn.broken = Some((error, !in_time));
                Err(Error::Lost)
            }
        }
    }

    /// Drops what the script has let go of. It may be the host's code that runs then.
    fn release(&mut self, released: Released) -> Result<(), FrameError> {
        let gone: Vec<Box<dyn Any>> = self.handles.release(released);
        // The worker goes on meanwhile: its clock stands for the host's own code alone.
        if gone.is_empty() {
            return Ok(());
        }
        self.on_the_hosts_time(|_| {
            for thing in gone {
                // One that panics is gone as well.
                let _ = gate::contained(|| drop(thing));
            }
        })
    }

    fn checkpoint(&mut self, usage: Usage) -> Result<(), FrameError> {
        self.note(usage);
        let usage = self.usage;
        let Some(hook) = self.config.hook.clone() else {
            return Err(violation("a checkpoint that nobody asked for"));
        };
        let cancel = self.config.cancel.0.clone();
        let answer = self.on_the_hosts_time(|_| {
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
        self.worker.send(&ToWorker::Verdict(Turn { took: self.turn.took, said: verdict }))
    }

    /// Runs code of the host's while the worker's clock stands.
    fn on_the_hosts_time<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> Result<R, FrameError> {
        if !self.begin_hosts_turn() {
            return Err(FrameError::Closed);
        }
        let result = work(self);
        let Some((error, too_late)) = self.turn.broken.take() else {
            self.end_hosts_turn();
            return Ok(result);
        };
        if !too_late {
            self.end_hosts_turn();
        }
        Err(error)
    }

    /// Stops the worker's clock. `false` when it is too late: the worker was killed.
    fn begin_hosts_turn(&mut self) -> bool {
        self.turn.began = Instant::now();
        match self.worker.watch.disarm() {
            Some(left) => {
                self.turn.left = left;
                true
            }
            None => false,
        }
    }

    fn end_hosts_turn(&mut self) {
        self.turn.took = self.turn.began.elapsed();
        self.turn.total += self.turn.took;
        self.usage.host_time = self.turn.total;
        self.worker.watch.arm(self.number, self.turn.left);
    }
}

/// A run that waits for a host function, in the hands of that function.
struct Waiting<'r, 'a>(RefCell<&'r mut Run<'a>>);

impl RemoteRun for Waiting<'_, '_> {
    fn usage(&self) -> Usage {
        self.0.try_borrow().map(|run| run.usage).unwrap_or_default()
    }

    fn remaining(&self, limit: Limit) -> u64 {
        self.0.try_borrow().map_or(0, |run| match limit {
            Limit::Instructions => run.turn.promised.0,
            Limit::Time => run.turn.promised.1,
            Limit::Memory => run.budget.allowed(limit).saturating_sub(run.usage.live_bytes),
            _ => run.budget.allowed(limit).saturating_sub(run.usage.of(limit)),
        })
    }

    fn cancel(&self) -> Cancel {
        self.0.try_borrow().map(|run| run.config.cancel.clone()).unwrap_or_default()
    }

    fn data(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.try_borrow().ok()?.config.data.clone()
    }

    fn call(&self, callback: &Callback, args: Vec<Value>) -> Result<Value, Error> {
        match self.0.try_borrow_mut() {
            Ok(mut run) => run.call_back(callback, args),
            // The context belongs to one thread, which waits for the callback: nobody is here to call.
            Err(_) => Err(callback_call::too_deep()),
        }
    }
}

/// The host's error of that number, if it is still kept.
pub(super) fn find(errors: &VecDeque<(u32, HostError)>, number: u32) -> Option<HostError> {
    errors.iter().find(|(known, _)| *known == number).map(|(_, error)| error.clone())
}

/// Keeps an error of the host's for when it ends a run, and tells the worker of it.
pub(super) fn keep(errors: &mut VecDeque<(u32, HostError)>, error: HostError) -> HostFailure {
    let (serial, own) = match let_through(&error) {
        Some(LetThrough { serial, host_error }) => (Some(serial), host_error),
        None => (None, None),
    };
    let (exception, error) = match error.downcast_ref::<Raise>() {
        Some(raise) => (raise.exception, raise.error.clone()),
        None => (ExceptionType::RuntimeError, error),
    };
    let message = gate::contained(|| error.to_string()).unwrap_or_default();
    let number = errors.back().map_or(0, |(last, _)| last.wrapping_add(1));
    if errors.len() == MAX_HOST_ERRORS {
        errors.pop_front();
    }
    let is_own = own.is_some();
    errors.push_back((number, own.unwrap_or(error)));
    HostFailure { message, error: number, serial, own: is_own, exception }
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
