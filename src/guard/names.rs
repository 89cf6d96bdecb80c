//! Which names may be asked for at run time.
//!
//! The rules themselves belong to the compile ring, which checks every name that stands in the source. Here they are
//! only asked again, for names that come into being while a script runs.

use std::sync::OnceLock;

/// The compile ring's rules on names. `true` allows.
#[derive(Clone, Copy)]
pub(crate) struct NameRules {
    /// Names that may be read, set or deleted as an attribute.
    pub attribute: fn(&str) -> bool,
    /// Double-underscore names that a class body may define.
    pub special_method: fn(&str) -> bool,
}

static RULES: OnceLock<NameRules> = OnceLock::new();

/// Sets the rules for the process. The first call stands. Until then a strict rule of this module holds.
pub(crate) fn set_rules(rules: NameRules) {
    let _ = RULES.set(rules);
}

/// Whether a script may read, set or delete an attribute of this name.
pub(crate) fn attribute(name: &str) -> bool {
    // The rule that must never be lost stands here a second time.
    (!name.starts_with('_') || crate::compile::names::named_tuple(name))
        && RULES.get().map_or_else(|| !introspects(name), |rules| (rules.attribute)(name))
}

/// Whether a class body may define this double-underscore name.
pub(crate) fn special_method(name: &str) -> bool {
    !DANGEROUS_IN_CLASS.contains(&name) && RULES.get().is_none_or(|rules| (rules.special_method)(name))
}

/// Names without an underscore in front that lead into the interpreter, or might.
fn introspects(name: &str) -> bool {
    const PREFIXES: [&str; 7] = ["gi_", "cr_", "ag_", "tb_", "f_", "co_", "func_"];
    const NAMES: [&str; 9] = [
        "mro",
        "fget",
        "fset",
        "fdel",
        "with_traceback",
        "cell_contents",
        "evaluate_value",
        "evaluate_bound",
        "evaluate_constraints",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// Names in a class body that would change what the interpreter itself does with the class.
const DANGEROUS_IN_CLASS: [&str; 24] = [
    // Runs when no meter does.
    "__del__",
    // Turns `case C(x)` into attribute access by any name.
    "__match_args__",
    // Answers for what an object is.
    "__class__",
    "__dict__",
    "__weakref__",
    "__mro__",
    "__bases__",
    "__base__",
    "__mro_entries__",
    "__orig_bases__",
    "__prepare__",
    "__type_params__",
    "__abstractmethods__",
    "__abc_tpflags__",
    "__slotnames__",
    "__text_signature__",
    "__subclasses__",
    "__buffer__",
    "__release_buffer__",
    "__reduce__",
    "__reduce_ex__",
    "__builtins__",
    "__import__",
    "__build_class__",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass_and_introspection_does_not() {
        for name in ["x", "value", "args", "name", "obj", "format", "f", "code", "total_", "größe"] {
            assert!(attribute(name), "{name}");
        }
        for name in ["_", "_x", "__class__", "gi_frame", "cr_code", "ag_await", "tb_frame", "f_back", "mro", "fget"] {
            assert!(!attribute(name), "{name}");
        }
        assert!(special_method("__init__"));
        assert!(!special_method("__del__"));
        assert!(!special_method("__match_args__"));
    }
}
