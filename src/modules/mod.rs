//! The modules that a policy can grant.
//!
//! Each is a Python source of pycage's own, `*.py` beside this file, with native functions where it needs them. A sandbox
//! runs the source of a module when it first imports it, in the sandbox: metered and guarded like a script. So classes and
//! functions are the sandbox's own, nothing is shared, and the bill is the same cold or warm. What the script gets is a
//! facade of the public names, see [`facade`](crate::guard::facade).
//!
//! * [`table`]: the modules of a sandbox, and how one is imported.
//! * [`scripts`]: modules that are scripts of the plugin's own.
//! * [`library`]: sources compiled once for the process, native functions made once for an interpreter.
//! * [`native`]: the native functions.
//! * [`presets`]: which modules go together.

pub(crate) mod library;
pub(crate) mod native;
pub(crate) mod presets;
pub(crate) mod scripts;
pub(crate) mod table;

use native::{Natives, none};
use rustpython_vm::PyResult;

/// A module that can be granted.
pub(crate) struct Module {
    pub name: &'static str,
    /// Names that begin with an underscore stay inside, all others are public.
    pub source: &'static str,
    /// What type checkers are told of it, see [`stubs`](crate::stubs).
    pub stub: &'static str,
    /// Puts native functions among the module's names, before its source runs.
    pub natives: fn(&mut Natives<'_>) -> PyResult<()>,
}

/// The module of this name.
pub(crate) fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().chain(FOR_FILES).find(|module| module.name == name)
}

/// Whether a policy can grant a module of this name.
pub(crate) fn grantable(name: &str) -> bool {
    MODULES.iter().any(|module| module.name == name)
}

/// What comes with files that the host mounts, and cannot be granted otherwise.
pub(crate) static FOR_FILES: &[Module] = &[
    Module {
        name: FILES,
        source: include_str!("files.py"),
        stub: include_str!("../stubs/typeshed/files.pyi"),
        natives: native::files::install,
    },
    Module {
        name: PATHLIB,
        source: include_str!("pathlib.py"),
        stub: include_str!("../stubs/typeshed/pathlib.pyi"),
        natives: native::files::install,
    },
];

/// Where `open` is defined. No script can import it.
pub(crate) const FILES: &str = "_files";

/// The one of them that scripts import.
pub(crate) const PATHLIB: &str = "pathlib";

/// All modules, in the order of their names.
pub(crate) static MODULES: &[Module] = &[
    Module {
        name: "abc",
        source: include_str!("abc.py"),
        stub: include_str!("../stubs/typeshed/abc.pyi"),
        natives: native::objects::abc,
    },
    Module {
        name: "bisect",
        source: include_str!("bisect.py"),
        stub: include_str!("../stubs/typeshed/bisect.pyi"),
        natives: none,
    },
    Module {
        name: "collections",
        source: include_str!("collections.py"),
        stub: include_str!("../stubs/typeshed/collections.pyi"),
        natives: native::taken::collections,
    },
    Module {
        name: "contextlib",
        source: include_str!("contextlib.py"),
        stub: include_str!("../stubs/typeshed/contextlib.pyi"),
        natives: none,
    },
    Module {
        name: "copy",
        source: include_str!("copy.py"),
        stub: include_str!("../stubs/typeshed/copy.pyi"),
        natives: native::objects::copy,
    },
    Module {
        name: "dataclasses",
        source: include_str!("dataclasses.py"),
        stub: include_str!("../stubs/typeshed/dataclasses.pyi"),
        natives: native::objects::dataclasses,
    },
    Module {
        name: "datetime",
        source: concat!(
            include_str!("datetime/calendar.py"),
            include_str!("datetime/delta.py"),
            include_str!("datetime/date.py"),
            include_str!("datetime/datetime.py"),
        ),
        stub: include_str!("../stubs/typeshed/datetime.pyi"),
        natives: none,
    },
    Module {
        name: "decimal",
        source: concat!(
            include_str!("decimal/context.py"),
            include_str!("decimal/arithmetic.py"),
            include_str!("decimal/operations.py"),
            include_str!("decimal/decimal.py"),
        ),
        stub: include_str!("../stubs/typeshed/decimal.pyi"),
        natives: none,
    },
    Module {
        name: "enum",
        source: include_str!("enum.py"),
        stub: include_str!("../stubs/typeshed/enum.pyi"),
        natives: native::objects::enumerations,
    },
    Module {
        name: "fractions",
        source: include_str!("fractions.py"),
        stub: include_str!("../stubs/typeshed/fractions.pyi"),
        natives: none,
    },
    Module {
        name: "functools",
        source: include_str!("functools.py"),
        stub: include_str!("../stubs/typeshed/functools.pyi"),
        natives: none,
    },
    Module {
        name: "heapq",
        source: include_str!("heapq.py"),
        stub: include_str!("../stubs/typeshed/heapq.pyi"),
        natives: none,
    },
    Module {
        name: "itertools",
        source: include_str!("itertools.py"),
        stub: include_str!("../stubs/typeshed/itertools.pyi"),
        natives: native::taken::itertools,
    },
    Module {
        name: "json",
        source: include_str!("json.py"),
        stub: include_str!("../stubs/typeshed/json.pyi"),
        natives: native::json::install,
    },
    Module {
        name: "math",
        source: include_str!("math.py"),
        stub: include_str!("../stubs/typeshed/math.pyi"),
        natives: native::math::install,
    },
    Module {
        name: "operator",
        source: include_str!("operator.py"),
        stub: include_str!("../stubs/typeshed/operator.pyi"),
        natives: none,
    },
    Module {
        name: "random",
        source: include_str!("random.py"),
        stub: include_str!("../stubs/typeshed/random.pyi"),
        natives: native::random::install,
    },
    Module {
        name: "re",
        source: include_str!("re.py"),
        stub: include_str!("../stubs/typeshed/re.pyi"),
        natives: native::re::install,
    },
    Module {
        name: "statistics",
        source: include_str!("statistics.py"),
        stub: include_str!("../stubs/typeshed/statistics.pyi"),
        natives: none,
    },
    Module {
        name: "string",
        source: include_str!("string.py"),
        stub: include_str!("../stubs/typeshed/string.pyi"),
        natives: none,
    },
    Module {
        name: "textwrap",
        source: include_str!("textwrap.py"),
        stub: include_str!("../stubs/typeshed/textwrap.pyi"),
        natives: none,
    },
    Module {
        name: "time",
        source: concat!(include_str!("datetime/calendar.py"), include_str!("datetime/time.py")),
        stub: include_str!("../stubs/typeshed/time.pyi"),
        natives: none,
    },
    Module {
        name: "typing",
        source: include_str!("typing.py"),
        stub: include_str!("../stubs/typeshed/typing.pyi"),
        natives: none,
    },
];
