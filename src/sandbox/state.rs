//! The state of a sandbox: its plain-data globals, kept apart, put back, and kept through a reload of the script.

use crate::error::{ConversionError, Error};
use crate::runner::operation::Op;
use crate::sandbox::Sandbox;
use crate::script::Script;
use crate::value::Value;
use std::collections::BTreeMap;

/// The plain-data globals of a sandbox at one moment, see [`Sandbox::snapshot`].
///
/// With the feature `serde` it can be written and read with any format of serde's, JSON among them, and comes back exactly
/// as it was: tuples, sets, bytes, big ints, non-finite floats and keys of any kind.
///
/// ```
/// let mut sandbox = pycage::Sandbox::new()?;
/// sandbox.exec("hp = 9\ndef f(): pass")?;
/// let snapshot = sandbox.snapshot()?;
/// assert_eq!(snapshot.globals.len(), 1);
/// assert_eq!(snapshot.left_out.len(), 1);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The globals, by name.
    pub globals: BTreeMap<String, Value>,
    /// Globals that are no plain data, by name, and why: functions, classes, objects, values that contain themselves.
    pub left_out: BTreeMap<String, String>,
}

/// What came of [`Sandbox::reload`].
///
/// ```
/// let mut sandbox = pycage::Sandbox::new()?;
/// sandbox.exec("hp = 9")?;
/// let script = sandbox.compile("v2", "hp = 0\ndef heal(): return hp + 1")?;
/// let reloaded = sandbox.reload(&script)?;
/// assert_eq!(reloaded.kept, ["hp"]);
/// assert_eq!(sandbox.call::<i64>("heal", ())?, 10);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Globals that have kept their value.
    pub kept: Vec<String>,
    /// Globals of the old script that were no plain data and so are not kept, by name, and why. Those that the new script
    /// defines itself are not listed.
    pub left_out: BTreeMap<String, String>,
}

impl Sandbox {
    /// Copies the sandbox's globals out, as far as they are plain data: numbers, text, bytes, `None`, and lists, tuples,
    /// dicts and sets of those.
    ///
    /// It is a copy of values, not of objects: two globals that are the same list come back as two lists that are equal,
    /// and a value that contains itself is left out. Names that begin with two underscores are not the script's, and are
    /// not in it.
    ///
    /// # Errors
    /// [`Error::Budget`] when the copy passes the sandbox's budget; [`Error::Lost`] when the runner is.
    ///
    /// ```
    /// use pycage::{Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("gold = 5\nbag = {'sword': (1, 2)}\ndef f(): pass")?;
    /// let snapshot = sandbox.snapshot()?;
    /// assert_eq!(snapshot.globals["gold"], Value::Int(5));
    /// assert!(snapshot.left_out["f"].contains("function"));
    ///
    /// sandbox.exec("gold = 0\nbag.clear()")?;
    /// sandbox.restore(&snapshot)?;
    /// assert_eq!(sandbox.eval::<String>("f'{gold} {bag}'")?, "5 {'sword': (1, 2)}");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let (value, _) = self.dispatch(Op::Snapshot, self.budget.clone())?;
        let (globals, left_out) = two_dicts(value)?;
        Ok(Snapshot { globals: named(globals)?, left_out: reasons(left_out)? })
    }

    /// Sets the globals of a snapshot, of this sandbox or of another one: all of them, or, when it fails, none. Other
    /// globals stay as they are.
    ///
    /// # Errors
    /// [`Error::Conversion`] when a value is over the policy's limits on values, or is no plain data; [`Error::Setup`] when
    /// a name begins with two underscores.
    ///
    /// ```
    /// let mut sandbox = pycage::Sandbox::new()?;
    /// sandbox.exec("hp = 9")?;
    /// let before = sandbox.snapshot()?;
    /// sandbox.exec("hp = 0")?;
    /// sandbox.restore(&before)?;
    /// assert_eq!(sandbox.get::<i64>("hp")?, 9);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let globals = snapshot.globals.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.dispatch(Op::Restore(globals), self.budget.clone()).map(drop)
    }

    /// Puts a new version of a script in the place of the old one, and keeps the state.
    ///
    /// The new script's top level runs in globals of its own, in which it finds what the host has set, and nothing else.
    /// When it has run, those become the sandbox's globals, and the plain data among the old ones (see
    /// [`Sandbox::snapshot`]) is put into them: a global that is plain data keeps its value, the object itself, whatever
    /// the new top level has set it to. There are two exceptions: a name in capitals is a constant and takes the new value,
    /// and what the new script has made a function or a class is that.
    ///
    /// When the new top level raises or passes its budget, the old globals are untouched, and the old code goes on. What it
    /// did outside of its globals (its output, what it called host functions for, numbers drawn from `random`) stays done:
    /// imported modules are kept, as Python keeps them when it reloads one.
    ///
    /// Functions of the old script that the host still holds as [`Callback`](crate::Callback)s go on with the old globals.
    ///
    /// A source that does not compile fails in [`Sandbox::compile`], before anything has happened.
    ///
    /// # Errors
    /// As [`Sandbox::exec`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("STEP = 1\nhits = 0\ndef hit():\n    global hits\n    hits += STEP\n    return hits")?;
    /// assert_eq!(sandbox.call::<i64>("hit", ())?, 1);
    ///
    /// let better = sandbox.compile("v2.py", "STEP = 10\nhits = 0\ndef hit():\n    global hits\n    hits += STEP\n    return hits")?;
    /// sandbox.reload(&better)?;
    /// assert_eq!(sandbox.call::<i64>("hit", ())?, 11);
    ///
    /// let broken = sandbox.compile("v3.py", "hits = 0\ndef hit(): return 'broken'\n1 / 0")?;
    /// assert!(sandbox.reload(&broken).is_err());
    /// assert_eq!(sandbox.call::<i64>("hit", ())?, 21);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn reload(&mut self, script: &Script) -> Result<Reloaded, Error> {
        let (value, _) = self.dispatch(Op::Reload(script.clone()), self.budget.clone())?;
        let (kept, left_out) = two_dicts(value)?;
        Ok(Reloaded { kept: named(kept)?.into_keys().collect(), left_out: reasons(left_out)? })
    }
}

type Entries = Vec<(Value, Value)>;

/// The runner answers with a pair of dicts.
fn two_dicts(value: Value) -> Result<(Entries, Entries), Error> {
    match value {
        Value::Tuple(items) => match <[Value; 2]>::try_from(items) {
            Ok([Value::Dict(first), Value::Dict(second)]) => Ok((first, second)),
            _ => Err(unexpected()),
        },
        _ => Err(unexpected()),
    }
}

fn named(entries: Entries) -> Result<BTreeMap<String, Value>, Error> {
    entries
        .into_iter()
        .map(|(name, value)| match name {
            Value::Str(name) => Ok((name, value)),
            _ => Err(unexpected()),
        })
        .collect()
}

fn reasons(entries: Entries) -> Result<BTreeMap<String, String>, Error> {
    Ok(named(entries)?
        .into_iter()
        .map(|(name, reason)| match reason {
            Value::Str(reason) => (name, reason),
            other => (name, other.to_string()),
        })
        .collect())
}

#[cold]
fn unexpected() -> Error {
    ConversionError::new("the runner answered something else than was asked").into()
}
