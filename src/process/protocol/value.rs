//! Values in frames: a flat run of tokens, each container followed by its items.
//!
//! Flat, because decoding what the other side nested must not recurse as deep as it likes.

use crate::value::{BigInt, Value};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How deep values may nest in a frame: a little more than the interpreter's side lets cross.
const MAX_DEPTH: usize = 160;

/// How many parts a value may have.
const MAX_PARTS: usize = 2_000_001;

/// A value as it stands in a frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flat(pub Value);

#[derive(Serialize, Deserialize)]
enum Token<'a> {
    None,
    Bool(bool),
    Int(i64),
    BigInt(#[serde(borrow)] Bytes<'a>),
    /// As bits: not-a-number keeps its own.
    Float(u64),
    Str(&'a str),
    Bytes(Bytes<'a>),
    List(u32),
    Tuple(u32),
    /// Keys and values in turn.
    Dict(u32),
    Set(u32),
    Opaque(&'a str),
}

/// A run of bytes, which serde takes apart otherwise.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Bytes)
    }
}

impl Serialize for Flat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tokens = serializer.serialize_seq(Some(parts(&self.0)))?;
        write::<S>(&self.0, &mut tokens)?;
        tokens.end()
    }
}

fn parts(value: &Value) -> usize {
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => 1 + items.iter().map(parts).sum::<usize>(),
        Value::Dict(items) => 1 + items.iter().map(|(key, value)| parts(key) + parts(value)).sum::<usize>(),
        _ => 1,
    }
}

fn write<S: Serializer>(value: &Value, out: &mut S::SerializeSeq) -> Result<(), S::Error> {
    let count = |items: &[Value]| u32::try_from(items.len()).unwrap_or(u32::MAX);
    match value {
        Value::None => out.serialize_element(&Token::None),
        Value::Bool(bool) => out.serialize_element(&Token::Bool(*bool)),
        Value::Int(int) => out.serialize_element(&Token::Int(*int)),
        Value::BigInt(int) => out.serialize_element(&Token::BigInt(Bytes(&int.to_signed_bytes_le()))),
        Value::Float(float) => out.serialize_element(&Token::Float(float.to_bits())),
        Value::Str(text) => out.serialize_element(&Token::Str(text)),
        Value::Bytes(bytes) => out.serialize_element(&Token::Bytes(Bytes(bytes))),
        Value::Opaque(name) => out.serialize_element(&Token::Opaque(name)),
        // Handles mean nothing in another process.
        Value::Function(_) | Value::Object(_) => out.serialize_element(&Token::Opaque(value.type_name())),
        Value::List(items) => {
            out.serialize_element(&Token::List(count(items)))?;
            items.iter().try_for_each(|item| write::<S>(item, out))
        }
        Value::Tuple(items) => {
            out.serialize_element(&Token::Tuple(count(items)))?;
            items.iter().try_for_each(|item| write::<S>(item, out))
        }
        Value::Set(items) => {
            out.serialize_element(&Token::Set(count(items)))?;
            items.iter().try_for_each(|item| write::<S>(item, out))
        }
        Value::Dict(items) => {
            out.serialize_element(&Token::Dict(u32::try_from(items.len()).unwrap_or(u32::MAX)))?;
            items.iter().try_for_each(|(key, value)| {
                write::<S>(key, out)?;
                write::<S>(value, out)
            })
        }
    }
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Build)
    }
}

/// Puts the tokens of one value together.
struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Flat;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tokens of one value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<Flat, A::Error> {
        let mut left = MAX_PARTS;
        let value = read(&mut tokens, &mut left, 0)?;
        if tokens.next_element::<Token<'de>>()?.is_some() {
            return Err(A::Error::custom("more tokens than the value has parts"));
        }
        Ok(Flat(value))
    }
}

/// Recurses, at most [`MAX_DEPTH`] deep.
fn read<'de, A: SeqAccess<'de>>(tokens: &mut A, left: &mut usize, depth: usize) -> Result<Value, A::Error> {
    if depth > MAX_DEPTH {
        return Err(A::Error::custom("the value nests too deep"));
    }
    if *left == 0 {
        return Err(A::Error::custom("the value has too many parts"));
    }
    *left -= 1;
    let token: Token<'de> = tokens.next_element()?.ok_or_else(|| A::Error::custom("the value ends early"))?;
    Ok(match token {
        Token::None => Value::None,
        Token::Bool(bool) => Value::Bool(bool),
        Token::Int(int) => Value::Int(int),
        Token::BigInt(bytes) => Value::BigInt(BigInt::from_signed_bytes_le(bytes.0)),
        Token::Float(bits) => Value::Float(f64::from_bits(bits)),
        Token::Str(text) => Value::Str(text.to_owned()),
        Token::Bytes(bytes) => Value::Bytes(bytes.0.to_vec()),
        Token::Opaque(name) => Value::Opaque(name.to_owned()),
        Token::List(count) => Value::List(read_all(tokens, left, depth, count)?),
        Token::Tuple(count) => Value::Tuple(read_all(tokens, left, depth, count)?),
        Token::Set(count) => Value::Set(read_all(tokens, left, depth, count)?),
        Token::Dict(count) => {
            let mut items = Vec::new();
            for _ in 0..count {
                let key = read(tokens, left, depth + 1)?;
                items.push((key, read(tokens, left, depth + 1)?));
            }
            Value::Dict(items)
        }
    })
}

/// Grows with what is there: the count is only what the other side says.
fn read_all<'de, A: SeqAccess<'de>>(
    tokens: &mut A,
    left: &mut usize,
    depth: usize,
    count: u32,
) -> Result<Vec<Value>, A::Error> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(tokens, left, depth + 1)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(value: &Value) -> Value {
        let bytes = postcard::to_allocvec(&Flat(value.clone())).unwrap();
        postcard::from_bytes::<Flat>(&bytes).unwrap().0
    }

    #[test]
    fn values_come_back_the_same() {
        let nested = (0..120).fold(Value::Int(-1), |inner, _| Value::List(vec![inner]));
        for value in [
            Value::None,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::BigInt(BigInt::from(u128::MAX) * 77),
            Value::Float(f64::NEG_INFINITY),
            Value::Str("é\0".into()),
            Value::Bytes(vec![0, 255]),
            Value::Dict(vec![(Value::Tuple(vec![]), Value::Set(vec![Value::Int(1)]))]),
            Value::Opaque("Orc".into()),
            nested,
        ] {
            assert_eq!(round(&value), value);
        }
        assert!(matches!(round(&Value::Float(f64::NAN)), Value::Float(float) if float.is_nan()));
    }

    #[test]
    fn what_nests_too_deep_or_lies_about_its_size_is_refused() {
        let deep = (0..200).fold(Value::None, |inner, _| Value::List(vec![inner]));
        let bytes = postcard::to_allocvec(&Flat(deep)).unwrap();
        assert!(postcard::from_bytes::<Flat>(&bytes).is_err());
        // A list of four billion items, of which none is there; a million nested lists; a second value behind the first.
        for tokens in [vec![Token::List(u32::MAX)], vec![Token::None, Token::None]] {
            let bytes = postcard::to_allocvec(&tokens).unwrap();
            assert!(postcard::from_bytes::<Flat>(&bytes).is_err());
        }
        let tokens: Vec<Token<'_>> = (0..1_000_000).map(|_| Token::List(1)).collect();
        let bytes = postcard::to_allocvec(&tokens).unwrap();
        assert!(postcard::from_bytes::<Flat>(&bytes).is_err());
    }
}
