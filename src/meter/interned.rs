//! Names that stay: what scripts add to the interpreter's table of names.
//!
//! The interpreter finds attributes of classes by the identity of their names, so it keeps one object for each name that
//! it has seen, in one table for the process, and takes none out again: who holds one is not counted. What cannot be given
//! back must not be taken without bound, so scripts get a fixed part of memory for it. It is taken when a script is loaded
//! whose names are new to the process, and when a script makes a class attribute under a name that is.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the scripts of this process may add: some 600,000 names of usual length.
const MOST_BYTES: u64 = 64 << 20;

/// What a name takes beside its characters: the object and its place in the table.
const A_NAME: u64 = 96;

/// A part of memory that is only ever taken from.
#[derive(Debug)]
pub(crate) struct Names {
    taken: AtomicU64,
    most: u64,
}

/// There is no room for a further name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// What all names together may take.
    pub most: u64,
}

/// What scripts have added in this process.
pub(crate) static NAMES: Names = Names::new(MOST_BYTES);

impl Names {
    pub(crate) const fn new(most: u64) -> Self {
        Names { taken: AtomicU64::new(0), most }
    }

    /// Takes room for a name of that many bytes, which must be new to the interpreter.
    pub(crate) fn take(&self, length: usize) -> Result<(), Full> {
        let size = A_NAME.saturating_add(length as u64);
        let add = |taken: u64| taken.checked_add(size).filter(|&taken| taken <= self.most);
        match self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(_) => Err(Full { most: self.most }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_stays_full() {
        let names = Names::new(1000);
        assert_eq!(names.take(2000), Err(Full { most: 1000 }));
        let taken = (0..100).take_while(|_| names.take(4).is_ok()).count();
        assert_eq!(taken, 10);
        assert!(names.take(0).is_err());
        assert!(names.take(usize::MAX).is_err());
    }
}
