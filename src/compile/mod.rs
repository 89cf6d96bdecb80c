//! The compile ring: limits, parse, validate, compile, instrument.

pub(crate) mod limits;
pub(crate) mod names;
pub(crate) mod parse;
pub(crate) mod validate;
mod violation;
