//! What the host has made global in a sandbox, for its stubs.

use crate::host::object::members::Table;
use crate::stubs::classes::Classes;
use crate::stubs::hint::TypeHint;
use crate::stubs::python;
use crate::stubs::signature::Signature;
use crate::value::{IntoValue, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kept by a sandbox as the host gives things to it.
#[derive(Clone, Default)]
pub(crate) struct Given {
    globals: BTreeMap<String, Item>,
    docs: BTreeMap<String, Cow<'static, str>>,
}

/// One thing that the host gives. Types are written out when they are asked for.
#[derive(Clone)]
pub(crate) enum Item {
    Value(ValueHint),
    Function { parameters: Vec<String>, signature: fn() -> Signature },
    Awaitable(fn() -> Signature),
}

/// What is known of a value: the Rust type that it was given as, and what it is.
#[derive(Clone)]
pub(crate) struct ValueHint {
    hint: fn() -> TypeHint,
    shape: Shape,
}

#[derive(Clone)]
enum Shape {
    Named(&'static str),
    Object(Arc<Table>),
}

impl ValueHint {
    /// A value that the host gives, with what is known of it.
    pub(crate) fn taken<T: IntoValue>(value: T) -> (Value, Self) {
        let value = value.into_value();
        let shape = match &value {
            Value::None | Value::Opaque(_) => Shape::Named("Any"),
            Value::Bool(_) => Shape::Named("bool"),
            Value::Int(_) | Value::BigInt(_) => Shape::Named("int"),
            Value::Float(_) => Shape::Named("float"),
            Value::Str(_) => Shape::Named("str"),
            Value::Bytes(_) => Shape::Named("bytes"),
            Value::List(_) => Shape::Named("list[Any]"),
            Value::Tuple(_) => Shape::Named("tuple[Any, ...]"),
            Value::Dict(_) => Shape::Named("dict[Any, Any]"),
            Value::Set(_) => Shape::Named("set[Any]"),
            Value::Function(_) => Shape::Named("Callable[..., Any]"),
            Value::Object(object) => Shape::Object(object.inner.table.clone()),
        };
        (value, ValueHint { hint: T::type_hint, shape })
    }

    fn hint(&self) -> TypeHint {
        let hint = (self.hint)();
        if !hint.is("Any") {
            return hint;
        }
        match &self.shape {
            Shape::Named(name) => TypeHint::new(*name),
            Shape::Object(table) => TypeHint::object(table.clone()),
        }
    }
}

impl Given {
    pub(crate) fn set(&mut self, name: &str, item: Item) {
        // The usual case, in a loop of the host's, makes no new name.
        match self.globals.get_mut(name) {
            Some(known) => *known = item,
            None => drop(self.globals.insert(name.to_owned(), item)),
        }
    }

    pub(crate) fn document(&mut self, name: &str, doc: Cow<'static, str>) {
        self.docs.insert(name.to_owned(), doc);
    }

    /// The names that a script can write.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.globals.keys().filter(|name| python::is_identifier(name))
    }

    pub(crate) fn write(&self, classes: &mut Classes) -> String {
        let mut text = String::new();
        for (name, item) in self.globals.iter().filter(|(name, _)| python::is_identifier(name)) {
            text += &item.write(name, self.docs.get(name).map_or("", |doc| doc), false, classes);
        }
        text
    }
}

impl Item {
    /// A definition at the top of a file. What is `fixed` cannot be assigned to.
    pub(crate) fn write(&self, name: &str, doc: &str, fixed: bool, classes: &mut Classes) -> String {
        match self {
            Item::Value(value) => {
                let hint = value.hint().write(classes);
                let mut text = if fixed { format!("{name}: Final[{hint}]\n") } else { format!("{name}: {hint}\n") };
                if !doc.trim().is_empty() {
                    text += &python::docstring(doc, "");
                }
                text
            }
            Item::Function { parameters, signature } => {
                let signature = signature();
                let answer = signature.answer().write(classes);
                let parameters = signature.write_parameters(false, parameters, classes);
                python::documented(&format!("def {name}({parameters}) -> {answer}:"), doc, "")
            }
            Item::Awaitable(signature) => {
                let signature = signature();
                let answer = signature.answer().write(classes);
                let parameters = signature.write_parameters(false, &[], classes);
                python::documented(&format!("def {name}({parameters}) -> Awaitable[{answer}]:"), doc, "")
            }
        }
    }
}
