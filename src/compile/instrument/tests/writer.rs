//! A generator of programs: of every form of control flow, with loops that end. The fuzz targets use it too.

use std::fmt::Write;

/// What every program may use.
const PREAMBLE: &str = "\
def cut(x):
    if isinstance(x, (str, list, tuple)): return x[:20]
    return x % 10007 if isinstance(x, int) else x
class CM:
    def __init__(self, s): self.s = s
    def __enter__(self): return self.s
    def __exit__(self, t, v, tb):
        print('exit', t)
        return self.s
class ACM:
    async def __aenter__(self): return 1
    async def __aexit__(self, *a): return False
class AIT:
    def __init__(self, n): self.n = n
    def __aiter__(self): return self
    async def __anext__(self):
        self.n -= 1
        if self.n < 0: raise StopAsyncIteration
        return self.n
class P:
    def __init__(self, x): self.x = x
    def __eq__(self, o): return isinstance(o, P) and self.x == o.x
    def __add__(self, o): return P(cut(self.x + (o.x if isinstance(o, P) else o)))
    def __repr__(self): return f'P({self.x!r})'
def gen(n):
    for i in range(n):
        try:
            x = yield i
            if x: yield ('got', x)
        except ValueError:
            yield 'caught'
        finally:
            n += 1
def drive(c):
    try: c.send(None)
    except StopIteration as e: return e.value
";

/// Turns choices into a program. Every loop ends; errors are welcome.
pub struct Writer<'a> {
    choices: &'a [u8],
    used: usize,
    text: String,
    loops: usize,
    names: usize,
    in_loop: bool,
    in_function: bool,
    in_async: bool,
    in_generator: bool,
}

impl Writer<'_> {
    /// The program that these choices make; it leaves its result in `R`.
    pub fn program(choices: &[u8]) -> String {
        let mut writer = Writer {
            choices,
            used: 0,
            text: PREAMBLE.to_owned(),
            loops: 0,
            names: 0,
            in_loop: false,
            in_function: true,
            in_async: false,
            in_generator: false,
        };
        let functions = 1 + writer.choose(3);
        for function in 0..functions {
            let kind = writer.choose(4);
            writer.in_async = kind == 0;
            writer.in_generator = kind == 1;
            let prefix = if writer.in_async { "async " } else { "" };
            let _ = writeln!(writer.text, "{prefix}def f{function}(v0, v1=2, *v2, v3='s'):");
            if writer.choose(8) == 0 {
                // Enough constants and code for prefixed arguments.
                for line in 0..300 {
                    let _ = writeln!(writer.text, "    w{} = {}", line % 20, 5000 + line);
                }
            }
            if writer.in_generator {
                writer.line(1, "yield 0");
            }
            writer.block(1, 3);
            let call = match kind {
                0 => format!("drive(f{function}(3))"),
                1 => format!("list(f{function}(3))"),
                _ => format!("f{function}(3, 4, 5)"),
            };
            let _ = writeln!(writer.text, "try: print({call})\nexcept Exception as e: print(type(e), e)");
        }
        (writer.in_function, writer.in_async, writer.in_generator) = (false, false, false);
        writer.text += "v0, v1, v2, v3 = 1, 'a', [1, 2], {'k': 1}\n";
        writer.block(0, 3);
        writer.text += "R = [v0, v1, v2, v3]\n";
        writer.text
    }

    /// A choice among `count`; 0 when the choices are used up.
    fn choose(&mut self, count: usize) -> usize {
        let choice = self.choices.get(self.used).copied().unwrap_or(0);
        self.used += 1;
        usize::from(choice) % count
    }

    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "    ".repeat(indent));
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn variable(&mut self) -> String {
        format!("v{}", self.choose(4))
    }

    fn block(&mut self, indent: usize, depth: usize) {
        for _ in 0..1 + self.choose(3) {
            if self.used > self.choices.len() {
                break;
            }
            self.statement(indent, depth);
        }
        self.line(indent, "pass");
    }

    fn inner_block(&mut self, indent: usize, depth: usize) {
        self.block(indent + 1, depth.saturating_sub(1));
    }

    fn loop_block(&mut self, indent: usize, depth: usize) {
        let outer = std::mem::replace(&mut self.in_loop, true);
        self.loops += 1;
        self.inner_block(indent, depth);
        self.loops -= 1;
        self.in_loop = outer;
    }

    fn statement(&mut self, indent: usize, depth: usize) {
        let simple = 10;
        let choice = self.choose(if depth == 0 || self.loops > 2 { simple } else { simple + 13 });
        let (a, b) = (self.expression(2), self.expression(1));
        let v = self.variable();
        match choice {
            0 | 1 => self.line(indent, &format!("{v} = cut({a})")),
            2 => self.line(indent, &format!("{v} += {b}; {v} = cut({v})")),
            3 => self.line(indent, &format!("print({a}, {b})")),
            4 => self.line(indent, &format!("{v}, *u = {a}, {b}")),
            5 => {
                let what = ["ValueError(1)", "KeyError", "IndexError('i')", "ZeroDivisionError"][self.choose(4)];
                self.line(indent, &format!("if {b}: raise {what}"));
            }
            6 if self.in_loop => {
                let how = ["break", "continue"][self.choose(2)];
                self.line(indent, &format!("if {b}: {how}"));
            }
            7 if self.in_generator => self.line(indent, &format!("{v} = yield {a}")),
            7 if self.in_async => self.line(indent, &format!("{v} = [x async for x in AIT(3)]")),
            8 if self.in_function && indent > 0 => {
                self.line(indent, &format!("if {b}: return {}", if self.in_async { "1" } else { "None" }))
            }
            9 => self.line(indent, &format!("assert {v} is not None, {b}")),
            0..=9 => self.line(indent, &format!("{v} = {b}")),
            10 => {
                self.line(indent, &format!("if {a}:"));
                self.inner_block(indent, depth);
                if self.choose(2) == 0 {
                    self.line(indent, &format!("elif {b}:"));
                    self.inner_block(indent, depth);
                }
                self.line(indent, "else:");
                self.inner_block(indent, depth);
            }
            11 | 12 => {
                let sources = [
                    "range(3)",
                    "[1, 'b', 3]",
                    "(1, 2)",
                    "zip('ab', range(5))",
                    "enumerate([3, 4])",
                    "{'a': 1, 'b': 2}",
                    "'xyz'",
                    "gen(3)",
                    "(y for y in range(3))",
                    "map(str, [1, 2])",
                    v.as_str(),
                ];
                let over = sources[self.choose(sources.len())].to_owned();
                let target = self.variable();
                self.line(indent, &format!("for {target} in {over}:"));
                self.loop_block(indent, depth);
                self.otherwise(indent, depth);
            }
            13 => {
                let counter = self.fresh("n");
                self.line(indent, &format!("{counter} = 0"));
                let turns = 2 + self.choose(3);
                self.line(indent, &format!("while ({counter} := {counter} + 1) < {turns}:"));
                self.loop_block(indent, depth);
                self.otherwise(indent, depth);
            }
            14 | 15 => {
                self.line(indent, "try:");
                self.inner_block(indent, depth);
                let handlers = self.choose(3);
                if handlers > 0 {
                    let class = ["ValueError", "(KeyError, TypeError)", "Exception", "LookupError"][self.choose(4)];
                    self.line(indent, &format!("except {class} as e:"));
                    self.line(indent + 1, "print(type(e), e)");
                    self.inner_block(indent, depth);
                    self.line(indent, "except ZeroDivisionError:");
                    self.inner_block(indent, depth);
                    if self.choose(2) == 0 {
                        self.line(indent, "else:");
                        self.inner_block(indent, depth);
                    }
                }
                if handlers != 1 {
                    self.line(indent, "finally:");
                    self.inner_block(indent, depth);
                }
            }
            16 => {
                let swallow = ["True", "False", "0"][self.choose(3)];
                let asynchronous = self.in_async && self.choose(2) == 0;
                let head = if asynchronous { "async with ACM()".to_owned() } else { format!("with CM({swallow})") };
                self.line(indent, &format!("{head} as {v}:"));
                self.inner_block(indent, depth);
            }
            17 => {
                self.line(indent, &format!("match {a}:"));
                for pattern in ["int(x) if x > 3", "{'a': y, **z}", "[1, *r]", "(c, d)", "P(x=q)", "str() | None", "_"]
                {
                    if pattern == "_" || self.choose(2) == 0 {
                        self.line(indent + 1, &format!("case {pattern}:"));
                        self.block(indent + 2, 0);
                    }
                }
            }
            18 => {
                let (name, shared) = (self.fresh("h"), self.fresh("k"));
                self.line(indent, &format!("{shared} = 1"));
                self.line(indent, &format!("def {name}(a, b=2, *c, d={b}):"));
                let scope = if self.in_function { "nonlocal" } else { "global" };
                self.line(indent + 1, &format!("{scope} {shared}"));
                self.line(indent + 1, &format!("{shared} = cut({shared} + a)"));
                self.line(indent + 1, &format!("return [lambda: {shared} for _ in (1, 2)][1]() + b"));
                let args = ["1", "1, d=2", "*[1, 2, 3]", "**{'a': 1}", "'s'"][self.choose(5)];
                self.line(indent, &format!("{v} = {name}({args})"));
            }
            19 => {
                let name = self.fresh("C");
                self.line(indent, &format!("class {name}(P):"));
                self.line(indent + 1, &format!("y = {b}"));
                self.line(indent + 1, "def __init__(self, x):");
                self.line(indent + 2, "super().__init__(x)");
                self.line(indent + 1, "@property");
                self.line(indent + 1, "def z(self): return [self.x for _ in range(2)]");
                self.line(indent, &format!("{v} = cut(({name}({a}) + P(1)).x); {v} = {name}({v}).z"));
            }
            20 => {
                let name = self.fresh("g");
                self.line(indent, &format!("{name} = gen(3); next({name})"));
                let step =
                    ["send(None)", "send(5)", "throw(ValueError)", "throw(KeyError('t'))", "close()"][self.choose(5)];
                self.line(indent, &format!("{v} = {name}.{step}"));
                self.line(indent, &format!("print({v}, list({name}))"));
            }
            21 if self.in_generator => {
                let over = ["gen(3)", "[1, 2]", "(x for x in 'ab')", "range(2)"][self.choose(4)];
                self.line(indent, &format!("{v} = yield from {over}"));
            }
            21 if self.in_async => {
                self.line(indent, "async for q in AIT(2):");
                self.loop_block(indent, depth);
            }
            _ => {
                let form = [
                    "[cut(x) for x in {a} if x]",
                    "{x: {b} for x in range(3)}",
                    "[(x, y) for x in (1, 2) for y in gen(2)]",
                    "sum(x for x in range(4) if x % 2)",
                    "{x for x in 'abc'} == {b}",
                ][self.choose(5)];
                let form = form.replace("{a}", &a).replace("{b}", &b);
                self.line(indent, &format!("{v} = {form}"));
            }
        }
    }

    fn otherwise(&mut self, indent: usize, depth: usize) {
        if self.choose(3) == 0 {
            self.line(indent, "else:");
            self.inner_block(indent, depth);
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        let choice = self.choose(if depth == 0 { 6 } else { 20 });
        if choice < 6 {
            return match choice {
                0 | 1 => self.variable(),
                2 => self.choose(5).to_string(),
                3 => ["1.5", "'ab'", "None", "[1, 2]", "(3,)", "{'a': 1}", "True"][self.choose(7)].to_owned(),
                4 => (1000 * self.choose(256)).to_string(),
                _ => format!("P({})", self.choose(4)),
            };
        }
        let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
        match choice {
            6 | 7 => format!("({a} + {b})"),
            8 => format!("({a} - {b})"),
            9 => format!("({a} * 3 % 7)"),
            10 => format!("({a} // {b})"),
            11 => format!("({a} < {b} < 9)"),
            12 => format!("({a} and {b} or not {a})"),
            13 => format!("({a} if {b} else 0)"),
            14 => format!("({a} == {b})"),
            15 => format!("f'{{{}}}:{{{}!r:>5}}'", self.variable(), self.variable()),
            16 => format!("[{a}, *[{b}]]"),
            17 => format!("{}[{b}]", self.variable()),
            18 => format!("cut({a})"),
            _ => format!("(lambda a, *b: a)({a}, {b})"),
        }
    }
}
