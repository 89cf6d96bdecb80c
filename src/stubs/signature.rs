//! What a function of the host takes and answers, and how that is written.

use crate::stubs::classes::Classes;
use crate::stubs::hint::TypeHint;
use crate::stubs::python;

/// The parameters and the answer of a host function.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Signature {
    parameters: Vec<Parameter>,
    answer: TypeHint,
}

#[derive(Clone, Debug)]
struct Parameter {
    kind: ParameterKind,
    hint: TypeHint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    Required,
    /// May be left out.
    Optional,
    /// The rest of the positional arguments.
    Rest,
    /// The rest of the keyword arguments.
    Keywords,
}

impl Signature {
    pub(crate) fn answering(answer: TypeHint) -> Self {
        Signature { parameters: Vec::new(), answer }
    }

    /// Of a function whose parameters say what they are, one after the other.
    pub(crate) fn of(answer: TypeHint, parameters: &[fn(&mut Signature)]) -> Self {
        let mut signature = Signature::answering(answer);
        parameters.iter().for_each(|describe| describe(&mut signature));
        signature
    }

    /// Any arguments, and any answer.
    pub(crate) fn unknown() -> Self {
        let mut signature = Signature::answering(TypeHint::any());
        signature.push(ParameterKind::Rest, TypeHint::any());
        signature
    }

    pub(crate) fn push(&mut self, kind: ParameterKind, hint: TypeHint) {
        self.parameters.push(Parameter { kind, hint });
    }

    pub(crate) fn answer(&self) -> &TypeHint {
        &self.answer
    }

    /// The type of the parameter at `index`.
    pub(crate) fn parameter(&self, index: usize) -> TypeHint {
        self.parameters.get(index).map_or_else(TypeHint::any, |parameter| parameter.hint.clone())
    }

    /// What stands between the parentheses. Parameters without names are positional only.
    pub(crate) fn write_parameters(&self, is_method: bool, names: &[String], classes: &mut Classes) -> String {
        // A name that no keyword argument can have makes the others useless too: positional ones come first.
        let names = if names.iter().all(|name| python::is_identifier(name)) { names } else { &[] };
        let mut parts = Vec::new();
        if is_method {
            parts.push("self".to_owned());
        }
        let rest = self.parameters.iter().position(|parameter| parameter.kind == ParameterKind::Rest);
        let plain = &self.parameters[..rest.unwrap_or(self.parameters.len())];
        let last_required = plain.iter().rposition(|parameter| parameter.kind == ParameterKind::Required);
        let mut position = 0;
        for (index, Parameter { kind, hint }) in plain.iter().enumerate() {
            if !matches!(kind, ParameterKind::Required | ParameterKind::Optional) {
                continue;
            }
            let name = match names.get(position) {
                Some(name) => name.clone(),
                None if names.is_empty() => format!("arg{}", position + 1),
                None => format!("_arg{}", position + 1),
            };
            position += 1;
            let may_be_left_out = last_required.is_none_or(|last| index > last);
            let default = match (may_be_left_out, hint.ends_in_none()) {
                (false, _) => "",
                (true, true) => " = None",
                (true, false) => " = ...",
            };
            parts.push(format!("{name}: {}{default}", hint.write(classes)));
        }
        if names.is_empty() && position > 0 {
            parts.push("/".to_owned());
        }
        for Parameter { kind, hint } in &self.parameters {
            match kind {
                ParameterKind::Rest => parts.push(format!("*{}: {}", free("args", names), hint.write(classes))),
                ParameterKind::Keywords => parts.push(format!("**{}: {}", free("kwargs", names), hint.write(classes))),
                ParameterKind::Required | ParameterKind::Optional => {}
            }
        }
        parts.join(", ")
    }
}

fn free(name: &str, names: &[String]) -> String {
    if names.iter().any(|other| other == name) { format!("_{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::function::signature_of;
    use crate::{CallContext, Kwargs, OrDefault, Rest};

    #[track_caller]
    fn expect(signature: fn() -> Signature, names: &[&str], expected: &str) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(signature().write_parameters(false, &names, &mut Classes::default()), expected);
    }

    #[test]
    fn parameters_are_as_they_can_be_passed() {
        let two = signature_of(&|_: CallContext, _: i64, _: &str| ());
        expect(two, &[], "arg1: int, arg2: str, /");
        expect(two, &["x", "y"], "x: int, y: str");
        expect(two, &["x"], "x: int, _arg2: str");
        expect(two, &["x", "class"], "arg1: int, arg2: str, /");
        let open = signature_of(&|_: f64, _: Option<bool>, _: OrDefault<u8>, _: Rest<String>, _: Kwargs<i64>| ());
        expect(
            open,
            &["args", "b", "c"],
            "args: float, b: bool | None = None, c: int = ..., *_args: str, **kwargs: int",
        );
        // Python has no way to say that only the last one must be given.
        expect(signature_of(&|_: Option<i64>, _: i64| ()), &["x", "y"], "x: int | None, y: int");
        expect(signature_of(&|| ()), &[], "");
        expect(Signature::unknown, &[], "*args: Any");
    }

    #[test]
    fn answers_are_of_the_function_and_not_its_errors() {
        let fallible = signature_of(&|| -> Result<Vec<(i64, Option<String>)>, String> { Ok(Vec::new()) });
        assert_eq!(fallible().answer().to_string(), "list[tuple[int, str | None]]");
        assert_eq!(signature_of(&|| ())().answer().to_string(), "None");
    }
}
