//! Statements: every form by which a name is bound or a block entered.

use super::words::MODULES;
use super::{Scope, Writer};

impl Writer<'_> {
    /// Statements, each in a `try` most times: one that fails must not keep the next from being tried.
    pub(super) fn guarded(&mut self, indent: usize) {
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
}
