//! When garbage may be collected.
//!
//! The interpreter's collector stops every thread of the process that executes Python, and waits for them without a
//! limit. A script that sits in a long native operation on one runner would so stall a collection, and with it the
//! script, on another. So automatic collection is off, and a runner collects only when every other one has agreed: it
//! raises a flag, those that run a script see it at their next checkpoint and wait, detached; who does not come within
//! [`PATIENCE`] is not waited for, and the collection is put off.

use parking_lot::{Condvar, Mutex};
use rustpython_vm::VirtualMachine;
use rustpython_vm::builtins::PyType;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a collection waits for the other runners: checkpoints come every half millisecond or so.
const PATIENCE: Duration = Duration::from_millis(3);

static WANTED: AtomicBool = AtomicBool::new(false);

static WORLD: Mutex<World> = Mutex::new(World { running: 0, waiting: 0, collecting: false });
static CHANGED: Condvar = Condvar::new();

struct World {
    /// Threads that are attached to an interpreter, the waiting ones among them.
    running: usize,
    waiting: usize,
    collecting: bool,
}

/// Marks this thread as attached to its interpreter while it lives.
pub(crate) struct Running;

impl Running {
    /// Waits while another runner collects, detached: the collector may be waiting for this thread.
    pub(crate) fn begin(vm: &VirtualMachine) -> Running {
        let mut world = WORLD.lock();
        if world.collecting {
            drop(world);
            vm.allow_threads(|| {
                let mut world = WORLD.lock();
                while world.collecting {
                    CHANGED.wait(&mut world);
                }
                world.running += 1;
            });
        } else {
            world.running += 1;
        }
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        WORLD.lock().running -= 1;
        CHANGED.notify_all();
    }
}

/// This thread is [`Running`], has detached and never goes on: no collection waits for it.
pub(crate) fn leave_for_good() {
    WORLD.lock().running -= 1;
    CHANGED.notify_all();
}

/// At a checkpoint: gives way to another runner's collection. `vm` must be this thread's.
#[inline]
pub(crate) fn give_way(vm: &VirtualMachine) {
    if WANTED.load(Ordering::Relaxed) {
        wait_for_collection(vm);
    }
}

#[cold]
fn wait_for_collection(vm: &VirtualMachine) {
    vm.allow_threads(|| {
        let mut world = WORLD.lock();
        if !world.collecting {
            return;
        }
        world.waiting += 1;
        CHANGED.notify_all();
        while world.collecting {
            CHANGED.wait(&mut world);
        }
        world.waiting -= 1;
    });
}

/// Runs code of the host's in the middle of a run: no collection waits for it, and it does not wait for one.
pub(crate) fn detached<R>(vm: &VirtualMachine, f: impl FnOnce() -> R) -> R {
    /// Comes back when `f` ends, also by a panic.
    struct Away;
    impl Drop for Away {
        fn drop(&mut self) {
            let mut world = WORLD.lock();
            while world.collecting {
                CHANGED.wait(&mut world);
            }
            world.waiting -= 1;
        }
    }
    vm.allow_threads(|| {
        {
            WORLD.lock().waiting += 1;
            CHANGED.notify_all();
        }
        let _away = Away;
        f()
    })
}

/// Runs code of the script's in the middle of [`detached`] code of the host's.
pub(crate) fn attached<R>(vm: &VirtualMachine, f: impl FnOnce() -> R) -> R {
    /// Goes away again when `f` ends, also by a panic.
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            WORLD.lock().waiting += 1;
            CHANGED.notify_all();
        }
    }
    {
        let mut world = WORLD.lock();
        while world.collecting {
            CHANGED.wait(&mut world);
        }
        world.waiting -= 1;
    }
    let _back = Back;
    vm.attach_for_callback(f)
}

/// Collects this interpreter's garbage if every other runner gives way in time. The calling thread must be
/// [`Running`], and hold no lock of the interpreter.
pub(crate) fn collect(vm: &VirtualMachine, generation: usize) -> bool {
    {
        let mut world = WORLD.lock();
        if world.collecting {
            // Another runner collects: wait for it like anyone else, and leave it at that.
            drop(world);
            wait_for_collection(vm);
            return false;
        }
        world.collecting = true;
        WANTED.store(true, Ordering::Release);
        let deadline = Instant::now() + PATIENCE;
        while world.running - world.waiting > 1 {
            if CHANGED.wait_until(&mut world, deadline).timed_out() {
                break;
            }
        }
        if world.running - world.waiting > 1 {
            finish(&mut world);
            return false;
        }
    }
    vm.state.gc.collect_force(generation);
    forget_dead_classes(vm);
    finish(&mut WORLD.lock());
    true
}

/// Every class leaves a weak reference in its bases, which upstream drops only when somebody lists the subclasses: the
/// built-in types would collect them for the life of the process.
fn forget_dead_classes(vm: &VirtualMachine) {
    let mut types = vec![vm.ctx.types.object_type.to_owned()];
    while let Some(class) = types.pop() {
        let mut subclasses = class.subclasses.write();
        let before = subclasses.len();
        subclasses.retain(|weak| match weak.upgrade() {
            Some(subclass) => {
                types.extend(subclass.downcast::<PyType>());
                true
            }
            None => false,
        });
        if subclasses.len() < before / 2 {
            subclasses.shrink_to_fit();
        }
    }
}

fn finish(world: &mut World) {
    world.collecting = false;
    WANTED.store(false, Ordering::Release);
    CHANGED.notify_all();
}
