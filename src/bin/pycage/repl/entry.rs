//! An entry: when it is complete, and what of it is a value.

use pycage::{Error, Sandbox, SyntaxError};
use rustpython_ast::{Mod, Stmt};
use rustpython_parser::{Mode, ParseOptions};
use rustpython_text_size::Ranged;

/// An entry that has been compiled as it is.
pub struct Entry {
    source: String,
    has_value: bool,
}

impl Entry {
    /// Gives the `repr` of the last entry's value, and keeps the value in `_`; neither for `None`.
    pub const SHOW: &str = "if _value_ is not None: _ = _value_\nrepr(_value_) if _value_ is not None else None";

    /// Makes an entry keep the value of its last expression.
    pub fn new(text: &str) -> Self {
        match last_expression(text) {
            Some(range) => {
                let (before, expression) = (&text[..range.start], &text[range.clone()]);
                // On a line of its own, as the expression may end with a comment.
                let source = format!("{before}_value_ = ({expression}\n){}", &text[range.end..]);
                Entry { source, has_value: true }
            }
            None => Entry { source: text.to_owned(), has_value: false },
        }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn has_value(&self) -> bool {
        self.has_value
    }
}

fn last_expression(text: &str) -> Option<std::ops::Range<usize>> {
    let parsed = rustpython_parser::parse(text, ParseOptions::from(Mode::Module)).ok()?;
    let Mod::Module(module) = parsed.into_syntax() else { return None };
    match module.body.last() {
        Some(Stmt::Expr(statement)) => Some(statement.range().start().to_usize()..statement.range().end().to_usize()),
        _ => None,
    }
}

/// Whether an entry is to be run as it stands; else more lines belong to it.
pub fn is_complete(text: &str, sandbox: &Sandbox) -> bool {
    let ended = text.lines().last().is_none_or(|line| line.trim().is_empty()) || text.ends_with('\n');
    match sandbox.compile("<entry>", text) {
        Ok(_) => ended || !in_block(text),
        Err(Error::Syntax(error)) => {
            // What is open at its end: a bracket or a text in three quotes goes on past empty lines, a block does not.
            let open = ["unexpected EOF", "was never closed", "triple-quoted"];
            if open.iter().any(|open| error.message.contains(open)) || opens_long_text(text, &error) {
                return false;
            }
            ended || !error.message.contains("Expected an indented block")
        }
        Err(_) => true,
    }
}

/// Whether what lacks its closing quote, at the place of the error, has three.
fn opens_long_text(text: &str, error: &SyntaxError) -> bool {
    let line = text.lines().nth(error.line.saturating_sub(1) as usize).unwrap_or("");
    let quotes: String = line
        .chars()
        .skip(error.column.saturating_sub(1) as usize)
        .skip_while(|c| c.is_ascii_alphabetic())
        .take(3)
        .collect();
    error.message.contains("missing closing quote") && (quotes == "\"\"\"" || quotes == "'''")
}

/// Whether the last statement is one that ends with an empty line.
fn in_block(text: &str) -> bool {
    let first = text.lines().rfind(|line| !line.is_empty() && !line.starts_with([' ', '\t', '#', ')', ']', '}']));
    let word = first.unwrap_or("").split(|c: char| !c.is_alphanumeric() && c != '@').next().unwrap_or("");
    let blocks = [
        "if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class", "async", "match",
        "case",
    ];
    blocks.contains(&word) || word.starts_with('@')
}
