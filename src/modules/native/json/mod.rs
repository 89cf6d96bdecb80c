//! The native half of `json`.
//!
//! * [`encode`]: objects to text, as CPython formats it.
//! * [`decode`]: text to objects, with CPython's messages and positions.

mod decode;
mod encode;

use super::Natives;
use rustpython_vm::PyResult;

/// How deep values may nest, both ways.
const MAX_DEPTH: usize = 990;

pub(crate) fn install(natives: &mut Natives<'_>) -> PyResult<()> {
    natives.function("_encode", encode::encode);
    natives.function("_decode", decode::decode);
    Ok(())
}
