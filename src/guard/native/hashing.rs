//! Ints that collide: the hash of an int is its remainder, so that `i * (2**61 - 1)` all have the hash 0.
//!
//! A dict compares exact ints without a look at any slot, so a chain of collisions is only seen where an int is hashed.
//! Distinct ints with one hash are counted there, for the run, and each further hash in their class is charged for the
//! chain that it will walk. Ints below 2**61 have a class of their own and are not looked at.

use super::cost::{self, charge};
use crate::meter::allocator;
use crate::meter::fuel;
use crate::meter::run::Run;
use rustpython_vm::builtins::{PyInt, PyType};
use rustpython_vm::common::hash::PyHash;
use rustpython_vm::{Py, PyObject, PyResult, VirtualMachine};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

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

/// What is known of the ints of a run.
#[derive(Default)]
pub(crate) struct Classes {
    /// [`crate::meter::run::Run::serial`](crate::meter::run::Run::serial).
    run: Option<u64>,
    /// By hash, the first int that had it.
    first: HashMap<u64, u64>,
    /// By hash, all ints that had it, where there are several.
    shared: HashMap<u64, HashSet<u64>>,
}

thread_local! {
    static CLASSES: RefCell<Classes> = RefCell::default();
}

/// Puts what is known of another run in place, and what was there into `classes`.
pub(crate) fn exchange(classes: &mut Classes) {
    CLASSES.with_borrow_mut(|current| std::mem::swap(current, classes));
}

/// A dict takes the absolute value of a hash, and the least integer has none: it would panic, or look for a free place
/// for ever. Nobody can tell the two apart.
fn away_from_the_least(hash: PyHash) -> PyHash {
    if hash == PyHash::MIN { PyHash::MIN + 1 } else { hash }
}

type Hash = fn(&PyObject, &VirtualMachine) -> PyResult<PyHash>;

static TUPLE_HASH: OnceLock<Hash> = OnceLock::new();
static FROZENSET_HASH: OnceLock<Hash> = OnceLock::new();
static SCRIPT_HASH: OnceLock<Hash> = OnceLock::new();

fn tuple_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    settled(&TUPLE_HASH, object, vm)
}

fn frozenset_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    settled(&FROZENSET_HASH, object, vm)
}

fn script_hash(object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    settled(&SCRIPT_HASH, object, vm)
}

fn settled(original: &OnceLock<Hash>, object: &PyObject, vm: &VirtualMachine) -> PyResult<PyHash> {
    match original.get() {
        Some(hash) => hash(object, vm).map(away_from_the_least),
        None => Err(vm.new_system_error("a guard without an original")),
    }
}

/// Keeps the hashes that a script can choose by the parts of a value away from the one that a dict cannot take. To be
/// called before these slots get their other guards.
pub(super) fn install_extremes(vm: &VirtualMachine) {
    let types = &vm.ctx.types;
    for (class, original, guard) in [
        (types.tuple_type, &TUPLE_HASH, tuple_hash as Hash),
        (types.frozenset_type, &FROZENSET_HASH, frozenset_hash as Hash),
    ] {
        if original.get().is_none()
            && let Some(hash) = class.slots.hash.load()
        {
            let _ = original.set(hash);
            class.slots.hash.store(Some(guard));
        }
    }
}

/// The same for the `__hash__` of a class that a script made.
pub(crate) fn guard_script_hash(class: &Py<PyType>) {
    if let Some(hash) = class.slots.hash.load() {
        // One function of the interpreter calls the `__hash__` of every such class.
        let original = *SCRIPT_HASH.get_or_init(|| hash);
        if original as usize == hash as usize {
            class.slots.hash.store(Some(script_hash));
        }
    }
}

/// To be called before an int of [`SHARED_FROM`] bits or more is hashed.
pub(super) fn check(int: &PyInt, vm: &VirtualMachine) -> PyResult<()> {
    let Some(run) = fuel::with_run(Run::serial) else { return Ok(()) };
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
fn chain(run: u64, class: u64, identity: u64) -> Option<u64> {
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
