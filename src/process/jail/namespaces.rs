//! Namespaces, entered by a template or a worker while it has one thread and before it has an interpreter; and the empty
//! root folder, for when it has read what it needs.

use super::linux::said;
use super::{Ground, Report, Wall};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid};
use std::ffi::CStr;

/// The user and group that root becomes, and that everybody is inside.
const NOBODY: u32 = 65534;

/// Where an empty file system can be put for a moment, on the way to making it the root.
const STAGES: [&CStr; 4] = [c"/tmp", c"/mnt", c"/var", c"/usr"];

/// Enters namespaces; with `with_pids` also a PID namespace, into which the next fork goes.
pub(crate) fn enter(with_pids: bool) -> Report {
    let mut report = Report::default();
    let became = become_nobody();
    // Asked before: inside, nobody is mapped yet.
    let outside = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let user = became.and_then(|()| said(unshare(CloneFlags::CLONE_NEWUSER)));
    let user = user.and_then(|()| map_nobody(outside));
    let granted = user.is_ok();
    report.note(Wall::UserNamespace, user);
    let mut others = vec![
        (Wall::MountNamespace, CloneFlags::CLONE_NEWNS),
        (Wall::NetworkNamespace, CloneFlags::CLONE_NEWNET),
        (Wall::IpcNamespace, CloneFlags::CLONE_NEWIPC),
    ];
    if with_pids {
        others.push((Wall::PidNamespace, CloneFlags::CLONE_NEWPID));
    }
    for (wall, flag) in others {
        let entered =
            if granted { said(unshare(flag)) } else { Err("the kernel granted no user namespace".to_owned()) };
        report.note(wall, entered);
    }
    report
}

/// Root outside of the namespace would be root to the kernel in some checks: drop it while that is allowed.
fn become_nobody() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    said(nix::unistd::setgroups(&[]))?;
    said(nix::unistd::setresgid(gid, gid, gid))?;
    said(nix::unistd::setresuid(uid, uid, uid))?;
    // Changing the user makes a process non-dumpable, and its files in /proc root's, which are needed once more.
    said(nix::sys::prctl::set_dumpable(true))
}

/// Maps the user that this process was outside, and no other.
fn map_nobody((uid, gid): (u32, u32)) -> Result<(), String> {
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(|error| format!("{file}: {error}"))
    };
    write("uid_map", format!("{NOBODY} {uid} 1"))?;
    write("setgroups", "deny".to_owned())?;
    write("gid_map", format!("{NOBODY} {gid} 1"))
}

/// Makes the root folder an empty one. What is open stays open.
pub(crate) fn with_empty_root(mut ground: Ground) -> Ground {
    let report = &mut ground.report;
    let Some(index) = report.enforced.iter().position(|wall| *wall == Wall::MountNamespace) else { return ground };
    if let Err(why) = pivot() {
        report.enforced.remove(index);
        report.note(Wall::MountNamespace, Err(format!("no empty root: {why}")));
    }
    ground
}

fn pivot() -> Result<(), String> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(None, c"/", libc::MS_PRIVATE | libc::MS_REC)?;
    let stage = STAGES
        .iter()
        .find(|stage| mount(Some(c"tmpfs"), stage, flags).is_ok())
        .ok_or("no folder to mount an empty file system on")?;
    said(nix::unistd::chdir(*stage))?;
    said(nix::unistd::pivot_root(".", "."))?;
    // The old root lies on top of the new one until it is taken away.
    // SAFETY: the path is a string that ends in zero.
    said(Errno::result(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) }).map(drop))?;
    said(nix::unistd::chdir("/"))?;
    mount(None, c"/", libc::MS_REMOUNT | libc::MS_RDONLY | flags)
}

/// Mounts an empty file system, or changes a mount.
fn mount(kind: Option<&CStr>, target: &CStr, flags: libc::c_ulong) -> Result<(), String> {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    let options = c"size=4k,nr_inodes=2,mode=0555";
    let options = if flags & libc::MS_PRIVATE == 0 { options.as_ptr().cast() } else { std::ptr::null() };
    // SAFETY: each pointer is null where that is allowed, or a string that ends in zero.
    let mounted = unsafe { libc::mount(c"none".as_ptr(), target.as_ptr(), kind, flags, options) };
    said(Errno::result(mounted).map(drop))
}
