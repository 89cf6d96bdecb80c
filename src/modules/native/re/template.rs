//! What is put in the place of a match.

use super::escapes::{control, is_octal, octal};
use super::text::{self, Subject};
use super::tokens::{Name, Token, Tokens};
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

/// A template that was read.
pub(super) struct Template {
    pub parts: Vec<Part>,
}

pub(super) enum Part {
    Plain(Vec<u8>),
    Group(u32),
}

/// What a template may refer to.
pub(super) trait Named {
    fn groups(&self) -> u32;
    fn group_called(&self, name: &[u8]) -> Option<u32>;
}

impl Template {
    pub(super) fn new(
        given: &PyObjectRef,
        of_text: bool,
        groups: &impl Named,
        error: PyObjectRef,
        vm: &VirtualMachine,
    ) -> PyResult<Template> {
        let source = Subject::new(given.clone(), of_text, vm)?;
        if !source.bytes().contains(&b'\\') {
            return Ok(Template { parts: vec![Part::Plain(source.bytes().to_vec())] });
        }
        let mut tokens = Tokens::new(&source, given.clone(), error, vm)?;
        tokens.peek()?;
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        while let Some(token) = tokens.get()? {
            let group = match token {
                Token::Plain(c) => {
                    text::encode(c, of_text, &mut plain);
                    continue;
                }
                Token::Escaped(c) => match escape(c, groups, &mut tokens)? {
                    Meant::Char(c) => {
                        text::encode(c, of_text, &mut plain);
                        continue;
                    }
                    Meant::Itself => {
                        plain.push(b'\\');
                        text::encode(c, of_text, &mut plain);
                        continue;
                    }
                    Meant::Group { group, length } if group > groups.groups() => {
                        return Err(tokens.error(&format!("invalid group reference {group}"), length));
                    }
                    Meant::Group { group, .. } => group,
                },
            };
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain)));
            }
            parts.push(Part::Group(group));
        }
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Ok(Template { parts })
    }
}

enum Meant {
    Char(u32),
    /// No escape: the backslash stays.
    Itself,
    Group {
        group: u32,
        length: usize,
    },
}

fn escape(c: u32, groups: &impl Named, tokens: &mut Tokens<'_>) -> PyResult<Meant> {
    let Some(letter) = char::from_u32(c) else { return Ok(Meant::Itself) };
    Ok(match letter {
        'g' => {
            if !tokens.takes('<')? {
                return Err(tokens.error("missing <", 0));
            }
            let name = tokens.get_until('>', "group name")?;
            Meant::Group { group: called(&name, groups, tokens)?, length: name.length + 1 }
        }
        '0' => {
            let digits = tokens.get_while(2, is_octal)?;
            Meant::Char(u32::from_str_radix(&digits, 8).unwrap_or(0) & 0xff)
        }
        '1'..='9' => {
            let mut written = String::from(letter);
            written.push_str(&tokens.get_while(1, |c| c.is_ascii_digit())?);
            if written.len() == 2 && written.chars().all(is_octal) {
                let third = tokens.get_while(1, is_octal)?;
                if !third.is_empty() {
                    written.push_str(&third);
                    return octal(&written, tokens).map(Meant::Char);
                }
            }
            Meant::Group { group: written.parse().unwrap_or(0), length: written.len() }
        }
        _ => match control(letter) {
            Some(c) => Meant::Char(c),
            None if letter.is_ascii_alphabetic() => {
                return Err(tokens.error(&format!("bad escape \\{letter}"), 2));
            }
            None => Meant::Itself,
        },
    })
}

fn called(name: &Name, groups: &impl Named, tokens: &Tokens<'_>) -> PyResult<u32> {
    let vm = tokens.vm;
    if name.is_identifier() {
        return match groups.group_called(name.text(vm).as_bytes()) {
            Some(group) => Ok(group),
            None => Err(vm.new_index_error(format!("unknown group name {}", name.shown(vm)?))),
        };
    }
    match name.number() {
        Some(group) if group < 1 << 30 => Ok(group),
        Some(group) => Err(tokens.error(&format!("invalid group reference {group}"), name.length + 1)),
        None => {
            let shown = name.shown(vm)?;
            Err(tokens.error(&format!("bad character in group name {shown}"), name.length + 1))
        }
    }
}
