//! Methods that take a set of characters as a text: `strip` and its kin, and what `bytes.translate` deletes.
//!
//! Upstream looks each character of the one text up in the other by a walk, so two texts of some megabytes keep it busy
//! for hours. A long set is looked up in a table here.

use super::cost::{charge, make_text, text_bytes};
use super::patch::Original;
use rustpython_vm::builtins::{PyByteArray, PyBytes, PyStr};
use rustpython_vm::common::wtf8::Wtf8;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};

/// Sets up to so many bytes are left to the original: a walk over them is as fast as a table.
const SHORT: usize = 16;

/// What a method does in one go between two looks at the clock.
const PIECE: usize = 1 << 18;

/// Which ends of a text are stripped.
#[derive(Clone, Copy)]
enum Ends {
    Both,
    Left,
    Right,
}

pub(super) fn strip(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    strip_ends(args, Ends::Both, original, vm)
}

pub(super) fn lstrip(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    strip_ends(args, Ends::Left, original, vm)
}

pub(super) fn rstrip(args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    strip_ends(args, Ends::Right, original, vm)
}

fn strip_ends(args: FuncArgs, ends: Ends, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    let own = args.args.first().and_then(|zelf| text_bytes(zelf)).unwrap_or(0) as u64;
    let set = args.args.get(1).and_then(|set| text_bytes(set)).unwrap_or(0);
    make_text(own, vm)?;
    if set <= SHORT || args.args.len() != 2 || !args.kwargs.is_empty() {
        return original.call(args, vm);
    }
    let [zelf, set] = &args.args[..] else { return original.call(args, vm) };
    if let (Some(text), Some(set)) = (zelf.downcast_ref::<PyStr>(), set.downcast_ref::<PyStr>()) {
        charge((own + set.byte_len() as u64) / 8, vm)?;
        let set = Characters::of(set.as_wtf8());
        let text = strip_text(text.as_wtf8(), &set, ends);
        return Ok(vm.ctx.new_str(text).into());
    }
    let Some(set) = byte_set(set, vm)? else { return original.call(args, vm) };
    let stripped = |bytes: &[u8]| strip_bytes(bytes, &set, ends).to_vec();
    if let Some(bytes) = zelf.downcast_ref::<PyBytes>() {
        return Ok(vm.ctx.new_bytes(stripped(bytes.as_bytes())).into());
    }
    if let Some(bytes) = zelf.downcast_ref::<PyByteArray>() {
        let stripped = stripped(&bytes.borrow_buf());
        return Ok(vm.ctx.new_bytearray(stripped).into());
    }
    original.call(args, vm)
}

/// A bit for each code point there is: 136 KiB.
struct Characters(Vec<u64>);

impl Characters {
    fn of(text: &Wtf8) -> Self {
        let mut bits = vec![0; 0x11_0000 / 64];
        for point in text.code_points().map(|point| point.to_u32() as usize) {
            if let Some(word) = bits.get_mut(point / 64) {
                *word |= 1u64 << (point % 64);
            }
        }
        Characters(bits)
    }

    #[inline]
    fn has(&self, point: u32) -> bool {
        self.0.get(point as usize / 64).is_some_and(|word| word >> (point % 64) & 1 == 1)
    }
}

fn strip_text<'a>(text: &'a Wtf8, set: &Characters, ends: Ends) -> &'a Wtf8 {
    let left = match ends {
        Ends::Right => text,
        _ => text.trim_start_matches(|point| set.has(point.to_u32())),
    };
    match ends {
        Ends::Left => left,
        _ => left.trim_end_matches(|point| set.has(point.to_u32())),
    }
}

fn strip_bytes<'a>(mut bytes: &'a [u8], set: &[bool; 256], ends: Ends) -> &'a [u8] {
    if !matches!(ends, Ends::Right) {
        let kept = bytes.iter().position(|&byte| !set[usize::from(byte)]).unwrap_or(bytes.len());
        bytes = &bytes[kept..];
    }
    if !matches!(ends, Ends::Left) {
        let kept = bytes.iter().rposition(|&byte| !set[usize::from(byte)]).map_or(0, |last| last + 1);
        bytes = &bytes[..kept];
    }
    bytes
}

/// Which bytes are in a text; `None` for what is no `bytes` or `bytearray`.
fn byte_set(set: &PyObject, vm: &VirtualMachine) -> PyResult<Option<[bool; 256]>> {
    let mut table = [false; 256];
    let mut add = |bytes: &[u8]| bytes.iter().for_each(|&byte| table[usize::from(byte)] = true);
    if let Some(bytes) = set.downcast_ref::<PyBytes>() {
        charge(bytes.as_bytes().len() as u64 / 16, vm)?;
        add(bytes.as_bytes());
    } else if let Some(bytes) = set.downcast_ref::<PyByteArray>() {
        charge(bytes.borrow_buf().len() as u64 / 16, vm)?;
        add(&bytes.borrow_buf());
    } else {
        return Ok(None);
    }
    Ok(Some(table))
}

/// `translate` of `bytes` and `bytearray`: what is to be deleted becomes a text with each byte once, and the work is done
/// piece by piece.
pub(super) fn translate_bytes(mut args: FuncArgs, original: &Original<'_>, vm: &VirtualMachine) -> PyResult {
    let own = args.args.first().and_then(|zelf| text_bytes(zelf)).unwrap_or(0);
    make_text(own as u64, vm)?;
    let deleted = match args.args.get_mut(2) {
        Some(deleted) => Some(deleted),
        None => args.kwargs.get_mut(Wtf8::new("delete")),
    };
    let Some(deleted) = deleted else { return original.call(args, vm) };
    if let Some(set) = byte_set(deleted, vm)? {
        let each_once: Vec<u8> = (0..=u8::MAX).filter(|&byte| set[usize::from(byte)]).collect();
        *deleted = vm.ctx.new_bytes(each_once).into();
    }
    let Some(zelf) = args.args.first().cloned().filter(|_| own > PIECE) else { return original.call(args, vm) };
    let is_bytes = zelf.downcast_ref::<PyBytes>().is_some();
    let mut translated = Vec::new();
    let mut start = 0;
    while start < own {
        let end = (start + PIECE).min(own);
        let Some(piece) = piece_of(&zelf, start, end) else { break };
        // A byte may be looked for among all 256.
        charge(piece.len() as u64 / 8, vm)?;
        crate::meter::fuel::reserve((translated.len() + piece.len()) as u64, vm)?;
        if let Some(first) = args.args.first_mut() {
            *first = if is_bytes { vm.ctx.new_bytes(piece).into() } else { vm.ctx.new_bytearray(piece).into() };
        }
        let part = original.call(args.clone(), vm)?;
        if let Some(part) = part.downcast_ref::<PyBytes>() {
            translated.extend_from_slice(part.as_bytes());
        } else if let Some(part) = part.downcast_ref::<PyByteArray>() {
            translated.extend_from_slice(&part.borrow_buf());
        } else {
            return Ok(part);
        }
        start = end;
    }
    let whole: PyObjectRef =
        if is_bytes { vm.ctx.new_bytes(translated).into() } else { vm.ctx.new_bytearray(translated).into() };
    Ok(whole)
}

/// A copy of a part of a text; `None` where the text has become shorter.
fn piece_of(text: &PyObject, start: usize, end: usize) -> Option<Vec<u8>> {
    if let Some(bytes) = text.downcast_ref::<PyBytes>() {
        return bytes.as_bytes().get(start..end).map(<[u8]>::to_vec);
    }
    text.downcast_ref::<PyByteArray>()?.borrow_buf().get(start..end).map(<[u8]>::to_vec)
}
