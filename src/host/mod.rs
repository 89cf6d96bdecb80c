//! What the host and a script exchange.
//!
//! * [`awaitable`]: what scripts can await of the host.
//! * [`convert`]: values, both ways.
//! * [`gate`]: what is counted, paid and caught whenever a script calls the host.
//! * [`args`]: the arguments of such a call, into Rust types.
//! * [`failure`]: what comes of it.
//! * [`function`]: functions of the host.
//! * [`context`]: what a host function knows of the call that it serves.
//! * [`callback`], [`callback_call`]: callables of a script in the host's hands.
//! * [`object`]: objects of the host.
//! * [`module`]: modules of the host.
//! * [`resolver`]: where modules come from that are scripts.
//! * [`lend`]: functions and objects that borrow from the host, for the time of a scope.
//! * [`scope_state`]: what is kept for all this on the runner's thread.

pub(crate) mod args;
pub(crate) mod awaitable;
pub(crate) mod callback;
pub(crate) mod callback_call;
pub(crate) mod context;
pub(crate) mod convert;
pub(crate) mod failure;
pub(crate) mod function;
pub(crate) mod gate;
pub(crate) mod lend;
pub(crate) mod module;
pub(crate) mod object;
pub(crate) mod resolver;
pub(crate) mod scope_state;
