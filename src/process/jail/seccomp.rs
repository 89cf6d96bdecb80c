//! The system calls of a worker that serves: a closed list, with their arguments where these matter. Any other one kills
//! the process.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Applies the list to this process, which has one thread.
pub(crate) fn enter() -> Result<(), String> {
    let program = program()?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

fn program() -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let rules = rules().map_err(|error| error.to_string())?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    use SeccompCmpOp::{Eq, Le, MaskedEq};
    let dword = |index, op, value| SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value);
    let qword = |index, op, value| SeccompCondition::new(index, SeccompCmpArgLen::Qword, op, value);
    let own = i64::from(std::process::id()) as u64;
    // Never a page that can be executed.
    let executable = MaskedEq(libc::PROT_EXEC as u64);
    let anonymous = MaskedEq((libc::MAP_ANONYMOUS | libc::MAP_PRIVATE | libc::MAP_SHARED) as u64);
    let private = (libc::MAP_ANONYMOUS | libc::MAP_PRIVATE) as u64;
    let mut rules: Rules = [
        // The frames in, the frames out, the words on standard error.
        (libc::SYS_read, vec![SeccompRule::new(vec![dword(0, Eq, 0)?])?]),
        (libc::SYS_write, vec![SeccompRule::new(vec![dword(0, Eq, 1)?])?, SeccompRule::new(vec![dword(0, Eq, 2)?])?]),
        // Whether a cancel has come: one descriptor, which can only be one of the three.
        (libc::SYS_ppoll, vec![SeccompRule::new(vec![qword(1, Le, 1)?])?]),
        // Memory: anonymous, private, never executable.
        (
            libc::SYS_mmap,
            vec![SeccompRule::new(vec![dword(2, executable.clone(), 0)?, dword(3, anonymous, private)?])?],
        ),
        (libc::SYS_mprotect, vec![SeccompRule::new(vec![dword(2, executable, 0)?])?]),
        (
            libc::SYS_madvise,
            // The allocator gives pages back.
            vec![SeccompRule::new(vec![dword(2, Eq, libc::MADV_DONTNEED as u64)?])?],
        ),
        // An abort of its own: its own process, and that signal alone.
        (libc::SYS_tgkill, vec![SeccompRule::new(vec![dword(0, Eq, own)?, dword(2, Eq, libc::SIGABRT as u64)?])?]),
    ]
    .into();
    for always in [
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_sched_yield,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        // An abort puts the default back first; the standard library does at an overflow of the stack.
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ] {
        rules.insert(always, Vec::new());
    }
    // What older C libraries use for the same.
    #[cfg(target_arch = "x86_64")]
    {
        rules.insert(libc::SYS_poll, vec![SeccompRule::new(vec![qword(1, Le, 1)?])?]);
        rules.insert(libc::SYS_gettimeofday, Vec::new());
        rules.insert(libc::SYS_time, Vec::new());
    }
    Ok(rules)
}
