//! Blocks: the header in front of each, and the allocator's own functions.

use super::MeteredAlloc;
use super::accounts::Tag;
use super::billing::{bill_growth, bill_new, credit, credit_other};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a [`MeteredAlloc`] is this process's global allocator.
#[inline]
pub(crate) fn installed() -> bool {
    if !INSTALLED.load(Ordering::Relaxed) {
        // Nothing may have been allocated yet: allocate once, then look again.
        drop(std::hint::black_box(Box::new(0u8)));
    }
    INSTALLED.load(Ordering::Relaxed)
}

static INSTALLED: AtomicBool = AtomicBool::new(false);

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
            let own = bill_growth(tag, whole.size(), growth);
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
    let tag = bill_new(whole.size());
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
