//! Accounts: a number for each sandbox, small enough to stand in front of every block.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// A sandbox's account with the allocator. Closed when dropped: what is freed afterwards is nobody's.
#[derive(Debug)]
pub(crate) struct Account {
    pub(super) tag: Tag,
}

/// Slot and generation of an account, as they stand in a block's header: one number, to be compared as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u64);

impl Tag {
    /// Whose blocks are that belong to no account.
    pub const NOBODY: Tag = Tag::new(0, 0);

    /// What is current where nobody is billed: no block's.
    pub const IDLE: Tag = Tag::new(0, u32::MAX);

    const fn new(slot: u32, generation: u32) -> Tag {
        Tag((generation as u64) << 32 | slot as u64)
    }

    /// Zero is nobody's.
    #[inline(always)]
    pub fn slot(self) -> u32 {
        self.0 as u32
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
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
        Some(Account { tag: Tag::new(slot, entry.generation.load(Ordering::Relaxed)) })
    }

    /// Bytes held, while the account is not current.
    #[inline]
    pub(crate) fn held(&self) -> u64 {
        SLOTS[self.tag.slot() as usize].held.load(Ordering::Relaxed).max(0) as u64
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        SLOTS[self.tag.slot() as usize].generation.fetch_add(1, Ordering::Relaxed);
        FREE.lock().returned.push(self.tag.slot());
    }
}

/// Accounts that can be open at once.
const ACCOUNTS: usize = 1 << 20;

/// The bytes an account holds, as changed while it was not current on any thread, and which opening of it is valid.
struct Slot {
    generation: AtomicU32,
    held: AtomicI64,
}

/// Zeroed, so that untouched pages of it cost no memory. Slot 0 is nobody's.
static SLOTS: [Slot; ACCOUNTS] = [const { Slot { generation: AtomicU32::new(0), held: AtomicI64::new(0) } }; ACCOUNTS];

static FREE: Mutex<FreeList> = Mutex::new(FreeList { next: 1, returned: Vec::new() });

struct FreeList {
    next: u32,
    returned: Vec<u32>,
}

/// Adds to what an account holds, while it is not current. What is freed after its account was closed is nobody's.
pub(super) fn change(tag: Tag, bytes: i64) {
    let slot = &SLOTS[tag.slot() as usize];
    if slot.generation.load(Ordering::Relaxed) == tag.generation() {
        slot.held.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Takes what an account holds out of its slot: it becomes current.
#[inline]
pub(super) fn take(tag: Tag) -> i64 {
    SLOTS[tag.slot() as usize].held.swap(0, Ordering::Relaxed)
}

/// Writes what an account holds back to its slot: it is no longer current.
#[inline]
pub(super) fn put_back(slot: u32, bytes: i64) {
    SLOTS[slot as usize].held.fetch_add(bytes, Ordering::Relaxed);
}
