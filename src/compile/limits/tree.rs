//! Limits on the tree: its depth first, then everything that can be counted in it.

use super::*;
use crate::compile::validate::bindings;
use rustpython_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use rustpython_ast::{AnyNodeRef, Comprehension, Expr, ModModule};
use rustpython_text_size::Ranged;

/// Checks the tree. The first violation in the order of the source is the one that is told.
pub(crate) fn check(module: &ModModule, limits: &SourceLimits) -> Result<(), Violation> {
    let mut counter = Counter {
        limits,
        depth: 0,
        nodes: 0,
        definitions: 0,
        scopes: 0,
        captures: 0,
        pattern_nodes: 0,
        pattern_depth: 0,
        comprehension_depth: 0,
        violation: None,
    };
    counter.visit_body(&module.body);
    if let Some(violation) = counter.violation {
        return Err(violation);
    }
    // Each scope starts from a copy of the names around it.
    let names = bindings::collect(module).len() as u64;
    SCOPE_NAMES.check(counter.scopes.saturating_mul(names), limits.scope_names, TextSize::new(0))
}

struct Counter<'l> {
    limits: &'l SourceLimits,
    depth: u64,
    nodes: u64,
    definitions: u64,
    scopes: u64,
    captures: u64,
    pattern_nodes: u64,
    pattern_depth: u64,
    comprehension_depth: u64,
    violation: Option<Violation>,
}

impl<'a> SourceOrderVisitor<'a> for Counter<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if nests(node) {
            self.depth += 1;
        }
        if node.is_pattern() {
            self.pattern_depth += 1;
        }
        if comprehension(node) {
            self.comprehension_depth += 1;
        }
        if self.violation.is_none()
            && let Err(violation) = self.count(node)
        {
            self.violation = Some(violation);
        }
        // With this the walk never goes deeper than the limit.
        if self.violation.is_some() { TraversalSignal::Skip } else { TraversalSignal::Traverse }
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if nests(node) {
            self.depth -= 1;
        }
        if node.is_pattern() {
            self.pattern_depth -= 1;
        }
        if comprehension(node) {
            self.comprehension_depth -= 1;
        }
    }
}

/// Everything else stands inside one of these, at a fixed distance.
fn nests(node: AnyNodeRef<'_>) -> bool {
    node.is_statement() || node.is_expression() || node.is_pattern()
}

fn comprehension(node: AnyNodeRef<'_>) -> bool {
    matches!(
        node,
        AnyNodeRef::ExprListComp(_)
            | AnyNodeRef::ExprSetComp(_)
            | AnyNodeRef::ExprDictComp(_)
            | AnyNodeRef::ExprGenerator(_)
    )
}

impl Counter<'_> {
    fn count(&mut self, node: AnyNodeRef<'_>) -> Result<(), Violation> {
        let limits = self.limits;
        let at = node.range().start();
        self.nodes += 1;
        NODES.check(self.nodes, limits.nodes, at)?;
        DEPTH.check(self.depth, limits.depth, at)?;
        if node.is_pattern() {
            self.pattern(node)?;
        }
        match node {
            AnyNodeRef::StmtFunctionDef(function) => {
                self.definition(at)?;
                DECORATORS.check(len(&function.decorator_list), limits.decorators, at)?;
            }
            AnyNodeRef::StmtClassDef(class) => {
                self.definition(at)?;
                DECORATORS.check(len(&class.decorator_list), limits.decorators, at)?;
                let bases = class.arguments.as_ref().map_or(0, |arguments| len(&arguments.args));
                BASES.check(bases, limits.bases, at)?;
            }
            AnyNodeRef::ExprLambda(_) => self.scope(at)?,
            AnyNodeRef::ExprListComp(comprehension) => self.comprehension(&comprehension.generators, at)?,
            AnyNodeRef::ExprSetComp(comprehension) => self.comprehension(&comprehension.generators, at)?,
            AnyNodeRef::ExprDictComp(comprehension) => self.comprehension(&comprehension.generators, at)?,
            AnyNodeRef::ExprGenerator(comprehension) => self.comprehension(&comprehension.generators, at)?,
            AnyNodeRef::Parameters(parameters) => PARAMETERS.check(parameters.len() as u64, limits.parameters, at)?,
            AnyNodeRef::Arguments(arguments) => {
                ARGUMENTS.check(len(&arguments.args) + len(&arguments.keywords), limits.arguments, at)?;
            }
            AnyNodeRef::StmtIf(statement) => {
                ELIF_CLAUSES.check(len(&statement.elif_else_clauses), limits.elif_clauses, at)?;
            }
            AnyNodeRef::StmtAssign(assign) => self.targets(assign.targets.iter())?,
            AnyNodeRef::StmtDelete(delete) => self.targets(delete.targets.iter())?,
            AnyNodeRef::StmtFor(statement) => self.targets([&*statement.target])?,
            AnyNodeRef::Comprehension(clause) => self.targets([&clause.target])?,
            AnyNodeRef::WithItem(item) => self.targets(item.optional_vars.as_deref())?,
            _ => {}
        }
        Ok(())
    }

    fn definition(&mut self, at: TextSize) -> Result<(), Violation> {
        self.definitions += 1;
        DEFINITIONS.check(self.definitions, self.limits.definitions, at)?;
        self.scope(at)
    }

    fn scope(&mut self, at: TextSize) -> Result<(), Violation> {
        self.scopes += 1;
        SCOPES.check(self.scopes, self.limits.scopes, at)
    }

    fn comprehension(&mut self, clauses: &[Comprehension], at: TextSize) -> Result<(), Violation> {
        COMPREHENSION_CLAUSES.check(len(clauses), self.limits.comprehension_clauses, at)?;
        COMPREHENSION_NESTING.check(self.comprehension_depth, self.limits.comprehension_nesting, at)?;
        self.scope(at)
    }

    fn pattern(&mut self, node: AnyNodeRef<'_>) -> Result<(), Violation> {
        if self.pattern_depth == 1 {
            (self.captures, self.pattern_nodes) = (0, 0);
        }
        self.pattern_nodes += 1;
        let names = match node {
            AnyNodeRef::PatternMatchAs(pattern) => u64::from(pattern.name.is_some()),
            AnyNodeRef::PatternMatchStar(pattern) => u64::from(pattern.name.is_some()),
            AnyNodeRef::PatternMatchMapping(pattern) => {
                // The keys are expressions, not patterns.
                self.pattern_nodes += len(&pattern.keys);
                u64::from(pattern.rest.is_some())
            }
            _ => 0,
        };
        self.captures += names;
        let at = node.range().start();
        CAPTURES.check(self.captures, self.limits.captures, at)?;
        PATTERN_NODES.check(self.pattern_nodes, self.limits.pattern_nodes, at)
    }

    fn targets<'e>(&self, targets: impl IntoIterator<Item = &'e Expr>) -> Result<(), Violation> {
        let mut count = 0;
        let mut at = None;
        let mut rest: Vec<&Expr> = targets.into_iter().collect();
        while let Some(target) = rest.pop() {
            at.get_or_insert(target.start());
            count += 1;
            match target {
                Expr::Tuple(tuple) => rest.extend(&tuple.elts),
                Expr::List(list) => rest.extend(&list.elts),
                _ => {}
            }
        }
        TARGETS.check(count, self.limits.targets, at.unwrap_or_default())
    }
}

fn len<T>(items: &[T]) -> u64 {
    items.len() as u64
}
