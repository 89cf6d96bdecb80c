//! Ways out that others' sandboxes left open, on the run ring alone and by names that only exist at run time.
//!
//! Every script looks for the canary in the interpreter's own builtins module, and must end as the table says.

use crate::guard::testing::{CANARY, Outcome, run_all};
use Ends::{Prints, Raises};

/// How a script must end.
enum Ends {
    /// With this exception.
    Raises(&'static str),
    /// Without one, having printed this.
    Prints(&'static str),
}

struct Escape {
    name: &'static str,
    script: &'static str,
    ends: Ends,
}

const fn escape(name: &'static str, script: &'static str, ends: Ends) -> Escape {
    Escape { name, script, ends }
}

const ATTRIBUTES: &[Escape] = &[
    escape(
        "builtin_self",
        "m = getattr(len, '__self__')\nprint(getattr(m, '_canary_secret'))",
        Raises("AttributeError"),
    ),
    escape("builtin_self_of_print", "print(getattr(print, '__self__')._canary_secret)", Raises("AttributeError")),
    escape("subclasses", "print(getattr(getattr((), '__class__'), '__base__'))", Raises("AttributeError")),
    escape("method_subclasses", "print(getattr(object, '__subclasses__')())", Raises("AttributeError")),
    escape("function_globals", "def f(): pass\nprint(getattr(f, '__globals__'))", Raises("AttributeError")),
    escape("function_builtins", "def f(): pass\nprint(getattr(f, '__builtins__'))", Raises("AttributeError")),
    escape("function_code", "def f(): pass\nprint(getattr(f, '__code__'))", Raises("AttributeError")),
    escape(
        "function_code_replaced",
        "def f(): pass\ndef g(): return 1\nsetattr(f, '__code__', 1)",
        Raises("AttributeError"),
    ),
    escape(
        "function_closure",
        "def f():\n    x = 1\n    return lambda: x\nprint(getattr(f(), '__closure__'))",
        Raises("AttributeError"),
    ),
    escape("function_defaults", "def f(a=1): pass\nsetattr(f, '__defaults__', (2,))", Raises("AttributeError")),
    escape("lambda_code", "print(getattr(lambda: 0, '__code__'))", Raises("AttributeError")),
    escape("method_self", "print(getattr([].append, '__self__'))", Raises("AttributeError")),
    escape(
        "method_func",
        "class A:\n    def m(self): pass\nprint(getattr(A().m, '__func__'))",
        Raises("AttributeError"),
    ),
    escape(
        "method_forwards_to_function",
        "class A:\n    def m(self): pass\nprint(getattr(A().m, '__globals__'))",
        Raises("AttributeError"),
    ),
    escape("generator_frame", "def g(): yield\nx = g()\nprint(getattr(x, 'gi_frame'))", Raises("AttributeError")),
    escape("generator_code", "def g(): yield\nprint(getattr(g(), 'gi_code'))", Raises("AttributeError")),
    escape(
        "generator_yieldfrom",
        "def g(): yield from [1]\nx = g()\nnext(x)\nprint(getattr(x, 'gi_yieldfrom'))",
        Raises("AttributeError"),
    ),
    escape("coroutine_frame", "async def f(): pass\nprint(getattr(f(), 'cr_frame'))", Raises("AttributeError")),
    escape("async_generator_frame", "async def f(): yield\nprint(getattr(f(), 'ag_frame'))", Raises("AttributeError")),
    escape(
        "exception_traceback",
        "try: 1 / 0\nexcept Exception as e: print(getattr(e, '__traceback__'))",
        Raises("AttributeError"),
    ),
    escape(
        "exception_context",
        "try:\n    try: 1 / 0\n    finally: missing\nexcept NameError as e: print(getattr(e, '__context__'))",
        Raises("AttributeError"),
    ),
    escape(
        "exception_cause",
        "try: raise ValueError from KeyError()\nexcept ValueError as e: print(getattr(e, '__cause__'))",
        Raises("AttributeError"),
    ),
    escape(
        "with_traceback",
        "try: 1 / 0\nexcept Exception as e: getattr(e, 'with_traceback')(None)",
        Raises("AttributeError"),
    ),
    escape(
        "property_getter",
        "class A:\n    @property\n    def x(self): pass\nprint(getattr(A.x, 'fget'))",
        Raises("AttributeError"),
    ),
    escape("classmethod_func", "print(getattr(classmethod(len), '__func__'))", Raises("AttributeError")),
    escape("staticmethod_wrapped", "print(getattr(staticmethod(len), '__wrapped__'))", Raises("AttributeError")),
    escape("class_mro", "print(getattr(int, 'mro')())", Raises("AttributeError")),
    escape("class_dict", "class A: pass\nprint(getattr(A, '__dict__'))", Raises("AttributeError")),
    escape("instance_dict", "class A: pass\nprint(getattr(A(), '__dict__'))", Raises("AttributeError")),
    escape(
        "class_init_globals",
        "class A:\n    def __init__(self): pass\nprint(getattr(A, '__init__'))",
        Raises("AttributeError"),
    ),
    escape("reduce", "print(getattr(object(), '__reduce_ex__')(2))", Raises("AttributeError")),
    escape("super_reduce", "class A: pass\nprint(getattr(super(A, A()), '__reduce__'))", Raises("AttributeError")),
    escape(
        "super_self",
        "class A:\n    def f(self): return getattr(super(), '__self__')\nprint(A().f())",
        Raises("AttributeError"),
    ),
    escape("type_parameters", "print(getattr(list[int], '__origin__'))", Raises("AttributeError")),
    escape("union_arguments", "print(getattr(int | str, '__args__'))", Raises("AttributeError")),
    escape(
        "hasattr_says_no",
        "print(hasattr(len, '__self__'), hasattr((), '__class__'), hasattr(1, 'mro'), hasattr(1, ''))",
        Prints("False False False False"),
    ),
    escape(
        "default_instead",
        "print(getattr(len, '__self__', 'none'), getattr((lambda: 0), '__code__', 'none'))",
        Prints("none none"),
    ),
    escape(
        "delattr_special",
        "class A:\n    def __len__(self): return 1\ndelattr(A, '__len__')",
        Raises("AttributeError"),
    ),
    escape(
        "setattr_class",
        "class A: pass\nclass B: pass\na = A()\nsetattr(a, '__class__', B)",
        Raises("AttributeError"),
    ),
    escape(
        "setattr_del",
        "class A: pass\nsetattr(A, '__del__', lambda s: print('finaliser'))",
        Raises("AttributeError"),
    ),
    escape(
        "setattr_match_args",
        "class A: pass\nsetattr(A, '__match_args__', ('__class__',))",
        Raises("AttributeError"),
    ),
    escape("setattr_on_a_builtin_type", "setattr(int, 'x', 1)", Raises("TypeError")),
    escape("setattr_on_none_type", "setattr(type(None), 'x', 1)", Raises("TypeError")),
    escape("setattr_on_a_builtin_function", "setattr(len, 'x', 1)", Raises("AttributeError")),
    escape("setattr_on_the_facade_of_type", "setattr(type, 'x', 1)", Raises("TypeError")),
    escape("setattr_on_an_exception_class", "setattr(ValueError, 'x', 1)", Raises("TypeError")),
    escape("surrogate_name", "print(hasattr(1, '\\ud800'), getattr(1, '\\ud800', 'none'))", Prints("False none")),
    escape("name_of_another_type", "getattr(1, b'x')", Raises("TypeError")),
    escape(
        "name_from_characters",
        "n = chr(95) * 2 + 'class' + chr(95) * 2\nprint(getattr((), n))",
        Raises("AttributeError"),
    ),
    escape("joined_name", "print(getattr((), '_'.join(['', '', 'class', '', ''])))", Raises("AttributeError")),
    escape(
        "wide_underscores",
        "print(hasattr((), '\\uff3f\\uff3fclass\\uff3f\\uff3f'), hasattr((), '\\u203f\\u203fclass__'), hasattr((), '__cl\\u1d43ss__'))",
        Prints("False False False"),
    ),
];

const LYING_STRINGS: &[Escape] = &[
    escape(
        "overridden_startswith",
        "class S(str):\n    def startswith(self, *a): return False\nprint(getattr(len, S('__self__')))",
        Raises("AttributeError"),
    ),
    escape(
        "overridden_everything",
        "class S(str):\n    def __eq__(self, o): return o == 'x'\n    def __hash__(self): return hash('x')\n    def __str__(self): return 'x'\n    def __repr__(self): return 'x'\n    def __getitem__(self, i): return 'x'\n    def __iter__(self): return iter('x')\n    def __len__(self): return 1\n    def encode(self, *a): return b'x'\nprint(getattr(len, S('__self__')))",
        Raises("AttributeError"),
    ),
    escape(
        "subclass_as_name_is_looked_up_by_its_characters",
        "class S(str):\n    def __eq__(self, o): return o == '__globals__'\n    def __hash__(self): return hash('__globals__')\ndef f(): pass\nf.x = 1\nprint(getattr(f, S('x')))",
        Prints("1"),
    ),
    escape(
        "set_through_a_lying_name",
        "class S(str):\n    def __eq__(self, o): return True\n    def __hash__(self): return 0\nclass A: pass\nsetattr(A, S('__del__'), 1)",
        Raises("AttributeError"),
    ),
    escape(
        "format_string_subclass",
        "class S(str):\n    def format(self, *a): return super().format(*a)\n    def __str__(self): return 'x'\nprint(S('{0.__self__}').format(len))",
        Raises("AttributeError"),
    ),
    escape(
        "format_of_the_base_on_a_subclass",
        "class S(str): pass\nprint(str.format(S('{0.__self__._canary_secret}'), len))",
        Raises("AttributeError"),
    ),
];

const FORMATS: &[Escape] = &[
    escape("format_bound", "print('{0.__self__._canary_secret}'.format(len))", Raises("AttributeError")),
    escape("format_class", "print('{0.__class__}'.format(1))", Raises("AttributeError")),
    escape("format_keyword", "print('{f.__globals__}'.format(f=lambda: 0))", Raises("AttributeError")),
    escape("format_after_index", "print('{0[0].__self__}'.format([len]))", Raises("AttributeError")),
    escape("format_unbound", "print(str.format('{0.__self__}', len))", Raises("AttributeError")),
    escape("format_stored", "f = '{0.__self__}'.format\nprint(f(len))", Raises("AttributeError")),
    escape(
        "format_stored_by_getattr",
        "f = getattr('{0.__self__}', 'format')\nprint(f(len))",
        Raises("AttributeError"),
    ),
    escape("format_through_map", "print(list(map('{0.__self__}'.format, [len])))", Raises("AttributeError")),
    escape(
        "format_through_sort_key",
        "print(sorted([len, print], key='{0.__self__}'.format))",
        Raises("AttributeError"),
    ),
    escape("format_nested_spec", "print('{0:{1.__self__}}'.format('x', len))", Raises("AttributeError")),
    escape("format_conversion", "print('{0.__self__!r}'.format(len))", Raises("AttributeError")),
    escape(
        "format_generator",
        "def g(): yield\nprint('{0.gi_frame.f_builtins}'.format(g()))",
        Raises("AttributeError"),
    ),
    escape("format_map_bound", "print('{x.__self__}'.format_map({'x': len}))", Raises("AttributeError")),
    escape("format_map_unbound", "print(str.format_map('{x.__self__}', {'x': len}))", Raises("AttributeError")),
    escape(
        "format_map_with_a_lying_mapping",
        "class S(str): pass\nclass M:\n    def __getitem__(self, key): return len\nprint('{x.__self__}'.format_map(M()))",
        Raises("AttributeError"),
    ),
    escape(
        "format_map_reached_through_super",
        "class S(str):\n    def go(self): return super().format_map({'x': len})\nprint(S('{x.__self__}').go())",
        Raises("AttributeError"),
    ),
    escape("format_index_is_no_attribute", "print('{0[__class__]}'.format({'__class__': 'item'}))", Prints("item")),
    escape("format_name_is_no_attribute", "print('{__class__}'.format(__class__='argument'))", Prints("argument")),
    escape(
        "format_method_is_reached_by_no_other_name",
        "print(hasattr(str, '__format__'), hasattr('', 'format'))",
        Prints("False True"),
    ),
    escape(
        "format_spec_sees_only_text",
        "class A:\n    def __format__(self, spec): return spec\nprint('{0:{1}}'.format(A(), '0.__class__'))",
        Prints("0.__class__"),
    ),
    escape("format_nested_too_deep", "'{:{:{}}}'.format(1, 2, 3)", Raises("ValueError")),
    escape("percent_reads_items_only", "print('%(__class__)s' % {'__class__': 'item'})", Prints("item")),
];

const CALLBACKS: &[Escape] = &[
    escape("map_getattr", "print(list(map(getattr, [len], ['__self__'])))", Raises("AttributeError")),
    escape("sort_key", "print(sorted(['__self__'], key=lambda n: getattr(len, n)))", Raises("AttributeError")),
    escape("max_key", "print(max(['__self__', '__class__'], key=lambda n: getattr(len, n)))", Raises("AttributeError")),
    escape("filter_getattr", "print(list(filter(lambda n: getattr(len, n), ['__self__'])))", Raises("AttributeError")),
    escape("iter_sentinel", "print(next(iter(lambda: getattr(len, '__self__'), 1)))", Raises("AttributeError")),
    escape(
        "reduce_by_hand",
        "def reduce(f, names, x):\n    for n in names: x = f(x, n)\n    return x\nprint(reduce(getattr, ['__self__', '_canary_secret'], len))",
        Raises("AttributeError"),
    ),
    escape("setattr_through_map", "class A: pass\nlist(map(setattr, [A], ['__del__'], [1]))", Raises("AttributeError")),
    escape(
        "property_over_getattr",
        "class A:\n    x = property(lambda self: getattr(len, '__self__'))\nprint(A().x)",
        Raises("AttributeError"),
    ),
    escape(
        "staticmethod_of_getattr",
        "class A:\n    g = staticmethod(getattr)\nprint(A().g(len, '__self__'))",
        Raises("AttributeError"),
    ),
    escape(
        "getattr_as_a_method",
        "class A:\n    def __getattr__(self, n): return getattr(len, '__' + n + '__')\nprint(A().self)",
        Raises("AttributeError"),
    ),
    escape(
        "descriptor_gets_no_frame",
        "class D:\n    def __get__(self, o, t): return t\nclass A:\n    x = D()\nprint(A().x is A)",
        Prints("True"),
    ),
];

const TYPES: &[Escape] = &[
    escape(
        "type_of_type_is_the_facade",
        "print(type(type(1)) is type, type(type) is type, type(type(type)))",
        Prints("True True <class 'type'>"),
    ),
    escape("type_with_three_arguments", "print(type('X', (), {}))", Raises("TypeError")),
    escape("type_of_a_type_with_three_arguments", "print(type(type(1))('X', (), {}))", Raises("TypeError")),
    escape("type_with_keywords", "type(1, x=2)", Raises("TypeError")),
    escape("subclass_of_type", "class M(type): pass", Raises("TypeError")),
    escape("subclass_of_the_type_of_a_type", "class M(type(type(1))): pass", Raises("TypeError")),
    escape("metaclass_keyword", "class M: pass\nclass A(metaclass=M): pass", Raises("TypeError")),
    escape(
        "class_keyword",
        "class B:\n    def __init_subclass__(cls, **kw): print(kw)\nclass A(B, x=1): pass",
        Raises("TypeError"),
    ),
    escape("function_constructor", "def f(): pass\nprint(type(f)(1, {}))", Raises("TypeError")),
    escape("method_constructor", "class A:\n    def m(self): pass\nprint(type(A().m)(len, 1))", Raises("TypeError")),
    escape("generator_constructor", "def g(): yield\ntype(g())()", Raises("TypeError")),
    escape("builtin_function_constructor", "type(len)()", Raises("TypeError")),
    escape("subclass_of_function", "def f(): pass\nclass F(type(f)): pass", Raises("TypeError")),
    escape("subclass_of_super", "class S(super): pass", Raises("TypeError")),
    escape("subclass_of_property", "class P(property): pass", Raises("TypeError")),
    escape("subclass_of_a_generic_alias", "class L(list[int]): pass", Raises("TypeError")),
    escape(
        "bases_that_lie",
        "class L:\n    def __mro_entries__(self, bases): return (int,)\nclass A(L()): pass",
        Raises("TypeError"),
    ),
    escape(
        "bases_that_lie_are_not_even_made",
        "class L:\n    def __mro_entries__(self, bases): return (int,)",
        Raises("TypeError"),
    ),
    escape(
        "type_of_a_traceback",
        "class W:\n    def __enter__(self): pass\n    def __exit__(self, k, e, t): print(type(t))\nwith W(): 1 / 0",
        Raises("TypeError"),
    ),
    escape(
        "traceback_tells_nothing",
        "class W:\n    def __enter__(self): pass\n    def __exit__(self, k, e, t):\n        print([n for n in ('tb_frame', 'tb_next', 'tb_lineno', 'tb_lasti') if hasattr(t, n)])\n        return True\nwith W(): 1 / 0",
        Prints("[]"),
    ),
    escape("type_of_a_mapping_proxy", "print(type({}.keys().mapping))", Raises("TypeError")),
    escape("type_of_a_descriptor", "print(type(int.real))", Raises("TypeError")),
    escape(
        "base_exceptions_have_no_name",
        "for name in ('BaseException', 'SystemExit', 'KeyboardInterrupt', 'GeneratorExit'):\n    print(name in str(Exception) or hasattr(Exception, name))",
        Prints("False\nFalse\nFalse\nFalse"),
    ),
    escape("base_exception", "BaseException", Raises("NameError")),
    escape("system_exit", "raise SystemExit", Raises("NameError")),
    escape(
        "subclass_of_generator_exit",
        "kinds = []\ndef g():\n    class W:\n        def __enter__(self): pass\n        def __exit__(self, k, e, t): kinds.append(k)\n    with W(): yield\nx = g()\nnext(x)\nx.close()\nclass Mine(kinds[0]): pass",
        Raises("TypeError"),
    ),
    escape("union_of_the_facade", "print(isinstance(int, type | int), type | None)", Prints("True type | None")),
    escape("exec", "exec('1')", Raises("NameError")),
    escape("eval", "eval('1')", Raises("NameError")),
    escape("compile", "compile('1', '', 'eval')", Raises("NameError")),
    escape("open", "open('/etc/passwd')", Raises("NameError")),
    escape("input", "input()", Raises("NameError")),
    escape("globals", "globals()", Raises("NameError")),
    escape("locals", "locals()", Raises("NameError")),
    escape("vars", "vars()", Raises("NameError")),
    escape("dir", "dir()", Raises("NameError")),
    escape("id", "id(1)", Raises("NameError")),
    escape("memoryview", "memoryview(b'')", Raises("NameError")),
    escape("breakpoint", "breakpoint()", Raises("NameError")),
    escape("help", "help()", Raises("NameError")),
    escape("exit", "exit()", Raises("NameError")),
    escape("loader", "__loader__", Raises("NameError")),
];

const CLASSES: &[Escape] = &[
    escape("finaliser", "class A:\n    def __del__(self): print('after')\nA()", Raises("TypeError")),
    escape("match_args", "class A:\n    __match_args__ = ('__class__',)", Raises("TypeError")),
    escape("match_args_by_for", "class A:\n    for __match_args__ in [('__class__',)]: pass", Raises("TypeError")),
    escape("match_args_by_walrus", "class A:\n    (__match_args__ := ('__class__',))", Raises("TypeError")),
    escape("match_args_by_annotation", "class A:\n    __match_args__: tuple = ('__class__',)", Raises("TypeError")),
    escape("match_args_by_def", "class A:\n    def __match_args__(self): pass", Raises("TypeError")),
    escape(
        "match_args_by_with",
        "class C:\n    def __enter__(self): return ('__class__',)\n    def __exit__(self, *a): pass\nclass A:\n    with C() as __match_args__: pass",
        Raises("TypeError"),
    ),
    escape("match_args_by_unpacking", "class A:\n    x, *__match_args__ = 1, 2", Raises("TypeError")),
    escape("class_attribute", "class A:\n    __class__ = int", Raises("TypeError")),
    escape("abstract_methods", "class A:\n    __abstractmethods__ = 1", Raises("TypeError")),
    escape("type_flags", "class A:\n    __abc_tpflags__ = 32", Raises("TypeError")),
    escape("prepare", "class A:\n    def __prepare__(*a): return {}", Raises("TypeError")),
    escape("slots_named_class", "class A:\n    __slots__ = ('__class__',)", Raises("TypeError")),
    escape("slots_named_dict", "class A:\n    __slots__ = ('__dict__',)", Raises("TypeError")),
    escape("slots_from_an_iterator", "class A:\n    __slots__ = iter(['x'])", Raises("TypeError")),
    escape(
        "slots_from_a_lying_string",
        "class S(str):\n    def __eq__(self, o): return o == 'x'\n    def __hash__(self): return 1\nclass A:\n    __slots__ = (S('__class__'),)",
        Raises("TypeError"),
    ),
    escape("deep_hierarchy", "class A: pass\nfor i in range(300):\n    class A(A): pass", Raises("TypeError")),
    escape(
        "set_name_receives_only_its_own_class",
        "class D:\n    def __set_name__(self, owner, name): self.owner = owner\nclass A:\n    x = D()\nprint(A.x.owner is A)",
        Prints("True"),
    ),
    escape(
        "instance_check_needs_a_metaclass",
        "class A:\n    def __instancecheck__(self, o): return True\nprint(isinstance(1, A))",
        Prints("False"),
    ),
];

const EXCEPTIONS: &[Escape] = &[
    escape(
        "attribute_error_object",
        "try: len.missing\nexcept AttributeError as e: print(getattr(e, 'obj', 'none'), e.name)",
        Prints("none missing"),
    ),
    escape(
        "attribute_error_object_by_constructor",
        "e = AttributeError('x', obj=len, name='n')\nprint(getattr(e, 'obj', 'none'), e.name)",
        Prints("none n"),
    ),
    escape(
        "attribute_error_object_of_a_facade",
        "try: type.missing\nexcept AttributeError as e: print(hasattr(e, 'obj'))",
        Prints("False"),
    ),
    escape("subclass_with_its_own_obj", "class E(AttributeError):\n    obj = 1\nprint(E().obj)", Prints("1")),
    escape(
        "attribute_error_that_cannot_be_told_its_name",
        "class E(AttributeError):\n    @property\n    def name(self): return None\nclass A:\n    def __getattr__(self, n): raise E()\ntry: A().x\nexcept E: print('caught')\nprint(hasattr(A(), 'y'), getattr(A(), 'z', 'none'))",
        Prints("caught\nFalse none"),
    ),
    escape(
        "import_error_path",
        "try:\n    import os\nexcept ImportError as e: print(hasattr(e, 'path'), hasattr(e, 'name'))",
        Prints("False False"),
    ),
    escape(
        "stop_iteration_value",
        "def g():\n    return len\n    yield\ntry: next(g())\nexcept StopIteration as e: print(e.value is len)",
        Prints("True"),
    ),
    escape(
        "exception_arguments",
        "try: [][1]\nexcept IndexError as e: print(e.args)",
        Prints("('list index out of range',)"),
    ),
    escape(
        "throw_with_a_false_traceback",
        "def g():\n    yield\nx = g()\nnext(x)\nx.throw(ValueError, None, 1)",
        Raises("TypeError"),
    ),
    escape(
        "generator_exit_in_a_bare_except",
        "def g():\n    try: yield\n    except: print('closing')\nx = g()\nnext(x)\nx.close()",
        Prints("closing"),
    ),
];

const IMPORTS: &[Escape] = &[
    escape("import_os", "import os", Raises("ModuleNotFoundError")),
    escape("import_builtins", "import builtins", Raises("ModuleNotFoundError")),
    escape("from_builtins", "from builtins import open", Raises("ModuleNotFoundError")),
    escape("from_sys", "from sys import modules", Raises("ModuleNotFoundError")),
    escape(
        "sys_is_empty",
        "import sys\nprint([n for n in ('modules', 'stdout', 'path', 'argv', 'exit') if hasattr(sys, n)])",
        Prints("[]"),
    ),
    escape("import_io", "import _io", Raises("ModuleNotFoundError")),
    escape("import_thread", "import _thread", Raises("ModuleNotFoundError")),
    escape("import_frozen", "import _frozen_importlib", Raises("ModuleNotFoundError")),
    escape("relative_import", "from . import x", Raises("ModuleNotFoundError")),
    escape("star_import", "from builtins import *", Raises("ModuleNotFoundError")),
    escape("import_in_a_function", "def f():\n    import os as o\n    return o\nf()", Raises("ModuleNotFoundError")),
    escape("import_in_a_class", "class A:\n    import os", Raises("ModuleNotFoundError")),
    escape("codecs_reach_no_module", "'a'.encode('idna')", Raises("LookupError")),
    escape("error_handlers_reach_no_module", "'é'.encode('ascii', 'mine')", Raises("LookupError")),
];

const PRINTING: &[Escape] = &[
    escape(
        "print_file",
        "class O:\n    def __getattr__(self, n): return print\nprint('a', file=O())",
        Raises("TypeError"),
    ),
    escape("print_file_through_a_dict", "print('a', **{'file': 1})", Raises("TypeError")),
    escape("print_unknown_keyword", "print('a', encoding='x')", Raises("TypeError")),
    escape("print_separator", "print('a', sep=1)", Raises("TypeError")),
    escape("print_lone_surrogate", "print('a\\ud800b')", Prints("a\u{fffd}b")),
];

/// Each family, so that no table is forgotten.
const FAMILIES: &[&[Escape]] =
    &[ATTRIBUTES, LYING_STRINGS, FORMATS, CALLBACKS, TYPES, CLASSES, EXCEPTIONS, IMPORTS, PRINTING];

#[test]
fn every_escape_ends_as_the_table_says() {
    let escapes: Vec<&Escape> = FAMILIES.iter().copied().flatten().collect();
    let outcomes = run_all(escapes.iter().map(|escape| escape.script.to_owned()).collect());
    let mut wrong = Vec::new();
    for (escape, outcome) in escapes.iter().zip(&outcomes) {
        if let Some(what) = complaint(escape, outcome) {
            wrong.push(format!("{}: {what}: {:?} {:?}", escape.name, outcome.output, outcome.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaint(escape: &Escape, outcome: &Outcome) -> Option<String> {
    let said = outcome.error.as_ref().map_or("", |(_, message)| message);
    if outcome.output.contains(CANARY) || said.contains(CANARY) {
        return Some("the canary is out".to_owned());
    }
    match (&escape.ends, &outcome.error) {
        (Raises(kind), Some((raised, _))) if kind == raised => None,
        (Prints(text), None) if outcome.output.trim_end_matches('\n') == *text => None,
        (Raises(kind), _) => Some(format!("should raise {kind}")),
        (Prints(text), _) => Some(format!("should print {text:?}")),
    }
}
