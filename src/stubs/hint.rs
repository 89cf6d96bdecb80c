//! How Python writes a Rust type.

use crate::host::object::members::Table;
use crate::stubs::classes::Classes;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// How a type is written in an annotation of Python's, for editor stubs: see [`Sandbox::stubs`](crate::Sandbox::stubs).
///
/// ```
/// use pycage::{ConversionError, FromValue, Sandbox, TypeHint, Value};
///
/// struct Point(i64, i64);
///
/// impl FromValue for Point {
///     fn from_value(value: Value) -> Result<Self, ConversionError> {
///         <(i64, i64)>::from_value(value).map(|(x, y)| Point(x, y))
///     }
///
///     fn type_hint() -> TypeHint {
///         TypeHint::new("tuple[int, int]")
///     }
/// }
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function_named("walk_to", ["place"], |place: Point| place.0 + place.1)?;
/// let builtins = &sandbox.stubs().files()["typeshed/stdlib/builtins.pyi"];
/// assert!(builtins.contains("def walk_to(place: tuple[int, int]) -> int: ..."));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
pub struct TypeHint {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Text(Cow<'static, str>),
    /// The type of a host object, whose name is settled when all of them are known.
    Object(Arc<Table>),
}

impl TypeHint {
    /// A type, as an annotation writes it: of builtins, `Any` and `Callable`.
    ///
    /// ```
    /// assert_eq!(pycage::TypeHint::new("dict[str, int]").to_string(), "dict[str, int]");
    /// ```
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        TypeHint { parts: vec![Part::Text(text.into())] }
    }

    /// `Any`: nothing is known of it.
    ///
    /// ```
    /// assert_eq!(pycage::TypeHint::any().to_string(), "Any");
    /// ```
    pub fn any() -> Self {
        TypeHint::new("Any")
    }

    /// A type with parameters: `name[parameters]`.
    ///
    /// ```
    /// use pycage::{IntoValue, TypeHint};
    ///
    /// let pair = TypeHint::generic("tuple", [<i64 as IntoValue>::type_hint(), TypeHint::new("...")]);
    /// assert_eq!(pair.to_string(), "tuple[int, ...]");
    /// ```
    pub fn generic(name: &'static str, parameters: impl IntoIterator<Item = TypeHint>) -> Self {
        let mut parts = vec![Part::Text(name.into()), Part::Text("[".into())];
        for (index, parameter) in parameters.into_iter().enumerate() {
            if index > 0 {
                parts.push(Part::Text(", ".into()));
            }
            parts.extend(parameter.parts);
        }
        parts.push(Part::Text("]".into()));
        TypeHint { parts }
    }

    /// This type or another: `self | other`.
    ///
    /// ```
    /// use pycage::TypeHint;
    ///
    /// assert_eq!(TypeHint::new("int").or(TypeHint::new("None")).to_string(), "int | None");
    /// ```
    #[must_use]
    pub fn or(mut self, other: TypeHint) -> Self {
        self.parts.push(Part::Text(" | ".into()));
        self.parts.extend(other.parts);
        self
    }

    pub(crate) fn none() -> Self {
        TypeHint::new("None")
    }

    pub(crate) fn object(table: Arc<Table>) -> Self {
        TypeHint { parts: vec![Part::Object(table)] }
    }

    /// Whether it is written so.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.parts.as_slice(), [Part::Text(own)] if own == text)
    }

    /// Whether it is that of an [`Option`].
    pub(crate) fn ends_in_none(&self) -> bool {
        matches!(self.parts.last(), Some(Part::Text(own)) if own == "None")
    }

    /// The text, with the names that `classes` gives to the types of host objects.
    pub(crate) fn write(&self, classes: &mut Classes) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Object(table) => text.push_str(&classes.name(table)),
            }
        }
        text
    }
}

impl fmt::Display for TypeHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(part) => f.write_str(part),
            Part::Object(table) => f.write_str(&table.type_name),
        })
    }
}

impl fmt::Debug for TypeHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeHint({self})")
    }
}
