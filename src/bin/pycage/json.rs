//! Values as JSON.
//!
//! What JSON has no form for is an object of one key that begins with `$`, so that nothing is lost: `{"$float": "nan"}`,
//! `{"$bytes": "hex"}`, `{"$dict": [[key, value], ...]}`, `{"$object": "type"}`, `{"$int": "digits"}`. Tuples and sets
//! are arrays.

use pycage::Value;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value as Json, json};
use std::io::Write;

pub fn value(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::BigInt(int) => json!({ "$int": int.to_string() }),
        Value::Float(float) if float.is_finite() => json!(float),
        Value::Float(_) => json!({ "$float": value.to_string() }),
        Value::Str(text) => json!(text),
        Value::Bytes(bytes) => {
            json!({ "$bytes": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
        }
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => array(items),
        Value::Dict(items) => dict(items),
        other => json!({ "$object": other.type_name() }),
    }
}

/// One line of JSON, with a space behind each colon and comma, as Python writes it.
pub fn line(json: &Json) -> String {
    let mut line = Vec::new();
    // Writing to memory does not fail, and every value here has a form in JSON.
    let written = json.serialize(&mut Serializer::with_formatter(&mut line, Spaced));
    debug_assert!(written.is_ok());
    String::from_utf8_lossy(&line).into_owned()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

fn array(items: &[Value]) -> Json {
    items.iter().map(value).collect()
}

fn dict(items: &[(Value, Value)]) -> Json {
    let mut object = Map::new();
    for (key, item) in items {
        match key {
            Value::Str(name) if !name.starts_with('$') => object.insert(name.clone(), value(item)),
            // One key that is not plain: all of it in the long form.
            _ => {
                let pairs: Vec<Json> = items.iter().map(|(key, item)| json!([value(key), value(item)])).collect();
                return json!({ "$dict": pairs });
            }
        };
    }
    Json::Object(object)
}
