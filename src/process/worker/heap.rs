//! The heap of the system's allocator, made fit for a process that is jailed, and forked.

/// Has the allocator keep to its first arena, whatever other threads there were.
///
/// glibc gives arenas of another kind to other threads (such as stacks for tasks are made on), goes over to them when the first
/// one cannot grow, and opens a file of `/proc` before it shrinks one, for which the jail would kill the worker.
pub(super) fn one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets a number of the allocator's, and is called while there is no other thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Takes up what is free between the blocks of this process, for good, so that later blocks lie side by side at the heap's end.
///
/// An interpreter that came up leaves holes on most of its pages. A forked worker whose blocks went there would have each of
/// these pages copied, one at a time, before it has said anything; blocks at the end share a few pages that nobody else has.
/// What is taken up is never written to, and so the template's and its workers' in common.
pub(super) fn fill_holes() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // The largest first, so that no hole is left in parts; above that size blocks are mapped by themselves.
        const LARGEST: usize = 64 << 10;
        const STEP: usize = 16;
        // SAFETY: asks for numbers, and for where the heap ends.
        let (end, top) = unsafe { (libc::sbrk(0) as usize, libc::mallinfo2().keepcost) };
        let top = end.saturating_sub(top);
        let mut size = LARGEST;
        while size >= STEP {
            // SAFETY: a block that nobody else has; it is given back, or forgotten.
            unsafe {
                let block = libc::malloc(size);
                if (block as usize) < top && !block.is_null() {
                    continue;
                }
                libc::free(block);
            }
            size -= STEP;
        }
    }
}
