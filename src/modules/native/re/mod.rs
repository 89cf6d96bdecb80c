//! The native half of `re`: a matcher of our own, because what a pattern tries has to be charged and stopped.
//!
//! * [`tokens`], [`escapes`], [`flags`], [`parse`]: patterns to trees ([`tree`]), with CPython's messages and positions.
//! * [`set`]: sets of characters, and letters in either case.
//! * [`program`]: trees to instructions.
//! * [`machine`]: runs them, with backtracking on stacks of its own.
//! * [`template`]: what is put in the place of a match.
//! * [`text`]: what is searched.
//! * [`pattern`], [`found`]: the objects that the Python half holds.

mod escapes;
mod flags;
mod found;
mod machine;
mod parse;
mod pattern;
mod program;
mod set;
mod template;
mod text;
mod tokens;
mod tree;

use super::Natives;
use rustpython_vm::PyResult;
use rustpython_vm::class::PyClassImpl;

pub(crate) fn install(natives: &mut Natives<'_>) -> PyResult<()> {
    drop(pattern::Compiled::make_static_type());
    drop(found::Found::make_static_type());
    drop(found::Scan::make_static_type());
    natives.function("_compile", pattern::compile);
    natives.function("_is_compiled", pattern::is_compiled);
    natives.function("_is_found", found::is_found);
    Ok(())
}
