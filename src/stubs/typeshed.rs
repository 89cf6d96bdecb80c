//! What the checkers are told of Python itself: our own text, in `typeshed/*.pyi` beside this file.
//!
//! A checker takes these for the whole of the standard library, so what is not in them is an error to it. Tests compare
//! them with what scripts can reach.

/// What there is for every sandbox, by path. Checkers do not start without some modules that scripts may not import, which
/// are in [`CHECKERS_MODULES`], nor without some names that scripts do not have, which the files tell of.
pub(crate) const ALWAYS: [(&str, &str); 5] = [
    ("builtins.pyi", include_str!("typeshed/builtins.pyi")),
    ("typing.pyi", include_str!("typeshed/typing.pyi")),
    ("typing_extensions.pyi", include_str!("typeshed/typing_extensions.pyi")),
    ("types.pyi", include_str!("typeshed/types.pyi")),
    ("_typeshed/__init__.pyi", include_str!("typeshed/typeshed.pyi")),
];

/// Modules that are there for the checkers, by path. They are empty, unless they stand in [`ALWAYS`] or are granted.
pub(crate) const CHECKERS_MODULES: [&str; 9] = [
    "typing.pyi",
    "typing_extensions.pyi",
    "types.pyi",
    "_typeshed/__init__.pyi",
    "_collections_abc.pyi",
    "collections/__init__.pyi",
    "collections/abc.pyi",
    "sys.pyi",
    "abc.pyi",
];

/// What is added to the builtins where files are mounted.
pub(crate) const OPEN: &str = include_str!("typeshed/open.pyi");

/// Where the stub of a module stands.
pub(crate) fn path_of(module: &str) -> String {
    match module {
        "collections" => "collections/__init__.pyi".to_owned(),
        other => format!("{other}.pyi"),
    }
}
