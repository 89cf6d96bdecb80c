//! A global allocator that is either the system's or the metered one, as decided at the start of `main`.

use pycage::MeteredAlloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What the runtime allocates before `main` comes from here and is never given back, so that no block is freed by an
/// allocator that it is not from.
const EARLY_BYTES: usize = 256 << 10;

#[repr(align(64))]
struct Early(UnsafeCell<[u8; EARLY_BYTES]>);

// SAFETY: only handed out in parts that do not overlap, by an atomic counter.
unsafe impl Sync for Early {}

static EARLY: Early = Early(UnsafeCell::new([0; EARLY_BYTES]));
static EARLY_USED: AtomicUsize = AtomicUsize::new(0);

static DECIDED: AtomicBool = AtomicBool::new(false);
static METERED: AtomicBool = AtomicBool::new(false);

pub struct EitherAlloc {
    metered: MeteredAlloc,
}

impl EitherAlloc {
    pub const fn new() -> Self {
        EitherAlloc { metered: MeteredAlloc::system() }
    }
}

/// Goes on with the system's allocator. Exactly one of this and [`meter`] is called, while there is one thread.
pub fn leave_bare() {
    DECIDED.store(true, Ordering::Release);
}

/// Goes on with the metered allocator.
pub fn meter() {
    METERED.store(true, Ordering::Release);
    DECIDED.store(true, Ordering::Release);
}

fn is_early(block: *mut u8) -> bool {
    let start = EARLY.0.get() as usize;
    (start..start + EARLY_BYTES).contains(&(block as usize))
}

#[cold]
#[inline(never)]
fn early(layout: Layout) -> *mut u8 {
    let align = layout.align().max(16);
    if align > 64 {
        return ptr::null_mut();
    }
    let take = |used: usize| used.next_multiple_of(align).checked_add(layout.size()).filter(|end| *end <= EARLY_BYTES);
    match EARLY_USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
        // SAFETY: the closure has checked that the block ends within the arena.
        Ok(used) => unsafe { EARLY.0.get().cast::<u8>().add(used.next_multiple_of(align)) },
        Err(_) => ptr::null_mut(),
    }
}

// SAFETY: a block comes from the arena before the decision and from the one allocator that was decided on after it; the
// arena's blocks are told by their address and never freed, all others go back to that allocator with the same layout.
unsafe impl GlobalAlloc for EitherAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !DECIDED.load(Ordering::Relaxed) {
            return early(layout);
        }
        if METERED.load(Ordering::Relaxed) {
            // SAFETY: the caller's contract.
            unsafe { self.metered.alloc(layout) }
        } else {
            // SAFETY: the caller's contract.
            unsafe { System.alloc(layout) }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_early(block) {
            return;
        }
        if METERED.load(Ordering::Relaxed) {
            // SAFETY: not early, so from the metered allocator, with this layout.
            unsafe { self.metered.dealloc(block, layout) }
        } else {
            // SAFETY: not early, so from the system's allocator, with this layout.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !is_early(block) {
            return if METERED.load(Ordering::Relaxed) {
                // SAFETY: as in `dealloc`.
                unsafe { self.metered.realloc(block, layout, new_size) }
            } else {
                // SAFETY: as in `dealloc`.
                unsafe { System.realloc(block, layout, new_size) }
            };
        }
        // SAFETY: `new_size` is not zero and does not overflow with this alignment, by the caller's contract.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are at least that long, and the new one is not the old one.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(new_size)) };
        }
        new
    }
}
