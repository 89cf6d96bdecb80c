//! Guards: what an instruction may name, whatever the validator let through.

use super::{NamePolicy, OPTIONS, Options, Outcome, execute, instrumented, on_vm};
use crate::meter::fuel;
use rustpython_vm::builtins::{PyInt, PyStr};
use rustpython_vm::{PyObject, PyResult, VirtualMachine};

/// A policy of the usual kind, and no more than these tests need.
const STRICT: NamePolicy = NamePolicy {
    attribute: |name| !name.starts_with('_') && !["gi_frame", "mro", "tb_frame"].contains(&name),
    special_on_super: |name| name == "__init__",
    definable_special: |name| ["__init__", "__len__", "__enter__", "__exit__"].contains(&name),
    reference: |name| !name.starts_with("__"),
};

const GUARDED: Options = Options::new(STRICT);

fn run(vm: &VirtualMachine, source: &str, options: &Options) -> Outcome {
    execute(vm, instrumented(vm, source, options))
}

/// The class of the exception, its message and its line.
fn refusal(vm: &VirtualMachine, source: &str) -> (String, String, usize) {
    match run(vm, source, &GUARDED).result {
        Ok(value) => panic!("it ran and gave {value:?}:\n{source}"),
        Err(raised) => (raised.class, raised.message, raised.traceback.last().map_or(0, |(line, _)| *line)),
    }
}

#[test]
fn forbidden_names_raise_where_they_stand() {
    const REFUSED: &[(&str, &str, &str, usize)] = &[
        ("x = 1\n().__class__", "AttributeError", "__class__", 2),
        ("f = len.__self__", "AttributeError", "__self__", 1),
        ("def f(): pass\nf.__globals__", "AttributeError", "__globals__", 2),
        ("(lambda: 0).__code__", "AttributeError", "__code__", 1),
        ("x = ''\n\nx.__class__ = 1", "AttributeError", "__class__", 3),
        ("x = ''\ndel x.__class__", "AttributeError", "__class__", 2),
        ("x = ''\nx.__len__()", "AttributeError", "__len__", 2),
        ("x = (i for i in ())\nx.gi_frame", "AttributeError", "gi_frame", 2),
        ("int.mro()", "AttributeError", "mro", 1),
        ("x = 1\nx.__dict__ += 1", "AttributeError", "__dict__", 2),
        ("for ().__class__ in (1,): pass", "AttributeError", "__class__", 1),
        ("[().__class__ for x in (1,)]", "AttributeError", "__class__", 1),
        ("f'{().__class__}'", "AttributeError", "__class__", 1),
        ("class A:\n    def f(self): return super().__class__\nA().f()", "AttributeError", "__class__", 2),
        (
            "class A:\n    def f(self): return super().__getattribute__('f')\nA().f()",
            "AttributeError",
            "__getattribute__",
            2,
        ),
        ("match 1:\n    case object(__class__=c): pass", "AttributeError", "__class__", 2),
        ("match 1:\n    case object(real=r, __class__=c): pass", "AttributeError", "__class__", 2),
        ("import os.__init__", "ImportError", "os.__init__", 1),
        ("import _thread", "ImportError", "_thread", 1),
        ("from sys import __stdout__", "ImportError", "__stdout__", 1),
        ("from sys import *", "ImportError", "*", 1),
        ("print(__builtins__)", "NameError", "__builtins__", 1),
        ("def f(): return __import__\nf()", "NameError", "__import__", 1),
        ("__builtins__ = {}", "NameError", "__builtins__", 1),
        ("global __builtins__\n__builtins__ = {}", "NameError", "__builtins__", 2),
        ("def f():\n    global __builtins__\n    __builtins__ = {}\nf()", "NameError", "__builtins__", 3),
        ("class A:\n    global __builtins__\n    __builtins__ = {}", "NameError", "__builtins__", 3),
        ("import sys as __builtins__", "NameError", "__builtins__", 1),
        ("for __builtins__ in (1,): pass", "NameError", "__builtins__", 1),
        (
            "class C:\n    def __enter__(s): return s\n    def __exit__(s, *a): pass\nwith C() as __builtins__: pass",
            "NameError",
            "__builtins__",
            4,
        ),
        ("(__builtins__ := 1)", "NameError", "__builtins__", 1),
        ("def __build_class__(*a): pass", "NameError", "__build_class__", 1),
        ("del __name__", "NameError", "__name__", 1),
        ("__name__ = 'x'", "NameError", "__name__", 1),
        ("class A:\n    __match_args__ = ('__class__',)", "NameError", "__match_args__", 2),
        ("class A:\n    for __match_args__ in [('__class__',)]: pass", "NameError", "__match_args__", 2),
        ("class A:\n    __match_args__: tuple = ('__class__',)", "NameError", "__match_args__", 2),
        ("class A:\n    def __del__(self): pass", "NameError", "__del__", 2),
        ("class A:\n    @staticmethod\n    def __class_getitem__(k): pass", "NameError", "__class_getitem__", 3),
        ("class A:\n    __getattribute__ = lambda s, n: 1", "NameError", "__getattribute__", 2),
        ("class A:\n    __qualname__ = 1 + len('a')", "NameError", "__qualname__", 2),
        ("class A:\n    __classcell__ = len('a')", "NameError", "__classcell__", 2),
        ("class A:\n    del __module__", "NameError", "__module__", 2),
        (
            "def f():\n    class A:\n        nonlocal __class__\n        __class__ = 1\n    def g(): return __class__\n    __class__ = 2\nf()",
            "NameError",
            "__class__",
            4,
        ),
        // The VM adds to this set without looking at its type.
        ("__conditional_annotations__ = 5\nif True:\n    x: int = 1", "NameError", "__conditional_annotations__", 1),
        (
            "class A:\n    __conditional_annotations__ = 5\n    if True:\n        x: int = 1",
            "NameError",
            "__conditional_annotations__",
            2,
        ),
        (
            "class A:\n    def f():\n        nonlocal __conditional_annotations__\n        __conditional_annotations__ = 5\n    f()\n    if True:\n        x: int = 1",
            "NameError",
            "__conditional_annotations__",
            4,
        ),
        (
            "def f():\n    global __conditional_annotations__\n    __conditional_annotations__ = 5\nf()\nif f:\n    x: int = 1",
            "NameError",
            "__conditional_annotations__",
            1,
        ),
        ("class P: pass\nmatch P():\n    case P(x): pass", "TypeError", "positional", 3),
        ("match 1:\n    case type(x): pass\n    case object(x): pass", "TypeError", "positional", 2),
        // Where the compiler sees that it is another super, it is an attribute like any.
        (
            "def super(): return ()\nclass A:\n    def f(self): return super().__init__\nA().f()",
            "AttributeError",
            "__init__",
            3,
        ),
        ("def f[T](x: T): pass", "TypeError", "type parameter", 1),
        ("def f[T: int](x: T): pass", "TypeError", "type parameter", 1),
        ("class C[T]: pass", "TypeError", "type parameter", 1),
        ("type X = int", "TypeError", "type parameter", 1),
        ("t'{1}'", "TypeError", "template", 1),
        ("try:\n    raise ValueError\nexcept* ValueError: pass", "TypeError", "except*", 3),
    ];
    on_vm(|vm| {
        for (source, class, name, line) in REFUSED {
            let (got, message, at) = refusal(vm, source);
            assert_eq!((got.as_str(), at), (*class, *line), "{source}\n{message}");
            assert!(message.contains(name), "{source}\n{message}");
        }
    });
}

/// Where the compiler takes it for the builtin, what is there at run time is looked at.
#[test]
fn special_methods_need_the_real_super() {
    on_vm(|vm| {
        for source in
            ["super().__init__", "super().__init__()", "super(A, self).__init__", "super(A, self).__init__(1)"]
        {
            let source = format!("class A:\n    def f(self): return {source}\nR = A().f()");
            let code = instrumented(vm, &source, &GUARDED);
            assert!(execute(vm, code.clone()).result.is_ok() || source.contains("(1)"), "{source}");
            let scope = vm.new_scope_with_builtins();
            scope.globals.set_item("super", vm.ctx.types.tuple_type.to_owned().into(), vm).unwrap();
            let raised = super::raised(
                &fuel::metered(super::run(super::PLENTY), || vm.run_code_obj(code, scope)).result.unwrap_err(),
                vm,
            );
            assert_eq!(raised.class, "TypeError", "{source}");
            assert!(raised.message.contains("builtin super()"), "{raised:?}");
        }
    });
}

#[test]
fn the_compiler_may_name_what_it_needs() {
    const FINE: &[&str] = &[
        "'doc'\nclass A:\n    'doc'\n    x: int\n    def __init__(self, x: int = 1) -> None:\n        'doc'\n        self.x = x\n    def __len__(self): return 3\n    class B:\n        y = 1\nR = len(A(2)) + A(2).x",
        "class A:\n    def __init__(self): self.x = 1\nclass B(A):\n    def __init__(self):\n        super().__init__()\n        self.y = super(B, self)\nR = B().x",
        "class C:\n    def f(self): return __class__\nR = C().f() is C",
        "x: int = 1\nif x:\n    y: 'str' = 'a'\nclass C:\n    if True:\n        z: int = 2\n    w: 'C' = None\nR = C.z",
        "def f(n):\n    class C:\n        m = n\n        def g(self): return n\n        k = [n for _ in range(2)]\n    return C\nR = f(3)().g() + f(2).m",
        "from sys import maxsize\nR = maxsize > 1",
        "def m(v):\n    match v:\n        case int(x): return x\n        case str(x) | bytes(x): return x\n        case list([a, *_]): return a\n        case complex(real=r): return r\nR = [m(1), m('a'), m(b'b'), m([2, 3]), m(1j)]",
        "class P:\n    def __init__(self, a): self.a = a\nmatch P(3):\n    case P(a=q): R = q",
        "class S(str): pass\nmatch S('a'):\n    case str(x): R = x",
        "async def f(): return [x async for x in g()]\nasync def g():\n    yield 1\ntry: f().send(None)\nexcept StopIteration as e: R = e.value",
        "class A:\n    _p = 1\n    def _q(self): pass\n_r = 2\nR = _r",
        "R = 0\nclass C:\n    def __enter__(s): return s\n    def __exit__(s, *a): return True\nwith C(): R = 1",
        "def outer():\n    x = 0\n    def inner():\n        nonlocal x\n        x += 1\n        del x\n    inner()\n    return 1\nR = outer()",
        "import sys as s\nR = s.maxsize > 1",
    ];
    on_vm(|vm| {
        for source in FINE {
            let bare = execute(vm, super::compile(vm, source));
            assert!(bare.result.is_ok(), "{source}\n{bare:?}");
            assert_eq!(run(vm, source, &GUARDED), bare, "{source}");
        }
    });
}

#[test]
fn guards_can_be_left_out() {
    on_vm(|vm| {
        let source = "R = ().__class__.__name__";
        assert!(run(vm, source, &GUARDED).result.is_err());
        let open = Options { guard_attributes: false, ..GUARDED };
        assert_eq!(run(vm, source, &open).result, Ok(Some("'tuple'".to_owned())));
    });
}

/// What is denied may be caught as any exception, and the rest of the script goes on.
#[test]
fn a_denial_is_an_ordinary_exception() {
    on_vm(|vm| {
        let source = "try:\n    ().__class__\nexcept AttributeError as e:\n    R = str(e)\nelse:\n    R = 'reached'";
        let outcome = run(vm, source, &GUARDED);
        assert_eq!(outcome.result, Ok(Some("\"'__class__' is not available in pycage\"".to_owned())));
    });
}

#[test]
fn results_are_checked_before_the_script_gets_them() {
    fn check(result: &PyObject, vm: &VirtualMachine) -> PyResult<()> {
        let int = result.downcast_ref::<PyInt>().map(|int| int.as_bigint().bits());
        let text = result.downcast_ref::<PyStr>().map(|text| text.byte_len() as u64);
        if int.or(text).is_some_and(|size| size > 1000) { Err(vm.new_overflow_error("too large")) } else { Ok(()) }
    }
    let options = Options { result_check: Some(check), ..OPTIONS };
    on_vm(move |vm| {
        for source in [
            "x = 3\nfor i in range(100): x *= x",
            "def f(x, y):\n    while True: x *= y\nf(1, 7)",
            "def f(s):\n    while True: s += s\nf('ab')",
        ] {
            let raised = run(vm, source, &options).result.unwrap_err();
            assert_eq!(raised.class, "OverflowError", "{source}");
        }
        // A small constant is let go, on either side.
        for source in ["x = 1\nfor i in range(999): x = x * 7", "x = 1\nfor i in range(999): x = 7 * x"] {
            assert!(run(vm, source, &options).result.is_ok(), "{source}");
        }
        // Below the limit nothing changes, for operands of any type.
        for source in [
            "R = [i * 3 + i - 1 for i in range(50)] + ['a' * 3 + 'b', 2.5 * 2, [1] * 2 + [2], True * 7]",
            "R = 2 ** 5000 - 1 > 0",
            "R = 0\nfor i in range(50): R += i * 2",
            "def f(s, n):\n    t = 0\n    for i in range(n):\n        s += 'ab'\n        t += i\n    return s, t\nR = f('', 40)",
            "def f(a, b):\n    c = a\n    a += b\n    return c is a, a\nR = f([1], [2]), f((1,), (2,)), f(1, 2.5), f('a', 'b')",
            "def f():\n    a = 0\n    a += 1.5\n    a = [1]\n    b = a\n    a += [2]\n    return a is b, a\nR = f()",
        ] {
            assert_eq!(run(vm, source, &options), execute(vm, super::compile(vm, source)), "{source}");
        }
        // No class of a script has the slot of `@=`: it is `@` and an assignment.
        let source = "class M:\n    def __matmul__(s, o): return ('matmul', o)\na = M()\na @= 5\nR = a";
        assert_eq!(run(vm, source, &options).result, Ok(Some("('matmul', 5)".to_owned())));
    });
}
