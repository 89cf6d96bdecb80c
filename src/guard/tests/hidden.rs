//! What is not there any more, for anyone: the names behind the checks, and the interpreter around the sandbox.

use crate::budget::Limit;
use crate::guard::facade::ModuleFacade;
use crate::guard::testing::{globals, run_all, run_in, run_script, with_interpreter};
use crate::meter::run::Trip;
use rustpython_vm::{AsObject, PyPayload};

/// The names that lead out, on an object of each kind that had them: also past the checks on names, there is nothing.
#[test]
fn the_ways_out_are_gone_from_the_types() {
    const GONE: &[(&str, &str)] = &[
        ("def f(): pass\nx = f", "__globals__ __builtins__ __code__ __closure__ __defaults__ __kwdefaults__"),
        ("x = len", "__self__ __text_signature__"),
        ("x = [].append", "__self__"),
        ("class A:\n    def m(self): pass\nx = A().m", "__self__ __func__ __globals__ __code__"),
        ("def g(): yield\nx = g()", "gi_frame gi_code gi_running gi_yieldfrom gi_suspended"),
        ("async def f(): pass\nx = f()", "cr_frame cr_code cr_await cr_origin cr_running"),
        ("async def f(): yield\nx = f()", "ag_frame ag_code ag_await ag_running"),
        ("try: 1 / 0\nexcept Exception as e: x = e", "__traceback__ __context__ __cause__ with_traceback __setstate__"),
        ("try: len.y\nexcept Exception as e: x = e", "obj"),
        ("x = property(len)", "fget fset fdel"),
        ("x = classmethod(len)", "__func__ __wrapped__"),
        ("x = staticmethod(len)", "__func__ __wrapped__"),
        ("class A:\n    def f(self): return super()\nx = A().f()", "__self__ __thisclass__ __self_class__"),
        (
            "class W:\n    def __enter__(self): pass\n    def __exit__(self, k, e, t):\n        global x\n        x = t\n        return True\nwith W(): 1 / 0",
            "tb_frame tb_next tb_lineno tb_lasti",
        ),
        ("x = iter([])", "__setstate__ __length_hint__.__self__"),
        ("x = str.upper", "__objclass__ __text_signature__"),
    ];
    with_interpreter(|vm| {
        for (script, names) in GONE {
            let globals = globals(None, vm);
            let outcome = run_in(globals.clone(), script, vm);
            assert_eq!(outcome.error, None, "{script}");
            let object = globals.get_item("x", vm).expect("the script sets x");
            for name in names.split(' ') {
                let found =
                    name.split('.').try_fold(object.clone(), |from, name| from.get_attr(vm.ctx.intern_str(name), vm));
                assert!(found.is_err(), "{name} of {script}");
            }
        }
    });
}

/// `object` names no subclass, not even to those who can ask.
#[test]
fn subclasses_are_not_told() {
    with_interpreter(|vm| {
        let found = vm.call_method(vm.ctx.types.object_type.as_object(), "__subclasses__", ()).expect("answers");
        assert_eq!(found.length(vm).expect("is a list"), 0);
    });
}

#[test]
fn pickling_is_refused() {
    with_interpreter(|vm| {
        for name in ["__reduce__", "__reduce_ex__"] {
            let error = vm.call_method(vm.ctx.new_list(Vec::new()).as_object(), name, (2,)).expect_err("refuses");
            assert!(error.class().is(vm.ctx.exceptions.type_error));
        }
    });
}

/// Nothing of the host is left in `sys`, and every stream leads nowhere.
#[test]
fn sys_tells_nothing_about_the_host() {
    with_interpreter(|vm| {
        for name in ["argv", "orig_argv", "path", "executable", "flags", "meta_path", "prefix"] {
            let value = vm.sys_module.get_attr(vm.ctx.intern_str(name), vm).expect("is there");
            assert_eq!(value.length(vm).expect("has a length"), 0, "sys.{name}");
        }
        let modules = vm.sys_module.get_attr("modules", vm).expect("is there");
        assert_eq!(modules.length(vm).expect("has a length"), 2);
        for name in ["stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"] {
            let stream = vm.sys_module.get_attr(vm.ctx.intern_str(name), vm).expect("is there");
            assert_eq!(&*stream.class().name(), "null_stream");
        }
        assert!(vm.import("os", 0).is_err());
        assert!(vm.import("_io", 0).is_err());
        assert!(!vm.state.gc.is_enabled());
    });
}

/// What the interpreter reports when nobody handles it must neither panic nor be seen.
#[test]
fn errors_that_nobody_handles_are_dropped() {
    let outcomes = run_all(vec![
        "def g():\n    try: yield\n    finally: raise ValueError('lost')\nfor i in range(3):\n    x = g()\n    next(x)\ndel x\nprint('on')".into(),
        "def g():\n    try: yield\n    finally: raise ValueError('lost')\nclass A:\n    def __init__(self):\n        self.g = g()\n        next(self.g)\n    def __len__(self):\n        del self.g\n        return 1\nprint(len(A()), sorted([A(), A()], key=len) != 1)".into(),
        "async def f(): pass\nf()\nprint('on')".into(),
        "def g():\n    try: yield\n    except: yield\nx = g()\nnext(x)\ndel x\nprint('on')".into(),
    ]);
    for outcome in outcomes {
        assert_eq!(outcome.error, None);
        assert!(!outcome.output.is_empty());
    }
}

/// Warnings are silent, and cost a sandbox's globals nothing that a script could trip over.
#[test]
fn warnings_are_silent() {
    with_interpreter(|vm| {
        let globals = globals(None, vm);
        let outcome = run_in(
            globals,
            "print(~True)\ndef g(): yield\nx = g()\nnext(x)\ntry: x.throw(ValueError, 1)\nexcept ValueError as e: print(e)",
            vm,
        );
        assert_eq!(outcome.error, None);
        assert_eq!(outcome.output, "-2\n1\n");
    });
}

#[test]
fn a_facade_gives_its_names_and_nothing_else() {
    with_interpreter(|vm| {
        let members = vm.ctx.new_dict();
        members.set_item("pi", vm.ctx.new_int(3).into(), vm).expect("sets");
        members.set_item("_private", vm.ctx.new_int(4).into(), vm).expect("sets");
        let inner = vm.ctx.new_dict();
        inner.set_item("deep", vm.ctx.new_int(5).into(), vm).expect("sets");
        let inner = ModuleFacade::new("maths.inner", inner, vm);
        members.set_item("inner", inner.clone().into(), vm).expect("sets");
        let granted = vm.ctx.new_dict();
        granted.set_item("maths", ModuleFacade::new("maths", members, vm).into(), vm).expect("sets");
        granted.set_item("maths.inner", inner.into(), vm).expect("sets");
        // A module of the interpreter whose name a facade's submodule would have.
        let modules = vm.sys_module.get_attr("modules", vm).expect("is there");
        modules.set_item("maths.hidden", vm.ctx.new_str("real").into(), vm).expect("sets");
        for (script, expected) in [
            ("import maths\nprint(maths.pi, maths)", "3 <module 'maths'>"),
            ("import maths as m\nprint(m.pi)", "3"),
            ("from maths import pi as p\nprint(p)", "3"),
            ("import maths.inner\nprint(maths.inner.deep)", "5"),
            ("import maths.inner as i\nprint(i.deep)", "5"),
            ("from maths.inner import deep\nprint(deep)", "5"),
            ("from maths import inner\nprint(inner.deep)", "5"),
            (
                "import maths\nprint(hasattr(maths, 'nothing'), hasattr(maths, '_private'), getattr(maths, 'pi'))",
                "False False 3",
            ),
            ("import maths\nprint('{0.pi}'.format(maths))", "3"),
        ] {
            let outcome = run_in(globals(Some(granted.copy().into_ref(&vm.ctx)), vm), script, vm);
            assert_eq!((outcome.output.trim_end(), outcome.error), (expected, None), "{script}");
        }
        for (script, kind) in [
            ("import maths\nmaths.pi = 4", "AttributeError"),
            ("import maths\ndel maths.pi", "AttributeError"),
            ("import maths\nsetattr(maths, 'x', 4)", "AttributeError"),
            ("import maths\nmaths.__dict__", "AttributeError"),
            ("import maths\nmaths.__name__", "AttributeError"),
            ("import maths\nmaths.__class__", "AttributeError"),
            ("from maths import hidden", "ImportError"),
            ("from maths import nothing", "ImportError"),
            ("import maths\ntype(maths)", "TypeError"),
            ("import maths.nothing", "ModuleNotFoundError"),
        ] {
            let outcome = run_in(globals(Some(granted.copy().into_ref(&vm.ctx)), vm), script, vm);
            assert_eq!(outcome.error.map(|(kind, _)| kind).as_deref(), Some(kind), "{script}");
        }
    });
}

/// Sandboxes on one interpreter share no builtins dict, no globals, and no class.
#[test]
fn sandboxes_see_nothing_of_each_other() {
    with_interpreter(|vm| {
        let first = globals(None, vm);
        assert_eq!(run_in(first.clone(), "x = 1\nclass A: shared = 1\nlen = 2\nprint = 3", vm).error, None);
        let second = run_script("print(len([1]), hasattr(object, 'shared'))\nx", vm);
        assert_eq!(second.output, "1 False\n");
        assert_eq!(second.error.map(|(kind, _)| kind).as_deref(), Some("NameError"));
        let (a, b) = (first.get_item("__builtins__", vm), globals(None, vm).get_item("__builtins__", vm));
        assert!(!a.expect("is there").is(&b.expect("is there")));
    });
}

#[test]
fn output_past_the_limit_stops_the_run() {
    with_interpreter(|vm| {
        let outcome = run_script("for i in range(10000):\n    print('x' * 99)", vm);
        assert_eq!(outcome.trip, Some(Trip::Limit(Limit::Output)));
        assert_eq!(outcome.output.len(), 4096);
        assert_eq!(outcome.usage.output_bytes, 4096);
        let outcome = run_script("try: print('é' * 5000)\nexcept Exception: print('handled')", vm);
        assert_eq!(outcome.trip, Some(Trip::Limit(Limit::Output)));
        assert_eq!(outcome.output, "é".repeat(2048));
    });
}

/// A tuple of tuples that doubles at each level is charged as it is walked.
#[test]
fn nested_tuples_of_classes_are_charged() {
    with_interpreter(|vm| {
        for call in ["isinstance(1, t)", "issubclass(int, t)"] {
            let outcome = run_script(&format!("t = (str,)\nfor i in range(60): t = (t, t)\n{call}"), vm);
            assert_eq!(outcome.trip, Some(Trip::Limit(Limit::Instructions)), "{call} {:?}", outcome.error);
        }
    });
}

/// No text that a script can make holds an address.
#[test]
fn no_address_is_shown() {
    let outcome = run_all(vec![
        "class A:\n    def m(self): pass\n    @property\n    def p(self): pass\ndef f(): yield\nasync def c(): pass\nasync def a(): yield\nk = c()\nthings = [A(), A().m, A.p, f, f(), k, a(), len, [].append, object(), iter([]), iter({}), zip(), map(len, []), enumerate([]), iter(len, 1), super(A, A()), classmethod(f), staticmethod(f), property(f), str.upper, int.real, A, type, a().asend(None), iter('a'), {}.keys().mapping, reversed([1]), range(2), slice(1), dict.fromkeys, anext(a(), 1), list[A], A | int]\nclass W:\n    def __enter__(self): pass\n    def __exit__(self, k, e, t):\n        things.append(t)\n        return True\nwith W(): 1 / 0\nfor t in things: print(repr(t), str(t), f'{t}', ascii(t), '%r' % (t,))\nk.close()".into(),
    ]);
    assert_eq!(outcome[0].error, None);
    assert!(!outcome[0].output.contains("0x"), "{}", outcome[0].output);
    assert!(outcome[0].output.lines().count() > 30);
}

/// Names that are made at run time and set on a class stay with the process: there is an end to them.
#[test]
fn names_made_at_run_time_are_limited_on_classes() {
    let outcome = run_all(vec![
        "class A: pass\nfor i in range(1_900): setattr(A, 'only_here_' + str(i), 1)\nprint('many')".into(),
        "class A: pass\nfor i in range(1_900): setattr(A, 'only_there_' + str(i), 1)\nprint('more')".into(),
        "class A: pass\na = A()\nfor i in range(1_900): setattr(a, 'on_an_instance_' + str(i), 1)\nprint('fine')"
            .into(),
        "class A: pass\nsetattr(A, 'literal', 1)\nprint(A.literal)".into(),
    ]);
    assert_eq!(outcome[0].output, "many\n");
    assert_eq!(outcome[1].error.as_ref().map(|(kind, _)| kind.as_str()), Some("TypeError"));
    assert_eq!(outcome[2].output, "fine\n");
    assert_eq!(outcome[3].output, "1\n");
}
