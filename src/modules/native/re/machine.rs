//! Runs programs over subjects, with backtracking.
//!
//! Every step is counted and charged, so a pattern that tries without end is stopped by the budget or by the deadline. What is
//! to be tried later is kept on stacks here, whose growth is reserved before it happens: nothing recurses.

use super::program::{Address, Instruction, LAST_GROUP, One, Program, Register, group_registers};
use super::set::{Fold, is_word};
use super::text::Encoding;
use super::tree::{Mode, NO_END, Place};
use crate::meter::fuel;
use rustpython_vm::{PyResult, VirtualMachine};
use std::marker::PhantomData;

/// A position that is none.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Steps that a native step stands for, and steps between two charges.
const STEPS_A_UNIT: u64 = 4;
const CHARGED_AT: u64 = 256;

/// Characters that a loop over plain ones works off in a step.
const CHARACTERS_A_STEP: u64 = 4;

/// Bytes that the stacks may take, where no limit of memory is tighter.
const MOST_STACK: usize = 64 << 20;

/// How a match is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// From where it begins.
    Here,
    /// From where it begins to the very end.
    Whole,
    /// From anywhere.
    Search,
}

/// What is to be tried if all before it fails. With [`RETRY`] set, the instruction is asked for its next way.
#[derive(Clone, Copy)]
struct Later {
    address: Address,
    at: u32,
    /// How much of the trail stays.
    trail: u32,
    /// For the instruction.
    more: u32,
}

const RETRY: Address = 1 << 31;

pub(super) struct Machine<'a, E> {
    program: &'a Program,
    bytes: &'a [u8],
    end: usize,
    vm: &'a VirtualMachine,
    later: Vec<Later>,
    /// Registers as they were, to be set back.
    trail: Vec<(Register, u32)>,
    registers: Vec<u32>,
    steps: u64,
    encoding: PhantomData<E>,
}

impl<'a, E: Encoding> Machine<'a, E> {
    /// For what is before `end`.
    pub(super) fn new(program: &'a Program, bytes: &'a [u8], end: usize, vm: &'a VirtualMachine) -> PyResult<Self> {
        fuel::charge(2 + program.registers as u64 / 16, vm)?;
        fuel::reserve(program.registers as u64 * 4, vm)?;
        Ok(Machine {
            program,
            bytes: bytes.get(..end).unwrap_or(bytes),
            end,
            vm,
            later: Vec::new(),
            trail: Vec::new(),
            registers: vec![NOWHERE; program.registers],
            steps: 0,
            encoding: PhantomData,
        })
    }

    /// Looks for a match that begins at `from` or, for a search, behind it. Answers where it begins and ends.
    ///
    /// With `advance`, a match of nothing at `from` does not count.
    pub(super) fn find(&mut self, from: usize, how: How, advance: bool) -> PyResult<Option<(usize, usize)>> {
        let found = self.find_from(from, how, advance)?;
        let units = self.steps.div_ceil(STEPS_A_UNIT);
        self.steps = 0;
        fuel::charge(1 + units, self.vm)?;
        Ok(found)
    }

    /// Where a group begins and ends in the last match.
    pub(super) fn group(&self, group: u32) -> Option<(u32, u32)> {
        let (begin, end) = group_registers(group);
        match (self.register(begin), self.register(end)) {
            (NOWHERE, _) | (_, NOWHERE) => None,
            (begin, end) if begin <= end => Some((begin, end)),
            _ => None,
        }
    }

    /// The group that was closed last in the last match.
    pub(super) fn last_group(&self) -> Option<u32> {
        Some(self.register(LAST_GROUP)).filter(|group| *group != NOWHERE)
    }

    fn find_from(&mut self, from: usize, how: How, advance: bool) -> PyResult<Option<(usize, usize)>> {
        let mut start = from;
        if start > self.end {
            return Ok(None);
        }
        loop {
            if how == How::Search
                && let Some(first) = &self.program.first
            {
                let Some(found) = self.skip(start, first)? else { return Ok(None) };
                start = found;
            }
            self.forget();
            if let Some(end) = self.run(start, how == How::Whole, advance && start == from)? {
                return Ok(Some((start, end)));
            }
            if how != How::Search || self.program.anchored || start >= self.end {
                return Ok(None);
            }
            start = E::next(self.bytes, start).1.min(self.end);
            self.step(1)?;
        }
    }

    /// The next position from where a match can begin, by its first byte.
    fn skip(&mut self, start: usize, first: &[bool; 256]) -> PyResult<Option<usize>> {
        let mut at = start;
        for some in self.bytes.get(start..).unwrap_or(&[]).chunks(1024) {
            let found = some.iter().position(|byte| first[usize::from(*byte)]);
            self.step(found.unwrap_or(some.len()) as u64 / (4 * CHARACTERS_A_STEP))?;
            match found {
                Some(offset) => return Ok(Some(at + offset)),
                None => at += some.len(),
            }
        }
        Ok(None)
    }

    /// Sets all registers back.
    fn forget(&mut self) {
        self.later.clear();
        self.undo(0);
    }

    fn undo(&mut self, kept: usize) {
        while self.trail.len() > kept {
            if let Some((register, value)) = self.trail.pop()
                && let Some(place) = self.registers.get_mut(register as usize)
            {
                *place = value;
            }
        }
    }

    fn run(&mut self, start: usize, whole: bool, advance: bool) -> PyResult<Option<usize>> {
        let program = self.program;
        let mut address = 0;
        let mut at = start;
        loop {
            self.step(1)?;
            // All jumps lead to instructions, and the last of them goes no further.
            let Some(instruction) = program.instructions.get(address as usize) else { return Ok(None) };
            let goes_on = match instruction {
                Instruction::Literal(bytes) => {
                    self.step(bytes.len() as u64 / 64)?;
                    let matches = self.bytes.get(at..).is_some_and(|rest| rest.starts_with(bytes));
                    at += if matches { bytes.len() } else { 0 };
                    matches
                }
                Instruction::One(one) => match self.take(*one, at)? {
                    Some(next) => {
                        at = next;
                        true
                    }
                    None => false,
                },
                Instruction::Split { second } => {
                    self.postpone(*second, at, 0)?;
                    true
                }
                Instruction::SplitOn { byte, second } => {
                    if self.bytes.get(at) == Some(byte) {
                        self.postpone(*second, at, 0)?;
                        true
                    } else {
                        address = *second;
                        continue;
                    }
                }
                Instruction::Jump(target) => {
                    address = *target;
                    continue;
                }
                Instruction::Open(register) => {
                    self.set(*register, at as u32)?;
                    true
                }
                Instruction::Close { end, group } => {
                    self.set(*end, at as u32)?;
                    self.set(LAST_GROUP, *group)?;
                    true
                }
                Instruction::At(place) => self.is_at(*place, at),
                Instruction::Several { one, least, most, mode, next } => {
                    match self.several(address, at, *one, (*least, *most), *mode, *next)? {
                        Some(next) => {
                            at = next;
                            true
                        }
                        None => false,
                    }
                }
                Instruction::Count(count) => {
                    self.set(*count, 0)?;
                    self.set(*count + 1, NOWHERE)?;
                    true
                }
                Instruction::Turn { count, least, most, lazy, exit } => {
                    let turns = self.register(*count);
                    if turns < *least {
                        self.set(*count, turns + 1)?;
                        true
                    } else if *lazy {
                        self.postpone(address | RETRY, at, 0)?;
                        address = *exit;
                        continue;
                    } else if turns < *most && self.register(*count + 1) != at as u32 {
                        self.postpone(*exit, at, 0)?;
                        self.turn(*count, turns, at)?;
                        true
                    } else {
                        address = *exit;
                        continue;
                    }
                }
                Instruction::Commit(mark) => {
                    self.mark(*mark, self.later.len() as u32);
                    true
                }
                Instruction::Committed(mark) => {
                    self.commit(*mark);
                    true
                }
                Instruction::Look { mark, behind, negated, exit } => {
                    self.mark(*mark, self.later.len() as u32);
                    self.mark(*mark + 1, at as u32);
                    match self.back(at, behind.unwrap_or(0))? {
                        Some(from) => {
                            if *negated {
                                self.postpone(*exit, at, 0)?;
                            }
                            at = from;
                            true
                        }
                        None if *negated => {
                            address = *exit;
                            continue;
                        }
                        None => false,
                    }
                }
                Instruction::Seen(mark) => {
                    self.commit(*mark);
                    at = self.register(*mark + 1) as usize;
                    true
                }
                Instruction::Unwanted(mark) => {
                    self.commit(*mark);
                    false
                }
                Instruction::Again { group, fold } => match self.again(*group, *fold, at)? {
                    Some(next) => {
                        at = next;
                        true
                    }
                    None => false,
                },
                Instruction::If { group, otherwise } => {
                    if self.group(*group).is_none() {
                        address = *otherwise;
                        continue;
                    }
                    true
                }
                Instruction::Done => {
                    if !(whole && at != self.end || advance && at == start) {
                        return Ok(Some(at));
                    }
                    false
                }
            };
            if goes_on {
                address += 1;
                continue;
            }
            match self.backtrack()? {
                Some(next) => (address, at) = next,
                None => return Ok(None),
            }
        }
    }

    /// The next way to go on, once one has failed.
    fn backtrack(&mut self) -> PyResult<Option<(Address, usize)>> {
        while let Some(later) = self.later.pop() {
            self.undo(later.trail as usize);
            if later.address & RETRY == 0 {
                return Ok(Some((later.address, later.at as usize)));
            }
            self.step(1)?;
            let address = later.address & !RETRY;
            let at = later.at as usize;
            match self.program.instructions.get(address as usize) {
                Some(Instruction::Turn { count, most, .. }) => {
                    let turns = self.register(*count);
                    if turns < *most && self.register(*count + 1) != later.at {
                        self.turn(*count, turns, at)?;
                        return Ok(Some((address + 1, at)));
                    }
                }
                Some(Instruction::Several { mode: Mode::Greedy, next, .. }) => {
                    if let Some(shorter) = self.shorter(address, at, later.more, *next)? {
                        return Ok(Some((address + 1, shorter)));
                    }
                }
                Some(Instruction::Several { one, next, .. }) => {
                    if let Some(longer) = self.longer(address, at, later.more, *one, *next)? {
                        return Ok(Some((address + 1, longer)));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Begins another turn.
    fn turn(&mut self, count: Register, turns: u32, at: usize) -> PyResult<()> {
        self.set(count, turns.saturating_add(1))?;
        self.set(count + 1, at as u32)
    }

    /// Takes one character as often as may be.
    fn several(
        &mut self,
        address: Address,
        from: usize,
        one: One,
        (least, most): (u32, u32),
        mode: Mode,
        next: Option<u8>,
    ) -> PyResult<Option<usize>> {
        let (taken, least_end) = self.run_of(one, from, least)?;
        if taken < least {
            return Ok(None);
        }
        let rest = if most == NO_END { NO_END } else { most - least };
        if mode == Mode::Lazy {
            if next.is_none() || self.bytes.get(least_end).copied() == next {
                if rest > 0 {
                    self.postpone(address | RETRY, least_end, rest)?;
                }
                return Ok(Some(least_end));
            }
            return self.longer(address, least_end, rest, one, next);
        }
        let (_, end) = self.run_of(one, least_end, rest)?;
        if mode == Mode::Possessive || end == least_end {
            return Ok(Some(end));
        }
        if next.is_none() || self.bytes.get(end).copied() == next {
            self.postpone(address | RETRY, end, least_end as u32)?;
            return Ok(Some(end));
        }
        self.shorter(address, end, least_end as u32, next)
    }

    /// Gives characters back, down to `least`, until the next byte is the one that must come.
    fn shorter(&mut self, address: Address, at: usize, least: u32, next: Option<u8>) -> PyResult<Option<usize>> {
        let mut at = at;
        let mut given = 0;
        while at > least as usize {
            at = E::previous(self.bytes, at).1;
            given += 1;
            if given % CHARGED_AT == 0 {
                self.step(CHARGED_AT / CHARACTERS_A_STEP)?;
            }
            if next.is_none() || self.bytes.get(at).copied() == next {
                self.step(given % CHARGED_AT / CHARACTERS_A_STEP)?;
                if at > least as usize {
                    self.postpone(address | RETRY, at, least)?;
                }
                return Ok(Some(at));
            }
        }
        self.step(given % CHARGED_AT / CHARACTERS_A_STEP)?;
        Ok(None)
    }

    /// Takes more characters, `rest` at most, until the next byte is the one that must come.
    fn longer(
        &mut self,
        address: Address,
        at: usize,
        rest: u32,
        one: One,
        next: Option<u8>,
    ) -> PyResult<Option<usize>> {
        let (mut at, mut rest) = (at, rest);
        while rest > 0 {
            let Some(longer) = self.take(one, at)? else { return Ok(None) };
            self.step(1)?;
            at = longer;
            rest -= u32::from(rest != NO_END);
            if next.is_none() || self.bytes.get(at).copied() == next {
                if rest > 0 {
                    self.postpone(address | RETRY, at, rest)?;
                }
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Up to `most` characters of a kind: how many, and where they end.
    fn run_of(&mut self, one: One, from: usize, most: u32) -> PyResult<(u32, usize)> {
        let mut at = from;
        let mut count = 0;
        if let One::All = one
            && !E::WIDE
        {
            let taken = (self.end - from).min(most as usize);
            return Ok((taken as u32, from + taken));
        }
        let mut unpaid = 0;
        while count < most && at < self.end {
            let (c, next) = E::next(self.bytes, at);
            if !self.program.contains(one, c) {
                break;
            }
            unpaid += self.cost(one, c);
            if unpaid >= CHARGED_AT * CHARACTERS_A_STEP {
                self.step(unpaid / CHARACTERS_A_STEP)?;
                unpaid = 0;
            }
            at = next;
            count += 1;
        }
        self.step(unpaid / CHARACTERS_A_STEP)?;
        Ok((count, at))
    }

    /// What asking whether a character is of a kind takes, in plain characters.
    #[inline]
    fn cost(&self, one: One, c: u32) -> u64 {
        if !E::WIDE || c < 0x80 {
            return 1;
        }
        match one {
            One::Letter { fold: Fold::Unicode, .. } => 8,
            One::Set(index) if c >= 0x100 => {
                4 * u64::from(self.program.sets.get(index as usize).map_or(1, super::set::Set::cost))
            }
            _ => 1,
        }
    }

    /// Takes a character of a kind.
    #[inline]
    fn take(&mut self, one: One, at: usize) -> PyResult<Option<usize>> {
        if at >= self.end {
            return Ok(None);
        }
        let (c, next) = E::next(self.bytes, at);
        if E::WIDE && c >= 0x80 {
            self.step(self.cost(one, c) / CHARACTERS_A_STEP)?;
        }
        Ok(self.program.contains(one, c).then_some(next))
    }

    /// Takes what a group matched, again.
    fn again(&mut self, group: u32, fold: Fold, at: usize) -> PyResult<Option<usize>> {
        let Some((begin, end)) = self.group(group) else { return Ok(None) };
        let bytes = self.bytes;
        let Some(wanted) = bytes.get(begin as usize..end as usize) else { return Ok(None) };
        self.step(wanted.len() as u64 / 16)?;
        if fold == Fold::Exact {
            let rest = bytes.get(at..).unwrap_or(&[]);
            return Ok(rest.starts_with(wanted).then_some(at + wanted.len()));
        }
        let (mut mine, mut theirs) = (begin as usize, at);
        while mine < end as usize {
            if theirs >= self.end {
                return Ok(None);
            }
            self.step(if E::WIDE { 8 } else { 1 })?;
            let (a, after_mine) = E::next(bytes, mine);
            let (b, after_theirs) = E::next(bytes, theirs);
            if fold.lower(a) != fold.lower(b) {
                return Ok(None);
            }
            (mine, theirs) = (after_mine, after_theirs);
        }
        Ok(Some(theirs))
    }

    /// So many characters back; `None` where there are not as many.
    fn back(&mut self, at: usize, characters: u32) -> PyResult<Option<usize>> {
        if !E::WIDE {
            return Ok(at.checked_sub(characters as usize));
        }
        let mut at = at;
        for _ in 0..characters {
            if at == 0 {
                return Ok(None);
            }
            self.step(1)?;
            at = E::previous(self.bytes, at).1;
        }
        Ok(Some(at))
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let line_end = |at: usize| self.bytes.get(at) == Some(&b'\n');
        match place {
            Place::Beginning => at == 0,
            Place::LineBeginning => at == 0 || line_end(at - 1),
            Place::End => at == self.end || at + 1 == self.end && line_end(at),
            Place::LineEnd => at == self.end || line_end(at),
            Place::VeryEnd => at == self.end,
            Place::Boundary { unicode } => self.end > 0 && self.is_boundary(at, unicode),
            Place::NoBoundary { unicode } => self.end > 0 && !self.is_boundary(at, unicode),
        }
    }

    fn is_boundary(&self, at: usize, unicode: bool) -> bool {
        let before = at > 0 && is_word(E::previous(self.bytes, at).0, unicode);
        let after = at < self.end && is_word(E::next(self.bytes, at).0, unicode);
        before != after
    }

    fn register(&self, register: Register) -> u32 {
        self.registers.get(register as usize).copied().unwrap_or(NOWHERE)
    }

    /// Sets a register, until what comes next has failed.
    fn set(&mut self, register: Register, value: u32) -> PyResult<()> {
        let before = self.register(register);
        if before == value {
            return Ok(());
        }
        if self.trail.len() == self.trail.capacity() {
            self.grow_trail()?;
        }
        self.trail.push((register, before));
        self.mark(register, value);
        Ok(())
    }

    /// Sets a register that is set anew before it is read again, whatever fails.
    fn mark(&mut self, register: Register, value: u32) {
        if let Some(place) = self.registers.get_mut(register as usize) {
            *place = value;
        }
    }

    fn postpone(&mut self, address: Address, at: usize, more: u32) -> PyResult<()> {
        if self.later.len() == self.later.capacity() {
            self.grow_later()?;
        }
        self.later.push(Later { address, at: at as u32, trail: self.trail.len() as u32, more });
        Ok(())
    }

    /// Gives up all that was postponed since a mark.
    fn commit(&mut self, mark: Register) {
        self.later.truncate(self.register(mark) as usize);
    }

    #[cold]
    fn grow_later(&mut self) -> PyResult<()> {
        let more = self.later.len().max(16);
        self.allow((self.later.len() + more) * size_of::<Later>())?;
        self.later.reserve_exact(more);
        Ok(())
    }

    #[cold]
    fn grow_trail(&mut self) -> PyResult<()> {
        let more = self.trail.len().max(16);
        self.allow((self.trail.len() + more) * size_of::<(Register, u32)>())?;
        self.trail.reserve_exact(more);
        Ok(())
    }

    /// Refuses a stack that is too large.
    fn allow(&self, bytes: usize) -> PyResult<()> {
        if bytes > MOST_STACK {
            return Err(self.vm.new_recursion_error("the pattern tries too many ways at once".to_owned()));
        }
        fuel::reserve(bytes as u64, self.vm)
    }

    #[inline]
    fn step(&mut self, steps: u64) -> PyResult<()> {
        self.steps += steps;
        if self.steps >= CHARGED_AT { self.pay() } else { Ok(()) }
    }

    #[cold]
    fn pay(&mut self) -> PyResult<()> {
        let units = self.steps / STEPS_A_UNIT;
        self.steps %= STEPS_A_UNIT;
        fuel::charge(units, self.vm)
    }
}
