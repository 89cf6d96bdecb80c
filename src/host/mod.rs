//! What the host and a script exchange.
//!
//! * [`awaitable`]: what scripts can await of the host.
//! * [`convert`]: values, both ways.
//! * [`function`]: functions of the host.

pub(crate) mod awaitable;
pub(crate) mod convert;
pub(crate) mod function;
