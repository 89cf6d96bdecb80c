//! What is searched: text or bytes, with positions in bytes.

use crate::meter::fuel;
use rustpython_vm::builtins::{PyByteArray, PyBytes, PyBytesRef, PyStr, PyStrRef};
use rustpython_vm::common::wtf8::CodePoint;
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

/// How characters lie in memory.
pub(super) trait Encoding {
    /// Whether a character may take more than a byte.
    const WIDE: bool;
    /// The character at a position before the end, and where the next one begins.
    fn next(bytes: &[u8], at: usize) -> (u32, usize);
    /// The character before a position that is not the beginning, and where it begins.
    fn previous(bytes: &[u8], at: usize) -> (u32, usize);
}

/// A byte is a character: bytes, and text of ASCII alone.
pub(super) struct Narrow;

/// UTF-8, with lone surrogates.
pub(super) struct Wide;

impl Encoding for Narrow {
    const WIDE: bool = false;

    #[inline]
    fn next(bytes: &[u8], at: usize) -> (u32, usize) {
        (u32::from(byte(bytes, at)), at + 1)
    }

    #[inline]
    fn previous(bytes: &[u8], at: usize) -> (u32, usize) {
        (u32::from(byte(bytes, at - 1)), at - 1)
    }
}

impl Encoding for Wide {
    const WIDE: bool = true;

    #[inline]
    fn next(bytes: &[u8], at: usize) -> (u32, usize) {
        let first = u32::from(byte(bytes, at));
        let rest = |offset: usize| u32::from(byte(bytes, at + offset)) & 0x3f;
        match first {
            0..0x80 => (first, at + 1),
            0x80..0xe0 => ((first & 0x1f) << 6 | rest(1), at + 2),
            0xe0..0xf0 => ((first & 0xf) << 12 | rest(1) << 6 | rest(2), at + 3),
            _ => ((first & 7) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3), at + 4),
        }
    }

    #[inline]
    fn previous(bytes: &[u8], at: usize) -> (u32, usize) {
        let mut begin = at - 1;
        while begin > 0 && byte(bytes, begin) & 0xc0 == 0x80 {
            begin -= 1;
        }
        (Self::next(bytes, begin).0, begin)
    }
}

#[inline]
fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// What is searched.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    Text(PyStrRef),
    Bytes(PyBytesRef),
}

impl Subject {
    /// A text, or bytes, for a pattern of the same kind. What is in a `bytearray` is copied.
    pub(super) fn new(object: PyObjectRef, text: bool, vm: &VirtualMachine) -> PyResult<Self> {
        let subject = match object.downcast::<PyStr>() {
            Ok(string) => Subject::Text(string),
            Err(object) => match object.downcast::<PyBytes>() {
                Ok(bytes) => Subject::Bytes(bytes),
                Err(object) => match object.downcast_ref::<PyByteArray>() {
                    Some(array) => {
                        let length = array.borrow_buf().len() as u64;
                        fuel::reserve(length, vm)?;
                        Subject::Bytes(vm.ctx.new_bytes(array.borrow_buf().to_vec()))
                    }
                    None => {
                        let class = object.class().name().to_string();
                        return Err(vm.new_type_error(format!("expected string or bytes-like object, got '{class}'")));
                    }
                },
            },
        };
        match (&subject, text) {
            (Subject::Text(_), false) => Err(vm.new_type_error("cannot use a bytes pattern on a string-like object")),
            (Subject::Bytes(_), true) => Err(vm.new_type_error("cannot use a string pattern on a bytes-like object")),
            _ if subject.bytes().len() > MOST_BYTES => {
                Err(vm.new_overflow_error("re takes texts of at most 1 GiB in pycage"))
            }
            _ => Ok(subject),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Subject::Text(text) => text.as_bytes(),
            Subject::Bytes(bytes) => bytes.as_bytes(),
        }
    }

    /// Whether a character may take more than a byte.
    pub(super) fn is_wide(&self) -> bool {
        match self {
            Subject::Text(text) => text.char_len() != text.byte_len(),
            Subject::Bytes(_) => false,
        }
    }

    /// Where a character begins that a script counted to; what is beyond the ends is at them.
    pub(super) fn position(&self, index: i64, vm: &VirtualMachine) -> PyResult<usize> {
        let length = self.bytes().len();
        let index = usize::try_from(index.max(0)).unwrap_or(usize::MAX);
        match self {
            Subject::Text(text) if self.is_wide() && index > 0 && index < length => {
                fuel::charge(1 + length as u64 / 64, vm)?;
                Ok(text.char_index_to_byte(index))
            }
            _ => Ok(index.min(length)),
        }
    }

    /// How many characters there are before a position.
    pub(super) fn index(&self, position: usize, vm: &VirtualMachine) -> PyResult<usize> {
        match self {
            Subject::Text(text) if self.is_wide() && position > 0 => {
                fuel::charge(1 + text.byte_len() as u64 / 64, vm)?;
                Ok(text.byte_to_char_index(position))
            }
            _ => Ok(position),
        }
    }

    /// A part, as an object of its own.
    pub(super) fn slice(&self, from: usize, to: usize, vm: &VirtualMachine) -> PyResult {
        let length = to.saturating_sub(from) as u64;
        if length >= 16 {
            fuel::charge(length / 16, vm)?;
            fuel::reserve(length, vm)?;
        }
        match self {
            Subject::Text(text) => {
                if from == 0 && to == text.byte_len() && text.class().is(vm.ctx.types.str_type) {
                    return Ok(text.clone().into());
                }
                // Both are between characters.
                match text.as_wtf8().get(from..to) {
                    Some(part) => Ok(vm.ctx.new_str(part.to_owned()).into()),
                    None => Err(vm.new_system_error("a match is not between characters")),
                }
            }
            Subject::Bytes(bytes) => {
                if from == 0 && to == bytes.as_bytes().len() && bytes.class().is(vm.ctx.types.bytes_type) {
                    return Ok(bytes.clone().into());
                }
                match bytes.as_bytes().get(from..to) {
                    Some(part) => Ok(vm.ctx.new_bytes(part.to_vec()).into()),
                    None => Err(vm.new_system_error("a match is outside of its bytes")),
                }
            }
        }
    }
}

/// Positions are kept in 32 bits.
const MOST_BYTES: usize = 1 << 30;

/// The bytes of a character, as it lies in a subject.
pub(super) fn encode(c: u32, text: bool, into: &mut Vec<u8>) {
    match CodePoint::from_u32(c) {
        Some(point) if text => into.extend(point.encode_wtf8(&mut [0; 4]).as_bytes()),
        _ => into.push(c as u8),
    }
}
