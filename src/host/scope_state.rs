//! What the host's side keeps for one sandbox on its runner's thread: the callables that the host holds, the host's data,
//! the limits on what crosses.

use crate::host::callback::{Callback, Released, Token};
use crate::meter::fuel;
use crate::runner::called::Called;
use crate::value::limits::ValueLimits;
use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::{PyObject, PyObjectRef};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Of one sandbox. It never leaves the runner's thread, as it holds objects of the interpreter.
pub(crate) struct ScopeState {
    pub(crate) data: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) limits: ValueLimits,
    pub(crate) cancel: Arc<AtomicBool>,
    pub(crate) called: Called,
    /// Globals that the host has set: what a reloaded script starts from.
    pub(crate) set_by_host: RefCell<HashSet<String>>,
    held: RefCell<HashMap<u64, PyObjectRef>>,
    next: Cell<u64>,
    /// What the host has let go of.
    released: Arc<Released>,
    /// The last exception that a callback let through to the host, by its serial number.
    raised: RefCell<Option<(u64, PyBaseExceptionRef)>>,
    /// Held by each iterator over a host object, to count them.
    pub(crate) iterators: Arc<()>,
    /// How deep callbacks are nested.
    pub(crate) depth: Cell<u32>,
}

impl ScopeState {
    pub(crate) fn new(
        data: Option<Arc<dyn Any + Send + Sync>>,
        limits: ValueLimits,
        cancel: Arc<AtomicBool>,
    ) -> Rc<ScopeState> {
        Rc::new(ScopeState {
            data,
            limits,
            cancel,
            called: Called::default(),
            set_by_host: RefCell::default(),
            held: RefCell::default(),
            next: Cell::new(0),
            released: Arc::default(),
            raised: RefCell::default(),
            iterators: Arc::default(),
            depth: Cell::new(0),
        })
    }

    /// A handle for the host to a callable of the script.
    pub(crate) fn hold(&self, object: &PyObject) -> Callback {
        let key = self.next.get();
        self.next.set(key + 1);
        self.held.borrow_mut().insert(key, object.to_owned());
        Callback::new(object.class().name().to_string(), Token::new(key, self.released.clone()))
    }

    /// The callable behind a handle; `None` when it is another sandbox's.
    pub(crate) fn held(&self, callback: &Callback) -> Option<PyObjectRef> {
        let key = callback.token().key_in(&self.released)?;
        self.held.borrow().get(&key).cloned()
    }

    /// Lets go of what the host has let go of. In a run that may run code of the script: nothing may be locked or paused.
    ///
    /// To be called before each run, outside of its meters: when the host does so is no part of the script's bill.
    #[inline]
    pub(crate) fn sweep(&self) {
        if self.released.is_some() {
            self.let_go();
        }
    }

    #[cold]
    fn let_go(&self) {
        for key in self.released.take() {
            // The borrow ends before the object goes: what it frees may look in here.
            let object = self.held.borrow_mut().remove(&key);
            drop(object);
        }
    }

    /// Lets go of everything: the sandbox is dropped.
    pub(crate) fn clear(&self) {
        let held = std::mem::take(&mut *self.held.borrow_mut());
        drop(held);
        let raised = self.raised.borrow_mut().take();
        drop(raised);
    }

    /// Keeps an exception that a callback lets through to the host. The host gets its number.
    pub(crate) fn keep_raised(&self, exception: PyBaseExceptionRef) -> u64 {
        let serial = self.next.get() + 1;
        self.next.set(serial);
        let last = self.raised.borrow_mut().replace((serial, exception));
        drop(last);
        serial
    }
}

/// Lets go of what the host has let go of, of the sandbox that runs on this thread.
#[inline]
pub(crate) fn sweep() {
    let state = fuel::with_run(|run| run.scope.as_ref().filter(|state| state.released.is_some()).cloned()).flatten();
    if let Some(state) = state {
        state.sweep();
    }
}

/// That of the sandbox that runs on this thread.
pub(crate) fn current() -> Option<Rc<ScopeState>> {
    fuel::with_run(|run| run.scope.clone()).flatten()
}

/// The limits on what crosses, of the sandbox that runs on this thread.
pub(crate) fn limits() -> ValueLimits {
    fuel::with_run(|run| run.scope.as_ref().map(|state| state.limits)).flatten().unwrap_or_default()
}

/// The exception of that number, if it is the last that a callback let through to the host.
pub(crate) fn take_raised(serial: Option<u64>) -> Option<PyBaseExceptionRef> {
    let state = current()?;
    let mut raised = state.raised.borrow_mut();
    match raised.take() {
        Some((kept, exception)) if Some(kept) == serial => Some(exception),
        other => {
            *raised = other;
            None
        }
    }
}
