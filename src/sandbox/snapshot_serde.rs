//! A snapshot as serde reads and writes it: every value with its kind, so that nothing is lost in any format.

use crate::sandbox::Snapshot;
use crate::value::{BigInt, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// The number of the form that is written. A reader refuses any other.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    globals: BTreeMap<String, Plain>,
    left_out: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Plain {
    None,
    Bool(bool),
    Int(i64),
    BigInt(String),
    /// As its shortest digits: parsers of numbers in text formats do not all give the nearest float.
    Float(String),
    /// A float that is not finite, by its bits.
    FloatBits(u64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Plain>),
    Tuple(Vec<Plain>),
    Dict(Vec<(Plain, Plain)>),
    Set(Vec<Plain>),
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let globals = self
            .globals
            .iter()
            .map(|(name, value)| Ok((name.clone(), write(value)?)))
            .collect::<Result<_, String>>()
            .map_err(serde::ser::Error::custom)?;
        Written { version: VERSION, globals, left_out: self.left_out.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Snapshot, D::Error> {
        let written = Written::deserialize(deserializer)?;
        if written.version != VERSION {
            return Err(D::Error::custom(format!("a snapshot of version {}, not {VERSION}", written.version)));
        }
        let globals = written
            .globals
            .into_iter()
            .map(|(name, plain)| Ok((name, read(plain)?)))
            .collect::<Result<_, String>>()
            .map_err(D::Error::custom)?;
        Ok(Snapshot { globals, left_out: written.left_out })
    }
}

fn write(value: &Value) -> Result<Plain, String> {
    let all = |items: &[Value]| items.iter().map(write).collect::<Result<Vec<_>, _>>();
    Ok(match value {
        Value::None => Plain::None,
        Value::Bool(bool) => Plain::Bool(*bool),
        Value::Int(int) => Plain::Int(*int),
        Value::BigInt(int) => Plain::BigInt(int.to_string()),
        Value::Float(float) if float.is_finite() => Plain::Float(format!("{float:?}")),
        Value::Float(float) => Plain::FloatBits(float.to_bits()),
        Value::Str(text) => Plain::Str(text.clone()),
        Value::Bytes(bytes) => Plain::Bytes(bytes.clone()),
        Value::List(items) => Plain::List(all(items)?),
        Value::Tuple(items) => Plain::Tuple(all(items)?),
        Value::Set(items) => Plain::Set(all(items)?),
        Value::Dict(entries) => {
            let pairs = entries.iter().map(|(key, value)| Ok((write(key)?, write(value)?)));
            Plain::Dict(pairs.collect::<Result<_, String>>()?)
        }
        other => return Err(format!("a '{}' is no data", other.type_name())),
    })
}

fn read(plain: Plain) -> Result<Value, String> {
    let all = |items: Vec<Plain>| items.into_iter().map(read).collect::<Result<Vec<_>, _>>();
    Ok(match plain {
        Plain::None => Value::None,
        Plain::Bool(bool) => Value::Bool(bool),
        Plain::Int(int) => Value::Int(int),
        Plain::BigInt(digits) => Value::BigInt(digits.parse::<BigInt>().map_err(|_| format!("'{digits}' is no int"))?),
        Plain::Float(digits) => Value::Float(digits.parse().map_err(|_| format!("'{digits}' is no float"))?),
        Plain::FloatBits(bits) => Value::Float(f64::from_bits(bits)),
        Plain::Str(text) => Value::Str(text),
        Plain::Bytes(bytes) => Value::Bytes(bytes),
        Plain::List(items) => Value::List(all(items)?),
        Plain::Tuple(items) => Value::Tuple(all(items)?),
        Plain::Set(items) => Value::Set(all(items)?),
        Plain::Dict(entries) => {
            let pairs = entries.into_iter().map(|(key, value)| Ok((read(key)?, read(value)?)));
            Value::Dict(pairs.collect::<Result<_, String>>()?)
        }
    })
}
