//! Where `print` goes: text kept for the host, up to the budget's limit. And a stream that leads nowhere, for
//! everything that the interpreter would write to the host's own streams.

use crate::budget::Limit;
use crate::meter::allocator;
use crate::meter::fuel;
use crate::meter::run::Trip;
use rustpython_vm::builtins::{PyStr, PyType};
use rustpython_vm::class::PyClassImpl;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};
use std::cell::RefCell;

thread_local! {
    /// The output of the run on this thread, where one is kept.
    static OUTPUT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f` and answers what was printed while it ran.
///
/// Nests: an inner call keeps its own text and the outer one goes on after it. The text is lost if `f` panics.
pub(crate) fn captured<R>(f: impl FnOnce() -> R) -> (R, String) {
    let outer = Outer(OUTPUT.with(|output| output.replace(Some(String::new()))));
    let result = f();
    let text = OUTPUT.with(|output| output.borrow_mut().take()).unwrap_or_default();
    drop(outer);
    (result, text)
}

/// The output that was set aside; put back when dropped, also when a panic unwinds.
struct Outer(Option<String>);

impl Drop for Outer {
    fn drop(&mut self) {
        OUTPUT.with(|output| *output.borrow_mut() = self.0.take());
    }
}

/// Writes what a script printed. Past the budget's limit the run is stopped; what still fits is kept.
///
/// Where nothing captures, the text is dropped. Lone surrogates become U+FFFD.
pub(crate) fn write(text: &Py<PyStr>, vm: &VirtualMachine) -> PyResult<()> {
    let bytes = text.byte_len() as u64;
    fuel::reserve(bytes, vm)?;
    let room = fuel::with_run(|run| {
        let room = run.output.saturating_sub(run.state.output_bytes);
        run.state.output_bytes += bytes.min(room);
        room
    })
    .unwrap_or(u64::MAX);
    let text = text.as_wtf8().to_string_lossy();
    let kept = if bytes > room { &text[..floor_char_boundary(&text, room)] } else { &text[..] };
    // The text is the host's: what it takes in memory is not the script's.
    let _paused = allocator::pause();
    OUTPUT.with(|output| {
        if let Some(output) = output.borrow_mut().as_mut() {
            output.push_str(kept);
        }
    });
    if bytes > room { Err(fuel::trip_now(Trip::Limit(Limit::Output), vm)) } else { Ok(()) }
}

fn floor_char_boundary(text: &str, at: u64) -> usize {
    let mut at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A stream that takes everything and keeps nothing.
#[pyclass(module = false, name = "null_stream")]
#[derive(Debug)]
pub(crate) struct NullStream;

impl PyPayload for NullStream {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        <Self as rustpython_vm::class::StaticType>::static_type()
    }
}

#[pyclass(flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl NullStream {
    #[pymethod]
    fn write(_zelf: PyRef<Self>, _text: PyObjectRef) {}

    #[pymethod]
    fn flush(_zelf: PyRef<Self>) {}
}

impl NullStream {
    pub(crate) fn new(vm: &VirtualMachine) -> PyRef<Self> {
        drop(Self::make_static_type());
        NullStream.into_ref(&vm.ctx)
    }
}

/// A hook that does nothing, for whatever the interpreter calls with errors that nobody handles.
pub(crate) fn quiet_hook(_args: FuncArgs) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(floor_char_boundary("aé", 2), 1);
        assert_eq!(floor_char_boundary("aé", 3), 3);
        assert_eq!(floor_char_boundary("aé", u64::MAX), 3);
    }

    #[test]
    fn captures_nest_and_survive_a_panic() {
        let put = |text: &str| OUTPUT.with(|output| output.borrow_mut().as_mut().unwrap().push_str(text));
        let (_, outer) = captured(|| {
            put("a");
            let (_, inner) = captured(|| put("b"));
            assert_eq!(inner, "b");
            let _ = std::panic::catch_unwind(|| captured(|| panic!("inside")));
            put("c");
        });
        assert_eq!(outer, "ac");
    }
}
