//! Objects to JSON text.

use super::MAX_DEPTH;
use crate::meter::fuel;
use rustpython_vm::builtins::{PyDict, PyFloat, PyInt, PyList, PyStr, PyStrRef, PyTuple};
use rustpython_vm::common::wtf8::{CodePoint, Wtf8, Wtf8Buf};
use rustpython_vm::{AsObject, FromArgs, PyObject, PyObjectRef, PyResult, VirtualMachine};

#[derive(FromArgs)]
pub(super) struct Options {
    #[pyarg(positional)]
    object: PyObjectRef,
    /// Called with what JSON has no form for; answers what to encode in its place.
    #[pyarg(positional)]
    default: PyObjectRef,
    #[pyarg(positional)]
    skip_keys: bool,
    #[pyarg(positional)]
    ascii: bool,
    #[pyarg(positional)]
    check_circular: bool,
    #[pyarg(positional)]
    allow_nan: bool,
    #[pyarg(positional)]
    sort_keys: bool,
    /// What a level is indented by; `None` for one line.
    #[pyarg(positional)]
    indent: Option<PyStrRef>,
    #[pyarg(positional)]
    item_separator: PyStrRef,
    #[pyarg(positional)]
    key_separator: PyStrRef,
}

pub(super) fn encode(options: Options, vm: &VirtualMachine) -> PyResult {
    let mut encoder = Encoder { out: Wtf8Buf::new(), reserved: 0, path: Vec::new(), options: &options, vm };
    encoder.value(&options.object)?;
    Ok(vm.ctx.new_str(encoder.out).into())
}

/// Text written between two looks at the meters.
const CHUNK: usize = 4096;

struct Encoder<'a> {
    out: Wtf8Buf,
    /// Bytes of `out` that the meters know of.
    reserved: usize,
    /// The containers that are open: one in itself would have no end.
    path: Vec<PyObjectRef>,
    options: &'a Options,
    vm: &'a VirtualMachine,
}

impl Encoder<'_> {
    fn value(&mut self, object: &PyObject) -> PyResult<()> {
        self.step()?;
        let vm = self.vm;
        if vm.is_none(object) {
            self.out.push_str("null");
        } else if let Some(text) = object.downcast_ref::<PyStr>() {
            self.text(text.as_wtf8())?;
        } else if let Some(int) = object.downcast_ref::<PyInt>() {
            let text = self.int(object, int)?;
            self.out.push_wtf8(text.as_wtf8());
        } else if let Some(float) = object.downcast_ref::<PyFloat>() {
            let text = self.float(float.to_f64())?;
            self.out.push_wtf8(text.as_wtf8());
        } else if let Some(list) = object.downcast_ref::<PyList>() {
            let items = list.borrow_vec().to_vec();
            self.items(object, &items)?;
        } else if let Some(tuple) = object.downcast_ref::<PyTuple>() {
            self.items(object, tuple.as_slice())?;
        } else if let Some(dict) = object.downcast_ref::<PyDict>() {
            self.entries(object, dict)?;
        } else {
            self.enter(object)?;
            let instead = self.options.default.call((object.to_owned(),), vm)?;
            self.value(&instead)?;
            self.path.pop();
        }
        Ok(())
    }

    fn items(&mut self, object: &PyObject, items: &[PyObjectRef]) -> PyResult<()> {
        if items.is_empty() {
            self.out.push_str("[]");
            return Ok(());
        }
        self.enter(object)?;
        self.out.push_str("[");
        for (index, item) in items.iter().enumerate() {
            self.separate(index)?;
            self.value(item)?;
        }
        self.leave()?;
        self.out.push_str("]");
        Ok(())
    }

    fn entries(&mut self, object: &PyObject, dict: &PyDict) -> PyResult<()> {
        let mut entries: Vec<(PyObjectRef, PyObjectRef)> = dict.items_vec();
        if entries.is_empty() {
            self.out.push_str("{}");
            return Ok(());
        }
        self.enter(object)?;
        fuel::reserve(entries.len() as u64 * 16, self.vm)?;
        if self.options.sort_keys {
            entries = self.sorted(entries)?;
        }
        self.out.push_str("{");
        let mut written = 0;
        for (key, value) in &entries {
            let Some(key) = self.key(key)? else { continue };
            self.separate(written)?;
            written += 1;
            self.text(key.as_wtf8())?;
            self.out.push_wtf8(self.options.key_separator.as_wtf8());
            self.value(value)?;
        }
        self.leave()?;
        self.out.push_str("}");
        Ok(())
    }

    /// By the list's own metered `sort`, as pairs.
    fn sorted(&self, entries: Vec<(PyObjectRef, PyObjectRef)>) -> PyResult<Vec<(PyObjectRef, PyObjectRef)>> {
        let vm = self.vm;
        let pairs = entries.into_iter().map(|(key, value)| vm.ctx.new_tuple(vec![key, value]).into()).collect();
        let list = vm.ctx.new_list(pairs);
        vm.call_method(list.as_object(), "sort", ())?;
        let pairs = list.borrow_vec();
        let split = |pair: &PyObjectRef| match pair.downcast_ref::<PyTuple>().map(|pair| pair.as_slice()) {
            Some([key, value]) => Some((key.clone(), value.clone())),
            _ => None,
        };
        Ok(pairs.iter().filter_map(split).collect())
    }

    /// A key as text; `None` to leave the entry out.
    fn key(&mut self, key: &PyObject) -> PyResult<Option<PyStrRef>> {
        let vm = self.vm;
        let text = |text: &str| Ok(Some(vm.ctx.new_str(text)));
        if let Some(key) = key.downcast_ref::<PyStr>() {
            Ok(Some(key.to_owned()))
        } else if vm.is_none(key) {
            text("null")
        } else if let Some(int) = key.downcast_ref::<PyInt>() {
            self.int(key, int).map(Some)
        } else if let Some(float) = key.downcast_ref::<PyFloat>() {
            self.float(float.to_f64()).map(Some)
        } else if self.options.skip_keys {
            Ok(None)
        } else {
            let class = key.class().name().to_string();
            Err(vm.new_type_error(format!("keys must be str, int, float, bool or None, not {class}")))
        }
    }

    /// As an exact int shows itself, whatever a subclass would.
    fn int(&self, object: &PyObject, int: &PyInt) -> PyResult<PyStrRef> {
        let vm = self.vm;
        if object.class().is(vm.ctx.types.bool_type) {
            let yes = int.as_bigint().sign() != malachite_bigint::Sign::NoSign;
            return Ok(vm.ctx.new_str(if yes { "true" } else { "false" }));
        }
        let plain: PyObjectRef = vm.ctx.new_bigint(int.as_bigint()).into();
        plain.repr(vm)
    }

    fn float(&self, float: f64) -> PyResult<PyStrRef> {
        let vm = self.vm;
        if float.is_finite() {
            let plain: PyObjectRef = vm.ctx.new_float(float).into();
            return plain.repr(vm);
        }
        let text = if float.is_nan() {
            "NaN"
        } else if float > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        if self.options.allow_nan {
            return Ok(vm.ctx.new_str(text));
        }
        Err(vm.new_value_error("Out of range float values are not JSON compliant"))
    }

    fn text(&mut self, text: &Wtf8) -> PyResult<()> {
        self.out.push_str("\"");
        for (at, point) in text.code_points().enumerate() {
            if at % CHUNK == CHUNK - 1 {
                self.look()?;
            }
            self.character(point);
        }
        self.out.push_str("\"");
        self.look()
    }

    fn character(&mut self, point: CodePoint) {
        let code = point.to_u32();
        match code {
            0x22 => self.out.push_str("\\\""),
            0x5c => self.out.push_str("\\\\"),
            0x0a => self.out.push_str("\\n"),
            0x0d => self.out.push_str("\\r"),
            0x09 => self.out.push_str("\\t"),
            0x0c => self.out.push_str("\\f"),
            0x08 => self.out.push_str("\\b"),
            0x20..0x7f => self.out.push(point),
            0..0x20 => self.out.push_str(&format!("\\u{code:04x}")),
            _ if !self.options.ascii => self.out.push(point),
            _ if code < 0x1_0000 => self.out.push_str(&format!("\\u{code:04x}")),
            _ => {
                let code = code - 0x1_0000;
                let (high, low) = (0xd800 | code >> 10, 0xdc00 | code & 0x3ff);
                self.out.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
            }
        }
    }

    /// Before an item: the separator, and a new line where there is an indent.
    fn separate(&mut self, index: usize) -> PyResult<()> {
        if index > 0 {
            self.out.push_wtf8(self.options.item_separator.as_wtf8());
        }
        self.new_line(self.path.len())
    }

    fn new_line(&mut self, depth: usize) -> PyResult<()> {
        let Some(indent) = &self.options.indent else { return Ok(()) };
        fuel::reserve((depth * indent.byte_len()) as u64, self.vm)?;
        self.out.push_str("\n");
        for _ in 0..depth {
            self.out.push_wtf8(indent.as_wtf8());
        }
        self.look()
    }

    fn enter(&mut self, object: &PyObject) -> PyResult<()> {
        if self.options.check_circular && self.path.iter().any(|open| open.is(object)) {
            return Err(self.vm.new_value_error("Circular reference detected"));
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(self
                .vm
                .new_recursion_error("maximum recursion depth exceeded while encoding a JSON object".to_owned()));
        }
        fuel::charge(1 + self.path.len() as u64 / 16, self.vm)?;
        self.path.push(object.to_owned());
        Ok(())
    }

    fn leave(&mut self) -> PyResult<()> {
        self.path.pop();
        self.new_line(self.path.len())
    }

    fn step(&mut self) -> PyResult<()> {
        fuel::charge(1, self.vm)?;
        self.look()
    }

    /// Tells the meters what was written. A growing text is copied now and then, so it is counted twice.
    fn look(&mut self) -> PyResult<()> {
        let written = self.out.len() - self.reserved;
        if written < CHUNK {
            return Ok(());
        }
        self.reserved = self.out.len();
        fuel::charge(written as u64 / 16, self.vm)?;
        fuel::reserve(written as u64, self.vm)
    }
}
