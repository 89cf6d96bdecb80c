//! The account that is current on a thread: its limits, what it holds, and its bill for the run.

use super::accounts::{self, Account, Tag};
use crate::budget::Limit;
use crate::meter::fuel;
use std::cell::Cell;
use std::sync::OnceLock;

/// How far past the soft limit a run may get before its thread is parked: what native code may allocate between the soft
/// trip and the next probe.
pub(crate) const HARD_SLACK: u64 = 12 << 20;

/// What a run may hold and allocate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemoryLimits {
    pub memory: Option<u64>,
    pub allocations: Option<u64>,
}

/// The memory side of a bill.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemoryBill {
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
}

/// Bills this thread's allocations to `account` while `f` runs. Nests.
#[inline]
pub(crate) fn billed<R>(account: &Account, limits: MemoryLimits, f: impl FnOnce() -> R) -> R {
    billed_on(account, limits, MemoryBill::default(), f)
}

/// [`billed`], going on from an earlier bill.
#[inline]
pub(crate) fn billed_on<R>(account: &Account, limits: MemoryLimits, before: MemoryBill, f: impl FnOnce() -> R) -> R {
    let _restore = CURRENT.with(|current| Billing::begin(current, account.tag, limits, before));
    f()
}

/// Puts the outer account back when dropped, also when a panic unwinds.
struct Billing {
    /// `None` where nobody was billed, and nobody's billing was paused: then there is nothing to go on with.
    outer: Option<Saved>,
}

struct Saved {
    tag: Tag,
    /// Of the account that is paused, if one is.
    live: i64,
    peak: i64,
    allocations: u64,
    allocated_bytes: i64,
    soft: i64,
    hard: i64,
    collect_at: i64,
    max_allocations: u64,
    exceeded: Option<Limit>,
    pressure: bool,
}

impl Billing {
    #[inline]
    fn begin(current: &Current, tag: Tag, limits: MemoryLimits, before: MemoryBill) -> Billing {
        let outer = (current.tag.get() != Tag::IDLE || current.aside.get() != Tag::IDLE).then(|| Saved {
            tag: current.tag.get(),
            live: current.live(),
            peak: current.peak.get(),
            allocations: current.allocations(),
            allocated_bytes: current.allocated.get(),
            soft: current.soft.get(),
            hard: current.hard.get(),
            collect_at: current.collect_at.get(),
            max_allocations: current.max_allocations.get(),
            exceeded: current.exceeded.get(),
            pressure: current.pressure.get(),
        });
        current.settle();
        let held = accounts::take(tag);
        let soft = limits.memory.map_or(i64::MAX, |bytes| bytes.min(1 << 60) as i64);
        current.max_allocations.set(limits.allocations.unwrap_or(u64::MAX));
        current.set_bill(before.allocations, i64::try_from(before.allocated_bytes).unwrap_or(i64::MAX));
        current.peak.set(held.max(before.peak_bytes as i64));
        current.soft.set(soft);
        // A run may begin with more than it is allowed. It is stopped for that, which must not cost the thread.
        current.hard.set(soft.max(held).saturating_add(HARD_SLACK as i64));
        current.collect_at.set(collect_threshold(held, soft));
        current.exceeded.set(None);
        current.pressure.set(false);
        current.watch(held);
        current.tag.set(tag);
        Billing { outer }
    }
}

impl Drop for Billing {
    #[inline]
    fn drop(&mut self) {
        // A destroyed thread-local means that the thread ends, and its account with it.
        let _ = CURRENT.try_with(|current| {
            current.settle();
            let Some(outer) = &self.outer else { return };
            let held = if outer.tag == Tag::IDLE { outer.live } else { accounts::take(outer.tag) };
            current.max_allocations.set(outer.max_allocations);
            current.set_bill(outer.allocations, outer.allocated_bytes);
            current.peak.set(outer.peak.max(held));
            current.soft.set(outer.soft);
            current.hard.set(outer.hard);
            current.collect_at.set(outer.collect_at);
            current.exceeded.set(outer.exceeded);
            current.pressure.set(outer.pressure);
            current.watch(held);
            current.tag.set(outer.tag);
        });
    }
}

/// Collect when half as much again is held as after the last collection, in steps that are worth it, and in any case
/// before the limit.
#[inline]
fn collect_threshold(held: i64, soft: i64) -> i64 {
    let grown = held + (held / 2).max(4 << 20);
    // Within the last sixteenth below the limit a collection would come again and again: leave it to the limit.
    let last_chance = soft - soft / 16;
    if held < last_chance { grown.min(last_chance) } else { i64::MAX }
}

/// Suspends billing on this thread until dropped: for what the host itself allocates during a run.
pub(crate) fn pause() -> Paused {
    CURRENT.with(|current| {
        let tag = current.tag.replace(Tag::IDLE);
        let outer = current.aside.get();
        // Within a pause, the account that is paused stays so.
        if tag != Tag::IDLE {
            current.aside.set(tag);
        }
        Paused { tag, outer }
    })
}

pub(crate) struct Paused {
    tag: Tag,
    outer: Tag,
}

/// Goes on with the billing that [`pause`] has suspended, until dropped: for what a script does in the middle of a host
/// function.
pub(crate) fn resume() -> Resumed {
    CURRENT.with(|current| {
        let tag = current.aside.replace(Tag::IDLE);
        let outer = current.tag.get();
        if tag.slot() != 0 {
            current.set_live(current.live() + accounts::take(tag));
            current.tag.set(tag);
        }
        Resumed { tag, outer }
    })
}

pub(crate) struct Resumed {
    tag: Tag,
    outer: Tag,
}

impl Drop for Resumed {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| {
            if self.tag.slot() != 0 {
                current.tag.set(self.outer);
                current.aside.set(self.tag);
            }
        });
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| {
            // What was freed of the account while it was not current stands in its slot.
            if self.tag.slot() != 0 {
                current.set_live(current.live() + accounts::take(self.tag));
            }
            current.tag.set(self.tag);
            current.aside.set(self.outer);
        });
    }
}

/// Allocations that this run may make.
pub(crate) fn max_allocations() -> u64 {
    CURRENT.with(|current| current.max_allocations.get())
}

/// Bytes that the current account holds.
pub(crate) fn live() -> u64 {
    CURRENT.with(|current| current.live().max(0) as u64)
}

/// The current account's bill for this run.
#[inline]
pub(crate) fn bill() -> MemoryBill {
    CURRENT.with(|current| MemoryBill {
        allocations: current.allocations(),
        allocated_bytes: current.allocated.get().max(0) as u64,
        live_bytes: current.live().max(0) as u64,
        peak_bytes: current.peak.get().max(0) as u64,
    })
}

/// The limit that was passed, if one was.
#[inline]
pub(crate) fn exceeded() -> Option<Limit> {
    CURRENT.with(|current| match current.exceeded.get() {
        // A collection may have brought it down again.
        Some(Limit::Memory) if current.live() <= current.soft.get() => {
            current.exceeded.set(None);
            current.watch(current.live());
            None
        }
        other => other,
    })
}

/// Whether garbage should be collected at this checkpoint.
pub(crate) fn pressure() -> bool {
    CURRENT.with(|current| current.pressure.get())
}

/// Collects garbage with `collect`, without billing what the collector itself allocates.
pub(crate) fn relieve(collect: impl FnOnce()) {
    let paused = pause();
    collect();
    drop(paused);
    CURRENT.with(|current| {
        current.pressure.set(false);
        let live = current.live();
        current.collect_at.set(collect_threshold(live, current.soft.get()));
        current.watch(live);
    });
}

/// What to call on a thread that is about to be parked for good: it must tell whoever waits for the thread.
pub(crate) fn set_lost_hook(hook: fn()) {
    LOST_HOOK.get_or_init(|| hook);
}

static LOST_HOOK: OnceLock<fn()> = OnceLock::new();

/// Bills a new block of `size` bytes, header included, to the current account.
#[inline(always)]
pub(super) fn bill_new(size: usize) {
    let _ = CURRENT.try_with(|current| {
        if current.tag.get().slot() != 0 {
            current.grow(size as i64, false);
        }
    });
}

/// Whose a new block is.
#[inline(always)]
pub(super) fn owner() -> Tag {
    let tag = CURRENT.try_with(|current| current.tag.get()).unwrap_or(Tag::NOBODY);
    if tag.slot() == 0 { Tag::NOBODY } else { tag }
}

/// Bills a change in size of a block of `size` bytes of the current account. Answers whether it is of the current account.
#[inline]
pub(super) fn bill_growth(tag: Tag, size: usize, growth: i64) -> bool {
    CURRENT
        .try_with(|current| {
            let own = current.tag.get() == tag;
            if own {
                current.grow(growth.max(0), growth <= size as i64);
                current.shrink(-growth.min(0));
            }
            own
        })
        .unwrap_or(false)
}

/// Credits the owner with `size` bytes.
#[inline(always)]
pub(super) fn credit(tag: Tag, size: usize) {
    let own = CURRENT.try_with(|current| {
        let own = current.tag.get() == tag;
        if own {
            current.shrink(size as i64);
        }
        own
    });
    if own != Ok(true) && tag.slot() != 0 {
        credit_other(tag, -(size as i64));
    }
}

#[cold]
pub(super) fn credit_other(tag: Tag, change: i64) {
    accounts::change(tag, change);
}

/// What an allocation of a run changes is two numbers, each of which is compared with one: the rest is reckoned from them.
struct Current {
    /// [`Tag::IDLE`] where nobody is billed, so that no block is of the current account then.
    tag: Cell<Tag>,
    /// The account whose billing is paused.
    aside: Cell<Tag>,
    /// All bytes that were allocated in the run.
    allocated: Cell<i64>,
    /// `allocated` at which the slow path is taken, which is when as many bytes are live as `ceiling` says. Moved up by what
    /// is freed.
    allocated_at_ceiling: Cell<i64>,
    /// Live bytes up to which nothing happens: `peak` or `watermark`, whichever is less.
    ceiling: Cell<i64>,
    /// The next of the three thresholds below.
    watermark: Cell<i64>,
    /// Allocations that are left to the run; below nothing once there are none.
    allowance: Cell<i64>,
    peak: Cell<i64>,
    /// Live bytes at which the run is to be stopped, and at which the thread is parked.
    soft: Cell<i64>,
    hard: Cell<i64>,
    /// Live bytes at which garbage is to be collected, at the next checkpoint.
    collect_at: Cell<i64>,
    max_allocations: Cell<u64>,
    exceeded: Cell<Option<Limit>>,
    pressure: Cell<bool>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            tag: Cell::new(Tag::IDLE),
            aside: Cell::new(Tag::IDLE),
            allocated: Cell::new(0),
            allocated_at_ceiling: Cell::new(0),
            ceiling: Cell::new(0),
            watermark: Cell::new(i64::MAX),
            allowance: Cell::new(i64::MAX),
            peak: Cell::new(0),
            soft: Cell::new(i64::MAX),
            hard: Cell::new(i64::MAX),
            collect_at: Cell::new(i64::MAX),
            max_allocations: Cell::new(u64::MAX),
            exceeded: Cell::new(None),
            pressure: Cell::new(false),
        }
    };
}

impl Current {
    #[inline]
    fn live(&self) -> i64 {
        self.allocated.get() - self.allocated_at_ceiling.get() + self.ceiling.get()
    }

    #[inline]
    fn set_live(&self, live: i64) {
        self.allocated_at_ceiling.set(self.allocated.get() + self.ceiling.get() - live);
    }

    /// `max_allocations` as an `allowance`: no run makes more than that.
    #[inline]
    fn whole_allowance(&self) -> i64 {
        i64::try_from(self.max_allocations.get()).unwrap_or(i64::MAX)
    }

    #[inline]
    fn allocations(&self) -> u64 {
        (self.whole_allowance() - self.allowance.get()) as u64
    }

    /// Goes on from a bill, under the limit that is set. What is live is to be said anew.
    #[inline]
    fn set_bill(&self, allocations: u64, allocated: i64) {
        let allocations = i64::try_from(allocations).unwrap_or(i64::MAX);
        self.allowance.set(self.whole_allowance().saturating_sub(allocations));
        self.allocated.set(allocated);
    }

    /// Writes what the current account holds back to its slot.
    #[inline]
    fn settle(&self) {
        let slot = self.tag.replace(Tag::IDLE).slot();
        if slot != 0 {
            accounts::put_back(slot, self.live());
            self.set_live(0);
        }
    }

    /// `doubling` is the growth of a buffer that at most doubles.
    #[inline(always)]
    fn grow(&self, bytes: i64, doubling: bool) {
        let allocated = self.allocated.get() + bytes;
        self.allocated.set(allocated);
        let allowance = self.allowance.get() - 1;
        self.allowance.set(allowance);
        if allocated > self.allocated_at_ceiling.get() || allowance < 0 {
            self.pass(doubling);
        }
    }

    #[inline(always)]
    fn shrink(&self, bytes: i64) {
        self.allocated_at_ceiling.set(self.allocated_at_ceiling.get() + bytes);
    }

    /// Settles at which number of live bytes the slow path is to be taken next, with that many live now.
    #[inline]
    fn watch(&self, live: i64) {
        let next = if self.exceeded.get() == Some(Limit::Memory) {
            self.hard.get()
        } else if self.pressure.get() {
            self.soft.get()
        } else {
            self.collect_at.get().min(self.soft.get())
        };
        self.watermark.set(next);
        self.ceiling.set(next.min(self.peak.get()));
        self.set_live(live);
    }

    /// More bytes are live than ever before, or too many; or there were too many allocations.
    #[inline(never)]
    fn pass(&self, doubling: bool) {
        let live = self.live();
        if live > self.watermark.get() || self.allowance.get() < 0 {
            return self.pass_limit(live, doubling);
        }
        self.peak.set(live);
        self.ceiling.set(live);
        self.set_live(live);
    }

    /// Something was passed: the threshold for a collection, the soft limit, the hard one, or that on allocations.
    #[cold]
    #[inline(never)]
    fn pass_limit(&self, live: i64, doubling: bool) {
        self.peak.set(self.peak.get().max(live));
        if live > self.hard.get() {
            // The interpreter's buffers grow so with no guard in between. What that takes ends with the run, which the next
            // probe stops; a parked thread keeps all it has for ever.
            if !doubling || live > self.soft.get().saturating_mul(2) {
                self.park();
            }
            self.hard.set(live.saturating_add(HARD_SLACK as i64));
        }
        if live > self.soft.get() {
            self.exceed(Limit::Memory);
        } else if live > self.collect_at.get() && !self.pressure.replace(true) {
            fuel::arm_from_allocator();
        }
        if self.allowance.get() < 0 {
            self.exceed(Limit::Allocations);
        }
        self.watch(live);
    }

    #[cold]
    #[inline(never)]
    fn exceed(&self, limit: Limit) {
        if self.exceeded.get().is_none() {
            self.exceeded.set(Some(limit));
            // A collection may still bring it below the limit before the checkpoint decides.
            self.pressure.set(limit == Limit::Memory);
            fuel::arm_from_allocator();
        }
    }

    /// The hard limit: this thread cannot go on, and the process must. It never returns.
    fn park(&self) -> ! {
        self.tag.set(Tag::IDLE);
        if let Some(hook) = LOST_HOOK.get() {
            hook();
        }
        loop {
            std::thread::park();
        }
    }
}
