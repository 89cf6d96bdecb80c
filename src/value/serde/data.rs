//! A value as what serde itself reads and writes: JSON, say.
//!
//! As much as the format can say: a tuple and a set are written as sequences, and a big int that does not fit 128 bits as
//! its digits. [`Snapshot`](crate::Snapshot) has a form of its own, in which nothing is lost.

use crate::value::Value;
use num_bigint::BigInt;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use std::fmt;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::Int(int) => serializer.serialize_i64(*int),
            Value::BigInt(int) => {
                if let Ok(int) = u64::try_from(int) {
                    serializer.serialize_u64(int)
                } else if let Ok(int) = i128::try_from(int) {
                    serializer.serialize_i128(int)
                } else {
                    serializer.serialize_str(&int.to_string())
                }
            }
            Value::Float(float) => serializer.serialize_f64(*float),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => serializer.collect_seq(items),
            Value::Dict(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            other => Err(S::Error::custom(format!("a '{}' is no data", other.type_name()))),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Value, E> {
        Ok(Value::Int(int))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Value, E> {
        Ok(i64::try_from(int).map_or_else(|_| Value::BigInt(BigInt::from(int)), Value::Int))
    }

    fn visit_i128<E>(self, int: i128) -> Result<Value, E> {
        Ok(i64::try_from(int).map_or_else(|_| Value::BigInt(BigInt::from(int)), Value::Int))
    }

    fn visit_u128<E>(self, int: u128) -> Result<Value, E> {
        Ok(i64::try_from(int).map_or_else(|_| Value::BigInt(BigInt::from(int)), Value::Int))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(Value::Float(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Str(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(bytes))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut dict: Vec<(Value, Value)> = Vec::new();
        let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        while let Some((key, value)) = entries.next_entry::<Value, Value>()? {
            if matches!(key, Value::List(_) | Value::Dict(_)) {
                return Err(A::Error::custom(format!("a {} cannot be the key of a dict", key.type_name())));
            }
            // The last of several with one name counts, as in any dict.
            match seen.entry(key.to_string()) {
                std::collections::hash_map::Entry::Occupied(at) => dict[*at.get()].1 = value,
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(dict.len());
                    dict.push((key, value));
                }
            }
        }
        Ok(Value::Dict(dict))
    }
}
