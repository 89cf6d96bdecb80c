//! The metered allocator: a global-allocator wrapper that bills each allocation to the sandbox that made it.
//!
//! Every block carries a small header with the account that was current when it was allocated, so that a block freed
//! later (by another call, by a garbage collection in another sandbox's time, by another thread) is credited to its owner.
//! The current account is a thread-local set for the time of a run; everything outside of runs belongs to nobody.
//!
//! An allocator can neither unwind nor raise. Past the soft limit it sets a flag and arms the fuel slice, so that the next
//! probe stops the script. What would pass the hard limit in one native operation is refused before by the guards; if the
//! hard limit is reached all the same, the thread is parked for good ([`set_lost_hook`]) and the process lives.

use crate::budget::Limit;
use crate::meter::fuel;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// The global allocator that pycage's memory and allocation limits rest on.
///
/// Install it with one line in the host's `main.rs`, around any inner allocator:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();
/// # fn main() -> Result<(), pycage::Error> {
/// use pycage::{Budget, Error, Limit, Sandbox};
///
/// let mut sandbox = Sandbox::builder().budget(Budget::default().memory(8 << 20)).build()?;
/// let error = sandbox.exec("x = []\nwhile True: x.append('y' * 1000)").unwrap_err();
/// assert!(matches!(error, Error::Budget(ref budget) if budget.limit == Limit::Memory));
/// # Ok(())
/// # }
/// ```
///
/// It costs eight bytes a block (or the block's alignment, where that is more) and a few instructions per allocation in
/// the whole process.
pub struct MeteredAlloc<A = System> {
    inner: A,
}

impl MeteredAlloc<System> {
    /// Meters the operating system's allocator.
    pub const fn system() -> Self {
        MeteredAlloc { inner: System }
    }
}

impl<A> MeteredAlloc<A> {
    /// Meters `inner`, for example mimalloc.
    pub const fn new(inner: A) -> Self {
        MeteredAlloc { inner }
    }
}

/// How far past the soft limit a run may get before its thread is parked: what native code may allocate between the soft
/// trip and the next probe.
pub(crate) const HARD_SLACK: u64 = 12 << 20;

/// Whether a [`MeteredAlloc`] is this process's global allocator.
pub(crate) fn installed() -> bool {
    if !INSTALLED.load(Ordering::Relaxed) {
        // Nothing may have been allocated yet: allocate once, then look again.
        drop(std::hint::black_box(Box::new(0u8)));
    }
    INSTALLED.load(Ordering::Relaxed)
}

static INSTALLED: AtomicBool = AtomicBool::new(false);

// ---- accounts

/// Accounts that can be open at once.
const ACCOUNTS: usize = 1 << 20;

/// The bytes an account holds, as changed while it was not current on any thread, and which opening of it is valid.
struct Slot {
    generation: AtomicU32,
    held: AtomicI64,
}

/// Zeroed, so that untouched pages of it cost no memory. Slot 0 is nobody's.
static SLOTS: [Slot; ACCOUNTS] = [const { Slot { generation: AtomicU32::new(0), held: AtomicI64::new(0) } }; ACCOUNTS];

static FREE: parking_lot::Mutex<FreeList> = parking_lot::Mutex::new(FreeList { next: 1, returned: Vec::new() });

struct FreeList {
    next: u32,
    returned: Vec<u32>,
}

/// A sandbox's account with the allocator. Closed when dropped: what is freed afterwards is nobody's.
#[derive(Debug)]
pub(crate) struct Account {
    tag: Tag,
}

/// Slot and generation of an account, as they stand in a block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag {
    slot: u32,
    generation: u32,
}

impl Tag {
    const NOBODY: Tag = Tag { slot: 0, generation: 0 };
}

impl Account {
    /// Opens an account; `None` when about a million are open.
    pub(crate) fn open() -> Option<Account> {
        let mut free = FREE.lock();
        let slot = match free.returned.pop() {
            Some(slot) => slot,
            None if (free.next as usize) < ACCOUNTS => {
                free.next += 1;
                free.next - 1
            }
            None => return None,
        };
        let entry = &SLOTS[slot as usize];
        entry.held.store(0, Ordering::Relaxed);
        Some(Account { tag: Tag { slot, generation: entry.generation.load(Ordering::Relaxed) } })
    }

    /// Bytes held, while the account is not current.
    pub(crate) fn held(&self) -> u64 {
        SLOTS[self.tag.slot as usize].held.load(Ordering::Relaxed).max(0) as u64
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        SLOTS[self.tag.slot as usize].generation.fetch_add(1, Ordering::Relaxed);
        FREE.lock().returned.push(self.tag.slot);
    }
}

// ---- the account that is current on this thread

struct Current {
    slot: Cell<u32>,
    generation: Cell<u32>,
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
pub(crate) fn billed<R>(account: &Account, limits: MemoryLimits, f: impl FnOnce() -> R) -> R {
    let _restore = CURRENT.with(|current| Billing::begin(current, account.tag, limits));
    f()
}

/// Puts the outer account back when dropped, also when a panic unwinds.
struct Billing {
    outer: Saved,
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
    fn begin(current: &Current, tag: Tag, limits: MemoryLimits) -> Billing {
        let outer = Saved {
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
        };
        current.settle();
        let held = SLOTS[tag.slot as usize].held.swap(0, Ordering::Relaxed);
        let soft = limits.memory.map_or(i64::MAX, |bytes| bytes.min(1 << 60) as i64);
        current.live.set(held);
        current.peak.set(held);
        current.allocations.set(0);
        current.allocated_bytes.set(0);
        current.soft.set(soft);
        current.hard.set(soft.saturating_add(HARD_SLACK as i64));
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
    fn drop(&mut self) {
        // A destroyed thread-local means that the thread ends, and its account with it.
        let _ = CURRENT.try_with(|current| {
            current.settle();
            let outer = &self.outer;
            let held = if outer.tag == Tag::NOBODY {
                0
            } else {
                SLOTS[outer.tag.slot as usize].held.swap(0, Ordering::Relaxed)
            };
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
        Paused { tag }
    })
}

pub(crate) struct Paused {
    tag: Tag,
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| {
            // What was freed of the account while it was not current stands in its slot.
            if self.tag != Tag::NOBODY {
                let change = SLOTS[self.tag.slot as usize].held.swap(0, Ordering::Relaxed);
                current.live.set(current.live.get() + change);
            }
            current.set_tag(self.tag);
        });
    }
}

/// Bytes that the current account holds.
pub(crate) fn live() -> u64 {
    CURRENT.with(|current| current.live.get().max(0) as u64)
}

/// The current account's bill for this run.
pub(crate) fn bill() -> MemoryBill {
    CURRENT.with(|current| MemoryBill {
        allocations: current.allocations.get(),
        allocated_bytes: current.allocated_bytes.get(),
        live_bytes: current.live.get().max(0) as u64,
        peak_bytes: current.peak.get().max(0) as u64,
    })
}

/// The limit that was passed, if one was.
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

impl Current {
    fn tag(&self) -> Tag {
        Tag { slot: self.slot.get(), generation: self.generation.get() }
    }

    fn set_tag(&self, tag: Tag) {
        self.generation.set(tag.generation);
        self.slot.set(tag.slot);
    }

    /// Writes what the current account holds back to its slot.
    fn settle(&self) {
        let slot = self.slot.get();
        if slot != 0 {
            SLOTS[slot as usize].held.fetch_add(self.live.replace(0), Ordering::Relaxed);
            self.slot.set(0);
        }
    }

    #[inline]
    fn grow(&self, bytes: i64) {
        self.allocations.set(self.allocations.get() + 1);
        self.allocated_bytes.set(self.allocated_bytes.get() + bytes as u64);
        self.resize(bytes);
        if self.allocations.get() > self.max_allocations.get() {
            self.exceed(Limit::Allocations);
        }
    }

    #[inline]
    fn resize(&self, change: i64) {
        let live = self.live.get() + change;
        self.live.set(live);
        if live > self.peak.get() {
            self.peak.set(live);
        }
        if live > self.watermark.get() {
            self.pass(live);
        }
    }

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
    fn pass(&self, live: i64) {
        if live > self.hard.get() {
            self.park();
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

// ---- blocks

/// Bytes in front of a block: room for the tag at the block's own alignment.
#[inline]
fn header(layout: Layout) -> usize {
    layout.align().max(size_of::<Tag>())
}

#[inline]
fn with_header(layout: Layout) -> Option<Layout> {
    let size = layout.size().checked_add(header(layout))?;
    Layout::from_size_align(size, layout.align().max(align_of::<Tag>())).ok()
}

/// The same pointer, and nothing that the compiler knows of it.
///
/// A caller holds what the allocator gave it for a whole object of the size that it asked for. Where link-time
/// optimisation inlines the allocator into the caller, reading the tag in front of it would be taken for a read out of
/// bounds, and the code behind it for unreachable.
#[inline(always)]
fn opaque(block: *mut u8) -> *mut u8 {
    std::hint::black_box(block)
}

/// SAFETY: `block` must lie `header(..)` bytes into an allocation of this allocator.
#[inline]
unsafe fn tag_of(block: *mut u8) -> *mut Tag {
    // SAFETY: the header is at least as large as a tag and ends where the block begins; block and tag size are multiples
    // of the tag's alignment.
    unsafe { block.sub(size_of::<Tag>()).cast::<Tag>() }
}

/// The tag for a new block of `size` bytes (header included), which is billed.
#[inline]
fn tag_new(size: usize) -> Tag {
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

/// Credits the owner with `size` bytes.
#[inline]
fn credit(tag: Tag, size: usize) {
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
fn credit_other(tag: Tag, change: i64) {
    let slot = &SLOTS[tag.slot as usize];
    if slot.generation.load(Ordering::Relaxed) == tag.generation {
        slot.held.fetch_add(change, Ordering::Relaxed);
    }
}

// SAFETY: every block is an allocation of `inner`, offset by a header whose size depends on the layout's alignment alone,
// which callers must pass back unchanged; so `dealloc` and `realloc` find the same inner block. Alignment holds because
// the header is a multiple of the alignment. Nothing here unwinds: the thread-locals are `const` and without destructor,
// arithmetic on them stays far below overflow, and the lost hook is ours.
unsafe impl<A: GlobalAlloc> GlobalAlloc for MeteredAlloc<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: forwarded, see `allocate`.
        unsafe { allocate(layout, |whole| self.inner.alloc(whole)) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: forwarded, see `allocate`.
        unsafe { allocate(layout, |whole| self.inner.alloc_zeroed(whole)) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(whole) = with_header(layout) else { return };
        let block = opaque(block);
        // SAFETY: `block` came from `allocate` with this layout, so a tag and the whole inner block lie before it.
        unsafe {
            credit(*tag_of(block), whole.size());
            self.inner.dealloc(block.sub(header(layout)), whole);
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (Some(whole), Some(new_whole)) = (with_header(layout), new_size.checked_add(header(layout))) else {
            return std::ptr::null_mut();
        };
        let block = opaque(block);
        // SAFETY: `block` came from `allocate` with this layout; the alignment, and with it the header, stays.
        unsafe {
            let tag = *tag_of(block);
            let growth = new_whole as i64 - whole.size() as i64;
            // Billed before it is done, so that the hard limit stands before the memory is taken.
            let own = tag.slot != 0
                && CURRENT
                    .try_with(|current| {
                        let own = current.tag() == tag;
                        if own {
                            current.allocations.set(current.allocations.get() + 1);
                            current.allocated_bytes.set(current.allocated_bytes.get() + growth.max(0) as u64);
                            current.resize(growth);
                        }
                        own
                    })
                    .unwrap_or(false);
            let moved = self.inner.realloc(block.sub(header(layout)), whole, new_whole);
            if moved.is_null() {
                if own {
                    credit(tag, growth.max(0) as usize);
                }
                return moved;
            }
            if !own && tag.slot != 0 {
                credit_other(tag, growth);
            }
            opaque(moved.add(header(layout)))
        }
    }
}

/// SAFETY: `inner` must be an allocation function of the allocator that `dealloc` later gives the block back to, and
/// `layout` must not be of size zero (as `GlobalAlloc` demands).
#[inline]
unsafe fn allocate(layout: Layout, inner: impl FnOnce(Layout) -> *mut u8) -> *mut u8 {
    if !INSTALLED.load(Ordering::Relaxed) {
        INSTALLED.store(true, Ordering::Relaxed);
    }
    let Some(whole) = with_header(layout) else { return std::ptr::null_mut() };
    let tag = tag_new(whole.size());
    let start = inner(whole);
    if start.is_null() {
        credit(tag, whole.size());
        return start;
    }
    // SAFETY: the inner block is `header(layout)` bytes longer than asked for, so the offset and the tag lie within it.
    unsafe {
        let block = start.add(header(layout));
        tag_of(block).write(tag);
        opaque(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static METERED: MeteredAlloc = MeteredAlloc::system();

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    const LIMITED: MemoryLimits = MemoryLimits { memory: Some(10_000), allocations: Some(5) };

    #[test]
    fn blocks_keep_size_alignment_and_contents() {
        for align in [1, 2, 8, 16, 32, 64, 4096] {
            let layout = layout(100, align);
            // SAFETY: the layout is not empty, and each block is given back once, with the layout it then has.
            unsafe {
                let block = METERED.alloc_zeroed(layout);
                assert_eq!(block as usize % align, 0);
                assert!((0..100).all(|i| *block.add(i) == 0));
                block.write_bytes(7, 100);
                let block = METERED.realloc(block, layout, 5000);
                assert_eq!(block as usize % align, 0);
                assert!((0..100).all(|i| *block.add(i) == 7));
                METERED.dealloc(block, Layout::from_size_align(5000, align).unwrap());
            }
        }
    }

    #[test]
    fn the_owner_is_billed_and_credited_whoever_frees() {
        let (a, b) = (Account::open().unwrap(), Account::open().unwrap());
        let layout = layout(1000, 8);
        // SAFETY: as above.
        unsafe {
            let block = billed(&a, MemoryLimits::default(), || METERED.alloc(layout));
            let other = billed(&a, MemoryLimits::default(), || METERED.alloc(layout)) as usize;
            assert_eq!(a.held(), 2 * 1008);
            billed(&b, MemoryLimits::default(), || METERED.dealloc(block, layout));
            assert_eq!((a.held(), b.held()), (1008, 0));
            let free = move || METERED.dealloc(other as *mut u8, layout);
            std::thread::spawn(free).join().unwrap();
            assert_eq!(a.held(), 0);
        }
    }

    #[test]
    fn a_closed_account_is_not_credited_to_its_successor() {
        let layout = layout(1000, 8);
        let first = Account::open().unwrap();
        let slot = first.tag.slot;
        // SAFETY: as above.
        let block = billed(&first, MemoryLimits::default(), || unsafe { METERED.alloc(layout) });
        drop(first);
        let mut others = Vec::new();
        let second = loop {
            let account = Account::open().unwrap();
            if account.tag.slot == slot {
                break account;
            }
            others.push(account);
        };
        // SAFETY: as above.
        unsafe { METERED.dealloc(block, layout) };
        assert_eq!(SLOTS[second.tag.slot as usize].held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn limits_are_flagged_and_a_collection_can_clear_the_memory_one() {
        let account = Account::open().unwrap();
        let layout = layout(6000, 8);
        billed(&account, LIMITED, || {
            // SAFETY: as above.
            unsafe {
                let first = METERED.alloc(layout);
                assert_eq!(exceeded(), None);
                let second = METERED.alloc(layout);
                assert!(pressure());
                assert_eq!(exceeded(), Some(Limit::Memory));
                relieve(|| METERED.dealloc(first, layout));
                assert_eq!(exceeded(), None);
                let third = METERED.alloc(layout);
                assert_eq!(exceeded(), Some(Limit::Memory));
                METERED.dealloc(second, layout);
                METERED.dealloc(third, layout);
            }
            assert_eq!(bill().peak_bytes, 2 * 6008);
            assert_eq!(bill().live_bytes, 0);
        });
        billed(&account, LIMITED, || {
            for _ in 0..6 {
                // SAFETY: as above.
                unsafe { METERED.dealloc(METERED.alloc(layout), layout) };
            }
            assert_eq!(exceeded(), Some(Limit::Allocations));
        });
    }

    #[test]
    fn what_is_allocated_while_paused_is_nobodys() {
        let account = Account::open().unwrap();
        let layout = layout(1000, 8);
        billed(&account, MemoryLimits::default(), || {
            // SAFETY: as above.
            unsafe {
                let own = METERED.alloc(layout);
                let paused = pause();
                let hosts = METERED.alloc(layout);
                METERED.dealloc(own, layout);
                drop(paused);
                assert_eq!(live(), 0);
                METERED.dealloc(hosts, layout);
            }
            assert_eq!((live(), bill().allocations), (0, 1));
        });
        assert_eq!(account.held(), 0);
    }
}
