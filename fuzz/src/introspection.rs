//! A grammar of programs that look for a way out of the sandbox: every form by which Python fetches, binds or calls
//! something, on every kind of object, with the names that lead into an interpreter.

use arbitrary::Unstructured;
use std::fmt::Write;

/// What every program starts from. `keep` remembers what was got hold of, to be looked at afterwards.
const PREAMBLE: &str = "\
kept = []
keep = kept.append
class S(str):
    def startswith(self, *a): return False
    def __eq__(self, o): return True
    def __hash__(self): return 0
    def __str__(self): return 'real'
class C:
    attr = 1
    def __init__(self, *a, **k): self.x = a
    def method(self, *a): return self
    def above(self): return super()
    def __getitem__(self, k):
        keep(k)
        return self
    def __enter__(self): return self
    def __exit__(self, kind, error, tb):
        keep(kind); keep(error); keep(tb)
        return True
    def __call__(self, *a, **k):
        keep(a)
        return self
    def __format__(self, spec):
        keep(spec)
        return 'f'
    def __lt__(self, o):
        keep(o)
        return True
    @property
    def computed(self): return self.x
    @classmethod
    def made(cls, *a): return cls
    @staticmethod
    def helper(*a): return a
def f(*a, **k): return a
def gen(*a):
    try:
        got = yield a
        keep(got)
    finally: keep(1)
async def co(*a): return a
async def agen(*a): yield a
c = C(); g = gen(1); n = co(1); a = agen(1)
try: 1 / 0
except Exception as caught: e = caught
";

/// Names that lead into the interpreter, or look as if they did.
const NAMES: [&str; 123] = [
    "__class__",
    "__base__",
    "__bases__",
    "__mro__",
    "mro",
    "__subclasses__",
    "__dict__",
    "__globals__",
    "__builtins__",
    "__code__",
    "__closure__",
    "__defaults__",
    "__kwdefaults__",
    "__self__",
    "__func__",
    "__wrapped__",
    "__module__",
    "__name__",
    "__qualname__",
    "__doc__",
    "__annotations__",
    "__annotate__",
    "__type_params__",
    "__objclass__",
    "__get__",
    "__set__",
    "__delete__",
    "__getattribute__",
    "__getattr__",
    "__setattr__",
    "__delattr__",
    "__init__",
    "__new__",
    "__call__",
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__init_subclass__",
    "__class_getitem__",
    "__set_name__",
    "__prepare__",
    "__subclasshook__",
    "__instancecheck__",
    "__subclasscheck__",
    "__mro_entries__",
    "__match_args__",
    "__slots__",
    "__weakref__",
    "__dir__",
    "__format__",
    "__str__",
    "__repr__",
    "__hash__",
    "__eq__",
    "__iter__",
    "__next__",
    "__await__",
    "__aiter__",
    "__anext__",
    "__enter__",
    "__exit__",
    "__del__",
    "__import__",
    "__build_class__",
    "__loader__",
    "__spec__",
    "__file__",
    "__origin__",
    "__args__",
    "__parameters__",
    "__value__",
    "__bound__",
    "__constraints__",
    "__default__",
    "evaluate_value",
    "evaluate_bound",
    "__context__",
    "__cause__",
    "__traceback__",
    "__suppress_context__",
    "__notes__",
    "with_traceback",
    "add_note",
    "args",
    "obj",
    "name",
    "object",
    "value",
    "tb_frame",
    "tb_next",
    "gi_frame",
    "gi_code",
    "gi_yieldfrom",
    "cr_frame",
    "cr_origin",
    "cr_await",
    "ag_frame",
    "ag_await",
    "f_back",
    "f_globals",
    "f_builtins",
    "f_locals",
    "f_code",
    "co_consts",
    "cell_contents",
    "fget",
    "fset",
    "func",
    "mapping",
    "_canary_secret",
    "secret",
    "modules",
    "alarm",
    "treasure",
    "format",
    "format_map",
    "join",
    "real",
    "x",
    "attr",
    "method",
    "throw",
    "send",
];

/// Objects to start from.
const OBJECTS: [&str; 72] = [
    "len",
    "print",
    "getattr",
    "setattr",
    "hasattr",
    "delattr",
    "isinstance",
    "issubclass",
    "type",
    "object",
    "int",
    "str",
    "list",
    "dict",
    "tuple",
    "set",
    "frozenset",
    "bytes",
    "bytearray",
    "range",
    "slice",
    "map",
    "filter",
    "zip",
    "enumerate",
    "property",
    "classmethod",
    "staticmethod",
    "super",
    "Exception",
    "ValueError",
    "StopIteration",
    "AttributeError",
    "sorted",
    "iter",
    "next",
    "ask",
    "kept",
    "keep",
    "S",
    "C",
    "c",
    "f",
    "gen",
    "g",
    "co",
    "n",
    "agen",
    "a",
    "e",
    "1",
    "1.5",
    "'t'",
    "b't'",
    "[1]",
    "{'k': 1}",
    "(1, 2)",
    "{1}",
    "...",
    "NotImplemented",
    "c.method",
    "C.made",
    "C.computed",
    "C.helper",
    "c.above()",
    "kept.sort",
    "str.format",
    "dict.fromkeys",
    "str.maketrans",
    "list[int]",
    "int | str",
    "lambda *a: a",
];

/// Builtins that scripts are not given, and other names that are not there.
const WITHHELD: [&str; 26] = [
    "eval",
    "exec",
    "compile",
    "open",
    "globals",
    "locals",
    "vars",
    "dir",
    "input",
    "__import__",
    "__builtins__",
    "__build_class__",
    "__name__",
    "__loader__",
    "__class__",
    "__classdict__",
    "__debug__",
    "memoryview",
    "BaseException",
    "BaseExceptionGroup",
    "ExceptionGroup",
    "breakpoint",
    "id",
    "help",
    "exit",
    "alarm",
];

const MODULES: [&str; 14] = [
    "sys",
    "builtins",
    "os",
    "hostmod",
    "warnings",
    "gc",
    "io",
    "_io",
    "math",
    "json",
    "codecs",
    "importlib",
    "types",
    "sys.modules",
];

const BINARY: [&str; 14] = ["+", "-", "*", "/", "%", "|", "&", "@", "==", "is", "in", "<", "and", "or"];

/// Special methods and what else a class body may bind.
const SPECIAL: [&str; 34] = [
    "__getattr__",
    "__getattribute__",
    "__get__",
    "__set__",
    "__set_name__",
    "__init_subclass__",
    "__class_getitem__",
    "__prepare__",
    "__new__",
    "__call__",
    "__instancecheck__",
    "__mro_entries__",
    "__match_args__",
    "__slots__",
    "__del__",
    "__format__",
    "__str__",
    "__repr__",
    "__hash__",
    "__eq__",
    "__iter__",
    "__next__",
    "__len__",
    "__bool__",
    "__index__",
    "__contains__",
    "__getitem__",
    "__missing__",
    "__add__",
    "__radd__",
    "__enter__",
    "__exit__",
    "__await__",
    "mro",
];

/// Special methods that a class may define.
const DEFINABLE: [&str; 24] = [
    "__call__",
    "__format__",
    "__str__",
    "__repr__",
    "__hash__",
    "__eq__",
    "__iter__",
    "__next__",
    "__len__",
    "__bool__",
    "__index__",
    "__contains__",
    "__getitem__",
    "__missing__",
    "__add__",
    "__radd__",
    "__enter__",
    "__exit__",
    "__await__",
    "__setitem__",
    "__lt__",
    "__mul__",
    "__ror__",
    "__init__",
];

/// A program of these choices.
pub fn program(choices: &[u8]) -> String {
    let mut writer = Writer {
        choices: Unstructured::new(choices),
        text: PREAMBLE.to_owned(),
        names: 0,
        scope: Scope::Module,
        polite: false,
    };
    writer.polite = writer.choose(2) == 0;
    for _ in 0..24 {
        if writer.choices.is_empty() {
            break;
        }
        writer.guarded(0);
    }
    writer.text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Module,
    Function,
    Async,
}

struct Writer<'a> {
    choices: Unstructured<'a>,
    text: String,
    /// Variables `v0..` that are bound by now.
    names: usize,
    scope: Scope,
    /// Whether the source has only what the validator allows, so that the program runs with it on. Names that are made
    /// while it runs are any.
    polite: bool,
}

impl Writer<'_> {
    /// One of so many; the first when the choices are used up.
    fn choose(&mut self, count: usize) -> usize {
        usize::from(self.choices.arbitrary::<u8>().unwrap_or(0)) % count
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.choose(from.len())]
    }

    /// A special method, or what else a class may bind.
    fn special(&mut self) -> &'static str {
        self.pick(if self.polite { &DEFINABLE } else { &SPECIAL })
    }

    /// A builtin that is not given, or another name that is not there.
    fn withheld(&mut self) -> &'static str {
        let name = self.pick(&WITHHELD);
        if self.polite && name.starts_with("__") { "eval" } else { name }
    }

    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "    ".repeat(indent));
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names - 1)
    }

    /// Statements, each in a `try` most times: one that fails must not keep the next from being tried.
    fn guarded(&mut self, indent: usize) {
        if self.choose(8) == 0 {
            return self.statement(indent);
        }
        self.line(indent, "try:");
        self.statement(indent + 1);
        let caught = match self.choose(16) {
            0 => "Exception",
            1 => "(ValueError, Exception) as e",
            // No class of exceptions: the program ends here.
            2 => "S as e",
            _ => "Exception as e",
        };
        self.line(indent, &format!("except {caught}: keep(e)"));
    }

    fn statement(&mut self, indent: usize) {
        let kinds = if indent > 3 { 12 } else { 32 };
        let kind = match self.choose(kinds) {
            11 | 24 | 25 | 27 if self.polite => 0,
            kind => kind,
        };
        let (x, y) = (self.expression(3), self.expression(2));
        let name = self.name();
        match kind {
            0..=2 => self.line(indent, &format!("keep({x})")),
            3..=5 => {
                let fresh = self.fresh();
                self.line(indent, &format!("{fresh} = {x}; keep({fresh})"));
            }
            6 => self.line(indent, &format!("({y}).{name} = {x}")),
            7 => {
                let name = self.clone_text(&name);
                self.line(indent, &format!("setattr({y}, {name}, {x})"));
            }
            8 => self.line(indent, &format!("({y}).{name} += {x}")),
            9 => self.line(indent, &format!("del ({y}).{name}")),
            10 => self.line(indent, &format!("raise {x} from {y}")),
            11 => {
                let module = self.pick(&MODULES);
                let form = match self.choose(4) {
                    0 => format!("import {module} as v; keep(v)"),
                    1 => format!("from {module} import {name} as v; keep(v)"),
                    2 => format!("from {module} import *"),
                    _ => format!("import {module}; keep({})", module.split('.').next().unwrap_or(module)),
                };
                self.line(indent, &form);
            }
            12 => {
                let fresh = self.fresh();
                let target = [fresh.clone(), format!("({y}).{name}"), format!("kept[{y}]"), format!("*{fresh}, _")];
                let target = &target[self.choose(4)];
                self.line(indent, &format!("for {target} in {x}:"));
                self.line(indent + 1, &format!("keep({fresh})"));
                self.guarded(indent + 1);
                self.line(indent + 1, "break");
            }
            13 => {
                let target = if self.choose(3) == 0 { format!("({y}).{name}") } else { self.fresh() };
                let asynchronous = if self.scope == Scope::Async && self.choose(2) == 0 { "async " } else { "" };
                self.line(indent, &format!("{asynchronous}with {x} as {target}:"));
                self.guarded(indent + 1);
            }
            14..=17 => self.class(indent, &x, &y),
            18..=20 => self.function(indent, &x, &y),
            21..=23 => self.matching(indent, &x, &y),
            24 => {
                let form = [
                    format!("type T[P: {x} = {y}] = {x}"),
                    format!("v: {x} = {y}"),
                    format!("def t[P: ({x}, {y})](q: P = {y}) -> {x}: return q"),
                    format!("class G[P]({x}): y: {y}"),
                ];
                let form = &form[self.choose(4)];
                self.line(indent, form);
                for bound in ["T", "t", "G"] {
                    self.line(
                        indent,
                        &format!("try: keep({bound}.{name})\n{}except Exception: pass", "    ".repeat(indent)),
                    );
                }
            }
            25 => {
                let bound = self.withheld();
                let how = if self.scope == Scope::Module { "global" } else { "nonlocal" };
                self.line(indent, &format!("def h(): {how} {bound}; {bound} = {x}; return {bound}"));
                self.line(indent, "keep(h())");
            }
            26 => {
                self.line(indent, "try:");
                self.guarded(indent + 1);
                self.line(indent + 1, &format!("raise {x}"));
                let caught = self.pick(&["Exception", "object", "C", "(Exception, S)"]);
                self.line(indent, &format!("except {caught} as e:"));
                self.line(indent + 1, &format!("keep(e.{name})"));
                if self.choose(2) == 0 {
                    self.line(indent, "finally:");
                    self.guarded(indent + 1);
                }
            }
            27 => {
                self.line(indent, &format!("try: raise ExceptionGroup('g', [{x}])"));
                self.line(indent, "except* Exception as e: keep(e)");
            }
            28 => {
                // What runs when something is freed or closed.
                self.line(indent, "def late():");
                self.line(indent + 1, "try: yield 1");
                self.line(indent + 1, &format!("finally: keep({x})"));
                self.line(indent, "v = late(); next(v); del v");
            }
            29 => {
                let runner = ["send(None)", "throw(e)", "throw(ValueError, None, None)", "close()", "__next__()"];
                let runner = runner[self.choose(5)];
                let what = ["g", "n", "a.asend(None)", "a.athrow(e)", "anext(a)", "c.above()"][self.choose(6)];
                self.line(indent, &format!("keep(({what}).{runner})"));
            }
            30 => self.line(indent, &format!("kept[0:1] = [{x}, *kept[:3]]; print({x}, {y}, sep={x})")),
            _ => {
                self.line(indent, &format!("if {x}: keep({y})"));
                self.line(indent, "else:");
                self.guarded(indent + 1);
            }
        }
    }

    fn class(&mut self, indent: usize, x: &str, y: &str) {
        if self.choose(2) == 0 {
            let decorator = self.expression(1);
            self.line(indent, &format!("@{decorator}"));
        }
        let keyword = ["metaclass", "ｍetaclass", "k", "**"][self.choose(4)];
        let bases = match self.choose(6) {
            2 | 3 if self.polite => "C".to_owned(),
            0 => "C".to_owned(),
            1 => x.to_owned(),
            2 if keyword == "**" => format!("C, **{{'metaclass': {x}}}"),
            2 => format!("C, {keyword}={x}"),
            3 => format!("*[{x}, {y}]"),
            4 => ["str", "dict", "int", "list", "Exception", "tuple"][self.choose(6)].to_owned(),
            _ => String::new(),
        };
        let class = self.fresh();
        self.line(indent, &format!("class {class}({bases}):"));
        for _ in 0..1 + self.choose(3) {
            let special = self.special();
            let value = self.expression(2);
            match self.choose(if self.polite { 2 } else { 6 }) {
                0 => self.line(indent + 1, &format!("{special} = {value}")),
                1 => self.line(indent + 1, &format!("def {special}(self, *a, **k): keep(a); return {value}")),
                2 => self.line(
                    indent + 1,
                    &format!(
                        "@classmethod\n{}def {special}(cls, *a, **k): keep(a); return super().{special}(*a)",
                        "    ".repeat(indent + 1)
                    ),
                ),
                3 => self.line(indent + 1, &format!("for {special} in [{value}]: keep({special})")),
                4 => self.line(indent + 1, &format!("({special} := {value}); keep({special})")),
                _ => {
                    let module = self.pick(&MODULES);
                    self.line(indent + 1, &format!("import {module} as {special}"));
                }
            }
        }
        self.line(indent, &format!("keep({class})"));
        let use_ = [
            format!("keep({class}())"),
            format!("keep({class}[{y}])"),
            format!("keep({class}().x)"),
            format!("keep('{{0.x}}{{0[0]}}'.format({class}()))"),
            format!("keep({class}() + {y})"),
            format!("class Below({class}): pass"),
        ];
        let use_ = &use_[self.choose(use_.len())];
        self.line(indent, use_);
    }

    fn function(&mut self, indent: usize, x: &str, y: &str) {
        if self.choose(3) == 0 {
            let decorator = self.expression(1);
            self.line(indent, &format!("@{decorator}"));
        }
        let outer = self.scope;
        let asynchronous = self.choose(3) == 0;
        self.scope = if asynchronous { Scope::Async } else { Scope::Function };
        let parameter = if self.choose(4) == 0 { self.withheld() } else { "p" };
        let shape = [
            format!("{parameter}={x}"),
            format!("{parameter}={x}, /"),
            format!("*, {parameter}={x}"),
            format!("*{parameter}"),
            format!("**{parameter}"),
            format!("{parameter}: {y} = {x}"),
        ];
        let shape = &shape[self.choose(shape.len())];
        self.line(indent, &format!("{}def h({shape}):", if asynchronous { "async " } else { "" }));
        self.line(indent + 1, "e = None");
        self.guarded(indent + 1);
        if self.choose(3) == 0 {
            let what = self.expression(2);
            let how = if asynchronous { "await" } else { "yield from" };
            let how = self.pick(&["yield", how]);
            self.line(indent + 1, &format!("keep(({how} ({what})))"));
        }
        self.line(indent + 1, &format!("return {parameter}"));
        self.scope = outer;
        let call = ["keep(h())", "keep(h)", "keep(list(h()))", "keep(h().send(None))", "keep(sorted([c, c], key=h))"];
        let call = call[self.choose(5)];
        self.line(indent, call);
    }

    fn matching(&mut self, indent: usize, x: &str, y: &str) {
        let (fresh, name) = (self.fresh(), self.name());
        let special = if self.polite { "rest" } else { self.special() };
        self.line(indent, &format!("match {x}:"));
        let pattern = match self.choose(9) {
            0 | 1 => format!("object({name}={fresh})"),
            2 => format!("{}({name}={fresh})", ["str", "C", "type", "Exception", "dict", "list"][self.choose(6)]),
            3 if !self.polite => format!("C({fresh})"),
            4 => format!("{{'k': {fresh}, **{special}}}"),
            5 => format!("[{fresh}, *{special}]"),
            6 => format!("int() | str() as {fresh}"),
            7 => format!("object({name}=object({}={fresh}))", self.name()),
            _ => format!("C.attr | {fresh}"),
        };
        self.line(indent + 1, &format!("case {pattern}: keep({fresh})"));
        self.line(indent + 1, &format!("case {fresh} if {y}: keep({fresh})"));
    }

    /// A name as it may be spelled in source.
    fn name(&mut self) -> String {
        let name = self.pick(&NAMES);
        if self.polite {
            let internal =
                ["ag_", "co_", "cr_", "evaluate_", "f_", "gi_", "tb_", "_", "mro", "fget", "fset", "cell_", "with_"];
            let plain = !internal.iter().any(|prefix| name.starts_with(prefix));
            return if plain { name.to_owned() } else { ["x", "attr", "format", "args"][self.choose(4)].to_owned() };
        }
        match self.choose(12) {
            // Folded to ASCII by the parser.
            0 => name.replacen('c', "ｃ", 1).replacen('f', "ｆ", 1),
            1 => name.replacen("__", "＿_", 1),
            2 => name.replacen("__", "_\u{fe4d}", 1),
            3 => name.replacen('a', "ᵃ", 1),
            // Mangled in a class.
            4 => name.trim_end_matches('_').to_owned(),
            _ => name.to_owned(),
        }
    }

    /// A name as text that is made while the program runs.
    fn name_text(&mut self) -> String {
        let polite = std::mem::take(&mut self.polite);
        let name = self.name();
        self.polite = polite;
        self.clone_text(&name)
    }

    fn clone_text(&mut self, name: &str) -> String {
        let half = name.char_indices().nth(name.chars().count() / 2).map_or(0, |(index, _)| index);
        let (head, tail) = name.split_at(half);
        match self.choose(9) {
            0 => format!("S('{name}')"),
            1 => format!("'{head}' + '{tail}'"),
            2 => format!("f'{{\"{head}\"}}{tail}'"),
            3 => format!("'{}'[::-1]", name.chars().rev().collect::<String>()),
            4 => format!("'{head}-{tail}'.replace('-', '')"),
            5 => format!("''.join(['{head}', '{tail}'])"),
            6 => format!("b'{}'.decode()", name.chars().filter(char::is_ascii).collect::<String>()),
            7 => format!("'%s{tail}' % '{head}'"),
            _ => format!("'{name}'"),
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        let kinds = if depth == 0 { 6 } else { 30 };
        match self.choose(kinds) {
            0..=3 => self.pick(&OBJECTS).to_owned(),
            4 if self.names > 0 => format!("v{}", self.choose(self.names)),
            4 => "e".to_owned(),
            5 => {
                let names = if self.choose(4) == 0 { self.withheld() } else { self.pick(&OBJECTS) };
                names.to_owned()
            }
            6..=9 => {
                let (x, name) = (self.expression(depth - 1), self.name());
                format!("({x}).{name}")
            }
            10..=12 => {
                let (x, name) = (self.expression(depth - 1), self.name_text());
                let default = ["", ", None"][self.choose(2)];
                format!("getattr({x}, {name}{default})")
            }
            13 => {
                let (x, y) = (self.expression(depth - 1), self.expression(depth - 1));
                let shape = [
                    "{x}()",
                    "{x}({y})",
                    "{x}(*{y})",
                    "{x}(**{y})",
                    "{x}({y}, {y})",
                    "{x}(c, {y})",
                    "{x}('n', (C,), {})",
                ];
                let shape = shape[self.choose(7)];
                format!("({})", shape.replacen("{x}", &format!("({x})"), 1).replace("{y}", &y))
            }
            14 => {
                let (x, y) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("({x})[{y}]")
            }
            15 | 16 => self.format(depth),
            17 => {
                let (x, y) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("(({x}) {} ({y}))", self.pick(&BINARY))
            }
            18 => {
                let (x, name) = (self.expression(depth - 1), self.name());
                let shape = [
                    "list(map(f, {x}))",
                    "sorted([c, c], key={x})",
                    "list(filter({x}, kept))",
                    "[v.NAME for v in [{x}]]",
                    "list(map(getattr, [{x}], ['NAME']))",
                    "max([c, 1], key={x}, default=None)",
                    "next(iter({x}, 1))",
                    "''.join(str(v) for v in [{x}])",
                    "sum([{x}], [])",
                    "dict(NAME={x})",
                    "{**{x}}",
                    "[*{x}][:3]",
                ];
                let shape = shape[self.choose(shape.len())];
                shape.replace("{x}", &x).replace("NAME", &name)
            }
            19 => {
                let name = self.name();
                let receiver =
                    ["super()", "super(C, c)", "super(C, C)", "c.above()", "super(S, S('t'))"][self.choose(5)];
                format!("{receiver}.{name}")
            }
            20 => {
                let x = self.expression(depth - 1);
                format!("type({x})")
            }
            21 => {
                let (x, y) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("type('T', ({x},), {{'{}': {y}}})", self.name())
            }
            22 => {
                let (x, y) = (self.expression(depth - 1), self.expression(depth - 1));
                let shape = [
                    "property({x})",
                    "property({x}, {y})",
                    "classmethod({x})",
                    "staticmethod({x})",
                    "super({x}, {y})",
                    "slice({x}, {y})",
                ];
                let shape = shape[self.choose(6)];
                shape.replace("{x}", &x).replace("{y}", &y)
            }
            23 => {
                let (x, name) = (self.expression(depth - 1), self.name());
                format!("(lambda: ({x}).{name})()")
            }
            24 => {
                let (x, fresh) = (self.expression(depth - 1), self.fresh());
                format!("({fresh} := {x})")
            }
            25 => {
                let x = self.expression(depth - 1);
                let shape = [
                    "hash({x})",
                    "repr({x})",
                    "str({x})",
                    "dict({x})",
                    "bytes({x})",
                    "list({x})",
                    "int({x})",
                    "iter({x})",
                    "reversed({x})",
                    "aiter({x})",
                ];
                let shape = shape[self.choose(10)];
                shape.replace("{x}", &x)
            }
            26 if !self.polite => {
                let special = self.special();
                let (x, y) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("({x}).{special}({y})")
            }
            27 => {
                format!("getattr(getattr({}, {}), {})", self.expression(depth - 1), self.name_text(), self.name_text())
            }
            28 => {
                let x = self.expression(depth - 1);
                format!("[keep(v) for v in ({x}) if keep(v) or True][:3]")
            }
            _ => {
                let x = self.expression(depth - 1);
                format!("isinstance({x}, {})", self.expression(depth - 1))
            }
        }
    }

    /// Texts that fetch.
    fn format(&mut self, depth: usize) -> String {
        let (x, name) = (self.expression(depth - 1), self.name());
        let shape = match self.choose(12) {
            0 => "'{0.NAME}'.format({x})",
            1 => "'{0.NAME.NAME}{0!r:{0.NAME}}'.format({x})",
            2 => "str.format('{a.NAME}', a={x})",
            3 => "str.format(S('{0.NAME}'), {x})",
            4 => "S('{0.NAME}').format({x})",
            5 => "'{0[NAME]}{a.NAME}'.format_map({'0': {x}, 'a': {x}})",
            6 => "'{.NAME}'.format_map(c)",
            7 => "f'{({x}).NAME}'",
            8 => "f'{1:{({x}).NAME}}'",
            9 => "'%(NAME)s' % ({x})",
            10 => "format({x}, 'NAME')",
            _ => "list(map('{0.NAME}'.format, [{x}]))",
        };
        shape.replace("{x}", &x).replace("NAME", &name)
    }
}
