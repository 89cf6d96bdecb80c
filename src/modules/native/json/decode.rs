//! JSON text to objects.

use super::MAX_DEPTH;
use crate::meter::fuel;
use malachite_bigint::BigInt;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyDictRef, PyStrRef};
use rustpython_vm::common::wtf8::{CodePoint, Wtf8Buf};
use rustpython_vm::{FromArgs, PyObjectRef, PyResult, VirtualMachine};
use std::collections::HashMap;

#[derive(FromArgs)]
pub(super) struct Options {
    #[pyarg(positional)]
    text: PyStrRef,
    /// Where to begin, in characters.
    #[pyarg(positional)]
    start: usize,
    /// Makes the exception of a message and a position.
    #[pyarg(positional)]
    error: PyObjectRef,
    #[pyarg(positional)]
    object_hook: Option<PyObjectRef>,
    #[pyarg(positional)]
    parse_float: Option<PyObjectRef>,
    #[pyarg(positional)]
    parse_int: Option<PyObjectRef>,
    #[pyarg(positional)]
    parse_constant: Option<PyObjectRef>,
    #[pyarg(positional)]
    strict: bool,
    #[pyarg(positional)]
    object_pairs_hook: Option<PyObjectRef>,
}

/// The value that begins at a position, and where it ends.
pub(super) fn decode(options: Options, vm: &VirtualMachine) -> PyResult<(PyObjectRef, usize)> {
    let bytes = options.text.byte_len() as u64;
    fuel::charge(1 + bytes / 8, vm)?;
    // Positions are in characters, so the text is taken apart first: four bytes each.
    fuel::reserve(bytes * 4, vm)?;
    let points: Vec<u32> = options.text.as_wtf8().code_points().map(|point| point.to_u32()).collect();
    let start = options.start.min(points.len());
    let mut decoder = Decoder { points: &points, at: start, depth: 0, keys: HashMap::new(), options: &options, vm };
    let value = decoder.value()?;
    Ok((value, decoder.at))
}

struct Decoder<'a> {
    points: &'a [u32],
    at: usize,
    depth: usize,
    /// Keys that came before are used again.
    keys: HashMap<Wtf8Buf, PyStrRef>,
    options: &'a Options,
    vm: &'a VirtualMachine,
}

/// Integers of more digits are refused, as `int()` does.
const MAX_DIGITS: usize = 4300;

impl Decoder<'_> {
    fn value(&mut self) -> PyResult {
        fuel::charge(1, self.vm)?;
        let vm = self.vm;
        match self.peek() {
            Some('"') => {
                self.at += 1;
                let text = self.text()?;
                Ok(vm.ctx.new_str(text).into())
            }
            Some('{') => self.nested(Self::object),
            Some('[') => self.nested(Self::array),
            Some('n') if self.takes("null") => Ok(vm.ctx.none()),
            Some('t') if self.takes("true") => Ok(vm.ctx.new_bool(true).into()),
            Some('f') if self.takes("false") => Ok(vm.ctx.new_bool(false).into()),
            Some('N') if self.takes("NaN") => self.constant("NaN", f64::NAN),
            Some('I') if self.takes("Infinity") => self.constant("Infinity", f64::INFINITY),
            Some('-') if self.takes("-Infinity") => self.constant("-Infinity", f64::NEG_INFINITY),
            Some('-' | '0'..='9') => self.number(),
            _ => Err(self.expecting_value(self.at)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> PyResult) -> PyResult {
        if self.depth >= MAX_DEPTH {
            return Err(self.vm.new_recursion_error("maximum recursion depth exceeded while decoding JSON".to_owned()));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> PyResult {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(self.vm.ctx.new_list(items).into());
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            match self.peek() {
                Some(']') => break,
                Some(',') => self.at += 1,
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.skip_space();
        }
        self.at += 1;
        Ok(self.vm.ctx.new_list(items).into())
    }

    fn object(&mut self) -> PyResult {
        let vm = self.vm;
        let pairs_hook = self.options.object_pairs_hook.clone();
        let dict: PyDictRef = vm.ctx.new_dict();
        let mut pairs = Vec::new();
        self.skip_space();
        match self.peek() {
            Some('"') => {}
            Some('}') => {
                self.at += 1;
                return self.finish(dict, pairs);
            }
            _ => return Err(self.error("Expecting property name enclosed in double quotes", self.at)),
        }
        loop {
            self.at += 1;
            let key = self.key()?;
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.error("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value()?;
            if pairs_hook.is_some() {
                pairs.push(vm.ctx.new_tuple(vec![key.into(), value]).into());
            } else {
                dict.set_item(&*key, value, vm)?;
            }
            self.skip_space();
            match self.peek() {
                Some('}') => break,
                Some(',') => self.at += 1,
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.skip_space();
            if self.peek() != Some('"') {
                return Err(self.error("Expecting property name enclosed in double quotes", self.at));
            }
        }
        self.at += 1;
        self.finish(dict, pairs)
    }

    fn finish(&self, dict: PyDictRef, pairs: Vec<PyObjectRef>) -> PyResult {
        let vm = self.vm;
        if let Some(hook) = &self.options.object_pairs_hook {
            return hook.call((vm.ctx.new_list(pairs),), vm);
        }
        match &self.options.object_hook {
            Some(hook) => hook.call((dict,), vm),
            None => Ok(dict.into()),
        }
    }

    fn key(&mut self) -> PyResult<PyStrRef> {
        let text = self.text()?;
        if let Some(key) = self.keys.get(&text) {
            return Ok(key.clone());
        }
        let key = self.vm.ctx.new_str(text.clone());
        self.keys.insert(text, key.clone());
        Ok(key)
    }

    /// The rest of a text, after its first quote.
    fn text(&mut self) -> PyResult<Wtf8Buf> {
        let begin = self.at - 1;
        let mut text = Wtf8Buf::new();
        loop {
            let Some(&point) = self.points.get(self.at) else {
                return Err(self.error("Unterminated string starting at", begin));
            };
            self.at += 1;
            match char::from_u32(point) {
                Some('"') => return Ok(text),
                Some('\\') => {
                    let point = self.escape(begin)?;
                    push(&mut text, point);
                }
                Some(c) if c < ' ' && self.options.strict => {
                    return Err(self.error("Invalid control character at", self.at - 1));
                }
                _ => push(&mut text, point),
            }
        }
    }

    fn escape(&mut self, begin: usize) -> PyResult<u32> {
        let Some(&letter) = self.points.get(self.at) else {
            return Err(self.error("Unterminated string starting at", begin));
        };
        self.at += 1;
        Ok(match char::from_u32(letter) {
            Some(c @ ('"' | '\\' | '/')) => u32::from(c),
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('n') => 0x0a,
            Some('r') => 0x0d,
            Some('t') => 0x09,
            Some('u') => {
                let high = self.hex()?;
                let low_follows = self.points.get(self.at..self.at + 2) == Some(&[0x5c, 0x75]);
                if !(0xd800..0xdc00).contains(&high) || !low_follows {
                    return Ok(high);
                }
                let before = self.at;
                self.at += 2;
                match self.hex()? {
                    low @ 0xdc00..0xe000 => 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                    _ => {
                        self.at = before;
                        high
                    }
                }
            }
            _ => return Err(self.error("Invalid \\escape", self.at - 2)),
        })
    }

    fn hex(&mut self) -> PyResult<u32> {
        let digits = self.points.get(self.at..self.at + 4);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from_u32(digit)?.to_digit(16)?))
        });
        match value {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => Err(self.error("Invalid \\uXXXX escape", self.at - 1)),
        }
    }

    fn number(&mut self) -> PyResult {
        let begin = self.at;
        let negative = self.peek() == Some('-');
        let mut end = begin + usize::from(negative);
        match self.digit(end) {
            Some('0') => end += 1,
            Some(_) => end = self.digits(end),
            None => return Err(self.expecting_value(begin)),
        }
        let whole = end;
        if self.char(end) == Some('.') && self.digit(end + 1).is_some() {
            end = self.digits(end + 1);
        }
        if matches!(self.char(end), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.char(end + 1), Some('+' | '-')));
            if self.digit(end + 1 + sign).is_some() {
                end = self.digits(end + 1 + sign);
            }
        }
        self.at = end;
        let text: String = self.points[begin..end].iter().filter_map(|&point| char::from_u32(point)).collect();
        let hook = if end == whole { &self.options.parse_int } else { &self.options.parse_float };
        if let Some(hook) = hook {
            return hook.call((text,), self.vm);
        }
        if end == whole { self.int(&text, negative) } else { self.float(&text) }
    }

    fn int(&self, text: &str, negative: bool) -> PyResult {
        let vm = self.vm;
        if let Ok(small) = text.parse::<i64>() {
            return Ok(vm.ctx.new_int(small).into());
        }
        let digits = text.len() - usize::from(negative);
        if digits > MAX_DIGITS {
            return Err(vm.new_value_error(format!(
                "Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion: value has {digits} digits; \
                 use sys.set_int_max_str_digits() to increase the limit"
            )));
        }
        fuel::charge((digits * digits) as u64 / 4096, vm)?;
        match text.parse::<BigInt>() {
            Ok(int) => Ok(vm.ctx.new_bigint(&int).into()),
            Err(_) => Err(self.expecting_value(self.at)),
        }
    }

    fn float(&self, text: &str) -> PyResult {
        match text.parse::<f64>() {
            Ok(float) => Ok(self.vm.ctx.new_float(float).into()),
            Err(_) => Err(self.expecting_value(self.at)),
        }
    }

    fn constant(&self, name: &str, value: f64) -> PyResult {
        match &self.options.parse_constant {
            Some(hook) => hook.call((name.to_owned(),), self.vm),
            None => Ok(self.vm.ctx.new_float(value).into()),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let end = self.at + word.len();
        let found =
            self.points.get(self.at..end).is_some_and(|points| points.iter().copied().eq(word.chars().map(u32::from)));
        if found {
            self.at = end;
        }
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.char(self.at)
    }

    fn char(&self, at: usize) -> Option<char> {
        self.points.get(at).and_then(|&point| char::from_u32(point))
    }

    fn digit(&self, at: usize) -> Option<char> {
        self.char(at).filter(char::is_ascii_digit)
    }

    fn digits(&self, mut at: usize) -> usize {
        while self.digit(at).is_some() {
            at += 1;
        }
        at
    }

    #[cold]
    fn expecting_value(&self, at: usize) -> PyBaseExceptionRef {
        self.error("Expecting value", at)
    }

    #[cold]
    fn error(&self, message: &str, at: usize) -> PyBaseExceptionRef {
        let vm = self.vm;
        match self.options.error.call((message.to_owned(), at), vm) {
            Ok(made) => made.downcast().unwrap_or_else(|_| vm.new_value_error(message.to_owned())),
            Err(instead) => instead,
        }
    }
}

fn push(text: &mut Wtf8Buf, point: u32) {
    if let Some(point) = CodePoint::from_u32(point) {
        text.push(point);
    }
}
