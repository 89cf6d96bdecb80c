//! `str.format` and `str.format_map`, which read attributes by names in a string.
//!
//! They are replaced on the type itself, so that a method that was stored, unbound, or reached through a subclass is the
//! guarded one. Index access stays as it is; attribute names pass the same rule as everywhere.

use crate::guard::{attributes, types};
use crate::meter::fuel;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStr, PyStrRef};
use rustpython_vm::common::format::{
    FieldName, FieldNamePart, FieldType, FormatConversion, FormatPart, FormatString, FromTemplate,
};
use rustpython_vm::common::wtf8::{Wtf8, Wtf8Buf};
use rustpython_vm::convert::ToPyException;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyRef, PyResult, VirtualMachine};

/// A format string may hold fields in the specs of its fields, and no deeper.
const MAX_NESTING: u32 = 2;

/// Replaces the methods on `str`.
pub(super) fn install(vm: &VirtualMachine) {
    let class = vm.ctx.types.str_type;
    types::replace(class, "format", vm.new_method("format", class, str_format).into(), vm);
    types::replace(class, "format_map", vm.new_method("format_map", class, str_format_map).into(), vm);
}

fn str_format(template: PyRef<PyStr>, args: FuncArgs, vm: &VirtualMachine) -> PyResult<PyStrRef> {
    render_whole(&template, &mut Arguments { args: &args, numbering: Numbering::Open }, vm)
}

fn str_format_map(template: PyRef<PyStr>, mapping: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyStrRef> {
    render_whole(&template, &mut Mapping(&mapping), vm)
}

/// Where the fields of a format string get their values.
trait Fields {
    fn value(&mut self, field: FieldType, vm: &VirtualMachine) -> PyResult;
}

struct Arguments<'a> {
    args: &'a FuncArgs,
    numbering: Numbering,
}

/// Whether fields are numbered by hand, by themselves (and how many there were), or that is still open.
enum Numbering {
    Open,
    Manual,
    Automatic(usize),
}

impl Arguments<'_> {
    fn positional(&self, index: usize, vm: &VirtualMachine) -> PyResult {
        self.args.args.get(index).cloned().ok_or_else(|| {
            vm.new_index_error(format!("Replacement index {index} out of range for positional args tuple"))
        })
    }
}

impl Fields for Arguments<'_> {
    fn value(&mut self, field: FieldType, vm: &VirtualMachine) -> PyResult {
        match field {
            FieldType::Auto => {
                let next = match self.numbering {
                    Numbering::Open => 0,
                    Numbering::Automatic(next) => next,
                    Numbering::Manual => {
                        return Err(vm.new_value_error(
                            "cannot switch from manual field specification to automatic field numbering",
                        ));
                    }
                };
                self.numbering = Numbering::Automatic(next + 1);
                self.positional(next, vm)
            }
            FieldType::Index(index) => {
                if matches!(self.numbering, Numbering::Automatic(_)) {
                    return Err(vm.new_value_error(
                        "cannot switch from automatic field numbering to manual field specification",
                    ));
                }
                self.numbering = Numbering::Manual;
                self.positional(index, vm)
            }
            FieldType::Keyword(keyword) => keyword
                .as_str()
                .ok()
                .and_then(|keyword| self.args.get_optional_kwarg(keyword))
                .ok_or_else(|| vm.new_key_error(vm.ctx.new_str(keyword).into())),
        }
    }
}

struct Mapping<'a>(&'a PyObject);

impl Fields for Mapping<'_> {
    fn value(&mut self, field: FieldType, vm: &VirtualMachine) -> PyResult {
        match field {
            FieldType::Auto | FieldType::Index(_) => {
                Err(vm.new_value_error("Format string contains positional fields"))
            }
            FieldType::Keyword(keyword) => self.0.get_item(&*vm.ctx.new_str(keyword), vm),
        }
    }
}

fn render_whole(template: &PyRef<PyStr>, fields: &mut dyn Fields, vm: &VirtualMachine) -> PyResult<PyStrRef> {
    let text = render(template.as_wtf8(), fields, MAX_NESTING, vm)?;
    Ok(vm.ctx.new_str(text))
}

fn render(template: &Wtf8, fields: &mut dyn Fields, nesting: u32, vm: &VirtualMachine) -> PyResult<Wtf8Buf> {
    // Parsing looks at each character a few times.
    fuel::charge(template.len() as u64 / 64, vm)?;
    let Some(nesting) = nesting.checked_sub(1) else {
        return Err(vm.new_value_error("Max string recursion exceeded"));
    };
    let parsed = FormatString::from_str(template).map_err(|error| error.to_pyexception(vm))?;
    let mut text = Wtf8Buf::new();
    for part in &parsed.format_parts {
        match part {
            FormatPart::Literal(literal) => append(&mut text, literal, vm)?,
            FormatPart::Field { field_name, conversion_spec, format_spec } => {
                fuel::charge(1, vm)?;
                let value = field_value(field_name, fields, vm)?;
                let spec =
                    if format_spec.is_empty() { Wtf8Buf::new() } else { render(format_spec, fields, nesting, vm)? };
                let value = match conversion_spec {
                    None => value,
                    Some(letter) => match FormatConversion::from_char(*letter) {
                        Some(FormatConversion::Str) => value.str(vm)?.into(),
                        Some(FormatConversion::Repr) => value.repr(vm)?.into(),
                        Some(FormatConversion::Ascii) => value.ascii(vm)?.into(),
                        None => return Err(unknown_conversion(letter.to_char_lossy(), vm)),
                    },
                };
                let formatted = vm.format(&value, vm.ctx.new_str(spec))?;
                append(&mut text, formatted.as_wtf8(), vm)?;
            }
        }
    }
    Ok(text)
}

/// The value of a field such as `0.name[key]`.
fn field_value(field: &Wtf8, fields: &mut dyn Fields, vm: &VirtualMachine) -> PyResult {
    let FieldName { field_type, parts } = FieldName::parse(field).map_err(|error| error.to_pyexception(vm))?;
    let mut value = fields.value(field_type, vm)?;
    for part in parts {
        value = match part {
            FieldNamePart::Attribute(name) => {
                let name = attributes::checked_name(vm.ctx.new_str(name).as_object(), vm)?;
                value.get_attr(&*name, vm)?
            }
            FieldNamePart::Index(index) => value.get_item(&index, vm)?,
            FieldNamePart::StringIndex(key) => value.get_item(&*vm.ctx.new_str(key), vm)?,
        };
    }
    Ok(value)
}

fn append(text: &mut Wtf8Buf, more: &Wtf8, vm: &VirtualMachine) -> PyResult<()> {
    // A buffer that grows is copied to one of twice its size.
    if text.len() + more.len() > text.capacity() {
        fuel::reserve(2 * (text.len() + more.len()) as u64, vm)?;
    }
    text.push_wtf8(more);
    Ok(())
}

#[cold]
fn unknown_conversion(letter: char, vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_value_error(format!("Unknown conversion specifier {letter}"))
}
