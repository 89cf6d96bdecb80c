//! What each kind of frame carries.

use super::frame::{FrameError, MAX_FRAME, Message, decode_all};
use super::outcome::Outcome;
use super::value::Flat;
use crate::budget::Budget;
use crate::host::failure::ExceptionType;
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
        Answer(HostAnswer) = 4, MAX_FRAME;
        /// What the host's hook says to a checkpoint.
        Verdict(Verdict) = 5, SMALL + (64 << 10);
        /// Stop the call of this number.
        Cancel(u64) = 6, SMALL;
        /// The sandbox ends.
        Close(()) = 7, SMALL;
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
pub(crate) struct Done {
    pub number: u64,
    pub result: Outcome,
    pub usage: Usage,
    pub output: String,
    /// The worker cannot go on: its interpreter panicked.
    pub last: bool,
    /// Whether the task whose slice this was is still there.
    pub left: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HostCall {
    pub function: u32,
    pub args: Vec<Flat>,
    pub keywords: Vec<(String, Flat)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HostAnswer {
    Value(Flat),
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
