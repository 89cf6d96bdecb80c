//! Fibers: scripts on stacks of their own, which can be left in the middle and taken up again later.
//!
//! A task's script recurses natively like any other, so to pause it anywhere its native stack must stay as it is. A fiber
//! has such a stack, and a `VirtualMachine` for what the interpreter keeps for each thread: the data stack of its frames,
//! the exceptions being handled, the recursion depth, the bounds of the native stack. `ARCHITECTURE.md` ("Tasks") lists
//! what else belongs to a thread and how it is carried over a switch.

use crate::guard::native::{hashing, recursion};
use crate::host::awaitable::Request;
use crate::host::failure::HostError;
use crate::runner::outcome::Ended;
use crate::value::Value;
use corosensei::stack::{DefaultStack, Stack};
use corosensei::{Coroutine, CoroutineResult, Yielder};
use rustpython_vm::VirtualMachine;
use rustpython_vm::vm::thread::{ThreadedVirtualMachine, enter_vm, set_current_frame, update_thread_exception};
use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

/// Stack of a fiber: as much as a runner has, so that a script recurses as deep in a task as it does in a call. Virtual
/// memory: pages that are not touched cost nothing.
const STACK: usize = super::STACK;

/// What a script that was left wants.
pub(crate) enum Wants {
    /// Its slice is used up.
    Slice,
    /// It awaits something of the host's.
    Answer(Request),
}

/// What it is taken up again with.
pub(crate) enum Reply {
    Go,
    Value(Value),
    Error(HostError),
}

/// What it ends with.
pub(crate) type Finished = Ended;

type Switch = Yielder<Reply, Wants>;

thread_local! {
    /// The way out of the fiber that this thread runs.
    static RUNNING: Cell<Option<NonNull<Switch>>> = const { Cell::new(None) };
    /// How many things are going on that must not be left in the middle.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// Whether the script that runs can be left here.
#[inline]
pub(crate) fn can_switch() -> bool {
    RUNNING.get().is_some() && HELD.get() == 0 && !std::thread::panicking()
}

/// Leaves the script that runs, until it is taken up again. To be called only if [`can_switch`], with no lock held and no
/// borrow of a thread-local open.
pub(crate) fn switch(wants: Wants) -> Reply {
    let Some(running) = RUNNING.take() else { return Reply::Go };
    // SAFETY: the body of the fiber that runs has put it there (`Fiber::new`), for as long as it runs; it is this
    // thread's, which is in that body, as `RUNNING` is empty while no fiber runs.
    let reply = unsafe { running.as_ref() }.suspend(wants);
    RUNNING.set(Some(running));
    reply
}

/// What must not be left in the middle: code of the host's, and finalisers, which run inside the interpreter's own
/// bookkeeping of what is to be freed.
pub(crate) struct Held(());

/// Keeps the script from being left, until it is dropped.
pub(crate) fn hold() -> Held {
    HELD.set(HELD.get() + 1);
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// A stack and an interpreter thread's state, for one fiber after the other.
pub(crate) struct Seat {
    vm: Box<ThreadedVirtualMachine>,
    stack: DefaultStack,
}

impl Seat {
    /// What one takes of the address space, guard page and state included.
    #[cfg(feature = "process")]
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) const SPACE: u64 = STACK as u64 + (64 << 10);

    /// Maps a stack.
    pub(crate) fn new(vm: &VirtualMachine) -> io::Result<Seat> {
        let (vm, stack) = thread_state(vm, DefaultStack::new(STACK)?)?;
        Ok(Seat { vm: Box::new(vm), stack })
    }
}

/// A script with a stack of its own.
pub(crate) struct Fiber {
    routine: ManuallyDrop<Coroutine<Reply, Wants, Finished, DefaultStack>>,
    vm: ManuallyDrop<Box<ThreadedVirtualMachine>>,
    /// The innermost frame, while it is not running.
    frame: *const (),
    levels: u32,
    classes: hashing::Classes,
}

impl Fiber {
    pub(crate) fn new(seat: Seat, work: impl FnOnce(&VirtualMachine) -> Finished + 'static) -> Fiber {
        struct Running;
        impl Drop for Running {
            fn drop(&mut self) {
                RUNNING.set(None);
            }
        }
        let vm: *const VirtualMachine = machine(&seat.vm);
        let routine = Coroutine::with_stack(seat.stack, move |switch: &Switch, _: Reply| {
            RUNNING.set(Some(NonNull::from(switch)));
            let _running = Running;
            // SAFETY: the fiber owns the box that it points into, and frees it only when this body has ended.
            work(unsafe { &*vm })
        });
        Fiber {
            routine: ManuallyDrop::new(routine),
            vm: ManuallyDrop::new(seat.vm),
            frame: ptr::null(),
            levels: 0,
            classes: hashing::Classes::default(),
        }
    }

    pub(crate) fn vm(&self) -> &VirtualMachine {
        machine(&self.vm)
    }

    /// Whether nothing of it has run yet.
    pub(crate) fn is_new(&self) -> bool {
        !self.routine.started()
    }

    /// Makes its `VirtualMachine` this thread's current one while `f` runs. `f` is to leave the fiber in its place.
    pub(crate) fn entered<R>(&mut self, f: impl FnOnce(&mut Fiber) -> R) -> R {
        let vm: *const VirtualMachine = self.vm();
        // SAFETY: the box that it points into is the fiber's, which stays where it is until `f` has ended.
        enter_vm(unsafe { &*vm }, || f(self))
    }

    /// Runs on until the script is left or ends. Its `VirtualMachine` must be this thread's current one.
    pub(crate) fn resume(&mut self, reply: Reply) -> CoroutineResult<Wants, Finished> {
        let frame = set_current_frame(self.frame.cast());
        let levels = recursion::exchange(self.levels);
        hashing::exchange(&mut self.classes);
        let result = self.routine.resume(reply);
        hashing::exchange(&mut self.classes);
        self.levels = recursion::exchange(levels);
        self.frame = set_current_frame(frame).cast();
        // What other threads may ask for; nobody does.
        update_thread_exception(None);
        result
    }

    /// Its seat, when it has ended or not begun, with the stack's memory given back.
    pub(crate) fn into_seat(mut self) -> Option<Seat> {
        if self.is_new() {
            // Only drops what it was to do.
            self.routine.force_unwind();
        }
        if !self.routine.done() {
            return None;
        }
        // SAFETY: neither is used again, as `self` is forgotten below.
        let (routine, vm) = unsafe { (ManuallyDrop::take(&mut self.routine), ManuallyDrop::take(&mut self.vm)) };
        // The rest has nothing to drop but the classes.
        drop(std::mem::take(&mut self.classes));
        std::mem::forget(self);
        let stack = routine.into_stack();
        give_back(&stack);
        Some(Seat { vm, stack })
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        // One that was left in the middle would be unwound by a panic through the interpreter, which that does not
        // survive. It stays where it is: that happens only with its whole interpreter.
        // After a panic in it, nothing of the interpreter is to be touched.
        if (self.is_new() || self.routine.done()) && !std::thread::panicking() {
            // SAFETY: dropped once, here. The routine first: its body may point to the VM.
            unsafe {
                ManuallyDrop::drop(&mut self.routine);
                ManuallyDrop::drop(&mut self.vm);
            }
        }
    }
}

/// The `VirtualMachine` in a `ThreadedVirtualMachine`, which shows it only to closures that it first gives the bounds of
/// the current thread's stack.
fn machine(threaded: &ThreadedVirtualMachine) -> &VirtualMachine {
    const {
        assert!(size_of::<ThreadedVirtualMachine>() == size_of::<VirtualMachine>());
        assert!(align_of::<ThreadedVirtualMachine>() == align_of::<VirtualMachine>());
    }
    // SAFETY: a `ThreadedVirtualMachine` has a field of type `VirtualMachine`; being of the same size, the field begins
    // where it begins. The lifetime is that of the argument.
    unsafe { &*ptr::from_ref(threaded).cast::<VirtualMachine>() }
}

/// The interpreter's state for a thread that has `stack`: it takes the bounds of the stack from the thread that makes it,
/// so one is started on that stack for just that.
#[cfg(unix)]
fn thread_state(vm: &VirtualMachine, stack: DefaultStack) -> io::Result<(ThreadedVirtualMachine, DefaultStack)> {
    #[cfg(not(target_vendor = "apple"))]
    use libc::pthread_attr_setstack;
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    // The system has it, by POSIX; the crate does not know that.
    #[cfg(target_vendor = "apple")]
    unsafe extern "C" {
        fn pthread_attr_setstack(
            attributes: *mut libc::pthread_attr_t,
            bottom: *mut c_void,
            size: libc::size_t,
        ) -> libc::c_int;
    }

    struct Order<'a> {
        vm: &'a VirtualMachine,
        made: Option<ThreadedVirtualMachine>,
    }

    extern "C" fn make(order: *mut c_void) -> *mut c_void {
        // SAFETY: the one who starts this thread waits for it to end, and leaves the order alone until then.
        let order = unsafe { &mut *order.cast::<Order<'_>>() };
        order.made = catch_unwind(AssertUnwindSafe(|| order.vm.new_thread())).ok();
        ptr::null_mut()
    }

    let mut order = Order { vm, made: None };
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    let bottom = stack.base().get() - STACK;
    // SAFETY: the attributes are initialised before they are used. The `STACK` bytes below the base are mapped for
    // reading and writing and used by nobody else: the guard page is below them, and no coroutine runs there yet. The
    // thread is joined before the order, and what it borrows, goes away; so nobody else uses the VM meanwhile.
    let failed = unsafe {
        let mut failed = libc::pthread_attr_init(attributes.as_mut_ptr());
        if failed == 0 {
            failed = pthread_attr_setstack(attributes.as_mut_ptr(), bottom as *mut c_void, STACK);
            if failed == 0 {
                let order = ptr::from_mut(&mut order).cast();
                failed = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), make, order);
            }
            if failed == 0 {
                failed = libc::pthread_join(thread.assume_init(), ptr::null_mut());
            }
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
        failed
    };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    match order.made {
        Some(made) => Ok((made, stack)),
        None => Err(io::Error::other("the interpreter has no room for another thread")),
    }
}

/// As above. Windows keeps the bounds where a switch of stacks changes them.
#[cfg(not(unix))]
fn thread_state(vm: &VirtualMachine, stack: DefaultStack) -> io::Result<(ThreadedVirtualMachine, DefaultStack)> {
    let vm: *const VirtualMachine = vm;
    let mut routine = Coroutine::<(), (), ThreadedVirtualMachine, _>::with_stack(stack, move |_, ()| {
        // SAFETY: the routine is resumed below, while the VM is borrowed, and not again.
        unsafe { &*vm }.new_thread()
    });
    match routine.resume(()) {
        CoroutineResult::Return(made) => Ok((made, routine.into_stack())),
        CoroutineResult::Yield(()) => Err(io::Error::other("the interpreter has no room for another thread")),
    }
}

/// Gives the memory of a stack that nothing runs on back to the system.
#[cfg(unix)]
fn give_back(stack: &DefaultStack) {
    let bottom = stack.base().get() - STACK;
    // SAFETY: these pages are the stack's, private and anonymous, and hold nothing any more; they may read as zero afterwards.
    // Should the system refuse, they stay as they are.
    unsafe { libc::madvise(bottom as *mut _, STACK, libc::MADV_DONTNEED) };
}

#[cfg(not(unix))]
fn give_back(_stack: &DefaultStack) {}
