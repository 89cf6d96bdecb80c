//! The validator: a closed allow-list of grammar, and one name check at every place that binds or reads a name.
//!
//! Every `match` on a kind of node names all kinds, and every node is taken apart with all its fields, so grammar that a
//! new parser brings does not compile here until someone has decided on it. Fields called `runtime_...` are filled by the
//! interpreter's own `ast` module alone, never by the parser.
//!
//! The validator is not the boundary: what it refuses is out of reach at run time as well. It is what tells an author,
//! with a line and a reason, before anything has run.

pub(crate) mod bindings;
mod expr;
mod pattern;
mod stmt;
#[cfg(test)]
mod tests;

use crate::compile::names::{self, NameRule, Scope, Use};
use crate::compile::violation::Violation;
use rustpython_ast::{Identifier, ModModule, Parameters};
use rustpython_text_size::{Ranged, TextSize};
use std::collections::HashSet;

/// Whether the policy grants a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Granted,
    Denied,
}

/// Checks a tree whose depth is within its limit. The first violation in the order of the source is returned.
pub(crate) fn check(module: &ModModule, grants: &dyn Fn(&str) -> Grant) -> Result<(), Violation> {
    let ModModule { body, range: _, node_index: _, runtime_body: _ } = module;
    let mut validator = Validator { grants, bound: bindings::collect(module), place: Place::MODULE };
    validator.body(body)
}

struct Validator<'a> {
    grants: &'a dyn Fn(&str) -> Grant,
    /// Every name that the script binds anywhere.
    bound: HashSet<&'a str>,
    place: Place,
}

/// Where in the script.
#[derive(Clone, Copy)]
struct Place {
    scope: Scope,
    /// Inside of a class, at whatever depth.
    in_class: bool,
    /// Whether `super()` finds its class and its instance here: in a function inside of a class, in its first parameter.
    method: bool,
}

impl Place {
    const MODULE: Place = Place { scope: Scope::Module, in_class: false, method: false };

    fn class(self) -> Place {
        Place { scope: Scope::Class, in_class: true, method: false }
    }

    fn function(self, parameters: Option<&Parameters>) -> Place {
        let first = parameters.and_then(|parameters| parameters.posonlyargs.first().or(parameters.args.first()));
        Place { scope: Scope::Function, method: self.in_class && first.is_some(), ..self }
    }

    fn comprehension(self) -> Place {
        Place { scope: Scope::Function, ..self }
    }
}

type Checked = Result<(), Violation>;

impl Validator<'_> {
    /// Runs the checks of a block in its own place.
    fn inside(&mut self, place: Place, check: impl FnOnce(&mut Self) -> Checked) -> Checked {
        let outer = std::mem::replace(&mut self.place, place);
        let checked = check(self);
        self.place = outer;
        checked
    }

    fn bind(&self, name: &Identifier) -> Checked {
        self.name(name.as_str(), self.place.scope, Use::Bind, name.start())
    }

    fn name(&self, name: &str, scope: Scope, use_: Use, at: TextSize) -> Checked {
        names::name(name, scope, use_).map_err(|rule| refused("the name", name, rule, at))
    }

    /// A keyword argument's name binds nothing here.
    fn keyword(&self, name: &Identifier) -> Checked {
        self.name(name.as_str(), Scope::Function, Use::Read, name.start())
    }

    fn attribute(&self, name: &Identifier) -> Checked {
        names::attribute(name.as_str()).map_err(|rule| refused("the attribute", name.as_str(), rule, name.start()))
    }
}

fn refused(what: &str, name: &str, rule: NameRule, at: TextSize) -> Violation {
    let mut shown: String = name.chars().take(64).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    Violation::new(rule.rule, format!("{what} '{shown}'"), rule.advice, at)
}

/// Grammar that is not on the list.
fn closed(rule: &'static str, what: &str, advice: &str, at: TextSize) -> Checked {
    Err(Violation::new(rule, what, advice, at))
}
