//! How many instructions the compiler would write, about.
//!
//! The compiler repeats the body of a `finally` for every way out of its `try`: the normal end, an exception, and each
//! `return`, `break` and `continue` inside. It also writes the call of `__exit__` anew for each. So a few hundred bytes of
//! nested `try` statements can become gigabytes. This counts the repeated bodies before the compiler writes them.

use super::{FINALLY_NESTING, INSTRUCTIONS, SourceLimits, WITH_NESTING};
use crate::compile::violation::Violation;
use rustpython_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use rustpython_ast::{AnyNodeRef, ExceptHandler, ModModule, Pattern, Stmt};
use rustpython_text_size::{Ranged, TextSize};

/// Checks the tree, whose depth is within its limit.
pub(crate) fn check(module: &ModModule, limits: &SourceLimits) -> Result<(), Violation> {
    let mut estimate = Estimate { limits, total: 0 };
    let cost = estimate.body(&module.body, Exits::default())?;
    INSTRUCTIONS.check(cost.saturating_add(estimate.total), limits.instructions, TextSize::new(0))
}

/// What leaving costs at some place, and how deep in `finally` and `with` it is.
#[derive(Clone, Copy, Default)]
struct Exits {
    /// Instructions that a `return` writes to leave the function.
    leave_function: u64,
    /// Instructions that a `break` or `continue` writes to leave the loop.
    leave_loop: u64,
    finally_depth: u64,
    with_depth: u64,
}

impl Exits {
    fn add(self, cost: u64) -> Exits {
        Exits {
            leave_function: self.leave_function.saturating_add(cost),
            leave_loop: self.leave_loop.saturating_add(cost),
            ..self
        }
    }

    fn in_loop(self) -> Exits {
        Exits { leave_function: self.leave_function.saturating_add(1), leave_loop: 0, ..self }
    }
}

struct Estimate<'l> {
    limits: &'l SourceLimits,
    /// Instructions of all functions done so far.
    total: u64,
}

/// What a basic block takes in room beside its instructions, in instructions: the compiler keeps spare ones.
const BLOCK: u64 = 10;
/// Instructions of a `with` item's exit on the normal way.
const WITH_EXIT: u64 = 8;
const ASYNC_WITH_EXIT: u64 = WITH_EXIT + AWAIT;
/// An `await` or `yield from` is a loop of four blocks.
const AWAIT: u64 = 4 * BLOCK;
/// Instructions that an `except ... as name` adds to each way out.
const NAMED_HANDLER_EXIT: u64 = 6;

impl Estimate<'_> {
    fn body(&mut self, body: &[Stmt], exits: Exits) -> Result<u64, Violation> {
        let mut cost = 0u64;
        for statement in body {
            cost = cost.saturating_add(self.statement(statement, exits)?);
            // Stop at once: the numbers grow by the power of the nesting.
            INSTRUCTIONS.check(cost, self.limits.instructions, statement.start())?;
        }
        Ok(cost)
    }

    fn statement(&mut self, statement: &Stmt, exits: Exits) -> Result<u64, Violation> {
        let own = own_cost(statement);
        let inner = match statement {
            Stmt::FunctionDef(function) => {
                let body = self.body(&function.body, Exits::default())?;
                self.total = self.total.saturating_add(body);
                0
            }
            Stmt::ClassDef(class) => {
                let body = self.body(&class.body, Exits::default())?;
                self.total = self.total.saturating_add(body);
                0
            }
            Stmt::Return(_) => exits.leave_function,
            Stmt::Break(_) | Stmt::Continue(_) => exits.leave_loop,
            Stmt::For(loop_) => {
                self.body(&loop_.body, exits.in_loop())?.saturating_add(self.body(&loop_.orelse, exits)?)
            }
            Stmt::While(loop_) => self
                .body(&loop_.body, Exits { leave_loop: 0, ..exits })?
                .saturating_add(self.body(&loop_.orelse, exits)?),
            Stmt::If(branch) => {
                let mut cost = self.body(&branch.body, exits)?;
                for clause in &branch.elif_else_clauses {
                    cost = cost.saturating_add(self.body(&clause.body, exits)?);
                }
                cost
            }
            Stmt::With(with) => {
                let items = with.items.len() as u64;
                let with_depth = exits.with_depth.saturating_add(items);
                WITH_NESTING.check(with_depth, self.limits.with_nesting, with.start())?;
                let exit = if with.is_async { ASYNC_WITH_EXIT } else { WITH_EXIT };
                let inside = Exits { with_depth, ..exits.add(items.saturating_mul(exit)) };
                // Entered once, left on the normal way and by an exception, which takes blocks of its own.
                self.body(&with.body, inside)?.saturating_add(items.saturating_mul(3 * exit + 6 * BLOCK))
            }
            Stmt::Match(match_) => {
                let mut cost = 0u64;
                for case in &match_.cases {
                    cost =
                        cost.saturating_add(captures_cost(&case.pattern)).saturating_add(self.body(&case.body, exits)?);
                }
                cost
            }
            Stmt::Try(try_) => {
                let last = self.body(&try_.finalbody, exits)?;
                let inside = if try_.finalbody.is_empty() {
                    exits.add(1)
                } else {
                    let finally_depth = exits.finally_depth + 1;
                    FINALLY_NESTING.check(finally_depth, self.limits.finally_nesting, try_.start())?;
                    // A copy takes about twice the room of the first, as nothing of it is shared.
                    Exits { finally_depth, ..exits.add(last.saturating_mul(2)) }
                };
                let mut cost = self.body(&try_.body, inside)?.saturating_add(self.body(&try_.orelse, inside)?);
                for ExceptHandler::ExceptHandler(handler) in &try_.handlers {
                    let named = inside.add(if handler.name.is_some() { NAMED_HANDLER_EXIT } else { 1 });
                    cost = cost.saturating_add(self.body(&handler.body, named)?).saturating_add(3 * BLOCK);
                }
                cost.saturating_add(last.saturating_mul(2)).saturating_add(3 * BLOCK)
            }
            Stmt::Delete(_)
            | Stmt::TypeAlias(_)
            | Stmt::Assign(_)
            | Stmt::AugAssign(_)
            | Stmt::AnnAssign(_)
            | Stmt::Raise(_)
            | Stmt::Assert(_)
            | Stmt::Import(_)
            | Stmt::ImportFrom(_)
            | Stmt::Global(_)
            | Stmt::Nonlocal(_)
            | Stmt::Expr(_)
            | Stmt::Pass(_)
            | Stmt::IpyEscapeCommand(_) => 0,
        };
        Ok(own.saturating_add(inner))
    }
}

/// The statement itself and its own expressions and patterns, without the statements inside. The weights are measured:
/// they follow the memory that the compiler takes for each form.
fn own_cost(statement: &Stmt) -> u64 {
    struct Own {
        cost: u64,
        entered: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Own {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            // The statement itself is entered, those inside are not.
            if node.is_statement() && std::mem::replace(&mut self.entered, true) {
                return TraversalSignal::Skip;
            }
            self.cost = self.cost.saturating_add(node_cost(node));
            TraversalSignal::Traverse
        }
    }
    let mut own = Own { cost: 0, entered: false };
    own.visit_stmt(statement);
    own.cost
}

fn node_cost(node: AnyNodeRef<'_>) -> u64 {
    1 + match node {
        AnyNodeRef::StmtIf(_) | AnyNodeRef::StmtWhile(_) | AnyNodeRef::StmtAssert(_) => 2 * BLOCK,
        AnyNodeRef::ElifElseClause(_) => 2 * BLOCK,
        AnyNodeRef::StmtFor(for_) if for_.is_async => 7 * BLOCK,
        AnyNodeRef::StmtFor(_) => 4 * BLOCK,
        AnyNodeRef::StmtTry(_) => BLOCK,
        AnyNodeRef::ExceptHandlerExceptHandler(handler) if handler.name.is_some() => 4 * BLOCK,
        AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) | AnyNodeRef::ExprLambda(_) => 2 * BLOCK,
        AnyNodeRef::MatchCase(_) => 2 * BLOCK,
        AnyNodeRef::PatternMatchOr(alternatives) => 3 * BLOCK * alternatives.patterns.len() as u64,
        AnyNodeRef::PatternMatchMapping(_) => 9 * BLOCK,
        AnyNodeRef::PatternMatchSequence(_) => 5 * BLOCK,
        AnyNodeRef::PatternMatchClass(_) => 4 * BLOCK,
        AnyNodeRef::PatternMatchValue(_) | AnyNodeRef::PatternMatchSingleton(_) => BLOCK,
        AnyNodeRef::ExprBoolOp(operation) => 2 * BLOCK * operation.values.len() as u64,
        AnyNodeRef::ExprCompare(comparison) if comparison.comparators.len() > 1 => {
            2 * BLOCK * comparison.comparators.len() as u64
        }
        AnyNodeRef::ExprIf(_) => 3 * BLOCK,
        AnyNodeRef::ExprAwait(_) | AnyNodeRef::ExprYieldFrom(_) => AWAIT,
        AnyNodeRef::Comprehension(clause) => {
            (if clause.is_async { 9 } else { 5 } + 2 * clause.ifs.len() as u64) * BLOCK
        }
        _ => 0,
    }
}

/// Each name that a pattern captures is moved below those captured before it, and each alternative of an or-pattern puts
/// the names into the order of the first.
fn captures_cost(pattern: &Pattern) -> u64 {
    struct Names(u64);
    impl<'a> SourceOrderVisitor<'a> for Names {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 += match node {
                AnyNodeRef::PatternMatchAs(pattern) => u64::from(pattern.name.is_some()),
                AnyNodeRef::PatternMatchStar(pattern) => u64::from(pattern.name.is_some()),
                AnyNodeRef::PatternMatchMapping(pattern) => u64::from(pattern.rest.is_some()),
                _ => 0,
            };
            TraversalSignal::Traverse
        }
    }
    let mut names = Names(0);
    names.visit_pattern(pattern);
    names.0.saturating_mul(names.0)
}
