//! The worker's side: a process that runs scripts for a host at the other end of its standard streams.
//!
//! * [`serve`]: the frames, one after the other.
//! * `wire`: the pipe in the middle of a run: host functions, checkpoints, cancels.
//! * `attack`: native code of an attacker, for the tests of the jail.

#[cfg(all(feature = "test-hooks", target_os = "linux"))]
mod attack;
mod heap;
mod proxies;
pub(super) mod serve;
mod wire;

pub(crate) use wire::WireHostError;

use super::death::NO_START;
use super::jail::Ground;
use crate::runner::cage::Cage;
use crate::runner::interpreter;
use std::sync::atomic::{AtomicBool, Ordering};

/// The argument that makes an executable a worker.
pub(crate) const ARGUMENT: &str = "--pycage-worker";

/// The one that makes it a template of workers.
#[cfg(target_os = "linux")]
pub(crate) const TEMPLATE_ARGUMENT: &str = "--pycage-template";

/// What the interpreter needs of stack: as a runner thread has.
const STACK: usize = 256 << 20;

static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Makes this executable one that can be its own worker. To be called first in `main`, before threads are started and
/// before arguments are looked at.
///
/// In the host it does nothing and returns. In a process that [`Launcher`](crate::process::Launcher) started as a worker it
/// serves, and does not return.
///
/// ```
/// fn main() -> Result<(), pycage::Error> {
///     pycage::worker::init();
///     // ... sandboxes with Isolation::Process work from here on.
///     Ok(())
/// }
/// ```
pub fn init() {
    INITIALISED.store(true, Ordering::Relaxed);
    match std::env::args_os().nth(1) {
        Some(argument) if argument == ARGUMENT => serve(),
        #[cfg(target_os = "linux")]
        Some(argument) if argument == TEMPLATE_ARGUMENT => super::template::serve(),
        _ => {}
    }
}

/// Serves as a worker on the standard streams until the host closes them. For executables that are nothing else, like
/// `pycage worker`.
///
/// ```no_run
/// pycage::worker::serve();
/// ```
pub fn serve() -> ! {
    with_big_stack(|| {
        #[cfg(target_os = "linux")]
        let report = {
            not_as_the_first_process();
            super::jail::namespaces::enter(false)
        };
        #[cfg(not(target_os = "linux"))]
        let report = Default::default();
        warm(report, false, |cage, ground| {
            #[cfg(target_os = "linux")]
            let ground = super::jail::namespaces::with_empty_root(ground);
            serve::serve(cage, &ground, false)
        })
    })
}

/// Goes on in a child where this is the first process of a PID namespace, as in a container. The kernel keeps the first
/// process from the signals that it sends itself, so an abort would end it, but not as an abort.
#[cfg(target_os = "linux")]
fn not_as_the_first_process() {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};

    if std::process::id() != 1 {
        return;
    }
    // SAFETY: this is the start of the program, which has one thread: the child goes on as this process would have.
    let child = match unsafe { fork() } {
        Ok(ForkResult::Child) => return,
        Ok(ForkResult::Parent { child }) => child,
        Err(error) => give_up(&format!("no process beside the first of its namespace: {error}")),
    };
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, status)) => std::process::exit(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => std::process::exit(super::death::BY_SIGNAL + signal as i32),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => give_up(&format!("the worker's end cannot be seen: {error}")),
        }
    }
}

/// Whether [`init`] was called.
pub(crate) fn initialised() -> bool {
    INITIALISED.load(Ordering::Relaxed)
}

/// Says why there is no worker, and ends.
pub(crate) fn give_up(why: &str) -> ! {
    eprintln!("pycage worker: {why}");
    std::process::exit(NO_START)
}

/// Creates this process's interpreter, runs something in it so that what is made lazily is there, and goes on with it.
/// `shared`: whether other processes are to be forked from this one.
pub(crate) fn warm(
    report: super::jail::Report,
    shared: bool,
    go_on: impl FnOnce(&mut Cage<'_>, Ground) -> std::convert::Infallible,
) -> ! {
    heap::one_arena();
    crate::meter::allocator::set_lost_hook(serve::out_of_memory);
    let interpreter = interpreter::create();
    interpreter.enter(|vm| {
        let Ok(mut cage) = Cage::new(vm, None) else { give_up("the interpreter did not come up") };
        if let Err(error) = serve::rehearse(&mut cage) {
            give_up(&format!("the first script failed: {error}"));
        }
        if shared {
            heap::fill_holes();
        }
        let mut report = report;
        report.metered = crate::meter::allocator::installed();
        let ground = Ground {
            #[cfg(target_os = "linux")]
            address_space: super::jail::linux::address_space(),
            #[cfg(not(target_os = "linux"))]
            address_space: 0,
            report,
        };
        match go_on(&mut cage, ground) {}
    })
}

/// Runs `work` on a stack that is as large as the interpreter may need.
///
/// On Linux that is the main thread's: its stack is set by the limit at the start of a program, so the limit is raised and
/// the program started once more. A template must have one thread only, and the interpreter asks the system where its
/// thread's stack ends, which rules out both a thread and a switch of stacks.
#[cfg(target_os = "linux")]
pub(crate) fn with_big_stack(work: impl FnOnce() -> std::convert::Infallible + Send) -> ! {
    use super::jail::linux::{limit, set_limit};
    use std::os::unix::process::CommandExt;

    let (now, most) = limit(libc::RLIMIT_STACK);
    if now < STACK as u64 {
        if most < STACK as u64 {
            give_up("the hard limit on the stack's size is below the 256 MiB that a worker may need");
        }
        if let Err(error) = set_limit(libc::RLIMIT_STACK, STACK as u64, most) {
            give_up(&format!("the stack's limit cannot be raised: {error}"));
        }
        let Ok(executable) = std::env::current_exe() else { give_up("this executable cannot be found") };
        let error = std::process::Command::new(executable).args(std::env::args_os().skip(1)).exec();
        give_up(&format!("cannot be started again with a larger stack: {error}"));
    }
    match work() {}
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn with_big_stack(work: impl FnOnce() -> std::convert::Infallible + Send) -> ! {
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || match work() {});
        match started {
            Ok(thread) => match thread.join() {
                Ok(never) => never,
                Err(_) => give_up("the worker's thread panicked"),
            },
            Err(error) => give_up(&format!("no thread with a stack for the interpreter: {error}")),
        }
    })
}
