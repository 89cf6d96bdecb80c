//! Compiled scripts.

use crate::compile::{self, Compiled};
use crate::error::Error;
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{PyRef, VirtualMachine};
use sha2::{Digest, Sha256};
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
    source: ScriptSource,
    body: Body,
}

#[allow(clippy::large_enum_variant, reason = "a body lives in the one allocation of its script")]
enum Body {
    Compiled(Compiled),
    /// For sandboxes in worker processes: nothing but a worker looks into what a script says.
    #[cfg(feature = "process")]
    Source(crate::process::protocol::message::WireScript),
}

/// Which source a script is from, for who asks later. Hashing is a small part of what compiling takes.
#[derive(Clone, Copy)]
pub(crate) struct ScriptSource {
    sha256: [u8; 32],
    pub bytes: u64,
}

impl ScriptSource {
    pub(crate) fn of(source: &str) -> Self {
        ScriptSource { sha256: Sha256::digest(source).into(), bytes: source.len() as u64 }
    }

    pub(crate) fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Names a script in the caches of the runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScriptId(u64);

impl ScriptId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        ScriptId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Script {
    /// The name that the script was compiled under, as it stands in tracebacks.
    ///
    /// ```
    /// let script = pycage::Sandbox::new()?.compile("orc.py", "hp = 9")?;
    /// assert_eq!(script.name(), "orc.py");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn source(&self) -> &ScriptSource {
        &self.inner.source
    }

    pub(crate) fn new(name: &str, source: &str, compiled: Compiled) -> Self {
        let (id, source) = (ScriptId::next(), ScriptSource::of(source));
        Script { inner: Arc::new(Inner { id, name: name.to_owned(), source, body: Body::Compiled(compiled) }) }
    }

    /// A script that workers compile. `kept`: for more than one run.
    #[cfg(feature = "process")]
    pub(crate) fn for_workers(name: &str, source: &str, kept: bool, unvalidated: bool) -> Self {
        let id = ScriptId::next();
        let script = crate::process::protocol::message::WireScript {
            id: kept.then_some(id.0),
            name: name.to_owned(),
            source: Some(source.to_owned()),
            unvalidated,
        };
        let source = ScriptSource::of(source);
        Script { inner: Arc::new(Inner { id, name: name.to_owned(), source, body: Body::Source(script) }) }
    }

    /// What a worker is sent.
    #[cfg(feature = "process")]
    pub(crate) fn to_wire(&self) -> Result<crate::process::protocol::message::WireScript, Error> {
        match &self.inner.body {
            Body::Source(script) => Ok(script.clone()),
            Body::Compiled(_) => Err(Error::Setup(
                "this script was compiled by a sandbox in this process; compile it by one with Isolation::Process"
                    .to_owned(),
            )),
        }
    }

    pub(crate) fn id(&self) -> ScriptId {
        self.inner.id
    }

    pub(crate) fn is_last_handle(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    /// Makes the instrumented code object for one interpreter.
    pub(crate) fn load(&self, profile: bool, vm: &VirtualMachine) -> Result<PyRef<PyCode>, Error> {
        match &self.inner.body {
            Body::Compiled(compiled) => compile::load(compiled, profile, vm),
            #[cfg(feature = "process")]
            Body::Source(_) => Err(Error::Setup(
                "this script was compiled by a sandbox with Isolation::Process; compile it by one in this process"
                    .to_owned(),
            )),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
