//! Matches, as the Python half of `re` holds them, and what finds one after the other.

use super::machine::{How, Machine, NOWHERE};
use super::pattern::Compiled;
use super::program::Program;
use super::text::{Encoding, Narrow, Subject, Wide};
use crate::meter::fuel;
use parking_lot::Mutex;
use rustpython_vm::builtins::PyType;
use rustpython_vm::class::StaticType;
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};

/// `_is_found(object)`.
pub(super) fn is_found(object: PyObjectRef) -> bool {
    object.downcast_ref::<Found>().is_some()
}

/// A match. It has no attributes but its methods, and stays in a private attribute of `Match`.
#[pyclass(module = false, name = "found")]
#[derive(Debug)]
pub(super) struct Found {
    pattern: PyRef<Compiled>,
    subject: Subject,
    /// As they were searched.
    from: usize,
    to: usize,
    /// Where each group begins and ends, the whole first.
    spans: Box<[(u32, u32)]>,
    last: Option<u32>,
}

impl PyPayload for Found {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Found {
    #[pymethod]
    fn group(zelf: PyRef<Self>, key: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        let group = zelf.pattern.group_of(&key, vm)?;
        zelf.text_of(group, vm.ctx.none(), vm)
    }

    /// All groups but the whole, with something else for those that took no part.
    #[pymethod]
    fn groups(zelf: PyRef<Self>, default: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        fuel::charge(zelf.spans.len() as u64 / 4, vm)?;
        let texts = (1..zelf.spans.len() as u32).map(|group| zelf.text_of(group, default.clone(), vm));
        Ok(vm.ctx.new_tuple(texts.collect::<PyResult<_>>()?).into())
    }

    /// Where a group begins and ends, in characters.
    #[pymethod]
    fn span(zelf: PyRef<Self>, key: PyObjectRef, vm: &VirtualMachine) -> PyResult<(isize, isize)> {
        let group = zelf.pattern.group_of(&key, vm)?;
        let Some((begin, end)) = zelf.span_of(group) else { return Ok((-1, -1)) };
        let index = |position: u32| -> PyResult<isize> { Ok(zelf.subject.index(position as usize, vm)? as isize) };
        Ok((index(begin)?, index(end)?))
    }

    /// Between which characters was searched.
    #[pymethod]
    fn searched(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult<(usize, usize)> {
        Ok((zelf.subject.index(zelf.from, vm)?, zelf.subject.index(zelf.to, vm)?))
    }

    #[pymethod]
    fn last_group(zelf: PyRef<Self>, vm: &VirtualMachine) -> (PyObjectRef, PyObjectRef) {
        let Some(group) = zelf.last else { return (vm.ctx.none(), vm.ctx.none()) };
        let name = zelf.pattern.name_of(group);
        (vm.ctx.new_int(group).into(), name.map_or_else(|| vm.ctx.none(), Into::into))
    }
}

impl Found {
    fn span_of(&self, group: u32) -> Option<(u32, u32)> {
        self.spans.get(group as usize).copied().filter(|span| span.0 != NOWHERE)
    }

    fn text_of(&self, group: u32, default: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        match self.span_of(group) {
            Some((begin, end)) => self.subject.slice(begin as usize, end as usize, vm),
            None => Ok(default),
        }
    }

    /// What a group matched; nothing, if it took no part.
    pub(super) fn bytes_of(&self, group: u32) -> &[u8] {
        let span = self.span_of(group);
        span.and_then(|(begin, end)| self.subject.bytes().get(begin as usize..end as usize)).unwrap_or(&[])
    }
}

/// Finds one match after the other.
#[pyclass(module = false, name = "scan")]
#[derive(Debug)]
pub(super) struct Scan {
    pattern: PyRef<Compiled>,
    subject: Subject,
    from: usize,
    to: usize,
    /// Where to look next, and whether a match of nothing there does not count. `None` once there is no more.
    next: Mutex<Option<(usize, bool)>>,
}

impl PyPayload for Scan {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Scan {
    /// The next match, by [`How`]'s number.
    #[pymethod]
    fn find(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult<Option<PyRef<Found>>> {
        zelf.next(How::Search, vm)
    }
}

impl Scan {
    pub(super) fn new(
        pattern: PyRef<Compiled>,
        string: PyObjectRef,
        from: i64,
        to: i64,
        vm: &VirtualMachine,
    ) -> PyResult<Scan> {
        let subject = Subject::new(string, pattern.text, vm)?;
        let (from, to) = (subject.position(from, vm)?, subject.position(to, vm)?);
        Ok(Scan { pattern, subject, from, to, next: Mutex::new(Some((from, false))) })
    }

    pub(super) fn next(&self, how: How, vm: &VirtualMachine) -> PyResult<Option<PyRef<Found>>> {
        // Taken out while it searches: no lock is held over what may be left or stopped.
        let Some((start, advance)) = self.next.lock().take() else { return Ok(None) };
        let found = if self.subject.is_wide() {
            self.search::<Wide>(start, how, advance, vm)?
        } else {
            self.search::<Narrow>(start, how, advance, vm)?
        };
        let Some(found) = found else { return Ok(None) };
        let (begin, end) = found.spans.first().copied().unwrap_or((0, 0));
        // What comes right behind a match may be nothing, if the match was not.
        *self.next.lock() = Some((end as usize, begin == end));
        Ok(Some(found.into_ref(&vm.ctx)))
    }

    fn search<E: Encoding>(
        &self,
        start: usize,
        how: How,
        advance: bool,
        vm: &VirtualMachine,
    ) -> PyResult<Option<Found>> {
        let program = &self.pattern.program;
        let mut machine = Machine::<E>::new(program, self.subject.bytes(), self.to, vm)?;
        let Some((begin, end)) = machine.find(start, how, advance)? else { return Ok(None) };
        let groups = (1..=program.groups).map(|group| machine.group(group).unwrap_or((NOWHERE, NOWHERE)));
        let spans: Box<[_]> = std::iter::once((begin as u32, end as u32)).chain(groups).collect();
        fuel::charge(spans.len() as u64 / 8, vm)?;
        let last = machine.last_group();
        let (pattern, subject) = (self.pattern.clone(), self.subject.clone());
        Ok(Some(Found { pattern, subject, from: self.from, to: self.to, spans, last }))
    }
}

/// A match that is not kept.
pub(super) struct Passing<'a> {
    pub begin: usize,
    pub end: usize,
    groups: &'a dyn Fn(u32) -> Option<(u32, u32)>,
}

impl Passing<'_> {
    pub(super) fn span(&self, group: u32) -> Option<(usize, usize)> {
        if group == 0 {
            return Some((self.begin, self.end));
        }
        (self.groups)(group).map(|(begin, end)| (begin as usize, end as usize))
    }

    pub(super) fn group_or_empty(&self, group: u32, subject: &Subject, vm: &VirtualMachine) -> PyResult {
        let (begin, end) = self.span(group).unwrap_or((0, 0));
        subject.slice(begin, end, vm)
    }

    pub(super) fn group_or_none(&self, group: u32, subject: &Subject, vm: &VirtualMachine) -> PyResult {
        match self.span(group) {
            Some((begin, end)) => subject.slice(begin, end, vm),
            None => Ok(vm.ctx.none()),
        }
    }
}

/// Hands every match on, one after the other, as long as `each` answers that it wants more.
pub(super) fn matches(
    program: &Program,
    subject: &Subject,
    from: usize,
    to: usize,
    vm: &VirtualMachine,
    each: impl FnMut(&Passing<'_>) -> PyResult<bool>,
) -> PyResult<()> {
    if subject.is_wide() {
        each_match::<Wide>(program, subject, from, to, vm, each)
    } else {
        each_match::<Narrow>(program, subject, from, to, vm, each)
    }
}

fn each_match<E: Encoding>(
    program: &Program,
    subject: &Subject,
    from: usize,
    to: usize,
    vm: &VirtualMachine,
    mut each: impl FnMut(&Passing<'_>) -> PyResult<bool>,
) -> PyResult<()> {
    let mut machine = Machine::<E>::new(program, subject.bytes(), to, vm)?;
    let (mut start, mut advance) = (from, false);
    while let Some((begin, end)) = machine.find(start, How::Search, advance)? {
        let groups = |group| machine.group(group);
        if !each(&Passing { begin, end, groups: &groups })? {
            break;
        }
        (start, advance) = (end, begin == end);
    }
    Ok(())
}
