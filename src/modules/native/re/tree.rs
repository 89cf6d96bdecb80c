//! Patterns as trees.

use super::set::{Fold, Items};

/// As many as there are.
pub(super) const NO_END: u32 = u32::MAX;

/// What [`Node::width`] answers at most.
const MOST_WIDTH: u64 = 1 << 62;

#[derive(Debug)]
pub(super) enum Node {
    Empty,
    Char {
        c: u32,
        fold: Fold,
    },
    /// Any but a line's end; with `all` that too.
    Any {
        all: bool,
    },
    Set {
        items: Items,
        fold: Fold,
    },
    At(Place),
    /// A group, numbered if it captures.
    Group {
        index: Option<u32>,
        body: Box<Node>,
    },
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        least: u32,
        most: u32,
        mode: Mode,
        body: Box<Node>,
    },
    Atomic(Box<Node>),
    /// Looks ahead, or back by `behind` characters.
    Look {
        behind: Option<u32>,
        negated: bool,
        body: Box<Node>,
    },
    /// What a group matched, again.
    Again {
        group: u32,
        fold: Fold,
    },
    /// One or the other, by whether a group took part.
    If {
        group: u32,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

/// A place that takes no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Beginning,
    LineBeginning,
    /// The end, or before the last line's end.
    End,
    LineEnd,
    VeryEnd,
    Boundary {
        unicode: bool,
    },
    NoBoundary {
        unicode: bool,
    },
}

impl Node {
    /// The fewest and the most characters it takes. `groups` has the widths of the groups that are closed.
    pub(super) fn width(&self, groups: &[Option<(u64, u64)>]) -> (u64, u64) {
        let (low, high) = match self {
            Node::Empty | Node::At(_) | Node::Look { .. } => (0, 0),
            Node::Char { .. } | Node::Any { .. } | Node::Set { .. } => (1, 1),
            Node::Group { index: Some(index), body } => match groups.get(*index as usize) {
                Some(Some(width)) => *width,
                _ => body.width(groups),
            },
            Node::Group { index: None, body } | Node::Atomic(body) => body.width(groups),
            Node::Sequence(nodes) => nodes.iter().fold((0u64, 0u64), |(low, high), node| {
                let (least, most) = node.width(groups);
                (low.saturating_add(least), high.saturating_add(most))
            }),
            Node::Either(nodes) => nodes.iter().fold((MOST_WIDTH, 0), |(low, high), node| {
                let (least, most) = node.width(groups);
                (low.min(least), high.max(most))
            }),
            Node::Repeat { least, most, body, .. } => {
                let (low, high) = body.width(groups);
                let most = if *most == NO_END { MOST_WIDTH } else { u64::from(*most) };
                (low.saturating_mul(u64::from(*least)), high.saturating_mul(most))
            }
            Node::Again { group, .. } => match groups.get(*group as usize) {
                Some(Some(width)) => *width,
                _ => (0, MOST_WIDTH),
            },
            Node::If { yes, no, .. } => {
                let ((low, high), (least, most)) = (yes.width(groups), no.width(groups));
                (low.min(least), high.max(most))
            }
        };
        (low.min(MOST_WIDTH), high.min(MOST_WIDTH))
    }
}
