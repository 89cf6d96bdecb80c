//! The closed list of opcodes, and what must guard each.
//!
//! An opcode that is not on the list does not compile here (an upstream release added one) or is refused (the compiler
//! emitted one that it should not). An opcode that names something is checked against the policy's names. Some names
//! the compiler binds by itself, such as `__qualname__`: they pass only in the very pattern that it emits.

use super::decode::{Code, Decoded, Instr};
use super::probe::Denial;
use super::{InstrumentError, Options};
use rustpython_compiler_core::bytecode::{
    BinaryOperator, CodeFlags, Instruction, IntrinsicFunction1, IntrinsicFunction2, LoadAttr, LoadSuperAttr, Opcode,
};
use rustpython_vm::builtins::{PyFloat, PyInt, PyStr, PyStrInterned, PyTuple};
use rustpython_vm::{AsObject, PyObjectRef};
use std::collections::HashSet;

/// Which names a script may use. Every name is in the form that runs: normalised, and mangled in classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamePolicy {
    /// Attributes that may be read, set, deleted, imported and matched.
    pub attribute: fn(&str) -> bool,
    /// Attributes that may also be read on `super()`.
    pub special_on_super: fn(&str) -> bool,
    /// Special names that a class body may bind.
    pub definable_special: fn(&str) -> bool,
    /// Variables that may be read and bound.
    pub reference: fn(&str) -> bool,
}

/// What a code object is the body of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Module,
    Class,
    Function,
}

impl Scope {
    /// Of the bodies that can be nested, only a class's keeps its variables in a dict.
    pub(super) fn of_nested(code: &Code) -> Scope {
        if code.flags.contains(CodeFlags::OPTIMIZED) { Scope::Function } else { Scope::Class }
    }
}

/// What is put around an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guard {
    None,
    /// It never runs: an exception is raised in its place.
    Deny(Denial),
    /// Positional class pattern: the class must be one that matches itself.
    SelfMatching,
    /// A special method on `super()`: it must be the real `super`.
    RealSuper,
    /// The operands are looked at before they are multiplied.
    Multiply,
    /// One operand is a small number, so no text is added to.
    Count,
    /// The result is looked at.
    CheckResult,
    /// It may append to a text in place; what the next instruction stores is looked at.
    Append,
    /// The value that this instruction stores in a variable is looked at: what [`Guard::Append`] made. Looked at between
    /// the two, it would cost the VM's way of appending in place.
    CheckStored(u32),
    /// The iterable on top of the stack is looked at, and may be replaced.
    CheckUnpacked,
    /// The positional arguments below the keyword arguments are looked at, and may be replaced.
    CheckArguments,
    /// The mapping on top of the stack is looked at.
    CheckMerged,
    /// The texts to join are handed over as a tuple.
    Join,
}

impl Guard {
    /// How deep in the stack the operand is that the guard looks at beforehand; 1 is the top.
    pub(super) fn operand_depth(&self) -> Option<u32> {
        match self {
            // The class lies below the keywords.
            Guard::SelfMatching => Some(2),
            // The `super` that is called lies below the class and the instance.
            Guard::RealSuper => Some(3),
            _ => None,
        }
    }
}

/// The guards of all instructions.
pub(super) fn guards(
    code: &Code,
    source: &Decoded,
    scope: Scope,
    options: &Options,
) -> Result<Vec<Guard>, InstrumentError> {
    let slots = slots(code)?;
    let classifier = Classifier { code, source, scope, names: &options.names, slots };
    (0..source.instrs.len())
        .map(|index| {
            // Classified even where guards are off: an opcode off the list is refused all the same.
            let guard = classifier.classify(index)?;
            let instr = &source.instrs[index];
            if options.guard_attributes && guard != Guard::None {
                return Ok(guard);
            }
            if options.result_check.is_some() {
                if classifier.appends(index) {
                    return Ok(Guard::Append);
                }
                if index > 0 && classifier.appends(index - 1) {
                    return Ok(Guard::CheckStored(instr.arg));
                }
                match operator(instr) {
                    Some(BinaryOperator::Add | BinaryOperator::InplaceAdd) if classifier.grows_slowly(index) => {
                        return Ok(Guard::Count);
                    }
                    Some(BinaryOperator::Multiply) if !classifier.grows_slowly(index) => return Ok(Guard::Multiply),
                    Some(BinaryOperator::InplaceMultiply) if !classifier.grows_slowly(index) => {
                        return Ok(Guard::CheckResult);
                    }
                    _ => {}
                }
            }
            Ok(if options.bulk_checks.is_some() { classifier.bulk(index) } else { Guard::None })
        })
        .collect()
}

struct Classifier<'a> {
    code: &'a Code,
    source: &'a Decoded,
    scope: Scope,
    names: &'a NamePolicy,
    /// The variables in the slots of the frame.
    slots: Vec<&'static str>,
}

impl Classifier<'_> {
    /// Whether this is a `+=` on a variable of a function that may well hold a text, to be appended to in place.
    fn appends(&self, index: usize) -> bool {
        let instrs = &self.source.instrs;
        operator(&instrs[index]) == Some(BinaryOperator::InplaceAdd)
            && !self.grows_slowly(index)
            && instrs
                .get(index + 1)
                .is_some_and(|next| next.op == Opcode::StoreFast && !self.starts_as_a_number(next.arg))
    }

    /// Whether a number is assigned to a variable somewhere. If it holds a text all the same, that is appended to by a
    /// copy, through the slot.
    fn starts_as_a_number(&self, slot: u32) -> bool {
        let stored = |instr: &Instr| match instr.op {
            Opcode::StoreFast => instr.arg == slot,
            Opcode::StoreFastLoadFast => instr.arg >> 4 == slot,
            _ => false,
        };
        self.source.instrs.windows(2).any(|pair| {
            let number = match pair[0].op {
                Opcode::LoadSmallInt => true,
                Opcode::LoadConst => self
                    .constant(pair[0].arg)
                    .is_some_and(|value| value.downcastable::<PyInt>() || value.downcastable::<PyFloat>()),
                _ => false,
            };
            number && stored(&pair[1])
        })
    }

    /// Instructions that take in any number of values, or values of any size, at once.
    fn bulk(&self, index: usize) -> Guard {
        // What the compiler itself made is of the size of the source.
        let constant = self.previous(index).is_some_and(|(op, _)| op == Opcode::LoadConst);
        match self.source.instrs[index].op {
            Opcode::ListExtend | Opcode::SetUpdate | Opcode::UnpackEx if !constant => Guard::CheckUnpacked,
            Opcode::DictUpdate | Opcode::DictMerge => Guard::CheckMerged,
            Opcode::CallFunctionEx => Guard::CheckArguments,
            Opcode::BuildString => Guard::Join,
            _ => Guard::None,
        }
    }

    fn classify(&self, index: usize) -> Result<Guard, InstrumentError> {
        let instr = &self.source.instrs[index];
        let arg = instr.arg;
        Ok(match instr.op {
            // Values on the stack, in locals and in cells.
            Opcode::Copy
            | Opcode::Swap
            | Opcode::PopTop
            | Opcode::PushNull
            | Opcode::Nop
            | Opcode::NotTaken
            | Opcode::LoadConst
            | Opcode::LoadSmallInt
            | Opcode::LoadFast
            | Opcode::LoadFastAndClear
            | Opcode::LoadFastBorrow
            | Opcode::LoadFastBorrowLoadFastBorrow
            | Opcode::LoadFastCheck
            | Opcode::LoadFastLoadFast
            | Opcode::StoreFast
            | Opcode::StoreFastLoadFast
            | Opcode::StoreFastStoreFast
            | Opcode::DeleteFast
            | Opcode::MakeCell
            | Opcode::CopyFreeVars => Guard::None,

            // Operators and containers: what they call are slots and special methods of the operands.
            Opcode::BinaryOp
            | Opcode::BinarySlice
            | Opcode::StoreSlice
            | Opcode::StoreSubscr
            | Opcode::DeleteSubscr
            | Opcode::UnaryInvert
            | Opcode::UnaryNegative
            | Opcode::UnaryNot
            | Opcode::ToBool
            | Opcode::CompareOp
            | Opcode::ContainsOp
            | Opcode::IsOp
            | Opcode::GetLen
            | Opcode::BuildList
            | Opcode::BuildMap
            | Opcode::BuildSet
            | Opcode::BuildSlice
            | Opcode::BuildString
            | Opcode::BuildTuple
            | Opcode::ListAppend
            | Opcode::ListExtend
            | Opcode::MapAdd
            | Opcode::SetAdd
            | Opcode::SetUpdate
            | Opcode::DictMerge
            | Opcode::DictUpdate
            | Opcode::UnpackEx
            | Opcode::UnpackSequence
            | Opcode::ConvertValue
            | Opcode::FormatSimple
            | Opcode::FormatWithSpec => Guard::None,

            // Control, exceptions, context managers, generators.
            Opcode::JumpBackward
            | Opcode::JumpBackwardNoInterrupt
            | Opcode::JumpForward
            | Opcode::PopJumpIfFalse
            | Opcode::PopJumpIfNone
            | Opcode::PopJumpIfNotNone
            | Opcode::PopJumpIfTrue
            | Opcode::GetIter
            | Opcode::ForIter
            | Opcode::EndFor
            | Opcode::PopIter
            | Opcode::GetYieldFromIter
            | Opcode::Send
            | Opcode::EndSend
            | Opcode::CleanupThrow
            | Opcode::YieldValue
            | Opcode::GetAiter
            | Opcode::GetAnext
            | Opcode::GetAwaitable
            | Opcode::EndAsyncFor
            | Opcode::ReturnGenerator
            | Opcode::ReturnValue
            | Opcode::Resume
            | Opcode::RaiseVarargs
            | Opcode::Reraise
            | Opcode::PushExcInfo
            | Opcode::PopExcept
            | Opcode::CheckExcMatch
            | Opcode::LoadSpecial
            | Opcode::WithExceptStart
            | Opcode::MatchKeys
            | Opcode::MatchMapping
            | Opcode::MatchSequence => Guard::None,

            // Calls and functions: what may be called is up to what may be held. The builtin that makes classes is the
            // sandbox's own. The common constants are exceptions, containers and `all` and `any`.
            Opcode::Call
            | Opcode::CallFunctionEx
            | Opcode::CallKw
            | Opcode::MakeFunction
            | Opcode::SetFunctionAttribute
            | Opcode::LoadBuildClass
            | Opcode::LoadCommonConstant => Guard::None,

            // Sets `__annotations__` to a new dict, or leaves it.
            Opcode::SetupAnnotations => Guard::None,

            // Attributes.
            Opcode::LoadAttr => self.attribute(LoadAttr::from_u32(arg).name_idx())?,
            Opcode::StoreAttr | Opcode::DeleteAttr => self.attribute(arg)?,
            Opcode::LoadSuperAttr => {
                let name = self.name(LoadSuperAttr::from_u32(arg).name_idx())?;
                if (self.names.attribute)(name) {
                    Guard::None
                } else if (self.names.special_on_super)(name) {
                    Guard::RealSuper
                } else {
                    Guard::Deny(Denial::attribute(name))
                }
            }
            Opcode::ImportName => {
                let name = self.name(arg)?;
                let allowed = !name.is_empty() && name.split('.').all(|part| (self.names.attribute)(part));
                if allowed { Guard::None } else { Guard::Deny(Denial::import(name)) }
            }
            Opcode::ImportFrom => {
                let name = self.name(arg)?;
                if (self.names.attribute)(name) { Guard::None } else { Guard::Deny(Denial::import(name)) }
            }
            Opcode::MatchClass => self.class_pattern(index)?,

            // Variables in dicts: globals, and the namespaces of modules and classes.
            Opcode::LoadName | Opcode::LoadFromDictOrGlobals => self.load(self.name(arg)?),
            Opcode::LoadGlobal => self.load(self.name(arg >> 1)?),
            Opcode::StoreName => self.store_name(index, self.name(arg)?),
            Opcode::StoreGlobal | Opcode::DeleteGlobal | Opcode::DeleteName => self.bind(self.name(arg)?),

            // Variables in cells.
            Opcode::LoadDeref => match self.slot(arg)? {
                "__classdict__" if !self.feeds_lookup(index) => Guard::Deny(Denial::name("__classdict__")),
                _ => Guard::None,
            },
            Opcode::LoadFromDictOrDeref => Guard::None,
            Opcode::StoreDeref => self.store_cell(index, self.slot(arg)?),
            Opcode::DeleteDeref => self.bind(self.slot(arg)?),
            Opcode::LoadLocals => {
                let kept = self.next(index).is_some_and(|next| {
                    next.0 == Opcode::StoreDeref && self.slot(next.1).is_ok_and(|name| name == "__classdict__")
                });
                if kept || self.feeds_lookup(index) {
                    Guard::None
                } else {
                    Guard::Deny(Denial::feature("the namespace of a class"))
                }
            }

            // What no script needs.
            Opcode::CheckEgMatch => Guard::Deny(Denial::feature("except*")),
            Opcode::BuildTemplate | Opcode::BuildInterpolation => Guard::Deny(Denial::feature("a template string")),
            Opcode::CallIntrinsic1 => match IntrinsicFunction1::try_from(arg).map_err(|_| unknown(instr.op))? {
                IntrinsicFunction1::StopIterationError
                | IntrinsicFunction1::AsyncGenWrap
                | IntrinsicFunction1::UnaryPositive
                | IntrinsicFunction1::ListToTuple => Guard::None,
                IntrinsicFunction1::ImportStar => Guard::Deny(Denial::import("*")),
                IntrinsicFunction1::Print => Guard::Deny(Denial::feature("the display hook")),
                IntrinsicFunction1::TypeVar
                | IntrinsicFunction1::ParamSpec
                | IntrinsicFunction1::TypeVarTuple
                | IntrinsicFunction1::SubscriptGeneric
                | IntrinsicFunction1::TypeAlias => Guard::Deny(Denial::feature("a type parameter")),
                IntrinsicFunction1::Invalid => return Err(unknown(instr.op)),
            },
            Opcode::CallIntrinsic2 => match IntrinsicFunction2::try_from(arg).map_err(|_| unknown(instr.op))? {
                IntrinsicFunction2::PrepReraiseStar => Guard::Deny(Denial::feature("except*")),
                IntrinsicFunction2::TypeVarWithBound
                | IntrinsicFunction2::TypeVarWithConstraint
                | IntrinsicFunction2::SetFunctionTypeParams
                | IntrinsicFunction2::SetTypeparamDefault => Guard::Deny(Denial::feature("a type parameter")),
                IntrinsicFunction2::Invalid => return Err(unknown(instr.op)),
            },

            // Never in fresh code: what the VM writes over other instructions as it runs, and what decoding consumes.
            Opcode::Cache
            | Opcode::ExtendedArg
            | Opcode::Reserved
            | Opcode::InterpreterExit
            | Opcode::ExitInitCheck
            | Opcode::EnterExecutor
            | Opcode::BinaryOpInplaceAddUnicode
            | Opcode::BinaryOpAddFloat
            | Opcode::BinaryOpAddInt
            | Opcode::BinaryOpAddUnicode
            | Opcode::BinaryOpExtend
            | Opcode::BinaryOpMultiplyFloat
            | Opcode::BinaryOpMultiplyInt
            | Opcode::BinaryOpSubscrDict
            | Opcode::BinaryOpSubscrGetitem
            | Opcode::BinaryOpSubscrListInt
            | Opcode::BinaryOpSubscrListSlice
            | Opcode::BinaryOpSubscrStrInt
            | Opcode::BinaryOpSubscrTupleInt
            | Opcode::BinaryOpSubtractFloat
            | Opcode::BinaryOpSubtractInt
            | Opcode::CallAllocAndEnterInit
            | Opcode::CallBoundMethodExactArgs
            | Opcode::CallBoundMethodGeneral
            | Opcode::CallBuiltinClass
            | Opcode::CallBuiltinFast
            | Opcode::CallBuiltinFastWithKeywords
            | Opcode::CallBuiltinO
            | Opcode::CallIsinstance
            | Opcode::CallKwBoundMethod
            | Opcode::CallKwNonPy
            | Opcode::CallKwPy
            | Opcode::CallLen
            | Opcode::CallListAppend
            | Opcode::CallMethodDescriptorFast
            | Opcode::CallMethodDescriptorFastWithKeywords
            | Opcode::CallMethodDescriptorNoargs
            | Opcode::CallMethodDescriptorO
            | Opcode::CallNonPyGeneral
            | Opcode::CallPyExactArgs
            | Opcode::CallPyGeneral
            | Opcode::CallStr1
            | Opcode::CallTuple1
            | Opcode::CallType1
            | Opcode::CompareOpFloat
            | Opcode::CompareOpInt
            | Opcode::CompareOpStr
            | Opcode::ContainsOpDict
            | Opcode::ContainsOpSet
            | Opcode::ForIterGen
            | Opcode::ForIterList
            | Opcode::ForIterRange
            | Opcode::ForIterTuple
            | Opcode::JumpBackwardJit
            | Opcode::JumpBackwardNoJit
            | Opcode::LoadAttrClass
            | Opcode::LoadAttrClassWithMetaclassCheck
            | Opcode::LoadAttrGetattributeOverridden
            | Opcode::LoadAttrInstanceValue
            | Opcode::LoadAttrMethodLazyDict
            | Opcode::LoadAttrMethodNoDict
            | Opcode::LoadAttrMethodWithValues
            | Opcode::LoadAttrModule
            | Opcode::LoadAttrNondescriptorNoDict
            | Opcode::LoadAttrNondescriptorWithValues
            | Opcode::LoadAttrProperty
            | Opcode::LoadAttrSlot
            | Opcode::LoadAttrWithHint
            | Opcode::LoadConstImmortal
            | Opcode::LoadConstMortal
            | Opcode::LoadGlobalBuiltin
            | Opcode::LoadGlobalModule
            | Opcode::LoadSuperAttrAttr
            | Opcode::LoadSuperAttrMethod
            | Opcode::ResumeCheck
            | Opcode::SendGen
            | Opcode::StoreAttrInstanceValue
            | Opcode::StoreAttrSlot
            | Opcode::StoreAttrWithHint
            | Opcode::StoreSubscrDict
            | Opcode::StoreSubscrListInt
            | Opcode::ToBoolAlwaysTrue
            | Opcode::ToBoolBool
            | Opcode::ToBoolInt
            | Opcode::ToBoolList
            | Opcode::ToBoolNone
            | Opcode::ToBoolStr
            | Opcode::UnpackSequenceList
            | Opcode::UnpackSequenceTuple
            | Opcode::UnpackSequenceTwoTuple
            | Opcode::InstrumentedEndFor
            | Opcode::InstrumentedPopIter
            | Opcode::InstrumentedEndSend
            | Opcode::InstrumentedForIter
            | Opcode::InstrumentedInstruction
            | Opcode::InstrumentedJumpForward
            | Opcode::InstrumentedNotTaken
            | Opcode::InstrumentedPopJumpIfTrue
            | Opcode::InstrumentedPopJumpIfFalse
            | Opcode::InstrumentedPopJumpIfNone
            | Opcode::InstrumentedPopJumpIfNotNone
            | Opcode::InstrumentedResume
            | Opcode::InstrumentedReturnValue
            | Opcode::InstrumentedYieldValue
            | Opcode::InstrumentedEndAsyncFor
            | Opcode::InstrumentedLoadSuperAttr
            | Opcode::InstrumentedCall
            | Opcode::InstrumentedCallKw
            | Opcode::InstrumentedCallFunctionEx
            | Opcode::InstrumentedJumpBackward
            | Opcode::InstrumentedLine => return Err(unknown(instr.op)),
        })
    }

    fn attribute(&self, name: u32) -> Result<Guard, InstrumentError> {
        let name = self.name(name)?;
        Ok(if (self.names.attribute)(name) { Guard::None } else { Guard::Deny(Denial::attribute(name)) })
    }

    /// Reads of variables. The compiler reads these three by itself; what they hold is harmless.
    fn load(&self, name: &str) -> Guard {
        match name {
            "__name__" | "__conditional_annotations__" | "__annotations__" => Guard::None,
            _ if (self.names.reference)(name) => Guard::None,
            // One special method as the alias of another, as in `__radd__ = __add__`.
            _ if self.scope == Scope::Class && (self.names.definable_special)(name) => Guard::None,
            _ => Guard::Deny(Denial::name(name)),
        }
    }

    /// Bindings that only a script makes.
    fn bind(&self, name: &str) -> Guard {
        if !is_dunder(name) && (self.names.reference)(name) { Guard::None } else { Guard::Deny(Denial::name(name)) }
    }

    fn store_name(&self, index: usize, name: &str) -> Guard {
        let allowed = if !is_dunder(name) {
            (self.names.reference)(name)
        } else {
            self.compiler_stores(index, name) || (self.scope == Scope::Class && (self.names.definable_special)(name))
        };
        if allowed { Guard::None } else { Guard::Deny(Denial::name(name)) }
    }

    /// Whether a special name is bound as the compiler does it by itself.
    ///
    /// This matters most for `__conditional_annotations__`: the VM adds to that set without looking at its type.
    fn compiler_stores(&self, index: usize, name: &str) -> bool {
        let Some((op, arg)) = self.previous(index) else { return false };
        let constant = (op == Opcode::LoadConst).then(|| self.constant(arg)).flatten();
        let in_class = self.scope == Scope::Class;
        match name {
            "__doc__" => constant.is_some_and(|value| value.downcastable::<PyStr>()),
            "__module__" => in_class && op == Opcode::LoadName && self.name(arg).is_ok_and(|name| name == "__name__"),
            "__qualname__" => in_class && constant.is_some_and(|value| value.downcastable::<PyStr>()),
            "__firstlineno__" => in_class && (op == Opcode::LoadSmallInt || constant.is_some()),
            "__static_attributes__" => in_class && constant.is_some_and(|value| value.downcastable::<PyTuple>()),
            "__classdictcell__" => in_class && is_load_fast(op) && self.slot_is(arg, "__classdict__"),
            "__classcell__" => {
                let before = index.checked_sub(1).and_then(|index| self.previous(index));
                in_class
                    && op == Opcode::Copy
                    && before.is_some_and(|(op, arg)| is_load_fast(op) && self.slot_is(arg, "__class__"))
            }
            "__annotate__" | "__annotate_func__" => matches!(op, Opcode::MakeFunction | Opcode::SetFunctionAttribute),
            "__conditional_annotations__" => op == Opcode::BuildSet && arg == 0,
            _ => false,
        }
    }

    fn store_cell(&self, index: usize, name: &str) -> Guard {
        let allowed = match name {
            "__classdict__" => self.previous(index).is_some_and(|(op, _)| op == Opcode::LoadLocals),
            "__conditional_annotations__" => self.compiler_stores(index, name),
            _ if is_dunder(name) => false,
            // The compiler's own cells, such as `.defaults`.
            _ => name.starts_with('.') || (self.names.reference)(name),
        };
        if allowed { Guard::None } else { Guard::Deny(Denial::name(name)) }
    }

    fn class_pattern(&self, index: usize) -> Result<Guard, InstrumentError> {
        let keywords = match self.previous(index) {
            Some((Opcode::LoadConst, arg)) => self.constant(arg),
            _ => None,
        };
        let Some(keywords) = keywords.as_ref().and_then(|keywords| keywords.downcast_ref::<PyTuple>()) else {
            return Err(InstrumentError::new("a class pattern without its keywords"));
        };
        for keyword in keywords.as_slice() {
            let name = keyword.downcast_ref::<PyStr>().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| InstrumentError::new("a class pattern whose keyword is no name"))?;
            if !(self.names.attribute)(name) {
                return Ok(Guard::Deny(Denial::attribute(name)));
            }
        }
        Ok(if self.source.instrs[index].arg > 0 { Guard::SelfMatching } else { Guard::None })
    }

    /// Whether one operand of `+`, `-` or `*` is a small constant: a number then grows by a few bits at a time.
    fn grows_slowly(&self, index: usize) -> bool {
        use BinaryOperator::{Add, InplaceAdd, InplaceMultiply, InplaceSubtract, Multiply, Subtract};
        let operator = operator(&self.source.instrs[index]);
        if !matches!(operator, Some(Add | InplaceAdd | Subtract | InplaceSubtract | Multiply | InplaceMultiply)) {
            return false;
        }
        let Some((right, _)) = self.previous(index) else { return false };
        let left = || self.previous(index - 1).is_some_and(|(op, _)| op == Opcode::LoadSmallInt);
        right == Opcode::LoadSmallInt || (pushes_one(right) && left())
    }

    /// Whether what the instruction pushes goes right into a lookup of a variable.
    fn feeds_lookup(&self, index: usize) -> bool {
        self.next(index)
            .is_some_and(|(op, _)| matches!(op, Opcode::LoadFromDictOrDeref | Opcode::LoadFromDictOrGlobals))
    }

    /// The instruction that always runs right before this one.
    fn previous(&self, index: usize) -> Option<(Opcode, u32)> {
        if self.source.is_target[index] {
            return None;
        }
        let before = self.source.instrs.get(index.checked_sub(1)?)?;
        Some((before.op, before.arg))
    }

    /// The instruction that always runs right after this one, and after no other.
    fn next(&self, index: usize) -> Option<(Opcode, u32)> {
        let after = self.source.instrs.get(index + 1)?;
        (!self.source.is_target[index + 1]).then_some((after.op, after.arg))
    }

    fn name(&self, index: u32) -> Result<&'static str, InstrumentError> {
        self.code
            .names
            .get(index as usize)
            .ok_or_else(|| InstrumentError::new("a name that is not there"))
            .and_then(text)
    }

    fn slot(&self, index: u32) -> Result<&'static str, InstrumentError> {
        self.slots.get(index as usize).copied().ok_or_else(|| InstrumentError::new("a variable that is not there"))
    }

    fn slot_is(&self, index: u32, name: &str) -> bool {
        self.slot(index).is_ok_and(|slot| slot == name)
    }

    fn constant(&self, index: u32) -> Option<PyObjectRef> {
        self.code.constants.get(index as usize).map(|constant| PyObjectRef::from(constant.clone()))
    }
}

/// The variables of a frame in the order of its slots: locals, then the cells that are not locals too, then the free
/// variables.
fn slots(code: &Code) -> Result<Vec<&'static str>, InstrumentError> {
    let locals: HashSet<usize> = code.varnames.iter().map(|name| name.get_id()).collect();
    let cells = code.cellvars.iter().filter(|cell| !locals.contains(&cell.get_id()));
    code.varnames.iter().chain(cells).chain(code.freevars.iter()).map(text).collect()
}

fn text(name: &&'static PyStrInterned) -> Result<&'static str, InstrumentError> {
    let name: &'static PyStrInterned = name;
    name.to_str().ok_or_else(|| InstrumentError::new("a name that is not text"))
}

/// The operator of a `BINARY_OP`.
pub(super) fn operator(instr: &Instr) -> Option<BinaryOperator> {
    if instr.op == Opcode::BinaryOp { BinaryOperator::try_from(instr.arg).ok() } else { None }
}

/// Loads that take nothing from the stack and push one value.
fn pushes_one(op: Opcode) -> bool {
    is_load_fast(op) || matches!(op, Opcode::LoadName | Opcode::LoadDeref | Opcode::LoadConst)
}

fn is_load_fast(op: Opcode) -> bool {
    matches!(op, Opcode::LoadFast | Opcode::LoadFastBorrow | Opcode::LoadFastCheck)
}

fn is_dunder(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__")
}

fn unknown(op: Opcode) -> InstrumentError {
    InstrumentError::new(format!("the instruction {:?} is not on the list", Instruction::from(op)))
}
