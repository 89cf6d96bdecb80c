//! The metered allocator: a global-allocator wrapper that bills each allocation to the sandbox that made it.
//!
//! Every block carries a small header with the account that was current when it was allocated, so that a block freed
//! later (by another call, by a garbage collection in another sandbox's time, by another thread) is credited to its owner.
//! The current account is a thread-local set for the time of a run; everything outside of runs belongs to nobody.
//!
//! An allocator can neither unwind nor raise. Past the soft limit it sets a flag and arms the fuel slice, so that the next
//! probe stops the script. What would pass the hard limit in one native operation is refused before by the guards; if the
//! limit is reached all the same, the thread is parked for good.
//!
//! * [`accounts`]: who can be billed.
//! * [`billing`]: the account that is current on a thread, its limits and its bill.
//! * [`blocks`]: the headers of blocks, and the allocator's own functions.

mod accounts;
mod billing;
mod blocks;
#[cfg(test)]
mod tests;

pub(crate) use accounts::Account;
pub(crate) use billing::{
    MemoryBill, MemoryLimits, bill, billed, billed_on, exceeded, live, max_allocations, pause, pressure, relieve,
    resume, set_lost_hook,
};
pub(crate) use blocks::installed;

use std::alloc::System;

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
    ///
    /// ```
    /// #[global_allocator]
    /// static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();
    /// # fn main() -> Result<(), pycage::Error> {
    /// assert!(pycage::Sandbox::new()?.enforced().contains(&"memory"));
    /// # Ok(()) }
    /// ```
    pub const fn system() -> Self {
        MeteredAlloc { inner: System }
    }
}

impl<A> MeteredAlloc<A> {
    /// Meters `inner`, for example mimalloc.
    ///
    /// ```
    /// use std::alloc::System;
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: pycage::MeteredAlloc<System> = pycage::MeteredAlloc::new(System);
    /// # fn main() {}
    /// ```
    pub const fn new(inner: A) -> Self {
        MeteredAlloc { inner }
    }
}
