//! What a host function answers, and how it fails.

use crate::stubs::hint::TypeHint;
use crate::value::{IntoValue, Value};
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// An error of the host's own, as a host function returned it.
///
/// ```
/// use pycage::{Error, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("open", || std::fs::read_to_string("/there/is/no/such"))?;
/// let Err(Error::Exception(raised)) = sandbox.exec("open()") else { panic!("it raises") };
/// assert!(raised.host_error.unwrap().downcast_ref::<std::io::Error>().is_some());
/// # Ok::<(), pycage::Error>(())
/// ```
pub type HostError = Arc<dyn StdError + Send + Sync>;

/// Why a call of a host function or a member of a host object did not answer.
///
/// ```
/// use pycage::CallFailure;
///
/// // What a host that implements `AsyncHostFunction` itself may answer.
/// let refused = CallFailure::Arguments("takes no arguments".to_owned());
/// assert!(matches!(refused, CallFailure::Arguments(_)));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallFailure {
    /// The arguments are not what the function takes: a `TypeError` for the script.
    Arguments(String),
    /// The function's own error: a `RuntimeError` for the script, or what a [`Raise`] says.
    Failed(HostError),
    /// The function panicked: a `RuntimeError` for the script.
    Panicked,
}

/// What a host function may answer: a value, or a `Result` of one.
///
/// The error of the `Result` is any that a `Box<dyn Error + Send + Sync>` can be made of: an error type, a `String`, a
/// `&str`, a [`Raise`].
///
/// ```
/// use pycage::IntoAnswer;
///
/// assert!(5_i64.into_answer().is_ok());
/// assert!(Ok::<_, String>(5_i64).into_answer().is_ok());
/// assert!(Err::<i64, _>("no").into_answer().is_err());
/// ```
pub trait IntoAnswer {
    /// Converts.
    ///
    /// # Errors
    /// The function's own error.
    ///
    /// ```
    /// use pycage::IntoAnswer;
    ///
    /// assert_eq!(Err::<i64, _>("no").into_answer().unwrap_err().to_string(), "no");
    /// ```
    fn into_answer(self) -> Result<Value, HostError>;

    /// How Python writes the type of the answer, see [`IntoValue::type_hint`].
    ///
    /// ```
    /// use pycage::IntoAnswer;
    ///
    /// assert_eq!(<Result<Option<i64>, String> as IntoAnswer>::type_hint().to_string(), "int | None");
    /// ```
    fn type_hint() -> TypeHint
    where
        Self: Sized,
    {
        TypeHint::any()
    }
}

impl<T: IntoValue> IntoAnswer for T {
    #[inline]
    fn into_answer(self) -> Result<Value, HostError> {
        Ok(self.into_value())
    }

    fn type_hint() -> TypeHint {
        <T as IntoValue>::type_hint()
    }
}

impl<T: IntoValue, E: Into<Box<dyn StdError + Send + Sync>>> IntoAnswer for Result<T, E> {
    #[inline]
    fn into_answer(self) -> Result<Value, HostError> {
        self.map(T::into_value).map_err(|error| HostError::from(error.into()))
    }

    fn type_hint() -> TypeHint {
        <T as IntoValue>::type_hint()
    }
}

/// An error that says which Python exception it becomes in the script.
///
/// Any other error becomes a `RuntimeError`. The error inside comes back in
/// [`ScriptException::host_error`](crate::ScriptException::host_error) if the script does not catch the exception.
///
/// ```
/// use pycage::{Error, ExceptionType, Raise, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("price", |item: &str| match item {
///     "sword" => Ok(120),
///     other => Err(Raise::new(ExceptionType::KeyError, format!("no item '{other}'"))),
/// })?;
/// let source = "
/// try:
///     price('shield')
/// except KeyError:
///     found = 'nothing'
/// found";
/// assert_eq!(sandbox.eval::<String>(source)?, "nothing");
/// assert!(matches!(sandbox.exec("price('axe')"), Err(Error::Exception(e)) if e.type_name == "KeyError"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Raise {
    pub(crate) exception: ExceptionType,
    pub(crate) error: HostError,
}

impl Raise {
    /// `error` as an exception of that type.
    ///
    /// ```
    /// use pycage::{ExceptionType, Raise};
    ///
    /// let raise = Raise::new(ExceptionType::KeyError, "no such item");
    /// assert_eq!(raise.to_string(), "no such item");
    /// ```
    pub fn new(exception: ExceptionType, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Raise { exception, error: HostError::from(error.into()) }
    }

    /// The type of the exception.
    ///
    /// ```
    /// use pycage::{ExceptionType, Raise};
    ///
    /// let raise = Raise::new(ExceptionType::KeyError, "no such item");
    /// assert_eq!(raise.exception(), ExceptionType::KeyError);
    /// ```
    pub fn exception(&self) -> ExceptionType {
        self.exception
    }

    /// The error inside.
    ///
    /// ```
    /// use pycage::{ExceptionType, Raise};
    ///
    /// let raise = Raise::new(ExceptionType::KeyError, "no such item");
    /// assert_eq!(raise.error().to_string(), "no such item");
    /// ```
    pub fn error(&self) -> &HostError {
        &self.error
    }
}

impl fmt::Display for Raise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Raise {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

macro_rules! exception_types {
    ($($(#[$doc:meta])* $name:ident = $field:ident),* $(,)?) => {
        /// A Python exception that a host can raise in a script, see [`Raise`].
        ///
        /// ```
        /// use pycage::{ExceptionType, Raise, Sandbox};
        ///
        /// let mut sandbox = Sandbox::new()?;
        /// sandbox.function("fail", || -> Result<(), Raise> { Err(Raise::new(ExceptionType::TimeoutError, "slow")) })?;
        /// assert!(sandbox.exec("try: fail()\nexcept TimeoutError: pass").is_ok());
        /// # Ok::<(), pycage::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum ExceptionType {
            $($(#[$doc])* $name),*
        }

        impl ExceptionType {
            /// The class in the interpreter.
            pub(crate) fn class(
                self,
                vm: &rustpython_vm::VirtualMachine,
            ) -> rustpython_vm::builtins::PyTypeRef {
                match self {
                    $(ExceptionType::$name => vm.ctx.exceptions.$field.to_owned()),*
                }
            }
        }
    };
}
exception_types! {
    /// `RuntimeError`: what an error becomes that says nothing else.
    RuntimeError = runtime_error,
    /// `ValueError`.
    ValueError = value_error,
    /// `TypeError`.
    TypeError = type_error,
    /// `KeyError`.
    KeyError = key_error,
    /// `IndexError`: also what ends the old form of iteration.
    IndexError = index_error,
    /// `LookupError`.
    LookupError = lookup_error,
    /// `AttributeError`.
    AttributeError = attribute_error,
    /// `ArithmeticError`.
    ArithmeticError = arithmetic_error,
    /// `ZeroDivisionError`.
    ZeroDivisionError = zero_division_error,
    /// `OverflowError`.
    OverflowError = overflow_error,
    /// `NotImplementedError`.
    NotImplementedError = not_implemented_error,
    /// `ImportError`.
    ImportError = import_error,
    /// `OSError`.
    OSError = os_error,
    /// `FileExistsError`.
    FileExistsError = file_exists_error,
    /// `FileNotFoundError`.
    FileNotFoundError = file_not_found_error,
    /// `PermissionError`.
    PermissionError = permission_error,
    /// `TimeoutError`.
    TimeoutError = timeout_error,
    /// `ConnectionError`.
    ConnectionError = connection_error,
    /// `ReferenceError`.
    ReferenceError = reference_error,
}
