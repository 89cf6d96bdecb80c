//! Objects of the host: their members, what cannot be reached through them, and what is lent for a scope.

use crate::in_both_rings;
use crate::support::Ring;
use pycage::{
    Budget, CallContext, Callback, Error, ExceptionType, Handle, HostObject, Kwargs, Limit, Members, Raise, Sandbox,
    Value,
};
use std::cmp::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A bag with everything that an object can have.
struct Bag {
    items: Vec<i64>,
    label: String,
    secret: i64,
}

impl Bag {
    fn of(items: &[i64]) -> Handle<Bag> {
        Handle::new(Bag { items: items.to_vec(), label: "bag".into(), secret: 42 })
    }

    fn at(&self, index: i64) -> Result<usize, Raise> {
        usize::try_from(index)
            .ok()
            .filter(|index| *index < self.items.len())
            .ok_or_else(|| Raise::new(ExceptionType::IndexError, "no such slot"))
    }
}

impl HostObject for Bag {
    const NAME: &'static str = "Bag";

    fn members(members: &mut Members<Self>) {
        members
            .field("size", |bag| bag.items.len())
            .field_mut("label", |bag| bag.label.clone(), |bag, label: String| bag.label = label)
            .method("add", |bag: &mut Bag, item: i64| bag.items.push(item))
            .method("sum", |bag: &Bag| bag.items.iter().sum::<i64>())
            .method("join", |bag: &Bag, with: &str, options: Kwargs<bool>| {
                let mut shown: Vec<String> = bag.items.iter().map(i64::to_string).collect();
                if options.0.get("reverse") == Some(&true) {
                    shown.reverse();
                }
                shown.join(with)
            })
            .method("each", |bag: &Bag, context: CallContext, f: Callback| -> Result<i64, Error> {
                bag.items.iter().try_fold(0, |sum, item| Ok(sum + context.call::<i64>(&f, (*item,))?))
            })
            .method("boom", |_: &Bag| -> () { panic!("as said") })
            .len(|bag| bag.items.len())
            .index(|bag, index: i64| bag.at(index).map(|index| bag.items[index]))
            .set_index(|bag, index: i64, item: i64| bag.at(index).map(|index| bag.items[index] = item))
            .del_index(|bag, index: i64| bag.at(index).map(|index| bag.items.remove(index)).map(drop))
            .contains(|bag, item: i64| bag.items.contains(&item))
            .iter(|bag| bag.items.clone())
            .eq(|bag, other: Handle<Bag>| other.borrow().is_ok_and(|other| other.items == bag.items))
            .compare(|bag, other: Handle<Bag>| {
                let other = other.borrow().ok()?;
                Some(bag.items.cmp(&other.items)).filter(|_| bag.secret != Ordering::Less as i64)
            })
            .hash(|bag| bag.items.iter().sum())
            .repr(|bag| format!("<Bag of {}>", bag.items.len()))
            .call(|bag: &mut Bag, factor: i64| {
                bag.items.iter_mut().for_each(|item| *item *= factor);
                bag.items.clone()
            });
    }
}

/// One with no operators at all.
struct Bare;

impl HostObject for Bare {
    const NAME: &'static str = "Bare";

    fn members(members: &mut Members<Self>) {
        members.field("x", |_| 1);
    }
}

fn with_bag(ring: Ring) -> (Sandbox, Handle<Bag>) {
    let mut sandbox = ring.sandbox();
    let bag = Bag::of(&[1, 2, 3]);
    sandbox.set("bag", bag.clone()).unwrap();
    sandbox.set("bare", Handle::new(Bare)).unwrap();
    (sandbox, bag)
}

fn raised(sandbox: &mut Sandbox, source: &str) -> (String, String) {
    match sandbox.eval::<Value>(source) {
        Err(Error::Exception(exception)) => (exception.type_name, exception.message),
        other => panic!("{source}: {other:?}"),
    }
}

fn members_do_what_they_say(ring: Ring) {
    let (mut sandbox, bag) = with_bag(ring);
    for (source, shown) in [
        ("bag.size", "3"),
        ("bag.label", "'bag'"),
        ("bag.label = 'sack'\nbag.label", "'sack'"),
        ("bag.add(4)\nbag.sum()", "10"),
        ("bag.join('-')", "'1-2-3-4'"),
        ("bag.join('-', reverse=True)", "'4-3-2-1'"),
        ("bag.each(lambda x: x * 10)", "100"),
        ("len(bag)", "4"),
        ("bool(bag), bool(bare)", "(True, True)"),
        ("bag[0], bag[3]", "(1, 4)"),
        ("bag[0] = 7\nbag[0]", "7"),
        ("bag[0] += 1\nbag[0]", "8"),
        ("del bag[0]\nlist(bag)", "[2, 3, 4]"),
        ("2 in bag, 9 in bag, 'x' in bag, 9 not in bag", "(True, False, False, True)"),
        ("[x * 2 for x in bag]", "[4, 6, 8]"),
        ("sum(bag), max(bag), sorted(bag, reverse=True), list(map(str, bag))", "(9, 4, [4, 3, 2], ['2', '3', '4'])"),
        ("first, *rest = bag\nrest", "[3, 4]"),
        ("bag == bag, bag != bag, bag == 5, bag == None", "(True, False, False, False)"),
        ("bag < bag, bag <= bag", "(False, True)"),
        ("hash(bag)", "9"),
        ("{bag: 1}[bag]", "1"),
        ("repr(bag), str(bag), f'{bag}', '%s' % bag", "('<Bag of 3>', '<Bag of 3>', '<Bag of 3>', '<Bag of 3>')"),
        ("repr(bare)", "'<Bare object>'"),
        ("bag(2)", "[4, 6, 8]"),
        ("callable(bag.add)", "True"),
        ("add = bag.add\nadd(1)\nbag.size", "4"),
        ("repr(bag.add)", "'<host method add of Bag>'"),
        (
            "getattr(bag, 'size'), getattr(bag, 'nope', 5), hasattr(bag, 'add'), hasattr(bag, 'nope')",
            "(4, 5, True, False)",
        ),
        ("setattr(bag, 'label', 'x')\nbag.label", "'x'"),
        ("'{0.label} {0[0]}'.format(bag)", "'x 4'"),
        ("hash(bare) == hash(bare), bare == bare", "(True, True)"),
        ("match bare:\n    case object(x=1): found = 'yes'\nfound", "'yes'"),
    ] {
        assert_eq!(
            sandbox.eval::<Value>(source).unwrap_or_else(|e| panic!("{source}: {e}")).to_string(),
            shown,
            "{source}"
        );
    }
    assert_eq!(bag.borrow().unwrap().items, [4, 6, 8, 1]);
}

fn objects_are_the_same_wherever_they_come_from(ring: Ring) {
    let (mut sandbox, bag) = with_bag(ring);
    let other = Bag::of(&[1, 2, 4]);
    sandbox.set("again", bag.clone()).unwrap();
    sandbox.set("other", other).unwrap();
    let source = "(bag == again, bag == other, bag < other, other > bag, len({bag, again}), [bag].index(again))";
    assert_eq!(sandbox.eval::<Value>(source).unwrap().to_string(), "(True, False, True, True, 1, 0)");
    let back: Handle<Bag> = sandbox.eval("again").unwrap();
    assert_eq!(back, bag);
    let Value::List(list) = sandbox.eval::<Value>("[bag, 1]").unwrap() else { panic!() };
    assert_eq!(list[0], Value::Object(bag.as_any().clone()));
    // Through the host, and only so, it reaches another sandbox.
    let mut second = ring.sandbox();
    second.set("bag", back).unwrap();
    second.exec("bag.add(9)").unwrap();
    assert_eq!(sandbox.eval::<i64>("bag[3]").unwrap(), 9);
}

fn what_is_wrong_raises(ring: Ring) {
    let (mut sandbox, _bag) = with_bag(ring);
    for (source, type_name, message) in [
        ("bag.size = 5", "AttributeError", "cannot be set"),
        ("del bag.label", "AttributeError", "cannot be set or deleted"),
        ("bag.label = 5", "TypeError", "expected str, got int"),
        ("bag.nope", "AttributeError", "'Bag' object has no attribute 'nope'"),
        ("bag.nope = 1", "AttributeError", "no attribute"),
        ("bag.secret", "AttributeError", "no attribute"),
        ("bag.items", "AttributeError", "no attribute"),
        ("bag.add('x')", "TypeError", "add() argument 1: expected int, got str"),
        ("bag.add()", "TypeError", "misses argument 1"),
        ("bag.add(1, 2)", "TypeError", "takes 1 positional argument but 2 were given"),
        ("bag.add = 5", "AttributeError", "cannot be set"),
        ("bag[99]", "IndexError", "no such slot"),
        ("bag['x']", "TypeError", "expected int, got str"),
        ("bag.boom()", "RuntimeError", "boom() panicked"),
        ("bag < 5", "TypeError", "not supported"),
        ("bag + 1", "TypeError", "unsupported"),
        ("bag()", "TypeError", "misses argument 1"),
        ("len(bare)", "TypeError", "has no len()"),
        ("bare[0]", "TypeError", "not subscriptable"),
        ("bare[0] = 1", "TypeError", "item assignment"),
        ("del bare[0]", "TypeError", "item deletion"),
        ("1 in bare", "TypeError", "not a container"),
        ("iter(bare)", "TypeError", "not iterable"),
        ("bare()", "TypeError", "not callable"),
        ("int(bare)", "TypeError", ""),
        ("bag.each(lambda x: 1 / 0)", "ZeroDivisionError", ""),
    ] {
        let (got, text) = raised(&mut sandbox, source);
        assert_eq!(got, type_name, "{source}: {text}");
        assert!(text.contains(message), "{source}: {text}");
    }
    assert_eq!(sandbox.eval::<i64>("bag.sum()").unwrap(), 6);
}

fn a_use_within_a_use_is_refused(ring: Ring) {
    let (mut sandbox, bag) = with_bag(ring);
    let (type_name, text) = raised(&mut sandbox, "bag.each(lambda x: bag.sum())");
    assert_eq!((type_name.as_str(), text.contains("in use")), ("RuntimeError", true), "{text}");
    // A borrow of the host's, on its own thread, across a call.
    let held = bag.borrow().unwrap();
    assert!(bag.borrow().is_err());
    let (type_name, _) = raised(&mut sandbox, "bag.size");
    assert_eq!(type_name, "RuntimeError");
    drop(held);
    assert_eq!(sandbox.eval::<i64>("bag.size").unwrap(), 3);
}

fn names_that_may_not_be_members(ring: Ring) {
    struct Sly;
    impl HostObject for Sly {
        const NAME: &'static str = "Sly";
        fn members(members: &mut Members<Self>) {
            members.field("__class__", |_| 1);
        }
    }
    struct Odd;
    impl HostObject for Odd {
        const NAME: &'static str = "Odd";
        fn members(members: &mut Members<Self>) {
            members.method("gi_frame", |_: &Odd| 1);
        }
    }
    let mut sandbox = ring.sandbox();
    assert!(
        matches!(sandbox.set("sly", Handle::new(Sly)), Err(Error::Conversion(ref e)) if e.message.contains("__class__"))
    );
    assert!(matches!(sandbox.set("odd", Handle::new(Odd)), Err(Error::Conversion(_))));
}

/// Ways to what lies behind an object, a method, an iterator and a function of the host. None may answer anything: with the
/// validator, and without it.
const ESCAPES: [&str; 46] = [
    "OBJ.__class__",
    "OBJ.__dict__",
    "OBJ.__init__",
    "OBJ.__getattribute__('secret')",
    "OBJ.__reduce__()",
    "OBJ.__reduce_ex__(2)",
    "OBJ.__getstate__()",
    "OBJ.__setstate__({})",
    "OBJ.__sizeof__()",
    "OBJ.__dir__()",
    "OBJ.__self__",
    "OBJ.__func__",
    "OBJ.__globals__",
    "OBJ.__module__",
    "OBJ.__doc__",
    "OBJ.__name__",
    "OBJ.__call__.__self__",
    "OBJ.__len__()",
    "OBJ.__hash__()",
    "OBJ.__eq__(OBJ)",
    "OBJ.__repr__()",
    "OBJ.__iter__()",
    "OBJ.__next__()",
    "OBJ.__getitem__(0)",
    "OBJ.__setattr__('x', 1)",
    "OBJ.__delattr__('label')",
    "OBJ.__init_subclass__()",
    "OBJ.__subclasshook__",
    "OBJ.__format__('')",
    "getattr(OBJ, '__class__')",
    "getattr(OBJ, '__dict__')",
    "getattr(OBJ, 'mro')",
    "setattr(OBJ, '__class__', int)",
    "setattr(OBJ, 'fresh', 1)",
    "delattr(OBJ, 'label')",
    "type(OBJ)",
    "type(OBJ)()",
    "super(type(OBJ), OBJ)",
    "object.__getattribute__(OBJ, '__class__')",
    "object.__getattribute__(OBJ, 'label')",
    "object.__setattr__(OBJ, 'fresh', 1)",
    "object.__reduce_ex__(OBJ, 2)",
    "'{0.__class__}'.format(OBJ)",
    "'{0.__init__.__globals__}'.format(OBJ)",
    "'{0[__class__]}'.format([OBJ][0].label)",
    "format(OBJ, '{0.__class__}')",
];

const STATEMENTS: [&str; 6] = [
    "class Sub(type(OBJ)): pass\nfound = Sub",
    "class Sub(OBJ): pass\nfound = Sub",
    "match OBJ:\n    case object(__class__=found): pass\nfound",
    "match OBJ:\n    case object(__dict__=found): pass\nfound",
    "match OBJ:\n    case object(__init__=found): pass\nfound",
    "OBJ.__class__ = int\nfound = OBJ",
];

fn nothing_unlisted_is_reachable(ring: Ring) {
    let setup = |sandbox: &mut Sandbox| {
        sandbox.set("bag", Bag::of(&[1, 2, 3])).unwrap();
        sandbox.function("func", |x: i64| x).unwrap();
    };
    let mut wrong = Vec::new();
    let sources = ESCAPES.iter().map(|escape| format!("found = {escape}\nfound")).chain(STATEMENTS.map(str::to_owned));
    for source in sources {
        for object in ["bag", "bag.add", "iter(bag)", "func"] {
            let source = source.replace("OBJ", object);
            for validated in [true, false] {
                let mut sandbox = ring.sandbox();
                setup(&mut sandbox);
                let script = if validated {
                    sandbox.compile("s.py", &source)
                } else {
                    sandbox.compile_unvalidated("s.py", &source)
                };
                let came = script.and_then(|script| sandbox.run::<Value>(&script));
                // What these special methods answer without the validator is what the operators answer: no way further.
                let harmless = |value: &Value| {
                    !validated && matches!(value, Value::None | Value::Int(_) | Value::Bool(_) | Value::Str(_))
                };
                match came {
                    Err(Error::Exception(_) | Error::Rejected(_)) => {}
                    Ok(value) if harmless(&value) && !value.to_string().contains("secret") => {}
                    other => wrong.push(format!("validated {validated}: {source}: {other:?}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

fn iteration_is_charged_and_stopped(ring: Ring) {
    struct Endless;
    impl HostObject for Endless {
        const NAME: &'static str = "Endless";
        fn members(members: &mut Members<Self>) {
            members.iter(|_| 0_i64..);
        }
    }
    for source in ["for x in endless: pass", "sum(endless)", "list(endless)", "-1 in endless", "a, *b = endless"] {
        let mut sandbox = ring.sandbox();
        sandbox.set("endless", Handle::new(Endless)).unwrap();
        let budget = Budget::default().instructions(20_000).memory(64 << 20).timeout(Duration::from_secs(60));
        let error = sandbox.exec_with(source, budget).unwrap_err();
        assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Instructions), "{source}: {error:?}");
    }
    let (mut sandbox, _bag) = with_bag(ring);
    let (_, one) = sandbox.eval_with::<Value>("sum(bag)", Budget::default()).unwrap();
    let (_, two) = sandbox.eval_with::<Value>("sum(bag)", Budget::default()).unwrap();
    assert_eq!((one.instructions, one.native_steps), (two.instructions, two.native_steps));
}

fn members_and_drops_that_panic_are_contained(ring: Ring) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    impl HostObject for Bomb {
        const NAME: &'static str = "Bomb";
        fn members(members: &mut Members<Self>) {
            members
                .field("x", |_| -> i64 { panic!("x") })
                .len(|_| panic!("len"))
                .repr(|_| panic!("repr"))
                .hash(|_| panic!("hash"))
                .iter(|_| (0..3_i64).map(|i| if i == 1 { panic!("iter") } else { i }));
        }
    }
    let mut sandbox = ring.sandbox();
    sandbox.set("bomb", Handle::new(Bomb)).unwrap();
    for source in ["bomb.x", "len(bomb)", "bool(bomb)", "repr(bomb)", "hash(bomb)", "list(bomb)", "f'{bomb}'"] {
        let (type_name, text) = raised(&mut sandbox, source);
        assert_eq!((type_name.as_str(), text.contains("panicked")), ("RuntimeError", true), "{source}: {text}");
    }
    sandbox.exec("bomb = None").unwrap();
    assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
}

/// Borrows from the host.
struct Board<'a> {
    cells: &'a mut Vec<i64>,
}

impl HostObject for Board<'_> {
    const NAME: &'static str = "Board";

    fn members(members: &mut Members<Self>) {
        members
            .index(|board, at: usize| board.cells.get(at).copied())
            .method("put", |board: &mut Self, item: i64| board.cells.push(item))
            .method("call", |_: &Self, context: CallContext, f: Callback| context.call::<i64>(&f, ()))
            .method("wait", |_: &Self| std::thread::sleep(Duration::from_millis(200)))
            .len(|board| board.cells.len());
    }
}

fn lent_objects_and_functions_end_with_their_scope(ring: Ring) {
    let mut sandbox = ring.sandbox();
    let mut cells = vec![1];
    let mut heard = Vec::new();
    let mut count = 0;
    {
        let mut board = Board { cells: &mut cells };
        let sum: i64 = sandbox
            .scope(|scope| {
                let value = scope.object(&mut board);
                scope.set("board", value)?;
                scope.function("hear", |text: &str| heard.push(text.to_owned()))?;
                scope.function("count", || {
                    count += 1;
                    count
                })?;
                scope.exec("put = board.put\nkeep = [board, hear]\nfor i in range(3): put(i)\nhear('x')\ncount()")?;
                scope.eval("board[0] + len(board) + count()")
            })
            .unwrap();
        assert_eq!(sum, 1 + 4 + 2);
    }
    assert_eq!((cells, heard, count), (vec![1, 0, 1, 2], vec!["x".to_owned()], 2));
    for source in
        ["board[0]", "len(board)", "put(1)", "board.put(1)", "keep[0].put(1)", "keep[1]('y')", "hear('y')", "count()"]
    {
        let (type_name, text) = raised(&mut sandbox, source);
        assert_eq!((type_name.as_str(), text.contains("ended")), ("ReferenceError", true), "{source}: {text}");
    }
    // As a value of the host's it is as dead.
    let kept: Value = sandbox.get("board").unwrap();
    sandbox.set("again", kept).unwrap();
    assert_eq!(raised(&mut sandbox, "again.put(1)").0, "ReferenceError");
}

fn what_is_lent_does_not_call_back_and_is_taken_back_on_panics(ring: Ring) {
    let mut sandbox = ring.sandbox();
    let mut cells = Vec::new();
    let mut board = Board { cells: &mut cells };
    sandbox.scope(|scope| {
        let value = scope.object(&mut board);
        scope.set("board", value).unwrap();
        scope.function("call", |context: CallContext, f: Callback| context.call::<i64>(&f, ())).unwrap();
        for source in ["board.call(lambda: 1)", "call(lambda: 1)"] {
            let (type_name, text) = raised(scope, source);
            assert_eq!((type_name.as_str(), text.contains("lent")), ("RuntimeError", true), "{source}: {text}");
        }
    });
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sandbox.scope(|scope| {
            let value = scope.object(&mut board);
            scope.set("second", value).unwrap();
            assert_eq!(scope.eval::<i64>("len(second)").unwrap(), 0);
            panic!("in the scope");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(raised(&mut sandbox, "len(second)").0, "ReferenceError");
}

/// The end of a scope waits for a use that another thread has under way: the borrow is not used after it.
fn the_end_of_a_scope_waits_for_a_use(ring: Ring) {
    let mut cells = Vec::new();
    let mut board = Board { cells: &mut cells };
    let mut sandbox = ring.sandbox();
    let mut other = ring.alone();
    let (began, begins) = mpsc::channel();
    other.function("began", move || began.send(()).unwrap()).unwrap();
    let started = Instant::now();
    let thread = sandbox.scope(|scope| {
        let value = scope.object(&mut board);
        other.set("board", value).unwrap();
        let thread = std::thread::spawn(move || other.exec("began()\nboard.wait()\nboard.wait()"));
        begins.recv().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        thread
    });
    assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
    drop(cells);
    let came = thread.join().unwrap();
    assert!(matches!(came, Err(Error::Exception(ref e)) if e.type_name == "ReferenceError"), "{came:?}");
}

in_both_rings! {
    members_do_what_they_say
    objects_are_the_same_wherever_they_come_from
    what_is_wrong_raises
    a_use_within_a_use_is_refused
    names_that_may_not_be_members
    nothing_unlisted_is_reachable
    iteration_is_charged_and_stopped
    members_and_drops_that_panic_are_contained
    lent_objects_and_functions_end_with_their_scope
    what_is_lent_does_not_call_back_and_is_taken_back_on_panics
    the_end_of_a_scope_waits_for_a_use
}
