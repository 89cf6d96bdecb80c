//! A listing of instrumented bytecode for people.

use super::InstrumentError;
use super::decode::{Code, Decoded};
use super::probe::{Checkpost, Duty, block_weight};
use rustpython_compiler_core::bytecode::{BinaryOperator, LoadAttr, LoadSuperAttr, Opcode};
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{PyObjectRef, VirtualMachine};
use std::fmt::Write;

/// Lists a code object and those nested in it, with the weights of their blocks.
pub(crate) fn disasm(code: &PyCode, vm: &VirtualMachine) -> String {
    let mut text = String::new();
    list(&code.code, vm, &mut text);
    text
}

fn list(code: &Code, vm: &VirtualMachine, text: &mut String) {
    let name = code.qualname.to_string_lossy();
    let line = code.first_line_number.map_or(0, |line| line.get());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name} (line {line}):");
    match Decoded::new(code) {
        Ok(decoded) => list_instrs(code, &decoded, vm, text),
        Err(InstrumentError { message }) => {
            let _ = writeln!(text, "    {message}");
        }
    }
    for constant in code.constants.iter() {
        let object = PyObjectRef::from(constant.clone());
        if let Some(nested) = object.downcast_ref::<PyCode>() {
            text.push('\n');
            list(&nested.code, vm, text);
        }
    }
}

fn list_instrs(code: &Code, decoded: &Decoded, vm: &VirtualMachine, text: &mut String) {
    let mut last_line = 0;
    for (index, instr) in decoded.instrs.iter().enumerate() {
        let line = code.locations.get(instr.unit as usize).map_or(0, |(start, _)| start.line.get());
        let shown = if line == last_line { String::new() } else { line.to_string() };
        last_line = line;
        let mark = if decoded.is_handler[index] {
            "!>"
        } else if decoded.is_target[index] {
            ">>"
        } else {
            "  "
        };
        let name = opcode_name(instr.op);
        let arg = if instr.op.has_arg() { instr.arg.to_string() } else { String::new() };
        let detail = detail(code, decoded, index, vm).map(|detail| format!("({detail})")).unwrap_or_default();
        let row = format!("{shown:>6} {mark} {:>5} {name:<28} {arg:>5} {detail}", instr.start);
        let _ = writeln!(text, "{}", row.trim_end());
    }
    for handler in &decoded.handlers {
        let unit =
            |index: usize| decoded.instrs.get(index).map_or(code.instructions.len(), |instr| instr.start as usize);
        let (start, end, target) = (unit(handler.start), unit(handler.end), unit(handler.target));
        let lasti = if handler.push_lasti { ", lasti" } else { "" };
        let _ = writeln!(text, "          {start}..{end} -> {target} (depth {}{lasti})", handler.depth);
    }
}

fn detail(code: &Code, decoded: &Decoded, index: usize, vm: &VirtualMachine) -> Option<String> {
    let instr = &decoded.instrs[index];
    if let Some(target) = instr.target {
        return decoded.instrs.get(target).map(|target| format!("to {}", target.start));
    }
    let name = |index: u32| code.names.get(index as usize).map(|name| name.to_string_lossy().into_owned());
    match instr.op {
        Opcode::LoadConst => {
            let object = PyObjectRef::from(code.constants.get(instr.arg as usize)?.clone());
            if let Some(weight) = block_weight(&object) {
                return Some(format!("block of {weight}"));
            }
            match object.downcast_ref::<Checkpost>().map(|checkpost| &checkpost.duty) {
                Some(Duty::Deny(denial)) => Some(format!("deny {}", denial.what())),
                Some(Duty::SelfMatching) => Some("guard of a class pattern".to_owned()),
                Some(Duty::RealSuper) => Some("guard of super()".to_owned()),
                Some(Duty::Result(_) | Duty::Stored(_)) => Some("check of a result".to_owned()),
                Some(Duty::Unpacked(_) | Duty::Arguments(_) | Duty::Merged(_)) => Some("check of values".to_owned()),
                Some(Duty::Join(_)) => Some("join of texts".to_owned()),
                None if object.downcast_ref::<PyCode>().is_some() => Some("code".to_owned()),
                None => object.repr(vm).ok().map(|shown| shown.to_string_lossy().chars().take(60).collect()),
            }
        }
        Opcode::LoadAttr => name(LoadAttr::from_u32(instr.arg).name_idx()),
        Opcode::LoadSuperAttr => name(LoadSuperAttr::from_u32(instr.arg).name_idx()),
        Opcode::LoadGlobal => name(instr.arg >> 1),
        Opcode::StoreAttr
        | Opcode::DeleteAttr
        | Opcode::ImportName
        | Opcode::ImportFrom
        | Opcode::LoadName
        | Opcode::StoreName
        | Opcode::DeleteName
        | Opcode::StoreGlobal
        | Opcode::DeleteGlobal
        | Opcode::LoadFromDictOrGlobals => name(instr.arg),
        Opcode::LoadFast | Opcode::LoadFastBorrow | Opcode::LoadFastCheck | Opcode::StoreFast | Opcode::DeleteFast => {
            code.varnames.get(instr.arg as usize).map(|name| name.to_string_lossy().into_owned())
        }
        Opcode::BinaryOp => BinaryOperator::try_from(instr.arg).ok().map(|operator| operator.to_string()),
        _ => None,
    }
}

/// The opcode's name as Python's own `dis` writes it.
fn opcode_name(op: Opcode) -> String {
    let mut name = String::new();
    for letter in format!("{op:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
