//! The bill of native work: repeatable, cold and warm, and no native type is forgotten.

use super::super::patch;
use super::{guard, measured, on_big_stack};
use crate::compile;
use crate::policy::Policy;
use rustpython_vm::{Interpreter, VirtualMachine, compiler};

/// Bodies of a function that is called again and again: the interpreter specialises what it has seen often enough, and the
/// bill must not tell.
const BODIES: &[&str] = &[
    "return x + 1, x - 1, x * 2, x // 3, x % 3, x < 5, x == 5",
    "return big + 1, big - big, big * 3, big // 7, big % 7, big < big, big == big + 1",
    "return text + text, text == other, text != other, text < other, text[3], text[1:5], 'a' in text",
    "y = text\n    y += other\n    return y",
    "return items[3], items[1:5], items + items, items == items2, 3 in items, len(items)",
    "items[3] = 5\n    items[1:3] = [1, 2]\n    return items",
    "return table[1], 1 in table, 77 in table, table == table2, table.get(5)",
    "table[1] = 2\n    return len(table)",
    "return 1 in numbers, numbers | {1}, numbers == {1}",
    "a, b = (1, 2)\n    c, d, e = [1, 2, 3]\n    f, *g = items\n    return g",
    "return str(x), str(big), str(items), repr(text), f'{x}{text}{items}'",
    "return list(items), tuple(items), tuple(table), set(items), dict(table), sorted(items), sum(items), max(items)",
    "return list(map(str, items)), list(zip(items, text)), list(enumerate(text)), list(reversed(items))",
    "return isinstance(x, int), isinstance(x, (int, str)), type(x), callable(x), hash(big), hash((1, big))",
    "return text.upper(), text.replace('a', 'bb'), text.split('a'), ','.join(['a', 'b']), text.encode()",
    "l = []\n    l.append(1)\n    l.extend(items)\n    l.insert(0, 5)\n    l.pop()\n    l.sort()\n    return l.index(5)",
    "return x ** 3, x << 3, x >> 1, x & 3, x | 3, x ^ 3, -x, ~x, x / 3, pow(x, 3, 7), divmod(x, 3)",
    "return [*items, *items], {**table}, {*items}, (lambda *a, **k: a)(*items)",
    "return {'a': x, 'b': big}['a'], [x, big, text][1], (x, big)[0]",
    "return '%s-%d' % (text, x), format(x, '5d'), '{}{}'.format(x, text)",
    "class A(Base):\n        y = 1\n    return A().y",
    "return big == big2, big < big2, (big, text) == (big2, text), [big] < [big2]",
    "return text[-1], text[::2], ~big, abs(big), bool(big), not text",
    "try:\n        raise ValueError(text)\n    except (KeyError, ValueError) as e:\n        return str(e)",
];

const SETUP: &str = "
class Base: pass
x = 12345
big = 7 ** 3000
big2 = 7 ** 3000 + 1
text = 'abcdefgh' * 1000
other = 'abcdefgh' * 999 + 'abcdefgx'
items = list(range(500))
items2 = list(range(500))
table = dict.fromkeys(range(300))
table2 = dict.fromkeys(range(300))
numbers = {*range(300)}
";

#[test]
fn is_the_same_cold_and_warm() {
    on_big_stack(|| {
        let interpreter = Interpreter::without_stdlib(Default::default());
        interpreter.enter(|vm| {
            guard(vm);
            for body in BODIES {
                let source = format!("{SETUP}\ndef f():\n    {body}\n");
                let scope = vm.new_scope_with_builtins();
                // Instrumented: which way an operator goes is the instrumenter's part in this.
                let compiled = compile::compile(&source, "<test>", &Policy::default(), compile::Checks::All);
                let code = compiled
                    .and_then(|compiled| compile::load(&compiled, false, vm))
                    .expect("the body keeps the rules");
                let (setup, _, _) = measured(|| vm.run_code_obj(code, scope.clone()));
                setup.map_err(|_| body).expect("the setup runs");
                let f = scope.globals.get_item("f", vm).map_err(|_| body).expect("f is there");
                let bill = || {
                    let (result, usage, trip) = measured(|| f.call((), vm));
                    assert!(result.is_ok() && trip.is_none(), "{body}");
                    usage.native_steps
                };
                let cold = bill();
                let _ = bill();
                let later: Vec<u64> = (0..200).map(|_| bill()).collect();
                // What a body changes for its own next call is settled by the second.
                let first = later[0];
                assert!(later.iter().all(|warm| *warm == first), "{body}: {cold}, then {later:?}");
                assert_eq!(cold, first, "{body}");
            }
        });
        std::mem::forget(interpreter);
    });
}

#[test]
fn covers_every_native_type() {
    on_big_stack(|| {
        let interpreter = Interpreter::without_stdlib(Default::default());
        interpreter.enter(|vm| {
            guard(vm);
            // Another test may import a native module meanwhile.
            let unguarded = (0..5).map(|_| unguarded(vm)).find(Vec::is_empty);
            assert!(unguarded.is_some(), "{:?}", self::unguarded(vm));
        });
        std::mem::forget(interpreter);
    });
}

#[test]
fn a_second_install_changes_nothing() {
    let bill = || {
        on_big_stack(|| {
            let interpreter = Interpreter::without_stdlib(Default::default());
            let bill = interpreter.enter(|vm| {
                guard(vm);
                let source = "R = 'a b'.split(), list(zip([1] * 100, 'ab')), 3**500 % 7, repr([1] * 50), '%5d' % 3\n\
                              x = [1] * 100\nx.sort()\nR = x.count(1), 'x'.join(['a'] * 100), int('5'), (5).to_bytes(2000)";
                super::run(vm, source, 1 << 40).usage.native_steps
            });
            std::mem::forget(interpreter);
            bill
        })
    };
    let first = bill();
    on_big_stack(|| {
        let interpreter = Interpreter::without_stdlib(Default::default());
        interpreter.enter(super::install);
        std::mem::forget(interpreter);
    });
    assert!(first > 50, "{first}");
    assert_eq!(bill(), first);
}

#[test]
fn is_free_outside_of_a_run() {
    on_big_stack(|| {
        let interpreter = Interpreter::without_stdlib(Default::default());
        interpreter.enter(|vm| {
            guard(vm);
            let scope = vm.new_scope_with_builtins();
            let source = "R = len(str(list(range(10**6)))), (1 << 10**6).bit_length(), len('a' * 10**8)";
            let code = vm.compile(source, compiler::Mode::Exec, "<test>").expect("this is Python");
            assert!(vm.run_code_obj(code, scope).is_ok());
        });
        std::mem::forget(interpreter);
    });
}

/// The native types that do natively, and unguarded, what takes time or memory.
fn unguarded(vm: &VirtualMachine) -> Vec<String> {
    use super::super::compare::{compare_int, compare_str, repr, rich_compare};
    use super::super::{iterators, sequence};
    super::install(vm);
    let types = patch::native_types(vm);
    assert!(types.len() > 150, "{} types", types.len());
    let by_bytecode = ["generator", "coroutine", "coroutine_wrapper", "async_generator_asend"];
    let by_bytecode = [&by_bytecode[..], &["async_generator_athrow", "anext_awaitable"]].concat();
    let mut found = Vec::new();
    for typ in types {
        let name = typ.name().to_string();
        if typ.slots.iternext.load().is_some_and(|next| !iterators::next::is_guard(next))
            && !by_bytecode.contains(&&*name)
        {
            found.push(format!("{name} steps"));
        }
        let guards = [rich_compare::is_guard, compare_int::is_guard, compare_str::is_guard];
        if typ.slots.richcompare.load().is_some_and(|compare| !guards.iter().any(|is_guard| is_guard(compare))) {
            found.push(format!("{name} compares"));
        }
        if typ.slots.repr.load().is_some_and(|shown| !repr::is_guard(shown)) {
            found.push(format!("{name} is shown"));
        }
        if typ.slots.as_sequence.repeat.load().is_some_and(|repeat| !sequence::repeat::is_guard(repeat)) {
            found.push(format!("{name} repeats"));
        }
    }
    found
}
