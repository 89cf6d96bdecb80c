//! The run ring: what a running script can reach, and what native code may do for it.
//!
//! * [`names`]: which names may be asked for, as told by the compile ring.
//! * [`attributes`]: `getattr` and its kin, for names that are only known at run time.
//! * [`builtins`]: the whitelist a sandbox starts from.
//! * [`class`]: `__build_class__`.
//! * [`facade`]: granted modules as scripts see them, and the importer that hands them out.
//! * [`format`](mod@format): `str.format` and `str.format_map`.
//! * [`isolate`]: what is closed in each interpreter.
//! * [`streams`]: where `print` goes.
//! * [`types`]: what is taken out of the built-in types, once for the process.
//! * [`anonymous`]: `repr` and `hash` that do not tell the host's addresses.

pub(crate) mod anonymous;
pub(crate) mod attributes;
pub(crate) mod builtins;
pub(crate) mod class;
pub(crate) mod facade;
pub(crate) mod format;
pub(crate) mod isolate;
pub(crate) mod names;
pub(crate) mod streams;
pub(crate) mod types;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
