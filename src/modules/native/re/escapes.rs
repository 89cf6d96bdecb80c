//! What stands after a backslash.

use super::set::{Category, Kind};
use super::tokens::{Token, Tokens};
use super::tree::Place;
use rustpython_vm::PyResult;

/// What an escape stands for.
pub(super) enum Escape {
    Char(u32),
    Category(Category),
    Place(Place),
    Group(u32),
}

/// Which groups an escape may refer to.
pub(super) trait Groups {
    /// A group by its number, or the error that there is none to refer to. `length` is that of the escape.
    fn refer(&self, group: u32, length: usize, tokens: &Tokens<'_>) -> PyResult<u32>;
}

/// An escape outside of brackets. `c` comes after the backslash.
pub(super) fn outside(c: u32, unicode: bool, groups: &impl Groups, tokens: &mut Tokens<'_>) -> PyResult<Escape> {
    let Some(letter) = char::from_u32(c) else { return Ok(Escape::Char(c)) };
    Ok(match letter {
        'A' => Escape::Place(Place::Beginning),
        'Z' => Escape::Place(Place::VeryEnd),
        'b' => Escape::Place(Place::Boundary { unicode }),
        'B' => Escape::Place(Place::NoBoundary { unicode }),
        '0' => {
            let digits = tokens.get_while(2, is_octal)?;
            Escape::Char(u32::from_str_radix(&digits, 8).unwrap_or(0))
        }
        '1'..='9' => numbered(letter, groups, tokens)?,
        _ => either(letter, unicode, tokens)?,
    })
}

/// An escape between brackets.
pub(super) fn inside(c: u32, unicode: bool, tokens: &mut Tokens<'_>) -> PyResult<Escape> {
    let Some(letter) = char::from_u32(c) else { return Ok(Escape::Char(c)) };
    match letter {
        'b' => Ok(Escape::Char(8)),
        '0'..='7' => {
            let written = format!("{letter}{}", tokens.get_while(2, is_octal)?);
            octal(&written, tokens).map(Escape::Char)
        }
        '8' | '9' => Err(tokens.error(&format!("bad escape \\{letter}"), 2)),
        _ => either(letter, unicode, tokens),
    }
}

/// A number that is a character's if it has three octal digits, and else a group's.
fn numbered(first: char, groups: &impl Groups, tokens: &mut Tokens<'_>) -> PyResult<Escape> {
    let mut written = String::from(first);
    written.push_str(&tokens.get_while(1, |c| c.is_ascii_digit())?);
    if written.len() == 2 && written.chars().all(is_octal) {
        let third = tokens.get_while(1, is_octal)?;
        if !third.is_empty() {
            written.push_str(&third);
            return octal(&written, tokens).map(Escape::Char);
        }
    }
    let group = written.parse().unwrap_or(0);
    groups.refer(group, written.len() + 1, tokens).map(Escape::Group)
}

pub(super) fn octal(written: &str, tokens: &Tokens<'_>) -> PyResult<u32> {
    match u32::from_str_radix(written, 8) {
        Ok(c) if c <= 0o377 => Ok(c),
        _ => Err(tokens.error(&format!("octal escape value \\{written} outside of range 0-0o377"), written.len() + 1)),
    }
}

/// What is the same inside and outside of brackets.
fn either(letter: char, unicode: bool, tokens: &mut Tokens<'_>) -> PyResult<Escape> {
    let category = |kind| Escape::Category(Category { kind, negated: letter.is_ascii_uppercase(), unicode });
    Ok(match letter {
        'd' | 'D' => category(Kind::Digit),
        's' | 'S' => category(Kind::Space),
        'w' | 'W' => category(Kind::Word),
        'x' => hexadecimal(letter, 2, tokens)?,
        'u' if tokens.text => hexadecimal(letter, 4, tokens)?,
        'U' if tokens.text => hexadecimal(letter, 8, tokens)?,
        'N' if tokens.text => {
            return Err(tokens.error("\\N{...} is not available in pycage, write \\u or \\U", 2));
        }
        _ => match control(letter) {
            Some(c) => Escape::Char(c),
            None if letter.is_ascii_alphabetic() => {
                return Err(tokens.error(&format!("bad escape \\{letter}"), 2));
            }
            None => Escape::Char(letter as u32),
        },
    })
}

/// A character that has a letter of its own.
pub(super) fn control(letter: char) -> Option<u32> {
    Some(match letter {
        'a' => 7,
        'b' => 8,
        't' => 9,
        'n' => 10,
        'v' => 11,
        'f' => 12,
        'r' => 13,
        '\\' => u32::from(b'\\'),
        _ => return None,
    })
}

fn hexadecimal(letter: char, digits: usize, tokens: &mut Tokens<'_>) -> PyResult<Escape> {
    let written = tokens.get_while(digits, |c| c.is_ascii_hexdigit())?;
    if written.len() != digits {
        return Err(tokens.error(&format!("incomplete escape \\{letter}{written}"), written.len() + 2));
    }
    match u32::from_str_radix(&written, 16) {
        Ok(c) if c <= 0x10_ffff => Ok(Escape::Char(c)),
        _ => Err(tokens.error(&format!("bad escape \\{letter}{written}"), written.len() + 2)),
    }
}

pub(super) fn is_octal(c: char) -> bool {
    matches!(c, '0'..='7')
}

/// A token that is no escape of anything, as a character.
pub(super) fn literal(token: Token) -> u32 {
    let (Token::Plain(c) | Token::Escaped(c)) = token;
    c
}
