//! What stubs say of the members of a host object.

use super::members::Operator;
use crate::stubs::signature::Signature;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What stubs say of the members.
#[derive(Default)]
pub(crate) struct Description {
    pub(crate) doc: Cow<'static, str>,
    pub(crate) named: BTreeMap<String, Described>,
    pub(crate) operators: BTreeMap<Operator, Described>,
    last: Last,
}

/// What is written of a member in stubs.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    /// Of a field, what it answers, and what is set.
    pub(crate) signature: fn() -> Signature,
    pub(crate) doc: Cow<'static, str>,
}

impl Description {
    /// A member by name was listed.
    pub(super) fn member(&mut self, name: &str, signature: fn() -> Signature) {
        self.named.insert(name.to_owned(), Described::new(signature));
        self.last = Last::Named(name.to_owned());
    }

    pub(super) fn operator(&mut self, operator: Operator, signature: fn() -> Signature) {
        self.operators.insert(operator, Described::new(signature));
        self.last = Last::Operator(operator);
    }

    /// Documents what was listed last.
    pub(super) fn document(&mut self, doc: Cow<'static, str>) {
        let Description { doc: of_type, named, operators, last } = self;
        let place = match last {
            Last::Type => Some(of_type),
            Last::Named(name) => named.get_mut(name).map(|described| &mut described.doc),
            Last::Operator(operator) => operators.get_mut(operator).map(|described| &mut described.doc),
        };
        if let Some(place) = place {
            *place = doc;
        }
    }
}

impl Described {
    fn new(signature: fn() -> Signature) -> Self {
        Described { signature, doc: Cow::Borrowed("") }
    }
}

/// What was listed last, and is documented next.
#[derive(Default)]
enum Last {
    #[default]
    Type,
    Named(String),
    Operator(Operator),
}
