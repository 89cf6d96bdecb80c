//! From a Rust type to a script's value.

use super::Value;
use crate::host::callback::Callback;
use crate::stubs::hint::TypeHint;
use num_bigint::BigInt;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Types that can be handed to a script.
///
/// ```
/// use pycage::{IntoValue, Value};
///
/// assert_eq!(vec![("a", 1)].into_value().to_string(), "[('a', 1)]");
/// assert_eq!(None::<i64>.into_value(), Value::None);
/// ```
pub trait IntoValue {
    /// Converts.
    ///
    /// ```
    /// use pycage::{IntoValue, Value};
    ///
    /// struct Point(i64, i64);
    ///
    /// impl IntoValue for Point {
    ///     fn into_value(self) -> Value {
    ///         (self.0, self.1).into_value()
    ///     }
    /// }
    /// assert_eq!(Point(3, 4).into_value().to_string(), "(3, 4)");
    /// ```
    fn into_value(self) -> Value;

    /// How Python writes the type of what this becomes, for [`Sandbox::stubs`](crate::Sandbox::stubs). `Any` unless it is
    /// said.
    ///
    /// ```
    /// use pycage::IntoValue;
    ///
    /// assert_eq!(<Vec<(i64, Option<f64>)> as IntoValue>::type_hint().to_string(), "list[tuple[int, float | None]]");
    /// ```
    fn type_hint() -> TypeHint
    where
        Self: Sized,
    {
        TypeHint::any()
    }
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::None
    }

    fn type_hint() -> TypeHint {
        TypeHint::none()
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("bool")
    }
}

macro_rules! into_int {
    ($($int:ty),*) => {$(
        impl IntoValue for $int {
            fn into_value(self) -> Value {
                match i64::try_from(self) {
                    Ok(int) => Value::Int(int),
                    Err(_) => Value::BigInt(BigInt::from(self)),
                }
            }

            fn type_hint() -> TypeHint {
                TypeHint::new("int")
            }
        }
    )*};
}
into_int!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl IntoValue for BigInt {
    fn into_value(self) -> Value {
        match i64::try_from(&self) {
            Ok(int) => Value::Int(int),
            Err(_) => Value::BigInt(self),
        }
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("int")
    }
}

impl IntoValue for f64 {
    fn into_value(self) -> Value {
        Value::Float(self)
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("float")
    }
}

impl IntoValue for f32 {
    fn into_value(self) -> Value {
        Value::Float(self.into())
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("float")
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Str(self)
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("str")
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Str(self.to_owned())
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("str")
    }
}

impl IntoValue for char {
    fn into_value(self) -> Value {
        Value::Str(self.to_string())
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("str")
    }
}

impl IntoValue for &[u8] {
    fn into_value(self) -> Value {
        Value::Bytes(self.to_vec())
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("bytes")
    }
}

impl IntoValue for Callback {
    fn into_value(self) -> Value {
        Value::Function(self)
    }

    fn type_hint() -> TypeHint {
        TypeHint::new("Callable[..., Any]")
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::None, T::into_value)
    }

    fn type_hint() -> TypeHint {
        T::type_hint().or(TypeHint::none())
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("list", [T::type_hint()])
    }
}

impl<T: IntoValue, const N: usize> IntoValue for [T; N] {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("list", [T::type_hint()])
    }
}

impl<K: IntoValue, V: IntoValue, S> IntoValue for HashMap<K, V, S> {
    fn into_value(self) -> Value {
        Value::Dict(self.into_iter().map(|(key, value)| (key.into_value(), value.into_value())).collect())
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("dict", [K::type_hint(), V::type_hint()])
    }
}

impl<K: IntoValue, V: IntoValue> IntoValue for BTreeMap<K, V> {
    fn into_value(self) -> Value {
        Value::Dict(self.into_iter().map(|(key, value)| (key.into_value(), value.into_value())).collect())
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("dict", [K::type_hint(), V::type_hint()])
    }
}

impl<T: IntoValue, S> IntoValue for HashSet<T, S> {
    fn into_value(self) -> Value {
        Value::Set(self.into_iter().map(T::into_value).collect())
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("set", [T::type_hint()])
    }
}

impl<T: IntoValue> IntoValue for BTreeSet<T> {
    fn into_value(self) -> Value {
        Value::Set(self.into_iter().map(T::into_value).collect())
    }

    fn type_hint() -> TypeHint {
        TypeHint::generic("set", [T::type_hint()])
    }
}

/// The positional arguments of a call: a tuple of up to eight values, or a `Vec<Value>`.
///
/// ```
/// use pycage::Sandbox;
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.exec("def area(w, h): return w * h")?;
/// let area: i64 = sandbox.call("area", (6, 7))?;
/// assert_eq!(area, 42);
/// # Ok::<(), pycage::Error>(())
/// ```
pub trait IntoArgs {
    /// Converts.
    ///
    /// ```
    /// use pycage::IntoArgs;
    ///
    /// assert_eq!((1, "a").into_args().len(), 2);
    /// assert!(().into_args().is_empty());
    /// ```
    fn into_args(self) -> Vec<Value>;

    /// Converts one after the other, with no list made of them.
    #[doc(hidden)]
    fn each<Failed>(self, take: impl FnMut(Value) -> Result<(), Failed>) -> Result<(), Failed>
    where
        Self: Sized,
    {
        self.into_args().into_iter().try_for_each(take)
    }

    /// How many there are, where that is known beforehand; else zero.
    #[doc(hidden)]
    fn expected(&self) -> usize {
        0
    }
}

impl IntoArgs for Vec<Value> {
    fn into_args(self) -> Vec<Value> {
        self
    }

    fn expected(&self) -> usize {
        self.len()
    }
}

impl IntoArgs for () {
    fn into_args(self) -> Vec<Value> {
        Vec::new()
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: IntoValue),*> IntoValue for ($($name,)*) {
            fn into_value(self) -> Value {
                Value::Tuple(self.into_args())
            }

            fn type_hint() -> TypeHint {
                TypeHint::generic("tuple", [$($name::type_hint()),*])
            }
        }

        impl<$($name: IntoValue),*> IntoArgs for ($($name,)*) {
            #[allow(non_snake_case)]
            fn into_args(self) -> Vec<Value> {
                let ($($name,)*) = self;
                vec![$($name.into_value()),*]
            }

            #[allow(non_snake_case)]
            #[inline]
            fn each<Failed>(self, mut take: impl FnMut(Value) -> Result<(), Failed>) -> Result<(), Failed> {
                let ($($name,)*) = self;
                $(take($name.into_value())?;)*
                Ok(())
            }

            #[inline]
            fn expected(&self) -> usize {
                [$(stringify!($name)),*].len()
            }
        }
    };
}
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
