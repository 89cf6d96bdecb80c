//! Compiled scripts.

use crate::compile::{self, Compiled};
use crate::error::Error;
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{PyRef, VirtualMachine};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A script that passed the compile ring: compiled once, run in any number of sandboxes, on any runner.
///
/// Cloning is cheap. A sandbox runs it with [`Sandbox::run`](crate::Sandbox::run).
///
/// ```
/// use pycage::Sandbox;
///
/// let mut first = Sandbox::new()?;
/// let script = first.compile("doubler.py", "n * 2")?;
/// let mut second = Sandbox::new()?;
/// first.set("n", 4)?;
/// second.set("n", 21)?;
/// assert_eq!(first.run::<i64>(&script)?, 8);
/// assert_eq!(second.run::<i64>(&script)?, 42);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
pub struct Script {
    inner: Arc<Inner>,
}

struct Inner {
    id: ScriptId,
    name: String,
    compiled: Compiled,
}

/// Names a script in the caches of the runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScriptId(u64);

impl Script {
    /// The name that the script was compiled under, as it stands in tracebacks.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn new(name: &str, compiled: Compiled) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = ScriptId(NEXT.fetch_add(1, Ordering::Relaxed));
        Script { inner: Arc::new(Inner { id, name: name.to_owned(), compiled }) }
    }

    pub(crate) fn id(&self) -> ScriptId {
        self.inner.id
    }

    pub(crate) fn is_last_handle(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    /// Makes the instrumented code object for one interpreter.
    pub(crate) fn load(&self, vm: &VirtualMachine) -> Result<PyRef<PyCode>, Error> {
        compile::load(&self.inner.compiled, vm)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
