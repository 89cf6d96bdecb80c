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
    let _restore = CURRENT.with(|current| {
        let billing = Billing::begin(current, account.tag, limits);
        current.peak.set(current.peak.get().max(before.peak_bytes as i64));
        current.allocations.set(before.allocations);
        current.allocated_bytes.set(before.allocated_bytes);
        billing
    });
    f()
}

/// Puts the outer account back when dropped, also when a panic unwinds.
struct Billing {
    /// `None` where nobody was billed, and nobody's billing was paused: then there is nothing to go on with.
    outer: Option<Saved>,
}

struct Saved {
    tag: Tag,
    peak: i64,
    allocations: u64,
    allocated_bytes: u64,
    soft: i64,
    hard: i64,
    collect_at: i64,
    max_allocations: u64,
    exceeded: Option<Limit>,
    pressure: bool,
}

impl Billing {
    #[inline]
    fn begin(current: &Current, tag: Tag, limits: MemoryLimits) -> Billing {
        let outer = (current.slot.get() != 0 || current.aside.get() != Tag::NOBODY).then(|| Saved {
            tag: current.tag(),
            peak: current.peak.get(),
            allocations: current.allocations.get(),
            allocated_bytes: current.allocated_bytes.get(),
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
        current.live.set(held);
        current.peak.set(held);
        current.allocations.set(0);
        current.allocated_bytes.set(0);
        current.soft.set(soft);
        // A run may begin with more than it is allowed. It is stopped for that, which must not cost the thread.
        current.hard.set(soft.max(held).saturating_add(HARD_SLACK as i64));
        current.collect_at.set(collect_threshold(held, soft));
        current.max_allocations.set(limits.allocations.unwrap_or(u64::MAX));
        current.exceeded.set(None);
        current.pressure.set(false);
        current.next_watermark();
        current.set_tag(tag);
        Billing { outer }
    }
}

impl Drop for Billing {
    #[inline]
    fn drop(&mut self) {
        // A destroyed thread-local means that the thread ends, and its account with it.
        let _ = CURRENT.try_with(|current| {
            current.settle();
            let Some(outer) = &self.outer else { return current.set_tag(Tag::NOBODY) };
            let held = if outer.tag == Tag::NOBODY { 0 } else { accounts::take(outer.tag) };
            current.live.set(held);
            current.peak.set(outer.peak.max(held));
            current.allocations.set(outer.allocations);
            current.allocated_bytes.set(outer.allocated_bytes);
            current.soft.set(outer.soft);
            current.hard.set(outer.hard);
            current.collect_at.set(outer.collect_at);
            current.max_allocations.set(outer.max_allocations);
            current.exceeded.set(outer.exceeded);
            current.pressure.set(outer.pressure);
            current.next_watermark();
            current.set_tag(outer.tag);
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
        let tag = current.tag();
        current.slot.set(0);
        let outer = current.aside.replace(tag);
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
        let tag = current.aside.replace(Tag::NOBODY);
        let outer = current.tag();
        if tag.slot != 0 {
            let change = accounts::take(tag);
            current.live.set(current.live.get() + change);
            current.set_tag(tag);
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
            if self.tag.slot != 0 {
                current.set_tag(self.outer);
                current.aside.set(self.tag);
            }
        });
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| {
            // What was freed of the account while it was not current stands in its slot.
            if self.tag != Tag::NOBODY {
                let change = accounts::take(self.tag);
                current.live.set(current.live.get() + change);
            }
            current.set_tag(self.tag);
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
    CURRENT.with(|current| current.live.get().max(0) as u64)
}

/// The current account's bill for this run.
#[inline]
pub(crate) fn bill() -> MemoryBill {
    CURRENT.with(|current| MemoryBill {
        allocations: current.allocations.get(),
        allocated_bytes: current.allocated_bytes.get(),
        live_bytes: current.live.get().max(0) as u64,
        peak_bytes: current.peak.get().max(0) as u64,
    })
}

/// The limit that was passed, if one was.
#[inline]
pub(crate) fn exceeded() -> Option<Limit> {
    CURRENT.with(|current| match current.exceeded.get() {
        // A collection may have brought it down again.
        Some(Limit::Memory) if current.live.get() <= current.soft.get() => {
            current.exceeded.set(None);
            current.next_watermark();
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
        current.collect_at.set(collect_threshold(current.live.get(), current.soft.get()));
        current.next_watermark();
    });
}

/// What to call on a thread that is about to be parked for good: it must tell whoever waits for the thread.
pub(crate) fn set_lost_hook(hook: fn()) {
    LOST_HOOK.get_or_init(|| hook);
}

static LOST_HOOK: OnceLock<fn()> = OnceLock::new();

/// Bills a new block of `size` bytes, header included; answers whose it is.
#[inline]
pub(super) fn bill_new(size: usize) -> Tag {
    CURRENT
        .try_with(|current| {
            if current.slot.get() == 0 {
                return Tag::NOBODY;
            }
            current.grow(size as i64);
            current.tag()
        })
        .unwrap_or(Tag::NOBODY)
}

/// Bills a change in size of a block of `size` bytes of the current account. Answers whether it is of the current account.
#[inline]
pub(super) fn bill_growth(tag: Tag, size: usize, growth: i64) -> bool {
    tag.slot != 0
        && CURRENT
            .try_with(|current| {
                let own = current.tag() == tag;
                if own {
                    current.allocations.set(current.allocations.get() + 1);
                    current.allocated_bytes.set(current.allocated_bytes.get() + growth.max(0) as u64);
                    current.resize(growth, growth <= size as i64);
                }
                own
            })
            .unwrap_or(false)
}

/// Credits the owner with `size` bytes.
#[inline]
pub(super) fn credit(tag: Tag, size: usize) {
    if tag.slot == 0 {
        return;
    }
    let own = CURRENT.try_with(|current| {
        let own = current.tag() == tag;
        if own {
            current.live.set(current.live.get() - size as i64);
        }
        own
    });
    if own != Ok(true) {
        credit_other(tag, -(size as i64));
    }
}

#[cold]
pub(super) fn credit_other(tag: Tag, change: i64) {
    accounts::change(tag, change);
}

struct Current {
    slot: Cell<u32>,
    generation: Cell<u32>,
    /// The account whose billing is paused.
    aside: Cell<Tag>,
    live: Cell<i64>,
    peak: Cell<i64>,
    allocations: Cell<u64>,
    allocated_bytes: Cell<u64>,
    /// `live` at which the run is to be stopped, and at which the thread is parked.
    soft: Cell<i64>,
    hard: Cell<i64>,
    /// `live` at which garbage is to be collected, at the next checkpoint.
    collect_at: Cell<i64>,
    /// `live` at which to take the slow path: the next of the three thresholds above.
    watermark: Cell<i64>,
    max_allocations: Cell<u64>,
    exceeded: Cell<Option<Limit>>,
    pressure: Cell<bool>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            slot: Cell::new(0),
            generation: Cell::new(0),
            aside: Cell::new(Tag::NOBODY),
            live: Cell::new(0),
            peak: Cell::new(0),
            allocations: Cell::new(0),
            allocated_bytes: Cell::new(0),
            soft: Cell::new(i64::MAX),
            hard: Cell::new(i64::MAX),
            collect_at: Cell::new(i64::MAX),
            watermark: Cell::new(i64::MAX),
            max_allocations: Cell::new(u64::MAX),
            exceeded: Cell::new(None),
            pressure: Cell::new(false),
        }
    };
}

impl Current {
    fn tag(&self) -> Tag {
        Tag { slot: self.slot.get(), generation: self.generation.get() }
    }

    fn set_tag(&self, tag: Tag) {
        self.generation.set(tag.generation);
        self.slot.set(tag.slot);
    }

    /// Writes what the current account holds back to its slot.
    #[inline]
    fn settle(&self) {
        let slot = self.slot.get();
        if slot != 0 {
            accounts::put_back(slot, self.live.replace(0));
            self.slot.set(0);
        }
    }

    #[inline]
    fn grow(&self, bytes: i64) {
        self.allocations.set(self.allocations.get() + 1);
        self.allocated_bytes.set(self.allocated_bytes.get() + bytes as u64);
        self.resize(bytes, false);
        if self.allocations.get() > self.max_allocations.get() {
            self.exceed(Limit::Allocations);
        }
    }

    /// `doubling` is the growth of a buffer that at most doubles.
    #[inline]
    fn resize(&self, change: i64, doubling: bool) {
        let live = self.live.get() + change;
        self.live.set(live);
        if live > self.peak.get() {
            self.peak.set(live);
        }
        if live > self.watermark.get() {
            self.pass(live, doubling);
        }
    }

    #[inline]
    fn next_watermark(&self) {
        self.watermark.set(if self.exceeded.get() == Some(Limit::Memory) {
            self.hard.get()
        } else if self.pressure.get() {
            self.soft.get()
        } else {
            self.collect_at.get().min(self.soft.get())
        });
    }

    /// Something was passed: the threshold for a collection, the soft limit, or the hard one.
    #[cold]
    #[inline(never)]
    fn pass(&self, live: i64, doubling: bool) {
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
        } else if !self.pressure.replace(true) {
            fuel::arm_from_allocator();
        }
        self.next_watermark();
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
        self.slot.set(0);
        if let Some(hook) = LOST_HOOK.get() {
            hook();
        }
        loop {
            std::thread::park();
        }
    }
}
