//! Which basic blocks run equally often, exceptions aside.
//!
//! A block and an earlier one do if the earlier one is on every way to it, it is on every way from the earlier one to the
//! end, and both are in the same loops. Exception handlers count as further entries, and a `yield` as a further end: it may
//! never be resumed.

use super::blocks::Block;
use super::decode::Decoded;

/// How far up a payer is looked for: past the blocks of a condition with several parts.
const REACH: usize = 8;

pub(super) struct Regions {
    /// Of each block, the nearest one that is on every way to it.
    dominators: Vec<Option<usize>>,
    /// When a walk over the tree of "on every way to the end" enters and leaves a block; `None` where no end is in reach.
    spans: Vec<Option<(usize, usize)>>,
    /// The heads of the loops that a block is in, outermost first as far as they nest.
    loops: Vec<Vec<usize>>,
}

impl Regions {
    pub(super) fn of(blocks: &[Block], source: &Decoded) -> Self {
        let count = blocks.len();
        let successors = |index: usize| blocks[index].successors.as_slice();
        let predecessors = |index: usize| blocks[index].predecessors.as_slice();
        let entries: Vec<usize> = (0..count).filter(|&index| index == 0 || blocks[index].handles(source)).collect();
        let ends: Vec<usize> =
            (0..count).filter(|&index| blocks[index].successors.is_empty() || blocks[index].suspends(source)).collect();
        let order = Order::of(count, &entries, successors);
        let dominators = tree(&order, &entries, predecessors);
        let reverse = Order::of(count, &ends, predecessors);
        let spans = spans(&tree(&reverse, &ends, successors), &reverse);
        Regions { dominators, spans, loops: loops(&order, predecessors) }
    }

    /// The nearest earlier block that runs exactly when `block` does.
    pub(super) fn payer(&self, block: usize) -> Option<usize> {
        let (enter, leave) = self.spans[block]?;
        let mut next = self.dominators[block];
        for _ in 0..REACH {
            let earlier = next?;
            let (first, last) = self.spans[earlier]?;
            if enter <= first && last <= leave && self.loops[earlier] == self.loops[block] {
                return Some(earlier);
            }
            next = self.dominators[earlier];
        }
        None
    }
}

/// Blocks in reverse postorder, from some roots.
struct Order {
    /// The blocks that are in reach of the roots.
    blocks: Vec<usize>,
    /// The place of each in `blocks`.
    place: Vec<Option<usize>>,
}

impl Order {
    fn of<'a>(count: usize, roots: &[usize], next: impl Fn(usize) -> &'a [usize]) -> Self {
        let mut seen = vec![false; count];
        let mut blocks = Vec::with_capacity(count);
        for &root in roots {
            if std::mem::replace(&mut seen[root], true) {
                continue;
            }
            let mut path = vec![(root, 0)];
            while let Some((block, taken)) = path.last_mut() {
                match next(*block).get(*taken) {
                    Some(&way) => {
                        *taken += 1;
                        if !std::mem::replace(&mut seen[way], true) {
                            path.push((way, 0));
                        }
                    }
                    None => {
                        blocks.push(*block);
                        path.pop();
                    }
                }
            }
        }
        blocks.reverse();
        let mut place = vec![None; count];
        for (index, &block) in blocks.iter().enumerate() {
            place[block] = Some(index);
        }
        Order { blocks, place }
    }
}

/// The dominator tree (Cooper, Harvey and Kennedy), under a root of all roots, which is left out: `None` is a block right
/// below it, or out of reach.
fn tree<'a>(order: &Order, roots: &[usize], before: impl Fn(usize) -> &'a [usize]) -> Vec<Option<usize>> {
    /// The root of all roots; places of blocks are one higher here.
    const TOP: usize = 0;
    let count = order.blocks.len();
    let mut is_root = vec![false; count + 1];
    for place in roots.iter().filter_map(|&root| order.place[root]) {
        is_root[place + 1] = true;
    }
    let mut parents: Vec<Option<usize>> = vec![None; count + 1];
    parents[TOP] = Some(TOP);
    let mut changed = true;
    while changed {
        changed = false;
        for place in 1..=count {
            let known = before(order.blocks[place - 1]).iter().filter_map(|&block| order.place[block]).map(|at| at + 1);
            let mut parent = is_root[place].then_some(TOP);
            for other in known.filter(|&other| parents[other].is_some()) {
                parent = Some(match parent {
                    Some(parent) => meet(&parents, parent, other),
                    None => other,
                });
            }
            if parents[place] != parent {
                parents[place] = parent;
                changed = true;
            }
        }
    }
    let mut tree = vec![None; order.place.len()];
    for (index, &block) in order.blocks.iter().enumerate() {
        tree[block] = parents[index + 1].filter(|&parent| parent != TOP).map(|parent| order.blocks[parent - 1]);
    }
    tree
}

/// The nearest place that is above both.
fn meet(parents: &[Option<usize>], mut a: usize, mut b: usize) -> usize {
    while a != b {
        // A parent's place is always the lower one.
        let higher = if a > b { &mut a } else { &mut b };
        match parents[*higher] {
            Some(parent) => *higher = parent,
            None => return 0,
        }
    }
    a
}

/// Numbers a tree so that a block is below another if its span lies within the other's.
fn spans(tree: &[Option<usize>], order: &Order) -> Vec<Option<(usize, usize)>> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); tree.len()];
    let mut tops = Vec::new();
    for &block in &order.blocks {
        match tree[block] {
            Some(parent) => children[parent].push(block),
            None => tops.push(block),
        }
    }
    let mut spans = vec![None; tree.len()];
    let mut clock = 0;
    for top in tops {
        let mut path = vec![(top, clock, 0)];
        clock += 1;
        while let Some((block, entered, taken)) = path.last_mut() {
            match children[*block].get(*taken) {
                Some(&child) => {
                    *taken += 1;
                    path.push((child, clock, 0));
                }
                None => {
                    spans[*block] = Some((*entered, clock));
                    path.pop();
                }
            }
            clock += 1;
        }
    }
    spans
}

/// The loops of each block: the head of one is where a way back leads to, and all that reaches such a way back without
/// passing the head is in it.
fn loops<'a>(order: &Order, before: impl Fn(usize) -> &'a [usize]) -> Vec<Vec<usize>> {
    let mut loops = vec![Vec::new(); order.place.len()];
    let mut seen = vec![usize::MAX; order.place.len()];
    for (place, &head) in order.blocks.iter().enumerate() {
        let way_back = |&block: &usize| order.place[block].is_some_and(|from| from >= place);
        let mut found: Vec<usize> = before(head).iter().copied().filter(way_back).collect();
        if found.is_empty() {
            continue;
        }
        seen[head] = head;
        loops[head].push(head);
        while let Some(block) = found.pop() {
            if std::mem::replace(&mut seen[block], head) != head {
                loops[block].push(head);
                found.extend(before(block));
            }
        }
    }
    loops
}
