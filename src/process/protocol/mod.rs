//! What host and worker say to each other: frames of a length, a kind and a payload in postcard.
//!
//! ```text
//! length  u32, little-endian: of kind and payload together
//! kind    u8
//! payload what the kind says, in postcard
//! ```
//!
//! The first frame each way carries the version. Neither side believes the other: a length is checked against its kind's
//! cap before anything is kept, memory grows with what has arrived and not with what was announced, values have a bound on
//! depth and parts, and anything that does not fit ends the conversation.
//!
//! * [`frame`]: reading and writing frames.
//! * [`message`]: what each kind carries.
//! * [`outcome`]: results and errors of runs.
//! * [`value`], how values are written.

pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod outcome;
pub(crate) mod value;

/// The version in the first frames. Host and worker must be of the same.
pub(crate) const VERSION: u32 = 2;
