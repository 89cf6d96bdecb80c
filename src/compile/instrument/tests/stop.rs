//! Once the budget has tripped, nothing of the script runs on.

use super::super::blocks::MAX_BLOCK;
use super::{BY_LINE, MARKS, OPTIONS, UNSUNK, instrumented, metered, on_vm};
use crate::budget::Limit;
use crate::meter::run::Trip;

/// Each of these would run for ever. Each calls `mark()` wherever a handler might get to after the trip.
const ENDLESS: &[(&str, &str)] = &[
    ("plain", "while True: pass"),
    ("after", "try:\n    while True: pass\nfinally:\n    mark()\nmark()"),
    ("bare_except", "while True:\n    try:\n        while True: pass\n    except:\n        mark()\n    mark()"),
    (
        "except_base",
        "while True:\n    try:\n        while True: pass\n    except BaseException as e:\n        mark()\n        continue",
    ),
    (
        "except_tuple",
        "def types():\n    mark()\n    return (Exception, BaseException)\nwhile True:\n    try:\n        while True: pass\n    except types():\n        mark()",
    ),
    (
        "finally_continue",
        "def f():\n    while True:\n        try:\n            while True: pass\n        finally:\n            mark()\n            continue\nf()\nmark()",
    ),
    (
        "finally_return",
        "def f():\n    try:\n        while True: pass\n    finally:\n        mark()\n        return 1\nwhile True:\n    f()\n    mark()",
    ),
    (
        "finally_break",
        "while True:\n    while True:\n        try:\n            while True: pass\n        finally:\n            mark()\n            break\n    mark()",
    ),
    (
        "with_swallow",
        "class C:\n    def __enter__(s): return s\n    def __exit__(s, *a):\n        mark()\n        return True\nwhile True:\n    with C():\n        while True: pass\n    mark()",
    ),
    (
        "generator_except",
        "def g():\n    while True:\n        try:\n            while True: yield 1\n        except:\n            mark()\nfor x in g(): pass\nmark()",
    ),
    (
        "generator_inside",
        "def g():\n    try:\n        yield 1\n        while True: pass\n    except:\n        mark()\n        yield 2\n    mark()\nh = g()\nwhile True:\n    try:\n        for x in h: pass\n        h = g()\n    except:\n        mark()",
    ),
    (
        "generator_close",
        "def g():\n    try:\n        yield 1\n    finally:\n        while True: pass\nwhile True:\n    h = g()\n    next(h)\n    try:\n        h.close()\n    except:\n        mark()",
    ),
    (
        "generator_throw",
        "def g():\n    while True:\n        try:\n            yield 1\n        except ValueError:\n            while True: pass\n        except:\n            mark()\nh = g()\nnext(h)\ntry:\n    h.throw(ValueError)\nexcept:\n    mark()\n    h.throw(ValueError)",
    ),
    (
        "yield_from",
        "def a():\n    while True: yield 1\ndef b():\n    try:\n        yield from a()\n    except:\n        mark()\n        yield from a()\nfor x in b(): pass",
    ),
    (
        "getattr",
        "class A:\n    def __getattr__(s, n):\n        while True: pass\na = A()\nwhile True:\n    try:\n        getattr(a, 'x', None)\n        mark()\n        hasattr(a, 'x')\n        mark()\n    except: mark()",
    ),
    (
        "sort_lt",
        "class K:\n    def __lt__(s, o):\n        try:\n            while True: pass\n        except:\n            mark()\n            return True\nwhile True:\n    try: sorted([K(), K(), K()])\n    except: mark()",
    ),
    (
        "sort_key",
        "def key(x):\n    try:\n        while True: pass\n    except:\n        mark()\n        return 1\nwhile True:\n    try: sorted([1, 2, 3], key=key)\n    except: mark()",
    ),
    (
        "eq_hash",
        "class K:\n    def __hash__(s): return 1\n    def __eq__(s, o):\n        try:\n            while True: pass\n        finally:\n            mark()\n            return True\nwhile True:\n    try:\n        d = {K(): 1, K(): 2}\n        {K()} | {K()}\n        [K()].index(K())\n    except: mark()",
    ),
    (
        "hash",
        "class K:\n    def __hash__(s):\n        while True: pass\nwhile True:\n    try: {K(): 1}\n    except: mark()",
    ),
    (
        "async",
        "class AIT:\n    def __aiter__(s): return s\n    async def __anext__(s): return 1\nasync def m():\n    while True:\n        try:\n            async for x in AIT(): pass\n        except: mark()\n        finally: mark()\nm().send(None)",
    ),
    (
        "async_with",
        "class ACM:\n    async def __aenter__(s): return s\n    async def __aexit__(s, *a):\n        mark()\n        return True\nasync def m():\n    while True:\n        async with ACM():\n            while True: pass\n        mark()\nm().send(None)",
    ),
    (
        "class_body",
        "while True:\n    try:\n        class X:\n            while True: pass\n    except: mark()\n    mark()",
    ),
    (
        "init_subclass",
        "class B:\n    def __init_subclass__(cls):\n        while True: pass\nwhile True:\n    try:\n        class C(B): pass\n    except: mark()",
    ),
    (
        "comprehension_condition",
        "def forever():\n    while True: pass\nwhile True:\n    try:\n        try: [x for x in range(3) if forever()]\n        except: mark()\n    except: mark()",
    ),
    (
        "comprehension_itself",
        "def f():\n    while True:\n        try: [x for x in iter(int, 1)]\n        except: mark()\n        finally: mark()\nf()",
    ),
    (
        "comprehension_nested",
        "def f():\n    try:\n        return [[y for y in iter(int, 1)] for x in range(9)]\n    except: mark()\n    return [mark() for x in range(3)]\nwhile True: f()",
    ),
    ("generator_expression", "while True:\n    try: any(x for x in iter(int, 1))\n    except: mark()"),
    (
        "decorator",
        "def d(f):\n    while True: pass\nwhile True:\n    try:\n        @d\n        def f(): pass\n    except: mark()",
    ),
    ("recursion", "def f():\n    try: f()\n    except: pass\n    f()\nf()\nmark()"),
    (
        "match",
        "class K:\n    @property\n    def x(s):\n        while True: pass\nwhile True:\n    try:\n        match K():\n            case K(x=1): mark()\n            case _: mark()\n    except: mark()",
    ),
    (
        "iter_next",
        "class I:\n    def __iter__(s): return s\n    def __next__(s):\n        try:\n            while True: pass\n        finally:\n            mark()\n            return 1\nwhile True:\n    try:\n        list(I())\n    except: mark()\n    for x in I(): mark()",
    ),
    (
        "bool",
        "class B:\n    def __bool__(s):\n        while True: pass\nwhile True:\n    try:\n        if B(): mark()\n        not B()\n    except: mark()",
    ),
    (
        "format",
        "class F:\n    def __format__(s, spec):\n        while True: pass\nwhile True:\n    try: f'{F()}'\n    except: mark()",
    ),
    (
        "descriptor",
        "class D:\n    def __get__(s, o, t):\n        while True: pass\nclass C:\n    d = D()\nwhile True:\n    try: C().d\n    except: mark()",
    ),
    ("map", "def f(x):\n    while True: pass\nwhile True:\n    try: list(map(f, [1, 2]))\n    except: mark()"),
    (
        "two_generators",
        "def a():\n    while True: yield 1\ndef b(g):\n    try:\n        for x in g: yield x\n    finally: mark()\nfor x in b(b(a())): pass",
    ),
];

#[test]
fn nothing_runs_after_the_trip() {
    on_vm(|vm| {
        for (name, source) in ENDLESS {
            for options in [OPTIONS, UNSUNK, BY_LINE] {
                let code = instrumented(vm, source, &options);
                // Trips at many places: the limit is varied.
                for limit in [100, 101, 103, 107, 500, 1009, 5003, 8191, 8192, 8193] {
                    MARKS.set(0);
                    let (outcome, usage, trip) = metered(vm, code.clone(), limit);
                    assert_eq!(trip, Some(Trip::Limit(Limit::Instructions)), "{name} at {limit}: {outcome:?}");
                    assert_eq!(MARKS.get(), 0, "{name} ran on after the trip at {limit}");
                    assert!(outcome.result.is_err(), "{name} ended well at {limit}");
                    assert!(usage.instructions <= limit + 300, "{name} at {limit}: {} used", usage.instructions);
                }
            }
        }
    });
}

/// No loop at all, and yet long: straight code is cut into blocks, so it stops before its end.
#[test]
fn straight_code_stops_in_the_midst() {
    on_vm(|vm| {
        let source = format!("{}mark()\n", "x = 1\n".repeat(2000));
        let (_, usage, trip) = metered(vm, instrumented(vm, &source, &OPTIONS), 1000);
        assert_eq!(trip, Some(Trip::Limit(Limit::Instructions)));
        assert!(usage.instructions < 1000 + 2 * MAX_BLOCK as u64, "{usage:?}");
    });
}

/// Where the VM itself swallows what a finaliser raises, the block that was running goes on to its end, and no further:
/// not into a function, not around a loop.
#[test]
fn after_a_trip_in_a_finaliser_at_most_the_block_goes_on() {
    const PROGRAMS: &[(&str, u64)] = &[
        ("class D:\n    def __del__(s):\n        while True: pass\nwhile True:\n    D()\n    mark()", 1),
        ("class D:\n    def __del__(s):\n        while True: pass\ndef f(): mark()\nwhile True:\n    D()\n    f()", 0),
        (
            "def g():\n    try: yield 1\n    finally:\n        while True: pass\nwhile True:\n    h = g()\n    next(h)\n    h = None\n    for x in (1, 2): mark()",
            0,
        ),
    ];
    on_vm(|vm| {
        for (source, most) in PROGRAMS {
            let code = instrumented(vm, source, &OPTIONS);
            for limit in [500, 1009, 5003] {
                MARKS.set(0);
                let (outcome, _, trip) = metered(vm, code.clone(), limit);
                assert_eq!(trip, Some(Trip::Limit(Limit::Instructions)));
                assert!(outcome.result.is_err());
                assert!(MARKS.get() <= *most, "{source}: {} marks", MARKS.get());
            }
        }
    });
}
