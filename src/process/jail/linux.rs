//! What a worker does to itself, in this order: each step must still be allowed by those before it.

use super::{Ground, JailSpec, Report, Wall, seccomp};
use crate::runner::fiber::Seat;
use landlock::{ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope};
use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Descriptors that a worker needs: its three streams. One more than the highest.
const DESCRIPTORS: u64 = 3;

/// See [`super::enter`]. `forked`: this process is the child of a template, and not of a host's thread that may end.
pub(crate) fn enter(spec: &JailSpec, ground: &Ground, forked: bool) -> Result<Report, String> {
    let mut report = ground.report.clone();
    close_descriptors()?;
    if forked {
        report.note(Wall::ParentDeathSignal, said(prctl::set_pdeathsig(Signal::SIGKILL)));
    }
    report.note(Wall::NonDumpable, said(prctl::set_dumpable(false)));
    report.note(Wall::NoNewPrivileges, said(prctl::set_no_new_privs()));
    landlock(&mut report);
    report.note(Wall::Rlimits, rlimits(spec, ground));
    report.note(Wall::NoCapabilities, drop_capabilities());
    // The last: it forbids all of the above.
    report.note(Wall::Seccomp, seccomp::enter());
    Ok(report)
}

pub(crate) fn said(result: nix::Result<()>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

/// Closes whatever the host, or a library of it, let through.
fn close_descriptors() -> Result<(), String> {
    // Descriptors are not negative. gVisor refuses a range that goes further.
    let last = i32::MAX as u32;
    // SAFETY: nothing in this process holds a descriptor above the three streams that it would use again: a worker has
    // opened none, and what a template had open belongs to the template's side of the fork, which is never gone back to.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3u32, last, 0u32) };
    if closed == 0 {
        Ok(())
    } else {
        Err(format!("inherited descriptors cannot be closed: {}", std::io::Error::last_os_error()))
    }
}

fn rlimits(spec: &JailSpec, ground: &Ground) -> Result<(), String> {
    let space = ground.address_space.saturating_add(spec.memory).saturating_add(u64::from(spec.tasks) * Seat::SPACE);
    for (resource, most) in [
        (libc::RLIMIT_AS, space),
        (libc::RLIMIT_CPU, spec.cpu_seconds),
        (libc::RLIMIT_NOFILE, DESCRIPTORS),
        (libc::RLIMIT_FSIZE, 0),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NPROC, 0),
        (libc::RLIMIT_MEMLOCK, 0),
    ] {
        // Never higher than it was.
        let most = most.min(limit(resource).1);
        set_limit(resource, most, most).map_err(|error| format!("limit {resource}: {error}"))?;
    }
    // Message queues cannot be reached anyway, as their system calls are not on the list; gVisor has none, nor their limit.
    let _ = set_limit(libc::RLIMIT_MSGQUEUE, 0, 0);
    Ok(())
}

/// What `libc` numbers limits by.
#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// A limit's soft and hard value.
pub(in crate::process) fn limit(resource: Resource) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to the struct that it is given.
    unsafe { libc::getrlimit(resource, &mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

pub(in crate::process) fn set_limit(resource: Resource, soft: u64, hard: u64) -> Result<(), String> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: it reads the struct that it is given.
    said(nix::errno::Errno::result(unsafe { libc::setrlimit(resource, &limit) }).map(drop))
}

/// Gives every capability up, in the user namespace that this process is in.
fn drop_capabilities() -> Result<(), String> {
    /// As `capset(2)` lays them out.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    // Two sets of effective, permitted and inheritable.
    let none = [0u32; 6];
    // SAFETY: header and data are of the layout and the length that this version has; the kernel reads both.
    let dropped = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    said(nix::errno::Errno::result(dropped).map(drop))
}

/// A Landlock domain with every right that the kernel knows handled, and none granted.
fn landlock(report: &mut Report) {
    let restricted = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()
    };
    let walls = [(Wall::LandlockFiles, ABI::V1), (Wall::LandlockNetwork, ABI::V4), (Wall::LandlockScope, ABI::V6)];
    match restricted() {
        Ok(status) => {
            let abi = match status.landlock {
                LandlockStatus::Available { effective_abi, .. } if status.ruleset != RulesetStatus::NotEnforced => {
                    Some(effective_abi)
                }
                _ => None,
            };
            for (wall, since) in walls {
                report.note(
                    wall,
                    match abi {
                        Some(abi) if abi >= since => Ok(()),
                        Some(abi) => Err(format!("the kernel has {abi:?} of Landlock; {since:?} is needed")),
                        None => Err("the kernel has no Landlock, or it is switched off".to_owned()),
                    },
                );
            }
        }
        Err(error) => walls.iter().for_each(|(wall, _)| report.note(*wall, Err(error.to_string()))),
    }
}

/// Bytes of address space that this process has now.
pub(crate) fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split(' ').next()?.parse::<u64>().ok())
        // Without /proc: about what a warm worker has, its lazily used tables included.
        .unwrap_or((1 << 30) / 4096);
    pages * page_size()
}

fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| size.try_into().ok())
        .unwrap_or(4096)
}
