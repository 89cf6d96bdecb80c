//! The bill is exact: equal to the opcode trace, and the same cold and warm, sunk or not, on any thread.

use super::super::blocks::{MAX_BLOCK, MAX_SUNK};
use super::programs::{GENERATORS, RAISING, STRAIGHT};
use super::{BY_LINE, OPTIONS, PLENTY, UNSUNK, compile, execute, instrumented, metered, on_vm, run, traced};
use crate::meter::fuel;
use rustpython_vm::protocol::PyIterReturn;
use rustpython_vm::{PyObject, PyResult, VirtualMachine};
use std::cell::Cell;
use std::sync::OnceLock;

#[test]
fn counts_equal_the_opcode_trace() {
    on_vm(|vm| {
        for (name, source) in STRAIGHT.iter().chain(GENERATORS) {
            let bare = execute(vm, compile(vm, source));
            let (outcome, events) = traced(vm, source);
            assert_eq!(outcome, bare, "{name}");
            assert!(bare.result.is_ok(), "{name}: {bare:?}");
            for (how, options) in [("sunk", OPTIONS), ("unsunk", UNSUNK), ("by line", BY_LINE)] {
                let (outcome, usage, trip) = metered(vm, instrumented(vm, source, &options), PLENTY);
                assert_eq!((outcome, trip), (bare.clone(), None), "{name} {how}");
                assert_eq!(usage.instructions, events.opcodes, "{name} {how}");
            }
        }
    });
}

#[test]
fn an_exception_costs_at_most_a_block() {
    on_vm(|vm| {
        for (name, source) in RAISING {
            let bare = execute(vm, compile(vm, source));
            let (_, events) = traced(vm, source);
            for options in [OPTIONS, UNSUNK, BY_LINE] {
                let (outcome, usage, _) = metered(vm, instrumented(vm, source, &options), PLENTY);
                assert_eq!(outcome, bare, "{name}");
                let over = usage.instructions.saturating_sub(events.opcodes);
                let under = events.opcodes.saturating_sub(usage.instructions);
                assert!(
                    over <= events.exceptions * (MAX_BLOCK as u64 + MAX_SUNK as u64),
                    "{name}: {over} over, {events:?}"
                );
                assert!(under <= events.exceptions * MAX_SUNK as u64, "{name}: {under} under, {events:?}");
            }
        }
    });
}

/// One block is cut off in the midst: exactly its rest is over-charged.
#[test]
fn an_exception_over_charges_the_rest_of_its_block() {
    on_vm(|vm| {
        let (_, usage, _) = metered(vm, instrumented(vm, "[].x\na = b = c = d = 1", &OPTIONS), PLENTY);
        let (_, events) = traced(vm, "[].x\na = b = c = d = 1");
        let (_, rest) = traced(vm, "a = b = c = d = 1");
        // The POP_TOP after the attribute is also left over.
        assert_eq!(usage.instructions - events.opcodes, rest.opcodes + 1);
    });
}

#[test]
fn the_same_count_cold_warm_and_on_another_thread() {
    let count = |vm: &VirtualMachine| {
        let _counting = Counting::start(vm);
        let mut counts = Vec::new();
        for (name, source) in STRAIGHT.iter().chain(GENERATORS).chain(RAISING) {
            let code = instrumented(vm, source, &OPTIONS);
            let (first, cold, _) = metered(vm, code.clone(), PLENTY);
            let rounds = if *name == "recursion" { 3 } else { 60 };
            for round in 0..rounds {
                let (outcome, warm, _) = metered(vm, code.clone(), PLENTY);
                assert_eq!(outcome, first, "{name}");
                let bills = [&warm, &cold].map(|usage| (usage.instructions, usage.native_steps));
                assert_eq!(bills[0], bills[1], "{name} in round {round}");
            }
            counts.push((*name, cold.instructions, cold.native_steps));
        }
        counts
    };
    let here = on_vm(count);
    assert!(here.iter().any(|(_, _, steps)| *steps > 100), "no native step was counted: {here:?}");
    assert_eq!(on_vm(count), here);
}

/// A loop turns a thousand times over the iterators that the interpreter specialises on.
#[test]
fn native_steps_do_not_depend_on_specialisation() {
    on_vm(|vm| {
        let _counting = Counting::start(vm);
        let source = "def loops(l, n):\n    t = 0\n    for x in l:\n        t += sum(range(3))\n    for x in tuple(l):\n        t += sum(l[:2])\n    for x in range(n):\n        t += sum(range(2))\n    for a, b in zip(l, range(n)):\n        a, b = map(abs, (a, b))\n    for i, x in enumerate(l): pass\n    for x in (y for y in l): t += max(range(2))\n    return t\nR = [loops([1] * 30, 30) for _ in range(REPEAT)]";
        let bill = |repeat: usize| {
            let code = instrumented(vm, &source.replace("REPEAT", &repeat.to_string()), &OPTIONS);
            let (_, usage, _) = metered(vm, code, PLENTY);
            (usage.instructions, usage.native_steps)
        };
        let (one, two, many) = (bill(1), bill(2), bill(1000));
        assert_eq!((many.0 - one.0, many.1 - one.1), ((two.0 - one.0) * 999, (two.1 - one.1) * 999));
    });
}

/// The limit is met to the instruction: a budget of exactly the count suffices, one less does not.
#[test]
fn the_limit_is_exact() {
    on_vm(|vm| {
        for (name, source) in STRAIGHT {
            let code = instrumented(vm, source, &OPTIONS);
            let (_, usage, _) = metered(vm, code.clone(), PLENTY);
            let (_, _, enough) = metered(vm, code.clone(), usage.instructions);
            assert_eq!(enough, None, "{name}");
            let (_, _, short) = metered(vm, code, usage.instructions - 1);
            assert!(short.is_some(), "{name}");
        }
    });
}

/// Many cells and locals are set up before the first instruction that the trace reports: that is not free.
#[test]
fn setting_up_a_large_frame_costs() {
    on_vm(|vm| {
        let call = |names: usize| {
            let list: String = (0..names).map(|name| format!("    v{name} = 0\n")).collect();
            let uses: String = (0..names).map(|name| format!("v{name}, ")).collect();
            format!("def f():\n    return 1\n{list}    def g(): return {uses}\nfor _ in range(100): f()")
        };
        let cost = |names| metered(vm, instrumented(vm, &call(names), &OPTIONS), PLENTY).1.instructions;
        assert_eq!(cost(5), cost(10));
        assert!(cost(1000) >= cost(10) + 100 * 40);
    });
}

/// A slice that ends early, for memory or by chance, is not to be seen in the bill.
#[test]
fn slices_do_not_show_in_the_bill() {
    on_vm(|vm| {
        let steps = |arm: &[usize]| {
            let count = || {
                for step in 0..20 {
                    if step == 10 {
                        fuel::spend(3, vm).unwrap();
                    }
                    if arm.contains(&step) {
                        fuel::arm_from_allocator();
                    }
                    fuel::step(vm).unwrap();
                }
            };
            let (_, usage, _) = fuel::metered(run(PLENTY), count).split();
            (usage.instructions, usage.native_steps)
        };
        // The first step, and the first after the probe, are free.
        assert_eq!(steps(&[]), (3, 18));
        for arm in [&[0][..], &[5], &[10], &[11], &[3, 4, 10, 19]] {
            assert_eq!(steps(arm), (3, 18), "armed at {arm:?}");
        }
    });
}

// ---- counting native steps

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, the iterators' slots charge their steps on this thread.
struct Counting;

impl Counting {
    fn start(vm: &VirtualMachine) -> Self {
        wrap_iterators(vm);
        COUNTING.set(true);
        Counting
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        COUNTING.set(false);
    }
}

type Next = fn(&PyObject, &VirtualMachine) -> PyResult<PyIterReturn>;

/// Types are shared by all interpreters of the process: each is wrapped once, and does nothing more where nobody counts.
fn wrap_iterators(vm: &VirtualMachine) {
    macro_rules! wrap {
        ($($class:ident),*) => {$({
            static ORIGINAL: OnceLock<Next> = OnceLock::new();
            fn next(iterator: &PyObject, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
                if COUNTING.get() {
                    fuel::step(vm)?;
                }
                ORIGINAL.get().unwrap()(iterator, vm)
            }
            let slot = &vm.ctx.types.$class.slots.iternext;
            ORIGINAL.get_or_init(|| slot.load().unwrap());
            slot.store(Some(next));
        })*};
    }
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        wrap!(
            range_iterator_type,
            list_iterator_type,
            tuple_iterator_type,
            str_iterator_type,
            dict_keyiterator_type,
            dict_itemiterator_type,
            zip_type,
            enumerate_type,
            map_type
        );
    });
}
