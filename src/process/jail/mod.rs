//! The jail of a worker: what the kernel denies it, from before any script is read.
//!
//! * [`linux`]: rlimits, Landlock, capabilities and the order in which all of it is applied.
//! * [`namespaces`]: namespaces, and an empty root folder.
//! * [`seccomp`]: the closed list of system calls.
//! * [`cgroup`]: a control group with limits, which the host puts around a worker.
//!
//! Elsewhere there is none of it: a worker there is a process that can be killed, and no more.

#[cfg(target_os = "linux")]
pub(crate) mod cgroup;
#[cfg(target_os = "linux")]
pub(crate) mod linux;
#[cfg(target_os = "linux")]
pub(crate) mod namespaces;
#[cfg(target_os = "linux")]
pub(crate) mod seccomp;

use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that the kernel enforces around a worker process.
///
/// ```
/// use pycage::process::{Pool, Wall};
///
/// let builder = Pool::builder().require([Wall::Seccomp, Wall::LandlockFiles, Wall::NetworkNamespace]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Wall {
    /// Limits on address space, processor time, descriptors, file size, core dumps and processes.
    Rlimits,
    /// No program that it starts could gain a privilege.
    NoNewPrivileges,
    /// It is killed when the process that forked it ends.
    ParentDeathSignal,
    /// It cannot be traced or dumped.
    NonDumpable,
    /// It has no capability.
    NoCapabilities,
    /// Landlock: no right to any file.
    LandlockFiles,
    /// Landlock: no right to bind or connect.
    LandlockNetwork,
    /// Landlock: no signal and no abstract socket to anything outside.
    LandlockScope,
    /// A closed list of system calls; any other one kills it.
    Seccomp,
    /// A user namespace of its own, in which it is nobody.
    UserNamespace,
    /// A mount namespace of its own, with an empty, read-only root.
    MountNamespace,
    /// A network namespace of its own, without a device.
    NetworkNamespace,
    /// A PID namespace without the host's processes.
    PidNamespace,
    /// A namespace of its own for System V and POSIX message queues.
    IpcNamespace,
    /// A control group's limit on memory, without swap: see [`Cgroup`](super::Cgroup).
    CgroupMemory,
    /// A control group with one process and one thread, itself.
    CgroupPids,
    /// A control group's limit on the share of processors.
    CgroupCpu,
}

impl Wall {
    /// The name, as [`Sandbox::enforced`](crate::Sandbox::enforced) and the command line have it.
    ///
    /// ```
    /// assert_eq!(pycage::process::Wall::Seccomp.name(), "seccomp");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Wall::Rlimits => "rlimits",
            Wall::NoNewPrivileges => "no_new_privileges",
            Wall::ParentDeathSignal => "parent_death_signal",
            Wall::NonDumpable => "non_dumpable",
            Wall::NoCapabilities => "no_capabilities",
            Wall::LandlockFiles => "landlock_files",
            Wall::LandlockNetwork => "landlock_network",
            Wall::LandlockScope => "landlock_scope",
            Wall::Seccomp => "seccomp",
            Wall::UserNamespace => "user_namespace",
            Wall::MountNamespace => "mount_namespace",
            Wall::NetworkNamespace => "network_namespace",
            Wall::PidNamespace => "pid_namespace",
            Wall::IpcNamespace => "ipc_namespace",
            Wall::CgroupMemory => "cgroup_memory",
            Wall::CgroupPids => "cgroup_pids",
            Wall::CgroupCpu => "cgroup_cpu",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which jail a worker goes into.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JailSpec {
    /// Bytes of address space beyond those of a worker that has just come up.
    pub memory: u64,
    /// Tasks that its sandbox may have at a time.
    pub tasks: u32,
    /// Whether the host has said how many. A worker that has not the memory for some that it only might need goes without.
    pub tasks_asked: bool,
    /// Seconds of processor time in a worker's life.
    pub cpu_seconds: u64,
    /// For tests of the wall alone: no validator, no source limits, no budgets in the worker.
    pub unguarded: bool,
}

/// What is in force around a worker, and what is not, with the reason.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub enforced: Vec<Wall>,
    pub lacking: Vec<(Wall, String)>,
    /// Whether the worker has the metered allocator, and with it memory limits.
    pub metered: bool,
}

impl Report {
    pub(crate) fn enforced_names(&self) -> Vec<&'static str> {
        self.enforced.iter().map(|wall| wall.name()).collect()
    }

    pub(crate) fn lacking_names(&self) -> Vec<&'static str> {
        self.lacking.iter().map(|(wall, _)| wall.name()).collect()
    }

    /// Notes down what came of raising one wall.
    pub(crate) fn note(&mut self, wall: Wall, raised: Result<(), String>) {
        match raised {
            Ok(()) => self.enforced.push(wall),
            Err(why) => self.lacking.push((wall, why)),
        }
    }

    /// Notes down that a wall is lacking, but where it is in force all the same.
    pub(crate) fn note_unless_in_force(&mut self, wall: Wall, why: &str) {
        if !self.enforced.contains(&wall) {
            self.note(wall, Err(why.to_owned()));
        }
    }

    /// What of the required is not in force, each with the reason.
    pub(crate) fn missing(&self, required: &[Wall]) -> Vec<String> {
        let missing = required.iter().filter(|wall| !self.enforced.contains(wall));
        let told = |wall| match self.lacking.iter().find(|(lacking, _)| lacking == wall) {
            Some((_, why)) => why,
            None => "not asked for, or not there on this platform or with this launcher",
        };
        missing.map(|wall| format!("{wall} ({})", told(wall))).collect()
    }

    /// Notes down what is seen from outside. It overrules what the worker says is in force; what the worker says is not, it
    /// may know better.
    pub(crate) fn note_seen(&mut self, wall: Wall, raised: Result<(), String>) {
        self.enforced.retain(|told| *told != wall);
        if raised.is_ok() || self.lacking.iter().all(|(told, _)| *told != wall) {
            self.lacking.retain(|(told, _)| *told != wall);
            self.note(wall, raised);
        }
    }
}

/// What is measured and raised while a worker or a template comes up, and holds for all that comes after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ground {
    /// Address space of the process when its interpreter is warm.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub address_space: u64,
    pub report: Report,
}

/// Raises every wall there is around this process. What cannot be raised is in the report; an error means that the process
/// is in no state to go on.
#[cfg(target_os = "linux")]
pub(crate) fn enter(spec: &JailSpec, ground: &Ground, forked: bool) -> Result<Report, String> {
    linux::enter(spec, ground, forked)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn enter(_spec: &JailSpec, ground: &Ground, _forked: bool) -> Result<Report, String> {
    Ok(ground.report.clone())
}
