//! How workers end, and what the host makes of it.

use super::jail::Wall;
use crate::usage::Usage;
use std::fmt;
use std::process::ExitStatus;

/// The exit status of a worker that ran out of memory.
pub(crate) const OUT_OF_MEMORY: i32 = 86;

/// The exit status of a worker that was sent what it does not understand.
pub(crate) const PROTOCOL: i32 = 87;

/// The exit status of a worker that could not come up; its standard error says why.
pub(crate) const NO_START: i32 = 88;

/// How a process ended, as the system says it.
///
/// ```
/// use pycage::process::Exit;
///
/// assert_ne!(Exit::Status(0), Exit::Signal(9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// The system does not say.
    Unknown,
}

impl Exit {
    pub(crate) fn of(status: ExitStatus) -> Exit {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Exit::Signal(signal);
        }
        status.code().map_or(Exit::Unknown, Exit::Status)
    }
}

/// A worker process ended in the middle of a call, or was ended for what it did. The pool replaces it; the sandbox is lost.
///
/// ```
/// use pycage::process::DeathCause;
/// use pycage::{Error, Sandbox};
///
/// fn try_it(sandbox: &mut Sandbox) {
///     if let Err(Error::Died(death)) = sandbox.exec("x = 1") {
///         match death.cause {
///             DeathCause::Denied => println!("it tried what the jail forbids"),
///             other => println!("{other}: {}", death.stderr),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerDeath {
    /// What ended it.
    pub cause: DeathCause,
    /// The wall that ended it, where the host's own side saw it: today a control group's limit on memory.
    pub wall: Option<Wall>,
    /// What it wrote to its standard error, cut at some kilobytes.
    pub stderr: String,
    /// What the call had cost as of its last report, some milliseconds before.
    pub usage: Box<Usage>,
}

/// What ended a worker.
///
/// ```
/// use pycage::process::DeathCause;
/// use pycage::{Error, Sandbox};
///
/// fn try_it(sandbox: &mut Sandbox) {
///     if let Err(Error::Died(death)) = sandbox.exec("x = 1") {
///         match death.cause {
///             DeathCause::Denied => println!("it tried what the jail forbids"),
///             other => println!("{other}: {}", death.stderr),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeathCause {
    /// It did not stop by the call's deadline and grace, and was killed.
    Deadline,
    /// It reached the memory that the wall allows: its address space's, or that of its control group.
    OutOfMemory,
    /// It used up the processor time that the wall allows.
    CpuTime,
    /// It made a system call that the jail does not allow, and was killed by the kernel for it. As with all causes, it is the
    /// worker's end that says so, which a worker that was taken over can choose.
    Denied,
    /// A signal ended it: a crash, or somebody's kill. Where a command stands between, its status says so: 128 and the
    /// signal's number.
    Signal(i32),
    /// It exited by itself.
    Exited(i32),
    /// It sent something that is no frame, or a frame that has no place there, and was killed.
    Protocol(String),
    /// The pipe to it broke, and nothing else is known.
    Lost,
}

impl DeathCause {
    /// Its name, as it stands in audit records.
    ///
    /// ```
    /// assert_eq!(pycage::process::DeathCause::OutOfMemory.name(), "out_of_memory");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            DeathCause::Deadline => "deadline",
            DeathCause::OutOfMemory => "out_of_memory",
            DeathCause::CpuTime => "cpu_time",
            DeathCause::Denied => "denied",
            DeathCause::Signal(_) => "signal",
            DeathCause::Exited(_) => "exited",
            DeathCause::Protocol(_) => "protocol",
            DeathCause::Lost => "lost",
        }
    }
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeathCause::Deadline => f.write_str("was killed, as it did not stop by its deadline"),
            DeathCause::OutOfMemory => f.write_str("ran out of memory"),
            DeathCause::CpuTime => f.write_str("used up its processor time"),
            DeathCause::Denied => f.write_str("made a forbidden system call"),
            DeathCause::Signal(signal) => write!(f, "was ended by signal {signal}"),
            DeathCause::Exited(status) => write!(f, "exited with status {status}"),
            DeathCause::Protocol(what) => write!(f, "broke the protocol and was killed: {what}"),
            DeathCause::Lost => f.write_str("cannot be reached any more"),
        }
    }
}

impl fmt::Display for WorkerDeath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker process {}", self.cause)?;
        if let Some(wall) = self.wall {
            write!(f, ", by {wall}")?;
        }
        f.write_str("; this sandbox is lost with it")?;
        match self.stderr.lines().next() {
            Some(line) => write!(f, " (it wrote: {line})"),
            None => Ok(()),
        }
    }
}

/// Signals by number: the same on every Linux that the jail runs on, and on macOS where they are needed.
const SIGNAL_ABORT: i32 = 6;
const SIGNAL_CPU_TIME: i32 = 24;
const SIGNAL_SYSTEM_CALL: i32 = if cfg!(target_os = "linux") { 31 } else { 12 };

/// Where a signal ended the worker, a program in front of it exits with the signal's number and this: shells, `bwrap`, `runsc`,
/// `crun`, `podman` and `srun` alike.
pub(crate) const BY_SIGNAL: i32 = 128;
const LAST_SIGNAL: i32 = 64;

/// From how it ended to why. It is the same why behind whatever started the worker.
pub(crate) fn cause(exit: Exit, stderr: &str) -> DeathCause {
    match exit {
        // No worker has such a status of its own.
        Exit::Status(status) if (BY_SIGNAL + 1..=BY_SIGNAL + LAST_SIGNAL).contains(&status) => {
            cause(Exit::Signal(status - BY_SIGNAL), stderr)
        }
        Exit::Status(OUT_OF_MEMORY) => DeathCause::OutOfMemory,
        // The standard library's words, when the system refuses memory.
        Exit::Signal(SIGNAL_ABORT) if stderr.contains("memory allocation of ") => DeathCause::OutOfMemory,
        Exit::Signal(SIGNAL_SYSTEM_CALL) => DeathCause::Denied,
        Exit::Signal(SIGNAL_CPU_TIME) => DeathCause::CpuTime,
        Exit::Signal(signal) => DeathCause::Signal(signal),
        Exit::Status(status) => DeathCause::Exited(status),
        Exit::Unknown => DeathCause::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_between_changes_no_cause() {
        for signal in 1..=LAST_SIGNAL {
            for words in ["", "memory allocation of 8 bytes failed"] {
                assert_eq!(cause(Exit::Status(BY_SIGNAL + signal), words), cause(Exit::Signal(signal), words));
            }
        }
        for status in [0, 1, OUT_OF_MEMORY - 1, PROTOCOL, NO_START, 127, 128, 193, 255] {
            assert_eq!(cause(Exit::Status(status), ""), DeathCause::Exited(status));
        }
        assert_eq!(cause(Exit::Status(OUT_OF_MEMORY), ""), DeathCause::OutOfMemory);
    }
}
