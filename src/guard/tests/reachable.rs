//! A walk over everything that a script can hold, compared with a table that was reviewed.

use crate::compile;
use crate::guard::facade::ModuleFacade;
use crate::guard::{names, testing};
use crate::host::function::{self, NewFunction};
use crate::host::{awaitable, convert};
use crate::{Handle, HostObject, IntoValue, Members};
use rustpython_vm::builtins::{PyDict, PyDictRef, PyList, PyTuple, PyType, PyTypeRef};
use rustpython_vm::{AsObject, PyObjectRef, VirtualMachine};
use std::collections::{BTreeMap, BTreeSet};

const SAMPLES: &str = include_str!("samples.py");
const TABLE: &str = include_str!("reachable.txt");

/// The table says what each type lets a script ask for. Every line was looked at: none of the names leads to an object that
/// the script does not already hold, or that was made for it. If this fails, upstream added or removed a name: look at what
/// it answers, and harden it or add it.
#[test]
fn what_a_script_can_reach_is_the_reviewed_table() {
    let found = testing::with_interpreter(|vm| {
        let globals = sampled(vm);
        builtins(&globals, vm) + &special_names() + &table(&walk(start(&globals, vm), vm), vm)
    });
    let comments: String = TABLE.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let reviewed: String =
        TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    if found != reviewed {
        if std::env::var_os("PYCAGE_WRITE_TABLES").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guard/tests/reachable.txt");
            std::fs::write(path, comments + &found).expect("writes the table");
        }
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<String>>();
        let (found, reviewed) = (lines(&found), lines(&reviewed));
        panic!(
            "reached, not in the table: {:#?}\nin the table, not reached: {:#?}",
            found.difference(&reviewed).collect::<Vec<_>>(),
            reviewed.difference(&found).collect::<Vec<_>>()
        );
    }
}

/// Behind the checks on names: with every name allowed, what the types themselves answer still holds no module, frame,
/// code or cell, no globals, and none of the builtins that scripts are not given.
#[test]
fn even_with_every_name_no_way_leads_into_the_interpreter() {
    testing::with_interpreter(|vm| {
        let globals = sampled(vm);
        let real = vm.builtins.dict();
        let withheld: Vec<PyObjectRef> = ["eval", "exec", "compile", "open", "getattr", "__build_class__", "globals"]
            .iter()
            .map(|name| real.get_item(*name, vm).expect("is there"))
            .chain([real.clone().into(), globals.clone().into(), vm.builtins.clone().into()])
            .collect();
        let types = &vm.ctx.types;
        let forbidden = [types.module_type, types.frame_type, types.code_type, types.cell_type];
        let mut objects = start(&globals, vm);
        let mut seen = BTreeSet::new();
        let mut kept = Vec::new();
        while let Some(object) = objects.pop() {
            if !seen.insert(object.get_id()) || seen.len() > 20_000 {
                continue;
            }
            let class = object.class().to_owned();
            assert!(!forbidden.iter().any(|other| class.is(*other)), "reached a {}", class.name());
            assert!(!withheld.iter().any(|other| other.is(&object)), "reached {:?}", object.repr(vm));
            let held = object.clone().downcast::<PyType>().map_or_else(|_| Vec::new(), |held| held.mro_collect());
            for class in class.mro_collect().into_iter().chain(held) {
                for name in class.attributes().interned_names(&vm.ctx) {
                    if let Ok(value) = object.get_attr(name, vm) {
                        objects.push(value);
                    }
                }
            }
            if let Ok(items) = object.clone().downcast::<PyDict>() {
                objects.extend(items.into_iter().flat_map(|(key, value)| [key, value]));
            } else if let Ok(items) = object.clone().downcast::<PyTuple>() {
                objects.extend(items.as_slice().iter().cloned());
            }
            // What stays alive keeps its address, so that none is taken for another.
            kept.push(object);
        }
        assert!(kept.len() > 1000, "{}", kept.len());
    });
}

/// No attribute sticks to a type or function that sandboxes share.
#[test]
fn shared_objects_take_no_attributes() {
    testing::with_interpreter(|vm| {
        let globals = sampled(vm);
        let mut shared = 0;
        for class in walk(start(&globals, vm), vm).into_values() {
            if class.heaptype_ext().is_none() {
                let set = class.as_object().set_attr("planted", vm.ctx.new_int(1), vm);
                assert!(set.is_err(), "{} takes attributes", class.name());
                shared += 1;
            }
        }
        assert!(shared > 100, "{shared}");
        let builtins: PyDictRef =
            globals.get_item("__builtins__", vm).expect("is there").downcast::<PyDict>().expect("is a dict");
        for (name, value) in &*builtins {
            assert!(value.set_attr("planted", vm.ctx.new_int(1), vm).is_err(), "{:?} takes attributes", name.str(vm));
        }
    });
}

/// The globals of the script that collects the samples.
fn sampled(vm: &VirtualMachine) -> PyDictRef {
    let granted = vm.ctx.new_dict();
    let demo = ModuleFacade::new("demo", vm.ctx.new_dict(), vm);
    granted.set_item("demo", demo.into(), vm).expect("sets");
    let globals = testing::globals(Some(granted), vm);
    let ask = NewFunction { name: "ask".to_owned(), parameters: Vec::new(), function: function::erase(|| 1) };
    let ask = function::object(ask, vm);
    globals.set_item("ask", ask, vm).expect("sets");
    globals.set_item("wait", awaitable::object("wait", vm), vm).expect("sets");
    let chest = convert::to_python(&Handle::new(Chest).into_value(), vm).expect("crosses");
    globals.set_item("chest", chest, vm).expect("sets");
    let outcome = testing::run_in(globals.clone(), SAMPLES, vm);
    assert_eq!(outcome.error, None, "{}", outcome.output);
    globals
}

/// An object of the host's.
struct Chest;

impl HostObject for Chest {
    const NAME: &'static str = "Chest";

    fn members(members: &mut Members<Self>) {
        members.method("put", |_: &Chest, x: i64| x).field("gold", |_| 1).iter(|_| 0..3);
    }
}

/// The builtins and one object of every kind.
fn start(globals: &PyDictRef, vm: &VirtualMachine) -> Vec<PyObjectRef> {
    let builtins = globals.get_item("__builtins__", vm).expect("is there").downcast::<PyDict>().expect("is a dict");
    let samples = globals.get_item("samples", vm).expect("is there").downcast::<PyList>().expect("is a list");
    let mut objects: Vec<PyObjectRef> = samples.borrow_vec().to_vec();
    objects.extend(builtins.into_iter().map(|(_, value)| value));
    objects
}

/// The types of all objects that can be reached from `objects` by names that scripts may use, and the types above them.
fn walk(mut objects: Vec<PyObjectRef>, vm: &VirtualMachine) -> BTreeMap<(String, usize), PyTypeRef> {
    let mut types = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some(object) = objects.pop() {
        let class = object.class().to_owned();
        let mut lines: Vec<PyTypeRef> = class.mro_collect();
        if let Ok(held) = object.clone().downcast::<PyType>() {
            lines.extend(held.mro_collect());
        }
        let mut asked = BTreeSet::new();
        for line in lines {
            asked.extend(allowed_names(&line, vm));
            // Two types may have one name: the real `type` and its facade.
            let key = (line.name().to_string(), line.get_id());
            types.entry(key).or_insert(line);
        }
        // One object of a type stands for all of them, but classes have attributes of their own.
        if !seen.insert((class.get_id(), asked.clone())) {
            continue;
        }
        for name in asked {
            if let Ok(value) = object.get_attr(vm.ctx.intern_str(name), vm) {
                objects.push(value);
            }
        }
    }
    types
}

fn allowed_names(class: &PyTypeRef, vm: &VirtualMachine) -> Vec<String> {
    class
        .attributes()
        .interned_names(&vm.ctx)
        .into_iter()
        .map(|name| name.as_str().to_owned())
        .filter(|name| names::attribute(name))
        .collect()
}

/// What a script finds without importing anything.
fn builtins(globals: &PyDictRef, vm: &VirtualMachine) -> String {
    let builtins = globals.get_item("__builtins__", vm).expect("is there").downcast::<PyDict>().expect("is a dict");
    let names = builtins.into_iter().map(|(name, _)| name.str(vm).expect("is a str").to_string()).collect();
    line("builtins", names)
}

/// The special methods that the rules on names let a script define in a class, and call on `super()`.
fn special_names() -> String {
    let known = |allowed: fn(&str) -> bool| {
        compile::names::specials().filter(|name| allowed(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    line("a class may define", known(compile::names::definable_special))
        + &line("may be called on super()", known(compile::names::special_on_super))
}

fn table(types: &BTreeMap<(String, usize), PyTypeRef>, vm: &VirtualMachine) -> String {
    let mut lines = Vec::new();
    for ((name, _), class) in types {
        // Classes that the script made are its own.
        if class.heaptype_ext().is_some() {
            continue;
        }
        let mut text = line(name, allowed_names(class, vm));
        let names = class.attributes().interned_names(&vm.ctx).into_iter().map(|name| name.as_str().to_owned());
        let rest: Vec<String> = names.filter(|name| !names::attribute(name)).collect();
        if !rest.is_empty() {
            text += &line(&format!("{name}, not by name"), rest);
        }
        lines.push((name, text));
    }
    // Types of one name come by their addresses.
    lines.sort();
    lines.into_iter().map(|(_, text)| text).collect()
}

fn line(head: &str, mut names: Vec<String>) -> String {
    names.sort();
    format!("{head}: {}", names.join(" ")).trim_end().to_owned() + "\n"
}
