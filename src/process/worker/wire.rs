//! The pipe, as used in the middle of a run.

use super::proxies::Proxies;
use crate::budget::Limit;
use crate::error::Error;
use crate::host::args::{Arguments, Caller};
use crate::host::callback_call;
use crate::host::failure::{CallFailure, HostError, Raise};
use crate::host::function::Erased;
use crate::host::module::{HostModule, Kind, Member};
use crate::meter::fuel;
use crate::meter::hook::{HookAction, MeterHook};
use crate::process::death::PROTOCOL;
use crate::process::protocol::frame::{self, FrameError, FrameReader};
use crate::process::protocol::message::{
    Asked, CallBack, FromWorker, HostAnswer, HostCall, HostFailure, ToWorker, Turn, Verdict, WireMember, WireModule,
};
use crate::process::protocol::outcome::Outcome;
use crate::runner::panic_message;
use crate::usage::Usage;
use crate::value::Value;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error as ThisError;

/// Between two looks whether a cancel has come.
const LOOK: Duration = Duration::from_millis(2);

/// Between two reports of what a run has cost.
const REPORT: Duration = Duration::from_millis(10);

/// The host's error by its number: the host has the error itself.
#[derive(Debug, ThisError)]
#[error("{message}")]
pub(crate) struct WireHostError {
    pub message: String,
    pub number: u32,
    /// Which exception of the script it is, if the host lets one through.
    pub serial: Option<u64>,
    /// Whether that one was an error of the host's before.
    pub own: bool,
}

/// Standard input and output, as frames.
pub(super) struct Wire {
    reader: FrameReader<Stdin>,
    scratch: Vec<u8>,
    /// The call that is on.
    pub number: u64,
    pub cancel: Arc<AtomicBool>,
    pub proxies: Proxies,
}

impl Wire {
    pub(super) fn new() -> Arc<Mutex<Wire>> {
        Arc::new_cyclic(|wire| {
            Mutex::new(Wire {
                reader: FrameReader::new(Stdin),
                scratch: Vec::new(),
                number: 0,
                cancel: Arc::default(),
                proxies: Proxies::new(wire.clone()),
            })
        })
    }

    pub(super) fn send(&mut self, message: &FromWorker) -> Result<(), FrameError> {
        frame::write(&mut Stdout, &mut self.scratch, message)
    }

    /// Sends what gives the host its turn, after what it must know by then.
    pub(super) fn hand_over(&mut self, message: &FromWorker) -> Result<(), FrameError> {
        if let Some(released) = self.proxies.take_released() {
            self.must_send(&FromWorker::Released(released));
        }
        self.send(message)
    }

    /// Says what a call back came to.
    fn called_back(&mut self, outcome: Outcome<Value>) {
        let Ok(outcome) = outcome.map(|value| Ok::<_, Infallible>(self.proxies.pack(value)));
        match self.hand_over(&FromWorker::CalledBack(Box::new(outcome))) {
            Ok(()) => {}
            Err(FrameError::DoesNotFit(bytes)) => {
                let outcome = Outcome::Conversion(does_not_fit(bytes));
                self.must_send(&FromWorker::CalledBack(Box::new(outcome)));
            }
            Err(_) => std::process::exit(0),
        }
    }

    /// The next frame that the worker is to act on. The host's end of the pipe is this process's end.
    pub(super) fn next(&mut self) -> ToWorker {
        loop {
            match self.reader.next() {
                // One that comes late, when its call has ended, is for nobody.
                Ok(ToWorker::Cancel(number)) if number == self.number => self.cancel.store(true, Ordering::Release),
                Ok(ToWorker::Cancel(_)) => {}
                Ok(ToWorker::Handles(news)) => self.proxies.learn(news),
                Ok(message) => return message,
                Err(FrameError::Closed) => std::process::exit(0),
                Err(error) => misunderstood(&error.to_string()),
            }
        }
    }

    /// Takes cancels that have come, without waiting.
    fn look(&mut self) {
        while self.reader.has_buffered() || Stdin::is_ready() {
            match self.reader.next() {
                Ok(ToWorker::Cancel(number)) if number == self.number => self.cancel.store(true, Ordering::Release),
                Ok(ToWorker::Cancel(_)) => {}
                Ok(_) => misunderstood("a frame that has no place in a run"),
                Err(FrameError::Closed) => std::process::exit(0),
                Err(error) => misunderstood(&error.to_string()),
            }
        }
    }

    /// Sends what must arrive.
    pub(super) fn must_send(&mut self, message: &FromWorker) {
        if self.send(message).is_err() {
            std::process::exit(0);
        }
    }
}

/// Why an answer of the script's does not get to the host.
pub(super) fn does_not_fit(bytes: usize) -> String {
    format!("the answer has {bytes} bytes, which is more than can cross")
}

/// The host does not speak as it should: nothing it says can be acted on any more.
pub(super) fn misunderstood(what: &str) -> ! {
    eprintln!("pycage worker: {what}");
    std::process::exit(PROTOCOL)
}

/// The function that the host's files are used by. What it takes is the script's time, as it is where they are used without a
/// worker between.
pub(super) fn files(wire: &Arc<Mutex<Wire>>, number: u32) -> Erased {
    let wire = wire.clone();
    Arc::new(move |args: &mut Arguments<'_>| {
        let (positional, keywords) = args.take_all()?;
        ask(&wire, Asked::Function(number), positional, keywords, None).map(Answered::into_value)
    })
}

/// The host's module, as it was described.
pub(super) fn module(wire: &Mutex<Wire>, described: WireModule) -> HostModule {
    let mut wire = wire.lock();
    let members = described.members.into_iter().map(|(name, member)| {
        let kind = match member {
            WireMember::Constant(value) => Kind::Constant(wire.proxies.open(value)),
            WireMember::Awaitable => Kind::Awaitable,
            WireMember::Function(number) => {
                Kind::Function { parameters: Vec::new(), function: wire.proxies.function(number) }
            }
        };
        Member::new(name, kind, None)
    });
    HostModule { members: members.collect(), ..HostModule::new(described.name) }
}

/// What the host says to what it was asked.
pub(super) enum Answered {
    Value(Value),
    /// An iterator, by its number.
    Items(u64),
    /// There is no next item.
    End,
}

impl Answered {
    /// Of what is no iterator.
    pub(super) fn into_value(self) -> Value {
        match self {
            Answered::Value(value) => value,
            Answered::Items(_) | Answered::End => misunderstood("an iterator that nobody asked for"),
        }
    }
}

impl<T> Turn<T> {
    /// What the host said, to who has waited for it since then.
    fn heard(self, since: Instant) -> T {
        fuel::crossed(since.elapsed().saturating_sub(self.took));
        self.said
    }
}

/// Asks the host, and runs what it calls back meanwhile. `caller` is who can run that: `None` where the host has no way to call
/// back.
pub(super) fn ask(
    shared: &Mutex<Wire>,
    asked: Asked,
    args: Vec<Value>,
    keywords: Vec<(String, Value)>,
    caller: Option<Caller<'_>>,
) -> Result<Answered, CallFailure> {
    let left = |limit| fuel::remaining(limit).unwrap_or(0);
    let mut wire = shared.lock();
    let call = HostCall {
        usage: fuel::usage_so_far().unwrap_or_default(),
        left: (left(Limit::Instructions), left(Limit::Time)),
        asked,
        args: args.into_iter().map(|arg| wire.proxies.pack(arg)).collect(),
        keywords: keywords.into_iter().map(|(name, value)| (name, wire.proxies.pack(value))).collect(),
    };
    // From before the frame is sent: the host may run before this process is back from sending it.
    let mut waits = Instant::now();
    match wire.hand_over(&FromWorker::HostCall(call)) {
        Ok(()) => {}
        Err(FrameError::DoesNotFit(bytes)) => {
            return Err(CallFailure::Arguments(format!("is handed {bytes} bytes, which is more than can cross")));
        }
        Err(_) => std::process::exit(0),
    }
    loop {
        return match wire.next() {
            ToWorker::Answer(turn) => match turn.heard(waits) {
                HostAnswer::Value(value) => Ok(Answered::Value(wire.proxies.open(value))),
                HostAnswer::Items(number) => Ok(Answered::Items(number)),
                HostAnswer::End => Ok(Answered::End),
                HostAnswer::Arguments(message) => Err(CallFailure::Arguments(message)),
                HostAnswer::Failed(failed) => Err(CallFailure::Failed(error(failed))),
                HostAnswer::Panicked => Err(CallFailure::Panicked),
            },
            ToWorker::CallBack(turn) => {
                let CallBack { key, args } = turn.heard(waits);
                let Some(Caller::Here(vm)) = caller else { misunderstood("a call back where there can be none") };
                let callback = wire.proxies.named(key);
                let args = args.into_iter().map(|arg| wire.proxies.open(arg)).collect();
                drop(wire);
                // An interpreter that panicked ends the run as soon as the host has answered.
                let result = catch_unwind(AssertUnwindSafe(|| callback_call::call(&callback, args, vm)));
                let outcome = Outcome::of(result.unwrap_or_else(|panic| {
                    Err(Error::Crashed { message: panic_message(&*panic), usage: Box::default() })
                }));
                wire = shared.lock();
                waits = Instant::now();
                wire.called_back(outcome);
                continue;
            }
            _ => misunderstood("something else than the answer of a host function"),
        };
    }
}

/// The host's error, as far as it is known here.
pub(super) fn error(failed: HostFailure) -> HostError {
    let HostFailure { message, error: number, serial, own, exception } = failed;
    Arc::new(Raise { exception, error: Arc::new(WireHostError { message, number, serial, own }) })
}

/// The hook of every run in a worker: reports, takes cancels, and asks the host's hook where there is one.
pub(super) struct WireHook {
    pub wire: Arc<Mutex<Wire>>,
    pub hooked: bool,
    pub times: Mutex<Times>,
}

pub(super) struct Times {
    pub looked: Instant,
    pub reported: Instant,
}

impl MeterHook for WireHook {
    fn checkpoint(&self, usage: &Usage) -> HookAction {
        if self.hooked {
            let mut wire = self.wire.lock();
            let waits = Instant::now();
            wire.must_send(&FromWorker::Checkpoint(*usage));
            let ToWorker::Verdict(turn) = wire.next() else {
                misunderstood("something else than the verdict of the hook")
            };
            return match turn.heard(waits) {
                Verdict::Continue => HookAction::Continue,
                Verdict::Extend(more) => HookAction::Extend(more),
                Verdict::Stop(reason) => HookAction::Stop(reason),
                // Seen at the next checkpoint, which comes at once.
                Verdict::Cancel => {
                    wire.cancel.store(true, Ordering::Release);
                    HookAction::Continue
                }
            };
        }
        let now = Instant::now();
        let mut times = self.times.lock();
        if now.duration_since(times.looked) >= LOOK {
            times.looked = now;
            self.wire.lock().look();
        }
        if now.duration_since(times.reported) >= REPORT {
            times.reported = now;
            self.wire.lock().must_send(&FromWorker::Progress(*usage));
        }
        HookAction::Continue
    }
}

/// Standard input without a buffer of its own.
struct Stdin;

#[cfg(unix)]
impl Stdin {
    /// Whether a read would not wait.
    fn is_ready() -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd;
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(unix)]
impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(nix::unistd::read(std::io::stdin(), buffer)?)
    }
}

/// Standard output without a buffer of its own.
struct Stdout;

#[cfg(unix)]
impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(nix::unistd::write(std::io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(not(unix))]
impl Stdin {
    /// There is no way to ask: cancels are seen when the run ends, or the deadline kills.
    fn is_ready() -> bool {
        false
    }
}

#[cfg(not(unix))]
impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::io::stdin().lock().read(buffer)
    }
}

#[cfg(not(unix))]
impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout().lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}
