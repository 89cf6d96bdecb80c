//! How many instructions the compiler would write, about.
//!
//! The compiler repeats the body of a `finally` for every way out of its `try`: the normal end, an exception, and each
//! `return`, `break` and `continue` inside. It also writes the call of `__exit__` anew for each. So a few hundred bytes of
//! nested `try` statements can become gigabytes. This counts the repeated bodies before the compiler writes them.

use super::{FINALLY_NESTING, INSTRUCTIONS, SourceLimits, WITH_NESTING};
use crate::compile::violation::Violation;
use rustpython_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use rustpython_ast::{AnyNodeRef, ExceptHandler, Expr, ModModule, Pattern, Stmt};
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

/// Instructions of a `with` item's exit on the normal way, and of its handler.
const WITH_EXIT: u64 = 8;
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
                let inside = Exits { with_depth, ..exits.add(items.saturating_mul(WITH_EXIT)) };
                self.body(&with.body, inside)?.saturating_add(items.saturating_mul(3 * WITH_EXIT))
            }
            Stmt::Match(match_) => {
                let mut cost = 0u64;
                for case in &match_.cases {
                    cost =
                        cost.saturating_add(pattern_cost(&case.pattern)).saturating_add(self.body(&case.body, exits)?);
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
                    Exits { finally_depth, ..exits.add(last) }
                };
                let mut cost = self.body(&try_.body, inside)?.saturating_add(self.body(&try_.orelse, inside)?);
                for ExceptHandler::ExceptHandler(handler) in &try_.handlers {
                    let named = inside.add(if handler.name.is_some() { NAMED_HANDLER_EXIT } else { 1 });
                    cost = cost.saturating_add(self.body(&handler.body, named)?).saturating_add(8);
                }
                cost.saturating_add(last.saturating_mul(2)).saturating_add(8)
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

/// The statement's own expressions, without the statements inside: about two instructions a node.
fn own_cost(statement: &Stmt) -> u64 {
    struct Expressions {
        nodes: u64,
        entered: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Expressions {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            // The statement itself is entered, those inside are not.
            if node.is_statement() && std::mem::replace(&mut self.entered, true) {
                return TraversalSignal::Skip;
            }
            self.nodes += 1;
            TraversalSignal::Traverse
        }

        fn visit_expr(&mut self, expr: &'a Expr) {
            self.nodes += 1;
            walk_expr(self, expr);
        }
    }
    let mut expressions = Expressions { nodes: 0, entered: false };
    expressions.visit_stmt(statement);
    expressions.nodes
}

/// Each name that a pattern captures is moved below those captured before it, and each alternative of an or-pattern puts
/// the names into the order of the first.
fn pattern_cost(pattern: &Pattern) -> u64 {
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
