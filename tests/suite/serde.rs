//! Values to and from serde's types.

use proptest::prelude::*;
use pycage::{BigInt, Sandbox, Value, from_value, to_value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Line(i64, i64),
    Rect { w: u32, h: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    small: i8,
    wide: u64,
    widest: i128,
    float: f64,
    char: char,
    text: String,
    none: Option<i64>,
    some: Option<String>,
    list: Vec<u16>,
    tuple: (i64, String),
    shapes: Vec<Shape>,
    map: BTreeMap<String, Vec<i64>>,
    keyed: HashMap<(i64, i64), String>,
    unit: (),
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Dot),
        (-1e9..1e9_f64).prop_map(Shape::Circle),
        any::<(i64, i64)>().prop_map(|(a, b)| Shape::Line(a, b)),
        any::<(u32, u32)>().prop_map(|(w, h)| Shape::Rect { w, h }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let simple =
        (any::<bool>(), any::<i8>(), any::<u64>(), any::<i128>(), -1e300..1e300_f64, any::<char>(), any::<String>());
    let nested = (
        any::<Option<i64>>(),
        any::<Option<String>>(),
        any::<Vec<u16>>(),
        any::<(i64, String)>(),
        proptest::collection::vec(shape(), 0..4),
        proptest::collection::btree_map(any::<String>(), any::<Vec<i64>>(), 0..3),
        proptest::collection::hash_map(any::<(i64, i64)>(), any::<String>(), 0..3),
    );
    (simple, nested).prop_map(
        |((flag, small, wide, widest, float, char, text), (none, some, list, tuple, shapes, map, keyed))| Everything {
            flag,
            small,
            wide,
            widest,
            float,
            char,
            text,
            none,
            some,
            list,
            tuple,
            shapes,
            map,
            keyed,
            unit: (),
        },
    )
}

thread_local! {
    static SANDBOX: std::cell::RefCell<Sandbox> = std::cell::RefCell::new({
        let mut sandbox = Sandbox::new().unwrap();
        sandbox.exec("def same(x): return x").unwrap();
        sandbox
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn rust_comes_back_as_it_went(value in everything()) {
        let crossed = to_value(&value).unwrap();
        prop_assert_eq!(&from_value::<Everything>(crossed.clone()).unwrap(), &value);
        // Also through a script.
        let back: Value = SANDBOX.with_borrow_mut(|sandbox| sandbox.call("same", (crossed,))).unwrap();
        prop_assert_eq!(&from_value::<Everything>(back).unwrap(), &value);
    }
}

#[test]
fn errors_say_where() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Team {
        players: Vec<Player>,
        shape: Option<Shape>,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Player {
        name: String,
        scores: HashMap<String, u8>,
    }
    let mut sandbox = Sandbox::new().unwrap();
    for (source, path, message) in [
        (
            "{'players': [{'name': 'a', 'scores': {}}, {'name': 5, 'scores': {}}]}",
            "players[1].name",
            "expected a string",
        ),
        ("{'players': [{'name': 'a', 'scores': {'x': 300}}]}", "players[0].scores.x", "300"),
        ("{'players': [{'name': 'a', 'scores': {5: 3}}]}", "players[0].scores[5]", "expected a string"),
        ("{'players': [{'name': 'a'}]}", "players[0]", "missing field `scores`"),
        ("{'players': 5}", "players", "expected a sequence"),
        ("{'players': [], 'shape': 'Blob'}", "shape", "unknown variant"),
        ("{'players': [], 'shape': {'Rect': {'w': 1}}}", "shape.Rect", "missing field `h`"),
        ("{'players': [], 'shape': {'Line': (1, 'x')}}", "shape.Line[1]", "expected i64"),
        ("{'players': [], 'shape': 'Line'}", "shape.Line", "content"),
        ("5", "", "expected struct Team"),
        ("{'players': [lambda: 1]}", "players[0]", "'function' is no data"),
    ] {
        let value: Value = sandbox.eval(source).unwrap();
        let error = from_value::<Team>(value).unwrap_err();
        assert_eq!(error.path, path, "{source}: {error}");
        assert!(error.message.contains(message), "{source}: {error}");
    }
}

#[test]
fn odd_values() {
    assert!(from_value::<f64>(Value::Float(f64::NAN)).unwrap().is_nan());
    assert_eq!(from_value::<f64>(Value::Float(f64::INFINITY)).unwrap(), f64::INFINITY);
    assert_eq!(from_value::<f64>(Value::Int(3)).unwrap(), 3.0);
    assert!(from_value::<f64>(Value::Int(i64::MAX)).is_err());
    assert!(from_value::<i64>(Value::Bool(true)).is_err());
    assert!(from_value::<i64>(Value::Float(1.0)).is_err());
    assert_eq!(from_value::<u128>(Value::BigInt(BigInt::from(u128::MAX))).unwrap(), u128::MAX);
    let huge = Value::BigInt(BigInt::from(u128::MAX) * 4);
    assert!(from_value::<u128>(huge.clone()).is_err());
    assert_eq!(to_value(&u128::MAX).unwrap(), Value::BigInt(BigInt::from(u128::MAX)));
    assert_eq!(serde_json::to_string(&huge).unwrap(), format!("\"{huge}\""));
    assert_eq!(to_value(&HashMap::from([(vec![1_i64], 2_i64)])).unwrap().to_string(), "{(1,): 2}");
    assert!(to_value(&HashMap::from([(BTreeMap::<i64, i64>::new(), 2_i64)])).unwrap_err().message.contains("key"));
    let value: Value = serde_json::from_str("{\"a\": [1, 2.5, null, \"x\", 18446744073709551615], \"a\": 1}").unwrap();
    assert_eq!(value.to_string(), "{'a': 1}");
}

#[test]
fn depth_is_bounded_both_ways() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    struct Nest(Option<Box<Nest>>);
    let nested = |levels: usize| (0..levels).fold(Nest(None), |inner, _| Nest(Some(Box::new(inner))));
    assert!(to_value(&nested(100)).is_ok());
    assert!(to_value(&nested(1000)).unwrap_err().message.contains("128 levels"));
    let list = |levels: usize| (0..levels).fold(Value::None, |inner, _| Value::List(vec![inner]));
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Any {
        List(Vec<Any>),
        Unit(()),
    }
    assert!(from_value::<Any>(list(20)).is_ok());
    assert!(from_value::<serde_json::Value>(list(300)).unwrap_err().message.contains("128 levels"));
}
