//! From a value to Rust.

use super::SerdeError;
use crate::value::Value;
use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// Gives a value away; knows how deep it may still go.
pub(super) struct ValueDeserializer {
    value: Value,
    depth: usize,
}

impl ValueDeserializer {
    pub(super) fn new(value: Value, depth: usize) -> Self {
        ValueDeserializer { value, depth }
    }

    fn deeper(&self) -> Result<usize, SerdeError> {
        self.depth.checked_sub(1).ok_or_else(SerdeError::too_deep)
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let depth = self.deeper();
        match self.value {
            Value::None => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(bool),
            Value::Int(int) => visitor.visit_i64(int),
            Value::BigInt(int) => {
                if let Ok(int) = u64::try_from(&int) {
                    visitor.visit_u64(int)
                } else if let Ok(int) = i128::try_from(&int) {
                    visitor.visit_i128(int)
                } else if let Ok(int) = u128::try_from(&int) {
                    visitor.visit_u128(int)
                } else {
                    Err(SerdeError::new("the int does not fit 128 bits"))
                }
            }
            Value::Float(float) => visitor.visit_f64(float),
            Value::Str(text) => visitor.visit_string(text),
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                let len = items.len();
                let mut access = Items { items: items.into_iter(), next: 0, depth: depth? };
                let value = visitor.visit_seq(&mut access)?;
                if access.items.next().is_some() {
                    return Err(SerdeError::invalid_length(len, &"fewer items"));
                }
                Ok(value)
            }
            Value::Dict(entries) => {
                let mut access = Entries { entries: entries.into_iter(), value: None, depth: depth? };
                visitor.visit_map(&mut access)
            }
            other => Err(SerdeError::new(format!("a '{}' is no data", other.type_name()))),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.value {
            // Where it is exact, as everywhere.
            Value::Int(int) if int.unsigned_abs() <= 1 << 53 => visitor.visit_f64(int as f64),
            Value::Int(_) | Value::BigInt(_) => Err(SerdeError::new("the int is too large for an exact float")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.value {
            Value::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        let depth = self.deeper()?;
        visitor.visit_newtype_struct(ValueDeserializer { value: self.value, depth })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        let depth = self.deeper()?;
        let (name, content) = match self.value {
            Value::Str(name) => (name, None),
            Value::Dict(mut entries) if entries.len() == 1 => match entries.pop() {
                Some((Value::Str(name), content)) => (name, Some(content)),
                _ => {
                    return Err(SerdeError::new("expected a variant: its name, or a dict of its name and its content"));
                }
            },
            _ => return Err(SerdeError::new("expected a variant: its name, or a dict of its name and its content")),
        };
        visitor.visit_enum(Variant { name, content, depth })
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier
    }
}

struct Items {
    items: std::vec::IntoIter<Value>,
    next: usize,
    depth: usize,
}

impl<'de> SeqAccess<'de> for &mut Items {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, SerdeError> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(ValueDeserializer { value, depth: self.depth })
            .map(Some)
            .map_err(|error| error.at_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries {
    entries: std::vec::IntoIter<(Value, Value)>,
    /// The value that belongs to the key that was given last, and how the key shows in a path.
    value: Option<(String, Value)>,
    depth: usize,
}

impl<'de> MapAccess<'de> for &mut Entries {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, SerdeError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        let shown = match &key {
            Value::Str(name) => name.clone(),
            other => format!("[{other}]"),
        };
        self.value = Some((shown.clone(), value));
        let key = seed.deserialize(ValueDeserializer { value: key, depth: self.depth });
        key.map(Some).map_err(|error| error.in_key(shown))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, SerdeError> {
        let (key, value) = self.value.take().ok_or_else(|| SerdeError::new("a value was asked for before its key"))?;
        seed.deserialize(ValueDeserializer { value, depth: self.depth }).map_err(|error| error.in_key(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

struct Variant {
    name: String,
    content: Option<Value>,
    depth: usize,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = SerdeError;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content), SerdeError> {
        let name: StringDeserializer<SerdeError> = self.name.clone().into_deserializer();
        let tag = seed.deserialize(name)?;
        Ok((tag, Content { name: self.name, content: self.content, depth: self.depth }))
    }
}

struct Content {
    name: String,
    content: Option<Value>,
    depth: usize,
}

impl Content {
    fn given(self) -> Result<(String, ValueDeserializer), SerdeError> {
        match self.content {
            Some(value) => Ok((self.name, ValueDeserializer { value, depth: self.depth })),
            None => Err(SerdeError::new("the variant has a content, which is not there").in_key(self.name)),
        }
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        match self.content {
            None | Some(Value::None) => Ok(()),
            Some(_) => Err(SerdeError::new("the variant has no content").in_key(self.name)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, SerdeError> {
        let (name, content) = self.given()?;
        seed.deserialize(content).map_err(|error| error.in_key(name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, SerdeError> {
        let (name, content) = self.given()?;
        content.deserialize_any(visitor).map_err(|error| error.in_key(name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        let (name, content) = self.given()?;
        content.deserialize_any(visitor).map_err(|error| error.in_key(name))
    }
}
