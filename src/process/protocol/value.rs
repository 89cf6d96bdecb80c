//! Values in frames: a flat run of tokens, each container followed by its items.
//!
//! Flat, because decoding what the other side nested must not recurse as deep as it likes.
//!
//! Objects of the host and callables of the script do not cross: their numbers do. Each side has its own list of what
//! they stand for ([`Handles`]), so that what arrives is of no use before it is opened.

use crate::host::callback::{Callback, Released, Token as Key};
use crate::host::object::AnyObject;
use crate::value::{BigInt, Value};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// How deep values may nest in a frame: a little more than the interpreter's side lets cross.
const MAX_DEPTH: usize = 160;

/// How many parts a value may have.
const MAX_PARTS: usize = 2_000_001;

/// A value as it stands in a frame.
#[derive(Debug)]
pub(crate) struct Flat {
    value: Value,
    /// Whether there are objects or callables in it that stand for others.
    handles: bool,
}

/// What the numbers in a frame stand for on this side.
pub(crate) trait Handles {
    /// The object of the host of that number, if the other side may know it.
    fn object(&mut self, id: u64) -> Option<AnyObject>;

    /// The callable of the script of that key.
    fn callable(&mut self, key: u64, type_name: &str) -> Option<Callback>;
}

/// A number that stands for nothing.
#[derive(Debug)]
pub(crate) struct Unknown;

impl Flat {
    /// For a value of this side. Whatever handles it has, the other side must be able to know them.
    pub(crate) fn packed(value: Value) -> Flat {
        Flat { value, handles: false }
    }

    /// The value as this side knows it.
    pub(crate) fn opened(mut self, handles: &mut impl Handles) -> Result<Value, Unknown> {
        if self.handles {
            open(&mut self.value, handles)?;
        }
        Ok(self.value)
    }

    /// About how many bytes it is.
    pub(crate) fn size(&self) -> u64 {
        size(&self.value)
    }
}

fn open(value: &mut Value, handles: &mut impl Handles) -> Result<(), Unknown> {
    match value {
        Value::Object(object) => *object = handles.object(object.inner.id).ok_or(Unknown)?,
        Value::Function(callback) => {
            *callback = handles.callable(callback.token().key(), callback.type_name()).ok_or(Unknown)?;
        }
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
            items.iter_mut().try_for_each(|item| open(item, handles))?;
        }
        Value::Dict(items) => items.iter_mut().try_for_each(|(key, value)| {
            open(key, handles)?;
            open(value, handles)
        })?,
        _ => {}
    }
    Ok(())
}

fn size(value: &Value) -> u64 {
    16 + match value {
        Value::Str(text) | Value::Opaque(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::BigInt(int) => int.bits() / 8,
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().map(size).sum(),
        Value::Dict(items) => items.iter().map(|(key, value)| size(key) + size(value)).sum(),
        _ => 0,
    }
}

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
    /// An object of the host.
    Object(u64),
    /// A callable of the script, and the name of its type.
    Callable(u64, &'a str),
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
        let mut tokens = serializer.serialize_seq(Some(parts(&self.value)))?;
        write::<S>(&self.value, &mut tokens)?;
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
        Value::Object(object) => out.serialize_element(&Token::Object(object.inner.id)),
        Value::Function(callback) => {
            out.serialize_element(&Token::Callable(callback.token().key(), callback.type_name()))
        }
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
        let mut reading = Reading { left: MAX_PARTS, handles: false, unopened: None };
        let value = read(&mut tokens, &mut reading, 0)?;
        if tokens.next_element::<Token<'de>>()?.is_some() {
            return Err(A::Error::custom("more tokens than the value has parts"));
        }
        Ok(Flat { value, handles: reading.handles })
    }
}

struct Reading {
    /// How many parts there may still be.
    left: usize,
    handles: bool,
    /// Whose the callables are until they are opened: nobody's, and all the same one's, as there may be many.
    unopened: Option<Arc<Released>>,
}

/// Recurses, at most [`MAX_DEPTH`] deep.
fn read<'de, A: SeqAccess<'de>>(tokens: &mut A, reading: &mut Reading, depth: usize) -> Result<Value, A::Error> {
    if depth > MAX_DEPTH {
        return Err(A::Error::custom("the value nests too deep"));
    }
    if reading.left == 0 {
        return Err(A::Error::custom("the value has too many parts"));
    }
    reading.left -= 1;
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
        Token::List(count) => Value::List(read_all(tokens, reading, depth, count)?),
        Token::Tuple(count) => Value::Tuple(read_all(tokens, reading, depth, count)?),
        Token::Set(count) => Value::Set(read_all(tokens, reading, depth, count)?),
        Token::Dict(count) => {
            let mut items = Vec::new();
            for _ in 0..count {
                let key = read(tokens, reading, depth + 1)?;
                items.push((key, read(tokens, reading, depth + 1)?));
            }
            Value::Dict(items)
        }
        Token::Object(id) => {
            reading.handles = true;
            Value::Object(AnyObject::unopened(id))
        }
        Token::Callable(key, type_name) => {
            reading.handles = true;
            Value::Function(Callback::new(
                type_name.to_owned(),
                Key::new(key, reading.unopened.get_or_insert_default().clone()),
            ))
        }
    })
}

/// Grows with what is there: the count is only what the other side says.
fn read_all<'de, A: SeqAccess<'de>>(
    tokens: &mut A,
    reading: &mut Reading,
    depth: usize,
    count: u32,
) -> Result<Vec<Value>, A::Error> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(tokens, reading, depth + 1)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A side that knows nothing.
    struct Nothing;

    impl Handles for Nothing {
        fn object(&mut self, _id: u64) -> Option<AnyObject> {
            None
        }

        fn callable(&mut self, _key: u64, _type_name: &str) -> Option<Callback> {
            None
        }
    }

    fn round(value: &Value) -> Value {
        let bytes = postcard::to_allocvec(&Flat::packed(value.clone())).unwrap();
        postcard::from_bytes::<Flat>(&bytes).unwrap().opened(&mut Nothing).unwrap()
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

    /// Wherever it stands, a number that this side does not know opens nothing.
    #[test]
    fn what_stands_for_nothing_is_not_opened() {
        let callback = Callback::new("function".to_owned(), Key::new(7, Arc::default()));
        for handle in [Value::Object(AnyObject::unopened(7)), Value::Function(callback)] {
            for value in [
                handle.clone(),
                Value::List(vec![Value::Int(1), Value::Tuple(vec![handle.clone()])]),
                Value::Dict(vec![(handle.clone(), Value::None)]),
                Value::Dict(vec![(Value::None, handle.clone())]),
                Value::Set(vec![handle]),
            ] {
                let bytes = postcard::to_allocvec(&Flat::packed(value)).unwrap();
                let received = postcard::from_bytes::<Flat>(&bytes).unwrap();
                assert!(received.opened(&mut Nothing).is_err());
            }
        }
    }

    #[test]
    fn what_nests_too_deep_or_lies_about_its_size_is_refused() {
        let deep = (0..200).fold(Value::None, |inner, _| Value::List(vec![inner]));
        let bytes = postcard::to_allocvec(&Flat::packed(deep)).unwrap();
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
