//! Code units to instructions, with jump targets resolved.

use super::InstrumentError;
use rustpython_compiler_core::bytecode::{self, CodeObject, Opcode, decode_exception_table};
use rustpython_vm::builtins::PyCode;
use std::ops::Deref;

/// A code object as the VM holds it: its constants are objects.
pub(super) type Code = CodeObject<Constant>;

/// A constant of such a code object. The VM does not export the type's name, so it is named through [`PyCode`].
pub(super) type Constant = <<PyCode as Deref>::Target as HasConstants>::Constant;

pub(super) trait HasConstants {
    type Constant;
}

impl<C: bytecode::Constant> HasConstants for CodeObject<C> {
    type Constant = C;
}

/// One instruction, without its prefixes and caches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instr {
    pub op: Opcode,
    pub arg: u32,
    /// The first code unit: that of the first `EXTENDED_ARG`, if there is one.
    pub start: u32,
    /// The code unit of the opcode itself.
    pub unit: u32,
    /// The instruction that it jumps to, by index.
    pub target: Option<usize>,
}

/// A range of the exception table, by instruction index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handler {
    pub start: usize,
    /// One past the last instruction that is covered.
    pub end: usize,
    pub target: usize,
    pub depth: u16,
    pub push_lasti: bool,
}

/// A code object's instructions and how they hang together.
pub(super) struct Decoded {
    pub instrs: Vec<Instr>,
    pub handlers: Vec<Handler>,
    /// Whether an instruction can be reached other than from the one before it.
    pub is_target: Vec<bool>,
    /// Whether an exception handler begins there.
    pub is_handler: Vec<bool>,
    /// The `RESUME` where the code object's own work begins.
    pub entry: usize,
}

/// Where control goes after an instruction, exceptions aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Jump,
    Branch,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

pub(super) fn flow(op: Opcode) -> Flow {
    match op {
        Opcode::JumpForward | Opcode::JumpBackward | Opcode::JumpBackwardNoInterrupt => Flow::Jump,
        Opcode::ForIter
        | Opcode::ForIterList
        | Opcode::PopJumpIfFalse
        | Opcode::PopJumpIfTrue
        | Opcode::PopJumpIfNone
        | Opcode::PopJumpIfNotNone
        | Opcode::Send => Flow::Branch,
        Opcode::ReturnValue | Opcode::RaiseVarargs | Opcode::Reraise => Flow::Stop,
        _ => Flow::Next,
    }
}

/// Which way an opcode's argument points. `END_ASYNC_FOR` names its loop but never jumps.
pub(super) fn direction(op: Opcode) -> Option<Direction> {
    match op {
        Opcode::JumpBackward | Opcode::JumpBackwardNoInterrupt | Opcode::EndAsyncFor => Some(Direction::Backward),
        Opcode::JumpForward => Some(Direction::Forward),
        _ if flow(op) == Flow::Branch => Some(Direction::Forward),
        _ => None,
    }
}

impl Decoded {
    /// The line of an instruction, from 1.
    pub(super) fn line(&self, code: &Code, index: usize) -> u32 {
        code.locations.get(self.instrs[index].unit as usize).map_or(0, |(start, _)| start.line.get() as u32)
    }

    pub(super) fn new(code: &Code) -> Result<Self, InstrumentError> {
        let units = &*code.instructions;
        let mut instrs = Vec::with_capacity(units.len() / 2);
        // Unit to the instruction that starts there.
        let mut at = vec![None; units.len() + 1];
        let mut unit = 0;
        while unit < units.len() {
            let start = unit;
            let (op, arg) = loop {
                let Some(read) = units.get(unit) else {
                    return Err(InstrumentError::new("a prefix without an instruction"));
                };
                let low = u32::from(u8::from(read.arg));
                let prefixed =
                    units[start..unit].iter().fold(0u32, |arg, prefix| arg << 8 | u32::from(u8::from(prefix.arg)));
                match read.op.as_opcode() {
                    Opcode::ExtendedArg if unit - start < 3 => unit += 1,
                    Opcode::ExtendedArg => return Err(InstrumentError::new("too many prefixes")),
                    op => break (op, prefixed << 8 | low),
                }
            };
            let next = unit + 1 + op.cache_entries();
            if next > units.len() {
                return Err(InstrumentError::new("an instruction without its caches"));
            }
            at[start] = Some(instrs.len());
            instrs.push(Instr { op, arg, start: start as u32, unit: unit as u32, target: None });
            unit = next;
        }
        at[units.len()] = Some(instrs.len());
        let index_at = |unit: i64| {
            usize::try_from(unit).ok().and_then(|unit| at.get(unit).copied().flatten()).ok_or_else(|| {
                InstrumentError::new(format!("a jump or range to code unit {unit}, where no instruction starts"))
            })
        };

        let count = instrs.len();
        let mut is_target = vec![false; count];
        let mut is_handler = vec![false; count];
        for (index, instr) in instrs.iter_mut().enumerate() {
            let after = i64::from(instr.unit) + 1 + instr.op.cache_entries() as i64;
            let target = match direction(instr.op) {
                Some(Direction::Forward) => index_at(after + i64::from(instr.arg))?,
                Some(Direction::Backward) => index_at(after - i64::from(instr.arg))?,
                None if instr.op.has_jump() => {
                    return Err(InstrumentError::new(format!("an unknown jump {:?}", instr.op)));
                }
                None => continue,
            };
            let mark = is_target.get_mut(target).ok_or_else(|| InstrumentError::new("a jump past the end"))?;
            *mark |= target != index + 1;
            instr.target = Some(target);
        }
        let mut handlers = Vec::new();
        for entry in decode_exception_table(&code.exceptiontable) {
            let handler = Handler {
                start: index_at(entry.start.into())?,
                end: index_at(entry.end.into())?,
                target: index_at(entry.target.into())?,
                depth: entry.depth,
                push_lasti: entry.push_lasti,
            };
            if handler.target >= count || handler.start > handler.end {
                return Err(InstrumentError::new("a bad range in the exception table"));
            }
            is_target[handler.target] = true;
            is_handler[handler.target] = true;
            handlers.push(handler);
        }
        match instrs.last() {
            Some(last) if matches!(flow(last.op), Flow::Jump | Flow::Stop) => {}
            _ => return Err(InstrumentError::new("control falls off the end")),
        }
        let entry = find_entry(&instrs, &is_target)?;
        Ok(Decoded { instrs, handlers, is_target, is_handler, entry })
    }
}

/// Finds the `RESUME` where the work begins. Before it stands only what sets a frame up, in a straight line.
fn find_entry(instrs: &[Instr], is_target: &[bool]) -> Result<usize, InstrumentError> {
    for (index, instr) in instrs.iter().enumerate() {
        if is_target[index] {
            break;
        }
        match instr.op {
            Opcode::Resume => return Ok(index),
            Opcode::CopyFreeVars | Opcode::MakeCell | Opcode::ReturnGenerator | Opcode::PopTop | Opcode::Nop => {}
            _ => break,
        }
    }
    Err(InstrumentError::new("no plain way to the first RESUME"))
}
