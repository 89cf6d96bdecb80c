//! Blocks: the header in front of each, and the allocator's own functions.

use super::MeteredAlloc;
use super::accounts::Tag;
use super::billing::{bill_growth, bill_new, credit, credit_other, owner};
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
        let block = opaque(block);
        // SAFETY: `block` came from `allocate` with this layout, which was not too large then, so a tag and the whole inner
        // block lie before it.
        unsafe {
            let whole = with_header_unchecked(layout);
            credit(*tag_of(block), whole.size());
            self.inner.dealloc(block.sub(whole.align()), whole);
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: `block` came from `allocate` with this layout, which was not too large then.
        let whole = unsafe { with_header_unchecked(layout) };
        let header = whole.align();
        let Some(new_whole) = new_size.checked_add(header).filter(|size| *size < TOO_LARGE) else {
            return std::ptr::null_mut();
        };
        let block = opaque(block);
        // SAFETY: `block` came from `allocate` with this layout; the alignment, and with it the header, stays.
        unsafe {
            let tag = *tag_of(block);
            let growth = new_whole as i64 - whole.size() as i64;
            // Billed before it is done, so that the hard limit stands before the memory is taken.
            let own = bill_growth(tag, whole.size(), growth);
            let moved = self.inner.realloc(block.sub(header), whole, new_whole);
            if moved.is_null() {
                if own {
                    credit(tag, growth.max(0) as usize);
                }
                return moved;
            }
            if !own && tag.slot() != 0 {
                credit_other(tag, growth);
            }
            opaque(moved.add(header))
        }
    }
}

/// SAFETY: `inner` must be an allocation function of the allocator that `dealloc` later gives the block back to, and
/// `layout` must not be of size zero (as `GlobalAlloc` demands).
#[inline]
unsafe fn allocate(layout: Layout, inner: impl FnOnce(Layout) -> *mut u8) -> *mut u8 {
    let Some(whole) = with_header(layout) else { return std::ptr::null_mut() };
    bill_new(whole.size());
    let start = inner(whole);
    if start.is_null() {
        credit(owner(), whole.size());
        return start;
    }
    let tag = owner();
    // A run is not billed before it is known.
    if tag == Tag::NOBODY && !INSTALLED.load(Ordering::Relaxed) {
        INSTALLED.store(true, Ordering::Relaxed);
    }
    // SAFETY: the inner block is that many bytes longer than asked for, so the offset and the tag lie within it.
    unsafe {
        let block = start.add(whole.align());
        tag_of(block).write(tag);
        opaque(block)
    }
}

/// Half of what a block may be: no smaller one overflows anything.
const TOO_LARGE: usize = 1 << (usize::BITS - 2);

/// The layout of a block with what stands in front of it: as many bytes as it is aligned to, which has room for the tag.
///
/// `None` for what is [`TOO_LARGE`].
#[inline(always)]
fn with_header(layout: Layout) -> Option<Layout> {
    // The size of a layout and its alignment add up to no more than `usize` holds.
    if layout.size() + alignment(layout) >= TOO_LARGE {
        return None;
    }
    // SAFETY: just looked at.
    Some(unsafe { with_header_unchecked(layout) })
}

#[inline(always)]
fn alignment(layout: Layout) -> usize {
    layout.align().max(size_of::<Tag>())
}

/// SAFETY: the size that it is to have must be less than [`TOO_LARGE`].
#[inline(always)]
unsafe fn with_header_unchecked(layout: Layout) -> Layout {
    let align = alignment(layout);
    // SAFETY: the alignment is a power of two, as the larger of two. It is no more than the size, and so less than
    // `TOO_LARGE`, which is a power of two as well: rounded up to the alignment the size is at most `TOO_LARGE`, which
    // `isize` holds.
    unsafe { Layout::from_size_align_unchecked(layout.size() + align, align) }
}

/// The same pointer, and nothing that the compiler knows of it.
///
/// A caller holds what the allocator gave it for a whole object of the size that it asked for. Where link-time
/// optimisation inlines the allocator into the caller, reading the tag in front of it would be taken for a read out of
/// bounds, and the code behind it for unreachable.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block, reason = "it reads and writes nothing")]
fn opaque(block: *mut u8) -> *mut u8 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut block = block;
        // SAFETY: no instruction at all; the compiler must take it for one that changes the pointer.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) block, options(pure, nomem, nostack, preserves_flags));
        }
        block
    }
    // By way of memory.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    std::hint::black_box(block)
}

/// SAFETY: `block` must lie behind the header of an allocation of this allocator.
#[inline]
unsafe fn tag_of(block: *mut u8) -> *mut Tag {
    // SAFETY: the header is at least as large as a tag and ends where the block begins; block and tag size are multiples
    // of the tag's alignment.
    unsafe { block.sub(size_of::<Tag>()).cast::<Tag>() }
}
