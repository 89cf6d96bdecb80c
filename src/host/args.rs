//! The arguments of a call from a script, one by one into Rust types.

use crate::error::ConversionError;
use crate::host::failure::CallFailure;
use crate::host::{convert, gate};
use crate::stubs::hint::TypeHint;
use crate::stubs::signature::{ParameterKind, Signature};
use crate::value::{FromValue, Value};
use rustpython_vm::builtins::PyStr;
use rustpython_vm::{PyObjectRef, VirtualMachine};
use std::collections::BTreeMap;

/// Types that can stand as a parameter of a host function: every [`FromValue`], `&str`, and the extractors [`Rest`],
/// [`Kwargs`] and [`CallContext`](crate::CallContext).
///
/// Implement [`FromValue`] for a type of your own, and it is one.
///
/// ```
/// use pycage::{ConversionError, FromValue, Sandbox, Value};
///
/// // A type of one's own is a parameter as soon as it is `FromValue`.
/// struct Percent(f64);
///
/// impl FromValue for Percent {
///     fn from_value(value: Value) -> Result<Self, ConversionError> {
///         f64::from_value(value).map(|share| Percent(share * 100.0))
///     }
/// }
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("show", |percent: Percent| format!("{}%", percent.0))?;
/// assert_eq!(sandbox.eval::<String>("show(0.5)")?, "50%");
/// # Ok::<(), pycage::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a host function",
    note = "parameters are types that implement `FromValue`, `&str`, `CallContext`, `Rest<T>` and `Kwargs<T>`"
)]
pub trait HostArg {
    /// The type as the function sees it: itself, with the lifetime of the call where it borrows.
    type Item<'a>;

    /// Takes it from the call.
    #[doc(hidden)]
    fn take<'a>(args: &mut Arguments<'a>) -> Result<Self::Item<'a>, CallFailure>;

    /// Says what it is, for stubs.
    #[doc(hidden)]
    fn describe(signature: &mut Signature);
}

/// The rest of the positional arguments of a call: Python's `*args`.
///
/// ```
/// use pycage::{Rest, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("total", |first: i64, rest: Rest<i64>| first + rest.0.iter().sum::<i64>())?;
/// assert_eq!(sandbox.eval::<i64>("total(1) + total(1, 2, 3)")?, 7);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest<T = Value>(pub Vec<T>);

/// The keyword arguments of a call that are no named parameters: Python's `**kwargs`, by name.
///
/// ```
/// use pycage::{Kwargs, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("style", |text: &str, options: Kwargs<bool>| {
///     let on: Vec<String> = options.0.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
///     format!("{text} [{}]", on.join(" "))
/// })?;
/// assert_eq!(sandbox.eval::<String>("style('hi', bold=True, dim=False)")?, "hi [bold]");
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kwargs<T = Value>(pub BTreeMap<String, T>);

/// A parameter that may be left out, and is then its type's default. (An [`Option`] is `None` then.)
///
/// ```
/// use pycage::{OrDefault, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("wait", |frames: OrDefault<u32>, then: Option<i64>| (frames.0, then))?;
/// assert_eq!(sandbox.eval::<(u32, Option<i64>)>("wait()")?, (0, None));
/// assert_eq!(sandbox.eval::<(u32, Option<i64>)>("wait(3, 4)")?, (3, Some(4)));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrDefault<T>(pub T);

impl<T: FromValue + Default> FromValue for OrDefault<T> {
    fn from_value(value: Value) -> Result<Self, ConversionError> {
        T::from_value(value).map(OrDefault)
    }

    fn missing() -> Option<Self> {
        Some(OrDefault(T::default()))
    }

    fn type_hint() -> TypeHint {
        T::type_hint()
    }
}

/// A call's arguments, of which each parameter takes its own.
#[doc(hidden)]
pub struct Arguments<'a> {
    given: Given<'a>,
    /// Names of the parameters, where they have some.
    names: &'a [String],
    next: usize,
    /// Which keywords were taken, a bit each.
    taken: u64,
    /// Whether what is called was lent for the time of a scope.
    pub(crate) lent: bool,
}

/// What a script has passed.
enum Given<'a> {
    /// The script's own objects, on its runner.
    Objects {
        positional: &'a [PyObjectRef],
        keywords: &'a [PyObjectRef],
        keyword_values: &'a [PyObjectRef],
        reader: convert::Reader<'a>,
        vm: &'a VirtualMachine,
    },
    /// What a worker process has sent.
    #[cfg(feature = "process")]
    Values { positional: &'a [Value], keywords: &'a [(String, Value)], run: &'a dyn RemoteRun },
}

/// One of them.
#[derive(Clone, Copy)]
enum Arg<'a> {
    Object(&'a PyObjectRef),
    #[cfg(feature = "process")]
    Value(&'a Value),
}

/// What a script has passed, by position and by keyword.
#[cfg(feature = "process")]
pub(crate) type Passed = (Vec<Value>, Vec<(String, Value)>);

/// Most keyword arguments of a call.
const MAX_KEYWORDS: usize = 64;

impl<'a> Arguments<'a> {
    pub(crate) fn new(
        positional: &'a [PyObjectRef],
        keywords: &'a [PyObjectRef],
        keyword_values: &'a [PyObjectRef],
        names: &'a [String],
        vm: &'a VirtualMachine,
    ) -> Self {
        let given = Given::Objects { positional, keywords, keyword_values, reader: convert::Reader::new(vm), vm };
        Arguments { given, names, next: 0, taken: 0, lent: false }
    }

    /// For a call that a worker process has asked for.
    #[cfg(feature = "process")]
    pub(crate) fn of_values(
        positional: &'a [Value],
        keywords: &'a [(String, Value)],
        names: &'a [String],
        run: &'a dyn RemoteRun,
    ) -> Self {
        Arguments { given: Given::Values { positional, keywords, run }, names, next: 0, taken: 0, lent: false }
    }

    /// Where the call comes from.
    pub(crate) fn caller(&self) -> Caller<'a> {
        match &self.given {
            Given::Objects { vm, .. } => Caller::Here(vm),
            #[cfg(feature = "process")]
            Given::Values { run, .. } => Caller::Worker(*run),
        }
    }

    fn count(&self) -> usize {
        match &self.given {
            Given::Objects { positional, .. } => positional.len(),
            #[cfg(feature = "process")]
            Given::Values { positional, .. } => positional.len(),
        }
    }

    fn positional(&self, index: usize) -> Option<Arg<'a>> {
        match &self.given {
            Given::Objects { positional, .. } => positional.get(index).map(Arg::Object),
            #[cfg(feature = "process")]
            Given::Values { positional, .. } => positional.get(index).map(Arg::Value),
        }
    }

    fn keyword_count(&self) -> usize {
        match &self.given {
            Given::Objects { keywords, .. } => keywords.len(),
            #[cfg(feature = "process")]
            Given::Values { keywords, .. } => keywords.len(),
        }
    }

    /// A keyword argument: its name, if that is valid Unicode, and its value.
    fn keyword(&self, at: usize) -> Option<(Option<&'a str>, Arg<'a>)> {
        match &self.given {
            Given::Objects { keywords, keyword_values, .. } => {
                Some((text_of(keywords.get(at)?), Arg::Object(keyword_values.get(at)?)))
            }
            #[cfg(feature = "process")]
            Given::Values { keywords, .. } => {
                keywords.get(at).map(|(name, value)| (Some(name.as_str()), Arg::Value(value)))
            }
        }
    }

    /// The argument of the next parameter, if it was given.
    #[inline]
    fn take_next(&mut self) -> Result<Option<Arg<'a>>, CallFailure> {
        let index = self.next;
        self.next += 1;
        let given = self.positional(index);
        if self.keyword_count() == 0 {
            return Ok(given);
        }
        let Some(name) = self.names.get(index) else { return Ok(given) };
        let keyword = (0..self.keyword_count().min(MAX_KEYWORDS)).find_map(|at| {
            self.keyword(at).filter(|(keyword, _)| *keyword == Some(name)).map(|(_, value)| (at, value))
        });
        match (given, keyword) {
            (given, None) => Ok(given),
            (None, Some((at, value))) => {
                self.taken |= 1 << at;
                Ok(Some(value))
            }
            (Some(_), Some(_)) => Err(CallFailure::Arguments(format!("got two values for argument '{name}'"))),
        }
    }

    #[inline]
    fn value(&mut self, arg: Arg<'a>) -> Result<Value, ConversionError> {
        match (&mut self.given, arg) {
            (Given::Objects { reader, .. }, Arg::Object(object)) => reader.read(object),
            #[cfg(feature = "process")]
            (_, Arg::Value(value)) => Ok(value.clone()),
            #[cfg(feature = "process")]
            (Given::Values { .. }, Arg::Object(_)) => Err(ConversionError::new("an object of another process")),
        }
    }

    fn read<T: FromValue>(&mut self, arg: Arg<'a>, which: impl FnOnce() -> String) -> Result<T, CallFailure> {
        self.value(arg)
            .and_then(T::from_value)
            .map_err(|error| CallFailure::Arguments(format!("{}: {}", which(), error.message)))
    }

    /// Which parameter was taken last, for messages.
    fn last(&self) -> String {
        match self.names.get(self.next - 1) {
            Some(name) => format!("argument '{name}'"),
            None => format!("argument {}", self.next),
        }
    }

    fn missing(&self) -> CallFailure {
        CallFailure::Arguments(format!("misses {}", self.last()))
    }

    /// Takes all that is passed, for who is to pass it on.
    #[cfg(feature = "process")]
    pub(crate) fn take_all(&mut self) -> Result<Passed, CallFailure> {
        let Rest(positional) = Rest::<Value>::take(self)?;
        let mut keywords = Vec::with_capacity(self.keyword_count());
        for at in 0..self.keyword_count() {
            let Some((Some(name), value)) = self.keyword(at) else { return Err(not_unicode()) };
            keywords.push((name.to_owned(), self.read(value, || format!("argument '{name}'"))?));
        }
        Ok((positional, keywords))
    }

    /// Every parameter has taken its own: nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), CallFailure> {
        let count = self.count();
        if count > self.next {
            return Err(CallFailure::Arguments(format!(
                "takes {} positional argument{} but {count} were given",
                self.next,
                if self.next == 1 { "" } else { "s" },
            )));
        }
        let keywords = self.keyword_count();
        if keywords > MAX_KEYWORDS {
            return Err(CallFailure::Arguments(format!("takes at most {MAX_KEYWORDS} keyword arguments")));
        }
        if let Some(unknown) = (0..keywords).find(|at| self.taken & (1 << at) == 0) {
            let name = self.keyword(unknown).and_then(|(name, _)| name).unwrap_or("?");
            return Err(CallFailure::Arguments(format!("got an unexpected keyword argument '{name}'")));
        }
        Ok(())
    }

    /// Runs the function, on the host's time.
    #[inline]
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, CallFailure> {
        match self.caller() {
            Caller::Here(vm) => gate::on_the_hosts_side(vm, f),
            // Its clock stands already.
            #[cfg(feature = "process")]
            Caller::Worker(_) => gate::contained(f),
        }
    }
}

/// Where the script is that calls.
pub(crate) enum Caller<'a> {
    /// On this thread.
    Here(&'a VirtualMachine),
    #[cfg(feature = "process")]
    Worker(&'a dyn RemoteRun),
}

/// A run in a worker process that waits for the host function which it has called.
#[cfg(feature = "process")]
pub(crate) trait RemoteRun {
    /// What it has cost, as last reported.
    fn usage(&self) -> crate::usage::Usage;

    fn remaining(&self, limit: crate::budget::Limit) -> u64;

    fn cancel(&self) -> crate::meter::hook::Cancel;

    fn data(&self) -> Option<std::sync::Arc<dyn std::any::Any + Send + Sync>>;

    /// Calls back, on the script's account and clock.
    fn call(&self, callback: &crate::host::callback::Callback, args: Vec<Value>) -> Result<Value, crate::error::Error>;
}

#[cold]
fn not_unicode() -> CallFailure {
    CallFailure::Arguments("the name of a keyword argument must be valid Unicode".to_owned())
}

fn text_of(object: &PyObjectRef) -> Option<&str> {
    object.downcast_ref::<PyStr>().and_then(|text| text.to_str())
}

impl<T: FromValue> HostArg for T {
    type Item<'a> = T;

    #[inline]
    fn take<'a>(args: &mut Arguments<'a>) -> Result<T, CallFailure> {
        match args.take_next()? {
            Some(arg) => match args.value(arg).and_then(T::from_value) {
                Ok(value) => Ok(value),
                Err(error) => Err(CallFailure::Arguments(format!("{}: {}", args.last(), error.message))),
            },
            None => T::missing().ok_or_else(|| args.missing()),
        }
    }

    fn describe(signature: &mut Signature) {
        let kind = if T::missing().is_some() { ParameterKind::Optional } else { ParameterKind::Required };
        signature.push(kind, T::type_hint());
    }
}

/// Borrowed from the script for the time of the call: nothing is copied.
impl HostArg for &str {
    type Item<'a> = &'a str;

    #[inline]
    fn take<'a>(args: &mut Arguments<'a>) -> Result<&'a str, CallFailure> {
        let Some(arg) = args.take_next()? else { return Err(args.missing()) };
        let wrong = |args: &Arguments<'_>, what: String| CallFailure::Arguments(format!("{}: {what}", args.last()));
        #[allow(clippy::infallible_destructuring_match, reason = "there is a second kind with the feature `process`")]
        let object = match arg {
            Arg::Object(object) => object,
            #[cfg(feature = "process")]
            Arg::Value(Value::Str(text)) => return Ok(text),
            #[cfg(feature = "process")]
            Arg::Value(other) => return Err(wrong(args, format!("expected str, got {}", other.type_name()))),
        };
        let Some(text) = object.downcast_ref::<PyStr>() else {
            return Err(wrong(args, format!("expected str, got {}", object.class().name())));
        };
        let Some(text) = text.to_str() else {
            return Err(wrong(args, "the str has a lone surrogate, which cannot cross".to_owned()));
        };
        match &mut args.given {
            Given::Objects { reader, .. } => {
                reader.count_bytes(text.len()).map_err(|error| CallFailure::Arguments(error.message))?;
            }
            #[cfg(feature = "process")]
            Given::Values { .. } => {}
        }
        Ok(text)
    }

    fn describe(signature: &mut Signature) {
        signature.push(ParameterKind::Required, TypeHint::new("str"));
    }
}

impl<T: FromValue> HostArg for Rest<T> {
    type Item<'a> = Rest<T>;

    fn take<'a>(args: &mut Arguments<'a>) -> Result<Rest<T>, CallFailure> {
        let first = args.next;
        // Counted as parameters, so that nothing is left over.
        args.next = args.next.max(args.count());
        let mut values = Vec::with_capacity(args.next - first);
        for index in first..args.next {
            if let Some(arg) = args.positional(index) {
                values.push(args.read(arg, || format!("argument {}", index + 1))?);
            }
        }
        Ok(Rest(values))
    }

    fn describe(signature: &mut Signature) {
        signature.push(ParameterKind::Rest, T::type_hint());
    }
}

impl<T: FromValue> HostArg for Kwargs<T> {
    type Item<'a> = Kwargs<T>;

    fn take<'a>(args: &mut Arguments<'a>) -> Result<Kwargs<T>, CallFailure> {
        let mut values = BTreeMap::new();
        for at in 0..args.keyword_count().min(MAX_KEYWORDS) {
            let Some((name, value)) = args.keyword(at).filter(|_| args.taken & (1 << at) == 0) else { continue };
            args.taken |= 1 << at;
            let Some(name) = name else { return Err(not_unicode()) };
            values.insert(name.to_owned(), args.read(value, || format!("argument '{name}'"))?);
        }
        Ok(Kwargs(values))
    }

    fn describe(signature: &mut Signature) {
        signature.push(ParameterKind::Keywords, T::type_hint());
    }
}
