//! What of Python works: each feature of the tables in `tests/cases/breadth` as its table says, against CPython 3.11 where
//! there is one, and the names of each built-in type. `docs/breadth.md` is written from them.

use crate::support::table::{CaseTable, Entry};
use crate::support::{assert_none, has_python, peer_counts};
use pycage::{Policy, Runner, Sandbox};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

/// The tables of features, in the order of the document.
const AREAS: [&str; 5] = ["syntax", "functions", "classes", "builtins", "values"];

/// Features that are tried at least.
const FEATURES: usize = 150;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/breadth.md");

struct Area {
    title: String,
    features: Vec<Entry>,
}

fn areas() -> Vec<Area> {
    let read = |name: &&str| {
        let table = CaseTable::read(&format!("breadth/{name}.toml"));
        Area { title: table.text("title"), features: table.entries("feature", &["status", "rule", "note"]) }
    };
    AREAS.iter().map(read).collect()
}

fn rules() -> Vec<(String, String)> {
    CaseTable::read("breadth/rules.toml").pairs("rules")
}

fn types() -> Vec<Entry> {
    CaseTable::read("breadth/types.toml").entries("type", &["names", "missing"])
}

/// What a program printed, `None` if it was refused or ended with an exception.
fn in_pycage(runner: &Runner, source: &str) -> Option<String> {
    let mut sandbox = Sandbox::builder().runner(runner).policy(Policy::data()).build().unwrap();
    // The value of the last statement is not asked for.
    sandbox.exec(&format!("{source}\npass\n")).ok().map(|()| sandbox.take_output())
}

/// Runs the programs that it is sent, each in names of its own, and answers what they printed.
const PYTHON: &str = "
import contextlib, io, json, sys
came = []
for source in json.load(sys.stdin):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, '<feature>', 'exec', dont_inherit=True), {'__name__': '__main__'})
        came.append(printed.getvalue())
    except BaseException:
        came.append(None)
json.dump(came, sys.stdout)
";

/// The same of CPython, of all programs at once; nothing where there is none.
fn in_python(sources: &[String]) -> Option<Vec<Option<String>>> {
    if !has_python() {
        return None;
    }
    let mut child = Command::new("python3")
        .args(["-I", "-W", "ignore", "-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), sources).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn features_are_as_the_tables_say() {
    let features: Vec<Entry> = areas().into_iter().flat_map(|area| area.features).collect();
    assert!(features.len() >= FEATURES, "{}", features.len());
    let rules: BTreeSet<String> = rules().into_iter().map(|(rule, _)| rule).collect();
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for feature in &features {
        assert!(names.insert(feature.name.clone()), "{}: named twice", feature.name);
        let needs_rule = feature.text("status") != "works";
        if feature.optional("rule").is_some_and(|rule| rules.contains(rule)) != needs_rule {
            wrong.push(format!("{}: what differs has a rule of the list, and nothing else has one", feature.name));
        }
    }
    let runner = Runner::new().unwrap();
    let sources: Vec<String> = features.iter().map(|feature| feature.source.clone()).collect();
    let python = in_python(&sources);
    for (index, feature) in features.iter().enumerate() {
        let expected = python.as_ref().map(|all| all[index].clone());
        let found = in_pycage(&runner, &feature.source);
        let good = match (feature.text("status"), &found, &expected) {
            ("works", Some(found), Some(Some(expected))) => found == expected,
            ("works", Some(_), None) => true,
            ("absent", None, Some(expected)) => expected.is_some(),
            ("absent", None, None) => true,
            // Either prints something else than the other, or there is nothing that the other prints.
            ("differs", found, Some(expected)) => found != expected || found.is_none(),
            ("differs", _, None) => true,
            _ => false,
        };
        if !good {
            wrong.push(format!("{}: pycage {found:?}, CPython {expected:?}", feature.name));
        }
    }
    assert_none("features that are not as their table says", wrong);
}

/// The names that the table of a type leaves out, each with its rule.
fn missing(of: &Entry) -> BTreeMap<&str, &str> {
    let listed = of.optional("missing").unwrap_or_default().split_whitespace();
    listed.map(|one| one.split_once('=').unwrap_or_else(|| panic!("{}: {one}: NAME=RULE", of.name))).collect()
}

#[test]
fn names_of_built_in_types_are_there_or_have_a_rule() {
    const BUILTINS: &str = "builtins";
    let rules: BTreeSet<String> = rules().into_iter().map(|(rule, _)| rule).collect();
    let types = types();
    let list = |of: &Entry| format!("{}\nprint(*dir(x), sep='\\n')", of.source);
    let python = in_python(&types.iter().map(list).collect::<Vec<String>>());
    let mut wrong = Vec::new();
    for (index, of) in types.iter().enumerate() {
        let names: BTreeSet<&str> = of.text("names").split_whitespace().collect();
        let missing = missing(of);
        wrong
            .extend(missing.values().filter(|rule| !rules.contains(**rule)).map(|rule| format!("{}: {rule}", of.name)));
        let mut sandbox = Sandbox::new().unwrap();
        let there = |sandbox: &mut Sandbox, name: &str| {
            if of.name == BUILTINS {
                sandbox.exec(name).is_ok()
            } else {
                sandbox.call::<bool>("there", (name,)).unwrap()
            }
        };
        if of.name != BUILTINS {
            sandbox.exec(&format!("{}\ndef there(name): return hasattr(x, name)", of.source)).unwrap();
        }
        for name in &names {
            if there(&mut sandbox, name) == missing.contains_key(name) {
                wrong.push(format!("{}.{name}: it is there, or not, against the table", of.name));
            }
        }
        wrong.extend(missing.keys().filter(|name| !names.contains(**name)).map(|name| format!("{}.{name}", of.name)));
        let Some(python) = &python else { continue };
        let listed = python[index].as_deref().unwrap_or_default();
        let (special, public): (Vec<&str>, Vec<&str>) = listed.lines().partition(|name| name.starts_with('_'));
        if public.into_iter().collect::<BTreeSet<_>>() != names {
            wrong.push(format!("{}: CPython has other names", of.name));
        }
        let reached = special.into_iter().filter(|name| there(&mut sandbox, name));
        wrong.extend(reached.map(|name| format!("{}.{name} can be asked for", of.name)));
    }
    assert_none("names of built-in types that are not as their table says", wrong);
}

/// Run with `PYCAGE_WRITE_TABLES=1` it writes the document.
#[test]
fn the_document_is_up_to_date() {
    let written = document();
    if std::env::var_os("PYCAGE_WRITE_TABLES").is_some() {
        std::fs::write(DOCUMENT, &written).unwrap();
    }
    let found = std::fs::read_to_string(DOCUMENT).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        found == written,
        "docs/breadth.md is out of date: PYCAGE_WRITE_TABLES=1 cargo test --ignore-rust-version --test suite breadth::"
    );
}

fn document() -> String {
    let areas = areas();
    let count = |status: &str| {
        areas.iter().flat_map(|area| &area.features).filter(|feature| feature.text("status") == status).count()
    };
    let mut text = format!(
        "<!-- Written by tests/suite/breadth.rs from tests/cases/breadth. Do not edit it here. -->\n\n# What of Python works\n\n\
         Each line below is a small program that the tests run in pycage and in CPython 3.11. Of {} features {} *work* (both \
         print the same), {} *differ* and {} are *absent* (refused, or an exception). The programs stand in \
         [tests/cases/breadth](../tests/cases/breadth), what each module has in [tests/cases/modules](../tests/cases/modules).\n\n",
        count("works") + count("differs") + count("absent"),
        count("works"),
        count("differs"),
        count("absent"),
    );
    text += "## Why something differs\n\n| rule | |\n|---|---|\n";
    for (rule, why) in rules() {
        text += &format!("| {rule} | {why} |\n");
    }
    for area in &areas {
        text += &format!("\n## {}\n\n", area.title);
        let works = area.features.iter().filter(|feature| feature.text("status") == "works");
        let works: Vec<&str> = works.map(|feature| feature.name.as_str()).collect();
        text += &format!("Work: {}.\n\n| | | rule | |\n|---|---|---|---|\n", works.join("; "));
        for feature in area.features.iter().filter(|feature| feature.text("status") != "works") {
            let (status, rule) = (feature.text("status"), feature.text("rule"));
            text += &format!(
                "| {} | {status} | {rule} | {} |\n",
                feature.name,
                feature.optional("note").unwrap_or_default()
            );
        }
    }
    text += "\n## Names of built-in types\n\nAll public names that CPython 3.11 has are there but these; names with an underscore \
             in front are not, by the rule `underscore`.\n\n| type | names | left out |\n|---|---|---|\n";
    for of in types() {
        let mut left_out: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, rule) in missing(&of) {
            left_out.entry(rule).or_default().push(name);
        }
        let left_out: Vec<String> =
            left_out.iter().map(|(rule, names)| format!("`{}` ({rule})", names.join("` `"))).collect();
        text +=
            &format!("| {} | {} | {} |\n", of.name, of.text("names").split_whitespace().count(), left_out.join(", "));
    }
    let (package, counts) = peer_counts();
    text += &format!(
        "\n## Programs written for another sandbox\n\nThe programs of the test suite of monty (`{package}` on PyPI) on bare \
         RustPython and in pycage, each in a process of its own (`tests/suite/peer.rs` says how to repeat it). What needs a \
         module, or functions, files or an event loop of its host, is told by its text and skipped.\n\n| programs | |\n|---:|---|\n"
    );
    for (verdict, programs) in counts {
        text += &format!("| {programs} | {verdict} |\n");
    }
    text
}
