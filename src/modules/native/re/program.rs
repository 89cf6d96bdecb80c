//! Patterns as instructions. Repeats are counted, never written out, so a program is as long as its pattern.

use super::set::{Fold, Items, Set, same_letter};
use super::text;
use super::tree::{Mode, Node, Place};
use crate::meter::fuel;
use rustpython_vm::{PyResult, VirtualMachine};

/// An instruction, and the target of jumps.
pub(super) type Address = u32;

/// A place in the machine's registers.
pub(super) type Register = u32;

/// The register that holds the group that was closed last.
pub(super) const LAST_GROUP: Register = 0;

/// The registers of where a group begins and ends.
pub(super) fn group_registers(group: u32) -> (Register, Register) {
    (2 * group - 1, 2 * group)
}

#[derive(Debug)]
pub(super) enum Instruction {
    /// These bytes.
    Literal(Box<[u8]>),
    One(One),
    /// Goes on, and if that fails at `second`.
    Split {
        second: Address,
    },
    /// As `Split`, where the first way needs a byte: without it the second is taken at once.
    SplitOn {
        byte: u8,
        second: Address,
    },
    Jump(Address),
    /// Where a group begins.
    Open(Register),
    /// Where a group ends.
    Close {
        end: Register,
        group: u32,
    },
    At(Place),
    /// One character again and again. `next` is a byte that must come after it.
    Several {
        one: One,
        least: u32,
        most: u32,
        mode: Mode,
        next: Option<u8>,
    },
    /// Begins to count turns, in this register, and where the last one began, in the next.
    Count(Register),
    /// Another turn, which follows, or on to `exit`.
    Turn {
        count: Register,
        least: u32,
        most: u32,
        lazy: bool,
        exit: Address,
    },
    /// Begins what is not gone back into once it has matched.
    Commit(Register),
    /// Ends that.
    Committed(Register),
    /// Begins to look ahead, or back by some characters. `exit` is where to go on if what must not be there is not.
    Look {
        mark: Register,
        behind: Option<u32>,
        negated: bool,
        exit: Address,
    },
    /// What had to be there is.
    Seen(Register),
    /// What must not be there is.
    Unwanted(Register),
    Again {
        group: u32,
        fold: Fold,
    },
    /// Goes on if a group took part.
    If {
        group: u32,
        otherwise: Address,
    },
    Done,
}

/// A set of characters of which one is taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum One {
    Char(u32),
    /// A letter in either case, by its lower case.
    Letter {
        lower: u32,
        fold: Fold,
    },
    NoLineEnd,
    All,
    /// One of the program's sets.
    Set(u32),
}

#[derive(Debug)]
pub(super) struct Program {
    pub instructions: Vec<Instruction>,
    pub sets: Vec<Set>,
    pub registers: usize,
    pub groups: u32,
    /// Whether a match can begin at the beginning only.
    pub anchored: bool,
    /// The bytes that a match can begin with; `None` for any, and for a match of nothing.
    pub first: Option<Box<[bool; 256]>>,
}

impl Program {
    pub(super) fn new(tree: Node, groups: u32, text: bool, vm: &VirtualMachine) -> PyResult<Program> {
        let mut writer = Writer { program: Program::empty(groups), text, vm };
        let mut first = Box::new([false; 256]);
        let nothing = writer.node(tree, Some(&mut first))?;
        writer.write(Instruction::Done);
        let mut program = writer.program;
        let following: Vec<Option<u8>> = program.instructions.iter().skip(1).map(Instruction::needed_byte).collect();
        for (instruction, needed) in program.instructions.iter_mut().zip(following) {
            if let Instruction::Several { next, .. } = instruction {
                *next = needed;
            }
        }
        program.first = if nothing { None } else { Some(first) };
        let begins = program.instructions.iter().find(|one| !matches!(one, Instruction::Open(_)));
        program.anchored = matches!(begins, Some(Instruction::At(Place::Beginning)));
        Ok(program)
    }

    fn empty(groups: u32) -> Program {
        Program {
            instructions: Vec::new(),
            sets: Vec::new(),
            registers: 1 + 2 * groups as usize,
            groups,
            anchored: false,
            first: None,
        }
    }

    /// Bytes that it takes, for the meters.
    pub(super) fn size(&self) -> u64 {
        (self.instructions.len() * size_of::<Instruction>() + self.sets.len() * size_of::<Set>()) as u64
    }
}

/// Where to note the bytes that a match can begin with, while nothing has come before.
type First<'a> = Option<&'a mut [bool; 256]>;

impl Instruction {
    /// The byte without which it cannot go on.
    fn needed_byte(&self) -> Option<u8> {
        match self {
            Instruction::Literal(bytes) => bytes.first().copied(),
            _ => None,
        }
    }
}

struct Writer<'a> {
    program: Program,
    text: bool,
    vm: &'a VirtualMachine,
}

impl Writer<'_> {
    /// Writes a node. Answers whether it can match nothing.
    fn node(&mut self, node: Node, mut first: First<'_>) -> PyResult<bool> {
        fuel::charge(2, self.vm)?;
        Ok(match node {
            Node::Empty => true,
            Node::At(place) => {
                self.write(Instruction::At(place));
                true
            }
            Node::Sequence(nodes) => {
                let mut nothing = true;
                let mut bytes = Vec::new();
                for node in nodes {
                    // Only what comes after nothing can be first.
                    let begins = if nothing { first.as_deref_mut() } else { None };
                    if let Some(One::Char(c)) = self.one(&node)? {
                        // Characters that follow one another become one instruction.
                        self.note(One::Char(c), begins);
                        text::encode(c, self.text, &mut bytes);
                        nothing = false;
                        continue;
                    }
                    self.literal(&mut bytes);
                    nothing &= self.node(node, begins)?;
                }
                self.literal(&mut bytes);
                nothing
            }
            Node::Either(nodes) => self.either(nodes, first)?,
            Node::Group { index: None, body } => self.node(*body, first)?,
            Node::Group { index: Some(index), body } => {
                let (begin, end) = group_registers(index);
                self.write(Instruction::Open(begin));
                let nothing = self.node(*body, first)?;
                self.write(Instruction::Close { end, group: index });
                nothing
            }
            Node::Repeat { least, most, mode, body } => self.repeat(least, most, mode, *body, first)?,
            Node::Atomic(body) => {
                let mark = self.register(1);
                self.write(Instruction::Commit(mark));
                let nothing = self.node(*body, first)?;
                self.write(Instruction::Committed(mark));
                nothing
            }
            Node::Look { behind, negated, body } => {
                let mark = self.register(2);
                let look = self.write(Instruction::Look { mark, behind, negated, exit: 0 });
                self.node(*body, None)?;
                self.write(if negated { Instruction::Unwanted(mark) } else { Instruction::Seen(mark) });
                self.aim(look);
                true
            }
            Node::Again { group, fold } => {
                self.write(Instruction::Again { group, fold });
                any(first);
                true
            }
            Node::If { group, yes, no } => {
                let test = self.write(Instruction::If { group, otherwise: 0 });
                let mut nothing = self.node(*yes, first.as_deref_mut())?;
                let jump = self.write(Instruction::Jump(0));
                self.aim(test);
                nothing |= self.node(*no, first)?;
                self.aim(jump);
                nothing
            }
            single => {
                let Some(one) = self.one(&single)? else { return Ok(true) };
                self.note(one, first);
                let mut bytes = Vec::new();
                match one {
                    One::Char(c) => text::encode(c, self.text, &mut bytes),
                    one => drop(self.write(Instruction::One(one))),
                }
                self.literal(&mut bytes);
                false
            }
        })
    }

    /// Writes the characters that were collected, if there are any.
    fn literal(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.write(Instruction::Literal(std::mem::take(bytes).into()));
        }
    }

    fn either(&mut self, nodes: Vec<Node>, mut first: First<'_>) -> PyResult<bool> {
        let mut nothing = false;
        let mut jumps = Vec::with_capacity(nodes.len());
        let last = nodes.len().saturating_sub(1);
        for (index, node) in nodes.into_iter().enumerate() {
            let split = (index < last).then(|| match self.leading_byte(&node) {
                Some(byte) => self.write(Instruction::SplitOn { byte, second: 0 }),
                None => self.write(Instruction::Split { second: 0 }),
            });
            nothing |= self.node(node, first.as_deref_mut())?;
            if let Some(split) = split {
                jumps.push(self.write(Instruction::Jump(0)));
                self.aim(split);
            }
        }
        for jump in jumps {
            self.aim(jump);
        }
        Ok(nothing)
    }

    fn repeat(&mut self, least: u32, most: u32, mode: Mode, body: Node, first: First<'_>) -> PyResult<bool> {
        if let Some(one) = self.one(&body)? {
            self.note(one, first);
            self.write(Instruction::Several { one, least, most, mode, next: None });
            return Ok(least == 0);
        }
        let possessive = mode == Mode::Possessive;
        let mark = if possessive { self.register(1) } else { 0 };
        if possessive {
            self.write(Instruction::Commit(mark));
        }
        let nothing = if least == 0 && most == 1 && mode != Mode::Lazy {
            let split = self.write(Instruction::Split { second: 0 });
            self.node(body, first)?;
            self.aim(split);
            true
        } else {
            let count = self.register(2);
            self.write(Instruction::Count(count));
            let lazy = mode == Mode::Lazy;
            let turn = self.write(Instruction::Turn { count, least, most, lazy, exit: 0 });
            let nothing = self.node(body, first)?;
            self.write(Instruction::Jump(turn));
            self.aim(turn);
            nothing || least == 0
        };
        if possessive {
            self.write(Instruction::Committed(mark));
        }
        Ok(nothing)
    }

    /// What takes exactly one character, as such.
    fn one(&mut self, node: &Node) -> PyResult<Option<One>> {
        Ok(match node {
            Node::Char { c, fold } => {
                let lower = fold.lower(*c);
                let letter = match fold {
                    Fold::Exact => false,
                    Fold::Ascii => u8::try_from(*c).is_ok_and(|c| c.is_ascii_alphabetic()),
                    Fold::Unicode => {
                        lower != *c
                            || char::from_u32(*c).is_some_and(char::is_alphabetic)
                            || !same_letter(*c).is_empty()
                    }
                };
                Some(if letter { One::Letter { lower, fold: *fold } } else { One::Char(*c) })
            }
            Node::Any { all } => Some(if *all { One::All } else { One::NoLineEnd }),
            Node::Set { items, fold } => match (&*items.ranges, &*items.categories, items.negated) {
                ([(low, high)], [], false) if low == high => self.one(&Node::Char { c: *low, fold: *fold })?,
                _ => Some(self.set(items, *fold)?),
            },
            _ => None,
        })
    }

    fn set(&mut self, items: &Items, fold: Fold) -> PyResult<One> {
        let parts = items.ranges.len() + items.categories.len();
        let lookups = if fold == Fold::Unicode { 150 } else { 0 } + if items.categories.is_empty() { 0 } else { 40 };
        fuel::charge(20 + lookups + parts as u64, self.vm)?;
        fuel::reserve(size_of::<Set>() as u64 + parts as u64 * 16, self.vm)?;
        self.program.sets.push(Set::new(items.clone(), fold));
        Ok(One::Set(self.program.sets.len() as u32 - 1))
    }

    /// The byte that a branch begins with, if there is one.
    fn leading_byte(&self, node: &Node) -> Option<u8> {
        match node {
            Node::Char { c, fold: Fold::Exact } => {
                let mut bytes = Vec::new();
                text::encode(*c, self.text, &mut bytes);
                bytes.first().copied()
            }
            Node::Sequence(nodes) => nodes.first().and_then(|node| self.leading_byte(node)),
            _ => None,
        }
    }

    /// Notes the bytes that a character begins with.
    fn note(&self, one: One, first: First<'_>) {
        let Some(first) = first else { return };
        if let One::Char(c) = one {
            let mut bytes = Vec::new();
            text::encode(c, self.text, &mut bytes);
            if let Some(byte) = bytes.first() {
                first[usize::from(*byte)] = true;
            }
            return;
        }
        let narrow = if self.text { 0x80 } else { 0x100 };
        for (byte, noted) in first.iter_mut().enumerate() {
            // In text, bytes that begin a character beyond ASCII are taken to begin any.
            *noted |= if byte < narrow { self.program.contains(one, byte as u32) } else { byte >= 0xc0 };
        }
    }

    fn write(&mut self, instruction: Instruction) -> Address {
        self.program.instructions.push(instruction);
        self.program.instructions.len() as Address - 1
    }

    /// Makes a jump lead to what is written next.
    fn aim(&mut self, jump: Address) {
        let here = self.program.instructions.len() as Address;
        match self.program.instructions.get_mut(jump as usize) {
            Some(
                Instruction::Split { second: target }
                | Instruction::SplitOn { second: target, .. }
                | Instruction::Jump(target)
                | Instruction::Turn { exit: target, .. }
                | Instruction::Look { exit: target, .. }
                | Instruction::If { otherwise: target, .. },
            ) => *target = here,
            other => debug_assert!(false, "{other:?} does not jump"),
        }
    }

    fn register(&mut self, count: usize) -> Register {
        let register = self.program.registers as Register;
        self.program.registers += count;
        register
    }
}

impl Program {
    #[inline]
    pub(super) fn contains(&self, one: One, c: u32) -> bool {
        match one {
            One::Char(wanted) => c == wanted,
            One::Letter { lower, fold } => {
                let c = fold.lower(c);
                c == lower || fold == Fold::Unicode && same_letter(lower).contains(&c)
            }
            One::NoLineEnd => c != u32::from(b'\n'),
            One::All => true,
            One::Set(index) => self.sets.get(index as usize).is_some_and(|set| set.contains(c)),
        }
    }
}

/// Any byte that begins a character may come first.
fn any(first: First<'_>) {
    if let Some(first) = first {
        first.iter_mut().for_each(|noted| *noted = true);
    }
}
