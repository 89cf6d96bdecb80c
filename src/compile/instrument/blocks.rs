//! Basic blocks, their weights, and where their probes stand.

use super::decode::{Code, Decoded, Flow, flow};
use super::regions::Regions;
use super::{InstrumentError, Options};
use rustpython_compiler_core::bytecode::Opcode;

/// Straight code is cut into blocks of about this size, so that what is paid ahead stays small and deadlines are kept.
pub(super) const MAX_BLOCK: usize = 256;

/// The largest weight that a block passes on to its neighbours.
pub(super) const MAX_SUNK: i64 = 16;

/// Which probes stand where.
pub(super) struct Plan {
    /// The weight of the probe in front of an instruction, reached by everything that reaches the instruction.
    pub inside: Vec<Option<i64>>,
    /// The weight of the probe that only the way from the instruction before passes.
    pub edge: Vec<Option<i64>>,
}

pub(super) struct Block {
    pub start: usize,
    pub end: usize,
    pub weight: i64,
    pub probe: bool,
    pub successors: Vec<usize>,
    pub predecessors: Vec<usize>,
}

impl Block {
    /// Whether it ends in a `yield`, after which it may never be resumed.
    pub(super) fn suspends(&self, source: &Decoded) -> bool {
        source.instrs[self.end - 1].op == Opcode::YieldValue
    }

    /// Whether an exception handler begins with it.
    pub(super) fn handles(&self, source: &Decoded) -> bool {
        source.is_handler[self.start]
    }
}

/// Plans the probes of a code object.
pub(super) fn plan(code: &Code, source: &Decoded, options: &Options) -> Result<Plan, InstrumentError> {
    let mut blocks = find(source, |index| options.profile && source.line(code, index) != source.line(code, index - 1))?;
    // The entry block starts with what sets the frame up.
    blocks[0].weight += surcharge(code);
    blocks[0].probe = true;
    if options.sink && !options.profile {
        // Before the exit of a loop is joined with what leads to the loop.
        sink_weights(&mut blocks, source);
        join_equivalents(&mut blocks, source);
        hoist_weights(&mut blocks, source);
        share_branches(&mut blocks, source);
    }
    let count = source.instrs.len();
    let mut plan = Plan { inside: vec![None; count], edge: vec![None; count] };
    for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.probe) {
        let mut position = if index == 0 { source.entry + 1 } else { block.start };
        while index != 0 && position < block.end && is_glue(source.instrs[position].op) {
            position += 1;
        }
        let weights = if position < block.end { &mut plan.inside } else { &mut plan.edge };
        // The last instruction of a code object is never glue, so the position is that of an instruction.
        *weights.get_mut(position).ok_or_else(|| InstrumentError::new("a block of nothing at the end"))? =
            Some(block.weight);
    }
    Ok(plan)
}

/// What the VM wants right after a jump, a yield or an unwinding: probes stand behind it.
///
/// A `RESUME` must follow its `YIELD_VALUE`, since the VM recognises a suspended `yield from` by that pair;
/// `PUSH_EXC_INFO` completes the stack that the handler's own ranges count on; the VM jumps over `END_FOR` by looking for
/// it at the target of `FOR_ITER`, and over `NOT_TAKEN` by looking for it behind the jump.
fn is_glue(op: Opcode) -> bool {
    matches!(op, Opcode::Resume | Opcode::PushExcInfo | Opcode::EndFor | Opcode::PopIter | Opcode::NotTaken)
}

/// What an instruction weighs: one, unless the opcode trace never reports it.
fn weight_of(source: &Decoded, index: usize) -> i64 {
    // The trace of a frame begins at its first RESUME. The VM always jumps over END_FOR.
    i64::from(index > source.entry && !matches!(source.instrs[index].op, Opcode::Resume | Opcode::EndFor))
}

/// What entering costs beside the instructions: setting up cells and locals. Nothing, for functions of ordinary size.
fn surcharge(code: &Code) -> i64 {
    let slots = code.localspluskinds.len() + 2 * (code.cellvars.len() + code.freevars.len());
    slots as i64 / 64
}

/// `cut`: where else a block is to end, if one may.
fn find(source: &Decoded, cut: impl Fn(usize) -> bool) -> Result<Vec<Block>, InstrumentError> {
    let instrs = &source.instrs;
    let mut leaders = vec![0];
    for index in source.entry + 1..instrs.len() {
        let before = instrs[index - 1].op;
        let since = index - leaders.last().copied().unwrap_or(0);
        if source.is_target[index]
            || flow(before) != Flow::Next
            || before == Opcode::YieldValue
            || ((since >= MAX_BLOCK || cut(index)) && may_cut_before(instrs[index].op))
        {
            leaders.push(index);
        }
    }
    let mut blocks: Vec<Block> = leaders
        .iter()
        .enumerate()
        .map(|(block, &start)| {
            let end = leaders.get(block + 1).copied().unwrap_or(instrs.len());
            let weight = (start..end).map(|index| weight_of(source, index)).sum();
            Block { start, end, weight, probe: weight > 0, successors: Vec::new(), predecessors: Vec::new() }
        })
        .collect();
    for index in 0..blocks.len() {
        let last = &instrs[blocks[index].end - 1];
        let mut successors = Vec::new();
        if matches!(flow(last.op), Flow::Jump | Flow::Branch) {
            let target = last.target.ok_or_else(|| InstrumentError::new("a jump to nowhere"))?;
            successors.push(leaders.partition_point(|&leader| leader <= target) - 1);
        }
        if matches!(flow(last.op), Flow::Next | Flow::Branch) {
            successors.push(index + 1);
        }
        for &successor in &successors {
            let successor: &mut Block =
                blocks.get_mut(successor).ok_or_else(|| InstrumentError::new("control falls off the end"))?;
            successor.predecessors.push(index);
        }
        blocks[index].successors = successors;
    }
    Ok(blocks)
}

/// Whether a long block may be cut there: never between two instructions that the VM runs as one.
fn may_cut_before(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::LoadFast
            | Opcode::LoadFastBorrow
            | Opcode::LoadFastLoadFast
            | Opcode::LoadFastBorrowLoadFastBorrow
            | Opcode::LoadConst
            | Opcode::LoadSmallInt
            | Opcode::LoadName
            | Opcode::LoadGlobal
            | Opcode::LoadDeref
    )
}

/// Lets a block pay for small ones that run exactly as often: what comes after an `if`, mostly.
///
/// See [`regions`] for which those are. Every cycle through a block goes through its payer as well, so none ever loses its
/// last probe.
fn join_equivalents(blocks: &mut [Block], source: &Decoded) {
    let regions = Regions::of(blocks, source);
    for index in 1..blocks.len() {
        let block = &blocks[index];
        if !block.probe || block.weight > MAX_SUNK || block.handles(source) {
            continue;
        }
        // Between two turns of an iterator there must be a probe, see `fuel::step`.
        if block.predecessors.iter().any(|&before| iterates(&blocks[before], source)) {
            continue;
        }
        let Some(payer) = regions.payer(index) else { continue };
        if !blocks[payer].probe || blocks[payer].weight + block.weight > MAX_BLOCK as i64 {
            continue;
        }
        let weight = std::mem::take(&mut blocks[index].weight);
        blocks[index].probe = false;
        blocks[payer].weight += weight;
    }
}

/// Lets a block pay in advance for what all of its successors cost at the least. The cheapest then need no probe.
///
/// It is their only predecessor and keeps its own probe, so no cycle loses its last one.
fn share_branches(blocks: &mut [Block], source: &Decoded) {
    for index in 0..blocks.len() {
        let block = &blocks[index];
        if !block.probe || block.successors.len() < 2 || iterates(block, source) {
            continue;
        }
        let successors = block.successors.clone();
        let takes_part = |&successor: &usize| {
            let taker = &blocks[successor];
            taker.probe && taker.predecessors.len() == 1 && successor != index && !taker.handles(source)
        };
        let least = successors.iter().map(|&successor| blocks[successor].weight).min().unwrap_or(0);
        if least > MAX_SUNK || !successors.iter().all(takes_part) {
            continue;
        }
        blocks[index].weight += least;
        for successor in successors {
            let taker = &mut blocks[successor];
            taker.weight -= least;
            taker.probe = taker.weight > 0;
        }
    }
}

/// Whether a block ends in a turn of an iterator.
fn iterates(block: &Block, source: &Decoded) -> bool {
    matches!(source.instrs[block.end - 1].op, Opcode::ForIter | Opcode::Send)
}

/// Passes the weights of small blocks on to their successors.
///
/// A block that is the only predecessor of each of its successors has run once whenever one of them runs, so they can
/// pay for it: this leaves one probe for each turn of a plain loop. A block whose successor has no probe keeps its own,
/// so no cycle ever loses its last one. What suspends keeps its own too: it may never be resumed.
fn sink_weights(blocks: &mut [Block], source: &Decoded) {
    for index in 1..blocks.len() {
        let block = &blocks[index];
        if block.suspends(source) || !block.probe || block.weight > MAX_SUNK || block.handles(source) {
            continue;
        }
        let successors = block.successors.clone();
        let all_take = successors.iter().all(|&successor| {
            let taker = &blocks[successor];
            successor != index
                && successor != 0
                && taker.predecessors.len() == 1
                && taker.probe
                && !taker.handles(source)
        });
        if successors.is_empty() || !all_take {
            continue;
        }
        let weight = std::mem::take(&mut blocks[index].weight);
        blocks[index].probe = false;
        for successor in successors {
            blocks[successor].weight += weight;
        }
    }
}

/// Passes the weights of small blocks back to their predecessors, where sinking could not.
///
/// If a block runs right after each of its predecessors, they can pay for it: this frees the head of a loop that is also
/// left by `break`. A block whose predecessor has no probe keeps its own, so no cycle ever loses its last one.
fn hoist_weights(blocks: &mut [Block], source: &Decoded) {
    for index in 1..blocks.len() {
        let block = &blocks[index];
        if !block.probe || block.weight > MAX_SUNK || block.handles(source) {
            continue;
        }
        let predecessors = block.predecessors.clone();
        let all_take = predecessors.iter().all(|&predecessor| {
            let taker = &blocks[predecessor];
            predecessor != index && taker.successors.len() == 1 && taker.probe && !taker.suspends(source)
        });
        if predecessors.is_empty() || !all_take {
            continue;
        }
        let weight = std::mem::take(&mut blocks[index].weight);
        blocks[index].probe = false;
        for predecessor in predecessors {
            blocks[predecessor].weight += weight;
        }
    }
}
