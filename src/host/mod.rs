//! What the host and a script exchange.
//!
//! * [`convert`]: values, both ways.

pub(crate) mod convert;
