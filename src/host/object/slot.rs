//! A place for something of the host's that scripts use from the runner's thread: one user at a time, and it can be taken
//! back.

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How long one thread waits while another uses the object.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) struct Slot<X> {
    /// The thread that uses it now, as [`this_thread`] names it; 0 for none.
    holder: AtomicUsize,
    /// Whether it is being taken back: then no new use begins, so that users who come again and again do not keep the one
    /// waiting who takes it back.
    revoked: AtomicBool,
    content: Mutex<Option<X>>,
}

/// Why it cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// This thread uses it already, or another one does and goes on.
    InUse,
    /// It was taken back.
    Gone,
}

impl<X> Slot<X> {
    pub(crate) fn new(content: X) -> Self {
        Slot { holder: AtomicUsize::new(0), revoked: AtomicBool::new(false), content: Mutex::new(Some(content)) }
    }

    /// Of which the content is gone.
    #[cfg(feature = "process")]
    pub(crate) fn empty() -> Self {
        Slot { holder: AtomicUsize::new(0), revoked: AtomicBool::new(true), content: Mutex::new(None) }
    }

    /// Uses the content, alone. `wait` is asked to do the waiting, where there is some to do.
    #[inline]
    pub(crate) fn lock(&self, wait: impl FnOnce(&dyn Fn() -> bool) -> bool) -> Result<Held<'_, X>, Unavailable> {
        if self.revoked.load(Ordering::Relaxed) {
            return Err(Unavailable::Gone);
        }
        let guard = match self.content.try_lock() {
            Some(guard) => guard,
            None => self.lock_later(wait)?,
        };
        let content = MutexGuard::try_map(guard, Option::as_mut).map_err(|_| Unavailable::Gone)?;
        self.holder.store(this_thread(), Ordering::Relaxed);
        Ok(Held { content, holder: &self.holder })
    }

    #[cold]
    fn lock_later(
        &self,
        wait: impl FnOnce(&dyn Fn() -> bool) -> bool,
    ) -> Result<MutexGuard<'_, Option<X>>, Unavailable> {
        // Only this thread can have stored its own name, so that it reads it back whenever it is true.
        if self.holder.load(Ordering::Relaxed) == this_thread() {
            return Err(Unavailable::InUse);
        }
        // Waits without taking it, as the one who waits on our behalf cannot hand a guard over.
        let free = || self.content.try_lock_for(PATIENCE).is_some();
        if !wait(&free) {
            return Err(Unavailable::InUse);
        }
        self.content.try_lock_for(PATIENCE).ok_or(Unavailable::InUse)
    }

    /// Takes the content back, as soon as nobody uses it, and for good.
    pub(crate) fn revoke(&self) -> Option<X> {
        self.revoked.store(true, Ordering::Relaxed);
        self.content.lock().take()
    }
}

/// A use of the content, until it is dropped.
pub(crate) struct Held<'a, X> {
    content: MappedMutexGuard<'a, X>,
    holder: &'a AtomicUsize,
}

impl<X> Drop for Held<'_, X> {
    fn drop(&mut self) {
        // Before the lock is given back, which is when the fields go.
        self.holder.store(0, Ordering::Relaxed);
    }
}

impl<X> Deref for Held<'_, X> {
    type Target = X;

    fn deref(&self) -> &X {
        &self.content
    }
}

impl<X> DerefMut for Held<'_, X> {
    fn deref_mut(&mut self) -> &mut X {
        &mut self.content
    }
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once(free: &dyn Fn() -> bool) -> bool {
        free()
    }

    #[test]
    fn one_at_a_time_and_never_after_it_was_taken_back() {
        let slot = Slot::new(5);
        {
            let mut held = slot.lock(at_once).ok().unwrap();
            *held += 1;
            assert_eq!(slot.lock(at_once).err(), Some(Unavailable::InUse));
            std::thread::scope(|scope| {
                scope.spawn(|| assert_eq!(slot.lock(at_once).err(), Some(Unavailable::InUse)));
            });
        }
        assert_eq!(slot.lock(at_once).ok().map(|held| *held), Some(6));
        assert_eq!(slot.revoke(), Some(6));
        assert_eq!(slot.lock(at_once).err(), Some(Unavailable::Gone));
        assert_eq!(slot.revoke(), None);
    }
}
