//! What each kind of frame carries.

use super::frame::{FrameError, MAX_FRAME, Message, decode_all};
use super::outcome::Outcome;
use super::value::Flat;
use crate::budget::Budget;
use crate::host::failure::ExceptionType;
use crate::host::object::members::{Kind, Operator};
use crate::policy::Policy;
use crate::process::jail::{JailSpec, Report};
use crate::usage::Usage;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One way's messages: variant, payload, kind, cap on the frame.
macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident($payload:ty) = $kind:literal, $cap:expr;)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[allow(clippy::large_enum_variant, reason = "a message is made, written and gone; none is kept")]
        pub(crate) enum $name {
            $($(#[$item])* $variant($payload),)*
        }

        impl Message for $name {
            fn cap(kind: u8) -> Option<usize> {
                match kind {
                    $($kind => Some($cap),)*
                    _ => None,
                }
            }

            fn decode(kind: u8, payload: &[u8]) -> Result<Self, FrameError> {
                match kind {
                    $($kind => decode_all(kind, payload).map($name::$variant),)*
                    other => Err(FrameError::UnknownKind(other)),
                }
            }

            fn kind(&self) -> u8 {
                match self {
                    $($name::$variant(_) => $kind,)*
                }
            }

            fn encode(&self, out: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
                match self {
                    $($name::$variant(payload) => postcard::to_extend(payload, out),)*
                }
            }
        }
    };
}

/// A frame of a message without contents or with a few numbers.
const SMALL: usize = 4096;

messages! {
    /// From the host to the worker.
    ToWorker {
        /// The first: who speaks, and which jail to go into.
        Start(Start) = 1, SMALL;
        /// A sandbox begins. One at a time.
        Open(Box<Opening>) = 2, MAX_FRAME;
        /// Do this in the sandbox.
        Call(Box<Call>) = 3, MAX_FRAME;
        /// What a host function answered.
        Answer(Turn<HostAnswer>) = 4, MAX_FRAME;
        /// What the host's hook says to a checkpoint.
        Verdict(Turn<Verdict>) = 5, SMALL + (64 << 10);
        /// Stop the call of this number.
        Cancel(u64) = 6, SMALL;
        /// The sandbox ends.
        Close(()) = 7, SMALL;
        /// Which objects and callables there are and are no more, said before a frame that has some in it.
        Handles(WireHandles) = 8, MAX_FRAME;
        /// A host function that the worker waits for calls the script back.
        CallBack(Turn<CallBack>) = 9, MAX_FRAME;
    }
}

messages! {
    /// From the worker to the host.
    FromWorker {
        /// The first: who speaks, and what is in force.
        Ready(Ready) = 1, 64 << 10;
        /// A call's end.
        Done(Box<Done>) = 2, MAX_FRAME;
        /// The script calls a host function.
        HostCall(HostCall) = 3, MAX_FRAME;
        /// What the call has cost so far.
        Progress(Usage) = 4, SMALL;
        /// The same, and the host's hook is to be asked.
        Checkpoint(Usage) = 5, SMALL;
        /// The sandbox has ended.
        Closed(()) = 6, SMALL;
        /// What of the host's the script has let go of, said before the host's next turn.
        Released(Released) = 7, MAX_FRAME;
        /// What a call back came to.
        CalledBack(Box<Outcome>) = 8, MAX_FRAME;
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub version: u32,
    pub jail: JailSpec,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub version: u32,
    pub report: Report,
}

/// What changes in the list of what values may stand for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireHandles {
    /// Types of objects, numbered from 0 on in the order in which they are told.
    pub types: Vec<WireType>,
    /// Objects that the worker does not know yet, each with the number of its type.
    pub objects: Vec<(u64, u32)>,
    /// Callables that the host has let go of.
    pub forget: Vec<u64>,
}

/// What there is to objects of a type.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireType {
    pub name: String,
    pub named: Vec<(String, Kind)>,
    pub operators: Vec<Operator>,
    pub problem: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Released {
    pub objects: Vec<u64>,
    pub iterators: Vec<u64>,
    pub functions: Vec<u32>,
}

/// What the host says at the end of its turn.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Turn<T> {
    /// For how long the host's own code ran. The rest of the wait is the script's time: so count both, and the script is
    /// stopped by its own limit before the host gives the worker up.
    pub took: Duration,
    pub said: T,
}

/// A call of the callable of that key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CallBack {
    pub key: u64,
    pub args: Vec<Flat>,
}

/// What a sandbox starts with.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub policy: Policy,
    pub modules: Vec<WireModule>,
    /// The host's function that finds other modules.
    pub resolver: Option<u32>,
    /// The host's function that its files are used by.
    pub files: Option<u32>,
}

/// A module of the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireModule {
    pub name: String,
    pub members: Vec<(String, WireMember)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WireMember {
    Constant(Flat),
    /// The host's function of this number.
    Function(u32),
    Awaitable,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Counts the calls of a worker, so that a cancel that comes late meets no other call.
    pub number: u64,
    pub budget: Budget,
    /// Whether it is cancelled before it begins.
    pub cancelled: bool,
    /// Whether the host has a hook that wants to be asked at checkpoints.
    pub hooked: bool,
    /// Scripts that the host has dropped.
    pub forget: Vec<u64>,
    /// Tasks that the host has dropped.
    pub end: Vec<u64>,
    pub op: WireOp,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WireOp {
    /// Compiles and keeps it, or only says whether it would do.
    Compile(WireScript),
    Disassemble(WireScript),
    /// Runs the top level; answers the last expression.
    Run(WireScript),
    /// Runs the top level; answers nothing.
    Exec(WireScript),
    Call {
        name: String,
        args: Vec<Flat>,
    },
    /// Calls the callable of that key.
    CallFunction(u64, Vec<Flat>),
    Get(String),
    Set(String, Flat),
    Snapshot,
    Restore(Vec<(String, Flat)>),
    Reload(WireScript),
    /// Makes the host's function of this number a global.
    SetFunction(String, u32),
    /// Makes something that can be awaited a global.
    SetAwaitable(String),
    /// Makes a task of that number, which calls a global.
    StartCall {
        task: u64,
        name: String,
        args: Vec<Flat>,
    },
    /// Makes a task of that number, which runs a top level.
    StartRun(u64, WireScript),
    /// Runs a slice of a task.
    Resume(Box<WireSlice>),
    /// What a test wants to see stopped: native code of an attacker, in the jail.
    Attack(String),
}

/// A slice of a task. What it may cost is the budget of the call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireSlice {
    pub task: u64,
    /// Instructions and native steps, and script time, until the task is stopped.
    pub rest: (u64, Duration),
    /// The limits to name when it is.
    pub told: Budget,
    /// For one that awaits.
    pub reply: Option<HostAnswer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WireScript {
    /// Under which the worker keeps it; `None` for one that is run once.
    pub id: Option<u64>,
    pub name: String,
    /// Left out where the worker has it already.
    pub source: Option<String>,
    pub unvalidated: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done<V = Flat> {
    pub number: u64,
    pub result: Outcome<V>,
    pub usage: Usage,
    pub output: String,
    /// The worker cannot go on: its interpreter panicked.
    pub last: bool,
    /// Whether the task whose slice this was is still there.
    pub left: bool,
}

impl<V> Done<V> {
    /// The same, with other values.
    pub(crate) fn map<W, E>(self, f: impl FnMut(V) -> Result<W, E>) -> Result<Done<W>, E> {
        let Done { number, result, usage, output, last, left } = self;
        Ok(Done { number, result: result.map(f)?, usage, output, last, left })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HostCall {
    /// What the run has cost so far.
    pub usage: Usage,
    /// What is left to it of instructions, and of milliseconds.
    pub left: (u64, u64),
    pub asked: Asked,
    pub args: Vec<Flat>,
    pub keywords: Vec<(String, Flat)>,
}

/// What is asked of the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Asked {
    /// The function of this number.
    Function(u32),
    /// The object of this number, to perform something.
    Object(u64, WireRequest),
    /// The object of this number, for an iterator.
    Items(u64),
    /// The iterator of this number, for its next item. This is no call of its own.
    Next(u64),
}

/// What is asked of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum WireRequest {
    Method(String),
    Read(String),
    Set(String),
    Operator(Operator),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HostAnswer {
    Value(Flat),
    /// The iterator of this number.
    Items(u64),
    /// There is no next item.
    End,
    /// The arguments are not what it takes.
    Arguments(String),
    Failed(HostFailure),
    Panicked,
}

/// An error of the host's, which the host keeps under this number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HostFailure {
    pub message: String,
    pub error: u32,
    /// Which exception of the script it is, if it is one that a call back let through.
    pub serial: Option<u64>,
    /// Whether that exception was an error of the host's before.
    pub own: bool,
    /// What it is to be in the script.
    pub exception: ExceptionType,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Continue,
    Extend(u64),
    Stop(String),
    Cancel,
}
