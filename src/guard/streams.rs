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

/// Writes what a script printed. Past the budget's limit the run is stopped; what still fits is kept.
///
/// Outside of a run the text is dropped. Lone surrogates become U+FFFD.
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
    fuel::with_run(|run| run.state.output.push_str(kept));
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
    use crate::budget::Budget;
    use crate::meter::clock::Clock;
    use crate::meter::run::Run;
    use std::sync::Arc;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(floor_char_boundary("aé", 2), 1);
        assert_eq!(floor_char_boundary("aé", 3), 3);
        assert_eq!(floor_char_boundary("aé", u64::MAX), 3);
    }

    #[test]
    fn what_is_printed_belongs_to_the_run_that_prints_it() {
        let run = || {
            let mut run = Run::new(Arc::default(), None, Arc::default());
            run.begin(&Budget::default(), None, Clock::started());
            run
        };
        let put = |text: &str| fuel::with_run(|run| run.state.output.push_str(text));
        let outer = fuel::metered(run(), || {
            put("a");
            let inner = fuel::metered(run(), || put("b"));
            assert_eq!(inner.run.unwrap().state.output, "b");
            let _ = std::panic::catch_unwind(|| fuel::metered(run(), || panic!("inside")));
            put("c");
        });
        assert_eq!(outer.run.unwrap().state.output, "ac");
        assert_eq!(put("d"), None);
    }
}
