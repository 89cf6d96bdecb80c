//! Instructions and insertions back to code units, with their exception table and line table.

use super::blocks::Plan;
use super::classify::{Guard, operator};
use super::decode::{Code, Constant, Decoded, Direction, Instr, direction};
use super::linetable::{self, Encoder};
use super::probe::{BlockMeter, BulkChecks, Checkpost, Duty, ResultCheck};
use super::profiled::LineMeter;
use super::{InstrumentError, Options};
use crate::meter::profile::Site;
use rustpython_compiler_core::SourceLocation;
use rustpython_compiler_core::bytecode::{
    BinaryOperator, CodeUnit, CodeUnits, ExceptionTableEntry, OpArgByte, Opcode, encode_exception_table,
};
use rustpython_vm::{PyObjectRef, VirtualMachine};
use std::collections::HashMap;
use std::sync::Arc;

/// One instruction of the new code.
struct Placed {
    op: Opcode,
    arg: u32,
    /// The old instruction that it jumps to.
    target: Option<usize>,
    /// The old instruction whose place in the source it has.
    origin: usize,
    /// How many `EXTENDED_ARG` it has.
    prefixes: usize,
}

/// Puts a code object together anew, with probes and guards. Nested code objects stay as they are.
pub(super) fn assemble(
    code: &Code,
    source: &Decoded,
    plan: &Plan,
    guards: &[Guard],
    vm: &VirtualMachine,
    options: &Options,
) -> Result<Code, InstrumentError> {
    let mut builder = Builder::new(code, source.instrs.len(), vm, options);
    for (index, instr) in source.instrs.iter().enumerate() {
        let handler = index > 0 && source.instrs[index - 1].op == Opcode::PushExcInfo;
        if let Some(weight) = plan.edge[index] {
            // It is for the instructions before.
            builder.probe(weight, handler, index, source.line(code, index.saturating_sub(1)));
        }
        builder.label(index);
        if let Some(weight) = plan.inside[index] {
            builder.probe(weight, handler, index, source.line(code, index));
        }
        builder.guard_before(&guards[index], index);
        let (op, arg) = placed_op(instr, &guards[index]);
        builder.place(op, arg, instr.target, index);
        builder.guard_after(&guards[index], index);
    }
    // A probe and a denial push one value; looking at an operand pushes the checkpost and a copy.
    let inspects = guards.iter().any(|guard| guard.operand_depth().is_some());
    let inspects =
        inspects || guards.iter().any(|guard| matches!(guard, Guard::CheckStored(_) | Guard::CheckArguments));
    let max_stackdepth = code.max_stackdepth.checked_add(if inspects { 2 } else { 1 });
    let max_stackdepth = max_stackdepth.ok_or_else(|| InstrumentError::new("the stack is too deep"))?;
    builder.finish(source, max_stackdepth)
}

/// The opcode and argument that stand for those of the old code in the new.
///
/// The interpreter specialises instructions by the types that it has seen, past the slots where native work is looked at,
/// so that the bill would differ between cold and warm. Where that matters, the instruction is specialised from the start,
/// in a form that takes the same way each time and falls back to the slots:
///
/// * `FOR_ITER` for lists: past the slot for lists and ranges, through it for everything else.
/// * `+` for floats: past the slots for floats and ints, through them for texts. An int grows by one bit at the most.
/// * `+=` in the form that remembers a special pair of types, and here never does: past the slots for ints alone. Where a
///   text may be appended to in place, in the form for that. Neither where one operand is a small number.
/// * `*` likewise, and as the operator `@=`, which no class of a script can define: its slot multiplies. So `@=` itself is
///   `@` and an assignment, which is what it is for classes that do not define it.
///
/// Texts are joined by the guard that follows, which first looks at how long they are together.
pub(super) fn placed_op(instr: &Instr, guard: &Guard) -> (Opcode, u32) {
    let arg = instr.arg;
    match (instr.op, operator(instr)) {
        (Opcode::ForIter, _) => (Opcode::ForIterList, arg),
        (Opcode::BuildString, _) if *guard == Guard::Join => (Opcode::BuildTuple, arg),
        (op, Some(_)) if *guard == Guard::Count => (op, arg),
        (_, Some(BinaryOperator::Add)) => (Opcode::BinaryOpAddFloat, arg),
        (_, Some(BinaryOperator::InplaceAdd)) if *guard == Guard::Append => (Opcode::BinaryOpInplaceAddUnicode, arg),
        (_, Some(BinaryOperator::InplaceAdd)) => (Opcode::BinaryOpExtend, arg),
        (_, Some(BinaryOperator::Multiply)) if *guard == Guard::Multiply => {
            (Opcode::BinaryOpExtend, BinaryOperator::InplaceMatrixMultiply.as_u32())
        }
        (_, Some(BinaryOperator::InplaceMatrixMultiply)) => (Opcode::BinaryOp, BinaryOperator::MatrixMultiply.as_u32()),
        (op, _) => (op, arg),
    }
}

struct Builder<'a> {
    code: &'a Code,
    vm: &'a VirtualMachine,
    placed: Vec<Placed>,
    /// Old instruction to the new one that jumps to it go to.
    labels: Vec<usize>,
    constants: Vec<Constant>,
    /// By weight, whether a handler begins there, and in a profiled script by line.
    meters: HashMap<(i64, bool, Option<u32>), u32>,
    /// The names of file and function, in a profiled script.
    place: Option<(Arc<str>, Arc<str>)>,
    checkposts: HashMap<Guard, u32>,
    result_check: Option<ResultCheck>,
    bulk_checks: Option<BulkChecks>,
}

impl<'a> Builder<'a> {
    fn new(code: &'a Code, instrs: usize, vm: &'a VirtualMachine, options: &Options) -> Self {
        Builder {
            code,
            vm,
            placed: Vec::with_capacity(instrs * 2),
            labels: Vec::with_capacity(instrs + 1),
            constants: code.constants.to_vec(),
            meters: HashMap::new(),
            place: options.profile.then(|| (code.source_path.to_string().into(), code.qualname.to_string().into())),
            checkposts: HashMap::new(),
            result_check: options.result_check,
            bulk_checks: options.bulk_checks,
        }
    }

    /// Jumps to old instruction `index` go to what is placed next.
    fn label(&mut self, index: usize) {
        debug_assert_eq!(self.labels.len(), index);
        self.labels.push(self.placed.len());
    }

    fn place(&mut self, op: Opcode, arg: u32, target: Option<usize>, origin: usize) {
        self.placed.push(Placed { op, arg, target, origin, prefixes: prefixes(arg) });
    }

    fn insert(&mut self, op: Opcode, arg: u32, origin: usize) {
        self.place(op, arg, None, origin);
    }

    fn probe(&mut self, weight: i64, handler: bool, origin: usize, line: u32) {
        let kind = (weight, handler, self.place.as_ref().map(|_| line));
        let meter = match self.meters.get(&kind) {
            Some(&meter) => meter,
            None => {
                let object = match &self.place {
                    Some((file, function)) => {
                        let site = Site { file: file.clone(), function: function.clone(), line };
                        LineMeter::object(weight, handler, Arc::new(site), self.vm)
                    }
                    None => BlockMeter::object(weight, handler, self.vm),
                };
                let meter = self.constant(object);
                self.meters.insert(kind, meter);
                meter
            }
        };
        self.insert(Opcode::LoadConst, meter, origin);
        self.insert(Opcode::PopJumpIfTrue, 0, origin);
    }

    fn guard_before(&mut self, guard: &Guard, origin: usize) {
        let duty = match (guard, self.bulk_checks) {
            (Guard::Deny(denial), _) => Duty::Deny(denial.clone()),
            (Guard::SelfMatching, _) => Duty::SelfMatching,
            (Guard::RealSuper, _) => Duty::RealSuper,
            (Guard::CheckUnpacked, Some(checks)) => Duty::Unpacked(checks.unpacked),
            (Guard::CheckArguments, Some(checks)) => Duty::Arguments(checks.unpacked),
            (Guard::CheckMerged, Some(checks)) => Duty::Merged(checks.merged),
            _ => return,
        };
        let checkpost = self.checkpost(guard, duty);
        self.insert(Opcode::LoadConst, checkpost, origin);
        match guard {
            Guard::CheckUnpacked | Guard::CheckMerged => return self.replace_top(origin),
            Guard::CheckArguments => {
                self.insert(Opcode::Copy, 3, origin);
                self.insert(Opcode::BinaryOp, BinaryOperator::Subscr.as_u32(), origin);
                self.insert(Opcode::Swap, 3, origin);
                self.insert(Opcode::PopTop, 0, origin);
                return;
            }
            _ => {}
        }
        match guard.operand_depth() {
            None => self.insert(Opcode::PopJumpIfTrue, 0, origin),
            // Subscripts the checkpost with a copy of the operand, and leaves the stack as it was.
            Some(depth) => {
                self.insert(Opcode::Copy, depth + 1, origin);
                self.insert(Opcode::BinaryOp, BinaryOperator::Subscr.as_u32(), origin);
                self.insert(Opcode::PopTop, 0, origin);
            }
        }
    }

    fn guard_after(&mut self, guard: &Guard, origin: usize) {
        match (guard, self.result_check, self.bulk_checks) {
            (Guard::CheckResult, Some(check), _) => {
                let checkpost = self.checkpost(guard, Duty::Result(check));
                self.insert(Opcode::LoadConst, checkpost, origin);
                self.replace_top(origin);
            }
            (Guard::CheckStored(slot), Some(check), _) => {
                let checkpost = self.checkpost(&Guard::CheckStored(0), Duty::Stored(check));
                self.insert(Opcode::LoadConst, checkpost, origin);
                self.insert(Opcode::LoadFastBorrow, *slot, origin);
                self.insert(Opcode::BinaryOp, BinaryOperator::Subscr.as_u32(), origin);
                self.insert(Opcode::PopTop, 0, origin);
            }
            (Guard::Join, _, Some(checks)) => {
                let checkpost = self.checkpost(guard, Duty::Join(checks.join));
                self.insert(Opcode::LoadConst, checkpost, origin);
                self.replace_top(origin);
            }
            _ => {}
        }
    }

    /// With a checkpost on top of the stack: puts what its subscript by the value below it gives in the place of both.
    fn replace_top(&mut self, origin: usize) {
        self.insert(Opcode::Swap, 2, origin);
        self.insert(Opcode::BinaryOp, BinaryOperator::Subscr.as_u32(), origin);
    }

    fn checkpost(&mut self, guard: &Guard, duty: Duty) -> u32 {
        if let Some(&constant) = self.checkposts.get(guard) {
            return constant;
        }
        let constant = self.constant(Checkpost::object(duty, self.vm));
        self.checkposts.insert(guard.clone(), constant);
        constant
    }

    fn constant(&mut self, object: PyObjectRef) -> u32 {
        self.constants.push(Constant::from(object));
        self.constants.len() as u32 - 1
    }

    fn finish(mut self, source: &Decoded, max_stackdepth: u32) -> Result<Code, InstrumentError> {
        self.labels.push(self.placed.len());
        let positions = self.fix_positions()?;
        let (instructions, locations, linetable) = self.emit(source)?;
        // Where the old instruction went, together with what was put in front of it.
        let moved = |index: usize| positions[self.labels[index]];
        let entries: Vec<_> = source
            .handlers
            .iter()
            .map(|handler| {
                ExceptionTableEntry::new(
                    moved(handler.start),
                    moved(handler.end),
                    moved(handler.target),
                    handler.depth,
                    handler.push_lasti,
                )
            })
            .collect();
        let code = self.code;
        Ok(Code {
            instructions,
            locations,
            flags: code.flags,
            posonlyarg_count: code.posonlyarg_count,
            arg_count: code.arg_count,
            kwonlyarg_count: code.kwonlyarg_count,
            source_path: code.source_path,
            first_line_number: code.first_line_number,
            max_stackdepth,
            obj_name: code.obj_name,
            qualname: code.qualname,
            constants: self.constants.into_iter().collect(),
            names: code.names.clone(),
            varnames: code.varnames.clone(),
            cellvars: code.cellvars.clone(),
            freevars: code.freevars.clone(),
            localspluskinds: code.localspluskinds.clone(),
            linetable,
            exceptiontable: encode_exception_table(&entries),
        })
    }

    /// Settles the code unit of each instruction and the arguments of jumps. Prefixes only ever grow, so this ends.
    fn fix_positions(&mut self) -> Result<Vec<u32>, InstrumentError> {
        let mut positions = vec![0u32; self.placed.len() + 1];
        loop {
            let mut unit = 0;
            for (index, placed) in self.placed.iter().enumerate() {
                positions[index] = unit;
                unit = u32::try_from(placed.units())
                    .ok()
                    .and_then(|units| unit.checked_add(units))
                    // The exception table holds numbers of 30 bits.
                    .filter(|&unit| unit < 1 << 30)
                    .ok_or_else(|| InstrumentError::new("the code is too large"))?;
            }
            positions[self.placed.len()] = unit;
            let mut grown = false;
            for (index, placed) in self.placed.iter_mut().enumerate() {
                let Some(target) = placed.target else { continue };
                let target = positions[self.labels[target]];
                let after = positions[index + 1];
                let distance = match direction(placed.op) {
                    Some(Direction::Forward) => target.checked_sub(after),
                    Some(Direction::Backward) => after.checked_sub(target),
                    None => None,
                };
                placed.arg = distance.ok_or_else(|| InstrumentError::new("a jump in the wrong direction"))?;
                let needed = prefixes(placed.arg);
                if needed > placed.prefixes {
                    placed.prefixes = needed;
                    grown = true;
                }
            }
            if !grown {
                return Ok(positions);
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the three parts of a code object, taken apart at once")]
    fn emit(
        &self,
        source: &Decoded,
    ) -> Result<(CodeUnits, Box<[(SourceLocation, SourceLocation)]>, Box<[u8]>), InstrumentError> {
        let code = self.code;
        let first_line = code.first_line_number.map_or(0, |line| line.get() as i32);
        let old_positions = linetable::decode(&code.linetable, first_line, code.instructions.len())?;
        let mut linetable = Encoder::new(first_line);
        let mut units = Vec::new();
        let mut locations = Vec::new();
        for placed in &self.placed {
            let unit = source.instrs[placed.origin].unit as usize;
            for prefix in (1..=placed.prefixes).rev() {
                units.push(code_unit(Opcode::ExtendedArg, placed.arg >> (8 * prefix)));
            }
            units.push(code_unit(placed.op, placed.arg));
            units.extend(std::iter::repeat_n(code_unit(Opcode::Cache, 0), placed.op.cache_entries()));
            if let Some(location) = code.locations.get(unit) {
                locations.extend(std::iter::repeat_n(*location, placed.units()));
            }
            linetable.push(old_positions[unit], placed.units());
        }
        Ok((CodeUnits::from(units), locations.into_boxed_slice(), linetable.finish()))
    }
}

impl Placed {
    fn units(&self) -> usize {
        self.prefixes + 1 + self.op.cache_entries()
    }
}

fn code_unit(op: Opcode, arg: u32) -> CodeUnit {
    CodeUnit::new(op.into(), OpArgByte::new(arg as u8))
}

/// How many `EXTENDED_ARG` an argument needs.
fn prefixes(arg: u32) -> usize {
    match arg {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xff_ffff => 2,
        _ => 3,
    }
}
