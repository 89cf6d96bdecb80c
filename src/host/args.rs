//! The arguments of a call from a script, one by one into Rust types.

use crate::host::failure::CallFailure;
use crate::host::{convert, gate};
use crate::value::{FromValue, Value};
use rustpython_vm::builtins::PyStr;
use rustpython_vm::{PyObjectRef, VirtualMachine};
use std::collections::BTreeMap;

/// Types that can stand as a parameter of a host function: every [`FromValue`], `&str`, and the extractors [`Rest`],
/// [`Kwargs`] and [`CallContext`](crate::CallContext).
///
/// Implement [`FromValue`] for a type of your own, and it is one.
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
    fn from_value(value: Value) -> Result<Self, crate::ConversionError> {
        T::from_value(value).map(OrDefault)
    }

    fn missing() -> Option<Self> {
        Some(OrDefault(T::default()))
    }
}

/// A call's arguments, of which each parameter takes its own.
#[doc(hidden)]
pub struct Arguments<'a> {
    pub(crate) vm: &'a VirtualMachine,
    positional: &'a [PyObjectRef],
    /// Names of the keyword arguments, and their values in the same order.
    keywords: &'a [PyObjectRef],
    keyword_values: &'a [PyObjectRef],
    /// Names of the parameters, where they have some.
    names: &'a [String],
    next: usize,
    /// Which keywords were taken, a bit each.
    taken: u64,
    reader: convert::Reader<'a>,
    /// Whether what is called was lent for the time of a scope.
    pub(crate) lent: bool,
}

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
        Arguments {
            vm,
            positional,
            keywords,
            keyword_values,
            names,
            next: 0,
            taken: 0,
            reader: convert::Reader::new(vm),
            lent: false,
        }
    }

    /// The argument of the next parameter, if it was given.
    fn take_next(&mut self) -> Result<Option<&'a PyObjectRef>, CallFailure> {
        let index = self.next;
        self.next += 1;
        let given = self.positional.get(index);
        if self.keywords.is_empty() {
            return Ok(given);
        }
        let Some(name) = self.names.get(index) else { return Ok(given) };
        let keyword = self.keywords.iter().take(MAX_KEYWORDS).position(|keyword| text_of(keyword) == Some(name));
        match (given, keyword) {
            (given, None) => Ok(given),
            (None, Some(at)) => {
                self.taken |= 1 << at;
                Ok(self.keyword_values.get(at))
            }
            (Some(_), Some(_)) => Err(CallFailure::Arguments(format!("got two values for argument '{name}'"))),
        }
    }

    fn read<T: FromValue>(&mut self, object: &PyObjectRef, which: impl FnOnce() -> String) -> Result<T, CallFailure> {
        self.reader
            .read(object)
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

    /// Every parameter has taken its own: nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), CallFailure> {
        if self.positional.len() > self.next {
            return Err(CallFailure::Arguments(format!(
                "takes {} positional argument{} but {} were given",
                self.next,
                if self.next == 1 { "" } else { "s" },
                self.positional.len()
            )));
        }
        if !self.keywords.is_empty() {
            if self.keywords.len() > MAX_KEYWORDS {
                return Err(CallFailure::Arguments(format!("takes at most {MAX_KEYWORDS} keyword arguments")));
            }
            let unknown = self.keywords.iter().enumerate().find(|(at, _)| self.taken & (1 << at) == 0);
            if let Some((_, name)) = unknown {
                let name = text_of(name).unwrap_or("?");
                return Err(CallFailure::Arguments(format!("got an unexpected keyword argument '{name}'")));
            }
        }
        Ok(())
    }

    /// Runs the function, on the host's time.
    #[inline]
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, CallFailure> {
        gate::on_the_hosts_side(self.vm, f)
    }
}

fn text_of(object: &PyObjectRef) -> Option<&str> {
    object.downcast_ref::<PyStr>().and_then(|text| text.to_str())
}

impl<T: FromValue> HostArg for T {
    type Item<'a> = T;

    #[inline]
    fn take<'a>(args: &mut Arguments<'a>) -> Result<T, CallFailure> {
        match args.take_next()? {
            Some(object) => {
                let at = args.next;
                match args.reader.read(object).and_then(T::from_value) {
                    Ok(value) => Ok(value),
                    Err(error) => {
                        args.next = at;
                        Err(CallFailure::Arguments(format!("{}: {}", args.last(), error.message)))
                    }
                }
            }
            None => T::missing().ok_or_else(|| args.missing()),
        }
    }
}

/// Borrowed from the script for the time of the call: nothing is copied.
impl HostArg for &str {
    type Item<'a> = &'a str;

    #[inline]
    fn take<'a>(args: &mut Arguments<'a>) -> Result<&'a str, CallFailure> {
        let Some(object) = args.take_next()? else { return Err(args.missing()) };
        let wrong = |what: String| CallFailure::Arguments(format!("{}: {what}", args.last()));
        let Some(text) = object.downcast_ref::<PyStr>() else {
            return Err(wrong(format!("expected str, got {}", object.class().name())));
        };
        let Some(text) = text.to_str() else {
            return Err(wrong("the str has a lone surrogate, which cannot cross".to_owned()));
        };
        args.reader.count_bytes(text.len()).map_err(|error| CallFailure::Arguments(error.message))?;
        Ok(text)
    }
}

impl<T: FromValue> HostArg for Rest<T> {
    type Item<'a> = Rest<T>;

    fn take<'a>(args: &mut Arguments<'a>) -> Result<Rest<T>, CallFailure> {
        let rest = args.positional.get(args.next..).unwrap_or_default();
        let first = args.next + 1;
        // Counted as parameters, so that nothing is left over.
        args.next = args.next.max(args.positional.len());
        let mut values = Vec::with_capacity(rest.len());
        for (index, object) in rest.iter().enumerate() {
            values.push(args.read(object, || format!("argument {}", first + index))?);
        }
        Ok(Rest(values))
    }
}

impl<T: FromValue> HostArg for Kwargs<T> {
    type Item<'a> = Kwargs<T>;

    fn take<'a>(args: &mut Arguments<'a>) -> Result<Kwargs<T>, CallFailure> {
        let mut values = BTreeMap::new();
        for (at, (name, object)) in args.keywords.iter().zip(args.keyword_values).enumerate().take(MAX_KEYWORDS) {
            if args.taken & (1 << at) != 0 {
                continue;
            }
            args.taken |= 1 << at;
            let Some(name) = text_of(name) else {
                return Err(CallFailure::Arguments("the name of a keyword argument must be valid Unicode".to_owned()));
            };
            values.insert(name.to_owned(), args.read(object, || format!("argument '{name}'"))?);
        }
        Ok(Kwargs(values))
    }
}
