//! Which modules go together.

/// Calculation, text and containers: what a plugin of a game needs.
pub(crate) const PLUGIN: &[&str] = &[
    "abc",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "time",
    "typing",
];

/// Everything there is.
pub(crate) fn data() -> impl Iterator<Item = &'static str> {
    super::MODULES.iter().map(|module| module.name)
}
