//! A grammar of programs that look for a way out of the sandbox: every form by which Python fetches, binds or calls
//! something, on every kind of object, with the names that lead into an interpreter.

mod expressions;
mod statements;
mod words;

use arbitrary::Unstructured;
use std::fmt::Write;
use words::{DEFINABLE, OBJECTS, PREAMBLE, SPECIAL, WITHHELD};

/// A module that may be granted, and its public names.
pub type Module = (String, Vec<String>);

/// A program, and how it is to be run.
#[derive(Default)]
pub struct Program {
    pub source: String,
    /// The modules that it is granted, all of which it imports first.
    pub granted: Vec<String>,
    /// Whether it runs as a task, a slice at a time.
    pub sliced: bool,
}

/// A program of these choices.
pub fn program(choices: &[u8], modules: &[Module]) -> Program {
    let mut writer = Writer {
        choices: Unstructured::new(choices),
        text: String::new(),
        modules: Vec::new(),
        names: 0,
        scope: Scope::Module,
        polite: false,
    };
    writer.polite = writer.choose(2) == 0;
    let sliced = writer.choose(4) == 0;
    for _ in 0..writer.choose(4) {
        let module = &modules[writer.choose(modules.len())];
        writer.line(0, &format!("import {}", module.0));
        writer.modules.push(module);
    }
    writer.text.push_str(PREAMBLE);
    for _ in 0..24 {
        if writer.choices.is_empty() {
            break;
        }
        writer.guarded(0);
    }
    Program { source: writer.text, granted: writer.modules.iter().map(|module| module.0.clone()).collect(), sliced }
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
    /// What is imported.
    modules: Vec<&'a Module>,
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

    /// Something to start from: an object that is there, or what a granted module has.
    fn object(&mut self) -> String {
        if !self.modules.is_empty() && self.choose(3) == 0 {
            let which = self.choose(self.modules.len());
            let (module, names) = self.modules[which];
            return match self.choose(8) {
                0 => module.clone(),
                _ => format!("{module}.{}", names[self.choose(names.len())]),
            };
        }
        self.pick(&OBJECTS).to_owned()
    }

    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "    ".repeat(indent));
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names - 1)
    }
}
