//! The tables themselves: what is wrong in one is found before its cases run.

use crate::support::expect;
use crate::support::table::{CaseTable, Entry};
use std::collections::HashSet;

#[test]
fn hostile_tables_are_sound() {
    let mut names = HashSet::new();
    for table in CaseTable::read_folder("hostile") {
        for case in table.entries("case", &["expect"]) {
            assert!(names.insert(case.name.clone() + &table.path.display().to_string()), "{}: named twice", case.name);
            for one in case.text("expect").split('|') {
                assert!(expect::is_known(one.trim()), "{}: '{one}' is no expectation", case.name);
            }
        }
        for control in table.entries("control", &["value"]) {
            is_json(&control);
        }
    }
    assert!(names.len() >= 650, "{} hostile cases", names.len());
}

#[test]
fn escape_tables_are_sound() {
    let mut names = HashSet::new();
    for table in CaseTable::read_folder("escapes") {
        for entry in table.entries("entry", &["technique", "stage", "control", "value"]) {
            assert!(names.insert(entry.name.clone()), "{}: named twice", entry.name);
            assert!(!entry.text("technique").is_empty() && !entry.text("technique").contains('\n'), "{}", entry.name);
            assert!(["compile", "run", "both"].contains(&entry.text("stage")), "{}", entry.name);
            // Without the signal an entry could not be seen to escape.
            assert!(entry.source.contains("REACHED"), "{}: never shows that it escaped", entry.name);
            assert_ne!(entry.source, entry.text("control"), "{}", entry.name);
            assert!(!entry.text("control").contains("REACHED"), "{}", entry.name);
            is_json(&entry);
        }
    }
    assert!(names.len() >= 330, "{} escapes", names.len());
}

#[test]
fn ordinary_tables_are_sound() {
    let mut names = HashSet::new();
    for table in CaseTable::read_folder("ordinary") {
        for program in table.entries("program", &["output"]) {
            assert!(names.insert(program.name.clone()), "{}: named twice", program.name);
            assert!(!program.text("output").is_empty(), "{}: prints nothing", program.name);
        }
    }
    assert!(names.len() >= 120, "{} ordinary programs", names.len());
}

fn is_json(entry: &Entry) {
    let value = entry.text("value");
    let parsed: serde_json::Value =
        serde_json::from_str(value).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
    assert_eq!(parsed.to_string(), value, "{}: not in the form that is compared", entry.name);
}
