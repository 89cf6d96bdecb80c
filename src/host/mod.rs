//! What the host and a script exchange.
//!
//! * [`convert`]: values, both ways.
//! * [`function`]: functions of the host.

pub(crate) mod convert;
pub(crate) mod function;
