//! The final check, on the finished code and independent of how it was made.
//!
//! * Without the insertions the new code is the old code, instruction by instruction and jump by jump.
//! * Every instruction that needs a guard has it, and nothing jumps between the two.
//! * The entry and every exception handler begin with a probe.
//! * Every cycle contains a probe, over jumps, resumptions and exceptions alike.

use super::InstrumentError;
use super::classify::Guard;
use super::decode::{Code, Decoded, Flow, Instr, flow};
use super::layout::placed_op;
use super::probe::{Checkpost, Duty, block_weight};
use rustpython_compiler_core::bytecode::{BinaryOperator, Opcode};
use rustpython_vm::PyObjectRef;

pub(super) fn verify(new: &Code, source: &Decoded, guards: &[Guard]) -> Result<(), InstrumentError> {
    let decoded = Decoded::new(new)?;
    let pieces = Pieces::parse(new, &decoded)?;
    pieces.check_same(source, guards)?;
    pieces.check_guards(guards)?;
    pieces.check_entry_and_handlers()?;
    pieces.check_cycles()
}

/// The instructions of the old code, by their index in the new.
#[cfg(test)]
pub(super) fn old_instructions(new: &Code, decoded: &Decoded) -> Result<Vec<usize>, InstrumentError> {
    Ok(Pieces::parse(new, decoded)?.old)
}

/// What the instructions of the new code are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// The first instruction of a probe.
    Probe,
    /// The first instruction of a guard.
    Guard(Post),
    /// A further instruction of a probe or guard.
    Rest,
    /// An instruction of the old code.
    Old,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    Deny,
    SelfMatching,
    RealSuper,
    Result,
    Stored,
    Unpacked,
    Arguments,
    Merged,
    Join,
}

struct Pieces<'a> {
    decoded: &'a Decoded,
    pieces: Vec<Piece>,
    /// The old instructions, by their index in the new code.
    old: Vec<usize>,
}

impl<'a> Pieces<'a> {
    fn parse(new: &Code, decoded: &'a Decoded) -> Result<Self, InstrumentError> {
        let mut pieces = Vec::with_capacity(decoded.instrs.len());
        let mut old = Vec::new();
        while let Some(instr) = decoded.instrs.get(pieces.len()) {
            let index = pieces.len();
            let Some(piece) = inserted(new, instr) else {
                old.push(index);
                pieces.push(Piece::Old);
                continue;
            };
            let subscript = (Opcode::BinaryOp, BinaryOperator::Subscr.as_u32());
            let rest: &[(Opcode, u32)] = match piece {
                Piece::Guard(Post::SelfMatching) => &[(Opcode::Copy, 3), subscript, (Opcode::PopTop, 0)],
                Piece::Guard(Post::RealSuper) => &[(Opcode::Copy, 4), subscript, (Opcode::PopTop, 0)],
                Piece::Guard(Post::Result | Post::Join | Post::Unpacked | Post::Merged) => {
                    &[(Opcode::Swap, 2), subscript]
                }
                Piece::Guard(Post::Stored) => {
                    let stored = pieces.len().checked_sub(1).map_or(0, |before: usize| decoded.instrs[before].arg);
                    &[(Opcode::LoadFastBorrow, stored), subscript, (Opcode::PopTop, 0)]
                }
                Piece::Guard(Post::Arguments) => {
                    &[(Opcode::Copy, 3), subscript, (Opcode::Swap, 3), (Opcode::PopTop, 0)]
                }
                _ => &[(Opcode::PopJumpIfTrue, 0)],
            };
            pieces.push(piece);
            for expected in rest {
                let next = pieces.len();
                let found = decoded.instrs.get(next).map(|instr| (instr.op, instr.arg));
                if found != Some(*expected) || decoded.is_target[next] && expected.0 != Opcode::PopJumpIfTrue {
                    return Err(broken("an insertion is not whole"));
                }
                pieces.push(Piece::Rest);
            }
        }
        let pieces = Pieces { decoded, pieces, old };
        pieces.check_insertions_whole()?;
        Ok(pieces)
    }

    /// Nothing lands in the midst of an insertion, or between a result and its check.
    fn check_insertions_whole(&self) -> Result<(), InstrumentError> {
        for (index, piece) in self.pieces.iter().enumerate() {
            let inner = matches!(piece, Piece::Rest | Piece::Guard(Post::Result | Post::Stored | Post::Join));
            if inner && self.decoded.is_target[index] {
                return Err(broken("a jump into an insertion"));
            }
        }
        Ok(())
    }

    fn check_same(&self, source: &Decoded, guards: &[Guard]) -> Result<(), InstrumentError> {
        if self.old.len() != source.instrs.len() || self.decoded.handlers.len() != source.handlers.len() {
            return Err(broken("instructions or handlers were lost"));
        }
        // An old jump's target must be the old instruction, or what was put right in front of it.
        let same_place = |new: Option<usize>, old: Option<usize>| match (new, old) {
            (Some(new), Some(old)) => {
                let landing = self.pieces[new..].iter().position(|piece| *piece == Piece::Old);
                landing.is_some_and(|skipped| self.old.get(old) == Some(&(new + skipped)))
            }
            (None, None) => true,
            _ => false,
        };
        for ((&index, old), guard) in self.old.iter().zip(&source.instrs).zip(guards) {
            let new = &self.decoded.instrs[index];
            let (op, arg) = placed_op(old, guard);
            let same_arg = old.target.is_some() || new.arg == arg;
            if new.op != op || !same_arg || !same_place(new.target, old.target) {
                return Err(broken("an instruction was changed"));
            }
        }
        for (new, old) in self.decoded.handlers.iter().zip(&source.handlers) {
            let covered = self.old.get(old.start).is_some_and(|&start| start >= new.start)
                && old.end.checked_sub(1).is_some_and(|last| self.old[last] < new.end)
                && self.old.get(old.end).is_none_or(|&end| end >= new.end)
                && old.start.checked_sub(1).is_none_or(|before| self.old[before] < new.start);
            let same = (new.depth, new.push_lasti) == (old.depth, old.push_lasti);
            if !covered || !same || !same_place(Some(new.target), Some(old.target)) {
                return Err(broken("a handler was changed"));
            }
        }
        Ok(())
    }

    fn check_guards(&self, guards: &[Guard]) -> Result<(), InstrumentError> {
        for (&index, guard) in self.old.iter().zip(guards) {
            let needed = match guard {
                // That the instruction has the form which its guard wants was checked above.
                Guard::None | Guard::Multiply | Guard::Count | Guard::Append => continue,
                Guard::CheckResult | Guard::CheckStored(_) | Guard::Join => {
                    let needed = match guard {
                        Guard::CheckResult => Post::Result,
                        Guard::Join => Post::Join,
                        _ => Post::Stored,
                    };
                    if self.pieces.get(index + 1) == Some(&Piece::Guard(needed)) {
                        continue;
                    }
                    return Err(broken("a result is not checked"));
                }
                Guard::CheckUnpacked => Post::Unpacked,
                Guard::CheckArguments => Post::Arguments,
                Guard::CheckMerged => Post::Merged,
                Guard::Deny(_) => Post::Deny,
                Guard::SelfMatching => Post::SelfMatching,
                Guard::RealSuper => Post::RealSuper,
            };
            let start = self.pieces[..index].iter().rposition(|piece| *piece != Piece::Rest);
            let guarded = start.is_some_and(|start| self.pieces[start] == Piece::Guard(needed));
            if !guarded || self.decoded.is_target[index] {
                return Err(broken("a guard is missing"));
            }
        }
        Ok(())
    }

    fn check_entry_and_handlers(&self) -> Result<(), InstrumentError> {
        let probe_at = |index: usize| self.pieces.get(index) == Some(&Piece::Probe);
        if !probe_at(self.decoded.entry + 1) {
            return Err(broken("the entry has no probe"));
        }
        for handler in &self.decoded.handlers {
            // The handler's own ranges count on what PUSH_EXC_INFO pushes.
            let pushes = self.decoded.instrs[handler.target].op == Opcode::PushExcInfo;
            if !probe_at(handler.target + usize::from(pushes)) {
                return Err(broken("a handler has no probe"));
            }
        }
        Ok(())
    }

    /// Takes the probes out of the graph; no cycle may be left.
    fn check_cycles(&self) -> Result<(), InstrumentError> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let count = self.decoded.instrs.len();
        let mut handler_of = vec![None; count];
        for handler in &self.decoded.handlers {
            for covered in handler_of.iter_mut().take(handler.end).skip(handler.start) {
                covered.get_or_insert(handler.target);
            }
        }
        let mut marks = vec![Mark::New; count];
        for root in 0..count {
            let mut path = vec![(root, 0)];
            while let Some((index, taken)) = path.last_mut() {
                let (index, way) = (*index, *taken);
                *taken += 1;
                if way == 0 {
                    if marks[index] == Mark::Done || self.pieces[index] == Piece::Probe {
                        marks[index] = Mark::Done;
                        path.pop();
                        continue;
                    }
                    if marks[index] == Mark::Open {
                        return Err(broken("a cycle has no probe"));
                    }
                    marks[index] = Mark::Open;
                }
                let instr = &self.decoded.instrs[index];
                let ways = [
                    matches!(flow(instr.op), Flow::Next | Flow::Branch).then_some(index + 1),
                    instr.target.filter(|_| flow(instr.op) != Flow::Next),
                    handler_of[index],
                ];
                match ways.iter().skip(way).position(Option::is_some) {
                    Some(skipped) => {
                        *taken = way + skipped + 1;
                        if let Some(next) = ways[way + skipped] {
                            path.push((next, 0));
                        }
                    }
                    None => {
                        marks[index] = Mark::Done;
                        path.pop();
                    }
                }
            }
        }
        Ok(())
    }
}

/// What an instruction begins, if it was inserted: insertions begin with a native object from the constants.
fn inserted(new: &Code, instr: &Instr) -> Option<Piece> {
    if instr.op != Opcode::LoadConst {
        return None;
    }
    let constant = PyObjectRef::from(new.constants.get(instr.arg as usize)?.clone());
    if block_weight(&constant).is_some() {
        return Some(Piece::Probe);
    }
    let post = match constant.downcast_ref::<Checkpost>()?.duty {
        Duty::Deny(_) => Post::Deny,
        Duty::SelfMatching => Post::SelfMatching,
        Duty::RealSuper => Post::RealSuper,
        Duty::Result(_) => Post::Result,
        Duty::Stored(_) => Post::Stored,
        Duty::Unpacked(_) => Post::Unpacked,
        Duty::Arguments(_) => Post::Arguments,
        Duty::Merged(_) => Post::Merged,
        Duty::Join(_) => Post::Join,
    };
    Some(Piece::Guard(post))
}

fn broken(message: &str) -> InstrumentError {
    InstrumentError::new(message)
}
