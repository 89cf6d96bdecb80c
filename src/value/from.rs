//! From a script's value to a Rust type.

use super::Value;
use crate::error::ConversionError;
use crate::host::callback::Callback;
use crate::stubs::hint::TypeHint;
use num_bigint::BigInt;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;

/// Types that a script's value can become.
///
/// Conversions are strict: an int is not a bool, a str is not a number. An int becomes a float where it is exact, and a
/// float never becomes an int.
///
/// ```
/// use pycage::{FromValue, Value};
///
/// let pair = Value::Tuple(vec![Value::Int(3), Value::Str("x".into())]);
/// assert_eq!(<(u8, String)>::from_value(pair).unwrap(), (3, "x".to_string()));
/// assert!(u8::from_value(Value::Int(300)).unwrap_err().message.contains("u8"));
/// ```
pub trait FromValue: Sized {
    /// Converts, or says what does not fit.
    ///
    /// # Errors
    /// [`ConversionError`] when the value is of another type or out of range.
    ///
    /// ```
    /// use pycage::{ConversionError, FromValue, Value};
    ///
    /// struct Point(i64, i64);
    ///
    /// impl FromValue for Point {
    ///     fn from_value(value: Value) -> Result<Self, ConversionError> {
    ///         <(i64, i64)>::from_value(value).map(|(x, y)| Point(x, y))
    ///     }
    /// }
    ///
    /// let Point(x, y) = pycage::Sandbox::new()?.eval("(3, 4)")?;
    /// assert_eq!(x + y, 7);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    fn from_value(value: Value) -> Result<Self, ConversionError>;

    /// What a parameter of this type becomes that a script leaves out. `None`: it may not be left out.
    ///
    /// ```
    /// use pycage::FromValue;
    ///
    /// assert_eq!(Option::<i64>::missing(), Some(None));
    /// assert_eq!(i64::missing(), None);
    /// ```
    fn missing() -> Option<Self> {
        None
    }

    /// How Python writes the type of what this converts from, for [`Sandbox::stubs`](crate::Sandbox::stubs). `Any` unless
    /// it is said.
    ///
    /// ```
    /// use pycage::FromValue;
    ///
    /// assert_eq!(<Option<Vec<u8>> as FromValue>::type_hint().to_string(), "list[int] | tuple[int, ...] | bytes | None");
    /// ```
    fn type_hint() -> TypeHint {
        TypeHint::any()
    }
}

fn mismatch<T>(wanted: &str, got: &Value) -> Result<T, ConversionError> {
    Err(ConversionError::new(format!("expected {wanted}, got {}", got.type_name())))
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        Ok(value)
    }
}

impl FromValue for () {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::None => Ok(()),
            other => mismatch("None", &other),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::none()
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::Bool(bool) => Ok(bool),
            other => mismatch("bool", &other),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("bool")
    }
}

macro_rules! from_int {
    ($($int:ty),*) => {$(
        impl FromValue for $int {
            #[inline]
            fn from_value(value: Value) -> Result<Self, ConversionError> {
                let range = || ConversionError::new(concat!("the int is out of range for ", stringify!($int)));
                match value {
                    Value::Int(int) => int.try_into().map_err(|_| range()),
                    Value::BigInt(int) => int.try_into().map_err(|_| range()),
                    other => mismatch("int", &other),
                }
            }

            fn type_hint() -> TypeHint {
                TypeHint::new("int")
            }
        }
    )*};
}
from_int!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl FromValue for BigInt {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::Int(int) => Ok(int.into()),
            Value::BigInt(int) => Ok(int),
            other => mismatch("int", &other),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("int")
    }
}

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::Float(float) => Ok(float),
            Value::Int(int) if int.unsigned_abs() <= 1 << 53 => Ok(int as f64),
            Value::Int(_) | Value::BigInt(_) => Err(ConversionError::new("the int is too large for an exact f64")),
            other => mismatch("float", &other),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("float")
    }
}

impl FromValue for f32 {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        f64::from_value(value).map(|float| float as f32)
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("float")
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::Str(text) => Ok(text),
            other => mismatch("str", &other),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("str")
    }
}

impl FromValue for char {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        let text = String::from_value(value)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(ConversionError::new("expected a str of one character")),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("str")
    }
}

impl FromValue for Callback {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::Function(callback) => Ok(callback),
            other => mismatch("a callable", &other),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("Callable[..., Any]")
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::None => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }

    fn type_hint() -> TypeHint {
        T::type_hint().or(TypeHint::none())
    }
}

/// From a list or a tuple; `Vec<u8>` also takes a list of small ints, bytes are `Bytes` in [`Value`] and convert too.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        match value {
            Value::List(items) | Value::Tuple(items) => items.into_iter().map(T::from_value).collect(),
            Value::Bytes(bytes) => bytes.into_iter().map(|byte| T::from_value(Value::Int(byte.into()))).collect(),
            other => mismatch("list", &other),
        }
    }

    fn type_hint() -> TypeHint {
        let item = T::type_hint();
        let listed = TypeHint::generic("list", [item.clone()])
            .or(TypeHint::generic("tuple", [item.clone(), TypeHint::new("...")]));
        if item.is("int") { listed.or(TypeHint::new("bytes")) } else { listed }
    }
}

fn items_of(value: Value) -> Result<Vec<(Value, Value)>, ConversionError> {
    match value {
        Value::Dict(items) => Ok(items),
        other => mismatch("dict", &other),
    }
}

impl<K: FromValue + Eq + Hash, V: FromValue> FromValue for HashMap<K, V> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        items_of(value)?.into_iter().map(|(key, value)| Ok((K::from_value(key)?, V::from_value(value)?))).collect()
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("dict", [K::type_hint(), V::type_hint()])
    }
}

impl<K: FromValue + Ord, V: FromValue> FromValue for BTreeMap<K, V> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        items_of(value)?.into_iter().map(|(key, value)| Ok((K::from_value(key)?, V::from_value(value)?))).collect()
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("dict", [K::type_hint(), V::type_hint()])
    }
}

fn set_of(item: TypeHint) -> TypeHint {
    TypeHint::generic("set", [item.clone()]).or(TypeHint::generic("frozenset", [item]))
}

fn members_of(value: Value) -> Result<Vec<Value>, ConversionError> {
    match value {
        Value::Set(items) => Ok(items),
        other => mismatch("set", &other),
    }
}

impl<T: FromValue + Eq + Hash> FromValue for HashSet<T> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        members_of(value)?.into_iter().map(T::from_value).collect()
    }

    fn type_hint() -> TypeHint {
        set_of(T::type_hint())
    }
}

impl<T: FromValue + Ord> FromValue for BTreeSet<T> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        members_of(value)?.into_iter().map(T::from_value).collect()
    }

    fn type_hint() -> TypeHint {
        set_of(T::type_hint())
    }
}

macro_rules! from_tuple {
    ($count:literal: $($name:ident)*) => {
        impl<$($name: FromValue),*> FromValue for ($($name,)*) {
            fn from_value(value: Value) -> Result<Self, ConversionError> {
                match value {
                    Value::Tuple(items) | Value::List(items) if items.len() == $count => {
                        let mut items = items.into_iter();
                        Ok(($($name::from_value(items.next().unwrap_or_default())?,)*))
                    }
                    Value::Tuple(items) | Value::List(items) => Err(ConversionError::new(format!(
                        concat!("expected a tuple of ", stringify!($count), " items, got {}"), items.len()
                    ))),
                    other => mismatch("tuple", &other),
                }
            }

            fn type_hint() -> TypeHint {
                TypeHint::generic("tuple", [$($name::type_hint()),*])
                    .or(TypeHint::generic("list", [TypeHint::any()]))
            }
        }
    };
}
from_tuple!(1: A);
from_tuple!(2: A B);
from_tuple!(3: A B C);
from_tuple!(4: A B C D);
from_tuple!(5: A B C D E);
from_tuple!(6: A B C D E F);
from_tuple!(7: A B C D E F G);
from_tuple!(8: A B C D E F G H);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_strict() {
        assert!(bool::from_value(Value::Int(1)).is_err());
        assert!(i64::from_value(Value::Bool(true)).is_err());
        assert!(i64::from_value(Value::Float(1.0)).is_err());
        assert!(f64::from_value(Value::Int(i64::MAX)).is_err());
        assert_eq!(f64::from_value(Value::Int(3)).unwrap(), 3.0);
        assert_eq!(Vec::<u8>::from_value(Value::Bytes(vec![1, 2])).unwrap(), [1, 2]);
        assert_eq!(u128::from_value(Value::BigInt(BigInt::from(u128::MAX))).unwrap(), u128::MAX);
        assert!(u64::from_value(Value::BigInt(BigInt::from(u128::MAX))).is_err());
        assert_eq!(Option::<i64>::from_value(Value::None).unwrap(), None);
        assert!(<(i64, i64)>::from_value(Value::List(vec![Value::Int(1)])).is_err());
    }
}
