//! Patterns and templates as CPython's parser reads them: a character, or a backslash with the one after it.

use super::text::Subject;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStrRef};
use rustpython_vm::common::wtf8::{CodePoint, Wtf8Buf};
use rustpython_vm::{AsObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine};

pub(super) struct Tokens<'a> {
    /// The pattern as the script gave it, for errors.
    source: PyObjectRef,
    pub text: bool,
    characters: Vec<u32>,
    at: usize,
    /// Makes the exception of a message, a pattern and a position.
    error: PyObjectRef,
    pub vm: &'a VirtualMachine,
}

/// A character that stands for itself, or one after a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Plain(u32),
    Escaped(u32),
}

impl Token {
    pub(super) fn is(self, c: char) -> bool {
        self == Token::Plain(c as u32)
    }

    /// The character, if it is plain and a `char`.
    pub(super) fn plain(self) -> Option<char> {
        match self {
            Token::Plain(c) => char::from_u32(c),
            Token::Escaped(_) => None,
        }
    }

    fn length(self) -> usize {
        match self {
            Token::Plain(_) => 1,
            Token::Escaped(_) => 2,
        }
    }

    /// As it is written.
    pub(super) fn written(self) -> String {
        match self {
            Token::Plain(c) => shown(c),
            Token::Escaped(c) => format!("\\{}", shown(c)),
        }
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn new(
        source: &Subject,
        given: PyObjectRef,
        error: PyObjectRef,
        vm: &'a VirtualMachine,
    ) -> PyResult<Self> {
        let length = source.bytes().len() as u64;
        fuel::charge(4 + length / 8, vm)?;
        fuel::reserve(length * 4, vm)?;
        let (text, characters) = match source {
            Subject::Text(text) => (true, text.as_wtf8().code_points().map(|c| c.to_u32()).collect()),
            Subject::Bytes(bytes) => (false, bytes.as_bytes().iter().map(|&c| u32::from(c)).collect()),
        };
        Ok(Tokens { source: given, text, characters, at: 0, error, vm })
    }

    /// The next token, which stays.
    pub(super) fn peek(&self) -> PyResult<Option<Token>> {
        match self.characters.get(self.at) {
            None => Ok(None),
            Some(&c) if c == u32::from(b'\\') => match self.characters.get(self.at + 1) {
                Some(&c) => Ok(Some(Token::Escaped(c))),
                None => Err(self.error_at("bad escape (end of pattern)", self.characters.len() - 1)),
            },
            Some(&c) => Ok(Some(Token::Plain(c))),
        }
    }

    pub(super) fn get(&mut self) -> PyResult<Option<Token>> {
        let token = self.peek()?;
        if let Some(token) = token {
            fuel::charge(1, self.vm)?;
            self.at += token.length();
            // What follows is read with it.
            self.peek()?;
        }
        Ok(token)
    }

    pub(super) fn next_is(&self, c: char) -> PyResult<bool> {
        Ok(self.peek()?.is_some_and(|token| token.is(c)))
    }

    pub(super) fn takes(&mut self, c: char) -> PyResult<bool> {
        let found = self.next_is(c)?;
        if found {
            self.get()?;
        }
        Ok(found)
    }

    /// Up to `most` plain characters for which `wanted` holds.
    pub(super) fn get_while(&mut self, most: usize, wanted: fn(char) -> bool) -> PyResult<String> {
        let mut found = String::new();
        while found.len() < most
            && let Some(c) = self.peek()?.and_then(Token::plain)
            && wanted(c)
        {
            found.push(c);
            self.get()?;
        }
        Ok(found)
    }

    /// What stands before `end`, which is taken too.
    pub(super) fn get_until(&mut self, end: char, name: &str) -> PyResult<Name> {
        let mut found = Vec::new();
        let mut length = 0;
        loop {
            match self.get()? {
                None if length == 0 => return Err(self.error(&format!("missing {name}"), 0)),
                None => return Err(self.error(&format!("missing {end}, unterminated name"), length)),
                Some(token) if token.is(end) => {
                    if length == 0 {
                        return Err(self.error(&format!("missing {name}"), 1));
                    }
                    return Ok(Name { characters: found, length });
                }
                Some(token) => {
                    length += token.length();
                    if let Token::Escaped(_) = token {
                        found.push(u32::from(b'\\'));
                    }
                    let (Token::Plain(c) | Token::Escaped(c)) = token;
                    found.push(c);
                }
            }
        }
    }

    pub(super) fn tell(&self) -> usize {
        self.at
    }

    pub(super) fn seek(&mut self, at: usize) {
        self.at = at;
    }

    /// An error that many characters before what is read next.
    #[cold]
    pub(super) fn error(&self, message: &str, before: usize) -> PyBaseExceptionRef {
        self.error_at(message, self.at.saturating_sub(before))
    }

    #[cold]
    pub(super) fn error_at(&self, message: &str, position: usize) -> PyBaseExceptionRef {
        self.made(self.error.call((message, self.source.clone(), position), self.vm))
    }

    /// An error that stands nowhere in particular.
    #[cold]
    pub(super) fn error_without_place(&self, message: &str) -> PyBaseExceptionRef {
        self.made(self.error.call((message,), self.vm))
    }

    fn made(&self, error: PyResult) -> PyBaseExceptionRef {
        match error {
            Ok(error) => PyBaseExceptionRef::try_from_object(self.vm, error).unwrap_or_else(|error| error),
            Err(error) => error,
        }
    }
}

/// The name of a group, as it is written.
pub(super) struct Name {
    characters: Vec<u32>,
    pub length: usize,
}

impl Name {
    pub(super) fn is_identifier(&self) -> bool {
        let mut characters = self.characters.iter().map(|&c| char::from_u32(c));
        let first = |c: char| c == '_' || rustpython_unicode::identifier::is_xid_start(c);
        characters.next().flatten().is_some_and(first)
            && characters.all(|c| c.is_some_and(rustpython_unicode::identifier::is_xid_continue))
    }

    pub(super) fn text(&self, vm: &VirtualMachine) -> PyStrRef {
        let mut text = Wtf8Buf::new();
        for point in self.characters.iter().filter_map(|&c| CodePoint::from_u32(c)) {
            text.push(point);
        }
        vm.ctx.new_str(text)
    }

    /// As `repr` of a `str`.
    pub(super) fn shown(&self, vm: &VirtualMachine) -> PyResult<String> {
        Ok(self.text(vm).as_object().repr(vm)?.to_string_lossy().into_owned())
    }

    /// A number in decimal digits of ASCII. What is larger than any group is the largest there is.
    pub(super) fn number(&self) -> Option<u32> {
        let digit = |c: &u32| char::from_u32(*c).and_then(|c| c.to_digit(10));
        self.characters
            .iter()
            .map(digit)
            .try_fold(0u32, |number, digit| Some(number.saturating_mul(10).saturating_add(digit?)))
    }
}

fn shown(c: u32) -> String {
    char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
}
