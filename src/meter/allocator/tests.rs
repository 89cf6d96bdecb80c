use super::*;
use crate::budget::Limit;
use std::alloc::{GlobalAlloc, Layout};

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
    let slot = first.tag.slot();
    // SAFETY: as above.
    let block = billed(&first, MemoryLimits::default(), || unsafe { METERED.alloc(layout) });
    drop(first);
    let mut others = Vec::new();
    let second = loop {
        let account = Account::open().unwrap();
        if account.tag.slot() == slot {
            break account;
        }
        others.push(account);
    };
    // SAFETY: as above.
    unsafe { METERED.dealloc(block, layout) };
    assert_eq!(second.held(), 0);
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

/// Growth by doubling passes the hard limit, 12 MiB above the other, and the thread goes on: the run is stopped by the flag.
#[test]
fn a_buffer_that_doubles_does_not_cost_the_thread() {
    let account = Account::open().unwrap();
    let limits = MemoryLimits { memory: Some(32 << 20), allocations: None };
    billed(&account, limits, || {
        let small = layout(30 << 20, 8);
        // SAFETY: a block of this layout, grown and then freed with the size that it has.
        unsafe {
            let block = METERED.realloc(METERED.alloc(small), small, 60 << 20);
            assert_eq!(exceeded(), Some(Limit::Memory));
            METERED.dealloc(METERED.alloc(layout(1 << 20, 8)), layout(1 << 20, 8));
            METERED.dealloc(block, layout(60 << 20, 8));
        }
    });
    assert_eq!(account.held(), 0);
}

/// A host function may run another sandbox: what the first one holds is still its own when that has ended, also where it was
/// paused twice.
#[test]
fn an_account_that_is_paused_outlives_a_run_of_another() {
    let (outer, inner) = (Account::open().unwrap(), Account::open().unwrap());
    let layout = layout(1000, 8);
    billed(&outer, LIMITED, || {
        // SAFETY: as above.
        unsafe {
            let own = METERED.alloc(layout);
            let paused = pause();
            let paused_again = pause();
            billed(&inner, MemoryLimits::default(), || {
                METERED.dealloc(METERED.alloc(layout), layout);
                METERED.dealloc(own, layout);
            });
            let resumed = resume();
            assert_eq!(live(), 0);
            drop(resumed);
            drop(paused_again);
            let hosts = METERED.alloc(layout);
            drop(paused);
            assert_eq!(live(), 0);
            let more = METERED.alloc(layout);
            METERED.dealloc(hosts, layout);
            assert_eq!((live(), bill().allocations, bill().allocated_bytes), (1008, 2, 2016));
            METERED.dealloc(more, layout);
        }
    });
    assert_eq!((outer.held(), inner.held()), (0, 0));
}

/// The peak is the most that was ever live, and what is allocated is never less, whatever comes in between.
#[test]
fn peak_and_sums_are_exact() {
    let account = Account::open().unwrap();
    let sizes = [100, 5000, 1, 300, 9000, 20, 7, 64];
    billed(&account, MemoryLimits::default(), || {
        let (mut live_bytes, mut peak, mut sum, mut count) = (0, 0, 0, 0);
        let mut blocks: Vec<(*mut u8, Layout)> = Vec::with_capacity(100);
        let before = bill();
        for turn in 0..400usize {
            // SAFETY: blocks of the layouts beside them, each given back once.
            unsafe {
                match turn % 7 {
                    0..4 => {
                        let layout = layout(sizes[turn % 8] + turn, 8);
                        blocks.push((METERED.alloc(layout), layout));
                        (live_bytes, sum, count) = (live_bytes + layout.size() + 8, sum + layout.size() + 8, count + 1);
                    }
                    4 => {
                        let (block, old) = blocks.remove(turn % blocks.len());
                        let new = layout(sizes[(turn + 3) % 8] * 2, 8);
                        blocks.push((METERED.realloc(block, old, new.size()), new));
                        live_bytes = live_bytes + new.size() - old.size();
                        (sum, count) = (sum + new.size().saturating_sub(old.size()), count + 1);
                    }
                    _ => {
                        let (block, layout) = blocks.remove(turn % blocks.len());
                        METERED.dealloc(block, layout);
                        live_bytes -= layout.size() + 8;
                    }
                }
            }
            peak = peak.max(live_bytes);
            let now = bill();
            assert_eq!((live() - before.live_bytes) as usize, live_bytes, "{turn}");
            assert_eq!((now.peak_bytes - before.live_bytes) as usize, peak, "{turn}");
            assert_eq!((now.allocated_bytes - before.allocated_bytes) as usize, sum, "{turn}");
            assert_eq!(now.allocations - before.allocations, count, "{turn}");
        }
        for (block, layout) in blocks.drain(..) {
            // SAFETY: as above.
            unsafe { METERED.dealloc(block, layout) };
        }
    });
    assert_eq!(account.held(), 0);
}
