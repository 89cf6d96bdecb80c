//! Expressions: every form by which something is fetched or called.

use super::Writer;
use super::words::{BINARY, NAMES};

impl Writer<'_> {
    /// A name as it may be spelled in source.
    pub(super) fn name(&mut self) -> String {
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
    pub(super) fn name_text(&mut self) -> String {
        let polite = std::mem::take(&mut self.polite);
        let name = self.name();
        self.polite = polite;
        self.clone_text(&name)
    }

    pub(super) fn clone_text(&mut self, name: &str) -> String {
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

    pub(super) fn expression(&mut self, depth: usize) -> String {
        let kinds = if depth == 0 { 6 } else { 30 };
        match self.choose(kinds) {
            0..=3 => self.object(),
            4 if self.names > 0 => format!("v{}", self.choose(self.names)),
            4 => "e".to_owned(),
            5 => {
                if self.choose(4) == 0 {
                    self.withheld().to_owned()
                } else {
                    self.object()
                }
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
    pub(super) fn format(&mut self, depth: usize) -> String {
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
