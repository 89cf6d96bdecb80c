//! The runner's thread: owns the interpreter, takes jobs, survives what they do or is retired.

use crate::meter::{allocator, fuel};
use crate::runner::cage::Cage;
use crate::runner::handover::{Queue, Watch};
use crate::runner::{fiber, interpreter, world};
use parking_lot::Mutex;
use rustpython_vm::VirtualMachine;
use rustpython_vm::vm::thread::{current_vm_is_set, save_current_thread};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

thread_local! {
    /// The call that this thread works on, for the allocator's last word.
    static WATCH: RefCell<Option<Arc<Watch>>> = const { RefCell::new(None) };
}

static STARTING: Mutex<()> = Mutex::new(());

/// Starts a runner thread on `queue`, with that much stack.
pub(crate) fn start(queue: Arc<Queue>, stack: usize) -> std::io::Result<()> {
    allocator::set_lost_hook(lost);
    std::thread::Builder::new().name("pycage-runner".into()).stack_size(stack).spawn(move || serve(&queue))?;
    Ok(())
}

fn serve(queue: &Queue) {
    queue.serve_on_this_thread();
    // One at a time: the first changes the built-in types, which all share.
    let starting = STARTING.lock();
    let Ok(interpreter) = catch_unwind(interpreter::create) else {
        queue.retire("no interpreter came up");
        return;
    };
    interpreter.enter(|vm| {
        let Ok(mut cage) = Cage::new(vm, Some(queue)) else {
            queue.retire("no interpreter came up");
            return;
        };
        drop(starting);
        loop {
            let job = match queue.take_spinning() {
                Some(job) => job,
                // Detached while parked: other interpreters' collections must not wait for this thread.
                None => match vm.allow_threads(|| queue.take_parking()) {
                    Some(job) => job,
                    None => break,
                },
            };
            // A panic leaves the interpreter's thread-locals dangling. The job answers its caller before it lets the
            // panic go on; after that nothing may run on this interpreter again.
            if catch_unwind(AssertUnwindSafe(|| job(&mut cage))).is_err() {
                queue.retire("it crashed");
                break;
            }
        }
        // The scopes and their objects stay with the interpreter that is never dropped: after a panic even freeing them
        // would run code of a broken interpreter.
        std::mem::forget(cage);
    });
}

/// Makes `watch` the call that this thread works on while `f` runs.
pub(crate) fn watched<R>(watch: &Arc<Watch>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Arc<Watch>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            WATCH.with(|current| *current.borrow_mut() = self.0.take());
        }
    }
    let _restore = Restore(WATCH.with(|current| current.borrow_mut().replace(watch.clone())));
    f()
}

/// Tells the call that this thread works on, if there is one.
fn tell_watch(tell: impl FnOnce(&Watch)) {
    WATCH.with(|current| {
        if let Some(watch) = &*current.borrow() {
            tell(watch);
        }
    });
}

/// Runs host code: detached from the interpreter, so that nobody's collection waits for it, and off the script's clock.
pub(crate) fn on_the_hosts_time<R>(vm: &VirtualMachine, f: impl FnOnce() -> R) -> R {
    // The host's own code is not left in the middle, whatever it calls.
    let held = fiber::hold();
    enter_host();
    let result = world::detached(vm, f);
    leave_host();
    drop(held);
    result
}

/// Runs work of pycage's own that nothing can interrupt, and that has an end of its own: on the script's clock, while who waits
/// for the call waits for this too.
pub(crate) fn waited_for<R>(f: impl FnOnce() -> R) -> R {
    let held = fiber::hold();
    tell_watch(|watch| watch.enter_host(Instant::now()));
    let result = f();
    tell_watch(|watch| watch.leave_host(Instant::now()));
    drop(held);
    result
}

/// Runs the script's code in the middle of the host's: attached, and on the script's clock.
pub(crate) fn on_the_scripts_time<R>(vm: &VirtualMachine, f: impl FnOnce() -> R) -> R {
    leave_host();
    let result = world::attached(vm, f);
    enter_host();
    result
}

/// Reading the clock is a good part of what a short host function costs: once here, for both who count.
fn enter_host() {
    let now = Instant::now();
    tell_watch(|watch| watch.enter_host(now));
    fuel::with_run(|run| {
        run.start_clock(now);
        run.state.in_host_since = Some(now);
    });
}

fn leave_host() {
    let now = Instant::now();
    tell_watch(|watch| watch.leave_host(now));
    fuel::with_run(|run| {
        if let Some(since) = run.state.in_host_since.take() {
            run.state.host_time += now.duration_since(since);
        }
    });
}

/// The allocator parks this thread for good: tells the caller, and detaches from the interpreter so that collections on
/// other runners do not wait for this one.
fn lost() {
    WATCH.with(|current| {
        if let Ok(watch) = current.try_borrow()
            && let Some(watch) = watch.as_ref()
        {
            watch.lost_to_memory();
        }
    });
    if current_vm_is_set() {
        // The state is never restored, as the thread never goes on.
        std::mem::forget(save_current_thread());
        world::leave_for_good();
    }
}
