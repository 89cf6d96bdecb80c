//! Values cross and come back as they were, and those that have a literal are what the literal says.

use super::bed;
use arbitrary::{Arbitrary, Result, Unstructured};
use pycage::{BigInt, Error, FromValue, IntoValue, Sandbox, Value};
use std::collections::{BTreeMap, HashMap};

/// A first byte of zero takes the rest as an expression whose value crosses; else the bytes make up a value.
pub fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, source)) => expression(&bed::text(source)),
        _ => {
            // Bytes that run out make small values, never an error.
            if let Ok(value) = value(&mut Unstructured::new(bytes), 4) {
                round_trip(&value);
            }
        }
    }
}

/// Whatever an expression is worth can be taken, and what is no opaque object can be given back.
fn expression(source: &str) {
    bed::show(source);
    let mut sandbox = bed::sandbox(bed::small());
    match sandbox.eval::<Value>(source) {
        Ok(value) => {
            if !holds_opaque(&value) && !holds_not_a_number(&value) {
                round_trip(&value);
            }
        }
        Err(error) => bed::expect_typed(&error, source),
    }
}

fn round_trip(value: &Value) {
    bed::show(&value.to_string());
    let mut sandbox = bed::sandbox(bed::small());
    match sandbox.set("given", value.clone()) {
        Ok(()) => {}
        // Deeper than values may be, or larger than the budget.
        Err(Error::Conversion(_) | Error::Budget(_)) => return,
        Err(error) => panic!("{error}: {value:?}"),
    }
    let expected = settled(value.clone());
    check("get", sandbox.get("given"), &expected);
    check("eval", sandbox.eval("given"), &expected);
    sandbox.exec("def same(x): return x").expect("is valid");
    check("call", sandbox.call("same", (value.clone(),)), &expected);
    literal(&mut sandbox, value, &expected);
    typed(value);
}

fn check(way: &str, came: std::result::Result<Value, Error>, expected: &Value) {
    match came {
        Ok(came) => assert_eq!(settled(came), *expected, "by {way}"),
        Err(Error::Budget(_) | Error::Conversion(_)) => {}
        Err(error) => panic!("by {way}: {error}: {expected:?}"),
    }
}

/// What a value shows is what Python writes for it.
fn literal(sandbox: &mut Sandbox, value: &Value, expected: &Value) {
    match sandbox.eval::<Value>(&value.to_string()) {
        Ok(read) => assert_eq!(settled(read), *expected, "as a literal: {value}"),
        // `inf` is no literal; long ones are refused.
        Err(error) => bed::expect_typed(&error, &value.to_string()),
    }
}

/// Rust types take what they can hold, and give it back.
fn typed(value: &Value) {
    fn both_ways<T: FromValue + IntoValue>(value: &Value) {
        if let Ok(typed) = T::from_value(value.clone()) {
            let back = typed.into_value();
            let same = settled(back.clone()) == settled(value.clone());
            // A list becomes a tuple and an int a float only where nothing is lost.
            let again = T::from_value(back).map(IntoValue::into_value).is_ok();
            assert!(same || again, "{value:?}");
        }
    }
    both_ways::<bool>(value);
    both_ways::<u8>(value);
    both_ways::<i64>(value);
    both_ways::<u64>(value);
    both_ways::<f64>(value);
    both_ways::<String>(value);
    both_ways::<BigInt>(value);
    both_ways::<Option<i64>>(value);
    both_ways::<Vec<Value>>(value);
    both_ways::<Vec<i64>>(value);
    both_ways::<HashMap<String, Value>>(value);
    both_ways::<BTreeMap<i64, Value>>(value);
    both_ways::<(Value, Value)>(value);
}

fn value(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let kinds = if depth == 0 { 7 } else { 11 };
    Ok(match u.int_in_range(0..=kinds)? {
        0 => Value::Bool(bool::arbitrary(u)?),
        1 => Value::Int(i64::arbitrary(u)?),
        2 => Value::Int(i64::from(i8::arbitrary(u)?)),
        3 => {
            let float = f64::arbitrary(u)?;
            // Not a number is equal to nothing.
            Value::Float(if float.is_nan() { 0.5 } else { float })
        }
        4 => Value::Str(String::arbitrary(u)?),
        5 => Value::Bytes(Vec::arbitrary(u)?),
        6 | 7 => key(u, 2)?,
        8 => Value::List(values(u, depth)?),
        9 => Value::Tuple(values(u, depth)?),
        10 => {
            let mut items = Vec::new();
            for _ in 0..u.int_in_range(0..=5)? {
                let (key, item) = (key(u, 2)?, value(u, depth - 1)?);
                if items.iter().all(|(other, _)| *other != key) {
                    items.push((key, item));
                }
            }
            Value::Dict(items)
        }
        _ => {
            let mut items = Vec::new();
            for _ in 0..u.int_in_range(0..=5)? {
                let key = key(u, 2)?;
                if !items.contains(&key) {
                    items.push(key);
                }
            }
            Value::Set(items)
        }
    })
}

fn values(u: &mut Unstructured<'_>, depth: usize) -> Result<Vec<Value>> {
    (0..u.int_in_range(0..=5)?).map(|_| value(u, depth - 1)).collect()
}

/// Values of which none is equal to one of another kind.
fn key(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 4 } else { 5 })? {
        0 => Value::None,
        1 => Value::Int(i64::arbitrary(u)?.saturating_abs().max(2)),
        2 => {
            let mut wide = u.bytes(u.len().min(9))?.to_vec();
            // Beyond 64 bits, whatever came before.
            wide.resize(9, 1);
            wide.push(1);
            Value::BigInt(BigInt::from_signed_bytes_le(&wide))
        }
        3 => Value::Str(String::arbitrary(u)?),
        4 => Value::Bytes(Vec::arbitrary(u)?),
        _ => Value::Tuple((0..u.int_in_range(0..=3)?).map(|_| key(u, depth - 1)).collect::<Result<_>>()?),
    })
}

/// Sets have no order: compared as if sorted.
fn settled(value: Value) -> Value {
    match value {
        Value::Set(items) => {
            let mut items: Vec<Value> = items.into_iter().map(settled).collect();
            items.sort_by_key(|item| format!("{item:?}"));
            Value::Set(items)
        }
        Value::List(items) => Value::List(items.into_iter().map(settled).collect()),
        Value::Tuple(items) => Value::Tuple(items.into_iter().map(settled).collect()),
        Value::Dict(items) => Value::Dict(items.into_iter().map(|(key, item)| (settled(key), settled(item))).collect()),
        other => other,
    }
}

fn holds(value: &Value, is: &dyn Fn(&Value) -> bool) -> bool {
    is(value)
        || match value {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().any(|item| holds(item, is)),
            Value::Dict(items) => items.iter().any(|(key, item)| holds(key, is) || holds(item, is)),
            _ => false,
        }
}

fn holds_opaque(value: &Value) -> bool {
    holds(value, &|value| matches!(value, Value::Opaque(_)))
}

fn holds_not_a_number(value: &Value) -> bool {
    holds(value, &|value| matches!(value, Value::Float(float) if float.is_nan()))
}
