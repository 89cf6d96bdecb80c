//! Values that cross between host and script, and their conversion to and from Rust types.

mod from;
mod into;
pub(crate) mod limits;
#[cfg(feature = "serde")]
pub(crate) mod serde;

pub use from::FromValue;
pub use into::{IntoArgs, IntoValue};
pub use num_bigint::BigInt;

use crate::host::callback::Callback;
use crate::host::object::AnyObject;
use std::fmt;

/// A value on neither side: copied when it crosses, save for the handles [`Value::Function`] and [`Value::Object`].
///
/// ```
/// use pycage::{Sandbox, Value};
///
/// let mut sandbox = Sandbox::new()?;
/// let value: Value = sandbox.eval("{'name': 'orc', 'loot': [1, 2.5, None]}")?;
/// assert_eq!(value.to_string(), "{'name': 'orc', 'loot': [1, 2.5, None]}");
/// assert_eq!(value.get("name"), Some(&Value::Str("orc".into())));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`.
    #[default]
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An int that fits 64 bits.
    Int(i64),
    /// Any other int.
    BigInt(BigInt),
    /// A float, also not-a-number and the infinities.
    Float(f64),
    /// A str. One with lone surrogates cannot cross.
    Str(String),
    /// A bytes or bytearray.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dict, in insertion order. Keys are distinct and hashable.
    Dict(Vec<(Value, Value)>),
    /// A set or frozenset, in the interpreter's order.
    Set(Vec<Value>),
    /// A callable of the script. It can be passed back to its own sandbox, and called: see [`Callback`].
    Function(Callback),
    /// An object of the host, see [`HostObject`](crate::HostObject). Not copied: a handle to the object itself.
    Object(AnyObject),
    /// Something of the script that has no counterpart here (an object of its own class): its type's name. It cannot be
    /// passed back.
    Opaque(String),
}

impl Value {
    /// The value under a str key of a dict.
    ///
    /// ```
    /// let value: pycage::Value = pycage::Sandbox::new()?.eval("{'hp': 9}")?;
    /// assert_eq!(value.get("hp"), Some(&pycage::Value::Int(9)));
    /// assert_eq!(value.get("mp"), None);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Dict(items) => {
                items.iter().find(|(name, _)| matches!(name, Value::Str(name) if name == key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The name of the Python type, for messages.
    ///
    /// ```
    /// assert_eq!(pycage::Value::Bytes(vec![1]).type_name(), "bytes");
    /// ```
    pub fn type_name(&self) -> &str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::BigInt(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Set(_) => "set",
            Value::Function(callback) => callback.type_name(),
            Value::Object(object) => object.type_name(),
            Value::Opaque(name) => name,
        }
    }
}

/// As Python's `repr` shows it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Int(int) => write!(f, "{int}"),
            Value::BigInt(int) => write!(f, "{int}"),
            Value::Float(float) => fmt_float(*float, f),
            Value::Str(text) => fmt_str(text, f),
            Value::Bytes(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
            Value::List(items) => fmt_sequence("[", items, "]", f),
            Value::Tuple(items) if items.len() == 1 => write!(f, "({},)", items[0]),
            Value::Tuple(items) => fmt_sequence("(", items, ")", f),
            Value::Dict(items) => {
                f.write_str("{")?;
                for (index, (key, value)) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{key}: {value}")?;
                }
                f.write_str("}")
            }
            Value::Set(items) if items.is_empty() => f.write_str("set()"),
            Value::Set(items) => fmt_sequence("{", items, "}", f),
            Value::Function(_) | Value::Object(_) | Value::Opaque(_) => write!(f, "<{} object>", self.type_name()),
        }
    }
}

fn fmt_sequence(open: &str, items: &[Value], close: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    f.write_str(close)
}

fn fmt_float(float: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if float.is_nan() {
        f.write_str("nan")
    } else if float.is_infinite() {
        f.write_str(if float > 0.0 { "inf" } else { "-inf" })
    } else if float != 0.0 && !(1e-4..1e16).contains(&float.abs()) {
        write!(f, "{float:e}")
    } else {
        write!(f, "{float:?}")
    }
}

fn fmt_str(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    write!(f, "{quote}")?;
    for char in text.chars() {
        match char {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            char if char == quote => write!(f, "\\{char}")?,
            char if (char as u32) < 0x20 || char as u32 == 0x7f => write!(f, "\\x{:02x}", char as u32)?,
            char => write!(f, "{char}")?,
        }
    }
    write!(f, "{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_python_does() {
        let cases: [(Value, &str); 9] = [
            (Value::Tuple(vec![Value::Int(1)]), "(1,)"),
            (Value::Float(1.0), "1.0"),
            (Value::Float(-0.0), "-0.0"),
            (Value::Float(1e300), "1e300"),
            (Value::Float(f64::NEG_INFINITY), "-inf"),
            (Value::Str("it's \"\n".into()), "'it\\'s \"\\n'"),
            (Value::Bytes(vec![0, b'a', b'\'']), "b'\\x00a\\''"),
            (Value::Set(vec![]), "set()"),
            (Value::Dict(vec![(Value::None, Value::Bool(true))]), "{None: True}"),
        ];
        for (value, shown) in cases {
            assert_eq!(value.to_string(), shown);
        }
    }
}
