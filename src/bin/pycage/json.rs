//! Values as JSON.
//!
//! What JSON has no form for is an object of one key that begins with `$`, so that nothing is lost: `{"$float": "nan"}`,
//! `{"$bytes": "hex"}`, `{"$dict": [[key, value], ...]}`, `{"$object": "type"}`, `{"$int": "digits"}`. Tuples and sets
//! are arrays.

use pycage::Value;
use serde_json::{Map, Value as Json, json};

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
