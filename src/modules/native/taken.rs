//! Types that are taken from the interpreter's own native modules: static ones, whose slots and methods are guarded.

use super::Natives;
use rustpython_vm::PyResult;

/// The interpreter's modules that types are taken from. They are imported before an interpreter is closed.
pub(crate) const SOURCES: [&str; 2] = ["_collections", "itertools"];

const ITERTOOLS: [&str; 15] = [
    "accumulate",
    "chain",
    "compress",
    "count",
    "cycle",
    "dropwhile",
    "filterfalse",
    "groupby",
    "islice",
    "pairwise",
    "repeat",
    "starmap",
    "takewhile",
    "tee",
    "zip_longest",
];

pub(crate) fn itertools(natives: &mut Natives<'_>) -> PyResult<()> {
    ITERTOOLS.iter().try_for_each(|name| natives.taken("itertools", name, name))
}

pub(crate) fn collections(natives: &mut Natives<'_>) -> PyResult<()> {
    natives.taken("_collections", "deque", "_deque")
}
