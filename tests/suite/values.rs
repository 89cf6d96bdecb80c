//! Values cross and come back as they were.

use proptest::prelude::*;
use pycage::{BigInt, Error, FromValue, IntoValue, Runner, Sandbox, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// Values that can be keys and members: each equal to itself, none equal to one of another kind.
fn key() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        (2_i64..).prop_map(Value::Int),
        (..-1_i64).prop_map(Value::Int),
        any::<[u8; 12]>().prop_map(|bytes| big(&bytes)),
        "\\PC{0,8}".prop_map(Value::Str),
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| proptest::collection::vec(inner, 0..3).prop_map(Value::Tuple))
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        key(),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("not a number is equal to nothing", |float| !float.is_nan()).prop_map(Value::Float),
        any::<String>().prop_map(Value::Str),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            proptest::collection::vec((key(), inner), 0..6).prop_map(|items| Value::Dict(distinct(items))),
            proptest::collection::vec(key(), 0..6).prop_map(|items| {
                Value::Set(
                    distinct(items.into_iter().map(|item| (item, ())).collect())
                        .into_iter()
                        .map(|(item, ())| item)
                        .collect(),
                )
            }),
        ]
    })
}

/// A big int that does not fit 64 bits.
fn big(bytes: &[u8; 12]) -> Value {
    let mut wide = bytes.to_vec();
    wide.push(1);
    Value::BigInt(BigInt::from_signed_bytes_le(&wide))
}

fn distinct<T>(items: Vec<(Value, T)>) -> Vec<(Value, T)> {
    let mut kept: Vec<(Value, T)> = Vec::new();
    for (key, item) in items {
        if kept.iter().all(|(other, _)| *other != key) {
            kept.push((key, item));
        }
    }
    kept
}

/// Sets have no order: compared as if sorted.
pub(crate) fn settled(value: Value) -> Value {
    match value {
        Value::Set(items) => {
            let mut items: Vec<Value> = items.into_iter().map(settled).collect();
            items.sort_by_key(|item| format!("{item:?}"));
            Value::Set(items)
        }
        Value::List(items) => Value::List(items.into_iter().map(settled).collect()),
        Value::Tuple(items) => Value::Tuple(items.into_iter().map(settled).collect()),
        Value::Dict(items) => Value::Dict(items.into_iter().map(|(key, item)| (settled(key), settled(item))).collect()),
        other => other,
    }
}

thread_local! {
    static SANDBOX: RefCell<Sandbox> = RefCell::new({
        let runner = Runner::new().unwrap();
        let mut sandbox = Sandbox::builder().runner(&runner).build().unwrap();
        sandbox.exec("def same(x): return x\ndef boxed(x): return [x, {'k': x}, (x,)]\ndef shown(x): return repr(x)").unwrap();
        sandbox
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_as_it_went(value in value()) {
        SANDBOX.with_borrow_mut(|sandbox| {
            let back: Value = sandbox.call("same", (value.clone(),)).unwrap();
            prop_assert_eq!(settled(back), settled(value.clone()));
            sandbox.set("kept", value.clone()).unwrap();
            let kept: Value = sandbox.get("kept").unwrap();
            prop_assert_eq!(settled(kept), settled(value.clone()));
            let boxed: (Value, BTreeMap<String, Value>, (Value,)) = sandbox.call("boxed", (value.clone(),)).unwrap();
            prop_assert_eq!(settled(boxed.0), settled(value.clone()));
            prop_assert_eq!(settled(boxed.1["k"].clone()), settled(value.clone()));
            prop_assert_eq!(settled(boxed.2.0), settled(value));
            Ok(())
        })?;
    }

    #[test]
    fn integers_of_any_size(digits in "-?[1-9][0-9]{0,80}") {
        SANDBOX.with_borrow_mut(|sandbox| {
            let int: BigInt = digits.parse().unwrap();
            let back: BigInt = sandbox.call("same", (int.clone(),)).unwrap();
            prop_assert_eq!(&back, &int);
            let shown: String = sandbox.call("shown", (int,)).unwrap();
            prop_assert_eq!(shown, digits);
            Ok(())
        })?;
    }

    #[test]
    fn floats_bit_by_bit(bits in any::<u64>()) {
        SANDBOX.with_borrow_mut(|sandbox| {
            let float = f64::from_bits(bits);
            let back: f64 = sandbox.call("same", (float,)).unwrap();
            prop_assert!(back.to_bits() == bits || (back.is_nan() && float.is_nan()));
            Ok(())
        })?;
    }
}

#[test]
fn rust_types_cross() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("def same(x): return x").unwrap();
    fn trip<T: IntoValue + FromValue + Clone + PartialEq + std::fmt::Debug>(sandbox: &mut Sandbox, value: T) {
        assert_eq!(sandbox.call::<T>("same", (value.clone(),)).unwrap(), value);
    }
    trip(&mut sandbox, i64::MIN);
    trip(&mut sandbox, u64::MAX);
    trip(&mut sandbox, i128::MIN);
    trip(&mut sandbox, -0.5);
    trip(&mut sandbox, true);
    trip(&mut sandbox, "naïve 😀".to_owned());
    trip(&mut sandbox, vec![Some(1_i64), None]);
    trip(&mut sandbox, (1_i64, "two".to_owned(), 3.0));
    trip(&mut sandbox, HashMap::from([("a".to_owned(), vec![1_i64])]));
    assert_eq!(sandbox.call::<Vec<u8>>("same", (&b"raw"[..],)).unwrap(), b"raw");
    assert_eq!(sandbox.call::<f64>("same", (3,)).unwrap(), 3.0);
}

#[test]
fn a_mismatch_is_a_conversion_error() {
    let mut sandbox = Sandbox::new().unwrap();
    for (source, wanted) in [("'text'", "int"), ("None", "int"), ("1.5", "int"), ("[1]", "int")] {
        let error = sandbox.eval::<i64>(source).unwrap_err();
        assert!(matches!(error, Error::Conversion(_)), "{source}: {error:?}");
        assert!(error.to_string().contains(wanted), "{source}: {error}");
    }
    assert!(matches!(sandbox.eval::<u8>("300"), Err(Error::Conversion(_))));
    assert!(matches!(sandbox.eval::<Vec<i64>>("[1, 'x']"), Err(Error::Conversion(_))));
    // The sandbox goes on.
    assert_eq!(sandbox.eval::<i64>("5").unwrap(), 5);
}

#[test]
fn cycles_and_depth_do_not_cross() {
    let mut sandbox = Sandbox::new().unwrap();
    for source in [
        "x = []\nx.append(x)\nx",
        "d = {}\nd['d'] = d\nd",
        "a, b = [], []\na.append(b)\nb.append((a,))\na",
        "x = []\nfor i in range(1000):\n    x = [x]\nx",
        "x = 0\nfor i in range(300):\n    x = {'k': x}\nx",
    ] {
        assert!(matches!(sandbox.eval::<Value>(source), Err(Error::Conversion(_))), "{source}");
    }
    assert!(sandbox.eval::<Value>("x = 0\nfor i in range(100):\n    x = [x]\nx").is_ok());

    let mut deep = Value::None;
    for _ in 0..1000 {
        deep = Value::List(vec![deep]);
    }
    assert!(matches!(sandbox.set("deep", deep), Err(Error::Conversion(_))));
    assert!(matches!(sandbox.get::<Value>("deep"), Err(Error::Setup(_))));
}

#[test]
fn what_cannot_cross() {
    let mut sandbox = Sandbox::new().unwrap();
    assert_eq!(sandbox.eval::<Value>("class Orc: pass\nOrc()").unwrap(), Value::Opaque("Orc".into()));
    assert!(matches!(sandbox.eval::<Value>("lambda: 0").unwrap(), Value::Function(_)));
    assert!(matches!(sandbox.eval::<Value>("'\\ud800'"), Err(Error::Conversion(_))));
    assert!(matches!(sandbox.set("x", Value::Opaque("Orc".into())), Err(Error::Conversion(_))));
    assert!(matches!(
        sandbox.set("x", Value::Dict(vec![(Value::List(vec![]), Value::None)])),
        Err(Error::Conversion(_))
    ));
    assert!(matches!(sandbox.set("x", Value::Set(vec![Value::Dict(vec![])])), Err(Error::Conversion(_))));
}

/// What a subclass overrides does not run when its value crosses, and does not change it.
#[test]
fn subclasses_cross_as_what_they_are() {
    let mut sandbox = Sandbox::new().unwrap();
    let source = "
class N(int):
    def __int__(self): return 99
    def __index__(self): return 99
    def __eq__(self, other): return True
    def __hash__(self): return 1
class S(str):
    def __str__(self): return 'other'
class L(list):
    def __iter__(self): return iter([9])
    def __len__(self): return 99
class D(dict):
    def items(self): return [('x', 1)]
    def keys(self): return ['x']
[N(5), S('real'), L([1, 2]), D(a=1)]
";
    let shown = sandbox.eval::<Value>(source).unwrap().to_string();
    assert_eq!(shown, "[5, 'real', [1, 2], {'a': 1}]");
}

#[test]
fn dicts_keep_their_order_and_keys() {
    let mut sandbox = Sandbox::new().unwrap();
    let value: Value = sandbox.eval("{'z': 1, 5: 2, (1, 'x'): 3, None: 4, 2.5: 5, b'k': 6, True: 7}").unwrap();
    assert_eq!(value.to_string(), "{'z': 1, 5: 2, (1, 'x'): 3, None: 4, 2.5: 5, b'k': 6, True: 7}");
    sandbox.set("d", value).unwrap();
    assert_eq!(sandbox.eval::<i64>("d[(1, 'x')] + d[None] + d[True]").unwrap(), 14);
}
