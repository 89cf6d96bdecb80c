//! Which names a script may use: the one list that the validator, the bytecode guard and the guarded `getattr`,
//! `setattr` and `format` all ask.
//!
//! Python folds identifiers to NFKC, so a name is judged both as it stands and folded. Every check is closed: what is not
//! plainly harmless is refused.

use rustpython_ast::Expr;
use rustpython_parser::parse_expression;
use std::borrow::Cow;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameRule {
    /// The rule's stable name.
    pub rule: &'static str,
    /// What to do instead.
    pub advice: &'static str,
}

/// The block that a name stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Module,
    Function,
    /// The body of a class, where names become attributes of the class.
    Class,
}

/// May an attribute of this name be read, set or deleted, by whatever path?
///
/// Any `str` may come in: at run time a script can build one. Special methods are refused too, see [`special_on_super`].
pub(crate) fn attribute(name: &str) -> Result<(), NameRule> {
    let folded = fold(name)?;
    for form in [name, &folded] {
        if form.starts_with("__") {
            return Err(DUNDER_ATTRIBUTE);
        }
        if form.starts_with('_') && !named_tuple(form) {
            return Err(PRIVATE_ATTRIBUTE);
        }
        if INTROSPECTION_PREFIXES.iter().any(|prefix| form.starts_with(prefix)) || INTROSPECTION.contains(&form) {
            return Err(INTROSPECTION_ATTRIBUTE);
        }
        if KEYWORDS.contains(&form) {
            return Err(KEYWORD_NAME);
        }
    }
    Ok(())
}

/// May a name be bound or read here?
///
/// One underscore is fine, two are not: such names reach the interpreter or are mangled with the class's name. In a class
/// body the special methods of [`definable_special`] are allowed, to define one or to make one the alias of another.
/// `super` may be read and never bound, because the validator trusts a direct call of it.
pub(crate) fn name(name: &str, scope: Scope, use_: Use) -> Result<(), NameRule> {
    let folded = fold(name)?;
    for form in [name, &folded] {
        if form.starts_with("__") && !(scope == Scope::Class && definable_special(form)) {
            return Err(if scope == Scope::Class && special(form) { SPECIAL_METHOD } else { DUNDER_NAME });
        }
        if use_ == Use::Bind && form == "super" {
            return Err(REBOUND_SUPER);
        }
        if KEYWORDS.contains(&form) {
            return Err(KEYWORD_NAME);
        }
    }
    Ok(())
}

#[cfg(test)]
/// [`name`] where a name is bound.
pub(crate) fn binding(name: &str, scope: Scope) -> Result<(), NameRule> {
    self::name(name, scope, Use::Bind)
}

/// What is done with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Bind,
}

/// May this special method be called directly on `super()`, as in `super().__init__(...)`?
///
/// No arithmetic and no formatting: on a built-in base these do native work of unbounded size.
pub(crate) fn special_on_super(name: &str) -> bool {
    SPECIAL_ON_SUPER.contains(&name)
}

/// May a class define this special method?
///
/// Left out, because they run outside the script's flow or shape the object model: `__del__`, `__new__`, `__slots__`,
/// `__match_args__`, `__getattr__` and its kin, descriptors, `__init_subclass__`, `__class_getitem__`,
/// `__instancecheck__`, pickling and `__length_hint__` (native code trusts its answer with memory).
pub(crate) fn definable_special(name: &str) -> bool {
    SPECIAL_ON_SUPER.contains(&name) || DEFINABLE_ONLY.contains(&name)
}

/// Every special method that a class may define.
#[cfg(test)]
pub(crate) fn specials() -> impl Iterator<Item = &'static str> {
    SPECIAL_ON_SUPER.into_iter().chain(DEFINABLE_ONLY)
}

/// The names that a named tuple has for want of others: its fields take the plain ones. Nothing of the interpreter's that a
/// script can hold answers to them.
pub(crate) fn named_tuple(name: &str) -> bool {
    matches!(name, "_asdict" | "_field_defaults" | "_fields" | "_make" | "_replace")
}

/// Attributes that pycage's own modules use beyond what a script may: their private ones, and a closed list of special ones.
pub(crate) fn library_attribute(name: &str) -> bool {
    let private = name.starts_with('_') && !name.starts_with("__");
    private || library_special(name) || LIBRARY_ATTRIBUTE.contains(&name) || attribute(name).is_ok()
}

/// Special methods that classes of pycage's own modules define beyond what a script's may.
pub(crate) fn library_special(name: &str) -> bool {
    definable_special(name) || LIBRARY_SPECIAL.contains(&name)
}

/// May a name be spelled like this in a source? No character may look like an underscore.
pub(crate) fn spelling(name: &str) -> Result<(), NameRule> {
    if !name.is_ascii() && name.contains(UNDERSCORE_LOOKALIKES) {
        return Err(UNDERSCORE_LOOKALIKE);
    }
    Ok(())
}

/// `__name__`, with at least a letter between the underscores.
fn special(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// The name as Python folds it. Names with a character that looks like an underscore are refused, and so are names
/// beyond ASCII that are no identifiers, which no source can spell.
fn fold(name: &str) -> Result<Cow<'_, str>, NameRule> {
    if name.is_ascii() {
        return Ok(Cow::Borrowed(name));
    }
    spelling(name)?;
    // The parser folds identifiers, so asking it gives the very form that it would put into the tree. A name short
    // enough and without punctuation costs one token.
    let identifier = name.len() <= MAX_FOLDED && name.chars().all(|c| c == '_' || c.is_alphanumeric() || !c.is_ascii());
    if identifier
        && let Ok(parsed) = parse_expression(name)
        && let Expr::Name(found) = parsed.expr()
    {
        return Ok(Cow::Owned(found.id.as_str().to_owned()));
    }
    Err(NOT_AN_IDENTIFIER)
}

/// Longest name beyond ASCII, in bytes.
const MAX_FOLDED: usize = 256;

/// The six characters that NFKC folds to `_`, and the other connecting marks an identifier may hold.
const UNDERSCORE_LOOKALIKES: [char; 9] =
    ['\u{fe33}', '\u{fe34}', '\u{fe4d}', '\u{fe4e}', '\u{fe4f}', '\u{ff3f}', '\u{203f}', '\u{2040}', '\u{2054}'];

/// Frames, code objects, tracebacks, generators, coroutines, functions and lazily evaluated types keep their internals
/// under these prefixes. Closing the whole prefix covers what a later release adds.
const INTROSPECTION_PREFIXES: [&str; 8] = ["ag_", "co_", "cr_", "evaluate_", "f_", "func_", "gi_", "tb_"];

/// Introspection names without a common prefix.
const INTROSPECTION: [&str; 6] = ["cell_contents", "fdel", "fget", "fset", "mro", "with_traceback"];

/// What cannot be a name.
pub(crate) const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

const SPECIAL_ON_SUPER: [&str; 27] = [
    "__aenter__",
    "__aexit__",
    "__aiter__",
    "__anext__",
    "__bool__",
    "__call__",
    "__contains__",
    "__delitem__",
    "__enter__",
    "__eq__",
    "__exit__",
    "__ge__",
    "__getitem__",
    "__gt__",
    "__hash__",
    "__init__",
    "__iter__",
    "__le__",
    "__len__",
    "__lt__",
    "__missing__",
    "__ne__",
    "__next__",
    "__post_init__",
    "__repr__",
    "__setitem__",
    "__str__",
];

const DEFINABLE_ONLY: [&str; 53] = [
    "__abs__",
    "__add__",
    "__and__",
    "__await__",
    "__ceil__",
    "__divmod__",
    "__float__",
    "__floor__",
    "__floordiv__",
    "__format__",
    "__iadd__",
    "__iand__",
    "__ifloordiv__",
    "__ilshift__",
    "__imod__",
    "__imul__",
    "__index__",
    "__int__",
    "__invert__",
    "__ior__",
    "__ipow__",
    "__irshift__",
    "__isub__",
    "__itruediv__",
    "__ixor__",
    "__lshift__",
    "__matmul__",
    "__mod__",
    "__mul__",
    "__neg__",
    "__or__",
    "__pos__",
    "__pow__",
    "__radd__",
    "__rand__",
    "__rdivmod__",
    "__reversed__",
    "__rfloordiv__",
    "__rlshift__",
    "__rmatmul__",
    "__rmod__",
    "__rmul__",
    "__ror__",
    "__round__",
    "__rpow__",
    "__rrshift__",
    "__rshift__",
    "__rsub__",
    "__rtruediv__",
    "__rxor__",
    "__sub__",
    "__truediv__",
    "__xor__",
];

const LIBRARY_SPECIAL: [&str; 13] = [
    "__class_getitem__",
    "__complex__",
    "__copy__",
    "__deepcopy__",
    "__delattr__",
    "__get__",
    "__getattr__",
    "__init_subclass__",
    "__new__",
    "__set_name__",
    "__setattr__",
    "__slots__",
    "__trunc__",
];

const LIBRARY_ATTRIBUTE: [&str; 10] = [
    "__annotations__",
    "__args__",
    "__bases__",
    "__class__",
    "__dict__",
    "__doc__",
    "__module__",
    "__name__",
    "__origin__",
    "__qualname__",
];

const DUNDER_ATTRIBUTE: NameRule = NameRule {
    rule: "dunder-attribute",
    advice: "use the matching built-in or operator, such as len(x), str(x) or type(x); \
             special methods may be called only as super().__init__(...)",
};
const PRIVATE_ATTRIBUTE: NameRule =
    NameRule { rule: "private-attribute", advice: "give the attribute a name without a leading underscore" };
const INTROSPECTION_ATTRIBUTE: NameRule = NameRule {
    rule: "introspection-attribute",
    advice: "the interpreter keeps internals under this name; use another",
};
const DUNDER_NAME: NameRule =
    NameRule { rule: "dunder-name", advice: "use a name that begins with a letter or a single underscore" };
const SPECIAL_METHOD: NameRule = NameRule {
    rule: "special-method",
    advice: "a class may define the usual special methods, such as __init__, __str__, __eq__ or __add__; leave this one out",
};
const REBOUND_SUPER: NameRule = NameRule { rule: "rebound-super", advice: "use another name than super" };
const KEYWORD_NAME: NameRule =
    NameRule { rule: "keyword-name", advice: "this spells a keyword in other characters; use another name" };
const UNDERSCORE_LOOKALIKE: NameRule =
    NameRule { rule: "underscore-lookalike", advice: "write the name with the plain underscore, or without one" };
const NOT_AN_IDENTIFIER: NameRule =
    NameRule { rule: "not-an-identifier", advice: "use a name of letters, digits and underscores" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_refused() {
        let cases: &[(&str, &str)] = &[
            ("__class__", "dunder-attribute"),
            ("__init__", "dunder-attribute"),
            ("__", "dunder-attribute"),
            ("__x", "dunder-attribute"),
            ("_", "private-attribute"),
            ("_x", "private-attribute"),
            ("gi_frame", "introspection-attribute"),
            ("gi_yieldfrom", "introspection-attribute"),
            ("cr_frame", "introspection-attribute"),
            ("cr_origin", "introspection-attribute"),
            ("ag_frame", "introspection-attribute"),
            ("f_builtins", "introspection-attribute"),
            ("f_back", "introspection-attribute"),
            ("f_generator", "introspection-attribute"),
            ("tb_frame", "introspection-attribute"),
            ("tb_next", "introspection-attribute"),
            ("co_consts", "introspection-attribute"),
            ("func_globals", "introspection-attribute"),
            ("mro", "introspection-attribute"),
            ("fget", "introspection-attribute"),
            ("fset", "introspection-attribute"),
            ("fdel", "introspection-attribute"),
            ("cell_contents", "introspection-attribute"),
            ("evaluate_value", "introspection-attribute"),
            ("evaluate_bound", "introspection-attribute"),
            ("with_traceback", "introspection-attribute"),
            // Folding: a full-width letter, a long s, a mathematical bold letter.
            ("ｍro", "introspection-attribute"),
            ("f_back\u{ff4b}", "introspection-attribute"),
            ("__cla\u{17f}s__", "dunder-attribute"),
            ("_\u{ff41}", "private-attribute"),
            ("\u{1d426}ro", "introspection-attribute"),
            ("\u{ff49}mport", "keyword-name"),
            ("import", "keyword-name"),
            ("\u{ff3f}_class__", "underscore-lookalike"),
            ("\u{fe33}x", "underscore-lookalike"),
            ("\u{fe34}x", "underscore-lookalike"),
            ("\u{fe4d}x", "underscore-lookalike"),
            ("\u{fe4e}x", "underscore-lookalike"),
            ("\u{fe4f}x", "underscore-lookalike"),
            ("gi\u{203f}frame", "underscore-lookalike"),
            ("gi\u{2040}frame", "underscore-lookalike"),
            ("é è", "not-an-identifier"),
            ("é.x", "not-an-identifier"),
            ("é#", "not-an-identifier"),
            ("é\n", "not-an-identifier"),
            ("\u{200b}x", "not-an-identifier"),
            ("x\u{301} ", "not-an-identifier"),
        ];
        for (text, rule) in cases {
            assert_eq!(attribute(text).expect_err(text).rule, *rule, "{text}");
        }
        assert_eq!(attribute(&"é".repeat(200)).expect_err("too long").rule, "not-an-identifier");
    }

    #[test]
    fn attributes_allowed() {
        for text in [
            "obj", "name", "args", "real", "imag", "value", "x_", "x__", "f", "fx", "gi", "co", "cost", "func",
            "function", "tb", "table", "throw", "send", "close", "add_note", "größe", "名前", "ﬁeld", "evaluate",
            "mrow", "format", "append", "", "a b", "1",
        ] {
            assert_eq!(attribute(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn names_by_scope() {
        for scope in [Scope::Module, Scope::Function, Scope::Class] {
            for text in ["x", "_", "_x", "x__", "größe", "print", "f_back", "mro"] {
                assert_eq!(binding(text, scope), Ok(()), "{text} {scope:?}");
            }
            for text in ["__builtins__", "__import__", "__class__", "__name__", "__x", "__", "__debug__"] {
                assert!(binding(text, scope).is_err(), "{text} {scope:?}");
            }
            assert_eq!(binding("super", scope), Err(REBOUND_SUPER));
            assert_eq!(name("super", scope, Use::Read), Ok(()));
        }
        assert_eq!(binding("__init__", Scope::Class), Ok(()));
        assert_eq!(name("__repr__", Scope::Class, Use::Read), Ok(()));
        assert_eq!(binding("__init__", Scope::Function), Err(DUNDER_NAME));
        for text in [
            "__del__",
            "__new__",
            "__slots__",
            "__match_args__",
            "__getattr__",
            "__getattribute__",
            "__setattr__",
            "__set_name__",
            "__get__",
            "__init_subclass__",
            "__class_getitem__",
            "__instancecheck__",
            "__reduce__",
            "__length_hint__",
            "__annotate__",
            "__annotations__",
            "__dict__",
            "__mro_entries__",
            "__prepare__",
            "__buffer__",
            "__doc__",
        ] {
            assert_eq!(binding(text, Scope::Class), Err(SPECIAL_METHOD), "{text}");
            assert!(!definable_special(text) && !special_on_super(text), "{text}");
        }
    }

    #[test]
    fn look_alikes_of_special_methods_are_refused() {
        // Folded it would be allowed, as it stands it is not on the list: both forms must pass.
        assert!(binding("__ini\u{ff54}__", Scope::Class).is_err());
        assert!(binding("\u{fe4d}_x", Scope::Function).is_err());
    }

    #[test]
    fn every_special_on_super_is_definable() {
        for text in SPECIAL_ON_SUPER {
            assert!(special_on_super(text) && definable_special(text));
        }
        assert!(!special_on_super("__pow__") && !special_on_super("__format__") && !special_on_super("__class__"));
    }
}
