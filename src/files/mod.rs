//! Virtual files: what scripts reach with `open` and `pathlib`, where a host has mounted something.
//!
//! * [`path`]: paths as scripts write them.
//! * [`store`]: what a mount keeps its files in.
//! * `folder`: a folder of the host that cannot be left.
//! * `folder_modules`: modules of scripts in such a folder.
//! * [`memory`]: files in memory, by themselves or over a folder.
//! * [`mount`]: what a host mounts, and what scripts may put there.
//! * [`service`]: all mounts of a sandbox as one function of the host.
//! * [`failure`]: what goes wrong, as Python words it.
//!
//! The Python halves are `src/modules/files.py` and `src/modules/pathlib.py`.

mod failure;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
pub(crate) mod folder_modules;
pub(crate) mod memory;
pub(crate) mod mount;
mod path;
pub(crate) mod service;
mod store;
#[cfg(all(test, unix))]
mod tests;

/// Whether scripts can name a mount so. Narrower than what a name in it may be: it is the host's to choose.
pub(crate) fn mountable(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}
