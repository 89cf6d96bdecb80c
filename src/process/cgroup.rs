//! The control group that workers are put into, as a host asks for it.

use crate::error::Error;
use std::path::{Path, PathBuf};

/// What a worker may take beyond the pool's memory where nothing else is said: for the pages of the template that it
/// changes, and for what the kernel keeps on its account.
#[cfg(target_os = "linux")]
const SHARED: u64 = 32 << 20;

/// Microseconds over which processor time is shared out, as the kernel has it by default.
#[cfg(target_os = "linux")]
const PERIOD: f64 = 100_000.0;

/// Why a worker has no control group, though one was given.
pub(super) const NOT_OURS: &str = "only workers that are forked from a template on Linux are put into a control group; one \
                                   that a command or a launcher of the host's own starts may be anywhere, so limit it \
                                   there: systemd-run --property, podman --memory, srun --mem";

/// The smallest share of a processor that the kernel takes.
const LEAST: f64 = 0.01;

/// A control group (version 2) of Linux that was delegated to this process. Each worker is put into a group of its own below
/// it, before it reads a script, and that group is removed with the worker.
///
/// Limits on address space ([`PoolBuilder::memory`](super::PoolBuilder::memory)) count what a worker asks for. The group's count
/// what it really takes: of memory, swap excluded ([`Wall::CgroupMemory`](super::Wall::CgroupMemory)), and of processes and
/// threads, of which it may have one ([`Wall::CgroupPids`](super::Wall::CgroupPids)). Processor time is limited where it is asked
/// for ([`Wall::CgroupCpu`](super::Wall::CgroupCpu)). What the machine does not grant is in
/// [`Sandbox::lacking`](crate::Sandbox::lacking) with the reason, and [`PoolBuilder::require`](super::PoolBuilder::require)
/// refuses to go on without.
///
/// The group itself must have no processes: systemd makes such a one for a service with `Delegate=yes` and
/// `DelegateSubgroup=host`, of which the service's own group is what belongs here. Its controllers are switched on for what is
/// below it. A host that is killed leaves empty groups behind, which the next pool over the same group removes.
///
/// Only workers that this process forks from a template have a group: one that is started by a command or by a
/// [`Launch`](super::Launch) of the host's own may be on another machine, and whoever starts it there sets its limits.
///
/// ```no_run
/// use pycage::process::{Cgroup, Pool, Wall};
///
/// fn main() -> Result<(), pycage::Error> {
///     pycage::worker::init();
///     let group = Cgroup::at("/sys/fs/cgroup/judge.service").memory(96 << 20).cpus(0.5);
///     let pool = Pool::builder().cgroup(group).require([Wall::Seccomp, Wall::CgroupMemory]).build()?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: PathBuf,
    memory: Option<u64>,
    cpus: Option<f64>,
}

impl Cgroup {
    /// The group of this folder, in the file system that the kernel shows groups as. Limits are those of the pool: its
    /// [`memory`](super::PoolBuilder::memory) and 32 MiB, for the pages of the template that a worker changes.
    ///
    /// ```
    /// let group = pycage::process::Cgroup::at("/sys/fs/cgroup/judge.service");
    /// assert_eq!(group.path(), std::path::Path::new("/sys/fs/cgroup/judge.service"));
    /// ```
    pub fn at(path: impl Into<PathBuf>) -> Cgroup {
        Cgroup { path: path.into(), memory: None, cpus: None }
    }

    /// Bytes of memory that a worker may take, beside the pages that it shares with the template. A worker that takes more is
    /// ended by the kernel: [`DeathCause::OutOfMemory`](super::DeathCause::OutOfMemory).
    ///
    /// ```
    /// let group = pycage::process::Cgroup::at("/sys/fs/cgroup/judge.service").memory(96 << 20);
    /// ```
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Processors that a worker may keep busy, 0.01 or more. It is held up beyond that, not ended; deadlines go on meanwhile.
    ///
    /// ```
    /// let group = pycage::process::Cgroup::at("/sys/fs/cgroup/judge.service").cpus(0.5);
    /// ```
    #[must_use]
    pub fn cpus(mut self, count: f64) -> Self {
        self.cpus = Some(count);
        self
    }

    /// The group's folder.
    ///
    /// ```
    /// let group = pycage::process::Cgroup::at("/sys/fs/cgroup/judge.service");
    /// println!("workers are below {}", group.path().display());
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self.cpus {
            Some(count) if !(count >= LEAST && count.is_finite()) => {
                Err(Error::Setup(format!("a control group cannot be limited to {count} processors; 0.01 is the least")))
            }
            _ => Ok(()),
        }
    }

    /// Which walls it is to be.
    pub(super) fn walls(&self) -> Vec<super::Wall> {
        let mut walls = vec![super::Wall::CgroupMemory, super::Wall::CgroupPids];
        walls.extend(self.cpus.map(|_| super::Wall::CgroupCpu));
        walls
    }

    /// What `memory.max` is to say.
    #[cfg(target_os = "linux")]
    pub(super) fn memory_max(&self, pool: u64) -> u64 {
        self.memory.unwrap_or(pool.saturating_add(SHARED))
    }

    /// What `cpu.max` is to say.
    #[cfg(target_os = "linux")]
    pub(super) fn cpu_max(&self) -> String {
        match self.cpus {
            Some(count) => format!("{:.0} {PERIOD:.0}", count * PERIOD),
            None => "max".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_processor_is_checked() {
        for count in [0.0, -1.0, 0.009, f64::NAN, f64::INFINITY] {
            assert!(matches!(Cgroup::at("/").cpus(count).check(), Err(Error::Setup(_))), "{count}");
        }
        for count in [0.01, 0.5, 64.0] {
            assert!(Cgroup::at("/").cpus(count).check().is_ok(), "{count}");
        }
        assert!(Cgroup::at("/").check().is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn limits_are_written_as_the_kernel_reads_them() {
        let group = Cgroup::at("/");
        assert_eq!((group.memory_max(1 << 20), group.cpu_max().as_str()), (33 << 20, "max"));
        let group = group.memory(5).cpus(0.015);
        assert_eq!((group.memory_max(1 << 20), group.cpu_max().as_str()), (5, "1500 100000"));
    }
}
