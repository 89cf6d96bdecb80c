//! The types of host objects, as classes that no script can make an instance of.

use crate::host::object::description::Described;
use crate::host::object::members::{Kind, Operator, Table};
use crate::stubs::python;
use std::sync::Arc;

/// The types that were spoken of so far, and the names they go by.
#[derive(Default)]
pub(crate) struct Classes {
    known: Vec<(Arc<Table>, String)>,
    /// Names that stand for something else.
    taken: Vec<String>,
}

impl Classes {
    /// Keeps names from being given to classes.
    pub(crate) fn take(&mut self, names: impl IntoIterator<Item = String>) {
        self.taken.extend(names);
    }

    /// The name of a type: its own, unless that stands for another thing already.
    pub(crate) fn name(&mut self, table: &Arc<Table>) -> String {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| Arc::ptr_eq(known, table) || known.same(table)) {
            return name.clone();
        }
        let own = if python::is_identifier(&table.type_name) { &*table.type_name } else { "HostObject" };
        let mut name = own.to_owned();
        let mut number = 2;
        while self.taken.contains(&name) || self.known.iter().any(|(_, other)| *other == name) {
            name = format!("{own}_{number}");
            number += 1;
        }
        self.known.push((table.clone(), name.clone()));
        name
    }

    /// All of them, with those that they speak of themselves.
    pub(crate) fn write(&mut self) -> String {
        let mut text = String::new();
        let mut next = 0;
        while let Some((table, name)) = self.known.get(next).cloned() {
            text.push('\n');
            text.push_str(&self.class(&table, &name));
            next += 1;
        }
        text
    }

    fn class(&mut self, table: &Table, name: &str) -> String {
        let description = (table.describe)();
        let mut text = format!("@final\nclass {name}:\n");
        if !description.doc.trim().is_empty() {
            text.push_str(&python::docstring(&description.doc, "    "));
        }
        text.push_str("    def __new__(cls, made_by_the_host_alone: Never, /) -> Self: ...\n");
        for (name, described) in &description.named {
            if let Some(kind) = table.kind(name) {
                text.push_str(&self.member(name, kind, described));
            }
        }
        for (operator, described) in &description.operators {
            text.push_str(&self.operator(*operator, described));
        }
        if table.has(Operator::Eq) && !table.has(Operator::Hash) {
            text.push_str("    __hash__: ClassVar[None]\n");
        }
        text
    }

    fn member(&mut self, name: &str, kind: Kind, described: &Described) -> String {
        let signature = (described.signature)();
        let answer = signature.answer().write(self);
        match kind {
            Kind::Method => {
                let parameters = signature.write_parameters(true, &[], self);
                python::documented(&format!("def {name}({parameters}) -> {answer}:"), &described.doc, "    ")
            }
            Kind::Field | Kind::FieldMut => {
                let mut text = String::from("    @property\n");
                text += &python::documented(&format!("def {name}(self) -> {answer}:"), &described.doc, "    ");
                if kind == Kind::FieldMut {
                    let value = signature.parameter(0).write(self);
                    text += &format!("    @{name}.setter\n    def {name}(self, value: {value}) -> None: ...\n");
                }
                text
            }
        }
    }

    fn operator(&mut self, operator: Operator, described: &Described) -> String {
        let signature = (described.signature)();
        let answer = signature.answer().write(self);
        let first = signature.parameter(0).write(self);
        let second = signature.parameter(1).write(self);
        let headers = match operator {
            Operator::Len => vec!["def __len__(self) -> int:".to_owned()],
            Operator::Index => vec![format!("def __getitem__(self, key: {first}, /) -> {answer}:")],
            Operator::SetIndex => vec![format!("def __setitem__(self, key: {first}, value: {second}, /) -> None:")],
            Operator::DelIndex => vec![format!("def __delitem__(self, key: {first}, /) -> None:")],
            Operator::Contains => vec!["def __contains__(self, item: object, /) -> bool:".to_owned()],
            Operator::Eq => vec!["def __eq__(self, other: object, /) -> bool:".to_owned()],
            Operator::Compare => ["__lt__", "__le__", "__gt__", "__ge__"]
                .map(|name| format!("def {name}(self, other: {first}, /) -> bool:"))
                .to_vec(),
            Operator::Hash => vec!["def __hash__(self) -> int:".to_owned()],
            // Every object has it.
            Operator::Repr => Vec::new(),
            Operator::Call => {
                let parameters = signature.write_parameters(true, &[], self);
                vec![format!("def __call__({parameters}) -> {answer}:")]
            }
            Operator::Iter => vec![format!("def __iter__(self) -> Iterator[{answer}]:")],
        };
        headers.iter().map(|header| python::documented(header, &described.doc, "    ")).collect()
    }
}
