//! Values to and from whatever serde knows, with errors that say where (feature `serde`).
//!
//! * [`ser`](self::ser): from Rust to a [`Value`].
//! * [`de`](self::de): from a [`Value`] to Rust.
//! * [`data`](self::data): a [`Value`] as what serde itself reads and writes.

mod data;
mod de;
mod ser;

use crate::value::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// How deep values may nest, both ways: as deep as the crossing itself allows by default.
const MAX_DEPTH: usize = 128;

/// Makes a [`Value`] of anything that serde can serialise, to be handed to a script.
///
/// Structs and maps become dicts, sequences lists, tuples and tuple structs tuples, bytes bytes, unit and none `None`. An
/// enum's variant becomes its name, or a dict of its name and its content. Ints are exact, up to 128 bits.
///
/// # Errors
/// [`SerdeError`] that says where, for what nests deeper than 128 levels, and for what the type itself refuses.
///
/// ```
/// use pycage::{Sandbox, to_value};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Spell { name: &'static str, cost: u32, tags: Vec<&'static str> }
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.set("spell", to_value(&Spell { name: "fire", cost: 3, tags: vec!["hot"] }).unwrap())?;
/// assert_eq!(sandbox.eval::<String>("spell['name'] + spell['tags'][0]")?, "firehot");
/// # Ok::<(), pycage::Error>(())
/// ```
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, SerdeError> {
    value.serialize(ser::ValueSerializer::new(MAX_DEPTH))
}

/// Makes anything that serde can deserialise of a [`Value`] that came from a script.
///
/// Ints are also taken where floats are wanted, if exact; a tuple, a list and a set are all sequences; a dict is a map or a
/// struct, with keys of any kind where the type takes them.
///
/// # Errors
/// [`SerdeError`] that says where, for what does not fit, and for callables and objects, which are no data.
///
/// ```
/// use pycage::{Sandbox, Value, from_value};
/// use serde::Deserialize;
///
/// #[derive(Debug, Deserialize, PartialEq)]
/// struct Spell { name: String, costs: Vec<u32> }
///
/// let mut sandbox = Sandbox::new()?;
/// let spell: Value = sandbox.eval("{'name': 'fire', 'costs': (1, 2)}")?;
/// assert_eq!(from_value::<Spell>(spell).unwrap(), Spell { name: "fire".into(), costs: vec![1, 2] });
/// let wrong: Value = sandbox.eval("{'name': 'fire', 'costs': [1, -2]}")?;
/// assert!(from_value::<Spell>(wrong).unwrap_err().to_string().starts_with("costs[1]: "));
/// # Ok::<(), pycage::Error>(())
/// ```
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, SerdeError> {
    T::deserialize(de::ValueDeserializer::new(value, MAX_DEPTH))
}

/// Why a value does not go to or from serde's types, and where.
///
/// ```
/// use pycage::{Value, from_value};
///
/// let value = Value::List(vec![Value::Int(1), Value::Str("x".into())]);
/// let error = from_value::<Vec<u8>>(value).unwrap_err();
/// assert_eq!(error.path, "[1]");
/// assert!(error.message.contains("string"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SerdeError {
    /// Where in the value: `players[3].name`. Empty for the value as a whole.
    pub path: String,
    /// What does not fit.
    pub message: String,
}

impl SerdeError {
    fn new(message: impl fmt::Display) -> Self {
        SerdeError { path: String::new(), message: message.to_string() }
    }

    fn too_deep() -> Self {
        SerdeError::new(format!("the value nests deeper than {MAX_DEPTH} levels"))
    }

    fn in_key(self, key: impl fmt::Display) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        SerdeError { path: format!("{key}{dot}{}", self.path), message: self.message }
    }

    fn at_index(self, index: usize) -> Self {
        self.in_key(format!("[{index}]"))
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl std::error::Error for SerdeError {}

impl serde::ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        SerdeError::new(message)
    }
}

impl serde::de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        SerdeError::new(message)
    }
}
