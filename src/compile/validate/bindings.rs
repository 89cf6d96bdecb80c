//! Every name that a script binds, in any scope and by any form.

use rustpython_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use rustpython_ast::{AnyNodeRef, ExprContext, ModModule};
use std::collections::HashSet;

/// Collects the names, without telling scopes apart.
pub(crate) fn collect(module: &ModModule) -> HashSet<&str> {
    let mut bindings = Bindings(HashSet::new());
    bindings.visit_body(&module.body);
    bindings.0
}

struct Bindings<'a>(HashSet<&'a str>);

impl<'a> SourceOrderVisitor<'a> for Bindings<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            // Walrus, `for`, `with ... as`, `del` and assignments all have a name in one of the other contexts.
            AnyNodeRef::ExprName(name) if name.ctx != ExprContext::Load => self.add(Some(name.id.as_str())),
            AnyNodeRef::Parameter(parameter) => self.add(Some(parameter.name.as_str())),
            AnyNodeRef::StmtFunctionDef(function) => self.add(Some(function.name.as_str())),
            AnyNodeRef::StmtClassDef(class) => self.add(Some(class.name.as_str())),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => self.add(handler.name.as_deref()),
            AnyNodeRef::Alias(alias) => {
                let name = alias.asname.as_deref().unwrap_or_else(|| alias.name.split('.').next().unwrap_or_default());
                self.add(Some(name));
            }
            AnyNodeRef::StmtGlobal(global) => global.names.iter().for_each(|name| self.add(Some(name.as_str()))),
            AnyNodeRef::StmtNonlocal(nonlocal) => nonlocal.names.iter().for_each(|name| self.add(Some(name.as_str()))),
            AnyNodeRef::PatternMatchAs(pattern) => self.add(pattern.name.as_deref()),
            AnyNodeRef::PatternMatchStar(pattern) => self.add(pattern.name.as_deref()),
            AnyNodeRef::PatternMatchMapping(pattern) => self.add(pattern.rest.as_deref()),
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

impl<'a> Bindings<'a> {
    fn add(&mut self, name: Option<&'a str>) {
        self.0.extend(name);
    }
}
