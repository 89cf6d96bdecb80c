//! Callables of a script in the host's hands.

use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A callable of a script (a function, a method, a class), held by the host.
///
/// The host gets one as an argument of a host function, or as the value of a global, and calls it inside a host function
/// through [`CallContext::call`](crate::CallContext::call), and at any later time through
/// [`Sandbox::call_function`](crate::Sandbox::call_function). It belongs to its sandbox: no other one can call it. It keeps
/// the callable, and what that holds, in the sandbox's memory until the last clone is dropped; that may happen on any
/// thread. It does not keep the sandbox itself.
///
/// ```
/// use pycage::{Callback, Sandbox};
/// use std::sync::{Arc, Mutex};
///
/// let mut sandbox = Sandbox::new()?;
/// let handlers: Arc<Mutex<Vec<Callback>>> = Arc::default();
/// let registered = handlers.clone();
/// sandbox.function("on_hit", move |handler: Callback| registered.lock().unwrap().push(handler))?;
/// sandbox.exec("total = 0\ndef hit(damage):\n    global total\n    total += damage\n    return total\non_hit(hit)")?;
///
/// let handler = handlers.lock().unwrap()[0].clone();
/// assert_eq!(sandbox.call_function::<i64>(&handler, (3,))?, 3);
/// assert_eq!(sandbox.call_function::<i64>(&handler, (4,))?, 7);
/// let mut other = Sandbox::new()?;
/// assert!(other.call_function::<i64>(&handler, (4,)).is_err());
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
pub struct Callback {
    type_name: Arc<str>,
    token: Arc<Token>,
}

impl Callback {
    pub(crate) fn new(type_name: String, token: Token) -> Self {
        Callback { type_name: type_name.into(), token: Arc::new(token) }
    }

    /// The name of its Python type: `function`, `method`, ...
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let callback: pycage::Callback = sandbox.eval("len")?;
    /// assert_eq!(callback.type_name(), "builtin_function_or_method");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({})", self.type_name)
    }
}

impl PartialEq for Callback {
    /// The same handle, or a clone of it.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.token, &other.token)
    }
}

/// What keeps a callable of a script alive on its runner: dropped on any thread, it leaves word there.
pub(crate) struct Token {
    key: u64,
    released: Arc<Released>,
}

impl Token {
    pub(crate) fn new(key: u64, released: Arc<Released>) -> Self {
        Token { key, released }
    }

    /// As it stands in frames. It means nothing without the sandbox.
    #[cfg(feature = "process")]
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// The key, if it is one of the sandbox whose list this is.
    pub(crate) fn key_in(&self, released: &Arc<Released>) -> Option<u64> {
        Arc::ptr_eq(&self.released, released).then_some(self.key)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.released.keys.lock().push(self.key);
        self.released.any.store(true, Ordering::Release);
    }
}

/// Keys that the host has let go of, on whatever thread. Also tells one sandbox from others.
#[derive(Default)]
pub(crate) struct Released {
    /// Whether there may be some: asked at each call, which is to be quick.
    any: AtomicBool,
    keys: Mutex<Vec<u64>>,
}

impl Released {
    /// Whether there may be some.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Takes what has come so far.
    #[inline]
    pub(crate) fn take(&self) -> Vec<u64> {
        if !self.is_some() {
            return Vec::new();
        }
        // Before the list is emptied, so that what comes meanwhile is found the next time.
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.keys.lock())
    }
}
