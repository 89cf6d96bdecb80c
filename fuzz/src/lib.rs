//! The bodies of the fuzz targets. `cargo fuzz` runs them on bytes that it makes up, and the tests of pycage on the seeds
//! and on what was found before (`fuzz/seeds`, `fuzz/regressions`), on any toolchain.
//!
//! A target panics when a promise is broken.

pub mod bed;
pub mod budget;
pub mod differential;
pub mod escape;
pub mod guest;
pub mod introspection;
pub mod validate;
pub mod value;
pub mod worker_frames;
#[path = "../../src/compile/instrument/tests/writer.rs"]
pub mod writer;

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. Each has a binary of its own in `fuzz_targets`.
pub const TARGETS: [Target; 6] = [
    ("validate", validate::run),
    ("escape", escape::run),
    ("differential", differential::run),
    ("budget", budget::run),
    ("value", value::run),
    ("worker_frames", worker_frames::run),
];
