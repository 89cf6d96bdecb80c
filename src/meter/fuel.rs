//! The instruction meter of the run that this thread executes.
//!
//! Probes in the instrumented bytecode call [`spend`]; guards around native work call [`charge`], [`step`] and
//! [`reserve`]. Fuel is handed out in slices: while a slice lasts a probe is one subtraction; when it runs out,
//! [`checkpoint`] does everything else (budget, deadline, cancel, memory, hook). Once a run has tripped, every further
//! probe fails, so no handler of the script can run on.

use crate::budget::{Budget, Limit};
use crate::meter::allocator;
use crate::meter::clock::{MIN_SLICE, Pace};
use crate::meter::hook::HookAction;
use crate::meter::profile::Site;
use crate::meter::run::{Run, Start, Trip};
use crate::runner::fiber::{self, Wants};
use crate::runner::{thread, world};
use crate::usage::Usage;
use rustpython_vm::VirtualMachine;
use rustpython_vm::builtins::PyBaseExceptionRef;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Instructions that no run reaches, and that can be added to without overflow.
const UNLIMITED: u64 = 1 << 61;

/// Fuel once tripped, and outside of runs: every probe takes the slow path, for any weight that can be added up.
///
/// Outside of a run too, because objects of a script may be freed there (a dropped sandbox, a collection), and a generator
/// that is freed would run its `finally` blocks.
const EMPTY: i64 = i64::MIN / 2;

thread_local! {
    static METER: Meter = const { Meter::IDLE };
}

struct Meter {
    /// What is left of the slice.
    fuel: Cell<i64>,
    /// All fuel handed out so far; `granted - fuel` is what was spent.
    granted: Cell<i64>,
    /// The part of the spending that was native work.
    native: Cell<u64>,
    /// `fuel` as the last native iterator step left it, see [`step`].
    last_step: Cell<i64>,
    tripped: Cell<bool>,
    /// Whether a script runs on this thread.
    active: Cell<bool>,
    /// Without a destructor, so that no access has to ask whether the thread still has its meter.
    run: ManuallyDrop<RefCell<Option<Box<Run>>>>,
}

/// `METER.with`, which is a call of a function where the standard library is not optimised together with this crate: too much
/// for a probe.
#[inline(always)]
fn with_meter<R>(f: impl FnOnce(&Meter) -> R) -> R {
    // SAFETY: the pointer is to this thread's meter, which is there from the thread's start to its end, as it has no
    // destructor; the reference is used by this call alone, on this thread.
    f(unsafe { &*METER.with(std::ptr::from_ref) })
}

impl Meter {
    #[allow(clippy::declare_interior_mutable_const, reason = "it only ever initialises a thread-local")]
    const IDLE: Meter = Meter {
        fuel: Cell::new(EMPTY),
        granted: Cell::new(EMPTY),
        native: Cell::new(0),
        last_step: Cell::new(i64::MIN),
        tripped: Cell::new(false),
        active: Cell::new(false),
        run: ManuallyDrop::new(RefCell::new(None)),
    };

    fn spent(&self) -> u64 {
        (self.granted.get() - self.fuel.get()).max(0) as u64
    }

    /// Ends the slice now, without changing what was spent: the next probe goes to the checkpoint.
    fn arm(&self) {
        let left = self.fuel.get();
        if left >= 0 {
            self.granted.set(self.granted.get() - left - 1);
            self.refill(-1);
        }
    }

    /// Sets the fuel without anything being spent: whether a native step came last stays as it was, so that the bill does
    /// not depend on where slices end.
    fn refill(&self, fuel: i64) {
        let stepped = self.last_step.get() == self.fuel.get();
        self.last_step.set(if stepped { fuel } else { i64::MIN });
        self.fuel.set(fuel);
    }
}

/// Spends `weight` instructions of a block that is about to run.
#[inline(always)]
pub(crate) fn spend(weight: i64, vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    let left = with_meter(|meter| {
        let left = meter.fuel.get() - weight;
        meter.fuel.set(left);
        left
    });
    if left < 0 { checkpoint(vm, At::Probe) } else { Ok(()) }
}

/// Notes in the profile of the run that a probe of this place is passed, which is about to spend `weight`.
pub(crate) fn record(site: &Arc<Site>, weight: i64, vm: &VirtualMachine) {
    METER.with(|meter| {
        if !meter.active.get() || meter.tripped.get() {
            return;
        }
        let mut run = meter.run.borrow_mut();
        let Some(run) = run.as_mut() else { return };
        run.start_clock(Instant::now());
        let time = run.script_time();
        if let Some(recorder) = &mut run.recorder {
            // The host's memory, as the profile is the host's.
            let _paused = allocator::pause();
            recorder.pass(site, weight.max(0) as u64, vm.current_recursion_depth(), meter.spent(), time);
        }
    });
}

/// Enters what was spent since the last probe into the profile, if there is one.
#[inline]
fn settle(meter: &Meter, run: &mut Run) {
    if run.recorder.is_some() {
        settle_profile(meter, run);
    }
}

#[cold]
fn settle_profile(meter: &Meter, run: &mut Run) {
    let (time, usage) = (run.script_time(), usage_of(meter, run));
    if let Some(recorder) = &mut run.recorder {
        let _paused = allocator::pause();
        recorder.settle(usage.instructions + usage.native_steps, time);
    }
}

/// Spends `steps` of native work before it is done. Outside of a run it is free.
#[inline]
pub(crate) fn charge(steps: u64, vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    charge_at(steps, At::NativeWork, vm)
}

#[inline]
fn charge_at(steps: u64, at: At, vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    with_meter(|meter| {
        // A slice is part of what the budget allows; outside of a run, and once tripped, there is none.
        let left = meter.fuel.get();
        if left >= 0 && steps <= left as u64 {
            meter.native.set(meter.native.get() + steps);
            meter.fuel.set(left - steps as i64);
            meter.last_step.set(left - steps as i64);
            return Ok(());
        }
        charge_beyond(meter, steps, at, vm)
    })
}

/// A charge that is more than what is left of the slice.
#[cold]
#[inline(never)]
fn charge_beyond(meter: &Meter, steps: u64, at: At, vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    if !meter.active.get() {
        return Ok(());
    }
    if meter.tripped.get() {
        return Err(stop_exception(vm));
    }
    // More than any budget allows is as good as the exact figure, and cannot overflow.
    let steps = steps.min(1 << 60);
    // What a charge takes must not hide what was asked for: a refused charge is not spent, so that the bill says what
    // ran, and the trip says that the limit was reached.
    let allowed = meter.run.borrow().as_ref().map_or(u64::MAX, |run| run.instructions);
    let spent = meter.spent();
    if spent.saturating_add(steps) > allowed {
        trip(meter, Trip::Limit(Limit::Instructions));
        return Err(stop_exception(vm));
    }
    if steps >= LONG && outlasts_the_deadline(meter, steps) {
        trip(meter, Trip::Limit(Limit::Time));
        return Err(stop_exception(vm));
    }
    meter.native.set(meter.native.get() + steps);
    let left = meter.fuel.get() - steps as i64;
    meter.fuel.set(left);
    meter.last_step.set(left);
    if left < 0 { checkpoint(vm, at) } else { Ok(()) }
}

/// Steps of one piece of native work, which nothing interrupts, that take long enough to look at the clock before.
const LONG: u64 = 1 << 20;

/// What a step of long native work takes at the least.
const LONG_STEP: Duration = Duration::from_nanos(20);

/// Whether work of that many steps would still be on when the time is up: then it is not begun.
fn outlasts_the_deadline(meter: &Meter, steps: u64) -> bool {
    let mut run = meter.run.borrow_mut();
    let Some(run) = run.as_mut() else { return false };
    run.start_clock(Instant::now());
    LONG_STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)) > run.left()
}

/// One step of a native iterator.
///
/// A step that comes first since a probe is free: then the script's own loop asked for it, and the probe of that loop has
/// paid. This is what keeps the bill the same whether or not the interpreter has specialised a `for` loop past the
/// iterator's slot. Further steps with no probe between are a native loop and cost one each.
#[inline(always)]
pub(crate) fn step(vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    with_meter(|meter| {
        let fuel = meter.fuel.get();
        if meter.last_step.get() != fuel {
            meter.last_step.set(fuel);
            return Ok(());
        }
        charge_at(1, At::Probe, vm)
    })
}

/// Refuses native work that would allocate `bytes` beyond what the sandbox may hold, and charges for moving them.
#[inline]
pub(crate) fn reserve(bytes: u64, vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    if bytes < 1024 {
        return Ok(());
    }
    METER.with(|meter| {
        if !meter.active.get() {
            return Ok(());
        }
        let limit = meter.run.borrow().as_ref().and_then(|run| run.memory);
        if let Some(limit) = limit
            && allocator::live().saturating_add(bytes) > limit
        {
            trip(meter, Trip::Limit(Limit::Memory));
            return Err(stop_exception(vm));
        }
        charge(bytes / 1024, vm)
    })
}

/// Whether a script runs on this thread.
#[inline]
pub(crate) fn active() -> bool {
    with_meter(|meter| meter.active.get())
}

/// Whether the run on this thread has tripped.
pub(crate) fn tripped() -> bool {
    METER.with(|meter| meter.tripped.get())
}

/// Trips the run from the outside of its instructions (an output cap, a host-call cap).
pub(crate) fn trip_now(why: Trip, vm: &VirtualMachine) -> PyBaseExceptionRef {
    METER.with(|meter| trip(meter, why));
    stop_exception(vm)
}

/// Called by the allocator, which can neither unwind nor allocate: the next probe goes to the checkpoint.
pub(crate) fn arm_from_allocator() {
    // A thread that is being torn down has no meter any more, and no script.
    let _ = METER.try_with(Meter::arm);
}

/// Reads or changes the state of the current run. `None` outside of a run.
pub(crate) fn with_run<R>(f: impl FnOnce(&mut Run) -> R) -> Option<R> {
    METER.with(|meter| meter.run.borrow_mut().as_mut().map(|run| f(run)))
}

/// What the current run has cost up to now.
pub(crate) fn usage_so_far() -> Option<Usage> {
    METER.with(|meter| {
        let mut run = meter.run.borrow_mut();
        let run = run.as_mut()?;
        if let Some(since) = run.state.in_host_since.as_mut() {
            let now = Instant::now();
            run.state.host_time += now.duration_since(*since);
            *since = now;
        }
        Some(usage_of(meter, run))
    })
}

/// A call of the host has spent that time on its way between processes. It is the script's, not the host's.
#[cfg(feature = "process")]
pub(crate) fn crossed(time: Duration) {
    let over = with_run(|run| {
        let Some(since) = &mut run.state.in_host_since else { return false };
        *since += time;
        let away = since.elapsed();
        run.script_time().saturating_sub(away) >= run.timeout
    });
    // A script that does little else has few probes in that time, and would look at the clock too seldom.
    if over == Some(true) {
        METER.with(|meter| meter.arm());
    }
}

/// What the current run may still use of a limit; `u64::MAX` where the limit is not in force.
pub(crate) fn remaining(limit: Limit) -> Option<u64> {
    let usage = usage_so_far()?;
    let allowed = allowed(limit)?;
    if allowed == u64::MAX {
        return Some(allowed);
    }
    Some(allowed.saturating_sub(if limit == Limit::Memory { usage.live_bytes } else { usage.of(limit) }))
}

/// What the current run may use of a limit; `u64::MAX` where the limit is not in force.
pub(crate) fn allowed(limit: Limit) -> Option<u64> {
    with_run(|run| match limit {
        Limit::Instructions if run.instructions >= UNLIMITED => u64::MAX,
        Limit::Instructions => run.instructions,
        Limit::Memory => run.memory.unwrap_or(u64::MAX),
        Limit::Allocations => allocator::max_allocations(),
        Limit::Time => u64::try_from(run.timeout.as_millis()).unwrap_or(u64::MAX),
        Limit::Output => run.output,
        Limit::HostCalls => run.host_calls,
    })
}

/// Why the current run was stopped, if it was.
pub(crate) fn trip_so_far() -> Option<Trip> {
    with_run(|run| run.state.trip.clone()).flatten()
}

/// Runs `f` under `run`'s limits and answers what it cost and why it was stopped, if it was. Gives the run back, to be
/// used again.
///
/// Runs nest (a host function may run another sandbox of the same runner): the outer one is set aside and goes on after.
#[inline]
pub(crate) fn metered<R>(run: Box<Run>, f: impl FnOnce() -> R) -> Metered<R> {
    let first = run.instructions.min(run.pace.slice) as i64;
    let begun = SetAside { fuel: first, granted: first, native: 0, last_step: i64::MIN, run };
    METER.with(|meter| {
        let outer = Outer::set_aside(meter, begun);
        let result = f();
        let mut run = meter.run.borrow_mut().take();
        let (usage, trip) = match &mut run {
            Some(run) => {
                settle(meter, run);
                (usage_of(meter, run), run.state.trip.take())
            }
            None => (Usage::default(), None),
        };
        drop(outer);
        Metered { result, usage, trip, run }
    })
}

/// A run between two slices.
pub(crate) struct SetAside {
    fuel: i64,
    granted: i64,
    native: u64,
    last_step: i64,
    pub run: Box<Run>,
}

impl SetAside {
    /// A run that has not begun.
    pub(crate) fn new(run: Box<Run>) -> Self {
        SetAside { fuel: 0, granted: 0, native: 0, last_step: i64::MIN, run }
    }

    /// Instructions and native steps so far.
    pub(crate) fn spent(&self) -> u64 {
        (self.granted - self.fuel).max(0) as u64
    }

    /// Sets what it may cost from here on: `slice` until it is left, `rest` (instructions and native steps, and time)
    /// until it is stopped.
    pub(crate) fn allow(&mut self, slice: &Budget, rest: (u64, Duration), memory: Option<u64>) {
        let (spent, time) = (self.spent(), self.run.script_time());
        let run = &mut *self.run;
        run.pause_at = spent.saturating_add(slice.instructions);
        run.pause_after = time.saturating_add(slice.timeout);
        run.instructions = spent.saturating_add(rest.0).min(UNLIMITED);
        run.timeout = time.saturating_add(rest.1);
        run.memory = memory;
        run.output = run.state.output_bytes.saturating_add(slice.output);
        run.host_calls = run.state.host_calls.saturating_add(slice.host_calls);
        run.pace = Pace::begin();
    }
}

/// What came of a slice.
pub(crate) struct Slice<R> {
    pub result: R,
    /// Of the run so far.
    pub usage: Usage,
    pub trip: Option<Trip>,
    pub run: Option<SetAside>,
}

/// Goes on with a run that was set aside while `f` runs. With `trip` it is stopped for good before it goes on.
pub(crate) fn metered_slice<R>(run: SetAside, stop: Option<Trip>, f: impl FnOnce() -> R) -> Slice<R> {
    METER.with(|meter| {
        let outer = Outer::set_aside(meter, run);
        meter.arm();
        if let Some(why) = stop {
            trip(meter, why);
        }
        let result = f();
        let mut run = meter.run.borrow_mut().take();
        let (usage, trip) = match &mut run {
            Some(run) => {
                run.clock.stop();
                settle(meter, run);
                (usage_of(meter, run), run.state.trip.take())
            }
            None => (Usage::default(), None),
        };
        let run = run.map(|run| SetAside {
            fuel: meter.fuel.get(),
            granted: meter.granted.get(),
            native: meter.native.get(),
            last_step: meter.last_step.get(),
            run,
        });
        drop(outer);
        Slice { result, usage, trip, run }
    })
}

/// What came of a metered run.
pub(crate) struct Metered<R> {
    pub result: R,
    pub usage: Usage,
    pub trip: Option<Trip>,
    pub run: Option<Box<Run>>,
}

#[cfg(test)]
impl<R> Metered<R> {
    pub(crate) fn split(self) -> (R, Usage, Option<Trip>) {
        (self.result, self.usage, self.trip)
    }
}

/// The state of an outer run while an inner one is metered; put back when dropped, also when a panic unwinds.
struct Outer<'a> {
    meter: &'a Meter,
    fuel: i64,
    granted: i64,
    native: u64,
    last_step: i64,
    tripped: bool,
    active: bool,
    run: Option<Box<Run>>,
}

impl<'a> Outer<'a> {
    #[inline]
    fn set_aside(meter: &'a Meter, inner: SetAside) -> Self {
        Outer {
            fuel: meter.fuel.replace(inner.fuel),
            granted: meter.granted.replace(inner.granted),
            native: meter.native.replace(inner.native),
            last_step: meter.last_step.replace(inner.last_step),
            tripped: meter.tripped.replace(false),
            active: meter.active.replace(true),
            run: meter.run.borrow_mut().replace(inner.run),
            meter,
        }
    }
}

impl Drop for Outer<'_> {
    #[inline]
    fn drop(&mut self) {
        self.meter.fuel.set(self.fuel);
        self.meter.granted.set(self.granted);
        self.meter.native.set(self.native);
        self.meter.last_step.set(self.last_step);
        self.meter.tripped.set(self.tripped);
        self.meter.active.set(self.active);
        *self.meter.run.borrow_mut() = self.run.take();
    }
}

/// The slow path: decides whether the run goes on and hands out the next slice.
#[cold]
#[inline(never)]
fn checkpoint(vm: &VirtualMachine, at: At) -> Result<(), PyBaseExceptionRef> {
    METER.with(|meter| {
        loop {
            if !meter.active.get() || meter.tripped.get() {
                meter.fuel.set(EMPTY);
                return Err(stop_exception(vm));
            }
            if let Some(why) = look(meter, vm) {
                trip(meter, why);
                return Err(stop_exception(vm));
            }
            if at == At::NativeWork || !is_due(meter) || !fiber::can_switch() {
                return Ok(());
            }
            // The script is left here. When it goes on, the meter is as it was, and all is looked at anew.
            fiber::switch(Wants::Slice);
        }
    })
}

/// Where a checkpoint is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// In front of script code, or of a step of an iterator that could as well be script code: a task can be left here.
    Probe,
    /// In front of native work, perhaps with locks of the interpreter held.
    NativeWork,
}

/// Whether the slice of a task is used up.
fn is_due(meter: &Meter) -> bool {
    let borrow = meter.run.borrow();
    let Some(run) = borrow.as_ref() else { return false };
    meter.spent() > run.pause_at || (run.pause_after < Duration::MAX && run.script_time() >= run.pause_after)
}

/// A checkpoint out of turn: a cancel that came before the run stops it before its first instruction.
pub(crate) fn look_now(vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    METER.with(|meter| meter.arm());
    checkpoint(vm, At::NativeWork)
}

/// The first look at a run, if it is to start with one.
#[inline]
pub(crate) fn enter(start: Start, vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    world::give_way(vm);
    if start == Start::AtOnce { Ok(()) } else { look_now(vm) }
}

/// The last look at a run: what it ended with may have passed a limit on memory or allocations, with no probe after it.
#[inline]
pub(crate) fn leave(vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    if allocator::exceeded().is_some() { leave_beyond(vm) } else { Ok(()) }
}

#[cold]
#[inline(never)]
fn leave_beyond(vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    METER.with(|meter| {
        if !meter.active.get() {
            return Ok(());
        }
        if !meter.tripped.get() {
            relieve(meter, vm);
            match allocator::exceeded() {
                Some(limit) => trip(meter, Trip::Limit(limit)),
                None => return Ok(()),
            }
        }
        Err(stop_exception(vm))
    })
}

/// Collects garbage if the allocator asks for it and there is the time.
fn relieve(meter: &Meter, vm: &VirtualMachine) {
    if !allocator::pressure() {
        return;
    }
    let worth = meter.run.borrow().as_ref().is_some_and(|run| run.left() > run.pace.collection * 2);
    let began = Instant::now();
    allocator::relieve(|| {
        if worth {
            world::collect(vm, 2);
        }
    });
    if let Some(run) = meter.run.borrow_mut().as_mut()
        && worth
    {
        run.pace.collection = began.elapsed();
    }
}

/// Looks at everything that can stop a run; hands out a slice where nothing does.
fn look(meter: &Meter, vm: &VirtualMachine) -> Option<Trip> {
    world::give_way(vm);
    meter.run.borrow_mut().as_mut()?.clock.start(Instant::now);
    relieve(meter, vm);
    let spent = meter.spent();
    let hook = {
        let borrow = meter.run.borrow();
        let run = borrow.as_ref()?;
        run.live.instructions.store(spent - meter.native.get(), Ordering::Relaxed);
        run.live.native_steps.store(meter.native.get(), Ordering::Relaxed);
        run.live.live_bytes.store(allocator::live(), Ordering::Relaxed);
        if let Some(limit) = allocator::exceeded() {
            return Some(Trip::Limit(limit));
        }
        if run.cancel.load(Ordering::Acquire) {
            return Some(Trip::Cancelled);
        }
        if run.left().is_zero() {
            return Some(Trip::Limit(Limit::Time));
        }
        run.hook.clone().map(|hook| (hook, usage_of(meter, run)))
    };
    // The hook is host code: it is called with no borrow held, and what it allocates is not the script's.
    let answer = hook.map(|(hook, usage)| {
        let _paused = allocator::pause();
        thread::on_the_hosts_time(vm, || hook.checkpoint(&usage))
    });
    if let Some(HookAction::Pause(pause)) = &answer {
        let cancel = meter.run.borrow().as_ref()?.cancel.clone();
        thread::on_the_hosts_time(vm, || pause.wait(&cancel));
        if cancel.load(Ordering::Acquire) {
            return Some(Trip::Cancelled);
        }
    }
    let mut borrow = meter.run.borrow_mut();
    let run = borrow.as_mut()?;
    match answer {
        None | Some(HookAction::Continue | HookAction::Pause(_)) => {}
        Some(HookAction::Extend(more)) => run.instructions = run.instructions.saturating_add(more),
        Some(HookAction::Stop(reason)) => return Some(Trip::Stopped(reason)),
    }
    if spent > run.instructions {
        return Some(Trip::Limit(Limit::Instructions));
    }
    let left = run.left();
    let mut slice = (run.instructions - spent).min(run.pace.next(Instant::now(), left));
    // Past its slice a task goes on only where it cannot be left: until that can be asked again.
    slice = slice.min(if spent > run.pause_at { MIN_SLICE } else { run.pause_at - spent });
    let slice = slice as i64;
    meter.refill(slice);
    meter.granted.set(spent as i64 + slice);
    None
}

/// Stops the run for good. The first reason stands.
fn trip(meter: &Meter, why: Trip) {
    if meter.tripped.replace(true) {
        return;
    }
    let spent = meter.spent();
    if let Some(run) = meter.run.borrow_mut().as_mut() {
        run.state.trip = Some(why);
    }
    meter.fuel.set(EMPTY);
    meter.granted.set(EMPTY + spent as i64);
}

#[inline]
fn usage_of(meter: &Meter, run: &Run) -> Usage {
    // After a trip further probes go on subtracting from EMPTY; what they take is not spending.
    let spent = if meter.tripped.get() { (meter.granted.get() - EMPTY).max(0) as u64 } else { meter.spent() };
    let memory = allocator::bill();
    Usage {
        instructions: spent.saturating_sub(meter.native.get()),
        native_steps: meter.native.get(),
        allocations: memory.allocations,
        allocated_bytes: memory.allocated_bytes,
        live_bytes: memory.live_bytes,
        peak_bytes: memory.peak_bytes,
        output_bytes: run.state.output_bytes,
        host_calls: run.state.host_calls,
        elapsed: run.script_time(),
        host_time: run.state.host_time,
    }
}

/// What unwinds a tripped run. That it is a `BaseException` spares most handlers; that no handler can do anything is due
/// to the tripped flag alone.
#[cold]
fn stop_exception(vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_exception_empty(vm.ctx.exceptions.base_exception_type.to_owned())
}
