//! The fuzz targets on their seeds and on what fuzzing has found, on any toolchain.

use std::path::PathBuf;

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "some of it is for the fuzzers alone")]
mod targets;

#[test]
fn validate() {
    replay("validate");
}

#[test]
fn escape() {
    replay("escape");
}

#[test]
fn differential() {
    replay("differential");
}

#[test]
fn budget() {
    replay("budget");
}

#[test]
fn value() {
    replay("value");
}

#[test]
fn worker_frames() {
    replay("worker_frames");
}

#[test]
fn every_target_is_replayed_and_has_a_fuzzer() {
    let source = include_str!("fuzz.rs");
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).unwrap();
    for (name, _) in targets::TARGETS {
        assert!(source.contains(&format!("replay(\"{name}\");")), "{name} is not replayed");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has no fuzzer");
    }
}

/// Runs a target on each file in its folders, one after the other. The harness shows the file's source when it panics.
fn replay(target: &str) {
    let (_, body) = targets::TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut inputs = Vec::new();
    for folder in ["seeds", "regressions"] {
        let folder = fuzz.join(folder).join(target);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        inputs.extend(files);
    }
    assert!(!inputs.is_empty(), "there are no seeds for {target}");
    for input in inputs {
        println!("{}", input.display());
        body(&std::fs::read(&input).unwrap());
    }
}
