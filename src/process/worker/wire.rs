//! The pipe, as used in the middle of a run.

use crate::host::args::{Arguments, HostArg, Kwargs, Rest};
use crate::host::failure::{CallFailure, HostError, Raise};
use crate::host::function::Erased;
use crate::host::module::{HostModule, Kind, Member};
use crate::meter::hook::{HookAction, MeterHook};
use crate::process::death::PROTOCOL;
use crate::process::protocol::frame::{self, FrameError, FrameReader};
use crate::process::protocol::message::{
    FromWorker, HostAnswer, HostCall, HostFailure, ToWorker, Verdict, WireMember, WireModule,
};
use crate::process::protocol::value::Flat;
use crate::runner::fiber::Reply;
use crate::usage::Usage;
use crate::value::Value;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{Read, Write};
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
}

/// Standard input and output, as frames.
pub(super) struct Wire {
    reader: FrameReader<Stdin>,
    scratch: Vec<u8>,
    /// The call that is on.
    pub number: u64,
    pub cancel: Arc<AtomicBool>,
}

impl Wire {
    pub(super) fn new() -> Arc<Mutex<Wire>> {
        Arc::new(Mutex::new(Wire {
            reader: FrameReader::new(Stdin),
            scratch: Vec::new(),
            number: 0,
            cancel: Arc::default(),
        }))
    }

    pub(super) fn send(&mut self, message: &FromWorker) -> Result<(), FrameError> {
        frame::write(&mut Stdout, &mut self.scratch, message)
    }

    /// The next frame that is not a cancel. The host's end of the pipe is this process's end.
    pub(super) fn next(&mut self) -> ToWorker {
        loop {
            match self.reader.next() {
                // One that comes late, when its call has ended, is for nobody.
                Ok(ToWorker::Cancel(number)) if number == self.number => self.cancel.store(true, Ordering::Release),
                Ok(ToWorker::Cancel(_)) => {}
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

/// The host does not speak as it should: nothing it says can be acted on any more.
pub(super) fn misunderstood(what: &str) -> ! {
    eprintln!("pycage worker: {what}");
    std::process::exit(PROTOCOL)
}

/// The function that stands for the host's of that number.
pub(super) fn function(wire: &Arc<Mutex<Wire>>, number: u32) -> Erased {
    let wire = wire.clone();
    Arc::new(move |args: &mut Arguments<'_>| {
        let Rest(positional) = Rest::<Value>::take(args)?;
        let Kwargs(keywords) = Kwargs::<Value>::take(args)?;
        args.finish()?;
        args.run(|| ask(&wire, number, positional, keywords))?
    })
}

/// The function that the host's files are used by. What it takes is the script's time, as it is where they are used without a
/// worker between.
pub(super) fn files(wire: &Arc<Mutex<Wire>>, number: u32) -> Erased {
    let wire = wire.clone();
    Arc::new(move |args: &mut Arguments<'_>| {
        let Rest(positional) = Rest::<Value>::take(args)?;
        args.finish()?;
        ask(&wire, number, positional, BTreeMap::new())
    })
}

/// The host's module, as it was described.
pub(super) fn module(wire: &Arc<Mutex<Wire>>, described: WireModule) -> HostModule {
    let members = described.members.into_iter().map(|(name, member)| {
        let kind = match member {
            WireMember::Constant(value) => Kind::Constant(value.0),
            WireMember::Awaitable => Kind::Awaitable,
            WireMember::Function(number) => Kind::Function { parameters: Vec::new(), function: function(wire, number) },
        };
        Member::new(name, kind, None)
    });
    HostModule { members: members.collect(), ..HostModule::new(described.name) }
}

fn ask(
    wire: &Mutex<Wire>,
    number: u32,
    args: Vec<Value>,
    keywords: BTreeMap<String, Value>,
) -> Result<Value, CallFailure> {
    let mut wire = wire.lock();
    let call = HostCall {
        function: number,
        args: args.into_iter().map(Flat).collect(),
        keywords: keywords.into_iter().map(|(name, value)| (name, Flat(value))).collect(),
    };
    match wire.send(&FromWorker::HostCall(call)) {
        Ok(()) => {}
        Err(FrameError::DoesNotFit(bytes)) => {
            return Err(CallFailure::Arguments(format!("is handed {bytes} bytes, which is more than can cross")));
        }
        Err(_) => std::process::exit(0),
    }
    match wire.next() {
        ToWorker::Answer(HostAnswer::Value(value)) => Ok(value.0),
        ToWorker::Answer(HostAnswer::Arguments(message)) => Err(CallFailure::Arguments(message)),
        ToWorker::Answer(HostAnswer::Failed(failed)) => Err(CallFailure::Failed(error(failed))),
        ToWorker::Answer(HostAnswer::Panicked) => Err(CallFailure::Panicked),
        _ => misunderstood("something else than the answer of a host function"),
    }
}

/// What a task goes on with.
pub(super) fn reply(answer: Option<HostAnswer>) -> Reply {
    match answer {
        None => Reply::Go,
        Some(HostAnswer::Value(value)) => Reply::Value(value.0),
        Some(HostAnswer::Failed(failed)) => Reply::Error(error(failed)),
        Some(HostAnswer::Arguments(_) | HostAnswer::Panicked) => misunderstood("a task is not answered so"),
    }
}

/// The host's error, as far as it is known here.
fn error(failed: HostFailure) -> HostError {
    let HostFailure { message, error, exception } = failed;
    Arc::new(Raise { exception, error: Arc::new(WireHostError { message, number: error }) })
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
            wire.must_send(&FromWorker::Checkpoint(*usage));
            return match wire.next() {
                ToWorker::Verdict(Verdict::Continue) => HookAction::Continue,
                ToWorker::Verdict(Verdict::Extend(more)) => HookAction::Extend(more),
                ToWorker::Verdict(Verdict::Stop(reason)) => HookAction::Stop(reason),
                // Seen at the next checkpoint, which comes at once.
                ToWorker::Verdict(Verdict::Cancel) => {
                    wire.cancel.store(true, Ordering::Release);
                    HookAction::Continue
                }
                _ => misunderstood("something else than the verdict of the hook"),
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
