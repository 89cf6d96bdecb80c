//! The new code's shape: positions, long jumps, many constants, the final check, the listing.

use super::super::decode::{Code, Decoded};
use super::super::{blocks, classify, disasm, layout, linetable, verify};
use super::programs::{GENERATORS, RAISING, STRAIGHT};
use super::{BY_LINE, NamePolicy, OPTIONS, Options, UNSUNK, compile, execute, family, instrumented, on_vm};
use blocks::Plan;
use classify::{Guard, Scope};
use rustpython_compiler_core::bytecode::Opcode;
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{Py, VirtualMachine};

fn all_programs() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    STRAIGHT.iter().chain(GENERATORS).chain(RAISING)
}

/// Lines and columns of every instruction, by both of the tables that the VM keeps.
#[test]
fn every_instruction_keeps_its_position() {
    fn positions(code: &Py<PyCode>) -> Vec<linetable::Position> {
        let first_line = code.first_line_number.map_or(0, |line| line.get() as i32);
        linetable::decode(&code.linetable, first_line, code.instructions.len()).unwrap()
    }
    on_vm(|vm| {
        for (name, source) in all_programs() {
            let bare = family(compile(vm, source));
            let new = family(instrumented(vm, source, &OPTIONS));
            assert_eq!(bare.len(), new.len());
            for (bare, new) in bare.iter().zip(&new) {
                let old_instrs = Decoded::new(&bare.code).unwrap().instrs;
                let decoded = Decoded::new(&new.code).unwrap();
                let kept = verify::old_instructions(&new.code, &decoded).unwrap();
                assert_eq!(old_instrs.len(), kept.len());
                assert_eq!(new.locations.len(), new.instructions.len());
                let (old_positions, new_positions) = (positions(bare), positions(new));
                assert_eq!(new_positions.len(), new.instructions.len());
                for (old, &index) in old_instrs.iter().zip(&kept) {
                    let (old_unit, new_unit) = (old.unit as usize, decoded.instrs[index].unit as usize);
                    assert_eq!(old_positions[old_unit], new_positions[new_unit], "{name}");
                    assert_eq!(bare.locations[old_unit], new.locations[new_unit], "{name}");
                    assert_eq!(bare.addr2line(old_unit as i32 * 2), new.addr2line(new_unit as i32 * 2), "{name}");
                }
            }
        }
    });
}

/// What Python itself reads from the table.
#[test]
fn python_sees_the_same_lines_and_columns() {
    let source = "def g(a,\n      b):\n    x = (a +\n         b)\n    return (x\n            .missing)\ntry:\n    g(1, 2)\nexcept AttributeError as e:\n    tb = e.__traceback__.tb_next\n    lasti = tb.tb_lasti // 2\n    R = [tb.tb_lineno, list(tb.tb_frame.f_code.co_positions())[lasti], sorted({l for _, _, l in g.__code__.co_lines() if l})]";
    on_vm(move |vm| {
        let bare = execute(vm, compile(vm, source));
        assert!(bare.result.is_ok(), "{bare:?}");
        for options in [OPTIONS, UNSUNK, BY_LINE] {
            assert_eq!(execute(vm, instrumented(vm, source, &options)), bare);
        }
    });
}

/// More than 256 constants and names, jumps over more than 256 and over more than 65536 code units.
#[test]
fn wide_arguments() {
    fn program(lines: usize) -> String {
        let mut text = String::from(
            "def f(n):\n    t = 0\n    L = []\n    for i in range(n):\n        try:\n            if i % 2:\n",
        );
        for line in 0..lines {
            text += &format!("                t += {}\n", 1000 + line);
        }
        text += "            else:\n";
        for line in 0..lines / 2 {
            text += &format!("                t += {}.5; v{} = t\n", 2000 + line, line % 700);
        }
        text += "            while t > 0 and t % 3:\n                t -= 1\n                if t % 5 == 0: break\n            else:\n                t += 1\n            [][i]\n        except IndexError as e:\n            L.append(e.__traceback__.tb_lineno)\n        finally:\n            t += 1\n    return t, L\nR = f(5)\n";
        text
    }
    on_vm(|vm| {
        for lines in [100, 400, 9000] {
            let source = program(lines);
            let bare = execute(vm, compile(vm, &source));
            assert!(bare.result.is_ok(), "{bare:?}");
            for options in [OPTIONS, UNSUNK, BY_LINE] {
                assert_eq!(execute(vm, instrumented(vm, &source, &options)), bare, "{lines} lines");
            }
        }
    });
}

/// Code whose arguments are just below a limit, so that the insertions push jumps and constants over it.
#[test]
fn arguments_that_grow_a_prefix() {
    on_vm(|vm| {
        for lines in 20..70 {
            let body: String = (0..lines).map(|line| format!("        x = y{line} = {}\n", 300 + line)).collect();
            let source = format!(
                "def f():\n    R = 0\n    for i in range(3):\n{body}        if i: R += x\n    return R\nR = f()"
            );
            let bare = execute(vm, compile(vm, &source));
            assert_eq!(execute(vm, instrumented(vm, &source, &OPTIONS)), bare, "{lines} lines");
        }
    });
}

/// The final check notices when any probe that matters, or any guard, is left out.
#[test]
fn the_final_check_notices_what_is_missing() {
    fn attempt(vm: &VirtualMachine, code: &Code, without: impl FnOnce(&mut Plan), unguarded: bool) -> bool {
        const NONE: NamePolicy = NamePolicy {
            attribute: |_| false,
            special_on_super: |_| false,
            definable_special: |_| false,
            reference: |_| true,
        };
        let options = Options::new(NONE);
        let source = Decoded::new(code).unwrap();
        let mut plan = blocks::plan(code, &source, &OPTIONS).unwrap();
        let guards = classify::guards(code, &source, Scope::Module, &options).unwrap();
        without(&mut plan);
        let placed = if unguarded { vec![Guard::None; guards.len()] } else { guards.clone() };
        let new = layout::assemble(code, &source, &plan, &placed, vm, &options).unwrap();
        verify::verify(&new, &source, &guards).is_ok()
    }
    /// Leaves out the probes at an instruction.
    fn at(index: usize) -> impl FnOnce(&mut Plan) {
        move |plan| {
            plan.inside[index] = None;
            plan.edge[index] = None;
        }
    }
    on_vm(|vm| {
        super::super::probe::init_types();
        let mut refused = 0;
        for (name, source) in all_programs() {
            for code in family(compile(vm, source)) {
                let code = &code.code;
                assert!(attempt(vm, code, |_| {}, false), "{name}");
                let source = Decoded::new(code).unwrap();
                assert!(!attempt(vm, code, at(source.entry + 1), false), "{name}: no probe at the entry");
                for handler in &source.handlers {
                    let pushes = source.instrs[handler.target].op == Opcode::PushExcInfo;
                    let probe = handler.target + usize::from(pushes);
                    assert!(!attempt(vm, code, at(probe), false), "{name}: no probe at a handler");
                }
                for index in 0..source.instrs.len() {
                    refused += u32::from(!attempt(vm, code, at(index), false));
                }
            }
        }
        assert!(refused > 250, "{refused}");
        for source in [
            "while True: pass",
            "def f():\n    for x in y: pass",
            "def f():\n    yield from x",
            "while x:\n    if y: continue\n    z",
        ] {
            let family = family(compile(vm, source));
            let code = &family[family.len() - 1].code;
            let decoded = Decoded::new(code).unwrap();
            let caught = (0..decoded.instrs.len())
                .filter(|&index| !attempt(vm, code, |plan| plan.inside[index] = None, false))
                .filter(|&index| index != decoded.entry + 1 || decoded.is_target[index])
                .count();
            assert!(caught > 0, "{source}: a loop without a probe passed");
        }
        let code = compile(vm, "x.y");
        assert!(!attempt(vm, &code.code, |_| {}, true), "a missing guard passed");
    });
}

#[test]
fn bytecode_that_already_ran_is_refused() {
    on_vm(|vm| {
        let code = compile(vm, "i = 0\nwhile i < 50: i += 1");
        execute(vm, code.clone());
        let error = super::instrument_code(&code, vm, &OPTIONS).unwrap_err();
        assert!(error.to_string().contains("JumpBackwardNoJit"), "{error}");
    });
}

#[test]
fn the_listing_shows_blocks_and_guards() {
    const NONE: NamePolicy = NamePolicy { attribute: |name| name != "secret", ..super::OPEN };
    on_vm(|vm| {
        let source = "def f(x):\n    for i in x:\n        print(i.secret)\n    return x * 2\ntry:\n    f(1)\nexcept TypeError:\n    pass";
        let listing = disasm(&instrumented(vm, source, &Options::new(NONE)), vm);
        for part in [
            "f (line 1):",
            "(block of ",
            "(deny 'secret')",
            "LOAD_ATTR",
            "FOR_ITER_LIST",
            "!>",
            "(to ",
            "(*)",
            "(depth ",
        ] {
            assert!(listing.contains(part), "{part} is missing:\n{listing}");
        }
    });
}
