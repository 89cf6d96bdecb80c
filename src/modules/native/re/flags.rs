//! Flags, given and written inside a pattern.

use super::set::Fold;
use super::tokens::{Token, Tokens};
use rustpython_vm::{PyResult, VirtualMachine};

/// The flags that hold at a place of a pattern, with CPython's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(pub u32);

impl Flags {
    pub(super) const IGNORECASE: u32 = 2;
    pub(super) const LOCALE: u32 = 4;
    pub(super) const MULTILINE: u32 = 8;
    pub(super) const DOTALL: u32 = 16;
    pub(super) const UNICODE: u32 = 32;
    pub(super) const VERBOSE: u32 = 64;
    pub(super) const ASCII: u32 = 256;
    const TYPES: u32 = Self::ASCII | Self::LOCALE | Self::UNICODE;
    /// Those there are.
    pub(super) const ALL: u32 = Self::IGNORECASE | Self::MULTILINE | Self::DOTALL | Self::VERBOSE | Self::TYPES;

    pub(super) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Whether letters beyond ASCII are letters. `text` tells a pattern of text from one of bytes.
    pub(super) fn unicode(self, text: bool) -> bool {
        text && !self.has(Self::ASCII)
    }

    pub(super) fn fold(self, text: bool) -> Fold {
        match (self.has(Self::IGNORECASE), self.unicode(text)) {
            (false, _) => Fold::Exact,
            (true, false) => Fold::Ascii,
            (true, true) => Fold::Unicode,
        }
    }

    /// As they are within a group that adds some and takes some away.
    pub(super) fn changed(self, change: Change) -> Flags {
        let kept = if change.added & Self::TYPES == 0 { self.0 } else { self.0 & !Self::TYPES };
        Flags((kept | change.added) & !change.removed)
    }

    /// Those of a whole pattern, with what its kind brings along.
    pub(super) fn completed(self, text: bool, vm: &VirtualMachine) -> PyResult<Flags> {
        let flags = self.0;
        let refuse = |message: &str| Err(vm.new_value_error(message.to_owned()));
        if text {
            if self.has(Self::LOCALE) {
                return refuse("cannot use LOCALE flag with a str pattern");
            }
            if !self.has(Self::ASCII) {
                return Ok(Flags(flags | Self::UNICODE));
            }
            if self.has(Self::UNICODE) {
                return refuse("ASCII and UNICODE flags are incompatible");
            }
        } else {
            if self.has(Self::UNICODE) {
                return refuse("cannot use UNICODE flag with a bytes pattern");
            }
            if self.has(Self::LOCALE) && self.has(Self::ASCII) {
                return refuse("ASCII and LOCALE flags are incompatible");
            }
        }
        Ok(self)
    }
}

/// What a group changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub added: u32,
    pub removed: u32,
}

/// What the flags in `(?...)` are for.
pub(super) enum Written {
    Everything(u32),
    Group(Change),
}

/// The flag of a letter.
pub(super) fn flag(c: char) -> Option<u32> {
    Some(match c {
        'i' => Flags::IGNORECASE,
        'L' => Flags::LOCALE,
        'm' => Flags::MULTILINE,
        's' => Flags::DOTALL,
        'x' => Flags::VERBOSE,
        'a' => Flags::ASCII,
        'u' => Flags::UNICODE,
        _ => return None,
    })
}

/// Reads flags from `first` on, which is a flag's letter or `-`, to `:` or `)`.
pub(super) fn read(first: char, tokens: &mut Tokens<'_>) -> PyResult<Written> {
    let mut change = Change::default();
    let mut c = first;
    while let Some(flag) = flag(c) {
        let wrong_kind = match c {
            'L' if tokens.text => Some("bad inline flags: cannot use 'L' flag with a str pattern"),
            'u' if !tokens.text => Some("bad inline flags: cannot use 'u' flag with a bytes pattern"),
            _ => None,
        };
        if let Some(message) = wrong_kind {
            return Err(tokens.error(message, 0));
        }
        change.added |= flag;
        if flag & Flags::TYPES != 0 && change.added & Flags::TYPES != flag {
            return Err(tokens.error("bad inline flags: flags 'a', 'u' and 'L' are incompatible", 0));
        }
        c = letter("missing -, : or )", &[')', '-', ':'], tokens)?;
    }
    if c == ')' {
        return Ok(Written::Everything(change.added));
    }
    if c == '-' {
        c = letter("missing flag", &[], tokens)?;
        while let Some(flag) = flag(c) {
            if flag & Flags::TYPES != 0 {
                return Err(tokens.error("bad inline flags: cannot turn off flags 'a', 'u' and 'L'", 0));
            }
            change.removed |= flag;
            c = letter("missing :", &[':'], tokens)?;
        }
    }
    if change.added & change.removed != 0 {
        return Err(tokens.error("bad inline flags: flag turned on and off", 1));
    }
    Ok(Written::Group(change))
}

/// A flag's letter, or one of `ends`.
fn letter(missing: &str, ends: &[char], tokens: &mut Tokens<'_>) -> PyResult<char> {
    let Some(token) = tokens.get()? else { return Err(tokens.error(missing, 0)) };
    match token.plain() {
        Some(c) if ends.contains(&c) || flag(c).is_some() => Ok(c),
        plain => {
            let message = if plain.is_some_and(char::is_alphabetic) { "unknown flag" } else { missing };
            let length = if matches!(token, Token::Plain(_)) { 1 } else { 2 };
            Err(tokens.error(message, length))
        }
    }
}
