//! From Rust to a value.

use super::SerdeError;
use crate::value::{IntoValue, Value};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Makes values; knows how deep it may still go.
#[derive(Clone, Copy)]
pub(super) struct ValueSerializer {
    depth: usize,
}

impl ValueSerializer {
    pub(super) fn new(depth: usize) -> Self {
        ValueSerializer { depth }
    }

    fn deeper(self) -> Result<Self, SerdeError> {
        self.depth.checked_sub(1).map(Self::new).ok_or_else(SerdeError::too_deep)
    }
}

/// A value of a variant: `{name: content}`.
fn variant(name: &'static str, content: Value) -> Value {
    Value::Dict(vec![(Value::Str(name.to_owned()), content)])
}

macro_rules! plain {
    ($($method:ident: $ty:ty),*) => {$(
        fn $method(self, value: $ty) -> Result<Value, SerdeError> {
            Ok(value.into_value())
        }
    )*};
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = SerdeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    plain! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str,
        serialize_bytes: &[u8]
    }

    fn serialize_none(self) -> Result<Value, SerdeError> {
        Ok(Value::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, SerdeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, SerdeError> {
        Ok(Value::None)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, SerdeError> {
        Ok(Value::None)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Value, SerdeError> {
        Ok(Value::Str(name.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value, SerdeError> {
        value.serialize(self.deeper()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        let content = value.serialize(self.deeper()?).map_err(|error| error.in_key(name))?;
        Ok(variant(name, content))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items, SerdeError> {
        Ok(Items { serializer: self.deeper()?, items: Vec::new(), variant: None })
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, SerdeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, SerdeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _len: usize,
    ) -> Result<Items, SerdeError> {
        Ok(Items { serializer: self.deeper()?, items: Vec::new(), variant: Some(name) })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Entries, SerdeError> {
        Ok(Entries { serializer: self.deeper()?, entries: Vec::new(), key: Value::None, variant: None })
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Entries, SerdeError> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _len: usize,
    ) -> Result<Entries, SerdeError> {
        Ok(Entries { serializer: self.deeper()?, entries: Vec::new(), key: Value::None, variant: Some(name) })
    }
}

/// A sequence or a tuple that is being made.
pub(super) struct Items {
    serializer: ValueSerializer,
    items: Vec<Value>,
    variant: Option<&'static str>,
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let item = value.serialize(self.serializer).map_err(|error| error.at_index(self.items.len()))?;
        self.items.push(item);
        Ok(())
    }

    fn tuple(self) -> Value {
        match self.variant {
            Some(name) => variant(name, Value::Tuple(self.items)),
            None => Value::Tuple(self.items),
        }
    }
}

impl SerializeSeq for Items {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        self.push(value)
    }

    fn end(self) -> Result<Value, SerdeError> {
        Ok(Value::List(self.items))
    }
}

macro_rules! tuples {
    ($($name:ident: $method:ident),*) => {$(
        impl $name for Items {
            type Ok = Value;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                self.push(value)
            }

            fn end(self) -> Result<Value, SerdeError> {
                Ok(self.tuple())
            }
        }
    )*};
}
tuples!(SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field);

/// A dict that is being made.
pub(super) struct Entries {
    serializer: ValueSerializer,
    entries: Vec<(Value, Value)>,
    key: Value,
    variant: Option<&'static str>,
}

impl Entries {
    fn push<T: Serialize + ?Sized>(&mut self, key: Value, value: &T) -> Result<(), SerdeError> {
        let value = match value.serialize(self.serializer) {
            Ok(value) => value,
            Err(error) => {
                return Err(match key {
                    Value::Str(name) => error.in_key(name),
                    other => error.in_key(format!("[{other}]")),
                });
            }
        };
        self.entries.push((key, value));
        Ok(())
    }

    fn dict(self) -> Value {
        match self.variant {
            Some(name) => variant(name, Value::Dict(self.entries)),
            None => Value::Dict(self.entries),
        }
    }
}

impl SerializeMap for Entries {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        // A key must be hashable: what would be a list as a value is a tuple as a key.
        self.key = hashable(key.serialize(self.serializer)?)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let key = std::mem::take(&mut self.key);
        self.push(key, value)
    }

    fn end(self) -> Result<Value, SerdeError> {
        Ok(self.dict())
    }
}

fn hashable(key: Value) -> Result<Value, SerdeError> {
    Ok(match key {
        Value::List(items) | Value::Tuple(items) => {
            Value::Tuple(items.into_iter().map(hashable).collect::<Result<_, _>>()?)
        }
        Value::Dict(_) => return Err(SerdeError::new("a map or a struct cannot be the key of a dict")),
        other => other,
    })
}

macro_rules! structs {
    ($($name:ident),*) => {$(
        impl $name for Entries {
            type Ok = Value;
            type Error = SerdeError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), SerdeError> {
                self.push(Value::Str(name.to_owned()), value)
            }

            fn end(self) -> Result<Value, SerdeError> {
                Ok(self.dict())
            }
        }
    )*};
}
structs!(SerializeStruct, SerializeStructVariant);
