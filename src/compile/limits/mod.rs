//! Limits on sources, checked before the work they bound.
//!
//! Three steps, each before what it guards: the text and its tokens before the parser, the tree's depth before anything
//! walks the tree, and the tree's costs before the compiler. The parser grows its own stack, but nothing that comes after
//! it does; and the compiler has passes that are quadratic or worse in the quantities named here.

pub(crate) mod expansion;
pub(crate) mod folding;
pub(crate) mod format;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod tree;

use crate::compile::violation::Violation;
use crate::error::SourceLimit;
use rustpython_text_size::TextSize;

/// One limit: its rule's name, what it counts and what to do about it.
#[derive(Debug)]
pub(crate) struct LimitRule {
    pub name: &'static str,
    what: &'static str,
    advice: &'static str,
}

impl LimitRule {
    /// A violation if the value is over the limit.
    pub(crate) fn check(&'static self, value: u64, max: u64, at: TextSize) -> Result<(), Violation> {
        if value <= max {
            return Ok(());
        }
        let message = format!("{} {}, and at most {max} are allowed", value, self.what);
        let mut violation = Violation::new(self.name, message, self.advice, at);
        violation.limit = Some(SourceLimit { value, max });
        Err(violation)
    }
}

macro_rules! source_limits {
    ($($(#[$doc:meta])* $field:ident $rule:ident = $default:expr, $name:literal, $what:literal, $advice:literal;)*) => {
        /// How large and how tangled a script's source may be.
        ///
        /// A source over a limit is refused as [`Error::Rejected`](crate::Error::Rejected), before the work that the limit
        /// bounds is done; the rejection carries the value and the limit. The defaults fit any plugin written by hand, and
        /// hold the time and memory of a compilation in check. Setters take and return the limits, so they chain.
        ///
        /// ```
        /// use pycage::{Error, Policy, Sandbox, SourceLimits};
        ///
        /// let limits = SourceLimits::default().definitions(1).tokens(1_000);
        /// let mut sandbox = Sandbox::builder().policy(Policy::default().source_limits(limits)).build()?;
        /// assert!(sandbox.exec("def one(): pass").is_ok());
        /// assert!(matches!(sandbox.exec("def one(): pass\ndef two(): pass"), Err(Error::Rejected(_))));
        /// # Ok::<(), Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
        pub struct SourceLimits {
            $(pub(crate) $field: u64,)*
        }

        impl Default for SourceLimits {
            fn default() -> Self {
                SourceLimits { $($field: $default,)* }
            }
        }

        impl SourceLimits {
            $(
                $(#[$doc])*
                #[doc = ""]
                #[doc = concat!("Rule `", $name, "`, by default ", stringify!($default), ".")]
                #[doc = ""]
                #[doc = "```"]
                #[doc = concat!("let limits = pycage::SourceLimits::default().", stringify!($field), "(7);")]
                #[doc = "assert_ne!(limits, pycage::SourceLimits::default());"]
                #[doc = "```"]
                #[must_use]
                pub fn $field(mut self, max: u64) -> Self {
                    self.$field = max;
                    self
                }
            )*
        }

        #[cfg(all(feature = "test-hooks", feature = "process"))]
        impl SourceLimits {
            /// No limit at all, for tests of the wall alone.
            pub(crate) fn none() -> Self {
                SourceLimits { $($field: u64::MAX,)* }
            }
        }

        $(
            pub(crate) static $rule: LimitRule = LimitRule { name: $name, what: $what, advice: $advice };
        )*

        /// Every limit with its setter, for the tests.
        #[cfg(test)]
        pub(crate) static ALL: &[(&LimitRule, fn(SourceLimits, u64) -> SourceLimits)] = &[
            $((&$rule, SourceLimits::$field),)*
        ];
    };
}

source_limits! {
    /// Bytes of source.
    bytes BYTES = 262_144, "limit-bytes", "bytes of source", "split the script, or load data from the host";
    /// Tokens, comments and line ends included.
    tokens TOKENS = 40_000, "limit-tokens", "tokens", "split the script, or load data from the host";
    /// Brackets open at once, those of f-string fields included.
    brackets BRACKETS = 64, "limit-brackets", "brackets are open at once", "use a variable for an inner part";
    /// Levels of indentation. At most 100, however high it is set.
    indentation INDENTATION = 24, "limit-indentation", "levels of indentation", "move an inner block into a function";
    /// Digits of an integer literal.
    int_digits INT_DIGITS = 4_300, "limit-int-digits", "digits in an integer", "compute the number, or use pow()";
    /// Bytes of one string literal as it is written.
    string_bytes STRING_BYTES = 65_536, "limit-string-bytes", "bytes in one string",
        "split the string, or load it from the host";
    /// Statements, expressions and patterns inside one another. No script passes about 1,100, however high it is set.
    depth DEPTH = 128, "limit-depth", "statements and expressions are nested",
        "use a variable for an inner part; join many strings with join()";
    /// Nodes of the syntax tree.
    nodes NODES = 40_000, "limit-nodes", "parts in the syntax tree", "split the script, or load data from the host";
    /// Functions and classes.
    definitions DEFINITIONS = 1_000, "limit-definitions", "functions and classes", "split the script";
    /// Functions, classes, lambdas and comprehensions.
    scopes SCOPES = 2_000, "limit-scopes", "functions, classes, lambdas and comprehensions", "split the script";
    /// Different constants: numbers, strings, and tables of them. Integers up to 255 are free.
    constants CONSTANTS = 3_000, "limit-constants", "different constants", "load data from the host, or parse it from a string";
    /// Bytes of constants that the compiler computes ahead, such as `'ab' * 10` or `(1, 2, 3)`.
    folded_bytes FOLDED_BYTES = 1_048_576, "limit-folded-bytes", "bytes of constants that the compiler would compute",
        "compute the value at run time, from a variable";
    /// Pairs of elements in all set displays of constants: their elements are compared with one another.
    set_pairs SET_PAIRS = 5_000_000, "limit-set-pairs", "pairs of elements in sets of constants", "use set() of a list";
    /// `elif` clauses of one `if`.
    elif_clauses ELIF_CLAUSES = 500, "limit-elif-clauses", "elif clauses", "use a dict or match";
    /// `for` clauses of one comprehension.
    comprehension_clauses COMPREHENSION_CLAUSES = 16, "limit-comprehension-clauses", "for clauses in one comprehension",
        "write the loops out";
    /// Comprehensions inside one another. The compiler's work doubles with each: it copies inner scopes outwards.
    comprehension_nesting COMPREHENSION_NESTING = 4, "limit-comprehension-nesting", "comprehensions are nested",
        "use a variable or a function for an inner one";
    /// Functions, classes, lambdas and comprehensions, times the different names that the script binds.
    scope_names SCOPE_NAMES = 4_000_000, "limit-scope-names", "scopes times names", "split the script";
    /// Names that functions within functions read, summed over all of them: each level hands them on.
    captured_names CAPTURED_NAMES = 30_000, "limit-captured-names", "names in functions within functions",
        "pass a list or an object instead of many names";
    /// `try` statements with `finally` inside one another, in one function.
    finally_nesting FINALLY_NESTING = 4, "limit-finally-nesting", "try/finally statements are nested",
        "move an inner one into a function";
    /// Items of `with` statements inside one another, in one function.
    with_nesting WITH_NESTING = 16, "limit-with-nesting", "with items are nested", "move an inner one into a function";
    /// Parameters of one function.
    parameters PARAMETERS = 255, "limit-parameters", "parameters", "pass a list or a dict";
    /// Arguments of one call, and bases of one class.
    arguments ARGUMENTS = 4_096, "limit-arguments", "arguments of one call", "pass a list with *";
    /// Decorators of one function or class.
    decorators DECORATORS = 64, "limit-decorators", "decorators", "combine them into one";
    /// Bases of one class.
    bases BASES = 16, "limit-bases", "bases of one class", "use fewer base classes";
    /// Targets of one assignment, deletion or loop.
    targets TARGETS = 1_024, "limit-targets", "targets", "use a list";
    /// Names that one pattern captures.
    captures CAPTURES = 64, "limit-captures", "names in one pattern", "capture a sequence and index it";
    /// Alternatives and parts of one `case`.
    pattern_nodes PATTERN_NODES = 1_024, "limit-pattern-nodes", "parts in one pattern", "use a dict or a guard";
    /// Width or precision in a constant format: of an f-string, `'%5d'`, `'{:5}'` or `format(x, '5')`.
    format_width FORMAT_WIDTH = 10_000, "limit-format-width", "characters of width or precision",
        "build long text with * or join()";
    /// Instructions that the compiler would write, about: bodies of `finally` are repeated for each way out, and what
    /// branches counts for the room that its blocks take.
    instructions INSTRUCTIONS = 150_000, "limit-instructions", "instructions to compile, about",
        "split the script, or move what a finally block does into a function";
}
