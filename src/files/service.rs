//! The mounts of a sandbox as one function of the host, by which the Python half of `open` and `pathlib` does all that it
//! does. So it is counted, paid for and proxied as any call of the host, the same in every ring.

use super::failure::Failure;
use super::mount::Mount;
use super::path;
use super::store::{At, Entry};
use crate::host::args::{Arguments, HostArg};
use crate::host::failure::CallFailure;
use crate::host::function::Erased;
use crate::host::gate;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of one read or write, at most.
const MAX_PIECE: usize = 1 << 20;

/// Entries of a folder that can be listed.
const MAX_LISTED: usize = 10_000;

/// The function of the host for these mounts: `(operation, path, first, second)`.
pub(crate) fn function(mounts: BTreeMap<String, Mount>) -> Erased {
    let mounts = Arc::new(mounts);
    Arc::new(move |args: &mut Arguments<'_>| {
        let operation = <&str>::take(args)?;
        let path = <&str>::take(args)?;
        let first = <Option<Value> as HostArg>::take(args)?.unwrap_or(Value::None);
        let second = <Option<Value> as HostArg>::take(args)?.unwrap_or(Value::None);
        args.finish()?;
        // On the script's clock, as it is not the host's code that takes the time.
        gate::contained(|| perform(&mounts, operation, path, first, second))?
    })
}

fn perform(
    mounts: &BTreeMap<String, Mount>,
    operation: &str,
    path: &str,
    first: Value,
    second: Value,
) -> Result<Value, CallFailure> {
    let fail = |failure: Failure| CallFailure::Failed(Arc::new(failure.raise(path)));
    let names = path::names(path).map_err(fail)?;
    let Some((mount, names)) = names.split_first() else { return at_the_top(mounts, operation).map_err(fail) };
    let Some(mount) = mounts.get(*mount) else { return Err(fail(Failure::NotFound)) };
    let done = match (operation, first, second) {
        ("entry", ..) => mount.entry(names).map(described),
        ("list", ..) => listed(mount, names),
        ("open", Value::Str(mode), _) => open(mount, names, &mode),
        ("read", Value::Int(offset), Value::Int(most)) => {
            let most = usize::try_from(most).unwrap_or(0).min(MAX_PIECE);
            u64::try_from(offset)
                .map_err(|_| Failure::Value("negative offset"))
                .and_then(|offset| mount.read(names, offset, most))
                .map(Value::Bytes)
        }
        ("write", offset, Value::Bytes(bytes)) if bytes.len() <= MAX_PIECE => written(mount, names, &offset, &bytes),
        ("truncate", Value::Int(size), _) => u64::try_from(size)
            .map_err(|_| Failure::Value("negative size value"))
            .and_then(|size| mount.truncate(names, size))
            .map(|()| Value::None),
        ("mkdir", ..) => mount.make_folder(names).map(|()| Value::None),
        ("unlink", ..) => mount.remove_file(names).map(|()| Value::None),
        ("rmdir", ..) => mount.remove_folder(names).map(|()| Value::None),
        ("rename", Value::Str(to), _) => return renamed(mounts, mount, names, &to).map_err(fail),
        _ => return Err(CallFailure::Arguments("takes no such operation".to_owned())),
    };
    done.map_err(fail)
}

/// The folder that the mounts are in: it can be looked at.
fn at_the_top(mounts: &BTreeMap<String, Mount>, operation: &str) -> Result<Value, Failure> {
    match operation {
        "entry" => Ok(described(Entry::Folder)),
        "list" => Ok(Value::List(mounts.keys().map(|name| Value::Str(name.clone())).collect())),
        "open" | "read" | "write" | "truncate" => Err(Failure::IsFolder),
        _ => Err(Failure::Denied("the mounts are up to the host")),
    }
}

fn described(entry: Entry) -> Value {
    match entry {
        Entry::File { size } => Value::Int(i64::try_from(size).unwrap_or(i64::MAX)),
        Entry::Folder => Value::None,
    }
}

/// In the order of the names, so that every run sees the same.
fn listed(mount: &Mount, names: &[&str]) -> Result<Value, Failure> {
    let mut found = mount.list(names, MAX_LISTED + 1)?;
    if found.len() > MAX_LISTED {
        return Err(Failure::Denied("there are too many entries to list"));
    }
    found.sort_unstable();
    Ok(Value::List(found.into_iter().map(Value::Str).collect()))
}

/// Makes or empties a file as its mode says.
fn open(mount: &Mount, names: &[&str], mode: &str) -> Result<Value, Failure> {
    let there = match mount.entry(names) {
        Ok(Entry::Folder) => return Err(Failure::IsFolder),
        Ok(Entry::File { .. }) => true,
        Err(Failure::NotFound) => false,
        Err(failure) => return Err(failure),
    };
    let (kind, plus) = match mode.as_bytes() {
        [kind] => (*kind, false),
        [kind, b'+'] => (*kind, true),
        _ => return Err(Failure::Value("invalid mode")),
    };
    match (kind, there) {
        // Reads nothing, and says what there is to say against reading.
        (b'r', true) => mount.read(names, 0, 0).map(drop)?,
        (b'r', false) => return Err(Failure::NotFound),
        (b'x', true) => return Err(Failure::Exists),
        (b'w' | b'a' | b'x', false) => mount.create(names)?,
        (b'w', true) => mount.truncate(names, 0)?,
        (b'a', true) => {}
        _ => return Err(Failure::Value("invalid mode")),
    }
    // Whether it may be written to at all, said at once and not at the first write.
    if kind == b'a' || plus {
        mount.write(names, At::End, &[])?;
    }
    Ok(Value::None)
}

fn written(mount: &Mount, names: &[&str], offset: &Value, bytes: &[u8]) -> Result<Value, Failure> {
    let at = match offset {
        Value::None => At::End,
        Value::Int(offset) => At::Offset(u64::try_from(*offset).map_err(|_| Failure::Value("negative offset"))?),
        _ => return Err(Failure::Value("an offset is an int")),
    };
    let end = mount.write(names, at, bytes)?;
    Ok(Value::Int(i64::try_from(end).unwrap_or(i64::MAX)))
}

fn renamed(mounts: &BTreeMap<String, Mount>, mount: &Mount, from: &[&str], to: &str) -> Result<Value, Failure> {
    let to = path::names(to)?;
    let Some((other, to)) = to.split_first() else { return Err(Failure::Denied("the mounts are up to the host")) };
    match mounts.get(*other) {
        Some(other) if std::ptr::eq(other, mount) => mount.rename(from, to).map(|()| Value::None),
        Some(_) => Err(Failure::Denied("nothing is moved from one mount to another; copy it")),
        None => Err(Failure::NotFound),
    }
}
