//! Ints that collide: the hash of an int is its remainder, so that `i * (2**61 - 1)` all have the hash 0.
//!
//! A dict compares exact ints without a look at any slot, so a chain of collisions is only seen where an int is hashed.
//! Distinct ints with one hash are counted there, for the run, and each further hash in their class is charged for the
//! chain that it will walk. Ints below 2**61 have a class of their own and are not looked at.

use super::cost::{self, charge};
use crate::meter::allocator;
use crate::meter::fuel;
use rustpython_vm::builtins::PyInt;
use rustpython_vm::{PyResult, VirtualMachine};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// From this many bits on an int may share its hash.
pub(super) const SHARED_FROM: u64 = 61;

/// The remainder that a hash is.
const MODULUS: u64 = (1 << 61) - 1;

/// Classes that are followed at the most.
const MOST_CLASSES: usize = 1 << 16;

/// What an int costs whose class is not followed.
const UNKNOWN: u64 = 64;

/// How fast the clock comes round when classes are not followed: once in 128 hashes.
const UNKNOWN_BYTES: usize = 1 << 16;

#[derive(Default)]
struct Classes {
    run: Option<Instant>,
    /// By hash, the first int that had it.
    first: HashMap<u64, u64>,
    /// By hash, all ints that had it, where there are several.
    shared: HashMap<u64, HashSet<u64>>,
}

thread_local! {
    static CLASSES: RefCell<Classes> = RefCell::default();
}

/// To be called before an int of [`SHARED_FROM`] bits or more is hashed.
pub(super) fn check(int: &PyInt, vm: &VirtualMachine) -> PyResult<()> {
    let Some(run) = fuel::with_run(|run| run.started) else { return Ok(()) };
    let value = int.as_bigint();
    let class = u64::try_from(&(value % MODULUS)).unwrap_or_else(|_| u64::try_from(&(-value % MODULUS)).unwrap_or(0));
    // The sign, the length and the lowest words tell two ints apart that were not made to be confused.
    let words = value.iter_u64_digits().take(4).fold(value.bits(), |all, word| all.rotate_left(23) ^ word);
    let identity = if *value < Default::default() { !words } else { words };
    match chain(run, class, identity) {
        Some(0) => Ok(()),
        Some(links) => charge(links, vm),
        None => {
            charge(UNKNOWN, vm)?;
            cost::unbilled(UNKNOWN_BYTES, vm)
        }
    }
}

/// Other ints in the class, `None` where it is not followed.
fn chain(run: Instant, class: u64, identity: u64) -> Option<u64> {
    // What is kept here is not the script's memory.
    let _paused = allocator::pause();
    CLASSES.with_borrow_mut(|classes| {
        if classes.run != Some(run) {
            *classes = Classes { run: Some(run), ..Classes::default() };
        }
        match classes.first.get(&class) {
            Some(first) if *first == identity && !classes.shared.contains_key(&class) => Some(0),
            Some(first) => {
                let shared = classes.shared.entry(class).or_insert_with(|| HashSet::from([*first]));
                shared.insert(identity);
                Some(shared.len() as u64)
            }
            None if classes.first.len() >= MOST_CLASSES => None,
            None => {
                classes.first.insert(class, identity);
                Some(0)
            }
        }
    })
}
