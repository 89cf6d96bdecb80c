//! What the compiler would compute ahead from constants.
//!
//! It folds operators, subscripts and displays of constants, keeps every intermediate result, and looks each up by
//! comparing it with all constants before it. Twenty bytes such as `('a' * 4096,) * 256` become a megabyte, and
//! `'' * 10**18` a loop that never ends. This walks the tree from the leaves up with sizes in place of values; a size is
//! never below the true one.

use super::{CONSTANTS, FOLDED_BYTES, SET_PAIRS, SourceLimits};
use crate::compile::violation::Violation;
use rustpython_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use rustpython_ast::{Expr, ModModule, Number, Operator, Stmt};
use rustpython_text_size::{Ranged, TextSize};
use std::collections::HashSet;

/// Checks the tree, whose depth is within its limit.
pub(crate) fn check(source: &str, module: &ModModule, limits: &SourceLimits) -> Result<(), Violation> {
    let mut folder = Folder {
        source,
        limits,
        values: Vec::new(),
        constants: HashSet::new(),
        bytes: 0,
        set_pairs: 0,
        violation: None,
    };
    folder.visit_body(&module.body);
    folder.violation.map_or(Ok(()), Err)
}

/// A constant, as far as its size goes.
#[derive(Clone, Copy, Debug)]
struct Folded {
    bytes: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An integer or a boolean, by its largest possible magnitude.
    Int(u64),
    Sequence {
        tuple: bool,
        may_be_empty: bool,
    },
    Other,
}

struct Folder<'s> {
    source: &'s str,
    limits: &'s SourceLimits,
    /// The values of the expressions done so far whose parent is not done, in source order.
    values: Vec<Option<Folded>>,
    /// The source text of every constant.
    constants: HashSet<&'s str>,
    bytes: u64,
    set_pairs: u64,
    violation: Option<Violation>,
}

/// Bytes of a constant beside its payload.
const CONSTANT_BYTES: u64 = 40;
/// The compiler folds no repetition of a string by more than this, nor of a tuple, save of empty ones.
const MAX_REPEAT: u64 = 4_096;
/// Most turns of a loop over nothing: what repeats an empty string runs them all.
const MAX_EMPTY_REPEAT: u64 = 1 << 20;
/// An integer constant up to this is in the instruction, not in the table.
const SMALL_INT: u64 = 255;

impl<'a> SourceOrderVisitor<'a> for Folder<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if self.violation.is_some() {
            return;
        }
        let before = self.values.len();
        walk_stmt(self, statement);
        self.values.truncate(before);
        // Each definition is a code object in its parent's table, with a table of its own for its names.
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_) | Stmt::ImportFrom(_) | Stmt::AnnAssign(_)) {
            self.constant(statement.start(), statement.end());
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if self.violation.is_some() {
            return;
        }
        let before = self.values.len();
        walk_expr(self, expr);
        let parts: Vec<Option<Folded>> = self.values.drain(before.min(self.values.len())..).collect();
        if self.violation.is_some() {
            return;
        }
        match self.value(expr, &parts) {
            Ok(value) => self.values.push(value),
            Err(violation) => self.violation = Some(violation),
        }
    }
}

impl Folder<'_> {
    fn value(&mut self, expr: &Expr, parts: &[Option<Folded>]) -> Result<Option<Folded>, Violation> {
        let at = expr.start();
        let leaf = |bytes: usize, kind| Some(Folded { bytes: CONSTANT_BYTES + bytes as u64, kind });
        let value = match expr {
            Expr::NumberLiteral(number) => match &number.value {
                Number::Int(int) => {
                    let magnitude = int.as_usize().map_or(u64::MAX, |value| value as u64);
                    if magnitude > SMALL_INT {
                        self.constant(expr.start(), expr.end());
                        self.check_constants(at)?;
                    }
                    return Ok(leaf(number.range.len().to_usize(), Kind::Int(magnitude)));
                }
                Number::Float(_) | Number::Complex { .. } => leaf(16, Kind::Other),
            },
            Expr::BooleanLiteral(_) => return Ok(leaf(0, Kind::Int(1))),
            Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) => return Ok(leaf(0, Kind::Other)),
            Expr::StringLiteral(string) => {
                let bytes = string.value.to_str().len();
                leaf(bytes, Kind::Sequence { tuple: false, may_be_empty: bytes == 0 })
            }
            Expr::BytesLiteral(literal) => {
                let bytes = literal.value.bytes().count();
                leaf(bytes, Kind::Sequence { tuple: false, may_be_empty: bytes == 0 })
            }
            // A field's value is not known; but what is repeated may be, and may be empty.
            Expr::FString(string) => {
                leaf(string.range.len().to_usize(), Kind::Sequence { tuple: false, may_be_empty: true })
            }
            Expr::UnaryOp(_) => match parts {
                [Some(operand)] => {
                    let kind = match operand.kind {
                        Kind::Int(magnitude) => Kind::Int(magnitude.saturating_add(1)),
                        Kind::Sequence { .. } => Kind::Int(1),
                        Kind::Other => Kind::Other,
                    };
                    Some(Folded { bytes: operand.bytes, kind })
                }
                _ => None,
            },
            Expr::BinOp(operation) => match parts {
                [Some(left), Some(right)] => {
                    let folded = binary(operation.op, *left, *right, at)?;
                    self.computed(folded, at)?;
                    folded
                }
                _ => None,
            },
            Expr::Subscript(_) => match parts {
                [Some(container), Some(_)] => {
                    let kind = Kind::Sequence { tuple: true, may_be_empty: true };
                    let folded = Some(Folded { bytes: container.bytes, kind });
                    self.computed(folded, at)?;
                    folded
                }
                _ => None,
            },
            Expr::Slice(_) => sum(parts).map(|bytes| Folded { bytes, kind: Kind::Other }),
            Expr::Tuple(_) | Expr::List(_) => {
                let folded = sum(parts).map(|bytes| Folded {
                    bytes,
                    kind: Kind::Sequence { tuple: true, may_be_empty: parts.is_empty() },
                });
                self.computed(folded, at)?;
                folded
            }
            Expr::Set(_) => {
                let folded = sum(parts).map(|bytes| Folded { bytes, kind: Kind::Other });
                if folded.is_some() {
                    let count = parts.len() as u64;
                    self.set_pairs = self.set_pairs.saturating_add(count.saturating_mul(count) / 2);
                    SET_PAIRS.check(self.set_pairs, self.limits.set_pairs, at)?;
                }
                self.computed(folded, at)?;
                folded
            }
            // Where a branch is decided ahead, the constant that is left meets the operator outside.
            Expr::If(_) | Expr::BoolOp(_) | Expr::Named(_) | Expr::Starred(_) => {
                return Ok(parts.iter().flatten().copied().reduce(either));
            }
            Expr::Call(call) => {
                // The keywords' names are a tuple constant.
                if !call.arguments.keywords.is_empty() {
                    self.constant(call.arguments.start(), call.arguments.end());
                }
                return self.check_constants(at).map(|()| None);
            }
            Expr::Lambda(_) | Expr::Generator(_) => {
                self.constant(expr.start(), expr.end());
                return self.check_constants(at).map(|()| None);
            }
            Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
            | Expr::Dict(_)
            | Expr::Await(_)
            | Expr::Yield(_)
            | Expr::YieldFrom(_)
            | Expr::Compare(_)
            | Expr::TString(_)
            | Expr::Constant(_)
            | Expr::Attribute(_)
            | Expr::Name(_)
            | Expr::IpyEscapeCommand(_) => None,
        };
        if value.is_some() {
            self.constant(expr.start(), expr.end());
            self.check_constants(at)?;
        }
        Ok(value)
    }

    /// Counts the bytes of a constant that is computed, not written.
    fn computed(&mut self, folded: Option<Folded>, at: TextSize) -> Result<(), Violation> {
        if let Some(folded) = folded {
            self.bytes = self.bytes.saturating_add(folded.bytes);
            FOLDED_BYTES.check(self.bytes, self.limits.folded_bytes, at)?;
        }
        Ok(())
    }

    fn constant(&mut self, start: TextSize, end: TextSize) {
        if let Some(text) = self.source.get(start.to_usize()..end.to_usize()) {
            self.constants.insert(text);
        }
    }

    fn check_constants(&self, at: TextSize) -> Result<(), Violation> {
        CONSTANTS.check(self.constants.len() as u64, self.limits.constants, at)
    }
}

/// The size of all parts together, if all are constants.
fn sum(parts: &[Option<Folded>]) -> Option<u64> {
    parts.iter().try_fold(CONSTANT_BYTES, |total, part| Some(total.saturating_add(part.as_ref()?.bytes)))
}

/// A size that holds for either.
fn either(left: Folded, right: Folded) -> Folded {
    let kind = match (left.kind, right.kind) {
        (Kind::Int(left), Kind::Int(right)) => Kind::Int(left.max(right)),
        (Kind::Sequence { .. }, _) | (_, Kind::Sequence { .. }) => Kind::Sequence { tuple: true, may_be_empty: true },
        (Kind::Int(magnitude), Kind::Other) | (Kind::Other, Kind::Int(magnitude)) => Kind::Int(magnitude),
        (Kind::Other, Kind::Other) => Kind::Other,
    };
    Folded { bytes: left.bytes.max(right.bytes), kind }
}

fn binary(operator: Operator, left: Folded, right: Folded, at: TextSize) -> Result<Option<Folded>, Violation> {
    let bytes = left.bytes.saturating_add(right.bytes);
    let folded = match (operator, left.kind, right.kind) {
        (Operator::Mult, Kind::Sequence { tuple, may_be_empty }, Kind::Int(count))
        | (Operator::Mult, Kind::Int(count), Kind::Sequence { tuple, may_be_empty }) => {
            if may_be_empty {
                FOLDED_BYTES.check(count, MAX_EMPTY_REPEAT, at)?;
            } else if count > MAX_REPEAT {
                return Ok(None);
            }
            let repeated = bytes.saturating_mul(count.min(MAX_REPEAT).max(1));
            // A string's repetition is folded up to this many characters, a tuple's up to a number of items.
            let most = if tuple { u64::MAX } else { CONSTANT_BYTES.saturating_add(4 * MAX_REPEAT) };
            Folded { bytes: repeated.min(most), kind: Kind::Sequence { tuple, may_be_empty: true } }
        }
        // An addition of sequences; a left operand of `%` is a format, which is not folded.
        (
            Operator::Add,
            Kind::Sequence { tuple: left, may_be_empty: left_empty },
            Kind::Sequence { tuple: right, may_be_empty: right_empty },
        ) => Folded { bytes, kind: Kind::Sequence { tuple: left || right, may_be_empty: left_empty && right_empty } },
        (_, Kind::Sequence { .. }, _) | (_, _, Kind::Sequence { .. }) => return Ok(None),
        (Operator::Add | Operator::Sub, Kind::Int(left), Kind::Int(right)) => {
            Folded { bytes, kind: Kind::Int(left.saturating_add(right)) }
        }
        (Operator::Mult, Kind::Int(left), Kind::Int(right)) => {
            Folded { bytes, kind: Kind::Int(left.saturating_mul(right)) }
        }
        (_, Kind::Int(_), Kind::Int(_)) => Folded { bytes, kind: Kind::Int(u64::MAX) },
        _ => Folded { bytes, kind: Kind::Other },
    };
    Ok(Some(folded))
}
