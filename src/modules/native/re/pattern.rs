//! Compiled patterns, as the Python half of `re` holds them.

use super::flags::Flags;
use super::found::{Found, Scan, matches};
use super::machine::How;
use super::parse;
use super::program::Program;
use super::template::{Named, Part, Template};
use super::text::Subject;
use super::tokens::Tokens;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyStr, PyStrRef, PyType};
use rustpython_vm::class::StaticType;
use rustpython_vm::common::wtf8::Wtf8Buf;
use rustpython_vm::{Context, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};

/// `_compile(pattern, flags, error)`.
pub(super) fn compile(
    pattern: PyObjectRef,
    flags: i64,
    error: PyObjectRef,
    vm: &VirtualMachine,
) -> PyResult<PyRef<Compiled>> {
    let flags = match u32::try_from(flags) {
        Ok(flags) if flags & !Flags::ALL == 0 => flags,
        _ => return Err(vm.new_value_error("re has no such flag in pycage")),
    };
    let text = pattern.downcast_ref::<PyStr>().is_some();
    let source = Subject::new(pattern.clone(), text, vm)?;
    // Trees and programs take some hundred bytes for each character.
    fuel::reserve(source.bytes().len() as u64 * 256, vm)?;
    let mut tokens = Tokens::new(&source, pattern, error, vm)?;
    let read = parse::parse(&mut tokens, flags)?;
    let program = Program::new(read.tree, read.groups, text, vm)?;
    fuel::charge(program.size() / 1024, vm)?;
    Ok(Compiled { program, flags: read.flags.0, text, names: read.names }.into_ref(&vm.ctx))
}

/// `_is_compiled(object)`.
pub(super) fn is_compiled(object: PyObjectRef) -> bool {
    object.downcast_ref::<Compiled>().is_some()
}

/// A compiled pattern. It has no attributes but its methods, and stays in a private attribute of `Pattern`.
#[pyclass(module = false, name = "compiled")]
#[derive(Debug)]
pub(super) struct Compiled {
    pub program: Program,
    flags: u32,
    pub text: bool,
    names: Vec<(PyStrRef, u32)>,
}

impl PyPayload for Compiled {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Compiled {
    #[pymethod]
    fn flags(zelf: PyRef<Self>) -> u32 {
        zelf.flags
    }

    #[pymethod]
    fn groups(zelf: PyRef<Self>) -> u32 {
        zelf.program.groups
    }

    /// The groups that have names, in a new dict.
    #[pymethod]
    fn names(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
        fuel::charge(1 + zelf.names.len() as u64, vm)?;
        let names = vm.ctx.new_dict();
        for (name, group) in &zelf.names {
            names.set_item(&**name, vm.ctx.new_int(*group).into(), vm)?;
        }
        Ok(names.into())
    }

    /// `how` is 0 for a match that begins at `from`, 1 for one from there to `to`, 2 for one anywhere.
    #[pymethod]
    fn find(
        zelf: PyRef<Self>,
        string: PyObjectRef,
        from: i64,
        to: i64,
        how: u8,
        vm: &VirtualMachine,
    ) -> PyResult<Option<PyRef<Found>>> {
        let how = match how {
            0 => How::Here,
            1 => How::Whole,
            _ => How::Search,
        };
        let scan = Scan::new(zelf, string, from, to, vm)?;
        scan.next(how, vm)
    }

    /// What finds one match after the other.
    #[pymethod]
    fn scan(zelf: PyRef<Self>, string: PyObjectRef, from: i64, to: i64, vm: &VirtualMachine) -> PyResult<PyRef<Scan>> {
        Ok(Scan::new(zelf, string, from, to, vm)?.into_ref(&vm.ctx))
    }

    #[pymethod]
    fn findall(zelf: PyRef<Self>, string: PyObjectRef, from: i64, to: i64, vm: &VirtualMachine) -> PyResult {
        let subject = Subject::new(string, zelf.text, vm)?;
        let (from, to) = (subject.position(from, vm)?, subject.position(to, vm)?);
        let mut items = Items::new(vm);
        matches(&zelf.program, &subject, from, to, vm, |found| {
            let item = match zelf.program.groups {
                0 => subject.slice(found.begin, found.end, vm)?,
                1 => found.group_or_empty(1, &subject, vm)?,
                groups => {
                    let texts = (1..=groups).map(|group| found.group_or_empty(group, &subject, vm));
                    vm.ctx.new_tuple(texts.collect::<PyResult<_>>()?).into()
                }
            };
            items.push(item)?;
            Ok(true)
        })?;
        Ok(items.list())
    }

    #[pymethod]
    fn split(zelf: PyRef<Self>, string: PyObjectRef, most: i64, vm: &VirtualMachine) -> PyResult {
        let subject = Subject::new(string, zelf.text, vm)?;
        let end = subject.bytes().len();
        let mut items = Items::new(vm);
        let mut rest = 0;
        let mut left = if most == 0 { i64::MAX } else { most };
        if left > 0 {
            matches(&zelf.program, &subject, 0, end, vm, |found| {
                items.push(subject.slice(rest, found.begin, vm)?)?;
                for group in 1..=zelf.program.groups {
                    items.push(found.group_or_none(group, &subject, vm)?)?;
                }
                rest = found.end;
                left -= 1;
                Ok(left > 0)
            })?;
        }
        items.push(subject.slice(rest, end, vm)?)?;
        Ok(items.list())
    }

    /// The text with a template in the place of `most` matches (0 for all), and how many there were.
    #[pymethod]
    fn sub(
        zelf: PyRef<Self>,
        template: PyObjectRef,
        string: PyObjectRef,
        most: i64,
        error: PyObjectRef,
        vm: &VirtualMachine,
    ) -> PyResult<(PyObjectRef, usize)> {
        let template = Template::new(&template, zelf.text, &**zelf, error, vm)?;
        let subject = Subject::new(string.clone(), zelf.text, vm)?;
        let bytes = subject.bytes();
        let mut out = Output::new(vm);
        let mut rest = 0;
        let mut count = 0;
        let mut left = if most == 0 { i64::MAX } else { most };
        if left > 0 {
            matches(&zelf.program, &subject, 0, bytes.len(), vm, |found| {
                out.push(&bytes[rest..found.begin])?;
                for part in &template.parts {
                    match part {
                        Part::Plain(plain) => out.push(plain)?,
                        Part::Group(group) => {
                            if let Some((begin, end)) = found.span(*group) {
                                out.push(&bytes[begin..end])?;
                            }
                        }
                    }
                }
                rest = found.end;
                count += 1;
                left -= 1;
                Ok(left > 0)
            })?;
        }
        if count == 0 {
            return Ok((string, 0));
        }
        out.push(&bytes[rest..])?;
        Ok((out.object(zelf.text)?, count))
    }

    /// A template filled in with a match.
    #[pymethod]
    fn expand(
        zelf: PyRef<Self>,
        template: PyObjectRef,
        found: PyRef<Found>,
        error: PyObjectRef,
        vm: &VirtualMachine,
    ) -> PyResult {
        let template = Template::new(&template, zelf.text, &**zelf, error, vm)?;
        let mut out = Output::new(vm);
        for part in &template.parts {
            match part {
                Part::Plain(plain) => out.push(plain)?,
                Part::Group(group) => out.push(found.bytes_of(*group))?,
            }
        }
        out.object(zelf.text)
    }
}

impl Compiled {
    /// The group of a number or a name, if there is one.
    pub(super) fn group_of(&self, key: &PyObject, vm: &VirtualMachine) -> PyResult<u32> {
        let group = if let Some(name) = key.downcast_ref::<PyStr>() {
            fuel::charge(self.names.len() as u64 / 8, vm)?;
            self.group_called(name.as_bytes())
        } else if let Ok(index) = key.try_index(vm) {
            u32::try_from(index.as_bigint()).ok()
        } else {
            None
        };
        match group {
            Some(group) if group <= self.program.groups => Ok(group),
            _ => Err(vm.new_index_error("no such group")),
        }
    }

    pub(super) fn name_of(&self, group: u32) -> Option<PyStrRef> {
        self.names.iter().find(|(_, known)| *known == group).map(|(name, _)| name.clone())
    }
}

impl Named for Compiled {
    fn groups(&self) -> u32 {
        self.program.groups
    }

    fn group_called(&self, name: &[u8]) -> Option<u32> {
        self.names.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, group)| *group)
    }
}

/// A list in the making.
struct Items<'a> {
    items: Vec<PyObjectRef>,
    vm: &'a VirtualMachine,
}

impl<'a> Items<'a> {
    fn new(vm: &'a VirtualMachine) -> Self {
        Items { items: Vec::new(), vm }
    }

    fn push(&mut self, item: PyObjectRef) -> PyResult<()> {
        if self.items.len() == self.items.capacity() {
            fuel::reserve(self.items.len() as u64 * 16, self.vm)?;
        }
        fuel::charge(1, self.vm)?;
        self.items.push(item);
        Ok(())
    }

    fn list(self) -> PyObjectRef {
        self.vm.ctx.new_list(self.items).into()
    }
}

/// A text in the making.
struct Output<'a> {
    bytes: Vec<u8>,
    vm: &'a VirtualMachine,
}

impl<'a> Output<'a> {
    fn new(vm: &'a VirtualMachine) -> Self {
        Output { bytes: Vec::new(), vm }
    }

    fn push(&mut self, bytes: &[u8]) -> PyResult<()> {
        fuel::charge(1 + bytes.len() as u64 / 16, self.vm)?;
        let wanted = self.bytes.len() + bytes.len();
        if wanted > self.bytes.capacity() {
            fuel::reserve(2 * wanted as u64, self.vm)?;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn object(self, text: bool) -> PyResult {
        let vm = self.vm;
        if !text {
            return Ok(vm.ctx.new_bytes(self.bytes).into());
        }
        fuel::charge(self.bytes.len() as u64 / 16, vm)?;
        match Wtf8Buf::from_bytes(self.bytes) {
            Ok(text) => Ok(vm.ctx.new_str(text).into()),
            Err(_) => Err(vm.new_system_error("a match is not between characters")),
        }
    }
}
